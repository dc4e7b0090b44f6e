"""Which of a take's likely grids is right, which of its cells is the beat, and which beat is the bar's first.

Every grid is asked at three phases, a third of a cell apart: where attacks are soft or a shaker leads, the sixteenths
that were fitted may lie between the true ones. The network gives evidence for each cell of each grid; what follows is
arithmetic with probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from loopgen.looping.beat_net import bar_evidence, calibration
from loopgen.looping.cell_features import Heard, cell_features
from loopgen.looping.tempo_fit import CELLS_PER_QUARTER, CellGrid
from loopgen.looping.votes import votes_evidence
from loopgen.music.beats import Rival, Votes
from loopgen.music.tempo import Meter
from loopgen.onsets import Onsets

Array = NDArray[np.float64]

THIRDS = (0, -1, 1)
"""Phases at which a grid is asked, in thirds of a cell; the fitted one first."""

_EDGE = 0.02
"""Seconds at either end of a take that are not listened to: what is cut off there sounds like a beginning."""

_SAME = 0.5
"""Grids are the same if they never part by this many cells."""

_HEEDED = 0.9
"""How often the players take up a cue, before anything is heard. Nobody has measured it: it is said to be likely, not
sure. Evidence for another cell must be some hundred times as strong to win, as it often is for the beat, rarely for the
bar."""
_CUE_CELLS = 0.5
"""Standard deviation, in cells, of a bar's beginning about a cue that was heeded: an attack may be soft or early."""


@dataclass(frozen=True, slots=True)
class BarPhase:
    """Where the bar begins.

    Attributes:
        cells: the grid that was chosen, moved where another phase is likelier.
        cell: index of one of its cells that starts a bar.
        beat_confidence, bar_confidence: how probable it is that this cell is on the beat, and starts the bar.
        rival: the second likeliest beginning; ``None`` where there is no other.
    """

    cells: CellGrid
    cell: int
    beat_confidence: float
    bar_confidence: float
    rival: Rival | None = None


