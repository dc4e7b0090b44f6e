"""From the words of a user to loops on disk, by a small MusicGen that plays real music: command line and server."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import soundfile

from bridge.client import Client
from bridge.server import Server
from bridge.wire import Message
from loopgen.engines.base import Hardware
from loopgen.music.tempo import Meter, loop_frames, parse_bpm
from loopgen.selection import ATTEMPTS
from tests.cli.programs import loopgen
from tests.engines.musicgen.train_fixture import FOLDER

ENGINE = f"musicgen:{FOLDER}"
HOUSE = "deep house, four on the floor"
PATIENCE = 240.0


def generate(folder: Path, *arguments: object) -> dict[str, Any]:
    """``loopgen generate --json`` with the small model, in a process of its own; with the recipe from the sidecar."""
    words = ("generate", *arguments, "--engine", ENGINE, "--threads", 1, "--precision", "fp32", "--json")
    shown: dict[str, Any] = json.loads(loopgen(*words, folder=folder).stdout)
    sidecar = Path(shown["path"]).with_suffix(".json")
    return shown | {"recipe": json.loads((folder / sidecar).read_text(encoding="utf-8"))}


def frames(bpm: str, bars: int) -> int:
    return loop_frames(parse_bpm(bpm), bars, Meter(), 44_100)


def test_the_command_line_makes_a_loop_and_goes_on_from_it(tmp_path: Path) -> None:
    asked = ("--bpm", "120", "--bars", 2, "--seed", 5, "--takes", 2, "--temperature", 0.2)
    first = generate(tmp_path, HOUSE, *asked, "-o", "first.wav", "--preview", "preview.wav")
    assert first["frames"] == frames("120", 2) == soundfile.info(tmp_path / "first.wav").frames
    assert abs(first["recipe"]["grid"]["tempo"] / 120 - 1) < 1e-3  # the model's own playing, measured
    assert first["recipe"]["engine"]["model"] == FOLDER.name
    assert "CC-BY-NC-4.0" in first["licence"]
    assert first["recipe"]["request"]["sampling"]["temperature"] == 0.2
    take = first["recipe"]["take"]
    assert soundfile.info(tmp_path / "preview.wav").frames == take["frames"]

    following = generate(tmp_path, "--continue", "first.wav", "--temperature", 0.2, "-o", "next.wav", "--seed", 1)
    assert following["frames"] == frames("120", 2)
    opening = following["recipe"]["request"]["opening"]
    assert (opening["how"], opening["loop"], opening["kept"]) == ("continue", "first.wav", 0)
    assert opening["of"] == first["recipe"]["audio"]["sha256"]
    assert following["recipe"]["request"]["prompt"] == HOUSE


def test_it_is_laid_on_another_tempo_exactly(tmp_path: Path) -> None:
    shown = generate(tmp_path, HOUSE, "--bpm", "60.23", "--bars", 1, "--temperature", 0, "-o", "slow.wav")
    assert shown["frames"] == frames("60.23", 1)
    tempo = shown["recipe"]["grid"]["tempo"]
    assert min(abs(tempo * level / 120 - 1) for level in (1, 2)) < 1e-3


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    running = Server(
        port=0,
        output=folder / "out",
        own_presets=folder / "presets",
        engine=ENGINE,
        hardware=Hardware("cpu", "fp32", 1),
        session={"temperature": 0.2},
    )
    with running:
        deadline = time.monotonic() + PATIENCE
        while running.jobs.state not in ("ready", "failed") and time.monotonic() < deadline:
            time.sleep(0.1)
        assert running.jobs.state == "ready", running.jobs.trouble
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(port=server.port, timeout=30.0) as connected:
        yield connected


class TestServer:
    def test_the_licence_is_told_with_the_engine(self, server: Server) -> None:
        assert server.jobs.engine_facts["name"] == f"musicgen:{FOLDER.name}"
        assert "CC-BY-NC-4.0" in server.jobs.engine_facts["licence"]

    def test_a_preview_is_told_before_the_loop_and_gone_after_it(self, client: Client) -> None:
        said = job(client, "prompt", HOUSE, "tempo", "127.9", "bars", 2, "preview", 1, "seed", 3)
        previews = [message for message in said if message.address == "/loopgen/preview"]
        assert previews
        seconds = [float(str(message.arguments[2])) for message in previews]
        begun_anew = sum(later <= sooner for sooner, later in pairwise(seconds))  # a weak take is drawn again
        assert begun_anew < ATTEMPTS
        assert max(seconds) > 4  # two bars at 127.9 BPM last 3.75 s
        assert not Path(str(previews[0].arguments[1])).exists()
        done = said[-1]
        assert done.address == "/loopgen/done"
        assert done.arguments[6] == frames("127.9", 2)

    def test_send_tells_where_the_take_can_be_heard(self, server: Server, tmp_path: Path) -> None:
        words = ("prompt=" + HOUSE, "tempo=120", "bars=2", "preview=1", "seed=3")
        done = loopgen("send", "generate", *words, "--port", server.port, folder=tmp_path)
        assert done.stderr.count("to be heard while it is drawn: ") == 1
        assert "previews" in done.stderr and done.stdout.strip().endswith(".wav")

    def test_the_next_bars_and_a_variation_go_on_from_a_job(self, client: Client) -> None:
        first = job(client, "prompt", HOUSE, "tempo", "120", "bars", 2, "seed", 3)[-1]
        name = Path(str(first.arguments[2])).name
        for how, named in (("continue", name), ("vary", first.arguments[0])):
            done = job(client, how, named, "seed", 4)[-1]
            assert done.address == "/loopgen/done", done
            assert done.arguments[6] == frames("120", 2)
            recipe = json.loads(Path(str(done.arguments[2])).with_suffix(".json").read_text(encoding="utf-8"))
            assert recipe["request"]["opening"]["loop"] == name  # by its file, however it was asked for

    @pytest.mark.parametrize("path", [str(FOLDER), "../weights", "~/weights"])
    def test_no_path_is_taken_from_the_wire(self, client: Client, path: str) -> None:
        said = job(client, "prompt", HOUSE, "engine", f"musicgen:{path}")[-1]
        assert said.address == "/loopgen/error"
        assert said.arguments[1] == "engine_unavailable"
        assert "names no model" in str(said.arguments[2])

    def test_a_loop_that_nobody_knows_cannot_be_gone_on_from(self, client: Client) -> None:
        said = job(client, "prompt", HOUSE, "continue", "nobody.wav")[-1]
        assert (said.address, said.arguments[1]) == ("/loopgen/error", "take_gone")


def job(client: Client, *pairs: Any) -> list[Message]:
    """Ask for loops; everything that is told until the job ends."""
    req = client.req()
    client.send("/loopgen/generate", req, *pairs)
    heard: list[Message] = []
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        message = client.receive(1.0)
        if message is None:
            continue
        heard.append(message)
        if message.address in ("/loopgen/done", "/loopgen/error") and req in message.arguments:
            return heard
    raise AssertionError(f"no end within {PATIENCE} s: {heard}")
