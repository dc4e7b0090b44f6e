"""Small genuine engines that fail, in every way that an engine can, when their prompt says so.

They join through the entry point beside this file: whoever has this folder on ``sys.path`` has the engines.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from loopgen.engines.base import EngineEntry, Progress
from loopgen.music.audio import Audio
from loopgen.music.beats import BeatGrid
from loopgen.music.loop import Take
from loopgen.music.request import LoopRequest
from loopgen.music.tempo import bar_seconds, beat_seconds

RATE = 22_050


class Odd:
    """Noise bursts on the beats, mono; a prompt like ``"now segfault"`` makes it do what its last word says."""

    name, description, licence, version = "odd", "for tests", "CC0", "1"

    def generate(self, request: LoopRequest, seed: int, *, progress: Progress | None = None) -> Take:
        tick = progress or (lambda share: None)
        tick(0.0)
        act(request.prompt.split()[-1], tick)
        beat = float(beat_seconds(request.bpm, request.meter))
        seconds = float((request.bars + 2) * bar_seconds(request.bpm, request.meter))
        t = np.arange(int(seconds * RATE)) / RATE
        noise = np.random.default_rng(seed).standard_normal(len(t))
        samples = 0.3 * noise * np.exp(-12 * (t / beat % 1))
        tick(1.0)
        return Take(Audio(samples, RATE), self.name, seed, BeatGrid.steady(0.0, beat, seconds, request.meter))


def act(word: str, tick: Progress) -> None:
    """Do what the prompt's last word says; an ordinary prompt does nothing."""
    if word in ("hang", "spin", "deaf", "nap"):
        time.sleep(0.1)  # past the least time between two reports, so that whoever waits for this one knows
        tick(0.5)
    if word == "segfault":
        _segfault()
    elif word == "exit":
        os._exit(3)
    elif word == "sigkill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif word == "memory":
        raise MemoryError
    elif word == "raise":
        raise RuntimeError("a fault of the engine")
    elif word == "quit":
        sys.exit("the engine leaves")
    elif word == "hang":
        time.sleep(600)
    elif word == "nap":
        time.sleep(0.6)
    elif word == "spin":
        while True:
            pass
    elif word == "slow":
        for step in range(500):
            tick(step / 500)
            time.sleep(0.02)
    elif word == "deaf":
        _deaf(tick)
    elif word == "print":
        print("an engine's own words")
    elif word == "write-forever":
        os.fsync = lambda fd: time.sleep(600)
    elif word.startswith("die-at-"):
        _die_in_writing(int(word.removeprefix("die-at-")))


def _segfault() -> None:
    if sys.platform == "win32":
        os.abort()  # ctypes would turn the access violation into an OSError
    ctypes.string_at(0)


def _deaf(tick: Progress) -> NoReturn:
    """Swallow the cancellation, as ``except Exception`` around everything does."""
    while True:
        with suppress(Exception):
            tick(0.5)
        time.sleep(0.01)


def _die_in_writing(step: int) -> None:
    """Let the process end at the n-th flush or renaming of a file from now on."""
    left = step
    replace = Path.replace

    def fsync(descriptor: Any) -> None:
        count()

    def renamed(path: Path, target: Path) -> Path:
        count()
        return replace(path, target)

    def count() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os._exit(9)

    os.fsync = fsync  # type: ignore[assignment]
    Path.replace = renamed  # type: ignore[method-assign, assignment]


def doomed() -> Odd:
    """Take the process along while loading, as a broken driver does."""
    os._exit(7)


def frozen() -> Odd:
    """Wait while loading, as for a device that another program holds."""
    time.sleep(600)
    return Odd()


def late() -> Odd:
    """Load only when a file is there."""
    flag = Path(os.environ["ODD_ENGINES_FLAG"])
    if not flag.exists():
        raise RuntimeError("the weights are not downloaded yet")
    engine = Odd()
    engine.name = "late"
    return engine


ODD = EngineEntry("odd", "for tests", "CC0", "odd_engines:Odd")
DOOMED = EngineEntry("doomed", "for tests", "CC0", "odd_engines:doomed")
LATE = EngineEntry("late", "for tests", "CC0", "odd_engines:late")
FROZEN = EngineEntry("frozen", "for tests", "CC0", "odd_engines:frozen")
ABSENT = EngineEntry(
    "absent", "for tests", "CC0", "odd_engines:Odd", requires=("no_such_module",), remedy="pip install no-such-module"
)
