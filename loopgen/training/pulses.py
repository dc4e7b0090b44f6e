"""How a bar of any meter is felt: its pulses, which of them are strong, and how much each sixteenth weighs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loopgen.music.tempo import Meter

Rng = np.random.Generator
Array = NDArray[np.float64]

_GROUPS: dict[int, tuple[tuple[int, ...], ...]] = {
    4: ((2, 2),),
    5: ((3, 2), (3, 2), (2, 3)),
    6: ((3, 3),),
    7: ((2, 2, 3), (2, 2, 3), (3, 2, 2), (2, 3, 2)),
    8: ((3, 3, 2), (2, 2, 2, 2), (3, 2, 3)),
    9: ((3, 3, 3), (3, 3, 3), (2, 2, 2, 3)),
    10: ((3, 3, 2, 2), (2, 3, 2, 3), (2, 2, 3, 3)),
    11: ((2, 2, 3, 2, 2), (3, 3, 3, 2), (2, 2, 2, 2, 3)),
    12: ((3, 3, 3, 3),),
}
"""How so many short units are felt together, the usual more often than the rare."""

_QUARTERS: dict[int, tuple[tuple[int, ...], ...]] = {
    4: ((2, 2),),
    5: ((3, 2), (3, 2), (2, 3)),
    6: ((3, 3), (4, 2), (2, 2, 2)),
    7: ((4, 3), (4, 3), (3, 4)),
    8: ((4, 4),),
    9: ((3, 3, 3), (4, 5)),
}
"""The same where every unit is a pulse of its own and the groups only tell the strong ones."""


@dataclass(frozen=True, slots=True)
class Pulses:
    """A bar of ``cells`` sixteenths with pulses at ``starts``; those in ``strong`` begin a larger group."""

    cells: int
    starts: tuple[int, ...]
    strong: tuple[int, ...]

    @property
    def ends(self) -> tuple[int, ...]:
        """Where each pulse stops."""
        return (*self.starts[1:], self.cells)

    @property
    def offbeats(self) -> tuple[int, ...]:
        """The eighth in each pulse that answers it: its middle, or the last of three."""
        return tuple(b - (2 if b - a > 2 else 1) for a, b in zip(self.starts, self.ends, strict=True) if b - a > 1)

    @property
    def middle(self) -> int:
        """The pulse nearest to half the bar; 0 where there is but one."""
        return min(self.starts[1:] or (0,), key=lambda start: (abs(start - self.cells / 2), start))

    def weights(self) -> Array:
        """Metrical weight of each sixteenth, shape ``(cells,)``: 1 the downbeat, then strong pulses, pulses, eighths.

        >>> Pulses(16, (0, 4, 8, 12), (0, 8)).weights()[:9].tolist()
        [1.0, 0.12, 0.32, 0.16, 0.58, 0.12, 0.32, 0.16, 0.76]
        """
        weights = np.full(self.cells, 0.12)
        for start, end in zip(self.starts, self.ends, strict=True):
            weights[start:end:2] = 0.32
            weights[end - 1] = max(weights[end - 1], 0.16) if end - start > 1 else 0.58
            weights[start] = 0.58
        weights[list(self.strong)] = 0.76
        weights[0] = 1.0
        return weights


def pulses(rng: Rng, meter: Meter) -> Pulses:
    """One of the ways a meter is felt: quarters in 3/4, dotted quarters in 6/8, 2+2+3 eighths in 7/8 ...

    >>> pulses(np.random.default_rng(0), Meter(6, 8))
    Pulses(cells=12, starts=(0, 6), strong=(0,))
    >>> sorted({pulses(np.random.default_rng(k), Meter(7, 8)).starts for k in range(30)})
    [(0, 4, 8), (0, 4, 10), (0, 6, 10)]
    """
    cells = max(1, round(4 * meter.quarters))
    if meter.denominator <= 4:
        unit = 4 if meter.denominator == 1 else 16 // meter.denominator
        count = cells // unit
        groups = _grouped(rng, _QUARTERS, count)
        return Pulses(cells, tuple(range(0, cells, unit)), _starts(groups, unit))
    unit = 16 // meter.denominator
    starts = _starts(_grouped(rng, _GROUPS, meter.numerator), unit)
    middle = min(starts, key=lambda start: (abs(start - cells / 2), start))
    return Pulses(cells, starts, tuple(sorted({0, middle})) if len(starts) > 3 else (0,))


def _grouped(rng: Rng, habits: dict[int, tuple[tuple[int, ...], ...]], count: int) -> tuple[int, ...]:
    if count in habits:
        return habits[count][int(rng.integers(len(habits[count])))]
    if count < 4:
        return (count,)
    groups = [2] * ((count - 3 * (count % 2)) // 2) + [3] * (count % 2)
    turn = int(rng.integers(len(groups)))
    return tuple(groups[turn:] + groups[:turn])


def _starts(groups: tuple[int, ...], unit: int) -> tuple[int, ...]:
    return tuple(unit * sum(groups[:k]) for k in range(len(groups)))
