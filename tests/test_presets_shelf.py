"""Presets passed on: exported, imported, taken over; nothing overwritten by accident, nothing half-written."""

from __future__ import annotations

from pathlib import Path

import pytest

from loopgen import presets
from loopgen.errors import InvalidRequest, OutputUnwritable, PresetUnusable
from loopgen.music.chords import parse_chords
from loopgen.music.melody import Melody, Note
from loopgen.orders import settle
from loopgen.presets.writing import DIRECTIVE

SOUND = '# mine\nprompt = "dub techno"\nbpm = "124"\n'


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "own"


def test_what_is_exported_is_imported_again(own: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    presets.take_over("mine", SOUND, own)
    presets.save("other", {"prompt": "house", "key": "set"}, "two", own, tags=["house"], licence="CC-BY-4.0")
    files = presets.export(["mine", "other", "mine"], out, own)
    assert files == [out / "mine.toml", out / "other.toml"]
    assert "#:schema" not in files[0].read_text("utf-8")  # no schema lies beside it there
    assert files[0].read_text("utf-8").startswith("# mine\n")
    there = tmp_path / "another machine"
    taken = presets.bring_in([out], there)
    assert taken == [presets.load("mine", own), presets.load("other", own)]
    assert [presets.load(name, there) for name in ("mine", "other")] == taken
    assert (there / "mine.toml").read_text("utf-8").startswith(DIRECTIVE + "\n# mine\n")
    assert (there / presets.SCHEMA_FILE).is_file()


def test_one_goes_into_a_file(own: Path, tmp_path: Path) -> None:
    assert presets.export(["dub-techno"], tmp_path / "a" / "x.toml", own) == [tmp_path / "a" / "x.toml"]
    assert presets.read(tmp_path / "a" / "x.toml").fields == presets.load("dub-techno").fields
    with pytest.raises(PresetUnusable, match="2 presets do not fit into x"):
        presets.export(["dub-techno", "trap"], tmp_path / "x.toml", own)


def test_nothing_is_overwritten_without_force(own: Path, tmp_path: Path) -> None:
    presets.take_over("mine", SOUND, own)
    (tmp_path / "mine.toml").write_text('prompt = "theirs"', "utf-8")
    with pytest.raises(OutputUnwritable, match=r"mine.toml is there already; --force"):
        presets.export(["trap", "mine"], tmp_path, own)
    assert not (tmp_path / "trap.toml").exists()
    assert (tmp_path / "mine.toml").read_text("utf-8") == 'prompt = "theirs"'
    with pytest.raises(PresetUnusable, match="you have a preset 'mine' already; --force"):
        presets.bring_in([tmp_path / "mine.toml"], own)
    assert presets.load("mine", own).fields["prompt"] == "dub techno"
    presets.bring_in([tmp_path / "mine.toml"], own, force=True)
    assert presets.load("mine", own).fields["prompt"] == "theirs"
    presets.export(["mine"], tmp_path, own, force=True)
    assert presets.read(tmp_path / "mine.toml").fields["prompt"] == "theirs"


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"good.toml": 'prompt = "x"', "bad.toml": "promt = 1"}, "bad has an unknown key"),
        ({"good.toml": 'prompt = "x"', "GOOD.toml": 'prompt = "y"'}, "two of the name"),
        ({"good.toml": 'version = 9\nprompt = "x"'}, "of version 9"),
        ({}, "holds no .toml file"),
    ],
)
def test_all_are_imported_or_none(own: Path, tmp_path: Path, files: dict[str, str], words: str) -> None:
    there = tmp_path / "there"
    there.mkdir()
    for name, text in files.items():
        (there / name).write_text(text, "utf-8")
    if len([*there.iterdir()]) < len(files):
        pytest.skip("these are one file here")
    with pytest.raises(PresetUnusable, match=words):
        presets.bring_in([there], own)
    assert not own.exists()


