"""Audio -> BeatGrid, with the tempo that was asked for as a prior."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from loopgen.music.audio import Audio
from loopgen.music.beats import BeatGrid
from loopgen.music.tempo import Meter
from loopgen.onsets import Flux, Onsets, analysis_signal, attacks, signal_flux
from tests.bench.before.phase import BarPhase, bar_phase
from tests.bench.before.repeats import repeated_bar
from tests.bench.before.tempo_fit import CELLS_PER_QUARTER, CellGrid, fit_cells, rough_period

_FEWEST_ATTACKS = 4
_SNAP_SECONDS = 0.03

_LOOP_BARS, _SURE, _LIKELY_LOOP = 4, 0.8, 0.75
"""Up to how many bars a recording is taken for a loop, what speaks clearly against that, and how sure it is: the length
of an arbitrary cut is that near to whole bars in about one case of fifty."""


def track(audio: Audio, bpm: Fraction, meter: Meter = Meter(4, 4)) -> BeatGrid:  # noqa: B008 - frozen
    """Find the beats and bars of ``audio``."""
    mono, rate = analysis_signal(audio)
    flux = signal_flux(mono, rate)
    onsets = attacks(mono, rate, flux)
    return _as_a_loop(_analyse(mono, rate, flux, onsets, 60 / float(bpm), meter), audio.seconds)


def _analyse(
    mono: NDArray[np.float32], rate: int, flux: Flux, onsets: Onsets, quarter: float, meter: Meter
) -> BeatGrid:
    seconds = len(mono) / rate
    if len(onsets) < _FEWEST_ATTACKS:
        return _unheard(onsets, quarter, meter, seconds)
    bar_quarters = float(meter.quarters)
    period = rough_period(flux, quarter, bar_quarters)
    cells = fit_cells(flux, onsets, period, round(CELLS_PER_QUARTER * bar_quarters), seconds)
    if cells.steady:
        cells = _repeated(cells, mono, rate, onsets)
    phase = bar_phase(mono, rate, flux, cells, meter)
    return _beats(cells, phase, meter, seconds, _lateness(cells, phase.cell, meter))


def _as_a_loop(grid: BeatGrid, seconds: float) -> BeatGrid:
    """A short recording of whole bars is a loop: it starts on beat 1 and its length is its tempo.

    Unless what is heard speaks clearly against it: a tempo that sways, a beat or a bar that surely lies elsewhere.
    """
    if grid.confidence == 0:
        return grid
    bar = grid.meter.beats
    beats = seconds / grid.period
    count = max(1, round(beats))
    whole = (count % bar == 0 and count <= _LOOP_BARS * bar) or bar % count == 0
    tolerance = 0.03 if count <= 2 * bar else 0.01  # of a bar: the longer, the better the tempo is known
    if not whole or abs(beats - count) > tolerance * bar or grid.wobble > _SNAP_SECONDS:
        return grid
    start = float(grid.position(0.0))
    off_beat = abs(start - round(start)) > 0.125
    off_bar = (round(start) - grid.downbeat) % bar != 0
    if (off_beat and grid.confidence >= _SURE) or (off_bar and grid.downbeat_confidence >= _SURE):
        return grid
    sure = max(grid.confidence, _LIKELY_LOOP), max(grid.downbeat_confidence, _LIKELY_LOOP if count >= bar else 0.0)
    return BeatGrid.steady(
        0.0, seconds / count, seconds, grid.meter, confidence=sure[0], downbeat_confidence=sure[1], source=grid.source
    )


def _repeated(cells: CellGrid, mono: NDArray[np.float32], rate: int, onsets: Onsets) -> CellGrid:
    """The cells with the exact period of music that repeats itself, turned about the middle of the attacks."""
    bar = len(cells.offsets) * float(np.mean(np.diff(cells.times)))
    exact = repeated_bar(mono, rate, bar)
    if exact is None:
        return cells
    middle = float(np.average(onsets.times, weights=onsets.strengths**2))
    return replace(cells, times=middle + (cells.times - middle) * (exact / bar))


def _unheard(onsets: Onsets, quarter: float, meter: Meter, seconds: float) -> BeatGrid:
    first = float(onsets.times[0]) if len(onsets) else 0.0
    beat = quarter * float(meter.beat_quarters)
    return BeatGrid.steady(first, beat, seconds, meter, confidence=0.0, downbeat_confidence=0.0, source="analysis")


def _beats(cells: CellGrid, phase: BarPhase, meter: Meter, seconds: float, shift: float) -> BeatGrid:
    """The beats, ``shift`` seconds after their cells, from the last one at or before 0 to the first past the end."""
    step = round(CELLS_PER_QUARTER * float(meter.beat_quarters))
    first = phase.cell % step
    times = cells.times[first::step] + shift
    begin = max(0, int(np.searchsorted(times, 0.0, side="right")) - 1)
    end = int(np.searchsorted(times, seconds, side="left")) + 1
    downbeat = ((phase.cell - first) // step - begin) % meter.beats
    return BeatGrid(times[begin:end], meter, downbeat, phase.beat_confidence, phase.bar_confidence)


def _lateness(cells: CellGrid, phase: int, meter: Meter) -> float:
    """How late the attacks on the beats are against the cells: the grid goes through what sounds on the beat."""
    step = round(CELLS_PER_QUARTER * float(meter.beat_quarters))
    on_beat: NDArray[np.bool_] = (np.arange(len(cells.offsets)) - phase) % step == 0
    weight = cells.weights * on_beat
    return float((weight * cells.offsets).sum() / weight.sum()) if weight.sum() > 0 else 0.0
