"""The index's SQLite file: opened by several processes and threads, migrated, set aside when it is broken.

Whatever it holds can be read from the folder again, so that no file of it is ever waited for or mended.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from loopgen.errors import OutputUnwritable

_BUSY_SECONDS = 60.0
_CLOSING_SECONDS = 5.0
"""So long is waited for other threads to leave the file before it is closed."""

_BROKEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
T = TypeVar("T")


def _tables(connection: sqlite3.Connection) -> None:
    """Version 1. ``loops`` is narrow, as questions walk through it; what is only shown stands in ``details``."""
    for statement in (
        """CREATE TABLE loops (
            number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, state INTEGER NOT NULL, bpm REAL, bars INTEGER,
            meter TEXT, key TEXT, camelot INTEGER, engine TEXT, favourite INTEGER NOT NULL, rating INTEGER NOT NULL,
            origin TEXT NOT NULL, added REAL NOT NULL, made REAL NOT NULL, name TEXT NOT NULL COLLATE NOCASE)""",
        """CREATE TABLE details (
            number INTEGER PRIMARY KEY REFERENCES loops ON DELETE CASCADE, path TEXT NOT NULL, copies INTEGER NOT NULL,
            tags TEXT NOT NULL, marked TEXT NOT NULL, facts TEXT NOT NULL)""",
        """CREATE TABLE tags (
            tag TEXT NOT NULL, number INTEGER NOT NULL REFERENCES loops ON DELETE CASCADE,
            PRIMARY KEY (tag, number)) WITHOUT ROWID""",
        """CREATE TABLE files (
            path TEXT PRIMARY KEY, number INTEGER REFERENCES loops ON DELETE CASCADE, state INTEGER NOT NULL,
            size INTEGER NOT NULL, mtime INTEGER NOT NULL, sidecar INTEGER NOT NULL, problem TEXT)""",
        "CREATE INDEX files_number ON files (number)",
    ):
        connection.execute(statement)


def _of_tags(connection: sqlite3.Connection) -> None:
    """Version 2: the tags of a loop are found without a walk."""
    connection.execute("CREATE INDEX tags_number ON tags (number)")


def _words(connection: sqlite3.Connection) -> None:
    """Version 3: full text, where this SQLite has it."""
    try:
        connection.execute(
            "CREATE VIRTUAL TABLE words USING fts5(text, tokenize='unicode61 remove_diacritics 2', prefix='2 3')"
        )
    except sqlite3.OperationalError:
        connection.execute("CREATE TABLE words (text TEXT NOT NULL)")
    connection.execute(
        "INSERT INTO words (rowid, text)"
        " SELECT number, words_of(name, facts, tags) FROM loops JOIN details USING (number)"
    )


def _orders(connection: sqlite3.Connection) -> None:
    """Version 4: each order in an index that holds all that is asked for, so that a walk ends when enough are found."""
    asked = "state, bpm, bars, meter, key, camelot, engine, favourite, rating, origin, added, made"
    for order in ("added", "made", "name"):
        others = asked.replace(f", {order}", "")
        connection.execute(f"CREATE INDEX loops_by_{order} ON loops ({order}, {others})")


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (_tables, _of_tags, _words, _orders)
"""From each version to the next; a new database goes through all of them."""


class Database:
    """Connections to the index, one a thread.

    ``notes`` tells, in plain words, what was done about a file that could not be used. ``is_new`` says that the index
    is empty and is to be filled. Raises ``OutputUnwritable`` where no database can be made.
    """

    def __init__(self, path: Path, words_of: Callable[[str, str, str], str]) -> None:
        self.path, self.notes, self.is_new = path, [], False
        self._words_of = words_of
        self._local = threading.local()
        self._all: list[tuple[threading.Thread, sqlite3.Connection]] = []
        self._lock = threading.Condition()
        self._users, self._is_closing = 0, False
        self._generation = 0
        self._prepare()

    notes: list[str]

    def _prepare(self) -> None:
        """Open the file; a newer one is left alone, a broken one set aside."""
        for _ in range(3):
            try:
                version = self._migrated()
            except sqlite3.DatabaseError as error:
                if not _is_broken(error):
                    raise OutputUnwritable(f"{self.path}: the index cannot be opened ({error})") from None
                self._set_aside()
                continue
            if version <= len(MIGRATIONS):
                return
            beside = self.path.with_name(f"{self.path.stem}-v{len(MIGRATIONS)}{self.path.suffix}")
            self.notes.append(
                f"{self.path.name} was written by a newer loopgen (version {version}, this one knows"
                f" {len(MIGRATIONS)}): it is left alone, and {beside.name} is used beside it"
            )
            self.close()
            self.path = beside
        raise OutputUnwritable(f"{self.path}: the index cannot be opened; move this file away")

    def _migrated(self) -> int:
        """Bring the file to this version; returns the version that it has, which may be a newer one."""
        with self._using():
            if (version := _version(self.connection())) == len(MIGRATIONS):
                return version
        with self.writing() as connection:  # others may be at it: look again now that they have to wait
            version = _version(connection)
            self.is_new |= version == 0
            for migrate in MIGRATIONS[version:]:
                migrate(connection)
            if version < len(MIGRATIONS):
                connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
            return max(version, len(MIGRATIONS))

    def connection(self) -> sqlite3.Connection:
        """This thread's connection."""
        if getattr(self._local, "generation", None) != self._generation:
            connection = sqlite3.connect(
                self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            connection.row_factory = sqlite3.Row
            connection.create_function("words_of", 3, self._words_of, deterministic=True)
            with self._lock:
                ended = [old for thread, old in self._all if not thread.is_alive()]
                self._all = [(thread, old) for thread, old in self._all if thread.is_alive()]
                self._all.append((threading.current_thread(), connection))
                self._local.connection, self._local.generation = connection, self._generation
            for old in ended:  # a server's threads come and go: each would leave open files and a cache behind
                with suppress(sqlite3.Error):
                    old.close()
            with suppress(sqlite3.OperationalError):  # a drive may know no shared memory: then without
                connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA cache_size = -32000")  # KiB: what a question walks through stays in memory
        connection = self._local.connection
        assert isinstance(connection, sqlite3.Connection)
        return connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction, and the lock on the library: nobody else, in any process, writes marks or moves files now."""
        with self._using():
            connection = self.connection()
            if connection.in_transaction:
                yield connection
                return
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextmanager
    def _using(self) -> Iterator[None]:
        """This thread is at work in the file: it is not closed meanwhile, which would crash SQLite."""
        depth = getattr(self._local, "depth", 0)
        with self._lock:
            if depth == 0:
                self._lock.wait_for(lambda: not self._is_closing, _CLOSING_SECONDS)
                self._users += 1
        self._local.depth = depth + 1
        try:
            yield
        finally:
            self._local.depth = depth
            with self._lock:
                self._users -= depth == 0
                self._lock.notify_all()

    @property
    def full_text(self) -> bool:
        """Whether words are found by FTS5."""
        row = self.connection().execute("SELECT sql FROM sqlite_master WHERE name = 'words'").fetchone()
        return "fts5" in row["sql"]

    def guarded(self, work: Callable[[], T], fill: Callable[[], object]) -> T:
        """Do ``work``; where the file turns out to be broken, set it aside, ``fill`` a new one, and do it again."""
        try:
            with self._using():
                return work()
        except sqlite3.DatabaseError as error:
            if not _is_broken(error):
                raise
        self._set_aside()
        self._prepare()
        fill()
        with self._using():
            return work()

    def _set_aside(self) -> None:
        """Move a broken file away, unless somebody else has done so already."""
        self.close()
        if self._is_whole():
            return
        broken = self.path.with_name(f"{self.path.name}.broken-{time.strftime('%Y%m%d-%H%M%S')}")
        for ending in ("", "-wal", "-shm"):
            try:
                self.path.with_name(self.path.name + ending).replace(broken.with_name(broken.name + ending))
            except FileNotFoundError:
                continue
            except OSError as error:
                reason = error.strerror or error
                raise OutputUnwritable(
                    f"{self.path} is broken and cannot be moved away ({reason}); end whatever uses it, or remove it"
                ) from None
        self.notes.append(f"{self.path.name} was broken: it lies in {broken.name} now, and the index is built anew")

    def _is_whole(self) -> bool:
        try:
            return str(self.connection().execute("PRAGMA quick_check(1)").fetchone()[0]) == "ok"
        except sqlite3.DatabaseError:
            return False
        finally:
            self.close()

    def close(self) -> None:
        """Close the connections of all threads, once they are at rest; the next use opens new ones."""
        own = threading.current_thread()
        ours = getattr(self._local, "depth", 0) > 0
        with self._lock:
            self._is_closing = True
            at_rest = self._lock.wait_for(lambda: self._users == ours, _CLOSING_SECONDS)
            connections, self._all = self._all, []
            self._generation += 1
            for thread, connection in connections:
                if at_rest or thread is own or not thread.is_alive():  # else it ends with its thread
                    with suppress(sqlite3.Error):
                        connection.close()
            self._is_closing = False
            self._lock.notify_all()


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _is_broken(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _BROKEN
