"""Work on files that a client asked for, away from the thread that answers.

Presets, and which models are here, are quickly read on a thread. A melody file comes from anywhere, and audio needs
heavy libraries: it is read in a process of its own, which may crash or hang as it likes.
"""

from __future__ import annotations

import glob
import multiprocessing
import unicodedata
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from bridge.protocol import Misused
from loopgen import presets
from loopgen.engines.base import playable
from loopgen.errors import AudioUnreadable, Busy, LoopgenError
from loopgen.music.melody import Melody
from loopgen.worker.signals import ignore_ctrl_c, leave_ctrl_c_to_others

WAITING_MAX = 64
BYTES_MAX = 200_000_000
SECONDS_MAX = 60.0
_SEPARATING = 5
"""So many times the patience where drums and bass are taken out first, which takes about as long as the clip lasts."""


class Slow:
    """Two threads, one for presets, engines and the clipboard, one for melodies.

    ``post`` runs a function on the bridge's thread.

    ``separate``: drums and bass are taken out of a recording before its melody is heard.
    """

    def __init__(
        self,
        inbox: Path,
        own_presets: Path | None,
        post: Callable[[Callable[[], None]], None],
        *,
        separate: bool = False,
    ) -> None:
        self._inbox, self._own, self._post = inbox, own_presets, post
        self._desk = ThreadPoolExecutor(1, "loopgen-presets")
        self._reader = ThreadPoolExecutor(1, "loopgen-melodies")
        self._waiting: set[Callable[[Any], None]] = set()
        self._reading = Reading(separate=separate)

    def read_melody(self, name: str, bpm: str, then: Callable[[Any], None]) -> None:
        """Read a file of the inbox; ``bpm`` is the tempo of an audio clip that does not say its own.

        ``then`` gets the ``Melody``, or the error. Raises ``Busy`` when too much is waiting.
        """
        self._do(self._reader, lambda: self._reading.read(find_in(self._inbox, name), bpm), then)

    def presets(self, action: str, name: str, fields: Mapping[str, Any], then: Callable[[Any], None]) -> None:
        """``list`` (gives names), ``load`` (gives fields), ``save``, ``keep`` (a loop's sound), ``delete``.

        ``keep`` finds the loop by ``fields["loop"]``, the name of its file in the output folder. Raises ``Busy``.
        """
        self._do(self._desk, lambda: self._preset(action, name, fields), then)

    def engines(self, then: Callable[[Any], None]) -> None:
        """What can play here (``engines.base.Playable``), best first. Raises ``Busy``."""
        self._do(self._desk, playable, then)

    def copy(self, text: str, then: Callable[[Any], None]) -> None:
        """Put text on the clipboard; ``then`` gets None, or ``Misused``. Raises ``Busy``."""
        self._do(self._desk, lambda: _copy(text), then)

    def close(self) -> None:
        """End the reader; what waits is answered with ``Busy``."""
        for then in tuple(self._waiting):
            self._post(partial(self._finish, then, Busy("the server is closing")))
        self._desk.shutdown(wait=False, cancel_futures=True)
        self._reader.shutdown(wait=False, cancel_futures=True)
        self._reading.stop()

    def _do(self, pool: ThreadPoolExecutor, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        if len(self._waiting) >= WAITING_MAX:
            raise Busy(f"{WAITING_MAX} files and presets are waiting already; try again in a moment")
        self._waiting.add(then)

        def run() -> None:
            try:
                result = work()
            except Exception as error:
                result = error
            self._post(lambda: self._finish(then, result))

        pool.submit(run)

    def _finish(self, then: Callable[[Any], None], result: Any) -> None:
        """On the bridge's thread, once each; what goes wrong with a result is a result as well."""
        if then not in self._waiting:
            return
        self._waiting.discard(then)
        try:
            then(result)
        except Exception as error:
            if isinstance(result, Exception):
                raise
            then(error)

    def _preset(self, action: str, name: str, fields: Mapping[str, Any]) -> Any:
        if action == "list":
            return presets.names(self._own)
        if action == "load":
            return dict(presets.load(name, self._own).fields)
        if self._own is None:
            raise AssertionError("a server has a folder for presets")
        if action == "delete":
            return presets.delete(name, self._own)
        if action == "keep":
            return presets.save(name, presets.of_recipe(_recipe(fields["loop"], self._inbox.parent)), None, self._own)
        base = presets.load(fields["preset"], self._own).fields if "preset" in fields else {}
        kept = {key: value for key, value in {**base, **fields}.items() if key in presets.FIELDS}
        if base.get("key") == presets.SET_KEY:
            kept["key"] = presets.SET_KEY
        return presets.save(name, kept, None, self._own)


def _recipe(name: str, output: Path) -> Mapping[str, Any]:
    """The recipe of the loop of this name, the last that was written of several."""
    from loopgen.library import recall  # brings what reads audio

    pattern = glob.escape(name)
    found = [path for place in (pattern, f"*/{pattern}") for path in output.glob(place)]
    if not found:
        raise Misused("invalid_request", f"job: there is no loop {name[:64]} in the output folder; give one, or a job")
    return recall(max(found, key=lambda path: path.stat().st_mtime)).recipe


def _copy(text: str) -> None:
    import pyperclip  # looks for the system's clipboard, which takes a moment

    try:
        pyperclip.copy(text)
        why = "" if pyperclip.paste() == text else "it did not arrive there"  # a program that failed is not noticed
    except Exception as error:  # of many kinds, according to the system
        why = str(error).strip().partition("\n")[0] or type(error).__name__
    if why:
        raise Misused("no_clipboard", f"{text} could not be put on the clipboard ({why}); copy it from here")


def find_in(inbox: Path, name: str) -> Path:
    """A regular file of the inbox by its bare name; raises ``AudioUnreadable`` for anything else.

    The name is looked for in the folder's listing, so that nothing from the wire becomes a path; a link that leads out
    of the inbox is refused.
    """
    with suppress(OSError):
        inbox.mkdir(parents=True, exist_ok=True)  # it may have gone with the output folder
    there = sorted(inbox.iterdir()) if inbox.is_dir() else []
    wanted = unicodedata.normalize("NFC", name)  # macOS may list é in two parts
    path = next((p.resolve() for p in there if unicodedata.normalize("NFC", p.name) == wanted), None)
    if path is not None and path.parent != inbox.resolve():
        raise AudioUnreadable(f"{name} is a link that leads out of the inbox {inbox}; put the file itself there")
    if path is None or not path.is_file():
        known = [p.name for p in there if p.is_file()][:5]
        hint = f"it holds {', '.join(known)}" if known else "put the file there first"
        raise AudioUnreadable(f"{name} is no file in the inbox {inbox}; {hint}")
    if path.stat().st_size > BYTES_MAX:
        raise AudioUnreadable(f"{name} has more than {BYTES_MAX // 1_000_000} MB, too much for a melody")
    return path


class Reading:
    """Reads one melody at a time, in a process that can be ended."""

    def __init__(self, *, separate: bool = False) -> None:
        self._separate = separate
        self._process: SpawnProcess | None = None
        self._is_stopped = False

    def read(self, path: Path, bpm: str) -> Melody:
        """Read a file; raises ``AudioUnreadable``, also where the reader crashes or takes too long."""
        leave_ctrl_c_to_others()
        ours, theirs = multiprocessing.get_context("spawn").Pipe(duplex=False)
        process = multiprocessing.get_context("spawn").Process(
            target=_read, args=(theirs, str(path), bpm, self._separate), name="loopgen-melody", daemon=True
        )
        process.start()
        theirs.close()
        self._process = process
        try:
            patience = SECONDS_MAX * (_SEPARATING if self._separate else 1)
            if self._is_stopped or not ours.poll(patience):
                raise AudioUnreadable(f"{path.name} took more than {patience:.0f} s to read; give a shorter clip")
            result = ours.recv()
        except EOFError:
            text = f"{path.name} made its reader crash; export it again, or in another format"
            raise AudioUnreadable(text) from None
        finally:
            self._process = None
            ours.close()
            process.kill()
            process.join()
            process.close()
        if isinstance(result, Melody):
            return result
        raise AudioUnreadable(result)

    def stop(self) -> None:
        """End the process that reads, from another thread."""
        self._is_stopped = True
        process = self._process
        if process is not None:
            with suppress(ValueError):  # it has just ended by itself
                process.kill()


def _read(connection: Connection, path: str, bpm: str, separate: bool) -> None:
    """In the process of its own. Errors go back as their text: not every exception survives the way."""
    ignore_ctrl_c()
    try:
        from loopgen.engines.base import separator
        from loopgen.melodies import read_melody

        connection.send(read_melody(path, bpm=bpm, separate=separator() if separate else None))
    except LoopgenError as error:
        connection.send(str(error))
    except Exception as error:
        connection.send(f"{Path(path).name} cannot be read: {type(error).__name__}: {error}")
