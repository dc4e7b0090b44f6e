"""What the tests with real programs share: the server, the programs, and deadlines for everything."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
import soundfile

from bridge.server import Server
from loopgen.music.tempo import Meter, loop_frames, parse_bpm

T = TypeVar("T")

CLIENTS = Path(__file__).parents[2] / "bridge" / "clients"
DEADLINE = 60.0
"""Seconds after which a test fails instead of hanging; nothing here takes long on a machine that is not busy."""


def needs(*programs: str) -> str:
    """The path of the first of these programs that is there; without any the test is skipped, in CI it fails."""
    for program in programs:
        if found := shutil.which(program):
            return found
    reason = f"{programs[0]} is not installed"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def serving(output: Path) -> Iterator[Server]:
    """The real server on a free port."""
    with Server(port=0, output=output) as server:
        yield server


def free_port() -> int:
    """A UDP port that nobody holds."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(holds: Callable[[], T], what: str, seconds: float = DEADLINE) -> T:
    """Ask again and again until the answer is true; fails after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (answer := holds()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.02)
    return answer


class Program:
    """A running program whose output is kept line by line, and which is gone in the end."""

    def __init__(self, command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> None:
        self.lines: list[str] = []
        self._name = Path(command[0]).name
        self._process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            encoding="utf-8",
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.rstrip("\n"))

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(10)
        self._reader.join(10)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def wait_for(self, pattern: str, seconds: float = DEADLINE) -> re.Match[str]:
        """The first line that ``pattern`` is found in."""
        deadline = time.monotonic() + seconds
        while True:
            ended = self._process.poll() is not None
            if ended:
                self._reader.join(5)
            for line in tuple(self.lines):
                if found := re.search(pattern, line):
                    return found
            if ended or time.monotonic() > deadline:
                why = f"{self._name} has ended" if ended else f"{seconds:.0f} s have gone"
                pytest.fail(f"{why} without {pattern!r}; it said:\n" + "\n".join(self.lines))
            time.sleep(0.02)

    def wait(self, seconds: float = DEADLINE) -> int:
        """The exit status, once the program has ended by itself."""
        status = self._process.wait(seconds)
        self._reader.join(5)
        return status


def check_loop(path: Path, tempo: str, bars: int, root: Path, meter: str = "4/4") -> None:
    """A file below ``root`` that holds exactly so many bars at exactly that tempo."""
    assert path.resolve().is_relative_to(root.resolve())
    info = soundfile.info(str(path))
    assert info.frames == loop_frames(parse_bpm(tempo), bars, Meter.parse(meter), info.samplerate)
    assert info.channels == 2
    assert [left.name for left in root.rglob("*.tmp")] == []


def asked(path: Path) -> dict[str, Any]:
    """The request in a loop's sidecar: prompt, bpm, bars, key, melody as [start, pitch, length, velocity] a note."""
    request = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["request"]
    assert isinstance(request, dict)
    return request
