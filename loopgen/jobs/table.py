"""The jobs that there are: waiting, running, and the last that ended."""

from __future__ import annotations

import secrets
import threading
from collections import deque
from dataclasses import dataclass, replace
from multiprocessing import Pipe
from typing import Literal

from loopgen.errors import Busy, Cancelled, UnknownJob
from loopgen.worker.messages import Delivered, Generate, Work

REMEMBERED = 1_000
"""So many ended jobs can still be asked for."""

State = Literal["queued", "running", "done", "error", "cancelled"]


@dataclass(frozen=True, slots=True)
class Job:
    """A job at one moment.

    ``fraction`` of the work is done, 0 to 1, and never falls; ``delivered`` are the loops on disk so far; ``code`` and
    ``message`` say why it ended in error; ``notes`` is what the user should know besides; ``position`` counts the jobs
    that come before it, 0 once it is its turn; ``preview`` is a file and how many seconds of it can be heard. The
    melody of a job that has ended is not kept.
    """

    id: str
    work: Work
    state: State
    fraction: float
    stage: str
    delivered: tuple[Delivered, ...]
    code: str
    message: str
    notes: tuple[str, ...]
    position: int
    preview: tuple[str, float] | None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will become of it."""
        return self.state in ("done", "error", "cancelled")

    @property
    def is_whole(self) -> bool:
        """Whether all of its loops are on disk; then it ends in ``done``, whatever else comes."""
        return _is_whole(self.delivered)


@dataclass(slots=True, eq=False)
class Entry:
    """A job as the table keeps it."""

    id: str
    work: Work
    state: State = "queued"
    fraction: float = 0.0
    stage: str = "waiting"
    delivered: tuple[Delivered, ...] = ()
    code: str = ""
    message: str = ""
    notes: tuple[str, ...] = ()
    preview: tuple[str, float] | None = None
    is_cancelled: bool = False
    was_put_back: bool = False


class Table:
    """All jobs, under one lock that is never held for longer than a few look-ups; changes wait in an outbox."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.RLock()  # a signal's handler may close while its thread submits
        self._entries: dict[str, Entry] = {}
        self._waiting: deque[Entry] = deque()
        self._ended: deque[str] = deque()
        self._outbox: deque[Job] = deque()
        self._running: Entry | None = None
        self._is_awake = False
        self.is_closed = False
        self.bell, self._button = Pipe(duplex=False)

    def add(self, work: Work) -> Job:
        """Put a job at the end of the queue; raises ``Busy``."""
        if isinstance(work, Generate):
            work = replace(work, asked=dict(work.asked))  # as it is now, and fit to travel
        with self._lock:
            if self.is_closed:
                raise Busy("the server is closing and takes no more jobs")
            if len(self._waiting) >= self._limit:
                raise Busy(f"{len(self._waiting)} jobs wait already, which is the limit; try again when one is done")
            name = secrets.token_hex(4)
            while name in self._entries:
                name = secrets.token_hex(4)
            entry = self._entries[name] = Entry(name, work)
            self._waiting.append(entry)
            return self._changed(entry)

    def cancel(self, name: str) -> Job:
        """Cancel a waiting job; mark a running one; raises ``UnknownJob``."""
        with self._lock:
            entry = self._entry(name)
            if entry.state == "queued":
                self._waiting.remove(entry)
                self._end(entry, "cancelled", Cancelled.code, "cancelled")
            elif entry.state == "running" and not entry.is_cancelled:
                entry.is_cancelled = True
                self._wake()
            return self._snapshot(entry)

    def find(self, name: str) -> Job:
        """The job of this id; raises ``UnknownJob``."""
        with self._lock:
            return self._snapshot(self._entry(name))

    def close(self) -> None:
        """Take no more jobs; cancel those that there are."""
        with self._lock:
            self.is_closed = True
            while self._waiting:
                self._end(self._waiting.popleft(), "cancelled", Cancelled.code, "the server was closed")
            if self._running:
                self._running.is_cancelled = True
            self._wake()

    @property
    def has_waiting(self) -> bool:
        """Whether a job waits."""
        return bool(self._waiting)

    @property
    def running(self) -> Entry | None:
        """The job that the worker has, to be read only."""
        return self._running

    def take(self) -> Entry | None:
        """The next job, which is running from now on."""
        with self._lock:
            if not self._waiting:
                return None
            entry = self._running = self._waiting.popleft()
            entry.state, entry.stage = "running", "starting"
            self._changed(entry)
            return entry

    def put_back(self) -> bool:
        """Put the running job back to the front of the queue; False where that was done before, or it is cancelled."""
        with self._lock:
            entry = self._running
            if entry is None or entry.is_cancelled or entry.was_put_back:
                return False
            self._running = None
            entry.was_put_back = True
            entry.state, entry.stage = "queued", "waiting"
            self._waiting.appendleft(entry)
            self._changed(entry)
            return True

    def progress(self, fraction: float, stage: str) -> None:
        """How far the running job is; it never goes back."""
        with self._lock:
            if entry := self._running:
                entry.fraction, entry.stage = max(entry.fraction, min(fraction, 1.0)), stage
                self._changed(entry)

    def note(self, notes: tuple[str, ...]) -> None:
        """What the user should know of the running job."""
        with self._lock:
            if self._running:
                self._running.notes += notes

    def preview(self, path: str, seconds: float) -> None:
        """So much of the running job's first take can be heard."""
        with self._lock:
            if entry := self._running:
                entry.preview = (path, seconds)
                self._changed(entry)

    def deliver(self, delivered: Delivered) -> None:
        """One loop of the running job is on disk."""
        with self._lock:
            if entry := self._running:
                entry.delivered += (delivered,)
                self._changed(entry)

    def end(self, state: State, code: str = "", message: str = "") -> None:
        """The running job's end, ``done`` where all of its loops are there; without one nothing happens."""
        with self._lock:
            if entry := self._running:
                self._running = None
                if _is_whole(entry.delivered):  # a cancellation or a crash came too late
                    state, code, message = "done", "", ""
                self._end(entry, state, code, message)

    def news(self) -> list[Job]:
        """Changes that nobody was told yet, in their order; the bell may ring again."""
        with self._lock:
            while self.bell.poll():
                self.bell.recv_bytes()
            self._is_awake = False
            news = list(self._outbox)
            self._outbox.clear()
            return news

    def _entry(self, name: str) -> Entry:
        if name not in self._entries:
            raise UnknownJob(f"no job has the id {str(name)[:40]!r}; the last {REMEMBERED} that ended are remembered")
        return self._entries[name]

    def _end(self, entry: Entry, state: State, code: str, message: str) -> None:
        entry.state, entry.code, entry.message = state, code, message
        entry.preview = None
        if state == "done":
            entry.fraction, entry.stage = 1.0, "done"
        self._changed(entry)
        if isinstance(entry.work, Generate) and entry.work.melody:
            entry.work = replace(entry.work, melody=None)
        self._ended.append(entry.id)
        if len(self._ended) > REMEMBERED:
            del self._entries[self._ended.popleft()]

    def _changed(self, entry: Entry) -> Job:
        job = self._snapshot(entry)
        self._outbox.append(job)
        self._wake()
        return job

    def _wake(self) -> None:
        if not self._is_awake:
            self._button.send_bytes(b"!")
            self._is_awake = True

    def _snapshot(self, entry: Entry) -> Job:
        ahead = self._waiting.index(entry) + (self._running is not None) if entry.state == "queued" else 0
        return Job(
            entry.id,
            entry.work,
            entry.state,
            entry.fraction,
            entry.stage,
            entry.delivered,
            entry.code,
            entry.message,
            entry.notes,
            ahead,
            entry.preview,
        )


def _is_whole(delivered: tuple[Delivered, ...]) -> bool:
    return bool(delivered) and len(delivered) == delivered[-1].variations
