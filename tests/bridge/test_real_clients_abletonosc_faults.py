"""The same client where things go wrong, and where it stays for more than one loop."""

import json
import signal
import sys
from pathlib import Path

import pytest

from bridge.client import Client
from bridge.clients.ableton import clip, slots
from bridge.clients.ableton import song as songs
from bridge.clients.ableton.live import Live
from loopgen.errors import InputError, PortTaken, ServerUnreachable
from tests.bridge.abletonosc_stand_in import StandIn, Track, held
from tests.bridge.abletonosc_support import CREATES, a_set, audio, client, path_in, run
from tests.bridge.clients_support import asked, check_loop, free_port, serving, wait_until


def test_lost_answers_are_asked_for_again(tmp_path: Path) -> None:
    """The first answer of each address is lost, and all to the one message that must not be sent twice."""
    song = a_set()
    told: set[str] = set()
    with serving(tmp_path) as server, StandIn(song, CREATES[1]) as live:

        def lost(address: str) -> bool:
            is_first = address not in told
            told.add(address)
            return is_first or any(heard[0].endswith("create_audio_clip") for heard in live.heard[-2:])

        live.loses = lost
        said = run(live, server, "techno", "--bars", "1", "--melody")
        assert len(asked(path_in(said))["melody"]) == 3
    assert audio(song, 1, 0).length == 4.0
    assert sum(address.endswith("create_audio_clip") for address, *_ in live.heard) == 1


def test_answers_to_others_and_nonsense_are_not_taken() -> None:
    song = a_set()
    with StandIn(song) as stand_in, Live(stand_in.port, stand_in.reply_port) as live:
        stand_in.answer("/live/clip/get/name", 3, 3, "another's")
        stand_in.answer("/live/song/get/beat", 17)
        stand_in.answer("/live/error", "somebody else's")
        stand_in._socket.sendto(b"no osc", ("127.0.0.1", stand_in.reply_port))
        assert live.ask(("/live/clip/get/name", 0, 0), ("/live/clip/get/name", 9, 9)) == [("Riff",), None]
        assert live.trouble == "list index out of range"
        song.tempo = "fast"  # type: ignore[assignment]
        with pytest.raises(InputError, match="AbletonOSC does not tell tempo and time signature"):
            songs.read(live)
        song.tempo = float("nan")
        with pytest.raises(InputError, match="AbletonOSC does not tell tempo and time signature"):
            songs.read(live)
        song.tempo = 1e6
        with pytest.raises(InputError, match="20 to 999"):
            songs.read(live)


def test_late_answers_are_not_taken_for_those_of_the_next_question() -> None:
    song = a_set()
    with StandIn(song) as stand_in, Live(stand_in.port, stand_in.reply_port, patience=0.5) as live:
        stand_in.is_busy.set()
        with pytest.raises(ServerUnreachable, match="AbletonOSC does not answer"):
            songs.read(live)
        song.tempo = 90.0
        stand_in.is_busy.clear()
        assert songs.read(live).tempo == "90"
        stand_in.is_busy.set()
        with pytest.raises(ServerUnreachable, match="Live has stopped answering; it may be loading"):
            songs.read(live)
        stand_in.is_busy.clear()
        assert slots.aim(live) == slots.Slot(1, 0, "Loops")


def test_a_slow_live_is_waited_for() -> None:
    with StandIn(a_set(), round_=0.1) as stand_in, Live(stand_in.port, stand_in.reply_port) as live:
        assert len(clip.read(live).melody.notes) == 3


def test_no_live_says_what_to_install(tmp_path: Path) -> None:
    with StandIn(a_set()) as live:
        pass
    with serving(tmp_path) as server:
        said = run(live, server, "techno", status=1)
    said.wait_for("^cannot go on: AbletonOSC does not answer at port .*github.com/ideoforms/AbletonOSC.*Remote Scripts")


def test_no_server_says_what_to_start() -> None:
    with StandIn(a_set()) as live, client(live, free_port(), "techno") as said:
        assert said.wait() == 1
    said.wait_for("^cannot go on: no loopgen answers at .*`loopgen serve` starts one$")


def test_ports_that_cannot_be(tmp_path: Path) -> None:
    with serving(tmp_path) as server, StandIn(a_set()) as live:
        said = run(live, server, "techno", "--live-reply-port", str(live.port), status=2)
        said.wait_for(f"^cannot go on: AbletonOSC listens at one port .* {live.port} was given for both")
        said = run(live, server, "techno", "--port", "99999", status=2)
        said.wait_for("^cannot go on: the port of loopgen's server: 99999 cannot be used")
        said = run(live, server, "techno", "--live-port", str(server.port), status=1)
        said.wait_for(f"^cannot go on: AbletonOSC does not answer at port {server.port}")
        said = run(live, server, "techno", "--bras", "4", status=2)
        said.wait_for("^unrecognized arguments: --bras 4 .*--help")


