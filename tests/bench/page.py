"""The library's page in a real Chromium: how soon it is there with many loops, and how it scrolls through them."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.bench.options import Options
from tests.page.crowd import crowd

_WATCH = """new MutationObserver((_, observer) => {
  if (!document.querySelector(".card .title:not(:empty)")) return;
  observer.disconnect();
  requestAnimationFrame(() => requestAnimationFrame(() => (window.shown = performance.now())));
}).observe(document, { subtree: true, childList: true, characterData: true });"""
"""Notes when the first card with a loop's name has been drawn, in milliseconds since the page was asked for."""

_SCROLL = """async () => {
  const shelf = document.querySelector("#shelf");
  const gaps = [];
  let last = performance.now();
  for (let step = 0; step < 120; step++) {
    shelf.scrollTop += 400;
    await new Promise((next) => requestAnimationFrame(next));
    gaps.push(performance.now() - last);
    last = performance.now();
  }
  return gaps;
}"""


def run(options: Options) -> None:
    """Print the figures beside what they are to reach."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        print("Chromium is not installed: nothing is measured")
        return
    count, turns = (10_000, 3) if options.quick else (10_000, 10)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        loops = Path(folder) / "loops"
        loops.mkdir()
        crowd(loops, count)
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        with serving(loops) as url:
            first = [_opened(browser, url) for _ in range(turns)]
            _row(f"first paint, {count:,} loops", [paint for paint, _ in first], 1000)
            _row("first cards, with their names", [shown for _, shown in first], 1000)
            _row("frame while scrolling", _scrolled(browser, url), None)
        browser.close()
        _row("8 bars laid on another tempo, as the page asks", list(_laid(Path(folder), turns)), 1000)


def _row(what: str, milliseconds: list[float], reach: float | None) -> None:
    worst, middle = max(milliseconds), statistics.median(milliseconds)
    goal = f"  (to reach: {reach:.0f} ms)" if reach else ""
    print(f"{what:<48} median {middle:7.0f} ms, worst {worst:7.0f} ms{goal}")


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """``loopgen library open`` of a folder, in a process of its own; its address."""
    command = [sys.executable, "-m", "loopgen", "library", "open", "--no-browser", "--json", "--port", "0", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        text = ""
        while not text.rstrip().endswith("}"):
            line = process.stdout.readline()
            assert line, "the server has ended"
            text += line
        try:
            yield json.loads(text)["url"]
        finally:
            process.terminate()
            process.wait(20)


def _opened(browser: Browser, url: str) -> tuple[float, float]:
    """Milliseconds until the first paint, and until the first cards, in a browser that has not seen the page before."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.add_init_script(_WATCH)
    page.goto(url)
    page.wait_for_function("() => window.shown")
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    shown = page.evaluate("window.shown")
    assert page.locator("#count").inner_text() == "10,000 loops"
    context.close()
    return float(paint), float(shown)


def _scrolled(browser: Browser, url: str) -> list[float]:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(url)
    page.locator(".card .title:not(:empty)").first.wait_for()
    gaps = page.evaluate(_SCROLL)
    page.close()
    return [float(gap) for gap in gaps]


def _laid(folder: Path, turns: int) -> Iterator[float]:
    """Milliseconds for a loop of eight bars, from its take, on a tempo that is not its own."""
    from loopgen import library, studio
    from loopgen.engines import base
    from loopgen.library.index import Library
    from loopgen.music.request import LoopRequest
    from loopgen.page.audio import Sounds, Wanted

    place = folder / "takes"
    place.mkdir()
    (loop,) = studio.generate(LoopRequest("dub techno", "124", 8, seed=1), engine=base.load("sketch"))
    library.keep(loop, place)
    with Library(place) as opened:
        opened.refresh()
        (entry,) = opened.find()
    sounds = Sounds()
    for turn in range(turns):
        begin = time.perf_counter()
        sounds.get(entry, Wanted(Fraction(126) + turn))
        yield 1000 * (time.perf_counter() - begin)
