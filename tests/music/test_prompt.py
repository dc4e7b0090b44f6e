import re
from fractions import Fraction

import pytest

from loopgen.errors import InvalidRequest
from loopgen.music.key import Key
from loopgen.music.prompt import read_prompt


@pytest.mark.parametrize(
    ("prompt", "rest", "bpm", "key", "meter"),
    [
        ("dub techno, 140 bpm, F minor", "dub techno", 140, "Fm", "4/4"),
        ("at 92.5 BPM dusty beats", "dusty beats", Fraction("92.5"), None, "4/4"),
        ("bpm: 124.0. key: a minor. genre: house", "genre: house", 124, "Am", "4/4"),
        ("F#m trap 7/8 time", "trap", 120, "F#m", "7/8"),
        ("slow jam in Eb", "slow jam", 120, "Eb", "4/4"),
        ("house 128bpm D dorian", "house", 128, "D dorian", "4/4"),
        ("B flat major march", "march", 120, "Bb", "4/4"),
    ],
)
def test_what_is_typed_is_understood(prompt: str, rest: str, bpm: Fraction, key: str | None, meter: str) -> None:
    intent = read_prompt(prompt)
    assert (intent.prompt, intent.bpm, str(intent.meter)) == (rest, bpm, meter)
    assert intent.key == (None if key is None else Key.parse(key))


@pytest.mark.parametrize(
    "prompt",
    [
        "I am happy",
        "a major banger",
        "909 kick, 808 bass",
        "vitamin C",
        "add a melody in d",
        "Bb",
        "an E-bow",
        "1/16 hats",
        "1/8 note bass",
        "１２８ bpm",
        "٣/4 time",
    ],
)
def test_plain_words_are_left_alone(prompt: str) -> None:
    intent = read_prompt(prompt)
    assert intent.prompt == prompt
    assert intent.key is None


def test_the_explicit_value_wins_and_the_user_is_told() -> None:
    intent = read_prompt("techno, 140 bpm, F minor, 3/4", bpm="127.9", key="Am", meter="4/4")
    assert (intent.bpm, intent.key, str(intent.meter)) == (Fraction("127.9"), Key.parse("Am"), "4/4")
    assert intent.prompt == "techno"
    assert len(intent.notes) == 3
    assert all("was given and is used" in note for note in intent.notes)


def test_agreement_needs_no_note() -> None:
    assert read_prompt("techno, 140 bpm, F minor", bpm=140, key="F minor").notes == ()


def test_a_preset_fills_only_what_is_open() -> None:
    preset = {"bpm": 90, "key": "C", "meter": "3/4"}
    assert read_prompt("waltz", otherwise=preset).bpm == 90
    typed = read_prompt("waltz, 140 bpm, F minor", otherwise=preset)
    assert typed.bpm == 140
    assert (str(typed.key), str(typed.meter)) == ("Fm", "3/4")
    assert typed.notes == ()


def test_a_tempo_out_of_range_is_refused_unless_another_is_given() -> None:
    with pytest.raises(InvalidRequest, match="20 to 999"):
        read_prompt("gabber at 5000 bpm")
    assert read_prompt("gabber at 5000 bpm", bpm=180).bpm == 180


def test_without_a_tempo_the_user_is_told_which_is_used() -> None:
    intent = read_prompt("house")
    assert intent.bpm == 120
    assert "120 BPM is used" in intent.notes[0]
    assert "--" not in intent.notes[0]  # it goes to programs that have no command line, too
    (tempo,) = re.findall(r"like (.+)", intent.notes[0])
    assert read_prompt(f"house, {tempo}").bpm == Fraction("127.9")
