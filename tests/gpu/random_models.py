"""MusicGen's models at full size with random weights, made where they run: speed needs no real ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from transformers import (
    T5Config,
)

from loopgen.engines.musicgen import graphs, int8, machine
from loopgen.engines.musicgen.load import Model
from loopgen.engines.musicgen.weights import gather
from tests.engines.musicgen.architecture import build
from tests.engines.musicgen.tiny import make_tokenizer

CARDS = 2048
SIZES = {"tiny": (2, 64, 4), "small": (24, 1024, 16), "medium": (48, 1536, 24), "large": (48, 2048, 32)}
"""Layers, width, heads; the melody model is a medium one."""


def whole_model(name: str, device: torch.device, dtype: torch.dtype) -> Any:
    """transformers' model of that name, in ``dtype``, with T5-base and EnCodec (tiny: with small ones)."""
    layers, width, heads = SIZES["medium" if name == "melody" else name]
    small = name == "tiny"
    text = T5Config(vocab_size=32128, d_model=768, d_kv=64, d_ff=3072, num_layers=12, num_heads=12)
    if small:
        text = T5Config(vocab_size=512, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4)
    torch.manual_seed(0)
    with _quick_to_fill(), torch.device(device):
        model = build(
            text,
            cards=CARDS,
            filters=4 if small else 64,
            hidden=16 if small else 128,
            layers=layers,
            width=width,
            heads=heads,
            ffn=4 * width,
            is_melody=name == "melody",
        )
    _fill(model)
    model.decoder.to(dtype)
    return model.to(device).eval()


def our_model(name: str, whole: Any, device: torch.device, precision: str) -> Model:
    """Ours, of the same weights."""
    weights = gather(whole.decoder, dtype=machine.DTYPES[precision], device=device)
    if precision == "int8":
        weights = int8.quantise(weights)
    return Model(
        name=f"{name} with random weights",
        folder=Path(name),
        licence="none",
        weights=weights,
        step=graphs.best(weights),
        device=device,
        precision=precision,
        threads=torch.get_num_threads(),
        tokenizer=make_tokenizer(),
        text_encoder=whole.text_encoder.float(),
        enc_to_dec_proj=whole.enc_to_dec_proj.float(),
        audio_enc_to_dec_proj=getattr(whole, "audio_enc_to_dec_proj", None),
        chroma_length=getattr(whole.config, "chroma_length", 0) if name == "melody" else 0,
        codec=whole.audio_encoder.float(),
    )


@contextmanager
def _quick_to_fill() -> Iterator[None]:
    """Without the library's own initialisation, which takes long on a processor."""
    names = ("normal_", "uniform_", "kaiming_normal_", "kaiming_uniform_", "xavier_uniform_", "orthogonal_")
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(mock.patch.object(torch.nn.init, name, lambda tensor, *rest, **more: tensor))
        yield


@torch.no_grad()
def _fill(model: Any) -> None:
    """Matrices with a deviation of 0.02, as the library does, repeated from one draw; so that no sum overflows."""
    drawn: dict[torch.device, torch.Tensor] = {}
    for parameter in model.parameters():
        if parameter.dim() > 1:
            some = drawn.setdefault(parameter.device, torch.randn(1_000_003, device=parameter.device) * 0.02)
            parameter.view(-1).copy_(some.repeat(-(-parameter.numel() // len(some)))[: parameter.numel()])
    for layer in model.audio_encoder.quantizer.layers:
        torch.nn.init.normal_(layer.codebook.embed)
