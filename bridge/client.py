"""A client of the server, for `loopgen send`, tests and scripts.

::

    with Client() as client:
        for loop in client.generate({"prompt": "dub techno", "tempo": "127.9", "bars": 4}):
            print(loop.path)
"""

from __future__ import annotations

import itertools
import secrets
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import Any

from bridge.protocol import COMMANDS, NOTES_A_MESSAGE, PORT, REPLIES, VERSION, named
from bridge.wire import Malformed, Message, Value, decode, encode_any
from loopgen.errors import Cancelled, Refused, ServerUnreachable
from loopgen.music.melody import Melody

TRIES = 3
"""Times that a message is sent while nothing comes back: UDP may lose any."""

PING_PERIOD = 20.0
PATIENCE = 8.0
"""Seconds without a sign of a job after which the server is asked about it."""

SILENCE = 20.0
"""Seconds without any answer, though asked, after which the server is given up."""


@dataclass(frozen=True, slots=True)
class Welcome:
    """What the server says of itself."""

    version: str
    protocol: int
    max_bytes: int
    output_root: str
    engine: str
    state: str
    licence: str


@dataclass(frozen=True, slots=True)
class Done:
    """A loop that is on the server's disk. ``beats`` are quarter notes; ``tempo`` is exact, ``bpm`` a float.

    ``seed`` is text: it may pass 31 bits.
    """

    job: str
    req: str
    path: str
    bpm: float
    bars: int
    beats: float
    frames: int
    rate: int
    summary: str
    variation: int
    variations: int
    tempo: str
    seed: str
    engine: str
    licence: str


