"""Where a library's loops lie: its own folder, and folders and files that were added to it and stay where they are."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from loopgen.errors import InvalidRequest
from loopgen.files import make_folder, write_whole
from loopgen.library.find import HERE, TRASHED
from loopgen.library.marks import PRIVATE, holds_anything
from loopgen.library.takes import FOLDER

SUFFIXES = (".wav", ".flac")
TRASH = "trash"
_TAKE = re.compile("[0-9a-f]{32}")
_PASSED_OVER = ("previews",)
"""Folders that hold no loops, but what the server needs."""


@dataclass(frozen=True, slots=True)
class Added:
    """A folder or file elsewhere, and since when it is a part of the library (seconds since 1970)."""

    path: Path
    at: float


@dataclass(frozen=True, slots=True)
class Found:
    """An audio file on disk: its ``key`` in the index, and what tells whether it or its sidecar has changed.

    ``added`` is when it came into the library, in seconds since 1970, as are the others in nanoseconds.
    """

    key: str
    where: str
    size: int
    mtime: int
    sidecar: int
    state: int
    added: float

    @property
    def path(self) -> Path:
        """Where it lies."""
        return Path(self.where)


@dataclass(slots=True)
class Look:
    """What a look at all places has found.

    ``places`` are those that the library has. ``away`` are places that are not there or cannot be read: what was known
    to lie in them is away, not deleted. ``strays`` are JSON files beside which no audio lies.
    """

    places: list[Path]
    files: dict[str, Found] = field(default_factory=dict)
    away: list[Path] = field(default_factory=list)
    strays: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def key_of(path: Path, folder: Path) -> str:
    """A file's name in the index: relative in the library's folder, so that it can be moved, else absolute.

    >>> key_of(Path("/loops/a/b.wav"), Path("/loops"))
    'a/b.wav'
    """
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


def added_places(folder: Path) -> list[Added]:
    """The places that were added to a library."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        said = json.loads(_list_file(folder).read_text(encoding="utf-8"))
        return [Added(Path(str(each["path"])), float(each["at"])) for each in said["added"]]
    return []


def add_places(folder: Path, places: Iterable[Path]) -> list[Path]:
    """Make places parts of a library; returns those that were none. Raises ``OutputUnwritable``."""
    known = added_places(folder)
    inside = [folder, *(each.path for each in known)]
    new: list[Path] = []
    for place in places:
        if not any(place.is_relative_to(other) for other in (*inside, *new)):
            new.append(place)
    if new:
        at = datetime.now(UTC).timestamp()
        _write_places(folder, [*known, *(Added(place, at) for place in new)])
    return new


def drop_place(folder: Path, place: Path) -> bool:
    """Make a place no part of a library any more; returns whether it was one. Raises ``OutputUnwritable``."""
    known = added_places(folder)
    kept = [each for each in known if each.path != place]
    if len(kept) < len(known):
        _write_places(folder, kept)
    return len(kept) < len(known)


def _write_places(folder: Path, places: Iterable[Added]) -> None:
    said = [{"path": str(each.path), "at": each.at} for each in places]
    make_folder(folder / PRIVATE)
    write_whole({_list_file(folder): (json.dumps({"added": said}, indent=2) + "\n").encode()})


def _list_file(folder: Path) -> Path:
    return folder / PRIVATE / "added.json"


def look(folder: Path) -> Look:
    """Look at all places of a library; raises nothing."""
    added = added_places(folder)
    seen = Look([folder, *(place.path for place in added)])
    _walk(seen, folder, folder, None)
    if not seen.away and not holds_anything(folder):
        seen.away.append(folder)
    trash = folder / PRIVATE / TRASH
    if trash.is_dir():
        _walk(seen, trash, folder, None, TRASHED)
    for place in added:
        is_file = place.path.suffix.lower() in SUFFIXES and not place.path.is_dir()
        if not holds_anything(place.path.parent if is_file else place.path):
            seen.away.append(place.path)
        elif not is_file:
            _walk(seen, place.path, folder, place)
        else:
            with suppress(OSError):  # it was deleted
                found = found_at(place.path, folder, HERE, place)
                seen.files.setdefault(found.key, found)
    return seen


def _walk(seen: Look, place: Path, folder: Path, added: Added | None, state: int = HERE) -> None:
    try:
        with os.scandir(place) as scan:
            entries = [each for each in scan if not each.name.startswith(".")]
    except OSError as error:
        seen.away.append(place)
        seen.problems.append(f"{place} cannot be read ({error.strerror or error}): what is known of it is kept")
        return
    sidecars: dict[str, os.DirEntry[str]] = {}
    audio: list[tuple[str, os.DirEntry[str]]] = []
    for each in entries:
        stem, dot, ending = each.name.rpartition(".")
        if dot + ending.lower() in SUFFIXES and each.is_file():
            if not (place.name == FOLDER and _TAKE.fullmatch(stem)):
                audio.append((stem, each))
        elif dot + ending == ".json":
            sidecars[stem] = each
        elif each.is_dir(follow_symlinks=False) and each.name not in _PASSED_OVER:
            below = Path(each.path)
            if below != folder:
                _walk(seen, below, folder, added, state)
    prefix = key_of(place / "_", folder)[:-1]
    for stem, each in audio:
        _look_at(seen, prefix + each.name, each, sidecars.get(stem), added, state)
    if added is None:
        left = sidecars.keys() - {stem for stem, _ in audio}
        seen.strays += [Path(sidecars[stem].path) for stem in left]


def _look_at(
    seen: Look,
    key: str,
    audio: os.DirEntry[str],
    sidecar: os.DirEntry[str] | None,
    added: Added | None,
    state: int,
) -> None:
    try:
        key.encode()
        status = audio.stat()
        beside = sidecar.stat().st_mtime_ns if sidecar else 0
    except (OSError, UnicodeEncodeError):
        seen.problems.append(f"{os.fsencode(audio.path)!r} cannot be read, or its name is no text: passed over")
        return
    since = added.at if added else status.st_mtime_ns / 1e9
    seen.files.setdefault(key, Found(key, audio.path, status.st_size, status.st_mtime_ns, beside, state, since))


def found_at(path: Path, folder: Path, state: int = HERE, added: Added | None = None) -> Found:
    """A single file; raises ``OSError``."""
    status = path.stat()
    sidecar = path.with_suffix(".json")
    beside = sidecar.stat().st_mtime_ns if sidecar.exists() else 0
    since = added.at if added else status.st_mtime_ns / 1e9
    return Found(key_of(path, folder), str(path), status.st_size, status.st_mtime_ns, beside, state, since)


def is_take(path: Path) -> bool:
    """Whether a file is called as takes are."""
    return path.parent.name == FOLDER and _TAKE.fullmatch(path.stem) is not None


def check_audio(path: Path) -> None:
    """Raise ``InvalidRequest`` for a file that can be no loop of a library."""
    if path.suffix.lower() not in SUFFIXES:
        raise InvalidRequest("file", str(path), "a WAV or FLAC file; `loopgen conform` makes one of other recordings")