def test_what_is_no_preset_is_not_imported(own: Path, tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text('prompt = "x"', "utf-8")
    (tmp_path / "schön.toml").write_text('prompt = "x"', "utf-8")
    with pytest.raises(PresetUnusable, match="is no preset"):
        presets.bring_in([tmp_path / "x.txt"], own)
    with pytest.raises(InvalidRequest, match="preset: 'schön'"):
        presets.bring_in([tmp_path / "schön.toml"], own)
    with pytest.raises(PresetUnusable, match="cannot be read"):
        presets.bring_in([tmp_path / "gone.toml"], own)


def test_a_text_is_taken_over_as_it_was_written_if_it_is_sound(own: Path) -> None:
    presets.take_over("mine", SOUND, own)
    assert (own / "mine.toml").read_text("utf-8") == f"{DIRECTIVE}\n{SOUND}version = 2\n"
    before = (own / "mine.toml").read_bytes()
    with pytest.raises(PresetUnusable, match="bars: 0"):
        presets.take_over("mine", SOUND + "bars = 0", own)
    assert (own / "mine.toml").read_bytes() == before
    text = f'{DIRECTIVE}\nversion = 2\n\n# slow\nprompt = "dub"    # wide\n'
    presets.take_over("mine", text, own)
    assert (own / "mine.toml").read_text("utf-8") == text


RECIPE = {
    "request": {
        "prompt": "dub techno", "bpm": "60.23", "bars": 8, "meter": "4/4", "key": None, "melody": None, "seed": 7,
        "rate": 48_000, "engine": "auto", "takes": 0, "stretcher": "auto", "longest_fade": 240.0, "opening": None,
        "sampling": {"temperature": 0.8, "top_k": 250, "top_p": 0.0, "guidance": 3.0, "negative": "", "count_in": True},
    },
    "engine": {"name": "sketch", "kind": "synthesis"},
    "key": "Am",
}  # fmt: skip


def test_a_recipe_gives_what_was_asked_for_and_the_key_that_was_played() -> None:
    assert presets.of_recipe(RECIPE) == {
        "prompt": "dub techno", "bpm": "60.23", "bars": 8, "meter": "4/4", "key": "Am", "temperature": 0.8,
        "count_in": True,
    }  # fmt: skip
    assert presets.left_out(RECIPE) == []


@pytest.mark.parametrize("chords", ["Am F C G", "Dm9 N.C. G13 Cmaj9/E", "Bb5 Ebsus4"])
def test_chords_are_told_by_a_recipe(own: Path, chords: str) -> None:
    melody = parse_chords(chords, "3/4")
    notes = [[note.start, note.pitch, note.duration, note.velocity] for note in melody.notes]
    asked = {**RECIPE["request"], "meter": "3/4", "melody": notes, "melody_length": melody.length}  # type: ignore[dict-item]
    fields = presets.of_recipe({**RECIPE, "request": asked})
    assert parse_chords(fields["chords"], "3/4") == melody
    presets.save("kept", fields, None, own)
    assert settle({"preset": "kept"}, own_presets=own).request.melody == melody


def test_another_melody_is_left_out_and_that_is_said() -> None:
    notes = [[0.0, 60, 1.0, 100], [1.5, 64, 1.0, 100]]
    asked = {**RECIPE["request"], "melody": notes, "melody_length": 4.0, "opening": {"loop": "a", "kept": 0}}  # type: ignore[dict-item]
    recipe = {**RECIPE, "request": asked}
    assert "chords" not in presets.of_recipe(recipe)
    assert [word in note for word, note in zip(("--melody", "--continue"), presets.left_out(recipe), strict=True)]


@pytest.mark.parametrize("recipe", [{}, {"request": {}}, {"request": 3}, {**RECIPE, "engine": {"kind": "recording"}}])
def test_what_was_not_made_of_words_makes_no_preset(recipe: dict[str, object]) -> None:
    with pytest.raises(PresetUnusable, match=r"recipe|recording"):
        presets.of_recipe(recipe)


def test_a_melody_of_a_preset_is_followed_as_it_says(own: Path) -> None:
    tune = Melody((Note(0, 69, 2), Note(2, 72, 2), Note(4, 65, 2), Note(6, 69, 2)), 8)
    for follow in ("melody", "chords", "nothing"):
        presets.save(follow, {"prompt": "x", "bars": 2, "follow": follow, "chords": "C G"}, "", own)
    made = {follow: settle({"preset": follow, "seed": 1}, tune, own_presets=own) for follow in ("melody", "chords")}
    assert made["melody"].request.melody == tune
    assert made["chords"].request.melody == parse_chords("Am F")
    passed = settle({"preset": "nothing", "bpm": 120}, tune, own_presets=own)
    assert passed.request.melody == parse_chords("C G")  # the preset's own
    assert passed.notes == ("the melody or chords that were given are passed over, as follow is nothing",)
    assert settle({"preset": "nothing", "follow": "melody"}, tune, own_presets=own).request.melody == tune
    given = settle({"preset": "melody", "chords": "F"}, own_presets=own).request.melody
    assert given == parse_chords("F")
    assert settle({"preset": "melody", "chords": ""}, own_presets=own).request.melody is None
    with pytest.raises(InvalidRequest, match="follow: 'all'"):
        settle({"prompt": "x", "follow": "all"})


def test_the_key_of_the_set_is_the_one_that_is_given(own: Path) -> None:
    presets.save("drums", {"prompt": "house", "bpm": 120, "key": "set"}, "", own)
    assert str(settle({"preset": "drums", "key": "F#m"}, own_presets=own).request.key) == "F#m"
    assert str(settle({"preset": "drums", "prompt": "house in D minor"}, own_presets=own).request.key) == "Dm"
    alone = settle({"preset": "drums"}, own_presets=own)
    assert alone.request.key is None
    assert "the engine chooses" in alone.notes[0]
    presets.save("keyed", {"prompt": "house", "bpm": 120, "key": "Am"}, "", own)
    assert settle({"preset": "keyed", "key": "set"}, own_presets=own).request.key is None


def test_stretcher_and_fade_of_a_preset_stand_above_the_settings_and_below_the_order(own: Path) -> None:
    presets.save("cut", {"prompt": "x", "stretcher": "resample", "longest_fade": 0, "takes": 3}, "", own)
    request = settle({"preset": "cut"}, own_presets=own, otherwise={"stretcher": "vocoder", "takes": 2}).request
    assert (request.stretcher, request.longest_fade, request.takes) == ("resample", 0.0, 3)
    told = settle({"preset": "cut", "stretcher": "signalsmith", "longest_fade": 30}, own_presets=own).request
    assert (told.stretcher, told.longest_fade) == ("signalsmith", 30.0)
    assert settle({"prompt": "x"}, otherwise={"stretcher": "vocoder"}).request.stretcher == "vocoder"
