"""Making loops from the page, and what it does when its server, its folder or its loops are not there; many loops."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from loopgen import library, studio
from loopgen.engines import base
from loopgen.errors import OutputUnwritable
from loopgen.library.index import Library
from loopgen.music.request import LoopRequest
from loopgen.page.server import Server
from loopgen.worker.messages import Generate
from tests.bridge.clients_support import check_loop, wait_until
from tests.library.support import clicks
from tests.page.crowd import crowd
from tests.page.world import index, serve

SLOW = 60_000
"""Milliseconds for what a worker process does, which starts first."""


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("many")
    crowd(folder, 10_000)
    with serve(folder) as server:
        yield server


def empty(tmp_path: Path) -> Path:
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


def test_a_prompt_becomes_a_card(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    folder = empty(tmp_path)
    with serve(folder) as server:
        assert server.workshop.worker_pid is None  # looking loads no engine
        page = open_page(server)
        expect(page.locator("#nothing")).to_contain_text("No loops yet")
        form = page.locator("#composer")
        form.locator("#prompt").fill("dub techno, rolling bass")
        form.locator("[name=bpm]").fill("127.9")
        form.locator("[name=bars]").fill("1")
        form.locator("[name=key]").fill("Em")
        form.locator("[name=variations]").fill("2")
        form.locator("#prompt").press("Enter")
        expect(page.locator("#jobs li .stage")).to_be_visible()
        expect(page.locator(".card .title")).to_have_text(["dub techno, rolling bass"] * 2, timeout=SLOW)
        expect(page.locator("#jobs li")).to_have_count(0)
        expect(page.locator(".toast").first).to_contain_text("LUFS")
        for path in folder.glob("*.wav"):
            check_loop(path, "127.9", 1, folder)
            assert json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["key"] == "Em"


def test_a_preset_stands_where_nothing_is_given(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    with serve(empty(tmp_path)) as server:
        page = open_page(server)
        page.locator("#composer [name=preset]").select_option("dub-techno")
        expect(page.locator("#prompt")).not_to_have_attribute(
            "placeholder", "Describe a loop: dub techno, rolling bass, rainy"
        )
        page.locator("#composer [name=bars]").fill("1")
        page.locator("#composer .main").click()
        expect(page.locator(".card")).to_have_count(1, timeout=SLOW)


REFUSED = {
    "bpm": ("5", "20 to 999"),
    "bars": ("x", "whole number"),
    "key": ("H", "a key like"),
    "chords": ("Q7", "chord"),
    "seed": ("-1", "seed"),
}


@pytest.mark.parametrize("field", REFUSED)
def test_what_cannot_be_made_is_said_at_its_field(page: Page, server: Server, field: str) -> None:
    value, says = REFUSED[field]
    page.locator("#prompt").fill("house")
    page.locator(f"#composer [name={field}]").fill(value)
    page.locator("#composer .main").click()
    expect(page.locator("#refused")).to_contain_text(says)
    expect(page.locator(f"#composer [name={field}]")).to_have_attribute("aria-invalid", "true")
    assert server.workshop.worker_pid is None
    page.locator(f"#composer [name={field}]").fill("")
    expect(page.locator("#refused")).to_be_hidden()


def test_without_a_prompt_it_says_what_to_give(page: Page) -> None:
    page.locator("#composer .main").click()
    expect(page.locator("#refused")).to_contain_text("a prompt like")


def test_a_loop_is_kept_on_the_chosen_tempo(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    folder = empty(tmp_path)
    (loop,) = studio.generate(LoopRequest("dub techno", "120", 1, seed=1), engine=base.load("sketch"))
    first = library.keep(loop, folder).path
    with serve(folder) as server:
        page = open_page(server)
        card = page.locator(".card .title")
        expect(card).to_have_count(1)
        page.locator("#tempo").fill("126.5")
        page.locator("#tempo").press("Enter")
        page.locator(".card").click(button="right")
        page.get_by_role("menuitem", name="Keep it at 126.5 BPM").click()
        expect(card).to_have_count(2, timeout=SLOW)
        (other,) = {*folder.glob("*.wav")} - {first}
        check_loop(other, "126.5", 1, folder)


def test_generate_waits_until_somebody_listens(server: Server, open_page: Callable[..., Page]) -> None:
    page = open_page(server)
    page.locator(".card").first.wait_for()
    page.route("**/composer.js", lambda route: route.abort())
    page.goto(f"http://127.0.0.1:{server.port}/", wait_until="domcontentloaded")
    expect(page.locator("#composer .main")).to_be_disabled()
    page.unroute("**/composer.js")
    page.reload()
    expect(page.locator("#composer .main")).to_be_enabled()


def test_a_job_is_cancelled(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    folder = empty(tmp_path)
    with serve(folder) as server:
        page = open_page(server)
        page.locator("#prompt").fill("ambient")
        page.locator("#composer [name=bars]").fill("64")
        page.locator("#composer [name=variations]").fill("16")
        page.locator("#composer .main").click()
        page.locator("#jobs li button").click()
        expect(page.locator("#jobs li")).to_have_count(0)
        (job,) = server.workshop.jobs()
        assert job["state"] == "cancelled"


def test_a_job_that_fails_says_why_until_it_is_closed(
    tmp_path: Path, open_page: Callable[..., Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = empty(tmp_path)
    with serve(folder) as server:
        page = open_page(server)
        jobs = server.workshop._open()  # an order that passed the page, and that no worker can do
        server.workshop._show(jobs.submit(Generate({"prompt": "house", "engine": "nowhere"})))
        expect(page.locator("#jobs li.bad .stage")).to_contain_text("nowhere", timeout=SLOW)
        page.locator("#jobs li button").click()
        expect(page.locator("#jobs li")).to_have_count(0)


def test_the_worker_leaves_when_nothing_is_asked(tmp_path: Path) -> None:
    from loopgen.page.workshop import Bench, Workshop

    told: list[str] = []
    workshop = Workshop(Bench(empty(tmp_path)), lambda job: told.append(job["state"]), lambda: None, idle=0.2)
    try:
        workshop.submit({"prompt": "house", "bpm": "120", "bars": "1", "seed": "1"})
        wait_until(lambda: "done" in told, "the loop is made")
        wait_until(lambda: workshop.worker_pid is None, "the worker has left")
        workshop.submit({"prompt": "house", "bpm": "120", "bars": "1", "seed": "2"})
        wait_until(lambda: told.count("done") == 2, "another is made by a new one")
        assert [job["state"] for job in workshop.jobs()] == ["done", "done"]
    finally:
        workshop.close()


def test_a_folder_that_vanishes_is_said_and_comes_back(page: Page, loops: Path) -> None:
    away = loops.with_name("unplugged")
    loops.rename(away)
    expect(page.locator("#banner")).to_contain_text("is not there", timeout=20_000)
    away.rename(loops)
    expect(page.locator("#banner")).to_be_hidden(timeout=20_000)
    expect(page.locator("#count")).to_have_text("4 loops")


def test_a_server_that_stops_is_said_and_the_page_comes_back_by_itself(
    loops: Path, tmp_path: Path, open_page: Callable[..., Page]
) -> None:
    state = tmp_path / "state"
    with serve(loops, state=state) as first:
        page = open_page(first)
        expect(page.locator(".card")).to_have_count(4)
        port = first.port
    expect(page.locator("#banner")).to_contain_text("The server has stopped")
    (path,) = loops.glob("*jungle*.wav")
    path.unlink()
    with serve(loops, state=state, port=port):
        expect(page.locator("#banner")).to_be_hidden(timeout=20_000)
        expect(page.locator("#count")).to_have_text("3 loops", timeout=20_000)


def test_ten_thousand_loops_are_a_few_cards_at_a_time(many: Server, open_page: Callable[..., Page]) -> None:
    page = open_page(many)
    expect(page.locator("#count")).to_have_text("10,000 loops")
    cards = page.locator(".card")
    assert 4 <= cards.count() < 60
    first = page.locator(".card .title").first.inner_text()
    page.locator("#shelf").evaluate("(shelf) => shelf.scrollTo(0, shelf.scrollHeight)")
    last = page.locator(".card[data-index='9999'] .title")
    expect(last).not_to_be_empty()
    assert cards.count() < 60
    page.locator(".card[data-index='9999']").click(position={"x": 40, "y": 140})
    page.keyboard.press("Home")
    expect(page.locator(".card:focus .title")).to_have_text(first)
    page.keyboard.press("End")
    expect(page.locator(".card:focus")).to_have_attribute("data-index", "9999")
    page.locator("#filters [name=words]").fill("jungle 77")
    expect(page.locator("#count")).not_to_have_text("10,000 loops")
    titles = page.locator(".card .title").all_inner_texts()
    assert titles
    assert all("jungle" in title and "77" in title for title in titles)


def test_it_opens_from_a_link_of_another_program(server: Server, browser: Browser) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto("data:text/html,<a href='" + server.invitation() + "'>the page</a>")
        page.get_by_text("the page").click()
        expect(page.locator(".card")).to_have_count(4)
        assert "token" not in page.url
        page.reload()
        expect(page.locator(".card")).to_have_count(4)
        page.go_back()  # over the address with the token, which left no step behind
        expect(page.get_by_text("the page")).to_be_visible()


def test_it_is_usable_on_a_narrow_window(server: Server, browser: Browser, open_page: Callable[..., Page]) -> None:
    page = open_page(server, viewport={"width": 420, "height": 760})
    page.locator(".card .title", has_text="boom bap").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(page.locator("#grid")).to_have_attribute("aria-colcount", "1")


@pytest.mark.parametrize("width", [320, 360])
def test_nothing_is_cut_off_on_a_telephone(server: Server, open_page: Callable[..., Page], width: int) -> None:
    page = open_page(server, viewport={"width": width, "height": 740})
    page.locator(".card .title", has_text="boom bap").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for name in ("Generate", "Keys and help"):
        box = page.get_by_role("button", name=name).bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= width


def test_a_dropped_file_gets_its_tempo_and_what_cannot_be_used_is_said(page: Page, loops: Path) -> None:
    clicks(loops / "found.wav", bpm=93, beats=16)
    (loops / "broken.wav").write_bytes(b"no sound")
    (loops / "torn.json").write_text("{")
    card = page.locator(".card", has=page.locator(".title", has_text="found"))
    expect(card.locator(".facts")).to_contain_text("93 BPM", timeout=30_000)
    expect(card.locator(".facts")).to_contain_text("4 bars")
    expect(card.locator(".facts")).not_to_contain_text("null")
    page.get_by_role("button", name="1 note").click()
    expect(page.get_by_role("dialog")).to_contain_text("broken.wav")
    page.get_by_role("button", name="Close").click()
    next(loops.glob("*boom-bap*.json")).write_text("{ torn")
    expect(page.locator("#notes")).to_have_text("2 notes", timeout=20_000)


def test_a_folder_of_which_the_mount_point_is_left_is_said(page: Page, loops: Path) -> None:
    away = loops.with_name("unplugged")
    loops.rename(away)
    loops.mkdir()
    expect(page.locator("#banner")).to_contain_text("Is its drive away?", timeout=20_000)
    assert list(loops.iterdir()) == []
    loops.rmdir()
    away.rename(loops)
    expect(page.locator("#banner")).to_be_hidden(timeout=20_000)
    expect(page.locator("#count")).to_have_text("4 loops")


def test_why_a_folder_cannot_be_looked_at_is_said(
    page: Page, server: Server, loops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OutputUnwritable("the index cannot be used now (database or disk is full)")

    monkeypatch.setattr(Library, "refresh", full)
    expect(page.locator("#banner")).to_contain_text("disk is full", timeout=20_000)
    expect(page.locator(".card")).to_have_count(4)
    monkeypatch.undo()
    expect(page.locator("#banner")).to_be_hidden(timeout=20_000)


def test_an_index_that_is_thrown_away_is_made_anew(page: Page, server: Server, loops: Path) -> None:
    shutil.rmtree(loops / ".loopgen")
    expect(page.locator("#count")).to_have_text("4 loops", timeout=20_000)
    one = index(loops)["boom bap"]
    with Library(loops) as library:
        library.mark(one, add=["rain"])
    expect(page.locator(".tag", has_text="rain")).to_be_visible(timeout=20_000)
