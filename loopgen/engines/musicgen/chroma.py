"""A melody as MusicGen's melody models are told it: one pitch class each 128 ms, one-hot, laid out over 30 seconds.

The models were trained on the chroma of recordings (``loopgen.chroma``): the strongest pitch class of each frame,
whose centre lies at ``k * 4096 / 32000`` seconds. Notes give that exactly, without any audio. Silence has no class of
its own there: an all-zero frame has its greatest value at index 0, so a rest is the class C, and 235 frames of it are
the null condition that guidance leads away from. A recording's own chroma (``Melody.heard``) is laid out as it is.

Of several notes at once one has to be chosen:

- **The highest** sounds (the skyline of the music retrieval literature): a melody over its accompaniment.
- **A held chord** (three or more pitch classes that begin together and last a quarter and a half or more, as chord
  symbols do) has no melody. Its tones are told in turn, from the lowest up, one a quarter note: the lowest alone would
  leave open whether it is major or minor, the highest alone what its root is.
"""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from loopgen.chroma import HOP, RATE, WINDOW
from loopgen.music.melody import Melody, Note

FRAMES = 235
"""Frames in 30 seconds: ``chroma_length`` of the published models' configuration."""

HOP_SECONDS = Fraction(HOP, RATE)

HELD_QUARTERS = 1.5
"""How long notes that begin together sound at least to be a held chord and not a harmonised melody."""

_TOGETHER = 0.1
"""Quarter notes within which strummed notes begin together."""

_REACH_SECONDS = tuple(float(Fraction(span, RATE)) for span in (HOP, WINDOW // 2, WINDOW))
"""Around a frame's centre the class is looked for in its own 128 ms, then in what its spectrum sees besides."""


_LATER = 1e-6
"""Quarter notes; of two notes that meet at a frame's centre, the one that begins there is told."""


def melody_chroma(
    melody: Melody,
    bpm: Fraction,
    *,
    bar_one: Fraction | float = 0,
    loop_quarters: Fraction | float | None = None,
    offset: Fraction | float = 0,
    silent_until: Fraction | float | None = None,
    frames: int = FRAMES,
) -> NDArray[np.float32]:
    """One-hot chroma of a melody at a tempo; shape ``(frames, 12)``, float32, C first.

    Args:
        melody: repeats; its first beat lies on bar one.
        bpm: quarter notes a minute.
        bar_one: seconds in the take where the loop's first bar begins.
        loop_quarters: length of the loop, which repeats too: what comes before bar one is the loop's end, and after its
            end comes its beginning, also where the clip does not go into it a whole number of times. None: the clip's.
        offset: seconds in the take where frame 0 is centred: the start of the window that is drawn.
        silent_until: seconds in the take before which nothing with a pitch sounds, such as a count-in.
        frames: how many; a model's ``chroma_length``.

    A frame takes the class that sounds longest in its own 128 ms; in a rest, the nearest that its half a second of
    spectrum would still see; otherwise C, as silence.

    >>> tune = Melody((Note(0, 69, 2), Note(2, 64, 2)), 4)
    >>> melody_chroma(tune, Fraction(120), frames=16).argmax(axis=1).tolist()
    [9, 9, 9, 9, 9, 9, 9, 9, 4, 4, 4, 4, 4, 4, 4, 4]
    """
    centres = float(offset) + float(HOP_SECONDS) * np.arange(frames)
    quarters = (centres - float(bar_one)) * float(bpm) / 60
    period = melody.length if loop_quarters is None else float(loop_quarters)
    if melody.heard:
        slices = melody.heard_classes()
        position = np.mod(np.mod(quarters, period), melody.length) / melody.length
        classes = slices[np.minimum((position * len(slices)).astype(np.int64), len(slices) - 1)]
    else:
        classes = _sounding(melody, quarters, period, float(bpm) / 60)
    if silent_until is not None:
        classes = np.where(centres < float(silent_until), 0, classes)
    return np.eye(12, dtype=np.float32)[classes]


def melody_line(melody: Melody) -> list[tuple[float, float, int]]:
    """The one voice that is told of a melody: (start, stop, pitch class) in quarter notes, in order, rests left out.

    >>> from loopgen.music.chords import parse_chords
    >>> melody_line(parse_chords("Am"))
    [(0.0, 1.0, 9), (1.0, 2.0, 0), (2.0, 3.0, 4), (3.0, 4.0, 9)]
    """
    notes = [note for note in melody.notes if note.start < melody.length]
    ends = {note: min(note.start + note.duration, melody.length) for note in notes}
    edges = {edge for note in notes for edge in (note.start, ends[note])}
    for note in notes:
        if ends[note] - note.start >= HELD_QUARTERS:
            edges |= {note.start + k for k in range(1, math.ceil(ends[note] - note.start))}
    line: list[tuple[float, float, int]] = []
    sounding: list[Note] = []
    coming = 0
    for start, stop in pairwise(sorted(edges)):
        sounding = [note for note in sounding if ends[note] > start]
        while coming < len(notes) and notes[coming].start <= start:
            sounding.append(notes[coming])
            coming += 1
        if sounding:
            line.append((start, stop, _told(sounding, start)))
    return line


def _told(sounding: list[Note], at: float) -> int:
    """The pitch class that stands for the notes that sound ``at`` some quarter."""
    begun = min(note.start for note in sounding)
    together = max(note.start for note in sounding) - begun <= _TOGETHER
    classes = list(dict.fromkeys(note.pitch % 12 for note in sorted(sounding, key=lambda note: note.pitch)))
    if together and len(classes) >= 3 and min(note.duration for note in sounding) >= HELD_QUARTERS:
        return classes[int(at - begun + 1e-6) % len(classes)]
    return max(note.pitch for note in sounding) % 12


def _sounding(
    melody: Melody, quarters: NDArray[np.float64], period: float, quarters_a_second: float
) -> NDArray[np.int64]:
    """The class of each frame whose centre lies ``quarters`` from bar one, where the music repeats after ``period``."""
    line = [
        (start + turn, min(stop + turn, period), pitch_class)
        for turn in np.arange(math.ceil(period / melody.length - 1e-9)) * melody.length
        for start, stop, pitch_class in melody_line(melody)
        if start + turn < period
    ]
    found = np.zeros(len(quarters), np.int64)
    open_ = np.ones(len(quarters), bool)
    for reach in _REACH_SECONDS:
        half = reach * quarters_a_second / 2
        begin, end = quarters - half + _LATER, quarters + half + _LATER
        sounds = np.stack([_time_within(line, k, begin, end, period) for k in range(12)], axis=1)
        here = open_ & (sounds.max(axis=1) > 1e-9)
        found[here] = sounds[here].argmax(axis=1)
        open_ &= ~here
    return found


def _time_within(
    line: list[tuple[float, float, int]],
    pitch_class: int,
    begin: NDArray[np.float64],
    end: NDArray[np.float64],
    period: float,
) -> NDArray[np.float64]:
    """For how many of the quarters from ``begin`` to ``end`` a pitch class sounds, in a line that repeats."""
    spans = [(start, stop) for start, stop, k in line if k == pitch_class]
    if not spans:
        return np.zeros(len(begin))
    at = np.array([0.0, *(edge for span in spans for edge in span), period])
    heights = np.cumsum([0.0, *(step for start, stop in spans for step in (0.0, stop - start)), 0.0])

    def until(quarter: NDArray[np.float64]) -> NDArray[np.float64]:
        turn = np.floor(quarter / period)
        return np.asarray(turn * heights[-1] + np.interp(quarter - turn * period, at, heights))

    return until(end) - until(begin)
