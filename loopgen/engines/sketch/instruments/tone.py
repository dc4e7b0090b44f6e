"""A note to play, and the three ways most instruments make it: a string, a swept filter, a section."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from loopgen.engines.sketch.wavetable import Filtered, Wave, ensemble, harmonics, saw, scan, square, string, table


@dataclass(frozen=True, slots=True)
class Tone:
    """A note: MIDI ``pitch``, ``seconds`` held, ``velocity`` 0 to 1, seconds a ``pulse``, ``bright`` -1 to 1."""

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


def plucked(tone: Tone, *, pick: float, bright: float, tau: float, damping: float, release: float) -> tuple[Wave, Wave]:
    """A string's samples and their times, before the hand that damps it."""
    t = tone.time(release)
    h = harmonics(tone.frequency, tone.rate, 60)
    moments = tau * np.array([0, 0.015, 0.04, 0.08, 0.15, 0.25, 0.4, 0.65, 1.0, 1.6, 2.5, 4.0])
    cycles = table(
        string(h, moments, pick, bright * 2 ** (1.5 * tone.bright) * (0.5 + 0.7 * tone.velocity), tau, damping)
    )
    row = np.interp(t, moments, np.arange(len(moments)))
    # a plucked string starts a little sharp
    phase = tone.frequency * (t + 0.004 * 0.02 * (1 - np.exp(-t / 0.02)))
    return scan(cycles, phase, row), t


def swept(tone: Tone, cutoff: float, octaves: float, tau: float, q: float, release: float, rich: float = 0.0) -> Wave:
    """A pair of detuned saws (``rich`` mixes in a pulse) behind a decaying low-pass, stereo."""
    t = tone.time(release)
    h = harmonics(tone.frequency, tone.rate, 110)
    oscillator = Filtered(tone.frequency, (1 - rich) * saw(h) + rich * square(h, 0.3), q=q)
    sweep = tone.cutoff(cutoff, 0.5) * 2 ** (octaves * (0.6 + 0.4 * tone.velocity) * np.exp(-t / tau))
    start = tone.rng.random(2)
    left = oscillator.play(tone.frequency * 2 ** (-6 / 1200) * t + start[0], sweep)
    right = oscillator.play(tone.frequency * 2 ** (6 / 1200) * t + start[1], sweep)
    return np.stack([left + 0.35 * right, right + 0.35 * left])


def sustained(tone: Tone, amplitudes: Wave, cents: float, attack: float, release: float) -> Wave:
    """A section holding a note: harmonics smeared over ``cents``, see ``wavetable.ensemble``."""
    t = tone.time(release)
    wave = ensemble(tone.frequency, amplitudes, cents, tone.rate, tone.rng)
    wave = wave + 0.45 * wave[::-1]  # a section in one room, not one in each ear
    start = int(tone.rng.random() * wave.shape[1])
    turns = -(-(start + len(t)) // wave.shape[1])
    return np.tile(wave, turns)[:, start : start + len(t)] * tone.envelope(
        t, min(attack, 0.5 * tone.seconds + 0.02), release
    )
