"""Loudness and ceiling of a loop, without an edge anywhere: everything here goes round the wrap.

Turning the loop round and levelling it, or levelling it and turning it round, gives the same samples.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter1d, uniform_filter1d

from loopgen.metrics.loudness import check_not_empty, highest_peak, loudness, oversampled_peaks
from loopgen.music.audio import Audio

LUFS = -14.0
"""Loudness aimed at: that of streaming services, a little above the median of published loops (-15.9 LUFS)."""

CEILING_DBTP = -1.0
"""Ceiling of the true peak: leaves a lossy encoder its overshoot (EBU R 128)."""

MAX_GAIN_DB = 24.0
"""A loop quieter than the aim by more stays quieter: it is meant to be, or it is noise."""

_LOOKAHEAD = 0.015  # seconds: the gain turns within 30 ms, slower than a wave of 40 Hz
_DB = 20 / math.log(10)


def level(
    audio: Audio, *, lufs: float = LUFS, ceiling_dbtp: float = CEILING_DBTP, max_limiting_db: float = 3.0
) -> Audio:
    """Bring a loop towards ``lufs`` under a true-peak ceiling; length and stereo picture stay.

    Any constant offset is removed first. Peaks are turned down by ``max_limiting_db`` at most: a loop that would need
    more stays quieter than ``lufs``. Silence stays silence.

    Raises ``ValueError`` for audio that is empty or not finite.
    """
    check_not_empty(audio)
    centred = audio.samples - audio.samples.mean(axis=0, dtype=np.float64).astype(np.float32)
    now = loudness(audio.with_samples(centred))
    peaks = oversampled_peaks(centred)
    top = highest_peak(centred, peaks)
    if top < 1e-7:  # nothing but rounding
        return audio.with_samples(np.zeros_like(audio.samples))
    ceiling = 10 ** (ceiling_dbtp / 20)
    room = _DB * math.log(ceiling / top)
    most = min(room + max_limiting_db, MAX_GAIN_DB)
    gain = min(most, lufs - now if math.isfinite(now) else 0.0)
    if gain <= room:
        return audio.with_samples(centred * np.float32(10 ** (gain / 20)))
    limited = _limited(centred, peaks, gain, ceiling, audio.rate)
    lost = lufs - loudness(audio.with_samples(limited))  # limiting takes some loudness away: give it back
    if lost > 0.05 and gain < most:
        limited = _limited(centred, peaks, min(most, gain + lost), ceiling, audio.rate)
    left = highest_peak(limited)
    return audio.with_samples(limited * np.float32(min(1.0, ceiling / left)))


def _limited(
    samples: NDArray[np.float32], peaks: NDArray[np.float64], gain_db: float, ceiling: float, rate: int
) -> NDArray[np.float32]:
    """Samples times a gain, turned down smoothly around every peak that would pass the ceiling.

    The gain needed at each sample, its minimum over the lookahead on both sides, smoothed over the same length: at a
    peak the average is one of values that all suffice. One gain for all channels.
    """
    gain = 10 ** (gain_db / 20)
    needed = np.minimum(1.0, ceiling / np.maximum(gain * peaks, 1e-12))
    if needed.min() >= 1:
        return np.asarray(samples * np.float32(gain))
    reach = max(1, round(_LOOKAHEAD * rate))
    lowest = minimum_filter1d(needed, 2 * reach + 1, mode="wrap")
    smooth = uniform_filter1d(uniform_filter1d(lowest, reach | 1, mode="wrap"), reach | 1, mode="wrap")
    return np.asarray(samples * (gain * smooth)[:, None], dtype=np.float32)
