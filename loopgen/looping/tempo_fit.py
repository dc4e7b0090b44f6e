"""How the tempo runs: from the flux and the attacks of a take to the time of every cell of its grid.

A *cell* is a sixteenth note. The tempo is found in three steps, each correcting what the one before left over:

1. a Fourier comb over windows of the flux and the likeness of neighbouring bars say roughly which tempo, with the
   requested one as prior;
2. dynamic programming over the same windows follows that tempo through the take, and the phase of the sixteenths,
   window by window, removes what drift is left;
3. a robust regression places the cells by the attacks themselves: a straight line, a slow curve where the evidence
   asks for one, and a lasting offset for every cell of the bar (swing, lazy snares, soft attacks), which so cannot
   disturb the tempo.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from loopgen.music.tempo import Meter
from loopgen.onsets import Flux, Onsets

Array = NDArray[np.float64]

CELLS_PER_QUARTER = 4

_STEP = 0.002
_COMB = ((1.0, 1.0), (2.0, 1.0), (4.0, 0.8), (0.5, 0.3), (3.0, 0.3))
"""Harmonics of the quarter note and their weights: quarter, eighth, sixteenth, half, triplet."""
_LIKENESS = 1.5
_PRIOR_WIDTH = 0.035
_PRIOR_FLOOR = 0.15
_PRIOR_WEIGHT = 0.25
_MIN_DENSITY = 3
_NEAR = 0.3
"""How near to a cell, in cells, an attack must be to tell where it lies."""

_LIKELY, _MOST_TEMPOS, _APART = 0.55, 3, 0.03
"""Tempos that score this share of the best are fitted too, if they are so far apart (in the logarithm)."""

_HOLD = 0.03
"""How strongly the path of the tempo is held at the take's rough tempo: score lost at one per cent, doubled."""


@dataclass(frozen=True, slots=True, eq=False)
class CellGrid:
    """Times of the sixteenths of a take.

    Attributes:
        times: seconds, float64, one per cell, reaching past both ends of the take.
        offsets: usual lateness in seconds of the attacks in each of the bar's cells, ``offsets[k % len]`` for cell k.
        weights: how much was heard in each of the bar's cells, same shape.
        steady: whether the period is constant.
        fit: share of the attacks' strength that lies on the cells, 0 to 1.
        attacks: number of attacks that the regression used.
    """

    times: Array
    offsets: Array
    weights: Array
    steady: bool
    fit: float
    attacks: int

    @property
    def cell(self) -> float:
        """Usual length of a cell in seconds."""
        return float(np.median(np.diff(self.times)))

    def moved(self, cells: float, onsets: Onsets) -> CellGrid:
        """The grid that many cells later, its offsets heard anew: another part of the music may be the sixteenths."""
        times = self.times + cells * self.cell
        number = np.clip(np.searchsorted(times, onsets.times - 0.5 * self.cell), 0, len(times) - 1)
        late = onsets.times - times[number]
        near = np.abs(late) < _NEAR * self.cell
        bar = len(self.offsets)
        strong = onsets.strengths[near] ** 2
        weights = np.bincount(number[near] % bar, strong, minlength=bar).astype(np.float64)
        offsets = np.bincount(number[near] % bar, strong * late[near], minlength=bar) / np.maximum(weights, 1e-9)
        fit = float(strong.sum() / max(1e-9, float((onsets.strengths**2).sum())))
        return replace(self, times=times, offsets=offsets, weights=weights, fit=fit, attacks=int(near.sum()))


def likely_grids(
    flux: Flux, onsets: Onsets, quarter: float, meter: Meter, seconds: float, *, width: float = 0.5
) -> list[CellGrid]:
    """The grids that a take of ``seconds`` may have, the likeliest first; one at each tempo.

    ``quarter`` (seconds) is the expected length of a quarter note; the true one lies within ``width`` octaves.
    """
    periods, scores = period_candidates(flux, quarter, float(meter.quarters), width=width)
    chosen: list[float] = []
    for period in periods[scores >= _LIKELY * scores[0]]:
        if len(chosen) < _MOST_TEMPOS and all(abs(np.log(period / other)) > _APART for other in chosen):
            chosen.append(float(period))
    cells = round(CELLS_PER_QUARTER * meter.quarters)
    return [fit_cells(flux, onsets, period, cells, seconds) for period in chosen]


