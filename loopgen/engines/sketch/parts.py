"""The players of pitched parts: bass, chords, pad, lead."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from loopgen.engines.sketch.chance import Chance
from loopgen.engines.sketch.genres import Genre
from loopgen.engines.sketch.prompt import Style
from loopgen.engines.sketch.rhythm import Cell, Step, Swing, chain
from loopgen.engines.sketch.score import Harmony, Played
from loopgen.engines.sketch.theory import Chord, voice
from loopgen.music.key import Key
from loopgen.music.melody import Note

_CHORDAL_STRUM = {"guitar": 0.007, "nylon": 0.009, "piano": 0.002, "rhodes": 0.002, "overdriven": 0.004}
"""Seconds between the strings or fingers of one chord."""


def near(pitch_class: int, centre: int) -> int:
    """The pitch of a class closest to ``centre`` (from 6 below to 5 above).

    >>> near(0, 34), near(9, 34)
    (36, 33)
    """
    return centre - 6 + (pitch_class - (centre - 6)) % 12


def chord_at(harmony: Sequence[Harmony], time: float) -> int:
    """Index of the chord that sounds at ``time`` quarters."""
    for k in range(len(harmony) - 1, -1, -1):
        if time >= harmony[k].start - 1e-6:
            return k
    return 0


def bass(
    genre: Genre,
    cells: Sequence[Cell],
    swing: Swing,
    harmony: Sequence[Harmony],
    centre: int,
    style: Style,
    chance: Chance,
) -> tuple[Played, ...]:
    """The bass line: roots, fifths, octaves and approaches below the chords."""
    rng = chance.stream("bass", "play")
    lines = _dense(genre.bass_lines, style.mood.density)
    first = chance.pick(lines, "bass", "line")
    turn = chance.pick(genre.bass_lines, "bass", "turn")
    # the line, and at the end of a four-bar phrase sometimes another
    phrase = [first, first, first, turn if chance.stream("bass", "form").random() < 0.6 else first]
    out: list[Played] = []
    for step, duration in chain(phrase, cells, swing):
        for start, length, k in _split(step.start, duration, harmony):
            pitch = _bass_pitch(step.mark, harmony[k].chord, harmony[(k + 1) % len(harmony)].chord, centre)
            draw = rng.random(2)
            strong = step.at == step.pulse.start
            if genre.arp or "acid" in genre.basses:
                velocity = 1.0 if draw[0] < 0.25 else 0.72  # accents anywhere, as on a sequencer
            else:
                velocity = (0.92 if strong else 0.78) + 0.08 * (draw[0] - 0.5)
            nudge = 0.0 if strong else 0.4e-3 * genre.human * (draw[1] - 0.5) * 2
            out.append(Played(start, 0.97 * length, pitch, velocity, nudge))
    return tuple(out)


def _dense(lines: Sequence[str], density: float) -> Sequence[str]:
    """Busy moods choose among the busier half of the patterns, sparse ones among the emptier."""
    if abs(density) < 0.35 or len(lines) < 3:
        return lines
    ranked = sorted(lines, key=lambda line: sum(mark not in ".= |" for mark in line))
    half = (len(ranked) + 1) // 2
    return ranked[-half:] if density > 0 else ranked[:half]


def _bass_pitch(mark: str, chord: Chord, following: Chord, centre: int) -> int:
    root = near(chord.lowest, centre)
    above = chord.intervals
    if chord.bass is not None:
        above = tuple(sorted((pitch_class - chord.bass) % 12 for pitch_class in chord.pitch_classes))
    third = next((i for i in above if i % 12 in (3, 4)), 7)
    fifth = next((i for i in above if i % 12 in (6, 7, 8)), 7)
    seventh = next((i for i in above if i in (9, 10, 11)), 10)
    steps = {"1": 0, "3": third, "4": fifth - 12, "5": fifth, "7": seventh - 12, "8": 12, "9": 2}
    pitch = near(following.lowest, centre) - 1 if mark == "a" else root + steps.get(mark, 0)
    while pitch < 26:
        pitch += 12
    return pitch


def _split(start: float, duration: float, harmony: Sequence[Harmony]) -> Iterable[tuple[float, float, int]]:
    """A held note struck again wherever the chord under it changes: (start, duration, chord) in quarters."""
    total = harmony[-1].end
    at, left = start, duration
    while left > 1e-9:
        k = chord_at(harmony, at % total)
        room = harmony[k].end - at % total
        # swung notes a hair before the change belong to the new chord
        length = left if left - room < 0.13 else room
        yield at % total, length, k
        if len(harmony) == 1:
            return
        at, left = at + length, left - length


def comp(
    genre: Genre, cells: Sequence[Cell], swing: Swing, harmony: Sequence[Harmony], instrument: str, centre: int,
    style: Style, chance: Chance, high: int | None = None,
) -> tuple[Played, ...]:  # fmt: skip
    """Chords struck in a rhythm, led voice by voice; below ``high`` where a melody needs the space above."""
    rng = chance.stream("chords", "play")
    pattern = chance.pick(_dense(genre.comps, style.mood.density), "chords", "comp")
    other = chance.pick(genre.comps, "chords", "turn")
    varied = chance.stream("chords", "form").random() < 0.4
    voicings = _voicings(harmony, centre if high is None else min(centre, high - 7), rootless=genre.colour > 4)
    strum = _CHORDAL_STRUM.get(instrument, 0.0)
    out: list[Played] = []
    for number, (step, duration) in enumerate(
        chain([pattern, pattern, pattern, other if varied else pattern], cells, swing)
    ):
        for start, length, k in _split(step.start, duration, harmony):
            draw = rng.random(3)
            velocity = {"X": 0.95, "x": 0.78, "o": 0.55}.get(step.mark, 0.4) + 0.1 * (draw[0] - 0.5)
            nudge = genre.human * 1e-3 * 0.7 * (draw[1] * 2 - 1)
            notes = voicings[k]
            order = notes if number % 2 == 0 or strum < 0.005 else notes[::-1]  # down-stroke, up-stroke
            for finger, pitch in enumerate(order):
                late = nudge + strum * finger * (0.7 + 0.6 * draw[2])
                out.append(Played(start, 0.98 * length, pitch, velocity, late))
    return tuple(out)


def _voicings(harmony: Sequence[Harmony], centre: int, rootless: bool) -> list[tuple[int, ...]]:
    out: list[tuple[int, ...]] = []
    for change in harmony:
        out.append(voice(change.chord, out[-1] if out else None, centre, rootless))
    return out


def hold(harmony: Sequence[Harmony], centre: int, high: int | None = None) -> tuple[Played, ...]:
    """A pad: every chord for as long as it lasts, tones in common held over."""
    voicings = _voicings(harmony, centre if high is None else min(centre, high - 7), rootless=False)
    out: list[Played] = []
    for change, notes in zip(harmony, voicings, strict=True):
        out.extend(Played(change.start, change.duration, pitch, 0.7) for pitch in notes)
    return tuple(out)


def lead(
    genre: Genre, cells: Sequence[Cell], swing: Swing, harmony: Sequence[Harmony], key: Key, centre: int, arp: bool,
    style: Style, chance: Chance,
) -> tuple[Played, ...]:  # fmt: skip
    """An arpeggio, or a phrase that asks and answers: bars A, B, A, C."""
    lines = _dense(genre.lead_lines, style.mood.density)
    if arp:
        return _arpeggio(chance.pick(lines, "lead", "line"), cells, swing, harmony, centre, chance)
    form = (("A", "B", "A", "C"), ("A", "A", "B", "C"), ("A", "B", "C", "B"))[
        int(chance.stream("lead", "form").random() * 3)
    ]
    patterns = {letter: chance.pick(lines, "lead", "rhythm", letter) for letter in "AB"}
    patterns["C"] = chance.pick(genre.lead_lines, "lead", "rhythm", "C")
    struck = chain([patterns[form[cell.index % 4]] for cell in cells], cells, swing)
    walks = {letter: chance.stream("lead", "walk", letter).standard_normal(64) for letter in "ABC"}
    ladder = _ladder(key, centre)
    rng = chance.stream("lead", "play")
    out: list[Played] = []
    owner, count, place = -1, 0, 0
    for step, duration in struck:
        cell = _cell_of(cells, step)
        if cell.index != owner:
            owner, count = cell.index, 0
            place = len(ladder) // 2
        walk = walks[form[cell.index % 4]]
        place = int(np.clip(place + round(1.6 * walk[count % 64]), 1, len(ladder) - 2))
        count += 1
        chord = harmony[chord_at(harmony, step.at)].chord
        strong = step.at == step.pulse.start or duration > 0.6 * step.pulse.length
        place = _to_chord(ladder, place, chord) if strong else place
        draw = rng.random(2)
        velocity = (0.88 if strong else 0.74) + 0.1 * (draw[0] - 0.5)
        nudge = genre.human * 1e-3 * (draw[1] * 2 - 1) * 0.8
        out.append(Played(step.start, 0.95 * duration, ladder[place], velocity, nudge))
    return tuple(out)


def follow(notes: Sequence[Note]) -> tuple[Played, ...]:
    """A melody exactly as it was given."""
    return tuple(Played(n.start, n.duration, n.pitch, 0.45 + 0.5 * n.velocity / 127) for n in notes)


def _cell_of(cells: Sequence[Cell], step: Step) -> Cell:
    return next(cell for cell in reversed(cells) if step.at >= cell.start - 1e-6)


def _ladder(key: Key, centre: int) -> list[int]:
    """The pentatonic scale of the key around ``centre``: every note of it fits nearly every diatonic chord."""
    degrees = (0, 2, 3, 4, 6) if key.is_minor else (0, 1, 2, 4, 5)
    classes = {key.scale[degree] for degree in degrees}
    return [pitch for pitch in range(centre - 9, centre + 10) if pitch % 12 in classes]


def _to_chord(ladder: Sequence[int], place: int, chord: Chord) -> int:
    """The nearest rung that is a chord tone, or the same rung where none is near."""
    classes = set(chord.pitch_classes)
    for distance in (0, 1, -1, 2, -2):
        k = place + distance
        if 0 <= k < len(ladder) and ladder[k] % 12 in classes:
            return k
    return place


def _arpeggio(
    line: str,
    cells: Sequence[Cell],
    swing: Swing,
    harmony: Sequence[Harmony],
    centre: int,
    chance: Chance,
) -> tuple[Played, ...]:
    shape = chance.pick(
        ((0, 1, 2, 3), (0, 1, 2, 3, 4, 3, 2, 1), (3, 2, 1, 0), (0, 2, 1, 3), (0, 3, 1, 4, 2, 5), (0, 1, 2, 0, 2, 3)),
        "lead", "shape",
    )  # fmt: skip
    rng = chance.stream("lead", "play")
    out = []
    count, owner = 0, -1
    for step, duration in chain(line, cells, swing):
        cell = _cell_of(cells, step)
        if cell.index != owner:
            owner, count = cell.index, 0
        chord = harmony[chord_at(harmony, step.at)].chord
        base = near(chord.root, centre - 4)
        accent = step.at == step.pulse.start
        velocity = (0.9 if accent else 0.7) + 0.08 * (float(rng.random()) - 0.5)
        out.append(Played(step.start, 0.9 * duration, base + chord.tone(shape[count % len(shape)]), velocity))
        count += 1
    return tuple(out)
