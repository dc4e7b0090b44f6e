"""Work on files that a client asked for, away from the thread that answers.

Presets are small and read on a thread. A melody file comes from anywhere, and audio needs heavy libraries: it is read
in a process of its own, which may crash or hang as it likes.
"""

from __future__ import annotations

import multiprocessing
import unicodedata
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from loopgen import presets
from loopgen.errors import AudioUnreadable, Busy, LoopgenError
from loopgen.music.melody import Melody

WAITING_MAX = 64
BYTES_MAX = 200_000_000
SECONDS_MAX = 60.0


class Slow:
    """Two threads, one for presets and one for melodies. ``post`` runs a function on the bridge's thread."""

    def __init__(self, inbox: Path, own_presets: Path | None, post: Callable[[Callable[[], None]], None]) -> None:
        self._inbox, self._own, self._post = inbox, own_presets, post
        self._desk = ThreadPoolExecutor(1, "loopgen-presets")
        self._reader = ThreadPoolExecutor(1, "loopgen-melodies")
        self._waiting = 0

    def read_melody(self, name: str, bpm: str, then: Callable[[Any], None]) -> None:
        """Read a file of the inbox; ``bpm`` is the tempo of an audio clip that does not say its own.

        ``then`` gets the ``Melody``, or the error. Raises ``Busy`` when too much is waiting.
        """
        self._do(self._reader, lambda: _read_apart(find_in(self._inbox, name), bpm), then)

    def presets(self, action: str, name: str, fields: Mapping[str, Any], then: Callable[[Any], None]) -> None:
        """``list`` (gives names), ``load`` (gives fields), ``save``, ``delete``. Raises ``Busy``."""
        self._do(self._desk, lambda: self._preset(action, name, fields), then)

    def close(self) -> None:
        """Drop what waits."""
        self._desk.shutdown(wait=False, cancel_futures=True)
        self._reader.shutdown(wait=False, cancel_futures=True)

    def _do(self, pool: ThreadPoolExecutor, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        if self._waiting >= WAITING_MAX:
            raise Busy(f"{WAITING_MAX} files and presets are waiting already; try again in a moment")
        self._waiting += 1

        def finish(result: Any) -> None:
            self._waiting -= 1
            then(result)

        def run() -> None:
            try:
                result = work()
            except Exception as error:
                result = error
            self._post(lambda: finish(result))

        pool.submit(run)

    def _preset(self, action: str, name: str, fields: Mapping[str, Any]) -> Any:
        if action == "list":
            return presets.names(self._own)
        if action == "load":
            return dict(presets.load(name, self._own).fields)
        if self._own is None:
            raise AssertionError("a server has a folder for presets")
        if action == "delete":
            return presets.delete(name, self._own)
        base = presets.load(fields["preset"], self._own).fields if "preset" in fields else {}
        kept = {key: value for key, value in {**base, **fields}.items() if key in presets.FIELDS}
        return presets.save(name, kept, "", self._own)


def find_in(inbox: Path, name: str) -> Path:
    """A regular file of the inbox by its bare name; raises ``AudioUnreadable`` for anything else.

    The name is looked for in the folder's listing, so that nothing from the wire becomes a path; a link that leads out
    of the inbox is refused.
    """
    there = sorted(inbox.iterdir()) if inbox.is_dir() else []
    wanted = unicodedata.normalize("NFC", name)  # macOS may list é in two parts
    path = next((p.resolve() for p in there if unicodedata.normalize("NFC", p.name) == wanted), None)
    if path is None or path.parent != inbox.resolve() or not path.is_file():
        known = [p.name for p in there if p.is_file()][:5]
        hint = f"it holds {', '.join(known)}" if known else "put the file there first"
        raise AudioUnreadable(f"{name} is no file in the inbox {inbox}; {hint}")
    if path.stat().st_size > BYTES_MAX:
        raise AudioUnreadable(f"{name} has more than {BYTES_MAX // 1_000_000} MB, too much for a melody")
    return path


def _read_apart(path: Path, bpm: str) -> Melody:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_read, args=(theirs, str(path), bpm), name="loopgen-melody", daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(SECONDS_MAX):
            raise AudioUnreadable(f"{path.name} took more than {SECONDS_MAX:.0f} s to read; give a shorter clip")
        result = ours.recv()
    except EOFError:
        raise AudioUnreadable(f"{path.name} made its reader crash; export it again, or in another format") from None
    finally:
        ours.close()
        process.kill()
        process.join()
        process.close()
    if isinstance(result, Melody):
        return result
    raise AudioUnreadable(result)


def _read(connection: Connection, path: str, bpm: str) -> None:
    """In the process of its own. Errors go back as their text: not every exception survives the way."""
    try:
        from loopgen.melodies import read_melody

        connection.send(read_melody(path, bpm=bpm))
    except LoopgenError as error:
        connection.send(str(error))
    except Exception as error:
        connection.send(f"{Path(path).name} cannot be read: {type(error).__name__}: {error}")