class Client:
    """Says hello on entering; raises ``ServerUnreachable`` where nobody answers."""

    def __init__(self, host: str = "127.0.0.1", port: int = PORT, name: str = "loopgen", timeout: float = 2.0) -> None:
        self.host, self.port, self.name, self.timeout = host, port, name, timeout
        self._counter = itertools.count(1)
        self._tag = secrets.token_hex(3)
        self._later: deque[Message] = deque(maxlen=1000)
        self.welcome: Welcome

    def __enter__(self) -> Client:
        try:
            family, kind, proto, _, address = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_DGRAM)[0]
        except (OSError, UnicodeError):
            raise ServerUnreachable(f"{self.host} is no address that is known here; give another --host") from None
        self._socket = socket.socket(family, kind, proto)
        try:
            self._socket.connect(address)
            answer = self._exchange(
                "/loopgen/hello", (self.name, VERSION, 0), lambda m: m.address == "/loopgen/welcome"
            )
        except BaseException:
            self._socket.close()
            raise
        said: dict[str, Any] = named(answer)
        self.welcome = Welcome(**said)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.send("/loopgen/bye")
        self._socket.close()

    def req(self) -> str:
        """A new id for a request."""
        return f"{self._tag}-{next(self._counter)}"

    def send(self, address: str, *arguments: Value) -> None:
        """Send a message and wait for nothing."""
        try:
            self._socket.send(encode_any(address, arguments))
        except ConnectionError:  # the answer to an earlier one: nobody was there
            self._socket.send(encode_any(address, arguments))

    def receive(self, timeout: float) -> Message | None:
        """The next message, or None when none comes in ``timeout`` seconds."""
        if self._later:
            return self._later.popleft()
        return self._receive(timeout)

    def ask(self, address: str, *arguments: Value, timeout: float | None = None) -> Message:
        """Send a command without its ``req`` and wait for its answer.

        Raises ``Refused`` for an error, ``ServerUnreachable`` for none at all.
        """
        command = COMMANDS.get(address)
        with_req = command is None or not command.arguments or command.arguments[0].name == "req"
        key = self.req() if with_req else str(arguments[0]) if arguments else ""
        whole = (key, *arguments) if with_req else arguments
        awaited = {REPLIES[name].address for name in command.answers} if command else set()

        def is_answer(message: Message) -> bool:
            said = _named(message)
            if address == "/loopgen/job" and said.get("job") == arguments[0]:  # progress brings back no req
                return message.address in awaited
            return message.address in awaited and key in (
                said.get("req"),
                said.get("id"),
                said.get("job"),
                said.get("token"),
                said.get("name"),
            )

        return self._exchange(address, whole, is_answer, key, timeout)

    def melody(self, notes: Melody, id: str = "melody") -> None:
        """Send a clip; a chunk that was lost is sent again. Raises ``Refused``, ``ServerUnreachable``."""
        pieces = [(note.pitch, note.start, note.duration, note.velocity) for note in notes.notes]
        self.ask("/loopgen/melody/begin", id, len(pieces), float(notes.length))
        for offset in range(0, len(pieces), NOTES_A_MESSAGE):
            chunk = pieces[offset : offset + NOTES_A_MESSAGE]
            flat = [
                value
                for pitch, start, length, velocity in chunk
                for value in (pitch, float(start), float(length), velocity)
            ]
            self.ask("/loopgen/melody/notes", id, offset, *flat)
        self.ask("/loopgen/melody/end", id, len(pieces))

    def generate(
        self,
        fields: Mapping[str, Any],
        *,
        progress: Callable[[float, str], None] | None = None,
        accepted: Callable[[str, int], None] | None = None,
        previewed: Callable[[str, float], None] | None = None,
        timeout: float = 600.0,
    ) -> Iterator[Done]:
        """Ask for loops and yield each when it is on disk.

        ``progress`` is told the share and the stage, ``accepted`` the job and how many come before it, ``previewed`` a
        WAV and how many seconds of a take can be heard in it.

        Raises ``Refused`` for the server's error, ``Cancelled``, ``ServerUnreachable`` after ``timeout`` seconds.
        """
        pairs = [part for key, value in fields.items() for part in (key, value)]
        yield from self._follow("/loopgen/generate", tuple(pairs), progress, accepted, timeout, previewed)

    def retempo(
        self,
        loop: str,
        tempo: str,
        *,
        bars: int = 0,
        start: int | None = None,
        progress: Callable[[float, str], None] | None = None,
        accepted: Callable[[str, int], None] | None = None,
        timeout: float = 600.0,
    ) -> Iterator[Done]:
        """Lay a loop that was made on another tempo, or all of this client's (``"all"``); raises as `generate`.

        ``bars`` and ``start`` as for ``loopgen.studio.retempo``; 0 and None: as they were.
        """
        more = (bars,) if start is None else (bars, start)
        yield from self._follow("/loopgen/retempo", (loop, tempo, *more), progress, accepted, timeout)

    def rotate(
        self,
        loop: str,
        beats: str | float | None = None,
        *,
        progress: Callable[[float, str], None] | None = None,
        accepted: Callable[[str, int], None] | None = None,
        timeout: float = 600.0,
    ) -> Iterator[Done]:
        """Turn a loop so that what is ``beats`` later becomes its beat 1; None: the runner-up. Raises as `generate`."""
        more = () if beats is None else (beats,)
        yield from self._follow("/loopgen/rotate", (loop, *more), progress, accepted, timeout)

    def cancel(self, job: str) -> None:
        """Stop a job; returns at once."""
        self.send("/loopgen/cancel", job)

    def _follow(
        self,
        address: str,
        arguments: tuple[Value, ...],
        progress: Callable[[float, str], None] | None,
        accepted: Callable[[str, int], None] | None,
        timeout: float,
        previewed: Callable[[str, float], None] | None = None,
    ) -> Iterator[Done]:
        req = self.req()
        wanted = "/loopgen/accepted"
        answer = _named(
            self._exchange(address, (req, *arguments), lambda m: m.address == wanted and m.arguments[0] == req, req)
        )
        job = str(answer["job"])
        if accepted:
            accepted(job, int(answer["position"] or 0))
        seen: set[int] = set()
        deadline = time.monotonic() + timeout
        heard = pinged = alive = time.monotonic()
        while True:
            now = time.monotonic()
            if now > deadline:
                raise ServerUnreachable(
                    f"job {job} has not ended within {timeout:.0f} s; `loopgen send job {job}` asks for it"
                )
            if now - pinged > PING_PERIOD:
                self.send("/loopgen/ping", "")
                pinged = now
            if now - alive > SILENCE:
                raise ServerUnreachable(f"the server at {self.host}:{self.port} has gone; job {job} went with it")
            if now - heard > PATIENCE:  # its end may have been lost on the way
                self.send("/loopgen/job", req, job)
                heard = now
            message = self.receive(min(1.0, deadline - now))
            if message is None:
                continue
            alive = time.monotonic()
            said: dict[str, Any] = _named(message)
            if job != said.get("job") and req != said.get("req"):
                continue
            heard = time.monotonic()
            if message.address == "/loopgen/progress" and progress:
                progress(float(said["fraction"] or 0), str(said["stage"]))
            elif message.address == "/loopgen/preview" and previewed:
                previewed(str(said["path"]), float(said["seconds"]))
            elif message.address == "/loopgen/done":
                done = Done(**{**said, "bpm": float(Fraction(said["tempo"]))})
                self.send("/loopgen/ack", job, done.variation)
                if done.variation not in seen:
                    seen.add(done.variation)
                    yield done
                if len(seen) == done.variations:
                    return
            elif message.address == "/loopgen/cancelled":
                raise Cancelled(f"job {job} was cancelled")
            elif message.address == "/loopgen/error" and said["req"] == req:
                raise Refused(str(said["message"]), str(said["code"]))

    def _exchange(
        self,
        address: str,
        arguments: tuple[Value, ...],
        is_answer: Callable[[Message], bool],
        key: str = "",
        timeout: float | None = None,
    ) -> Message:
        """Send, wait, send again; what comes for others is kept for `receive`."""
        patience = self.timeout if timeout is None else timeout
        for _ in range(TRIES):
            deadline = time.monotonic() + patience / TRIES
            self.send(address, *arguments)
            while (left := deadline - time.monotonic()) > 0:
                message = self._receive(left)
                if message is None:
                    continue
                said = _named(message)
                if message.address == "/loopgen/error" and said["address"] == address and said["req"] == key:
                    raise Refused(str(said["message"]), str(said["code"]))
                if is_answer(message):
                    return message
                self._later.append(message)
        raise ServerUnreachable(f"no loopgen answers at {self.host}:{self.port}; `loopgen serve` starts one")

    def _receive(self, timeout: float) -> Message | None:
        self._socket.settimeout(max(0.001, timeout))
        try:
            return decode(self._socket.recv(65_536))[0]
        except (TimeoutError, Malformed):
            return None
        except OSError:  # nobody listens there
            time.sleep(min(0.05, max(0.0, timeout)))
            return None


def _named(message: Message) -> dict[str, Value]:
    try:
        return named(message)
    except Malformed:
        return {}
