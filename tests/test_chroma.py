"""Chroma against the two libraries that MusicGen's melody models come with."""

from __future__ import annotations

import subprocess
import sys
import types
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

from loopgen.chroma import HOP, RATE, SLICE_SECONDS, WINDOW, _filters, chroma, heard
from loopgen.music.audio import Audio
from loopgen.music.melody import Melody, Note
from tests.test_transcribe import TUNE, plucked, saw, sung

SECONDS = 30


def music(seconds: float, rate: int = RATE) -> NDArray[np.float32]:
    """Two voices, hits of noise and a rest of exact silence."""
    quarters = 2 * seconds
    tune = sung(Melody(TUNE, 8).repeated(quarters), saw, "120", quarters=quarters).samples[:, 0]
    low = sung([Note(n.start, n.pitch - 24, n.duration) for n in Melody(TUNE, 6).repeated(quarters)], plucked, "120",
               quarters=quarters).samples[:, 0]  # fmt: skip
    both = 0.5 * tune + 0.3 * low
    hits = np.random.default_rng(3).standard_normal(len(both)) * np.exp(-(np.arange(len(both)) % 22_050) / 1500)
    both = both + 0.2 * hits
    both[len(both) // 3 : len(both) // 2] = 0
    return np.asarray(soxr.resample(both, 44_100, rate), np.float32)[: round(seconds * rate)]


@pytest.fixture
def torchaudio(monkeypatch: pytest.MonkeyPatch) -> Any:
    """torchaudio's ``Spectrogram`` and nothing else of it: PyPI's wheels of it want CUDA libraries."""
    torch = pytest.importorskip("torch")

    class Spectrogram(torch.nn.Module):  # type: ignore[name-defined, misc]
        def __init__(
            self, n_fft: int, win_length: int, hop_length: int, power: float, center: bool, pad: int, normalized: bool
        ) -> None:
            super().__init__()
            assert (win_length, center, pad, normalized) == (n_fft, True, 0, True)
            self.hop, self.power, self.window = hop_length, power, torch.hann_window(n_fft)

        def forward(self, wave: Any) -> Any:
            size = len(self.window)
            flat = wave.reshape(-1, wave.shape[-1])
            spectrum = torch.stft(flat, size, self.hop, size, self.window, return_complex=True)
            spectrum = spectrum / self.window.pow(2).sum().sqrt()
            return spectrum.reshape(*wave.shape[:-1], *spectrum.shape[-2:]).abs().pow(self.power)

    module, transforms = types.ModuleType("torchaudio"), types.ModuleType("torchaudio.transforms")
    module.__spec__ = ModuleSpec("torchaudio", None)
    module.transforms, transforms.Spectrogram = transforms, Spectrogram  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torchaudio", module)
    monkeypatch.setitem(sys.modules, "torchaudio.transforms", transforms)
    return module


@pytest.fixture
def extractor(torchaudio: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The feature extractor of transformers, with the stand-in."""
    source = pytest.importorskip("transformers.models.musicgen_melody.feature_extraction_musicgen_melody")
    from transformers.utils import import_utils

    monkeypatch.setattr(source, "torchaudio", torchaudio, raising=False)
    monkeypatch.setattr(import_utils, "is_torchaudio_available", lambda: True)
    monkeypatch.setitem(import_utils.BACKENDS_MAPPING, "torchaudio", (lambda: True, ""))
    return source.MusicgenMelodyFeatureExtractor()


def clips() -> dict[str, NDArray[np.float32]]:
    whole = music(SECONDS)
    return {
        "30 s": whole,
        "5 s": whole[: 5 * RATE],
        "odd": whole[7 : 7 + 3 * RATE + 1234],
        "one window": whole[:WINDOW],
        "shorter than a window": whole[:9001],
        "silence": np.zeros(RATE, np.float32),
    }


@pytest.mark.parametrize("name", ["30 s", "5 s", "odd", "one window", "shorter than a window", "silence"])
def test_the_strongest_class_is_that_of_transformers(extractor: Any, name: str) -> None:
    clip = clips()[name]
    theirs = extractor(clip, sampling_rate=RATE, return_tensors="np").input_features[0]
    ours = chroma(Audio(clip, RATE))
    assert theirs.shape == ours.shape == (1 + max(len(clip), WINDOW) // HOP, 12)
    assert np.array_equal(theirs, np.eye(12)[ours.argmax(axis=1)])


def test_the_classes_weigh_as_in_transformers(extractor: Any) -> None:
    """Before the argmax, too."""
    torch = pytest.importorskip("torch")
    clip = clips()["5 s"]
    spectrum = extractor.spectrogram(torch.from_numpy(clip)[None])
    raw = torch.einsum("cf,...ft->...ct", extractor.chroma_filters, spectrum)
    theirs = torch.nn.functional.normalize(raw, p=float("inf"), dim=-2, eps=1e-6)[0].T.numpy()
    assert np.abs(chroma(Audio(clip, RATE)) - theirs).max() < 1e-5


def test_it_is_the_chroma_of_audiocraft(torchaudio: Any) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("einops")
    pytest.importorskip("librosa")
    ours = chroma(Audio(clips()["5 s"], RATE))
    package = find_spec("audiocraft")
    if package is None or package.origin is None:
        pytest.skip("audiocraft is not installed")
    spec = spec_from_file_location("audiocraft_chroma", Path(package.origin).parent / "modules" / "chroma.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)  # by itself: the package wants xformers and more
    spec.loader.exec_module(module)
    model = module.ChromaExtractor(sample_rate=RATE, n_chroma=12, radix2_exp=14, winhop=HOP)
    theirs = model(torch.from_numpy(clips()["5 s"])[None])[0].numpy()
    assert np.abs(ours - theirs).max() < 1e-5


def test_the_filters_are_librosas() -> None:
    filters = pytest.importorskip("librosa.filters")
    theirs = filters.chroma(sr=RATE, n_fft=WINDOW, tuning=0, n_chroma=12)
    assert np.abs(_filters() - theirs).max() < 1e-6


def test_thirty_seconds_are_235_frames_centred_a_hop_apart() -> None:
    """A tone that begins at a frame's centre is as strong there as what ends there."""
    t = np.arange(SECONDS * RATE) / RATE
    k = 100
    wave = np.where(t < k * HOP / RATE, np.sin(2 * np.pi * 440 * t), np.sin(2 * np.pi * 622.25 * t))
    found = chroma(Audio(wave, RATE))
    assert found.shape == (235, 12)
    classes = found.argmax(axis=1)
    assert (classes[:k] == 9).all()
    assert (classes[k + 1 :] == 3).all()
    assert abs(found[k, 9] - found[k, 3]) < 0.3


@pytest.mark.parametrize("rate", [22_050, 32_000, 44_100, 48_000])
def test_a_melody_is_heard_slice_by_slice_at_any_rate(rate: int) -> None:
    clip = sung(TUNE, saw, "120").samples[:, 0]
    found = heard(Audio(soxr.resample(clip, 44_100, rate), rate), 4.0)
    assert len(found) == round(4.0 / SLICE_SECONDS)
    quarters = (np.arange(len(found)) + 0.5) * 8 / len(found)
    right, inside = 0, 0
    for quarter, digit in zip(quarters, found, strict=True):
        note = next(n for n in reversed(TUNE) if n.start <= quarter)
        if 0.15 < quarter - note.start < 0.85 * note.duration:
            inside += 1
            right += int(digit, 12) == note.pitch % 12
    assert inside > 60
    assert right / inside > 0.95


def test_a_clip_is_heard_as_one_that_repeats() -> None:
    """What ends it is heard at its very beginning, where its window reaches back."""
    t = np.arange(2 * RATE) / RATE
    wave = np.where(t < 1, 0.01 * np.sin(2 * np.pi * 440 * t), np.sin(2 * np.pi * 622.25 * t))
    found = heard(Audio(wave, RATE), 2.0)
    assert found[0] == "3"
    assert found[15] == "9"
    assert found[40] == "3"


def test_what_is_missing_is_silence_and_what_is_too_much_is_not_heard() -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    assert set(heard(Audio(tone, RATE), 4.0)[50:110]) == {"0"}
    assert set(heard(Audio(tone, RATE), 0.5)) == {"9"}
    assert heard(Audio(np.zeros(1), RATE), 0.01) == "0"
    assert heard(Audio(np.array([np.nan, np.inf]), RATE), 0.1) == "000"


def test_no_torch_and_no_librosa() -> None:
    code = "import sys, loopgen.chroma, loopgen.engines.musicgen.chroma, loopgen.engines.musicgen.prompt"
    code += ", loopgen.engines.musicgen.plan, loopgen.engines.musicgen.count_in"
    code += "; print(sorted({'torch', 'librosa', 'transformers'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
