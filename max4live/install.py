"""Where Live keeps what is the user's own, and putting the device there.

The User Library is a folder that Live lets the user move. Live notes where it is in ``Library.cfg``, XML in the
preferences of each of its versions: ``UserLibrary/LibraryProject`` holds a ``ProjectPath`` and, in it, a
``ProjectName``. Ableton does not document that file, so what it says is held against the folders that there are.
"""

from __future__ import annotations

import os
import re
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from loopgen.errors import InputError
from loopgen.files import make_folder, unwritable, write_whole
from max4live import amxd, bundle
from max4live.build import build

PLACE = Path("Presets", "Audio Effects", "Max Audio Effect")
"""Where in a User Library Live's browser looks for audio effects made with Max."""

GIVE = "give it with --user-library (Live: Settings > Library > Location of User Library)"

_SIGNS = ("Ableton Folder Info", "Presets", "Clips", "Defaults", "Samples", "Templates")
"""Folders of which every User Library has some: Live makes them."""

_DEFAULT = "where Live makes it"
_VERSION = re.compile(r"Live (\d+(?:\.\d+)*)(b\d+)?")


@dataclass(frozen=True, slots=True)
class System:
    """The folders of one user, on one system, that tell where Live keeps things."""

    preferences: Path
    """Live's folder of preferences, with one folder for each version."""
    default: Path
    """Where Live makes the User Library when it is first started."""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder that may be Live's User Library, who says so, and what speaks against it (nothing: empty).

    Where Live's own note cannot be read, ``folder`` is None.
    """

    folder: Path | None
    source: str
    problem: str


@dataclass(frozen=True, slots=True)
class Installed:
    """What ``install`` did: the files there now, those that it took away, and whether a device was replaced."""

    files: tuple[Path, ...]
    removed: tuple[Path, ...]
    replaced: bool


def this_system(
    platform: str = sys.platform, environ: Mapping[str, str] = os.environ, home: Path | None = None
) -> System | None:
    """The folders of this machine's user; None where Live does not run.

    Windows lets the user move Documents, so that the system is asked where it is.
    """
    home = home or Path.home()
    if platform == "darwin":
        return System(home / "Library/Preferences/Ableton", home / "Music/Ableton/User Library")
    if platform == "win32":
        import platformdirs

        roaming = Path(environ.get("APPDATA") or home / "AppData/Roaming")
        return System(roaming / "Ableton", platformdirs.user_documents_path() / "Ableton/User Library")
    return None


def places(system: System | None) -> Iterator[Place]:
    """Where the User Library may be, the likeliest first: as the newest Live notes it, older ones, the default."""
    if system is None:
        return
    for version, file in _notes(system.preferences):
        source = f"Live {version} ({file})"
        try:
            folder = _noted(file)
        except InputError as error:
            yield Place(None, source, str(error))
            continue
        yield Place(folder, source, problem(folder))
    yield Place(system.default, _DEFAULT, problem(system.default))


def find(system: System | None) -> tuple[Path, str]:
    """The User Library that the newest Live uses, and who says so; raises ``InputError`` where none can be found.

    A folder that the newest Live notes and that is not there is an error: what is put elsewhere, Live would not see.
    """
    if system is None:
        raise InputError(f"Live does not run on this system, so its User Library was not looked for; {GIVE}")
    tried = []
    for place in places(system):
        if place.folder and not place.problem:
            return place.folder, place.source
        if place.folder and place.source != _DEFAULT:
            raise InputError(
                f"{place.source} says that its User Library is {place.folder}: {place.problem}. "
                f"Connect the drive that it is on, or {GIVE}"
            )
        tried.append(f"{place.folder or place.source}: {place.problem}")
    raise InputError(f"Live's User Library was not found ({'; '.join(tried)}). Start Live once, or {GIVE}")


def given(folder: Path) -> Path:
    """The folder that a user gave as the User Library, absolute; raises ``InputError`` where it cannot be one."""
    folder = folder.expanduser().absolute()
    if wrong := problem(folder):
        inner = folder / "User Library"
        advice = f"did you mean {inner}?" if not problem(inner) else "Live shows its folder in Settings > Library"
        raise InputError(f"{folder} cannot be used as Live's User Library: {wrong}; {advice}")
    return folder


def problem(folder: Path) -> str:
    """What speaks against a folder's being a User Library, in words; empty where nothing does."""
    try:
        if not folder.exists():
            return "there is no such folder"
        if not folder.is_dir():
            return "it is a file, not a folder"
        if not any((folder / sign).is_dir() for sign in _SIGNS):
            return f"it has none of the folders that Live makes in it ({', '.join(_SIGNS[1:])})"
    except OSError as error:
        return f"it cannot be looked into ({error.strerror or error})"
    return ""


def _notes(preferences: Path) -> list[tuple[str, Path]]:
    """Version and ``Library.cfg`` of each Live that has one, the newest first; a release is newer than its betas."""
    found = []
    try:
        folders = list(preferences.iterdir())
    except OSError:
        return []
    for folder in folders:
        if match := _VERSION.fullmatch(folder.name):
            numbers = [int(number) for number in match[1].split(".")]
            beta = int(match[2][1:]) if match[2] else sys.maxsize
            files = [folder / "Preferences" / "Library.cfg", folder / "Library.cfg"]  # Windows, macOS
            found += [((numbers, beta), folder.name.removeprefix("Live "), file) for file in files if file.is_file()]
    return [(version, file) for _, version, file in sorted(found, reverse=True)]


def _noted(file: Path) -> Path:
    """The User Library that a ``Library.cfg`` tells of; raises ``InputError`` where it tells of none."""
    try:
        project = ElementTree.fromstring(file.read_bytes()).find(".//UserLibrary/LibraryProject")
    except OSError as error:
        raise InputError(f"it cannot be read ({error.strerror or error})") from None
    except ElementTree.ParseError as error:
        raise InputError(f"it is no XML that can be read ({error})") from None
    path = _value(project, "ProjectPath")
    if not path:
        raise InputError("it tells of no User Library")
    folder = Path(path) / _value(project, "ProjectName")
    return Path(path) if problem(folder) and not problem(Path(path)) else folder


def _value(project: ElementTree.Element | None, name: str) -> str:
    element = None if project is None else project.find(name)
    return "" if element is None else element.get("Value", "")


def install(library: Path, *, frozen: bool = True) -> Installed:
    """Build the device and put it into a User Library; an earlier one is replaced.

    Raises ``OutputUnwritable`` where it cannot be written.
    """
    folder = library / PLACE
    files = {folder / name: data for name, data in build(frozen=frozen).items()}
    replaced = (folder / amxd.NAME).exists()
    make_folder(folder)
    write_whole(dict(sorted(files.items(), reverse=True)))  # the device last, when what it needs lies beside it
    removed = []
    script = folder / bundle.NAME
    if frozen and script.exists():  # of an unfrozen device of before: nobody would keep it up to date
        try:
            script.unlink()
        except OSError as error:
            raise unwritable(script, error) from None
        removed.append(script)
    return Installed(tuple(sorted(files)), tuple(removed), replaced)
