"""Ways to find the beats and bars of a take: ours, ours before the net, and others'."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from loopgen.engines.base import listener
from loopgen.looping.track import track
from loopgen.music.beats import BeatGrid, Votes
from loopgen.onsets import band_flux
from tests.bench import before
from tests.bench.judge import moved
from tests.bench.takes import KnownTake

Tracker = Callable[[KnownTake, Fraction], BeatGrid | Votes]
"""A take and the tempo that was asked for -> its beats and bars."""


def ours(take: KnownTake, bpm: Fraction) -> BeatGrid:
    return track(take.audio, bpm, take.meter)


def ours_before(take: KnownTake, bpm: Fraction) -> BeatGrid:
    return before.track(take.audio, bpm, take.meter)


def told_downbeat(take: KnownTake, bpm: Fraction) -> BeatGrid:
    """The user names a downbeat, give or take 15 ms."""
    inside = take.grid.downbeats[take.grid.downbeats > 0.5]
    return track(take.audio, bpm, take.meter, downbeat=float(inside[0]) + 0.015 * (-1) ** len(take.name))


def told_grid(take: KnownTake, bpm: Fraction) -> BeatGrid:
    return track(take.audio, bpm, take.meter, known=take.grid)


def greatest_flux(take: KnownTake, bpm: Fraction) -> BeatGrid:
    """Our own beats, moved to the sixteenth and beat where most begins."""
    grid = ours(take, bpm)
    flux = band_flux(take.audio)
    curve = flux.novelty()
    cells = round(4 * float(take.meter.beat_quarters))
    count = cells * take.meter.beats
    number = np.arange(cells * (len(grid.beats) - 1))
    times = np.interp(number / cells, np.arange(len(grid.beats)), grid.beats)
    frames = np.clip(np.round((times - flux.start) / flux.hop).astype(int), 0, len(curve) - 1)
    strength = np.bincount(number % count, curve[frames], minlength=count)
    by_beat = [strength[k::cells].sum() for k in range(cells)]
    beat = int(np.argmax(by_beat))
    bar = int(np.argmax(strength[beat::cells]))
    return moved(grid, Fraction(bar - grid.downbeat) + Fraction(beat, cells))


def librosa_default(take: KnownTake, bpm: Fraction) -> BeatGrid:
    return _librosa(take)


def librosa_start(take: KnownTake, bpm: Fraction) -> BeatGrid:
    return _librosa(take, start_bpm=float(bpm / take.meter.beat_quarters))


def librosa_told(take: KnownTake, bpm: Fraction) -> BeatGrid:
    return _librosa(take, bpm=float(bpm / take.meter.beat_quarters))


def beat_this(take: KnownTake, bpm: Fraction) -> Votes:
    """The published network, asked alone; where it is here."""
    hear = listener("beat_this")
    assert hear is not None
    return hear(take.audio)


def ours_and_beat_this(take: KnownTake, bpm: Fraction) -> BeatGrid:
    return track(take.audio, bpm, take.meter, votes=beat_this(take, bpm))


def _librosa(take: KnownTake, **tempo: Any) -> BeatGrid:
    """Its beats; the first one is taken to start the bar, for it knows no bars."""
    import librosa

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, beats = librosa.beat.beat_track(y=take.audio.mono(), sr=take.audio.rate, units="time", **tempo)
    if len(beats) < 2:
        beats = np.array([0.0, 1.0])
    return BeatGrid(beats, take.meter, 0, 0.0, 0.0)
