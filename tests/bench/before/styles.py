"""How drums are usually played: for each style, how probable a hit is in every cell of a bar.

The table is musical knowledge written down, not training: a digit is the probability of a hit in ninths, a point none.
The three rows of a style are low hits (kick, low toms, bass), middle ones (snare, clap, percussion) and high ones
(hats, cymbals, shakers). Where a rhythm starts is judged by how well it is explained by *some* style started there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from loopgen.music.tempo import Meter

Array = NDArray[np.float64]

_FOUR_FOUR = {
    "house": ("9...9...9...9..1", "....8..1....8..1", "3.9.3.9.3.9.3.9."),
    "four bare": ("9...9...9...9...", "................", "................"),
    "techno": ("9...9...9...9...", "..3..3.3..3..3.2", "7.9.7.9.7.9.7.9."),
    "trance": ("9...9...9...9...", "....8.......8...", "9899989998999899"),
    "rolling": ("9.779.779.779.77", "....7.......7...", "..9...9...9...9."),
    "disco": ("9...9...9...9...", "....9.......9...", "9.9.9.9.9.9.9.9."),
    "rock": ("9.....3.9.4...1.", "....9.......9...", "9.9.9.9.9.9.9.9."),
    "rock eighths": ("9.......9.9.....", "....9.......9...", "9.9.9.9.9.9.9.9."),
    "pushed": ("9.....9.......2.", "....9.......9...", "9.9.9.9.9.9.9.9."),
    "pop": ("9..5..5.9.....3.", "....9.......9...", "9898989898989898"),
    "sixteenths": ("9..3..4.8.3...2.", "....9.......9...", "9999999999999999"),
    "motown": ("9.....5.9.....4.", "9...9...9...9...", "9.9.9.9.9.9.9.9."),
    "funk": ("9.4..2.3..7..3..", "....9..5.4.39..4", "9899989998999899"),
    "funk ghosts": ("9.9...9...9..9..", "....9..5.5.59..5", "9999999699999999"),
    "break": ("9.5....3.48.....", "....9..4.4..9..3", "9.9.9.9.9.9.9.9."),
    "break rolling": ("9.9.......99....", "....9..8.8..9..8", "9.9.9.9.9.9.9.9."),
    "break late": ("9.9.......9.....", "....9..8.8....9.", "9.9.9.9.9.9.9.9."),
    "break answered": ("9......59.5..2..", "....9..3.3..9..3", "9.9.9.9.9.9.9.9."),
    "drum and bass": ("9.........9.....", "....9.......9...", "9.9.9.9.9.9.9.9."),
    "dnb ghosts": ("9.3....2..9..2..", "....9..4.4..9..4", "9797979797979797"),
    "jungle": ("9.6.....2.9.3...", "....9..6.5..9..5", "9595959595959595"),
    "garage": ("9.....2...8..3..", "....9.......9..3", "..9.3.9..39...93"),
    "two-step": ("9..........8..2.", "....9.......9...", "..9...9...9...9."),
    "electro": ("9.....8...8..2..", "....9.......9...", "9595959595959595"),
    "electro broken": ("9..8..4.3.8..3..", "....9.......9...", "9.9.9.9.9.9.9.9."),
    "hip-hop": ("9..3..3.4.8..3..", "....9.......9...", "9.9.9.9.9.9.9.9."),
    "boom bap": ("9.5....5..8....2", "....9.......9..2", "9.9.9.9.9.9.9.93"),
    "half time": ("9..2..3...3.....", "........9......1", "9.9.9.9.9.9.9.9."),
    "half time sixteenths": ("9.3...4.........", "........9.......", "9999999999999999"),
    "trap": ("9..2..4...5..3..", "........9.......", "9.9.9.9.9.979.99"),
    "trap bounce": ("9......7..7.....", "........9.......", "9.9.9.9.9.9.9999"),
    "dubstep": ("9.....3....3..3.", "........9.......", "9..5..9..5..9.5."),
    "one drop": ("........9.......", "........8.......", "9.9.9.9.9.9.9.9."),
    "rockers": ("9.......9.......", "........7.......", "..9...9...9...9."),
    "steppers": ("9...9...9...9...", "........8.......", "..9...9...9...9."),
    "dembow": ("9...9...9...9...", "...9..9....9..9.", "9.9.9.9.9.9.9.9."),
    "dembow light": ("9.......9.......", "...9..9....9..9.", "5.5.5.5.5.5.5.5."),
    "dancehall": ("9..9....9..3....", "......9.......9.", "9.9.9.9.9.9.9.9."),
    "afrobeat": ("9..5..4...5...3.", "....4..4....7...", "9.9.99.99.9.99.9"),
    "amapiano": ("9..29..29..29..2", "...5..5....5..5.", "9797979797979797"),
    "tresillo": ("9..9..9.9..9..9.", "....6.......6...", "9.9.9.9.9.9.9.9."),
    "samba": ("9..39..59..39..5", "....5.......5...", "9669966996699669"),
    "bossa": ("9..79..79..79..7", "9..9..9...9..9..", "9.9.9.9.9.9.9.9."),
    "clave": ("9.....6...6.....", "9..9..9...9.9...", "9.9.9.9.9.9.9.9."),
    "cumbia": ("9.......9.......", "....7.......7...", "9.799.799.799.79"),
    "shuffle": ("9.......9.....3.", "....9.......9...", "9..99..99..99..9"),
    "train": ("9...3...9...3...", "8589858985898589", "................"),
    "ska": ("9.......9.......", "....9.......9...", "..9...9...9...9."),
    "double time": ("9...9...9...9...", "..9...9...9...9.", "9.9.9.9.9.9.9.9."),
    "motorik": ("9.9...9.9.9...9.", "....9.......9...", "9.9.9.9.9.9.9.9."),
    "gallop": ("9.999.999.999.99", "....9.......9...", "9...9...9...9..."),
    "tribal": ("9..9..5.9..9..5.", "4.54.54.4.54.54.", "9797979797979797"),
    "sparse": ("9...............", "........6.......", "3.3.3.3.3.3.3.3."),
    "sparse backbeat": ("9......3..3.....", "....7.......7...", "3.3.3.3.3.3.3.3."),
    "any": ("8134313453343134", "3133513323335133", "7353735373537353"),
}

_LEAST, _MOST = 0.08, 0.9
"""No hit is impossible and none certain: real kits, fills and recordings see to that."""

_ROW_WEIGHTS = (1.0, 1.0, 0.4)
"""How much a row counts: hats and cymbals repeat at the eighth or sixteenth and say little about the bar."""


def style_evidence(hits: Array, meter: Meter) -> Array:
    """Log-likelihood, up to a constant, of a bar of hits when it starts at each cell, whichever the style.

    ``hits``: low, middle and high hits of the mean bar, 0 to 1, shape ``(3, cells)``. A hit of strength x under a style
    that has it with probability p counts ``x log p + (1 - x) log(1 - p)``; styles are equally probable beforehand.
    """
    table = styles(meter)
    weights = np.array(_ROW_WEIGHTS)[:, None]
    hit, rest = weights * np.log(table), weights * np.log1p(-table)
    by_style = np.stack(
        [
            (turned * hit + (1 - turned) * rest).sum(axis=(1, 2))
            for turned in (np.roll(hits, -k, 1) for k in range(hits.shape[1]))
        ],
        axis=1,
    )
    best = by_style.max(axis=0)
    return np.asarray(best + np.log(np.exp(by_style - best).mean(axis=0)))


def styles(meter: Meter) -> Array:
    """Probabilities of a hit, shape ``(styles, 3, cells)``, strictly between 0 and 1.

    >>> styles(Meter(4, 4)).shape[1:], styles(Meter(7, 8)).shape[1:]
    ((3, 16), (3, 14))
    """
    if meter.quarters == 4 and meter.beats == 4:
        digits = [[[0 if c == "." else int(c) for c in row] for row in rows] for rows in _FOUR_FOUR.values()]
        return np.asarray(_LEAST + (_MOST - _LEAST) * np.array(digits, dtype=np.float64) / 9)
    return np.stack(
        [pattern for pulses in _groupings(meter) for pattern in _generic(pulses, round(4 * meter.quarters))]
    )


def _groupings(meter: Meter) -> list[list[int]]:
    """Where the pulses of a bar lie, in cells: quarters; or eighths in twos and threes, the threes together."""
    cells = round(4 * meter.quarters)
    if meter.denominator <= 4:
        return [list(range(0, cells, 4))]
    if meter.numerator % 3 == 0 and meter.numerator > 3:
        return [list(range(0, cells, 3 * cells // meter.numerator))]
    unit = max(1, cells // meter.numerator)
    threes = meter.numerator % 2
    twos = max(0, meter.numerator - 3 * threes) // 2
    orders = {tuple(a) for a in ([2] * twos + [3] * threes, [3] * threes + [2] * twos)}
    return [[unit * sum(order[:k]) for k in range(len(order))] or [0] for order in sorted(orders)]


def _generic(pulses: list[int], cells: int) -> list[Array]:
    """Backbeat, waltz, straight pulse and half time for a bar with these pulses."""
    middle = min(pulses, key=lambda p: abs(p - cells / 2))
    patterns = []
    for kicks, snares in (([0], pulses[1::2]), ([0], pulses[1:]), (pulses, pulses[1::2]), ([0], [middle])):
        rows = np.full((3, cells), 0.15)
        rows[0, pulses] = 0.3
        rows[0, kicks] = 0.7
        rows[0, 0] = 0.88
        rows[1, [p for p in snares if p]] = 0.75
        rows[2, ::2] = 0.75
        patterns.append(rows)
    return patterns
