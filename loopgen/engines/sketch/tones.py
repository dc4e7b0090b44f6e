"""Pitched instruments.

Each is a function ``(Tone) -> (n,)`` or ``(2, n)`` float64 for one note, its release included; about ±0.5 loud.
``INSTRUMENTS`` is the table of all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loopgen.engines.sketch.wavetable import Filtered, ensemble, harmonics, saw, scan, square, string, table

Wave = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tone:
    """One note to play: MIDI ``pitch``, ``seconds`` held, ``velocity`` 0 to 1, ``pulse`` seconds, brightness -1 to 1."""

    pitch: int
    seconds: float
    velocity: float
    rate: int
    pulse: float
    bright: float
    rng: np.random.Generator

    @property
    def frequency(self) -> float:
        """Hz, A4 = 440."""
        return float(440.0 * 2 ** ((self.pitch - 69) / 12))

    def time(self, release: float) -> Wave:
        """Seconds from the onset to the end of the release."""
        return np.arange(max(64, int((self.seconds + release) * self.rate)), dtype=np.float64) / self.rate

    def envelope(self, t: Wave, attack: float, release: float, tau: float = 1e9, sustain: float = 0.0) -> Wave:
        """Linear attack, fall towards ``sustain`` by 1/e every ``tau``, smooth release after the note's end."""
        body = sustain + (1 - sustain) * np.exp(-t / tau) if tau < 1e8 else 1.0
        end = np.clip(1 - (t - self.seconds) / release, 0, 1)
        return np.asarray(np.minimum(1, t / attack) * body * end * end)

    def cutoff(self, hertz: float, keyboard: float = 0.5) -> float:
        """A filter frequency moved by brightness (one octave) and, in part, by the key."""
        return float(hertz * 2**self.bright * 2 ** (keyboard * (self.pitch - 60) / 12))


Render = Callable[[Tone], Wave]


# --- basses ---------------------------------------------------------------------------------------------------------


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


def _string(tone: Tone, *, pick: float, bright: float, tau: float, damping: float, release: float) -> tuple[Wave, Wave]:
    """A string's samples and their times, before the hand that damps it."""
    t = tone.time(release)
    h = harmonics(tone.frequency, tone.rate, 60)
    moments = tau * np.array([0, 0.015, 0.04, 0.08, 0.15, 0.25, 0.4, 0.65, 1.0, 1.6, 2.5, 4.0])
    cycles = table(string(h, moments, pick, bright * 2**tone.bright * (0.5 + 0.7 * tone.velocity), tau, damping))
    row = np.interp(t, moments, np.arange(len(moments)))
    # a plucked string starts a little sharp
    phase = tone.frequency * (t + 0.004 * 0.02 * (1 - np.exp(-t / 0.02)))
    return scan(cycles, phase, row), t


def picked_bass(tone: Tone) -> Wave:
    """An electric bass with a pick or finger near the bridge."""
    wave, t = _string(tone, pick=0.16, bright=5.0, tau=1.4, damping=0.35, release=0.06)
    knock = 0.05 * np.exp(-t / 0.004) * np.sin(2 * np.pi * 900 * t)
    return np.asarray((1.1 * wave + knock) * tone.envelope(t, 0.002, 0.05))


def slap_bass(tone: Tone) -> Wave:
    """Thumb and pop: bright, compressed."""
    wave, t = _string(tone, pick=0.09, bright=14.0, tau=0.9, damping=0.22, release=0.05)
    return np.asarray(np.tanh(2.2 * wave) * 0.6 * tone.envelope(t, 0.0015, 0.04))


def upright_bass(tone: Tone) -> Wave:
    """A double bass: a soft thumb, a growl, a short bloom."""
    wave, t = _string(tone, pick=0.22, bright=2.4, tau=0.75, damping=0.5, release=0.09)
    thump = 0.10 * np.exp(-t / 0.012) * np.sin(2 * np.pi * 120 * t)
    return np.asarray((1.3 * wave + thump) * tone.envelope(t, 0.008, 0.08))


