"""A melody in beats."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loopgen.errors import InvalidRequest

FOLLOWS = ("melody", "chords", "nothing")
"""What an order may want followed of a melody that it brings: the notes, the harmony alone, neither."""

HEARD_MAX = 10_000
_HEARD = re.compile(rf"[0-9AB]{{0,{HEARD_MAX}}}")


@dataclass(frozen=True, slots=True, order=True)
class Note:
    """One note; ``start`` and ``duration`` in quarter notes, ``pitch`` 0-127 (60 = C4), ``velocity`` 1-127."""

    start: float
    pitch: int
    duration: float
    velocity: int = 100

    def __post_init__(self) -> None:
        if not 0 <= self.pitch <= 127:
            raise InvalidRequest("pitch", self.pitch, "a MIDI pitch from 0 to 127")
        if not 1 <= self.velocity <= 127:
            raise InvalidRequest("velocity", self.velocity, "a MIDI velocity from 1 to 127")
        if not math.isfinite(self.start) or not 0 <= self.start <= 1e5:
            raise InvalidRequest("start", self.start, "a start from 0 to 100000 quarter notes")
        if not math.isfinite(self.duration) or not 0 < self.duration <= 1e5:
            raise InvalidRequest("duration", self.duration, "a duration above 0, at most 100000 quarter notes")


@dataclass(frozen=True, slots=True)
class Melody:
    """Notes in order of their start, within a clip of ``length`` quarter notes that repeats.

    ``heard`` is there where the notes were heard in a recording: the strongest pitch class of each of equally long
    slices of the clip (``loopgen.chroma.heard``), one digit in base 12 a slice, for models that follow the sound itself
    and not the notes. As text it is small, compares and goes into a recipe as it is.

    >>> Melody((Note(1, 64, 1), Note(0, 60, 1)), 4).notes[0].pitch
    60
    """

    notes: tuple[Note, ...]
    length: float
    heard: str = ""

    def __post_init__(self) -> None:
        if not math.isfinite(self.length) or not 0 < self.length <= 1e5:
            raise InvalidRequest("melody length", self.length, "a length above 0, at most 100000 quarter notes")
        if not isinstance(self.heard, str) or not _HEARD.fullmatch(self.heard):
            raise InvalidRequest("melody heard", self.heard, f"at most {HEARD_MAX} digits in base 12, 0 to B")
        object.__setattr__(self, "notes", tuple(sorted(self.notes)))

    def repeated(self, quarters: float) -> tuple[Note, ...]:
        """The notes of the clip, repeated (or cut) to fill ``quarters`` quarter notes."""
        out = []
        for turn in range(math.ceil(quarters / self.length - 1e-9)):
            for note in self.notes:
                start = note.start + turn * self.length
                if note.start < self.length and start < quarters:
                    out.append(Note(start, note.pitch, min(note.duration, quarters - start), note.velocity))
        return tuple(sorted(out))

    def heard_classes(self) -> NDArray[np.int64]:
        """``heard`` as numbers, 0 (C) to 11 (B); shape ``(slices,)``.

        >>> Melody((), 4, "09AB").heard_classes().tolist()
        [0, 9, 10, 11]
        """
        return np.array([int(digit, 12) for digit in self.heard], np.int64)

    def chroma(self) -> NDArray[np.float64]:
        """Share of each pitch class, weighted by duration; shape ``(12,)``, sums to 1 (0 without notes)."""
        weights = np.zeros(12)
        for note in self.notes:
            weights[note.pitch % 12] += note.duration
        return weights / max(float(weights.sum()), 1e-12)
