"""Takes for the stretchers' tests, and what the ear would measure on the results."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.signal import butter, hilbert, sosfiltfilt

from loopgen.looping.stretch import Gridded
from loopgen.music.audio import Samples
from loopgen.music.beats import BeatGrid
from loopgen.music.tempo import Meter

Floats = NDArray[np.float64]

CHORD = (110.0, 164.81, 220.0, 277.18, 440.0, 880.0)
"""Hz: A major with fifth and octaves."""


def swaying(bpm: float, seconds: float, sway: float, period: float = 8.0, first: float = 0.2) -> BeatGrid:
    """A grid whose tempo swings by ``sway`` (relative) once in ``period`` seconds."""
    k = np.arange(-1, int(seconds * bpm / 60) + 2)
    steady = first + k * 60 / bpm
    beats = steady + sway * period / (2 * np.pi) * np.sin(2 * np.pi * steady / period)
    return BeatGrid(beats, Meter(), 1, 1.0, 1.0)


def sixteenths(grid: BeatGrid, seconds: float) -> tuple[Floats, Floats]:
    """Times in the take of all 16ths of a swaying grid well inside it, and their positions in beats."""
    position = np.arange(0, len(grid.beats) - 1, 0.25)
    times = CubicSpline(np.arange(len(grid.beats)), grid.beats)(position)
    inside = (times > 0.1) & (times < seconds - 0.4)
    return times[inside], position[inside]


def struck(times: Floats, seconds: float, rate: int, kind: str, seed: int = 0) -> Samples:
    """Stereo hits at ``times``, to the nearest sample: ``click``, ``noise`` (a hat), ``drum`` or ``pluck``."""
    rng = np.random.default_rng(seed)
    out = np.zeros((round(seconds * rate), 2), dtype=np.float32)
    for time in times:
        t = np.arange(round(0.1 * rate)) / rate
        if kind == "click":
            hit = np.where(t < 1e-4, 1.0, 0.0)
        elif kind == "noise":
            hit = 0.5 * rng.standard_normal(len(t)) * np.exp(-t / 0.015)
        elif kind == "drum":
            hit = 0.8 * np.sin(2 * np.pi * (80 * t + 2 * (1 - np.exp(-t / 0.01)))) * np.exp(-t / 0.02)
        else:
            note = rng.choice([220.0, 330.0, 440.0])
            hit = sum(np.sin(2 * np.pi * note * n * t) / n for n in range(1, 12)) * 0.3 * np.exp(-t / 0.025)
        at = round(time * rate)
        out[at : at + len(hit)] += (hit[:, None] * (0.7, 1.0))[: len(out) - at]
    return out


def chord(seconds: float, rate: int, frequencies: tuple[float, ...] = CHORD) -> Samples:
    """A sustained stereo chord of sines, right channel a quarter period later and quieter."""
    t = np.arange(round(seconds * rate))[:, None] / rate
    lag = np.array([0.0, np.pi / 2])
    parts = [np.sin(2 * np.pi * f * t + f - lag) / (1 + n) ** 0.5 for n, f in enumerate(frequencies)]
    return np.asarray(0.1 * sum(parts) * (1.0, 0.6), dtype=np.float32)


def kicks_over_chord(bpm: float, seconds: float, rate: int) -> tuple[Samples, Floats]:
    """Kicks that sweep down from 200 Hz, snares and hats over a held chord from 220 Hz up; times of the kicks.

    The sweep begins beside the chord's lowest partial: the ringing and the new sound share their bins.
    """
    rng = np.random.default_rng(8)
    out = 0.05 * sum(np.sin(2 * np.pi * f * np.arange(round(seconds * rate)) / rate) for f in (220.0, 277.18, 329.63))
    out = np.asarray(out)
    t = np.arange(round(0.25 * rate)) / rate
    kick = np.sin(2 * np.pi * (48 * t - 3 * np.exp(-t / 0.02))) * np.exp(-t / 0.09)
    snare = (rng.standard_normal(len(t)) * 0.7 + np.sin(2 * np.pi * 190 * t)) * np.exp(-t / 0.05)
    hat = np.diff(rng.standard_normal(len(t) + 1)) * np.exp(-t / 0.015)
    steps = np.arange(int((seconds - 0.6) * bpm / 15))
    times = 0.2 + steps * 15 / bpm
    for step, time in zip(steps, times, strict=True):
        hit = 0.12 * hat * (step % 2 == 0) + 0.9 * kick * (step % 16 in (0, 6, 10)) + 0.5 * snare * (step % 8 == 4)
        at = round(time * rate)
        out[at : at + len(hit)] += hit
    return np.asarray(0.5 * out[:, None] * (1.0, 0.7), dtype=np.float32), times[np.isin(steps % 16, (0, 6, 10))]


def onset_errors(take: Samples, times: Floats, positions: Floats, rate: int, result: Gridded) -> Floats:
    """How late each hit comes, in ms: its 20% rise in the result against the same in the take."""
    out = []
    for time, position in zip(times, positions, strict=True):
        there, due = round(time * rate), position * float(result.beat_frames)
        late = _rise(result.audio.samples, round(due), result.audio.rate) - due / result.audio.rate
        own = _rise(take, there, rate) - there / rate
        out.append(1e3 * (late - own))
    return np.array(out)


def _rise(samples: Samples, near: int, rate: int) -> float:
    reach, smooth = round(0.025 * rate), max(1, round(0.0005 * rate))
    start = max(near - reach, 0)
    level = np.convolve(np.abs(samples[start : near + reach]).sum(axis=1), np.ones(smooth), mode="same")
    return (start + int(np.argmax(level > 0.2 * level.max()))) / rate


def pre_echoes(result: Gridded, positions: Floats) -> Floats:
    """Energy 2 to 12 ms before each hit against that of its first 10 ms, in dB."""
    power = np.square(result.audio.samples).sum(axis=1)
    ms = result.audio.rate / 1000
    out = []
    for position in positions:
        at = position * float(result.beat_frames)
        before = power[round(at - 12 * ms) : round(at - 2 * ms)].mean()
        out.append(10 * np.log10(before / power[round(at) : round(at + 10 * ms)].mean() + 1e-12))
    return np.array(out)


def partial(mono: Samples, frequency: float, rate: int) -> tuple[Floats, Floats]:
    """Level (dB, about its median) and pitch (cents, over 50 ms) of one partial, half a second in from both ends."""
    band = butter(2, [frequency * 0.93, frequency * 1.07], "bandpass", fs=rate, output="sos")
    analytic = hilbert(sosfiltfilt(band, mono))[rate // 2 : -rate // 2]
    level = np.abs(analytic)
    phase = np.unwrap(np.angle(analytic))
    span = rate // 20
    cycles = (phase[span:] - phase[:-span]) / (2 * np.pi) * rate / span
    return 20 * np.log10(level / np.median(level)), 1200 * np.log2(cycles / frequency)


def tempo(bpm: float) -> Fraction:
    """An exact tempo from a short decimal."""
    return Fraction(str(bpm))
