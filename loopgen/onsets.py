"""When sounds begin: a flux of loudness in bands for rhythm, and single attacks timed on the waveform itself.

Two stages, because one window cannot do both jobs. Spectral flux every 2 ms says *that* something begins, however
dense the mix, but smears the instant by its window. Each beginning is then placed on the waveform by the seismologists'
AIC picker (Maeda 1985): of all ways to split the neighbourhood in two stretches of constant variance, the likeliest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.fft import next_fast_len, rfft
from scipy.ndimage import gaussian_filter1d, maximum_filter1d, uniform_filter1d

from loopgen.music.audio import Audio

HOP_SECONDS = 0.002
"""Time between two frames of flux, to the nearest whole sample."""

BAND_EDGES = (0.0, 110.0, 220.0, 450.0, 900.0, 1800.0, 3500.0, 6500.0)
"""Lower edges of the bands in Hz; the last reaches up to the Nyquist frequency."""

COMPRESSION = 200.0
"""Levels are ``log(1 + 200 a)`` of a magnitude a that is 1 in the loudest twentieth of the take."""

_WINDOW_SECONDS = 0.024
_LAG_SECONDS = 0.006
_MELS = 40
_ANALYSIS_RATE = 24_000
_BAND_WEIGHTS = np.array([1.2, 1.2, 1.0, 1.0, 1.0, 1.0, 0.7, 0.7])
_QUIET_BAND = 0.2
_RIPPLE = 0.03
_SMOOTH_SECONDS = 0.0025
_NEAREST_SECONDS = 0.03
_LEAST_NOVELTY = 0.5
_CHUNK = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Flux:
    """Growth of loudness, band by band.

    Attributes:
        bands: shape ``(8, frames)``, float32, rise of log magnitude over 6 ms, at least 0.
        levels: shape ``(8, frames)``, float32, log magnitude itself.
        hop: seconds between frames.
        start: time in seconds of frame 0 of ``bands``, the middle of its difference.
    """

    bands: NDArray[np.float32]
    levels: NDArray[np.float32]
    hop: float
    start: float

    def novelty(self) -> NDArray[np.float64]:
        """One curve of all bands, each freed of its local mean and scaled to its own spread; shape ``(frames,)``."""
        width = max(1, round(1.0 / self.hop))
        risen = np.maximum(0, self.bands - uniform_filter1d(self.bands, width, axis=1))
        spread = risen.std(axis=1, keepdims=True)
        scale = spread + _QUIET_BAND * spread.max() + _RIPPLE
        return np.asarray(_BAND_WEIGHTS @ (risen / scale), dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Onsets:
    """Beginnings of sounds: ``times`` in seconds, increasing, and ``strengths`` (1 is the strongest), float64."""

    times: NDArray[np.float64]
    strengths: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.times)


def analysis_signal(audio: Audio) -> tuple[NDArray[np.float32], int]:
    """Mono at a rate of 24 kHz or a little below, by a whole factor, so that times carry over exactly."""
    mono = np.nan_to_num(audio.mono(), nan=0.0, posinf=0.0, neginf=0.0)
    factor = -(-audio.rate // (_ANALYSIS_RATE * 5 // 4))
    if factor == 1 or len(mono) < 2 * factor:
        return mono, audio.rate
    if audio.rate % factor:
        rate = _ANALYSIS_RATE
        return soxr.resample(mono, audio.rate, rate, "LQ"), rate
    return soxr.resample(mono, audio.rate, audio.rate // factor, "LQ"), audio.rate // factor


def band_flux(audio: Audio) -> Flux:
    """Flux of ``audio`` in eight bands every 2 ms.

    Silence gives zeros; audio shorter than a window is padded.

    >>> tone = Audio(np.r_[np.zeros(8000), np.sin(np.arange(8000))], 16_000)
    >>> flux = band_flux(tone)
    >>> bool(abs(flux.start + flux.hop * flux.bands.sum(axis=0).argmax() - 0.5) < 0.01)
    True
    """
    return signal_flux(*analysis_signal(audio))


def signal_flux(mono: NDArray[np.float32], rate: int) -> Flux:
    """As ``band_flux``, for a mono signal of shape ``(frames,)`` at ``rate`` Hz."""
    hop = max(1, round(HOP_SECONDS * rate))
    window = np.hanning(round(_WINDOW_SECONDS * rate) + 2)[1:-1].astype(np.float32)
    size = next_fast_len(len(window), real=True)
    mel = _mel_matrix(rate, size)
    padded = np.pad(mono, (len(window) // 2, len(window)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, len(window))[: len(mono) + 1 : hop]
    magnitude = np.empty((len(frames), _MELS), np.float32)
    for begin in range(0, len(frames), _CHUNK):
        spectrum = rfft(frames[begin : begin + _CHUNK] * window, size, axis=1)
        magnitude[begin : begin + _CHUNK] = (spectrum.real**2 + spectrum.imag**2) @ mel
    np.sqrt(magnitude, out=magnitude)
    loudest = float(np.percentile(magnitude.max(axis=1), 95))
    if loudest < 1e-7:
        loudest = max(float(magnitude.max()), 1e-7)
    loudness = np.log1p(COMPRESSION / loudest * magnitude)
    lag = max(1, round(_LAG_SECONDS * rate / hop))
    rise = np.zeros_like(loudness)
    rise[lag:] = np.maximum(0, loudness[lag:] - loudness[:-lag])
    groups = _band_groups(rate)
    return Flux(
        np.ascontiguousarray((rise @ groups).T), np.ascontiguousarray((loudness @ groups).T), hop / rate,
        -0.5 * lag * hop / rate,
    )  # fmt: skip


def onset_times(audio: Audio, *, threshold: float = 0.06) -> Onsets:
    """Attacks of ``audio``, each timed on the waveform to a fraction of a millisecond where the attack is that sharp.

    ``threshold`` is the least strength, relative to a loud attack. Empty for silence and steady tones.
    """
    mono, rate = analysis_signal(audio)
    return attacks(mono, rate, signal_flux(mono, rate), threshold)


def attacks(mono: NDArray[np.float32], rate: int, flux: Flux, threshold: float = 0.06) -> Onsets:
    """Peaks of the flux of ``mono`` (at ``rate`` Hz), placed on its waveform."""
    curve = gaussian_filter1d(flux.novelty(), _SMOOTH_SECONDS / flux.hop)
    scale = float(np.percentile(curve, 99.5)) if len(curve) else 0.0
    if scale <= _LEAST_NOVELTY:
        return Onsets(np.zeros(0), np.zeros(0))
    width = 2 * round(_NEAREST_SECONDS / flux.hop / 2) + 1
    peaks = np.flatnonzero((curve >= maximum_filter1d(curve, width)) & (curve > max(threshold * scale, _LEAST_NOVELTY)))
    end = len(mono) / rate - 0.5 * _WINDOW_SECONDS  # beyond it, the end of the file itself would be heard
    peaks = peaks[(peaks > 0) & (flux.hop * peaks < end)]
    coarse = flux.start + flux.hop * peaks.astype(np.float64)
    times = split_times(mono, rate, coarse)
    strengths = np.minimum(1.0, curve[peaks] / scale)
    order = np.argsort(times, kind="stable")
    return Onsets(times[order], strengths[order])


def split_times(
    mono: NDArray[np.float32], rate: int, coarse: NDArray[np.float64], before: float = 0.016, after: float = 0.012
) -> NDArray[np.float64]:
    """Place each rough time where the waveform around it changes its variance: Maeda's AIC picker.

    ``AIC(k) = k log var(x[:k]) + (n - k - 1) log var(x[k:])`` over the ``before + after`` seconds around the time; the
    first difference of the waveform stands for x, which whitens it. Returns seconds, to one sample of ``rate``.
    """
    if not len(coarse):
        return coarse
    left, size = round(before * rate), round((before + after) * rate)
    white = np.diff(np.pad(mono, (left + 1, size)))
    rows = np.clip(np.round(coarse * rate).astype(int), 0, len(mono) - 1)
    segments = np.lib.stride_tricks.sliding_window_view(white, size)[rows].astype(np.float64)
    energy = np.cumsum(segments**2, axis=1)
    total = energy[:, -1:]
    k = np.arange(1, size + 1)
    margin = max(2, round(0.001 * rate))
    floor = 1e-5 * total / size + 1e-20
    first = np.log(energy / k + floor)
    second = np.log((total - energy) / np.maximum(1, size - k) + floor)
    aic = k * first + (size - k) * second
    inside = slice(margin, size - margin)
    best = np.argmin(aic[:, inside], axis=1) + margin
    return np.asarray((rows - left + best + 1) / rate)


def _mel_matrix(rate: int, size: int) -> NDArray[np.float32]:
    """Triangular mel filters of unit sum on power spectra, shape ``(size // 2 + 1, 40)``."""
    centres = _mel_edges(rate)
    frequencies = np.fft.rfftfreq(size, 1 / rate)
    matrix = np.zeros((len(frequencies), _MELS), np.float32)
    for k in range(_MELS):
        low, mid, high = centres[k : k + 3]
        slope = np.minimum((frequencies - low) / (mid - low), (high - frequencies) / (high - mid))
        weights = np.maximum(0, slope)
        if not weights.any():
            weights[np.argmin(np.abs(frequencies - mid))] = 1
        matrix[:, k] = weights / weights.sum()
    return matrix


def _mel_edges(rate: int) -> NDArray[np.float64]:
    """Mel-spaced from 30 Hz to 11 kHz (or what the rate carries), 42 edges in Hz."""
    low, high = (2595 * np.log10(1 + f / 700) for f in (30.0, min(11_000.0, 0.46 * rate)))
    return np.asarray(700 * (10 ** (np.linspace(low, high, _MELS + 2) / 2595) - 1))


def _band_groups(rate: int) -> NDArray[np.float32]:
    """Mean over the mel filters whose centre lies in each band, shape ``(40, 8)``; zeros for bands without any."""
    centres = _mel_edges(rate)[1:-1]
    number = np.searchsorted(BAND_EDGES, centres, side="right") - 1
    groups = (number[:, None] == np.arange(len(BAND_EDGES))).astype(np.float32)
    return np.asarray(groups / np.maximum(1, groups.sum(axis=0)), dtype=np.float32)
