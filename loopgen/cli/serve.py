"""``loopgen serve``: the server's process, its console and its end."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import datetime
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, NoReturn, Protocol

from loopgen.cli.common import HARDWARE, INTERRUPTED, Commands, Parser, add_command, add_hardware, plain_terminal, say

if TYPE_CHECKING:
    from bridge.server import Server
    from bridge.service import Notice
    from loopgen.cli.board import Board, Lines
    from loopgen.settings import Settings

WAITING_MAX = 2_000
"""Notices that may wait for a terminal that does not take them; past it only ends of jobs are kept."""

PERIOD, IDLE = 0.05, 0.5
"""Seconds between two drawings: at least, and at most (Windows hears of Ctrl-C only in between)."""

GRACE = 0.3
"""Seconds in which a second interrupt counts as the first: a wrapper and the terminal may both send it."""

FLAGS = (
    "host", "port", "output", "engine", "takes", *HARDWARE, "format", "stretcher", "listener", "keep_takes", "presets",
)  # fmt: skip


def add(commands: Commands[Parser]) -> None:
    """Add the command."""
    command = add_command(commands, "serve", _serve, "run the server that DAWs and `loopgen send` talk to over OSC")
    command.add_argument(
        "--host", metavar="ADDRESS", help="address to listen on (default: 127.0.0.1, this machine only)"
    )
    command.add_argument("--port", metavar="PORT", help="UDP port (default: 11200; 0: any that is free)")
    command.add_argument(
        "-o", "--output", metavar="FOLDER", help="where loops go (default: loopgen in your music folder)"
    )
    command.add_argument("--engine", metavar="NAME", help="an engine of `loopgen engines` (default: auto, the best)")
    command.add_argument("--takes", metavar="K", help="takes drawn at once, of which the best become the loops")
    add_hardware(command)
    command.add_argument("--format", metavar="NAME", help="wav (24 bits, the default), float or flac")
    command.add_argument("--stretcher", metavar="NAME", help="auto, or one by name (see the README)")
    command.add_argument("--listener", metavar="NAME", help="who finds the beats: own (the default), or beat_this too")
    command.add_argument("--presets", metavar="FOLDER", help="where presets of your own are kept")
    command.add_argument(
        "--no-take",
        dest="keep_takes",
        action="store_false",
        default=None,
        help="do not keep takes beside the loops: other tempos can be had of the last loops only",
    )
    command.add_argument("--plain", action="store_true", help="one line an event, as if there were no terminal")
    for action in command._actions:
        if action.dest == "json":
            action.help = "one JSON object a line, one line an event"


def _serve(options: argparse.Namespace) -> None:
    from loopgen import settings
    from loopgen.engines.base import check, listener

    flags = {name: getattr(options, name) for name in FLAGS}
    chosen = settings.resolve(flags, os.environ, settings.config_file(os.environ)).settings
    check(chosen.engine)
    listener(chosen.listener)
    events = Events()
    with events.ended_by_signals():
        server = _make_server(chosen, events)
        server.start()  # before the console is loaded: a DAW may be waiting
        try:
            if not _is_loopback(server.host):
                say(f"loopgen: warning: {server.host} is open to the network: everybody on it can send to loopgen")
            with _view(options) as view:
                _show(server, {"name": chosen.engine}, events, view)
        finally:
            server.close()


def _make_server(chosen: Settings, events: Events) -> Server:
    from bridge.server import Server
    from loopgen.engines.base import Hardware
    from loopgen.settings import state_folder

    return Server(
        chosen.host,
        chosen.port,
        output=chosen.output,
        engine=chosen.engine,
        hardware=Hardware(chosen.device, chosen.precision, chosen.threads),
        file_format=chosen.format,
        separate=chosen.separate,
        stretcher=chosen.stretcher,
        beat_listener=chosen.listener,
        keep_takes=chosen.keep_takes,
        queue=chosen.queue,
        own_presets=chosen.presets,
        state_folder=state_folder(),
        session={"rate": chosen.rate, "takes": chosen.takes},
        listener=events.put,
    )


def _is_loopback(host: str) -> bool:
    """Whether only this machine can send to an address."""
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _show(server: Server, engine: Mapping[str, str], events: Events, view: View) -> None:
    """Show what happens until somebody ends it; then end it, and show that."""
    from loopgen.cli.board import Board

    board = Board(server.host, server.port, str(server.output), str(server.inbox), engine)

    def tell(notices: Sequence[Notice]) -> None:
        now, lines = time.monotonic(), []
        for notice in notices:
            if notice.kind == "warm":
                board.engine = server.jobs.engine_facts
            lines += board.tell(notice, now)
        board.state = server.jobs.state
        view.show(board, lines + board.tick(now), notices, datetime.now().astimezone())

    while not events.is_over:
        tell(events.wait(IDLE))
        time.sleep(PERIOD)  # events come in swarms: they are shown together
    server.close()
    while notices := events.wait(0.0):
        tell(notices)


class Events:
    """Notices on their way from the server's threads to the console, and the signals that end it."""

    def __init__(self) -> None:
        self.is_over = False
        self._queue: SimpleQueue[Notice | None] = SimpleQueue()
        self._interrupted = 0.0

    def put(self, notice: Notice) -> None:
        """Pass a notice on; never blocks. Where nobody takes them, only the beginning and end of jobs are kept."""
        passing = notice.kind in ("refused", "client", "left") or bool(notice.job and notice.job.state == "running")
        if not passing or self._queue.qsize() < WAITING_MAX:
            self._queue.put(notice)

    def wait(self, seconds: float) -> list[Notice]:
        """All that there is, as soon as there is any; empty after ``seconds``, and when it is over."""
        batch: list[Notice | None] = []
        with suppress(Empty):
            batch.append(self._queue.get(timeout=seconds))
            while len(batch) < WAITING_MAX:
                batch.append(self._queue.get_nowait())
        return [notice for notice in batch if notice is not None]

    @contextmanager
    def ended_by_signals(self) -> Iterator[None]:
        """Ctrl-C, Ctrl-Break, SIGTERM and a closed terminal set ``is_over``; a second Ctrl-C ends all at once."""
        names = ("SIGINT", "SIGTERM", "SIGBREAK", "SIGHUP")
        numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
        before = {number: signal.getsignal(number) for number in numbers}
        for number in numbers:
            if (number, before[number]) != (getattr(signal, "SIGHUP", None), signal.SIG_IGN):  # nohup asked for it
                signal.signal(number, self._end)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _end(self, number: int, _: object) -> None:
        now = time.monotonic()
        if not self.is_over:
            self._interrupted = now
        elif number == signal.SIGINT and now - self._interrupted > GRACE:
            _end_at_once()
        self.is_over = True
        self._queue.put(None)  # wakes who waits; SimpleQueue may be used in a signal handler


