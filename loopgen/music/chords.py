"""Chord symbols: ``Am F C G`` becomes a melody of block chords, one chord a bar."""

from __future__ import annotations

import re

from loopgen.errors import InvalidRequest
from loopgen.music.key import TONICS
from loopgen.music.melody import Melody, Note
from loopgen.music.tempo import Meter

BARS_MAX = 256
CHARACTERS_MAX = 4_000

_SPELLINGS = {
    (0, 4, 7): ", M, maj, major",
    (0, 3, 7): "m, min, minor, -",
    (0, 3, 6): "dim, o, °, mb5, m(b5)",
    (0, 4, 8): "aug, +, (#5)",
    (0, 4, 6): "(b5), maj(b5)",
    (0, 7): "5",
    (0, 2, 7): "sus2",
    (0, 5, 7): "sus4, sus",
    (0, 4, 7, 9): "6, maj6, M6",
    (0, 3, 7, 9): "m6, min6, -6",
    (0, 4, 7, 10): "7, dom7",
    (0, 4, 7, 11): "maj7, M7, ma7, Δ, Δ7, j7",
    (0, 3, 7, 10): "m7, min7, -7",
    (0, 3, 7, 11): "mM7, mmaj7, m(maj7), minmaj7, -maj7, mΔ7, mΔ",
    (0, 3, 6, 10): "m7b5, min7b5, -7b5, m7(b5), ø, ø7",
    (0, 3, 6, 9): "dim7, o7, °7",
    (0, 4, 8, 10): "aug7, +7, 7#5, 7+5",
    (0, 4, 8, 11): "maj7#5, M7#5, +M7",
    (0, 4, 6, 10): "7b5",
    (0, 4, 6, 11): "maj7b5",
    (0, 5, 7, 10): "7sus4, 7sus",
    (0, 2, 7, 10): "7sus2",
    (0, 4, 7, 14): "add9, add2, 2",
    (0, 3, 7, 14): "madd9, madd2, m(add9)",
    (0, 4, 7, 17): "add11, add4",
    (0, 4, 7, 9, 14): "69, 6/9, 6add9",
    (0, 3, 7, 9, 14): "m69, m6/9",
    (0, 4, 7, 10, 14): "9",
    (0, 4, 7, 11, 14): "maj9, M9, Δ9",
    (0, 3, 7, 10, 14): "m9, min9, -9",
    (0, 5, 7, 10, 14): "9sus4, 9sus, 11",
    (0, 4, 7, 10, 13): "7b9",
    (0, 4, 7, 10, 15): "7#9",
    (0, 4, 7, 10, 18): "7#11",
    (0, 4, 7, 11, 18): "maj7#11, M7#11, Δ7#11",
    (0, 3, 7, 10, 14, 17): "m11, min11, -11",
    (0, 4, 7, 10, 14, 21): "13",
    (0, 4, 7, 11, 14, 21): "maj13, M13",
    (0, 3, 7, 10, 14, 21): "m13, min13, -13",
}
INTERVALS: dict[str, tuple[int, ...]] = {
    spelling: intervals for intervals, spellings in _SPELLINGS.items() for spelling in spellings.split(", ")
}
"""What follows the root of a chord symbol -> semitones above the root."""

SYMBOLS: dict[tuple[int, ...], str] = {shape: spellings.split(", ")[0] for shape, spellings in _SPELLINGS.items()}
"""Semitones above the root -> the plainest spelling; common chords come first."""

_SYMBOL = re.compile(r"([A-Ga-g])([#♯b♭]?)(.*?)(?:/([A-Ga-g])([#♯b♭]?))?")
_SILENCE = {"nc", "n.c.", "n.c", "r"}
_LETTERS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_SIGNS = {"": 0, "#": 1, "♯": 1, "b": -1, "♭": -1}
_ALLOWED = "chords like 'Am F C G', Cmaj7, F#m7b5, Bb/D, Gsus4, N.C. (one a bar, % repeats the bar before)"


def parse_chords(text: str, meter: Meter | str = "4/4") -> Melody:
    """Chord symbols as block chords, each one bar of ``meter`` long: the bass note in octave 2, the chord above G3.

    Spaces, commas and ``|`` part the symbols; ``N.C.`` is a bar without a chord, ``%`` the bar before once more. A
    note after a slash is the bass. Raises ``InvalidRequest``, naming the symbol that cannot be read.

    >>> melody = parse_chords("Am | C/E", "3/4")
    >>> [(note.start, note.pitch) for note in melody.notes], melody.length
    ([(0.0, 45), (0.0, 57), (0.0, 60), (0.0, 64), (3.0, 40), (3.0, 60), (3.0, 64), (3.0, 67)], 6.0)
    """
    if not isinstance(text, str) or len(text) > CHARACTERS_MAX:
        raise InvalidRequest("chords", text, f"at most {CHARACTERS_MAX} characters of {_ALLOWED}")
    bar = float(Meter.parse(meter).quarters)
    bars: list[tuple[int, ...]] = []
    for symbol in re.split(r"[\s,|]+", text.strip(" \t\r\n,|")):
        if symbol == "%" and bars:
            bars.append(bars[-1])
        elif symbol.lower() in _SILENCE:
            bars.append(())
        else:
            bars.append(_pitches(symbol))
    if len(bars) > BARS_MAX:
        raise InvalidRequest("chords", f"{len(bars)} chords", f"at most {BARS_MAX}, one a bar")
    notes = tuple(Note(k * bar, pitch, bar) for k, pitches in enumerate(bars) for pitch in pitches)
    if not notes:
        raise InvalidRequest("chords", text, _ALLOWED)
    return Melody(notes, len(bars) * bar)


def _pitches(symbol: str) -> tuple[int, ...]:
    match = _SYMBOL.fullmatch(symbol)
    if not match or match[3] not in INTERVALS:
        raise InvalidRequest("chords", symbol, _ALLOWED)
    root = (_LETTERS[match[1].lower()] + _SIGNS[match[2]]) % 12
    bass = (_LETTERS[match[4].lower()] + _SIGNS[match[5]]) % 12 if match[4] else root
    above = 55 + (root - 55) % 12
    return (36 + bass, *(above + interval for interval in INTERVALS[match[3]]))


def write_chords(melody: Melody, meter: Meter | str = "4/4") -> str | None:
    """The symbols that ``parse_chords`` makes just this melody of; None where there are none.

    >>> write_chords(parse_chords("Am N.C. Cmaj7/E", "3/4"), "3/4")
    'Am N.C. Cmaj7/E'
    """
    bar = float(Meter.parse(meter).quarters)
    starts: dict[float, list[int]] = {}
    for note in melody.notes:
        starts.setdefault(note.start, []).append(note.pitch)
    symbols = []
    for k in range(min(BARS_MAX, round(melody.length / bar))):
        bass, *above = sorted(starts.get(k * bar, ())) or [0]
        shape = tuple(pitch - above[0] for pitch in above) if above else ()
        if shape and shape not in SYMBOLS:
            return None
        over = f"/{TONICS[bass % 12]}" if above and bass % 12 != above[0] % 12 else ""
        symbols.append(TONICS[above[0] % 12] + SYMBOLS[shape] + over if above else "N.C.")
    text = " ".join(symbols)
    try:
        return text if parse_chords(text, meter) == melody else None
    except InvalidRequest:  # nothing but silence, or too much of it
        return None
