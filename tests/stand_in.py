"""Small genuine engines: one whose every third take is good, the same at once, one that always breaks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from loopgen.engines.base import EngineEntry, Preview, Progress
from loopgen.music.audio import Audio
from loopgen.music.beats import BeatGrid
from loopgen.music.loop import Take
from loopgen.music.request import LoopRequest
from loopgen.music.tempo import bar_seconds, beat_seconds

RATE = 32_000


class Moody:
    """Noise bursts on the beats, mono at 32 kHz; silent unless the seed divides by three."""

    name, description, licence, version = "moody", "for tests", "CC0", "1"

    def generate(self, request: LoopRequest, seed: int, *, progress: Progress | None = None) -> Take:
        beat = float(beat_seconds(request.bpm, request.meter))
        seconds = float((request.bars + 2) * bar_seconds(request.bpm, request.meter))
        t = np.arange(int(seconds * RATE)) / RATE
        noise = np.random.default_rng(seed).standard_normal(len(t))
        samples = 0.3 * noise * np.exp(-12 * (t / beat % 1)) * (seed % 3 == 0)
        if progress:
            progress(0.5)
        return Take(Audio(samples, RATE), self.name, seed, BeatGrid.steady(0.0, beat, seconds, request.meter))


class Choir(Moody):
    """Several takes at once; keeps the seeds that it was asked for."""

    name, batch = "choir", 4

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    def generate_batch(
        self,
        request: LoopRequest,
        seeds: Sequence[int],
        *,
        progress: Progress | None = None,
        preview: Preview | None = None,
    ) -> list[Take]:
        self.asked.append(list(seeds))
        takes = [self.generate(request, seed, progress=progress) for seed in seeds]
        if preview:
            preview(takes[0].audio)
        return takes


class Broken:
    """Raises, as other people's code may."""

    name, description, licence, version = "broken", "for tests", "CC0", "1"

    def generate(self, request: LoopRequest, seed: int, *, progress: Progress | None = None) -> Take:
        raise RuntimeError(f"seed {seed} does not work")


ENTRIES = (
    EngineEntry("moody", "for tests", "CC0", "tests.stand_in:Moody"),
    EngineEntry("choir", "for tests", "CC0", "tests.stand_in:Choir"),
    EngineEntry("broken", "for tests", "CC0", "tests.stand_in:Broken"),
)