def period_candidates(flux: Flux, quarter: float, bar_quarters: float, *, width: float = 0.5) -> tuple[Array, Array]:
    """Quarter-note lengths (seconds) to half a per cent, and their scores, best first: local maxima of the score.

    The score of a tempo is what its quarters, eighths and sixteenths take of the flux's energy, plus the likeness of
    the flux to itself one and two bars later, times a prior: requested tempos are mostly nearly right.
    """
    novelty = flux.novelty()
    periods = quarter * 2 ** np.arange(-width, width + 1e-9, _STEP / np.log(2))
    spectrum, step = _windowed_spectrum(novelty, flux.hop, 8.0)
    comb = _comb(spectrum.mean(axis=0), step, 1 / periods)
    likeness = _likeness(flux, bar_quarters * periods)
    octaves = np.log2(periods / quarter)
    prior = np.exp(-0.5 * (octaves / _PRIOR_WIDTH) ** 2) + _PRIOR_FLOOR
    score = (comb / max(float(comb.max()), 1e-12) + _LIKENESS * np.maximum(0, likeness)) * prior**_PRIOR_WEIGHT
    peak = (score >= maximum_filter1d(score, 5)) & (score > 0)
    order = np.flatnonzero(peak)
    order = order[np.argsort(-score[order], kind="stable")]
    if not len(order):
        return np.array([quarter]), np.zeros(1)
    return periods[order], score[order]


