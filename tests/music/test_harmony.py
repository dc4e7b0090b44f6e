"""What chords go with a melody."""

from __future__ import annotations

import time

import pytest

from loopgen.midi import read_notes
from loopgen.music.chords import parse_chords, write_chords
from loopgen.music.harmony import chords_of, chords_only
from loopgen.music.key import Key
from loopgen.music.melody import Melody, Note
from loopgen.music.tempo import Meter

FOUR = Meter()


@pytest.mark.parametrize(
    ("notes", "bars", "meter", "chords"),
    [
        ("A3 C4 E4 C4 F3 A3 C4 A3 C4 E4 G4 E4 G3 B3 D4 B3", 4, "4/4", "Am F C G"),
        ("D3 F3 A3 G3 B3 D4 C3 E3 G3", 3, "3/4", "Dm G C"),
        ("A3 C4 E4 C4 r:4", 2, "4/4", "Am Am"),
        ("r:4 A3 C4 E4 C4", 2, "4/4", "Am Am"),
        ("B3 D4 F4 D4", 1, "4/4", "Bdim"),
        ("A3 C4 E4 C4", 2, "4/4", "Am Am"),  # a clip that is shorter than the loop comes again
    ],
)
def test_arpeggios_say_their_chords(notes: str, bars: int, meter: str, chords: str) -> None:
    assert chords_of(read_notes(notes), Meter.parse(meter), bars) == chords


def test_the_key_decides_where_the_notes_say_little() -> None:
    one = Melody((Note(0, 64, 4),), 4)
    assert chords_of(one, FOUR, 1, Key.parse("E")) == "E"
    assert chords_of(one, FOUR, 1, Key.parse("Em")) == "Em"


def test_chords_that_are_given_stay_as_they_are() -> None:
    given = parse_chords("Cmaj9 A7 Dm9 G13")
    assert chords_only(given, FOUR, 4) is given
    assert chords_only(Melody((), 4), FOUR, 1) == Melody((), 4)
    tune = read_notes("A4 C5 E5 C5")
    assert chords_only(tune, FOUR, 1) == parse_chords("Am")


@pytest.mark.parametrize("meter", ["4/4", "7/8"])
@pytest.mark.parametrize("symbols", ["Am F C/E G", "N.C. Bbm7b5 Ebmaj13", "F#5 C#sus4 %"])
def test_chords_are_written_as_they_are_read(symbols: str, meter: str) -> None:
    melody = parse_chords(symbols, meter)
    written = write_chords(melody, meter)
    assert written is not None
    assert parse_chords(written, meter) == melody


def test_what_is_no_chord_symbols_is_not_written_as_some() -> None:
    assert write_chords(read_notes("A4 C5 E5:2")) is None
    assert write_chords(Melody((Note(0, 40, 4), Note(0, 60, 4), Note(0, 61, 4), Note(0, 62, 4)), 4)) is None
    assert write_chords(Melody((), 4)) is None


def test_many_notes_take_no_time() -> None:
    clip = Melody(tuple(Note(k / 100, 40 + k % 48, 0.01) for k in range(100)), 1)
    begin = time.process_time()
    chords_of(clip, FOUR, 256)
    assert time.process_time() - begin < 10  # a hundred thousand notes; a look at all in each bar takes minutes
