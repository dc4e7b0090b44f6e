"""The index brought to what lies in the folder: what is new, has changed, was moved, is gone or away."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from loopgen.errors import OutputUnwritable
from loopgen.library import store
from loopgen.library.database import Database
from loopgen.library.find import AWAY, GONE, HERE
from loopgen.library.folder import Found, Look, look
from loopgen.library.marks import Marks, store_marks, stored_marks, stray_marks
from loopgen.library.reading import Reading, read_loop

_BATCH, _BATCH_SECONDS = 256, 1.0
_UNHEARD = (
    "SELECT files.path FROM loops JOIN details USING (number) JOIN files USING (number)"
    " WHERE bpm IS NULL AND NOT json_extract(facts, '$.heard')"
)
"""Files in which nobody has looked for a tempo yet."""

Progress = Callable[[float, str], None]
Reader = Callable[[Iterable[Path]], Iterator[Reading]]
"""Reads files, in any order; what it does not give back is read at the next refresh."""


@dataclass(slots=True)
class Changes:
    """What a refresh has found: numbers of files, and in words what could not be read.

    ``moved`` files were found again by their content, ``duplicates`` hold what another file holds already, ``away``
    ones lie on a drive or in a folder that is not there now.
    """

    new: int = 0
    changed: int = 0
    moved: int = 0
    duplicates: int = 0
    vanished: int = 0
    away: int = 0
    problems: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.new or self.changed or self.moved or self.duplicates or self.vanished)


def refresh(database: Database, folder: Path, progress: Progress, read: Reader, *, again: bool = False) -> Changes:
    """Bring the index in ``database`` to what lies in ``folder``; see ``Library.refresh``."""
    seen = look(folder)
    connection = database.connection()
    known = {row["path"]: row for row in connection.execute("SELECT * FROM files")}
    slow = {row["path"] for row in connection.execute(_UNHEARD)} if again else set()
    unread = {
        found.path: found for key, found in seen.files.items() if key in slow or _has_changed(found, known.get(key))
    }
    changes = Changes(problems=tuple(seen.problems))
    if known and folder in seen.away and not seen.problems:
        changes.problems += (f"{folder} is empty: is its drive away? What is known of its loops is kept",)
    gone = _settle_known(database, folder, seen, known, changes)
    if not unread:
        return changes
    stored = stored_marks(folder)
    strays = [stray for sidecar in seen.strays if (stray := stray_marks(sidecar))]
    batch: list[tuple[Found, Reading]] = []
    written = time.monotonic()
    try:
        for done, reading in enumerate(read(list(unread)), 1):
            batch.append((unread[reading.path], reading))
            if len(batch) >= _BATCH or time.monotonic() > written + _BATCH_SECONDS:
                _put(database, folder, batch, known, stored, strays, gone, changes)
                batch, written = [], time.monotonic()
            progress(done / len(unread), f"{done} of {len(unread)}  {reading.path.name}")
    finally:  # what has been read is kept, whoever stopped it
        _put(database, folder, batch, known, stored, strays, gone, changes)
    return changes


def _settle_known(
    database: Database, folder: Path, seen: Look, known: Mapping[str, sqlite3.Row], changes: Changes
) -> dict[int, int]:
    """Files that are not where they were, and those that are there again; returns how many each loop has lost."""
    gone: dict[int, int] = {}
    elsewhere: list[tuple[str, int]] = []
    for key, row in known.items():
        if (found := seen.files.get(key)) is not None:
            state = found.state
        elif any((folder / key).is_relative_to(place) for place in seen.away):
            state = AWAY
            changes.away += 1
        else:
            state = GONE
        if state != row["state"]:
            elsewhere.append((key, state))
    if not elsewhere:
        return gone
    with database.writing() as connection:
        touched: set[int] = set()
        for key, state in elsewhere:
            if state == GONE and _has_come(folder / key, seen):
                continue
            if (number := store.number_of_file(connection, key)) is None:
                connection.execute("DELETE FROM files WHERE path = ? AND ? = ?", (key, state, GONE))
                continue
            connection.execute("UPDATE files SET state = ? WHERE path = ?", (state, key))
            touched.add(number)
            if state == GONE:
                gone[number] = gone.get(number, 0) + 1
                changes.vanished += 1
        store.settle(connection, touched)
        for loop, marks in store.gone_marks(connection, touched):
            with suppress(OutputUnwritable):  # it may come back, and its sidecar not
                store_marks(loop, marks, folder)
    return gone


def _put(
    database: Database,
    folder: Path,
    batch: Sequence[tuple[Found, Reading]],
    known: Mapping[str, sqlite3.Row],
    stored: Mapping[str, Marks],
    strays: Sequence[tuple[str, Marks]],
    gone: dict[int, int],
    changes: Changes,
) -> None:
    """What was read, into the index, with the marks that hold."""
    problems = []
    with database.writing() as connection:
        touched: set[int] = set()
        for found, reading in batch:
            if not found.path.exists():
                continue  # it went meanwhile
            if reading.problem:
                problems.append(reading.problem)
            before = store.number_of_file(connection, found.key)
            touched |= {before} if before is not None else set()
            if not reading.id:
                store.put_problem(connection, found, reading.problem)
                continue
            kept = stored.get(reading.id, Marks())
            left = [marks for loop, marks in strays if loop == reading.id]
            marks = store.best_marks(connection, reading, kept, *left)
            known_as = store.state_of(connection, reading.id)
            number = store.put_reading(connection, found, reading, marks)
            touched.add(number)
            if known_as is None:
                changes.new += 1
            elif before == number:
                changes.changed += found.key in known
            elif known_as == GONE:
                changes.moved += 1
                changes.vanished -= gone.pop(number, 0)
            elif found.state == HERE:
                changes.duplicates += 1
            if marks.at and marks not in (reading.marks, kept):
                with suppress(OutputUnwritable):  # its sidecar was left behind, or written anew without them
                    store_marks(reading.id, marks, folder)
        store.settle(connection, touched)
    changes.problems += tuple(problems)


def _has_come(path: Path, seen: Look) -> bool:
    """Whether a file is there by now that was not when we looked."""
    return any(path.is_relative_to(place) for place in seen.places) and path.exists()


def _has_changed(found: Found, row: sqlite3.Row | None) -> bool:
    return row is None or (row["size"], row["mtime"], row["sidecar"]) != (found.size, found.mtime, found.sidecar)


def one_by_one(paths: Iterable[Path]) -> Iterator[Reading]:
    """The plainest ``Reader``."""
    return map(read_loop, paths)
