"""A listener that remembers, and jobs that are closed whatever a test does."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import soundfile

from loopgen.jobs import Generate, Job, Jobs
from loopgen.library.takes import FOLDER, find_take, has_take
from loopgen.music.tempo import Meter, loop_frames, parse_bpm

PLUGINS = Path(__file__).parents[1] / "plugins"
"""Engines with faults, behind a real entry point."""

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and links are POSIX")

DEADLINE = 60.0
"""Seconds after which a test gives up; nothing here takes a tenth of it on an idle machine."""


class Heard:
    """What the listener was told, in order."""

    def __init__(self) -> None:
        self.news: list[Job] = []
        self.states: list[str] = []
        self._changed = threading.Condition()
        self._speaking = threading.Lock()

    def __call__(self, job: Job) -> None:
        assert self._speaking.acquire(blocking=False), "the listener was called twice at a time"
        with self._changed:
            self.news.append(job)
            self._changed.notify_all()
        self._speaking.release()

    def state(self, state: str) -> None:
        with self._changed:
            self.states.append(state)
            self._changed.notify_all()

    def until(self, met: Callable[[], bool]) -> None:
        """Wait until something is so, looked at whenever there is news."""
        with self._changed:
            assert self._changed.wait_for(met, DEADLINE), (self.states, self.news[-3:])

    def of(self, job: Job) -> list[Job]:
        return [news for news in self.news if news.id == job.id]

    def ends(self, job: Job) -> list[Job]:
        return [news for news in self.of(job) if news.has_ended]

    def end(self, job: Job) -> Job:
        """Wait for the end of a job."""
        self.until(lambda: bool(self.ends(job)))
        return self.ends(job)[0]

    def running(self, job: Job) -> None:
        """Wait until the worker works on a job."""
        self.until(lambda: any(news.state == "running" and news.stage != "starting" for news in self.of(job)))

    def reached(self, job: Job, fraction: float) -> None:
        """Wait until so much of a job is done."""
        self.running(job)
        self.until(lambda: self.of(job)[-1].fraction >= fraction)


class Bench:
    """Jobs, what was heard of them, and where they write."""

    def __init__(self, jobs: Jobs, heard: Heard, output: Path) -> None:
        self.jobs, self.heard, self.output = jobs, heard, output

    def submit(self, prompt: str = "noise", *, engine: str | None = "odd", folder: str = "", **asked: Any) -> Job:
        chosen = {} if engine is None else {"engine": engine}
        given = {"prompt": prompt, "bpm": "120", "bars": 1, "seed": 3, **chosen, **asked}
        return self.jobs.submit(Generate(given, folder=folder))

    def done(self, prompt: str = "noise", **asked: Any) -> Job:
        """Submit a job that has to succeed."""
        end = self.heard.end(self.submit(prompt, **asked))
        assert end.state == "done", end
        return end

    def failed(self, prompt: str = "noise", **asked: Any) -> Job:
        """Submit a job that has to fail."""
        end = self.heard.end(self.submit(prompt, **asked))
        assert end.state == "error", end
        return end

    def ready(self) -> None:
        """Wait until the worker is warm."""
        self.heard.until(lambda: self.jobs.state == "ready")


@contextmanager
def bench(output: Path, *, start: bool = True, **options: Any) -> Iterator[Bench]:
    """Jobs that are closed at the end; then every job has exactly one end, and no worker is left."""
    heard = Heard()
    jobs = Jobs(output, listener=heard, on_state=heard.state, **options)
    if start:
        jobs.start()
    try:
        yield Bench(jobs, heard, output)
    finally:
        jobs.close()
    submitted = {news.id: news for news in heard.news}
    for job in submitted.values():
        assert len(heard.ends(job)) == 1, heard.of(job)
        assert heard.of(job)[-1].has_ended
        assert jobs.find(job.id).has_ended
    assert jobs.state == "closed"
    assert jobs.worker_pid is None


def check_folder_is_whole(folder: Path) -> int:
    """Every file is a whole loop, its sidecar or its take, and no other file is there; returns the number of loops."""
    loops = 0
    for path in (found for found in folder.rglob("*") if found.is_file()):
        if path.parent.name == FOLDER:
            assert find_take(path).take, path  # which looks at every bit
            continue
        if path.suffix == ".json":
            assert path.with_suffix(".wav").exists(), path
            continue
        assert path.suffix == ".wav", path
        assert has_take(path), path
        recipe = json.loads(path.with_suffix(".json").read_text("utf-8"))
        asked = recipe["request"]
        frames = loop_frames(parse_bpm(asked["bpm"]), asked["bars"], Meter.parse(asked["meter"]), asked["rate"])
        samples, rate = soundfile.read(path)
        assert (len(samples), rate) == (frames, asked["rate"]), path
        assert samples.any()
        loops += 1
    return loops


def soon(met: Callable[[], bool]) -> bool:
    """Whether something comes to be so in time, where no news tells."""
    end = time.monotonic() + DEADLINE
    while not met() and time.monotonic() < end:
        time.sleep(0.01)
    return met()
