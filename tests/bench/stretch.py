"""What each stretcher does to attacks, tones and spectra, beside one global ratio (the nearest peer's way).

- *onset*: how late attacks come against the grid, median and 95% of the deviation from zero, in ms;
- *pre-echo*: energy 2 to 12 ms before a lone hit against its first 10 ms, in dB;
- *spectrum*: log-spectral distance (windows of 23 ms, bins above -60 dB) from the same music played at the new tempo;
- *level*, *cents*: how much the partials of a sustained chord waver, largest deviation; *residue*: what 2 s of it hold
  besides its partials, in dB;
- *there and back* (real loops): log-spectral distance from the take itself after stretching by 1.03 and 1/1.03;
- *x real time*: seconds of stereo at 44.1 kHz a second of CPU time, children included.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from shutil import which

import numpy as np
from numpy.typing import NDArray
from scipy.signal import stft

from loopgen.looping.stretch import STRETCHERS, Gridded, stretch
from loopgen.looping.stretching.timemap import TimeMap
from loopgen.music.audio import Audio, Samples
from loopgen.music.beats import BeatGrid
from loopgen.onsets import onset_times
from tests.bench.conform import lag
from tests.bench.options import Options
from tests.bench.takes import real_takes
from tests.looping.stretch_material import CHORD, chord, onset_errors, partial, pre_echoes, sixteenths, struck, swaying

RATE = 44_100
BPM = Fraction(120)
KINDS = ("click", "noise", "drum", "pluck")

Way = Callable[[Audio, BeatGrid, Fraction], Gridded]


def run(options: Options) -> None:
    """Print one table for steady takes, one for wobbling ones, and one for real loops where there are any."""
    seconds = 10 if options.quick else 30
    for title, sway in (("steady takes, 3% too slow", 0.0), ("tempo wobbling by 1.2%", 0.012)):
        print(f"\n{title}")
        heads = (
            ("onset ms", 14),
            ("pre-echo dB", 14),
            ("spectrum dB", 16),
            ("level dB", 10),
            ("cents", 8),
            ("residue dB", 12),
            ("x real time", 13),
        )
        print(" " * 18 + "".join(f"{head:>{width}}" for head, width in heads))
        print(f"{'':<18}{'median    95%':>14}{'':>14}{'drums  chords':>16}")
        for name, way in ways():
            print(f"{name:<18}{synthetic(way, seconds, sway)}", flush=True)
    if options.audio is not None:
        print("\nreal loops, tiled, steady and wobbling by 1.2%, to 1.03 times their tempo")
        print(f"{'':<18}{'onset ms, steady':>18}{'wobbling':>16}{'there and back dB':>20}")
        print(f"{'':<18}{'median    95%':>18}{'median    95%':>16}")
        takes = [
            (take.audio, take.grid) for take in real_takes(options.audio, seconds=8 if options.quick else 16, offsets=1)
        ]
        for name, way in ways():
            print(f"{name:<18}{real(way, takes)}", flush=True)


def ways() -> Iterator[tuple[str, Way]]:
    """The stretchers that are installed, and the peer's way."""
    for name in STRETCHERS:
        if name != "rubberband" or which("rubberband"):
            yield name, named(name)
    yield "one global ratio", one_ratio


def named(name: str) -> Way:
    """A stretcher by name."""

    def way(audio: Audio, grid: BeatGrid, bpm: Fraction) -> Gridded:
        return stretch(audio, grid, bpm, audio.rate, stretcher=name)

    return way


def one_ratio(audio: Audio, grid: BeatGrid, bpm: Fraction) -> Gridded:
    """The mean tempo alone corrected, by Signalsmith Stretch, however the take wobbles."""
    beats = np.linspace(float(grid.beats[0]), float(grid.beats[-1]), len(grid.beats))
    even = BeatGrid(beats, grid.meter, grid.downbeat, 1.0, 1.0)
    return stretch(audio, even, bpm, audio.rate, stretcher="signalsmith")


# ---------------------------------------------------------------- synthetic takes


def synthetic(way: Way, seconds: float, sway: float) -> str:
    """One line of figures."""
    grid = swaying(float(BPM) / 1.03, seconds, sway)
    times, positions = sixteenths(grid, seconds)
    late, echoes, spent = [], [], 0.0
    for kind in KINDS:
        take = struck(times, seconds, RATE, kind)
        begin = cpu_seconds()
        result = way(Audio(take, RATE), grid, BPM)
        spent += cpu_seconds() - begin
        late.append(onset_errors(take, times, positions, RATE, result))
        lone = positions[1::4]
        alone = way(Audio(struck(times[1::4], seconds, RATE, kind), RATE), grid, BPM)
        echoes.append(np.median(pre_echoes(alone, lone)))
    late_ms = np.concatenate(late)
    spectra = "".join(" " * 8 if sway else f"{spectrum(way, seconds, kind):8.2f}" for kind in ("drums", "chords"))
    sustained = way(Audio(chord(seconds, RATE), RATE), grid, BPM)
    sound = sustained.audio.samples[slice(*sustained.valid), 0]
    wavering = [partial(sound, frequency, RATE) for frequency in CHORD]
    level, cents = (max(float(np.max(np.abs(part[k]))) for part in wavering) for k in (0, 1))
    speed = len(KINDS) * seconds / spent
    return (
        f"{onsets(late_ms)}{np.mean(echoes):14.1f}{spectra}{level:10.2f}{cents:8.2f}{residue(sound):12.1f}{speed:13.0f}"
    )