# --- keys and chords ------------------------------------------------------------------------------------------------


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
    wave, t = _string(
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


def _swept(tone: Tone, cutoff: float, octaves: float, tau: float, q: float, release: float, rich: float = 0.0) -> Wave:
    """A pair of detuned saws (``rich`` mixes in a pulse) behind a decaying low-pass, stereo."""
    t = tone.time(release)
    h = harmonics(tone.frequency, tone.rate, 110)
    oscillator = Filtered(tone.frequency, (1 - rich) * saw(h) + rich * square(h, 0.3), q=q)
    sweep = tone.cutoff(cutoff, 0.5) * 2 ** (octaves * (0.6 + 0.4 * tone.velocity) * np.exp(-t / tau))
    start = tone.rng.random(2)
    left = oscillator.play(tone.frequency * 2 ** (-6 / 1200) * t + start[0], sweep)
    right = oscillator.play(tone.frequency * 2 ** (6 / 1200) * t + start[1], sweep)
    return np.stack([left + 0.35 * right, right + 0.35 * left])


def stab(tone: Tone) -> Wave:
    """The chord of dub techno: dark saws, a filter that shuts."""
    wave = _swept(tone, 420, 2.0, 0.16, 1.6, 0.25)
    t = tone.time(0.25)
    return np.asarray(0.24 * wave * tone.envelope(t, 0.004, 0.22, 0.35, 0.15))


def house_stab(tone: Tone) -> Wave:
    """A bright sampled-sounding chord hit."""
    wave = _swept(tone, 900, 1.6, 0.22, 1.1, 0.12, 0.4)
    return np.asarray(0.24 * wave * tone.envelope(tone.time(0.12), 0.003, 0.1, 0.5, 0.3))


def clavinet(tone: Tone) -> Wave:
    """A struck string under a magnetic pickup, all edge."""
    wave, t = _string(tone, pick=0.06, bright=16.0, tau=0.6, damping=0.12, release=0.03)
    return np.asarray(1.0 * wave * tone.envelope(t, 0.001, 0.025))


def guitar(tone: Tone) -> Wave:
    """A clean electric guitar."""
    wave, t = _string(tone, pick=0.14, bright=9.0, tau=0.9, damping=0.18, release=0.05)
    return np.asarray(1.0 * wave * tone.envelope(t, 0.0015, 0.045))


def nylon(tone: Tone) -> Wave:
    """A nylon-string guitar."""
    wave, t = _string(tone, pick=0.28, bright=4.0, tau=1.0, damping=0.4, release=0.12)
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


# --- sustained sounds -----------------------------------------------------------------------------------------------


def _sustained(tone: Tone, amplitudes: Wave, cents: float, attack: float, release: float) -> Wave:
    t = tone.time(release)
    wave = ensemble(tone.frequency, amplitudes, cents, tone.rate, tone.rng)
    start = int(tone.rng.random() * wave.shape[1])
    index = (start + np.arange(len(t))) % wave.shape[1]
    return wave[:, index] * tone.envelope(t, min(attack, 0.5 * tone.seconds + 0.02), release)


def pad(tone: Tone) -> Wave:
    """A warm analogue pad."""
    h = harmonics(tone.frequency, tone.rate, 60)
    return _sustained(tone, saw(h) / (1 + (h * tone.frequency / tone.cutoff(950, 0.2)) ** 2), 24, 0.35, 0.6)


def strings(tone: Tone) -> Wave:
    """A string section: saws with a body around 500 Hz and 2.5 kHz."""
    h = harmonics(tone.frequency, tone.rate, 80)
    f = h * tone.frequency
    body = 0.5 + np.exp(-((np.log2(f / 500)) ** 2)) + 0.5 * np.exp(-((np.log2(f / 2500)) ** 2) / 0.5)
    return _sustained(tone, saw(h) * body / (1 + (f / tone.cutoff(3800, 0.0)) ** 2), 30, 0.14, 0.3)


def choir(tone: Tone) -> Wave:
    """Voices on "ah": formants at 700, 1100, 2600 Hz."""
    h = harmonics(tone.frequency, tone.rate, 60)
    f = h * tone.frequency
    formants = sum(
        g * np.exp(-(((f - c) / w) ** 2)) for c, w, g in ((700, 180, 1.0), (1100, 220, 0.6), (2600, 400, 0.25))
    )
    return _sustained(tone, (0.06 + formants) / np.sqrt(h), 30, 0.2, 0.4)


def glass(tone: Tone) -> Wave:
    """A glassy pad: few harmonics, and one high above."""
    h = harmonics(tone.frequency, tone.rate, 24)
    shape = np.where(h == 1, 1.0, np.where(h == 2, 0.35, np.where(h == 3, 0.25, np.where(h == 8, 0.14, 0.02))))
    return _sustained(tone, shape * 2 ** (tone.bright * (h > 1)), 12, 0.5, 0.8)


# --- leads ----------------------------------------------------------------------------------------------------------


def pluck(tone: Tone) -> Wave:
    """Saws with a filter that snaps shut."""
    wave = _swept(tone, 600, 3.0, 0.07, 1.3, 0.12)
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


@dataclass(frozen=True, slots=True)
class Instrument:
    """``render`` plays a note; ``centre`` is the MIDI pitch that it sounds best around."""

    render: Render
    centre: int
    label: str


INSTRUMENTS: dict[str, Instrument] = {
    "sub": Instrument(sub, 34, "sub bass"),
    "808": Instrument(bass808, 33, "808 bass"),
    "acid": Instrument(acid, 40, "acid bass"),
    "reese": Instrument(reese, 34, "reese bass"),
    "wobble": Instrument(wobble, 34, "wobble bass"),
    "synth bass": Instrument(synth_bass, 37, "synth bass"),
    "organ bass": Instrument(organ_bass, 38, "organ bass"),
    "fm bass": Instrument(fm_bass, 38, "FM bass"),
    "log drum": Instrument(log_drum, 36, "log drum"),
    "picked bass": Instrument(picked_bass, 38, "bass guitar"),
    "slap bass": Instrument(slap_bass, 39, "slap bass"),
    "upright bass": Instrument(upright_bass, 38, "double bass"),
    "rhodes": Instrument(rhodes, 62, "electric piano"),
    "piano": Instrument(piano, 62, "piano"),
    "organ": Instrument(organ, 62, "organ"),
    "stab": Instrument(stab, 60, "dub chord"),
    "house stab": Instrument(house_stab, 62, "chord stab"),
    "clavinet": Instrument(clavinet, 60, "clavinet"),
    "guitar": Instrument(guitar, 62, "guitar"),
    "nylon": Instrument(nylon, 60, "nylon guitar"),
    "overdriven": Instrument(overdriven, 50, "overdriven guitar"),
    "brass": Instrument(brass, 62, "brass"),
    "supersaw": Instrument(supersaw, 64, "supersaw"),
    "pad": Instrument(pad, 60, "pad"),
    "strings": Instrument(strings, 62, "strings"),
    "choir": Instrument(choir, 62, "choir"),
    "glass": Instrument(glass, 67, "glass pad"),
    "pluck": Instrument(pluck, 72, "pluck"),
    "saw lead": Instrument(saw_lead, 72, "saw lead"),
    "square lead": Instrument(square_lead, 74, "square lead"),
    "bell": Instrument(bell, 76, "bells"),
    "marimba": Instrument(mallet, 72, "marimba"),
    "vibraphone": Instrument(vibraphone, 72, "vibraphone"),
    "kalimba": Instrument(kalimba, 74, "kalimba"),
    "flute": Instrument(flute, 74, "flute"),
}
