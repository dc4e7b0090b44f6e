"""Grooves from rules of rhythm, with their exact grid: variety for the benchmarks and for calibration.

Small and plain on purpose: synthesised drums, bass, chords and lines put together by chance from common rhythmic
devices (backbeats, tresillos, breakbeats, Euclidean percussion, off-beat hats, pushed chords ...), in several meters,
with swing, human timing, fills, missing instruments and rough mixes. It shares no table with loopgen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, fftconvolve, sosfilt

from loopgen.music.audio import Audio
from loopgen.music.tempo import Meter

Wave = NDArray[np.float64]
Rng = np.random.Generator
METERS = ((4, 4),) * 9 + ((3, 4), (6, 8), (5, 4), (7, 8))
TIMELINES = {
    "son": "X..X..X...X.X...", "rumba": "X..X...X..X.X...", "bossa": "X..X..X...X..X..", "tresillo": "X..X..X.X..X..X.",
    "cascara": "X.X.XX.X.XX.X.XX", "samba": "X.XX.X.XX.X.XX.X", "gahu": "X..X..X...X...X.",
    "soukous": "X..X..X...XX....",
}  # fmt: skip
BREAKS = {
    "two-step": ("X.........X.....", "....X.......X..."),
    "amen": ("X.X.......XX....", "....X..x.x..X..x"),
    "funky": ("X.X...X...X..X..", "....X..x.x.xX..x"),
    "apache": ("X......X..X.....", "....X.......X.x."),
    "garage": ("X.........X..X..", "....X.......X..."),
    "halftime": ("X.....X..x......", "........X......."),
    "trap": ("X......X..X.....", "........X......."),
    "dembow": ("X...X...X...X...", "...X..X....X..X."),
    "boombap": ("X.X....X..X.....", "....X.......X..."),
    "steppers": ("X...X...X...X...", "........X......."),
    "one drop": ("........X.......", "........X......."),
    "afro": ("X..X..X...X.....", "....X.....x.X..."),
}
PROGRESSIONS = (
    (0, 5, 3, 4),
    (0, 3),
    (0, 0, 5, 5),
    (5, 3, 0, 4),
    (0, 4, 5, 3),
    (0, 6, 5, 6),
    (0,),
    (0, 2, 3, 4),
    (1, 4, 0, 0),
)


@dataclass(frozen=True, slots=True, eq=False)
class Groove:
    """Audio with its beats (seconds, reaching past both ends), the index of a downbeat, meter, kind and style."""

    audio: Audio
    beats: NDArray[np.float64]
    downbeat: int
    meter: Meter
    kind: str
    style: str


def groove(rng: Rng, seconds: float, place: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Groove:
    """A random groove; ``place`` maps seconds of steady music to seconds of the take (its tempo's wobble)."""
    meter = Meter(*METERS[int(rng.integers(len(METERS)))])
    rate = int(rng.choice([32_000, 44_100, 48_000]))
    bpm = float(np.exp(rng.uniform(np.log(68), np.log(178))))
    cell = 15 / bpm
    cells = round(4 * float(meter.quarters))
    bar = cells * cell
    first = -float(rng.uniform(0, bar))
    bars = int(np.ceil((seconds - first) / bar)) + 1
    with_drums = rng.random() < 0.75
    swing = float(rng.uniform(0.08, 0.33)) if rng.random() < 0.2 else 0.0
    human = float(rng.choice([0.0, 0.0, 0.0, 0.001, 0.003]))
    score = Score(rng, rate, seconds, bars, cells, cell, first, swing, human, place)
    style = drums(score, meter) if with_drums else "stem"
    parts = [part for part, chance in ((bass, 0.6), (chords, 0.5), (line, 0.4)) if rng.random() < chance]
    if not with_drums:
        parts = [(bass, chords, line)[int(rng.integers(3))]]
    harmony = Harmony(rng)
    for part in parts if with_drums is False or rng.random() < 0.8 else []:
        part(score, harmony, meter)
    step = cell * 4 * float(meter.beat_quarters)
    numbers = np.arange(int(np.floor(-first / step)) - 1, int(np.ceil((seconds * 1.03 - first) / step)) + 2)
    beats = place((first + numbers * step).astype(np.float64))
    needed = slice(int(np.sum(beats <= 0)) - 1, int(np.sum(beats < seconds)) + 1)
    beats, numbers = beats[needed], numbers[needed]
    audio = Audio(rough(rng, score.mix[: round(seconds * rate)], rate), rate)
    return Groove(audio, beats, int(-numbers[0] % meter.beats), meter, "groove" if with_drums else "stem", style)


class Score:
    """A mix in the making, addressed by bar and sixteenth."""

    def __init__(
        self, rng: Rng, rate: int, seconds: float, bars: int, cells: int, cell: float, first: float, swing: float,
        human: float, place: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    ) -> None:  # fmt: skip
        self.rng, self.rate, self.bars, self.cells, self.cell = rng, rate, bars, cells, cell
        self._first, self._swing, self._human, self._place = first, swing, human, place
        self.mix = np.zeros((round((seconds + 3) * rate), 2))

    def put(self, wave: Wave, bar: int, step: float, gain: float, pan: float = 0.0, late: float = 0.0) -> None:
        """Add a sound whose attack lies exactly on its place of the grid (to the fraction of a sample)."""
        swung = self._swing * self.cell if step % 2 == 1 else 0.0
        steady = self._first + (bar * self.cells + step) * self.cell + swung + late + self.rng.normal(0, self._human)
        where = float(self._place(np.array([steady]))[0]) * self.rate
        start = int(np.floor(where))
        fraction = where - start
        wave = (1 - fraction) * np.append(wave, 0.0) + fraction * np.append(0.0, wave)
        skip = max(0, -start)
        stop = min(len(self.mix), start + len(wave))
        if stop > start + skip:
            gains = np.array([np.cos((pan + 1) * np.pi / 4), np.sin((pan + 1) * np.pi / 4)])
            self.mix[start + skip : stop] += gain * wave[skip : stop - start, None] * gains


# ---------------------------------------------------------------- sounds


def decay(rate: int, seconds: float, time: float, attack: float = 0.0005) -> Wave:
    t = np.arange(int(seconds * rate)) / rate
    return np.asarray(np.minimum(1, t / attack) * np.exp(-t / time))


def hiss(rng: Rng, rate: int, seconds: float, time: float, low: float, high: float) -> Wave:
    envelope = decay(rate, seconds, time)
    edges = [low, min(high, 0.45 * rate)]
    return np.asarray(
        sosfilt(butter(2, edges, "bandpass", fs=rate, output="sos"), rng.standard_normal(len(envelope))) * envelope
    )


def kick(rng: Rng, rate: int) -> Wave:
    e = decay(rate, 0.45, rng.uniform(0.07, 0.25), 0.001)
    t = np.arange(len(e)) / rate
    frequency = rng.uniform(40, 62) + rng.uniform(50, 250) * np.exp(-t / rng.uniform(0.01, 0.05))
    return np.asarray(np.tanh(np.sin(2 * np.pi * np.cumsum(frequency) / rate) * rng.uniform(1, 3)) * e)


def snare(rng: Rng, rate: int) -> Wave:
    noise = hiss(rng, rate, 0.3, rng.uniform(0.04, 0.13), rng.uniform(300, 1500), 9000)
    t = np.arange(len(noise)) / rate
    return np.asarray(
        noise + rng.uniform(0.1, 0.9) * np.sin(2 * np.pi * rng.uniform(150, 250) * t) * decay(rate, 0.3, 0.06)
    )


def hat(rng: Rng, rate: int, time: float) -> Wave:
    return hiss(rng, rate, 0.4, time, rng.uniform(4000, 8000), 16000)


def perc(rng: Rng, rate: int) -> Wave:
    if rng.random() < 0.5:
        low = rng.uniform(300, 5000)
        return hiss(rng, rate, 0.2, rng.uniform(0.01, 0.07), low, 1.8 * low)
    e = decay(rate, 0.3, rng.uniform(0.02, 0.1))
    return np.asarray(np.sin(2 * np.pi * rng.uniform(180, 1500) * np.arange(len(e)) / rate) * e)


class Voice:
    """A tonal instrument: a few decaying partials under a common envelope."""

    def __init__(self, rng: Rng, rate: int, soft: bool) -> None:
        self.rate = rate
        self.partials = rng.uniform(0.1, 1, 7) / np.arange(1, 8) ** rng.uniform(0.6, 2)
        self.attack = float(rng.uniform(0.02, 0.12) if soft else rng.choice([0.002, 0.004, 0.01]))
        self.time = float(rng.uniform(0.6, 3) if soft else rng.uniform(0.1, 0.8))

    def note(self, pitch: float, seconds: float) -> Wave:
        t = np.arange(int((seconds + 0.03) * self.rate)) / self.rate
        frequency = 440 * 2 ** ((pitch - 69) / 12)
        wave = sum(
            a * np.sin(2 * np.pi * frequency * (k + 1) * t) * np.exp(-t * k / (2 * self.time))
            for k, a in enumerate(self.partials)
            if frequency * (k + 1) < 0.45 * self.rate
        )
        return np.asarray(
            wave * np.minimum(1, t / self.attack) * np.exp(-t / self.time) * np.clip((t[-1] - t) / 0.03, 0, 1)
        )


# ---------------------------------------------------------------- parts

Steps = dict[int, float]


def read(pattern: str, cells: int) -> Steps:
    """``X`` loud, ``x`` soft, fitted to the bar by cutting or repeating."""
    repeated = (pattern * 2)[:cells]
    return {k: {"X": 1.0, "x": 0.45}[c] for k, c in enumerate(repeated) if c in "Xx"}


def euclid(hits: int, cells: int, turn: int) -> Steps:
    return {(k + turn) % cells: 1.0 for k in range(cells) if (k * hits) % cells < hits}


def accents(meter: Meter, cells: int) -> list[int]:
    """Steps of the bar's main pulses: 4/4 every quarter, 6/8 its two dotted quarters, 7/8 as 2+2+3 ..."""
    if meter.denominator == 4:
        return list(range(0, cells, 4))
    if meter.numerator % 3 == 0:
        return list(range(0, cells, 6))
    return list(range(0, cells - 4, 4))


def drums(score: Score, meter: Meter) -> str:
    rng, rate, cells = score.rng, score.rate, score.cells
    pulses = accents(meter, cells)
    style = "odd"
    if meter == Meter(4, 4) and rng.random() < 0.6:
        style = str(rng.choice(list(BREAKS)))
        kicks, snares = (read(p, cells) for p in BREAKS[style])
    elif meter == Meter(4, 4) and rng.random() < 0.7:
        style = "four on the floor"
        kicks = dict.fromkeys(pulses, 1.0) | ({int(rng.choice([7, 10, 14, 15])): 0.8} if rng.random() < 0.3 else {})
        snares = dict.fromkeys((4, 12), 1.0) if rng.random() < 0.75 else {}
    else:
        kicks = {0: 1.0} | {k: 1.0 for k in pulses[2::2] if rng.random() < 0.7}
        kicks |= {int(k): 0.8 for k in rng.choice(np.arange(2, cells, 2), int(rng.integers(0, 3)), replace=False)}
        snares = dict.fromkeys(pulses[1::2] if len(pulses) != 3 or rng.random() < 0.5 else pulses[1:], 1.0)
    gap = 2 if rng.random() < 0.6 else int(rng.choice([1, 4]))
    hats = {k: 1.0 if k % 4 == 0 else rng.uniform(0.5, 1) for k in range(0, cells, gap)}
    opens = {p + 2: 1.0 for p in pulses} if rng.random() < 0.35 else {}
    if gap == 4 and rng.random() < 0.5:
        hats = {}
    timeline = read(TIMELINES[str(rng.choice(list(TIMELINES)))], cells) if rng.random() < 0.2 else {}
    extra = euclid(int(rng.integers(2, 8)), cells, int(rng.integers(0, cells))) if rng.random() < 0.3 else {}
    kit = [
        (kicks, kick(rng, rate), 1.0), (snares, snare(rng, rate), 0.7), (hats, hat(rng, rate, 0.02), 0.25),
        (opens, hat(rng, rate, 0.12), 0.25), (timeline, perc(rng, rate), 0.4), (extra, perc(rng, rate), 0.35),
    ]  # fmt: skip
    kept = [part for part in kit if part[0] and rng.random() > 0.08] or kit[:1]
    unsteady = rng.uniform(0, 0.08) if rng.random() < 0.5 else 0.0
    fill_every = int(rng.choice([2, 4, 8])) if rng.random() < 0.4 else 10**6
    crash = hiss(rng, rate, 1.5, 0.5, 3000, 15000)
    for steps, wave, gain in kept:
        gain *= 10 ** (rng.normal(0, 3) / 20)
        pan = rng.uniform(-0.5, 0.5) if wave is not kit[0][1] else 0.0
        for bar in range(-1, score.bars):
            filling = bar % fill_every == fill_every - 1
            for step, loud in steps.items():
                if rng.random() < unsteady or (filling and step >= cells - 4):
                    continue
                score.put(wave, bar, step, gain * loud * 10 ** (rng.normal(0, 0.8) / 20), pan)
    for bar in range(-1, score.bars):
        if bar % fill_every == fill_every - 1:
            for step in range(cells - 4, cells):
                score.put(kit[1][1], bar, step, 0.6)
        if fill_every < 10**6 and bar % fill_every == 0:
            score.put(crash, bar, 0, 0.4)
    return style


class Harmony:
    """A scale, a progression and how long a chord lasts."""

    def __init__(self, rng: Rng) -> None:
        self.root = int(rng.integers(12))
        self.scale = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10))[int(rng.integers(2))]
        self.progression = PROGRESSIONS[int(rng.integers(len(PROGRESSIONS)))]
        self.bars = int(rng.choice([1, 1, 1, 2]))

    def degree(self, bar: int) -> int:
        return self.progression[(bar // self.bars) % len(self.progression)]

    def pitch(self, degree: int, base: int) -> int:
        return base + self.root + 12 * (degree // 7) + self.scale[degree % 7]


def rhythm(rng: Rng, meter: Meter, cells: int) -> list[tuple[int, int]]:
    """(step, length) pairs: held, pulsed, off-beat, tresillo or by chance with the metre's weights."""
    pulses = accents(meter, cells)
    kind = int(rng.integers(6))
    if kind == 0:
        on = [0]
    elif kind == 1:
        on = list(range(0, cells, int(rng.choice([1, 2, 4]))))
    elif kind == 2:
        on = [p + 2 for p in pulses]
    elif kind == 3:
        on = [k for k in range(cells) if (k % 8) in (0, 3, 6)]
    else:
        weight = np.full(cells, 0.18)
        weight[::2], weight[pulses], weight[0] = 0.35, 0.6, 0.95
        on = [k for k in range(cells) if rng.random() < weight[k]] or [0]
    return [(a, b - a) for a, b in zip(on, [*on[1:], cells + on[0]], strict=True)]


def bass(score: Score, harmony: Harmony, meter: Meter) -> None:
    rng = score.rng
    voice, pattern, gain = (
        Voice(rng, score.rate, False),
        rhythm(rng, meter, score.cells),
        0.35 * 10 ** (rng.normal(0, 3) / 20),
    )
    base = 28 if harmony.root > 5 else 36
    octaves = rng.random() < 0.25
    for bar in range(-1, score.bars):
        for number, (step, length) in enumerate(pattern):
            pitch = harmony.pitch(harmony.degree(bar), base) + (12 if octaves and number % 2 else 0)
            score.put(voice.note(pitch, min(length, 8) * score.cell * 0.9), bar, step, gain)


def chords(score: Score, harmony: Harmony, meter: Meter) -> None:
    rng = score.rng
    soft = rng.random() < 0.4
    voice, gain = Voice(rng, score.rate, soft), 0.14 * 10 ** (rng.normal(0, 3) / 20)
    pattern = [(0, score.cells)] if soft and rng.random() < 0.7 else rhythm(rng, meter, score.cells)
    for bar in range(-1, score.bars):
        for step, length in pattern:
            for number, above in enumerate((0, 2, 4)):
                pitch = harmony.pitch(harmony.degree(bar) + above, 55)
                score.put(voice.note(pitch, length * score.cell), bar, step, gain, (number - 1) * 0.5)


def line(score: Score, harmony: Harmony, meter: Meter) -> None:
    rng = score.rng
    voice, gain = Voice(rng, score.rate, False), 0.2 * 10 ** (rng.normal(0, 3) / 20)
    phrase = int(rng.choice([1, 2]))
    bars = [[(s, n, int(rng.integers(0, 9))) for s, n in rhythm(rng, meter, score.cells)] for _ in range(phrase)]
    for bar in range(-1, score.bars):
        for step, length, above in bars[bar % phrase]:
            pitch = harmony.pitch(harmony.degree(bar) + above, 60)
            score.put(voice.note(pitch, min(length, 4) * score.cell), bar, step, gain, 0.3)


def rough(rng: Rng, mix: Wave, rate: int) -> Wave:
    """The mix as recordings are: coloured, in a room, driven, with a floor of noise; peak about -1 dB."""
    if rng.random() < 0.4:
        centre = float(np.exp(rng.uniform(np.log(100), np.log(4000))))
        band = sosfilt(butter(1, [centre, 2 * centre], "bandpass", fs=rate, output="sos"), mix, axis=0)
        mix = mix + rng.uniform(-0.6, 1.5) * band
    if rng.random() < 0.35:
        tail = rng.standard_normal((rate, 2)) * np.exp(-np.arange(rate) / (rate * rng.uniform(0.05, 0.25)))[:, None]
        tail /= np.sqrt((tail**2).sum(axis=0))
        mix = mix + rng.uniform(0.1, 0.5) * fftconvolve(mix, tail, axes=0)[: len(mix)]
    mix = mix / (np.abs(mix).max() + 1e-9)
    if rng.random() < 0.5:
        mix = np.tanh(mix * rng.uniform(1, 4))
    mix = mix + 10 ** (rng.uniform(-75, -45) / 20) * rng.standard_normal(mix.shape)
    return np.asarray(0.89 * mix / np.abs(mix).max())
