"""What a genre is. The genres themselves are in ``repertoire/``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from loopgen.engines.sketch.rhythm import STRAIGHT, Swing

FOUR = "X... X... X... X..."
BACK = ".... X... .... X..."
OFF = "..x. ..x. ..x. ..x."
EIGHTHS = "x.o. x.o. x.o. x.o."
SIXTEENTHS = "x-o- x-o- x-o- x-o-"
HOLD = "x=== ==== ==== ===="

PARTS = ("drums", "bass", "chords", "pad", "lead")


@dataclass(frozen=True, slots=True)
class Genre:
    """A style as data. Wherever there is a tuple of alternatives, the seed chooses one.

    Attributes:
        name: as people call it; ``words`` are its other names.
        tempo: range in BPM where it lives; far outside, it is felt in half or double time.
        modes: scales to choose from, the likelier ones more often.
        minor, major: chord progressions in Roman numerals for keys of either kind.
        span: felt bars a chord lasts. ``colour``: notes a chord has, 3 to 5.
        kits: names in ``drums.KITS``. ``drums``: lane -> alternative patterns, see ``rhythm``.
        basses, chords, pads, leads: names in ``instruments.INSTRUMENTS``; none where empty.
        bass_lines: patterns of ``1 3 5 7`` chord tones, ``8`` octave, ``4`` the fifth below, ``9`` the second,
            ``a`` a semitone below the next root, ``=`` hold. A capital letter is not needed: accents follow the meter.
        comps: patterns of chord hits. ``lead_lines``: rhythms of the lead; ``arp`` makes it climb through the chord.
        lead_chance: how often there is a lead or a pad at all.
        fill: what the drums do at the end of a phrase: ``snare``, ``toms``, ``chop``, ``drop`` or nothing.
        swing: see ``rhythm.Swing``.
        room: reverberation time in seconds and level. ``echo``: delay in quarters, feedback, level.
        duck: how deeply the kick ducks the rest, 0 to 1. ``drive``: saturation of the mix, 0 to 1.
        human: spread of onsets in milliseconds. ``late``: milliseconds that the snare lies back.
        bright: -1 dark to 1 bright. ``dust``: level of vinyl noise, 0 to 1.
        levels: part -> dB louder than usual.
    """

    name: str
    words: tuple[str, ...]
    tempo: tuple[float, float]
    minor: tuple[str, ...]
    drums: Mapping[str, tuple[str, ...]]
    bass_lines: tuple[str, ...]
    comps: tuple[str, ...]
    basses: tuple[str, ...]
    chords: tuple[str, ...] = ()
    pads: tuple[str, ...] = ()
    leads: tuple[str, ...] = ()
    lead_lines: tuple[str, ...] = ("x=x.x=..x=x=x...",)
    lead_chance: float = 0.6
    arp: bool = False
    major: tuple[str, ...] = ("I V vi IV", "I vi IV V", "vi IV I V")
    modes: tuple[str, ...] = ("minor",)
    span: float = 1
    colour: int = 3
    kits: tuple[str, ...] = ("909",)
    fill: str = "snare"
    swing: Swing = STRAIGHT
    room: tuple[float, float] = (1.4, 0.5)
    echo: tuple[float, float, float] = (0.75, 0.35, 0.25)
    duck: float = 0.0
    drive: float = 0.2
    human: float = 2.0
    late: float = 0.0
    bright: float = 0.0
    dust: float = 0.0
    levels: Mapping[str, float] = field(default_factory=dict)
