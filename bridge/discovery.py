"""A second way to find the server: a small JSON file in the user's state folder."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from loopgen import __version__
from loopgen.errors import LoopgenError
from loopgen.files import process_is_alive, write_whole

FILE = "server.json"


@dataclass(frozen=True, slots=True)
class Running:
    """A server as its file tells of it."""

    host: str
    port: int
    pid: int
    version: str


def announce(state_folder: Path, host: str, port: int) -> bool:
    """Write the file, unless another living server has; returns whether it was written.

    A file whose process is dead is taken over. That the folder cannot be written stops nobody from serving.
    """
    other = running(state_folder)
    if other is not None and other.pid != os.getpid() and other.port != port:
        return False  # whoever has our port in its file is gone, and another program has its process number
    with suppress(OSError, LoopgenError):
        state_folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(Running(host, port, os.getpid(), __version__)))
        write_whole({state_folder / FILE: text.encode()})
        return True
    return False


def withdraw(state_folder: Path) -> None:
    """Remove the file, if it is this process's."""
    found = _read(state_folder)
    if found is not None and found.pid == os.getpid():
        with suppress(OSError):
            (state_folder / FILE).unlink()


def running(state_folder: Path) -> Running | None:
    """The living server that the file tells of, if there is one."""
    found = _read(state_folder)
    return found if found is not None and process_is_alive(found.pid) else None


def _read(state_folder: Path) -> Running | None:
    with suppress(OSError, ValueError, TypeError, KeyError):
        said = json.loads((state_folder / FILE).read_text(encoding="utf-8"))
        return Running(str(said["host"]), int(said["port"]), int(said["pid"]), str(said["version"]))
    return None
