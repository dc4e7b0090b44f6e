"""Clicks on the exact tempo."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopgen.engines.musicgen.count_in import ENOUGH_SECONDS, PEAK, CountIn, count_in
from loopgen.errors import InvalidRequest
from loopgen.music.audio import Audio
from loopgen.music.tempo import Meter, bar_seconds, loop_frames
from loopgen.onsets import onset_times

TEMPOS = st.fractions(Fraction(20), Fraction(999), max_denominator=1000)
METERS = st.builds(Meter, st.integers(1, 13), st.sampled_from([2, 4, 8, 16]))


def heard(clicks: CountIn) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Onsets of the count-in with silence around it, in its own seconds."""
    before = clicks.rate // 2
    samples = np.pad(clicks.samples, before)
    return np.asarray(onset_times(Audio(samples, clicks.rate)).times - before / clicks.rate)


@given(TEMPOS, METERS, st.sampled_from([32_000, 44_100]))
@settings(max_examples=60, deadline=None)
def test_it_lasts_whole_bars_to_the_sample(bpm: Fraction, meter: Meter, rate: int) -> None:
    clicks = count_in(bpm, meter, rate=rate)
    assert len(clicks.samples) == loop_frames(bpm, clicks.bars, meter, rate)
    assert clicks.downbeat == clicks.bars * bar_seconds(bpm, meter)
    assert abs(len(clicks.samples) / rate - clicks.downbeat) <= 0.5 / rate
    assert clicks.downbeat >= ENOUGH_SECONDS > (clicks.bars - 1) * bar_seconds(bpm, meter)
    exact = np.arange(clicks.bars * meter.beats) * float(clicks.downbeat) / (clicks.bars * meter.beats)
    assert np.abs(clicks.beats - exact).max() <= 1.01 / rate
    assert clicks.samples.dtype == np.float32
    assert np.abs(clicks.samples).max() == pytest.approx(PEAK)


@pytest.mark.parametrize("bpm", ["60.23", "97.5", "120", "127.9", "174"])
@pytest.mark.parametrize("meter", ["4/4", "3/4", "7/8", "5/4"])
def test_every_beat_is_heard_where_it_is(bpm: str, meter: str) -> None:
    """To the millisecond that the onset detector itself is good for; and nothing besides but what lies halfway."""
    clicks = count_in(Fraction(bpm), Meter.parse(meter), bars=2)
    times = heard(clicks)
    for beat in clicks.beats:
        assert np.abs(times - beat).min() <= 0.001
    grid = np.linspace(0, float(clicks.downbeat), 2 * len(clicks.beats), endpoint=False)
    assert all(np.abs(grid - time).min() <= 0.001 for time in times)


@given(
    st.fractions(Fraction(20), Fraction(240), max_denominator=1000),
    st.builds(Meter, st.integers(1, 13), st.sampled_from([2, 4, 8])),
    st.sampled_from([32_000, 48_000]),
)
@settings(max_examples=40, deadline=None)
def test_every_beat_begins_on_its_very_sample(bpm: Fraction, meter: Meter, rate: int) -> None:
    clicks = count_in(bpm, meter, rate=rate)
    at = np.round(clicks.beats * rate).astype(int)
    assert np.abs(clicks.samples[at]).min() > 0.2
    assert np.abs(clicks.samples[at - 1]).max() < 0.01  # before the first comes the last


def test_it_starts_on_one_and_ends_in_silence_on_the_bar_line() -> None:
    for bpm in ("20", "127.9", "400", "999"):
        samples = count_in(Fraction(bpm), Meter()).samples
        assert np.abs(samples[:32]).max() > 0.1
        assert samples[-1] == 0
        assert np.abs(samples[-16:]).max() < 0.03


def test_one_is_the_loudest() -> None:
    clicks = count_in(Fraction(110), Meter(3, 4), bars=2)
    at = np.round(clicks.beats * clicks.rate).astype(int)
    levels = [float(np.sqrt(np.mean(clicks.samples[k : k + 3200] ** 2))) for k in at]
    assert min(levels[0], levels[3]) > 1.4 * max(levels[1], levels[2], levels[4], levels[5])


def test_beats_too_near_to_be_told_apart_are_not_all_struck() -> None:
    clicks = count_in(Fraction(900), Meter(16, 16), bars=4)
    times = heard(clicks)
    assert len(clicks.beats) == 64
    assert len(times) == 8
    assert np.diff(times).min() > 0.09


def test_it_is_always_the_same() -> None:
    first, second = (count_in(Fraction(128), Meter()).samples for _ in range(2))
    assert np.array_equal(first, second)


def test_what_cannot_be_counted_is_refused() -> None:
    with pytest.raises(ValueError, match="0 bars; one at least"):
        count_in(Fraction(120), Meter(), bars=0)
    with pytest.raises(InvalidRequest, match="rate"):
        count_in(Fraction(120), Meter(), rate=50)
