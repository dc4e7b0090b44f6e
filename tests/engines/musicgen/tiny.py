"""Tiny random models of the real architecture, in folders laid out as facebook/musicgen-* are on the hub.

Everything but the size is as there: EnCodec of 32 kHz and 50 frames a second with four codebooks, the delay pattern's
padding token, a T5 encoder and its tokenizer, chroma in front of the tokens of melody models, left and right channel in
eight codebooks of stereo models. The weights are scaled so that tokens vary and prompts matter.
"""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch
from huggingface_hub import save_torch_state_dict
from transformers import (
    MusicgenMelodyForConditionalGeneration,
    T5Config,
    T5Tokenizer,
)

from tests.engines.musicgen.architecture import build

Kind = Literal["text", "melody", "stereo", "melody-stereo"]
KINDS: tuple[Kind, ...] = ("text", "melody", "stereo", "melody-stereo")
TinyModel: TypeAlias = Any
"""MusicgenForConditionalGeneration or MusicgenMelodyForConditionalGeneration, which leave their parts untyped."""

CARDS = 64
"""Size of each codebook; 2048 in the real models. Also the padding token."""

_WORDS = (
    "techno house dub funk jazz ambient trap warm deep dark bright slow fast rolling rainy bass drums drum piano "
    "guitar synth pad lead kick snare hats strings loop groove bpm key genre instrument moods minor major "
    "a b c d e f g the and with of in 4 8 16 90 100 120 124 128 140 174"
)


def make_tiny(
    kind: Kind = "text", *, seed: int = 0, width: int = 64, layers: int = 2, heads: int = 4, cards: int = CARDS
) -> TinyModel:
    """A model in memory, in fp32 and evaluation mode, with the generation config of the real ones."""
    torch.manual_seed(seed)
    model: TinyModel = build(
        T5Config(vocab_size=len(_vocabulary()), d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4),
        cards=cards,
        filters=4,
        hidden=16,
        layers=layers,
        width=width,
        heads=heads,
        ffn=2 * width,
        channels=2 if "stereo" in kind else 1,
        is_melody=kind.startswith("melody"),
    )
    _enliven(model)
    return model.eval()


def make_tokenizer() -> T5Tokenizer:
    """A T5 tokenizer that knows a few words of music and, letter by letter, everything else in ASCII."""
    return T5Tokenizer(vocab=_vocabulary(), model_max_length=512)


def save_tiny(
    folder: Path,
    kind: Kind = "text",
    *,
    seed: int = 0,
    width: int = 64,
    layers: int = 2,
    heads: int = 4,
    cards: int = CARDS,
    max_shard_size: int | str = "5GB",
    safetensors: bool = True,
) -> Path:
    """Write ``make_tiny``'s model as the hub has the real ones; returns the folder.

    ``max_shard_size`` (bytes, or like ``"100KB"``) below the size splits the weights into files with an index;
    ``safetensors=False`` writes ``pytorch_model.bin``.
    """
    model = make_tiny(kind, seed=seed, width=width, layers=layers, heads=heads, cards=cards)
    return save_model(folder, model, max_shard_size=max_shard_size, safetensors=safetensors)


def save_model(folder: Path, model: TinyModel, *, max_shard_size: int | str = "5GB", safetensors: bool = True) -> Path:
    """Write any model, one that was trained say, with the tokenizer and the files that belong to it."""
    folder.mkdir(parents=True, exist_ok=True)
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(folder)
    model.generation_config.save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    is_melody = isinstance(model, MusicgenMelodyForConditionalGeneration)
    channels = model.config.decoder.audio_channels
    (folder / "preprocessor_config.json").write_text(json.dumps(_preprocessor(is_melody, channels), indent=2))
    save_torch_state_dict(
        _names_of_the_hub(model.state_dict()), folder, max_shard_size=max_shard_size, safe_serialization=safetensors
    )
    return folder


def _enliven(model: TinyModel) -> None:
    """Random weights as they come decode every token alike and hardly hear the prompt."""
    for layer in model.audio_encoder.quantizer.layers:
        torch.nn.init.normal_(layer.codebook.embed)
    matrices = [weight for weight in model.decoder.parameters() if weight.dim() > 1]
    projections = [model.enc_to_dec_proj.weight]
    if isinstance(model, MusicgenMelodyForConditionalGeneration):
        projections.append(model.audio_enc_to_dec_proj.weight)
    for weight in (*matrices, *projections):
        torch.nn.init.normal_(weight, std=0.2)


def _names_of_the_hub(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The names in the published files: those of torch's first weight norm, and no second name for T5's embedding."""
    renamed = {
        name.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): tensor
        for name, tensor in state.items()
    }
    renamed.pop("text_encoder.encoder.embed_tokens.weight", None)
    return renamed


def _preprocessor(is_melody: bool, channels: int) -> dict[str, object]:
    common = {"feature_size": channels, "padding_side": "left", "padding_value": 0.0, "sampling_rate": 32_000}
    if is_melody:
        return common | {
            "feature_extractor_type": "MusicgenMelodyFeatureExtractor",
            "processor_class": "MusicgenMelodyProcessor",
            "chunk_length": 30,
            "hop_length": 4096,
            "n_fft": 16384,
            "num_chroma": 12,
            "return_attention_mask": True,
        }
    return common | {
        "feature_extractor_type": "EncodecFeatureExtractor",
        "processor_class": "MusicgenProcessor",
        "chunk_length_s": None,
        "overlap": None,
        "return_attention_mask": True,
    }


def _vocabulary() -> list[tuple[str, float]]:
    """T5's first three tokens, words, letters and its hundred sentinels, each with a log probability."""
    words = [("▁" + word, -4.0) for word in sorted(set(_WORDS.split()))]
    taken = {word for word, _ in words}
    letters = [(letter, -8.0) for letter in string.ascii_letters + string.digits + string.punctuation]
    sentinels = [(f"<extra_id_{number}>", 0.0) for number in reversed(range(100))]
    start = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -6.0)]
    return [*start, *words, *(letter for letter in letters if letter[0] not in taken), *sentinels]
