"""The whole protocol over UDP, against a real server with the embedded engine."""

import struct
import time
from fractions import Fraction
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from bridge import protocol
from bridge.client import Client
from bridge.server import Server
from bridge.wire import Message, Value, encode_any
from loopgen.audiofile import read_audio
from loopgen.errors import Cancelled, Refused
from loopgen.music.melody import Melody, Note
from loopgen.music.tempo import Meter, loop_frames, parse_bpm
from loopgen.wav import digest
from tests.bridge.raw import WAIT, Raw, only

NOTES = Melody(tuple(Note(n * 0.5, 60 + n % 5, 0.5) for n in range(80)), 40.0)


def test_hello_says_what_the_client_needs_to_know(server: Server, client: Client) -> None:
    welcome = client.welcome
    assert (welcome.protocol, welcome.max_bytes, welcome.output_root) == (1, 8192, str(server.output))
    while server.jobs.state == "starting":
        time.sleep(0.05)
    with Client(port=server.port) as later:
        assert (later.welcome.engine, later.welcome.licence) == ("sketch", "CC0-1.0")
    assert server.inbox.is_dir() and str(server.inbox) == str(Path(welcome.output_root) / protocol.INBOX)
    assert client.ask("/loopgen/ping", "t1").arguments == ("t1",)


@pytest.mark.parametrize(("tempo", "bars", "meter", "rate"), [("60.23", 1, "4/4", 44100), ("127.9", 2, "7/8", 48000)])
def test_a_loop_of_exactly_what_was_asked(client: Client, tempo: str, bars: int, meter: str, rate: int) -> None:
    told: list[float] = []
    queued: list[int] = []
    fields = {
        "prompt": "dub techno",
        "tempo": tempo,
        "bars": bars,
        "meter": meter,
        "rate": rate,
        "seed": 7,
        "key": "Am",
    }
    loop = only(client.generate(fields, progress=lambda f, _: told.append(f), accepted=lambda _, at: queued.append(at)))
    frames = loop_frames(parse_bpm(tempo), bars, Meter.parse(meter), rate)
    audio, read_rate = soundfile.read(loop.path)
    assert (len(audio), read_rate, loop.frames, loop.rate) == (frames, rate, frames, rate)
    assert (loop.tempo, loop.bars, loop.variation, loop.variations) == (tempo, bars, 1, 1)
    assert loop.bpm == pytest.approx(float(tempo), rel=1e-6) and loop.beats == bars * Meter.parse(meter).quarters
    assert Path(loop.path).with_suffix(".json").is_file() and loop.summary
    assert told == sorted(told) and all(0 <= fraction <= 1 for fraction in told) and len(queued) == 1


def test_variations_come_one_by_one_into_the_folder_that_was_named(server: Server, client: Client) -> None:
    fields = {"prompt": "house", "tempo": 124, "bars": 1, "variations": 3, "folder": "set one", "seed": 4294967295}
    loops = list(client.generate(fields))
    assert [(loop.variation, loop.variations) for loop in loops] == [(1, 3), (2, 3), (3, 3)]
    assert len({loop.path for loop in loops}) == 3
    assert all(Path(loop.path).parent == server.output / "set one" and Path(loop.path).is_file() for loop in loops)


def test_the_same_req_is_the_same_job(client: Client, raw: Raw) -> None:
    first = raw.ask("/loopgen/generate", "again", "prompt", "techno", "bars", 1)
    second = raw.ask("/loopgen/generate", "again", "prompt", "techno", "bars", 1)
    while second.address != "/loopgen/accepted":  # progress may come between
        second = raw.read()
    assert first.arguments[:2] == second.arguments[:2] == ("again", first.arguments[1])
    done = raw.until("/loopgen/done")
    raw.send("/loopgen/ack", done.arguments[0])
    raw.until("/loopgen/ok")
    third = raw.ask("/loopgen/generate", "again", "prompt", "techno", "bars", 1)
    assert third.arguments == ("again", first.arguments[1], 0)
    assert raw.until("/loopgen/done").arguments[2] == done.arguments[2], "one that came late gets the result as well"
    other = client.ask("/loopgen/generate", "prompt", "techno", "bars", 1)
    assert other.arguments[1] != first.arguments[1], "another client's request is its own"
    client.cancel(str(other.arguments[1]))


