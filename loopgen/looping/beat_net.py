"""The small network that tells where bars begin, in numpy; ``loopgen.training`` makes its weights.

::

    (cells, CHANNELS) ── 1x1, dilated convolutions in time ── folded into one bar: mean and maximum over the bars
                       ── circular convolutions in the bar, told the meter ──> evidence for each cell of the bar

Turning the bar turns the answer and nothing else, so no cell is favoured by its number. The evidence of several grids
for the same take is comparable: the network learned on rivalling grids, so it also judges tempo and sixteenths.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loopgen.music.tempo import Meter
from loopgen.onsets import BAND_EDGES

Wave = NDArray[np.float32]
Weights = dict[str, Wave]

WEIGHTS, CARD = "beat_net.npz", "beat_net.md"
CLIP = 4.0
"""Features are held within this: what is louder tells no more."""

DILATIONS, TURNS = (1, 2, 4, 8, 16), (1, 2, 4)
"""Of the convolutions in time (3 cells wide) and around the bar (5 cells wide)."""

METER_TRAITS = 5


def meter_traits(meter: Meter) -> Wave:
    """What the network is told of a meter: shape ``(METER_TRAITS,)``, from 0 to about 1.

    >>> meter_traits(Meter(4, 4)).tolist(), meter_traits(Meter(6, 8)).tolist()
    ([1.0, 1.0, 0.0, 0.0, 0.0], [0.75, 0.0, 1.0, 0.0, 0.0])
    """
    shorter = meter.denominator > 4
    compound = shorter and meter.numerator % 3 == 0 and meter.numerator > 3
    odd = not shorter and meter.numerator % 2 == 1
    traits = [float(meter.quarters) / 4, not shorter, compound, shorter and not compound, odd]
    return np.array(traits, dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """What the evidence is divided by before it is called a logarithm of probabilities.

    One instrument alone can play the off-beats throughout and sound as if on them, so that evidence is worth less
    there. Whether a take is a full groove is told by how much begins in each band, a logistic regression on
    ``fullness``'s traits.

    Attributes:
        full, alone: temperatures of full grooves and of instruments alone.
        weights: of the traits, then a constant; shape ``(TRAITS + 1,)``, float64.
    """

    full: float
    alone: float
    weights: NDArray[np.float64]

    def temperature(self, features: Wave) -> float:
        """Between the two, by how probable it is that a take with these features is a full groove."""
        share = 1 / (1 + np.exp(-float(self.weights[:-1] @ fullness(features) + self.weights[-1])))
        return float(self.full**share * self.alone ** (1 - share))


def fullness(features: Wave) -> NDArray[np.float64]:
    """Flux that half, a fifth and a twenty-fifth of the cells exceed in each band, compressed: shape ``(TRAITS,)``."""
    begun = np.clip(features[:, 3 * len(BAND_EDGES) : 4 * len(BAND_EDGES)], -CLIP, CLIP)
    return np.log1p(np.percentile(begun, (50, 80, 96), axis=0)).ravel().astype(np.float64)


TRAITS = 3 * len(BAND_EDGES)


@cache
def _stored() -> tuple[tuple[Weights, ...], Calibration]:
    with (files("loopgen.looping") / WEIGHTS).open("rb") as file, np.load(file) as stored:
        members: list[Weights] = [{} for _ in range(int(stored["members"]))]
        for name in stored.files:
            number, _, layer = name.partition(".")
            if layer:
                members[int(number)][layer] = stored[name].astype(np.float32)
        return tuple(members), Calibration(float(stored["full"]), float(stored["alone"]), stored["fullness"])


def calibration() -> Calibration:
    """That of the weights that loopgen brings."""
    return _stored()[1]


def packed(members: Sequence[Mapping[str, NDArray[np.float16]]], calibrated: Calibration) -> bytes:
    """The file that loopgen brings, of an ensemble; the same bytes for the same weights."""
    arrays: dict[str, NDArray[Any]] = {
        "members": np.array(len(members)),
        "full": np.array(calibrated.full),
        "alone": np.array(calibrated.alone),
        "fullness": calibrated.weights,
    }
    arrays |= {f"{k}.{name}": member[name] for k, member in enumerate(members) for name in sorted(member)}
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, **arrays)
    return stream.getvalue()


def bar_evidence(
    features: Sequence[Wave], first: Sequence[int], meter: Meter, members: tuple[Weights, ...] | None = None
) -> NDArray[np.float64]:
    """Evidence (log-probability up to a constant) that a bar begins at each cell of each of several grids.

    Args:
        features: of each grid's cells, shape ``(n, CHANNELS)``.
        first: number of each grid's first cell, counted so that cell k and cell k + bar are alike.
        meter: of the take.
        members: networks to ask; those that loopgen brings by default.

    Returns:
        Shape ``(grids, cells of the bar)``.
    """
    bar = round(4 * meter.quarters)
    traits = meter_traits(meter)
    members = members or _stored()[0]
    rows = [
        np.mean([_evidence(w, x, start % bar, bar, traits) for w in members], axis=0)
        for x, start in zip(features, first, strict=True)
    ]
    return np.asarray(rows, dtype=np.float64)


def _evidence(w: Weights, features: Wave, first: int, bar: int, traits: Wave) -> Wave:
    x = _silu(w["enter.weight"] @ np.clip(features, -CLIP, CLIP).T + w["enter.bias"][:, None])
    for k, dilation in enumerate(DILATIONS):
        heard = _silu(_convolved(x, w[f"time.{k}.weight"], w[f"time.{k}.bias"], dilation))
        x = x + w[f"mix.{k}.weight"] @ heard + w[f"mix.{k}.bias"][:, None]
    folded = _folded(x, first, bar)
    told = np.broadcast_to(traits[:, None], (len(traits), bar))
    z = _silu(w["fold.weight"] @ np.concatenate([folded, told]) + w["fold.bias"][:, None])
    for k, dilation in enumerate(TURNS):
        z = z + _silu(_turned(z, w[f"turn.{k}.weight"], w[f"turn.{k}.bias"], dilation))
    return np.asarray((w["leave.weight"] @ z)[0])


def _folded(x: Wave, first: int, bar: int) -> Wave:
    """Mean and maximum over all bars: ``(channels, n)`` -> ``(2 * channels, bar)``; 0 where a cell is never heard."""
    bars = -(-(first + x.shape[1]) // bar)
    filled = np.full((len(x), bars * bar), np.nan, dtype=np.float32)
    filled[:, first : first + x.shape[1]] = x
    cube = filled.reshape(len(x), bars, bar)
    present = ~np.isnan(cube)
    count = np.maximum(1, present.sum(axis=1))
    mean = np.where(present, cube, 0).sum(axis=1) / count
    most = np.where(present, cube, -np.inf).max(axis=1)
    return np.asarray(np.concatenate([mean, np.where(np.isfinite(most), most, 0)]), dtype=np.float32)


def _convolved(x: Wave, kernel: Wave, bias: Wave, dilation: int) -> Wave:
    """Convolution over time with zeros beyond the ends; ``kernel`` has shape ``(out, in, width)``."""
    width = kernel.shape[2]
    padded = np.pad(x, ((0, 0), (dilation * (width // 2),) * 2))
    taps = (kernel[:, :, j] @ padded[:, j * dilation : j * dilation + x.shape[1]] for j in range(width))
    return np.asarray(sum(taps) + bias[:, None])


def _turned(z: Wave, kernel: Wave, bias: Wave, dilation: int) -> Wave:
    """Convolution around the bar."""
    middle = kernel.shape[2] // 2
    taps = (kernel[:, :, j] @ np.roll(z, (middle - j) * dilation, axis=1) for j in range(kernel.shape[2]))
    return np.asarray(sum(taps) + bias[:, None])


def _silu(x: Wave) -> Wave:
    return np.asarray(x / (1 + np.exp(-np.clip(x, -60, 60))))
