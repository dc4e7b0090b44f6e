"""A library's index: found, marked, moved, and read from the folder again."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from loopgen.errors import InvalidRequest
from loopgen.library import keep
from loopgen.library.find import Query
from loopgen.library.index import Library
from tests.loops import pulse_loop


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "loops"
    place.mkdir()
    keep(pulse_loop("dub techno, rainy", bpm="127.9", seed=1), place / "dub.wav")
    keep(pulse_loop("acid house", bpm="120", bars=2, seed=2), place / "acid.flac")
    noise = np.random.default_rng(3).standard_normal((88_200, 2)) * 0.1
    soundfile.write(place / "pack_90bpm_Em.wav", noise, 44_100, "PCM_16")
    return place


def names(library: Library, **asked: object) -> list[str]:
    return sorted(each.name for each in library.find(Query(**asked)))  # type: ignore[arg-type]


def test_what_lies_in_the_folder_is_found(folder: Path) -> None:
    with Library(folder) as library:
        assert library.refresh().new == 3
        assert not library.refresh()
        dub = library.resolve("dub")
        assert (dub.title, str(dub.bpm), dub.bars, str(dub.key), dub.engine, dub.origin) == (
            "dub techno, rainy", "1279/10", 4, "Am", "sketch", "loopgen",
        )  # fmt: skip
        pack = library.resolve("pack_90bpm_Em.wav")
        assert (str(pack.bpm), str(pack.key), pack.origin, pack.bars) == ("90", "Em", "foreign", None)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"words": "tech dub"}, ["dub.wav"]),
        ({"words": "Hou"}, ["acid.flac"]),
        ({"words": "nothing like it"}, []),
        ({"bpm": (119, 121)}, ["acid.flac"]),
        ({"bpm": (60, 64)}, ["acid.flac", "dub.wav"]),
        ({"bpm": (60, 64), "exact_tempo": True}, []),
        ({"key": "Am"}, ["acid.flac", "dub.wav"]),
        ({"key": "Bm"}, []),
        ({"key": "Bm", "compatible": True}, ["pack_90bpm_Em.wav"]),
        ({"bars": 2}, ["acid.flac"]),
        ({"meter": "4/4", "engine": "sketch"}, ["acid.flac", "dub.wav"]),
        ({"origin": "foreign"}, ["pack_90bpm_Em.wav"]),
    ],
)
def test_questions(folder: Path, asked: dict[str, object], expected: list[str]) -> None:
    with Library(folder) as library:
        library.refresh()
        assert names(library, **asked) == expected
        assert library.count(Query(**asked)) == len(expected)  # type: ignore[arg-type]


def test_order_limit_and_offset(folder: Path) -> None:
    with Library(folder) as library:
        library.refresh()
        found = library.find(Query(order="bpm", descending=False))
        assert [each.bpm for each in found] == sorted(each.bpm or 0 for each in found)
        assert library.find(Query(order="bpm", descending=False, limit=1, offset=1)) == found[1:2]


def test_marks_lie_in_the_sidecar_and_survive_the_index(folder: Path) -> None:
    with Library(folder) as library:
        library.refresh()
        for name in ("dub", "pack_90bpm_Em"):
            library.mark(library.resolve(name).id, add=["Rain", "night"], favourite=True, rating=4)
        library.mark(library.resolve("dub").id, remove=["night"])
        assert not library.refresh()
    recipe = json.loads((folder / "dub.json").read_text("utf-8"))
    assert recipe["request"]["prompt"] == "dub techno, rainy"
    assert recipe["marks"]["tags"] == ["rain"]
    shutil.rmtree(folder / ".loopgen")
    with Library(folder) as library:
        library.refresh()
        found = library.find(Query(tags=("rain",), favourite=True, rating=4, order="name", descending=False))
        assert [each.tags for each in found] == [("rain",), ("night", "rain")]
        assert found[1].bpm == 90  # a sidecar with nothing but marks hides no tempo


def test_the_same_samples_are_one_loop_in_wav_and_flac(folder: Path) -> None:
    samples, rate = soundfile.read(folder / "dub.wav", dtype="int32")
    soundfile.write(folder / "copy.flac", samples, rate, "PCM_24")
    (folder / "sub").mkdir()
    shutil.copy(folder / "dub.wav", folder / "sub")
    with Library(folder) as library:
        changes = library.refresh()
        assert (changes.new, changes.duplicates) == (3, 2)
        dub = library.resolve("dub.wav")
        assert dub.copies == 3
        assert len(library.files(dub.id)) == 3
        assert dub.title == "dub techno, rainy"


@pytest.mark.parametrize("with_sidecar", [True, False])
def test_a_moved_file_is_found_again_with_its_marks(folder: Path, with_sidecar: bool) -> None:
    with Library(folder) as library:
        library.refresh()
        library.mark(library.resolve("dub").id, add=["rain"])
        (folder / "deep").mkdir()
        (folder / "dub.wav").rename(folder / "deep" / "other.wav")
        if with_sidecar:
            (folder / "dub.json").rename(folder / "deep" / "other.json")
        changes = library.refresh()
        assert (changes.new, changes.moved, changes.vanished) == (0, 1, 0)
        assert library.resolve("deep/other.wav").tags == ("rain",)
        assert library.resolve("other").title == "dub techno, rainy"
        library.rebuild()
        assert library.resolve("other").tags == ("rain",)


def test_a_file_moved_while_there_was_no_index_is_found_by_the_sidecar_left_behind(folder: Path) -> None:
    with Library(folder) as library:
        library.refresh()
        library.mark(library.resolve("dub").id, rating=5)
    shutil.rmtree(folder / ".loopgen")
    (folder / "dub.wav").rename(folder / "other.wav")
    with Library(folder) as library:
        library.refresh()
        assert library.resolve("other").rating == 5


def test_a_loop_kept_as_wav_and_as_flac_is_one(tmp_path: Path) -> None:
    for name in ("a.wav", "b.flac"):
        keep(pulse_loop(), tmp_path / name)
    keep(pulse_loop(), tmp_path / "c.wav", file_format="float")
    with Library(tmp_path) as library:
        library.refresh()
        assert [each.copies for each in library.find()] == [3]


def test_what_is_ambiguous_is_said(folder: Path) -> None:
    (folder / "sub").mkdir()
    keep(pulse_loop("other", seed=9), folder / "sub" / "dub.wav")
    with Library(folder) as library:
        library.refresh()
        with pytest.raises(InvalidRequest, match=r"dub\.wav \(.{8}\), dub\.wav \("):
            library.resolve("dub")
        assert library.resolve("sub/dub.wav").prompt == "other"
        one = library.resolve("acid")
        assert library.resolve(one.id[:6]) == library.resolve(folder / "acid.flac") == one
        with pytest.raises(InvalidRequest, match="library list"):
            library.resolve("nothing")


def test_a_bad_file_is_told_once_and_passed_over(folder: Path) -> None:
    (folder / "bad.wav").write_bytes(b"RIFF nonsense")
    (folder / "acid.json").write_text("{ not json")
    with Library(folder) as library:
        changes = library.refresh()
        assert changes.new == 3
        assert len(changes.problems) == 2
        assert not library.refresh().problems
        assert len(library.problems()) == 2
        assert (folder / "acid.json").read_text() == "{ not json"
        acid = library.resolve("acid")
        library.mark(acid.id, add=["dark"])  # no place for them beside the loop
        assert (folder / "acid.json").read_text() == "{ not json"
        library.rebuild()
        assert library.get(acid.id).tags == ("dark",)
