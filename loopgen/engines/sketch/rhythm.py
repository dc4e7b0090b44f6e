"""Pulses, patterns, swing: how sixteenths written for 4/4 become music in any meter.

Conventions
-----------
- Time is in quarter notes from the loop's first downbeat, float64.
- A **pulse** is what the foot taps: a quarter in 4/4, a dotted quarter in 6/8, 2+2+3 eighths in 7/8.
- A **cell** is the bar that the music feels: usually the bar, two slow halves of it at 50 BPM in a style that lives at
  100, two bars at once at 240. Patterns are laid onto cells.
- A **pattern** is a string with four characters a pulse, for one felt bar of four pulses or for several that
  take turns: ``"x... x... x... x..."``; spaces are for the eye. ``.`` rests, ``=`` holds the note
  before, any other character is struck.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from loopgen.music.tempo import Meter

VELOCITY = {"X": 1.0, "x": 0.82, "o": 0.58, "-": 0.34, "r": 0.7}
"""Velocities of drum strokes, from accent to ghost note."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """A tap of the foot: ``start`` and ``length`` in quarters; ``role`` 0 to 3, the beat of 4/4 that it acts as."""

    start: float
    length: float
    steps: int
    role: int


@dataclass(frozen=True, slots=True)
class Cell:
    """A felt bar: its pulses, ``start`` and ``length`` in quarters."""

    index: int
    start: float
    length: float
    pulses: tuple[Pulse, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One place of a pattern: ``start`` (swung) and ``length`` in quarters, ``at`` the exact unswung start."""

    at: float
    start: float
    length: float
    mark: str
    pulse: Pulse


@dataclass(frozen=True, slots=True)
class Swing:
    """Where the second of two notes lies: 0.5 straight, 0.667 triplets; ``unit`` 8 swings eighths, 16 sixteenths."""

    unit: int = 16
    ratio: float = 0.5

    def warp(self, x: float) -> float:
        """Move a position within a pulse, 0 to 1.

        >>> Swing(8, 2 / 3).warp(0.5), Swing(16, 0.6).warp(0.25), Swing(16, 0.6).warp(0.5)
        (0.6666666666666666, 0.3, 0.5)
        """
        pair = 1.0 if self.unit == 8 else 0.5
        whole, part = divmod(x / pair, 1.0)
        part = part * 2 * self.ratio if part < 0.5 else self.ratio + (part - 0.5) * 2 * (1 - self.ratio)
        return (whole + part) * pair


STRAIGHT = Swing()


