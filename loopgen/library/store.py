"""The rows of the index: readings and marks into them; each function is a part of somebody's transaction."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from loopgen.library.find import AWAY, GONE, HERE, TRASHED, place
from loopgen.library.folder import Found
from loopgen.library.marks import Marks, latest
from loopgen.library.reading import Reading
from loopgen.music.key import Key


def words_of(name: str, facts: str, tags: str) -> str:
    """What of a loop is found by words, each once, in small letters."""
    said = json.loads(facts)
    text = " ".join((Path(name).stem, said["title"], said["prompt"], said["engine"] or "", tags))
    return " ".join(dict.fromkeys(re.findall(r"[^\W_]+", text.casefold())))


def put_problem(connection: sqlite3.Connection, found: Found, problem: str) -> None:
    """A file that cannot be used is not read again until it changes."""
    put_file(connection, found, None, problem)


def put_reading(connection: sqlite3.Connection, found: Found, reading: Reading, marks: Marks) -> int:
    """A file that was read; ``marks`` are those that hold. Returns the loop's number.

    ``settle`` has to follow, for this loop and for what the file was before.
    """
    row = connection.execute(
        "SELECT number, origin, bpm, added, facts FROM loops JOIN details USING (number) WHERE id = ?", (reading.id,)
    ).fetchone()
    made = found.mtime / 1e9
    if row is None:
        number = _insert(connection, found, reading, made)
    else:
        number = row["number"]
        poorer = row["origin"] == "loopgen" and reading.origin != "loopgen"  # its sidecar was left behind
        if not poorer and (reading.bpm is not None or row["bpm"] is None):
            _update(connection, number, reading)
    put_file(connection, found, number, reading.problem or None)
    put_marks(connection, number, marks)
    return number


def _facts(reading: Reading) -> str:
    facts = {
        "title": reading.title,
        "bpm": str(reading.bpm) if reading.bpm is not None else None,
        "prompt": reading.prompt,
        "engine": reading.engine,
        "seed": reading.seed,
        "licence": reading.licence,
        "seconds": reading.seconds,
        "rate": reading.rate,
        "frames": reading.frames,
        "channels": reading.channels,
        "warnings": reading.warnings,
        "summary": reading.summary,
        "has_take": reading.has_take,
        "take": reading.take,
        "heard": reading.heard,
        "rival": [str(reading.rival.beats), reading.rival.confidence] if reading.rival else None,
    }
    return json.dumps(facts, ensure_ascii=False)


def _columns(reading: Reading) -> tuple[object, ...]:
    key = Key.parse(reading.key) if reading.key else None
    bpm = round(float(reading.bpm), 6) if reading.bpm is not None else None
    return bpm, reading.bars, reading.meter, reading.key, place(key), reading.engine, reading.origin


def _insert(connection: sqlite3.Connection, found: Found, reading: Reading, made: float) -> int:
    cursor = connection.execute(
        "INSERT INTO loops (bpm, bars, meter, key, camelot, engine, origin, id, state, favourite, rating, added, made,"
        " name) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?, ?, ?)",
        (*_columns(reading), reading.id, found.state, found.added, made, found.path.name),
    )
    number = int(cursor.lastrowid or 0)
    connection.execute(
        "INSERT INTO details (number, path, copies, tags, marked, facts) VALUES (?, ?, 1, '', '', ?)",
        (number, found.key, _facts(reading)),
    )
    return number


def _update(connection: sqlite3.Connection, number: int, reading: Reading) -> None:
    connection.execute(
        "UPDATE loops SET bpm = ?, bars = ?, meter = ?, key = ?, camelot = ?, engine = ?, origin = ? WHERE number = ?",
        (*_columns(reading), number),
    )
    connection.execute("UPDATE details SET facts = ? WHERE number = ?", (_facts(reading), number))


def put_marks(connection: sqlite3.Connection, number: int, marks: Marks) -> None:
    """The marks of a loop; ``settle`` has to follow."""
    connection.execute(
        "UPDATE loops SET favourite = ?, rating = ? WHERE number = ?", (marks.favourite, marks.rating, number)
    )
    connection.execute(
        "UPDATE details SET tags = ?, marked = ? WHERE number = ?", (" ".join(marks.tags), marks.at, number)
    )
    connection.execute("DELETE FROM tags WHERE number = ?", (number,))
    connection.executemany("INSERT INTO tags VALUES (?, ?)", ((tag, number) for tag in marks.tags))


def marks_of(connection: sqlite3.Connection, loop: str) -> Marks:
    """The marks that the index knows of a loop, by its id."""
    row = connection.execute(
        "SELECT tags, favourite, rating, marked FROM loops JOIN details USING (number) WHERE id = ?", (loop,)
    ).fetchone()
    if row is None:
        return Marks()
    return Marks(tuple(row["tags"].split()), bool(row["favourite"]), row["rating"], row["marked"])


def best_marks(connection: sqlite3.Connection, reading: Reading, *others: Marks | None) -> Marks:
    """Of all marks that are known of a loop, those that hold."""
    return latest(reading.marks, marks_of(connection, reading.id), *(marks for marks in others if marks is not None))


def put_file(connection: sqlite3.Connection, found: Found, number: int | None, problem: str | None = None) -> None:
    """A file, and the loop that it holds, if it holds one."""
    connection.execute(
        "INSERT OR REPLACE INTO files (path, number, state, size, mtime, sidecar, problem)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (found.key, number, found.state, found.size, found.mtime, found.sidecar, problem),
    )


def number_of_file(connection: sqlite3.Connection, key: str) -> int | None:
    """The loop that a file is known to hold."""
    row = connection.execute("SELECT number FROM files WHERE path = ?", (key,)).fetchone()
    return None if row is None or row["number"] is None else int(row["number"])


def state_of(connection: sqlite3.Connection, loop: str) -> int | None:
    """Where a loop is, by its id; None where it is not known."""
    row = connection.execute("SELECT state FROM loops WHERE id = ?", (loop,)).fetchone()
    return None if row is None else int(row["state"])


def keys_of(connection: sqlite3.Connection, number: int, state: int) -> list[str]:
    """The files of a loop that are in this state."""
    rows = connection.execute("SELECT path FROM files WHERE number = ? AND state = ? ORDER BY path", (number, state))
    return [row["path"] for row in rows]


def gone_marks(connection: sqlite3.Connection, numbers: Iterable[int]) -> list[tuple[str, Marks]]:
    """Ids and marks of those of some loops that are gone and have marks."""
    ids = [
        row["id"]
        for number in numbers
        for row in connection.execute("SELECT id FROM loops WHERE number = ? AND state = ?", (number, GONE))
    ]
    return [(loop, marks) for loop in ids if (marks := marks_of(connection, loop)).at]


def has_other_loops(connection: sqlite3.Connection, take: str, number: int) -> bool:
    """Whether loops other than this one, not in the trash, were made of a take."""
    sql = (
        "SELECT 1 FROM details JOIN loops USING (number)"
        " WHERE state <= ? AND number != ? AND facts LIKE ? AND json_extract(facts, '$.take') = ? LIMIT 1"
    )
    return connection.execute(sql, (AWAY, number, f"%{take}%", take)).fetchone() is not None


def forget(connection: sqlite3.Connection, number: int) -> None:
    """A loop that is deleted for good."""
    for table in (
        "words WHERE rowid",
        "tags WHERE number",
        "files WHERE number",
        "details WHERE number",
        "loops WHERE number",
    ):
        connection.execute(f"DELETE FROM {table} = ?", (number,))


def settle(connection: sqlite3.Connection, numbers: Iterable[int]) -> None:
    """Say of loops where they are now, by their files: the first that is there, the library's own before others.

    A file that is gone is forgotten once another holds the same samples: it was moved, or was one of several.
    """
    for number in numbers:
        files = connection.execute("SELECT path, state, sidecar FROM files WHERE number = ?", (number,)).fetchall()
        if not files:
            files = connection.execute(
                "SELECT path, ? AS state, 0 AS sidecar FROM details WHERE number = ?", (GONE, number)
            ).fetchall()
        best = min(
            files,
            key=lambda file: (
                _RANK[file["state"]],
                Path(file["path"]).is_absolute(),
                not file["sidecar"],
                file["path"],
            ),
        )
        there = [file for file in files if file["state"] in (HERE, AWAY)]
        if best["state"] != GONE:
            connection.execute("DELETE FROM files WHERE number = ? AND state = ?", (number, GONE))
        connection.execute(
            "UPDATE loops SET state = ?, name = ? WHERE number = ?",
            (best["state"], Path(best["path"]).name, number),
        )
        connection.execute(
            "UPDATE details SET path = ?, copies = ? WHERE number = ?", (best["path"], max(1, len(there)), number)
        )
        _put_words(connection, number)


def _put_words(connection: sqlite3.Connection, number: int) -> None:
    """What the loop is found by; unchanged words are left, as the full-text index is dear to write."""
    row = connection.execute(
        "SELECT name, facts, tags FROM loops JOIN details USING (number) WHERE number = ?", (number,)
    ).fetchone()
    text = words_of(row["name"], row["facts"], row["tags"])
    old = connection.execute("SELECT text FROM words WHERE rowid = ?", (number,)).fetchone()
    if old is None or old["text"] != text:
        connection.execute("DELETE FROM words WHERE rowid = ?", (number,))
        connection.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (number, text))


_RANK = {HERE: 0, AWAY: 1, TRASHED: 2, GONE: 3}