def test_the_same_req_for_something_else_is_another_job(raw: Raw) -> None:
    jobs = []
    for prompt in ("house", "techno"):
        raw.send("/loopgen/generate", "1", "prompt", prompt, "bars", 1)
        accepted = raw.until("/loopgen/accepted")
        jobs.append(accepted.arguments[1])
        assert raw.until("/loopgen/done").arguments[0] == accepted.arguments[1]
        raw.send("/loopgen/ack", accepted.arguments[1])
        raw.until("/loopgen/ok")
    assert jobs[0] != jobs[1]


def test_who_comes_back_at_another_port_still_gets_the_loop(server: Server) -> None:
    first, second = Raw(server), Raw(server)
    mailbox = Raw(server)
    first.send("/loopgen/hello", "live", 1, mailbox.port)
    mailbox.until("/loopgen/welcome")
    first.send("/loopgen/generate", "r", "prompt", "house", "bars", 8, "seed", 1)
    job = mailbox.until("/loopgen/accepted").arguments[1]
    elsewhere = Raw(server)
    second.send("/loopgen/hello", "live", 1, elsewhere.port)
    elsewhere.until("/loopgen/welcome")
    second.send("/loopgen/job", "q", job)
    assert elsewhere.read().arguments[0] in (job, "q")
    assert mailbox.until("/loopgen/done").arguments[0] == job
    mailbox.send("/loopgen/ack", job)
    for sender in (first, second):
        sender.send("/loopgen/bye")
    for sender in (first, second, mailbox, elsewhere):
        sender.socket.close()


def test_a_cancel_that_comes_too_late_hears_how_it_ended(client: Client) -> None:
    for _ in range(5):
        loop = only(client.generate({"prompt": "house", "bars": 1, "seed": 3}))
        assert client.ask("/loopgen/cancel", loop.job).address == "/loopgen/done"


def test_a_ping_does_not_overtake_its_own_hello(server: Server) -> None:
    for _ in range(20):
        sender, mailbox = Raw(server), Raw(server)
        sender.send("/loopgen/hello", "quick", 1, mailbox.port)
        sender.send("/loopgen/ping", "t")
        assert [mailbox.read().address for _ in range(2)] == ["/loopgen/welcome", "/loopgen/pong"]
        sender.send("/loopgen/bye")
        mailbox.read()
        sender.socket.close()
        mailbox.socket.close()


def test_done_is_sent_again_until_it_is_acknowledged(raw: Raw) -> None:
    raw.send("/loopgen/generate", "r", "prompt", "techno", "bars", 1)
    first = raw.until("/loopgen/done")
    again = raw.until("/loopgen/done", 10.0)
    assert again == first
    raw.send("/loopgen/ack", first.arguments[0], 1)
    raw.until("/loopgen/ok")
    raw.socket.settimeout(sum(protocol.RESENDS) + 0.5)
    with pytest.raises(TimeoutError):
        raw.read()


def test_cancel_a_running_and_a_waiting_job(client: Client, raw: Raw) -> None:
    running = raw.ask("/loopgen/generate", "long", "prompt", "techno", "bars", 64, "variations", 16)
    waiting = client.ask("/loopgen/generate", "prompt", "techno", "bars", 1)
    assert waiting.arguments[2] == 1
    assert client.ask("/loopgen/cancel", waiting.arguments[1]).address == "/loopgen/cancelled"
    raw.until("/loopgen/progress")
    raw.send("/loopgen/cancel", running.arguments[1])
    assert raw.until("/loopgen/cancelled").arguments == (running.arguments[1], "long")
    told = client.ask("/loopgen/job", running.arguments[1])
    assert told.address == "/loopgen/cancelled", "it can be asked for afterwards"
    assert only(client.generate({"prompt": "techno", "bars": 1})).frames, "and the next one runs"


