"""Which whole bars of a take become the loop.

Choosing the place matters far more than how long the fade is. The best place is where the music around both ends is
most alike: then what comes before the stop leads as naturally into the start as what really came before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from loopgen.errors import InvalidRequest
from loopgen.looping.stretch import Gridded
from loopgen.metrics.spectra import chroma_of, mel, windowed_spectra
from loopgen.metrics.usable import Usable, usable
from loopgen.music.loop import Span
from loopgen.music.tempo import Meter, check_bars, round_half_up

Float = NDArray[np.float64]

MOST_CANDIDATES = 12

_SLACK = Fraction(1, 16)
"""Of a beat: so much may be missing at either end of a take (a finished loop whose grid is a few ms off) before a bar
counts as incomplete; the seam fills it from the other end."""

_CELLS = 4  # a beat
_WINDOW_SECONDS = 0.1  # at the start of each cell: enough to know it by, at any tempo
_FLOOR = 3e-3  # of the take's level, -50 dB: differences below it do not count
_CONTEXT = 1.0  # beats after which a difference from the seam weighs 1/e


def cut(
    gridded: Gridded,
    bars: int,
    meter: Meter,
    *,
    start_bar: int | None = None,
    clipped: NDArray[np.bool_] | None = None,
) -> list[Span]:
    """Spans of whole bars that start on a downbeat, the best first; there is always at least one.

    Stretches that fade, fall silent or drop out are not used (a pause within the music is, where the loop needs it),
    clipped ones late. A take (or the good part of it) that is shorter than the loop gives spans of fewer bars, the most
    of those that divide ``bars`` or are a power of two, to be played several times; one shorter than a bar gives whole
    beats in the same way; one shorter than a beat gives a span of the loop's whole length that runs past the take's
    end, into silence. ``Span.stop`` may lie past the end of the audio by up to 1/16 beat in the other cases too, and
    ``Span.start`` before sample 0: a seam reads what is missing as silence.

    Args:
        gridded: the take on its exact grid.
        bars: whole bars wanted, 1 to 256.
        meter: the meter; ``gridded.downbeat`` is counted in its beats.
        start_bar: take the span that starts here, counted from the first whole bar (0).
        clipped: whether each bar of the grid clipped before it was stretched, counted from ``gridded.downbeat``
            (``loopgen.metrics.clipped``); stretching hides it.

    Raises ``InvalidRequest`` for a ``start_bar`` from which no bar can be taken.
    """
    rule = _Ruler(gridded, meter)
    total = check_bars(bars) * meter.beats
    starts = rule.downbeats()
    if not starts:
        if start_bar:
            raise InvalidRequest("start_bar", start_bar, "0: the take holds no whole bar")
        return [_less_than_a_bar(rule, total)]
    whole = usable(gridded.audio, rule.clipped_lines(starts))
    if start_bar is not None:
        if not 0 <= start_bar < len(starts):
            raise InvalidRequest("start_bar", start_bar, f"a whole bar of the take, from 0 to {len(starts) - 1}")
        length = _piece(len(starts) - start_bar, bars)
        return [rule.span(starts[start_bar], length * meter.beats)]
    good = _allowed(whole, bars)
    length = _piece(_longest_run(good), bars)
    places = [b for b in range(len(starts) - length + 1) if good[b : b + length].all()]
    flat = _clipped_bars(rule, starts, whole, clipped)
    clipping = np.array([0.5 * flat[b : b + length].mean() for b in places])
    costs = _costs(rule, [starts[b] for b in places], length) + clipping
    order = np.argsort(costs, kind="stable")[:MOST_CANDIDATES]
    return [rule.span(starts[places[int(k)]], length * meter.beats) for k in order]


def cut_at(gridded: Gridded, meter: Meter, beat: int, beats: int, *, origin: int, fixed: bool) -> Span:
    """The span of so many beats from this one of the grid, which need not start a bar.

    Where the take does not hold it, and it is not ``fixed``: the nearest that is whole bars away and fits.

    Raises ``InvalidRequest`` where there is none; the message counts beats from ``origin``.
    """
    rule = _Ruler(gridded, meter)
    whole = [k for k in range(rule.first_beat() - 1, rule.last_beat() + 2) if rule.has(k, 1)]
    first, last = (whole[0], whole[-1] + 1) if whole else (0, 0)
    fits = range(first, last - beats + 1)
    if not fits:
        most = (last - first) // meter.beats
        raise InvalidRequest("bars", beats // meter.beats, f"1 to {most}: the take holds no more" if most else "a take")
    if beat not in fits and not fixed:
        beat = min((k for k in fits if (k - beat) % meter.beats == 0), key=lambda k: abs(k - beat), default=beat)
    if beat not in fits:
        allowed = f"{fits[0] - origin} to {fits[-1] - origin}, from where the take holds {beats} beats"
        raise InvalidRequest("start", beat - origin, allowed)
    return rule.span(beat, beats)


@dataclass(frozen=True, slots=True)
class _Ruler:
    """Beats of a gridded take as samples."""

    gridded: Gridded
    meter: Meter

    def line(self, beat: int) -> int:
        return round_half_up(beat * self.gridded.beat_frames)

    def has(self, beat: int, beats: int) -> bool:
        """Whether the take sounds for ``beats`` from ``beat``, but for the slack."""
        first, last = self.gridded.valid
        slack = _SLACK * self.gridded.beat_frames
        return self.line(beat) >= first - slack and self.line(beat + beats) <= last + slack

    def first_beat(self) -> int:
        return int((self.gridded.valid[0] / self.gridded.beat_frames).__floor__())

    def last_beat(self) -> int:
        return int((self.gridded.valid[1] / self.gridded.beat_frames).__ceil__())

    def downbeats(self) -> list[int]:
        """Beats that start a whole bar, in order, without a gap."""
        beats = self.meter.beats
        first = self.first_beat() + (self.gridded.downbeat - self.first_beat()) % beats
        return [k for k in range(first, self.last_beat() + 1, beats) if self.has(k, beats)]

    def span(self, beat: int, beats: int) -> Span:
        start = self.line(beat)
        frames = round_half_up(beats * self.gridded.beat_frames)
        return Span(start, start + frames, max(0, start - self.gridded.valid[0]))

    def clipped_lines(self, starts: list[int]) -> NDArray[np.int64]:
        """Bar lines around whole bars, inside the audio."""
        lines = [self.line(k) for k in [*starts, starts[-1] + self.meter.beats]]
        return np.clip(np.array(lines, dtype=np.int64), 0, self.gridded.audio.frames)


def _piece(available: int, wanted: int) -> int:
    """Most of ``available`` that, repeated, makes ``wanted``: all of it, a divisor of it, or a power of two.

    >>> [_piece(n, 8) for n in (20, 8, 7, 3, 1)], _piece(5, 6), _piece(4, 5)
    ([8, 8, 4, 2, 1], 4, 4)
    """
    fits = range(1, min(available, wanted) + 1)
    return max(n for n in fits if wanted % n == 0 or n & (n - 1) == 0)


def _allowed(whole: Usable, bars: int) -> NDArray[np.bool_]:
    """Bars to choose from: good ones; with pauses among them if there are too few; for want of any, all."""
    outer = ~(whole.fading | _outermost(whole.silent))
    for flags in (whole.good, outer):
        if _longest_run(flags) >= bars:
            return flags
    return next((flags for flags in (whole.good, outer) if flags.any()), np.ones(len(outer), dtype=np.bool_))


def _outermost(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Those flags that reach the start or the end without a gap."""
    return np.asarray(np.minimum.accumulate(flags) | np.minimum.accumulate(flags[::-1])[::-1])


