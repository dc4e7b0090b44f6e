"""The loudness meter against a peer and the standard's own numbers; peaks against closed forms."""

from __future__ import annotations

import numpy as np
import pyloudnorm
import pytest
from numpy.typing import NDArray
from scipy.signal import resample_poly

from loopgen.metrics import loudness, sample_peak, true_peak
from loopgen.metrics.loudness import k_weighting, oversampled_peaks
from loopgen.music.audio import Audio
from tests.bench.songs import KINDS, song


def test_k_weighting_is_the_standards_at_48_khz() -> None:
    """ITU-R BS.1770-4, annex 1, tables 1 and 2."""
    shelf = [1.53512485958697, -2.69169618940638, 1.19839281085285, 1.0, -1.69065929318241, 0.73248077421585]
    highpass = [1.0, -2.0, 1.0, 1.0, -1.99004745483398, 0.99007225036621]
    assert k_weighting(48_000) == pytest.approx(np.array([shelf, highpass]), abs=2e-8)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000, 96_000, 192_000])
def test_a_full_scale_sine_reads_minus_3_01(rate: int) -> None:
    t = np.arange(rate) / rate
    assert loudness(Audio(np.sin(2 * np.pi * 997 * t), rate)) == pytest.approx(-3.01, abs=0.05)
    both = np.repeat(np.sin(2 * np.pi * 997 * t)[:, None], 2, axis=1)
    assert loudness(Audio(both, rate)) == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("rate", "filters"), [(48_000, "K-weighting"), (44_100, "DeMan"), (16_000, "DeMan")])
def test_loudness_agrees_with_the_peer_on_the_tiled_loop(kind: str, rate: int, filters: str) -> None:
    """The peer's own default filters are made for 48 kHz."""
    loop = song(3, kind, seconds=5, rate=rate).audio
    peer = pyloudnorm.Meter(rate, filter_class=filters).integrated_loudness(np.tile(loop.samples, (5, 1)))
    assert loudness(loop) == pytest.approx(peer, abs=0.1)


def test_loudness_gates_pauses_and_does_not_care_where_the_loop_begins() -> None:
    rng = np.random.default_rng(0)
    loud = 0.2 * rng.standard_normal((44_100, 2))
    paused = Audio(np.concatenate([loud, np.zeros((3 * 44_100, 2))]), 44_100)
    assert loudness(paused) == pytest.approx(loudness(Audio(loud, 44_100)), abs=1.6)  # blocks on the edge count
    turned = [loudness(paused.with_samples(np.roll(paused.samples, k, axis=0))) for k in (1, 12_345, 100_000)]
    assert turned == pytest.approx([loudness(paused)] * 3, abs=0.1)


@pytest.mark.parametrize("frames", [1, 7, 1000, 20_000])
def test_loops_shorter_than_a_block_are_measured(frames: int) -> None:
    noise = 0.1 * np.random.default_rng(2).standard_normal((frames, 1))
    want = loudness(Audio(np.tile(noise, (-(-44_100 // frames), 1)), 44_100))
    assert loudness(Audio(noise, 44_100)) == pytest.approx(want, abs=0.3) or frames == 1


def test_silence_is_minus_infinity() -> None:
    silence = Audio(np.zeros((1000, 2)), 44_100)
    assert loudness(silence) == sample_peak(silence) == true_peak(silence) == -np.inf


def test_the_true_peak_lies_between_the_samples() -> None:
    n = np.arange(4_400)
    wave = Audio(0.5 * np.sin(np.pi / 2 * n + np.pi / 4), 44_100)  # a quarter of the rate, sampled beside its peaks
    assert sample_peak(wave) == pytest.approx(-9.03, abs=0.01)
    assert true_peak(wave) == pytest.approx(-6.02, abs=0.1)


@pytest.mark.parametrize("kind", ["drums", "mix"])
def test_the_true_peak_agrees_with_resampling_eightfold(kind: str) -> None:
    samples = song(4, kind, seconds=3).audio.samples
    want = 20 * np.log10(np.abs(resample_poly(np.tile(samples, (3, 1)), 8, 1, axis=0)).max())
    assert true_peak(Audio(samples, 44_100)) == pytest.approx(want, abs=0.15)


def test_the_true_peak_goes_round_the_wrap() -> None:
    n = np.arange(400)
    samples = np.sin(np.pi / 2 * n + np.pi / 4)[:, None]
    turned = [true_peak(Audio(np.roll(samples, k, axis=0), 44_100)) for k in range(4)]
    assert turned == pytest.approx([0.0] * 4, abs=0.1)
    assert oversampled_peaks(samples.astype(np.float32)).shape == (400,)


@pytest.mark.parametrize("samples", [np.zeros((0, 1)), np.array([0.0, np.nan])])
def test_malformed_audio_is_refused(samples: NDArray[np.float64]) -> None:
    for metric in (loudness, sample_peak, true_peak):
        with pytest.raises(ValueError, match="samples"):
            metric(Audio(samples, 44_100))
