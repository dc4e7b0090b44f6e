"""Folders as older versions of the libraries wrote them, which the published ones are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from loopgen.engines.musicgen import parts
from tests.engines.musicgen.test_load import copy_of, greedy, on_cpu, said

OLD: dict[str, Any] = {
    **dict.fromkeys(("bad_words_ids", "begin_suppress_tokens", "cross_attention_hidden_size", "eos_token_id")),
    **dict.fromkeys(("decoder_start_token_id", "exponential_decay_length_penalty", "finetuning_task", "prefix")),
    **dict.fromkeys(("forced_bos_token_id", "problem_type", "sep_token_id", "suppress_tokens", "tokenizer_class")),
    **dict.fromkeys(("add_cross_attention", "do_sample", "early_stopping", "is_decoder", "output_attentions"), False),
    **dict.fromkeys(("output_hidden_states", "output_scores", "tf_legacy_loss", "torchscript", "use_bfloat16"), False),
    **dict.fromkeys(("diversity_penalty", "layerdrop", "classifier_dropout"), 0.0),
    **dict.fromkeys(("length_penalty", "repetition_penalty", "temperature", "top_p", "typical_p"), 1.0),
    **dict.fromkeys(("chunk_size_feed_forward", "encoder_no_repeat_ngram_size", "min_length"), 0),
    **dict.fromkeys(("num_beams", "num_beam_groups", "num_return_sequences"), 1),
    **{"architectures": ["EncodecModel"], "id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}, "max_length": 20},
    **{"pruned_heads": {}, "return_dict": True, "top_k": 50, "torch_dtype": "float32", "tie_word_embeddings": True},
    **{"scale_embedding": False, "transformers_version": "4.31.0.dev0", "_name_or_path": "facebook/encodec_32khz"},
}
"""What ``to_dict`` of transformers 4.31 wrote besides, for each part of a model."""


def test_a_tokenizer_in_the_old_format_alone_names_what_reads_it(
    tiny_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copy_of(tiny_text, tmp_path)
    (folder / "spiece.model").write_bytes(b"")
    on_cpu(folder)  # with tokenizer.json beside it, nobody reads it
    (folder / "tokenizer.json").unlink()
    monkeypatch.setattr(parts, "is_sentencepiece_available", lambda: False)
    assert said(folder).endswith("is spiece.model, without tokenizer.json: pip install sentencepiece protobuf")


def test_a_config_of_an_old_version_is_read(tiny_folders: dict[str, Path], tmp_path: Path) -> None:
    """The published ones are of 2023: each part says all that version 4.31 knew, and the files hold the positions."""
    for kind in ("text", "melody"):
        folder = Path(shutil.copytree(tiny_folders[kind], tmp_path / kind))
        config = json.loads((folder / "config.json").read_text())
        config |= {"torch_dtype": "float32", "transformers_version": None, "_name_or_path": "/home/me/musicgen"}
        config.pop("dtype", None)
        for name in ("text_encoder", "audio_encoder", "decoder"):
            config[name] = OLD | {key: value for key, value in config[name].items() if key != "dtype"}
        config["decoder"]["tie_word_embeddings"] = False
        (folder / "config.json").write_text(json.dumps(config))
        weights = load_file(folder / "model.safetensors")
        positions = {"decoder.model.decoder.embed_positions.weights": torch.zeros(2048, 64)}
        second = {"text_encoder.encoder.embed_tokens.weight": weights["text_encoder.shared.weight"].clone()}
        save_file(weights | positions | second, folder / "model.safetensors", metadata={"format": "pt"})
        assert torch.equal(greedy(on_cpu(folder)), greedy(on_cpu(tiny_folders[kind])))
