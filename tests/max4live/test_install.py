"""Finding Live's User Library, and putting the device there, on folders as Live makes them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import platformdirs
import pytest

from loopgen.errors import InputError, OutputUnwritable
from max4live import install
from max4live.build import build
from max4live.install import System

CONFIG = """<?xml version="1.0" encoding="UTF-8"?>
<Ableton MajorVersion="5" MinorVersion="12.0_12049" Creator="Ableton Live 12.1.5" Revision="0">
  <ContentLibrary>
    <UserLibrary>
      <LibraryProject Id="0">
        <ProjectLocation />
        <ProjectName Value="{name}" />
        <ProjectPath Value="{path}" />
      </LibraryProject>
    </UserLibrary>
    <UserFolderInfoList>
      <UserFolderInfo Id="1" Path="/elsewhere" DisplayName="Loops" />
    </UserFolderInfoList>
  </ContentLibrary>
</Ableton>
"""
"""What Live's Library.cfg looks like, as others have found it."""


def library(folder: Path) -> Path:
    """A User Library as Live makes it."""
    for name in ("Ableton Folder Info", "Clips", "Defaults", "Presets", "Samples", "Templates"):
        (folder / name).mkdir(parents=True)
    return folder


def note(system: System, version: str, path: object, name: str = "User Library", *, windows: bool = False) -> Path:
    """A version's note of where its User Library is."""
    folder = system.preferences / f"Live {version}" / ("Preferences" if windows else "")
    folder.mkdir(parents=True)
    file = folder / "Library.cfg"
    file.write_text(CONFIG.format(path=path, name=name), encoding="utf-8")
    return file


@pytest.fixture
def system(tmp_path: Path) -> System:
    return System(tmp_path / "Preferences" / "Ableton", tmp_path / "Music" / "Ableton" / "User Library")


def test_the_default_folder_where_live_has_noted_nothing(system: System) -> None:
    library(system.default)
    assert install.find(system) == (system.default, "where Live makes it")


@pytest.mark.parametrize("windows", [True, False])
def test_a_library_that_was_moved(system: System, tmp_path: Path, windows: bool) -> None:
    library(system.default)
    moved = library(tmp_path / "Größe & Co" / "User Library")
    file = note(system, "12.1.5", str(moved.parent).replace("&", "&amp;"), windows=windows)
    assert install.find(system) == (moved, f"Live 12.1.5 ({file})")


def test_a_library_under_another_name(system: System, tmp_path: Path) -> None:
    moved = library(tmp_path / "disk" / "My Library")
    note(system, "12.1", moved.parent, "My Library")
    assert install.find(system)[0] == moved


def test_a_note_of_the_library_itself(system: System, tmp_path: Path) -> None:
    moved = library(tmp_path / "disk" / "My Library")
    note(system, "12.1", moved, "")
    assert install.find(system)[0] == moved
    note(system, "12.2", moved, "User Library")
    assert install.find(system)[0] == moved


def test_the_newest_live_is_asked_first(system: System, tmp_path: Path) -> None:
    folders = {}
    for version in ("9.7", "12.2b5", "12.2", "12.10", "12.9.1", "11.3.20"):
        folders[version] = library(tmp_path / version / "User Library")
        note(system, version, folders[version].parent)
    note(system, "Reports", tmp_path)
    order = [place.folder for place in install.places(system)]
    newest_first = [folders[version] for version in ("12.10", "12.9.1", "12.2", "12.2b5", "11.3.20", "9.7")]
    assert order == [*newest_first, system.default]
    assert install.find(system)[0] == folders["12.10"]


@pytest.mark.parametrize("content", [b"", b"\x05\xaa\xffnot XML", b"<Ableton />", CONFIG[:300].encode()])
def test_a_note_that_cannot_be_read_is_passed_over(system: System, tmp_path: Path, content: bytes) -> None:
    old = library(tmp_path / "old" / "User Library")
    note(system, "11.3", old.parent)
    note(system, "12.1", old.parent).write_bytes(content)
    assert install.find(system)[0] == old
    first = next(install.places(system))
    assert first.folder is None
    assert first.problem


def test_a_drive_that_is_not_connected_is_told(system: System, tmp_path: Path) -> None:
    """The default folder may be there still: Live would see nothing in it."""
    library(system.default)
    note(system, "12.1", tmp_path / "Volumes" / "Disk")
    with pytest.raises(InputError, match=r"Live 12\.1.*Disk.*no such folder.*Connect the drive.*--user-library"):
        install.find(system)


