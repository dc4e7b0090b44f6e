"""What runs in the worker process: one warm engine that takes orders from a pipe and sends back how they go.

The server's process imports this file too, to start it; whatever is heavy is imported by the worker alone.
::

    server                       worker
       <- Ready                    the engine is loaded, or why not
       Order ->
       <- Progress ...             as it goes
       <- Writing, Made            once a loop
       Stop ->                     looked for in every progress report, and after Writing
       <- Ended                    exactly once an order
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from multiprocessing import connection
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from loopgen.errors import Cancelled, GenerationFailed, LoopgenError, OutOfMemory, OutputUnwritable
from loopgen.files import check_folder, make_folder
from loopgen.worker.messages import (
    Delivered,
    Ended,
    Generate,
    Made,
    Noted,
    Order,
    Previewed,
    Progress,
    Ready,
    Retempo,
    Rotate,
    Setup,
    Stop,
    Writing,
)
from loopgen.worker.signals import ignore_ctrl_c
from loopgen.worker.takes import Takes

if TYPE_CHECKING:
    from loopgen.engines.base import Engine
    from loopgen.music.loop import Loop
    from loopgen.music.request import LoopRequest

_REPORT_SECONDS = 0.05
_ORPHAN_SECONDS = 5.0
PREVIEWS = "previews"
"""Folder in the output folder where takes can be heard while they are drawn."""


class _ServerGone(BaseException):
    """Nobody is there to work for; not an ``Exception``, so that no engine holds it up."""


def run(pipe: Connection, setup: Setup) -> None:
    """Serve the other end of ``pipe`` until it is closed; the entry point of the process."""
    ignore_ctrl_c()  # it is for the server, which ends its worker
    sys.stdout = sys.stderr  # what an engine prints, in Python or below, must not get between the server's lines
    with suppress(OSError):
        os.dup2(2, 1)
    threading.Thread(target=_end_with_the_server, daemon=True).start()
    with suppress(_ServerGone):
        _Worker(pipe, setup).serve()


def _end_with_the_server() -> None:
    """An engine that never reports progress would not notice that the server is gone."""
    if parent := multiprocessing.parent_process():
        connection.wait([parent.sentinel])
        time.sleep(_ORPHAN_SECONDS)
        os._exit(1)


class _Worker:
    """Takes orders one by one; engines are loaded once, by name."""

    def __init__(self, pipe: Connection, setup: Setup) -> None:
        self._pipe, self._setup = pipe, setup
        self._previews = setup.output / PREVIEWS
        for left in self._previews.glob("preview-????????.wav"):  # of a worker that was killed
            with suppress(OSError):
                left.unlink()
        self._engines: dict[str, Engine] = {}
        self._takes = Takes(setup.output)
        self._passed_over: list[str] = []

    def serve(self) -> None:
        """Never returns; raises ``_ServerGone``."""
        self._send(Progress("", 0.0, "importing"))
        self._send(self._preload())
        while True:
            order = self._receive()
            if isinstance(order, Order):  # a Stop that comes when its job has ended says nothing any more
                self._send(self._done(order))

    def _preload(self) -> Ready:
        if not self._setup.preload:
            return Ready({})
        try:
            from loopgen import studio  # noqa: F401 - all that a job needs, before the first one

            return _facts(self._engine(self._setup.engine, self._loading))
        except Exception as error:
            return Ready({}, *self._explained(error))

    def _loading(self, share: float) -> None:
        self._send(Progress("", share, "loading the engine"))

    def _done(self, order: Order) -> Ended:
        """Do the job; whatever happens becomes its end."""
        checkpoint = _Checkpoint(order.job, self._send, self._receive, self._pipe.poll)
        try:
            if isinstance(order.work, Generate):
                self._generate(order.job, order.work, checkpoint)
            elif isinstance(order.work, Retempo):
                self._retempo(order.job, order.work, checkpoint)
            elif isinstance(order.work, Rotate):
                self._rotate(order.job, order.work, checkpoint)
            else:
                self._warm_up(checkpoint)
        except (Exception, SystemExit) as error:
            if checkpoint.is_stopped:  # an engine may make another error of it
                return Ended(order.job, "cancelled", Cancelled.code, "cancelled")
            return Ended(order.job, "error", *self._explained(error))
        return Ended(order.job, "done")

    def _explained(self, error: BaseException) -> tuple[str, str]:
        """The code and the message of an error."""
        if isinstance(error, Cancelled):
            return GenerationFailed.code, f"the engine gave up by itself: {error}"
        if isinstance(error, LoopgenError):
            return error.code, str(error)
        if isinstance(error, MemoryError):
            self._takes.clear()
            gc.collect()
            return OutOfMemory.code, "not enough memory for this request; give fewer bars or a lower rate"
        said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return "internal", f"internal error: {said[:500]}; please report it"

    def _warm_up(self, checkpoint: _Checkpoint) -> None:
        from loopgen import studio
        from loopgen.engines import base
        from loopgen.music.request import LoopRequest

        request = LoopRequest("warm-up", 120, 1)
        engine = self._engine(self._setup.engine, self._loading)
        if isinstance(engine, base.BatchEngine):
            if engine.batch > 1:  # on a GPU: kernels are compiled and graphs captured at the first use
                engine.generate_batch(request, range(engine.batch), progress=lambda share: checkpoint(share, "playing"))
            engine = base.load("sketch")  # what remains is the way from a take to a loop, and a model may be slow
        for _ in studio.generate(request, engine=engine, progress=checkpoint):
            pass

    def _generate(self, job: str, work: Generate, checkpoint: _Checkpoint) -> None:
        from loopgen import studio
        from loopgen.orders import settle
        from loopgen.previews import PreviewFile

        old, path_of_old = self._takes.reread(work.begin.loop) if work.begin else (None, None)
        settled = settle(
            work.asked,
            work.melody,
            own_presets=self._setup.own_presets,
            otherwise={"stretcher": self._setup.stretcher, "listener": self._setup.listener},
            earlier=old.request if old else None,
        )
        request = settled.request
        if settled.notes:
            self._send(Noted(job, settled.notes))
        check_folder(self._folder(work.folder))  # what cannot be written is known before the work
        if old and path_of_old and work.begin:
            request = replace(request, opening=studio.opening(old, request, work.begin.how, path_of_old.name))
        engine = self._loaded(request, checkpoint)
        if self._passed_over and request.engine == "auto":
            self._send(Noted(job, tuple(self._passed_over)))
        path = self._previews / f"preview-{job}.wav"
        preview = PreviewFile(path, lambda seconds: self._send(Previewed(job, str(path), seconds)))
        loops = studio.generate(
            request,
            engine=engine,
            stretcher=request.stretcher,
            progress=checkpoint,
            preview=preview if work.preview else None,
        )
        try:
            for variation, loop in enumerate(loops, 1):
                if work.preview:
                    preview.remove()  # before the last loop, with which the job is done for those who wait for it
                self._deliver(job, work.folder, loop, variation, checkpoint, of=request.variations)
        finally:
            if work.preview:
                preview.remove()

    def _retempo(self, job: str, work: Retempo, checkpoint: _Checkpoint) -> None:
        from loopgen import studio

        there = [name for name in work.loops if self._takes.has(name)] or list(work.loops[:1])
        for number, name in enumerate(there):

            def part(share: float, stage: str, number: int = number) -> None:
                which = f"loop {number + 1} of {len(there)}: " if len(there) > 1 else ""
                checkpoint((number + share) / len(there), which + stage)

            take = self._takes.find(name)  # before the folder: what cannot be done makes none
            check_folder(self._folder(work.folder))
            loop = studio.retempo(
                take, work.bpm, bars=work.bars, start=work.start, stretcher=self._setup.stretcher, progress=part
            )
            if number == 0 and len(there) < len(work.loops):
                missing = len(work.loops) - len(there)
                self._send(Noted(job, (f"the takes of {missing} of {len(work.loops)} loops are not kept any more",)))
            self._deliver(job, work.folder, loop, number + 1, checkpoint, of=len(there))

    def _rotate(self, job: str, work: Rotate, checkpoint: _Checkpoint) -> None:
        from loopgen.rotate import own_format, rotate

        path = work.loop if isinstance(work.loop, Path) else self._takes.path(work.loop)
        check_folder(self._folder(work.folder))
        loop = rotate(path, work.beats, progress=checkpoint)
        self._deliver(job, work.folder, loop, 1, checkpoint, of=1, file_format=own_format(path))

    def _deliver(
        self,
        job: str,
        folder: str,
        loop: Loop,
        variation: int,
        checkpoint: _Checkpoint,
        *,
        of: int,
        file_format: str | None = None,
    ) -> None:
        """Write the loop, one ``of`` so many, keep its take, say so."""
        from loopgen import library

        self._send(Writing(job))  # before the look: who says stop and has not heard this knows that nothing is written
        checkpoint.look()
        kept = library.keep(
            loop,
            self._folder(folder),
            file_format=file_format or self._setup.file_format,
            take=self._setup.keep_takes,
        )
        self._takes.keep(job, variation, kept.path, loop)
        request = loop.request
        if loop.warnings[1:]:
            which = f"loop {variation}: " if of > 1 else ""
            self._send(Noted(job, tuple(which + warning for warning in loop.warnings[1:])))
        delivered = Delivered(
            str(kept.path),
            request.bpm,
            request.bars,
            request.bars * request.meter.quarters,
            loop.audio.frames,
            loop.audio.rate,
            summary(loop),
            variation,
            of,
            loop.take.seed if loop.take else None,
            loop.recipe["engine"]["name"],
            loop.recipe["engine"]["licence"],
        )
        self._send(Made(job, delivered))

    def _folder(self, name: str) -> Path:
        """The folder for a job's loops, made where it is missing; never outside of the output folder."""
        output = make_folder(self._setup.output)
        folder = output / name
        if not Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(output)):
            raise OutputUnwritable(f"{folder} leads out of the output folder {output}; give another folder")
        return make_folder(folder)

    def _loaded(self, request: LoopRequest, checkpoint: _Checkpoint) -> Engine:
        """The engine that a request wants; ``auto`` is what the server was started with."""
        name = self._setup.engine if request.engine == "auto" else request.engine
        if name in self._engines:
            return self._engines[name]
        engine = self._engine(name, lambda share: checkpoint(0.0, f"loading the engine {name}: {share:.0%}"))
        if name == self._setup.engine:
            self._send(_facts(engine))
        return engine

    def _engine(self, name: str, progress: Callable[[float], None]) -> Engine:
        """The engine of this name, loaded where it is not; only one with a model is kept, as models are large."""
        from loopgen.engines import base

        plain, model = base.split(name)
        found = self._engines.get(name)
        if found is None and not model:  # "musicgen" is whichever of its models is loaded already
            found = next((one for one in self._engines.values() if base.split(one.name)[0] == plain), None)
        if found is None:
            progress(0.0)
            base.check(name)  # before one that plays is given up for it
            if base.has_models(name):
                self._engines = {known: one for known, one in self._engines.items() if not base.has_models(one.name)}
                gc.collect()
            passed_over: list[str] = []
            found = base.load(name, self._setup.hardware, progress, passed_over=passed_over.append)
            if name == self._setup.engine:
                self._passed_over = passed_over
        self._engines[name] = self._engines.setdefault(found.name, found)  # "auto" is another's name
        return self._engines[name]

    def _send(self, message: object) -> None:
        try:
            self._pipe.send(message)
        except OSError:
            raise _ServerGone from None

    def _receive(self) -> object:
        try:
            return self._pipe.recv()
        except (EOFError, OSError):
            raise _ServerGone from None


class _Checkpoint:
    """The progress report of a job: tells the server now and then, and raises ``Cancelled`` once it has said stop."""

    def __init__(
        self, job: str, send: Callable[[object], None], receive: Callable[[], object], has_mail: Callable[[], bool]
    ) -> None:
        self._job, self._send, self._receive, self._has_mail = job, send, receive, has_mail
        self._next = 0.0
        self.is_stopped = False

    def look(self) -> None:
        """Raise ``Cancelled`` if the server has said stop."""
        while self._has_mail():
            self.is_stopped |= self._receive() == Stop(self._job)
        if self.is_stopped:
            raise Cancelled("cancelled")

    def __call__(self, fraction: float, stage: str) -> None:
        self.look()
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _REPORT_SECONDS
            self._send(Progress(self._job, fraction, stage))


def summary(loop: Loop) -> str:
    """One line on how good a loop is: what to beware of first of all, else what is known to be good."""
    from loopgen.library.reading import summary_of

    return loop.warnings[0] if loop.warnings else summary_of(loop.recipe)


def _facts(engine: Engine) -> Ready:
    said = ("name", "version", "licence", "hardware")
    return Ready({name: str(value) for name in said if (value := getattr(engine, name, ""))})
