"""Which beat is one: how often beat, half-bar and bar are right, ours beside others' on the same takes.

Real loops are tiled, started at random places and played steadily or swaying by 1.2%; grooves and takes of the embedded
engine come from seeds that nothing was developed on. Tempos are asked for within 4% of the truth, and once more for a
third of the takes anywhere within half an octave. Takes of one loop count as one: their mean, then the mean of loops.

- *tempo*: within 1% of the true one; *cell*: and the sixteenths within 20 ms, whichever is called the beat;
- *beat*, *half*, *bar*: beats, half-bars and downbeats within 50 ms of the truth, by the median over the take; a loop
  shorter than a bar is held to its own length;
- the range after ours: Jeffreys' 90% interval of a binomial with as many trials as loops.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any
from unittest.mock import patch

import numpy as np
from scipy.stats import beta

from loopgen.engines.base import listener_missing
from loopgen.looping import track as tracking
from loopgen.music.tempo import counted
from tests.bench.judge import Verdict, judge
from tests.bench.options import Options
from tests.bench.takes import KnownTake, known_takes, requested, synthetic_take
from tests.bench.trackers import (
    Tracker,
    beat_this,
    greatest_flux,
    librosa_default,
    librosa_start,
    librosa_told,
    ours,
    ours_and_beat_this,
    ours_before,
)  # fmt: skip

METHODS: dict[str, Tracker] = {
    "loopgen": ours,
    "before": ours_before,
    "greatest flux": greatest_flux,
    "librosa": librosa_default,
    "librosa, start_bpm": librosa_start,
    "librosa, bpm": librosa_told,
}
WITH_BEAT_THIS: dict[str, Tracker] = {"beat_this": beat_this, "loopgen and beat_this": ours_and_beat_this}
"""``before``: the method before the net. librosa knows no bars: its first beat is taken to start one."""

SEED = 90_001
"""Of the takes: nothing was trained or chosen on them."""

NEAR, FAR = 0.04, 0.5
"""How far from the truth a tempo is asked for: relative, and octaves."""

ASPECTS = ("tempo", "cell", "beat", "half", "bar")
BINS = (0.0, 0.2, 0.4, 0.5, 0.6, 0.8, 0.9, 1.0)
SURE, UNSURE = 0.8, 0.5
WORST = 12

STAGES = {
    "signal and flux": ("analysis_signal", "signal_flux"),
    "attacks": ("attacks",),
    "fits of the tempo": ("likely_grids", "repeated_bar"),
    "features and net": ("listen", "bar_phase"),
}
"""What ``loopgen.looping.track`` calls, by stage."""


@dataclass(frozen=True, slots=True)
class Case:
    """A take asked for at a tempo, without its audio: what it is of, and what each method made of it."""

    loop: str
    source: str
    kind: str
    meter: str
    is_far: bool
    verdicts: Mapping[str, Verdict]


def run(options: Options) -> None:
    """Print rates by material and method, then how far confidence can be believed, the time, and the worst."""
    if options.audio is None:
        print("(no --audio DIR: synthetic grooves and the engine's takes only)")
    if reason := listener_missing():
        print(f"(beat_this cannot be asked: {reason})")
    methods = METHODS if reason else METHODS | WITH_BEAT_THIS
    spent: dict[str, float] = defaultdict(float)
    heard = 0.0
    guessed = set()
    cases = []
    for take, bpm, is_far in asked(options):
        verdicts = {}
        for name, method in methods.items():
            begin = time.process_time()
            grid = method(take, bpm)
            spent[name] += time.process_time() - begin
            verdicts[name] = judge(take, grid)
        heard += take.audio.seconds
        guessed |= {take.loop} if take.guessed else set()
        cases.append(Case(take.loop, take.source, take.kind, str(take.meter), is_far, verdicts))
    if guessed:
        print(f"({counted(len(guessed), 'loop')} without a label: beats guessed from the length)")
    for title, members in groups(cases):
        _rates(title, members)
    _calibration(cases)
    _worst([case for case in cases if case.source == "real"] or cases)
    print("time of the processor for a take of 30 s")
    for name, seconds in spent.items():
        print(f"  {name:<22}{30 * seconds / heard:>6.2f} s")
    _stages()


def asked(options: Options) -> Iterator[tuple[KnownTake, Fraction, bool]]:
    """Takes with the tempo that is asked for, and whether that is far away."""
    rng = np.random.default_rng(SEED)
    for number, take in enumerate(known_takes(options, offsets=2, synthetic=120, engine=45, seed=SEED)):
        yield take, requested(take, rng, NEAR), False
        if number % 3 == 0:
            far = min(900.0, max(21.0, take.bpm * 2 ** rng.uniform(-FAR, FAR)))
            yield take, Fraction(f"{far:.2f}"), True


def groups(cases: Iterable[Case]) -> list[tuple[str, list[Case]]]:
    """Cases by source and kind, grooves of several meters also by meter; those asked for far away by source."""
    found: dict[tuple[str, ...], list[Case]] = defaultdict(list)
    meters: dict[tuple[str, str], set[str]] = defaultdict(set)
    for case in cases:
        if case.is_far:
            found[case.source, "asked for far away"].append(case)
            continue
        meters[case.source, case.kind].add(case.meter)
        found[case.source, case.kind].append(case)
        found[case.source, case.kind, case.meter].append(case)
    return [
        (", ".join(key), found[key])
        for key in sorted(found, key=lambda key: (("real", "synthetic", "engine").index(key[0]), *key[1:]))
        if len(key) == 2 or (key[1] == "groove" and len(meters[key[0], key[1]]) > 1)
    ]


def rate(cases: Iterable[Case], method: str, aspect: str) -> tuple[float, int]:
    """Share that is right, every loop weighing the same, and the number of loops."""
    loops: dict[str, list[bool]] = defaultdict(list)
    for case in cases:
        loops[case.loop].append(getattr(case.verdicts[method], aspect))
    return statistics.fmean(statistics.fmean(right) for right in loops.values()), len(loops)


def interval(share: float, trials: int) -> tuple[float, float]:
    """Jeffreys' 90% interval of a share among so many trials, which may be a mean of shares.

    >>> [round(end, 2) for end in interval(0.5, 10)], interval(1.0, 10)[1]
    ([0.26, 0.74], 1.0)
    """
    right, wrong = share * trials, (1 - share) * trials
    low = 0.0 if right == 0 else float(beta.ppf(0.05, right + 0.5, wrong + 0.5))
    return low, 1.0 if wrong == 0 else float(beta.ppf(0.95, right + 0.5, wrong + 0.5))


def _rates(title: str, cases: Sequence[Case]) -> None:
    loops = len({case.loop for case in cases})
    print(f"\n{f'{title}: {loops} ({len(cases)})':<44}" + "".join(f"{aspect:>7}" for aspect in ASPECTS))
    for name in cases[0].verdicts:
        shares = [rate(cases, name, aspect) for aspect in ASPECTS]
        line = f"  {name:<42}" + "".join(f"{share:>7.0%}" for share, _ in shares)
        if name == "loopgen":
            ranges = [interval(share, trials) for share, trials in shares[-3:]]  # of beat, half and bar
            line += "   90%: " + ", ".join(f"{100 * low:.0f} to {100 * high:.0f}" for low, high in ranges)
        print(line)


def _calibration(cases: Sequence[Case]) -> None:
    """How far ours can be believed, real loops apart; all takes, every one counting alike."""
    parts = {
        "real": [case.verdicts["loopgen"] for case in cases if case.source == "real"],
        "synthetic and engine": [case.verdicts["loopgen"] for case in cases if case.source != "real"],
    }
    parts = {name: verdicts for name, verdicts in parts.items() if verdicts}
    claims = (("beat", "confidence"), ("bar", "bar_confidence"))
    print("\nright of those that claim so much" + "".join(f"   {name:^22}" for name in parts))
    print(f"{'':<33}" + f"   {'beat':>11}{'bar':>11}" * len(parts))
    for low, high in pairwise(BINS):
        line = f"  {low:.1f} to {high:.1f}{'':<21}"
        for verdicts in parts.values():
            line += "   "
            for aspect, claim in claims:
                right = [getattr(v, aspect) for v in verdicts if low <= getattr(v, claim) < high + (high == 1)]
                line += f"{f'{sum(right)}/{len(right)}':>11}"
        print(line)
    for name, verdicts in parts.items():
        print(f"{name}: {counted(len(verdicts), 'take')}")
        for aspect, claim in claims:
            sure = [getattr(v, aspect) for v in verdicts if getattr(v, claim) >= SURE]
            share = f"{len(sure) / len(verdicts):.0%}"
            print(f"  {aspect}: {share} claim {SURE} and more; {sum(sure)} of {len(sure)} right")
        for title, members in (
            (f"bar below {UNSURE}", [v for v in verdicts if v.bar_confidence < UNSURE]),
            ("bar, all", verdicts),
        ):
            print(f"  {title}: {second_chance(members)}")
    print()


def second_chance(verdicts: Sequence[Verdict]) -> str:
    """How often beat 1 is right, the rival is, and one of the two."""
    first = sum(v.bar for v in verdicts)
    named = [v for v in verdicts if v.rival is not None]
    rival = sum(bool(v.rival) for v in named)
    either = sum(v.bar or bool(v.rival) for v in verdicts)
    count = len(verdicts)
    return (
        f"{first} of {count} right; the rival in {rival} of {len(named)} that name one; either in {either} of {count}"
    )


def _worst(cases: Sequence[Case]) -> None:
    """Loops that are wrong although sure: what would mislead a user most."""
    found: dict[tuple[str, str, str], list[Verdict]] = defaultdict(list)
    for case in cases:
        found[case.loop, case.kind, case.meter].append(case.verdicts["loopgen"])
    wrong = {key: [v for v in verdicts if not v.bar] for key, verdicts in found.items()}
    order = sorted(wrong, key=lambda key: -sum(v.bar_confidence for v in wrong[key]) / len(found[key]))
    shown = [key for key in order if wrong[key]][:WORST]
    if shown:
        print("wrong although most sure: loop, takes with beat and bar right, what the wrong ones claim for the bar")
    for key in shown:
        verdicts, claimed = found[key], [v.bar_confidence for v in wrong[key]]
        right = f"{sum(v.beat for v in verdicts)} and {sum(v.bar for v in verdicts)} of {len(verdicts)}"
        print(f"  {key[0][-44:]:<46}{key[1]:<8}{key[2]:<6}{right:<14}{statistics.fmean(claimed):.2f}")
    print()


def _stages(seconds: float = 30.0, turns: int = 5) -> None:
    """Where ours spends its time on one take: wall clock, the median of several turns after a first one."""
    take = synthetic_take(1, seconds=seconds, seed=SEED)
    bpm = Fraction(f"{take.bpm:.2f}")
    runs = []
    for _ in range(turns + 1):
        clock: dict[str, float] = defaultdict(float)
        with ExitStack() as stack:
            for stage, names in STAGES.items():
                for name in names:
                    timed = _timed(getattr(tracking, name), clock, stage)
                    stack.enter_context(patch.object(tracking, name, timed))
            begin = time.perf_counter()
            tracking.track(take.audio, bpm, take.meter)
            clock["all of it"] = time.perf_counter() - begin
        runs.append(clock)
    print(f"stages of ours, a take of {seconds:.0f} s")
    for stage in (*STAGES, "all of it"):
        print(f"  {stage:<22}{1e3 * statistics.median(run[stage] for run in runs[1:]):>6.0f} ms")


def _timed(function: Callable[..., Any], clock: dict[str, float], stage: str) -> Callable[..., Any]:
    def call(*args: Any, **options: Any) -> Any:
        begin = time.perf_counter()
        try:
            return function(*args, **options)
        finally:
            clock[stage] += time.perf_counter() - begin

    return call
