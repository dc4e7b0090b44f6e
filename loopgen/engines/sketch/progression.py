"""Chords that were given, note by note, are played as chords: heard out of block chords, not harmonised anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from loopgen.engines.sketch.score import Harmony, Played
from loopgen.engines.sketch.theory import Chord
from loopgen.music.chords import SYMBOLS
from loopgen.music.melody import Note

_TOGETHER = 0.1
"""Quarters between the first and the last finger of one chord."""

_SHARE = 0.8
"""Of all that sounds, this much in block chords makes a progression; less is a melody with some chords in it."""

_PATIENT = 1.5
"""Quarters from chord to chord, on average, that a progression takes; faster ones are a riff, played as it stands."""

_KNOWN = {frozenset(interval % 12 for interval in intervals): intervals for intervals in reversed(SYMBOLS)}


@dataclass(frozen=True, slots=True)
class Progression:
    """Chords over a whole loop, and the stretches ``(start, end)`` in quarters in which none was given."""

    harmony: tuple[Harmony, ...]
    rests: tuple[tuple[float, float], ...]

    def silenced(self, notes: Sequence[Played]) -> tuple[Played, ...]:
        """Notes without what would sound where no chord was given."""
        for start, end in self.rests:
            notes = [
                replace(note, duration=min(note.duration, start - note.start)) if note.start < start else note
                for note in notes
                if not start - 1e-6 <= note.start < end - 1e-6
            ]
        return tuple(notes)


def progression(notes: Sequence[Note], quarters: float, bar: float) -> Progression | None:
    """The chords of block chords within ``quarters``, each held until the next; None where the notes are a melody.

    Nothing for a whole ``bar`` (in quarters) or more is a rest that was meant.
    """
    stacks: list[list[Note]] = []
    for note in notes:
        if stacks and note.start - stacks[-1][0].start <= _TOGETHER:
            stacks[-1].append(note)
        else:
            stacks.append([note])
    chords = [stack for stack in stacks if len({note.pitch for note in stack}) >= 3]
    within = sum(note.duration for stack in chords for note in stack)
    if not chords or within < _SHARE * sum(note.duration for note in notes):
        return None
    if quarters / len(chords) < min(_PATIENT, bar) - 1e-6:
        return None
    starts = [stack[0].start for stack in chords]
    ends = [max(note.start + note.duration for note in stack) for stack in chords]
    limits = [*starts[1:], quarters]
    rests = [(end, limit) for end, limit in zip(ends, limits, strict=True) if limit - end >= bar - 1e-6]
    if starts[0] >= bar - 1e-6:
        rests.insert(0, (0.0, starts[0]))
    named = [name([note.pitch for note in stack]) for stack in chords]
    if starts[0] > 1e-6:  # the loop is a ring: its last chord still holds
        starts, named, limits = [0.0, *starts], [named[-1], *named], [starts[0], *limits]
    out: list[Harmony] = []
    for start, limit, chord in zip(starts, limits, named, strict=True):
        if out and out[-1].chord == chord:
            out[-1] = replace(out[-1], duration=limit - out[-1].start)
        else:
            out.append(Harmony(start, limit - start, chord))
    return Progression(tuple(out), tuple(rests))


def name(pitches: Sequence[int]) -> Chord:
    """The chord that pitches make: on their lowest note if that is a chord with a name, else on another above it.

    >>> [str(name(pitches)) for pitches in ((45, 57, 60, 64), (38, 58, 62, 65), (48, 52, 57), (36, 60, 64, 67, 69))]
    ['Am', 'Bb/D', 'Am/C', 'C6']
    """
    bass = min(pitches) % 12
    classes = {pitch % 12 for pitch in pitches}
    order = [*_KNOWN]
    found = []
    for root in classes:
        shape = frozenset((pitch - root) % 12 for pitch in classes)
        if shape in _KNOWN:
            found.append((root != bass, -order.index(shape), root, _KNOWN[shape]))
    if not found:
        return Chord(bass, tuple(sorted((pitch - bass) % 12 for pitch in classes)))
    _, _, root, intervals = min(found)
    return Chord(root, intervals, None if root == bass else bass)
