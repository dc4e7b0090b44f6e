"""Frames and windows: exact arithmetic for any tempo, meter and length."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from loopgen.engines.musicgen.count_in import count_in
from loopgen.engines.musicgen.plan import (
    FRAME_RATE,
    LEAST_SECONDS,
    MARGIN_SECONDS,
    OVERLAP,
    WINDOW,
    Plan,
    opening_bars,
    plan,
    slowest,
)
from loopgen.errors import InvalidRequest
from loopgen.music.audio import Audio
from loopgen.music.request import LoopRequest, Opening
from loopgen.music.sampling import Sampling
from loopgen.music.tempo import Meter, bar_seconds, beat_seconds

TEMPOS = st.fractions(Fraction(20), Fraction(999), max_denominator=1000)
METERS = st.sampled_from(["4/4", "3/4", "7/8", "5/4", "6/8", "2/2", "1/16", "64/4", "13/16"])


@st.composite
def requests(draw: st.DrawFn) -> LoopRequest:
    bpm, meter = draw(TEMPOS), Meter.parse(draw(METERS))
    most = math.floor(600 / bar_seconds(bpm, meter))
    return LoopRequest("house", bpm, bars=draw(st.integers(1, min(256, most))), meter=meter)


def going_on(request: LoopRequest, kept: int = 0) -> LoopRequest:
    opening = Opening(Audio(np.zeros(1), 32_000), kept, "loop.wav")
    return LoopRequest(request.prompt, request.bpm, request.bars, request.meter, opening=opening)


def drawn(planned: Plan) -> list[int]:
    """How often each frame of the take is drawn."""
    times = [0] * planned.frames
    for window in planned.windows:
        for frame in range(window.start + window.given, window.stop):
            times[frame] += 1
    return times


@given(requests(), st.fractions(0, 29, max_denominator=500), st.booleans())
@settings(max_examples=300, deadline=None)
def test_every_frame_is_given_or_drawn_once(request: LoopRequest, opening: Fraction, music: bool) -> None:
    planned = plan(going_on(request) if music else request, opening=opening)
    assert planned.opening == math.floor(opening * FRAME_RATE)
    assert drawn(planned) == [0] * planned.opening + [1] * (planned.frames - planned.opening)
    for before, window in zip(planned.windows, planned.windows[1:], strict=False):
        assert window.start == before.stop - OVERLAP
        assert window.given == OVERLAP
        assert before.frames == WINDOW
    assert all(0 < window.given + 1 <= window.frames <= WINDOW for window in planned.windows[1:])
    assert planned.windows[0].given == planned.opening
    assert planned.windows[0].frames <= WINDOW


@given(requests(), st.fractions(0, 29, max_denominator=500))
@settings(max_examples=300, deadline=None)
def test_the_slowest_take_holds_its_bars_and_not_a_frame_more(request: LoopRequest, opening: Fraction) -> None:
    planned = plan(request, opening=opening)
    beats = planned.lead_in + request.bars * request.meter.beats + planned.tail
    needed = opening + beats * beat_seconds(slowest(request.bpm), request.meter)
    assert planned.frames == math.ceil(needed * FRAME_RATE)
    assert planned.bar_one == opening + planned.lead_in * beat_seconds(request.bpm, request.meter)
    assert planned.lead_in >= 1
    assert planned.frames >= LEAST_SECONDS * FRAME_RATE


@given(requests(), st.fractions(0, 29, max_denominator=500))
@settings(max_examples=300, deadline=None)
def test_a_bar_on_either_side_where_a_window_holds_it_and_one_window_where_that_will_do(
    request: LoopRequest, opening: Fraction
) -> None:
    planned = plan(request, opening=opening)
    beat = beat_seconds(slowest(request.bpm), request.meter)
    bar = request.meter.beats
    assume(bar * beat <= MARGIN_SECONDS)
    loop = bar * request.bars
    window = Fraction(WINDOW, FRAME_RATE)
    if opening + (loop + 2 * bar) * beat <= window or len(planned.windows) > 1:
        assert planned.lead_in == bar
        assert planned.tail >= bar
    else:
        assert planned.lead_in == bar or planned.tail == 0, "the tail is given up first"
    if opening + (loop + 1) * beat <= window:
        assert len(planned.windows) == 1
    if len(planned.windows) == 1 and planned.frames > FRAME_RATE * (LEAST_SECONDS + beat) + 1:
        assert planned.tail <= bar


@given(requests(), st.integers(1, 64), st.integers(0, 8))
@settings(max_examples=300, deadline=None)
def test_the_longest_opening_that_leaves_room_is_given(request: LoopRequest, available: int, kept: int) -> None:
    request = going_on(request, kept)
    bar = bar_seconds(request.bpm, request.meter)
    if bar >= 30:
        with pytest.raises(InvalidRequest, match=r"opening: 'bars of .* s' cannot be used; give bars below 30 s"):
            opening_bars(request, available)
        return
    bars = opening_bars(request, available)
    assert 1 <= bars <= available
    planned = plan(request, opening=bars * bar)
    assert planned.lead_in == 0
    assert planned.bar_one == (bars - kept) * bar
    if bars < available and len(planned.windows) == 1 and bars > kept:
        more = (bars + 1) * bar
        full = more + (max(0, request.bars - kept) + 1) * request.meter.beats * beat_seconds(
            slowest(request.bpm), request.meter
        )
        assert more >= 30 or full > 30 or bar > MARGIN_SECONDS


def test_figures_that_a_reader_can_check() -> None:
    four = plan(LoopRequest("house", 120))
    assert (four.frames, four.lead_in, four.tail) == (627, 4, 4)  # 6 bars at 115 BPM: 12.52 s
    one = plan(LoopRequest("house", 240, bars=1))
    assert one.frames >= 400
    assert one.lead_in + 4 + one.tail == 32  # 8 bars to choose one of: 8 s at 235 BPM are 31.3 beats
    slow = plan(LoopRequest("house", 30))
    assert [(w.start, w.stop, w.given) for w in slow.windows] == [(0, 1500, 0), (900, 2400, 600), (1800, 2667, 600)]
    assert slow.lead_in == slow.tail == 4
    tight = plan(LoopRequest("house", 120, bars=13))
    assert (tight.lead_in, tight.tail, len(tight.windows)) == (4, 1, 1)
    tighter = plan(LoopRequest("house", 120, bars=14))
    assert (tighter.lead_in, tighter.tail, len(tighter.windows)) == (1, 0, 1)
    assert len(plan(LoopRequest("house", 120, bars=15)).windows) == 2
    waltz = plan(LoopRequest("waltz", 90, bars=8, meter="3/4"))
    assert (waltz.lead_in, waltz.tail, waltz.frames) == (3, 3, 1059)
    longest = plan(LoopRequest("house", "102.4", bars=256))
    assert longest.frames > 600 * FRAME_RATE
    assert len(longest.windows) == math.ceil((longest.frames - WINDOW) / (WINDOW - OVERLAP)) + 1


def test_the_bars_that_an_opening_brings_are_not_drawn_again() -> None:
    request = LoopRequest("house", 120, bars=8)
    opening = 4 * bar_seconds(request.bpm, request.meter)
    after, into = plan(going_on(request), opening=opening), plan(going_on(request, kept=2), opening=opening)
    assert after.frames - into.frames in (208, 209)  # two bars at 115 BPM are 208.7 frames
    assert after.bar_one == 8
    assert into.bar_one == 4


def test_other_codecs_and_windows() -> None:
    planned = plan(LoopRequest("house", 120, bars=16), frame_rate=75, window=600, overlap=100)
    assert sum(drawn(planned)) == planned.frames
    assert planned.frames == math.ceil(18 * 4 * 75 * Fraction(60, 115))
    assert planned.windows[1].start == 500


@pytest.mark.parametrize(("bpm", "is_heard"), [(24, False), (25, True)])
def test_a_count_in_is_shorter_than_a_window(bpm: int, is_heard: bool) -> None:
    """Bars of 12/4 last 30 s at 24 BPM."""
    request = LoopRequest("house", bpm, bars=1, meter="12/4", sampling=Sampling(count_in=True))
    clicks = count_in(request.bpm, request.meter)
    if is_heard:
        assert plan(request, opening=clicks.downbeat).opening == 1_440
        return
    with pytest.raises(InvalidRequest, match="count_in: '30 s' cannot be used; give none where bars last 30 s or more"):
        plan(request, opening=clicks.downbeat)


@pytest.mark.parametrize(("opening", "overlap"), [(30, 600), (-1, 600), (0, 0), (0, 1500)])
def test_what_leaves_nothing_to_draw_is_refused(opening: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="below 1500 each"):
        plan(LoopRequest("house", 120), opening=opening, overlap=overlap)
