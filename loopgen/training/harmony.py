"""Keys and chords of a piece: a scale, a progression, and where it moves on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loopgen.training.pulses import Pulses

Rng = np.random.Generator
Array = NDArray[np.float64]

_SCALES = (
    ((0, 2, 4, 5, 7, 9, 11), 0.3),  # major
    ((0, 2, 3, 5, 7, 8, 10), 0.32),  # minor
    ((0, 2, 3, 5, 7, 9, 10), 0.13),  # Dorian
    ((0, 2, 4, 5, 7, 9, 10), 0.1),  # Mixolydian
    ((0, 1, 3, 5, 7, 8, 10), 0.06),  # Phrygian
    ((0, 2, 3, 5, 7, 8, 11), 0.04),  # harmonic minor
    ((0, 1, 4, 5, 7, 8, 10), 0.03),  # hijaz
    ((0, 2, 4, 6, 7, 9, 11), 0.02),  # Lydian
)

_PROGRESSIONS = (
    "I", "I", "I IV", "I V", "I vi", "I VII", "I ii", "I VI", "I IV V IV", "I IV I V", "I V vi IV", "vi IV I V",
    "I vi IV V", "I vi ii V", "ii V I I", "ii V I vi", "I iii IV V", "I iii vi IV", "I IV vi V", "IV V iii vi",
    "I VII VI V", "I VI III VII", "I VII VI VII", "I IV VII III", "I III VII IV", "I v VI IV", "IV I V vi",
    "I I I V", "I I IV I", "I I IV V", "I I VI VII", "I ii iii IV", "I VII IV I", "I V IV I", "VI VII I I",
    "I IV V V I IV V I", "I V vi iii IV I IV V", "I I I I IV IV I I V IV I V", "I VI IV V", "I II", "I ii V I",
)  # fmt: skip
"""Numerals count the scale's steps; upper or lower case is custom, the scale tells which chord it is."""

_STEPS = {"i": 0, "ii": 1, "iii": 2, "iv": 3, "v": 4, "vi": 5, "vii": 6}


@dataclass(frozen=True, slots=True, eq=False)
class Harmony:
    """A tonic (pitch class), its scale, and chords: ``degrees[k]`` sounds from ``changes[k]``, in sixteenths."""

    tonic: int
    scale: tuple[int, ...]
    changes: Array
    degrees: tuple[int, ...]

    def degree(self, place: float) -> int:
        """The chord's root at a place, in steps of the scale."""
        return self.degrees[max(0, int(np.searchsorted(self.changes, place + 1e-6)) - 1)]

    def pitch(self, degree: int, lowest: int) -> int:
        """MIDI pitch of a step of the scale, the tonic in the octave from ``lowest`` up."""
        octave, step = divmod(degree, len(self.scale))
        return lowest + (self.tonic - lowest) % 12 + 12 * octave + self.scale[step]


def harmony(rng: Rng, pulses: Pulses, bars: int) -> Harmony:
    """Chords for ``bars`` bars: one to a half, one, two or four bars, sometimes with a quick one before the turn.

    However slow, a piece has six of them: fewer would not say where they begin.
    """
    shares = np.array([share for _, share in _SCALES])
    scale = _SCALES[int(rng.choice(len(_SCALES), p=shares / shares.sum()))][0]
    degrees = [_STEPS[numeral.lower()] for numeral in _PROGRESSIONS[int(rng.integers(len(_PROGRESSIONS)))].split()]
    if rng.random() < 0.2:
        degrees = [0 if rng.random() < 0.8 else 5, *(int(d) for d in rng.choice([0, 1, 2, 3, 3, 4, 4, 5, 6], 3))]
    pace = min(float(rng.choice([0.5, 1, 2, 4], p=[0.14, 0.58, 0.22, 0.06])), max(1.0, bars // 6))
    ahead = int(rng.integers(len(degrees) + 1)) if rng.random() < 0.4 else 0
    places: list[float] = []
    heard: list[int] = []
    quick = rng.random() < 0.12 and pace >= 1 and len(pulses.starts) > 2
    for bar in range(bars):
        number = int(bar // pace) if pace >= 1 else 2 * bar
        if bar % max(1, pace) == 0:
            places.append(bar * pulses.cells)
            heard.append(degrees[(number + ahead) % len(degrees)])
        if pace < 1 and pulses.middle:
            places.append(bar * pulses.cells + pulses.middle)
            heard.append(degrees[(number + 1 + ahead) % len(degrees)])
        elif quick and bar % 4 == 3:
            places.append(bar * pulses.cells + pulses.starts[-1])
            heard.append(4)
    return Harmony(int(rng.integers(12)), scale, np.array(places, dtype=np.float64), tuple(heard))
