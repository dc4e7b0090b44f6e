"""Are seams heard? Four ways to close a loop, on takes whose grid is given, so that only cut and fade are compared.

Ours chooses by the metrics that judge it here, so a second judge who had no say sits beside them: the complex-domain
deviation (Duxbury et al. 2003, "Complex domain onset detection for musical signals"), which follows phases as well as
magnitudes, over the whole of the fade and not only at the wrap. It counts a seam as heard where it is more of a
surprise than any of the loop's own beats. Bar lines that nobody touched are judged by both in the same way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from loopgen.looping.choose import best_seam
from loopgen.looping.cut import cut
from loopgen.looping.level import level
from loopgen.looping.seam import Fade, read, seam
from loopgen.looping.stretch import Gridded, stretch
from loopgen.metrics import BOUNDS, SeamScores
from loopgen.metrics import seam as score
from loopgen.music.audio import Audio
from loopgen.music.beats import BeatGrid
from loopgen.music.loop import Span
from loopgen.music.tempo import Meter, beat_frames, round_half_up
from tests.bench.options import Options
from tests.bench.peer import peer_loop
from tests.bench.songs import KINDS, song
from tests.bench.takes import known_takes

_BARS = 4
_WAYS = ("an untouched bar line", "ours", "first bar, 30 ms fade", "first bar, hard cut", "the peer's way")
_WINDOW_SECONDS = 0.023
_HOP_SECONDS = 0.003


@dataclass(frozen=True, slots=True, eq=False)
class _Case:
    material: str
    audio: Audio
    grid: BeatGrid
    bpm: Fraction


def run(options: Options) -> None:
    """Print who passes what, by material and by metric."""
    found: dict[tuple[str, str], list[tuple[SeamScores, float]]] = defaultdict(list)
    refused = 0
    materials: list[str] = []
    for case in _cases(options):
        gridded = stretch(case.audio, case.grid, case.bpm, case.audio.rate)
        if case.material not in materials:
            materials.append(case.material)
        for way, (loop, fade) in _loops(case, gridded).items():
            if loop is None:
                refused += way == "the peer's way"
                continue
            verdict = score(loop, _BARS, case.grid.meter), surprise(loop, fade, _BARS * case.grid.meter.beats)
            found[way, case.material].append(verdict)
            found[way, "all"].append(verdict)
    _print_materials(found, [*materials, "all"])
    _print_metrics(found)
    print(f"(to reach: 90% of ours pass; the peer asked to try again {refused} times)")


def _print_materials(found: dict[tuple[str, str], list[tuple[SeamScores, float]]], materials: list[str]) -> None:
    print(f"{'% that pass all six metrics':<28}" + "".join(f"{way:>23}" for way in _WAYS))
    for material in materials:
        line = f"{material:<20} n ={len(found['ours', material]):>4} "
        for way in _WAYS:
            passed = [scores.passes for scores, _ in found[way, material]]
            line += f"{100 * np.mean(passed):>23.0f}" if passed else f"{'-':>23}"
        print(line)


def _print_metrics(found: dict[tuple[str, str], list[tuple[SeamScores, float]]]) -> None:
    print(f"\n{'% that pass, all material':<28}" + "".join(f"{way:>23}" for way in _WAYS))
    for name in BOUNDS:
        rates = [np.mean([float(scores.passed[name]) for scores, _ in found[way, "all"]]) for way in _WAYS]
        print(f"{name:<28}" + "".join(f"{100 * rate:>23.0f}" for rate in rates))
    other = [[value for _, value in found[way, "all"]] for way in _WAYS]
    print(f"{'the second judge':<28}" + "".join(f"{100 * np.mean(np.array(v) <= 1):>23.0f}" for v in other))
    print(f"{'   its median (heard: > 1)':<28}" + "".join(f"{np.median(v):>23.2f}" for v in other))


def _cases(options: Options) -> Iterator[_Case]:
    """Songs that never repeat, grooves, and real loops tiled, steady and wobbling, each asked for at another tempo."""
    rng = np.random.default_rng(5)
    for seed in range(100, 103 if options.quick else 110):
        for kind in KINDS:
            made = song(seed, kind)
            beat = float(made.beat_frames) / made.audio.rate
            grid = BeatGrid.steady(made.downbeat * beat, beat, made.audio.seconds, made.meter)
            yield _Case(f"songs, {kind}", made.audio, grid, _other_tempo(grid, rng))
    for known in known_takes(options, seconds=20.0, offsets=1, synthetic=24):
        material = f"{known.source} {known.kind}s{', wobbling' if known.wobble else ''}"
        if (_BARS + 2) * known.grid.meter.beats * known.grid.period < known.audio.seconds:
            yield _Case(material, known.audio, known.grid, _other_tempo(known.grid, rng))


def _other_tempo(grid: BeatGrid, rng: np.random.Generator) -> Fraction:
    return Fraction(f"{grid.bpm * (1 + rng.uniform(-0.04, 0.04)):.2f}")


def _loops(case: _Case, gridded: Gridded) -> dict[str, tuple[Audio | None, Fade]]:
    """Each way's loop, and what it faded."""
    meter, rate = case.grid.meter, case.audio.rate
    ours = best_seam(gridded, cut(gridded, _BARS, meter), _BARS, meter)
    thirty = round(0.03 * rate)
    first = _first(gridded, meter, thirty)
    peer = peer_loop(case.audio, case.bpm, _BARS, meter, rate, case.grid.downbeats)
    return {
        "an untouched bar line": (_untouched(gridded, meter, ours.span) if ours.pieces == 1 else None, ours.fade),
        "ours": (level(ours.audio), ours.fade),
        "first bar, 30 ms fade": (seam(gridded.audio, first, thirty), Fade(thirty)),
        "first bar, hard cut": (seam(gridded.audio, first, 0), Fade(0)),
        "the peer's way": (peer.audio if peer else None, Fade(100)),
    }


