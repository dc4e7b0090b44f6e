"""Folders of loops for tests of the library."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile

from loopgen.library import keep
from tests.loops import pulse_loop


def some_loops(folder: Path, many: int = 3) -> Path:
    """A folder of so many short loops of loopgen's, ``loop0.wav`` ... ; returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(many):
        keep(pulse_loop(f"loop {number}", bpm=str(120 + number), bars=1, seed=number), folder / f"loop{number}.wav")
    return folder


def foreign(path: Path, *, seed: int = 0, seconds: float = 2.0) -> Path:
    """A foreign file of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(seed).standard_normal((int(44_100 * seconds), 2)) * 0.1
    soundfile.write(path, samples, 44_100, "PCM_16")
    return path


def clicks(path: Path, *, bpm: float, beats: int, seed: int = 0) -> Path:
    """A foreign loop of clicks that says nothing of its tempo."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rate = 44_100
    frames = round(rate * 60 * beats / bpm)
    phase = (np.arange(frames) * beats / frames) % 1
    noise = np.random.default_rng(seed).standard_normal(frames)
    soundfile.write(path, 0.3 * noise * np.exp(-30 * phase), rate, "PCM_16")
    return path


COUNTED = """
import os, signal
reached = 0
def counted(function):
    def wrapper(*arguments, **named):
        global reached
        if reached == point:
            os.kill(os.getpid(), signal.SIGKILL)
        reached += 1
        return function(*arguments, **named)
    return wrapper
"""
"""For scripts: the process is killed where the wrapped functions are called for the ``point``-th time."""


def python(script: str, *arguments: object) -> subprocess.Popen[str]:
    """Another Python, running."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process: subprocess.Popen[str]) -> str:
    """What another Python printed; fails where it failed."""
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return out
