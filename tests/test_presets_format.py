"""A preset's file: what the reader takes the JSON Schema takes, versions migrate, comments stay."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from loopgen import presets
from loopgen.errors import PresetUnusable
from loopgen.music.chords import INTERVALS
from loopgen.music.key import SCALES
from loopgen.presets import reading
from loopgen.presets.reading import STEPS, migrated, read_text
from loopgen.presets.writing import DIRECTIVE


def _pattern(
    _: Any, pattern: str, instance: object, __: Mapping[str, Any]
) -> Iterator[jsonschema.ValidationError]:  # a schema's patterns are ECMA's, whose $ is the very end
    if isinstance(instance, str) and not re.search(pattern.removesuffix("$") + r"\Z", instance):
        yield jsonschema.ValidationError(f"{instance!r} does not match")


VALIDATOR = jsonschema.validators.extend(Draft202012Validator, {"pattern": _pattern})(  # type: ignore[no-untyped-call]
    presets.schema()
)

UNSAYABLE = re.compile(r"a loop may last 10|bpm: '[0-9 ]+/[0-9]+.* cannot be used")
"""What a schema cannot say: the two rules that ``presets.schema`` names."""


def verdicts(table: dict[str, Any]) -> tuple[bool, str]:
    """What the schema says of a table, and what the reader says, nothing where it takes it."""
    text = tomlkit.dumps(table)
    try:
        read_text("x", text)
    except PresetUnusable as error:
        return VALIDATOR.is_valid(tomllib.loads(text)), str(error)
    return VALIDATOR.is_valid(tomllib.loads(text)), ""


VALUES: dict[str, list[Any]] = {
    "version": [1, 2, 2.0, 0, 3, -1, True, "2", 1.5],
    "description": ["", "x", "two\nlines", "x" * 4000, "x" * 4001, 3],
    "tags": [[], ["house"], ["a b", "drum & bass"], ["a", "a"], ["a,b"], [" a"], ["a "], [""], ["x" * 32], ["x" * 33],
             ["a\n"], [1], "house", [str(k) for k in range(33)], ["ü"]],
    "licence": ["", "CC0-1.0", "a\nb", "x" * 201, 1],
    "prompt": ["dub", " dub", "", " ", "a\nb", "\tx", "x" * 2000, "x" * 2001, 1, "\u2003"],
    "bpm": ["127.9", "127,9", " 120 bpm", "20", "19.999", "999", "999.000", "999.1", "1000", "0120", "+120", "-120",
            "361/3", "5000/3", "10/1", "120/0", "1e2", "", "120.", "20." + "0" * 30, "\u0661\u0662\u0660", 20, 999,
            19.9, 127.9, 1000, 120.0, True, [120], "120 BPM", "120bpmx", "9/", "99.99"],
    "bars": [1, 256, 0, 257, 4.0, 4.5, True, "4"],
    "meter": ["4/4", " 3 / 4 ", "64/16", "65/4", "0/4", "4/3", "4/32", "04/4", "4", "4/4\n", 4],
    "key": ["Am", "set", "SET", "F# minor", "Bb", "d dorian", "A MINOR", "Harmonic Minor", "C harmonic minor", "H", "",
            " Am ", "Am\n", "E flat major", "f-sharp minor", "AM", "am", "C♯m", "A aeolian", 3],
    "chords": ["Am F C G", "N.C.", "N.C. Am", "% Am", "Am % %", "Am|F,C", "", "  ", "Hm", "Cmaj7/E", "F#m7b5", "C6/9",
               "C6/9/G", "N.C. N.C.", "r C", "Am" * 3, "Bb5", " ".join(["C"] * 256), " ".join(["C"] * 257), "Am\nF",
               "N.C", "N.C. %"],
    "follow": ["melody", "chords", "nothing", "Melody", "", 1],
    "engine": ["sketch", "auto", "musicgen:me/mine", "", "a b", "x" * 65, "musicgen:", "musicgen:a\nb", 1],
    "takes": [0, 16, 17, -1, 2.0, True, "2"],
    "temperature": [0, 1, 0.8, 10, 10.1, -1, True, "1"],
    "top_k": [0, 250, 2048, 2049, 1.5, True],
    "top_p": [0, 1, 0.5, 1.1],
    "guidance": [0, 3, 20, 21, "3"],
    "negative": ["", "vocals", "a\nb", "x" * 2001],
    "count_in": [True, False, 1, "true"],
    "stretcher": ["auto", "vocoder", "resample", "elastique", 1],
    "longest_fade": [0, 15, 240, 240.5, -1, True, "15"],
    "promt": ["x"],
    "seed": [3],
}  # fmt: skip


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in VALUES.items() for value in values])
def test_what_the_schema_takes_the_reader_takes_value_by_value(key: str, value: Any) -> None:
    takes, refusal = verdicts({"prompt": "x", key: value})
    assert takes == (not refusal) or (takes and UNSAYABLE.search(refusal)), refusal


def test_every_key_is_tried_with_good_and_bad_values() -> None:
    assert set(VALUES) >= set(presets.KEYS)
    for key in presets.KEYS:
        found = {not verdicts({"prompt": "x", key: value})[1] for value in VALUES[key]}
        assert found == {True, False}, key


_words = st.sampled_from([*"ABCDEFGHabcdefg#♯b♭ /%,|-.0123456789\t", *SCALES, *INTERVALS, "sharp", "bpm", "N.C."])
_texts = st.lists(_words, max_size=8).map("".join)
_tables = st.fixed_dictionaries(
    {"prompt": st.sampled_from(["dub", "house, 3/4"])},
    optional={
        key: st.one_of(st.sampled_from(values), _texts, st.floats(-10, 1100, width=32), st.integers(-3, 1100))
        for key, values in VALUES.items()
        if key not in ("prompt", "promt", "seed")
    },
)


@given(_tables)
@settings(max_examples=300, deadline=None)
def test_what_the_schema_takes_the_reader_takes(table: dict[str, Any]) -> None:
    takes, refusal = verdicts(table)
    assert takes == (not refusal) or (takes and UNSAYABLE.search(refusal)), refusal


def test_the_schema_is_one_and_lies_beside_the_factory_presets() -> None:
    Draft202012Validator.check_schema(presets.schema())
    text = (presets.folder() / presets.SCHEMA_FILE).read_text("utf-8")
    assert json.loads(text) == presets.schema()
    assert text == presets.schema_text(), (
        "python -m loopgen presets schema -o presets/preset.schema.json writes it anew"
    )


@pytest.mark.parametrize("name", presets.names())
def test_every_factory_preset_is_of_todays_version_and_tells_editors_its_schema(name: str) -> None:
    text = presets.file_of(name)[0].read_text("utf-8")
    assert text.startswith(DIRECTIVE + "\n")
    table = tomllib.loads(text)
    assert VALIDATOR.is_valid(table)
    assert table["version"] == presets.VERSION
    assert presets.load(name).tags and presets.load(name).licence == "CC0-1.0"


FIRST = 'description = "Deep chords"\nprompt = "dub techno"\nbpm = "124"\nkey = "Am"\ntemperature = 0.9\n'


def test_a_file_of_the_first_version_is_read_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "old.toml"
    path.write_text(FIRST, "utf-8")
    preset = presets.load("old", tmp_path)
    assert preset.description == "Deep chords"
    assert dict(preset.fields) == {"prompt": "dub techno", "bpm": "124", "key": "Am", "temperature": 0.9}
    assert read_text("old", "version = 1\n" + FIRST).fields == preset.fields


@pytest.mark.parametrize(
    ("version", "words"),
    [("3", "of version 3, and this loopgen knows versions up to 2; update loopgen"), ("0", "version = 0 cannot"),
     ("true", "version = True cannot"), ('"2"', "version = '2' cannot")],
)  # fmt: skip
def test_other_versions_are_refused_with_words(version: str, words: str) -> None:
    with pytest.raises(PresetUnusable, match=words):
        read_text("x", f"version = {version}\n{FIRST}")


def test_steps_are_taken_one_after_the_other() -> None:
    def third(table: dict[str, Any]) -> dict[str, Any]:
        return {("tempo" if key == "bpm" else key): value for key, value in table.items()}

    def fourth(table: dict[str, Any]) -> dict[str, Any]:
        return {**table, "tempo": f"{table['tempo']}.0"}

    steps = {**STEPS, 2: third, 3: fourth}
    for version in (1, 2):
        table = migrated({"version": version, "prompt": "x", "bpm": "124"}, steps=steps)
        assert table == {"version": 4, "prompt": "x", "tempo": "124.0"}
    assert migrated({"version": 3, "tempo": "9"}, steps=steps)["tempo"] == "9.0"
    with pytest.raises(PresetUnusable, match="of version 5"):
        migrated({"version": 5}, steps=steps)


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text('promt = "x"\nbars = 0\nkey = "H"\ntags = "dub"\nfollow = "all"\n', "utf-8")
    told = reading.problems(path)
    assert len(told) == 6
    for words in ("did you mean 'prompt'", "bars: 0", "key: 'H'", "tags = 'dub' is of the wrong type", "no prompt",
                  "follow: 'all' cannot be used; give one of melody, chords, nothing"):  # fmt: skip
        assert any(words in line for line in told), words
    with pytest.raises(PresetUnusable, match=r"\(and 5 more: `loopgen presets check` tells all\)"):
        presets.read(path)
    odd = tmp_path / "schön.toml"
    odd.write_text("prompt = ", "utf-8")
    assert ["its name" in reading.problems(odd)[0], "cannot be read" in reading.problems(odd)[1]] == [True, True]
    (tmp_path / "latin.toml").write_bytes('prompt = "schön"'.encode("latin-1"))
    assert reading.problems(tmp_path / "latin.toml") == [
        "cannot be read: it is no text in UTF-8; save it as such in your editor"
    ]
    assert reading.problems(tmp_path / "gone.toml") == ["cannot be read: No such file or directory"]


COMMENTED = """\
# for the night set
prompt = "dub techno"   # keep this
bpm = "124"
# darker than the others
key = "Am"
"""


def test_comments_stay_where_a_preset_is_saved_again(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(COMMENTED, "utf-8")
    presets.save("mine", {"prompt": "dub techno", "bpm": "126.5", "bars": 8}, "new", tmp_path, tags=["dub"])
    text = (tmp_path / "mine.toml").read_text("utf-8")
    for words in (
        "# for the night set",
        'prompt = "dub techno"   # keep this',
        "# darker",
        'bpm = "126.5"',
        "bars = 8",
    ):
        assert words in text
    assert "key" not in tomllib.loads(text)
    assert text.startswith(DIRECTIVE + "\n") and text.count("#:schema") == 1
    presets.save("mine", {"prompt": "dub"}, None, tmp_path)  # what nobody says of it stays
    again = presets.load("mine", tmp_path)
    assert (again.description, again.tags, dict(again.fields)) == ("new", ("dub",), {"prompt": "dub"})
    assert (tmp_path / "mine.toml").read_text("utf-8").count("#:schema") == 1


def test_the_schema_lies_where_the_line_says(tmp_path: Path) -> None:
    presets.save("mine", {"prompt": "dub"}, "", tmp_path)
    said = (tmp_path / "mine.toml").read_text("utf-8").splitlines()[0].removeprefix("#:schema ")
    assert json.loads((tmp_path / said).read_text("utf-8")) == presets.schema()
    assert presets.names(tmp_path).count("mine") == 1
