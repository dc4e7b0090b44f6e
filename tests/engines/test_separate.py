"""Demucs: its own network with random weights, through the same function as the published one."""

from __future__ import annotations

import builtins
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from loopgen.engines.separate import load, without_drums_and_bass
from loopgen.errors import EngineUnavailable
from loopgen.music.audio import Audio

SOURCES = ["drums", "bass", "other", "vocals"]
RATE = 44_100


@pytest.fixture(scope="module")
def model() -> Any:
    torch = pytest.importorskip("torch")
    htdemucs = pytest.importorskip("demucs.htdemucs")
    torch.manual_seed(0)
    return htdemucs.HTDemucs(
        SOURCES, channels=8, nfft=1024, depth=3, t_layers=1, t_heads=2, bottom_channels=16, segment=Fraction(2),
        samplerate=RATE,
    ).eval()  # fmt: skip


def clip(rate: int = RATE, channels: int = 2) -> Audio:
    t = np.arange(3 * rate + 17) / rate
    noise = np.random.default_rng(1).standard_normal(len(t)) * np.exp(-(t % 0.5) / 0.03)
    voice = np.sin(2 * np.pi * 440 * t)
    return Audio(np.stack([0.3 * voice + 0.2 * noise, 0.2 * voice - 0.1 * noise], axis=1)[:, :channels], rate)


def test_voices_and_the_rest_are_kept(model: Any) -> None:
    import torch
    from demucs.apply import apply_model

    audio = clip()
    stems = apply_model(model, torch.from_numpy(audio.samples.T.copy())[None], shifts=0)[0].numpy()
    kept = without_drums_and_bass(audio, model).samples.T
    assert np.allclose(kept, stems[2] + stems[3], atol=1e-6)
    assert np.abs(stems[2] + stems[3]).max() > 100 * np.abs(kept - stems[2] - stems[3]).max()
    assert not np.allclose(kept, stems.sum(axis=0), atol=1e-4)


def test_the_stems_are_found_by_name(model: Any) -> None:
    first = without_drums_and_bass(clip(), model).samples
    names, model.sources = model.sources, ["vocals", "other", "bass", "drums"]
    try:
        second = without_drums_and_bass(clip(), model).samples
    finally:
        model.sources = names
    assert np.abs(first - second).max() > 1e-4


@pytest.mark.parametrize(("rate", "channels"), [(32_000, 1), (48_000, 2), (44_100, 1)])
def test_rate_channels_and_length_stay(model: Any, rate: int, channels: int) -> None:
    audio = clip(rate, channels)
    kept = without_drums_and_bass(audio, model)
    assert (kept.rate, kept.channels, kept.frames) == (rate, channels, audio.frames)
    assert kept.samples.any()
    assert np.array_equal(kept.samples, without_drums_and_bass(audio, model).samples)


def test_without_demucs_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *more: Any, **rest: Any) -> Any:
        if name.startswith("demucs"):
            raise ModuleNotFoundError(name)
        return real(name, *more, **rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(EngineUnavailable, match=r"pip install 'demucs>=4\.1', or go without separation"):
        load()


@pytest.mark.parametrize("failure", [OSError("no network"), SystemExit(1)])
def test_without_weights_the_error_says_so(monkeypatch: pytest.MonkeyPatch, failure: BaseException) -> None:
    pretrained = pytest.importorskip("demucs.pretrained")

    def get_model(name: str) -> Any:
        raise failure

    monkeypatch.setattr(pretrained, "get_model", get_model)
    with pytest.raises(EngineUnavailable, match=r"weights of Demucs \(htdemucs\) are not here .* connect once"):
        load()
