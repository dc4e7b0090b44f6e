"""The nearest way without a bridge: python-osc's own servers with handlers that answer, in a process of their own."""

from __future__ import annotations

import multiprocessing
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from bridge.protocol import COMMANDS
from tests.bench.bridge_serving import free_port

SERVERS = {"python-osc, blocking": "BlockingOSCUDPServer", "python-osc, threading": "ThreadingOSCUDPServer"}


@contextmanager
def peer(name: str, *, generates: bool = False) -> Iterator[int]:
    """One of ``SERVERS`` on a port of 127.0.0.1, which is given.

    It answers a set with ok, a get with a value, what it does not know with an error. A generate is only noted, unless
    it ``generates``: then the handler makes the loop (four bars at 128, the embedded engine) before it answers.
    """
    context = multiprocessing.get_context("spawn")
    port, is_up = free_port(), context.Event()
    process = context.Process(target=_serve, args=(SERVERS[name], port, generates, is_up), daemon=True)
    process.start()
    try:
        if not is_up.wait(120):
            raise TimeoutError(f"{name} did not come up")
        yield port
    finally:
        process.kill()
        process.join()
        process.close()


def _serve(kind: str, port: int, generates: bool, is_up: Event) -> None:
    from pythonosc import osc_server
    from pythonosc.dispatcher import Dispatcher

    sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - it prints a traceback for each datagram that it cannot read
    dispatcher = Dispatcher()
    for address, command in COMMANDS.items():
        if command.action != "generate":
            dispatcher.map(address, _answering(command.answers[0], command.action))
    dispatcher.map("/loopgen/generate", _making() if generates else _noting())
    dispatcher.set_default_handler(_refusing)
    server = getattr(osc_server, kind)(("127.0.0.1", port), dispatcher)
    is_up.set()
    server.serve_forever()


def _answering(reply: str, action: str) -> Callable[..., tuple[Any, ...]]:
    def answer(_: str, *arguments: Any) -> tuple[Any, ...]:
        key = arguments[0] if arguments else ""
        return ("/loopgen/value", key, action, "") if action == "get" else (f"/loopgen/{reply}", key)

    return answer


def _noting() -> Callable[..., tuple[Any, ...]]:
    noted: list[tuple[Any, ...]] = []

    def note(_: str, req: str = "", *pairs: Any) -> tuple[Any, ...]:
        if len(noted) >= 64:
            return "/loopgen/error", req, "busy", "64 wait already", "/loopgen/generate"
        noted.append(pairs)
        return "/loopgen/accepted", req, secrets.token_hex(4), len(noted)

    return note


def _making() -> Callable[..., tuple[Any, ...]]:
    from loopgen import studio
    from loopgen.engines import base
    from loopgen.music.request import LoopRequest

    engine = base.load("auto")

    def make(_: str, req: str = "", *pairs: Any) -> tuple[Any, ...]:
        for _loop in studio.generate(LoopRequest("dub techno", 128, 4), engine=engine):
            pass
        return "/loopgen/accepted", req, secrets.token_hex(4), 0

    make("")
    return make


def _refusing(address: str, *arguments: Any) -> tuple[Any, ...]:
    req = arguments[0] if arguments and isinstance(arguments[0], str) else ""
    return "/loopgen/error", req, "unknown_address", "unknown", address
