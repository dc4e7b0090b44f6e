"""What a card draws: the lowest and highest sample of each of ``COLUMNS`` slices of a loop, kept once computed."""

from __future__ import annotations

import base64
import sqlite3
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np

from loopgen.audiofile import read_audio
from loopgen.errors import LoopgenError
from loopgen.music.audio import Samples

COLUMNS = 240
"""Slices; a card is about as many pixels wide."""


def peaks(samples: Samples) -> bytes:
    """Lowest and highest value of each slice over all channels, as signed bytes in turn: 2 * ``COLUMNS`` of them.

    Args:
        samples: shape ``(frames, channels)``, full scale ±1; fewer frames than slices are repeated.

    >>> low, high = np.frombuffer(peaks(np.array([[0.5], [-1.0]], np.float32)), np.int8).reshape(-1, 2).T
    >>> sorted(set(low.tolist())), sorted(set(high.tolist()))
    ([-127, 64], [-127, 64])
    """
    low, high = samples.min(axis=1), samples.max(axis=1)
    if len(low) < COLUMNS:
        places = np.arange(COLUMNS) * len(low) // COLUMNS
        low, high = low[places], high[places]
    edges = np.arange(COLUMNS) * len(low) // COLUMNS
    both = np.stack([np.minimum.reduceat(low, edges), np.maximum.reduceat(high, edges)], axis=1)
    return bytes(np.round(np.clip(both, -1, 1) * 127).astype(np.int8).tobytes())


class Peaks:
    """Peaks by a loop's id, which is its audio's, so that they hold for good; in a small database of the user's cache.

    Where that cannot be written, they are computed anew.
    """

    def __init__(self, database: Path | None) -> None:
        self._lock = threading.Lock()
        self._known: sqlite3.Connection | None = None
        if database is not None:
            with suppress(OSError, sqlite3.Error):
                database.parent.mkdir(parents=True, exist_ok=True)
                known = sqlite3.connect(database, timeout=2.0, check_same_thread=False, isolation_level=None)
                known.execute("PRAGMA journal_mode = WAL")
                known.execute("PRAGMA synchronous = OFF")  # what is lost is computed again
                known.execute(
                    f"CREATE TABLE IF NOT EXISTS peaks_{COLUMNS} (id TEXT PRIMARY KEY, peaks BLOB) WITHOUT ROWID"
                )
                self._known = known

    def find(self, loops: Iterable[tuple[str, Path]]) -> dict[str, str | None]:
        """Id -> peaks in base64, for ids and their files; None for a file that cannot be read."""
        return {
            name: base64.b64encode(found).decode() if (found := self._one(name, path)) else None for name, path in loops
        }

    def close(self) -> None:
        """Let go of the database."""
        with self._lock:
            if self._known is not None:
                self._known.close()
            self._known = None

    def _one(self, name: str, path: Path) -> bytes | None:
        with self._lock, suppress(sqlite3.Error):
            if self._known is not None:
                row = self._known.execute(f"SELECT peaks FROM peaks_{COLUMNS} WHERE id = ?", (name,)).fetchone()
                if row is not None and len(row[0]) == 2 * COLUMNS:
                    return bytes(row[0])
        try:
            found = peaks(read_audio(path).samples)
        except (LoopgenError, OSError):
            return None
        with self._lock, suppress(sqlite3.Error):
            if self._known is not None:
                self._known.execute(f"INSERT OR REPLACE INTO peaks_{COLUMNS} VALUES (?, ?)", (name, found))
        return found
