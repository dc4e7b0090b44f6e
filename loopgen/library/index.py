"""A library of loops: a folder, and an index of it that can be thrown away and read from the folder again."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from loopgen.errors import InvalidRequest, OutputUnwritable
from loopgen.files import check_folder, make_folder
from loopgen.library import moves, store
from loopgen.library.database import Database
from loopgen.library.find import (
    AWAY,
    GONE,
    HERE,
    TRASHED,
    Entry,
    Query,
    check_rating,
    check_tag,
    conditions,
    entry,
    ordered,
    walked,
)
from loopgen.library.folder import TRASH, add_places, added_places, drop_place, found_at, key_of
from loopgen.library.marks import (
    PRIVATE,
    latest,
    now,
    sidecar_marks,
    write_marks,
)
from loopgen.library.refresh import Changes, Progress, Reader, one_by_one, refresh

DATABASE = "library.db"
T = TypeVar("T")


class Library:
    """The loops in ``folder``, and in the folders and files that were added to it.

    To be used by several processes at once, and by several threads of each. ``notes`` says, in plain words, what had
    to be done about an index that could not be used. Raises ``InvalidRequest`` for a folder that is not there,
    ``OutputUnwritable`` where no index can be kept anywhere. What lies in the folder is known after ``refresh``.
    """

    def __init__(self, folder: Path, database: Path | None = None) -> None:
        self.folder = folder.resolve()
        if not self.folder.is_dir():
            allowed = "a folder that is there: nothing has been kept in this one yet, or its drive is away"
            raise InvalidRequest("library", str(self.folder), allowed)
        self._database = _opened([database] if database else _database_paths(self.folder))

    def __enter__(self) -> Library:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the index."""
        self._database.close()

    @property
    def notes(self) -> list[str]:
        """What had to be done about the index."""
        return self._database.notes

    @property
    def database(self) -> Path:
        """The index's file."""
        return self._database.path

    # ------------------------------------------------------------------ questions

    def find(self, query: Query | None = None) -> list[Entry]:
        """The loops that a query asks for."""
        query = query or Query()

        def ask() -> list[Entry]:
            where, values = conditions(query, full_text=self._database.full_text)
            order, index = ordered(query)
            rows = self._database.connection().execute(
                f"SELECT * FROM (SELECT * FROM loops INDEXED BY {index} WHERE {where} ORDER BY {order} LIMIT ?"
                f" OFFSET ?) JOIN details USING (number) ORDER BY {order}, number",
                (*values, -1 if query.limit is None else query.limit, query.offset),
            )
            return [entry(row, self.folder) for row in rows]

        return self._guarded(ask)

    def count(self, query: Query | None = None) -> int:
        """How many loops a query asks for, whatever its limit."""
        query = query or Query()

        def ask() -> int:
            where, values = conditions(query, full_text=self._database.full_text)
            index = "" if query.words or query.tags else f"INDEXED BY {walked(query)}"
            sql = f"SELECT count(*) FROM loops {index} WHERE {where}"
            return int(self._database.connection().execute(sql, values).fetchone()[0])

        return self._guarded(ask)

    def tags(self) -> dict[str, int]:
        """All tags, and how many loops have each."""
        sql = (
            "SELECT tag, count(*) AS many FROM tags JOIN loops USING (number)"
            " WHERE state <= ? GROUP BY tag ORDER BY tag"
        )
        return self._guarded(
            lambda: {row["tag"]: row["many"] for row in self._database.connection().execute(sql, (AWAY,))}
        )

    def get(self, loop: str) -> Entry:
        """The loop with this id; raises ``InvalidRequest``."""

        def ask() -> Entry | None:
            row = (
                self._database.connection()
                .execute("SELECT * FROM loops JOIN details USING (number) WHERE id = ?", (loop,))
                .fetchone()
            )
            return None if row is None else entry(row, self.folder)

        if (found := self._guarded(ask)) is None:
            raise InvalidRequest("loop", loop, "the id of a loop in this library")
        return found

    def files(self, loop: str) -> list[Path]:
        """All files that hold this loop, by its id."""
        rows = self._guarded(
            lambda: (
                self._database.connection()
                .execute("SELECT path FROM files JOIN loops USING (number) WHERE id = ? ORDER BY path", (loop,))
                .fetchall()
            )
        )
        return [self.folder / row["path"] for row in rows]

    def resolve(self, name: str | Path, *, trashed: bool | None = False) -> Entry:
        """The loop that is meant by a path, a file name with or without its suffix, an id or the beginning of one.

        ``trashed``: one in the trash is meant; None: it may be, where no other is. Raises ``InvalidRequest`` where none
        is found, or several are: it names them.
        """
        found = self._guarded(lambda: self._meant(str(name), trashed is True))
        if not found and trashed is None:
            found = self._guarded(lambda: self._meant(str(name), True))
        if not found:
            kind = "loop in the trash" if trashed else "loop in this library"
            raise InvalidRequest(
                "loop", str(name), f"the path, file name or id of a {kind}; `loopgen library list` shows them"
            )
        if len(found) > 1:
            shown = ", ".join(f"{each.name} ({each.id[:8]})" for each in found[:8])
            more = f" and {len(found) - 8} more" if len(found) > 8 else ""
            raise InvalidRequest("loop", str(name), f"more of it, as it may be {shown}{more}")
        return found[0]

    def _meant(self, name: str, trashed: bool) -> list[Entry]:
        states = (TRASHED, TRASHED) if trashed else (HERE, AWAY)
        connection = self._database.connection()
        select = "SELECT * FROM loops JOIN details USING (number) WHERE state BETWEEN ? AND ? AND "
        keys = {key_of(Path(name).resolve(), self.folder), key_of(self.folder / name, self.folder)}
        by_path = f"number IN (SELECT number FROM files WHERE path IN ({', '.join('?' * len(keys))}))"
        asked: list[tuple[str, tuple[object, ...]]] = [(by_path, tuple(keys)), ("name = ? COLLATE BINARY", (name,))]
        asked.append(("name IN (?, ?, ?)", (name, f"{name}.wav", f"{name}.flac")))
        if re.fullmatch(r"[0-9a-f]{3,32}", name.lower()):
            asked.append(("id >= ? AND id < ?", (name.lower(), name.lower() + "g")))
        for condition, values in asked:
            if rows := connection.execute(select + condition + " ORDER BY name", (*states, *values)).fetchall():
                return [entry(row, self.folder) for row in rows]
        return []

    # ------------------------------------------------------------------ the index and the folder

    def refresh(self, progress: Progress | None = None, read: Reader | None = None, *, again: bool = False) -> Changes:
        """Bring the index to what lies in the folder; cheap where nothing has changed.

        What is read is kept at once, so that the next refresh goes on where one was broken off. ``progress`` is told
        the fraction done and a file, and may raise to stop. ``read`` is what reads files, by default one by one.
        ``again``: ``read`` measures tempos, so that files without one are read again where nobody has looked for it.
        """
        told, reader = progress or _silent, read or one_by_one
        return self._guarded(lambda: refresh(self._database, self.folder, told, reader, again=again))

    def rebuild(self, progress: Progress | None = None, read: Reader | None = None) -> Changes:
        """Forget the index and read everything again; nothing but time is lost by it."""

        def forget() -> None:
            with self._database.writing() as connection:
                for table in ("tags", "words", "files", "details", "loops"):
                    connection.execute(f"DELETE FROM {table}")

        self._guarded(forget)
        return self.refresh(progress, read)

    def add_places(self, places: Iterable[Path]) -> list[Path]:
        """Make folders and files elsewhere parts of the library, where and as they are; the next refresh reads them.

        Returns those that were none yet. Raises ``OutputUnwritable`` where that cannot be written down.
        """
        resolved = [place.resolve() for place in places]

        def work() -> list[Path]:
            with self._database.writing():
                return add_places(self.folder, resolved)

        return self._guarded(work)

    def drop_place(self, place: Path) -> bool:
        """Make a folder or file no part of the library any more; it is left as it is. Returns whether it was one."""

        def work() -> bool:
            with self._database.writing():
                return drop_place(self.folder, place.resolve())

        return self._guarded(work)

    @property
    def places(self) -> list[Path]:
        """Where the loops lie: the library's folder, then what was added."""
        return [self.folder, *(each.path for each in added_places(self.folder))]

    def problems(self) -> list[str]:
        """What of the files that are there cannot be used, one line each."""
        sql = "SELECT problem FROM files WHERE problem IS NOT NULL AND state != ? ORDER BY path"
        return self._guarded(lambda: [row["problem"] for row in self._database.connection().execute(sql, (GONE,))])

    # ------------------------------------------------------------------ what people do with loops

    def mark(
        self,
        loop: str,
        *,
        add: Iterable[str] = (),
        remove: Iterable[str] = (),
        favourite: bool | None = None,
        rating: int | None = None,
    ) -> Entry:
        """Give the loop with this id tags, take tags from it, make it a favourite or not, rate it 0 (not) to 5.

        Raises ``InvalidRequest``, and ``OutputUnwritable`` where the marks cannot be kept.
        """
        gained, lost = {check_tag(tag) for tag in add}, {check_tag(tag) for tag in remove}
        if rating is not None:
            check_rating(rating)

        def work() -> None:
            with self._database.writing() as connection:
                number, path = self._place_of(connection, loop)
                old = latest(store.marks_of(connection, loop), sidecar_marks(path))
                marks = replace(
                    old,
                    tags=tuple(sorted((set(old.tags) | gained) - lost)),
                    favourite=old.favourite if favourite is None else favourite,
                    rating=old.rating if rating is None else rating,
                )
                if marks == old:
                    return
                marks = replace(marks, at=max(now(), old.at + "+"))  # later than the last, whatever the clock says
                write_marks(loop, marks, path, self.folder)
                store.put_marks(connection, number, marks)
                self._saw_sidecar(connection, path)
                store.settle(connection, [number])

        self._guarded(work)
        return self.get(loop)

    def rename(self, loop: str, name: str) -> Entry:
        """Give the file of the loop with this id another name, and its sidecar; raises as ``mark``."""

        return self._move(loop, lambda path, _: moves.rename_file(path, name), only_first=True)

    def trash(self, loop: str) -> Entry:
        """Move the loop with this id, all its files with what belongs to them, into the trash; raises as ``mark``."""

        def work(path: Path, is_shared: Callable[[str], bool]) -> Path:
            return moves.trash_file(path, loop, self.folder, is_shared=is_shared)

        return self._move(loop, work)

    def restore(self, loop: str) -> Entry:
        """Move the loop with this id out of the trash to where it was; raises as ``mark``."""

        def work() -> None:
            with self._database.writing() as connection:
                number, _ = self._place_of(connection, loop, TRASHED)
                old = store.keys_of(connection, number, TRASHED)
                self._moved(connection, number, old, moves.restore_files(loop, self.folder))

        self._guarded(work)
        return self.get(loop)

    def empty_trash(self) -> int:
        """Delete what lies in the trash, for good; returns how many loops that were."""

        def work() -> int:
            trashed = self.find(Query(trashed=True))
            with self._database.writing() as connection:
                for each in trashed:
                    moves.forget_trashed(each.id, self.folder)
                    number, _ = self._place_of(connection, each.id)
                    store.forget(connection, number)
            return len(trashed)

        return self._guarded(work)

    def _move(
        self, loop: str, work: Callable[[Path, Callable[[str], bool]], Path], *, only_first: bool = False
    ) -> Entry:
        """Move the files of a loop that are in their places; ``work`` is also told whose take other loops have."""

        def move() -> None:
            with self._database.writing() as connection:
                number, first = self._place_of(connection, loop, HERE)
                for key in [key_of(first, self.folder)] if only_first else store.keys_of(connection, number, HERE):
                    path = self.folder / key
                    if path.exists():
                        moved = work(path, lambda take: store.has_other_loops(connection, take, number))
                        self._moved(connection, number, [key], [moved])

        self._guarded(move)
        return self.get(loop)

    def _moved(self, connection: sqlite3.Connection, number: int, old: Iterable[str], new: Iterable[Path]) -> None:
        for key in old:
            connection.execute("DELETE FROM files WHERE path = ?", (key,))
        for path in new:
            inside = (self.folder / PRIVATE / TRASH) in path.parents
            found = found_at(path, self.folder, TRASHED if inside else HERE)
            store.put_file(connection, found, number)
        store.settle(connection, [number])

    def _place_of(self, connection: sqlite3.Connection, loop: str, state: int | None = None) -> tuple[int, Path]:
        """A loop's number and file; raises ``InvalidRequest`` where it is not known, or not in this ``state``."""
        row = connection.execute(
            "SELECT number, path, state FROM loops JOIN details USING (number) WHERE id = ?", (loop,)
        ).fetchone()
        if row is None or (state is not None and row["state"] != state):
            allowed = {None: "", HERE: " that is in its place", TRASHED: " that lies in the trash"}[state]
            raise InvalidRequest("loop", loop, f"the id of a loop in this library{allowed}")
        return int(row["number"]), self.folder / row["path"]

    def _saw_sidecar(self, connection: sqlite3.Connection, path: Path) -> None:
        """The index knows what it has just written itself."""
        with suppress(OSError):
            beside = path.with_suffix(".json").stat().st_mtime_ns
            connection.execute("UPDATE files SET sidecar = ? WHERE path = ?", (beside, key_of(path, self.folder)))

    def _guarded(self, work: Callable[[], T]) -> T:
        """Do something with the index; a broken one is set aside and filled anew first."""
        try:
            return self._database.guarded(work, lambda: refresh(self._database, self.folder, _silent, one_by_one))
        except sqlite3.Error as error:
            raise OutputUnwritable(f"{self.database}: the index cannot be used now ({error})") from None


def _silent(fraction: float, name: str) -> None:
    """Nobody wants to know how far it is."""


def _database_paths(folder: Path) -> Iterator[Path]:
    """In the folder, so that it goes where the folder goes; where that cannot be written, among the user's caches."""
    with suppress(OutputUnwritable):
        check_folder(folder / PRIVATE)
        yield folder / PRIVATE / DATABASE
    import platformdirs

    name = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    yield make_folder(platformdirs.user_cache_path("loopgen", appauthor=False) / "libraries") / f"{name}.db"


def _opened(paths: Iterable[Path]) -> Database:
    """The first that can be."""
    problem: OutputUnwritable | None = None
    for path in paths:
        try:
            return Database(path, store.words_of)
        except OutputUnwritable as error:
            problem = problem or error
    raise problem or OutputUnwritable("no index can be kept anywhere")
