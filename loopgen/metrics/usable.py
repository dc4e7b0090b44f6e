"""Which bars of a recording can be used: not silent, not faded out, not torn by dropouts, not clipped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loopgen.metrics.loudness import check_not_empty
from loopgen.music.audio import Audio

Flags = NDArray[np.bool_]

_SILENT = 40.0  # dB under the music's usual level
_DIGITAL_SILENCE = 1e-5  # full scale; a take this quiet (-100 dB) throughout holds no music
_FADED = 8.0  # dB that a steady fall at either end has to reach before it counts as a fade
_HOLE = 25.0  # dB under the same place of the other bars
_CELLS = 16  # parts of a bar
_FLAT = 4  # samples in a row at the ceiling
_FLATS_PER_SECOND = 5.0  # runs a second that are heard as distortion


@dataclass(frozen=True, slots=True, eq=False)
class Usable:
    """One flag a bar, each of shape ``(bars,)``; ``level`` is the bar's RMS in dBFS.

    ``silent``: at least 40 dB under the usual level. ``fading``: part of a fall (or rise) of 8 dB and more that lasts
    to the end (from the start). ``torn``: a sixteenth or more falls silent where other bars play. ``clipped``: five or
    more flat-topped waves a second.
    """

    level: NDArray[np.float64]
    silent: Flags
    fading: Flags
    torn: Flags
    clipped: Flags

    @property
    def good(self) -> Flags:
        """Bars with music in them throughout; clipped ones are among them, for want of better ones."""
        return np.asarray(~(self.silent | self.fading | self.torn))

    @property
    def faults(self) -> tuple[str, ...]:
        """What is wrong somewhere, in plain words."""
        words = {"silent": "falls silent", "fading": "fades", "torn": "drops out", "clipped": "clips"}
        return tuple(text for name, text in words.items() if getattr(self, name).any())


def usable(audio: Audio, lines: NDArray[np.int64]) -> Usable:
    """Judge each bar of a recording.

    Args:
        audio: the recording.
        lines: samples at which bars start and end, ``(bars + 1,)``, increasing, from 0 to ``audio.frames``.

    Raises ``ValueError`` for lines that are none, do not increase or lie outside the audio.
    """
    check_not_empty(audio)
    lines = np.asarray(lines, dtype=np.int64)
    if len(lines) < 2 or lines[0] < 0 or lines[-1] > audio.frames or not (np.diff(lines) > 0).all():
        raise ValueError(f"bar lines must increase from 0 to {audio.frames}, at least two of them")
    cells = _cell_levels(audio, lines)
    level = _decibels(np.mean(10 ** (cells / 10), axis=1))
    usual = float(np.median(level[level > level.max() - _SILENT]))
    silent = (level < usual - _SILENT) | (level < 20 * np.log10(_DIGITAL_SILENCE))
    return Usable(level, silent, _fading(level, usual), _torn(cells, usual, silent), clipped(audio, lines))


def _decibels(power: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(10 * np.log10(power + 1e-14))


def _cell_levels(audio: Audio, lines: NDArray[np.int64]) -> NDArray[np.float64]:
    """Level in dB of each sixteenth of each bar, ``(bars, 16)``."""
    power = np.concatenate([[0.0], np.cumsum(np.mean(np.square(audio.samples, dtype=np.float64), axis=1))])
    shares = np.arange(_CELLS + 1) / _CELLS
    edges = np.round(lines[:-1, None] + np.diff(lines)[:, None] * shares).astype(np.int64)
    return _decibels(np.maximum(0, np.diff(power[edges])) / np.maximum(1, np.diff(edges)))


def _fading(level: NDArray[np.float64], usual: float) -> Flags:
    """Bars of a steady fall to the end, or of a steady rise from the start."""
    return _fall(level, usual) | _fall(level[::-1], usual)[::-1]


def _fall(level: NDArray[np.float64], usual: float) -> Flags:
    """Bars of the fall that ends a recording: each quieter than the one before, the last by 8 dB and more."""
    first = len(level)
    while first > 1 and level[first - 1] < level[first - 2] - 0.5:
        first -= 1
    flags = np.zeros(len(level), dtype=np.bool_)
    if first < len(level) and level[-1] < usual - _FADED:
        flags[first:] = True
    return flags


def _torn(cells: NDArray[np.float64], usual: float, silent: Flags) -> Flags:
    """Bars with a cell far under the same place of most other bars, where those do play."""
    if np.count_nonzero(~silent) < 3:
        return np.zeros(len(cells), dtype=np.bool_)
    typical = np.median(cells[~silent], axis=0)
    return np.asarray(((cells < typical - _HOLE) & (typical > usual - 20) & (cells < usual - _SILENT)).any(axis=1))


def clipped(audio: Audio, lines: NDArray[np.int64]) -> Flags:
    """Bars whose waves are cut off flat: five runs a second or more of equal samples at the largest magnitude.

    To be asked of a recording as it came: stretching and resampling make flat tops round, not clean. ``lines`` as for
    ``usable``, but bars may be empty.
    """
    starts = np.zeros(audio.frames, dtype=np.int64)
    for x in audio.samples.T:
        ceiling = np.abs(x).max(initial=0.0)
        if ceiling < 0.01:
            continue
        flat = np.abs(x) > 0.999 * ceiling
        flat[1:] &= np.abs(np.diff(x)) < 1e-4 * ceiling
        runs = np.convolve(flat, np.ones(_FLAT - 1, dtype=np.int64))[: len(flat)] == _FLAT - 1
        starts += np.diff(runs.astype(np.int64), prepend=0) == 1
    total = np.concatenate([[0], np.cumsum(starts)])
    lines = np.clip(lines, 0, audio.frames)
    seconds = np.diff(lines) / audio.rate
    return np.asarray((total[lines[1:]] - total[lines[:-1]]) / audio.channels > _FLATS_PER_SECOND * seconds)
