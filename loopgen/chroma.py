"""Chroma of a recording as MusicGen's melody models hear it: which pitch class is the strongest, moment by moment.

The analysis is that of audiocraft's ``ChromaExtractor`` and transformers' ``MusicgenMelodyFeatureExtractor``, so that
a model gets what it was trained with: a power spectrum of 16384 samples at 32 kHz (Hann), folded by the chroma filters
of Ellis' ``fft2chromamx`` (librosa's ``filters.chroma``) in equal temperament at 440 Hz, divided by the loudest class.
Numpy, scipy and soxr do; no torch, no librosa.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.fft import rfft
from scipy.signal.windows import hann

from loopgen.music.audio import Audio

RATE = 32_000
"""Sample rate in Hz that a clip is analysed at."""

WINDOW = 16_384
"""Samples of one spectrum: half a second."""

HOP = 4_096
"""Samples between two frames of the models' chroma: 128 ms."""

SLICE_SECONDS = 0.032
"""A quarter of a hop: fine enough to lay a clip anywhere on a take to within 16 ms."""

_DIGITS = "0123456789AB"
_LEAST = 1e-6
_OCTAVE, _OCTAVES = 5.0, 2.0
"""Where the filters listen: a bell around 880 Hz, five octaves above 27.5 Hz, with a standard deviation of two."""

_CHUNK = 64


def chroma(audio: Audio) -> NDArray[np.float32]:
    """Chroma of a clip, one frame every ``HOP`` samples of 32 kHz; shape ``(frames, 12)``, C first, loudest class 1.

    Frame k is centred at ``k * HOP / RATE`` seconds; the clip is mirrored at its ends, and one shorter than ``WINDOW``
    has silence around it. Where the clip is silent the frame is zeros. 30 seconds give 235 frames.

    >>> tone = Audio(np.sin(2 * np.pi * 440 * np.arange(32_000) / 32_000), 32_000)
    >>> chroma(tone).shape, chroma(tone).argmax(axis=1).tolist()
    ((8, 12), [9, 9, 9, 9, 9, 9, 9, 9])
    """
    mono = _mono(audio)
    if (missing := WINDOW - len(mono)) > 0:
        mono = np.pad(mono, (missing // 2, missing - missing // 2))
    padded = np.pad(mono, WINDOW // 2, mode="reflect")
    return _folded(padded, HOP * np.arange(1 + len(mono) // HOP))


def heard(audio: Audio, seconds: float) -> str:
    """The strongest pitch class of each of equally long slices of the first ``seconds`` of a clip, as ``Melody.heard``.

    One digit in base 12 a slice (``0`` is C, ``B`` is B; also ``0`` where all is silent, as the models have it), a
    slice being as near ``SLICE_SECONDS`` as goes in. The clip counts as repeating: its end is heard before its
    beginning. What is missing to ``seconds`` is silence.

    >>> tones = np.sin(2 * np.pi * np.repeat([261.63, 440], 32_000) * (np.arange(64_000) % 32_000) / 32_000)
    >>> heard(Audio(tones, 32_000), 2.0)[10:52]
    '000000000000000000000999999999999999999999'
    """
    mono = _mono(audio)
    length = max(1, round(seconds * RATE))
    mono = np.pad(mono[:length], (0, max(0, length - len(mono))))
    slices = max(1, round(seconds / SLICE_SECONDS))
    centres = np.round((np.arange(slices) + 0.5) * length / slices).astype(np.int64)
    found = _folded(np.pad(mono, WINDOW // 2, mode="wrap"), centres)
    return "".join(_DIGITS[k] for k in found.argmax(axis=1))


def _mono(audio: Audio) -> NDArray[np.float32]:
    mono = np.nan_to_num(audio.mono(), nan=0.0, posinf=0.0, neginf=0.0)
    return mono if audio.rate == RATE else np.asarray(soxr.resample(mono, audio.rate, RATE), np.float32)


def _folded(padded: NDArray[np.float32], starts: NDArray[np.int64]) -> NDArray[np.float32]:
    """Chroma of the windows of a mono signal that begin at ``starts``, each divided by its loudest class."""
    window = hann(WINDOW, sym=False).astype(np.float32)
    window /= np.sqrt(np.sum(window**2))
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)
    out = np.empty((len(starts), 12), np.float32)
    for begin in range(0, len(starts), _CHUNK):
        spectrum = rfft(windows[starts[begin : begin + _CHUNK]] * window, axis=1)
        out[begin : begin + _CHUNK] = (spectrum.real**2 + spectrum.imag**2) @ _filters().T
    return np.asarray(out / np.maximum(out.max(axis=1, keepdims=True), _LEAST), np.float32)


@cache
def _filters() -> NDArray[np.float32]:
    """How much each bin of the spectrum counts for each pitch class; shape ``(12, WINDOW // 2 + 1)``.

    A bin lies somewhere on the circle of classes; it counts for those around by a bell (as wide as the bin, a semitone
    at least), of unit energy, and as much as its octave is listened to. The bin of 0 Hz is taken to lie 1.5 octaves
    below the first.
    """
    frequencies = np.arange(1, WINDOW) * RATE / WINDOW
    semitones = 12 * np.log2(frequencies / 27.5)
    semitones = np.r_[semitones[0] - 18, semitones]
    widths = np.r_[np.maximum(np.diff(semitones), 1.0), 1.0]
    away = np.mod(semitones[None, :] - np.arange(12)[:, None] + 6, 12) - 6
    bells = np.exp(-0.5 * (2 * away / widths) ** 2)
    bells /= np.sqrt(np.sum(bells**2, axis=0))
    bells *= np.exp(-0.5 * ((semitones / 12 - _OCTAVE) / _OCTAVES) ** 2)
    from_c = np.roll(bells, -3, axis=0)  # the octave above began at A
    return np.asarray(from_c[:, : WINDOW // 2 + 1], np.float32)
