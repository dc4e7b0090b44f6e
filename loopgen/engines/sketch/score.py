"""What is to be played: events on a ring of quarter notes."""

from __future__ import annotations

from dataclasses import dataclass, field

from loopgen.engines.sketch.genres import Genre
from loopgen.engines.sketch.prompt import Style
from loopgen.engines.sketch.rhythm import Cell, Swing
from loopgen.engines.sketch.theory import Chord
from loopgen.music.key import Key


@dataclass(frozen=True, slots=True)
class Hit:
    """A drum stroke: ``start`` in quarters, ``velocity`` 0 to 1, ``nudge`` in seconds off the grid."""

    start: float
    lane: str
    velocity: float
    nudge: float = 0.0


@dataclass(frozen=True, slots=True)
class Played:
    """A note: ``start`` and ``duration`` in quarters, MIDI ``pitch``, ``velocity`` 0 to 1, ``nudge`` in seconds."""

    start: float
    duration: float
    pitch: int
    velocity: float
    nudge: float = 0.0


@dataclass(frozen=True, slots=True)
class Harmony:
    """A chord and how long it lasts, in quarters."""

    start: float
    duration: float
    chord: Chord

    @property
    def end(self) -> float:
        """First quarter that is no longer its."""
        return self.start + self.duration


@dataclass(frozen=True, slots=True)
class Score:
    """A whole loop. ``quarters`` is its length; ``notes`` holds the pitched parts, ``instruments`` what plays them."""

    genre: Genre
    style: Style
    key: Key
    quarters: float
    pulse: float
    cells: tuple[Cell, ...]
    swing: Swing
    harmony: tuple[Harmony, ...]
    hits: tuple[Hit, ...] = ()
    notes: dict[str, tuple[Played, ...]] = field(default_factory=dict)
    instruments: dict[str, str] = field(default_factory=dict)
    kit: str = "909"
