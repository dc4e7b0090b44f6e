"""Leads and mallets: what plays melodies."""

from __future__ import annotations

import numpy as np

from loopgen.engines.sketch.instruments.tone import Tone, swept
from loopgen.engines.sketch.wavetable import Filtered, Wave, harmonics, saw, scan, square, table


def pluck(tone: Tone) -> Wave:
    """Saws with a filter that snaps shut."""
    wave = swept(tone, 600, 3.0, 0.07, 1.3, 0.12)
    return np.asarray(0.24 * wave * tone.envelope(tone.time(0.12), 0.002, 0.1, 0.3, 0.1))


def saw_lead(tone: Tone) -> Wave:
    """Two saws and a slow vibrato."""
    t = tone.time(0.1)
    h = harmonics(tone.frequency, tone.rate, 100)
    oscillator = Filtered(tone.frequency, saw(h), q=1.0)
    vibrato = 0.0035 / (2 * np.pi * 5.4) * np.cos(2 * np.pi * 5.4 * t) * np.minimum(1, t / 0.35)
    sweep = np.full_like(t, tone.cutoff(2600, 0.3)) * 2 ** (0.8 * np.exp(-t / 0.2))
    left = oscillator.play(tone.frequency * (0.9965 * t + vibrato), sweep)
    right = oscillator.play(tone.frequency * (1.0035 * t + vibrato) + 0.37, sweep)
    return np.stack([left + 0.5 * right, right + 0.5 * left]) * 0.2 * tone.envelope(t, 0.006, 0.09)


def square_lead(tone: Tone) -> Wave:
    """A pulse wave, as from an old console."""
    t = tone.time(0.04)
    h = harmonics(tone.frequency, tone.rate, 80)
    cycles = table(square(h, 0.25) / np.sqrt(1 + (h * tone.frequency / tone.cutoff(6500, 0.0)) ** 4))
    vibrato = 0.002 / (2 * np.pi * 6) * np.cos(2 * np.pi * 6 * t) * np.minimum(1, t / 0.3)
    return np.asarray(0.28 * scan(cycles, tone.frequency * (t + vibrato)) * tone.envelope(t, 0.002, 0.03, 0.8, 0.6))


def bell(tone: Tone) -> Wave:
    """FM bell, 3.5 to 1: inharmonic above, the fundamental clear."""
    t = tone.time(0.5)
    phase = 2 * np.pi * tone.frequency * t
    index = (1.1 + 0.6 * tone.velocity) * 2 ** (0.5 * tone.bright) * np.exp(-t / 0.35)
    wave = (0.75 * np.sin(phase) + 0.5 * np.sin(phase + index * np.sin(3.5 * phase))) * np.exp(-t / 0.9)
    return np.asarray(0.4 * wave * tone.envelope(t, 0.0015, 0.45))


def mallet(tone: Tone) -> Wave:
    """Marimba: a bar tuned to 1 : 4 : 10."""
    t = tone.time(0.25)
    phase = 2 * np.pi * tone.frequency * t
    wave = np.sin(phase) * np.exp(-t / 0.35)
    wave = wave + 0.28 * np.sin(4 * phase) * np.exp(-t / 0.08)
    if tone.frequency * 10 < 0.45 * tone.rate:
        wave = wave + 0.10 * 2**tone.bright * np.sin(10 * phase) * np.exp(-t / 0.03)
    return np.asarray(0.55 * wave * tone.envelope(t, 0.0015, 0.22))


def vibraphone(tone: Tone) -> Wave:
    """A metal bar that rings, with its motor on."""
    t = tone.time(0.5)
    phase = 2 * np.pi * tone.frequency * t
    wave = np.sin(phase) * np.exp(-t / 1.5) + 0.2 * np.sin(4 * phase) * np.exp(-t / 0.3)
    tremolo = 0.25 * np.sin(2 * np.pi * 5 * t)
    shape = 0.45 * tone.envelope(t, 0.002, 0.45)
    return np.stack([wave * (1 + tremolo), wave * (1 + 0.6 * tremolo)]) * shape


def kalimba(tone: Tone) -> Wave:
    """A thumb piano: a tine at 1 and 5.4."""
    t = tone.time(0.3)
    phase = 2 * np.pi * tone.frequency * t
    wave = np.sin(phase) * np.exp(-t / 0.45) + 0.18 * np.sin(2 * phase) * np.exp(-t / 0.2)
    if tone.frequency * 5.4 < 0.45 * tone.rate:
        wave = wave + 0.16 * np.sin(5.4 * phase) * np.exp(-t / 0.04)
    return np.asarray(0.5 * wave * tone.envelope(t, 0.001, 0.25))


def flute(tone: Tone) -> Wave:
    """Mostly a sine, with breath."""
    t = tone.time(0.1)
    vibrato = 0.004 / (2 * np.pi * 5) * np.cos(2 * np.pi * 5 * t) * np.minimum(1, t / 0.4)
    phase = 2 * np.pi * tone.frequency * (t + vibrato)
    wave = np.sin(phase) + 0.22 * np.sin(2 * phase) + (0.08 + 0.04 * tone.bright) * np.sin(3 * phase)
    breath = np.convolve(tone.rng.standard_normal(len(t)), np.ones(4) / 4, "same")
    return np.asarray((0.4 * wave + 0.03 * breath) * tone.envelope(t, 0.045, 0.09))
