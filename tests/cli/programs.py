"""The program as real processes: a server in the background, commands that talk to it."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
if sys.platform == "win32":
    _NEW_GROUP, _INTERRUPT = subprocess.CREATE_NEW_PROCESS_GROUP, signal.CTRL_BREAK_EVENT
else:
    _NEW_GROUP, _INTERRUPT = 0, signal.SIGINT

PATIENCE = 60.0
"""Seconds until a test gives up; nothing here comes near it."""


def environment(folder: Path) -> dict[str, str]:
    """Settings and state apart from those of whoever runs the tests."""
    ours = {
        "PYTHONPATH": str(ROOT),
        "PYTHONUTF8": "1",
        "LOOPGEN_SETTINGS": str(folder / "settings.toml"),
        "XDG_STATE_HOME": str(folder / "state"),
        "HOME": str(folder),
        "COLUMNS": "100",
    }
    return {name: value for name, value in os.environ.items() if not name.startswith("LOOPGEN_")} | ours


def loopgen(*arguments: object, folder: Path, status: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; every run must be free of tracebacks."""
    command = [sys.executable, "-m", "loopgen", *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=folder, env=environment(folder), check=False, timeout=PATIENCE
    )
    assert done.returncode == status, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    return done


class Program:
    """A command in the background; its lines can be waited for."""

    def __init__(self, *arguments: object, folder: Path, more: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "loopgen", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            cwd=folder,
            env=environment(folder) | dict(more or {}),
            start_new_session=True,  # ignored on Windows, where the flag does as much
            creationflags=_NEW_GROUP,
        )
        self.lines: list[str] = []
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._errors: list[str] = []
        self._threads = [threading.Thread(target=self._read), threading.Thread(target=self._read_errors)]
        for thread in self._threads:
            thread.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._queue.put(line.rstrip("\n"))
        self._queue.put(None)

    def _read_errors(self) -> None:
        assert self.process.stderr
        self._errors += self.process.stderr.readlines()

    def line(self, fits: Callable[[str], object], seconds: float = PATIENCE) -> str:
        """Wait for a line of its output; those before it are passed over, all are in ``lines``."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self._queue.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no such line in {seconds} s; there were {self.lines}") from None
            if line is None:
                self._queue.put(None)
                raise AssertionError(f"it has ended without such a line: {self.lines}, {self._errors}")
            self.lines.append(line)
            if fits(line):
                return line

    def event(self, kind: str) -> dict[str, Any]:
        """Wait for an event of ``serve --json``."""
        found: dict[str, Any] = json.loads(self.line(lambda line: json.loads(line)["event"] == kind))
        return found

    def job(self, state: str, prompt: str) -> dict[str, Any]:
        """Wait until ``serve --json`` tells that a job that was asked for with such a prompt is in a state."""

        def fits(line: str) -> bool:
            job = json.loads(line).get("job", {"state": ""})
            return job["state"] == state and prompt in job["asked"]

        found: dict[str, Any] = json.loads(self.line(fits))["job"]
        return found

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        """End it if the test has not."""
        if self.process.poll() is None:
            self.process.kill()
        self.end()

    def interrupt(self) -> None:
        """Ctrl-C; on Windows, where that cannot be sent to one process, Ctrl-Break."""
        self.process.send_signal(_INTERRUPT)

    def end(self, seconds: float = PATIENCE) -> tuple[int, str]:
        """Wait for its end; returns the exit status and what it said on standard error."""
        status = self.process.wait(seconds)
        for thread in self._threads:
            thread.join(seconds)
        while (line := self._queue.get(timeout=seconds)) is not None:
            self.lines.append(line)
        self._queue.put(None)  # for a second call
        for stream in (self.process.stdout, self.process.stderr):
            assert stream
            stream.close()
        return status, "".join(self._errors)

    def leaves_nobody(self, seconds: float = 10.0) -> bool:
        """Whether all processes that it has started are gone, within some seconds."""
        if sys.platform == "win32":
            return True
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                os.killpg(self.process.pid, 0)
            except ProcessLookupError:
                return True
            time.sleep(0.05)
        return False


@contextmanager
def serving(folder: Path, *flags: object, warm: bool = True) -> Iterator[tuple[Program, int]]:
    """A server that logs JSON, on a free port; ended at last if the test has not done so."""
    with Program("serve", "--port", 0, "--output", folder / "out", "--json", *flags, folder=folder) as program:
        port = program.event("listening")["port"]
        if warm:
            program.event("warm")
        yield program, port
        if program.process.poll() is None:
            program.interrupt()
            program.end()
