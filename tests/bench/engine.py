"""How fast the embedded engine plays, genre by genre, against the naive way: every note and stroke made anew.

CPU time of this process, one thread; "x real time" is seconds of loop a second of CPU (the take is a bar longer on
either side, which costs next to nothing).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

from loopgen.engines.sketch import effects
from loopgen.engines.sketch.chance import Chance
from loopgen.engines.sketch.compose import compose
from loopgen.engines.sketch.drums import KITS
from loopgen.engines.sketch.engine import SketchEngine
from loopgen.engines.sketch.instruments import INSTRUMENTS, Tone
from loopgen.engines.sketch.prompt import parse
from loopgen.engines.sketch.repertoire import GENRES
from loopgen.engines.sketch.score import Score
from loopgen.music.request import LoopRequest
from tests.bench.options import Options

SECONDS = 30.0
RATE = 44_100


def run(options: Options) -> None:
    """Print one line a genre: loops of about 30 s, stereo, 44.1 kHz, everything included; the best of three turns."""
    genres = GENRES[::5] if options.quick else GENRES
    engine = SketchEngine()
    engine.generate(LoopRequest("house", 120, 1), 0)  # imports and first calls
    print(f"{'genre':<15}{'loop s':>8}{'CPU s':>8}{'x real time':>13}{'naive notes s':>15}{'events':>8}")
    ratios = []
    for genre in genres:
        bpm = round(sum(genre.tempo) / 2)
        request = LoopRequest(genre.name, bpm, max(1, round(SECONDS * bpm / 240)), rate=RATE)
        seconds = request.bars * 240 / bpm
        cpu = min(_cpu(lambda request=request: engine.generate(request, 1)) for _ in range(3))  # type: ignore[misc]
        score = compose(request, parse(request.prompt), 1)
        naive = _cpu(lambda score=score, bpm=bpm: _play_naively(score, bpm))  # type: ignore[misc]
        events = len(score.hits) + sum(map(len, score.notes.values()))
        ratios.append(seconds / cpu)
        print(f"{genre.name:<15}{seconds:>8.1f}{cpu:>8.2f}{seconds / cpu:>13.0f}{naive:>15.2f}{events:>8}")
    print(f"x real time: median {statistics.median(ratios):.0f}, lowest {min(ratios):.0f} (to reach: 50)")
    print("naive notes: synthesising every event anew and adding it, without rooms, echoes and mix")


def _cpu(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _play_naively(score: Score, bpm: float) -> None:
    """Make every stroke and note from scratch, as a loop over events would."""
    chance = Chance(1, "bench")
    frames = round(score.quarters * 60 / bpm * RATE)
    bus = np.zeros((2, frames))
    for hit in score.hits:
        drum = KITS[score.kit][hit.lane]
        effects.add(bus, drum.recipe(RATE, chance.stream("drum"), **drum.sound), round(hit.start * 60 / bpm * RATE))
    for part, notes in score.notes.items():
        render = INSTRUMENTS[score.instruments[part]].render
        for note in notes:
            tone = Tone(note.pitch, note.duration * 60 / bpm, 0.8, RATE, 60 / bpm, 0.0, chance.stream("tone"))
            effects.add(bus, render(tone), round(note.start * 60 / bpm * RATE))
