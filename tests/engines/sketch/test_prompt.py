from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopgen.engines.sketch.drums import KITS
from loopgen.engines.sketch.instruments import INSTRUMENTS
from loopgen.engines.sketch.lexicon import HINTS, INSTRUMENT_WORDS
from loopgen.engines.sketch.prompt import parse
from loopgen.engines.sketch.repertoire import BY_NAME, GENRES
from loopgen.engines.sketch.rhythm import VELOCITY
from loopgen.engines.sketch.theory import chord
from loopgen.music.key import Key


@pytest.mark.parametrize(
    ("prompt", "genre"),
    [
        ("dub techno, rolling bass, rainy", "dub techno"), ("a Deep House groove", "deep house"),
        ("dnb", "drum and bass"),
        ("liquid drum & bass roller", "drum and bass"), ("Lo-Fi hip hop beats to study to", "lo-fi"),
        ("boom-bap", "hip-hop"),
        ("UKG 2-step shuffle", "uk garage"), ("90s jungle amen", "jungle"), ("dembow", "reggaeton"),
        ("bossa", "bossa nova"),
        ("ambient techno", "dub techno"), ("reggae", "reggae"), ("dub", "dub"), ("neo-soul", "soul"),
        ("trap beat", "trap"),
        ("indie rock", "rock"), ("technno", "techno"), ("regaeton", "reggaeton"), ("no jazz, techno", "techno"),
        ("jazzy? no: funk, 120 bpm, F minor", "funk"),
    ],
)  # fmt: skip
def test_genres_and_their_synonyms(prompt: str, genre: str) -> None:
    named = parse(prompt).genre
    assert named is not None
    assert named.name == genre


def test_every_name_of_every_genre_names_it() -> None:
    for genre in GENRES:
        for word in (genre.name, *genre.words):
            named = parse(word).genre
            assert named is not None
            assert named.name == genre.name, word
    assert len(GENRES) >= 24


@pytest.mark.parametrize(
    ("prompt", "plays", "silent"),
    [
        ("house, no drums", set(), {"drums"}), ("house without bass", set(), {"bass"}),
        ("techno without drums and bass", set(), {"drums", "bass"}),
        ("no drums or bass, pads", {"pad"}, {"drums", "bass"}),
        ("no drums, rhodes", {"chords"}, {"drums"}), ("drumless lo-fi", set(), {"drums"}),
        ("just a bassline", {"bass"}, {"drums", "chords", "pad", "lead"}),
        ("only drums", {"drums"}, {"bass", "chords", "pad", "lead"}),
        ("drums only", {"drums"}, {"bass", "chords", "pad", "lead"}),
        ("solo piano", {"chords"}, {"drums", "bass", "pad", "lead"}),
        ("just bass and drums", {"bass", "drums"}, {"chords", "pad", "lead"}),
        ("just a deep funky bassline with strings", {"bass", "pad"}, {"drums", "chords", "lead"}),
        ("no loud drums please, house with strings", {"pad"}, {"drums"}),
        ("house w/o chords but with a lead", {"lead"}, {"chords"}),
        ("strings", {"pad"}, set()),
    ],
)  # fmt: skip
def test_what_plays_and_what_does_not(prompt: str, plays: set[str], silent: set[str]) -> None:
    style = parse(prompt)
    for part in plays:
        assert style.plays(part) is True, part
    for part in silent:
        assert style.plays(part) is False, part


@pytest.mark.parametrize(
    ("prompt", "part", "instrument"),
    [
        ("rhodes", "chords", "rhodes"), ("808", "bass", "808"), ("acid line", "bass", "acid"),
        ("reese", "bass", "reese"),
        ("strings", "pad", "strings"), ("electric piano", "chords", "rhodes"),
        ("upright bass", "bass", "upright bass"),
        ("supersaws", "chords", "supersaw"), ("distorted guitar", "chords", "overdriven"),
        ("music box", "lead", "bell"),
        ("a flute", "lead", "flute"), ("8-bit", "lead", "square lead"), ("log drums", "bass", "log drum"),
    ],
)  # fmt: skip
def test_instruments(prompt: str, part: str, instrument: str) -> None:
    assert parse(f"something with {prompt}").instruments[part] == instrument


def test_drums_by_name() -> None:
    assert parse("house, no hi-hats").no_lanes == {"hat", "open"}
    assert parse("only kick and snare").only_lanes == {"kick", "snare"}
    assert parse("techno with congas").lanes == ("conga", "conga high")
    assert parse("909 drums, techno").kit == "909"


def test_a_part_borrowed_from_another_genre() -> None:
    style = parse("techno with a reggae bassline")
    assert style.genre is BY_NAME["techno"]
    assert style.borrowed == {"bass": BY_NAME["reggae"]}


def test_moods_point_where_their_words_do() -> None:
    assert parse("dark").mood.bright < 0 < parse("bright").mood.bright
    assert parse("sad").mood.major < 0 < parse("happy").mood.major
    assert parse("sparse").mood.density < 0 < parse("busy").mood.density
    assert parse("dry").mood.space < 0 < parse("dreamy").mood.space
    assert parse("clean").mood.drive < 0 < parse("aggressive").mood.drive
    assert parse("dusty").mood.dust > 0
    assert parse("half-time").mood.feel == 1


def test_words_without_meaning_here_are_kept_apart() -> None:
    style = parse("a house loop by the zebra crossing, 124 bpm")
    assert style.rest == ("zebra", "crossing")
    assert style.understood == ("house",)
    assert parse("house, F# minor, 127.9 bpm, Bbm, D dorian").rest == ()


@given(st.text(max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_text_is_a_style(prompt: str) -> None:
    parse(prompt)


def test_the_tables_name_only_what_exists() -> None:
    for genre in GENRES:
        assert set(genre.kits) <= set(KITS)
        assert genre.tempo[0] < genre.tempo[1]
        for part in (genre.basses, genre.chords, genre.pads, genre.leads):
            assert {name for name in part if name} <= set(INSTRUMENTS)
        for kit in genre.kits:
            assert set(genre.drums) <= set(KITS[kit])
        for lane, patterns in genre.drums.items():
            assert all(set(p) <= set(VELOCITY) | set(". ") for p in patterns), (genre.name, lane)
        lines = [
            *genre.bass_lines,
            *genre.comps,
            *genre.lead_lines,
            *(p for ps in genre.drums.values() for p in ps if p),
        ]
        assert all(len(line.replace(" ", "")) in (16, 32, 64) for line in lines), genre.name
        assert all(set(line) <= set("1345789a=. ") for line in genre.bass_lines)
        for progression in genre.minor:
            assert all(chord(numeral, Key(0, "minor"), genre.colour) for numeral in progression.split())
        for progression in genre.major:
            assert all(chord(numeral, Key(0, "major"), genre.colour) for numeral in progression.split())
    for wish in INSTRUMENT_WORDS.values():
        assert wish.instrument is None or wish.instrument in INSTRUMENTS
        assert wish.kit is None or wish.kit in KITS
        assert not wish.lane or all(set(wish.lane.split("+")) <= set(kit) for kit in KITS.values())
    for names in HINTS.values():
        assert set(names) <= set(BY_NAME)
