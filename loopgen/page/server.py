"""The page's server: a socket on loopback, a thread that answers, and the life cycle around them."""

from __future__ import annotations

import errno
import socket
import sys
import threading
import time
from pathlib import Path

import uvicorn

from loopgen.errors import InvalidRequest, PortTaken
from loopgen.page.api import Api
from loopgen.page.app import make_app
from loopgen.page.audio import Sounds
from loopgen.page.events import Events
from loopgen.page.guard import Keys, read_token
from loopgen.page.shelf import Shelf
from loopgen.page.waveform import Peaks
from loopgen.page.workshop import Bench, Workshop

HOST, PORT = "127.0.0.1", 11_280
"""Where the page is, unless another port is given; never another address, as it is for this machine alone."""


class Server:
    """The page of one folder.

    Args:
        bench: how loops are made; its ``output`` is the folder.
        port: TCP; 0: any that is free. None: ``PORT``, or any where that is taken.
        state_folder: where the token is kept; None: a token of this server's own.
        cache_folder: where waveforms are kept; None: in memory alone.
    """

    def __init__(
        self,
        bench: Bench,
        port: int | None = None,
        *,
        state_folder: Path | None = None,
        cache_folder: Path | None = None,
        idle: float | None = None,
    ) -> None:
        self.folder, self._wanted = bench.output.absolute(), port
        self.port = 0
        self._bench, self._cache_folder = bench, cache_folder
        self._token = read_token(state_folder or Path()) if state_folder else _own_token()
        self._idle = idle
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The page's address, with the token."""
        return f"http://{HOST}:{self.port}/?token={self._token}"

    def invitation(self) -> str:
        """An address that opens the page once, of a server that has started."""
        return f"http://{HOST}:{self.port}/?token={self._guard.invite()}"

    def start(self) -> None:
        """Bind and serve; returns once it answers. Raises ``PortTaken`` and ``InvalidRequest``."""
        bound = _bind(self._wanted)
        self.port = bound.getsockname()[1]
        keys = Keys(self._token)
        self._events = events = Events()
        self._shelf = Shelf(self.folder, keys, lambda: events.tell("library", {}), lambda: events.pages > 0)
        more = {} if self._idle is None else {"idle": self._idle}
        self.workshop = Workshop(self._bench, lambda job: events.tell("job", job), self._shelf.look, **more)
        self._peaks = Peaks(self._cache_folder / "waveforms.db" if self._cache_folder else None)
        api = Api(self._shelf, self.workshop, Sounds(), self._peaks, events, keys, self._bench.own_presets)
        self._guard = make_app(api, self._token, self.port)
        config = uvicorn.Config(
            self._guard,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=1,
        )
        self._uvicorn = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._uvicorn.run, kwargs={"sockets": [bound]}, name="loopgen-page", daemon=True
        )
        self._socket = bound
        self._thread.start()
        while not self._uvicorn.started and self._thread.is_alive():
            time.sleep(0.005)
        self._shelf.start()

    def close(self) -> None:
        """Stop: pages are told, jobs get their end. Twice is as once."""
        if self._thread is None:
            return
        thread, self._thread = self._thread, None
        self._uvicorn.should_exit = True
        self._events.close()
        self.workshop.close()
        self._shelf.close()
        thread.join(5.0)
        self._peaks.close()
        self._socket.close()

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _own_token() -> str:
    import secrets

    return secrets.token_urlsafe(32)


def _bind(port: int | None) -> socket.socket:
    if port is not None and not 0 <= port <= 65_535:
        raise InvalidRequest("port", port, f"a whole number from 0 to 65535, like {PORT}")
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if sys.platform == "win32":  # there, another program could take the port over
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
    else:  # a server that is started again at once finds its port still cooling down
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((HOST, PORT if port is None else port))
    except OSError as error:
        bound.close()
        if port is None:
            return _bind(0)
        if error.errno in (errno.EADDRINUSE, getattr(errno, "WSAEADDRINUSE", errno.EADDRINUSE)):
            raise PortTaken(
                f"{HOST}:{port} is taken by another program, or by another loopgen; give another --port"
            ) from None
        raise PortTaken(f"{HOST}:{port} is reserved, or needs more rights; give another --port") from None
    return bound
