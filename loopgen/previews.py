"""What a take sounds like so far, in a WAV that grows while the rest of it is drawn."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from loopgen.errors import OutputUnwritable
from loopgen.files import make_folder, write_whole
from loopgen.music.audio import Audio

PERIOD_SECONDS = 0.5
"""Least time between two writings; the first comes with the first audio."""


class PreviewFile:
    """A 16-bit WAV at ``path`` that is written anew, whole, as audio is added; what was in it stays in it.

    ``written`` is told the seconds that it holds. A file that cannot be written at the moment (on Windows a program may
    have it open) is written with what comes next: a preview is worth no failed loop.
    """

    def __init__(self, path: Path, written: Callable[[float], None] = lambda seconds: None) -> None:
        self.path = path
        self._written = written
        self._parts: list[Audio] = []
        self._next = 0.0
        self._holds = 0

    def add(self, audio: Audio) -> None:
        """What follows, at the same rate with the same channels."""
        self._parts.append(audio)
        if time.monotonic() >= self._next:
            self.write()

    def restart(self) -> None:
        """Another take begins."""
        self._parts.clear()
        self._holds = 0

    def write(self) -> None:
        """Write what there is, unless the file has it already."""
        import soundfile

        frames = sum(part.frames for part in self._parts)
        if frames == self._holds:
            return
        self._next = time.monotonic() + PERIOD_SECONDS
        rate = self._parts[0].rate
        data = io.BytesIO()
        soundfile.write(data, np.concatenate([part.samples for part in self._parts]), rate, "PCM_16", format="WAV")
        with suppress(OutputUnwritable):
            make_folder(self.path.parent)
            write_whole({self.path: data.getvalue()})
            self._holds = frames
            self._written(frames / rate)

    def remove(self) -> None:
        """Delete the file, where it can be."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)
