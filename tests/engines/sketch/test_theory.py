from __future__ import annotations

import numpy as np
import pytest

from loopgen.engines.sketch.theory import chord, estimate_key, harmonise, voice
from loopgen.music.key import SCALES, Key

NUMERALS = ("i", "ii", "III", "iv", "V", "VI", "VII", "bII", "i7", "V7", "iv9", "Isus4", "I5", "i6")


@pytest.mark.parametrize(
    ("numeral", "key", "size", "name"),
    [
        ("I", "C", 3, "C"), ("ii7", "C", 3, "Dm7"), ("V7", "C", 3, "G7"), ("I7", "C", 3, "Cmaj7"),
        ("vii", "C", 3, "Bdim"), ("ii7", "Am", 3, "Bm7b5"), ("V7", "Am", 3, "E7"), ("VI7", "Am", 3, "Fmaj7"),
        ("bVII", "C", 3, "Bb"), ("bII", "Em", 3, "F"), ("i9", "Am", 3, "Am9"), ("iv", "C", 3, "Fm"),
        ("IV", "Am", 3, "D"), ("Vsus4", "C", 3, "Gsus4"), ("i5", "Em", 4, "E5"), ("I", "C", 4, "Cmaj7"),
    ],
)  # fmt: skip
def test_numerals_are_the_chords_that_musicians_call_them(numeral: str, key: str, size: int, name: str) -> None:
    assert str(chord(numeral, Key.parse(key), size)) == name


@pytest.mark.parametrize("mode", list(SCALES))
@pytest.mark.parametrize("numeral", NUMERALS)
def test_a_chord_has_the_third_of_its_case_in_every_mode(numeral: str, mode: str) -> None:
    for tonic in range(12):
        c = chord(numeral, Key(tonic, mode))
        if not {"sus4", "5"} & {numeral[1:], numeral[-1:]}:
            assert (3 if numeral.lstrip("b")[0].islower() else 4) in c.intervals
        assert c.intervals == tuple(sorted(c.intervals))
        assert len(set(c.pitch_classes)) == len(c.intervals)


def test_an_unknown_numeral_is_refused() -> None:
    with pytest.raises(ValueError, match="no Roman numeral"):
        chord("H7", Key(0))


def test_voices_move_little() -> None:
    """The art of voice leading: in common progressions a voice moves two semitones at most, on average."""
    for mode, progressions in (("minor", ("i VI III VII", "i iv v i")), ("major", ("I V vi IV", "I vi ii V"))):
        for tonic in range(12):
            for progression in progressions:
                previous = None
                for numeral in progression.split():
                    notes = voice(chord(numeral, Key(tonic, mode)), previous)
                    assert 53 <= np.mean(notes) <= 71
                    if previous:
                        moves = [min(abs(n - p) for p in previous) for n in notes]
                        assert np.mean(moves) <= 2
                    previous = notes


def test_voicings_hold_the_whole_chord() -> None:
    for numeral in ("I", "V7", "ii9"):
        c = chord(numeral, Key(0, "major"))
        assert {pitch % 12 for pitch in voice(c, None)} == set(c.pitch_classes)
        rootless = {pitch % 12 for pitch in voice(c, None, rootless=True)}
        assert rootless == set(c.pitch_classes) - ({c.root} if len(c.intervals) >= 4 else set())


def test_keys_of_scales_are_recognised() -> None:
    for tonic in range(12):
        for mode in ("major", "minor"):
            weights = np.zeros(12)
            weights[list(Key(tonic, mode).scale)] = 1
            weights[tonic] += 1.5
            weights[(tonic + 7) % 12] += 0.8
            weights[Key(tonic, mode).scale[2]] += 0.6
            assert estimate_key(weights) == Key(tonic, mode)


def test_harmony_fits_an_arpeggiated_progression() -> None:
    key = Key.parse("C")
    for progression in (["I", "vi", "IV", "V"], ["I", "V", "vi", "IV"], ["I", "IV", "I", "V"]):
        spans = []
        for numeral in progression:
            weights = np.zeros(12)
            weights[list(chord(numeral, key).pitch_classes)] = 1 / 3
            spans.append(weights)
        assert harmonise(spans, key) == progression


def test_harmony_of_silence_is_still_a_chain() -> None:
    assert len(harmonise([np.zeros(12)] * 4, Key(0, "major"))) == 4


@pytest.mark.parametrize("mode", [mode for mode in SCALES if mode not in ("harmonic minor", "melodic minor")])
def test_diatonic_numerals_stay_in_their_mode(mode: str) -> None:
    """What harmonises a melody never leaves its scale (in harmonic minor III is played major, not augmented)."""
    key = Key(2, mode)
    for step in range(12):
        weights = np.zeros(12)
        weights[step] = 1.0
        for numeral in harmonise([weights], key):
            assert set(chord(numeral, key).pitch_classes) <= set(key.scale)


def test_progressions_for_minor_keys_fit_every_minor_mode() -> None:
    roots = {mode: [chord(n, Key(0, mode)).root for n in ("i", "bII", "III", "VI", "VII")] for mode in SCALES}
    for mode in ("minor", "dorian", "phrygian", "harmonic minor"):
        assert roots[mode] == [0, 1, 3, 8, 10]
