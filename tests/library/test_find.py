"""Keys that go together, and questions that cannot be asked."""

from datetime import UTC, datetime

import pytest

from loopgen.errors import InvalidRequest
from loopgen.library.find import Query, camelot, check_tag, compatible_keys
from loopgen.music.key import Key

MINOR = ["Abm", "Ebm", "Bbm", "Fm", "Cm", "Gm", "Dm", "Am", "Em", "Bm", "F#m", "Dbm"]
MAJOR = ["B", "F#", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E"]


def test_the_wheel_is_the_one_that_djs_know() -> None:
    assert [camelot(Key.parse(key)) for key in MINOR] == [(hour, "A") for hour in range(1, 13)]
    assert [camelot(Key.parse(key)) for key in MAJOR] == [(hour, "B") for hour in range(1, 13)]


@pytest.mark.parametrize("key", [*MINOR, *MAJOR, "D dorian", "E phrygian", "F lydian", "G mixolydian", "B locrian"])
def test_compatible_keys_share_all_notes_or_all_but_one(key: str) -> None:
    one = Key.parse(key)
    others = compatible_keys(one)
    assert others.pop("itself") == one
    shared = {relation: len({*one.scale} & {*other.scale}) for relation, other in others.items()}
    assert shared == {"relative": 7, "fifth up": 6, "fifth down": 6}
    for other in others.values():
        assert camelot(one) in [camelot(back) for back in compatible_keys(other).values()]


@pytest.mark.parametrize(
    "asked",
    [
        {"bpm": (10, 20)}, {"bpm": (130, 120)}, {"bpm": (120, 1000)}, {"key": "H"}, {"compatible": True}, {"bars": 0},
        {"meter": "4/3"}, {"tags": ("two words",)}, {"rating": 6}, {"origin": "mars"}, {"order": "colour"},
        {"limit": -1}, {"offset": -1},
    ],
)  # fmt: skip
def test_values_out_of_range_are_refused(asked: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest):
        Query(**asked)  # type: ignore[arg-type]


def test_a_time_without_a_zone_is_the_local_one() -> None:
    assert Query(since=datetime(2026, 1, 1)).since == datetime(2026, 1, 1).astimezone()
    assert Query(until=datetime(2026, 1, 1, tzinfo=UTC)).until == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("tag", ["", " ", "two words", "-dub", "+dub", "a" * 41, "a,b", "a\nb"])
def test_tags_are_words(tag: str) -> None:
    with pytest.raises(InvalidRequest):
        check_tag(tag)
