"""Keys and scales."""

from __future__ import annotations

import re
from dataclasses import dataclass

from loopgen.errors import InvalidRequest

SCALES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "locrian": (0, 1, 3, 5, 6, 8, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "melodic minor": (0, 2, 3, 5, 7, 9, 11),
}
"""Scale name -> semitones above the tonic."""

TONICS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")
_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ACCIDENTALS = {"": 0, "#": 1, "♯": 1, "s": 1, "sharp": 1, "b": -1, "♭": -1, "flat": -1}
_MODES = {
    "": "major", "M": "major", "maj": "major", "ionian": "major",
    "m": "minor", "min": "minor", "aeolian": "minor",
}  # fmt: skip
KEY_PATTERN = (
    r"([A-Ga-g])(?:\s*-?\s*(sharp|flat)|([#♯b♭]))?"
    r"(?:\s*-?\s*(harmonic minor|melodic minor|major|minor|maj|min|aeolian|ionian|dorian|phrygian|lydian|mixolydian"
    r"|locrian|m|M))?"
)
_ALLOWED = "a key like Am, F# minor, Bb or D dorian"


@dataclass(frozen=True, slots=True)
class Key:
    """A tonic and a scale.

    >>> Key.parse("F# minor"), str(Key.parse("Bb")), str(Key.parse("d dorian")), Key.parse("Am").scale
    (Key(tonic=6, mode='minor'), 'Bb', 'D dorian', (9, 11, 0, 2, 4, 5, 7))
    """

    tonic: int
    mode: str = "minor"

    def __post_init__(self) -> None:
        if not 0 <= self.tonic <= 11 or self.mode not in SCALES:
            raise InvalidRequest("key", f"{self.tonic} {self.mode}", _ALLOWED)

    @classmethod
    def parse(cls, text: str | Key) -> Key:
        """Read a key as musicians write it; raises ``InvalidRequest``."""
        if isinstance(text, Key):
            return text
        match = re.fullmatch(KEY_PATTERN, str(text).strip())
        if not match:
            match = re.fullmatch(KEY_PATTERN, str(text).strip().lower())
        if not match:
            raise InvalidRequest("key", text, _ALLOWED)
        return cls.from_match(match)

    @classmethod
    def from_match(cls, match: re.Match[str]) -> Key:
        """Build from a match of ``KEY_PATTERN``."""
        letter, word, sign, mode = match.groups()[-4:]
        tonic = (_LETTERS[letter.upper()] + _ACCIDENTALS[word or sign or ""]) % 12
        name = mode or ""
        return cls(tonic, _MODES.get(name, _MODES.get(name.lower(), name.lower())))

    @property
    def scale(self) -> tuple[int, ...]:
        """Pitch classes of the scale, from the tonic up."""
        return tuple((self.tonic + step) % 12 for step in SCALES[self.mode])

    @property
    def is_minor(self) -> bool:
        """Whether the third is minor."""
        return 3 in SCALES[self.mode]

    @property
    def short(self) -> str:
        """For file names: ``Am``, ``F#m``, ``Bb``, ``Ddorian``."""
        return TONICS[self.tonic] + {"major": "", "minor": "m"}.get(self.mode, self.mode.replace(" ", "-"))

    def __str__(self) -> str:
        return TONICS[self.tonic] + {"major": "", "minor": "m"}.get(self.mode, " " + self.mode)
