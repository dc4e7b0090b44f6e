"""A loop in the system's own file manager, selected: from there every program takes it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from loopgen.errors import OutputUnwritable

_SECONDS = 10.0


def reveal(path: Path) -> None:
    """Show a file in its folder. Raises ``OutputUnwritable`` where the system has no way to."""
    if not path.is_file():
        raise OutputUnwritable(f"{path} is not there any more")
    for command in commands(path):
        if shutil.which(command[0]) is None:
            continue
        try:
            done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0 or sys.platform == "win32":  # Explorer says 1 when it has done it
            return
    raise OutputUnwritable(f"no file manager can be opened here; the loop lies at {path}")


def commands(path: Path, platform: str = sys.platform) -> list[list[str]]:
    """What shows a file, the best first.

    >>> commands(Path("/a/b.wav"), "darwin")
    [['open', '-R', '/a/b.wav']]
    """
    if platform == "win32":
        return [["explorer", f"/select,{path}"]]
    if platform == "darwin":
        return [["open", "-R", str(path)]]
    show = "org.freedesktop.FileManager1.ShowItems"
    bus = ["dbus-send", "--session", "--print-reply", "--dest=org.freedesktop.FileManager1"]
    return [
        [*bus, "/org/freedesktop/FileManager1", show, f"array:string:{path.as_uri()}", "string:"],
        ["xdg-open", str(path.parent)],
    ]
