"""Melodies in pieces, who is listening, what is sent again, the shared values."""

import json
import os
import random
import subprocess
import sys
import unicodedata
from fractions import Fraction
from pathlib import Path

import pytest

from bridge import discovery
from bridge.clips import CLIPS_MAX, Clips, NotePiece
from bridge.outbox import Outbox
from bridge.peers import PEERS_MAX, REQUESTS_MAX, Peers
from bridge.protocol import LEASE, RESENDS, Misused
from bridge.service import Notice, Service
from bridge.session import Session
from bridge.slow import Slow, find_in
from bridge.wire import decode, encode_any
from loopgen.errors import AudioUnreadable, EngineUnavailable, InvalidRequest, LoopgenError
from loopgen.jobs import Jobs

NOTES: list[NotePiece] = [(60 + n % 12, n * 0.5, 0.5, 100) for n in range(70)]
HERE = "127.0.0.1"


def test_a_melody_in_any_order_and_twice() -> None:
    clips = Clips()
    clips.begin("m", len(NOTES), 35.0)
    chunks = [(at, NOTES[at : at + 32]) for at in range(0, len(NOTES), 32)] * 2
    random.Random(3).shuffle(chunks)
    for at, notes in chunks:
        clips.add("m", at, notes)
    assert clips.end("m", len(NOTES)) == 70
    clips.add("m", 32, NOTES[32:64])  # a late duplicate
    melody = clips.get("m")
    assert (melody.length, len(melody.notes)) == (35.0, 70)
    assert [(n.pitch, n.start, n.duration, n.velocity) for n in melody.notes] == NOTES


def test_a_lost_chunk_is_named_and_can_be_sent_again() -> None:
    clips = Clips()
    clips.begin("m", 70, 35.0)
    clips.add("m", 0, NOTES[:32])
    clips.add("m", 64, NOTES[64:])
    with pytest.raises(Misused, match="offset 32") as caught:
        clips.end("m", 70)
    assert caught.value.code == "melody_incomplete"
    with pytest.raises(Misused) as caught:
        clips.get("m")
    assert caught.value.code == "melody_incomplete"
    clips.add("m", 32, NOTES[32:64])
    assert clips.end("m", 70) == 70


def test_what_is_begun_again_is_new_and_what_is_awaited_is_not_the_old() -> None:
    clips = Clips()
    clips.begin("m", 2, 4.0)
    clips.add("m", 0, NOTES[:2])
    clips.end("m", 2)
    clips.begin("m", 2, 4.0)
    clips.add("m", 1, NOTES[5:6])
    with pytest.raises(Misused, match="offset 0"):
        clips.end("m", 2)
    clips.expect("m")
    with pytest.raises(Misused, match="wait for melody/ok"):
        clips.get("m")


def test_melodies_that_make_no_sense() -> None:
    clips = Clips()
    for count, length in [(0, 4.0), (5000, 4.0), (4, 0.0)]:
        with pytest.raises(Misused):
            clips.begin("m", count, length)
    with pytest.raises(Misused) as caught:
        clips.add("other", 0, NOTES[:1])
    assert caught.value.code == "melody_unknown"
    clips.begin("m", 2, 4.0)
    with pytest.raises(Misused, match="has 2"):
        clips.add("m", 1, NOTES[:2])
    clips.add("m", 0, [(60, 0.0, 0.0, 100), (62, 1.0, 1.0, 0)])
    with pytest.raises(Misused, match="3"):
        clips.end("m", 3)
    with pytest.raises(Misused, match="no note that sounds"):
        clips.end("m", 2)


def test_only_so_many_melodies_are_kept() -> None:
    clips = Clips()
    for n in range(CLIPS_MAX + 1):
        clips.begin(f"m{n}", 1, 1.0)
        clips.add(f"m{n}", 0, NOTES[:1])
        clips.end(f"m{n}", 1)
    assert clips.get(f"m{CLIPS_MAX}").length == 1.0
    with pytest.raises(Misused):
        clips.get("m0")


