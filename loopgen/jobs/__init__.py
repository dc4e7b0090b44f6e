"""Jobs in the background: a bounded queue in front of one warm worker process, and what became of each job.

Threads that submit, cancel and ask only touch a table under a short lock. One supervisor thread does the rest: it
starts the worker, gives it one job at a time, hears how it goes, ends a worker that does not yield or gives no sign of
life, replaces one that died, and tells the listener. Whatever happens, each job ends once: done, error or cancelled.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from loopgen.engines.base import Hardware
from loopgen.jobs.supervisor import Supervisor
from loopgen.jobs.table import Job, Table
from loopgen.music.request import OWN
from loopgen.worker.messages import Delivered, From, Generate, Retempo, Rotate, Setup, Work

__all__ = ["Delivered", "From", "Generate", "Job", "Jobs", "Retempo", "Rotate", "Work"]


class Jobs:
    """The queue, the worker and the jobs.

    Args:
        output: the folder below which loops are written; made on demand.
        engine: what ``auto`` means here; loaded when the worker starts.
        hardware: for engines with models.
        beat_listener: who says where beats and bars lie, one of ``music.request.LISTENERS``.
        stretcher, file_format, own_presets, keep_takes: as for the command line.
        limit: how many jobs may wait.
        listener: told each change of a job by a snapshot, and its end exactly once; called by one thread only.
        on_state: told each change of ``state``, by the same thread.
        stall: seconds without a sign of life after which a worker is given up.
    """

    def __init__(
        self,
        output: Path,
        *,
        engine: str = "auto",
        hardware: Hardware = Hardware(),  # noqa: B008 - frozen
        stretcher: str = "auto",
        beat_listener: str = OWN,
        file_format: str = "wav",
        own_presets: Path | None = None,
        keep_takes: bool = True,
        limit: int = 64,
        listener: Callable[[Job], None],
        on_state: Callable[[str], None] = lambda state: None,
        stall: float = 600.0,
    ) -> None:
        self._table = Table(limit)
        setup = Setup(
            output.absolute(), engine, stretcher, file_format, own_presets, hardware, keep_takes=keep_takes,
            listener=beat_listener,
        )  # fmt: skip
        self._supervisor = Supervisor(self._table, setup, listener, on_state, stall)
        self._thread = threading.Thread(target=self._supervisor.run, name="loopgen-jobs", daemon=True)

    @property
    def state(self) -> str:
        """``starting``, ``ready``, ``working``, ``failed`` (the engine does not load: ``trouble``) or ``closed``."""
        return self._supervisor.state

    @property
    def engine_facts(self) -> Mapping[str, str]:
        """Name, version, licence and, with a model, hardware of the engine; empty until the worker has told."""
        return self._supervisor.facts

    @property
    def trouble(self) -> str:
        """Why the engine is not ready, when ``state`` is ``failed``."""
        return self._supervisor.trouble

    @property
    def worker_pid(self) -> int | None:
        """The worker's process id, None while there is none."""
        return self._supervisor.pid

    def start(self) -> None:
        """Start the supervisor, which starts the worker, which warms up; returns at once."""
        self._thread.start()

    def submit(self, work: Work) -> Job:
        """Put a job into the queue; never blocks. Raises ``Busy`` where ``limit`` jobs wait, or after ``close``."""
        return self._table.add(work)

    def cancel(self, job_id: str) -> Job:
        """Cancel a job: at once while it waits, within 200 ms when it runs; one that has ended is returned as it is.

        The worker may take a second longer to stop, before the next job begins; what it makes meanwhile is dropped.
        Raises ``UnknownJob``.
        """
        return self._table.cancel(job_id)

    def find(self, job_id: str) -> Job:
        """The job of this id; the last 1,000 that ended are remembered. Raises ``UnknownJob``."""
        return self._table.find(job_id)

    def close(self, timeout: float = 2.0) -> None:
        """Cancel all jobs and end the worker; every job gets its end, and the listener hears of it before that."""
        self._table.close()
        if self._thread is threading.current_thread():
            return
        if self._thread.ident is None:
            self._thread.start()  # it finds the table closed, and tells the ends
        self._thread.join(timeout)
        if self._thread.is_alive():
            self._supervisor.kill()
            self._thread.join(timeout)
