"""Which beat of a loop is one: what the page says of it, and the loop turned from its menu."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Locator, Page, expect

from loopgen import library
from loopgen.library.index import Library
from loopgen.music.tempo import round_half_up
from loopgen.page.server import Server
from tests.bridge.clients_support import wait_until
from tests.library.support import foreign
from tests.loops import doubted_loop, pulse_loop
from tests.page.world import ask, index, post, serve

SLOW = 60_000
"""Milliseconds for what a worker process does, which starts first."""


def titled(page: Page, title: str) -> Locator:
    return page.locator(".card", has=page.locator(".title", has_text=title))


def is_turned(path: Path, of: Path, beats: Fraction | int, count: int = 8) -> bool:
    """Whether a file is another of so many beats, from so many beats later on."""
    before, after = (soundfile.read(file)[0] for file in (of, path))
    there = round_half_up(Fraction(beats) % count * len(before) / count)
    return np.array_equal(after, np.roll(before, -there, axis=0))


def turned_files(folder: Path, since: set[Path]) -> list[Path]:
    return sorted({*folder.glob("*.wav")} - since)


@pytest.fixture
def doubted(tmp_path: Path) -> Path:
    """A folder with a loop whose beat 1 is in doubt, and one whose is not."""
    folder = tmp_path / "loops"
    folder.mkdir()
    library.keep(doubted_loop("two step, late"), folder)
    library.keep(pulse_loop("house, plain", bpm="122", bars=1), folder)
    index(folder)
    return folder


def test_a_doubt_is_said_and_settled_in_the_menu(doubted: Path, open_page: Callable[..., Page]) -> None:
    (first,) = doubted.glob("*two-step*.wav")
    with serve(doubted) as server:
        page = open_page(server)
        card = titled(page, "two step")
        expect(card.locator(".summary")).to_contain_text("which beat is one is uncertain (41% sure)")
        title = "which beat is one is uncertain (41% sure): it may be another\n"
        title += "its beat 1 may be beat 3 (35%): the menu turns it"
        expect(card.locator(".summary")).to_have_attribute("title", title)
        expect(page.get_by_role("gridcell", name="its beat 1 may be beat 3 (35%)")).to_have_count(1)
        card.click(button="right")
        page.get_by_role("menuitem", name="Start on beat 3 (35%)").click()
        expect(card).to_have_count(2, timeout=SLOW)
        (turned,) = (path for path in doubted.glob("*two-step*.wav") if path != first)
        assert is_turned(turned, first, 2)
        certain = card.filter(has_not=page.locator(".summary.weak"))
        expect(certain).to_have_count(1)
        expect(certain.locator(".summary")).to_contain_text("beat 1 certain")
        certain.click(button="right")
        expect(page.get_by_role("menuitem", name="Start a beat later")).to_be_visible()
        expect(page.get_by_role("menuitem", name="Start on beat")).to_have_count(0)


@pytest.mark.parametrize(("name", "beats"), [("Start a beat later", 1), ("Start a beat earlier", -1)])
def test_a_loop_is_turned_by_a_beat_with_keys_alone(
    doubted: Path, open_page: Callable[..., Page], name: str, beats: int
) -> None:
    before = {*doubted.glob("*.wav")}
    (first,) = doubted.glob("*house*.wav")
    with serve(doubted) as server:
        page = open_page(server)
        expect(page.locator(".card .title")).to_have_text(["house, plain", "two step, late"])
        page.keyboard.press("Home")
        expect(page.locator(".card:focus .title")).to_have_text("house, plain")
        page.keyboard.press("m")
        expect(page.get_by_role("menuitem").first).to_be_focused()
        items = page.get_by_role("menuitem").all_inner_texts()
        for _ in range(items.index(name)):
            page.keyboard.press("ArrowDown")
        expect(page.get_by_role("menuitem", name=name)).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator(".menu")).to_have_count(0)
        expect(page.locator(".card:focus")).to_have_attribute("data-index", "0")
        expect(titled(page, "house")).to_have_count(2, timeout=SLOW)
        expect(page.locator("#jobs li")).to_have_count(0)
        (turned,) = turned_files(doubted, before)
        assert is_turned(turned, first, beats, 4)


def test_what_cannot_be_turned_offers_no_turn(doubted: Path, open_page: Callable[..., Page]) -> None:
    foreign(doubted / "rain.wav", seconds=0.3)
    with serve(doubted) as server:
        page = open_page(server)
        titled(page, "rain").click(button="right")
        expect(page.get_by_role("menuitem", name="Into the trash")).to_be_visible()
        expect(page.get_by_role("menuitem", name="Start a beat")).to_have_count(0)
        page.keyboard.press("Escape")
        titled(page, "house").click(position={"x": 60, "y": 130})
        page.keyboard.press("Delete")
        expect(page.locator("#count")).to_have_text("2 loops")
        page.locator("#filters input[name=trashed]").check()
        expect(page.locator(".card .title")).to_have_text(["house, plain"])
        page.locator(".card").click(button="right")
        expect(page.get_by_role("menuitem", name="Put back")).to_be_visible()
        expect(page.get_by_role("menuitem", name="Start a beat")).to_have_count(0)


def test_a_loop_that_vanished_meanwhile_is_told(doubted: Path, open_page: Callable[..., Page]) -> None:
    with serve(doubted) as server:
        page = open_page(server)
        card = titled(page, "house")
        card.click(button="right")
        (path,) = doubted.glob("*house*.wav")
        path.write_bytes(b"no sound any more")
        page.get_by_role("menuitem", name="Start a beat later").click()
        expect(page.locator("#jobs li.bad .stage, .toast.bad").first).to_contain_text(path.name, timeout=SLOW)


def test_loops_that_lie_elsewhere_are_turned_into_the_folder(doubted: Path, tmp_path: Path) -> None:
    away = tmp_path / "elsewhere"
    away.mkdir()
    path = library.keep(pulse_loop("far away", bpm="100", bars=1), away).path
    with Library(doubted) as opened:
        opened.add_places([away])
    loop = index(doubted)["far away"]
    before = {*doubted.glob("*.wav")}
    with serve(doubted) as server:
        assert post(server, f"/api/loops/{loop}/rotate", {"beats": "1/2"})[0] == 200
        assert ended(server)["state"] == "done"
    (turned,) = turned_files(doubted, before)
    assert is_turned(turned, path, Fraction(1, 2), 4)
    assert {*away.iterdir()} == {path, path.with_suffix(".json")}


@pytest.mark.parametrize("beats", ["0", "1/3", "x", "", " ", "1e9", "9" * 100, 1, 1.5, True, [], {}, "nan", "<b>"])
def test_beats_that_are_none_start_no_worker(doubted: Path, beats: Any) -> None:
    with serve(doubted) as server:
        loop = index(doubted)["house, plain"]
        status, answer = post(server, f"/api/loops/{loop}/rotate", {"beats": beats})
        assert (status, answer["error"]["code"], answer["error"]["field"]) == (400, "invalid_request", "beats")
        assert server.workshop.worker_pid is None
        status, answer = post(server, "/api/loops/" + "f" * 32 + "/rotate", {"beats": "1"})
        assert (status, answer["error"]["code"]) == (400, "invalid_request")


def test_without_beats_the_runner_up_is_taken_or_its_absence_said(doubted: Path) -> None:
    ids = index(doubted)
    (first,) = doubted.glob("*two-step*.wav")
    before = {*doubted.glob("*.wav")}
    with serve(doubted) as server:
        post(server, f"/api/loops/{ids['two step, late']}/rotate", {})
        job = ended(server)
        assert (job["state"], job["title"]) == ("done", f"{first.name}, begun on its second likeliest beat 1")
        (turned,) = turned_files(doubted, before)
        assert is_turned(turned, first, 2)
        post(server, f"/api/loops/{ids['house, plain']}/rotate", {})
        job = ended(server)
        assert (job["state"], job["code"]) == ("error", "invalid_request")
        assert "names no second likeliest" in job["message"]


@pytest.mark.parametrize(
    "rival",
    [
        {"beats": "x", "confidence": 0.3}, {"beats": "1", "confidence": "often"}, {"beats": "-1", "confidence": 0.3},
        {"beats": 10**400, "confidence": 0.3}, {"beats": "1", "confidence": float("nan")}, {"beats": "1"}, [], 7,
        {"beats": "1", "confidence": 1e9}, {"beats": "<b>", "confidence": 0.3}, {"beats": "1", "confidence": 0.01},
    ],
)  # fmt: skip
def test_a_recipe_of_anybodys_names_no_runner_up_that_is_none(doubted: Path, rival: Any) -> None:
    (path,) = doubted.glob("*two-step*.json")
    recipe = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**recipe, "grid": {**recipe["grid"], "rival": rival}}), encoding="utf-8")
    index(doubted)
    with serve(doubted) as server:
        loop = next(one for one in ask(server, "/api/loops")["loops"] if one["title"] == "two step, late")
        assert loop["rival"] is None


def test_half_a_beat_is_said_in_words(doubted: Path) -> None:
    library.keep(doubted_loop("off, the beat", beats="1/2", seed=3), doubted)
    index(doubted)
    with serve(doubted) as server:
        loop = next(one for one in ask(server, "/api/loops")["loops"] if one["title"] == "off, the beat")
        assert loop["rival"] == {"beats": "1/2", "place": "half a beat later", "percent": 35}


def ended(server: Server) -> dict[str, Any]:
    """The newest job, once it has ended."""
    wait_until(lambda: server.workshop.jobs()[0]["ended"], "the job has ended", 60)
    return server.workshop.jobs()[0]
