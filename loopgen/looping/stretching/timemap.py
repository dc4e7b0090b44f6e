"""Where each moment of a take belongs in the result."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import PchipInterpolator

from loopgen.music.audio import Samples

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class TimeMap:
    """Pairs of positions, ``source[k]`` in the take and ``target[k]`` in the result, linear between and beyond them.

    Both are in samples (fractional) at one rate, float64, of equal shape ``(n,)``, n >= 2, strictly increasing.

    >>> time_map = TimeMap(np.array([0.0, 100.0, 210.0]), np.array([0.0, 110.0, 220.0]))
    >>> time_map.target_of([50, 320]).tolist(), time_map.source_of([55, 330]).tolist()
    ([55.0, 330.0], [50.0, 320.0])
    """

    source: Floats
    target: Floats

    def target_of(self, source: ArrayLike) -> Floats:
        """Positions in the result of positions in the take."""
        return _interpolate(source, self.source, self.target)

    def source_of(self, target: ArrayLike) -> Floats:
        """Positions in the take of positions in the result."""
        return _interpolate(target, self.target, self.source)

    @property
    def ratio(self) -> float:
        """Output length over input length from the first pair to the last."""
        return float((self.target[-1] - self.target[0]) / (self.source[-1] - self.source[0]))

    def line(self) -> TimeMap:
        """The straight line through all pairs, least squares on the targets."""
        slope, offset = np.polyfit(self.source - self.source[0], self.target, 1)
        ends = self.source[[0, -1]]
        return TimeMap(ends, offset + slope * (ends - ends[0]))

    def smooth(self, parts: int = 4) -> TimeMap:
        """The map with ``parts`` pieces for each, on a monotone cubic curve through the same pairs.

        A swaying tempo does not turn corners: at 60 BPM and a sway of 1%, straight lines from beat to beat are 1 ms
        off half-way.
        """
        k = np.arange(len(self.source), dtype=np.float64)
        fine = np.linspace(0, k[-1], parts * (len(k) - 1) + 1)
        curves = (PchipInterpolator(k, positions)(fine) for positions in (self.source, self.target))
        return TimeMap(*(np.asarray(curve, dtype=np.float64) for curve in curves))

    def residual(self) -> Floats:
        """How far each target lies from the straight line, in samples of the result."""
        return np.asarray(self.target - self.line().target_of(self.source))


def _interpolate(at: ArrayLike, x: Floats, y: Floats) -> Floats:
    at = np.asarray(at, dtype=np.float64)
    k = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(x) - 2)
    return np.asarray(y[k] + (at - x[k]) * (y[k + 1] - y[k]) / (x[k + 1] - x[k]))


def place(samples: Samples, at: int, frames: int) -> Samples:
    """Lay ``samples`` into ``frames`` frames of silence, from frame ``at`` (may be negative); what sticks out is lost.

    >>> place(np.ones((3, 1), np.float32), -1, 4)[:, 0].tolist()
    [1.0, 1.0, 0.0, 0.0]
    """
    out = np.zeros((frames, samples.shape[1]), dtype=np.float32)
    start, stop = max(at, 0), min(at + len(samples), frames)
    if start < stop:
        out[start:stop] = samples[start - at : stop - at]
    return out
