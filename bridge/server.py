"""The server: a UDP socket, one thread that answers, and the life cycle around them."""

from __future__ import annotations

import errno
import selectors
import socket
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from bridge import discovery
from bridge.peers import Address
from bridge.protocol import INBOX, PORT
from bridge.service import Notice, Service
from bridge.session import Session
from bridge.slow import Slow
from loopgen.engines.base import Hardware, engines
from loopgen.errors import InvalidRequest, OutputUnwritable, PortTaken
from loopgen.jobs import Jobs
from loopgen.music.request import OWN

RECEIVE_BUFFER = 4_000_000
"""Bytes asked of the system for datagrams that wait; it may grant less."""

_BATCH, _BACKLOG, _TURN = 512, 8_192, 16
"""Datagrams that are taken at once, that may wait in here, and that are served before more are taken."""

_PING = b"/loopgen/ping\0"


class Server:
    """loopgen on a UDP port. ``listener`` gets a ``Notice`` for whatever is worth showing, on threads of the server."""

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = PORT,
        *,
        output: Path,
        engine: str = "auto",
        hardware: Hardware = Hardware(),  # noqa: B008 - frozen
        file_format: str = "wav",
        stretcher: str = "auto",
        beat_listener: str = OWN,
        queue: int = 64,
        own_presets: Path | None = None,
        separate: bool = False,
        keep_takes: bool = True,
        state_folder: Path | None = None,
        session: Mapping[str, Any] | None = None,
        listener: Callable[[Notice], None] = lambda notice: None,
    ) -> None:
        self.host, self.port, self.output = host, port, output.absolute()
        self._state_folder, self._listener = state_folder, listener
        self._given = dict(session or {})
        self._separate = separate
        self._own_presets = own_presets or self.output / "presets"
        self.jobs = Jobs(
            self.output,
            engine=engine,
            hardware=hardware,
            stretcher=stretcher,
            beat_listener=beat_listener,
            file_format=file_format,
            own_presets=self._own_presets,
            keep_takes=keep_takes,
            limit=queue,
            listener=lambda job: self._post(lambda: self._service.job_changed(job)),
            on_state=lambda state: self._post(lambda: self._state_changed(state)),
        )
        self._posted: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._backlog: deque[tuple[bytes, Address]] = deque()
        self._waiting: Counter[Address] = Counter()
        self._closing = self._is_warm = False
        self._thread: threading.Thread | None = None

    @property
    def inbox(self) -> Path:
        """Where clients put melody files."""
        return self.output / INBOX

    def start(self) -> None:
        """Bind and serve; returns at once.

        Raises ``PortTaken``, ``InvalidRequest`` for a host that is none of this machine's, ``OutputUnwritable``.
        """
        self._socket = self._bind()
        self.port = self._socket.getsockname()[1]
        try:
            self.inbox.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self._socket.close()
            reason = error.strerror or str(error)
            raise OutputUnwritable(
                f"{self.output} cannot be written: {reason}; give another folder with --output"
            ) from None
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._slow = Slow(self.inbox, self._own_presets, self._post, separate=self._separate)
        known = [entry.name for entry in engines()]
        session = Session(known, self._given)
        self._service = Service(self.jobs, self._slow, session, self.output, self._send, self._listener)
        self.jobs.start()
        self._thread = threading.Thread(target=self._run, name="loopgen-bridge", daemon=True)
        self._thread.start()
        if self._state_folder is not None:
            discovery.announce(self._state_folder, self.host, self.port)
        self._listener(Notice("listening", f"{self.host}:{self.port}"))

    def close(self) -> None:
        """Stop: jobs get their end, the worker and the socket are closed. Twice is as once."""
        if self._thread is None or self._closing:
            return
        self.jobs.close()
        self._slow.close()
        self._closing = True
        self._wake()
        self._thread.join(5.0)
        for one in (self._socket, self._wake_in, self._wake_out):
            one.close()
        if self._state_folder is not None:
            discovery.withdraw(self._state_folder)
        self._listener(Notice("closed", f"{self.host}:{self.port}"))

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _bind(self) -> socket.socket:
        try:
            family, kind, proto, _, address = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_DGRAM)[0]
        except (OSError, UnicodeError):
            raise InvalidRequest("host", self.host, "an address of this machine, like 127.0.0.1") from None
        bound = socket.socket(family, kind, proto)
        bound.setblocking(False)
        with suppress(OSError):
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        if sys.platform == "win32":  # there, another program could take the port over, and a closed client breaks recv
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            bound.ioctl(0x9800000C, False)  # SIO_UDP_CONNRESET
        try:
            bound.bind(address)
        except OSError as error:
            bound.close()
            if error.errno in (errno.EADDRINUSE, getattr(errno, "WSAEADDRINUSE", errno.EADDRINUSE)):
                raise PortTaken(f"{self.host}:{self.port} is taken by {self._other()}") from None
            if error.errno == errno.EACCES:
                raise PortTaken(
                    f"{self.host}:{self.port} is reserved, or needs more rights; give another --port"
                ) from None
            raise InvalidRequest("host", self.host, "an address of this machine, like 127.0.0.1") from None
        return bound

    def _other(self) -> str:
        other = discovery.running(self._state_folder) if self._state_folder is not None else None
        if other is not None and other.port == self.port:
            return f"loopgen {other.version}, process {other.pid}, which runs already; use it, or give another --port"
        return "another program; give another --port"

    # -- the thread that answers ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            selector.register(self._wake_out, selectors.EVENT_READ)
            wait = 0.0
            while True:
                selector.select(0.0 if self._backlog else wait)
                if self._closing:
                    self._run_posted()
                    return
                with self._survives():
                    self._take()
                with self._survives():
                    for _ in range(min(_TURN, len(self._backlog))):
                        datagram, source = self._backlog.popleft()
                        self._waiting[source] -= 1
                        if not self._waiting[source]:
                            del self._waiting[source]
                        self._service.receive(datagram, source)
                self._run_posted()
                with self._survives():
                    wait = self._service.tick()

    def _take(self) -> None:
        """Empty the socket before more is served, for the system's buffer is small; pings overtake what others sent."""
        with suppress(OSError):
            while self._wake_out.recv(4096):
                pass
        for _ in range(min(_BATCH, _BACKLOG - len(self._backlog))):
            try:
                datagram, source = self._socket.recvfrom(65_536)  # Windows refuses what is cut
            except BlockingIOError:
                return
            except OSError:  # Windows reports here that an earlier answer found nobody
                continue
            if datagram.startswith(_PING) and source[:2] not in self._waiting:
                self._service.receive(datagram, source[:2])
            else:
                self._backlog.append((datagram, source[:2]))
                self._waiting[source[:2]] += 1

    def _send(self, datagram: bytes, address: Address) -> None:
        for _ in range(3):
            try:
                self._socket.sendto(datagram, address)
            except BlockingIOError:  # the system's buffer is full for a moment
                time.sleep(0.001)
                continue
            except OSError:  # nobody there, or no way to them: UDP promises nothing
                return
            return

    def _post(self, call: Callable[[], None]) -> None:
        """Run something on the bridge's thread."""
        self._posted.put(call)
        self._wake()

    def _wake(self) -> None:
        with suppress(OSError, AttributeError):  # full: it will wake anyway; or not started
            self._wake_in.send(b"!")

    def _run_posted(self) -> None:
        while True:
            try:
                call = self._posted.get_nowait()
            except Empty:
                return
            with self._survives():
                call()

    @contextmanager
    def _survives(self) -> Iterator[None]:
        """A fault of ours, or of the listener, is told and must not end the thread that answers."""
        try:
            yield
        except Exception as error:
            with suppress(Exception):
                self._listener(Notice("failed", f"internal error: {type(error).__name__}: {error}"))

    def _state_changed(self, state: str) -> None:
        self._service.state_changed(state)
        if state == "failed":
            self._listener(Notice("failed", self.jobs.trouble))
        elif state in ("ready", "working") and not self._is_warm:
            facts = self.jobs.engine_facts
            self._listener(
                Notice("warm", f"{facts.get('name', '')} {facts.get('version', '')}, {facts.get('licence', '')}")
            )
        self._is_warm = state in ("ready", "working")
