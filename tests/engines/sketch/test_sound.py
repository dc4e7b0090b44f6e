"""One-shots, notes and effects, as the ear would check them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from loopgen.engines.sketch import effects
from loopgen.engines.sketch.drums import KITS
from loopgen.engines.sketch.instruments import INSTRUMENTS, Tone

RATES = (22_050, 44_100, 96_000)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def tone(pitch: int, rate: int = 44_100, seconds: float = 0.6, bright: float = 0.0) -> Tone:
    return Tone(pitch, seconds, 0.8, rate, 0.5, bright, rng())


def mono(wave: NDArray[np.float64]) -> NDArray[np.float64]:
    return wave if wave.ndim == 1 else wave.mean(axis=0)


def centroid(wave: NDArray[np.float64], rate: int) -> float:
    power = np.abs(np.fft.rfft(wave)) ** 2
    return float(np.sum(power * np.fft.rfftfreq(len(wave), 1 / rate)) / np.sum(power))


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("kit", list(KITS))
def test_one_shots_strike_at_once_and_end_in_silence(kit: str, rate: int) -> None:
    for lane, drum in KITS[kit].items():
        wave = drum.recipe(rate, rng(), **drum.sound)
        assert np.all(np.isfinite(wave)), lane
        assert np.max(np.abs(wave)) == pytest.approx(1, abs=1e-9), lane
        early = wave[: int(0.03 * rate)]
        assert np.max(np.abs(early)) > 0.3, lane  # the attack is at the front: within 30 ms
        assert abs(wave[0]) < 0.2, lane
        assert np.max(np.abs(wave[-8:])) < 0.02, lane


@pytest.mark.parametrize("name", list(INSTRUMENTS))
def test_every_instrument_plays_in_tune(name: str) -> None:
    """The strongest partial below 5 harmonics lies on the harmonic series of the note, within 15 cents.

    Several detuned voices count by their mean, weighted by power over half a semitone to either side.
    """
    centre = INSTRUMENTS[name].centre
    for pitch in (centre - 7, centre, centre + 8):
        note = tone(pitch, seconds=1.5)
        wave = mono(INSTRUMENTS[name].render(note))
        assert np.all(np.isfinite(wave))
        held = wave[int(0.1 * 44_100) : int(1.4 * 44_100)]
        size = 1 << 18
        spectrum = np.abs(np.fft.rfft(held * np.hanning(len(held)), size))
        frequency = np.fft.rfftfreq(size, 1 / 44_100)
        spectrum[(frequency < 0.7 * note.frequency) | (frequency > 5.5 * note.frequency)] = 0
        peak = float(frequency[spectrum.argmax()])
        nearest = max(1, round(peak / note.frequency)) * note.frequency
        around = abs(np.log2(np.maximum(frequency, 1) / nearest)) < 0.5 / 12
        mean = float(np.sum(frequency[around] * spectrum[around] ** 2) / np.sum(spectrum[around] ** 2))
        assert abs(1200 * np.log2(peak / nearest)) < 50, (name, pitch, peak)
        assert abs(1200 * np.log2(mean / nearest)) < 15, (name, pitch, mean)


@pytest.mark.parametrize("name", list(INSTRUMENTS))
def test_notes_begin_and_end_without_a_click(name: str) -> None:
    for pitch, seconds in ((INSTRUMENTS[name].centre, 0.01), (INSTRUMENTS[name].centre, 0.8)):
        wave = np.atleast_2d(INSTRUMENTS[name].render(tone(pitch, seconds=seconds)))
        top = np.max(np.abs(wave))
        assert 0.01 < top < 2.5
        assert np.max(np.abs(wave[:, 0])) < 0.1 * top
        assert np.max(np.abs(wave[:, -1])) < 0.02 * top


@pytest.mark.parametrize(
    "name", ["acid", "synth bass", "piano", "pluck", "stab", "supersaw", "strings", "pad", "brass"]
)
def test_bright_is_brighter(name: str) -> None:
    pitch = INSTRUMENTS[name].centre
    dark, bright = (centroid(mono(INSTRUMENTS[name].render(tone(pitch, bright=b))), 44_100) for b in (-1, 1))
    assert bright > 1.3 * dark


@pytest.mark.parametrize("name", ["supersaw", "saw lead", "square lead", "acid", "overdriven"])
def test_high_notes_do_not_alias(name: str) -> None:
    """Below the fundamental there is nothing: folded harmonics would land there. At most -50 dB."""
    note = tone(96, rate=32_000, seconds=0.5)
    wave = mono(INSTRUMENTS[name].render(note))
    power = np.abs(np.fft.rfft(wave * np.hanning(len(wave)))) ** 2
    frequency = np.fft.rfftfreq(len(wave), 1 / 32_000)
    below = power[(frequency > 300) & (frequency < 0.8 * note.frequency)].sum()
    limit = -30 if name in ("acid", "overdriven") else -50  # driven voices make some of it in their clipper
    assert 10 * np.log10(below / power.sum()) < limit


def test_adding_to_a_ring_wraps_as_often_as_needed() -> None:
    ring = np.zeros(10)
    effects.add(ring, np.ones(27), 8)
    assert ring.tolist() == [3, 3, 3, 3, 3, 2, 2, 2, 3, 3]


def test_filters_hear_no_edge() -> None:
    """A ring filtered once equals the middle of many turns of it filtered in a row."""
    x = rng().standard_normal((2, 3000))
    sos = butter(2, 0.2, "lowpass", output="sos")
    long = sosfilt(sos, np.tile(x, 5), axis=-1)[:, -3000:]
    assert np.allclose(effects.filtered(x, sos, 400), long, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("n", "m"), [(1000, 64), (1000, 5000), (60_000, 20_001), (63, 64)])
def test_convolution_is_circular(n: int, m: int) -> None:
    x, response = rng(1).standard_normal(n), rng(2).standard_normal((2, m))
    wrapped = effects.folded(response, n)
    expected = np.fft.irfft(np.fft.rfft(x) * np.fft.rfft(wrapped), n)
    assert np.allclose(effects.convolved(x, response), expected, rtol=0, atol=1e-8)


def test_rooms_last_as_long_as_they_say() -> None:
    """Time to -60 dB of the middle band, from the decay between -5 and -25 dB: within 15%."""
    for seconds in (0.8, 2.5):
        response = effects.room(seconds, 0.0, 44_100, rng())
        band = sosfilt(butter(2, (300, 800), "bandpass", fs=44_100, output="sos"), response[0])
        decay = 10 * np.log10(np.cumsum(band[::-1] ** 2)[::-1] / np.sum(band**2) + 1e-20)
        first, last = np.argmax(decay < -5), np.argmax(decay < -25)
        assert 3 * (last - first) / 44_100 == pytest.approx(seconds, rel=0.15)
        assert np.sum(response**2, axis=1) == pytest.approx([1, 1])
        assert abs(float(np.sum(response[0] * response[1]))) < 0.1  # wide


def test_echoes_come_in_time() -> None:
    x = np.zeros(44_100)
    x[1000] = 1
    wet = np.abs(effects.echoes(x, 7000.0, 0.5, 44_100)).sum(axis=0)
    loud = [int(np.argmax(wet[k - 500 : k + 500])) + k - 500 for k in (8000, 15_000, 22_000)]
    assert loud == pytest.approx([8000, 15_000, 22_000], abs=40)


def test_ducking_dips_at_the_kick_and_recovers() -> None:
    gain = effects.ducking([900], 0.6, 500, 1000)
    assert gain.min() == pytest.approx(0.4, abs=0.02)
    assert gain[890] == pytest.approx(1)
    assert gain[399:].max() == pytest.approx(1)
    assert np.all(np.diff(gain[:390]) > -1e-9)  # only ever back up, over the end of the ring


def test_the_limiter_holds_its_ceiling_and_leaves_the_rest() -> None:
    x = 0.1 * rng().standard_normal((2, 30_000))
    x[:, 15_000] = 3.0
    y = effects.limited(x, 0.7)
    assert np.max(np.abs(y)) <= 0.7
    assert np.allclose(y[:, :8000], x[:, :8000], rtol=1e-12, atol=0)
    quiet = 0.1 * x / 3
    assert effects.limited(quiet, 0.7) is quiet


def test_loudness_agrees_with_the_standard_meter() -> None:
    pyloudnorm = pytest.importorskip("pyloudnorm")
    for rate in (44_100, 48_000):
        for seed, cutoff in enumerate((200, 2000, 15_000)):
            x = sosfilt(butter(1, cutoff, fs=rate, output="sos"), rng(seed).standard_normal((2, 6 * rate)))
            x *= (0.3 + 0.2 * np.sin(np.arange(6 * rate) / rate * 3)) * 0.3
            expected = pyloudnorm.Meter(rate).integrated_loudness(x.T)
            assert effects.loudness(x, rate) == pytest.approx(expected, abs=0.5)
