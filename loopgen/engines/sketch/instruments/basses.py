"""Basses."""

from __future__ import annotations

import numpy as np

from loopgen.engines.sketch.instruments.tone import Tone, plucked
from loopgen.engines.sketch.wavetable import Filtered, Wave, harmonics, saw, square


def sub(tone: Tone) -> Wave:
    """A sine with a little second and third, so that small speakers hear it."""
    t = tone.time(0.06)
    phase = 2 * np.pi * tone.frequency * t
    wave = np.sin(phase) + (0.10 + 0.05 * tone.bright) * np.sin(2 * phase) + 0.05 * np.sin(3 * phase)
    return np.asarray(0.6 * wave * tone.envelope(t, 0.008, 0.05, 1.5, 0.5))


def bass808(tone: Tone) -> Wave:
    """The long boom of an 808 kick tuned to the note, driven until it has harmonics."""
    t = tone.time(0.09)
    phase = 2 * np.pi * (tone.frequency * t + 1.1 * tone.frequency * 0.018 * (1 - np.exp(-t / 0.018)))
    wave = np.tanh((1.7 + 0.5 * tone.bright) * np.sin(phase) * np.exp(-t / 0.9))
    click = np.exp(-t / 0.003) * np.sin(2 * np.pi * 1300 * t) * 0.15
    return np.asarray(0.6 * (wave + click) * tone.envelope(t, 0.002, 0.08))


def acid(tone: Tone) -> Wave:
    """A sawtooth through a screaming low-pass; accents open and sharpen it."""
    t = tone.time(0.03)
    h = harmonics(tone.frequency, tone.rate)
    accent = max(0.0, (tone.velocity - 0.6) / 0.4)
    oscillator = Filtered(tone.frequency, saw(h), q=5.5 + 3 * accent)
    sweep = tone.cutoff(320, 0.3) * 2 ** ((2.2 + 1.6 * accent) * np.exp(-t / (0.11 - 0.04 * accent)))
    wave = np.tanh(0.7 * oscillator.play(tone.frequency * t, sweep))
    return np.asarray(0.55 * wave * tone.envelope(t, 0.003, 0.025, 0.5, 0.3))


def reese(tone: Tone) -> Wave:
    """Three saws that beat against one another, over a sine that does not."""
    t = tone.time(0.06)
    h = harmonics(tone.frequency, tone.rate, 90)
    oscillator = Filtered(tone.frequency, saw(h), q=1.2)
    sweep = tone.cutoff(480, 0.3) * 2 ** (0.5 * np.sin(2 * np.pi * t / (4 * tone.pulse) + 1))
    wave = sum(
        oscillator.play(tone.frequency * 2 ** (cents / 1200) * t + start, sweep)
        for cents, start in ((-13, 0.1), (1, 0.45), (14, 0.8))
    )
    low = np.sin(2 * np.pi * tone.frequency * t)
    return np.asarray((0.16 * wave + 0.42 * low) * tone.envelope(t, 0.01, 0.05))


def wobble(tone: Tone) -> Wave:
    """Dubstep's talking bass: a filter that opens and closes in time."""
    t = tone.time(0.04)
    h = harmonics(tone.frequency, tone.rate, 110)
    oscillator = Filtered(tone.frequency, 0.6 * saw(h) + 0.4 * square(h), q=3.0)
    turns = (1.0, 1.5, 2.0, 3.0)[int(tone.rng.random() * 4)]  # filter movements a pulse
    lfo = 0.5 - 0.5 * np.cos(2 * np.pi * turns * t / tone.pulse)
    sweep = tone.cutoff(130, 0.3) * 2 ** (4.4 * lfo)
    wave = np.tanh(
        0.8 * (oscillator.play(tone.frequency * t, sweep) + oscillator.play(1.006 * tone.frequency * t, sweep))
    )
    low = np.sin(2 * np.pi * tone.frequency * t)
    return np.asarray((0.30 * wave + 0.35 * low) * tone.envelope(t, 0.008, 0.04))


