"""How drums are usually played, as tables of probability: a style's tempo and, instrument by instrument, its bars.

A style is a line of words:

- ``85-125``: the usual tempo in quarters a minute;
- ``/12``: steps a bar, where they are not sixteenths (12 in 4/4 are triplets of eighths);
- ``~1`` or ``~2``: players like to swing sixteenths or eighths;
- ``K9...``: an instrument (K kick, S snare, C clap, R rim, H hat, O open hat, D ride, X crash, T high tom, U low tom,
  P and Q percussion, V shaker) and its steps. A digit is the probability of a stroke in ninths, a letter that of a soft
  one (a is one ninth, i nine), a point none. Steps are repeated until all of the style's bars are full, and the longest
  instrument tells how many those are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from loopgen.music.tempo import Meter
from loopgen.training.styles.band import BAND
from loopgen.training.styles.club import CLUB
from loopgen.training.styles.meters import METERS
from loopgen.training.styles.world import WORLD

Array = NDArray[np.float64]

_NAMES = {
    "K": "kick", "S": "snare", "C": "clap", "R": "rim", "H": "hat", "O": "open_hat", "D": "ride", "X": "crash",
    "T": "tom_high", "U": "tom_low", "P": "perc_1", "Q": "perc_2", "V": "shaker",
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Style:
    """A way to play the drums of a bar, or of several.

    ``loud`` and ``soft``: for each instrument the probability of a stroke at each step, shape ``(bars, steps)``;
    ``tempo``: lowest and highest usual quarters a minute; ``swung``: the unit that likes to swing, in sixteenths.
    """

    name: str
    tempo: tuple[float, float]
    steps: int
    swung: int
    loud: dict[str, Array]
    soft: dict[str, Array]

    @property
    def bars(self) -> int:
        """Bars until the style starts again."""
        return len(next(iter(self.loud.values())))


def read(name: str, line: str, cells: int) -> Style:
    """Read a style for bars of ``cells`` sixteenths; raises ``ValueError`` where steps do not fill the bars.

    >>> style = read("two bars", "90-120 ~1 K9..... S....9..c....9...", 16)
    Traceback (most recent call last):
        ...
    ValueError: two bars: the 6 steps of K do not fill the style's 16
    >>> style = read("two bars", "90-120 ~1 K9... S....9..c....9.......9.......9...", 16)
    >>> style.bars, style.loud["kick"].sum(axis=1).tolist(), round(float(style.soft["snare"].max()), 3)
    (2, [4.0, 4.0], 0.333)
    """
    tempo, *words = line.split()
    low, high = tempo.split("-")
    steps = next((int(word[1:]) for word in words if word[0] == "/"), cells)
    swung = next((int(word[1:]) for word in words if word[0] == "~"), 0)
    lanes = {word[0]: word[1:] for word in words if word[0] in _NAMES}
    bars = max(1, max(len(lane) for lane in lanes.values()) // steps)
    loud, soft = {}, {}
    for letter, lane in lanes.items():
        if bars * steps % len(lane):
            raise ValueError(f"{name}: the {len(lane)} steps of {letter} do not fill the style's {bars * steps}")
        full = lane * (bars * steps // len(lane))
        digits = [int(step) / 9 if step.isdigit() else 0.0 for step in full]
        letters = [(ord(step) - ord("a") + 1) / 9 if step.isalpha() else 0.0 for step in full]
        loud[_NAMES[letter]] = np.array(digits).reshape(bars, steps)
        soft[_NAMES[letter]] = np.array(letters).reshape(bars, steps)
    return Style(name, (float(low), float(high)), steps, swung, loud, soft)


@cache
def styles(meter: Meter) -> tuple[Style, ...]:
    """The styles written for a meter; none for most of the rarer ones.

    >>> [len(styles(Meter(*meter))) > 9 for meter in ((4, 4), (3, 4), (6, 8), (12, 8), (5, 4), (7, 8), (11, 8))]
    [True, True, True, True, True, True, False]
    """
    lines = {**CLUB, **BAND, **WORLD} if meter == Meter(4, 4) else METERS.get(str(meter), {})
    return tuple(read(name, line, round(4 * meter.quarters)) for name, line in lines.items())
