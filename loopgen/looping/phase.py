"""Which cell is the beat and which beat is the bar's first: the rhythm compared with how music is usually played."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loopgen.looping.cell_features import chroma, hits, novelty
from loopgen.looping.styles import style_evidence
from loopgen.looping.tempo_fit import CELLS_PER_QUARTER, CellGrid
from loopgen.looping.votes import votes_evidence
from loopgen.music.beats import Votes
from loopgen.music.tempo import Meter
from loopgen.onsets import Flux

Array = NDArray[np.float64]

_STYLE_WEIGHT = 0.72
_BEGINNING_WEIGHT = 1.8
_NOVELTY_WEIGHTS = ((0, 8, 1.0), (0, 16, 0.8), (1, 8, 0.8))
"""(0 harmony or 1 bass, width in cells, weight): chords and basses change at bar lines more than elsewhere.

These five weights are all that was fitted: by logistic regression on 1300 synthesised grooves, so that the posterior
is also a probability; more features or weights did no better on music from elsewhere.
"""

_TEMPERING = 0.75
"""Exponent of the posterior before it is called a probability: recordings stray further from the styles than synthesis
does. ``python -m tests.bench grid`` prints the calibration: untempered, 17 of 21 takes of real loops that claimed 0.8
and more had the right beat; tempered, 105 of 107 takes of all sources do, and 27 of 27 of real ones."""

_DRUMLESS = 0.75
"""What is left of the confidence without drums. One pitched instrument can play the off-beats throughout and sound as
if on them: of the drumless takes that claimed 0.8 and more, 85% were right, of those with drums 96%."""


_HEEDED = 0.9
"""How often the players take up a cue, before anything is heard. Nobody has measured it: it is said to be likely, not
sure. Evidence for another cell must be some hundred times as strong to win, as it often is for the beat, rarely for the
bar."""
_CUE_CELLS = 0.5
"""Standard deviation, in cells, of a bar's beginning about a cue that was heeded: an attack may be soft or early."""


@dataclass(frozen=True, slots=True)
class BarPhase:
    """``cell``: index of a cell that starts a bar; how probable it is that it is on the beat, and starts the bar."""

    cell: int
    beat_confidence: float
    bar_confidence: float


def bar_phase(
    mono: NDArray[np.float32], rate: int, flux: Flux, cells: CellGrid, meter: Meter, cue: float | None = None,
    votes: Votes | None = None,
) -> BarPhase:  # fmt: skip
    """The likeliest start of the bar among the bar's cells; the beat is decided first, by the sum over its bars.

    ``cue`` (seconds) is where a bar should begin by what the players were given; ``votes`` are another listener's;
    what is heard weighs against both.
    """
    step = round(CELLS_PER_QUARTER * float(meter.beat_quarters))
    score, drums = evidence(mono, rate, flux, cells, meter)
    if cue is not None:
        score = score + cue_evidence(cells, cue)
    if votes is not None:
        score = score + votes_evidence(cells, votes, len(score))
    posterior = np.exp(score - score.max())
    posterior /= posterior.sum()
    by_beat = np.array([posterior[k::step].sum() for k in range(step)])
    beat = int(np.argmax(by_beat))
    cell = int(np.argmax(np.where(np.arange(len(posterior)) % step == beat, posterior, -1.0)))
    tempered = posterior**_TEMPERING / np.sum(posterior**_TEMPERING)
    sure = _DRUMLESS + (1 - _DRUMLESS) * drums
    on_beat = min(1.0, float(tempered[beat::step].sum()))  # a sum of shares may round to a little more than one
    return BarPhase(cell, sure * on_beat, sure * float(tempered[cell]))


def cue_evidence(cells: CellGrid, cue: float) -> Array:
    """Log-probability that a bar starts at each of the bar's cells, by a cue (seconds) that is heeded or is not.

    A cue that was not heeded says nothing: a mixture of a bell about it and of the same for all.
    """
    count = len(cells.offsets)
    at = float(np.interp(cue, cells.times, np.arange(len(cells.times))))
    away = (np.arange(count) - at + count / 2) % count - count / 2
    bell = np.exp(-0.5 * (away / _CUE_CELLS) ** 2)
    return np.asarray(np.log(_HEEDED * bell / bell.sum() + (1 - _HEEDED) / count))


def evidence(mono: NDArray[np.float32], rate: int, flux: Flux, cells: CellGrid, meter: Meter) -> tuple[Array, float]:
    """Log-probability, up to a constant, that a bar starts at each of the bar's cells; and whether there are drums."""
    bar_cells = len(cells.offsets)
    cell = float(np.median(np.diff(cells.times)))
    heard = (cells.times >= 0.02) & (cells.times < len(mono) / rate - cell - 0.03)
    numbers, times = np.flatnonzero(heard) % bar_cells, cells.times[heard]
    if len(times) < CELLS_PER_QUARTER:
        return np.zeros(bar_cells), 0.0
    count = np.maximum(1, np.bincount(numbers, minlength=bar_cells))

    def mean_bar(values: Array) -> Array:
        return np.asarray(np.bincount(numbers, values, minlength=bar_cells) / count)

    begun = hits(flux, times)
    score = _STYLE_WEIGHT * style_evidence(np.stack([mean_bar(row) for row in begun.rows]), meter)
    score += _BEGINNING_WEIGHT * mean_bar(begun.any)
    pitches = chroma(mono, rate, times, cell)
    for which, width, weight in _NOVELTY_WEIGHTS:
        score += weight * mean_bar(novelty(pitches[which], width))
    return score, begun.drums
