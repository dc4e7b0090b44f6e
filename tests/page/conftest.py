"""A real Chromium, headless, for the tests of the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from loopgen.page.server import Server
from tests.bridge.clients_support import needs
from tests.page.world import fill, index, serve

TIMEOUT = 60_000
"""Milliseconds after which a step fails instead of hanging."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = needs("chromium", "chromium-browser", "google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def loops(tmp_path: Path) -> Path:
    """A folder of four loops, indexed."""
    folder = tmp_path / "loops"
    folder.mkdir()
    fill(folder)
    index(folder)
    return folder


@pytest.fixture
def server(loops: Path) -> Iterator[Server]:
    with serve(loops) as server:
        yield server


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens the page of a server; in the end no script must have failed, and nothing been refused by its policy."""
    said: list[str] = []
    contexts = []

    def open_it(server: Server, **options: object) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 820}, **options})  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(TIMEOUT)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on(
            "console",
            lambda message: said.append(message.text) if "Content Security Policy" in message.text else None,
        )
        page.goto(server.url)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert said == []


@pytest.fixture
def page(server: Server, open_page: Callable[..., Page]) -> Page:
    """The page of the four loops, shown."""
    page = open_page(server)
    page.locator(".card .title", has_text="boom bap").wait_for()
    return page
