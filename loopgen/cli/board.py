"""What the server's console knows, and what it says: notices in, lines out. Pure: no clock, no terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from loopgen.cli.common import CLIENT_NAME, clean

if TYPE_CHECKING:
    from bridge.service import Notice
    from loopgen.jobs import Delivered, Job, Work

CLIENTS_MAX = 256
LINES_A_SECOND = 10
"""Lines about clients and refusals that are shown in a second; a flood of them is counted instead."""

_FLOODS = {"client": ("plain", "joined"), "left": ("faint", "left"), "refused": ("bad", "refused")}

Lines: TypeAlias = list[tuple[str, str]]
"""What is to be said, each a tone (``plain``, ``good``, ``bad``, ``faint``) and one line of text."""


@dataclass(slots=True)
class Board:
    """The state that the console shows. Change it with ``tell`` and ``tick`` only."""

    host: str
    port: int
    output: str
    inbox: str
    engine: Mapping[str, str]
    """Its name, version and licence; of these what is known so far."""
    state: str = "starting"
    """The worker's: ``starting``, ``ready``, ``working``, ``failed`` or ``closed``."""
    clients: dict[str, None] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    """Those that wait or run, by id."""
    ends: dict[str, int] = field(default_factory=lambda: {"done": 0, "error": 0, "cancelled": 0})
    _second: int = -1
    _said: int = 0
    _unsaid: int = 0

    def tell(self, notice: Notice, now: float) -> Lines:
        """Take a notice in, ``now`` in seconds by any clock; returns what it is worth saying, often nothing."""
        lines = self.tick(now)
        text = clean(notice.text)
        if notice.kind == "job":
            return lines + (self._job(notice.job) if notice.job else [])
        if notice.kind == "listening":
            return [*lines, ("plain", f"listening on {self.address}, loops go to {clean(self.output)}")]
        if notice.kind == "warm":
            self.state = "ready"
            return [*lines, ("plain", f"ready: engine {self.engine_line()}")]
        if notice.kind == "closed":
            return [*lines, ("plain", f"ended; {self.tally()}")]
        if notice.kind == "client":
            self.clients[text] = None
            while len(self.clients) > CLIENTS_MAX:
                del self.clients[next(iter(self.clients))]
        elif notice.kind == "left":
            self.clients.pop(text, None)
        return lines + self._line(notice.kind, text)

    def _line(self, kind: str, text: str) -> Lines:
        """A notice that is shown as it is, unless there are too many like it."""
        if kind not in _FLOODS:
            return [("bad", f"{clean(kind)}: {text}")]
        if text.startswith(CLIENT_NAME):
            return []  # it comes and goes with each command, and what it does is said
        self._said += 1
        if self._said > LINES_A_SECOND:
            self._unsaid += 1
            return []
        tone, verb = _FLOODS[kind]
        return [(tone, f"{verb}: {text}")]

    def tick(self, now: float) -> Lines:
        """Let time pass; returns how much a flood of the last second has left unsaid."""
        if int(now) == self._second:
            return []
        unsaid, self._second, self._said, self._unsaid = self._unsaid, int(now), 0, 0
        return [("bad", f"and {unsaid:,} more of these within a second")] if unsaid else []

    def _job(self, job: Job) -> Lines:
        before = self.jobs.get(job.id)
        lines: Lines = [] if before else [("faint", f"{job.id} {_begins(job)}: {title(job.work)}")]
        for loop in job.delivered[len(before.delivered) if before else 0 :]:
            of = f" {loop.variation} of {loop.variations}" if loop.variations > 1 else ""
            lines.append(("good", f"{job.id} loop{of}: {clean(loop.path)} ({clean(loop.summary)})"))
        if not job.has_ended:
            self.jobs[job.id] = job
            return lines
        self.jobs.pop(job.id, None)
        self.ends[job.state] += 1
        if job.state == "error":
            lines.append(("bad", f"{job.id} failed, {job.code}: {clean(job.message)}"))
        elif job.state == "cancelled":
            lines.append(("faint", f"{job.id} cancelled"))
        return lines + [("faint", f"{job.id} note: {clean(note)}") for note in job.notes]

    @property
    def address(self) -> str:
        """Host and port as people write them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def engine_line(self) -> str:
        """The engine with its licence.

        >>> Board("", 0, "", "", {"name": "sketch", "version": "1.0", "licence": "CC0"}, "ready").engine_line()
        'sketch 1.0 (licence: CC0)'
        >>> Board("", 0, "", "", {"name": "musicgen:small", "hardware": "cpu in int8"}, "ready").engine_line()
        'musicgen:small on cpu in int8'
        """
        named = " ".join(clean(self.engine[key]) for key in ("name", "version") if self.engine.get(key))
        named += f" on {clean(self.engine['hardware'])}" if self.engine.get("hardware") else ""
        licence = self.engine.get("licence")
        trouble = f", {self.state}" if self.state in ("starting", "failed") else ""
        return named + (f" (licence: {clean(licence)})" if licence else "") + trouble

    def tally(self) -> str:
        """How the jobs have ended so far.

        >>> Board("", 0, "", "", {}, ends={"done": 2, "error": 1, "cancelled": 0}).tally()
        '2 done, 1 failed'
        """
        failed, cancelled = self.ends["error"], self.ends["cancelled"]
        parts = [f"{self.ends['done']:,} done"]
        parts += [f"{failed:,} failed"] if failed else []
        parts += [f"{cancelled:,} cancelled"] if cancelled else []
        return ", ".join(parts)


def title(work: Work) -> str:
    """What a job was asked for, in a line."""
    from loopgen.jobs import Retempo, Rotate

    if isinstance(work, Rotate):
        return clean(work.title)
    if isinstance(work, Retempo):
        what = work.loops[0] if len(work.loops) == 1 else f"{len(work.loops)} loops"
        return clean(f"{what} at {_tempo(work.bpm)}")
    asked: Mapping[str, Any] = work.asked
    parts = [str(asked.get("prompt") or asked.get("preset") or "a loop")]
    parts += [_tempo(asked["bpm"])] if asked.get("bpm") is not None else []
    parts += [str(asked["key"])] if asked.get("key") is not None else []
    parts += [f"{asked['bars']} bar{'' if asked['bars'] == 1 else 's'}"] if asked.get("bars") is not None else []
    parts += ["with a melody"] if work.melody is not None else []
    return clean(", ".join(parts))


def record(notice: Notice, board: Board) -> dict[str, object]:
    """A notice for machines; ``board`` knows what goes without saying in it."""
    shown: dict[str, object] = {"event": notice.kind, "text": notice.text}
    if notice.kind == "listening":
        shown |= {"host": board.host, "port": board.port, "output": board.output, "inbox": board.inbox}
    if notice.kind == "warm":
        shown |= {"engine": dict(board.engine)}
    return shown | {"job": job_fields(notice.job)} if notice.job else shown


def job_fields(job: Job) -> dict[str, object]:
    """A job for machines; ``loops`` are those that are on disk."""
    return {
        "id": job.id,
        "state": job.state,
        "position": job.position,
        "fraction": round(job.fraction, 4),
        "stage": job.stage,
        "asked": title(job.work),
        "loops": [_loop_fields(loop) for loop in job.delivered],
        "code": job.code,
        "message": job.message,
        "notes": list(job.notes),
    }


def _loop_fields(loop: Delivered) -> dict[str, object]:
    return {
        "path": loop.path,
        "bpm": float(loop.bpm),
        "bars": loop.bars,
        "beats": float(loop.quarters),
        "frames": loop.frames,
        "rate": loop.rate,
        "summary": loop.summary,
        "variation": loop.variation,
        "variations": loop.variations,
    }


def _begins(job: Job) -> str:
    return f"waits, {job.position} before it" if job.state == "queued" and job.position > 0 else "begins"


def _tempo(bpm: Any) -> str:
    from loopgen.music.tempo import format_bpm, parse_bpm

    return f"{format_bpm(parse_bpm(bpm))} BPM"
