"""What happens in every cell of a take: how hard something is hit, and how far the harmony moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from loopgen.onsets import COMPRESSION, Flux

Array = NDArray[np.float64]

_LOW, _BODY, _BRIGHT, _HIGH = (0, 1), (2, 3, 4), (5, 6, 7), 7
"""Bands of kicks and basses, of the body of a snare, of its noise, and of hats; as numbered in ``Flux.bands``."""

_THUMP, _NOISE = (0.2, 0.42), (0.2, 0.6)
"""Loud low hits (rise of magnitude to the power 0.6) and high ones (flux) from which on there are surely no, surely
drums: between them lie the takes of a single pitched instrument and those with a kit, on the benchmarks' grooves."""

_POWER = 0.6
_LOUD_PERCENTILE = 95
_CHROMA_WINDOW_SECONDS = 0.17
_CHROMA_HOP_SECONDS = 0.025
_CHROMA_RANGE = (180.0, 2200.0)
_BASS_RANGE = (38.0, 240.0)


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """What begins in each cell, 0 to 1 relative to a loud beginning of the same sort in the take.

    Attributes:
        rows: low, middle and high hits, shape ``(3, n)``.
        any: beginnings in all bands but the lowest, shape ``(n,)``.
        drums: whether both a low drum's thump and a cymbal's or snare's noise are heard, 0 to 1.
    """

    rows: Array
    any: Array
    drums: float


def hits(flux: Flux, times: Array) -> Hits:
    """How hard something is hit at ``times`` (seconds).

    Low and middle hits are rises of compressed magnitude from just before a cell to just after it. What sounds like a
    snare rises in its body and its noise at once, so the middle row is their geometric mean. High hits are quiet and
    short: there the flux itself is the better measure, and so it is for any beginning.
    """
    magnitude = (np.expm1(flux.levels.astype(np.float64)) / COMPRESSION + 1e-9) ** _POWER
    after = maximum_filter1d(magnitude, 2 * round(0.020 / flux.hop) + 1, axis=1)
    before = uniform_filter1d(magnitude, 2 * round(0.008 / flux.hop) + 1, axis=1)
    risen = np.maximum(0, _at(after, times + 0.022, flux.hop) - _at(before, times - 0.020, flux.hop))
    cell = float(np.median(np.diff(times))) if len(times) > 1 else 0.1
    reach = 2 * round(min(0.35 * cell, 0.025) / flux.hop) + 1
    begun = _at(maximum_filter1d(flux.bands, reach, axis=1), times - flux.start, flux.hop)
    low = risen[list(_LOW)].mean(axis=0)
    middle = np.sqrt(risen[list(_BODY)].mean(axis=0) * risen[list(_BRIGHT)].mean(axis=0))
    thump = np.interp(np.percentile(low, _LOUD_PERCENTILE), _THUMP, (0, 1))
    noise = np.interp(np.percentile(begun[_HIGH], _LOUD_PERCENTILE), _NOISE, (0, 1))
    rows = _relative(np.stack([low, middle, begun[_HIGH]]))
    return Hits(rows, _relative(begun[1:]).mean(axis=0), float(min(thump, noise)))


def _relative(rows: Array) -> Array:
    loud = np.percentile(rows, _LOUD_PERCENTILE, axis=1, keepdims=True)
    return np.asarray(np.minimum(1.0, rows / (1.1 * loud + 1e-9)))


def _at(curves: NDArray[np.floating], times: Array, hop: float) -> Array:
    frames = np.clip(np.round(times / hop).astype(int), 0, curves.shape[1] - 1)
    return np.asarray(curves[:, frames], dtype=np.float64)


def chroma(mono: NDArray[np.float32], rate: int, times: Array, cell: float) -> tuple[Array, Array]:
    """Pitch classes of the harmony and of the bass in the ``cell`` seconds after each time; each ``(n, 12)``.

    Log magnitudes above the cell's quietest pitch class, so that noise leaves nothing.
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
    harmony, bass = (loudness @ _pitch_classes(frequencies[used], *limits) for limits in (_CHROMA_RANGE, _BASS_RANGE))
    return _cell_means(harmony, times, cell, hop / rate), _cell_means(bass, times, cell, hop / rate)


def _pitch_classes(frequencies: Array, low: float, high: float) -> NDArray[np.float32]:
    classes = np.round(12 * np.log2(frequencies / 55.0)).astype(int) % 12
    inside = (frequencies >= low) & (frequencies < high)
    return np.asarray((classes[:, None] == np.arange(12)) & inside[:, None], dtype=np.float32)


def _cell_means(frames: NDArray[np.float32], times: Array, cell: float, hop: float) -> Array:
    raised = frames - 0.5 * frames.min(axis=1, keepdims=True)
    total = np.concatenate([np.zeros((1, frames.shape[1])), np.cumsum(raised, axis=0, dtype=np.float64)])
    begin = np.clip(np.round(times / hop).astype(int), 0, len(frames) - 1)
    end = np.clip(np.round((times + cell) / hop).astype(int), begin + 1, len(frames))
    return np.asarray((total[end] - total[begin]) / (end - begin)[:, None])


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
    return np.asarray((distance - distance.mean()) / (distance.std() + 0.01))