def bar_phase(
    heard: Heard,
    onsets: Onsets,
    grids: Sequence[CellGrid],
    meter: Meter,
    seconds: float,
    cue: float | None = None,
    votes: Votes | None = None,
) -> BarPhase:
    """The likeliest start of the bar in a take of ``seconds``; the beat is decided first, by the sum over its bars.

    ``cue`` (seconds) is where a bar should begin by what the players were given, ``votes`` what another listener says;
    what is heard weighs against both.
    """
    grids = _distinct(grids, seconds)
    asked = [replace(cells, times=cells.times + third / 3 * cells.cell) for cells in grids for third in THIRDS]
    score = evidence(heard, [each.times for each in asked], meter, seconds)
    if cue is not None:
        score += [cue_evidence(each, cue) for each in asked]
    if votes is not None:
        score += [votes_evidence(each, votes, score.shape[1]) for each in asked]
    lattice = _lattice(score.reshape(len(grids), len(THIRDS), -1))
    tempo, place, on_beat, first = _decide(lattice, round(CELLS_PER_QUARTER * meter.beat_quarters))
    third = (place + 1) % 3 - 1
    cells = grids[tempo] if third == 0 else grids[tempo].moved(third / 3, onsets)
    bar = lattice.shape[1] // 3
    return BarPhase(cells, (place - third) // 3 % bar, on_beat, first, _rival(lattice[tempo], place, meter))


def _distinct(grids: Sequence[CellGrid], seconds: float) -> list[CellGrid]:
    """Without those that count the take as an earlier one does: fits that began apart may end at the same tempo.

    Asked twice, it would share its probability with itself and be half as sure.
    """
    kept: list[CellGrid] = []
    for cells in grids:
        inside = cells.times[(cells.times >= 0) & (cells.times <= seconds)]
        places = (np.interp(inside, each.times, np.arange(len(each.times))) for each in kept)
        if all(len(inside) == 0 or np.ptp(place - np.arange(len(inside))) >= _SAME for place in places):
            kept.append(cells)
    return kept


def evidence(heard: Heard, grids: Sequence[Array], meter: Meter, seconds: float) -> Array:
    """Log-probability up to a constant that a bar begins at each of its cells: shape ``(grids, cells)``.

    ``grids`` are the times of their cells.
    """
    features, first = zip(*(grid_features(heard, times, seconds) for times in grids), strict=True)
    return bar_evidence(features, first, meter) / calibration().temperature(features[0])


def grid_features(heard: Heard, times: Array, seconds: float) -> tuple[NDArray[np.float32], int]:
    """The features of the cells that lie inside a take of ``seconds``, and the first one's number."""
    cell = float(np.median(np.diff(times)))
    inside = np.flatnonzero((times >= _EDGE) & (times < seconds - cell - _EDGE))
    if not len(inside):
        inside = np.array([int(np.argmin(np.abs(times)))])
    return cell_features(heard, times[inside]), int(inside[0])


def cue_evidence(cells: CellGrid, cue: float) -> Array:
    """Log-probability that a bar starts at each of the bar's cells, by a cue (seconds) that is heeded or is not.

    A cue that was not heeded says nothing: a mixture of a bell about it and of the same for all.
    """
    count = len(cells.offsets)
    at = float(np.interp(cue, cells.times, np.arange(len(cells.times))))
    away = (np.arange(count) - at + count / 2) % count - count / 2
    bell = np.exp(-0.5 * (away / _CUE_CELLS) ** 2)
    return np.asarray(np.log(_HEEDED * bell / bell.sum() + (1 - _HEEDED) / count))


def confidences(score: Array, step: int) -> tuple[int, int, float, float]:
    """Tempo and place (in thirds of a cell) of the bar's beginning, and how probable its beat is, and the place itself.

    ``score``: log-probabilities up to a constant, shape ``(tempos, len(THIRDS), bar)``; ``step``: cells of a beat.
    """
    return _decide(_lattice(score), step)


def _lattice(score: Array) -> Array:
    """Probabilities in thirds of a cell: ``(tempos, phases, bar)`` -> ``(tempos, 3 * bar)``, in all 1."""
    tempos, phases, bar = score.shape
    share = np.exp(score - score.max())
    lattice = np.zeros((tempos, bar, phases))
    for row, third in enumerate(THIRDS):
        lattice[:, :, third % 3] = np.roll(share[:, row], -1 if third < 0 else 0, axis=1)
    return np.asarray(lattice.reshape(tempos, -1) / lattice.sum())


def _decide(lattice: Array, step: int) -> tuple[int, int, float, float]:
    """As ``confidences``; neighbouring thirds of a cell count as the same place."""
    step *= len(THIRDS)
    beats = _with_neighbours(lattice.reshape(len(lattice), -1, step).sum(axis=1))
    tempo, beat = np.unravel_index(int(np.argmax(beats)), beats.shape)
    near = _with_neighbours(lattice)[tempo]
    away = (np.arange(len(near)) - beat + 1) % step
    place = int(np.argmax(np.where(away <= 2, near, -1.0)))
    around = np.arange(place - 1, place + 2) % len(near)
    place = int(around[np.argmax(lattice[tempo, around])])
    return int(tempo), place, min(1.0, float(beats[tempo, place % step])), min(1.0, float(near[place]))


def _with_neighbours(lattice: Array) -> Array:
    return np.asarray(lattice + np.roll(lattice, 1, axis=1) + np.roll(lattice, -1, axis=1))


def _rival(row: Array, place: int, meter: Meter) -> Rival | None:
    """The likeliest beginning that is another sixteenth than the one at ``place``, by what does not speak for that."""
    others = row.copy()
    others[np.arange(place - 1, place + 2) % len(row)] = 0
    near = _with_neighbours(others[None])[0]
    cells = np.round((np.arange(len(row)) - place) / 3).astype(int) % (len(row) // 3)
    best = int(np.argmax(np.where(cells > 0, near, -1.0)))
    if cells[best] == 0 or near[best] <= 0:
        return None
    return Rival(Fraction(int(cells[best]), round(CELLS_PER_QUARTER * meter.beat_quarters)), float(near[best]))
