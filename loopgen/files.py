"""Files, each written whole or not at all; what a dead process left behind is found and removed."""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from loopgen.errors import OutputUnwritable

_TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<pid>\d+)-(?P<group>[0-9a-f]{8})-(?P<place>\d+)\.tmp")
_NAME_BYTES, _CUT = 200, "~"
"""Longer names are cut, and marked so, in the temporary name: most file systems take 255 bytes."""


def make_folder(folder: Path) -> Path:
    """Make a folder and those above it where they are missing; raises ``OutputUnwritable``."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from None
    return folder


def check_folder(folder: Path) -> None:
    """Find out before the work whether files can be written into a folder; makes it; raises ``OutputUnwritable``."""
    make_folder(folder)
    probe = _temporary(folder / "probe", secrets.token_hex(4), 0)
    try:
        try:
            probe.touch(exist_ok=False)
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from None


def write_whole(files: Mapping[Path, bytes]) -> None:
    """Write files so that each final name holds all of its bytes or is not touched.

    Everything goes to temporary names beside the targets and is flushed to disk, then renamed in the given order: a
    file that describes another comes before it. A file that holds its bytes already is left alone: a program may have
    it open, and Windows then lets nobody rename over it. Raises ``OutputUnwritable``; temporary files are removed
    whatever happens, short of the end of the process (``sweep`` is for that).
    """
    group = secrets.token_hex(4)
    changed = {path: data for path, data in files.items() if not _holds(path, data)}
    temporary = {path: _temporary(path, group, place) for place, path in enumerate(changed)}
    path = next(iter(files))
    try:
        for path, data in changed.items():
            with temporary[path].open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        for path in changed:
            temporary[path].replace(path)
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        for leftover in reversed(temporary.values()):  # so that no later file waits without an earlier one, see sweep
            with suppress(OSError):
                leftover.unlink(missing_ok=True)


def _holds(path: Path, data: bytes) -> bool:
    """Whether a file is there and holds just these bytes."""
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False


def sweep(folder: Path, pid: int) -> list[Path]:
    """Remove what process ``pid`` left in ``folder`` when it died while it wrote; returns what was removed.

    That is its temporary files, and a sidecar that took its final name when its audio no longer could. Raises nothing:
    what cannot be removed stays.
    """
    left = {}
    with suppress(OSError):
        for path in folder.iterdir():
            match = _TEMPORARY.fullmatch(path.name)
            if match and int(match["pid"]) == pid:
                left[path] = match
    first = {match["group"] for match in left.values() if match["place"] == "0"}
    removed = []
    for path, match in left.items():
        leftovers = [path]
        audio = folder / match["name"]
        if match["group"] not in first and not audio.name.endswith(_CUT) and not audio.exists():
            leftovers.append(audio.with_suffix(".json"))  # it was renamed, this one not any more
        for leftover in leftovers:
            with suppress(OSError):
                leftover.unlink()
                removed.append(leftover)
    return removed


def unwritable(path: Path, error: OSError) -> OutputUnwritable:
    """Say what an ``OSError`` means for somebody who wants a file at ``path``."""
    hints: dict[int, str] = {
        errno.ENOSPC: "the disk is full; free some space or give another folder",
        errno.EDQUOT if hasattr(errno, "EDQUOT") else -1: "the disk quota is used up; give another folder",
        errno.EFBIG: "the disk takes no file of this size; give another folder",
        errno.EACCES: "there is no permission to write here; give another folder",
        errno.EPERM: "there is no permission to write here; give another folder",
        errno.EROFS: "the drive is read-only; give another folder",
        errno.ENOENT: "the folder is not there any more; make it again or give another",
        errno.ENOTDIR: "a part of this path is a file and not a folder; give another folder",
        errno.EEXIST: "a file is in the way of this folder; give another",
        errno.ENAMETOOLONG: "the name is too long; give a shorter one",
    }
    return OutputUnwritable(f"{path} cannot be written: {hints.get(error.errno or 0, error.strerror or str(error))}")


def _temporary(path: Path, group: str, place: int) -> Path:
    """A hidden name beside ``path`` that says whose it is, and its place among those that are written together."""
    name = path.name if len(path.name.encode()) <= _NAME_BYTES else path.name[:40] + _CUT
    return path.with_name(f".{name}.{os.getpid()}-{group}-{place}.tmp")
