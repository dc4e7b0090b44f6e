"""Ardour's action script in the real ardour7-lua and a real session of it, against the real server.

It only sends: what comes of it is seen by a second client, and on disk.
"""

import time
from pathlib import Path

import pytest

from bridge.client import Client
from bridge.protocol import named
from bridge.server import Server
from tests.bridge.clients_support import CLIENTS, DEADLINE, Program, asked, check_loop, needs, serving

SCRIPT = CLIENTS / "ardour" / "loopgen.lua"
SESSION = Path(__file__).with_name("ardour_session.lua")


def act(folder: Path, server: Server, tempo: str, meter: str, notes: str = "", length: float = 8) -> Program:
    """The script in a session; it sends to the test's server instead of to port 11200."""
    path = needs("ardour7-lua", "ardour8-lua", "ardour9-lua")
    script = folder / "loopgen.lua"
    text = SCRIPT.read_text(encoding="utf-8")
    assert text.count("11200") == 1
    script.write_text(text.replace("11200", str(server.port)), encoding="utf-8")
    session = SESSION.read_text(encoding="utf-8")
    numerator, denominator = meter.split("/")
    for word, value in {
        '"SCRIPT"': f'"{script}"',
        '"FOLDER"': f'"{folder / "session"}"',
        "TEMPO,": f"{tempo},",
        "NUMERATOR": numerator,
        "DENOMINATOR": denominator,
        "{ NOTES }": "{" + notes + "}",
        "LENGTH": str(length),
    }.items():
        assert word in session
        session = session.replace(word, value)
    run = folder / "run.lua"
    run.write_text(session, encoding="utf-8")
    return Program([path, run], env={"HOME": str(folder), "XDG_CONFIG_HOME": str(folder)})


def watch(client: Client, answer: str) -> dict[str, object]:
    """What a client that is subscribed to all jobs hears."""
    deadline = time.monotonic() + DEADLINE
    heard = []
    while time.monotonic() < deadline:
        message = client.receive(0.2)
        if message is None:
            client.send("/loopgen/ping", "")
        elif message.address != "/loopgen/pong":
            heard.append(message)
            if message.address == answer:
                return dict(named(message))
    pytest.fail(f"no {answer}, but {heard}")


@pytest.mark.parametrize(("tempo", "meter"), [("127.953", "4/4"), ("60.23", "7/8"), ("174", "3/4")])
def test_the_sessions_tempo_and_meter_become_a_loop_of_the_exact_length(tmp_path: Path, tempo: str, meter: str) -> None:
    with serving(tmp_path / "loops") as server, Client(port=server.port) as observer:
        observer.send("/loopgen/subscribe", "jobs")
        with act(tmp_path, server, tempo, meter) as said:
            said.wait_for("^SENT")
            assert watch(observer, "/loopgen/progress")["job"]
            done = watch(observer, "/loopgen/done")
    assert str(done["req"]).startswith("ardour-") and done["tempo"] == tempo
    path = Path(str(done["path"]))
    check_loop(path, tempo, 2, tmp_path / "loops", meter)
    request = asked(path)
    assert (request["prompt"], request["key"], request["meter"]) == ("dub techno", "Am", meter)


def test_the_selected_region_is_the_melody(tmp_path: Path) -> None:
    notes = [(1.5, 1, 60, 90), (3, 2.5, 64, 100), (9, 4, 67, 127), (11, 1, 72, 100)]
    text = ", ".join(f"{{{start}, {length}, {pitch}, {velocity}}}" for start, length, pitch, velocity in notes)
    with serving(tmp_path / "loops") as server, Client(port=server.port) as observer:
        observer.send("/loopgen/subscribe", "jobs")
        with act(tmp_path, server, "120", "4/4", text) as said:
            said.wait_for("^SENT")
            done = watch(observer, "/loopgen/done")
    path = Path(str(done["path"]))
    check_loop(path, "120", 2, tmp_path / "loops")
    assert asked(path)["melody"] == [[0, 60, 0.5, 90], [1, 64, 2.5, 100], [7, 67, 1, 127]]
    assert asked(path)["melody_length"] == 8


def test_a_long_melody_goes_in_pieces(tmp_path: Path) -> None:
    text = ", ".join(f"{{{2 + i / 4}, 0.25, {36 + i % 60}, 100}}" for i in range(100))
    with serving(tmp_path / "loops") as server, Client(port=server.port) as observer:
        observer.send("/loopgen/subscribe", "jobs")
        with act(tmp_path, server, "120", "4/4", text, 25) as said:
            said.wait_for("^SENT")
            done = watch(observer, "/loopgen/done")
    melody = asked(Path(str(done["path"])))["melody"]
    assert melody == [[i / 4, 36 + i % 60, 0.25, 100] for i in range(100)]
