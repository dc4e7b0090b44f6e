"""Keys, guitars, brass and pads: what plays chords."""

from __future__ import annotations

import numpy as np

from loopgen.engines.sketch.instruments.tone import Tone, plucked, sustained, swept
from loopgen.engines.sketch.wavetable import Filtered, Wave, harmonics, saw, scan, table


def rhodes(tone: Tone) -> Wave:
    """Tine and tone bar: a sine bent by its own pitch, and a bell 14 times higher in the attack."""
    t = tone.time(0.18)
    phase = 2 * np.pi * tone.frequency * t
    bark = (0.35 + 1.1 * tone.velocity**2) * 2 ** (0.7 * tone.bright) * np.exp(-t / 0.5)
    body = np.sin(phase + bark * np.sin(phase)) * np.exp(-t / 1.6)
    ratio = 14 if tone.frequency * 15 < 0.4 * tone.rate else 7
    tine = 0.12 * tone.velocity * np.exp(-t / 0.12) * np.sin(ratio * phase)
    swing = 0.22 * np.sin(2 * np.pi * t / (2 * tone.pulse))  # the suitcase model's stereo tremolo, in time
    wave = 0.42 * (body + tine) * tone.envelope(t, 0.002, 0.16)
    return np.stack([wave * (1 + swing), wave * (1 - swing)])


def piano(tone: Tone) -> Wave:
    """Hammer on two strings a cent apart, brighter when struck harder and lower down."""
    key = (tone.pitch - 60) / 12
    wave, t = plucked(
        tone, pick=0.12, bright=5.5 * 2 ** (-0.5 * key), tau=1.9 * 2 ** (-0.35 * key), damping=0.22, release=0.2
    )
    second = np.interp(t * 1.0007, t, wave, right=0.0)
    hammer = 0.035 * np.exp(-t / 0.006) * np.sin(2 * np.pi * 430 * t)
    shape = tone.envelope(t, 0.0015, 0.18)
    return np.stack([(1.1 * wave + 0.5 * second + hammer) * shape, (0.5 * wave + 1.1 * second + hammer) * shape])


def organ(tone: Tone) -> Wave:
    """Drawbars 88 4300 002 with a key click, turning slowly."""
    t = tone.time(0.05)
    bars = np.zeros(16)
    for h, level in ((1, 0.8), (2, 1.0), (3, 0.55), (4, 0.35), (6, 0.14 + 0.1 * tone.bright), (8, 0.16)):
        if h * tone.frequency < 0.45 * tone.rate:
            bars[h - 1] = level
    cycles = table(bars)
    depth = 0.0006
    turn = 2 * np.pi * 6.1 * t
    left = scan(cycles, tone.frequency * (t + depth * 0.16 * np.sin(turn)) / 1.0)
    right = scan(cycles, tone.frequency * (t + depth * 0.16 * np.sin(turn + 1.9)) / 1.0)
    shape = 0.22 * tone.envelope(t, 0.005, 0.04)
    return np.stack([left * (1 + 0.12 * np.sin(turn)), right * (1 - 0.12 * np.sin(turn))]) * shape


def stab(tone: Tone) -> Wave:
    """The chord of dub techno: dark saws, a filter that shuts."""
    wave = swept(tone, 420, 2.0, 0.16, 1.6, 0.25)
    t = tone.time(0.25)
    return np.asarray(0.24 * wave * tone.envelope(t, 0.004, 0.22, 0.35, 0.15))


def house_stab(tone: Tone) -> Wave:
    """A bright sampled-sounding chord hit."""
    wave = swept(tone, 900, 1.6, 0.22, 1.1, 0.12, 0.4)
    return np.asarray(0.24 * wave * tone.envelope(tone.time(0.12), 0.003, 0.1, 0.5, 0.3))


def clavinet(tone: Tone) -> Wave:
    """A struck string under a magnetic pickup, all edge."""
    wave, t = plucked(tone, pick=0.06, bright=16.0, tau=0.6, damping=0.12, release=0.03)
    return np.asarray(1.0 * wave * tone.envelope(t, 0.001, 0.025))


def guitar(tone: Tone) -> Wave:
    """A clean electric guitar."""
    wave, t = plucked(tone, pick=0.14, bright=9.0, tau=0.9, damping=0.18, release=0.05)
    return np.asarray(1.0 * wave * tone.envelope(t, 0.0015, 0.045))


def nylon(tone: Tone) -> Wave:
    """A nylon-string guitar."""
    wave, t = plucked(tone, pick=0.28, bright=4.0, tau=1.0, damping=0.4, release=0.12)
    return np.asarray(1.2 * wave * tone.envelope(t, 0.003, 0.11))