def synth_bass(tone: Tone) -> Wave:
    """Saw and a square an octave of width apart through a plucked low-pass."""
    t = tone.time(0.05)
    h = harmonics(tone.frequency, tone.rate, 120)
    oscillator = Filtered(tone.frequency, 0.6 * saw(h) + 0.5 * square(h), q=1.6)
    sweep = tone.cutoff(260, 0.4) * 2 ** ((1.6 + 1.4 * tone.velocity) * np.exp(-t / 0.13))
    return np.asarray(0.5 * oscillator.play(tone.frequency * t, sweep) * tone.envelope(t, 0.003, 0.04, 0.6, 0.55))


def organ_bass(tone: Tone) -> Wave:
    """House and garage: sines at 1, 2 and 3 times, the upper ones plucked."""
    t = tone.time(0.05)
    phase = 2 * np.pi * tone.frequency * t
    pluck = np.exp(-t / 0.09)
    wave = np.sin(phase) + (0.25 + 0.5 * pluck) * np.sin(2 * phase) + 0.35 * pluck * np.sin(3 * phase)
    knock = 0.2 * np.exp(-t / 0.006) * np.sin(9 * phase)
    return np.asarray(0.42 * (wave + knock) * tone.envelope(t, 0.003, 0.04, 0.8, 0.5))


def fm_bass(tone: Tone) -> Wave:
    """Two sines, one bending the other, less and less."""
    t = tone.time(0.04)
    phase = 2 * np.pi * tone.frequency * t
    index = (1.6 + 1.5 * tone.velocity + 0.6 * tone.bright) * np.exp(-t / 0.12) + 0.35
    return np.asarray(0.5 * np.sin(phase + index * np.sin(phase)) * tone.envelope(t, 0.003, 0.03, 0.7, 0.5))


def log_drum(tone: Tone) -> Wave:
    """Amapiano's log drum: a wooden knock that falls onto a driven sine."""
    t = tone.time(0.08)
    fall = 0.9 * tone.frequency * 0.03 * (1 - np.exp(-t / 0.03))
    phase = 2 * np.pi * (tone.frequency * t + fall)
    wave = np.tanh(1.8 * np.sin(phase + 0.9 * np.exp(-t / 0.05) * np.sin(2 * phase)) * np.exp(-t / 0.45))
    knock = 0.25 * np.exp(-t / 0.008) * np.sin(2 * np.pi * 640 * t)
    return np.asarray(0.6 * (wave + knock) * tone.envelope(t, 0.002, 0.07))


def picked_bass(tone: Tone) -> Wave:
    """An electric bass with a pick or finger near the bridge."""
    wave, t = plucked(tone, pick=0.16, bright=5.0, tau=1.4, damping=0.35, release=0.06)
    knock = 0.05 * np.exp(-t / 0.004) * np.sin(2 * np.pi * 900 * t)
    return np.asarray((1.1 * wave + knock) * tone.envelope(t, 0.002, 0.05))


def slap_bass(tone: Tone) -> Wave:
    """Thumb and pop: bright, compressed."""
    wave, t = plucked(tone, pick=0.09, bright=14.0, tau=0.9, damping=0.22, release=0.05)
    return np.asarray(np.tanh(2.2 * wave) * 0.6 * tone.envelope(t, 0.0015, 0.04))


def upright_bass(tone: Tone) -> Wave:
    """A double bass: a soft thumb, a growl, a short bloom."""
    wave, t = plucked(tone, pick=0.22, bright=2.4, tau=0.75, damping=0.5, release=0.09)
    thump = 0.10 * np.exp(-t / 0.012) * np.sin(2 * np.pi * 120 * t)
    return np.asarray((1.3 * wave + thump) * tone.envelope(t, 0.008, 0.08))
