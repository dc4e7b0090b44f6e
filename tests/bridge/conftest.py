"""A real server with the embedded engine, on a free port, shared by the tests of a file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.client import Client
from bridge.server import Server
from tests.bridge.raw import Raw


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("server")
    with Server(
        port=0, output=folder / "out", own_presets=folder / "presets", state_folder=folder / "state"
    ) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(port=server.port, timeout=30.0) as connected:
        yield connected


@pytest.fixture
def raw(server: Server) -> Iterator[Raw]:
    sender = Raw(server)
    yield sender
    sender.send("/loopgen/bye")
    sender.socket.close()
