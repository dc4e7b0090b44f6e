"""How loud a loop is when it plays round and round: BS.1770 loudness, sample peak, true peak.

A loop has no edges, so every measure here reads it circularly: a filter has already settled when sample 0 comes, and
a block or an oversampling kernel that runs past the end goes on at the start.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.signal import sosfilt

from loopgen.music.audio import Audio
from loopgen.music.tempo import check_rate

SILENCE_LUFS = -70.0
"""The absolute gate of BS.1770: below it nothing counts, and a loop of nothing else is silent."""

OVERSAMPLING = 4

_TAPS, _KAISER = 32, 6.0  # flat to 0.1 dB up to 0.45 of the rate
_OFFSET = -0.691  # BS.1770: makes a 997 Hz sine at 0 dBFS in one channel read -3.01 LKFS
_BLOCK = 0.4  # seconds
_SETTLING = 0.2  # seconds after which the 38 Hz high-pass has forgotten its start (-90 dB)
_SURROUND = 1.41  # weight of channels behind the listener: the fifth and sixth of a 5.1 file


def k_weighting(rate: int) -> NDArray[np.float64]:
    """Second-order sections ``(2, 6)`` of the K-weighting filter at any sample rate in Hz.

    The analogue prototype behind the 48 kHz table of ITU-R BS.1770, by bilinear transform, as derived by
    B. De Man, "Evaluation of Implementations of the EBU R128 Loudness Measurement" (AES 145, 2018) and used by
    libebur128; at 48 kHz it gives the standard's own numbers.

    >>> np.round(k_weighting(48_000)[0], 8).tolist()
    [1.53512486, -2.69169619, 1.19839281, 1.0, -1.69065929, 0.73248077]
    """
    k, q = math.tan(math.pi * 1681.974450955533 / check_rate(rate)), 0.7071752369554196
    high = 10 ** (3.999843853973347 / 20)
    band = high**0.4996667741545416
    a0 = 1 + k / q + k * k
    shelf = [
        (high + band * k / q + k * k) / a0,
        2 * (k * k - high) / a0,
        (high - band * k / q + k * k) / a0,
        1.0,
        2 * (k * k - 1) / a0,
        (1 - k / q + k * k) / a0,
    ]
    k, q = math.tan(math.pi * 38.13547087602444 / rate), 0.5003270373238773
    a0 = 1 + k / q + k * k
    highpass = [1.0, -2.0, 1.0, 1.0, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0]
    return np.array([shelf, highpass])


def k_weighted(audio: Audio) -> NDArray[np.float64]:
    """The loop as loudness is heard, shape ``(frames, channels)``, float64: K-weighted round and round."""
    warm = math.ceil(_SETTLING * audio.rate)
    return np.asarray(sosfilt(k_weighting(audio.rate), circular(audio.samples, -warm, audio.frames), axis=0)[warm:])


def circular(samples: NDArray[np.float32], start: int, stop: int) -> NDArray[np.float64]:
    """Samples ``start .. stop`` of a loop played for ever, float64; negative positions are the loop's end."""
    return np.take(samples, np.arange(start, stop), axis=0, mode="wrap").astype(np.float64)


def loudness(audio: Audio) -> float:
    """Integrated loudness of the loop played for ever, in LUFS, gated as in ITU-R BS.1770-4.

    Blocks of 0.4 s start every 25 ms or less and go round the wrap, so where the loop begins does not matter.
    Silence gives ``-inf``; raises ``ValueError`` for audio without samples.
    """
    check_not_empty(audio)
    power = block_power(k_weighted(audio), audio.rate)
    loud = power[power > _power(SILENCE_LUFS)]
    if not len(loud):
        return -math.inf
    loud = loud[loud > 0.1 * loud.mean()]  # the relative gate, -10 LU
    return float(_OFFSET + 10 * np.log10(loud.mean()))


