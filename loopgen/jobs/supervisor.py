"""The thread between the table of jobs and the worker process."""

from __future__ import annotations

import logging
import pickle
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from multiprocessing import Pipe, connection, get_context
from typing import Literal

from loopgen import worker
from loopgen.errors import Cancelled, Stalled, WorkerDied
from loopgen.files import sweep, sweep_after_the_dead
from loopgen.jobs.table import Job, State, Table
from loopgen.worker.messages import Ended, Made, Noted, Order, Previewed, Progress, Ready, Setup, Stop, WarmUp, Writing
from loopgen.worker.signals import leave_ctrl_c_to_others

YIELD_SECONDS = 0.12
"""After this long a job that was cancelled is told to be, whether its worker has stopped or not."""

GRACE_SECONDS = 1.0
"""A worker that has not stopped by then has this long before it is killed, and its warm engine and takes with it."""

_BURIAL_SECONDS = 0.05
_ACCESS_VIOLATION = 0xC0000005
_CRASHES = ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS")
_log = logging.getLogger("loopgen.jobs")


class Supervisor:
    """Runs ``run`` in a thread of its own; other threads read its state, and may ``kill`` its worker.

    A worker that dies before its engine is ready, or while it warms up, is not started again until a job waits, and
    then without loading the engine first (``_is_careful``): an engine that crashes costs the jobs that name it one
    worker each, and no other job anything.
    """

    def __init__(
        self,
        table: Table,
        setup: Setup,
        listener: Callable[[Job], None],
        on_state: Callable[[str], None],
        stall: float,
    ) -> None:
        self._table, self._setup, self._stall = table, setup, stall
        self._listener, self._on_state = listener, on_state
        self._worker: _Process | None = None
        self._is_careful = self._is_closed = False
        self._told_state = ""
        self.facts: Mapping[str, str] = {}
        self.trouble = ""

    @property
    def state(self) -> str:
        """In a word, see ``Jobs.state``."""
        process = self._worker
        if self._is_closed or (self._table.is_closed and process is None):
            return "closed"
        if process is not None and process.phase in ("busy", "yielding"):
            return "working"
        if self.trouble:
            return "failed"
        return "ready" if process is not None and process.phase == "idle" and process.is_warm else "starting"

    @property
    def pid(self) -> int | None:
        """The worker's process id."""
        process = self._worker
        return process.pid if process is not None else None

    def run(self) -> None:
        """Supervise until the table is closed and all has ended."""
        leave_ctrl_c_to_others()
        sweep_after_the_dead(self._setup.output)  # of a server that was killed together with its worker
        while not (self._table.is_closed and self._worker is None and self._table.running is None):
            try:
                self._step()
            except Exception as error:  # nothing known raises here; if something does, the server lives on
                _log.exception("the supervisor of the jobs failed")
                self._remove("error", "internal", f"internal error: {type(error).__name__}: {error}; please report it")
                time.sleep(0.1)
        self._is_closed = True
        self._tell()

    def kill(self) -> None:
        """End the worker and the running job from another thread, where this one is held up by its listener."""
        if (process := self._worker) is not None:
            process.kill()
        self._table.end("cancelled", Cancelled.code, "the server was closed")

    def _step(self) -> None:
        if self._worker is None and not self._table.is_closed and (self._table.has_waiting or not self._is_careful):
            self._start()
        if self._worker is not None:
            self._direct(self._worker)
        self._tell()
        if self._worker is not None:
            self._watch(self._worker)
        elif not self._table.is_closed:
            connection.wait([self._table.bell])

    def _tell(self) -> None:
        """Tell the listeners what is new; what they raise is theirs."""
        for job in self._table.news():
            try:
                self._listener(job)
            except Exception:
                _log.exception("the listener of the jobs failed")
        if (state := self.state) != self._told_state:
            self._told_state = state
            try:
                self._on_state(state)
            except Exception:
                _log.exception("the listener of the worker's state failed")

    def _start(self) -> None:
        try:
            self._worker = _Process(replace(self._setup, preload=not self._is_careful))
        except OSError as error:
            self.trouble = f"the worker process cannot be started: {error.strerror or error}; free some memory"
            self._is_careful = True
            if self._table.take() is not None:
                self._table.end("error", WorkerDied.code, self.trouble)

    def _direct(self, process: _Process) -> None:
        """Give the worker what it should do now."""
        running = self._table.running
        if process.phase == "busy":
            if running is not None and running.is_cancelled and process.deadline is None:
                process.send(Stop(running.id))
                process.deadline = time.monotonic() + YIELD_SECONDS
        elif self._table.is_closed:
            process.dismiss()
            self._worker = None
        elif process.phase == "warming":
            if self._table.has_waiting and not process.is_warm:
                process.is_warm = True  # enough: the next job is worth more
                process.send(Stop(""))
        elif process.phase == "idle" and (entry := self._table.take()) is not None:
            process.phase, process.folder = "busy", entry.work.folder
            process.has_begun = process.is_writing = False
            try:
                process.send(Order(entry.id, entry.work))
            except (pickle.PicklingError, TypeError, AttributeError, ValueError) as error:
                process.phase = "idle"
                self._table.end("error", "internal", f"internal error: the job cannot be passed on: {error}")
        elif process.phase == "idle" and not process.is_warm:
            if self.trouble or self._is_careful:
                process.is_warm = True
            else:
                process.phase = "warming"
                process.send(Order("", WarmUp()))

    def _watch(self, process: _Process) -> None:
        """Wait until something happens, and see to it."""
        silence = float("inf") if process.phase == "idle" else process.seen + self._stall
        until = min(silence, process.deadline or float("inf"))
        timeout = None if until == float("inf") else max(0.0, until - time.monotonic())
        ready = connection.wait([self._table.bell, *process.signs], timeout)
        self._hear(process)
        if process.sentinel in ready or (process.is_deaf and process.join(1.0)):
            self._died(process)
        elif process.is_deaf:
            self._remove("error", WorkerDied.code, "the worker process hung up; the next job runs in a new one")
        elif process.deadline is not None and time.monotonic() >= process.deadline:
            self._lose_patience(process)
        elif process.phase != "idle" and time.monotonic() >= process.seen + self._stall:
            how = f"gave no sign of life for {self._stall:g} s"
            self._distrust(process, how)
            self._remove("error", Stalled.code, f"the engine {how} and was ended; the next job runs in a new process")

    def _lose_patience(self, process: _Process) -> None:
        """End a cancelled job whose worker does not stop; let the worker come to its next checkpoint, or kill it.

        A worker that writes a loop passes no checkpoint before the loop is there, so it is killed.
        """
        if process.phase == "busy" and not process.is_writing and not self._table.is_closed:
            process.phase, process.deadline = "yielding", time.monotonic() + GRACE_SECONDS
            self._table.end("cancelled", Cancelled.code, "cancelled")
        else:
            self._remove("cancelled", Cancelled.code, "cancelled")

    def _hear(self, process: _Process) -> None:
        """Take in what the worker has sent; what it says of the warm-up or of a job that has ended is not passed on."""
        for message in process.messages():
            process.seen = time.monotonic()
            running = self._table.running
            if isinstance(message, Ready):
                process.phase = "idle" if process.phase == "starting" else process.phase
                if message.facts:
                    self.facts, self.trouble = message.facts, ""
                elif message.code:
                    self.trouble = message.message
            elif isinstance(message, Ended):
                process.phase, process.deadline, process.is_warm = "idle", None, True
                if message.job and message.state == "done":
                    self._is_careful = False
                    self.trouble = "" if self.facts else self.trouble  # it has loaded before, and will again
                if running is not None and message.job == running.id:
                    self._table.end(_STATES[message.state], message.code, message.message)
            elif running is not None and message.job == running.id:
                self._pass_on(process, message)

    def _pass_on(self, process: _Process, message: Progress | Noted | Previewed | Writing | Made) -> None:
        """Put down what the worker says of the running job."""
        process.has_begun = True
        if isinstance(message, Progress):
            self._table.progress(message.fraction, message.stage)
        elif isinstance(message, Noted):
            self._table.note(message.notes)
        elif isinstance(message, Previewed):
            self._table.preview(message.path, message.seconds)
        elif isinstance(message, Writing):
            process.is_writing = True
        else:
            process.is_writing = False
            self._table.deliver(message.delivered)

    def _died(self, process: _Process) -> None:
        """See to what a worker leaves that ended by itself, or by somebody else."""
        process.join(1.0)  # its handles close a moment before its exit status is there
        how = _how_it_ended(process.exitcode)
        self._distrust(process, how)
        running = self._table.running
        if running is not None and running.is_cancelled:
            self._remove("cancelled", Cancelled.code, "cancelled")
            return
        if not process.has_begun:
            self._table.put_back()  # it was handed to a worker that was dead already, or all but: once that is no fault
        self._remove("error", WorkerDied.code, f"the worker process {how}; the next job runs in a new one")

    def _distrust(self, process: _Process, how: str) -> None:
        """Start with care after a worker that came to nothing; one that was started with care costs the next job."""
        if process.phase not in ("starting", "warming"):
            return
        if self._is_careful and self._table.take() is not None:
            self._table.end("error", WorkerDied.code, f"the worker process {how} before it could take the job")
        self._is_careful = True
        self.trouble = f"the worker process {how} while it loaded the engine {self._setup.engine}"

    def _remove(self, state: State, code: str, message: str) -> None:
        """End the worker for good, and the running job in this state, unless it was told to have ended otherwise."""
        process = self._worker
        if process is None:
            self._table.end(state, code, message)
            return
        process.kill()
        is_dead = process.join(_BURIAL_SECONDS)
        self._hear(process)  # the last words
        folder = self._setup.output / process.folder
        if is_dead:
            sweep(folder, process.pid)
        self._table.end(state, code, message)
        if not is_dead:  # much memory takes long to give back; the job does not wait for it
            self._tell()
            process.join(10.0)
            sweep(folder, process.pid)
        process.close()
        self._worker = None


