"""Which cell is the beat and which beat is the bar's first: the rhythm compared with how music is usually played."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from loopgen.looping.styles import styles
from loopgen.looping.tempo_fit import CELLS_PER_QUARTER, CellGrid
from loopgen.music.tempo import Meter
from loopgen.onsets import Flux

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class BarPhase:
    """``cell``: index of the first cell that starts a bar, and how probable its beat and it itself are."""

    cell: int
    beat_confidence: float
    bar_confidence: float


def bar_phase(flux: Flux, cells: CellGrid, meter: Meter) -> BarPhase:
    """Posterior over the bar's cells for where the bar starts, and what it says about beat and bar."""
    bar_cells = len(cells.offsets)
    step = round(CELLS_PER_QUARTER * float(meter.beat_quarters))
    score = evidence(flux, cells, meter)
    posterior = np.exp(score - score.max())
    posterior /= posterior.sum()
    by_beat = np.array([posterior[k::step].sum() for k in range(step)])
    beat = int(np.argmax(by_beat))
    cell = int(np.argmax(np.where(np.arange(bar_cells) % step == beat, posterior, -1)))
    heard = 0.0 if cells.attacks < 4 else 1.0
    return BarPhase(cell, heard * float(by_beat[beat]), heard * float(posterior[cell]))


def cell_hits(flux: Flux, cells: CellGrid, groups: tuple[tuple[int, ...], ...]) -> Array:
    """How strongly something begins at each cell in each group of bands, 0 to 1; shape ``(groups, cells)``."""
    cell = float(np.median(np.diff(cells.times)))
    width = 2 * round(min(0.35 * cell, 0.025) / flux.hop) + 1
    curves = np.stack([flux.bands[list(group)].mean(axis=0) for group in groups])
    risen = maximum_filter1d(curves, width, axis=1)
    frames = np.round((cells.times - flux.start) / flux.hop).astype(int)
    inside = (frames >= 0) & (frames < risen.shape[1])
    hits = np.where(inside, risen[:, np.clip(frames, 0, risen.shape[1] - 1)], 0.0)
    loud = np.percentile(hits[:, inside], 94, axis=1) if inside.any() else np.ones(len(groups))
    scale = loud + 0.1 * loud.max() + 1e-6
    return np.asarray(np.minimum(1.0, hits / scale[:, None]))


_GROUPS = ((0,), (3, 4, 5), (7,))


def evidence(flux: Flux, cells: CellGrid, meter: Meter) -> Array:
    """Log-probability, up to a constant, that the bar starts at each of its cells."""
    bar_cells = len(cells.offsets)
    hits = cell_hits(flux, cells, _GROUPS)
    inside = (cells.times >= 0) & (cells.times < flux.hop * flux.bands.shape[1])
    numbers = np.arange(len(cells.times)) % bar_cells
    count = np.maximum(1, np.bincount(numbers[inside], minlength=bar_cells))
    profile = np.stack([np.bincount(numbers[inside], row[inside], minlength=bar_cells) / count for row in hits])
    table = styles(meter)
    out = np.full((len(table), bar_cells), 0.0)
    for turn in range(bar_cells):
        turned = np.roll(profile, -turn, axis=1)
        out[:, turn] = np.sum(turned * np.log(table) + (1 - turned) * np.log1p(-table), axis=(1, 2))
    top = out.max()
    return np.asarray(np.log(np.exp(out - top).sum(axis=0)))
