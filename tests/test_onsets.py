"""Onsets: found where sounds begin, to a fraction of a millisecond, at any rate."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from loopgen.music.audio import Audio
from loopgen.onsets import analysis_signal, band_flux, onset_times

HITS = np.array([0.2, 0.4503, 0.71, 1.0337, 1.25, 1.502, 1.87, 2.25])


def struck(rate: int, kind: str, hits: NDArray[np.float64] = HITS, seed: int = 0) -> Audio:
    """Decaying sounds that begin at ``hits`` seconds, over a quiet floor of noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(2.6 * rate)) / rate
    out = 1e-4 * rng.standard_normal(len(t))
    for hit in hits:
        since = np.maximum(0, t - hit)
        envelope = (t >= hit) * np.exp(-since / 0.06)
        if kind == "noise":
            out += 0.3 * rng.standard_normal(len(t)) * envelope
        elif kind == "kick":
            out += 0.7 * np.sin(2 * np.pi * (50 * since + 6 * (1 - np.exp(-since / 0.03)))) * envelope
        else:
            out += 0.4 * np.sin(2 * np.pi * 330 * since) * np.minimum(1, since / 0.003) * envelope
    return Audio(out, rate)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 96_000])
@pytest.mark.parametrize(("kind", "worst_ms"), [("noise", 0.6), ("kick", 1.5), ("pluck", 2.5)])
def test_every_attack_is_found_and_timed(rate: int, kind: str, worst_ms: float) -> None:
    found = onset_times(struck(rate, kind), threshold=0.3).times
    nearest = found[np.argmin(np.abs(found[:, None] - HITS), axis=0)]
    assert len(found) == len(HITS)
    assert 1e3 * np.max(np.abs(nearest - HITS)) < worst_ms + 1e3 / rate


def test_timing_scatters_less_than_a_fifth_of_a_millisecond_on_sharp_attacks() -> None:
    hits = 0.2 + 0.25 * np.arange(9) + np.random.default_rng(1).uniform(0, 0.01, 9)
    errors = onset_times(struck(44_100, "noise", hits), threshold=0.3).times - hits
    assert np.std(errors) < 2e-4


def test_a_soft_hit_beside_loud_ones_is_found_and_weaker() -> None:
    loud, soft = struck(44_100, "noise", HITS[::2]), struck(44_100, "noise", HITS[1::2], seed=1)
    onsets = onset_times(Audio(loud.samples + 0.1 * soft.samples, 44_100), threshold=0.1)
    strength = {hit: onsets.strengths[np.argmin(np.abs(onsets.times - hit))] for hit in HITS}
    assert np.mean([strength[h] for h in HITS[1::2]]) < 0.8 * np.mean([strength[h] for h in HITS[::2]])
    assert all(np.min(np.abs(onsets.times - hit)) < 0.002 for hit in HITS)


@pytest.mark.parametrize(
    "samples",
    [np.zeros(20_000), np.ones(20_000), np.zeros(0), np.ones(3), np.full(20_000, np.nan), 1e-7 * np.ones((999, 2))],
    ids=["silence", "dc", "empty", "three samples", "nan", "quiet"],
)
def test_nothing_begins_where_nothing_begins(samples: NDArray[np.float64]) -> None:
    onsets = onset_times(Audio(samples, 44_100))
    assert len(onsets) <= 1  # a constant does begin with the file
    assert np.all(np.isfinite(onsets.times))


def test_a_steady_tone_has_no_onsets_inside() -> None:
    tone = Audio(np.sin(2 * np.pi * 440 * np.arange(5 * 44_100) / 44_100), 44_100)
    times = onset_times(tone).times
    assert not np.any(times > 0.01)


def test_level_does_not_matter() -> None:
    audio = struck(44_100, "kick")
    quiet = Audio(audio.samples * 1e-3, 44_100)
    np.testing.assert_allclose(onset_times(quiet).times, onset_times(audio).times, atol=2e-4)


@pytest.mark.parametrize("rate", [44_100, 48_000, 192_000, 50_001])
def test_the_analysis_signal_keeps_time(rate: int) -> None:
    impulse = np.zeros(rate)
    impulse[rate // 2] = 1
    mono, lower = analysis_signal(Audio(impulse, rate))
    assert lower <= 30_000
    assert abs(np.argmax(mono) / lower - 0.5) < 1.01 / lower


def test_flux_has_a_place_for_every_moment() -> None:
    audio = struck(44_100, "pluck")
    flux = band_flux(audio)
    assert flux.bands.shape == flux.levels.shape == (8, len(flux.novelty()))
    assert abs(flux.hop * flux.bands.shape[1] - audio.seconds) < 2 * flux.hop
    assert flux.bands.min() >= 0
