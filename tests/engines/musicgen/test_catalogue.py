"""The published models: their names, and sizes that follow from their architecture."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
from transformers import (
    EncodecConfig,
    MusicgenConfig,
    MusicgenDecoderConfig,
    MusicgenForConditionalGeneration,
    MusicgenMelodyConfig,
    MusicgenMelodyDecoderConfig,
    MusicgenMelodyForConditionalGeneration,
    T5Config,
)

from loopgen.engines.musicgen import catalogue
from loopgen.errors import EngineUnavailable


@pytest.mark.parametrize("known", catalogue.MODELS, ids=lambda known: known.name)
def test_parameters_are_those_of_the_real_architecture(known: catalogue.Known) -> None:
    """Counted in transformers' own classes at full size, on a device that holds no memory."""
    text = T5Config(vocab_size=32128, d_model=768, d_kv=64, d_ff=3072, num_layers=12, num_heads=12)
    audio = EncodecConfig(
        sampling_rate=32_000,
        num_filters=64,
        hidden_size=128,
        codebook_size=2048,
        codebook_dim=128,
        upsampling_ratios=[8, 5, 4, 4],
        target_bandwidths=[2.2],
        num_lstm_layers=2,
        use_causal_conv=False,
        use_conv_shortcut=False,
    )
    sizes: dict[str, Any] = {
        "hidden_size": known.width,
        "num_hidden_layers": known.layers,
        "ffn_dim": 4 * known.width,
        "num_attention_heads": known.width // 64,
        "num_codebooks": 4 * known.channels,
        "audio_channels": known.channels,
    }
    model: torch.nn.Module
    with torch.device("meta"):
        if known.is_melody:
            melody = MusicgenMelodyDecoderConfig(**sizes)
            config = MusicgenMelodyConfig(text_encoder=text, audio_encoder=audio, decoder=melody)
            model = MusicgenMelodyForConditionalGeneration(config)
        else:
            decoder = MusicgenDecoderConfig(**sizes)
            model = MusicgenForConditionalGeneration(
                MusicgenConfig(text_encoder=text, audio_encoder=audio, decoder=decoder)
            )
    state = model.state_dict()
    state.pop("text_encoder.encoder.embed_tokens.weight")  # T5's table under its second name
    assert known.parameters == sum(tensor.numel() for tensor in state.values())
    of_decoder = sum(tensor.numel() for name, tensor in state.items() if name.startswith("decoder."))
    assert known.decoder_parameters == of_decoder


def test_every_name_leads_to_its_model() -> None:
    assert len({known.name for known in catalogue.MODELS}) == 10
    for known in catalogue.MODELS:
        for name in (known.name, known.repo, f"musicgen-{known.name}", f" {known.name.upper()} "):
            assert catalogue.find(name) is known


@pytest.mark.parametrize(
    ("typed", "meant"), [("meduim", "medium"), ("stereo_large", "stereo-large"), ("facebook/musicgen-smal", "small")]
)
def test_a_misspelt_name_gets_the_nearest(typed: str, meant: str) -> None:
    with pytest.raises(EngineUnavailable, match=f"did you mean '{meant}'"):
        catalogue.find(typed)
    assert catalogue.get(typed) is None


def test_a_name_like_none_gets_all() -> None:
    with pytest.raises(EngineUnavailable, match=r"no model 'zzz'; give one of small, medium, .*owner/name.*folder"):
        catalogue.find("zzz")


def test_less_precision_takes_less_memory_and_more_takes_more() -> None:
    for known in catalogue.MODELS:
        by_precision = [known.memory_bytes(precision) for precision in ("fp32", "bf16", "int8")]
        assert by_precision == sorted(by_precision, reverse=True)
        assert known.memory_bytes("bf16", takes=4) > known.memory_bytes("bf16")
        assert known.memory_bytes("fp32") > 4 * known.parameters


def test_importing_it_imports_nothing_heavy() -> None:
    heavy = "{'torch', 'transformers', 'huggingface_hub', 'numpy'}"
    code = f"import sys, loopgen.engines.musicgen.catalogue; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