def test_live_without_a_library_is_told(system: System) -> None:
    system.default.parent.mkdir(parents=True)
    with pytest.raises(InputError, match=r"no such folder.*Start Live once.*--user-library"):
        install.find(system)
    system.default.write_text("")
    with pytest.raises(InputError, match="it is a file"):
        install.find(system)
    system.default.unlink()
    system.default.mkdir()
    with pytest.raises(InputError, match="none of the folders that Live makes"):
        install.find(system)


def test_where_live_does_not_run_it_is_told(tmp_path: Path) -> None:
    assert install.this_system("linux", {}, tmp_path) is None
    assert list(install.places(None)) == []
    with pytest.raises(InputError, match=r"does not run on this system.*--user-library"):
        install.find(None)


def test_the_folders_of_each_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert install.this_system("darwin", {}, tmp_path) == System(
        tmp_path / "Library" / "Preferences" / "Ableton", tmp_path / "Music" / "Ableton" / "User Library"
    )
    documents = tmp_path / "OneDrive" / "Dokumente"  # where Windows says that they are
    monkeypatch.setattr(platformdirs, "user_documents_path", lambda: documents)
    expected = documents / "Ableton" / "User Library"
    assert install.this_system("win32", {"APPDATA": str(tmp_path / "R")}, tmp_path) == System(
        tmp_path / "R" / "Ableton", expected
    )
    assert install.this_system("win32", {}, tmp_path) == System(tmp_path / "AppData" / "Roaming" / "Ableton", expected)
    if sys.platform in ("darwin", "win32"):
        assert install.this_system() is not None


def test_a_folder_that_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = library(tmp_path / "User Library")
    assert install.given(folder) == folder
    monkeypatch.chdir(tmp_path)
    assert install.given(Path("User Library")) == folder


def test_a_given_folder_that_is_no_library_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder; Live shows its folder in Settings"):
        install.given(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="it is a file, not a folder"):
        install.given(tmp_path / "file")
    with pytest.raises(InputError, match=r"no such folder|it cannot be looked into"):
        install.given(tmp_path / "file" / "User Library")
    inner = library(tmp_path / "Ableton" / "User Library")
    with pytest.raises(InputError, match="did you mean") as caught:
        install.given(tmp_path / "Ableton")
    assert str(inner) in str(caught.value)


def test_install_and_install_again(tmp_path: Path) -> None:
    folder = library(tmp_path / "User Library")
    place = folder / "Presets" / "Audio Effects" / "Max Audio Effect"
    done = install.install(folder)
    assert done == install.Installed((place / "Loopgen.amxd",), (), False)
    assert (place / "Loopgen.amxd").read_bytes() == build()["Loopgen.amxd"]
    (place / "Loopgen.amxd").write_bytes(b"an old one")
    assert install.install(folder).replaced
    assert (place / "Loopgen.amxd").read_bytes() == build()["Loopgen.amxd"]
    assert [path.name for path in place.iterdir()] == ["Loopgen.amxd"]


def test_unfrozen_its_script_comes_and_goes(tmp_path: Path) -> None:
    folder = library(tmp_path / "User Library")
    place = folder / install.PLACE
    done = install.install(folder, frozen=False)
    assert {path.name: path.read_bytes() for path in done.files} == build(frozen=False)
    (place / "other.js").write_text("somebody else's")
    done = install.install(folder)
    assert done == install.Installed((place / "Loopgen.amxd",), (place / "loopgen.device.js",), True)
    assert sorted(path.name for path in place.iterdir()) == ["Loopgen.amxd", "other.js"]


def test_a_file_in_the_place_of_a_folder_is_told(tmp_path: Path) -> None:
    folder = library(tmp_path / "User Library")
    (folder / "Presets" / "Audio Effects").write_text("")
    with pytest.raises(OutputUnwritable, match="Audio Effects"):
        install.install(folder)


def test_a_folder_in_the_place_of_the_device_is_told(tmp_path: Path) -> None:
    folder = library(tmp_path / "User Library")
    (folder / install.PLACE / "Loopgen.amxd" / "x").mkdir(parents=True)
    with pytest.raises(OutputUnwritable, match=r"Loopgen\.amxd"):
        install.install(folder)
    assert [path.name for path in (folder / install.PLACE).iterdir()] == ["Loopgen.amxd"]


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_library_that_is_not_writable_is_told(tmp_path: Path) -> None:
    folder = library(tmp_path / "User Library")
    (folder / "Presets").chmod(0o500)
    try:
        with pytest.raises(OutputUnwritable, match="no permission"):
            install.install(folder)
    finally:
        (folder / "Presets").chmod(0o700)


def test_a_disk_that_refuses_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = library(tmp_path / "User Library")

    def refuse(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OutputUnwritable, match="no permission to write here"):
        install.install(folder)
