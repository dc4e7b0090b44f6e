"""Examples to learn from: a piece is played, roughened, heard as any take is, and the right grid and cell are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loopgen.looping.beat_net import CLIP
from loopgen.looping.cell_features import listen
from loopgen.looping.phase import THIRDS, grid_features
from loopgen.looping.tempo_fit import likely_grids
from loopgen.music.tempo import Meter
from loopgen.onsets import attacks, signal_flux
from loopgen.training.compose import compose
from loopgen.training.degrade import degrade
from loopgen.training.render import render

RATE = 24_000
KINDS = ("groove", "stem")
"""Several voices, and one instrument alone."""

SECONDS = (8.0, 22.0)
WOBBLE = 0.012
_ASKED_NEAR, _ASKED_FAR = 0.04, 0.5
"""How far the requested tempo is from the true one: mostly within this share, sometimes within so many octaves."""
_FAR_SHARE = 0.15
_WOBBLE_SHARE = 0.3
_LEAST_ATTACKS = 4
_OTHERS = 2
"""Grids at wrong tempos that an example holds at most."""
_BENT = 0.6
"""By how many cells the bar lines may stray from a grid that is right."""


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A take as the network hears it, and the truth.

    Attributes:
        meter: of the piece.
        features: of each grid that is asked, float16, shape ``(cells, CHANNELS)``.
        first: number of each grid's first cell.
        grid, cell: which grid is right, and which of the bar's cells begins its bars.
        style, kind: of the piece: what is played, and ``groove`` or ``stem``.
        rough: whether the sound was roughened.
    """

    meter: Meter
    features: tuple[NDArray[np.float16], ...]
    first: tuple[int, ...]
    grid: int
    cell: int
    style: str
    kind: str
    rough: bool


def examples(seed: int, number: int) -> list[Example | None]:
    """The ``number``-th piece of a set, clean and roughened; ``None`` where no likely grid is right."""
    rng = np.random.default_rng([seed, number])
    music = compose(rng)
    seconds = float(rng.uniform(*SECONDS))
    wobble = float(rng.uniform(0, WOBBLE)) if rng.random() < _WOBBLE_SHARE else 0.0
    played = render(music, rng, seconds=seconds, rate=RATE, wobble=wobble)
    quarter = 60 / float(music.bpm) * (1 + rng.uniform(-_ASKED_NEAR, _ASKED_NEAR))
    if rng.random() < _FAR_SHARE:
        quarter = 60 / float(music.bpm) * 2 ** rng.uniform(-_ASKED_FAR, _ASKED_FAR)
    voices = len({hit.drum for hit in music.hits}) + len({note.part for note in music.notes})
    kind = KINDS[0] if voices > 1 else KINDS[1]
    truth = played.downbeats, quarter, music.meter, music.style, kind
    return [
        _example(played.audio, *truth, rough=False, rng=rng),
        _example(degrade(played.audio, rng, RATE), *truth, rough=True, rng=rng),
    ]


def _example(
    mono: NDArray[np.float32], downbeats: NDArray[np.float64], quarter: float, meter: Meter, style: str, kind: str, *,
    rough: bool, rng: np.random.Generator,
) -> Example | None:  # fmt: skip
    seconds = len(mono) / RATE
    flux = signal_flux(mono, RATE)
    onsets = attacks(mono, RATE, flux)
    if len(onsets) < _LEAST_ATTACKS:
        return None
    grids = likely_grids(flux, onsets, quarter, meter, seconds)
    asked = [(k, each.times + third / 3 * each.cell) for k, each in enumerate(grids) for third in THIRDS]
    inside = downbeats[(downbeats > 0) & (downbeats < seconds)]
    bar = round(4 * meter.quarters)
    away = [_missed(inside, times, bar) for _, times in asked]
    best = min(range(len(asked)), key=lambda k: away[k][0])
    if away[best][0] > 0.25:
        return None
    others = [k for k, (tempo, _) in enumerate(asked) if tempo != asked[best][0]]
    kept = [k for k, (tempo, _) in enumerate(asked) if tempo == asked[best][0]]
    kept += sorted(int(k) for k in rng.choice(others, min(_OTHERS, len(others)), replace=False)) if others else []
    heard = listen(mono, RATE, flux)
    features, first = zip(*(grid_features(heard, asked[k][1], seconds) for k in kept), strict=True)
    halves = tuple(np.clip(each, -CLIP, CLIP).astype(np.float16) for each in features)
    return Example(meter, halves, tuple(first), kept.index(best), away[best][1], style, kind, rough)


def _missed(downbeats: NDArray[np.float64], times: NDArray[np.float64], bar: int) -> tuple[float, int]:
    """How far, in cells, the bar lines lie from a grid's cells, and which of its cells they are; inf where it bends."""
    places = np.interp(downbeats, times, np.arange(len(times)))
    places -= bar * np.arange(len(places))
    if not len(places) or np.ptp(places) > _BENT:
        return np.inf, 0
    middle = float(np.median(places))
    return abs(middle - round(middle)), round(middle) % bar
