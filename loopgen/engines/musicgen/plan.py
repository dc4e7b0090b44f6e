"""How many frames of tokens a take needs, and in which windows they are drawn. Arithmetic only, and exact.

A take is: what the model is given to go on from (the *opening*: a count-in, or music), a *lead-in*, the loop's bars, a
*tail*. A take from nothing may begin anywhere in its bar, so that a bar of lead-in is what it takes for N whole bars to
be in it; it is also faded in under the loop's end. After a count-in the phase is known, but the first bar still has
clicks before it that no loop may have, so that it is led in as well. Music to go on from is its own lead-in. The tail
gives the cut something to choose from.

Trade-offs
----------
- **Tempo.** The model keeps a tempo to some 5 BPM. The time asked for is that of the slowest take expected
  (``slowest``), so that N bars fit however it drifts; at 120 BPM this costs 4% more frames.
- **One window.** The model was trained on 30 seconds and forgets what lies further back. What does not fit with a bar
  on either side gets less tail, then less lead-in, in whole beats and down to one, before a second window is opened: a
  join costs more than a bar.
- **Continuation.** Each further window begins with the last ``OVERLAP`` frames of the one before: 12 s, as in
  audiocraft (a stride of 18 s in 30), six bars at 120 BPM. That is enough for groove and harmony to go on; more would
  mean more windows, and their prefill, for the same music. The last window is as short as what is left.
- **Short loops.** Below ``LEAST_SECONDS`` a take holds too few beats to measure its tempo by, and no second place to
  cut from; the tail is lengthened to that.
- **Slow bars.** Lead-in and tail are at most ``MARGIN_SECONDS`` long, in whole beats: one bar of 64/4 at 20 BPM lasts
  over three minutes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from loopgen.errors import InvalidRequest
from loopgen.music.request import LoopRequest
from loopgen.music.tempo import bar_seconds, beat_seconds

FRAME_RATE = 50
"""Frames a second of the 32 kHz EnCodec."""

WINDOW = 1_500
"""Frames that the models were trained on: 30 s, what is given included."""

OVERLAP = 600

LOOSE_BPM = 5
LOOSEST = Fraction(9, 10)
"""How far below the asked tempo a take may be: by 5 BPM, but by a tenth at most."""

LEAST_SECONDS = 8
MARGIN_SECONDS = 12


@dataclass(frozen=True, slots=True)
class Window:
    """Frames ``start`` to ``stop`` of the take, drawn in one pass; the first ``given`` of them are there already."""

    start: int
    stop: int
    given: int

    @property
    def frames(self) -> int:
        """Length, what is given included."""
        return self.stop - self.start


@dataclass(frozen=True, slots=True)
class Plan:
    """What to draw.

    Attributes:
        frames: length of the take, the opening included.
        opening: frames that are given: the whole ones, so that the frame in which the opening ends is drawn.
        lead_in, tail: beats before and after the loop's bars.
        bar_one: seconds in the take where the loop's first bar is to begin; below 0 where it began before the opening.
        windows: in order; every frame but the opening's is drawn in exactly one of them.
    """

    frames: int
    opening: int
    lead_in: int
    tail: int
    bar_one: Fraction
    windows: tuple[Window, ...]


def slowest(bpm: Fraction) -> Fraction:
    """The slowest tempo that is expected where one is asked for, in quarter notes a minute.

    >>> slowest(Fraction(120)), slowest(Fraction(30))
    (Fraction(115, 1), Fraction(27, 1))
    """
    return max(bpm - LOOSE_BPM, LOOSEST * bpm)


def plan(
    request: LoopRequest,
    *,
    opening: Fraction | int = 0,
    frame_rate: int = FRAME_RATE,
    window: int = WINDOW,
    overlap: int = OVERLAP,
) -> Plan:
    """Frames for the request's bars with lead-in and tail, and the windows to draw them in.

    ``opening`` is the length in seconds of what the model is given to begin with and ends on a bar line: the last bars
    of ``request.opening`` where there is one, of which the loop keeps some, else a count-in, which it does not.
    Raises ``InvalidRequest`` for a count-in that fills a window, ``ValueError`` for another opening or an overlap that
    does.

    >>> from loopgen.music.request import LoopRequest
    >>> four = plan(LoopRequest("house", 120))
    >>> four.frames, four.lead_in, four.tail, float(four.bar_one), len(four.windows)
    (627, 4, 4, 2.0, 1)
    >>> [(w.start, w.stop, w.given) for w in plan(LoopRequest("house", 120, bars=32)).windows]
    [(0, 1500, 0), (900, 2400, 600), (1800, 3300, 600), (2700, 3548, 600)]
    """
    given = math.floor(opening * frame_rate)
    if given >= window and request.sampling.count_in and not request.opening:
        allowed = f"none where bars last {window / frame_rate:g} s or more: the model hears no more at once"
        raise InvalidRequest("count_in", f"{float(opening):.3g} s", allowed)
    if not 0 <= given < window or not 0 < overlap < window:
        raise ValueError(f"{given} frames given and {overlap} of overlap: below {window} each, and some overlap")
    margin = _margin(request)
    bars = _beats_to_draw(request)
    lead_in, tail = (0 if request.opening else margin), margin
    beat = beat_seconds(slowest(request.bpm), request.meter)
    spare = math.floor((Fraction(window, frame_rate) - opening) / beat) - bars
    if spare < lead_in + tail and spare >= min(1, lead_in):
        lead_in = min(lead_in, spare)
        tail = spare - lead_in
    tail += max(0, math.ceil((LEAST_SECONDS - opening) / beat) - (lead_in + bars + tail))
    frames = math.ceil((opening + (lead_in + bars + tail) * beat) * frame_rate)
    kept = request.opening.kept if request.opening else 0
    bar_one = (
        opening + lead_in * beat_seconds(request.bpm, request.meter) - kept * bar_seconds(request.bpm, request.meter)
    )
    return Plan(frames, given, lead_in, tail, bar_one, _windows(frames, given, window, overlap))


def opening_bars(
    request: LoopRequest,
    available: int,
    *,
    frame_rate: int = FRAME_RATE,
    window: int = WINDOW,
    overlap: int = OVERLAP,
) -> int:
    """How many of the last ``available`` bars of ``request.opening`` to give the model.

    As many as leave room for what is to be drawn in the same window; where that cannot be, as many as an overlap holds.
    At least those that the loop keeps, and one, so far as a window holds them. Raises ``InvalidRequest`` where it does
    not hold one.

    >>> from loopgen.music.audio import Audio
    >>> from loopgen.music.request import LoopRequest, Opening
    >>> opening_bars(LoopRequest("house", 120, opening=Opening(Audio([0.0], 32_000), 0, "")), 16)
    9
    """
    bar = bar_seconds(request.bpm, request.meter)
    to_draw = (_beats_to_draw(request) + _margin(request)) * beat_seconds(slowest(request.bpm), request.meter)
    fit = math.floor((Fraction(window, frame_rate) - to_draw) / bar)
    if fit < 1:
        fit = math.floor(Fraction(overlap, frame_rate) / bar)
    most = math.ceil(Fraction(window, frame_rate) / bar) - 1
    if most < 1:
        allowed = f"bars below {window / frame_rate:g} s to go on from: the model hears no more at once"
        raise InvalidRequest("opening", f"bars of {float(bar):.3g} s", allowed)
    kept = request.opening.kept if request.opening else 0
    return min(available, most, max(1, fit, kept))


def _margin(request: LoopRequest) -> int:
    """Beats of a bar, or as many as ``MARGIN_SECONDS`` hold."""
    return min(request.meter.beats, max(1, math.floor(MARGIN_SECONDS / beat_seconds(request.bpm, request.meter))))


def _beats_to_draw(request: LoopRequest) -> int:
    """Beats of the loop that are not in its opening."""
    kept = request.opening.kept if request.opening else 0
    return max(0, request.bars - kept) * request.meter.beats


def _windows(frames: int, given: int, window: int, overlap: int) -> tuple[Window, ...]:
    windows = [Window(0, min(frames, window), given)]
    while (stop := windows[-1].stop) < frames:
        windows.append(Window(stop - overlap, min(frames, stop - overlap + window), overlap))
    return tuple(windows)
