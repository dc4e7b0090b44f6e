"""What comes out of the browser's audio graph, to the last sample, and what a drag carries."""

from __future__ import annotations

import base64
import math
import random
import urllib.request
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Page, expect

from loopgen.music.tempo import Meter, loop_frames
from loopgen.page.server import Server
from tests.page.world import ask

RENDER = """async ({names, seconds, tempo, rate}) => {
  const { Player } = await import("/player.js");
  const { getSound } = await import("/api.js");
  const loops = (await (await fetch("/api/loops")).json()).loops;
  const context = new OfflineAudioContext(2, Math.round(seconds * rate), rate);
  Object.defineProperty(context, "state", { value: "running" });
  const player = new Player(getSound, () => context);
  let refused = null;
  player.addEventListener("refused", (event) => (refused = event.detail.error.message));
  player.volume = 1;
  player.sync = tempo !== null;
  player.tempo = tempo;
  const chosen = names.map((name) => loops.find((loop) => loop.title.startsWith(name)));
  await Promise.all(chosen.map((loop) => player.play(loop))); // as fast as somebody can press
  const voices = [...player.voices.values()].map(({ start, frames, turns }) => ({ start, frames, turns }));
  const sound = await context.startRendering();
  const bytes = new Uint8Array(sound.getChannelData(0).buffer);
  let text = "";
  for (let place = 0; place < bytes.length; place += 32768)
    text += String.fromCharCode(...bytes.subarray(place, place + 32768));
  return { refused, voices, sound: btoa(text) };
}"""
"""The page's own player, into an OfflineAudioContext: the first channel of what it plays."""


def render(page: Page, *names: str, seconds: float, tempo: str | None = None, rate: int = 44_100) -> tuple[Any, Any]:
    said = page.evaluate(RENDER, {"names": names, "seconds": seconds, "tempo": tempo, "rate": rate})
    assert said["refused"] is None
    return said["voices"], np.frombuffer(base64.b64decode(said["sound"]), "<f4")


def on_disk(server: Server, title: str) -> np.ndarray:
    (path,) = [loop["path"] for loop in ask(server, "/api/loops")["loops"] if loop["title"].startswith(title)]
    return np.asarray(soundfile.read(path, dtype="float32")[0][:, 0])


def test_a_loop_turns_around_its_own_samples_without_a_seam(page: Page, server: Server) -> None:
    loop = on_disk(server, "jungle")
    ((voice,), heard) = render(page, "jungle", seconds=4.5 * len(loop) / 44_100)
    assert voice["frames"] == len(loop)
    after = heard[voice["start"] :]
    assert len(after) > 4 * len(loop)
    assert np.array_equal(after, np.tile(loop, 6)[: len(after)])
    assert not heard[: voice["start"]].any()


def test_alone_each_plays_at_its_own_tempo(page: Page, server: Server) -> None:
    for title in ("boom bap", "dub techno"):
        loop = on_disk(server, title)
        ((voice,), heard) = render(page, title, seconds=1.5 * len(loop) / 44_100)
        assert np.array_equal(heard[voice["start"] :][: len(loop)], loop)


def test_in_sync_all_keep_to_one_grid_and_come_around_together(page: Page) -> None:
    tempo = "131.5"  # nobody's own: two bars and one bar, laid on it
    bar = loop_frames(Fraction(tempo), 1, Meter(), 44_100)
    voices, heard = render(page, "dub techno", "jungle", seconds=5.5 * 2 * bar / 44_100, tempo=tempo)
    first, second = voices
    assert first["frames"] == loop_frames(Fraction(tempo), 2, Meter(), 44_100)
    assert (second["frames"], second["turns"]) == (first["frames"], 2)
    assert (second["start"] - first["start"]) % (first["frames"] / 2) in (0, 0.5)
    both = heard[max(first["start"], second["start"]) :]
    period = first["frames"]
    assert np.array_equal(both[: 3 * period], both[period : 4 * period])
    assert np.abs(both).max() > 0.1


def test_loops_asked_for_at_once_share_one_clock(page: Page) -> None:
    voices, _ = render(page, "jungle", "deep house", "boom bap", seconds=1, tempo="131.5")
    bar = voices[0]["frames"]  # one bar sets the clock: all others are whole numbers of it
    assert bar == loop_frames(Fraction("131.5"), 1, Meter(), 44_100)
    assert [voice["frames"] for voice in voices] == [bar, 4 * bar, 2 * bar]
    assert 4 * bar != loop_frames(Fraction("131.5"), 4, Meter(), 44_100)  # what it would have by itself, and drift


