"""Stand-ins for what audiocraft 1.3.0 imports and a machine without CUDA cannot have beside a current torch.

xformers, torchaudio, spacy and demucs bring CUDA libraries, gigabytes or models; of each, audiocraft needs very little
to play. What is here computes the same: attention by torch's own, the spectrogram by torch's own STFT. Two simplify:
spacy's words are split at spaces and never stop words; demucs finds no drums and bass to remove. Of the first three, a
package that is installed is used as it is; demucs never is, as it would download a model.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers.utils.import_utils import is_torchaudio_available


def need_audiocraft() -> None:
    """Skip the tests that call this where audiocraft is not installed; in CI they fail."""
    if find_spec("audiocraft") is None:
        missing = "audiocraft is missing: .ci/run shows how tests/engines/audiocraft-requirements.txt is installed"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)


@contextmanager
def stand_ins() -> Iterator[None]:
    """audiocraft can be imported and used inside; afterwards its name and those of the packages are as free as before.

    Whatever else is imported inside stays: a library that is imported twice is two libraries.
    """
    is_torchaudio_available()  # transformers looks once and keeps the answer, which is to be the true one
    missing = [package for package in _PACKAGES if package == "demucs" or find_spec(package) is None]
    modules = {module.__name__: module for package in missing for module in _PACKAGES[package]()}
    before = {name: module for name, module in sys.modules.items() if _is_lent(name)}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in [name for name in sys.modules if _is_lent(name)]:
            del sys.modules[name]
        sys.modules.update(before)


def _is_lent(name: str) -> bool:
    return name.partition(".")[0] in ("audiocraft", *_PACKAGES)


class LowerTriangularMask:
    """Says that attention is causal, as the class of this name in xformers."""


def memory_efficient_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_bias: Tensor | LowerTriangularMask | None = None, p: float = 0.0
) -> Tensor:
    """xformers' attention over ``(batch, time, heads, width)``; ``attn_bias`` is added to the scores."""
    causal = isinstance(attn_bias, LowerTriangularMask)
    bias = attn_bias if isinstance(attn_bias, Tensor) else None
    query, key, value = (tensor.transpose(1, 2) for tensor in (query, key, value))
    out = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=bias, is_causal=causal, dropout_p=p)
    return out.transpose(1, 2)


class Spectrogram(nn.Module):
    """Power spectrogram of ``(..., samples)``: ``(..., bins, frames)``, Hann window, centred frames, reflected ends.

    ``normalized`` divides the spectrum by the window's energy, as torchaudio does.
    """

    def __init__(
        self,
        n_fft: int,
        win_length: int,
        hop_length: int,
        power: float = 2.0,
        center: bool = True,
        pad: int = 0,
        normalized: bool = False,
    ) -> None:
        super().__init__()
        assert center and pad == 0
        self.n_fft, self.hop, self.power, self.normalized = n_fft, hop_length, power, normalized
        self.window: Tensor
        self.register_buffer("window", torch.hann_window(win_length))

    def forward(self, wav: Tensor) -> Tensor:
        flat = wav.reshape(-1, wav.shape[-1])
        length = len(self.window)
        spectrum = torch.stft(flat, self.n_fft, self.hop, length, self.window, return_complex=True)
        if self.normalized:
            spectrum = spectrum / self.window.pow(2).sum().sqrt()
        return spectrum.abs().pow(self.power).reshape(*wav.shape[:-1], *spectrum.shape[-2:])


class MelSpectrogram:
    """Needed by losses of the training only, which are imported but never built here."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError("training")


@dataclass(frozen=True)
class Word:
    """A token of spacy's."""

    text: str
    is_stop: bool = False

    @property
    def lemma_(self) -> str:
        return self.text


class Unmixed(nn.Module):
    """A demucs that separates nothing: all sound is in the last of its stems."""

    sources = ("drums", "bass", "vocals", "other")
    samplerate, audio_channels = 32_000, 1


def _separated(model: Unmixed, wav: Tensor, **_: Any) -> Tensor:
    silence = torch.zeros_like(wav)
    return torch.stack([silence, silence, silence, wav], dim=1)


def _xformers() -> list[ModuleType]:
    ops = _module(
        "xformers.ops",
        unbind=torch.unbind,
        LowerTriangularMask=LowerTriangularMask,
        memory_efficient_attention=memory_efficient_attention,
    )
    return [_module("xformers", ops=ops, __path__=[]), ops]


def _torchaudio() -> list[ModuleType]:
    transforms = _module("torchaudio.transforms", Spectrogram=Spectrogram, MelSpectrogram=MelSpectrogram)
    return [_module("torchaudio", transforms=transforms, __path__=[]), transforms]


def _spacy() -> list[ModuleType]:
    return [_module("spacy", load=lambda language: lambda text: [Word(word) for word in text.split()])]


def _demucs() -> list[ModuleType]:
    pretrained = _module("demucs.pretrained", get_model=lambda name: Unmixed())
    apply = _module("demucs.apply", apply_model=_separated)
    audio = _module("demucs.audio", convert_audio=lambda wav, *_: wav)
    return [_module("demucs", pretrained=pretrained, apply=apply, audio=audio, __path__=[]), pretrained, apply, audio]


_PACKAGES = {"xformers": _xformers, "torchaudio": _torchaudio, "spacy": _spacy, "demucs": _demucs}


def _module(name: str, **contents: Any) -> ModuleType:
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None)
    vars(module).update(contents)
    return module
