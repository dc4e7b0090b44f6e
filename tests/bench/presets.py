"""Every factory preset played by the embedded engine with several seeds, each first take made a loop and scored.

No take is made again, as ``loopgen generate`` would: a flaw shows. The columns are, over all seeds:

- seam: the most strained of the six metrics at the wrap, 1 at its bound, and which it is;
- beat 1: how often the tracker, told nothing but the tempo, hears a bar begin where the loop begins;
- LUFS and peak: quietest and loudest loop, highest true peak in dBFS;
- flaws: takes that ``generate`` would make again; wide: those whose seam alone is out of bounds;
- time: of one loop, take and all, and how many times real time that is (CPU of this process).
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from loopgen import metrics, presets
from loopgen.engines.sketch.engine import SketchEngine
from loopgen.looping.make import flaws, make
from loopgen.looping.track import track
from loopgen.music.loop import Loop
from loopgen.orders import settle
from tests.bench.options import Options

SEEDS = 16
_ON_TIME = 0.03
"""Seconds within which a bar line is heard where the loop begins."""

_HEARD_SECONDS = 16.0


@dataclass(frozen=True, slots=True)
class Row:
    """One preset over its seeds; ``found`` holds the flaws in words."""

    name: str
    takes: int
    strain: float
    strained: str
    beat_one: int
    loudness: tuple[float, float]
    peak: float
    flawed: int
    found: tuple[str, ...]
    seconds: float
    real_time: float


def run(options: Options) -> None:
    """Print the table."""
    table(presets.names(), range(2 if options.quick else SEEDS))


def table(names: Iterable[str], seeds: Iterable[int], own: Path | None = None) -> list[Row]:
    """Play presets with seeds, and print a line each as they are done; returns the lines."""
    seeds = list(seeds)
    rows = []
    print(f"{'preset':<20} {'seam':>5} {'':<13} {'beat 1':>6} {'LUFS':>14} {'peak':>6} {'flaws':>6} {'time':>7}")
    for name in names:
        row = played(name, seeds, own)
        rows.append(row)
        print(
            f"{row.name:<20} {row.strain:5.2f} {row.strained:<13} {row.beat_one:>3}/{row.takes:<2} "
            f"{row.loudness[0]:6.1f} ..{row.loudness[1]:6.1f} {row.peak:6.1f} {row.flawed:>3}/{row.takes:<2} "
            f"{row.seconds:5.2f} s {row.real_time:4.0f}x",
            flush=True,
        )
        for flaw in row.found:
            print(f"{'':<22}{flaw}")
    print(
        f"{len(rows)} presets, {sum(row.takes for row in rows)} takes, {sum(row.flawed for row in rows)} with a flaw; "
        f"most strained seam {max(row.strain for row in rows):.2f} of its bound; "
        f"beat 1 heard in {sum(row.beat_one for row in rows)}"
    )
    return rows


def played(name: str, seeds: list[int], own: Path | None = None) -> Row:
    """One preset with several seeds."""
    engine = SketchEngine()
    loops: list[Loop] = []
    begin = time.process_time()
    for seed in seeds:
        request = settle({"preset": name, "engine": engine.name, "seed": seed}, own_presets=own).request
        loops.append(make(engine.generate(request, seed), request, stretcher=request.stretcher))
    spent = time.process_time() - begin
    strains = [(strain, metric) for loop in loops for metric, strain in _strains(loop)]
    worst, metric = max(strains)
    levels = [loop.scores["level"] for loop in loops]
    loudness = [float("-inf") if level["loudness"] is None else level["loudness"] for level in levels]
    found = [flaw for loop in loops for flaw in flaws(loop)]
    return Row(
        name,
        len(loops),
        worst,
        metric.replace("_", " "),
        sum(map(begins_a_bar, loops)),
        (min(loudness), max(loudness)),
        max(level["true_peak"] for level in levels),
        sum(bool(flaws(loop)) for loop in loops),
        tuple(dict.fromkeys(found)),
        spent / len(loops),
        sum(loop.audio.seconds for loop in loops) / max(spent, 1e-9),
    )


def _strains(loop: Loop) -> list[tuple[str, float]]:
    seam = loop.scores["seam"]
    return [(name, bound.strain(seam[name])) for name, bound in metrics.BOUNDS.items()]


def begins_a_bar(loop: Loop) -> bool:
    """Whether a bar is heard to begin where the loop does, played over and over, by ears that know only its tempo."""
    audio, request = loop.audio, loop.request
    turns = max(2, round(_HEARD_SECONDS / audio.seconds))
    again = audio.with_samples(np.tile(audio.samples, (turns, 1)))
    grid = track(again, request.bpm, request.meter)
    return bool(np.min(np.abs(grid.downbeats - audio.seconds)) < _ON_TIME)
