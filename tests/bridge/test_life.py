"""A server's life: its port, its end, and what its own process holds."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bridge import discovery
from bridge.client import Client
from bridge.server import Server
from loopgen.errors import InvalidRequest, PortTaken, Refused, ServerUnreachable
from tests.bridge.raw import Raw


def test_the_queue_has_an_end(tmp_path: Path) -> None:
    with Server(port=0, output=tmp_path, queue=2) as small, Client(port=small.port, timeout=10.0) as client:
        for n in range(3):
            client.ask("/loopgen/generate", "prompt", "techno", "bars", 64, "variations", 16)
            while n == 0 and client.ask("/loopgen/ping", "x") and small.jobs.state != "working":
                time.sleep(0.05)
        with pytest.raises(Refused) as caught:
            client.ask("/loopgen/generate", "prompt", "techno")
        assert caught.value.wire_code == "busy"
        assert client.ask("/loopgen/ping", "t").arguments == ("t",)


def test_a_taken_port_and_a_foreign_host_are_said(server: Server, tmp_path: Path) -> None:
    state = tmp_path / "state"
    with Server(port=0, output=tmp_path, state_folder=state) as first:
        with pytest.raises(PortTaken, match=r"loopgen .* runs already"):
            Server(port=first.port, output=tmp_path, state_folder=state).start()
        found = discovery.running(state)
        assert found is not None and found.port == first.port
    assert discovery.running(state) is None and not (state / discovery.FILE).exists()
    with pytest.raises(PortTaken, match="another program"):
        Server(port=server.port, output=tmp_path, state_folder=state).start()
    with pytest.raises(InvalidRequest, match="host"):
        Server("203.0.113.7", port=0, output=tmp_path).start()
    with pytest.raises(InvalidRequest, match="host"):
        Server("no such host.invalid", port=0, output=tmp_path).start()


def test_closing_ends_every_job_and_tells(tmp_path: Path) -> None:
    server = Server(port=0, output=tmp_path)
    before = threading.active_count()
    server.start()
    raw = Raw(server)
    for req in ("one", "two"):
        raw.ask("/loopgen/generate", req, "prompt", "techno", "bars", 64, "variations", 16)
    server.close()
    server.close()
    ended = {raw.until("/loopgen/cancelled").arguments[1] for _ in range(2)}
    assert ended == {"one", "two"}
    raw.socket.close()
    assert threading.active_count() == before
    with pytest.raises(ServerUnreachable, match="loopgen serve"), Client(port=server.port, timeout=0.6):
        pass


def test_closing_does_not_wait_for_a_melody_that_is_read(tmp_path: Path) -> None:
    server = Server(port=0, output=tmp_path)
    server.start()
    rate = 44_100
    noise = np.random.default_rng(1).standard_normal(rate * 100) * 0.1
    soundfile.write(server.inbox / "long.wav", noise, rate)
    raw = Raw(server)
    for name in ("m", "n"):
        raw.send("/loopgen/melody/file", name, "long.wav")
    time.sleep(1.0)
    started = time.monotonic()
    server.close()
    assert time.monotonic() - started < 10.0
    assert {raw.until("/loopgen/error").arguments[:2] for _ in range(2)} == {("m", "busy"), ("n", "busy")}
    raw.socket.close()


def test_a_server_that_is_gone_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.client.PATIENCE", 0.3)
    monkeypatch.setattr("bridge.client.SILENCE", 1.0)
    code = (
        "import sys\nfrom pathlib import Path\nfrom bridge.server import Server\n"
        "if __name__ == '__main__':\n"
        "    with Server(port=0, output=Path(sys.argv[1])) as server:\n"
        "        print(server.port, flush=True)\n"
        "        sys.stdin.read()\n"
    )
    (tmp_path / "serve.py").write_text(code)
    command = [sys.executable, str(tmp_path / "serve.py"), str(tmp_path / "out")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            with Client(port=int(process.stdout.readline()), timeout=20.0) as client, pytest.raises(ServerUnreachable):
                for _ in client.generate(
                    {"prompt": "techno", "bars": 64, "variations": 16}, accepted=lambda *_: process.kill()
                ):
                    pass
        finally:
            process.kill()


def test_the_servers_own_process_stays_light() -> None:
    code = (
        "import sys, bridge.server, bridge.client; "
        "print([m for m in ('scipy', 'soundfile', 'librosa', 'mido', 'rich', 'matplotlib') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert shown.stdout.strip() == "[]"
