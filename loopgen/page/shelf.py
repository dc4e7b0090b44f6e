"""The library's folder as cards: what the page asks for, what it is shown, and a watch on what changes meanwhile."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from loopgen.errors import InvalidRequest, LoopgenError
from loopgen.library.find import Entry, Query, camelot
from loopgen.music.tempo import Meter, format_bpm, parse_bpm
from loopgen.music.turn import beat_one
from loopgen.page.guard import FILES, Keys

if TYPE_CHECKING:
    from loopgen.library.index import Library
    from loopgen.library.reading import Reading

PERIOD_SECONDS = 2.0
"""Between two looks at the folder, at least; a folder that takes long to look at is looked at less often."""

LIMIT = 500
"""Cards of one answer at most."""

NOTES = 50
"""Lines at most on what cannot be used."""

_WORDS = ("key", "meter", "engine", "origin", "order")


class Shelf:
    """The index of one folder, and a thread that keeps it fresh while somebody looks.

    ``changed`` is called from that thread, or from the one that asks, when there is something else to see.
    """

    def __init__(self, folder: Path, keys: Keys, changed: Callable[[], None], is_watched: Callable[[], bool]) -> None:
        self.folder = folder
        self._keys, self._changed, self._is_watched = keys, changed, is_watched
        self._opened = ExitStack()
        self._lock = threading.Lock()
        self._refreshing = threading.Lock()
        self._library: Library | None = None
        self._again = threading.Event()
        self._is_closed = False
        self._was_there = True
        self._stamp: tuple[object, ...] = ()
        self.indexing: float | None = None
        self.trouble = ""
        self._notes: list[str] = []
        self._reading = 0.0
        self._thread = threading.Thread(target=self._watch, name="loopgen-shelf", daemon=True)

    def start(self) -> None:
        """Begin to watch; returns at once."""
        self._thread.start()

    def close(self) -> None:
        """Stop watching, and let go of the index."""
        self._is_closed = True
        self._again.set()
        if self._thread.ident is not None:
            self._thread.join(5.0)
        self._opened.close()

    @property
    def library(self) -> Library:
        """The index; raises its errors where it cannot be opened."""
        from loopgen.library.index import Library

        with self._lock:
            if self._library is not None and not self._library.database.exists() and self.is_there:
                self._opened.close()  # it was thrown away, which may be done at any time: everybody takes a new one
                self._library = None
            if self._library is None:
                self._library = self._opened.enter_context(Library(self.folder))
            return self._library

    @property
    def is_there(self) -> bool:
        """Whether the folder is there now; an empty one that held an index is where its drive was mounted."""
        from loopgen.library.marks import holds_anything

        held = self._library is not None and self._library.database.is_relative_to(self._library.folder)
        return holds_anything(self.folder) if held else self.folder.is_dir()

    def notes(self) -> list[str]:
        """What people should know: about the index, and of files that cannot be used, one line each."""
        return [*self._notes, *self.library.problems()][:NOTES]

    def look(self) -> None:
        """Look at the folder soon: something was written there."""
        self._again.set()

    def page(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """The cards that a query in words finds, ``{"total", "offset", "loops"}``; raises ``InvalidRequest``."""
        query = read_query(asked)
        library = self.library
        found = library.find(query)
        return {
            "total": library.count(query),
            "offset": query.offset,
            "loops": [self.card(entry) for entry in found],
        }

    def card(self, entry: Entry) -> dict[str, Any]:
        """An entry as the page has it."""
        media = "audio/flac" if entry.path.suffix.lower() == ".flac" else "audio/wav"
        place = camelot(entry.key) if entry.key else None
        return {
            "id": entry.id,
            "name": entry.name,
            "title": entry.title,
            "path": str(entry.path),
            "uri": entry.path.absolute().as_uri(),
            "file": f"{FILES}{entry.id}/{self._keys.of(entry.id)}/{quote(entry.name)}",
            "media": media,
            "bpm": format_bpm(entry.bpm) if entry.bpm else None,
            "tempo": str(entry.bpm) if entry.bpm else None,
            "bars": entry.bars,
            "meter": entry.meter,
            "units": quarter_units(entry),
            "key": str(entry.key) if entry.key else None,
            "camelot": f"{place[0]}{place[1]}" if place else None,
            "engine": entry.engine,
            "prompt": entry.prompt,
            "seed": entry.seed,
            "licence": entry.licence,
            "tags": list(entry.tags),
            "favourite": entry.favourite,
            "rating": entry.rating,
            "added": entry.added.isoformat(),
            "seconds": entry.seconds,
            "rate": entry.rate,
            "frames": entry.frames,
            "channels": entry.channels,
            "warnings": list(entry.warnings),
            "summary": entry.summary,
            "origin": entry.origin,
            "has_take": entry.has_take,
            "trashed": entry.trashed,
            "away": entry.away,
            "rival": _rival(entry),
        }

    def entry(self, loop: str) -> Entry:
        """The entry of an id; raises ``InvalidRequest`` for what is none, however it looks."""
        if not isinstance(loop, str) or not 8 <= len(loop) <= 64 or set(loop) - set("0123456789abcdef"):
            raise InvalidRequest("loop", str(loop), "the id of a loop of this library")
        return self.library.get(loop)

    def entries(self, loops: Iterable[str]) -> list[Entry]:
        """The entries of those ids that there are."""
        found = []
        for loop in loops:
            try:
                found.append(self.entry(loop))
            except LoopgenError:
                continue
        return found

    def refresh(self) -> None:
        """Look at the folder now; tells whether something changed."""
        with self._refreshing:
            there = self.is_there
            if there:
                library = self.library
                changes = library.refresh(self._progress, self._read, again=True)
                told, known = self._notes, library.problems()
                self._notes = [*library.notes, *(line for line in changes.problems if line not in known)]
                before, self._stamp = self._stamp, _stamp(self.library.database)
                is_other = before != self._stamp or told != self._notes
                if self.indexing is not None or is_other or not self._was_there:
                    self.indexing = None
                    self._changed()
            elif self._was_there:
                self._changed()
            self._was_there = there

    def _read(self, paths: Iterable[Path]) -> Iterator[Reading]:
        """Files that are new. How long that takes says nothing about the next look, which may have none to read."""
        begin = time.monotonic()
        try:
            yield from _read_and_measured(paths)
        finally:
            self._reading = time.monotonic() - begin

    def _progress(self, fraction: float, *_: object) -> None:
        if self._is_closed:
            raise _Closed
        before, self.indexing = self.indexing, round(float(fraction), 2)
        if before is not None and self.indexing != before:
            self._changed()

    def _watch(self) -> None:
        while not self._is_closed:
            self._reading = 0.0
            begin = time.monotonic()
            trouble = ""
            try:
                self.refresh()
            except _Closed:
                return
            except (LoopgenError, OSError) as error:  # a full disk, say: what was known is shown, and why no more is
                self.indexing, trouble = None, str(error)
            before, self.trouble = self.trouble, trouble
            if trouble != before:
                self._changed()
            took = time.monotonic() - begin - self._reading
            self._again.clear()
            self._again.wait(max(PERIOD_SECONDS, 20 * took))
            while not (self._is_watched() or self._is_closed or self._again.is_set()):
                self._again.wait(0.5)


def _read_and_measured(paths: Iterable[Path]) -> Iterator[Reading]:
    """Files that are new; what reads them is heavy, and is loaded when there is one.

    Half of the cores are left to the DAW.
    """
    from loopgen import intake

    return intake.reader(max(1, (os.cpu_count() or 1) // 2))(paths)


def _stamp(database: Path) -> tuple[object, ...]:
    """What is another whenever the index was written, by whichever process: a command may have marked a loop."""
    found: list[object] = []
    for path in (database, database.with_name(database.name + "-wal")):
        with suppress(OSError):
            status = path.stat()
            found += [status.st_mtime_ns, status.st_size]
    return tuple(found)


class _Closed(Exception):
    """The server ends while the folder is looked at."""


def _rival(entry: Entry) -> dict[str, str | int] | None:
    """Where else beat 1 may well be: in beats, in words, and how many percent sure that is."""
    if entry.rival is None:
        return None
    beats = entry.rival.beats
    return {"beats": str(beats), "place": beat_one(beats), "percent": round(100 * entry.rival.confidence)}


def quarter_units(entry: Entry) -> int | None:
    """A loop's length in sixteenths of a whole note, of which every meter has a whole number; None where unknown."""
    if entry.bars is None or entry.bpm is None:
        return None
    return int(entry.bars * Meter.parse(entry.meter or "4/4").quarters * Fraction(4))


