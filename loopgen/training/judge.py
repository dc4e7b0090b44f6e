"""How good a network is on examples that it has not seen, and how far its confidence can be believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loopgen.looping.beat_net import Calibration, Weights, bar_evidence, fullness
from loopgen.looping.phase import THIRDS, confidences
from loopgen.training.examples import KINDS, Example

TEMPERATURES = np.geomspace(0.7, 3.0, 40)
CLAIM, KEPT = 0.8, 0.975
"""Of the beats that are said to be right with this probability or a greater one, this share shall be: more than the
0.95 that is promised, as recordings stray further than styles do that were held out."""

_RIDGE, _NEWTON_STEPS = 0.01, 30
_DIGITS = 6
"""Kept of the regression: the last ones depend on the order of sums, and so on the number of threads."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """An example, the network's evidence for it (``(grids, bar)``; grids of the right tempo, then others)."""

    example: Example
    evidence: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether beat, half-bar and bar were right, and what was claimed for beat and bar."""

    beat: bool
    half: bool
    bar: bool
    claim: float
    bar_claim: float


def asked(examples: Sequence[Example], members: tuple[Weights, ...]) -> list[Judged]:
    """What ``members`` find in ``examples``."""
    return [
        Judged(each, bar_evidence([x.astype(np.float32) for x in each.features], list(each.first), each.meter, members))
        for each in examples
    ]


def verdict(judged: Judged, temperature: float) -> Verdict:
    """The decision that ``loopgen.looping.phase`` would take, held against the truth."""
    example, evidence = judged.example, judged.evidence
    bar, step = evidence.shape[1], round(4 * example.meter.beat_quarters)
    known = len(THIRDS)
    score = np.full((1 + len(evidence) - known, known, bar), -np.inf)
    score[0] = evidence[:known]
    score[1:, 0] = evidence[known:]
    tempo, place, claim, bar_claim = confidences(score / temperature, step)
    true = 3 * example.cell + THIRDS[example.grid]
    right = tempo == 0

    def near(cells: int) -> bool:
        away = (place - true + 3 * cells // 2) % (3 * cells) - 3 * cells // 2
        return right and abs(away) <= 1

    half = bar // 2 if example.meter.beats % 2 == 0 else bar
    return Verdict(near(step), near(half), near(bar), claim, bar_claim)


def calibrated(judged: Sequence[Judged]) -> Calibration:
    """Temperatures that keep ``CLAIM`` as ``KEPT`` says, and how full grooves are told from instruments alone."""
    parts = {kind: [each for each in judged if each.example.kind == kind] for kind in KINDS}
    full, alone = (_temperature(parts[kind]) for kind in KINDS)
    traits = np.array([fullness(each.example.features[0].astype(np.float32)) for each in judged])
    is_full = np.array([each.example.kind == KINDS[0] for each in judged])
    return Calibration(full, max(full, alone), _logistic(traits, is_full))


def _temperature(judged: Sequence[Judged]) -> float:
    """The least temperature with which enough claims are kept; the greatest there is where none does."""
    for temperature in TEMPERATURES:
        sure = [v.beat for v in (verdict(each, float(temperature)) for each in judged) if v.claim >= CLAIM]
        if sure and np.mean(sure) >= KEPT:
            return float(temperature)
    return float(TEMPERATURES[-1])


def _logistic(traits: NDArray[np.float64], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Weights of a logistic regression and its constant, both classes counting alike; by Newton's method."""
    middle, spread = traits.mean(axis=0), traits.std(axis=0) + 1e-6
    design = np.column_stack([(traits - middle) / spread, np.ones(len(traits))])
    counts = np.where(truth, 0.5 / max(truth.mean(), 1e-3), 0.5 / max(1 - truth.mean(), 1e-3))
    weights = np.zeros(design.shape[1])
    for _ in range(_NEWTON_STEPS):
        share = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        slope = design.T @ (counts * (share - truth)) + _RIDGE * weights
        bend = (design * (counts * share * (1 - share))[:, None]).T @ design
        weights -= np.linalg.solve(bend + _RIDGE * np.eye(len(weights)), slope)
    told = np.append(weights[:-1] / spread, weights[-1] - (weights[:-1] / spread) @ middle)
    return np.asarray(np.round(told, _DIGITS))


def table(judged: Sequence[Judged], by: Calibration) -> list[str]:
    """Lines of a table: shares of beat, half-bar and bar by kind and meter, and what was claimed."""
    heading = ["examples", "count", "beat", "half-bar", "bar", f"beats claiming >= {CLAIM}", "of these right"]
    rows = [f"| {' | '.join(heading)} |", "|---" * len(heading) + "|"]
    groups: dict[str, list[Verdict]] = {}
    for each in judged:
        verdict_of = verdict(each, by.temperature(each.example.features[0].astype(np.float32)))
        roughness = "rough" if each.example.rough else "clean"
        meter = each.example.meter
        shown = str(meter) if (meter.numerator, meter.denominator) in COMMON else "other meters"
        for name in ("all", f"{each.example.kind}, {roughness}", shown):
            groups.setdefault(name, []).append(verdict_of)
    for name, verdicts in sorted(groups.items()):
        shares = [f"{np.mean([getattr(v, which) for v in verdicts]):.0%}" for which in ("beat", "half", "bar")]
        sure = [v.beat for v in verdicts if v.claim >= CLAIM]
        kept = f"{np.mean(sure):.1%}" if sure else "-"
        rows.append(f"| {name} | {len(verdicts)} | {' | '.join(shares)} | {len(sure) / len(verdicts):.0%} | {kept} |")
    return rows


COMMON = {(4, 4), (3, 4), (6, 8), (5, 4), (7, 8)}