def _windowed_spectrum(novelty: Array, hop: float, seconds: float, stride: float | None = None) -> tuple[Array, float]:
    """Magnitudes of the novelty's Fourier transform in Hann windows; shape ``(windows, bins)``, and Hz a bin."""
    size = max(16, min(len(novelty), round(seconds / hop)))
    jump = max(1, round((stride or seconds / 4) / hop))
    padded = np.pad(novelty - novelty.mean(), (size // 2, size // 2 + size)) if stride else np.pad(novelty, (0, size))
    count = max(1, (len(novelty) - (0 if stride else size)) // jump + 1)
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[: count * jump : jump]
    length = int(2 ** np.ceil(np.log2(4 * size)))
    top = int(np.ceil(30.0 * length * hop)) + 2
    window = np.hanning(size)
    return np.abs(np.fft.rfft((frames - frames.mean(axis=1, keepdims=True)) * window, length, axis=1))[:, :top], 1 / (
        length * hop
    )


def _comb(spectrum: Array, step: float, frequencies: Array) -> Array:
    bins = np.arange(spectrum.shape[-1]) * step
    return np.asarray(sum(w * np.interp(h * frequencies, bins, spectrum) for h, w in _COMB))


def _likeness(flux: Flux, bars: Array) -> Array:
    """Correlation of the flux of all bands with itself one and two bars later, the larger of the two, at most 1.

    The flux is widened first, to forgive a slow wobble; 0 where less than a second of overlap is left.
    """
    smooth = gaussian_filter1d(flux.bands, 0.012 / flux.hop, axis=1)[:, ::2].astype(np.float64)
    smooth -= smooth.mean(axis=1, keepdims=True)
    smooth /= smooth.std(axis=1, keepdims=True) + 1e-6
    frames, hop = smooth.shape[1], 2 * flux.hop
    power = np.abs(np.fft.rfft(smooth, 2 * frames, axis=1)) ** 2
    correlation = np.fft.irfft(power.sum(axis=0))[:frames]
    correlation /= np.maximum(frames - np.arange(frames), 1) * max(float(correlation[0]) / frames, 1e-12)
    correlation[max(1, frames - round(1.0 / hop)) :] = 0
    lags = np.arange(frames) * hop
    one, two = (np.interp(n * bars, lags, correlation, right=0.0) for n in (1, 2))
    return np.asarray(np.maximum(one, 0.9 * two))


def follow(flux: Flux, period: float, *, spread: float = 0.04, stiffness: float = 3.0) -> tuple[Array, Array]:
    """The tempo through the take: times (seconds) and the quarter's length there (seconds), by dynamic programming.

    At each second the Fourier comb of the five seconds around it scores the periods within ``spread`` of ``period``;
    the path that collects most and bends least wins.
    """
    novelty = flux.novelty()
    seconds = max(1, int(len(novelty) * flux.hop))
    spectrum, step = _windowed_spectrum(novelty, flux.hop, 5.0, stride=1.0)
    ratios = np.linspace(-spread, spread, 2 * round(spread / 0.002) + 1)
    score = np.stack([_comb(row, step, 1 / (period * (1 + ratios))) for row in spectrum])
    score /= score.max(axis=1, keepdims=True) + 1e-9
    loudness = spectrum.max(axis=1, keepdims=True)
    score *= loudness / (loudness.max() + 1e-9)
    score -= 0.5 * _HOLD * (ratios / 0.01) ** 2
    bend = stiffness * (100 * (ratios[:, None] - ratios)) ** 2 / 100
    total, back = score[0].copy(), []
    for row in score[1:]:
        options = total[:, None] - bend
        back.append(np.argmax(options, axis=0))
        total = row + np.max(options, axis=0)
    path = [int(np.argmax(total))]
    for pointers in reversed(back):
        path.append(int(pointers[path[-1]]))
    chosen = period * (1 + ratios[path[::-1]])
    times = flux.start + np.arange(len(chosen), dtype=np.float64)
    return times[: seconds + 1], chosen[: seconds + 1]


def fit_cells(flux: Flux, onsets: Onsets, period: float, bar_cells: int, seconds: float) -> CellGrid:
    """Place every sixteenth of the take, given a quarter's rough length in seconds."""
    times, quarters = follow(flux, period)
    dense = np.arange(-2 * period, seconds + 2 * period, 0.01)
    rate = CELLS_PER_QUARTER / gaussian_filter1d(np.interp(dense, times, quarters), 80, mode="nearest")
    cells = np.concatenate([[0.0], np.cumsum(0.5 * (rate[1:] + rate[:-1]) * 0.01)])
    strong = onsets.strengths**2
    if len(onsets) < _MIN_DENSITY:
        return _without_attacks(onsets, period, bar_cells, seconds)
    cells += _phase_drift(dense, np.interp(onsets.times, dense, cells), onsets.times, strong)
    return _regress(onsets, dense, cells, bar_cells, seconds)


def _phase_drift(dense: Array, places: Array, times: Array, weights: Array) -> Array:
    """What to add to the cell count at each dense time so that the attacks fall on whole cells."""
    nodes = np.arange(dense[0], dense[-1] + 1.0, 1.0)
    nearness = np.exp(-0.5 * ((nodes[:, None] - times) / 1.6) ** 2)
    phasor = (nearness * weights) @ np.exp(-2j * np.pi * places)
    phase = np.unwrap(np.angle(phasor)) / (2 * np.pi)
    return np.asarray(np.interp(dense, nodes, phase))


def _without_attacks(onsets: Onsets, period: float, bar_cells: int, seconds: float) -> CellGrid:
    first = float(onsets.times[0]) if len(onsets) else 0.0
    cell = period / CELLS_PER_QUARTER
    start = first - cell * np.ceil((first + 8 * period) / cell)
    times = start + cell * np.arange(int(np.ceil((seconds + 8 * period - start) / cell)) + 1)
    nothing = np.zeros(bar_cells)
    return CellGrid(times, nothing, nothing, True, 0.0, len(onsets))


def _regress(onsets: Onsets, dense: Array, cells: Array, bar_cells: int, seconds: float) -> CellGrid:
    places = np.interp(onsets.times, dense, cells)
    numbers = np.round(places).astype(int)
    cell = float((dense[-1] - dense[0]) / (cells[-1] - cells[0]))
    first, last = int(np.floor(cells[0])), int(np.ceil(cells[-1]))
    near = np.abs(places - numbers) < _NEAR
    fit = float((onsets.strengths**2 * near).sum() / (onsets.strengths**2).sum())
    if near.sum() < _MIN_DENSITY:
        return _without_attacks(onsets, CELLS_PER_QUARTER * cell, bar_cells, seconds)
    numbers, times, strengths = numbers[near], onsets.times[near], onsets.strengths[near]
    span = max(1, last - first)
    pattern = bar_cells if bar_cells <= min(_LONGEST_PATTERN, span // 3) else np.gcd(bar_cells, CELLS_PER_QUARTER)
    steady = _solve(times, numbers, strengths, first, span, int(pattern), cell, 0.0)
    curved = [_solve(times, numbers, strengths, first, span, int(pattern), cell, s) for s in _BENDS]
    sane = [solution for solution in (steady, *curved) if solution.is_sane(first, last, cell)]
    if not sane:
        return _without_attacks(onsets, CELLS_PER_QUARTER * cell, bar_cells, seconds)
    best = max(sane, key=lambda solution: solution.evidence)
    if steady in sane and (best.evidence < steady.evidence + _LEAST_GAIN or best.sway(first, last) < _LEAST_SWAY):
        best = steady
    every = np.arange(first - 4 * CELLS_PER_QUARTER, last + 4 * CELLS_PER_QUARTER + 1)
    place = best.place(np.clip(every, first, last))
    place += best.slope_ends(every, first, last)
    offsets = np.roll(np.tile(best.offsets, bar_cells // len(best.offsets)), int(-every[0]) % bar_cells)
    weights = np.bincount(numbers % bar_cells, strengths**2, minlength=bar_cells).astype(np.float64)
    weights = np.roll(weights, int(-every[0]) % bar_cells)
    return CellGrid(place, offsets, weights, best is steady, fit, int(near.sum()))


_BENDS = (0.004, 0.02, 0.08, 0.3, 1.0)
"""Trial scales in seconds of the slow curve's first cosine; the evidence chooses among them and a straight line."""

_LEAST_GAIN = 10.0
_LEAST_SWAY = 0.0015
"""A take counts as steady unless a curve is clearly likelier (in nats) and sways by more than this (rms seconds): a
curve through a steady take only follows the player's scatter, and a real wobble gains hundreds."""

_SHORTEST_BEND = 1.25
"""Shortest half-wave of the slow curve, in seconds: two octaves above a sway of five seconds, since cosines that are
tied to the take's ends need higher orders for a sway that is not."""

_LONGEST_PATTERN = 32
"""Cells of a bar have their own offsets unless bars are longer than this or do not repeat; then those of a quarter."""

_OFFSET_SCALE = 0.006
"""Prior scale in seconds of a cell's lasting offset."""


@dataclass(frozen=True, slots=True, eq=False)
class _Solution:
    coefficients: Array
    offsets: Array
    evidence: float
    first: int
    span: int

    def place(self, numbers: Array | NDArray[np.int64]) -> Array:
        return _curves(numbers, self.first, self.span, len(self.coefficients)) @ self.coefficients

    def is_sane(self, first: int, last: int, cell: float) -> bool:
        """Whether every cell's length is within a quarter of the usual one."""
        lengths = np.diff(self.place(np.arange(first, last + 1)))
        return bool(np.all(np.abs(lengths / cell - 1) < 0.25))

    def sway(self, first: int, last: int) -> float:
        """Root mean square in seconds of what is left of the curve beside a straight line."""
        numbers = np.arange(first, last + 1)
        place = self.place(numbers)
        return float(np.std(place - np.polyval(np.polyfit(numbers - first, place, 1), numbers - first)))

    def slope_ends(self, numbers: NDArray[np.int64], first: int, last: int) -> Array:
        """What to add beyond the ends, where the curve goes on straight."""
        ends = self.place(np.array([first, first + 1, last - 1, last]))
        before, after = ends[1] - ends[0], ends[3] - ends[2]
        return np.asarray(np.minimum(0, numbers - first) * before + np.maximum(0, numbers - last) * after)


def _curves(numbers: Array | NDArray[np.int64], first: int, span: int, count: int) -> Array:
    """Columns: one, the line, then cosines of falling wavelength over the span."""
    x = (np.asarray(numbers, dtype=np.float64) - first) / span
    cosines = np.cos(np.pi * x[:, None] * np.arange(1, count - 1))
    return np.concatenate([np.ones((len(x), 1)), x[:, None], cosines], axis=1)


def _solve(
    times: Array, numbers: NDArray[np.int64], strengths: Array, first: int, span: int, pattern: int, cell: float,
    bend: float,
) -> _Solution:  # fmt: skip
    """Robust Bayesian regression of attack times on cell numbers (iteratively reweighted, Student's t with 2 degrees).

    The curve is a smoothing spline in cosines: their prior scale is ``bend`` and falls with the square of the order.
    """
    orders = max(1, int(span * cell / _SHORTEST_BEND)) if bend > 0 else 0
    curves = _curves(numbers, first, span, 2 + orders)
    design = np.concatenate([curves, np.eye(pattern)[numbers % pattern]], axis=1)
    scale = np.concatenate([[10.0, 1e3], bend / np.arange(1, orders + 1) ** 2.0, np.full(pattern, _OFFSET_SCALE)])
    weight = np.minimum(1.0, strengths / 0.5) ** 2
    noise, robust = 0.25 * cell, weight.copy()
    beta = np.zeros(design.shape[1])
    covariance_log = 0.0
    origin = float(np.mean(times))
    for _ in range(12):
        normal = design.T @ (design * robust[:, None]) / noise**2 + np.diag(1 / scale**2)
        beta = np.linalg.solve(normal, design.T @ (robust * (times - origin)) / noise**2)
        residual = times - origin - design @ beta
        spread = float(np.sqrt(np.median(residual[weight > 0.1] ** 2 if (weight > 0.1).any() else residual**2))) * 1.48
        noise = max(1e-4, min(spread, 0.8 * noise if noise > 0.02 else noise))
        robust = weight * 3.0 / (2.0 + weight * (residual / noise) ** 2)
    covariance_log = float(np.linalg.slogdet(normal)[1])
    likelihood = -1.5 * np.sum(weight * np.log1p(weight * (residual / noise) ** 2 / 2)) - np.sum(weight) * np.log(noise)
    evidence = likelihood - 0.5 * np.sum((beta / scale) ** 2) - np.sum(np.log(scale)) - 0.5 * covariance_log
    coefficients = beta[: 2 + orders].copy()
    coefficients[0] += origin
    return _Solution(coefficients, beta[2 + orders :], float(evidence), first, span)