def pulse_sixteenths(meter: Meter) -> list[float]:
    """Length of each pulse of a bar, in sixteenths.

    >>> [pulse_sixteenths(Meter.parse(m)) for m in ("3/4", "6/8", "7/8")]
    [[4.0, 4.0, 4.0], [6.0, 6.0], [4.0, 4.0, 6.0]]
    """
    n, d = meter.numerator, meter.denominator
    if d <= 4:
        return [4.0] * (n * 4 // d)
    unit = 16 // d
    if n % 3 == 0 and n > 3:
        groups = [3] * (n // 3)
    elif n == 3:
        groups = [3]
    elif n % 2 == 0:
        groups = [2] * (n // 2)
    elif n == 5:
        groups = [3, 2]
    else:
        groups = [2] * ((n - 3) // 2) + [3] if n > 1 else [1]
    return [float(g * unit) for g in groups]


def cells(meter: Meter, bars: int, feel: int = 0) -> tuple[Cell, ...]:
    """Cut ``bars`` bars into felt bars; ``feel`` is -1 for half the pulse length (double time), 1 for twice, ..."""
    bar = pulse_sixteenths(meter)
    join = 2 ** max(feel, 0)
    out: list[Cell] = []
    start = 0.0
    for first in range(0, bars, join):
        lengths = bar * min(join, bars - first)
        for _ in range(feel):
            lengths = [sum(lengths[k : k + 2]) / 2 for k in range(0, len(lengths), 2)]
        for _ in range(-feel):
            lengths = [half for length in lengths for half in _double(length)]
        quarter = 2.0**feel / 4  # of a pattern's sixteenth, in quarters
        for group in _groups(len(lengths)):
            pulses = []
            at = start
            for role, length in zip(group, lengths[: len(group)], strict=True):
                pulses.append(Pulse(at, length * quarter, _divisions(length), role))
                at += length * quarter
            del lengths[: len(group)]
            out.append(Cell(len(out), start, at - start, tuple(pulses)))
            start = at
    return tuple(out)


def _double(length: float) -> list[float]:
    """A pulse of so many sixteenths at twice the resolution: quarters stay quarters, there are more of them."""
    return [length, length] if length >= 4 else [2 * length]


def _groups(pulses: int) -> list[tuple[int, ...]]:
    """Share out pulses to felt bars, and give each pulse the beat of 4/4 whose part it plays.

    Three pulses are 1, 3, 4 (kick, kick, snare); 5 = 3 + 2 within one felt bar, 7 = 4 + 3.
    """
    shapes = {
        1: (0,), 2: (0, 1), 3: (0, 2, 3), 4: (0, 1, 2, 3), 5: (0, 2, 3, 2, 3), 6: (0, 1, 2, 3, 2, 3),
        7: (0, 1, 2, 3, 0, 2, 3),
    }  # fmt: skip
    out = []
    while pulses > 7:
        out.append(shapes[4])
        pulses -= 4
    if pulses:
        out.append(shapes[pulses])
    return out


def _divisions(sixteenths: float) -> int:
    """Steps that a pulse is played in."""
    if sixteenths >= 5:
        return 6
    return max(1, int(sixteenths))


def lay(pattern: str, cell: Cell, swing: Swing = STRAIGHT) -> Iterator[Step]:
    """Put a pattern onto a cell, pulse by pulse; of several bars, each cell plays its own."""
    marks = pattern.replace(" ", "")
    if len(marks) % 16:
        raise ValueError(f"pattern {pattern!r} has {len(marks)} steps; expected a multiple of 16")
    page = 16 * (cell.index % (len(marks) // 16))
    for pulse in cell.pulses:
        beat = marks[page + 4 * pulse.role : page + 4 * pulse.role + 4]
        played = _divide(beat, pulse.steps)
        # a triplet pulse swings by itself
        bend = swing if pulse.steps in (2, 4) else STRAIGHT
        for k, mark in enumerate(played):
            at = pulse.start + pulse.length * k / pulse.steps
            start = pulse.start + pulse.length * bend.warp(k / pulse.steps)
            yield Step(at, start, pulse.length / pulse.steps, mark, pulse)


def _divide(beat: str, steps: int) -> str:
    """Four characters as ``steps``: compound pulses keep the long-short of the off-beat, dense ones stay dense.

    >>> [_divide(beat, 6) for beat in ("x...", "x.x.", "xxxx", "x===", "..x.")], _divide("x.o.", 2)
    (['x.....', 'x.x.x.', 'xxxxxx', 'x=====', '....x.'], 'xo')
    """
    a, b, c, d = list(beat)
    if steps == 4:
        return beat
    if steps == 6:
        eighths = a not in ".=" and c not in ".="
        sixteenths = eighths and b not in ".=" and d not in ".="
        third = "=" if b == "=" and c in "=" else c if eighths else "=" if b == "=" else "."
        fourth = "=" if third == "=" else b if sixteenths else "=" if third != "." and d == "=" else "."
        return a + b + third + fourth + c + d
    if steps == 3:
        return a + ("=" if b == "=" else ".") + c
    return (a + c)[:steps] if steps < 3 else (beat + "." * steps)[:steps]


def chain(pattern: str | Sequence[str], layout: Sequence[Cell], swing: Swing = STRAIGHT) -> list[tuple[Step, float]]:
    """Struck steps over the whole loop with their durations in quarters, held through ``=``.

    A sequence of patterns gives each cell its own. A hold over the loop's end goes on into its beginning.
    """
    steps: list[Step] = []
    for k, cell in enumerate(layout):
        steps.extend(lay(pattern if isinstance(pattern, str) else pattern[k % len(pattern)], cell, swing))
    total = layout[-1].start + layout[-1].length
    out = []
    for i, step in enumerate(steps):
        if step.mark in ".=":
            continue
        length = step.length
        for j in range(1, len(steps)):
            after = steps[(i + j) % len(steps)]
            if after.mark != "=":
                end = after.start + (total if i + j >= len(steps) else 0.0)
                length = end - step.start if j > 1 else min(step.length, end - step.start)
                break
        out.append((step, length))
    return out