def read_query(asked: Mapping[str, str]) -> Query:
    """A query out of the address of a page; raises ``InvalidRequest``.

    >>> read_query({"words": "dub", "bpm": "120-130", "tags": "dark,deep", "favourite": "1"}).bpm
    (120.0, 130.0)
    """
    given: dict[str, Any] = {name: asked[name] for name in _WORDS if asked.get(name)}
    given["words"] = asked.get("words", "")[:200]
    for name in ("bars", "rating"):
        if asked.get(name):
            given[name] = read_whole(name, asked[name])
    for name in ("favourite", "exact_tempo", "compatible", "trashed"):
        if asked.get(name) == "1":
            given[name] = True
    if asked.get("bpm"):
        low, _, high = asked["bpm"].partition("-")
        given["bpm"] = (float(parse_bpm(low)), float(parse_bpm(high or low)))
    given["tags"] = tuple(tag for tag in asked.get("tags", "").split(",") if tag)
    given["descending"] = asked.get("descending", "1") == "1"
    given["offset"] = read_whole("offset", asked.get("offset") or "0")
    given["limit"] = min(LIMIT, read_whole("limit", asked.get("limit") or "100"))
    return Query(**given)


def read_whole(name: str, text: str) -> int:
    """A whole number from 0; raises ``InvalidRequest``."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 12):
        raise InvalidRequest(name, text, "a whole number")
    return int(text)
