"""Chords, voice leading and keys.

Pitches are MIDI numbers (60 = C4), pitch classes 0 to 11 from C.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loopgen.music.chords import SYMBOLS
from loopgen.music.key import SCALES, TONICS, Key

_ROMAN = {"i": 0, "ii": 1, "iii": 2, "iv": 3, "v": 4, "vi": 5, "vii": 6}
_NUMERAL = re.compile(r"([b#]?)(VII|VI|IV|V|III|II|I|vii|vi|iv|v|iii|ii|i)(sus2|sus4|5|6|7|9)?")

# Krumhansl and Kessler (1982), probe-tone ratings of the twelve pitch classes in a major and a minor key
_MAJOR_PROFILE = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR_PROFILE = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)


@dataclass(frozen=True, slots=True)
class Chord:
    """A root pitch class and the intervals above it in semitones, ascending, the root included.

    ``bass`` is the pitch class below it all where that is not the root.

    >>> str(Chord(10, (0, 4, 7), 2)), str(Chord(11, (0, 3, 6, 9))), str(Chord(0, (0, 4, 7, 10, 14)))
    ('Bb/D', 'Bdim7', 'C9')
    """

    root: int
    intervals: tuple[int, ...]
    bass: int | None = None

    @property
    def lowest(self) -> int:
        """Pitch class of the bass."""
        return self.root if self.bass is None else self.bass

    @property
    def pitch_classes(self) -> tuple[int, ...]:
        """Pitch classes from the root up."""
        return tuple((self.root + interval) % 12 for interval in self.intervals)

    def tone(self, index: int) -> int:
        """Semitones above the root of the ``index``-th tone within an octave, going on in the octaves around it."""
        within = [interval for interval in self.intervals if interval < 12]
        octave, step = divmod(index, len(within))
        return within[step] + 12 * octave

    def __str__(self) -> str:
        told = [shape for shape in SYMBOLS if set(shape) <= set(self.intervals)]
        quality = SYMBOLS[max(told, key=len)] if told else ""
        return TONICS[self.root] + quality + ("" if self.bass is None else "/" + TONICS[self.bass])


def chord(numeral: str, key: Key, size: int = 3) -> Chord:
    """Build the chord of a Roman numeral: ``i``, ``bVII``, ``V7``, ``iv9``, ``Isus4``, ``I5``.

    Degrees count from the natural minor scale in keys with a minor third and from the major scale in others, so that
    a progression fits every mode; a ``b`` or ``#`` before shifts the root. Upper case has a major third, lower case a
    minor one; fifth and seventh are those of the key's own scale. ``size`` is the number of notes (3 to 5) where the
    numeral does not say.

    >>> am = Key.parse("Am")
    >>> [str(chord(n, am)) for n in ("i", "VI", "V7", "iv9", "vii")], str(chord("bVII", Key.parse("C"), 4))
    (['Am', 'F', 'E7', 'Dm9', 'Gm'], 'Bbmaj7')
    """
    match = _NUMERAL.fullmatch(numeral)
    if not match:
        raise ValueError(f"{numeral!r} is no Roman numeral like i, bVII or V7")
    sign, roman, suffix = match.groups()
    root = (_degrees(key)[_ROMAN[roman.lower()]] + {"b": -1, "#": 1, "": 0}[sign]) % 12
    inside = {interval for interval in range(12) if (root + interval) % 12 in SCALES[key.mode]}
    third = 4 if roman.isupper() else 3
    fifth = 6 if third == 3 and 7 not in inside and 6 in inside else 7
    seventh = 11 if 11 in inside and 10 not in inside and fifth == 7 else 10
    size = {"7": 4, "9": 5, "6": 3, "5": 2, "sus2": 3, "sus4": 3}.get(suffix or "", size)
    intervals = [0, third, fifth]
    if suffix == "5":
        intervals = [0, 7]
    elif suffix == "6":
        intervals.append(9)
    elif suffix in ("sus2", "sus4"):
        intervals[1] = 2 if suffix == "sus2" else 5
    if size >= 4:
        intervals.append(seventh)
    if size >= 5 and fifth == 7:
        intervals.append(14)
    return Chord((key.tonic + root) % 12, tuple(sorted(intervals)))


def _degrees(key: Key) -> tuple[int, ...]:
    return SCALES["minor" if key.is_minor else "major"]


def voice(chord: Chord, previous: Sequence[int] | None, centre: int = 62, rootless: bool = False) -> tuple[int, ...]:
    """Place a chord's notes near ``centre``, each voice moving as little as possible from ``previous``.

    ``rootless`` leaves the root to the bass where four notes or more remain to say the chord.
    """
    classes = list(dict.fromkeys(chord.pitch_classes))
    if rootless and len(classes) >= 4 and chord.bass is None:
        classes = classes[1:]
    candidates = []
    for turn in range(len(classes)):
        ring = classes[turn:] + classes[:turn]  # stacked as the chord is built, from each of its notes
        for octave in range(2, 7):
            notes = [ring[0] + 12 * octave]
            for pitch_class in ring[1:]:
                notes.append(notes[-1] + ((pitch_class - notes[-1]) % 12 or 12))
            candidates.append(tuple(notes))

    def cost(notes: tuple[int, ...]) -> float:
        far = abs(sum(notes) / len(notes) - centre)
        wide = 0.4 * max(0, notes[-1] - notes[0] - 14)
        crowded = sum(1.5 for low, high in pairwise(notes) if high - low == 1)
        muddy = 3.0 if notes[1] - notes[0] < 5 and notes[0] < 48 else 0.0
        if not previous:
            return far + wide + crowded + muddy
        motion = sum(min(abs(n - p) for p in previous) for n in notes) / len(notes)
        return 2 * motion + 0.35 * far + wide + crowded + muddy + (20.0 if far > 9 else 0.0)

    return min(candidates, key=lambda notes: (cost(notes), notes))


def estimate_key(weights: ArrayLike) -> Key:
    """The major or minor key whose Krumhansl-Kessler profile correlates best with 12 pitch-class weights.

    >>> str(estimate_key([3, 0, 1, 0, 2, 1, 0, 2, 0, 1, 0, 1]))
    'C'
    """
    x = np.asarray(weights, dtype=np.float64)
    x = x - x.mean()
    best = (-np.inf, 0, "major")
    for mode, profile in (("major", _MAJOR_PROFILE), ("minor", _MINOR_PROFILE)):
        p = np.asarray(profile) - np.mean(profile)
        for tonic in range(12):
            score = float(np.dot(x, np.roll(p, tonic)) / (np.linalg.norm(p) * (np.linalg.norm(x) + 1e-12)))
            if score > best[0] + 1e-9:
                best = (score, tonic, mode)
    return Key(best[1], best[2])


def harmonise(spans: Sequence[NDArray[np.float64]], key: Key) -> list[str]:
    """The smoothest chain of diatonic triads that fits the melody in each span.

    ``spans`` holds one array of 12 pitch-class weights a span (sum 1, or 0 where the melody rests); the chain closes
    on itself like the loop. Viterbi search over seven numerals: the share of weight on chord tones (root and third
    count a little more), plus a preference for moves by fifth, third or step that the cadence of the period uses.
    """
    numerals = _diatonic(key)
    chords = [chord(numeral, key) for numeral in numerals]
    count = len(chords)
    fit = np.zeros((len(spans), count))
    for j, c in enumerate(chords):
        tones = np.zeros(12)
        for weight, pitch_class in zip((1.0, 0.95, 0.85), c.pitch_classes, strict=False):
            tones[pitch_class] = weight
        fit[:, j] = [float(span @ tones) for span in spans]
        fit[:, j] -= 0.25 if c.intervals[-1] == 6 else 0.0
        fit[:, j] += (0.10, 0.0, -0.05, 0.06, 0.06, 0.03, 0.0)[j]
    fit[0, 0] += 0.12
    move = np.array([[_move((b - a) % 7) for b in range(count)] for a in range(count)])
    best_score, best_path = -np.inf, [0] * len(spans)
    for first in range(count):  # the chain is a ring: fix its first chord, close it at the end
        score = np.full(count, -np.inf)
        score[first] = fit[0, first]
        back = []
        for row in fit[1:]:
            table = score[:, None] + move
            back.append(table.argmax(axis=0))
            score = table.max(axis=0) + row
        score = score + (move[:, first] if len(spans) > 1 else 0.0)
        if score.max() > best_score + 1e-9:
            best_score = float(score.max())
            path = [int(score.argmax())]
            for pointers in reversed(back):
                path.append(int(pointers[path[-1]]))
            best_path = path[::-1]
    return [numerals[j] for j in best_path]


def _move(steps: int) -> float:
    """How much a root movement of 0 to 6 scale steps up is liked: fifths and fourths most, then thirds and steps."""
    return (-0.06, 0.02, 0.0, 0.06, 0.04, 0.03, 0.02)[steps]


def _diatonic(key: Key) -> list[str]:
    """Numerals of the seven triads of a key's scale, cased by their thirds."""
    scale = SCALES[key.mode]
    out = []
    for degree, roman in enumerate(_ROMAN):
        sign = {-1: "b", 0: "", 1: "#"}[scale[degree] - _degrees(key)[degree]]
        third = (scale[(degree + 2) % 7] - scale[degree]) % 12
        out.append(sign + (roman.upper() if third == 4 else roman))
    return out