def test_cancelled_ends_the_wait_of_our_client(client: Client) -> None:
    with pytest.raises(Cancelled):
        for _ in client.generate(
            {"prompt": "techno", "bars": 64, "variations": 8}, accepted=lambda job, _: client.cancel(job)
        ):
            pass


def test_where_a_job_stands_can_be_asked(client: Client) -> None:
    loop = only(client.generate({"prompt": "house", "bars": 1, "seed": 3}))
    done = protocol.named(client.ask("/loopgen/job", loop.job))
    assert (done["path"], done["frames"]) == (loop.path, loop.frames)
    job = client.ask("/loopgen/generate", "prompt", "house", "bars", 64, "variations", 16).arguments[1]
    seen: list[str] = []
    while "/loopgen/progress" not in seen:
        seen.append(client.ask("/loopgen/job", job).address)
    assert set(seen) <= {"/loopgen/accepted", "/loopgen/progress"}
    assert client.ask("/loopgen/cancel", job).address == "/loopgen/cancelled"
    assert client.ask("/loopgen/cancel", loop.job).address == "/loopgen/done", "it has ended before"
    with pytest.raises(Refused) as caught:
        client.ask("/loopgen/job", "nonsense")
    assert caught.value.wire_code == "unknown_job"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "invalid_request"),
        ({"prompt": "x", "tempo": 5}, "invalid_request"),
        ({"prompt": "x", "tempp": 120}, "unknown_name"),
        ({"prompt": "x", "melody": "none"}, "melody_unknown"),
        ({"prompt": "x", "engine": "none"}, "engine_unavailable"),
        ({"preset": "no such preset"}, "preset_unusable"),
        ({"prompt": "x", "folder": "../up"}, "invalid_request"),
        ({"prompt": "x", "chords": "Am H9"}, "invalid_request"),
        ({"prompt": "x", "bars": 256, "tempo": 20}, "invalid_request"),
    ],
)
def test_what_cannot_be_made_is_said(client: Client, fields: dict[str, Value], code: str) -> None:
    with pytest.raises(Refused) as caught:
        list(client.generate(fields))
    assert caught.value.wire_code == code and "Traceback" not in str(caught.value)


def test_session_values_are_shared_kept_and_told(server: Server, client: Client, raw: Raw) -> None:
    assert raw.ask("/loopgen/subscribe", "tempo").arguments == ("", "tempo", "")
    client.ask("/loopgen/set/tempo", "60.23")
    assert raw.read().arguments == ("", "tempo", "60.23")
    with Client(port=server.port, timeout=10.0) as other:
        assert other.ask("/loopgen/get/tempo").arguments[1:] == ("tempo", "60.23")
        other.ask("/loopgen/set/bars", 1.0)
    raw.send("/loopgen/set/tempo", struct.unpack("f", struct.pack("f", 127.9))[0])  # a fader: its value alone
    assert {raw.read().arguments for _ in range(2)} == {("",), ("", "tempo", "127.9")}
    client.ask("/loopgen/set/prompt", "dub techno, 90 bpm")
    loop = only(client.generate({}))
    assert (loop.tempo, loop.bars) == ("127.9", 1), "what the session says wins over the prompt's words"
    assert only(client.generate({"tempo": "133.3"})).tempo == "133.3"
    raw.send("/loopgen/unsubscribe", "tempo")
    raw.until("/loopgen/ok")
    for name in ("tempo", "bars", "prompt"):
        client.ask(f"/loopgen/set/{name}", "")
    assert client.ask("/loopgen/get/bars").arguments[2] == ""
    raw.socket.settimeout(0.5)
    with pytest.raises(TimeoutError):
        raw.read()
    with pytest.raises(Refused):
        client.ask("/loopgen/subscribe", "everything")


def test_a_melody_in_chunks_then_a_loop_that_follows_it(client: Client) -> None:
    client.melody(NOTES, "riff")
    assert only(client.generate({"prompt": "house", "tempo": 120, "bars": 1, "melody": "riff"})).frames
    with pytest.raises(Refused) as caught:
        client.ask("/loopgen/melody/end", "riff", 79)
    assert "80" in str(caught.value)