def test_answers_go_to_the_sender_or_where_its_hello_said() -> None:
    peers = Peers()
    assert peers.sender((HERE, 5000), 0.0).replies == ((HERE, 5000),)
    live, new = peers.hello((HERE, 6000), "live", 11201, 0.0)
    assert new and live.reply == (HERE, 11201)
    assert peers.sender((HERE, 6000), 0.0).replies == ((HERE, 11201),)
    stranger = peers.sender((HERE, 7000), 0.0)
    assert stranger.replies == ((HERE, 7000), (HERE, 11201))
    assert stranger.peer is not live, "its requests are its own"
    assert stranger.clips is live.clips is peers.sender((HERE, 7001), 0.0).clips, "a new port for each chunk"
    assert peers.sender(("10.0.0.9", 7000), 0.0).replies == (("10.0.0.9", 7000),), "never to another host"
    assert peers.hello((HERE, 6001), "live", 11201, 0.0) == (live, False), "the same client from a new port"
    peers.hello((HERE, 8000), "script", 0, 0.0)
    assert peers.sender((HERE, 8000), 0.0).replies == ((HERE, 8000),)
    peers.hello((HERE, 9000), "pd", 9001, 1.0)
    peers.sender((HERE, 6001), 2.0)
    assert peers.sender((HERE, 7002), 3.0).replies[1] == (HERE, 9001), "the last hello counts, not the last word"


def test_silent_peers_are_forgotten_and_there_are_never_too_many() -> None:
    peers = Peers()
    named, _ = peers.hello((HERE, 1), "live", 0, 0.0)
    peers.hello((HERE, 2), "pd", 0, 0.0)
    peers.sender((HERE, 2), LEASE)
    assert peers.expire(LEASE + 1) == [named]
    for port in range(3, 2000):
        peers.sender((HERE, port), LEASE)
    assert len(list(peers)) == PEERS_MAX and any(peer.name == "pd" for peer in peers)
    peer = next(iter(peers))
    for n in range(REQUESTS_MAX + 5):
        peer.remember(f"r{n}", "job", 0)
    assert len(peer.requests) == REQUESTS_MAX and "r0" not in peer.requests


def test_deliveries_are_sent_again_until_acknowledged() -> None:
    outbox, to = Outbox(), ((HERE, 1),)
    outbox.put("j", 1, b"one", to, 0.0)
    outbox.put("j", 2, b"two", to, 0.0)
    assert outbox.due(0.0) == [] and outbox.next_due() == RESENDS[0]
    assert outbox.due(RESENDS[0]) == [(b"one", to), (b"two", to)]
    outbox.acknowledge("j", 1)
    times, now = 0, RESENDS[0]
    while outbox.next_due() is not None:
        now += 0.1
        times += len(outbox.due(now))
    assert times == len(RESENDS) - 1 and now == pytest.approx(sum(RESENDS), abs=0.25)
    outbox.put("j", 1, b"one", to, 0.0)
    outbox.put("j", 2, b"two", to, 0.0)
    outbox.acknowledge("other", 0)
    assert len(outbox) == 2
    outbox.acknowledge("j", 0)
    assert len(outbox) == 0


def test_session_values_lie_under_what_is_given() -> None:
    session = Session(["sketch"])
    with pytest.raises(InvalidRequest, match="prompt"):
        session.order({"bars": 4})
    assert session.set("tempo", "60.23") == ["tempo"] and session.set("tempo", "60.23") == []
    session.set("prompt", "dub techno")
    session.set("folder", "set 1")
    assert session.order({"bars": 2}) == {"prompt": "dub techno", "bpm": Fraction(6023, 100), "bars": 2}
    assert session.order({"tempo": Fraction(90)})["bpm"] == 90
    assert Session(given={"rate": 48_000}).set("rate", "96000")
    started = Session(given={"rate": 48_000})
    started.set("rate", 96_000)
    started.set("rate", "")
    assert started["rate"] == 48_000
    session.set("tempo", "")
    assert session["tempo"] is None and session.shown("tempo") == "" and "bpm" not in session.order({})
    with pytest.raises(EngineUnavailable, match="did you mean 'sketch'"):
        session.set("engine", "sketchy")
    assert session["engine"] is None
    with pytest.raises(EngineUnavailable):
        session.order({"engine": "none"})


