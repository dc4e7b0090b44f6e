from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopgen.errors import InvalidRequest
from loopgen.music.chords import INTERVALS, parse_chords
from loopgen.music.melody import Melody


def classes(melody: Melody, bar: int, length: float = 4) -> set[int]:
    return {note.pitch % 12 for note in melody.notes if note.start == bar * length}


@pytest.mark.parametrize(
    ("symbol", "bass", "tones"),
    [
        ("Am", 9, {9, 0, 4}),
        ("F", 5, {5, 9, 0}),
        ("Cmaj7", 0, {0, 4, 7, 11}),
        ("F#m7b5", 6, {6, 9, 0, 4}),
        ("Bb/D", 2, {10, 2, 5}),
        ("Dsus2", 2, {2, 4, 9}),
        ("Gsus4", 7, {7, 0, 2}),
        ("Bdim", 11, {11, 2, 5}),
        ("C♯°7", 1, {1, 4, 7, 10}),
        ("Eaug", 4, {4, 8, 0}),
        ("A6", 9, {9, 1, 4, 6}),
        ("Dm6/9", 2, {2, 5, 9, 11, 4}),
        ("C6/9/E", 4, {0, 4, 7, 9, 2}),
        ("G9", 7, {7, 11, 2, 5, 9}),
        ("E7#9", 4, {4, 8, 11, 2, 7}),
        ("Ab5", 8, {8, 3}),
        ("A(b5)", 9, {9, 1, 3}),
        ("C#5", 1, {1, 8}),
        ("am7", 9, {9, 0, 4, 7}),
        ("B♭M7", 10, {10, 2, 5, 9}),
        ("Cm(maj7)", 0, {0, 3, 7, 11}),
    ],
)
def test_symbols(symbol: str, bass: int, tones: set[int]) -> None:
    melody = parse_chords(symbol)
    assert min(note.pitch for note in melody.notes) % 12 == bass
    assert classes(melody, 0) == tones
    assert all(36 <= note.pitch < 96 for note in melody.notes)


def test_each_chord_lasts_a_bar_of_the_meter() -> None:
    for text in ("Am F C G", "| Am | F | C | G |", "Am,F, C ,G", "  Am\tF C|G  "):
        melody = parse_chords(text, "7/8")
        assert melody.length == 14
        assert sorted({note.start for note in melody.notes}) == [0, 3.5, 7, 10.5]
        assert {note.duration for note in melody.notes} == {3.5}
        assert classes(melody, 1, 3.5) == {5, 9, 0}


def test_silence_and_repeats() -> None:
    melody = parse_chords("Am % N.C. nc F")
    assert melody.length == 20
    assert {note.start for note in melody.notes} == {0, 4, 16}
    assert classes(melody, 1) == classes(melody, 0)


@pytest.mark.parametrize(
    ("text", "bad"),
    [("Am H C", "H"), ("Am Fxyz", "Fxyz"), ("C/H", "C/H"), ("", ""), ("% Am", "%"), ("N.C.", "N.C."), ("4 5", "4"),
     ("Am hello", "hello"), ("C/", "C/"), ("Am -- F", "--")],
)  # fmt: skip
def test_the_bad_symbol_is_named(text: str, bad: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_chords(text)
    assert str(caught.value).startswith(f"chords: {bad!r} cannot be used")


def test_too_many_are_refused() -> None:
    assert parse_chords("Am " * 256).length == 1024
    with pytest.raises(InvalidRequest, match="256"):
        parse_chords("A " * 257)
    with pytest.raises(InvalidRequest, match="characters"):
        parse_chords("A" * 5000)


@given(st.sampled_from(sorted(INTERVALS)), st.sampled_from(["C", "F#", "Bb", "e", "G♯"]), st.sampled_from(["", "/Eb"]))
def test_every_spelling_is_read(quality: str, root: str, bass: str) -> None:
    melody = parse_chords(root + quality + bass)
    lowest = min(note.pitch for note in melody.notes)
    above = {(note.pitch - melody.notes[1].pitch) % 12 for note in melody.notes if note.pitch != lowest}
    assert above == {interval % 12 for interval in INTERVALS[quality]}


@given(st.text(max_size=60))
def test_any_text_is_chords_or_an_error(text: str) -> None:
    try:
        assert parse_chords(text).notes
    except InvalidRequest as error:
        assert error.field == "chords"
