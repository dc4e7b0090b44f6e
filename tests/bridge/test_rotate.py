"""Turning a loop by OSC: over UDP, against a real server with the embedded engine."""

from __future__ import annotations

import json
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from bridge.client import Client, Done
from bridge.protocol import Misused, understand
from bridge.server import Server
from bridge.wire import Message, Value
from loopgen import library
from loopgen.errors import Cancelled, InvalidRequest, Refused
from loopgen.music.tempo import round_half_up
from tests.bridge.raw import Raw, only
from tests.loops import doubted_loop, pulse_loop


def sound(path: str | Path) -> NDArray[np.float64]:
    samples, _ = soundfile.read(path, always_2d=True)
    return np.asarray(samples)


def turned_by(path: str, beats: Fraction, of: int) -> NDArray[np.float64]:
    """The samples of a file of so many beats, from another beat on."""
    samples = sound(path)
    return np.roll(samples, -round_half_up(beats * len(samples) / of), axis=0)


def refused(loops: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        list(loops)
    return caught.value


@pytest.fixture(scope="module")
def made(server: Server) -> Done:
    """A loop of two bars."""
    with Client(port=server.port, timeout=30.0) as client:
        return only(client.generate({"prompt": "techno", "tempo": "127.9", "bars": 2, "seed": 5}))


def test_a_loop_begins_on_another_beat(client: Client, made: Done) -> None:
    stages: list[str] = []
    for name, given, beats in (
        (made.job, 1, Fraction(1)),
        (f"{made.job}/1", "-1", Fraction(7)),
        (Path(made.path).name, 0.5, Fraction(1, 2)),
        (made.path, "11/4", Fraction(11, 4)),
    ):
        other = only(client.rotate(name, given, progress=lambda _, stage: stages.append(stage)))
        assert other.path != made.path and Path(other.path).parent == Path(made.path).parent
        assert np.array_equal(sound(other.path), turned_by(made.path, beats, 8))
        assert (other.tempo, other.bars, other.frames) == (made.tempo, made.bars, made.frames)
        assert (other.seed, other.engine, other.licence) == (made.seed, made.engine, made.licence)
        assert (other.variation, other.variations) == (1, 1)
        recipe = json.loads(Path(other.path).with_suffix(".json").read_text("utf-8"))
        assert recipe["rotated"]["beats"] == str(beats)
    assert stages


def test_back_again_is_the_loop_itself(client: Client, made: Done) -> None:
    there = only(client.rotate(made.job, 3))
    back = only(client.rotate(there.job, "-3"))
    assert np.array_equal(sound(back.path), sound(made.path))


def test_without_beats_it_is_the_runner_up_that_the_summary_named(server: Server, client: Client) -> None:
    """A loop whose beat 1 was found by analysis, and doubted."""
    kept = library.keep(doubted_loop(), server.output, take=False).path
    with Client(port=server.port, timeout=30.0) as other:
        turned = only(other.rotate(kept.name))
    assert np.array_equal(sound(turned.path), turned_by(str(kept), Fraction(2), 8))
    assert "uncertain" not in turned.summary, "whoever turned it has decided"
    assert "no second likeliest" in str(refused(client.rotate(turned.job))), "which is so no longer"
    assert refused(client.rotate(turned.job)).wire_code == "invalid_request"


def test_a_turned_loop_is_laid_on_another_tempo_as_it_was_turned(client: Client) -> None:
    first = only(client.generate({"prompt": "house", "tempo": "120", "bars": 1, "seed": 4}))
    other = only(client.generate({"prompt": "house", "tempo": "120", "bars": 1, "seed": 9}))
    turned = only(client.rotate(Path(first.path).name, 2))
    alone = only(client.retempo(turned.job, "124"))
    plain = only(client.retempo(other.job, "124"))
    assert json.loads(Path(alone.path).with_suffix(".json").read_text("utf-8"))["rotated"]["beats"] == "2"
    everything = list(client.retempo("all", "124"))
    assert [loop.path for loop in everything] == [alone.path, plain.path], "the turned one, where the first was"


def test_the_same_req_turns_once(client: Client, raw: Raw, made: Done) -> None:
    first = raw.ask("/loopgen/rotate", "again", made.job, 1.0)
    done = raw.until("/loopgen/done")
    second = raw.ask("/loopgen/rotate", "again", made.job, 1.0)
    while second.address != "/loopgen/accepted":
        second = raw.read()
    assert second.arguments[:2] == first.arguments[:2] == ("again", done.arguments[0])
    raw.send("/loopgen/ack", done.arguments[0])
    raw.until("/loopgen/ok")
    other = raw.ask("/loopgen/rotate", "again", made.job, 2.0)
    while other.address != "/loopgen/accepted":
        other = raw.read()
    assert other.arguments[1] != first.arguments[1], "other beats are another order"
    raw.until("/loopgen/done")


def test_empty_beats_are_left_out_and_the_session_says_the_folder(server: Server, client: Client) -> None:
    kept = library.keep(doubted_loop(), server.output, take=False).path
    client.ask("/loopgen/set/folder", "turned")
    try:
        turned = only(client.rotate(kept.name, ""))
    finally:
        client.ask("/loopgen/set/folder", "")
    assert Path(turned.path).parent == server.output / "turned"


def test_a_float_file_stays_one(server: Server, client: Client) -> None:
    kept = library.keep(pulse_loop("loud and exact", bpm="120", bars=1), server.output, file_format="float").path
    turned = only(client.rotate(kept.name, 1))
    assert soundfile.info(turned.path).subtype == "FLOAT"
    assert np.array_equal(sound(turned.path), turned_by(str(kept), Fraction(1), 4))


@pytest.mark.parametrize("beats", ["", "1", 1, 2.0, -3.25, "0.25", "-7/4", "4,5", "+2"])
def test_beats_that_are_understood(beats: Value) -> None:
    read = understand(Message("/loopgen/rotate", ("r", "a.wav", beats))).values["beats"]
    assert read == ("" if beats == "" else Fraction(str(beats).replace(",", ".")))


@pytest.mark.parametrize(
    "beats",
    [
        0, 0.0, -0.0, "0", 0.1, 1 / 3, "1/3", "1/0", "0/0", "x", " ", "1e400", "1e9999999999", "nan", "inf", "9" * 5000,
        "1/" + "9" * 4000, 1e30, -1e30, 2**63 - 1, -(2**63), True, False, None, "--1", "1 2", "1/2/3", "٣", "0x10",
        "1_0", "1\n2", "2**16",
    ],
)  # fmt: skip
def test_beats_that_are_none_are_refused_by_name(beats: Value) -> None:
    with pytest.raises(InvalidRequest, match=r"^beats: .*quarters of a beat"):
        understand(Message("/loopgen/rotate", ("r", "a.wav", beats)))


def test_what_is_no_order_at_all() -> None:
    assert understand(Message("/loopgen/rotate", ("a.wav",))).values == {"req": "", "loop": "a.wav", "beats": ""}
    for arguments in ((), ("r", "a.wav", 1, 2)):
        with pytest.raises(Misused, match="takes s req, s loop"):
            understand(Message("/loopgen/rotate", arguments))


@pytest.mark.parametrize(
    "loop",
    [
        "no such loop", "nowhere.wav", "all", "", "/etc/passwd", "../outside.wav", "..", ".", "C:\\x.wav", "link.wav",
        "00000000/1", "~/x.wav", "a" * 250 + ".wav", "*.wav", "${HOME}.wav", "folder.wav",
    ],
)  # fmt: skip
def test_what_is_no_loop_below_the_output_folder(server: Server, client: Client, tmp_path: Path, loop: str) -> None:
    outside = library.keep(pulse_loop("out", bpm="120", bars=1), server.output.parent / "outside.wav").path
    (server.output / "folder.wav").mkdir(exist_ok=True)
    if sys.platform != "win32" and not (server.output / "link.wav").exists():
        (server.output / "link.wav").symlink_to(outside)
    before = sorted(server.output.rglob("*"))
    error = refused(client.rotate(loop, 1))
    assert error.wire_code == "audio_unreadable" and "output folder" in str(error)
    assert sorted(server.output.rglob("*")) == before


def test_files_that_are_no_loops_say_so(server: Server, client: Client, made: Done) -> None:
    (server.output / "noise.wav").write_bytes(b"RIFF\0\0\0\0WAVE" + bytes(range(200)))
    assert refused(client.rotate("noise.wav", 1)).wire_code == "audio_unreadable"
    soundfile.write(server.output / "odd_120bpm.wav", np.zeros(50_000) + 0.1, 44_100)
    assert refused(client.rotate("odd_120bpm.wav", 1)).wire_code == "invalid_request"
    whole = refused(client.rotate(made.job, 8))
    assert whole.wire_code == "invalid_request" and "8 beats" in str(whole)
    torn = library.keep(pulse_loop("torn", bpm="121", bars=1), server.output).path
    recipe = json.loads(torn.with_suffix(".json").read_text("utf-8"))
    rivals: list[Any] = [{"beats": "1/0"}, {"beats": []}, {}, {"beats": "x", "confidence": "y"}, {"beats": None}, "2"]
    for rival in rivals:
        torn.with_suffix(".json").write_text(json.dumps({**recipe, "grid": {"rival": rival}}), "utf-8")
        assert refused(client.rotate(torn.name)).wire_code == "invalid_request", rival
    turns: list[Any] = [{}, {"beats": "x"}, [], {"beats": -1}, {"beats": "1/0"}, 3]
    for rotated in turns:
        torn.with_suffix(".json").write_text(json.dumps({**recipe, "rotated": rotated}), "utf-8")
        assert refused(client.rotate(torn.name, 1)).wire_code == "recipe_unusable", rotated
    assert only(client.rotate(made.job, 1)).frames == made.frames


def test_an_order_that_waits_is_cancelled(client: Client, raw: Raw, made: Done) -> None:
    running = raw.ask("/loopgen/generate", "long", "prompt", "ambient", "bars", 64, "variations", 16)
    with pytest.raises(Cancelled):
        list(client.rotate(made.job, 1, accepted=lambda job, _: client.cancel(job)))
    raw.send("/loopgen/cancel", running.arguments[1])
    raw.until("/loopgen/cancelled")
