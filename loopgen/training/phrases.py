"""Bass lines, chords, pads, arpeggios and melodies over a harmony.

Every part is a list of ``Line``s as written, before anyone's feel: (start, length, pitch, level).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loopgen.training.figures import Figure, figure
from loopgen.training.harmony import Harmony
from loopgen.training.pulses import Pulses

Rng = np.random.Generator
Array = NDArray[np.float64]
Line = tuple[float, float, int, float]


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """What a part plays over: the meter's pulses, the bars, the harmony, and where the kick falls.

    ``bare``: nobody else plays, so that the part itself has to make plain where the bar begins. Off-beats alone are
    heard as beats.
    """

    pulses: Pulses
    bars: int
    harmony: Harmony
    kicks: Array
    bare: bool


def part(rng: Rng, name: str, ground: Ground) -> list[Line]:
    """The notes of one of PARTS."""
    play = {"bass": bass, "chord": chords, "pad": pads, "arp": arpeggio, "lead": melody}[name]
    lines = [line for line in play(rng, ground) if line[1] > 0.05]
    if rng.random() < 0.12 and ground.bars >= 8 and len(ground.kicks):  # comes in, or rests for a section
        bar = 4 * int(rng.integers(1, max(2, ground.bars // 4))) * ground.pulses.cells
        length = 4 * ground.pulses.cells if rng.random() < 0.5 else bar
        lines = [line for line in lines if not bar - length <= line[0] < bar - 1e-6] or lines
    return lines


# ---------------------------------------------------------------- bass


def bass(rng: Rng, ground: Ground) -> list[Line]:
    """Roots in a figure, with the kick, walking, a riff, or one long note."""
    pulses, harmony, cells = ground.pulses, ground.harmony, ground.pulses.cells
    lowest = int(rng.choice([24, 28, 28, 31, 36]))
    habit = rng.random()
    if habit < 0.09:
        return _walking(rng, ground, lowest)
    if habit < 0.18:
        return _drops(rng, ground, lowest)
    figures = _figures(rng, ground, "bass")
    with_kick = len(ground.kicks) > 0 and habit < 0.36
    manner = int(rng.choice(6, p=[0.36, 0.14, 0.1, 0.22, 0.08, 0.1]))  # roots octaves fifths riff pedal approach
    riff = [[int(d) for d in rng.choice([0, 0, 0, 2, 4, 4, 6, 7, -1, -3], 32)] for _ in range(2)]
    accents, short = _accents(rng, pulses), float(rng.uniform(0.45, 1)) if rng.random() < 0.5 else 1.0
    lines: list[Line] = []
    for bar in range(ground.bars):
        notes = figures[bar % len(figures)]
        if with_kick:
            notes = _with_kick(ground, bar)
        for number, (start, length) in enumerate(notes):
            place = bar * cells + start
            degree = 0 if manner == 4 else harmony.degree(place)
            if start > 0.5 and manner == 1 and number % 2:
                degree += 7
            elif start > 0.5 and manner == 2 and number % 2:
                degree += 4 if number % 4 == 1 else 7
            elif start > 0.5 and manner == 3:
                degree += riff[bar % 2][int(start) % 32]
            elif manner == 5 and number == len(notes) - 1 and number:
                degree = harmony.degree((bar + 1) * cells) + (1 if bar % 2 else -1)
            lines.append((place, length * short, harmony.pitch(degree, lowest), accents[int(start) % cells]))
    if rng.random() < 0.15:
        lines = _upbeats(rng, ground, lines, lowest, int(rng.choice([2, 4])))
    return lines


def _walking(rng: Rng, ground: Ground, lowest: int) -> list[Line]:
    """A note a pulse: the root on one, then towards the next chord, the last a step away from it."""
    pulses, harmony, cells = ground.pulses, ground.harmony, ground.pulses.cells
    lines: list[Line] = []
    for bar in range(ground.bars):
        here, after = harmony.degree(bar * cells), harmony.degree((bar + 1) * cells)
        for number, (start, end) in enumerate(zip(pulses.starts, pulses.ends, strict=True)):
            if number == 0:
                degree = here if rng.random() < 0.92 else here + 4
            elif number == len(pulses.starts) - 1:
                degree = after + int(rng.choice([-1, 1]))
            else:
                degree = here + int(rng.choice([1, 2, 2, 4, 4, 3, 5, 7]))
            lines.append((bar * cells + start, 0.9 * (end - start), harmony.pitch(degree, lowest), 0.8))
            if rng.random() < 0.06 and end - start == 4:
                lines.append((bar * cells + start + 8 / 3, 1.0, harmony.pitch(degree, lowest), 0.5))
    return lines


def _drops(rng: Rng, ground: Ground, lowest: int) -> list[Line]:
    """One long low note where the bar, or every second or fourth, begins."""
    every = min(int(rng.choice([1, 1, 2, 4])), max(1, ground.bars // 6))
    length = float(rng.choice([4, 8, ground.pulses.cells, ground.pulses.cells * every]))
    cells = ground.pulses.cells
    return [
        (bar * cells, length, ground.harmony.pitch(ground.harmony.degree(bar * cells), lowest), 1.0)
        for bar in range(0, ground.bars, every)
    ]


# ---------------------------------------------------------------- chords


def chords(rng: Rng, ground: Ground) -> list[Line]:
    """Stabs, strums, skanks and comping; a bass note on one and chords after it; broken chords."""
    pulses, harmony, cells = ground.pulses, ground.harmony, ground.pulses.cells
    figures = _figures(rng, ground, "chord")
    early = float(rng.choice([0, 1, 2])) if rng.random() < 0.2 and not ground.bare else 0.0
    tones = _tones(rng)
    strum = float(rng.uniform(0.02, 0.25)) if rng.random() < 0.3 else 0.0
    accents, short = _accents(rng, pulses), float(rng.uniform(0.3, 1)) if rng.random() < 0.5 else 1.0
    habit = rng.random()
    comping, with_kick = rng.random() < 0.15, len(ground.kicks) > 0 and habit > 0.92
    lines: list[Line] = []
    for bar in range(ground.bars):
        if habit < 0.12 and len(pulses.starts) > 1:  # a bass note, then chords
            low = harmony.pitch(harmony.degree(bar * cells), 40)
            lines.append((bar * cells, 3.0, low, 1.0))
            notes: Figure = [(start, 2.0) for start in pulses.starts[1:]]
        elif habit < 0.2:  # broken
            notes = [(float(start), 2.0) for start in range(0, cells, 2)]
        else:
            notes = _with_kick(ground, bar) if with_kick else figures[bar % len(figures)]
        if comping and bar % 2:
            notes = [note for note in notes if rng.random() < 0.75]
        for number, (start, length) in enumerate(notes):
            place = bar * cells + start
            degree = harmony.degree(place if start < cells - early else (bar + 1) * cells)
            sounding = _voiced(harmony, degree, tones)
            if 0.12 <= habit < 0.2:
                sounding = [sounding[(0, 2, 1, 2)[number % 4] % len(sounding)]]
            pushed = early if start == 0 and length > 2 else 0.0
            for rank, pitch in enumerate(sounding):
                level = accents[int(start) % cells] * 0.8
                lines.append((place - pushed + rank * strum, length * short + pushed, pitch, level))
    return lines


def pads(rng: Rng, ground: Ground) -> list[Line]:
    """Chords held for as long as the harmony stays, or struck anew in every bar; some swell in early."""
    harmony, cells = ground.harmony, ground.pulses.cells
    places = harmony.changes.tolist()
    if rng.random() < 0.4:
        places = sorted({*places, *(float(bar * cells) for bar in range(ground.bars))})
    ends = [*places[1:], float(ground.bars * cells)]
    early = float(rng.choice([1, 2])) if rng.random() < 0.12 and not ground.bare else 0.0
    tones = _tones(rng)
    lines: list[Line] = []
    for start, end in zip(places, ends, strict=True):
        for pitch in _voiced(harmony, harmony.degree(start), tones):
            lines.append((start - early, end - start, pitch, 0.7))
    return lines


def _tones(rng: Rng) -> tuple[int, ...]:
    """Which steps above its root a chord has, and so how it is turned."""
    shapes = ((0, 2, 4), (0, 2, 4), (2, 4, 7), (4, 7, 9), (0, 2, 4, 6), (0, 4), (0, 4, 7), (2, 4, 6), (0, 2, 4, 6, 8))
    return shapes[int(rng.integers(len(shapes)))]


def _voiced(harmony: Harmony, degree: int, tones: tuple[int, ...]) -> list[int]:
    """Pitches of a chord around middle C."""
    pitches = [harmony.pitch(degree + tone, 53) for tone in tones]
    drop = 12 * round((sum(pitches) / len(pitches) - 63) / 12)
    return [pitch - drop for pitch in pitches]


# ---------------------------------------------------------------- arpeggios and melodies


def arpeggio(rng: Rng, ground: Ground) -> list[Line]:
    """Chord tones in a steady stream, in a cycle that fits the bar or runs across it."""
    pulses, harmony, cells = ground.pulses, ground.harmony, ground.pulses.cells
    threes = pulses.starts[1:2] == (6,)
    step = float(rng.choice([1, 2, 2] if threes else [1, 1, 2, 2, 4, 4 / 3]))
    cycle = int(rng.choice([3, 4, 4, 6, 8, 8, 16]))
    shape = int(rng.integers(5))
    order = [0, 2, 4, 7, 9, 11, 14]
    ups = [order[k % 4] + 7 * (k // 4 % 2) for k in range(cycle)]
    sequence = (ups, ups[::-1], [*ups[: cycle // 2 + 1], *ups[cycle // 2 : 0 : -1]], [order[0]] * cycle, ups)[shape]
    if shape == 4:
        sequence = [0, *(int(tone) for tone in rng.choice(order, cycle - 1))]
    if shape == 3:
        sequence = [0 if k else 7 for k in range(cycle)]
    gate = rng.random(16) < (1.0 if rng.random() < 0.6 else rng.uniform(0.5, 0.95))
    gate[0] = True
    anew, accents = rng.random() < (0.9 if ground.bare else 0.65), _accents(rng, pulses)
    lowest = int(rng.choice([48, 55, 60, 67]))
    length = step * float(rng.uniform(0.4, 1.2))
    lines: list[Line] = []
    for number in range(int(ground.bars * cells / step + 1e-6)):
        place = number * step
        count = round(place % cells / step) if anew else number
        if gate[count % 16]:
            pitch = harmony.pitch(harmony.degree(place) + sequence[count % len(sequence)], lowest)
            lines.append((place, length, min(pitch, 100), accents[int(place % cells)]))
    return lines


def melody(rng: Rng, ground: Ground) -> list[Line]:
    """A motif of one to four bars, asked and answered: repeated, moved with the harmony, ended differently."""
    harmony, cells = ground.harmony, ground.pulses.cells
    span = int(rng.choice([1, 1, 2, 2, 4]))
    lowest = int(rng.choice([55, 60, 60, 67, 72]))
    steps = ((0, 1, 2, 3, 4, 5, 6), (0, 1, 2, 4, 5), (0, 2, 3, 4, 6))[int(rng.integers(3))]
    question = [_motif(rng, ground, len(steps)) for _ in range(span)]
    answer = [*question[:-1], _motif(rng, ground, len(steps))] if rng.random() < 0.6 else question
    follows, rests = rng.random() < 0.35, rng.random() < 0.3
    accents = _accents(rng, ground.pulses)
    short = float(rng.uniform(0.4, 1)) if rng.random() < 0.35 else 1.0
    lines: list[Line] = []
    for bar in range(ground.bars):
        phrase = question if bar // span % 2 == 0 else answer
        if rests and bar % (2 * span) >= span and span > 1 and bar % span == span - 1:
            continue
        home = harmony.degree(bar * cells)
        for start, length, height in phrase[bar % span]:
            octave, step = divmod(height, len(steps))
            degree = steps[step] + 7 * octave + (home if follows else 0)
            if start == 0 and not follows and rng.random() < 0.6:  # a chord tone on the first beat
                degree = min((home + tone for tone in (-7, -5, -3, 0, 2, 4, 7)), key=lambda d: (abs(d - degree), d))
            pitch = harmony.pitch(degree, lowest)
            lines.append((bar * cells + start, length * short, min(pitch, 103), accents[int(start) % cells]))
    if rng.random() < 0.3:
        lines = _upbeats(rng, ground, lines, lowest, int(rng.choice([1, 2, 4])))
    return lines


def _motif(rng: Rng, ground: Ground, count: int) -> list[tuple[float, float, int]]:
    """A bar of melody: (start, length, step of the melody's scale), mostly by step, ending on a longer note."""
    notes = _grounded(rng, ground, "lead")
    if rng.random() < 0.3 and len(notes) > 2:  # breathes before the bar is over
        notes = notes[: int(rng.integers(1, len(notes)))]
    if rng.random() < 0.06:  # triplets against the rest
        notes = [(k * ground.pulses.cells / 12, ground.pulses.cells / 12) for k in range(12) if rng.random() < 0.6]
    height = int(rng.integers(0, count + 2))
    out = []
    for start, length in notes:
        out.append((start, min(length, float(rng.choice([2, 4, 8, 16]))), height))
        height += int(rng.choice([-3, -2, -1, -1, 0, 0, 1, 1, 2, 3]))
        height = min(max(height, -2), 2 * count)
    return out


# ---------------------------------------------------------------- what they share


def _figures(rng: Rng, ground: Ground, name: str) -> list[Figure]:
    """The bars that a part goes round in: one, one with another ending, or two of its own."""
    first = _grounded(rng, ground, name)
    habit = rng.random()
    if habit < 0.55:
        return [first]
    other = _grounded(rng, ground, name)
    half = ground.pulses.middle or ground.pulses.cells
    mixed = [(a, min(n, half - a)) for a, n in first if a < half] + [(a, n) for a, n in other if a >= half]
    if habit < 0.75:
        return [first, mixed or first]
    if habit < 0.88:
        return [first, first, first, mixed or first]
    return [first, other]


def _with_kick(ground: Ground, bar: int) -> Figure:
    """The kick's own rhythm in a bar; a note on the first beat where it rests."""
    cells = ground.pulses.cells
    inside = ground.kicks[(ground.kicks >= bar * cells - 1e-6) & (ground.kicks < (bar + 1) * cells - 1e-6)]
    starts = (inside - bar * cells).tolist() or [0.0]
    return [(a, min(b - a, 6.0)) for a, b in zip(starts, [*starts[1:], float(cells)], strict=True)]


def _grounded(rng: Rng, ground: Ground, name: str) -> Figure:
    """A figure; one with a note on the bar line where the part is bare."""
    found = figure(rng, ground.pulses, name)
    for _ in range(8 if ground.bare else 0):
        if found and found[0][0] == 0:
            break
        found = figure(rng, ground.pulses, name)
    return found


def _accents(rng: Rng, pulses: Pulses) -> Array:
    """Level of a note at each sixteenth: with the meter, the player's own, or all alike."""
    habit, depth = rng.random(), rng.uniform(0.1, 0.5)
    if habit < 0.5:
        return 1 - depth * (1 - pulses.weights())
    if habit < 0.75:
        levels = np.where(rng.random(pulses.cells) < 0.3, 1.0, 1 - depth)
        levels[0] = 1.0
        return np.asarray(levels)
    return np.full(pulses.cells, 0.85)


def _upbeats(rng: Rng, ground: Ground, lines: list[Line], lowest: int, every: int) -> list[Line]:
    """One to three notes before every phrase that climb or fall to its first."""
    cells = ground.pulses.cells
    count, step = int(rng.integers(1, 4)), float(rng.choice([1, 2, 2]))
    way = int(rng.choice([-1, 1]))
    out = []
    for bar in range(0, ground.bars, every):
        goal = ground.harmony.degree(bar * cells)
        begins = bar * cells - count * step
        lines = [line for line in lines if not begins - 1e-6 <= line[0] < bar * cells - 1e-6]
        out += [
            (begins + k * step, step * 0.9, ground.harmony.pitch(goal + way * (count - k), lowest), 0.75)
            for k in range(count)
        ]
    return sorted(lines + out)
