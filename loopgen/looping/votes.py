"""Where the bar begins by what another listener says of a take."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from loopgen.looping.tempo_fit import CellGrid
from loopgen.music.beats import Votes

Array = NDArray[np.float64]

_BAR, _BEAT = 0.75, 0.15
"""How often a listener's downbeats say where the bar begins, and how often its beats alone hold true: about what
Foscarin, Schlüter and Widmer (Beat This!, ISMIR 2024) report for music that theirs was not trained on, downbeats right
on some three quarters and beats on nine tenths. Otherwise it says nothing."""

_SPREAD_CELLS = 0.5
"""Standard deviation of a vote about what it is for, in cells: most listeners hear in frames of 10 to 20 ms."""


def votes_evidence(cells: CellGrid, votes: Votes, bar_cells: int) -> Array:
    """Log-probability that a bar starts at each of the bar's cells, by a listener's votes; shape ``(bar_cells,)``.

    The bar begins where one of its downbeats says, taken at random, or on one of its beats, or anywhere. A listener
    errs in all bars for the same reason, so that its votes are no independent witnesses: they count by their shares,
    and however many agree, the bar is no surer than ``_BAR``. Votes outside of the cells count for nothing; without
    any the same comes back for all cells.
    """
    beats = _shares(cells, votes.beats, bar_cells)
    downbeats = _shares(cells, votes.downbeats, bar_cells)
    anywhere = np.full(bar_cells, 1 / bar_cells)
    on_beat = anywhere if beats is None else beats
    on_bar = on_beat if downbeats is None else downbeats
    return np.asarray(np.log(_BAR * on_bar + _BEAT * on_beat + (1 - _BAR - _BEAT) * anywhere))


def _shares(cells: CellGrid, times: Array, bar_cells: int) -> Array | None:
    """How the votes share out among the bar's cells, each a bell about its own; None where there are none."""
    inside = times[(times >= cells.times[0]) & (times <= cells.times[-1])]
    if not len(inside):
        return None
    at = np.interp(inside, cells.times, np.arange(len(cells.times)))
    away = (np.arange(bar_cells)[:, None] - at + bar_cells / 2) % bar_cells - bar_cells / 2
    bells = np.exp(-0.5 * (away / _SPREAD_CELLS) ** 2)
    return np.asarray((bells / bells.sum(axis=0)).mean(axis=1))
