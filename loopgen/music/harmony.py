"""What chords a melody implies, a bar at a time: for those who want its harmony and not its notes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from loopgen.music.chords import parse_chords
from loopgen.music.key import TONICS, Key
from loopgen.music.melody import Melody, Note
from loopgen.music.tempo import Meter

_TRIADS = {"": (0, 4, 7), "m": (0, 3, 7), "dim": (0, 3, 6)}
_TONES = (1.0, 0.95, 0.85)
"""How much root, third and fifth tell of a chord."""

_BASS = 0.3
"""A chord is likeliest on the lowest note of its bar."""

_CONTEXT, _FOREIGN, _DIMINISHED = 0.5, 0.4, 0.25
"""What counts beside a bar's own notes: those of the whole clip, tones outside of the key, how rare a chord is."""

_STACKED = 0.8
"""Of all that sounds, this much in chords of three notes or more is a progression already."""


def chords_of(melody: Melody, meter: Meter, bars: int, key: Key | None = None) -> str:
    """Symbols of the chords that go with a melody over ``bars`` bars, one a bar, as ``parse_chords`` reads them.

    Each bar's triad is the one that its notes say most of, its lowest note before all; the rest of the clip and the
    ``key``, where it is known, decide where they say little. A bar without a note holds the chord before.

    >>> tune = Melody((Note(0, 69, 2), Note(2, 72, 2), Note(4, 65, 2), Note(6, 69, 2)), 8)
    >>> chords_of(tune, Meter(), 2)
    'Am F'
    """
    sounding, lowest = _bars(melody, float(meter.quarters), bars)
    whole = _share(sounding.sum(axis=0))
    heard = [
        _chord(_share(row), low, whole, key) if row.any() else None for row, low in zip(sounding, lowest, strict=True)
    ]
    last = next((name for name in reversed(heard) if name), "N.C.")  # a loop is a ring: the last comes before the first
    chosen = [last := name or last for name in heard]
    return " ".join(chosen)


def chords_only(melody: Melody, meter: Meter, bars: int, key: Key | None = None) -> Melody:
    """A melody's harmony as block chords, one a bar; one that is block chords already, or silent, stays as it is."""
    if not any(note.start < melody.length for note in melody.notes) or _is_stacked(melody):
        return melody
    return parse_chords(chords_of(melody, meter, bars, key), meter)


def _is_stacked(melody: Melody) -> bool:
    together: dict[float, list[Note]] = {}
    for note in melody.notes:
        together.setdefault(round(note.start, 1), []).append(note)
    stacks = [notes for notes in together.values() if len({note.pitch for note in notes}) >= 3]
    stacked = sum(note.duration for notes in stacks for note in notes)
    return stacked >= _STACKED * sum(note.duration for note in melody.notes)


def _bars(melody: Melody, bar: float, bars: int) -> tuple[NDArray[np.float64], list[int]]:
    """For each bar how long each pitch class sounds, shape ``(bars, 12)``, and its lowest note, 127 where none is."""
    sounding, lowest = np.zeros((bars, 12)), [127] * bars
    for note in melody.repeated(bars * bar):
        end = note.start + note.duration
        for k in range(int(note.start / bar + 1e-9), min(bars, math.ceil(end / bar - 1e-9))):
            sounding[k, note.pitch % 12] += min(end, (k + 1) * bar) - max(note.start, k * bar)
            lowest[k] = min(lowest[k], note.pitch)
    return sounding, lowest


def _share(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return weights / max(float(weights.sum()), 1e-9)


def _chord(weights: NDArray[np.float64], lowest: int, whole: NDArray[np.float64], key: Key | None) -> str:
    """The name of the triad that a bar with these shares of pitch classes says most of."""
    told = weights + _CONTEXT * whole

    def fit(chord: tuple[int, str]) -> float:
        root, kind = chord
        tones = [(root + step) % 12 for step in _TRIADS[kind]]
        said = sum(share * float(told[tone]) for share, tone in zip(_TONES, tones, strict=True))
        foreign = sum(tone not in key.scale for tone in tones) if key else 0
        on_bass = _BASS if lowest % 12 == root else 0.0
        return said + on_bass - _FOREIGN * foreign - (_DIMINISHED if kind == "dim" else 0.0)

    root, kind = max(((root, kind) for kind in _TRIADS for root in range(12)), key=fit)
    return TONICS[root] + kind
