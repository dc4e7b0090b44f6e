"""The build: the same bytes from the same sources, and what is in them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from loopgen.errors import InputError, LoopgenError
from max4live import amxd, bundle, patch
from max4live.__main__ import main
from max4live.build import build
from max4live.bundle import SRC

ROOT = Path(__file__).parent.parent.parent


def copy(folder: Path, *, windows: bool = False) -> Path:
    """The sources in another folder, with the line ends of a checkout on Windows if asked for."""
    folder.mkdir(exist_ok=True)
    for path in SRC.iterdir():
        if path.is_file():
            data = path.read_bytes()
            (folder / path.name).write_bytes(data.replace(b"\n", b"\r\n") if windows else data)
    return folder


@pytest.mark.parametrize("frozen", [True, False])
def test_the_same_sources_give_the_same_bytes(tmp_path: Path, frozen: bool) -> None:
    expected = build(frozen=frozen)
    assert build(frozen=frozen, folder=copy(tmp_path / "copy")) == expected
    assert build(frozen=frozen, folder=copy(tmp_path / "w", windows=True)) == expected
    assert b"\r" not in b"".join(expected.values())


def test_the_same_bytes_in_another_process_and_place(tmp_path: Path) -> None:
    """Neither the order of sets, nor the time, the place or the language of the machine comes in."""
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "TZ": "Asia/Tokyo", "LC_ALL": "C"}
        command = [sys.executable, "-m", "max4live", "build", "-o", seed]
        subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=60)
    (expected,) = build().values()
    assert (tmp_path / "1" / "Loopgen.amxd").read_bytes() == expected
    assert (tmp_path / "2" / "Loopgen.amxd").read_bytes() == expected


def test_unfrozen_the_script_lies_beside_the_device() -> None:
    files = build(frozen=False)
    assert list(files) == ["Loopgen.amxd", "loopgen.device.js"]
    assert files["loopgen.device.js"].decode() == bundle.bundle()
    assert amxd.from_bytes(files["Loopgen.amxd"]).files == {}


def test_frozen_everything_is_inside() -> None:
    (data,) = build().values()
    device = amxd.from_bytes(data)
    assert device.kind == "aaaa"
    assert device.name == "Loopgen.amxd"
    assert {name: text.decode() for name, text in device.files.items()} == {"loopgen.device.js": bundle.bundle()}
    unfrozen = amxd.from_bytes(build(frozen=False)["Loopgen.amxd"])
    assert device.patch == unfrozen.patch


def test_the_patch_lists_what_it_needs_and_not_where_it_was_built() -> None:
    (data,) = build().values()
    cache = amxd.from_bytes(data).patch["patcher"]["dependency_cache"]
    assert cache == [{"name": "loopgen.device.js", "patcherrelativepath": ".", "type": "TEXT", "implicit": 1}]
    assert b"bootpath" not in data
    assert str(ROOT).encode() not in data
    assert str(Path.home()).encode() + b"/" not in data


def test_the_rest_of_the_patch_is_as_its_source_says() -> None:
    (data,) = build().values()
    built = amxd.from_bytes(data).patch["patcher"]
    source = patch.load()["patcher"]
    assert {**built, "dependency_cache": []} == {**source, "dependency_cache": []}


def test_a_file_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copy(tmp_path / "src")
    content = patch.load()
    logo = {"id": "obj-999", "maxclass": "fpic", "numinlets": 1, "numoutlets": 1, "pic": "logo.png"}
    content["patcher"]["boxes"].append({"box": logo})
    monkeypatch.setattr(patch, "load", lambda source: content)
    with pytest.raises(InputError, match=r"logo\.png.*add the file"):
        build(folder=folder)
    (folder / "logo.png").write_bytes(b"\x89PNG\r\n")
    files = build(frozen=False, folder=folder)
    assert files["logo.png"] == b"\x89PNG\r\n"  # only text gets other line ends
    device = amxd.from_bytes(build(folder=folder)["Loopgen.amxd"])
    assert device.files.keys() == {"logo.png", "loopgen.device.js"}
    assert [entry["type"] for entry in device.patch["patcher"]["dependency_cache"]] == ["PNG", "TEXT"]


def test_wrong_sources_are_errors_in_words(tmp_path: Path) -> None:
    folder = copy(tmp_path / "src")
    (folder / "main.js").unlink()
    with pytest.raises(LoopgenError, match=r"main\.js"):
        build(folder=folder)


# ---------------------------------------------------------------- python -m max4live


def test_build_and_check_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "--unfrozen", "-o", str(tmp_path / "new" / "folder")]) == 0
    device = tmp_path / "new" / "folder" / "Loopgen.amxd"
    assert f"{device}  {device.stat().st_size} bytes\n" in capsys.readouterr().out
    assert main(["check", str(device)]) == 0
    assert capsys.readouterr().out == f"{device}: no problems\n"
    (device.parent / "loopgen.device.js").unlink()
    assert main(["check", str(device)]) == 1
    assert capsys.readouterr().out == (
        f"{device}: the patch refers to loopgen.device.js, which is not there\n{device}: 1 problem\n"
    )
    assert main(["check"]) == 0
    assert capsys.readouterr().out == "Loopgen.amxd, frozen: no problems\nLoopgen.amxd, unfrozen: no problems\n"


def test_what_cannot_be_read_or_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "none.amxd")]) == 2
    assert "none.amxd cannot be read" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert main(["build", "-o", str(tmp_path / "file")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_the_picture_is_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "docs" / "device.png"
    assert main(["picture", str(file)]) == 0
    assert file.read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().out == f"{file}\n"
