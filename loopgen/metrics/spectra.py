"""Short spectra at given moments of a sound, folded onto mel bands or pitch classes."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len, rfft, rfftfreq

Float = NDArray[np.float64]


def windowed_spectra(pieces: NDArray[np.floating]) -> tuple[Float, int]:
    """Magnitudes of Hann-windowed pieces ``(..., n, channels)`` as ``(..., channels, bins)``, and the FFT's length.

    Scaled so that a sine of amplitude 1 gives 1 in its bin.
    """
    n = pieces.shape[-2]
    size = next_fast_len(n, real=True)
    window = hann(n).astype(pieces.dtype)
    shaped = np.swapaxes(pieces, -1, -2) * window
    return np.abs(rfft(shaped, size, axis=-1)) * (2 / window.sum()), size


@lru_cache(maxsize=32)
def hann(n: int) -> Float:
    """Hann window of ``n`` samples, none of them zero."""
    return np.hanning(n + 2)[1:-1]


@lru_cache(maxsize=32)
def mel_bands(rate: int, size: int, bands: int = 40, top: float = 12_000.0) -> Float:
    """Weights ``(bins, bands)`` that average the first FFT magnitudes over triangular mel bands up to ``top`` Hz.

    Mel scale of O'Shaughnessy (2595 log10(1 + f / 700)); a band narrower than a bin reads its nearest bin.
    """
    frequencies = rfftfreq(size, 1 / rate)
    high = min(top, 0.98 * rate / 2)
    mels = np.linspace(0, 2595 * np.log10(1 + high / 700), bands + 2)
    edges = 700 * (10 ** (mels / 2595) - 1)
    low, mid, up = edges[:-2], edges[1:-1], edges[2:]
    f = frequencies[:, None]
    weights = np.maximum(0, np.minimum((f - low) / (mid - low), (up - f) / (up - mid)))
    nearest = np.argmin(np.abs(f - mid), axis=0)
    empty = weights.sum(axis=0) <= 0
    weights[nearest[empty], np.flatnonzero(empty)] = 1
    used = int(np.flatnonzero(weights.any(axis=1))[-1]) + 1
    return np.asarray((weights / weights.sum(axis=0))[:used])


def mel(spectra: Float, rate: int, size: int, bands: int = 40) -> Float:
    """Mean magnitude in mel bands ``(..., bands)`` of magnitudes ``(..., bins)`` of an FFT of ``size`` samples."""
    weights = mel_bands(rate, size, bands)
    return np.asarray(spectra[..., : len(weights)] @ weights)


@lru_cache(maxsize=32)
def pitch_classes(rate: int, size: int, low: float = 60.0, high: float = 2500.0) -> tuple[slice, NDArray[np.int64]]:
    """Which bins between ``low`` and ``high`` Hz count, and the pitch class of each (0 = A; A is 440 Hz)."""
    frequencies = rfftfreq(size, 1 / rate)
    first, last = np.searchsorted(frequencies, [low, min(high, rate / 2)])
    classes = np.round(12 * np.log2(frequencies[first:last] / 440)).astype(np.int64) % 12
    return slice(int(first), int(last)), classes


def chroma(pieces: NDArray[np.floating], rate: int) -> Float:
    """Chroma ``(..., 12)`` of pieces ``(..., n, channels)``: powers added over channels, magnitudes over octaves."""
    spectra, size = windowed_spectra(pieces)
    return chroma_of(spectra, rate, size)


def chroma_of(spectra: Float, rate: int, size: int) -> Float:
    """Chroma ``(..., 12)`` of magnitudes ``(..., channels, bins)`` of an FFT of ``size`` samples."""
    bins, classes = pitch_classes(rate, size)
    magnitude = np.sqrt((spectra[..., bins] ** 2).sum(axis=-2))
    onto = np.zeros((len(classes), 12))
    onto[np.arange(len(classes)), classes] = 1
    return np.asarray(magnitude @ onto)
