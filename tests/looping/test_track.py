"""The tracker, on grooves whose grid is known: period, wobble, phase, honesty, and never an exception."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import numpy as np
import pytest

from loopgen.looping.track import track
from loopgen.music.audio import Audio
from loopgen.music.beats import BeatGrid
from loopgen.music.tempo import Meter
from tests.bench.judge import judge
from tests.bench.takes import KnownTake, synthetic_take

STEADY = (0, 4, 10, 15, 16, 18)
"""Grooves with drums in 4/4, no swing, of the generator in ``tests.bench.grooves``."""


@cache
def take(number: int, wobble: float = 0.0) -> KnownTake:
    return synthetic_take(number, seconds=20.0, wobble=wobble)


def asked(known: KnownTake, ratio: float = 1.02) -> Fraction:
    return Fraction(f"{known.bpm * ratio:.2f}")


@pytest.mark.parametrize("number", STEADY)
def test_the_period_of_a_steady_take_is_exact_and_constant(number: int) -> None:
    grid = track(take(number).audio, asked(take(number)), take(number).meter)
    assert judge(take(number), grid).period < 1e-4
    assert np.ptp(np.diff(grid.beats)) < 1e-9


def test_beats_and_bars_are_right_on_drums() -> None:
    verdicts = [judge(take(n), track(take(n).audio, asked(take(n)), take(n).meter)) for n in STEADY]
    assert np.mean([v.beat for v in verdicts]) >= 0.8
    assert np.mean([v.bar for v in verdicts]) >= 0.6


@pytest.mark.parametrize("wobble", [0.012, 0.03])
def test_beats_follow_a_wobble_within_a_millisecond_or_two(wobble: float) -> None:
    for number in STEADY[:3]:
        known = take(number, wobble)
        grid = track(known.audio, asked(known), known.meter)
        cells = known.grid.position(grid.beats[(grid.beats > 0) & (grid.beats < 20)]) * 4
        away = (cells - np.round(cells)) * known.grid.period / 4
        assert np.percentile(np.abs(away - np.median(away)), 95) < 0.0025 * max(1, wobble / 0.012)


@pytest.mark.parametrize("ratio", [0.5, 0.76, 1.3, 2.0])
def test_a_take_at_quite_another_tempo_is_found_at_the_level_nearest_to_the_request(ratio: float) -> None:
    for number in STEADY[:3]:
        known = take(number)
        bpm = asked(known, ratio)
        octaves = np.log2(track(known.audio, bpm, known.meter).bpm / known.bpm)
        assert abs(octaves - round(octaves)) < 1e-3
        assert abs(np.log2(track(known.audio, bpm, known.meter).bpm / float(bpm))) < 0.51


def test_a_tempo_that_the_user_knows_narrows_the_search() -> None:
    known = take(4)
    two_thirds = track(known.audio, Fraction(100), known.meter, source_bpm=asked(known, 1.01))
    assert judge(known, two_thirds).period < 1e-4


@pytest.mark.parametrize("number", [*STEADY[:3], 1, 7])
def test_the_users_downbeat_decides(number: int) -> None:
    known = take(number)
    for downbeat in (known.grid.downbeats[1] - 0.012, known.grid.downbeats[-2] + 0.02):
        grid = track(known.audio, asked(known), known.meter, downbeat=float(downbeat))
        assert judge(known, grid).bar
        assert (grid.source, grid.confidence, grid.downbeat_confidence) == ("user", 1.0, 1.0)


def test_a_downbeat_between_the_sixteenths_is_taken_at_its_word() -> None:
    known = take(10)
    wanted = float(known.grid.downbeats[1] + known.grid.period / 8)
    grid = track(known.audio, asked(known), known.meter, downbeat=wanted)
    assert np.min(np.abs(grid.downbeats - wanted)) < 1e-6


def test_the_engines_grid_is_returned_where_the_audio_agrees_or_is_silent() -> None:
    for audio in (take(0).audio, Audio(np.zeros((20 * 8000, 2)), 8000)):
        assert track(audio, Fraction(120), known=take(0).grid) is take(0).grid


def test_the_engines_grid_is_dropped_where_the_audio_contradicts_it() -> None:
    known = take(4)
    wrong = BeatGrid.steady(0.1, known.grid.period * 1.07, 20.0, known.meter)
    grid = track(known.audio, asked(known), known.meter, known=wrong)
    assert grid.source == "analysis"
    assert judge(known, grid).period < 1e-4


def test_a_user_can_move_the_bar_of_the_engines_grid() -> None:
    known = take(0)
    second = float(known.grid.beats[known.grid.downbeat + 1])
    grid = track(known.audio, asked(known), known.meter, known=known.grid, downbeat=second + 0.01)
    np.testing.assert_array_equal(grid.beats, known.grid.beats)
    assert second in grid.downbeats


@pytest.mark.parametrize("meter", ["3/4", "5/4", "6/8", "7/8", "2/2", "12/8", "1/4", "9/16"])
def test_every_meter_gets_its_beats(meter: str) -> None:
    grid = track(take(0).audio, asked(take(0)), Meter.parse(meter))
    assert grid.meter == Meter.parse(meter)
    assert abs(np.log2(grid.bpm / take(0).bpm)) < 0.5


def tone(rate: int) -> np.ndarray:
    return np.sin(2 * np.pi * 440 * np.arange(4 * rate) / rate)


@pytest.mark.parametrize("rate", [8_000, 44_100, 192_000])
@pytest.mark.parametrize("meter", [Meter(4, 4), Meter(7, 8), Meter(1, 16), Meter(64, 1)], ids=str)
@pytest.mark.parametrize("content", ["nothing", "silence", "tone", "noise", "dc", "click", "short", "sample", "nan"])
def test_any_audio_gets_a_grid_that_covers_it(content: str, rate: int, meter: Meter) -> None:
    rng = np.random.default_rng(0)
    samples = {
        "nothing": np.zeros(0), "silence": np.zeros((2 * rate, 2)), "tone": tone(rate),
        "noise": rng.standard_normal(3 * rate), "dc": np.ones(2 * rate), "sample": np.ones(1),
        "click": np.eye(1, 3 * rate, rate)[0], "short": rng.standard_normal(rate // 2), "nan": np.full(rate, np.nan),
    }[content]  # fmt: skip
    audio = Audio(samples, rate)
    for kwargs in ({}, {"downbeat": 0.31}, {"source_bpm": Fraction(97)}):
        grid = track(audio, Fraction(128), meter, **kwargs)
        assert grid.beats[0] <= 0
        assert grid.beats[-1] >= audio.seconds
        if content not in ("noise", "short") and not kwargs:
            assert grid.confidence == grid.downbeat_confidence == 0
            assert grid.bpm == pytest.approx(128)


def test_noise_claims_nothing() -> None:
    rng = np.random.default_rng(2)
    for _ in range(3):
        grid = track(Audio(rng.standard_normal((10 * 32_000, 2)), 32_000), Fraction(120))
        assert grid.confidence < 0.6
        assert grid.downbeat_confidence < 0.4


def test_a_single_pitched_instrument_is_never_claimed_with_confidence() -> None:
    t = np.arange(16 * 24_000) / 24_000
    since = np.mod(t, 0.25)
    bass = np.sin(2 * np.pi * 55 * since) * np.exp(-since / 0.1)
    grid = track(Audio(bass, 24_000), Fraction(120))
    assert grid.confidence < 0.8
    assert grid.downbeat_confidence < 0.8


@pytest.mark.parametrize("wobble", [0.0, 0.012])
def test_a_cue_settles_the_bar_where_the_audio_leaves_it_open(wobble: float) -> None:
    """The first takes of the generator whose bar is not found without: nearly all are, given where a bar begins."""
    missed, found = 0, 0
    for number in range(100):
        if missed == 5:
            break
        known = take(number, wobble)
        alone = track(known.audio, asked(known), known.meter)
        if judge(known, alone).bar or abs(np.log2(alone.bpm / known.bpm)) > 0.01:
            continue
        cued = track(known.audio, asked(known), known.meter, cue=float(known.grid.downbeats[1]) + 0.01)
        missed += 1
        found += judge(known, cued).bar
        assert cued.source == "analysis"
    assert missed == 5
    assert found >= 0.8 * missed


def test_a_cue_off_the_beat_is_mostly_withstood_where_the_beat_is_clear() -> None:
    """Takes whose beat is sure and whose bar is right without; the cue, which was not heeded, is half a beat late."""
    tried = withstood = 0
    for number in range(24):
        known = take(number)
        alone = track(known.audio, asked(known), known.meter)
        if alone.confidence < 0.9 or not judge(known, alone).bar:
            continue
        misled = track(
            known.audio, asked(known), known.meter, cue=float(known.grid.downbeats[1] + known.grid.period / 2)
        )
        tried += 1
        withstood += judge(known, misled).bar
    assert tried >= 6
    assert withstood >= 2 * tried / 3


def test_a_cue_is_where_the_bar_begins_if_nothing_is_heard() -> None:
    grid = track(Audio(np.zeros(80_000), 8_000), Fraction(120), cue=0.7)
    assert np.min(np.abs(grid.downbeats - 0.7)) < 1e-9
    assert grid.confidence == 0
