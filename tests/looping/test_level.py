"""Levelling: the loudness, the ceiling, and no edge at the wrap."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import resample_poly

from loopgen.looping.level import level
from loopgen.metrics import loudness, true_peak
from loopgen.music.audio import Audio
from tests.bench.songs import KINDS, song

RATE = 44_100


def peaky(seconds: float = 3.0, rate: int = RATE) -> NDArray[np.float64]:
    """Soft noise with hard hits: far from -14 LUFS when its peaks are at the ceiling."""
    rng = np.random.default_rng(0)
    n = round(seconds * rate)
    out = 0.003 * rng.standard_normal((n, 2))
    for k in range(round(2 * seconds)):
        hit = rng.standard_normal((rate // 50, 2)) * np.exp(-np.arange(rate // 50) / (rate / 300))[:, None]
        out[k * rate // 2 : k * rate // 2 + len(hit)] += 0.15 * hit
    return out


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("gain", [0.05, 1.0])
def test_music_comes_to_minus_14_lufs_under_minus_1_dbtp(kind: str, gain: float) -> None:
    loop = song(21, kind, seconds=4, rate=22_050).audio
    done = level(loop.with_samples(gain * loop.samples))
    assert done.frames == loop.frames and done.rate == loop.rate
    fine = resample_poly(np.tile(done.samples, (3, 1)), 8, 1, axis=0)
    assert 20 * np.log10(np.abs(fine).max()) <= -0.9
    assert loudness(done) <= -13.8
    limited = true_peak(loop) - loudness(loop) > 13  # the ceiling stands in the way
    assert loudness(done) >= -14.2 or limited


@pytest.mark.parametrize("turn", [1, 20_011, 66_150])
def test_turning_and_levelling_may_change_places(turn: int) -> None:
    """No processing sees an edge: within -80 dB, a hard-limited loop included."""
    samples = peaky()
    done = level(Audio(samples, RATE)).samples
    turned = level(Audio(np.roll(samples, turn, axis=0), RATE)).samples
    assert np.abs(np.roll(done, turn, axis=0) - turned).max() < 1e-4


@pytest.mark.parametrize("most", [0.0, 1.0, 3.0, 6.0])
def test_limiting_is_bounded_and_the_rest_stays_quieter(most: float) -> None:
    loop = Audio(peaky(), RATE)
    done = level(loop, max_limiting_db=most)
    gain = loudness(done) - loudness(loop)
    over = true_peak(loop) + gain - -1.0
    assert over <= most + 0.1
    assert loudness(done) < -14 and true_peak(done) == pytest.approx(-1, abs=0.1)


def test_the_limiter_turns_gently_and_both_channels_alike() -> None:
    """The gain never moves by more than 3 dB in 5 ms, and is one gain for both channels."""
    samples = peaky()
    samples[:, 1] *= 0.3
    samples -= samples.mean(axis=0)
    done = level(Audio(samples, RATE)).samples
    clear = np.abs(samples).min(axis=1) > 1e-3
    gains = done[clear] / samples[clear]
    assert gains[:, 0] == pytest.approx(gains[:, 1], rel=1e-3)
    places = np.flatnonzero(clear)
    decibels = 20 * np.log10(np.interp(np.arange(len(samples)), places, gains[:, 0]))
    step = RATE // 200
    assert np.abs(decibels[step:] - decibels[:-step]).max() < 3


@pytest.mark.parametrize("frames", [1, 5, 1000])
def test_silence_stays_silence(frames: int) -> None:
    assert not level(Audio(np.zeros((frames, 2)), RATE)).samples.any()
    assert not level(Audio(np.full((frames, 2), 0.3), RATE)).samples.any()  # an offset alone is silence too


def test_very_quiet_noise_is_not_blown_up() -> None:
    noise = 1e-4 * np.random.default_rng(0).standard_normal((RATE, 2))
    done = level(Audio(noise, RATE))
    assert loudness(done) - loudness(Audio(noise, RATE)) == pytest.approx(24, abs=0.1) or loudness(done) < -50
    assert np.abs(done.samples).max() < 0.02


def test_an_offset_goes() -> None:
    samples = song(22, "pad", seconds=3, rate=22_050).audio.samples + np.array([0.2, -0.1], dtype=np.float32)
    assert np.abs(level(Audio(samples, 22_050)).samples.mean(axis=0)).max() < 1e-5


@pytest.mark.parametrize(("lufs", "ceiling"), [(-20.0, -3.0), (-9.0, -0.3), (-30.0, -6.0)])
def test_other_aims(lufs: float, ceiling: float) -> None:
    loop = song(23, "pad", seconds=3, rate=22_050).audio
    done = level(loop, lufs=lufs, ceiling_dbtp=ceiling)
    assert true_peak(done) <= ceiling + 0.1 and loudness(done) <= lufs + 0.1
    assert loudness(done) > lufs - 0.2 or true_peak(done) > ceiling - 0.2


@pytest.mark.parametrize("rate", [8_000, 96_000, 192_000])
def test_other_rates(rate: int) -> None:
    done = level(Audio(peaky(1.0, rate), rate))
    assert true_peak(done) <= -0.9 and done.frames == rate


@pytest.mark.parametrize("frames", [1, 3, 200])
def test_loops_shorter_than_the_lookahead(frames: int) -> None:
    done = level(Audio(np.random.default_rng(1).standard_normal((frames, 2)), RATE))
    assert done.frames == frames and np.isfinite(done.samples).all()
    assert true_peak(done) <= -0.9 or not done.samples.any()


@pytest.mark.parametrize("samples", [np.zeros((0, 2)), np.array([[0.0, np.nan]])])
def test_malformed_audio_is_refused(samples: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="samples"):
        level(Audio(samples, RATE))
