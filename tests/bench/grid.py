"""How well the tracker finds period, beat and bar of takes whose grid is known, beside librosa and a plain fold.

- *period*: relative error of the mean beat, over the steady takes whose beats are at the right level;
- *map*: 95% of the beats lie within so many ms of the truth once their common offset is removed, wobbling takes;
- *beat*, *half*, *bar*: beats, half-bars and downbeats within 50 ms of the truth (by the median over the take).
"""

from __future__ import annotations

import time
import warnings
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

from loopgen.looping.track import track
from loopgen.music.beats import BeatGrid
from loopgen.onsets import band_flux
from tests.bench.options import Options
from tests.bench.takes import KnownTake, known_takes, requested

TOLERANCE_SECONDS = 0.05
BINS = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a grid got right; ``period`` is the relative error, ``map_ms`` the 95% deviation of its beats."""

    period: float
    map_ms: float
    beat: bool
    half: bool
    bar: bool
    confidence: float
    bar_confidence: float


Tracker = Callable[[KnownTake, Fraction], BeatGrid]


def ours(take: KnownTake, bpm: Fraction) -> BeatGrid:
    return track(take.audio, bpm, take.meter)


def told_downbeat(take: KnownTake, bpm: Fraction) -> BeatGrid:
    """The user names a downbeat, give or take 15 ms."""
    inside = take.grid.downbeats[take.grid.downbeats > 0.5]
    return track(take.audio, bpm, take.meter, downbeat=float(inside[0]) + 0.015 * (-1) ** len(take.name))


def told_grid(take: KnownTake, bpm: Fraction) -> BeatGrid:
    return track(take.audio, bpm, take.meter, known=take.grid)


def greatest_flux(take: KnownTake, bpm: Fraction) -> BeatGrid:
    """Our own beats, moved to the sixteenth and beat where most begins."""
    grid = ours(take, bpm)
    flux = band_flux(take.audio)
    curve = flux.novelty()
    cells = round(4 * float(take.meter.beat_quarters))
    count = cells * take.meter.beats
    number = np.arange(cells * (len(grid.beats) - 1))
    times = np.interp(number / cells, np.arange(len(grid.beats)), grid.beats)
    frames = np.clip(np.round((times - flux.start) / flux.hop).astype(int), 0, len(curve) - 1)
    strength = np.bincount(number % count, curve[frames], minlength=count)
    by_beat = [strength[k::cells].sum() for k in range(cells)]
    beat = int(np.argmax(by_beat))
    bar = int(np.argmax(strength[beat::cells]))
    beats = grid.beats + np.diff(grid.beats, append=2 * grid.beats[-1] - grid.beats[-2]) * beat / cells
    return BeatGrid(beats, take.meter, bar, 0.0, 0.0)


def librosa_default(take: KnownTake, bpm: Fraction) -> BeatGrid:
    return _librosa(take)


def librosa_told(take: KnownTake, bpm: Fraction) -> BeatGrid:
    return _librosa(take, start_bpm=float(bpm / take.meter.beat_quarters))


def _librosa(take: KnownTake, **tempo: Any) -> BeatGrid:
    """Its beats; the first one is taken to start the bar, for it knows no bars."""
    import librosa

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, beats = librosa.beat.beat_track(y=take.audio.mono(), sr=take.audio.rate, units="time", **tempo)
    if len(beats) < 2:
        beats = np.array([0.0, 1.0])
    return BeatGrid(beats, take.meter, 0, 0.0, 0.0)


METHODS: dict[str, Tracker] = {
    "loopgen": ours,
    "loopgen, user's downbeat": told_downbeat,
    "loopgen, engine's grid": told_grid,
    "greatest flux": greatest_flux,
    "librosa": librosa_default,
    "librosa, start_bpm": librosa_told,
}


def judge(take: KnownTake, grid: BeatGrid) -> Verdict:
    """Compare a grid with the truth."""
    inside = grid.beats[(grid.beats > 0) & (grid.beats < take.audio.seconds)]
    places = take.grid.position(inside if len(inside) > 2 else grid.beats)
    number = np.arange(len(places))
    slope = float((places[-1] - places[0]) / (len(places) - 1))
    beat = take.grid.period
    offset = places - number
    middle = float(np.median(offset))
    map_ms = 1e3 * beat * float(np.percentile(np.abs(offset - middle), 95))
    level = abs(slope - 1) < 0.01
    right_beat = level and abs((middle + 0.5) % 1 - 0.5) * beat < TOLERANCE_SECONDS
    downbeats = take.grid.position(grid.downbeats) - take.grid.downbeat

    def right_every(beats: int) -> bool:
        away = (downbeats + beats / 2) % beats - beats / 2
        return right_beat and bool(np.median(np.abs(away)) * beat < TOLERANCE_SECONDS)

    half = take.bar_beats // 2 if take.bar_beats % 2 == 0 else take.bar_beats
    return Verdict(
        abs(slope - 1), map_ms, right_beat, right_every(half), right_every(take.bar_beats), grid.confidence,
        grid.downbeat_confidence,
    )  # fmt: skip


def run(options: Options) -> None:
    """Print the figures by kind and source, then how far the confidence can be believed."""
    takes = list(known_takes(options, offsets=2, synthetic=90, engine=45))
    if options.audio is None:
        print("(no --audio DIR: synthetic grooves and the engine's takes only)")
    rng = np.random.default_rng(3)
    asked = [requested(take, rng) for take in takes]
    verdicts: dict[str, list[Verdict]] = {}
    print(f"{len(takes)} takes, tempos asked for within 4% of the true ones\n")
    header = f"{'method':<26}{'source':<11}{'kind':<8}{'takes':>5}{'period 50%':>12}{'95%':>9}{'map 95%':>10}"
    print(header + f"{'beat':>7}{'half':>6}{'bar':>6}")
    for name, method in METHODS.items():
        begin = time.process_time()
        verdicts[name] = [judge(take, method(take, bpm)) for take, bpm in zip(takes, asked, strict=True)]
        spent = (time.process_time() - begin) / sum(take.audio.seconds for take in takes)
        _table(name, takes, verdicts[name])
        print(f"{'':<26}{30 * spent:.2f} s of processor for a take of 30 s\n")
    _calibration(takes, verdicts["loopgen"])
    _halves(takes, verdicts["loopgen"])
    _far(takes[:: max(1, len(takes) // 60)])


def _table(name: str, takes: list[KnownTake], verdicts: list[Verdict]) -> None:
    groups = defaultdict(list)
    for take, verdict in zip(takes, verdicts, strict=True):
        groups[take.source, take.kind].append((take, verdict))
    for (source, kind), members in sorted(groups.items()):
        steady = [v.period for take, v in members if not take.wobble and v.period < 0.01]
        bent = [v.map_ms for take, v in members if take.wobble and v.period < 0.01]
        rates = [float(np.mean([getattr(v, which) for _, v in members])) for which in ("beat", "half", "bar")]
        period = (np.median(steady), np.percentile(steady, 95)) if steady else (np.nan, np.nan)
        print(
            f"{name:<26}{source:<11}{kind:<8}{len(members):>5}{period[0]:>12.1e}{period[1]:>9.1e}"
            f"{np.median(bent) if bent else np.nan:>7.2f} ms" + "".join(f"{r:>6.0%}" for r in rates).replace("%", "% ")
        )
        name = ""


def _calibration(takes: list[KnownTake], verdicts: list[Verdict]) -> None:
    print("how far the confidence can be believed (right / claimed so)")
    print(f"{'confidence':<14}{'beat':>12}{'bar':>12}      real only: {'beat':>10}{'bar':>10}")
    for low, high in pairwise(BINS):
        cells = []
        for sources in (("real", "synthetic", "engine"), ("real",)):
            chosen = [v for take, v in zip(takes, verdicts, strict=True) if take.source in sources]
            for claim, truth in (("confidence", "beat"), ("bar_confidence", "bar")):
                members = [getattr(v, truth) for v in chosen if low <= getattr(v, claim) < high + (high == 1)]
                cells.append(f"{sum(members)}/{len(members)}")
        print(f"{low:.1f} to {high:.1f}   {cells[0]:>13}{cells[1]:>12}{'':>17}{cells[2]:>10}{cells[3]:>10}")
    for sources in (("real", "synthetic", "engine"), ("real",)):
        chosen = [v for take, v in zip(takes, verdicts, strict=True) if take.source in sources]
        beats = [v.beat for v in chosen if v.confidence >= 0.8]
        bars = [v.bar for v in chosen if v.bar_confidence >= 0.8]
        if beats or bars:
            print(
                f"at 0.8 and more, {' + '.join(sources)}: beat {sum(beats)}/{len(beats)}, bar {sum(bars)}/{len(bars)}"
            )
    print()


def _halves(takes: list[KnownTake], verdicts: list[Verdict]) -> None:
    """Real loops split by their names: the half looked at in development, and the one kept aside."""
    for held_out in (False, True):
        chosen = [
            v for take, v in zip(takes, verdicts, strict=True)
            if take.source == "real" and take.kind == "groove" and take.held_out == held_out
        ]  # fmt: skip
        if chosen:
            rates = [float(np.mean([getattr(v, which) for v in chosen])) for which in ("beat", "half", "bar")]
            name = "kept aside" if held_out else "seen in development"
            figures = f"beat {rates[0]:.0%}, half {rates[1]:.0%}, bar {rates[2]:.0%}"
            print(f"real grooves {name:<20}{len(chosen):>4} takes: {figures}")
    print()


def _far(takes: list[KnownTake]) -> None:
    """Tempos asked for anywhere within half an octave: the grid must still be the take's own, at that level."""
    rng = np.random.default_rng(4)
    right = 0
    for take in takes:
        bpm = Fraction(f"{min(900, max(21, take.bpm * 2 ** rng.uniform(-0.5, 0.5))):.2f}")
        octaves = np.log2(track(take.audio, bpm, take.meter).bpm / take.bpm)
        right += abs(octaves - round(octaves)) < 0.01
    print(f"tempo found (or its octave) when any other within half an octave was asked for: {right}/{len(takes)}")
