"""What is played in a piece to learn from: strokes and notes at places counted in sixteenths from a bar line."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from loopgen.music.tempo import Meter

DRUMS = (
    "kick", "snare", "clap", "rim", "hat", "open_hat", "ride", "crash", "tom_high", "tom_low",
    "perc_1", "perc_2", "shaker",
)  # fmt: skip
"""What a stroke may be of; each piece has one sound for each. The two ``perc`` are any pair: bells, congas, tablas."""

PARTS = ("bass", "chord", "pad", "arp", "lead")


@dataclass(frozen=True, slots=True)
class Hit:
    """A stroke on one of DRUMS: ``place`` in sixteenths, swing and human timing included; ``level`` 0 to 1."""

    place: float
    drum: str
    level: float


@dataclass(frozen=True, slots=True)
class Note:
    """A note of one of PARTS: ``place`` and ``length`` in sixteenths, MIDI ``pitch``, ``level`` 0 to 1."""

    place: float
    length: float
    pitch: int
    part: str
    level: float


@dataclass(frozen=True, slots=True)
class Music:
    """A piece of ``bars`` whole bars at ``bpm`` quarters a minute; place 0 is its first downbeat.

    Both ``hits`` and ``notes`` are in order of place, which may lie a little before 0 (a stroke early, an upbeat).
    """

    meter: Meter
    bars: int
    bpm: Fraction | float
    hits: tuple[Hit, ...]
    notes: tuple[Note, ...]
    style: str

    @property
    def sixteenths(self) -> float:
        """Length of the piece."""
        return float(self.bars * self.meter.quarters * 4)

    @property
    def sixteenth(self) -> float:
        """Seconds a sixteenth lasts."""
        return 15 / float(self.bpm)