def _longest_run(flags: Iterable[np.bool_]) -> int:
    longest = run = 0
    for flag in flags:
        run = run + 1 if flag else 0
        longest = max(longest, run)
    return longest


def _less_than_a_bar(rule: _Ruler, total: int) -> Span:
    """Whole beats from a downbeat, else from any beat, else all there is."""
    beats = range(rule.first_beat(), rule.last_beat() + 1)
    on_one = [k for k in beats if (k - rule.gridded.downbeat) % rule.meter.beats == 0 and rule.has(k, 1)]
    for start in on_one or [k for k in beats if rule.has(k, 1)]:
        length = max(n for n in range(1, rule.meter.beats + 1) if rule.has(start, n))
        return rule.span(start, _piece(length, min(total, rule.meter.beats)))
    start = max(0, rule.gridded.valid[0])
    return Span(start, start + round_half_up(total * rule.gridded.beat_frames), 0)


def _clipped_bars(
    rule: _Ruler, starts: list[int], whole: Usable, clipped: NDArray[np.bool_] | None
) -> NDArray[np.bool_]:
    """Which of the bars at ``starts`` clip, now or before the take was stretched."""
    if clipped is None or not len(clipped):
        return whole.clipped
    number = (np.array(starts) - rule.gridded.downbeat) // rule.meter.beats
    known = (number >= 0) & (number < len(clipped))
    return np.asarray(whole.clipped | (known & clipped[np.clip(number, 0, len(clipped) - 1)]))


