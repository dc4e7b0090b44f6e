"""What a tracker got right of a take whose grid is known."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from loopgen.music.beats import BeatGrid, Votes
from tests.bench.takes import KnownTake

TOLERANCE_SECONDS = 0.05
CELL_TOLERANCE_SECONDS = 0.02
_LEVEL = 0.01


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a grid got right; ``period`` is the relative error, ``map_ms`` the 95% deviation of its beats.

    ``tempo`` is whether the beats are at the right level within 1%, ``cell`` whether the sixteenths between them lie
    within 20 ms as well, whichever of them is called the beat: what the fit owes to the decision that follows.
    ``rival`` is whether the second likeliest beat 1 is the right one, None where the tracker names none.
    """

    period: float
    map_ms: float
    tempo: bool
    cell: bool
    beat: bool
    half: bool
    bar: bool
    confidence: float
    bar_confidence: float
    rival: bool | None = None


def judge(take: KnownTake, heard: BeatGrid | Votes) -> Verdict:
    """Compare beats with the truth: beats, half-bars and downbeats within 50 ms by the median over the take.

    A beat that is left out costs nothing but itself: beats are numbered by the usual distance between them.
    """
    grid = heard if isinstance(heard, BeatGrid) else None
    sure = (grid.confidence, grid.downbeat_confidence) if grid else (0.0, 0.0)
    inside = heard.beats[(heard.beats > 0) & (heard.beats < take.audio.seconds)]
    beats = inside if len(inside) > 2 else heard.beats
    if len(beats) < 2:
        return Verdict(np.inf, np.inf, False, False, False, False, False, *sure)
    places = take.grid.position(beats)
    steps = np.diff(beats)
    number = np.concatenate([[0.0], np.cumsum(np.maximum(1, np.round(steps / np.median(steps))))])
    slope = float((places[-1] - places[0]) / number[-1])
    beat = take.grid.period
    offset = places - number
    middle = float(np.median(offset))
    map_ms = 1e3 * beat * float(np.percentile(np.abs(offset - middle), 95))
    level = abs(slope - 1) < _LEVEL
    right_beat = level and abs((middle + 0.5) % 1 - 0.5) * beat < TOLERANCE_SECONDS
    cells = 4 * float(take.meter.beat_quarters)
    on_cell = level and abs((cells * middle + 0.5) % 1 - 0.5) * beat / cells < CELL_TOLERANCE_SECONDS
    half = take.bar_beats // 2 if take.bar_beats % 2 == 0 else take.bar_beats
    on_half, on_bar = (right_beat and _starts(take, heard, every) for every in (half, take.bar_beats))
    rival = None
    if grid and grid.rival:
        turned = moved(grid, grid.rival.beats)
        away = take.grid.position(turned.beats)
        on_beat = level and abs(float(np.median((away + 0.5) % 1 - 0.5))) * beat < TOLERANCE_SECONDS
        rival = on_beat and _starts(take, turned, take.bar_beats)
    return Verdict(abs(slope - 1), map_ms, level, on_cell, right_beat, on_half, on_bar, *sure, rival)


def moved(grid: BeatGrid, beats: Fraction) -> BeatGrid:
    """A grid whose bars start so many beats later, or earlier; a fraction moves the beats too."""
    whole = int(beats // 1)
    lengths = np.diff(grid.beats, append=2 * grid.beats[-1] - grid.beats[-2])
    downbeat = (grid.downbeat + whole) % grid.meter.beats
    return BeatGrid(grid.beats + lengths * float(beats - whole), grid.meter, downbeat, 0.0, 0.0, grid.source)


def _starts(take: KnownTake, heard: BeatGrid | Votes, every: int) -> bool:
    """Whether the downbeats lie where a bar of so many beats starts."""
    if not len(heard.downbeats):
        return False
    away = (take.grid.position(heard.downbeats) - take.grid.downbeat + every / 2) % every - every / 2
    return bool(np.median(np.abs(away)) * take.grid.period < TOLERANCE_SECONDS)
