"""Is a loop exactly as long as its tempo says, and does its music keep that tempo?"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from loopgen.metrics.loudness import check_not_empty
from loopgen.music.audio import Audio
from loopgen.music.tempo import Meter, loop_frames
from loopgen.onsets import onset_times

Float = NDArray[np.float64]

_SPREAD = 0.03  # relative: how far the music's tempo may be from the loop's and still be found
_LEAST_ONSETS = 4
_CLEAR = 0.25  # strength of an onset, against a loud one, from which it counts
_LEAST_AGREEMENT = 0.25  # length of the mean resultant: below it the onsets keep no sixteenths at all
_TURN_SECONDS = 0.1  # the loop is read with so much of its end before it, so that sample 0 can be an onset


@dataclass(frozen=True, slots=True)
class GridScores:
    """How the onsets of a loop lie on its own grid of sixteenths; ``None`` where they are few or keep no sixteenths.

    ``onsets``: how many clear ones were heard. ``offset_ms``: median of their signed deviations from the nearest
    sixteenth (positive: late). ``deviation_ms`` and ``deviation_95_ms``: median and 95th percentile of the unsigned
    ones; swing, triplets and loose playing count as deviation. ``tempo_error``: tempo of the music over that of the
    loop, minus 1.
    """

    onsets: int
    offset_ms: float | None
    deviation_ms: float | None
    deviation_95_ms: float | None
    tempo_error: float | None


def length_error(frames: int, bpm: Fraction, bars: int, meter: Meter, rate: int) -> int:
    """Samples too many (negative: too few) in a loop of ``bars`` bars at ``bpm`` quarter notes a minute.

    >>> length_error(702_907, Fraction("60.23"), 4, Meter(), 44_100)
    1
    """
    return frames - loop_frames(bpm, bars, meter, rate)


def sixteenths(bars: int, meter: Meter) -> int:
    """Number of sixteenth notes in ``bars`` bars.

    >>> sixteenths(2, Meter(4, 4)), sixteenths(1, Meter(7, 8)), sixteenths(1, Meter(5, 16))
    (32, 14, 5)
    """
    return int(4 * meter.quarters * bars)


def grid(audio: Audio, bars: int, meter: Meter) -> GridScores:
    """Score the onsets of a loop of ``bars`` bars. Raises ``ValueError`` for audio that is empty or not finite."""
    check_not_empty(audio)
    times = _onsets(audio)
    period = audio.seconds / sixteenths(bars, meter)
    if len(times) < _LEAST_ONSETS or agreement(times, period) < _LEAST_AGREEMENT:
        return GridScores(len(times), None, None, None, None)
    deviation = 1000 * fold(times, period)
    size = np.abs(deviation)
    return GridScores(
        len(times),
        float(np.median(deviation)),
        float(np.median(size)),
        float(np.percentile(size, 95)),
        tempo_error(times, period),
    )


def onset_deviations(audio: Audio, bars: int, meter: Meter) -> tuple[Float, Float]:
    """Each onset of a loop, in beats, and how late it is after the nearest sixteenth, in milliseconds."""
    times = _onsets(audio)
    period = audio.seconds / sixteenths(bars, meter)
    return times / audio.seconds * bars * meter.beats, 1000 * fold(times, period)


def fold(times: Float, period: float) -> Float:
    """Signed distance of times from the nearest multiple of ``period``."""
    return np.asarray(times - period * np.round(times / period))


def agreement(times: Float, period: float) -> float:
    """Length of the mean resultant of times folded by ``period``: 1 if all have one phase, about 0 for any phases.

    >>> round(agreement(np.array([0.1, 0.6, 1.1]), 0.5), 9)
    1.0
    """
    return float(np.abs(np.exp(2j * np.pi * times / period).mean()))


def tempo_error(times: Float, period: float) -> float | None:
    """Relative error of the tempo that onsets keep, in units of sixteenths of ``period`` seconds.

    The stretch within 3% at which most onsets agree on a common phase (a Fourier comb), then a line through their
    deviations, far ones left out. ``None`` where they agree on nothing.

    >>> round(tempo_error(np.arange(32) * 0.125 / 1.01, 0.125), 6)
    0.01
    """
    span = max(float(np.ptp(times)), period)
    speeds = np.arange(-_SPREAD, _SPREAD, 0.1 * period / span) if span > 4 * period else np.zeros(1)
    comb = np.abs(np.exp(2j * np.pi / period * np.outer(1 + speeds, times)).mean(axis=1))
    best = int(np.argmax(comb))
    if comb[best] < _LEAST_AGREEMENT or len(times) < _LEAST_ONSETS:
        return None
    scaled = times * (1 + speeds[best])
    phase = period * float(np.angle(np.exp(2j * np.pi * scaled / period).mean())) / (2 * np.pi)
    late = fold(scaled - phase, period)
    near = np.abs(late) <= max(2.5 * float(np.median(np.abs(late))), 1e-4)
    if np.count_nonzero(near) < _LEAST_ONSETS or np.ptp(scaled[near]) < 2 * period:
        return None
    slope = float(np.polyfit(scaled[near], late[near], 1)[0])
    return float((1 + speeds[best]) * (1 - slope) - 1)


def _onsets(audio: Audio) -> Float:
    """Onsets of the loop in seconds, those at the wrap included."""
    turn = min(audio.frames, round(_TURN_SECONDS * audio.rate))
    turned = audio.with_samples(np.concatenate([audio.samples[-turn:], audio.samples, audio.samples[:turn]]))
    times = onset_times(turned, threshold=_CLEAR).times - turn / audio.rate
    half = 0.5 * _TURN_SECONDS
    return np.asarray(times[(times >= -half) & (times < audio.seconds - half)])
