"""The real server in a process of its own, and what the system says of it."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from bridge.client import Client
from bridge.wire import Message, Value, decode, encode_any
from loopgen.errors import ServerUnreachable

READY_SECONDS = 120.0
STOCK_BUFFER = 212_992
"""Bytes of datagrams that wait which Linux grants as it comes; it counts more than their contents against it."""

_SERVE = (
    "import sys, bridge.server as server; server.RECEIVE_BUFFER = min(server.RECEIVE_BUFFER, int(sys.argv.pop(1)));"
    "from loopgen.cli import main; sys.exit(main())"
)


@dataclass(frozen=True, slots=True)
class Footprint:
    """Resident memory in MB, threads, and file handles or descriptors of a process."""

    memory: float
    threads: int
    handles: int

    @classmethod
    def of(cls, pid: int) -> Footprint:
        """As it is now; raises ``psutil.Error`` where the process is gone."""
        process = psutil.Process(pid)
        if sys.platform == "win32":
            handles = process.num_handles()
        else:
            handles = process.num_fds()
        return cls(process.memory_info().rss / 1e6, process.num_threads(), handles)

    def __str__(self) -> str:
        return f"{self.memory:.1f} MB, {self.threads} threads, {self.handles} handles"


@dataclass(frozen=True, slots=True)
class Serving:
    """A server: where it listens, where it writes, its process."""

    port: int
    output: Path
    presets: Path
    process: subprocess.Popen[str]

    def client(self, timeout: float = 10.0) -> Client:
        """Our own client; to be entered."""
        return Client(port=self.port, timeout=timeout)

    def worker(self) -> int | None:
        """The worker's process id: the oldest child that was spawned; readers of melodies are younger."""
        with suppress(psutil.Error):
            for child in sorted(psutil.Process(self.process.pid).children(), key=lambda one: one.create_time()):
                with suppress(psutil.Error):
                    if "--multiprocessing-fork" in child.cmdline():
                        return int(child.pid)
        return None

    def footprint(self) -> Footprint:
        """Of the server's own process."""
        return Footprint.of(self.process.pid)

    def is_alive(self) -> bool:
        """Whether the process that was started runs yet."""
        return self.process.poll() is None

    def wait_ready(self) -> None:
        """Until the engine is warm."""
        deadline = time.monotonic() + READY_SECONDS
        with Sender(self.port) as sender:
            while True:
                answer = sender.ask("/loopgen/hello", "ready?", 1, 0)
                if answer is not None and answer.arguments[5] == "ready":
                    return
                if time.monotonic() > deadline:
                    raise TimeoutError(f"the server is not ready within {READY_SECONDS:.0f} s: {answer}")
                time.sleep(0.02)


class Sender:
    """A socket without manners: it says no hello, keeps nothing, sends nothing again."""

    def __init__(self, port: int, timeout: float = 5.0) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with suppress(OSError):  # macOS refuses more than it has
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_000_000)
        self.socket.connect(("127.0.0.1", port))
        self.socket.settimeout(timeout)
        self.port = int(self.socket.getsockname()[1])

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self.send("/loopgen/bye")
        self.socket.close()

    def send(self, address: str, *arguments: Value) -> None:
        self.socket.send(encode_any(address, arguments))

    def read(self) -> Message | None:
        """The next message; None where none comes in time."""
        with suppress(TimeoutError, ConnectionError, BlockingIOError):
            return decode(self.socket.recv(65_536))[0]
        return None

    def ask(self, address: str, *arguments: Value) -> Message | None:
        """Send, and read one message."""
        self.send(address, *arguments)
        return self.read()


def ping_seconds(sender: Sender, token: str) -> float | None:
    """How long a ping took, other messages passed over; None where it was never answered."""
    begin = time.perf_counter()
    sender.send("/loopgen/ping", token)
    while (message := sender.read()) is not None:
        if message == Message("/loopgen/pong", (token,)):
            return time.perf_counter() - begin
    return None


def free_port() -> int:
    """A UDP port that nobody holds at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def launch(folder: Path, output: Path | None = None, buffer: int = 2**30) -> Serving:
    """``loopgen serve``, with no settings but these; returns at once. What it prints goes to ``folder/log``."""
    for name in ("presets", "config", "state"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    output, port = output or folder / "out", free_port()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LOOPGEN_")}
    environ |= {"XDG_CONFIG_HOME": str(folder / "config"), "XDG_STATE_HOME": str(folder / "state")}
    flags = ["--json", "--port", str(port), "--output", str(output), "--presets", str(folder / "presets")]
    with (folder / "log").open("a") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, str(buffer), "serve", *flags],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environ, text=True, cwd=folder,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )  # fmt: skip
    return Serving(port, output, folder / "presets", process)


@contextmanager
def serving(folder: Path, output: Path | None = None, buffer: int = 2**30) -> Iterator[Serving]:
    """A server whose engine is warm; ended in the end, and said so where it does not go by itself."""
    server = launch(folder, output, buffer)
    try:
        wait_welcome(server)
        server.wait_ready()
        yield server
    finally:
        end(server)


def wait_welcome(server: Serving) -> None:
    """Say hello until it is answered."""
    deadline = time.monotonic() + READY_SECONDS
    while server.is_alive() and time.monotonic() < deadline:
        with suppress(ServerUnreachable), server.client(0.5):
            return
    raise ServerUnreachable(f"the server did not come up (alive: {server.is_alive()})")


def end(server: Serving) -> None:
    """As Ctrl-C does, and for good where that does not help."""
    if server.is_alive():
        interrupt: int = signal.SIGINT
        if sys.platform == "win32":
            interrupt = signal.CTRL_BREAK_EVENT
        server.process.send_signal(interrupt)
    try:
        server.process.wait(15)
    except subprocess.TimeoutExpired:
        print("   (the server did not end within 15 s of Ctrl-C and was killed)")
        server.process.kill()
        server.process.wait(15)


def kill(pid: int, chance: random.Random) -> None:
    """End a process as a crash, the system's memory guard or a person would."""
    deadly = [signal.SIGTERM]  # which ends a process for good on Windows
    if sys.platform != "win32":
        deadly += [signal.SIGKILL, signal.SIGSEGV]
    with suppress(OSError):
        os.kill(pid, chance.choice(deadly))
