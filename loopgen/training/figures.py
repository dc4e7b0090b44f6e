"""Rhythms of a bar for instruments that hold notes: idioms of 4/4, and rules that serve every meter."""

from __future__ import annotations

import numpy as np

from loopgen.training.pulses import Pulses
from loopgen.training.rhythms import celled, euclid

Rng = np.random.Generator
Figure = list[tuple[float, float]]
"""Starts and lengths in sixteenths from the bar line, in order."""

_BASS = (
    "X---------------", "X-------X-------", "X---X---X---X---", "X-X-X-X-X-X-X-X-", "X.X.X.X.X.X.X.X.",
    "XXXXXXXXXXXXXXXX", "..X-..X-..X-..X-", ".XXX.XXX.XXX.XXX", "X.XXX.XXX.XXX.XX", "X-----X-X-----X-",
    "X--X----X--X----", "X--X--X-X-------", "X-----X---X-----", "X--X--X---X--X--", "X......X..X.....",
    "X.X...X...X...X.", "X---..X-X---..X-", "X-------..X-X-X-", "X--X..X-..X-X---", "X.......X.X.X.X.",
    "X-----X---------", "X..X..X..X..X.X.", "X---X--X--X-X---", "X.X.....X.X...XX", "X.....X-X...X.X-",
    "X.XX.XX.X.XX.XX.", "......X---..X---", "X--X--X---......", "X-X---X-..X---X-", "X--X--X-X--X--X-",
    "X---------X-X---", "X..X....X..X..X.", "X.....X...X..X..", "X-......X-....X.", "X------X--------",
    "X-..X-..X-X-X-..", "XX..XX..XX..XX..", "X.X.X.X.X...X.X.",
)  # fmt: skip

_CHORDS = (
    "X---------------", "X-------X-------", "X---X---X---X---", "..X-..X-..X-..X-", "....X-......X-..",
    "..X...X...X...X.", "X--X--X---------", "X--X--X-X--X--X-", "X-----X---X-----", "X--X----X--X----",
    "X.....X.....X...", "..X..X..X...X...", "X---..X---------", "......X-......X-", "X..XX..XX.X.X.X.",
    "X..X..X..X..X.X.", "....X.......X.X.", "X.X...X..X..X...", "XXXXXXXXXXXXXXXX", "X-X-X-X-X-X-X-X-",
    "X.XX.XX.X.XX.XX.", "...X..X...X.....", "X-----------X-X-", "X-..X-XX..XX..XX", "X---X-XX..XXX-X-",
    "X..X...X..X.X...", "X.....X.X.....X.", "....X-X-....X-X-", "X-------..X-..X-", "X..X..X...X...X.",
)  # fmt: skip


def figure(rng: Rng, pulses: Pulses, part: str) -> Figure:
    """A bar's rhythm for a part; nearly all have a note on the first beat or make plain where it is."""
    if pulses.cells == 16 and part in ("bass", "chord") and rng.random() < 0.55:
        table = _BASS if part == "bass" else _CHORDS
        return read(table[int(rng.integers(len(table)))])
    kinds = {
        "bass": [0.1, 0.08, 0.14, 0.16, 0.04, 0.05, 0.18, 0.13, 0.07, 0.05],
        "chord": [0.2, 0.12, 0.14, 0.08, 0.02, 0.12, 0.12, 0.1, 0.06, 0.04],
        "lead": [0.02, 0.05, 0.12, 0.16, 0.03, 0.02, 0.25, 0.25, 0.05, 0.05],
    }[part]
    kind = int(rng.choice(10, p=kinds))
    cells = pulses.cells
    if kind == 0:
        return [(0, cells)]
    if kind == 1:
        starts = list(pulses.strong) if len(pulses.strong) > 1 else sorted({0, pulses.middle})
    elif kind == 2:
        starts = list(pulses.starts)
    elif kind == 3:
        starts = list(range(0, cells, 2))
    elif kind == 4:
        starts = list(range(cells))
    elif kind == 5:
        starts = list(pulses.offbeats) if rng.random() < 0.5 else list(pulses.starts[1:])
    elif kind == 6:
        starts = _first(rng, np.flatnonzero(celled(rng, pulses)), 0.75)
    elif kind == 7:
        chance = pulses.weights() ** rng.uniform(0.5, 1.6) * rng.uniform(0.4, 1.2)
        starts = _first(rng, np.flatnonzero(rng.random(cells) < chance), 0.93)
    elif kind == 8:
        stop = int(cells * rng.choice([0.5, 0.75, 1, 1]))
        starts = [*range(0, stop, 3), *(p for p in pulses.starts if p >= stop and rng.random() < 0.7)]
    else:
        starts = np.flatnonzero(euclid(cells, int(rng.integers(3, max(4, cells // 2))))).tolist()
    starts = starts or [0]
    if len(starts) > 3 and rng.random() < 0.2:
        starts.pop(int(rng.integers(1, len(starts))))
    ends = [*starts[1:], cells + starts[0]]
    short = float(rng.uniform(0.35, 1)) if rng.random() < 0.5 else 1.0
    return [(a, short * (b - a)) for a, b in zip(starts, ends, strict=True)]


def read(pattern: str) -> Figure:
    """Starts and lengths of a line with X where a note starts, - where it goes on and . where none sounds.

    >>> read("X--X..X-")
    [(0, 3), (3, 1), (6, 2)]
    """
    starts = [k for k, step in enumerate(pattern) if step == "X"]
    return [(k, len(pattern[k + 1 :]) - len(pattern[k + 1 :].lstrip("-")) + 1) for k in starts]


def _first(rng: Rng, starts: np.ndarray[tuple[int, ...], np.dtype[np.intp]], chance: float) -> list[int]:
    """With a note on the bar line, most times."""
    return sorted({0, *starts.tolist()}) if rng.random() < chance else starts.tolist()