def residue(sound: Samples) -> float:
    """Energy of 2 s of a chord that is none of its partials, against the whole, in dB."""
    middle = sound[len(sound) // 2 :][: 2 * RATE].astype(np.float64)
    angles = 2 * np.pi * np.outer(np.arange(len(middle)) / RATE, CHORD)
    partials = np.hstack([np.cos(angles), np.sin(angles)])
    rest = middle - partials @ np.linalg.lstsq(partials, middle, rcond=None)[0]
    return float(10 * np.log10(np.mean(rest**2) / np.mean(middle**2)))


def onsets(late: NDArray[np.float64]) -> str:
    """Median, and 95% of the deviation from zero."""
    return f"{np.median(late):7.2f}{np.percentile(np.abs(late), 95):7.2f}"


def cpu_seconds() -> float:
    """CPU time of this process and of the commands that it ran."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def spectrum(way: Way, seconds: float, kind: str) -> float:
    """Distance of music brought from tempo / 1.03 to the tempo from the same music played there."""
    slow, there = music(float(BPM) / 1.03, seconds * 1.03, kind), music(float(BPM), seconds, kind)
    grid = swaying(float(BPM) / 1.03, seconds * 1.03, 0.0, first=0.0)
    result = way(Audio(slow, RATE), grid, BPM)
    start = round(-grid.beats[0] / 60 * float(BPM) / 1.03 * float(result.beat_frames))
    inner = slice(RATE // 2, round((seconds - 1) * RATE))
    return distance(there[inner], result.audio.samples[start:][inner])


def music(bpm: float, seconds: float, kind: str) -> Samples:
    """Two bars of drums with their tails, or of changing chords with three harmonics, repeated; same at any tempo."""
    beat, rng = 60 / bpm, np.random.default_rng(2)
    out = np.zeros((round((seconds + 3) * RATE), 2))
    for k in range(int(seconds / beat * 4)):
        if kind == "drums":
            t = np.arange(round(0.25 * RATE)) / RATE
            hat = 0.15 * rng.standard_normal(len(t)) * np.exp(-t / 0.02)
            kick = np.sin(2 * np.pi * (50 * t + 3 * (1 - np.exp(-t / 0.03)))) * np.exp(-t / 0.09)
            snare = (0.4 * rng.standard_normal(len(t)) + np.sin(2 * np.pi * 190 * t)) * np.exp(-t / 0.05) * 0.5
            hit = hat * (k % 2 == 0) + kick * (k % 16 in (0, 7, 10)) + snare * (k % 8 == 4)
        elif k % 16 == 0:
            t = np.arange(round(16 * beat / 4 * RATE)) / RATE
            root = (110.0, 98.0, 130.81, 146.83)[k // 16 % 4]
            parts = [np.sin(2 * np.pi * root * ratio * n * t + n) / n for ratio in (1, 1.5, 2.4, 4) for n in (1, 2, 3)]
            hit = 0.1 * sum(parts) * np.minimum(1, np.minimum(t, t[-1] - t) / 0.02)
        else:
            continue
        at = round(k * beat / 4 * RATE)
        out[at : at + len(hit)] += (hit[:, None] * (0.8, 0.6))[: len(out) - at]
    return out[: round(seconds * RATE)].astype(np.float32)


def distance(a: Samples, b: Samples) -> float:
    """Log-spectral distance in dB."""
    frames = min(len(a), len(b))
    spectra = [np.abs(stft(x[:frames].mean(axis=1), RATE, nperseg=1024)[2]) for x in (a, b)]
    heard = spectra[0] > 1e-3 * spectra[0].max()
    first, second = (20 * np.log10(s[heard] + 1e-6) for s in spectra)
    return float(np.sqrt(np.mean((first - second) ** 2)))


# ---------------------------------------------------------------- real loops


@dataclass(slots=True)
class _Figures:
    steady: list[float]
    wobbling: list[float]
    back: list[float]


def real(way: Way, takes: list[tuple[Audio, BeatGrid]]) -> str:
    """One line of figures."""
    figures = _Figures([], [], [])
    for audio, grid in takes:
        bpm = Fraction(grid.bpm * 1.03).limit_denominator(1000)
        result = way(audio, grid, bpm)
        wobbles = grid.wobble > 1e-3
        (figures.wobbling if wobbles else figures.steady).extend(attack_errors(audio, grid, result))
        if not wobbles:
            beats = np.arange(result.beats) * float(result.beat_frames) / result.audio.rate
            there = BeatGrid(beats, grid.meter, grid.downbeat, 1.0, 1.0)
            back = way(result.audio, there, Fraction(grid.bpm).limit_denominator(100_000))
            begin = grid.beats[0] * audio.rate
            original = audio.samples[max(round(begin), 0) :]
            returned = back.audio.samples[max(round(-begin), 0) :]
            inner = slice(audio.rate // 4, audio.frames - 2 * audio.rate)
            figures.back.append(distance(original[inner], returned[inner]))
    steady, wobbling = (np.array(x) for x in (figures.steady, figures.wobbling))
    return f"{onsets(steady):>18}{onsets(wobbling):>16}{np.median(figures.back):20.2f}"


def attack_errors(audio: Audio, grid: BeatGrid, result: Gridded) -> list[float]:
    """How late each clear attack of the take comes, in ms; those that cannot be found again are left out."""
    smooth = TimeMap(grid.beats, np.arange(len(grid.beats), dtype=np.float64)).smooth(8)
    times = onset_times(audio, threshold=0.25).times
    times = times[(times > 0.2) & (times < audio.seconds - 0.3)]
    due = smooth.target_of(times) * float(result.beat_frames) / result.audio.rate
    late = np.array([lag(audio, result.audio, *pair) for pair in zip(times, due, strict=True)])
    return [float(x) for x in late[np.isfinite(late)]]