# How alike the music around two beats is ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """What each quarter of each beat sounds like: ``mel`` ``(cells, bands)`` in nepers, ``chroma`` of unit length."""

    first: int
    mel: Float
    chroma: Float

    def distance(self, one: NDArray[np.int64], other: NDArray[np.int64]) -> Float:
        """Between cells counted from beat 0; nan where either lies outside the take."""
        a, b = one - self.first, other - self.first
        inside = (np.minimum(a, b) >= 0) & (np.maximum(a, b) < len(self.mel))
        a, b = np.where(inside, a, 0), np.where(inside, b, 0)
        timbre = np.sqrt(np.mean((self.mel[a] - self.mel[b]) ** 2, axis=-1))
        harmony = 1 - np.sum(self.chroma[a] * self.chroma[b], axis=-1)
        return np.where(inside, timbre + harmony, np.nan)


def _cells(rule: _Ruler) -> _Cells:
    gridded = rule.gridded
    size = gridded.beat_frames / _CELLS
    first = int((gridded.valid[0] / size).__ceil__())
    count = max(1, int((gridded.valid[1] / size).__floor__()) - first)
    starts = np.array([round_half_up((first + k) * size) for k in range(count)])
    length = max(2, min(int(size), round(_WINDOW_SECONDS * gridded.audio.rate)))
    at = np.minimum(starts[:, None] + np.arange(length), gridded.audio.frames - 1)
    spectra, points = windowed_spectra(gridded.audio.samples[at])
    level = float(np.sqrt(np.mean(np.square(gridded.audio.samples, dtype=np.float64))))
    bands = np.sqrt(np.mean(mel(spectra, gridded.audio.rate, points) ** 2, axis=1))
    classes = chroma_of(spectra, gridded.audio.rate, points) + 1e-3 * level + 1e-12
    return _Cells(
        first, np.log(bands + _FLOOR * level + 1e-12), classes / np.linalg.norm(classes, axis=1, keepdims=True)
    )


def _costs(rule: _Ruler, starts: list[int], bars: int) -> Float:
    """How unlike the music is around both ends of each span of ``bars`` bars, in nepers; lower is better."""
    cells, beats = _cells(rule), rule.meter.beats
    reach = _CELLS * max(beats, 2)
    offsets = np.arange(-reach, reach)
    weight = np.exp(-np.abs(offsets + 0.5) / (_CONTEXT * _CELLS))
    costs, change = [], []
    for start in starts:
        one, other = start * _CELLS + offsets, (start + bars * beats) * _CELLS + offsets
        costs.append(_mean(cells.distance(one, other), weight))
        before, after = np.arange(-_CELLS * beats, 0), np.arange(_CELLS * beats)
        change.append(_mean(cells.distance(start * _CELLS + before, start * _CELLS + after), np.ones(len(after))))
        level = cells.distance(start * _CELLS + after, (start + (bars - 1) * beats) * _CELLS + after)
        costs[-1] += 0.25 * np.nan_to_num(_mean(level, np.ones(len(after))))
    cost, news = np.array(costs), np.array(change)
    unknown = np.isnan(cost)
    cost[unknown] = np.nanmax(cost) if not unknown.all() else 0.0
    # A phrase starts where most changes: among places that are equally good prefer those.
    spread = np.nan_to_num(np.nanmax(news) - np.nanmin(news)) if np.isfinite(news).any() else 0.0
    phrase = np.nan_to_num((news - np.nanmin(news)) / spread) if spread > 0 else np.zeros(len(cost))
    return np.asarray(cost - 0.1 * phrase)


def _mean(values: Float, weight: Float) -> float:
    known = np.isfinite(values)
    return float(np.sum(values[known] * weight[known]) / weight[known].sum()) if known.any() else float("nan")
