"""Requests as the text encoder reads them."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopgen.engines.musicgen.prompt import (
    DESCRIPTION_CHARACTERS,
    TAGGED_BPM,
    chord_symbols,
    describe,
    told_bpm,
)
from loopgen.engines.musicgen.vocabulary import entries, tempos
from loopgen.errors import InvalidRequest
from loopgen.music.chords import INTERVALS, parse_chords
from loopgen.music.melody import Melody, Note
from loopgen.music.request import LoopRequest
from loopgen.orders import settle

TEMPOS_SAID = re.compile(r"\bbpm\b|\d\s*bpm|beats (?:per|a) minute", re.IGNORECASE)

GOLDEN = {
    "Warm deep house groove, rhodes, 124 bpm, A minor": (
        "Warm deep house groove, rhodes. bpm: 124.0. key: a minor. genre: deep house. moods: warm. "
        "instrument: rhodes. keywords: loop"
    ),
    "dub techno, rolling bass, rainy @127.9bpm": (
        "dub techno, rolling bass, rainy. bpm: 127.9. genre: dub techno. instrument: bass. keywords: loop"
    ),
    "liquid dnb drum loop 174 bpm F# minor": (
        "liquid dnb drum loop. bpm: 174.0. key: f# minor. genre: liquid drum and bass. instrument: drums"
    ),
    "jazz waltz in 3/4 at 90 bpm, D dorian, double bass and brushes": (
        "jazz waltz, double bass and brushes, in 3/4 time. bpm: 90.0. key: d minor. genre: jazz. "
        "instrument: upright bass. keywords: dorian, loop"
    ),
    "lo-fi hip-hop, no drums or bass, just a piano. 78 bpm": (
        "lo-fi hip-hop, no drums or bass, just a piano. bpm: 78.0. genre: lo-fi hip hop. instrument: piano. "
        "keywords: loop"
    ),
    "genre: house. instrument: rhodes. bpm: 122": (
        "genre: house. instrument: rhodes. bpm: 122.0. keywords: loop"
    ),
    "🔥🔥 phonk — “cowbell” 😈 130 bpm": (
        "phonk — cowbell. bpm: 130.0. genre: phonk. instrument: cowbell. keywords: loop"
    ),
    "electric piano over kick drum and brass, bpm=100": (
        "electric piano over kick drum and brass. bpm: 100.0. instrument: electric piano, kick, brass. keywords: loop"
    ),
    "bpm 60.23": "bpm: 60.23. keywords: loop",
}  # fmt: skip


@pytest.mark.parametrize("prompt", GOLDEN)
def test_golden(prompt: str) -> None:
    assert describe(settle({"prompt": prompt, "seed": 1}).request) == GOLDEN[prompt]


def test_chords_stand_behind_the_description() -> None:
    request = settle({"prompt": "house", "bpm": 122, "chords": "Am7 F C/E G", "seed": 1}).request
    assert describe(request) == (
        "house, chord progression Am7 F C/E G. bpm: 122.0. genre: house. keywords: loop"
    )  # fmt: skip
    melody = Melody((Note(0, 60, 1), Note(1, 64, 1)), 4)
    assert "chord" not in describe(LoopRequest("house", 122, melody=melody))


@pytest.mark.parametrize(
    ("prompt", "bpm"),
    [
        ("techno bpm: 90", 128),
        ("90 bpm techno, 95bpm, tempo: 100, bpm 12345, 140 BPM", 128),
        ("house at 90 beats per minute", 128),
        ("BPM", 128),
        ("key: H, bpm", 128),
        ("in 65/4, 90 bpm", 128),
    ],
)
def test_a_request_that_still_names_other_tempos_and_keys_tells_one(prompt: str, bpm: int) -> None:
    text = describe(LoopRequest(prompt, bpm, key="Am"))
    assert TEMPOS_SAID.findall(text) == ["bpm"]
    assert f"bpm: {bpm}.0" in text
    assert re.findall(r"\bkey\b[^.]*", text) == ["key: a minor"]


def test_a_key_that_stands_in_the_prompt_alone_is_told_as_the_field() -> None:
    assert "key: eb major" in describe(LoopRequest("house in Eb major, then in C minor", 120))
    assert describe(LoopRequest("house in Eb major, then in C minor", 120)).count("major") == 1


def test_what_is_refused_is_no_field() -> None:
    for prompt in ("techno without any loud drums or claps", "techno, no drums", "techno minus the drums and claps"):
        text = describe(LoopRequest(prompt, 130))
        assert "instrument" not in text
        assert prompt in text
    assert "instrument: bass" in describe(LoopRequest("no drums, bass", 130))
    assert "instrument: rhodes" in describe(LoopRequest("no drums but rhodes", 130))
    assert "genre" not in describe(LoopRequest("not house", 130))


def test_the_longest_phrase_is_the_one_that_is_meant() -> None:
    assert "genre: drum and bass. keywords" in describe(LoopRequest("drum & bass", 174))
    assert "instrument: electric guitar. " in describe(LoopRequest("electric guitar", 120))
    assert "genre: lo-fi house. " in describe(LoopRequest("Lo-Fi house", 120))


@pytest.mark.parametrize(
    ("bpm", "genres", "told"),
    [
        (87, ["drum and bass"], 174),
        (174, ["hip hop"], 87),
        (70, ["dubstep"], 140),
        (65, ["techno"], 130),
        (100, ["techno"], 100),  # neither 50 nor 200 is techno
        (127.9, [], 127.9),
        (30, [], 60),
        (20, [], 80),
        (999, [], 124.875),
        (240, ["trance"], 120),
        (66, ["jazz", "house"], 132),
    ],
)
def test_the_tempo_is_told_as_such_music_is_counted(bpm: float, genres: list[str], told: float) -> None:
    assert float(told_bpm(Fraction(str(bpm)), genres)) == told


@given(st.fractions(Fraction(20), Fraction(999), max_denominator=1000), st.sampled_from([[], *([g] for g in tempos())]))
def test_the_grid_stays_the_same(bpm: Fraction, genres: list[str]) -> None:
    ratio = told_bpm(bpm, genres) / bpm
    assert ratio in [Fraction(2) ** k for k in range(-3, 3)]
    assert TAGGED_BPM[0] <= told_bpm(bpm, genres) <= TAGGED_BPM[1]
    if TAGGED_BPM[0] <= bpm <= TAGGED_BPM[1] and not genres:
        assert ratio == 1


def prompts() -> st.SearchStrategy[str]:
    words = ["120 bpm", "bpm: 90", "tempo 100", "A minor", "key: C#m", "in 7/8", "no", "drums", "house", "loop"]
    said = st.sampled_from([*words, "🎹", '"', "“", ".", ",", "@", "bpm:"])
    anything = st.text(max_size=40)
    return st.lists(st.one_of(said, anything), max_size=12).map(" ".join)


@given(
    prompts(),
    st.fractions(Fraction(20), Fraction(999), max_denominator=100),
    st.sampled_from([None, "Am", "Eb", "D dorian"]),
    st.sampled_from(["4/4", "3/4", "7/8", "13/16"]),
)
@settings(max_examples=400, deadline=None)
def test_whatever_the_words_the_text_holds(prompt: str, bpm: Fraction, key: str | None, meter: str) -> None:
    try:
        request = LoopRequest(prompt, bpm, key=key, meter=meter)
    except InvalidRequest:  # control characters
        return
    text = describe(request)
    assert text == describe(request)
    assert text.strip() == text != ""
    assert text.isprintable()
    assert TEMPOS_SAID.findall(text) == ["bpm"]
    assert len(re.findall(r"\bkey:", text, re.IGNORECASE)) == (1 if key else len(re.findall(r"\. key: ", text)))
    assert ("time" in text) >= (meter != "4/4")
    assert len(text) < 2 * DESCRIPTION_CHARACTERS


def test_long_prompts_are_cut_between_words() -> None:
    text = describe(LoopRequest("melancholic strings " * 100, 100))
    description = text.split(". bpm")[0]
    assert len(description) <= DESCRIPTION_CHARACTERS
    assert description.endswith(("melancholic", "strings"))
    assert len(describe(LoopRequest("x" * 2000, 100)).split(". bpm")[0]) == DESCRIPTION_CHARACTERS


@pytest.mark.parametrize("quality", sorted({quality for quality in INTERVALS if "/" not in quality}))
def test_chord_symbols_are_read_back(quality: str) -> None:
    """In every spelling, on every root; two symbols are the same where they mean the same notes."""
    for root in ("C", "F#", "Bb"):
        melody = parse_chords(f"{root}{quality} {root}{quality}/D Am")
        symbols = chord_symbols(melody)
        assert parse_chords(" ".join(symbols)).notes == melody.notes


def test_a_progression_is_told_once_and_only_where_it_is_short() -> None:
    assert chord_symbols(parse_chords("Am F Am F")) == ["Am", "F"]
    assert chord_symbols(parse_chords("Am F G Am F")) == ["Am", "F", "G"]
    assert chord_symbols(parse_chords("Am F C G Dm Em Bb C7 A")) == []
    assert chord_symbols(Melody((), 4)) == []


def test_words_that_mean_something_else_as_often_name_nothing() -> None:
    assert describe(LoopRequest("summer vibes with swing at the end of the world", 100)) == (
        "summer vibes with swing at the end of the world. bpm: 100.0. keywords: loop"
    )


def test_every_spelling_finds_its_entry() -> None:
    for spelling, (field, value) in entries().items():
        said = " ".join(spelling)
        assert f"{field}: {value}." in describe(LoopRequest(said, 100)) + "."
