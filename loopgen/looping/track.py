"""Audio -> BeatGrid: where the beats and bars of a take lie, and how sure that is."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from loopgen.looping.cell_features import listen
from loopgen.looping.phase import BarPhase, bar_phase
from loopgen.looping.repeats import repeated_bar
from loopgen.looping.tempo_fit import CELLS_PER_QUARTER, CellGrid, likely_grids
from loopgen.music.audio import Audio
from loopgen.music.beats import BeatGrid, Votes
from loopgen.music.tempo import Meter
from loopgen.onsets import Flux, Onsets, analysis_signal, attacks, signal_flux

_KNOWN_TEMPO_OCTAVES = 0.03
_TEMPO_OCTAVES = 0.5
_FEWEST_ATTACKS = 4
_SNAP_SECONDS = 0.03
_CHANCE_AGREEMENT, _CONTRADICTION = 0.25, 0.4
"""An engine's grid is doubted where the attacks agree with it no better than chance, and given up where they agree
with what is heard so much better."""

_LOOP_BARS, _SURE, _LIKELY_LOOP = 4, 0.8, 0.75
"""Up to how many bars a recording is taken for a loop, what speaks clearly against that, and how sure it is: the length
of an arbitrary cut is that near to whole bars in about one case of fifty."""


def track(
    audio: Audio,
    bpm: Fraction,
    meter: Meter = Meter(4, 4),  # noqa: B008 - frozen
    *,
    known: BeatGrid | None = None,
    source_bpm: Fraction | None = None,
    downbeat: float | None = None,
    cue: float | None = None,
    votes: Votes | None = None,
) -> BeatGrid:
    """Find the beats and bars of ``audio``; never raises for what the audio contains.

    Args:
        audio: any recording, of any length and level.
        bpm: the tempo that was asked for, a prior: the grid is reported at the metrical level nearest to it in octaves.
        meter: taken as given.
        known: the grid as the engine knows it; returned unless the audio contradicts it.
        source_bpm: the recording's tempo as the user knows it, to about two per cent.
        downbeat: an instant in seconds that the user says is beat 1 of a bar; fixes phase and bar.
        cue: an instant in seconds where a bar should begin by what the players were given, a count-in say: a prior.
        votes: what another listener says of the recording: a prior.

    Returns:
        Beats that cover the take with at least one to spare on either side. ``confidence`` and
        ``downbeat_confidence`` are probabilities: 0 where the audio says nothing.
    """
    mono, rate = analysis_signal(audio)
    flux = signal_flux(mono, rate)
    onsets = attacks(mono, rate, flux)
    trusted = known is not None and _agreement(known, onsets) >= _CHANCE_AGREEMENT
    if known is not None and (trusted or downbeat is not None):
        return known if downbeat is None else _with_downbeat(known, downbeat)
    heard = _analyse(
        mono, rate, flux, onsets, 60 / float(source_bpm or bpm), source_bpm is not None, meter, downbeat, cue, votes
    )
    if downbeat is None and cue is None:
        heard = _as_a_loop(heard, audio.seconds)
    if known is not None and _agreement(heard, onsets) < _agreement(known, onsets) + _CONTRADICTION:
        return known
    return heard


def _analyse(
    mono: NDArray[np.float32], rate: int, flux: Flux, onsets: Onsets, quarter: float, is_sure: bool, meter: Meter,
    downbeat: float | None, cue: float | None, votes: Votes | None,
) -> BeatGrid:  # fmt: skip
    """The grid by what is heard; ``quarter`` is the expected length of a quarter note, well known if ``is_sure``."""
    seconds = len(mono) / rate
    if len(onsets) < _FEWEST_ATTACKS:
        return _unheard(onsets, quarter, meter, seconds, downbeat, cue)
    width = _KNOWN_TEMPO_OCTAVES if is_sure else _TEMPO_OCTAVES
    grids = likely_grids(flux, onsets, quarter, meter, seconds, width=width)
    if is_sure:  # too short to know better than the user
        grids = [each for each in grids if abs(np.log2(CELLS_PER_QUARTER * each.cell / quarter)) <= width]
    if not grids:
        return _unheard(onsets, quarter, meter, seconds, downbeat, cue)
    phase = bar_phase(listen(mono, rate, flux), onsets, grids, meter, seconds, cue, votes)
    cells = _repeated(phase.cells, mono, rate, onsets) if phase.cells.steady else phase.cells
    if downbeat is not None:
        return _from_downbeat(cells, downbeat, meter, seconds)
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


def _agreement(grid: BeatGrid, onsets: Onsets) -> float:
    """How much the attacks keep step with a grid's sixteenths, on them or beside: 0 not at all, 1 fully or unheard."""
    if len(onsets) < 4 * _FEWEST_ATTACKS:
        return 1.0
    cells = grid.position(onsets.times) * CELLS_PER_QUARTER * float(grid.meter.beat_quarters)
    strong = onsets.strengths**2
    return float(np.abs((strong * np.exp(2j * np.pi * cells)).sum()) / strong.sum())


