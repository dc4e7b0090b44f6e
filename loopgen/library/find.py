"""What can be looked for in a library, and what is found: values, and the SQL of a question."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

from loopgen.errors import InvalidRequest
from loopgen.music.beats import Rival
from loopgen.music.key import SCALES, Key
from loopgen.music.tempo import BPM_RANGE, Meter, check_bars

HERE, AWAY, TRASHED, GONE = range(4)
"""Where a file is: in its place; on a drive that is not there; in the library's trash; deleted."""

RATINGS = (0, 5)
ORDERS = ("added", "made", "bpm", "name", "rating")
ORIGINS = ("loopgen", "foreign")
_TAG = re.compile(r"[^\W_][\w.&'-]{0,39}")


@dataclass(frozen=True, slots=True)
class Entry:
    """A loop of the library, as the index knows it.

    Attributes:
        id: 32 hexadecimal digits, of the audio's content: the same samples have it under every name and format.
        path: where it lies; ``name`` is its file name, ``title`` its prompt, else its name without the suffix.
        bpm: quarter notes a minute, exact; None where the file says none and it has not been measured.
        tags: sorted.
        rating: 0 (none) to 5.
        added, made: when it came into the library, and when it was written.
        seconds, rate (Hz), frames, channels: of the audio.
        warnings: what is weak, in plain words; ``summary`` is one line on how good it is.
        origin: ``"loopgen"`` or ``"foreign"``.
        trashed: it lies in the library's trash. ``away``: its drive or folder is not there now.
        has_take: the take that it was made of is kept.
        copies: files that hold the same samples, this one counted.
        rival: where else its beat 1 may well be.
    """

    id: str
    path: Path
    name: str
    title: str
    bpm: Fraction | None
    bars: int | None
    meter: str | None
    key: Key | None
    engine: str | None
    prompt: str
    seed: int | None
    licence: str | None
    tags: tuple[str, ...]
    favourite: bool
    rating: int
    added: datetime
    made: datetime
    seconds: float
    rate: int
    frames: int
    channels: int
    warnings: tuple[str, ...]
    summary: str
    origin: str
    trashed: bool = False
    has_take: bool = False
    away: bool = False
    copies: int = 1
    rival: Rival | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for; everything that is given must hold. Raises ``InvalidRequest`` for values that cannot be.

    Attributes:
        words: each must begin a word of the title, prompt, name, engine or tags.
        bpm: lowest and highest tempo, both included; half and double tempos count too, unless ``exact_tempo``.
        key: with ``compatible``, keys that mix with it too (``compatible_keys``).
        engine: ``"musicgen"`` finds ``musicgen:small`` as well.
        tags: all of them.
        rating: at least so many.
        since, until: when the loop was made, both included.
        trashed: look in the trash instead.
        order: one of ``ORDERS``.
        limit, offset: of the answer; all without a limit.

    >>> Query(order="colour")
    Traceback (most recent call last):
    loopgen.errors.InvalidRequest: order: 'colour' cannot be used; give one of added, made, bpm, name, rating
    """

    words: str = ""
    bpm: tuple[float, float] | None = None
    exact_tempo: bool = False
    key: Key | str | None = None
    compatible: bool = False
    bars: int | None = None
    meter: Meter | str | None = None
    engine: str | None = None
    tags: tuple[str, ...] = ()
    favourite: bool | None = None
    rating: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    origin: str | None = None
    trashed: bool = False
    order: str = "added"
    descending: bool = True
    limit: int | None = None
    offset: int = 0

    def __post_init__(self) -> None:
        def put(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        if self.bpm is not None:
            low, high = float(self.bpm[0]), float(self.bpm[1])
            if not BPM_RANGE[0] <= low <= high <= BPM_RANGE[1]:
                raise InvalidRequest("bpm", f"{low:g}-{high:g}", "a range of tempos within 20 to 999, like 120-130")
            put("bpm", (low, high))
        if self.key is not None:
            put("key", Key.parse(self.key))
        if self.compatible and self.key is None:
            raise InvalidRequest("compatible", True, "a key that others are to be compatible with, like Am")
        if self.bars is not None:
            check_bars(self.bars)
        if self.meter is not None:
            put("meter", Meter.parse(self.meter))
        put("tags", tuple(check_tag(tag) for tag in self.tags))
        if self.rating is not None:
            check_rating(self.rating)
        for name, when in (("since", self.since), ("until", self.until)):
            if when is not None and when.tzinfo is None:
                put(name, when.astimezone())
        if self.origin not in (None, *ORIGINS):
            raise InvalidRequest("origin", self.origin, " or ".join(ORIGINS))
        if self.order not in ORDERS:
            raise InvalidRequest("order", self.order, f"one of {', '.join(ORDERS)}")
        if self.limit is not None and (isinstance(self.limit, bool) or self.limit < 0):
            raise InvalidRequest("limit", self.limit, "a number of loops from 0")
        if self.offset < 0:
            raise InvalidRequest("offset", self.offset, "a number of loops from 0")


def check_tag(tag: str) -> str:
    """A tag as it is kept, in small letters; raises ``InvalidRequest``.

    >>> check_tag("Dub-Techno")
    'dub-techno'
    """
    if not isinstance(tag, str) or not _TAG.fullmatch(tag.strip()):
        raise InvalidRequest("tag", tag, "a word of at most 40 letters, digits and - _ . & ', like dub-techno")
    return tag.strip().casefold()


def check_rating(rating: int) -> int:
    """A rating; raises ``InvalidRequest`` outside of 0 to 5."""
    if isinstance(rating, bool) or not isinstance(rating, int) or not RATINGS[0] <= rating <= RATINGS[1]:
        raise InvalidRequest("rating", rating, "a whole number from 0 (none) to 5")
    return rating


def camelot(key: Key) -> tuple[int, str]:
    """A key's place on the wheel that DJs mix by: neighbours share all their notes, or all but one.

    A mode has the place of the scale with its notes, its letter by its third; harmonic and melodic minor are as minor.

    >>> camelot(Key.parse("Am")), camelot(Key.parse("C")), camelot(Key.parse("F#m")), camelot(Key.parse("D dorian"))
    ((8, 'A'), (8, 'B'), (11, 'A'), (8, 'A'))
    """
    scale = SCALES["minor" if key.mode.endswith(" minor") else key.mode]
    notes = {(key.tonic + step) % 12 for step in scale}
    major = next(tonic for tonic in range(12) if notes == {(tonic + step) % 12 for step in SCALES["major"]})
    return (7 * major + 7) % 12 + 1, "A" if key.is_minor else "B"


def compatible_keys(key: Key) -> dict[str, Key]:
    """Keys that mix with ``key``, by what they are to it: itself, its relative, a fifth up, a fifth down.

    >>> {relation: str(key) for relation, key in compatible_keys(Key.parse("Am")).items()}
    {'itself': 'Am', 'relative': 'C', 'fifth up': 'Em', 'fifth down': 'Dm'}
    """
    number, letter = camelot(key)
    other = "B" if letter == "A" else "A"
    places = {
        "relative": (number, other),
        "fifth up": (number % 12 + 1, letter),
        "fifth down": ((number - 2) % 12 + 1, letter),
    }
    return {"itself": key} | {relation: _at(*place) for relation, place in places.items()}


@lru_cache
def _at(number: int, letter: str) -> Key:
    mode = "minor" if letter == "A" else "major"
    return next(key for tonic in range(12) if camelot(key := Key(tonic, mode)) == (number, letter))


def place(key: Key | None) -> int | None:
    """``camelot`` as one number, for the index."""
    return None if key is None else 2 * camelot(key)[0] + (camelot(key)[1] == "B")


def conditions(query: Query, *, full_text: bool) -> tuple[str, list[object]]:
    """The condition of a query in SQL, over the index's table ``loops``, and its values."""
    parts: list[tuple[str, tuple[object, ...]]] = list(_conditions(query, full_text=full_text))
    return " AND ".join(sql for sql, _ in parts), [value for _, values in parts for value in values]