def test_melody_files_are_read_from_the_inbox_only(server: Server, client: Client) -> None:
    file = mido.MidiFile(ticks_per_beat=480)
    track = mido.MidiTrack()
    file.tracks.append(track)
    for pitch in (60, 64, 67):
        track.append(mido.Message("note_on", note=pitch, velocity=90, time=0))
        track.append(mido.Message("note_off", note=pitch, velocity=0, time=480))
    file.save(server.inbox / "riff.mid")
    assert client.ask("/loopgen/melody/file", "from file", "riff.mid", timeout=WAIT).arguments == ("from file", 3)
    assert only(client.generate({"prompt": "house", "bars": 1, "melody": "from file"})).frames
    rate = 22_050
    tone = np.concatenate([np.sin(2 * np.pi * f * np.arange(rate) / rate) for f in (220.0, 261.63, 329.63, 220.0)])
    soundfile.write(server.inbox / "hummed 60bpm.wav", 0.5 * tone, rate)
    heard = client.ask("/loopgen/melody/file", "hummed", "hummed 60bpm.wav", "60", timeout=WAIT)
    assert heard.arguments == ("hummed", 4)
    with pytest.raises(Refused, match="tempo"):
        client.ask("/loopgen/melody/file", "hummed", "hummed 60bpm.wav", "quick", timeout=WAIT)
    (server.inbox / "broken.mid").write_bytes(b"MThd no")
    (server.inbox / "broken.wav").write_bytes(b"RIFF no")
    for name in ("broken.mid", "broken.wav", "absent.mid", "../out/inbox/riff.mid", str(server.inbox / "riff.mid"), ""):
        with pytest.raises(Refused) as caught:
            client.ask("/loopgen/melody/file", "bad", name, timeout=WAIT)
        assert caught.value.wire_code in ("audio_unreadable", "invalid_request"), name


def test_a_kept_take_is_laid_on_another_tempo(client: Client) -> None:
    loop = only(client.generate({"prompt": "techno", "tempo": 120, "bars": 2, "seed": 5}))
    for name in (loop.job, f"{loop.job}/1", Path(loop.path).name):
        other = only(client.retempo(name, "131.5"))
        assert other.tempo == "131.5" and len(soundfile.read(other.path)[0]) == other.frames
        assert other.frames == loop_frames(Fraction(263, 2), 2, Meter(), 44_100)
    longer = only(client.retempo(loop.job, "120", bars=3, start=4))
    assert longer.bars == 3 and longer.frames == loop_frames(Fraction(120), 3, Meter(), 44_100)
    with pytest.raises(Refused) as caught:
        list(client.retempo("no such loop", "131.5"))
    assert caught.value.wire_code == "take_gone"


def test_all_loops_of_a_client_follow_a_tempo_by_one_message(server: Server, client: Client) -> None:
    with pytest.raises(Refused, match="you had none made"):
        list(client.retempo("all", "131.5"))
    first = only(client.generate({"prompt": "techno", "tempo": 120, "bars": 1, "seed": 5}))
    others = list(client.generate({"prompt": "house", "tempo": 124, "bars": 2, "seed": 6, "variations": 2}))
    only(client.retempo(first.job, "118"))  # made of a take that is there already: it does not count once more
    laid = list(client.retempo("all", "131.5"))
    assert [(loop.bars, loop.tempo, loop.variation, loop.variations) for loop in laid] == [
        (1, "131.5", 1, 3),
        (2, "131.5", 2, 3),
        (2, "131.5", 3, 3),
    ]
    assert [loop.seed for loop in laid] == [first.seed, *(loop.seed for loop in others)]
    with Client(port=server.port) as stranger, pytest.raises(Refused, match="you had none made"):
        list(stranger.retempo("all", "131.5"))


