"""``loopgen presets`` as its user meets it: real processes, a real editor's place taken by a small program."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from loopgen import presets
from loopgen.cli import build_parser
from loopgen.cli.editor import edited
from tests.cli.programs import environment, loopgen


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "presets"


def shown(*arguments: object, folder: Path, status: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(loopgen("presets", *arguments, "--json", folder=folder, status=status).stdout)
    return found


def test_they_are_listed_by_words_and_tags(tmp_path: Path, own: Path) -> None:
    presets.save("Night Drive", {"prompt": "synthwave", "bpm": "101.3"}, "for the motorway", own, tags=["car"])
    everything = shown(folder=tmp_path)
    assert everything == shown("list", folder=tmp_path)
    assert {preset["name"] for preset in everything["presets"]} == {*presets.names(), "Night Drive"}
    assert len(presets.names()) >= 32
    assert [preset["name"] for preset in shown("list", "MOTOR", "night", folder=tmp_path)["presets"]] == ["Night Drive"]
    tagged = shown("list", "--tag", "techno", "--tag", "acid", folder=tmp_path)["presets"]
    assert [preset["name"] for preset in tagged] == ["acid-techno"]
    assert [preset["own"] for preset in shown("list", "--own", folder=tmp_path)["presets"]] == [True]
    assert shown("--tag", "acid", folder=tmp_path) == shown("list", "--tag", "acid", folder=tmp_path)
    assert "No preset fits." in loopgen("presets", "list", "nothing", "like", "it", folder=tmp_path).stdout


def test_one_is_shown_in_short_and_in_full(tmp_path: Path) -> None:
    for words in (("dub-techno",), ("show", "dub-techno")):
        told = loopgen("presets", *words, folder=tmp_path).stdout
        assert "bpm          124" in told and "dub-techno.toml" in told
    assert shown("dub-techno", folder=tmp_path)["presets"][0]["bpm"] == "124"
    assert "did you mean 'dub-techno'" in loopgen("presets", "dub-tecno", folder=tmp_path, status=2).stderr


def test_a_sound_is_saved_from_fields_and_from_another_preset(tmp_path: Path, own: Path) -> None:
    words = ("prompt=acid techno", "bpm=132,5", "key=set", "tags=acid, dark", "count_in=yes", "top_k=100", "bars=8")
    loopgen("presets", "save", "mine", *words, folder=tmp_path)
    mine = presets.load("mine", own)
    assert dict(mine.fields) == {
        "prompt": "acid techno", "bpm": "132,5", "key": "set", "count_in": True, "top_k": 100, "bars": 8,
    }  # fmt: skip
    assert mine.tags == ("acid", "dark")
    refused = loopgen("presets", "save", "mine", "prompt=x", folder=tmp_path, status=2).stderr
    assert "you have a preset 'mine' already; --force" in refused
    loopgen("presets", "save", "mine", "--from", "mine", "bpm=", "description=new", "--force", folder=tmp_path)
    again = presets.load("mine", own)
    assert "bpm" not in again.fields and again.description == "new" and again.tags == mine.tags


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("save", "x"), "no sound to keep"),
        (("save", "--from", "x.wav"), "arguments are required: NAME ("),
        (("remove", "mine"), "invalid choice: 'remove' (choose from "),
        (("save", "x", "prompt=x", "bars=four"), "bars = 'four' is of the wrong type; give a whole number"),
        (("save", "x", "promt=x"), "did you mean 'prompt'"),
        (("save", "x", "house"), "no field=value"),
        (("save", "../x", "prompt=x"), "preset: '../x'"),
        (("save", "schön", "prompt=x"), "letters from a to z"),
        (("save", "x", "--from", "gone.wav"), "gone.wav is not there"),
        (("delete", "dub-techno"), "comes with loopgen"),
        (("export",), "no presets of your own"),
        (("import", "gone.toml"), "gone.toml cannot be read: No such file or directory\n"),
        (("edit", "nothing"), "there is no preset 'nothing'"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    done = loopgen("presets", *words, folder=tmp_path, status=2)
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_loop_becomes_a_preset_and_is_made_again(tmp_path: Path, own: Path) -> None:
    made = json.loads(
        loopgen(
            "generate", "dub techno", "--bpm", "123.4", "--bars", 1, "--chords", "Am", "--longest-fade", 30, "--json",
            "-o", "loop.wav", folder=tmp_path,
        ).stdout
    )  # fmt: skip
    kept = shown("save", "kept", "--from", "loop.wav", "description=good", folder=tmp_path)
    assert kept["notes"] == []
    fields = presets.load("kept", own).fields
    assert dict(fields) == {
        "prompt": "dub techno", "bpm": "123.4", "bars": 1, "meter": "4/4", "key": made["key"], "chords": "Am",
        "longest_fade": 30.0,
    }  # fmt: skip
    again = ("generate", "--preset", "kept", "--seed", made["seed"], "--json", "-o", "again.wav")
    assert json.loads(loopgen(*again, folder=tmp_path).stdout)["bpm"] == 123.4
    assert (tmp_path / "again.wav").stat().st_size == (tmp_path / "loop.wav").stat().st_size
    other = json.loads(loopgen(*again[:5], "--bpm", 90, "--chords", "", "--json", folder=tmp_path).stdout)
    assert (other["bpm"], other["key"]) == (90.0, made["key"])
    sidecar = json.loads((tmp_path / other["path"]).with_suffix(".json").read_text("utf-8"))
    assert sidecar["request"]["melody"] is None


def editor(tmp_path: Path, code: str) -> dict[str, str]:
    """An environment whose editor runs ``code`` on the file, named ``path`` there."""
    program = tmp_path / "edit or.py"
    program.write_text(f"import sys, pathlib\npath = pathlib.Path(sys.argv[1])\n{code}\n", "utf-8")
    return environment(tmp_path) | {"VISUAL": "", "EDITOR": f'"{sys.executable}" "{program}"'}


def edit(name: str, tmp_path: Path, code: str, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "loopgen", "presets", "edit", name, *more]
    there = editor(tmp_path, code) | {"TMPDIR": str(tmp_path), "TEMP": str(tmp_path), "TMP": str(tmp_path)}
    return subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=there, stdin=subprocess.DEVNULL, check=False
    )


def test_a_factory_preset_that_is_edited_becomes_ones_own(tmp_path: Path, own: Path) -> None:
    code = "path.write_text(path.read_text('utf-8').replace('\"124\"', '\"125.5\"  # faster'), 'utf-8')"
    done = edit("dub-techno", tmp_path, code)
    assert done.returncode == 0, done.stderr
    assert "is your own now" in done.stderr
    assert (presets.load("dub-techno", own).own, presets.load("dub-techno", own).fields["bpm"]) == (True, "125.5")
    assert '"125.5"  # faster' in (own / "dub-techno.toml").read_text("utf-8")
    assert presets.load("dub-techno").fields["bpm"] == "124"
    assert not [*tmp_path.glob("loopgen-edit-*")]
    loopgen("presets", "delete", "dub-techno", folder=tmp_path)
    assert presets.load("dub-techno", own) == presets.load("dub-techno")


def test_the_editor_finds_the_schema_beside_the_copy(tmp_path: Path) -> None:
    code = (
        "import json\nfirst = path.read_text('utf-8').splitlines()[0]\n"
        "assert first.startswith('#:schema ')\njson.loads((path.parent / first.split(' ', 1)[1]).read_text('utf-8'))"
    )
    done = edit("dub-techno", tmp_path, code, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["changed"] is False


def test_what_is_unsound_is_not_taken_over_and_not_lost(tmp_path: Path, own: Path) -> None:
    done = edit("dub-techno", tmp_path, "path.write_text('promt = 1\\nbars = 0', 'utf-8')")
    assert done.returncode == 2
    for words in ("nothing was changed", "did you mean 'prompt'", "bars: 0", "no prompt"):
        assert words in done.stderr
    copy = Path(done.stderr.strip().rpartition("What you wrote is in ")[2])
    assert copy.read_text("utf-8") == "promt = 1\nbars = 0"
    assert not own.exists()


def test_the_editor_opens_again_until_the_text_is_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = """path.write_text("prompt = 'y'" if "bad" in path.read_text("utf-8") else "bad = 1", "utf-8")"""
    for name, value in editor(tmp_path, code).items():
        monkeypatch.setenv(name, value)
    asked: list[str] = []

    def answer(words: str) -> str:
        asked.append(words)
        return ""

    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", answer)
    assert edited("x.toml", 'prompt = "x"', {}, presets.problems) == "prompt = 'y'"
    assert len(asked) == 1


def test_an_editor_that_fails_changes_nothing(tmp_path: Path, own: Path) -> None:
    done = edit("dub-techno", tmp_path, "path.write_text('prompt = \"x\"')\nsys.exit(3)")
    assert (done.returncode, own.exists()) == (2, False)
    assert "ended with status 3" in done.stderr
    there = environment(tmp_path) | {"VISUAL": "no-such-editor", "EDITOR": ""}
    command = [sys.executable, "-m", "loopgen", "presets", "edit", "trap"]
    missing = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=there, check=False)
    assert missing.returncode == 2
    assert "'no-such-editor' cannot be run" in missing.stderr
    half = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=there | {"VISUAL": "'edit"}, check=False
    )
    assert half.returncode == 2
    assert "has a quote without its other" in half.stderr and half.stderr.count("\n") == 1


def test_presets_are_passed_on(tmp_path: Path, own: Path) -> None:
    loopgen("presets", "save", "mine", "prompt=house", folder=tmp_path)
    told = shown("export", "-o", "out", folder=tmp_path)
    assert [Path(path) for path in told["files"]] == [Path("out/mine.toml")]
    again = loopgen("presets", "export", "mine", "-o", "out", folder=tmp_path, status=2).stderr
    assert "is there already; --force overwrites" in again
    loopgen("presets", "export", "trap", "-o", "out/deep-house.toml", folder=tmp_path)
    assert "already" in loopgen("presets", "import", "out", folder=tmp_path, status=2).stderr
    loopgen("presets", "delete", "mine", folder=tmp_path)
    done = loopgen("presets", "import", "out", folder=tmp_path)
    assert "your 'deep-house' hides the one that comes with loopgen" in done.stderr
    assert presets.names(own) == sorted({*presets.names(), "mine"})
    assert "trap" in presets.load("deep-house", own).fields["prompt"]


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path, own: Path) -> None:
    assert f"{len(presets.names())} presets are sound." in loopgen("presets", "check", folder=tmp_path).stdout
    own.mkdir()
    (own / "a.toml").write_text('promt = "x"\nbars = 0\n', "utf-8")
    (own / "b.toml").write_text('prompt = "x"\nversion = 3\n', "utf-8")
    done = loopgen("presets", "check", folder=tmp_path, status=2)
    for words in ("did you mean 'prompt'", "bars: 0", "of version 3", "a.toml:", "b.toml:"):
        assert words in done.stdout
    assert f"2 of {len(presets.names()) + 2} presets" in done.stderr
    told = shown("check", str(own), "trap", folder=tmp_path, status=2)
    assert [(Path(one["path"]).stem, one["sound"]) for one in told["presets"]] == [
        ("a", False), ("b", False), ("trap", True),
    ]  # fmt: skip
    assert len(told["presets"][0]["problems"]) == 3


def test_every_field_can_be_overridden() -> None:
    options = build_parser().parse_args(["generate", "--preset", "trap"])
    assert all(getattr(options, name) is None for name in presets.FIELDS)


def test_the_schema_is_printed_and_written(tmp_path: Path) -> None:
    printed = loopgen("presets", "schema", folder=tmp_path).stdout
    assert json.loads(printed) == presets.schema()
    loopgen("presets", "schema", "-o", "there.json", folder=tmp_path)
    assert (tmp_path / "there.json").read_text("utf-8") == printed


def test_the_help_tells_every_field(tmp_path: Path) -> None:
    told = loopgen("presets", "save", "--help", folder=tmp_path).stdout
    for name in presets.KEYS:
        assert name == "version" or f"  {name}" in told
    assert all(f"  {action}" in loopgen("presets", "--help", folder=tmp_path).stdout for action in ("edit", "import"))


def test_a_preset_saved_over_a_commented_one_keeps_the_comments(tmp_path: Path, own: Path) -> None:
    own.mkdir()
    (own / "mine.toml").write_text('# slow\nprompt = "dub"  # wide\n', "utf-8")
    loopgen("presets", "save", "mine", "--from", "mine", "bars=2", "--force", folder=tmp_path)
    text = (own / "mine.toml").read_text("utf-8")
    assert "# slow\n" in text and 'prompt = "dub"  # wide' in text
    assert tomllib.loads(text) == {"prompt": "dub", "version": 2, "bars": 2}
