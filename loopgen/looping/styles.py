"""How drums are usually played: for each style the probability of low, middle and high hits in every cell of a bar."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from loopgen.music.tempo import Meter

_STYLES = {
    "four on the floor": ("9...9...9...9..1", "....7.......7...", "5.9.5.9.5.9.5.9."),
    "techno": ("9...9...9...9...", "..2.3.2...2.3.2.", "7797779777977797"),
    "rock": ("9.....3.8.4...2.", "....9.......9...", "9.9.9.9.9.9.9.9."),
    "sixteenths": ("9..3..4.7.3...2.", "....9.......9...", "9999999999999999"),
    "funk": ("9.4..2.3..7..3..", "....9..4.3.39..3", "9899989998999899"),
    "break": ("9.6...2.3.8.....", "....9..4.4..9..3", "9.9.9.9.9.9.9.9."),
    "drum and bass": ("9.........8.....", "....9.......9...", "9.9.9.9.9.9.9.9."),
    "garage": ("9.....2...7..3..", "....9.......9...", "..9.3.9..39...93"),
    "boom bap": ("9.4....4..8..2..", "....9.......9..1", "9.9.9.9.9.9.9.9."),
    "half time": ("9..2..3...3.....", "........9......1", "9.9.9.9.9.9.9.9."),
    "trap": ("9..2..4...5..3..", "........9.......", "9.9.9.9.9.979.99"),
    "one drop": ("1.......9.......", "........7.......", "9.9.9.9.9.9.9.9."),
    "steppers": ("9...9...9...9...", "........7.......", "..9...9...9...9."),
    "dembow": ("9...7...9...7...", "...9..9....9..9.", "9.9.9.9.9.9.9.9."),
    "dancehall": ("9..7....7..3....", "......9.......9.", "9.9.9.9.9.9.9.9."),
    "tresillo": ("9..8..8.9..8..8.", "....5.......5...", "9.9.9.9.9.9.9.9."),
    "samba": ("9..47..59..47..5", "....5.......5...", "9669966996699669"),
    "electro": ("9..4..5.3.8..3..", "....9.......9...", "9595959595959595"),
    "sparse": ("9...............", "........5.......", "3...3...3...3..."),
    "any": ("7134313453343134", "2133713323337133", "7353735373537353"),
}


def styles(meter: Meter) -> NDArray[np.float64]:
    """Probabilities of a hit, shape ``(styles, 3, cells)``, strictly between 0 and 1."""
    cells = round(4 * float(meter.quarters))
    if cells == 16:
        digits = [[[0 if c == "." else int(c) for c in row] for row in rows] for rows in _STYLES.values()]
        return 0.06 + 0.86 * np.array(digits, dtype=np.float64) / 9
    table = np.full((2, 3, cells), 0.12)
    pulses = list(range(0, cells, 6 if meter.denominator == 8 and meter.numerator % 3 == 0 else 4))
    table[:, 0, 0] = 0.85
    table[0, 1, pulses[1::2]] = 0.7
    table[1, 1, pulses[1:]] = 0.6
    table[:, 2, ::2] = 0.7
    return table