def test_a_loop_of_an_earlier_server_is_laid_anew(tmp_path: Path) -> None:
    with Server(port=0, output=tmp_path, engine="sketch") as server, Client(port=server.port) as client:
        loop = only(client.generate({"prompt": "techno", "tempo": 120, "bars": 2, "seed": 5, "folder": "set"}))
        before = only(client.retempo(loop.job, "131.5"))
    with Server(port=0, output=tmp_path, engine="sketch") as server, Client(port=server.port) as client:
        after = only(client.retempo(Path(loop.path).name, "131.5"))
        assert digest(read_audio(after.path)) == digest(read_audio(before.path))
        with pytest.raises(Refused) as caught:
            list(client.retempo(loop.job, "131.5"))
        assert caught.value.wire_code == "take_gone"


def test_one_who_watches_sees_jobs_state_and_traffic(client: Client, raw: Raw) -> None:
    assert raw.ask("/loopgen/subscribe", "jobs").arguments == ("", "jobs", "")
    assert raw.ask("/loopgen/subscribe", "state").arguments[2] in ("starting", "ready", "working")
    raw.ask("/loopgen/subscribe", "traffic")
    loop = only(client.generate({"prompt": "watched", "bars": 1}))
    seen: list[Message] = []
    while not (seen and seen[-1].address == "/loopgen/done"):
        seen.append(raw.read())
    assert seen[-1].arguments[0] == loop.job
    lines = [str(m.arguments[2]) for m in seen if m.arguments[1:2] == ("traffic",)]
    assert any(line.startswith("<- ") and "/loopgen/generate" in line and "watched" in line for line in lines)
    assert any(line.startswith("-> ") and "/loopgen/accepted" in line for line in lines)
    assert any(m.arguments[:2] == ("", "state") for m in seen)


def test_a_sender_with_a_new_port_each_time_has_one_mailbox(server: Server, raw: Raw) -> None:
    """As oscsend does, with oscdump listening."""

    def one_shot(address: str, *arguments: Value) -> None:
        sender = Raw(server)
        sender.send(address, *arguments)
        sender.socket.close()

    one_shot("/loopgen/hello", "shell", 1, raw.port)
    assert raw.read().address == "/loopgen/welcome"
    one_shot("/loopgen/melody/begin", "m", 1, 4.0)
    assert raw.read().arguments == ("m",)
    one_shot("/loopgen/melody/notes", "m", 0, 60, 0.0, 1.0, 100)
    assert raw.read().arguments == ("m",)
    one_shot("/loopgen/melody/end", "m", 1)
    assert raw.read() == Message("/loopgen/melody/ok", ("m", 1))
    one_shot("/loopgen/generate", "r", "prompt", "house", "bars", 1, "melody", "m")
    assert raw.read().address == "/loopgen/accepted"
    done = raw.until("/loopgen/done")
    one_shot("/loopgen/ack", done.arguments[0])
    raw.until("/loopgen/ok")
    one_shot("/loopgen/hello", "shell", 1, raw.port)  # the mailbox is this port's, until it is told otherwise
    raw.until("/loopgen/welcome")


def test_every_kind_of_nonsense_is_answered_once(raw: Raw) -> None:
    for datagram, code in [
        (b"/loopgen/ping\0\0\0,q\0\0", "undecodable"),
        (b"rubbish", "undecodable"),
        (b"\0" * 9000, "too_large"),
        (encode_any("/loopgen/*", ()), "pattern_refused"),
        (encode_any("/loopgen/set/tempo", ("r", float("nan"))), "bad_arguments"),
        (encode_any("/somewhere/else", ("r",)), "unknown_address"),
        (encode_any("/loopgen/melody/begin", ("m",)), "bad_arguments"),
        (encode_any("/loopgen/set/tempo", ("r", "fast")), "invalid_request"),
    ]:
        raw.socket.sendto(datagram, raw.server)
        answer = raw.read()
        assert (answer.address, answer.arguments[1]) == ("/loopgen/error", code), datagram[:40]
    raw.send("/loopgen/error", "", "code", "text", "/x")  # what a server says is never answered
    assert raw.ask("/loopgen/ping", "still here").arguments == ("still here",)