def test_a_taken_reply_port_is_said(tmp_path: Path) -> None:
    with serving(tmp_path) as server, StandIn(a_set()) as live, held(live.reply_port):
        said = run(live, server, "techno", status=2)
    said.wait_for(f"^cannot go on: port {live.reply_port}, to which AbletonOSC answers, belongs to another program")
    with pytest.raises(PortTaken), held(live.reply_port), Live(live.port, live.reply_port):
        pass


def test_what_the_server_refuses_is_said(tmp_path: Path) -> None:
    with serving(tmp_path) as server, StandIn(a_set()) as live:
        run(live, server, "techno", "--bars", "1000", status=1).wait_for("^cannot go on: bars: '?1000'? cannot be used")
        run(live, server, status=1).wait_for("^cannot go on: prompt")


@pytest.mark.skipif(sys.platform == "win32", reason="has no such signal to send")
def test_ctrl_c_takes_the_job_with_it(tmp_path: Path) -> None:
    with serving(tmp_path) as server, StandIn(a_set()) as live:
        with client(live, server.port, "techno", "--bars", "16", "--variations", "16", "--no-reveal") as said:
            path_in(said)
            said._process.send_signal(signal.SIGINT)
            assert said.wait() == 130
        with Client(port=server.port) as watcher:
            wait_until(lambda: "ready" in watcher.ask("/loopgen/subscribe", "state").arguments, "the server is free")
        assert len(list(tmp_path.glob("*.wav"))) < 16


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_a_name_that_the_output_cannot_show(tmp_path: Path, encoding: str) -> None:
    """As where Windows writes into a file or a pipe."""
    song = a_set(tracks=[Track("Loops \N{MUSICAL KEYBOARD}")])
    env = {"PYTHONIOENCODING": encoding}
    with (
        serving(tmp_path) as server,
        StandIn(song, CREATES[0]) as live,
        client(live, server.port, "techno", "--bars", "1", env=env) as said,
    ):
        assert said.wait() == 0
    said.wait_for(r"^in 'Loops \\U0001f3b9', scene 1, 4 beats$")


# -- staying -----------------------------------------------------------------------------------------------------------


def test_it_stays_and_makes_a_loop_a_line(tmp_path: Path) -> None:
    song = a_set(tempo=120.0)
    with (
        serving(tmp_path) as server,
        StandIn(song, CREATES[0]) as live,
        client(live, server.port, "dub techno", "--bars", "1", "--watch", "--no-reveal") as said,
    ):
        process = said._process
        assert process.stdin is not None

        def type_(line: str, then: str) -> None:
            assert process.stdin is not None
            process.stdin.write(line + "\n")
            process.stdin.flush()
            said.wait_for(then)

        said.wait_for("^Live: 120 BPM 4/4 Am$")
        said.wait_for("^Return: a loop")
        type_("r", "^there is no loop yet")
        type_("", "^in 'Loops', scene 1, 4 beats$")
        song.tempo = 131.7
        type_("r", "^in 'Loops', scene 2, 4 beats$")
        type_("acid", "^in 'Loops', scene 3, 4 beats$")
        song.tempo = 1e6
        type_("", "^tempo: .* cannot be used")
        process.stdin.write("q\n")
        process.stdin.flush()
        assert said.wait() == 0
    first, second, third = (Path(audio(song, 1, scene).file_path) for scene in range(3))
    check_loop(first, "120", 1, tmp_path)
    check_loop(second, "131.7", 1, tmp_path)
    assert asked(first)["seed"] == asked(second)["seed"]
    assert asked(third)["prompt"] == "acid"
    assert json.loads(third.with_suffix(".json").read_text())["request"]["bpm"] in ("131.7", 131.7)


def test_it_stays_where_live_or_the_server_is_not_there_yet(tmp_path: Path) -> None:
    with StandIn(a_set()) as live, client(live, free_port(), "techno", "--watch") as said:
        said.wait_for("^not ready yet: no loopgen answers at .*`loopgen serve` starts one$")
        said.wait_for("^Return: a loop")
    with serving(tmp_path) as server, StandIn(a_set()) as live:
        live.is_busy.set()
        with client(live, server.port, "techno", "--watch") as said:
            said.wait_for("^not ready yet: AbletonOSC does not answer")
            said.wait_for("^Return: a loop")
