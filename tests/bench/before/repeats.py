"""The period of music that repeats itself exactly, to a fraction of a sample: loops, sequences, samples."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

_RATE = 6_000
"""Hz; enough for the shape of a beat, and a parabola finds the peak's place to a hundredth of a sample."""

_EXACT = 0.95
"""Normalised correlation from which on two stretches count as the same recording, not merely the same notes."""

_UNCERTAINTY = 1e-3
"""Relative error of the bar to be improved, at most."""

_LEAST_OVERLAP_SECONDS = 2.0


def repeated_bar(mono: NDArray[np.float32], rate: int, bar: float) -> float | None:
    """Exact length in seconds of a bar of about ``bar`` seconds, or ``None`` where nothing repeats exactly.

    The waveform is compared with itself 1, 2, 4 ... bars later, each time so near the length found last that no
    neighbouring cycle of a tone can be mistaken for it; the longest repeat that is exact decides.
    """
    signal = soxr.resample(mono, rate, _RATE, "LQ") if rate > _RATE else mono
    rate = min(rate, _RATE)
    found, doubt, bars = None, _UNCERTAINTY, 1
    while bars * bar * rate < len(signal) - _LEAST_OVERLAP_SECONDS * rate:
        lag = bars * (found or bar)
        peak = _best_lag(signal, round(lag * rate), max(3, round(doubt * lag * rate)))
        if peak is not None:
            found, doubt = peak / rate / bars, 0.5 / (lag * rate)
        bars *= 2
    return found


def _best_lag(signal: NDArray[np.float32], middle: int, reach: int) -> float | None:
    """The lag in samples within ``reach`` of ``middle`` at which the signal repeats exactly, if it does."""
    first = middle - reach - 1
    if first < 1 or len(signal) < middle + reach + 2:
        return None
    length = len(signal) - (middle + reach + 1)
    head = signal[:length].astype(np.float64)
    tail = signal[first:].astype(np.float64)
    lags = 2 * reach + 3
    products = np.array([head @ tail[k : k + length] for k in range(lags)])
    energy = np.concatenate([[0.0], np.cumsum(tail**2)])
    norms = np.sqrt((head @ head) * (energy[length : length + lags] - energy[:lags])) + 1e-12
    likeness = products / norms
    k = int(np.argmax(likeness[1:-1])) + 1
    if likeness[k] < _EXACT or likeness[k] < max(likeness[k - 1], likeness[k + 1]):
        return None
    before, top, after = likeness[k - 1 : k + 2]
    return float(first + k + 0.5 * (before - after) / (before - 2 * top + after - 1e-15))
