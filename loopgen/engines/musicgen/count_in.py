"""A count-in at the exact tempo: what a band would hear before it plays, as audio that the model goes on from.

A stick on every beat, an accent and a kick on one, and a soft hi-hat between the beats where there is room: short,
bright, and loud enough for a codec of 2 kbit/s to keep their instants, and near enough to a groove to suggest one.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from loopgen.music.audio import Samples
from loopgen.music.tempo import Meter, bar_seconds, beat_frames, beat_seconds, check_rate, loop_frames

ENOUGH_SECONDS = Fraction(3, 2)
"""A count-in of no given number of bars has as many as last this long: two would do at 174 BPM, one at 120."""

PEAK = 0.5
"""Full scale is 1; the loudest stroke, some 6 dB below, as music is."""

_ROOM_SECONDS = 0.09
"""Strokes nearer than this would run into one roll: then only some beats are struck, or nothing between them."""

_FADE_SECONDS = 0.002


@dataclass(frozen=True, slots=True, eq=False)
class CountIn:
    """Clicks that end on a bar line.

    Attributes:
        samples: mono, float32, shape ``(frames,)``, at ``rate`` Hz: the bars to the nearest sample.
        beats: seconds at which each beat begins, the first at 0; float64.
        bars: whole bars.
        downbeat: exact seconds from the first sample to the bar line at the end, where music should begin. It is rarely
            a whole number of a codec's frames: whoever gives only whole frames to a model still begins its bar there.
    """

    samples: Samples
    rate: int
    beats: NDArray[np.float64]
    bars: int
    downbeat: Fraction


def count_in(bpm: Fraction, meter: Meter, *, rate: int = 32_000, bars: int | None = None) -> CountIn:
    """A count-in of ``bars`` bars (None: the fewest that last ``ENOUGH_SECONDS``) at ``bpm`` quarter notes a minute.

    Raises ``InvalidRequest`` for an odd rate, ``ValueError`` for less than one bar.

    >>> clicks = count_in(Fraction("127.9"), Meter())
    >>> len(clicks.samples), clicks.beats.round(4).tolist(), round(float(clicks.downbeat), 4)
    (60047, [0.0, 0.4691, 0.9382, 1.4073], 1.8765)
    """
    check_rate(rate)
    if bars is None:
        bars = math.ceil(ENOUGH_SECONDS / bar_seconds(bpm, meter))
    if bars < 1:
        raise ValueError(f"a count-in of {bars} bars; one at least")
    frames = loop_frames(bpm, bars, meter, rate)
    count = bars * meter.beats
    at = np.append(beat_frames(frames, count), frames)
    beat = float(beat_seconds(bpm, meter))
    divisors = (k for k in range(1, meter.beats) if meter.beats % k == 0)
    spacings = itertools.chain(divisors, itertools.count(meter.beats, meter.beats))
    every = next(k for k in spacings if k * beat >= _ROOM_SECONDS)
    out = np.zeros(frames)
    for k in range(0, count, every):
        following = at[min(k + every, count)]
        _strike(out, rate, at[k], following, _stick(rate, accent=k % meter.beats == 0))
        if k % meter.beats == 0:
            _strike(out, rate, at[k], following, _kick(rate))
        if every == 1 and beat >= 2 * _ROOM_SECONDS:
            _strike(out, rate, (at[k] + at[k + 1]) // 2, at[k + 1], _hat(rate))
    out *= PEAK / np.abs(out).max()
    return CountIn(out.astype(np.float32), rate, at[:-1] / rate, bars, bars * bar_seconds(bpm, meter))


def _strike(out: NDArray[np.float64], rate: int, start: int, stop: int, sound: NDArray[np.float64]) -> None:
    """Add a sound from ``start`` on; what would ring beyond ``stop`` is faded out just before it."""
    sound = sound[: stop - start].copy()
    fade = min(len(sound), round(_FADE_SECONDS * rate))
    sound[len(sound) - fade :] *= np.linspace(1, 0, fade + 1)[1:]
    out[start : start + len(sound)] += sound


def _stick(rate: int, *, accent: bool) -> NDArray[np.float64]:
    """Two sticks: a knock of three inharmonic partials with a tick of noise; higher and louder for the accent."""
    t = np.arange(round(0.06 * rate)) / rate
    pitch = 1.25 if accent else 1.0
    knock = sum(
        weight * np.cos(2 * np.pi * pitch * hertz * t) * np.exp(-t / decay)
        for hertz, weight, decay in ((1150, 1.0, 0.012), (1730, 0.7, 0.009), (2910, 0.5, 0.006))
    )
    tick = 0.6 * _noise(len(t)) * np.exp(-t / 0.003)
    return np.asarray((1.0 if accent else 0.7) * (knock + tick))


def _kick(rate: int) -> NDArray[np.float64]:
    """A tone that falls from 130 to 50 Hz within some 20 ms."""
    t = np.arange(round(0.35 * rate)) / rate
    phase = 2 * np.pi * (50 * t + 80 * 0.02 * (1 - np.exp(-t / 0.02)))
    return np.asarray(1.2 * np.cos(phase) * np.exp(-t / 0.05))


def _hat(rate: int) -> NDArray[np.float64]:
    """Noise without its lows."""
    t = np.arange(round(0.05 * rate)) / rate
    return np.asarray(0.25 * np.diff(_noise(len(t) + 1)) * np.exp(-t / 0.012))


def _noise(frames: int) -> NDArray[np.float64]:
    """Always the same: a count-in is part of what a seed stands for."""
    return np.random.default_rng(0).uniform(-1, 1, frames)
