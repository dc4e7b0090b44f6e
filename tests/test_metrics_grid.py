"""Length and grid of a loop whose onsets are known."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopgen.metrics import evaluate, grid, length_error
from loopgen.metrics.grid import fold, sixteenths, tempo_error
from loopgen.music.audio import Audio
from loopgen.music.tempo import Meter, loop_frames

FOUR = Meter(4, 4)
RATE = 44_100


def ticks(times: np.ndarray, seconds: float, rate: int = RATE) -> Audio:
    """A short burst at each time, going round the wrap."""
    rng = np.random.default_rng(0)
    n = round(seconds * rate)
    out = 0.0005 * rng.standard_normal(n)
    burst = np.sin(2 * np.pi * 0.11 * np.arange(2000)) * np.exp(-np.arange(2000) / 300) * 0.5
    for time in times:
        np.add.at(out, (round(time * rate) + np.arange(2000)) % n, burst * rng.uniform(0.7, 1))
    return Audio(np.repeat(out[:, None], 2, axis=1), rate)


@given(st.fractions(20, 999), st.integers(1, 64), st.sampled_from(["4/4", "3/4", "7/8", "5/16"]), st.integers(-5, 5))
def test_length_error_counts_samples(bpm: Fraction, bars: int, meter: str, off: int) -> None:
    frames = loop_frames(bpm, bars, Meter.parse(meter), RATE)
    assert length_error(frames + off, bpm, bars, Meter.parse(meter), RATE) == off


@pytest.mark.parametrize("late_ms", [0.0, 3.0, -5.0])
def test_onsets_are_heard_where_they_are(late_ms: float) -> None:
    scores = grid(ticks(np.arange(16) * 0.25 + late_ms / 1000, 4.0), 2, FOUR)
    assert scores.onsets == 16
    assert scores.offset_ms == pytest.approx(late_ms, abs=0.5)
    assert scores.deviation_95_ms == pytest.approx(abs(late_ms), abs=1)
    assert scores.tempo_error == pytest.approx(0, abs=1e-4)


def test_loose_playing_shows_as_deviation() -> None:
    late = np.random.default_rng(4).normal(0, 0.006, 32)
    scores = grid(ticks(np.arange(32) * 0.25 + late, 8.0), 4, FOUR)
    assert scores.deviation_ms == pytest.approx(1000 * np.median(np.abs(late)), abs=1)
    assert scores.deviation_95_ms == pytest.approx(1000 * np.percentile(np.abs(late), 95), abs=1.5)


@pytest.mark.parametrize("error", [-0.02, -0.003, 0.0005, 0.01])
def test_music_at_another_tempo_is_found_out(error: float) -> None:
    times = np.asarray(np.arange(64) * 0.125 / (1 + error), dtype=np.float64)
    scores = grid(ticks(times[times < 7.9], 8.0), 4, FOUR)
    found = tempo_error(times[times < 7.9], 0.125)
    assert found == pytest.approx(error, abs=1e-6)
    if scores.tempo_error is not None:  # far off, the onsets keep none of the loop's sixteenths
        assert scores.tempo_error == pytest.approx(error, abs=2e-4)
    else:
        assert abs(error) > 0.005


def test_where_nothing_begins_nothing_is_claimed() -> None:
    n = np.arange(4 * RATE)
    for wave in (np.zeros(4 * RATE), 0.1 * np.sin(2 * np.pi * 220 / RATE * n)):
        scores = grid(Audio(wave, RATE), 2, FOUR)
        assert scores.deviation_ms is scores.deviation_95_ms is scores.offset_ms is scores.tempo_error is None
    scattered = grid(ticks(np.sort(np.random.default_rng(1).uniform(0, 8, 40)), 8.0), 4, FOUR)
    assert scattered.tempo_error is None


@given(st.floats(-100, 100), st.floats(0.01, 10))
def test_fold_gives_the_nearest(time: float, period: float) -> None:
    assert abs(float(fold(np.array([time]), period)[0])) <= period / 2 * (1 + 1e-9) + 1e-12


def test_every_meter_has_whole_sixteenths() -> None:
    assert [sixteenths(1, Meter.parse(m)) for m in ("4/4", "6/8", "5/16", "2/2", "1/1")] == [16, 12, 5, 16, 16]


@pytest.mark.parametrize("frames", [1, 10, 3_000])
def test_short_loops_are_scored(frames: int) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal((frames, 2))
    assert grid(Audio(noise, RATE), 1, Meter(1, 16)).onsets >= 0


def test_evaluate_is_json_even_of_silence() -> None:
    silent = evaluate(Audio(np.zeros((88_200, 2)), RATE), Fraction(120), 1, FOUR)
    assert silent.length_error == 0 and silent.seam.passes
    shown = json.loads(json.dumps(silent.to_dict(), allow_nan=False))
    assert shown["level"]["loudness"] is None and shown["seam"]["passes"] is True
    loud = evaluate(ticks(np.arange(16) * 0.25, 4.0), Fraction(120), 2, FOUR).to_dict()
    assert set(loud) == {"length_error", "seam", "grid", "level"}
    assert -40 < loud["level"]["loudness"] < loud["level"]["sample_peak"] <= loud["level"]["true_peak"] + 0.01


def test_evaluate_refuses_malformed_audio() -> None:
    with pytest.raises(ValueError, match="no samples"):
        evaluate(Audio(np.zeros((0, 2)), RATE), Fraction(120), 1, FOUR)
