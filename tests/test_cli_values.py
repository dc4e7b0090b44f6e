"""Settings, presets of one's own, chords and melodies, as the user of the command line meets them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import soundfile

from loopgen import presets
from loopgen.library import recall

ROOT = Path(__file__).parent.parent


def loopgen(*arguments: object, cwd: Path, status: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the program with a settings file of its own, ``cwd / "settings.toml"``."""
    command = [sys.executable, "-m", "loopgen", *map(str, arguments)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LOOPGEN_")}
    environment |= {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "LOOPGEN_SETTINGS": str(cwd / "settings.toml")}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, env=environment | variables, check=False, timeout=120
    )
    assert done.returncode == status, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    return done


def as_json(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(done.stdout)
    return shown


def test_settings_shows_values_origins_and_the_file(tmp_path: Path) -> None:
    shown = loopgen("settings", cwd=tmp_path).stdout
    assert f"{tmp_path / 'settings.toml'} (not there yet)" in shown
    (tmp_path / "settings.toml").write_text("rate = 48000\noutput = 'loops'", "utf-8")
    lines = loopgen("settings", cwd=tmp_path, LOOPGEN_PORT="12000").stdout.splitlines()
    rows = {line.split()[0]: line.split()[1:] for line in lines if line}
    assert rows["rate"] == ["48000", "file"]
    assert rows["port"] == ["12000", "LOOPGEN_PORT"]
    assert rows["engine"] == ["auto", "default"]
    assert "not there yet" not in "".join(lines)
    found = as_json(loopgen("settings", "--json", cwd=tmp_path))
    assert (found["file"], found["exists"]) == (str(tmp_path / "settings.toml"), True)
    assert found["settings"]["rate"] == {"value": 48_000, "origin": "file"}
    assert found["settings"]["output"] == {"value": str(tmp_path / "loops"), "origin": "file"}


def test_a_broken_settings_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("rat = 48000", "utf-8")
    for command in (("settings",), ("generate", "house"), ("presets",)):
        (line,) = loopgen(*command, cwd=tmp_path, status=2).stderr.splitlines()
        assert "no setting 'rat'; did you mean 'rate'?" in line
        assert str(tmp_path / "settings.toml") in line


def test_generate_starts_from_the_settings_and_flags_win(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("rate = 22050\nformat = 'flac'", "utf-8")
    arguments = ("generate", "house", "--bpm", 240, "--bars", 1, "--json")
    shown = as_json(loopgen(*arguments, cwd=tmp_path))
    assert (shown["rate"], Path(shown["path"]).suffix) == (22_050, ".flac")
    shown = as_json(loopgen(*arguments, "--rate", 32_000, "--format", "float", cwd=tmp_path))
    assert shown["rate"] == 32_000
    assert soundfile.info(str(tmp_path / shown["path"])).subtype == "FLOAT"
    shown = as_json(loopgen(*arguments, "-o", "named.wav", cwd=tmp_path))  # a name says its own format
    assert soundfile.info(str(tmp_path / "named.wav")).subtype == "PCM_24"
    assert "magic" in loopgen(*arguments[:-1], cwd=tmp_path, status=2, LOOPGEN_ENGINE="magic").stderr


def test_presets_of_ones_own_are_listed_and_used(tmp_path: Path) -> None:
    own = tmp_path / "presets"
    presets.save("Night Drive", {"prompt": "synthwave", "bpm": "101.3", "bars": 1, "key": "F#m"}, "mine", own)
    (own / "broken.toml").write_text("promt = 1", "utf-8")
    done = loopgen("presets", cwd=tmp_path)
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["Night", "Drive", "101.3", "mine", "(your", "own)"] in rows
    assert "dub-techno" in done.stdout
    assert "broken has an unknown key 'promt'" in done.stderr
    listed = as_json(loopgen("presets", "--json", cwd=tmp_path))
    assert listed["folder"] == str(own)
    assert {preset["name"] for preset in listed["presets"] if preset["own"]} == {"Night Drive"}
    shown = as_json(loopgen("generate", "--preset", "Night Drive", "--json", cwd=tmp_path))
    assert (shown["bpm"], shown["key"], shown["bars"]) == (101.3, "F#m", 1)
    assert "broken" in loopgen("generate", "--preset", "broken", cwd=tmp_path, status=2).stderr


def test_chords_are_played_and_remembered(tmp_path: Path) -> None:
    arguments = ("generate", "house, 3/4", "--bpm", 174, "--bars", 2, "--chords", "F#m7b5 | Bb/D", "--json")
    recipe = recall(tmp_path / as_json(loopgen(*arguments, cwd=tmp_path))["path"]).recipe
    assert recipe["request"]["melody_length"] == 6
    assert [(change["quarter"], change["chord"]) for change in recipe["engine"]["chords"]] == [
        (0, "F#m7b5"), (3, "Bb/D"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--chords", "Am Hm"), "chords: 'Hm' cannot be used"),
        (("--chords", "Am", "--melody", "A4"), "either chords or a melody"),
        (("--melody", "missing.wav"), "missing.wav does not exist"),
        (("--melody", "missing.mid"), "missing.mid does not exist"),
        (("--separate",), "--separate takes drums and bass out of a recording: give one with --melody"),
        (("--preview", "hear.mp3"), "preview: 'hear.mp3' cannot be used; give a file name ending in .wav"),
        (("--preview", "."), "preview: '.' cannot be used"),
        (("--preview", "settings.toml/hear.wav"), "settings.toml"),
    ],
)
def test_what_cannot_be_played_is_one_line(tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    (tmp_path / "settings.toml").write_text("", "utf-8")
    (line,) = loopgen("generate", "house", "--bpm", 120, *options, cwd=tmp_path, status=2).stderr.splitlines()
    assert words in line
    assert [path.name for path in tmp_path.iterdir()] == ["settings.toml"]


def test_a_preview_of_an_engine_that_cannot_be_heard_early_is_told(tmp_path: Path) -> None:
    done = loopgen("generate", "house", "--bpm", 120, "--bars", 1, "--preview", "hear.wav", "--json", cwd=tmp_path)
    assert as_json(done)["engine"] == "sketch"
    assert done.stderr == "note: sketch cannot be heard before it is done: nothing is written to hear.wav\n"
    assert not (tmp_path / "hear.wav").exists()
