from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loopgen import presets
from loopgen.errors import InvalidRequest, OutputUnwritable, PresetUnusable
from loopgen.music.key import Key
from loopgen.music.sampling import Sampling
from loopgen.music.tempo import Meter, parse_bpm
from loopgen.orders import settle


@pytest.mark.parametrize("name", presets.names())
def test_every_factory_preset_is_whole(name: str) -> None:
    preset = presets.load(name)
    assert preset.description
    assert {"prompt", "bpm"} <= preset.fields.keys()


def test_a_wrong_name_gets_the_nearest() -> None:
    with pytest.raises(PresetUnusable, match="dub-techno"):
        presets.load("dubtechno")
    with pytest.raises(PresetUnusable, match="no preset"):
        presets.load("../../etc/passwd")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prompt = ", "cannot be read"),
        ('promt = "house"', "did you mean 'prompt'"),
        ('prompt = "house"\nbars = "four"', "wrong type"),
        ('prompt = "house"\nbars = true', "wrong type"),
        ('prompt = "house"\nbpm = 5', "20 to 999"),
        ('prompt = "house"\ntemperature = 11', "temperature: 11 cannot be used; give a number from 0 to 10"),
        ('prompt = "house"\ncount_in = 1', "wrong type"),
        ('prompt = "house"\ntop_k = true', "wrong type"),
        ("bpm = 120", "no prompt"),
        ("\x00", "cannot be read"),
    ],
)
def test_a_broken_preset_says_what_is_wrong(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PresetUnusable, match=words):
        presets.read(path)


FIELDS = {"prompt": "night drive", "bpm": "101.3", "bars": 8, "meter": "7/8", "key": "F#m", "engine": "sketch"}


def test_a_saved_preset_is_read_back_listed_and_deleted(tmp_path: Path) -> None:
    own = tmp_path / "not" / "there" / "yet"
    assert presets.names(own) == presets.names()
    saved = presets.save("Night Drive 2", FIELDS, "for the motorway", own)
    assert saved == presets.load("Night Drive 2", own)
    assert (dict(saved.fields), saved.description, saved.own) == (FIELDS, "for the motorway", True)
    assert set(presets.names(own)) - set(presets.names()) == {"Night Drive 2"}
    assert {path.name for path in own.iterdir()} == {"Night Drive 2.toml", presets.SCHEMA_FILE}  # nothing temporary
    with pytest.raises(PresetUnusable, match="did you mean 'Night Drive 2'"):
        presets.load("night drive", own)
    presets.delete("Night Drive 2", own)
    assert presets.names(own) == presets.names()
    with pytest.raises(PresetUnusable, match="no preset"):
        presets.delete("Night Drive 2", own)


def test_an_own_preset_hides_ours_until_it_is_deleted(tmp_path: Path) -> None:
    ours = presets.load("dub-techno", tmp_path)
    assert not ours.own
    presets.save("dub-techno", {"prompt": "mine"}, "", tmp_path)
    assert presets.load("dub-techno", tmp_path).fields == {"prompt": "mine"}
    assert presets.load("dub-techno") == ours
    assert presets.names(tmp_path) == presets.names()
    presets.save("dub-techno", {"prompt": "mine again"}, "", tmp_path)
    assert presets.load("dub-techno", tmp_path).fields == {"prompt": "mine again"}
    presets.delete("dub-techno", tmp_path)
    assert presets.load("dub-techno", tmp_path) == ours
    with pytest.raises(PresetUnusable, match="comes with loopgen and cannot be deleted"):
        presets.delete("dub-techno", tmp_path)
    assert "dub-techno" in presets.names()


@pytest.mark.parametrize("bpm", ["60.23", "361/3", "127.9", "20", "174.000001"])
def test_values_of_a_request_are_kept_exactly(tmp_path: Path, bpm: str) -> None:
    fields = {"prompt": "x", "bpm": parse_bpm(bpm), "meter": Meter(6, 8), "key": Key.parse("D dorian"), "engine": None}
    presets.save("exact", fields, "", tmp_path)
    read = presets.load("exact", tmp_path).fields
    assert Fraction(parse_bpm(read["bpm"])) == parse_bpm(bpm)
    assert (Meter.parse(read["meter"]), Key.parse(read["key"])) == (Meter(6, 8), Key.parse("D dorian"))
    assert "engine" not in read


def test_how_a_model_draws_is_part_of_a_sound(tmp_path: Path) -> None:
    sound = {"prompt": "dub", "temperature": 0.8, "top_k": 100, "guidance": 4.5, "negative": "vocals", "count_in": True}
    presets.save("mine", sound, "", tmp_path)
    assert dict(presets.load("mine", tmp_path).fields) == sound
    drawn = settle({"preset": "mine", "guidance": 2}, own_presets=tmp_path).request.sampling
    assert drawn == Sampling(temperature=0.8, top_k=100, guidance=2, negative="vocals", count_in=True)


@pytest.mark.parametrize("name", ["../x", "a/b", ".x", "x.", "CON", "com1.toml", "", "x" * 65, "é"])
def test_only_safe_names_are_saved(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^preset: "):
        presets.save(name, FIELDS, "", tmp_path / "own")
    assert list(tmp_path.iterdir()) == []


def test_names_that_one_system_takes_for_the_same_are_kept_apart(tmp_path: Path) -> None:
    presets.save("Night", FIELDS, "", tmp_path)
    with pytest.raises(PresetUnusable, match="'Night' already"):
        presets.save("NIGHT", FIELDS, "", tmp_path)


@pytest.mark.parametrize(
    "fields",
    [{}, {"prompt": ""}, {"prompt": "x", "bars": 0}, {"prompt": "x", "bpm": 5}, {"prompt": "x", "sed": 1},
     {"prompt": "x", "bars": True}, {"prompt": "x", "key": "H"}, {"prompt": "a\nb"}, {"prompt": 3}],
)  # fmt: skip
def test_what_makes_no_request_is_not_saved(tmp_path: Path, fields: dict[str, Any]) -> None:
    with pytest.raises(PresetUnusable, match="preset bad"):
        presets.save("bad", fields, "", tmp_path / "own")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", "utf-8")
    with pytest.raises(OutputUnwritable, match="file"):
        presets.save("x", FIELDS, "", tmp_path / "file" / "own")


def test_files_with_other_names_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "schön.toml").write_text('prompt = "x"', "utf-8")
    (tmp_path / ".hidden.toml").write_text('prompt = "x"', "utf-8")
    assert presets.names(tmp_path) == presets.names()


@given(st.text(max_size=80), st.text(max_size=80))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_comes_back(tmp_path: Path, prompt: str, description: str) -> None:
    try:
        saved = presets.save("any", {"prompt": prompt}, description, tmp_path)
    except PresetUnusable:
        assert not prompt or any(ord(c) < 32 for c in prompt)
        return
    assert presets.load("any", tmp_path) == saved
    assert (saved.fields["prompt"], saved.description) == (prompt, description)