def _first(gridded: Gridded, meter: Meter, lead_in: int) -> Span:
    beat = gridded.downbeat
    while round_half_up(beat * gridded.beat_frames) < gridded.valid[0] + lead_in:
        beat += meter.beats
    start = round_half_up(beat * gridded.beat_frames)
    return Span(start, start + round_half_up(_BARS * meter.beats * gridded.beat_frames), lead_in)


def _untouched(gridded: Gridded, meter: Meter, span: Span) -> Audio:
    """The same stretch turned so that one of its inner bar lines is the wrap."""
    inner = round_half_up(2 * meter.beats * gridded.beat_frames)
    return gridded.audio.with_samples(np.roll(read(gridded.audio, span.start, span.stop), -inner, axis=0))


def surprise(loop: Audio, fade: Fade, beats: int) -> float:
    """Largest complex-domain deviation within the fade and 12 ms around it, over the largest at the loop's beats."""
    near = round(0.012 * loop.rate)
    before, after = (fade.reach, 0) if fade.side == "lead-in" else (0, fade.reach)
    here = _deviation(loop, np.arange(-before - near, after + near, round(_HOP_SECONDS * loop.rate)))
    about = np.arange(-round(0.03 * loop.rate), round(0.03 * loop.rate), round(_HOP_SECONDS * loop.rate))
    own = _deviation(loop, (beat_frames(loop.frames, beats)[1:, None] + about).ravel())
    return float(here.max() / max(own.max(), 1e-9))


def _deviation(loop: Audio, centres: NDArray[np.int64]) -> NDArray[np.float64]:
    """How far each spectrum is from the last one turned on by the last phase advance, over both channels' energy."""
    n, hop = round(_WINDOW_SECONDS * loop.rate), round(_HOP_SECONDS * loop.rate)
    window = np.hanning(n)[:, None]
    spectra = [
        np.fft.rfft(np.take(loop.samples, at, axis=0, mode="wrap") * window, axis=1)
        for at in (centres[:, None] + np.arange(n) - n // 2 + shift for shift in (-2 * hop, -hop, 0))
    ]
    expected = np.abs(spectra[1]) * np.exp(1j * (2 * np.angle(spectra[1]) - np.angle(spectra[0])))
    silence = 1e-3 * n * np.sum(window**2) * float(np.mean(loop.samples**2))
    energy = sum(np.sum(np.abs(s) ** 2, axis=(1, 2)) for s in spectra[1:]) + silence + 1e-12
    return np.asarray(np.sqrt(np.sum(np.abs(spectra[2] - expected) ** 2, axis=(1, 2)) / energy))
