"""How well the tracker finds the period of takes whose grid is known, beside librosa; ``tracker`` has beat and bar.

- *period*: relative error of the mean beat, over the steady takes whose beats are at the right level;
- *map*: 95% of the beats lie within so many ms of the truth once their common offset is removed, wobbling takes;
- *beat*, *half*, *bar*: beats, half-bars and downbeats within 50 ms of the truth (by the median over the take), every
  take counting alike; where the user or the engine says where a bar starts, they are to be right.
"""

from __future__ import annotations

import time
from collections import defaultdict
from fractions import Fraction

import numpy as np

from loopgen.looping.track import track
from tests.bench.judge import Verdict, judge
from tests.bench.options import Options
from tests.bench.takes import KnownTake, known_takes, requested
from tests.bench.trackers import Tracker, librosa_default, librosa_start, ours, told_downbeat, told_grid

METHODS: dict[str, Tracker] = {
    "loopgen": ours,
    "loopgen, user's downbeat": told_downbeat,
    "loopgen, engine's grid": told_grid,
    "librosa": librosa_default,
    "librosa, start_bpm": librosa_start,
}


def run(options: Options) -> None:
    """Print the figures by kind and source, then whether tempos far from the one asked for are found."""
    takes = list(known_takes(options, offsets=2, synthetic=90, engine=45))
    if options.audio is None:
        print("(no --audio DIR: synthetic grooves and the engine's takes only)")
    rng = np.random.default_rng(3)
    asked = [requested(take, rng) for take in takes]
    print(f"{len(takes)} takes, tempos asked for within 4% of the true ones\n")
    header = f"{'method':<26}{'source':<11}{'kind':<8}{'takes':>5}{'period 50%':>12}{'95%':>9}{'map 95%':>10}"
    print(header + f"{'beat':>7}{'half':>6}{'bar':>6}")
    for name, method in METHODS.items():
        begin = time.process_time()
        verdicts = [judge(take, method(take, bpm)) for take, bpm in zip(takes, asked, strict=True)]
        spent = (time.process_time() - begin) / sum(take.audio.seconds for take in takes)
        _table(name, takes, verdicts)
        print(f"{'':<26}{30 * spent:.2f} s of processor for a take of 30 s\n")
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


def _far(takes: list[KnownTake]) -> None:
    """Tempos asked for anywhere within half an octave: the grid must still be the take's own, at that level."""
    rng = np.random.default_rng(4)
    right = 0
    for take in takes:
        bpm = Fraction(f"{min(900, max(21, take.bpm * 2 ** rng.uniform(-0.5, 0.5))):.2f}")
        octaves = np.log2(track(take.audio, bpm, take.meter).bpm / take.bpm)
        right += abs(octaves - round(octaves)) < 0.01
    print(f"tempo found (or its octave) when any other within half an octave was asked for: {right}/{len(takes)}")
