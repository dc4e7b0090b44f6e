"""A sender without any of our client's manners."""

import socket
import time
from collections.abc import Iterator

from bridge.client import Done
from bridge.server import Server
from bridge.wire import Message, Value, decode, encode_any

WAIT = 60.0


class Raw:
    """Sends what it is told, and reads whatever comes."""

    def __init__(self, server: Server) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(10.0)
        self.port = self.socket.getsockname()[1]
        self.server = ("127.0.0.1", server.port)

    def send(self, address: str, *arguments: Value) -> None:
        self.socket.sendto(encode_any(address, arguments), self.server)

    def read(self) -> Message:
        return decode(self.socket.recv(65536))[0]

    def ask(self, address: str, *arguments: Value) -> Message:
        self.send(address, *arguments)
        return self.read()

    def until(self, address: str, seconds: float = WAIT) -> Message:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            message = self.read()
            if message.address == address:
                return message
        raise AssertionError(f"no {address} within {seconds} s")


def only(loops: Iterator[Done]) -> Done:
    """The one loop that a request without variations gives."""
    (loop,) = loops
    return loop
