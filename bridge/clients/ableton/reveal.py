"""A file in the system's file manager, from which it can be dragged."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path


def reveal(path: Path) -> None:
    """Show the file, where the system has a way to; waits for nothing and raises nothing."""
    with suppress(OSError):
        subprocess.Popen(_command(path, sys.platform), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _command(path: Path, platform: str) -> list[str] | str:
    """Windows takes one text: Explorer reads quotes in a way of its own.

    >>> _command(Path("/music/a b.wav"), "darwin"), _command(Path("/music/a b.wav"), "linux")
    (['open', '-R', '/music/a b.wav'], ['xdg-open', '/music'])
    """
    if platform == "win32":
        return f'explorer /select,"{path}"'
    return ["open", "-R", str(path)] if platform == "darwin" else ["xdg-open", str(path.parent)]