def block_power(weighted: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Mean power of 0.4 s blocks, summed over channels with BS.1770's weights, the loop read circularly."""
    frames, channels = weighted.shape
    gains = np.array(
        [_SURROUND if channels > 4 and c in (channels - 2, channels - 1) else 1.0 for c in range(channels)]
    )
    power = weighted**2 @ gains
    length = round(_BLOCK * rate)
    rounds, rest = divmod(length, frames)
    total = np.concatenate([[0.0], np.cumsum(np.concatenate([power, power[:rest]]))])
    hops = max(1, math.ceil(frames / (0.025 * rate)))
    starts = np.arange(hops) * frames // hops
    return np.asarray((rounds * total[frames] + total[starts + rest] - total[starts]) / length)


def sample_peak(audio: Audio) -> float:
    """Largest sample in dBFS; silence gives ``-inf``.

    >>> round(sample_peak(Audio([0.0, -0.5], 48_000)), 2)
    -6.02
    """
    check_not_empty(audio)
    return _decibels(float(np.abs(audio.samples).max()))


def true_peak(audio: Audio) -> float:
    """Largest value between the samples too, in dBTP, the loop read circularly."""
    check_not_empty(audio)
    return _decibels(highest_peak(audio.samples))


def oversampled_peaks(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """Largest magnitude of any channel from the sample before to the sample after each, ``(frames,)``, circularly."""
    frames, half = len(samples), _TAPS // 2
    padded = circular(samples, -half, frames + half)
    peaks: NDArray[np.float64] = np.abs(samples).max(axis=1).astype(np.float64)
    for kernel in _interpolators():
        between = np.zeros(frames + 1)
        for channel in padded.T:
            np.maximum(between, np.abs(np.convolve(channel, kernel, "valid"))[: frames + 1], out=between)
        # ``between[k]`` lies after sample k - 1: it counts for both of its neighbours.
        np.maximum(peaks, between[:-1], out=peaks)
        np.maximum(peaks, between[1:], out=peaks)
    return peaks


def highest_peak(samples: NDArray[np.float32], peaks: NDArray[np.float64] | None = None) -> float:
    """Largest magnitude between the samples too: four times oversampled, and 32 times around the highest places.

    Four times alone, as BS.1770 asks at least, misses up to 0.2 dB of bright sounds. ``peaks`` are those of
    ``oversampled_peaks`` where they are known already.
    """
    peaks = oversampled_peaks(samples) if peaks is None else peaks
    top = np.argpartition(peaks, -min(64, len(peaks)))[-64:]
    around = top[:, None] + np.arange(-_TAPS // 2, _TAPS // 2 + 1)
    pieces = np.take(samples, around, axis=0, mode="wrap").astype(np.float64)
    fine = np.concatenate([pieces[:, k : k + _TAPS].transpose(0, 2, 1) @ _fine_interpolator() for k in (0, 1)])
    return float(max(peaks.max(), np.abs(fine).max()))


def _interpolator(share: float) -> NDArray[np.float64]:
    """Kaiser-windowed sinc for the point that lies ``share`` of the way from the middle sample to the next."""
    x = np.arange(_TAPS) - (_TAPS // 2 - 1) - share
    kernel = np.sinc(x) * np.i0(_KAISER * np.sqrt(1 - (2 * x / _TAPS) ** 2))
    return np.asarray(kernel / kernel.sum())


@cache
def _interpolators() -> tuple[NDArray[np.float64], ...]:
    """The points a quarter, a half and three quarters of the way, each reversed for a convolution."""
    return tuple(_interpolator(step / OVERSAMPLING)[::-1] for step in range(1, OVERSAMPLING))


@cache
def _fine_interpolator() -> NDArray[np.float64]:
    """32 points between two samples, shape ``(taps, 32)``."""
    return np.stack([_interpolator(step / 32) for step in range(32)], axis=1)


def check_not_empty(audio: Audio) -> None:
    """Raise ``ValueError`` for audio without samples or with samples that are no numbers."""
    if not audio.frames:
        raise ValueError("the audio has no samples; a loop needs at least one")
    if not np.isfinite(audio.samples).all():
        raise ValueError("the audio holds samples that are not finite numbers")


def _power(lufs: float) -> float:
    return float(10 ** ((lufs - _OFFSET) / 10))


def _decibels(magnitude: float) -> float:
    return 20 * math.log10(magnitude) if magnitude > 0 else -math.inf
