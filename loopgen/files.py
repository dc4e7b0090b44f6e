"""Files, each written whole or not at all; what a dead process left behind is found and removed."""

from __future__ import annotations

import errno
import os
import re
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from loopgen.errors import OutputUnwritable

TAKES = "takes"
"""Name of the folder beside loops where their takes lie; what is swept beside loops is swept there."""

_TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<pid>[0-9]+)-(?P<group>[0-9a-f]{8})-(?P<place>[0-9]+)\.tmp")
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
    """Remove what process ``pid`` left in ``folder``, and in the takes beside, when it died while it wrote.

    Returns what was removed. That is its temporary files, and a sidecar that took its final name when its audio no
    longer could; a take that is whole stays. Raises nothing: what cannot be removed stays.
    """
    left = {path: match for path, match in _temporaries(folder) if int(match["pid"]) == pid}
    first = {match["group"] for match in left.values() if match["place"] == "0"}
    removed = []
    for path, match in left.items():
        leftovers = [path]
        audio = path.with_name(match["name"])
        if match["group"] not in first and not audio.name.endswith(_CUT) and not audio.exists():
            leftovers.append(audio.with_suffix(".json"))  # it was renamed, this one not any more
        for leftover in leftovers:
            with suppress(OSError):
                leftover.unlink()
                removed.append(leftover)
    if removed:
        with suppress(OSError):
            (folder / TAKES).rmdir()  # where there is nothing else in it
    return removed


def sweep_after_the_dead(folder: Path) -> list[Path]:
    """``sweep`` a folder and those directly in it after all processes that are not alive; returns what was removed.

    Links to folders are not followed. Raises nothing.
    """
    removed = []
    for place in (folder, *_subfolders(folder)):
        for pid in {int(match["pid"]) for _, match in _temporaries(place)}:
            if not process_is_alive(pid):
                removed += sweep(place, pid)
    return removed


def _temporaries(folder: Path) -> Iterator[tuple[Path, re.Match[str]]]:
    """Temporary files of whatever process in a folder and in the takes beside; links to folders are not followed."""
    takes = folder / TAKES
    for place in (folder, *([] if takes.is_symlink() else [takes])):
        with suppress(OSError):
            for path in place.iterdir():
                if match := _TEMPORARY.fullmatch(path.name):
                    yield path, match


def _subfolders(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()]
    except OSError:
        return []


def process_is_alive(pid: int) -> bool:
    """Whether a process of this id runs on this machine; for a number that can be no id, False.

    >>> process_is_alive(os.getpid()), process_is_alive(0), process_is_alive(10**30)
    (True, False, False)
    """
    if not 0 < pid < 2**32:
        return False
    if sys.platform == "win32":  # there, os.kill would end the process
        import ctypes

        kernel = ctypes.windll.kernel32
        handle = kernel.OpenProcess(0x1000, False, pid)  # PROCESS_QUERY_LIMITED_INFORMATION
        if not handle:
            return bool(kernel.GetLastError() == 5)  # ERROR_ACCESS_DENIED: it is another user's
        code = ctypes.c_ulong()
        kernel.GetExitCodeProcess(handle, ctypes.byref(code))
        kernel.CloseHandle(handle)
        return code.value == 259  # STILL_ACTIVE
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # it is another user's
        return True
    with suppress(OSError):  # Linux: one that ended and whose parent has not asked for its status is dead as well
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1]
        return state not in (b"Z", b"X")
    return True


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
