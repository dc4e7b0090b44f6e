"""``loopgen max4live`` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loopgen.cli import main
from max4live import install
from max4live.build import build
from tests.cli.programs import loopgen
from tests.max4live.test_install import library, note

DEVICE = Path("Presets", "Audio Effects", "Max Audio Effect", "Loopgen.amxd")


def said(capsys: pytest.CaptureFixture[str], *arguments: object, status: int = 0) -> tuple[str, str]:
    assert main(["max4live", *map(str, arguments)]) == status
    captured = capsys.readouterr()
    return captured.out, captured.err


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> install.System:
    """A machine on which Live was started once."""
    system = install.System(tmp_path / "Preferences", tmp_path / "Ableton" / "User Library")
    library(system.default)
    monkeypatch.setattr(install, "this_system", lambda: system)
    return system


def test_install_into_a_library_that_is_given(tmp_path: Path) -> None:
    folder = library(tmp_path / "User Library")
    done = loopgen("max4live", "install", "--user-library", folder, folder=tmp_path)
    assert done.stdout == f"{folder / DEVICE}\n"
    assert "--user-library" in done.stderr
    assert "loopgen serve" in done.stderr
    assert (folder / DEVICE).read_bytes() == build()["Loopgen.amxd"]


def test_install_where_live_has_its_library(live: install.System, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = said(capsys, "install")
    assert out == f"{live.default / DEVICE}\n"
    assert err.startswith("Installed in Live's User Library, found by: where Live makes it\n")
    _, err = said(capsys, "install")
    assert err.startswith("Replaced")
    assert "until it is opened again" in err
    said(capsys, "install", "--unfrozen")
    _, err = said(capsys, "install")
    assert f"Removed {(live.default / DEVICE).with_name('loopgen.device.js')}" in err


def test_install_for_machines(live: install.System, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = said(capsys, "install", "--unfrozen", "--json")
    device = live.default / DEVICE
    assert json.loads(out) == {
        "files": [str(device), str(device.with_name("loopgen.device.js"))],
        "removed": [],
        "replaced": False,
        "frozen": False,
        "user_library": str(live.default),
        "source": "where Live makes it",
    }
    assert err == ""


def test_where(live: install.System, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    moved = library(tmp_path / "disk" / "User Library")
    file = note(live, "12.1", moved.parent)
    note(live, "11.3", tmp_path / "gone")
    note(live, "12.0", tmp_path).write_bytes(b"")
    lines = said(capsys, "where")[0].splitlines()
    assert lines[0] == f"* {moved}  Live 12.1 ({file})"
    assert lines[1].startswith("  (no folder)  Live 12.0 (")
    assert lines[2].startswith(f"  {tmp_path / 'gone' / 'User Library'}  Live 11.3 (")
    assert lines[2].endswith("): there is no such folder")
    assert lines[3] == f"  {live.default}  where Live makes it"
    assert lines[4] == f"  {moved / DEVICE}  is not there yet: loopgen max4live install"
    said(capsys, "install")
    assert said(capsys, "where")[0].splitlines()[4] == f"  {moved / DEVICE}  is installed"
    shown: dict[str, Any] = json.loads(said(capsys, "where", "--json")[0])
    assert (shown["user_library"], shown["installed"], shown["problem"]) == (str(moved), True, "")
    assert [place["folder"] for place in shown["candidates"]][1] is None


def test_where_nothing_is_found(live: install.System, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in live.default.iterdir():
        folder.rmdir()
    out, err = said(capsys, "where", status=2)
    assert out.startswith(f"  {live.default}  where Live makes it: it has none of the folders")
    assert "--user-library" in err
    assert "installed" not in out
    out, _ = said(capsys, "where", "--json", status=2)
    assert json.loads(out)["user_library"] is None
    said(capsys, "install", status=2)


def test_where_of_a_folder_that_is_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = library(tmp_path / "User Library")
    assert said(capsys, "where", "--user-library", folder)[0].startswith(f"* {folder}  --user-library\n")


def test_build(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = said(capsys, "build", "-o", tmp_path / "out", "--unfrozen")
    paths = [Path(line) for line in out.splitlines()]
    assert {path.name: path.read_bytes() for path in paths} == build(frozen=False)
    out, _ = said(capsys, "build", "-o", tmp_path / "out", "--json")
    assert json.loads(out) == {"files": [str(tmp_path / "out" / "Loopgen.amxd")], "frozen": True}
    assert (tmp_path / "out" / "Loopgen.amxd").read_bytes() == build()["Loopgen.amxd"]


def test_what_is_wrong_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for arguments in (
        ("install", "--user-library", tmp_path / "none"),
        ("install", "--user-library", tmp_path / "file"),
        ("install", "--user-library", tmp_path),
        ("where", "--user-library", tmp_path),
        ("build", "-o", tmp_path / "file"),
        ("build",),
        ("remove",),
    ):
        done = loopgen("max4live", *arguments, folder=tmp_path, status=2)
        assert done.stderr.count("\n") == 1, done.stderr
        assert done.stdout == ""


def test_the_command_line_starts_without_it(tmp_path: Path) -> None:
    """Nothing of the device is loaded for the other commands."""
    import subprocess
    import sys

    program = "import sys, loopgen.cli; loopgen.cli.build_parser(); print([n for n in sys.modules if 'max4live' in n])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "['loopgen.cli.max4live']\n"
