"""What the page has made: jobs, with a worker process that starts with the first of them and leaves when idle.

Browsing loads no engine, and a page that is left open holds none: its memory is for the DAW, and for a server that may
run beside it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from loopgen.engines.base import Hardware, has_models
from loopgen.errors import InvalidRequest, TakeGone, UnknownJob
from loopgen.jobs import Generate, Job, Jobs, Retempo, Rotate, Work
from loopgen.library.find import Entry
from loopgen.music.request import OWN
from loopgen.music.tempo import format_bpm
from loopgen.orders import ASKED, settle

IDLE_SECONDS = 300.0
"""The worker leaves after so long without a job, and its engine with it."""

SHOWN = 30
"""Jobs that the page is shown: the last ones."""

_WHOLE = ("bars", "seed", "variations", "rate", "takes", "top_k")
_NUMBERS = ("temperature", "top_p", "guidance")


@dataclass(frozen=True, slots=True)
class Bench:
    """How loops are made: as the settings of the same names say.

    ``beside`` names whoever else has an engine in memory now, in words, or nobody: a model takes room twice then, and
    who asks for a loop is told.
    """

    output: Path
    engine: str = "auto"
    hardware: Hardware = field(default_factory=Hardware)
    stretcher: str = "auto"
    file_format: str = "wav"
    own_presets: Path | None = None
    rate: int | None = None
    takes: int | None = None
    listener: str = OWN
    beside: Callable[[], str] = lambda: ""


class Workshop:
    """Jobs of all open pages; ``told`` hears each change of one, as the page has it."""

    def __init__(
        self, bench: Bench, told: Callable[[dict[str, Any]], None], done: Callable[[], None], idle: float = IDLE_SECONDS
    ) -> None:
        self._bench, self._told, self._done, self._idle = bench, told, done, idle
        self._lock = threading.RLock()
        self._jobs: Jobs | None = None
        self._shown: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._timer: threading.Timer | None = None
        self._is_closed = False

    @property
    def worker_pid(self) -> int | None:
        """The worker's process id, None while there is none."""
        jobs = self._jobs
        return jobs.worker_pid if jobs else None

    def jobs(self) -> list[dict[str, Any]]:
        """The last jobs, the newest first."""
        with self._lock:
            return list(reversed(self._shown.values()))

    def submit(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Put an order into the queue; ``asked`` as the page's form has it, where empty text counts as absent.

        Raises ``InvalidRequest`` and ``PresetUnusable`` for what cannot be made, before anything is started, ``Busy``.
        """
        given = read_order(asked)
        defaults = {"rate": self._bench.rate, "takes": self._bench.takes}
        given = {name: value for name, value in defaults.items() if value} | given
        settle(given, own_presets=self._bench.own_presets)
        is_fresh, shown = self._submit(Generate(given))
        if is_fresh and has_models(str(given.get("engine") or self._bench.engine)) and (other := self._bench.beside()):
            note = f"{other} has an engine in memory as well: end it if there is not enough for two"
            return {**shown, "notes": [*shown["notes"], note]}
        return shown

    def retempo(self, entry: Entry, bpm: Fraction) -> dict[str, Any]:
        """Lay the take of a loop of the folder on another tempo, as a loop of its own; raises ``TakeGone``."""
        if not entry.has_take:
            raise TakeGone(f"{entry.name} has no take beside it: loops that loopgen makes from now on keep theirs")
        return self._submit(Retempo((str(entry.path),), bpm))[1]

    def rotate(self, entry: Entry, beats: Fraction | None) -> dict[str, Any]:
        """Turn a loop of the library by so many beats, or by what it names itself, as a loop of its own."""
        return self._submit(Rotate(entry.path, beats))[1]

    def _submit(self, work: Work) -> tuple[bool, dict[str, Any]]:
        """Whether a worker is started for it, and the job."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            is_fresh = self._jobs is None
            return is_fresh, self._show(self._open().submit(work))

    def cancel(self, name: str) -> dict[str, Any]:
        """Stop a job; raises ``UnknownJob``."""
        with self._lock:
            if self._jobs is not None:
                try:
                    return as_shown(self._jobs.cancel(name))
                except UnknownJob:
                    if name not in self._shown:
                        raise
            if name in self._shown:
                return self._shown[name]
        raise UnknownJob(f"no job has the id {name[:40]!r}")

    def close(self) -> None:
        """End all jobs and the worker."""
        with self._lock:
            self._is_closed = True
            if self._timer is not None:
                self._timer.cancel()
            jobs, self._jobs = self._jobs, None
        if jobs is not None:
            jobs.close()

    def _open(self) -> Jobs:
        if self._jobs is None:
            bench = self._bench
            self._jobs = Jobs(
                bench.output,
                engine=bench.engine,
                hardware=bench.hardware,
                stretcher=bench.stretcher,
                beat_listener=bench.listener,
                file_format=bench.file_format,
                own_presets=bench.own_presets,
                listener=self._changed,
            )
            self._jobs.start()
        return self._jobs

    def _changed(self, job: Job) -> None:
        self._told(self._show(job))
        if job.delivered or job.has_ended:
            self._done()
        if job.has_ended:
            with self._lock:
                if not self._is_closed and all(one["ended"] for one in self._shown.values()):
                    if self._timer is not None:
                        self._timer.cancel()
                    self._timer = threading.Timer(self._idle, self._leave)
                    self._timer.daemon = True
                    self._timer.start()

    def _show(self, job: Job) -> dict[str, Any]:
        shown = as_shown(job)
        with self._lock:
            known = self._shown.get(job.id)
            if known is not None and known["ended"]:
                return known  # the answer to a submission may come after the end
            self._shown[job.id] = shown
            while len(self._shown) > SHOWN:
                ended = next((name for name, one in self._shown.items() if one["ended"]), None)
                if ended is None:
                    break
                del self._shown[ended]
        return shown

    def _leave(self) -> None:
        with self._lock:
            if not all(one["ended"] for one in self._shown.values()):
                return
            jobs, self._jobs = self._jobs, None
        if jobs is not None:
            jobs.close()


def read_order(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What a form asks for, under the names of ``loopgen.orders``; raises ``InvalidRequest``.

    >>> read_order({"prompt": "dub techno", "bars": "8", "key": ""})
    {'prompt': 'dub techno', 'bars': 8}
    """
    given: dict[str, Any] = {}
    for name, value in asked.items():
        if value is None or value == "":
            continue
        if name not in ASKED:
            raise InvalidRequest("order", name, f"one of {', '.join(ASKED)}")
        if name in _WHOLE and isinstance(value, str):
            value = _number(name, value, int, "a whole number")
        elif name in _NUMBERS and isinstance(value, str):
            value = _number(name, value, float, "a number")
        given[name] = value
    return given


def _number(name: str, text: str, kind: Callable[[str], Any], what: str) -> Any:
    try:
        return kind(text.strip())
    except ValueError:
        raise InvalidRequest(name, text, what) from None


def as_shown(job: Job) -> dict[str, Any]:
    """A job as the page has it."""
    if isinstance(job.work, Generate):
        title = str(job.work.asked.get("prompt") or job.work.asked.get("preset") or "")
    elif isinstance(job.work, Rotate):
        title = job.work.title
    else:
        title = f"{Path(job.work.loops[0]).stem} at {format_bpm(job.work.bpm)} BPM"
    return {
        "id": job.id,
        "title": title,
        "state": job.state,
        "ended": job.has_ended,
        "fraction": round(job.fraction, 3),
        "stage": job.stage,
        "position": job.position,
        "code": job.code,
        "message": job.message,
        "notes": list(job.notes),
        "loops": [{"name": Path(one.path).name, "summary": one.summary} for one in job.delivered],
    }