def test_a_preset_lies_under_what_is_set_and_goes_with_its_values() -> None:
    session = Session(["sketch"], {"rate": 48_000})
    session.set("prompt", "my own")
    session.set("meter", "3/4")
    techno = {"prompt": "dub techno", "bpm": "124", "key": "Am"}
    assert session.adopt("dub", techno) == ["prompt", "tempo", "meter", "key", "preset"]
    assert [session.shown(name) for name in ("preset", "prompt", "tempo", "meter", "key")] == [
        "dub", "dub techno", "124", "", "Am",
    ]  # fmt: skip
    assert session.order({}) == {"preset": "dub", "rate": 48_000}, "the preset says the rest by itself"
    assert session.order({"preset": "jungle"})["preset"] == "jungle"
    slow = Session(["sketch"], {"temperature": 0.2, "guidance": 2.0})
    slow.adopt("dub", {"prompt": "dub", "temperature": 0.5})
    assert slow.order({}) == {"preset": "dub", "guidance": 2.0}, "what the server was started with gives way as well"
    session.set("tempo", "97.5")
    session.adopt("jungle", {"prompt": "jungle", "bpm": "165"})
    assert (session.shown("tempo"), session.shown("key"), session.shown("prompt")) == ("97.5", "", "jungle")
    session.set("prompt", "jungle, darker")
    assert session.order({})["prompt"] == "jungle, darker" and "prompt" not in session.order({"preset": "dub"})
    for bad in ({"prompt": "x", "engine": "none"}, {"prompt": "two\nlines"}):
        with pytest.raises(LoopgenError):
            session.adopt("bad", bad)
        assert session.shown("preset") == "jungle", "all or nothing"
    assert session.set("preset", "") == ["preset"] and session.shown("prompt") == "jungle, darker"


def test_inbox_names_stay_in_the_inbox(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "riff.mid").write_bytes(b"x")
    (inbox / "folder").mkdir()
    (tmp_path / "secret.mid").write_bytes(b"x")
    (inbox / "Böse (2) & más.mid").write_bytes(b"x")
    assert find_in(inbox, "Böse (2) & más.mid").is_file(), "as DAWs export them"
    assert find_in(inbox, unicodedata.normalize("NFD", "Böse (2) & más.mid")).is_file()
    assert find_in(inbox, "riff.mid") == (inbox / "riff.mid").resolve()
    for name in [
        "../secret.mid",
        str(tmp_path / "secret.mid"),
        "folder",
        "none.mid",
        "",
        ".",
        "..",
        "a\0b",
        "C:riff.mid",
    ]:
        with pytest.raises(LoopgenError):
            find_in(inbox, name)
    try:
        (inbox / "link.mid").symlink_to(tmp_path / "secret.mid")
        (inbox / "good link.mid").symlink_to(inbox / "riff.mid")
    except OSError:
        return  # Windows without the right to make links
    with pytest.raises(AudioUnreadable, match="leads out"):
        find_in(inbox, "link.mid")
    assert find_in(inbox, "good link.mid").name == "riff.mid"