def _end_at_once() -> NoReturn:
    import multiprocessing

    for child in multiprocessing.active_children():
        child.kill()
    if sys.stdout.isatty():
        os.write(1, b"\x1b[?25h\n")  # the cursor, which the console had hidden
    os._exit(INTERRUPTED)


class View(Protocol):
    """A way to show what happens."""

    def show(self, board: Board, lines: Lines, notices: Sequence[Notice], when: datetime) -> None:
        """Show what is new: ``lines`` for people, ``notices`` for machines; ``board`` is what is the case."""


def _view(options: argparse.Namespace) -> AbstractContextManager[View]:
    if options.json:
        return nullcontext(_Json())
    is_dumb = os.environ.get("TERM") == "dumb"
    if options.plain or is_dumb or plain_terminal() or not sys.stdout.isatty():
        return nullcontext(_Plain())
    from loopgen.cli.live import Live

    return Live()


class _Plain:
    def show(self, board: Board, lines: Lines, notices: Sequence[Notice], when: datetime) -> None:
        for _, text in lines:
            print(f"{when:%H:%M:%S}  {text}")
        sys.stdout.flush()


class _Json:
    def show(self, board: Board, lines: Lines, notices: Sequence[Notice], when: datetime) -> None:
        import json

        from loopgen.cli.board import record

        for notice in notices:
            shown = {"time": when.isoformat(timespec="milliseconds"), **record(notice, board)}
            print(json.dumps(shown, ensure_ascii=True))
        sys.stdout.flush()