def _with_downbeat(known: BeatGrid, downbeat: float) -> BeatGrid:
    """A known grid, the bar counted from the beat nearest to where the user puts it."""
    beat = int(np.argmin(np.abs(known.beats - downbeat)))
    return BeatGrid(known.beats, known.meter, beat % known.meter.beats, 1.0, 1.0, "user")


def _unheard(
    onsets: Onsets, quarter: float, meter: Meter, seconds: float, downbeat: float | None, cue: float | None
) -> BeatGrid:
    """The requested tempo from the cue or the first attack on, for want of anything to go by."""
    beat = quarter * float(meter.beat_quarters)
    if downbeat is not None:
        return BeatGrid.steady(downbeat, beat, seconds, meter, source="user")
    first = cue if cue is not None else float(onsets.times[0]) if len(onsets) else 0.0
    return BeatGrid.steady(first, beat, seconds, meter, confidence=0.0, downbeat_confidence=0.0, source="analysis")


def _from_downbeat(cells: CellGrid, downbeat: float, meter: Meter, seconds: float) -> BeatGrid:
    """The grid through an instant that the user calls beat 1; a near sixteenth of the take is taken to be meant."""
    cell = int(np.argmin(np.abs(cells.times - downbeat)))
    late = _lateness(cells, cell, meter)
    missed = downbeat - float(cells.times[cell]) - late
    shift = late + (missed if abs(missed) > _SNAP_SECONDS else 0.0)
    return _beats(cells, BarPhase(cells, cell, 1.0, 1.0), meter, seconds, shift, "user")


def _beats(
    cells: CellGrid, phase: BarPhase, meter: Meter, seconds: float, shift: float, source: str = "analysis"
) -> BeatGrid:
    """The beats, ``shift`` seconds after their cells, from the last one at or before 0 to the first past the end."""
    step = round(CELLS_PER_QUARTER * float(meter.beat_quarters))
    first = phase.cell % step
    times = cells.times[first::step] + shift
    begin = max(0, int(np.searchsorted(times, 0.0, side="right")) - 1)
    end = int(np.searchsorted(times, seconds, side="left")) + 1
    downbeat = ((phase.cell - first) // step - begin) % meter.beats
    sure = phase.beat_confidence, phase.bar_confidence
    return BeatGrid(times[begin:end], meter, downbeat, *sure, source, phase.rival)


def _lateness(cells: CellGrid, phase: int, meter: Meter) -> float:
    """How late the attacks on the beats are against the cells: the grid goes through what sounds on the beat."""
    step = round(CELLS_PER_QUARTER * float(meter.beat_quarters))
    on_beat: NDArray[np.bool_] = (np.arange(len(cells.offsets)) - phase) % step == 0
    weight = cells.weights * on_beat
    return float((weight * cells.offsets).sum() / weight.sum()) if weight.sum() > 0 else 0.0
