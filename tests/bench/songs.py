"""Music that never repeats itself exactly, on an exact grid: what a seam has to be found in.

Tiled loops are easy, since every bar equals the next. Here parts come and go, bars are filled, notes are held over bar
lines, oscillators drift against the tempo, reverberation carries one bar into the next.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, fftconvolve, sosfilt

from loopgen.music.audio import Audio
from loopgen.music.tempo import Meter, beat_seconds

Rng = np.random.Generator
Wave = NDArray[np.float64]

KINDS = ("drums", "bass", "keys", "pad", "ambient", "mix")
_LAYERS = {
    "drums": ("drums", "shaker"),
    "bass": ("bass",),
    "keys": ("keys", "lead"),
    "pad": ("pad",),
    "ambient": ("pad", "drone", "wash"),
    "mix": ("drums", "shaker", "bass", "keys", "pad", "lead", "wash"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Song:
    """``beat_frames`` is exact; the first downbeat lies ``downbeat`` beats after sample 0, which is beat 0."""

    audio: Audio
    kind: str
    meter: Meter
    beat_frames: Fraction
    downbeat: int


def song(seed: int, kind: str, *, seconds: float = 24.0, rate: int = 44_100) -> Song:
    """The ``seed``-th song of a kind out of ``KINDS``: stereo, float32, peak about -1 dBFS."""
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    meter = Meter(*[(4, 4), (4, 4), (4, 4), (3, 4), (6, 8), (7, 8)][int(rng.integers(6))])
    bpm = Fraction(f"{rng.uniform(75, 170):.2f}")
    score = _Score(rng, rate, float(beat_seconds(bpm, meter)), meter.beats, round(seconds * rate))
    for layer in _LAYERS[kind]:
        if kind != "mix" or rng.random() < 0.7 or layer == "drums":
            _PARTS[layer](score)
    return Song(Audio(_room(rng, score.mix, rate), rate), kind, meter, beat_seconds(bpm, meter) * rate, score.downbeat)


class _Score:
    """A canvas of ``frames`` samples with bars, sixteenths and sections."""

    def __init__(self, rng: Rng, rate: int, beat: float, beats: int, frames: int) -> None:
        self.rng, self.rate, self.beat, self.bar = rng, rate, beat, beat * beats
        self.downbeat = int(rng.integers(beats))
        self.steps = 4 * beats if beat > 0.3 else 2 * beats
        self.step = self.bar / self.steps
        self.mix = np.zeros((frames, 2))
        self.bars = int(frames / rate / self.bar) + 2
        self.root = int(rng.integers(12))
        scale = np.array([[0, 2, 3, 5, 7, 8, 10], [0, 2, 4, 5, 7, 9, 11]][int(rng.integers(2))])
        degrees = rng.choice(7, int(rng.choice([2, 4])))
        if rng.random() < 0.3:
            degrees[:] = degrees[0]
        wanders = rng.random(self.bars) < 0.15
        self.degrees = [
            int(rng.integers(7)) if wanders[b] else int(degrees[b % len(degrees)]) for b in range(self.bars)
        ]
        self.scale = scale

    def pitch(self, bar: int, third: int, octave: int) -> float:
        """MIDI pitch of the ``third``-th third of the bar's chord."""
        up, place = divmod(self.degrees[bar] + 2 * third, 7)
        return 12 * (octave + up) + self.root + float(self.scale[place])

    def plays(self, chance: float = 0.8) -> list[bool]:
        """Whether a part plays, bar by bar: it comes and goes by two or four bars."""
        length = int(self.rng.choice([2, 4]))
        on = self.rng.random(self.bars // length + 1) < chance
        return list(np.repeat(on if on.any() else ~on, length)[: self.bars])

    def place(self, bar: int, step: float) -> float:
        """Seconds of a step of a bar; bar 0 starts before sample 0."""
        return (self.downbeat * self.beat - self.bar) + bar * self.bar + step * self.step

    def put(self, wave: Wave, seconds: float, gain: float, pan: float) -> None:
        start = round(seconds * self.rate)
        wave = wave[max(0, -start) :]
        start = max(0, start)
        stop = min(start + len(wave), len(self.mix))
        if stop > start:
            gains = gain * np.array([np.cos((pan + 1) * np.pi / 4), np.sin((pan + 1) * np.pi / 4)])
            self.mix[start:stop] += wave[: stop - start, None] * gains


def _clock(rate: int, seconds: float) -> Wave:
    return np.arange(max(1, int(seconds * rate))) / rate


def _noise(rng: Rng, rate: int, seconds: float, low: float, high: float) -> Wave:
    edges = [min(low, 0.3 * rate), min(high, 0.45 * rate)]
    n = max(1, int(seconds * rate))
    return np.asarray(sosfilt(butter(2, edges, "bandpass", fs=rate, output="sos"), rng.standard_normal(n)))


def _drums(score: _Score) -> None:
    rng, rate = score.rng, score.rate
    t = _clock(rate, 0.5)
    sweep = rng.uniform(42, 60) + rng.uniform(60, 200) * np.exp(-t / rng.uniform(0.01, 0.04))
    kick = np.sin(2 * np.pi * np.cumsum(sweep) / rate) * np.exp(-t / rng.uniform(0.06, 0.25)) * np.minimum(1, t / 0.001)
    snare = _noise(rng, rate, 0.4, 400, 9000) * np.exp(-_clock(rate, 0.4) / rng.uniform(0.04, 0.12))
    hat = _noise(rng, rate, 0.3, 6000, 15000) * np.exp(-_clock(rate, 0.3) / rng.uniform(0.01, 0.08))
    crash = _noise(rng, rate, 2.5, 2500, 14000) * np.exp(-_clock(rate, 2.5) / 0.6)
    kicks = {0, *rng.choice(score.steps, 3).tolist()}
    snares = {score.steps // 4, 3 * score.steps // 4}
    loose = rng.uniform(0, 0.004)
    plays = score.plays(0.95)
    for bar in range(score.bars):
        fill = bar % 4 == 3 and rng.random() < 0.5
        for step in range(score.steps):
            late = score.place(bar, step) + rng.normal(0, loose)
            if plays[bar] and (step in kicks or rng.random() < 0.04):
                score.put(kick, late, rng.uniform(0.7, 0.9), 0)
            if plays[bar] and (step in snares or (fill and step > score.steps / 2 and rng.random() < 0.6)):
                score.put(snare, late, rng.uniform(0.3, 0.6), 0.1)
            if plays[bar] and rng.random() < (0.9 if step % 2 == 0 else 0.3):
                score.put(hat, late, rng.uniform(0.1, 0.25), 0.4)
        if bar % 8 == 1 and rng.random() < 0.5:
            score.put(crash, score.place(bar, 0), 0.2, -0.3)


def _shaker(score: _Score) -> None:
    rng = score.rng
    for bar, plays in enumerate(score.plays(0.6)):
        for step in range(score.steps):
            if plays and rng.random() < 0.8:
                grain = _noise(rng, score.rate, 0.09, 3000, 9000)
                shape = np.sin(np.pi * np.arange(len(grain)) / len(grain)) ** 2
                score.put(grain * shape, score.place(bar, step) - 0.02, rng.uniform(0.05, 0.2), -0.6)


def _saw(frequency: float, t: Wave, cutoff: float, phase: float) -> Wave:
    top = int(min(40, cutoff * 2 // frequency + 1))
    k = np.arange(1, top + 1)[:, None]
    return np.asarray(
        np.sum(np.sin(2 * np.pi * k * (frequency * t + phase)) / k / (1 + (k * frequency / cutoff) ** 2), axis=0)
    )


def _note(score: _Score, pitch: float, seconds: float, cutoff: float, attack: float, release: float) -> Wave:
    t = _clock(score.rate, seconds + release)
    wave = _saw(440 * 2 ** ((pitch - 69) / 12), t, cutoff, float(score.rng.random()))
    return wave * np.minimum(1, t / attack) * np.clip((seconds + release - t) / release, 0, 1)


def _bass(score: _Score) -> None:
    rng = score.rng
    cutoff = rng.uniform(120, 900)
    starts = sorted({0 if rng.random() < 0.7 else 2, *rng.choice(score.steps, int(rng.integers(1, 6))).tolist()})
    for bar, plays in enumerate(score.plays(0.85)):
        ends = [*starts[1:], score.steps + starts[0]]
        for step, end in zip(starts, ends, strict=True):
            if plays and rng.random() < 0.9:
                length = (end - step) * score.step * rng.choice([0.4, 0.95, 1.02])
                note = _note(score, score.pitch(bar, int(rng.choice([0, 0, 0, 2])), 3), length, cutoff, 0.004, 0.02)
                score.put(note, score.place(bar, step) + rng.normal(0, 0.002), 0.35, 0)


def _keys(score: _Score) -> None:
    rng = score.rng
    starts = sorted({0, *rng.choice(score.steps, 2).tolist()})
    fall, cutoff = rng.uniform(0.2, 1.2), rng.uniform(600, 3000)
    for bar, plays in enumerate(score.plays(0.8)):
        for step in starts if plays else []:
            for third in range(3):
                note = _note(score, score.pitch(bar, third, 5), 0.5 * score.bar, cutoff, 0.003, 0.1)
                note *= np.exp(-np.arange(len(note)) / score.rate / fall)
                score.put(note, score.place(bar, step) + rng.normal(0, 0.004), rng.uniform(0.08, 0.14), third / 2 - 0.5)


def _pad(score: _Score) -> None:
    rng = score.rng
    attack, release, cutoff = rng.uniform(0.03, 0.4), rng.uniform(0.1, 1.0), rng.uniform(300, 2500)
    held = int(rng.choice([1, 1, 2]))
    swing = rng.uniform(0.05, 0.3)
    for bar in range(0, score.bars, held):
        for third in range(4):
            for detune in (-0.06, 0.07):
                note = _note(score, score.pitch(bar, third, 5) + detune, held * score.bar, cutoff, attack, release)
                t = np.arange(len(note)) / score.rate
                note *= 1 + 0.4 * np.sin(2 * np.pi * (swing * t + rng.random()))
                score.put(note, score.place(bar, 0) - 0.02, 0.05, np.sign(detune) * 0.7)


def _drone(score: _Score) -> None:
    rng = score.rng
    t = np.arange(len(score.mix)) / score.rate
    for octave in (3, 4, 4):
        frequency = 440 * 2 ** ((12 * octave + score.root + rng.normal(0, 0.1) - 69) / 12)
        swell = 1 + 0.6 * np.sin(2 * np.pi * (rng.uniform(0.03, 0.2) * t + rng.random()))
        score.put(_saw(frequency, t, 600, 0) * swell, 0, 0.08, rng.uniform(-1, 1))


def _wash(score: _Score) -> None:
    rng = score.rng
    seconds = len(score.mix) / score.rate
    t = _clock(score.rate, seconds)
    for side in (-0.8, 0.8):
        low = rng.uniform(200, 3000)
        noise = _noise(rng, score.rate, seconds, low, 3 * low)
        swell = 1 + 0.7 * np.sin(2 * np.pi * (rng.uniform(0.05, 0.5) * t[: len(noise)] + rng.random()))
        score.put(noise * swell, 0, rng.uniform(0.02, 0.2), side)


def _lead(score: _Score) -> None:
    rng = score.rng
    for bar, plays in enumerate(score.plays(0.5)):
        for step in range(score.steps):
            if plays and rng.random() < 0.25:
                pitch = score.pitch(bar, int(rng.integers(5)), 5)
                length = score.step * int(rng.integers(1, 6))
                note = _note(score, pitch, length, rng.uniform(800, 4000), 0.005, 0.05)
                for echo in range(4):
                    score.put(note, score.place(bar, step + 3 * echo), 0.12 * 0.5**echo, 0.5 * (-1) ** echo)


_PARTS: dict[str, Callable[[_Score], None]] = {
    "drums": _drums,
    "shaker": _shaker,
    "bass": _bass,
    "keys": _keys,
    "pad": _pad,
    "drone": _drone,
    "wash": _wash,
    "lead": _lead,
}


def _room(rng: Rng, mix: Wave, rate: int) -> NDArray[np.float32]:
    """The mix in a room, with a floor of noise; peak -1 dBFS."""
    if rng.random() < 0.7:
        time = rng.uniform(0.1, 0.8)
        echo = rng.standard_normal((round(4 * time * rate), 2))
        echo *= np.exp(-np.arange(len(echo)) / rate / time)[:, None] / np.sqrt(time * rate / 2)
        mix = mix + rng.uniform(0.1, 0.6) * fftconvolve(mix, echo, axes=0)[: len(mix)]
    mix = mix / np.abs(mix).max()
    if rng.random() < 0.5:
        mix = np.tanh(rng.uniform(1, 3) * mix)
    mix = mix + 10 ** (rng.uniform(-80, -50) / 20) * rng.standard_normal(mix.shape)
    return np.asarray(0.89 * mix / np.abs(mix).max(), dtype=np.float32)