def test_lengths_that_are_no_multiples_still_never_drift(page: Page) -> None:
    """What the player computes, for many meters and lengths: both are at their beginnings together, to the frame."""
    chance = random.Random(5)
    cases: list[tuple[dict[str, int], int]] = []
    for _ in range(300):
        lengths = [chance.randint(1, 16) * chance.choice((8, 12, 14, 16, 20)) for _ in range(2)]
        cases.append(({"units": lengths[0], "frames": chance.randint(20_000, 900_000), "bars": 4}, lengths[1]))
    found = page.evaluate(
        """async (cases) => { const { turnsBeside } = await import("/player.js");
           return cases.map(([clock, units]) => turnsBeside(clock, units, 44100)); }""",
        cases,
    )
    exact = 0
    for (clock, units), answer in zip(cases, found, strict=True):
        common = math.lcm(clock["units"], units)
        whole = Fraction(clock["frames"]) * common / clock["units"]
        if whole <= 600 * 44_100:
            exact += 1
            assert (answer["turns"], answer["frames"]) == (common // units, whole)
        else:
            assert answer["turns"] == 1
            assert abs(answer["frames"] - Fraction(clock["frames"]) * units / clock["units"]) <= Fraction(1, 2)
    assert exact > 200


def test_what_joins_begins_on_a_bar_line(page: Page) -> None:
    found = page.evaluate(
        """async () => { const { nextBar } = await import("/player.js");
           const clock = { start: 1000, frames: 352801, bars: 4, units: 64 };
           return [0, 1000, 1001, 89200, 89201, 353801, 353802].map((now) => nextBar(clock, now)); }"""
    )
    assert found == [1000, 1000, 89_200, 89_200, 177_401, 353_801, 442_001]


def test_a_press_of_play_sounds_and_another_ends_it(page: Page) -> None:
    card = page.locator(".card", has_text="boom bap")
    card.locator(".play").click()
    expect(card).to_have_attribute("data-state", "playing")
    loudest = page.evaluate(
        """async () => {
          const { player } = await import("/main.js");
          const analyser = player.context.createAnalyser();
          player.master.connect(analyser);
          const samples = new Float32Array(analyser.fftSize);
          let loudest = 0;
          for (const end = performance.now() + 20000; loudest < 0.01 && performance.now() < end;) {
            await new Promise((next) => setTimeout(next, 20));
            analyser.getFloatTimeDomainData(samples);
            loudest = Math.max(loudest, ...samples.map(Math.abs));
          }
          return loudest;
        }"""
    )
    assert loudest > 0.01
    expect(page.locator("#playing li")).to_have_count(1)
    card.locator(".play").click()
    expect(card).to_have_attribute("data-state", "silent")
    expect(page.locator("#playing li")).to_have_count(0)


def test_alone_one_ends_the_other_and_in_sync_they_join(page: Page) -> None:
    chips = page.locator("#playing li.playing")
    page.locator(".card", has_text="boom bap").locator(".play").click()
    page.locator(".card", has_text="dub techno").locator(".play").click()
    expect(chips).to_have_text(["dub techno, rainy"])
    page.locator("#sync").check()
    expect(page.locator("#tempo")).to_have_value("127.9")
    page.locator(".card", has_text="jungle").locator(".play").click()
    expect(chips).to_have_count(2)
    page.locator("#tempo").fill("120")
    page.locator("#tempo").press("Enter")
    page.wait_for_function(
        """async () => { const { player } = await import("/main.js");
           return player.clock?.frames === 176400 && [...player.voices.values()].every((v) => v.frames === 176400); }"""
    )
    page.locator("#stop").click()
    expect(page.locator("#playing li")).to_have_count(0)


def test_a_tempo_that_is_none_is_said(page: Page) -> None:
    page.locator("#tempo").fill("5")
    page.locator("#tempo").press("Enter")
    expect(page.locator(".toast.bad")).to_contain_text("20 to 999")
    expect(page.locator("#tempo")).to_have_attribute("aria-invalid", "true")


def test_a_loop_of_another_rate_is_played_at_its_own(page: Page, loops: Path) -> None:
    ((voice,), heard) = render(page, "jungle", seconds=4, rate=48_000)  # a browser that does not play 44,100 Hz
    assert voice["frames"] == loop_frames(Fraction(165), 1, Meter(), 48_000)
    around = heard[voice["start"] :]
    assert np.array_equal(around[: voice["frames"]], around[voice["frames"] : 2 * voice["frames"]])


def test_a_drag_carries_the_file(page: Page) -> None:
    page.evaluate(
        """() => {
          const read = (transfer, kinds) => Object.fromEntries(kinds.map((kind) => [kind, transfer.getData(kind)]));
          const plain = ["text/uri-list", "text/plain"];
          document.addEventListener("dragstart", (event) => {
            window.dragged = read(event.dataTransfer, ["DownloadURL", ...plain]);
          });
          const zone = document.querySelector("footer");
          zone.addEventListener("dragover", (event) => event.preventDefault());
          zone.addEventListener("drop", (event) => {
            event.preventDefault();
            window.dropped = read(event.dataTransfer, plain);
          });
        }"""
    )
    page.locator(".card", has_text="jungle").drag_to(page.locator("footer"), source_position={"x": 120, "y": 120})
    dragged, dropped = page.evaluate("[window.dragged, window.dropped]")
    media, name, address = dragged["DownloadURL"].split(":", 2)
    path = Path(dragged["text/plain"])
    assert (media, name) == ("audio/wav", path.name)
    assert dropped == {"text/plain": str(path), "text/uri-list": ""}  # a drag by the mouse, from card to target
    with urllib.request.urlopen(address) as answer:  # as a browser fetches it as it is dropped: without the cookie
        assert answer.read() == path.read_bytes()


def test_browsers_that_let_addresses_of_files_out_give_them(page: Page) -> None:
    address, path = page.evaluate(
        """async () => {
          const { fillDrag } = await import("/card.js");
          const { grid } = await import("/main.js");
          const transfer = new DataTransfer();
          fillDrag(transfer, grid.loop(0), false);
          return [transfer.getData("text/uri-list"), transfer.getData("text/plain")];
        }"""
    )
    assert address == Path(path).as_uri()


@pytest.mark.parametrize("key", [" ", "Enter"])
def test_keys_play(page: Page, key: str) -> None:
    page.keyboard.press("ArrowRight")
    page.keyboard.press(key)
    expect(page.locator(".card:focus")).to_have_attribute("data-state", "playing")
    page.keyboard.press("Escape")
    expect(page.locator("[data-state=playing]")).to_have_count(0)