def ordered(query: Query) -> tuple[str, str]:
    """The order of a query in SQL, and the index to walk: none of what is asked for needs more than it holds."""
    direction = "DESC" if query.descending else "ASC"
    if query.since is None and query.until is None and query.order in ("added", "made", "name"):
        return f"{query.order} {direction}", f"loops_by_{query.order}"
    unknown_last = "bpm IS NULL, " if query.order == "bpm" else ""
    return f"{unknown_last}{query.order} {direction}, added DESC", walked(query)


def walked(query: Query) -> str:
    """The index to walk where the order says nothing."""
    return "loops_by_added" if query.since is None and query.until is None else "loops_by_made"


def _conditions(query: Query, *, full_text: bool) -> Iterator[tuple[str, tuple[object, ...]]]:
    yield ("state = ?", (TRASHED,)) if query.trashed else ("state <= ?", (AWAY,))
    if words := re.findall(r"[^\W_]+", query.words.casefold()):
        if full_text:
            asked = " ".join(f'"{word}"*' for word in words)
            yield "number IN (SELECT rowid FROM words WHERE words MATCH ?)", (asked,)
        else:
            for word in words:
                like = "text LIKE ? OR text LIKE ?"
                yield f"number IN (SELECT rowid FROM words WHERE {like})", (f"{word}%", f"% {word}%")
    if query.bpm:
        low, high = (round(bound, 6) for bound in query.bpm)
        ranges = [(low, high)] if query.exact_tempo else [(low, high), (low / 2, high / 2), (2 * low, 2 * high)]
        within = " OR ".join(["bpm BETWEEN ? AND ?"] * len(ranges))
        yield f"({within})", tuple(bound for pair in ranges for bound in (pair[0] - 1e-6, pair[1] + 1e-6))
    if isinstance(query.key, Key) and query.compatible:
        places = {place(key) for key in compatible_keys(query.key).values()}
        yield f"camelot IN ({', '.join('?' * len(places))})", tuple(places)
    elif query.key:
        yield "key = ?", (str(query.key),)
    if query.bars is not None:
        yield "bars = ?", (query.bars,)
    if query.meter is not None:
        yield "meter = ?", (str(query.meter),)
    if query.engine is not None:
        beyond = query.engine + ";"  # the character after the colon
        yield "(engine = ? OR engine >= ? AND engine < ?)", (query.engine, query.engine + ":", beyond)
    for tag in query.tags:
        yield "number IN (SELECT number FROM tags WHERE tag = ?)", (tag,)
    if query.favourite is not None:
        yield "favourite = ?", (int(query.favourite),)
    if query.rating is not None:
        yield "rating >= ?", (query.rating,)
    if query.since is not None:
        yield "made >= ?", (query.since.timestamp(),)
    if query.until is not None:
        yield "made <= ?", (query.until.timestamp(),)
    if query.origin is not None:
        yield "origin = ?", (query.origin,)


def entry(row: sqlite3.Row, folder: Path) -> Entry:
    """An entry out of a row of ``loops`` with its ``details``; ``folder`` is the library's."""
    more = json.loads(row["facts"])
    return Entry(
        row["id"],
        folder / row["path"],
        row["name"],
        more["title"],
        Fraction(more["bpm"]) if more["bpm"] else None,
        row["bars"],
        row["meter"],
        _key(row["key"]) if row["key"] else None,
        row["engine"],
        more["prompt"],
        more["seed"],
        more["licence"],
        tuple(row["tags"].split()),
        bool(row["favourite"]),
        row["rating"],
        _when(row["added"]),
        _when(row["made"]),
        more["seconds"],
        more["rate"],
        more["frames"],
        more["channels"],
        tuple(more["warnings"]),
        more["summary"],
        row["origin"],
        row["state"] == TRASHED,
        more["has_take"],
        row["state"] in (AWAY, GONE),
        row["copies"],
        Rival(Fraction(rival[0]), rival[1]) if (rival := more.get("rival")) else None,
    )


@lru_cache(256)
def _key(text: str) -> Key:
    return Key.parse(text)


def _when(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
