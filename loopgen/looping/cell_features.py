"""What is heard in every cell of a grid: what begins, how loud it is, and how far harmony, bass and timbre move.

::

    take ── listen: flux, levels, pitches ── once ──┐
    a grid's cells ── their times ──────────────────┴──> (cells, CHANNELS): what the net reads
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft

from loopgen.onsets import BAND_EDGES, Flux

Array = NDArray[np.float64]

_BANDS = len(BAND_EDGES)
_WIDTHS = (2, 4, 8, 16)
"""Cells on either side over which harmony, bass and timbre are compared."""

CHANNELS = 3 * _BANDS + _BANDS + _BANDS + 3 * len(_WIDTHS)
"""Beginnings a third of a cell early, on the cell and a third late, in eight bands; the same on the cell without
scaling; levels; novelty of harmony, bass and timbre over four widths."""

_LOUD_PERCENTILE, _QUIET_BAND = 96, 0.08
_CHROMA_WINDOW_SECONDS = 0.17
_CHROMA_HOP_SECONDS = 0.025
_CHROMA_RANGE = (180.0, 2200.0)
_BASS_RANGE = (38.0, 240.0)


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """What is heard of a take, before any grid is laid on it.

    Attributes:
        flux: growth of loudness.
        levels: running sums of the flux's levels, shape ``(frames + 1, 8)``, float64.
        harmony, bass: running sums of the loudness of the pitch classes, shape ``(frames + 1, 12)``, float64.
        hop: seconds between frames of ``harmony`` and ``bass``.
    """

    flux: Flux
    levels: Array
    harmony: Array
    bass: Array
    hop: float


def listen(mono: NDArray[np.float32], rate: int, flux: Flux) -> Heard:
    """Hear ``mono``, shape ``(frames,)`` at ``rate`` Hz, whose flux is known.

    Pitch classes are log magnitudes above half of the frame's quietest one, so that noise leaves little.
    """
    size = 1 << int(np.ceil(np.log2(_CHROMA_WINDOW_SECONDS * rate)))
    hop = max(1, round(_CHROMA_HOP_SECONDS * rate))
    frequencies = np.fft.rfftfreq(size, 1 / rate).astype(np.float64)
    used = np.flatnonzero((frequencies >= _BASS_RANGE[0]) & (frequencies < _CHROMA_RANGE[1]))
    padded = np.pad(mono, (size // 2, size))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[: len(mono) + 1 : hop]
    window = np.hanning(size).astype(np.float32)
    magnitude = np.empty((len(frames), len(used)), np.float32)
    for begin in range(0, len(frames), 128):
        spectrum = rfft(frames[begin : begin + 128] * window, axis=1)[:, used]
        magnitude[begin : begin + 128] = np.abs(spectrum)
    loud = float(np.percentile(magnitude.max(axis=1), 95))
    loudness = np.log1p(magnitude * (100 / (loud + 1e-9)))
    classes = [loudness @ _pitch_classes(frequencies[used], *limits) for limits in (_CHROMA_RANGE, _BASS_RANGE)]
    harmony, bass = (_running_sum(each - 0.5 * each.min(axis=1, keepdims=True)) for each in classes)
    return Heard(flux, _running_sum(flux.levels.T), harmony, bass, hop / rate)


def _running_sum(frames: NDArray[np.float32]) -> Array:
    return np.concatenate([np.zeros((1, frames.shape[1])), np.cumsum(frames, axis=0, dtype=np.float64)])


def _pitch_classes(frequencies: Array, low: float, high: float) -> NDArray[np.float32]:
    classes = np.round(12 * np.log2(frequencies / 55.0)).astype(int) % 12
    inside = (frequencies >= low) & (frequencies < high)
    return np.asarray((classes[:, None] == np.arange(12)) & inside[:, None], dtype=np.float32)


def cell_features(heard: Heard, times: Array) -> NDArray[np.float32]:
    """The net's input for cells that begin at ``times`` (seconds, increasing): shape ``(len(times), CHANNELS)``.

    Relative to what is loud in the take, band by band, so that neither level nor equaliser matters much.
    """
    cell = float(np.median(np.diff(times))) if len(times) > 1 else 0.1
    hop = heard.flux.hop
    begun = _beginnings(heard.flux, times, cell)
    loud = np.percentile(begun[1], _LOUD_PERCENTILE, axis=0)
    scale = loud + _QUIET_BAND * loud.max() + 1e-6
    levels = _means(heard.levels, times - cell / 6, cell, hop)
    moved = [
        novelty(means, width)
        for means in (_means(heard.harmony, times, cell, heard.hop), _means(heard.bass, times, cell, heard.hop), levels)
        for width in _WIDTHS
    ]
    columns = [*(begun / scale), begun[1], _standardised(levels, 0.1), np.stack(moved, axis=1)]
    return np.concatenate(columns, axis=1).astype(np.float32)


def _beginnings(flux: Flux, times: Array, cell: float) -> Array:
    """Largest flux about a third of a cell before each time, at it and after it; shape ``(3, cells, bands)``."""
    reach = max(1, round(cell / 6 / flux.hop))
    places = times[None, :] + cell / 3 * np.array([-1, 0, 1])[:, None]
    middles = np.round((places - flux.start) / flux.hop).astype(int)
    frames = np.clip(middles[..., None] + np.arange(-reach, reach + 1), 0, flux.bands.shape[1] - 1)
    return np.asarray(flux.bands.T[frames].max(axis=2), dtype=np.float64)


def _means(sums: Array, times: Array, cell: float, hop: float) -> Array:
    """Mean over the ``cell`` seconds from each time on, of frames given by their running sums."""
    last = len(sums) - 1
    begin = np.clip(np.round(times / hop).astype(int), 0, last - 1)
    end = np.clip(np.round((times + cell) / hop).astype(int), begin + 1, last)
    return np.asarray((sums[end] - sums[begin]) / (end - begin)[:, None])


def novelty(features: Array, width: int) -> Array:
    """How much the ``width`` cells from each one differ from those before it: cosine distance, in its own deviations.

    ``features``: shape ``(n, dimensions)``. Returns shape ``(n,)``.
    """
    count = len(features)
    total = np.concatenate([np.zeros((1, features.shape[1])), np.cumsum(features, axis=0)])
    cells = np.arange(count)
    past = total[cells] - total[np.maximum(0, cells - width)]
    future = total[np.minimum(count, cells + width)] - total[cells]
    size = np.linalg.norm(past, axis=1) * np.linalg.norm(future, axis=1)
    distance = 1 - (past * future).sum(axis=1) / (size + 1e-9)
    distance[: min(2, count)] = 0
    distance[-2:] = 0
    return _standardised(distance, 0.01)


def _standardised(values: Array, least: float) -> Array:
    return np.asarray((values - values.mean(axis=0)) / (values.std(axis=0) + least))