def overdriven(tone: Tone) -> Wave:
    """A guitar into a valve amplifier and a speaker, doubled left and right."""
    t = tone.time(0.08)
    h = harmonics(tone.frequency, tone.rate, 100)
    speaker = 1 / np.sqrt(1 + (h * tone.frequency / tone.cutoff(3600, 0.0)) ** 6)
    body = saw(h) * speaker * (0.45 + 0.55 * np.abs(np.sin(np.pi * h * 0.21)))
    cycles = table(body)
    drift = 0.0011 * np.sin(2 * np.pi * 4.7 * t + 2)
    start = tone.rng.random(2)
    sides = [
        scan(cycles, tone.frequency * ((1 + cents) * t + drift * 0.03) + s)
        for cents, s in zip((-0.0025, 0.0025), start, strict=True)
    ]
    return np.asarray(0.30 * np.tanh(1.6 * np.stack(sides)) * tone.envelope(t, 0.004, 0.07, 2.5, 0.4))


def brass(tone: Tone) -> Wave:
    """A section: saws whose filter opens after the attack."""
    t = tone.time(0.1)
    h = harmonics(tone.frequency, tone.rate, 90)
    oscillator = Filtered(tone.frequency, saw(h), q=0.9)
    swell = np.minimum(1, t / 0.05) * (0.65 + 0.35 * np.exp(-t / 0.25))
    sweep = tone.cutoff(500, 0.6) * 2 ** ((1.3 + 1.2 * tone.velocity) * swell)
    vibrato = 0.0009 * np.sin(2 * np.pi * 5.2 * t) * np.minimum(1, t / 0.4)
    start = tone.rng.random(3)
    parts = [
        oscillator.play(tone.frequency * ((1 + d) * t + 0.03 * vibrato) + s, sweep)
        for d, s in zip((-0.003, 0, 0.0035), start, strict=True)
    ]
    shape = 0.2 * tone.envelope(t, 0.02, 0.09)
    return np.stack([parts[0] + 0.7 * parts[1], parts[2] + 0.7 * parts[1]]) * shape


def supersaw(tone: Tone) -> Wave:
    """Seven saws, from far left to far right."""
    t = tone.time(0.15)
    h = harmonics(tone.frequency, tone.rate, 120)
    top = tone.cutoff(5200, 0.3)
    cycles = table(saw(h) / np.sqrt(1 + (h * tone.frequency / top) ** 4))
    start = tone.rng.random(7)
    out = np.zeros((2, len(t)))
    for k, cents in enumerate((-22, -13, -6, 0, 7, 14, 23)):
        voice = scan(cycles, tone.frequency * 2 ** (cents / 1200) * t + start[k])
        place = (k * 4 % 7) / 6  # neighbours in pitch far apart in space
        out += np.array([[np.cos(place * np.pi / 2)], [np.sin(place * np.pi / 2)]]) * voice
    return np.asarray(0.11 * out * tone.envelope(t, 0.006, 0.14))


def pad(tone: Tone) -> Wave:
    """A warm analogue pad."""
    h = harmonics(tone.frequency, tone.rate, 60)
    return sustained(tone, saw(h) / (1 + (h * tone.frequency / tone.cutoff(950, 0.2)) ** 2), 24, 0.35, 0.6)


def strings(tone: Tone) -> Wave:
    """A string section: saws with a body around 500 Hz and 2.5 kHz."""
    h = harmonics(tone.frequency, tone.rate, 80)
    f = h * tone.frequency
    body = 0.5 + np.exp(-((np.log2(f / 500)) ** 2)) + 0.5 * np.exp(-((np.log2(f / 2500)) ** 2) / 0.5)
    body *= (f / 500) ** (0.35 * tone.bright)  # the bow nearer the bridge
    return sustained(tone, saw(h) * body / (1 + (f / tone.cutoff(3800, 0.0)) ** 2), 30, 0.14, 0.3)


def choir(tone: Tone) -> Wave:
    """Voices on "ah": formants at 700, 1100, 2600 Hz."""
    h = harmonics(tone.frequency, tone.rate, 60)
    f = h * tone.frequency
    formants = sum(
        g * np.exp(-(((f - c) / w) ** 2)) for c, w, g in ((700, 180, 1.0), (1100, 220, 0.6), (2600, 400, 0.25))
    )
    return sustained(tone, (0.06 + formants) / np.sqrt(h), 30, 0.2, 0.4)


def glass(tone: Tone) -> Wave:
    """A glassy pad: few harmonics, and one high above."""
    h = harmonics(tone.frequency, tone.rate, 24)
    shape = np.where(h == 1, 1.0, np.where(h == 2, 0.35, np.where(h == 3, 0.25, np.where(h == 8, 0.14, 0.02))))
    return sustained(tone, shape * 2 ** (tone.bright * (h > 1)), 12, 0.5, 0.8)
