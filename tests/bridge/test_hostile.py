"""What a careless or hostile world does to the server: smaller versions of `python -m tests.bench bridge`."""

import os
import random
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from bridge.client import Client
from bridge.clips import CLIPS_MAX, NOTES_MAX
from bridge.fields import SESSION
from bridge.peers import NOTES_KEPT, PEERS_MAX, Peers
from bridge.post import WATCHERS_MAX
from bridge.server import Server
from bridge.service import Notice
from loopgen.errors import Refused
from tests.bench.bridge_fuzz import Fuzz
from tests.bench.bridge_hostile import BATCH, Siege, besiege, contents, difference, furnish
from tests.bench.bridge_jobs import ENDS, Fates, broken_files, first_end, see_through
from tests.bench.bridge_load import burst
from tests.bench.bridge_serving import Sender, ping_seconds

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


def test_one_who_hoards_notes_costs_the_others_none() -> None:
    peers = Peers()
    modest, _ = peers.hello(("127.0.0.1", 1), "modest", 0, 0.0)
    modest.clips.begin("mine", 8, 4.0)
    for port in range(2, 2 + PEERS_MAX // 2):
        hoarder = peers.sender(("127.0.0.1", port), 0.0).peer
        for n in range(CLIPS_MAX):
            hoarder.clips.begin(f"m{n}", NOTES_MAX, 4.0)
            peers.make_room()
    assert 0.9 * NOTES_KEPT < sum(peer.clips.notes for peer in peers) <= NOTES_KEPT
    assert modest.clips.notes == 8


def test_traffic_has_few_watchers(tmp_path: Path) -> None:
    with Server(port=0, output=tmp_path) as quiet, ExitStack() as stack:
        watchers = [stack.enter_context(Sender(quiet.port)) for _ in range(WATCHERS_MAX + 1)]
        answers = []
        for watcher in watchers:
            watcher.send("/loopgen/subscribe", "traffic")
            while (message := watcher.read()) is not None and message.arguments[1:] != ("traffic", ""):
                if message.address == "/loopgen/error":
                    break
            answers.append(message)
        codes = [message.arguments[1] for message in answers if message is not None]
        assert codes == ["traffic"] * WATCHERS_MAX + ["busy"]


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


def test_a_listener_that_fails_does_not_end_the_server(tmp_path: Path) -> None:
    told: list[Notice] = []

    def fail(notice: Notice) -> None:
        told.append(notice)
        if notice.kind != "listening":
            raise ValueError("the console is broken")

    with Server(port=0, output=tmp_path, listener=fail) as server, Sender(server.port) as sender:
        for n in range(3):
            assert sender.ask("/loopgen/nonsense", f"n{n}") is not None
            assert ping_seconds(sender, f"p{n}") is not None
        server._listener = told.append
    assert [notice.kind for notice in told].count("refused") == 3


def test_jobs_end_once_while_the_worker_is_killed(tmp_path: Path) -> None:
    chance, fates, over = random.Random(9), Fates(), threading.Event()
    killed: list[int] = []
    deadly = [signal.SIGTERM] if sys.platform == "win32" else [signal.SIGKILL, signal.SIGSEGV]
    with Server(port=0, output=tmp_path / "out") as server, Sender(server.port, 0.05) as sender:

        def kill() -> None:
            while not over.wait(chance.uniform(0.4, 1.5)):
                if (pid := server.jobs.worker_pid) is not None and len(killed) < 3:
                    os.kill(pid, chance.choice(deadly))
                    killed.append(pid)

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            see_through(sender, fates, 12, random.Random(3), ["techno"], bars=1)
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
