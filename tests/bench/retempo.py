"""Another tempo for loops that are there: the time in a warm process, of takes in memory and on disk."""

from __future__ import annotations

import statistics
import tempfile
import time
from fractions import Fraction
from pathlib import Path

from loopgen import library, remake, studio
from loopgen.music.request import LoopRequest
from tests.bench.options import Options

GOAL = 1.0
"""Seconds for a loop of eight bars."""

PROMPTS = ("dub techno, rolling bass", "boom bap drums, rhodes", "liquid drum and bass", "ambient drone", "deep house")


def run(options: Options) -> None:
    """Print how long eight bars take, from the take to the loop on disk, and what of that is the making."""
    prompts = PROMPTS[:2] if options.quick else PROMPTS
    memory: list[float] = []
    disk: list[float] = []
    computed: list[float] = []
    same = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed, prompt in enumerate(prompts):
            (loop,) = studio.generate(LoopRequest(prompt, 124, 8, seed=seed, engine="sketch"))
            kept = library.keep(loop, Path(folder))
            for bpm in (Fraction(263, 2), Fraction(118), Fraction("124.1")):
                begin = time.perf_counter()
                library.keep(studio.retempo(loop, bpm), Path(folder))
                memory.append(time.perf_counter() - begin)
                begin, work = time.perf_counter(), time.process_time()
                again = library.keep(remake.retempo(kept.path, bpm), Path(folder))
                disk.append(time.perf_counter() - begin)
                computed.append(time.process_time() - work)
                (redone,) = remake.redo(again.path)
                same += redone.identical is True
    for name, seconds in (("memory", memory), ("disk", disk)):
        verdict = "met" if max(seconds) <= GOAL else "missed"
        print(
            f"8 bars at 124 to a loop on disk, take from {name}: median {statistics.median(seconds):.2f} s, "
            f"worst {max(seconds):.2f} s (goal {GOAL:.1f} s: {verdict})"
        )
    print(
        f"of the latter computing, on one core: median {statistics.median(computed):.2f} s, worst {max(computed):.2f} s"
    )
    print(f"made again from their recipes, bit-identical: {same} of {len(disk)}")
