"""Which files of a folder have come to rest and have not been run: polling, the same on every system."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from loopgen.files import write_whole

MELODIES = frozenset({".mid", ".midi", ".wav", ".aif", ".aiff", ".flac", ".mp3", ".ogg"})
PROMPTS = frozenset({".txt"})
LEDGER = ".loopgen-done.json"
"""Remembers in the folder itself what was run, so that nothing runs twice, not after a restart either."""

Version: TypeAlias = tuple[int, int]
"""Size in bytes and time of the last change in ns: a file that is saved anew is a new drop."""


class Drops:
    """The files that wait in ``folder``. ``settle``: seconds for which size and time must not change.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> drops = Drops(folder, settle=0.0)
    >>> _ = (folder / "riff.txt").write_text("dub techno")
    >>> drops.ready(), [path.name for path in drops.ready()]  # seen once, then found unchanged
    ([], ['riff.txt'])
    >>> drops.done(folder / "riff.txt")
    >>> drops.ready(), Drops(folder, settle=0.0).ready()
    ([], [])
    """

    def __init__(self, folder: Path, settle: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder, self._settle, self._clock = folder, settle, clock
        self._resting: dict[str, tuple[Version, float]] = {}
        self._done: dict[str, Version] = self._read_ledger()

    def ready(self) -> list[Path]:
        """The files to run now, the oldest first; call it again and again."""
        now = self._clock()
        present = {path.name: version for path in self._files() if (version := _version(path)) is not None}
        ready = []
        for name, version in present.items():
            if self._done.get(name) == version:
                continue
            known, since = self._resting.get(name, (None, now))
            if known != version:
                self._resting[name] = version, now
            elif now - since >= self._settle and version[0] and _readable(self._folder / name):
                ready.append((version[1], name))
        self._resting = {name: rest for name, rest in self._resting.items() if name in present}
        self._done = {name: version for name, version in self._done.items() if name in present}
        return [self._folder / name for _, name in sorted(ready)]

    def done(self, path: Path) -> None:
        """This version of a file has been run. Raises ``OutputUnwritable``."""
        if (version := _version(path)) is not None:
            self._done[path.name] = version
            write_whole({self._folder / LEDGER: json.dumps(self._done, indent=1).encode()})

    def _files(self) -> list[Path]:
        with suppress(OSError):
            return [
                path
                for path in self._folder.iterdir()
                if path.suffix.lower() in MELODIES | PROMPTS and not path.name.startswith(".")
            ]
        return []

    def _read_ledger(self) -> dict[str, Version]:
        with suppress(OSError, ValueError, TypeError, AttributeError):
            said = json.loads((self._folder / LEDGER).read_text(encoding="utf-8"))
            return {str(name): (int(size), int(time)) for name, (size, time) in said.items()}
        return {}


def _version(path: Path) -> Version | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_size, found.st_mtime_ns) if path.is_file() else None


def _readable(path: Path) -> bool:
    """Whether nobody holds it: on Windows, a DAW that is still writing does."""
    try:
        with path.open("rb"):
            return True
    except OSError:
        return False
