"""What a careless or hostile world does to the server: smaller versions of `python -m tests.bench bridge`."""

import os
import random
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bridge.client import Client
from bridge.fields import SESSION
from bridge.server import Server
from loopgen.errors import Refused
from tests.bench.bridge_fuzz import Fuzz
from tests.bench.bridge_hostile import BATCH, Siege, besiege, contents, difference, furnish
from tests.bench.bridge_jobs import ENDS, Fates, broken_files, first_end, see_through
from tests.bench.bridge_load import burst
from tests.bench.bridge_serving import Sender

WAIT = 60.0
LOOP = ("prompt", "techno", "tempo", "128", "bars", 1)


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that the tests of this file share, for those that do it no lasting harm."""
    folder: Path = tmp_path_factory.mktemp("hostile")
    with Server(port=0, output=folder / "out", own_presets=folder / "presets") as running:
        furnish(running.output, folder / "outside")
        yield running


def works(port: int) -> bool:
    """Whether a client gets a loop, whatever the session was left with."""
    with Client(port=port, timeout=WAIT) as client:
        for field in SESSION:
            client.ask(f"/loopgen/set/{field.name}", "")
        return all(Path(loop.path).is_file() for loop in client.generate({"prompt": "techno", "bars": 1}, timeout=WAIT))


def test_fuzz_is_answered_and_leaves_nothing_behind(busy: Server) -> None:
    assert works(busy.port)
    with Client(port=busy.port, timeout=WAIT) as client:  # the threads for files are started by the first
        client.ask("/loopgen/preset/list")
        with pytest.raises(Refused):
            client.ask("/loopgen/melody/file", "m", "absent.mid")
    siege, fuzz = Siege(), Fuzz(7)
    before, threads = contents(busy.output.parent), threading.active_count()
    for at in range(0, 5_000, BATCH):
        besiege(busy.port, fuzz, BATCH, siege, at)
    assert (siege.sent, siege.stalls) == (5_000, 0)
    assert siege.owed > 1_000 and siege.unanswered == []
    assert siege.codes["internal"] == 0
    assert difference(before, contents(busy.output.parent)) == []
    assert threading.active_count() == threads and works(busy.port)


@pytest.mark.parametrize("name", ["link.mid", "folder.mid", "linked/secret.mid", "zero.mid", "pipe.mid", "linked"])
def test_what_leads_out_of_the_inbox_is_not_read(busy: Server, name: str) -> None:
    with Client(port=busy.port, timeout=WAIT) as client, pytest.raises(Refused) as caught:
        client.ask("/loopgen/melody/file", "m", name)
    assert caught.value.wire_code in ("audio_unreadable", "invalid_request")


def test_every_datagram_of_a_burst_is_answered(busy: Server) -> None:
    assert works(busy.port)
    made = burst(busy.port, 600, 1.0)
    assert sum(made.answered.values()) == 600, made
    assert None not in made.pings and made.pings
    for job in made.accepted:
        busy.jobs.cancel(job)
    assert works(busy.port)


def test_answers_that_go_to_the_server_itself_do_not_go_round(busy: Server) -> None:
    with Sender(busy.port) as watcher, Sender(busy.port) as sender:
        watcher.ask("/loopgen/subscribe", "traffic")
        sender.send("/loopgen/hello", "mirror", 1, busy.port)
        for n in range(20):
            sender.send("/loopgen/nonsense", f"n{n}")
        watcher.socket.settimeout(1.0)
        lines = 0
        while watcher.read() is not None:
            lines += 1
            assert lines < 100
        assert lines >= 40, "each message and its answer"


def test_a_preset_that_is_deleted_while_in_use_takes_no_order_with_it(busy: Server) -> None:
    with Client(port=busy.port, timeout=WAIT) as client:
        client.ask("/loopgen/set/prompt", "my own")
        client.ask("/loopgen/preset/save", "gone soon")
        client.ask("/loopgen/preset/load", "gone soon")
        assert client.ask("/loopgen/get/preset").arguments[2] == "gone soon"
        client.ask("/loopgen/preset/delete", "gone soon")
        assert client.ask("/loopgen/get/preset").arguments[2] == ""
        assert len(list(client.generate({"bars": 1}, timeout=WAIT))) == 1
    assert works(busy.port)


def test_jobs_end_once_while_the_worker_is_killed(tmp_path: Path) -> None:
    chance, fates, over = random.Random(9), Fates(), threading.Event()
    killed: list[int] = []
    deadly = [signal.SIGTERM] if sys.platform == "win32" else [signal.SIGKILL, signal.SIGSEGV]
    with Server(port=0, output=tmp_path / "out") as server, Sender(server.port, 0.05) as sender:

        def kill() -> None:
            while not over.wait(chance.uniform(0.4, 1.5)):
                if (pid := server.jobs.worker_pid) is not None and len(killed) < 4:
                    os.kill(pid, chance.choice(deadly))
                    killed.append(pid)

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            see_through(sender, fates, 12, random.Random(3), ["techno"])
        finally:
            over.set()
            killer.join(WAIT)
        sender.socket.settimeout(1.5)
        while (message := sender.read()) is not None:  # what is sent again, and an end too many if there were one
            fates.take(message, sender)
        assert len(fates.jobs) == 12 and killed
        for job in fates.jobs.values():
            assert len(fates.told[job]) == 1 and fates.told[job][0] in ENDS
            assert server.jobs.find(job).state == fates.told[job][0]
        assert broken_files(server.output) == []
        assert works(server.port)


def test_an_output_folder_that_goes_during_a_job(tmp_path: Path) -> None:
    output = tmp_path / "out"

    def put_a_file_there() -> None:
        shutil.rmtree(output)
        output.write_text("in the way")

    with Server(port=0, output=output) as server, Sender(server.port, WAIT) as sender:
        sender.send("/loopgen/generate", "one", "variations", 4, *LOOP)
        ended = first_end(sender, lambda: shutil.rmtree(output))
        assert ended == "done, all 4" or ended.startswith("output_unwritable")
        sender.send("/loopgen/generate", "two", "variations", 4, *LOOP)
        ended = first_end(sender, put_a_file_there)
        assert ended.startswith("output_unwritable") and str(output) in ended and "file is in the way" in ended
        output.unlink()
        sender.send("/loopgen/generate", "three", *LOOP)
        assert first_end(sender, lambda: None) == "done"
        assert broken_files(output) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the files of another process")
def test_a_disk_that_takes_no_more(tmp_path: Path) -> None:
    if sys.platform != "linux":
        return

    def limit(size: int) -> None:
        assert server.jobs.worker_pid is not None
        psutil.Process(server.jobs.worker_pid).rlimit(psutil.RLIMIT_FSIZE, (size, -1))

    with Server(port=0, output=tmp_path / "out") as server, Sender(server.port, WAIT) as sender:
        sender.send("/loopgen/generate", "one", "variations", 4, *LOOP)
        ended = first_end(sender, lambda: limit(100_000))
        assert ended.startswith("output_unwritable") and "disk" in ended
        limit(-1)
        sender.send("/loopgen/generate", "two", *LOOP)
        assert first_end(sender, lambda: None) == "done"
        assert broken_files(server.output) == []