_Phase = Literal["starting", "idle", "warming", "busy", "yielding"]
"""``yielding``: at an order that nobody waits for any more."""
_STATES: Mapping[str, State] = {"done": "done", "cancelled": "cancelled", "error": "error"}
_Message = Ready | Progress | Noted | Previewed | Writing | Made | Ended


class _Process:
    """One worker process and our end of its pipe. Raises ``OSError`` where it cannot be started."""

    def __init__(self, setup: Setup) -> None:
        self._pipe, theirs = Pipe()
        self._process = get_context("spawn").Process(
            target=worker.run, args=(theirs, setup), name="loopgen-worker", daemon=True
        )
        try:
            self._process.start()
        except BaseException:
            self._pipe.close()
            raise
        finally:
            theirs.close()
        self.pid = self._process.pid or 0
        self.sentinel = self._process.sentinel
        self.phase: _Phase = "starting"
        self.seen = time.monotonic()
        self.deadline: float | None = None
        self.is_warm = self.is_deaf = False
        self.has_begun = self.is_writing = False  # the last order
        self.folder = ""  # of the last order

    @property
    def signs(self) -> list[connection.Connection | int]:
        """What to wait for."""
        return [self.sentinel] if self.is_deaf else [self._pipe, self.sentinel]

    @property
    def exitcode(self) -> int | None:
        """As ``multiprocessing`` has it; None while the process lives."""
        return self._process.exitcode

    def send(self, message: object) -> None:
        """Send to a worker that listens; one that is gone is noticed elsewhere."""
        self.seen = time.monotonic()
        with suppress(OSError):
            self._pipe.send(message)

    def messages(self) -> list[_Message]:
        """All that has come."""
        come: list[_Message] = []
        with suppress(EOFError, OSError):
            while not self.is_deaf and self._pipe.poll():
                come.append(self._pipe.recv())
            return come
        self.is_deaf = True
        return come

    def kill(self) -> None:
        """End the process, whatever it is doing."""
        with suppress(OSError, ValueError):
            self._process.kill()

    def join(self, timeout: float) -> bool:
        """Wait for the end of the process; whether it has come."""
        self._process.join(timeout)
        return self._process.exitcode is not None

    def dismiss(self) -> None:
        """End a process that has nothing to do: an idle one leaves by itself."""
        self._pipe.close()
        if self.phase != "idle" or not self.join(0.5):
            self.kill()
            self.join(1.0)
        self.close()

    def close(self) -> None:
        """Give the handles back."""
        self._pipe.close()
        with suppress(ValueError):  # it lives yet: the system holds it in a call that does not return
            self._process.close()


def _how_it_ended(code: int | None) -> str:
    """An exit status in words.

    >>> _how_it_ended(3)
    'ended by itself with exit status 3'
    """
    if code is not None and code < 0:
        name = next((known.name for known in signal.Signals if known == -code), f"signal {-code}")
        if name == "SIGKILL":
            return "was killed (SIGKILL), most likely out of memory: fewer bars or a lower rate need less"
        return f"{'crashed' if name in _CRASHES else 'was ended'} ({name})"
    if code == _ACCESS_VIOLATION:
        return "crashed (access violation)"
    return f"ended by itself with exit status {code}"