def test_the_discovery_file_is_taken_over_from_the_dead_only(tmp_path: Path) -> None:
    assert discovery.running(tmp_path) is None
    assert discovery.announce(tmp_path, HERE, 11200)
    found = discovery.running(tmp_path)
    assert found is not None and (found.port, found.pid) == (11200, os.getpid())
    living = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        (tmp_path / discovery.FILE).write_text(json.dumps({"host": HERE, "port": 1, "pid": living.pid, "version": "0"}))
        assert not discovery.announce(tmp_path, HERE, 11200)
        assert discovery.announce(tmp_path, HERE, 1), "the port was free: that file's process is another program's now"
        (tmp_path / discovery.FILE).write_text(json.dumps({"host": HERE, "port": 1, "pid": living.pid, "version": "0"}))
        discovery.withdraw(tmp_path)
        assert discovery.running(tmp_path) is not None, "another's file stays"
    finally:
        living.kill()
        living.communicate()
    assert discovery.running(tmp_path) is None
    assert discovery.announce(tmp_path, HERE, 11200)
    discovery.withdraw(tmp_path)
    assert not (tmp_path / discovery.FILE).exists()
    huge = {"host": HERE, "port": 2, "pid": 10**30, "version": "0"}
    (tmp_path / discovery.FILE).write_text(json.dumps(huge))
    assert discovery.running(tmp_path) is None
    (tmp_path / discovery.FILE).write_text("{broken")
    assert discovery.running(tmp_path) is None and discovery.announce(tmp_path, HERE, 11200)


def test_a_fault_of_ours_is_answered_and_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[bytes] = []
    shown: list[Notice] = []
    jobs = Jobs(tmp_path, listener=lambda job: None)
    slow = Slow(tmp_path, tmp_path, lambda call: call())
    service = Service(jobs, slow, Session(), tmp_path, lambda datagram, _: sent.append(datagram), shown.append)
    monkeypatch.setattr(service.session, "shown", lambda name: 1 // 0)
    service.receive(encode_any("/loopgen/get/tempo", ("r1",)), (HERE, 1))
    (message,) = decode(sent.pop())
    assert message.arguments[:2] == ("r1", "internal") and "ZeroDivisionError" in str(message.arguments[2])
    assert [notice.kind for notice in shown] == ["refused"]
    monkeypatch.undo()
    service.receive(encode_any("/loopgen/get/tempo", ("r2",)), (HERE, 1))
    assert decode(sent.pop())[0].arguments == ("r2", "tempo", "")
    slow.close()


def test_silent_clients_leave_the_console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    now = [1000.0]
    monkeypatch.setattr("bridge.service.time.monotonic", lambda: now[0])
    jobs = Jobs(tmp_path, listener=lambda job: None)
    slow = Slow(tmp_path, tmp_path, lambda call: call())
    service = Service(jobs, slow, Session(), tmp_path, lambda *_: None, lambda notice: shown.append(notice.kind))
    service.receive(encode_any("/loopgen/hello", ("live", 1, 0)), (HERE, 1))
    now[0] += LEASE - 1
    service.receive(encode_any("/loopgen/ping", ("x",)), (HERE, 1))
    now[0] += LEASE - 1
    service.tick()
    assert shown == ["client"]
    now[0] += 2
    service.tick()
    assert shown == ["client", "left"] and not list(service.peers)
    slow.close()


def test_who_waits_for_a_job_is_not_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("bridge.service.time.monotonic", lambda: now[0])
    sent: list[bytes] = []
    slow = Slow(tmp_path, tmp_path, lambda call: call())
    jobs = Jobs(tmp_path, listener=lambda job: None)  # not started: its jobs wait
    service = Service(jobs, slow, Session(), tmp_path, lambda d, _: sent.append(d), lambda _: None)
    order = encode_any("/loopgen/generate", ("r1", "prompt", "house"))
    service.receive(order, (HERE, 1))
    for _ in range(5):
        now[0] += LEASE / 2
        service.tick()
    service.receive(order, (HERE, 1))
    accepted = [m.arguments for datagram in sent for m in decode(datagram) if m.address == "/loopgen/accepted"]
    assert len(accepted) >= 2 and len(set(accepted)) == 1, "the same job after a long silence"
    slow.close()
