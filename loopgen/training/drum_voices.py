"""One-shots of drums: recipes, and for each drum the many sounds it may turn out to be.

A recipe is a function ``(rate, rng, **sound) -> wave``, its stroke at frame 0. A ``Sound`` is a recipe with a range for
each setting, so that no two kits of a training set are alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from loopgen.training.signals import (
    Range,
    Wave,
    band_pass,
    between,
    filtered,
    high_pass,
    noise,
    ringing,
    times,
    unit,
)


def swept(
    rate: int, rng: np.random.Generator, pitch: float, sweep: float, fall: float, tau: float, click: float, drive: float
) -> Wave:
    """Kicks and toms of drum machines: a sine that falls by ``sweep`` Hz to ``pitch``, clicked and overdriven."""
    t = times(min(5.5 * tau, 1.6), rate)
    phase = pitch * t + sweep * fall * (1 - np.exp(-t / np.float32(fall)))
    body = np.sin(2 * np.pi * phase) * np.exp(-t / np.float32(tau)) * np.minimum(1, t / 0.0008)
    body = np.tanh(drive * body) / np.tanh(drive)
    n = min(len(t), int(0.02 * rate))
    snap = filtered(noise(n, rng), high_pass(1200, rate)) * np.exp(-t[:n] / np.float32(0.0025))
    body[:n] += click * unit(snap)
    return np.asarray(body, dtype=np.float32)


_MEMBRANE = np.array([1.0, 1.594, 2.136, 2.296, 2.653, 2.918, 3.156, 3.501, 3.6, 4.06])
"""Modes of an ideal membrane, relative to its lowest."""


def membrane(
    rate: int, rng: np.random.Generator, pitch: float, tau: float, bright: float, stick: float, hard: float
) -> Wave:
    """Acoustic kicks, toms, congas, tablas: modes of a skin, higher ones weaker and shorter, and the stick or hand.

    ``bright`` is what each mode has of the one below it; ``hard`` the stick's middle frequency in Hz.
    """
    number = np.arange(len(_MEMBRANE))
    levels = bright**number * rng.uniform(0.5, 1, len(number))
    out = ringing(
        pitch * _MEMBRANE * (1 + 0.02 * rng.standard_normal(len(number))),
        levels,
        tau / (1 + 0.6 * number),
        max(64, int(min(5.5 * tau, 1.2) * rate)),
        rate,
    )
    t = np.arange(len(out), dtype=np.float32) / rate
    blow = filtered(noise(len(out), rng), band_pass(0.5 * hard, 2 * hard, rate)) * np.exp(-t / np.float32(0.004))
    return np.asarray(unit(out) + stick * unit(blow), dtype=np.float32)


def snare(
    rate: int,
    rng: np.random.Generator,
    pitch: float,
    body: float,
    wires: float,
    tau: float,
    low: float,
    high: float,
    stick: float,
    gate: float,
) -> Wave:
    """Two heads, wires (``tau``, between ``low`` and ``high`` Hz), the stick; ``gate`` cuts a hall short."""
    t = times(max(5 * tau, gate + 0.02, 0.12), rate)
    drop = pitch * (t + 0.004 * (1 - np.exp(-t / np.float32(0.01))))
    head = np.sin(2 * np.pi * drop) * np.exp(-t / np.float32(0.05)) * np.minimum(1, t / 0.0006)
    modes = ringing(
        pitch * np.array([1.59, 1.83, 2.3, 2.9, 3.6]),
        np.array([0.6, 0.5, 0.3, 0.2, 0.15]) * rng.uniform(0.3, 1, 5),
        np.array([0.04, 0.035, 0.025, 0.02, 0.015]),
        len(t),
        rate,
    )
    rattle = unit(filtered(noise(len(t), rng), band_pass(low, max(high, 1.5 * low), rate)))
    out = body * (head + modes) + wires * rattle * np.exp(-t / np.float32(tau))
    if gate > 0.03:
        out += 0.3 * rattle * np.clip((gate - t) / 0.01, 0, 1)
    tip = filtered(noise(len(t), rng), high_pass(2500, rate)) * np.exp(-t / np.float32(0.0025))
    return np.asarray(out + stick * unit(tip), dtype=np.float32)


def hands(rate: int, rng: np.random.Generator, centre: float, width: float, tau: float, spread: float) -> Wave:
    """A clap: two to five bursts within ``spread`` seconds and the room after; ``width`` of the band in octaves."""
    t = times(spread + 5 * tau, rate)
    shape = np.zeros_like(t)
    count = int(rng.integers(2, 6))
    for at in rng.uniform(0, spread, count):
        late = t - np.float32(at)
        shape += np.where(late >= 0, np.exp(-np.abs(late) / np.float32(0.005)), 0)
    late = t - np.float32(spread)
    shape += np.where(late >= 0, np.exp(-np.abs(late) / np.float32(tau)), 0)
    first = np.exp(-t / np.float32(0.004))
    x = filtered(noise(len(t), rng), band_pass(centre * 2 ** (-width / 2), centre * 2 ** (width / 2), rate))
    return np.asarray(x * (shape + first), dtype=np.float32)


def hiss(
    rate: int, rng: np.random.Generator, low: float, high: float, tau: float, rise: float, grain: float = 0.0
) -> Wave:
    """Hats of noise, shakers, brushes, cloth: a band of noise that swells for ``rise`` seconds and falls.

    ``grain`` makes it of separate beads instead of breath, from 0 to 1.
    """
    t = times(rise + 5 * tau, rate)
    x = noise(len(t), rng)
    if grain:
        x *= np.where(rng.random(len(t), dtype=np.float32) < 0.02, 6 * grain, 1 - grain)
    x = filtered(x, band_pass(low, max(high, 1.4 * low), rate))
    shape = np.where(
        t < rise, (t / np.float32(max(rise, 1e-4))) ** 2, np.exp(-(t - np.float32(rise)) / np.float32(tau))
    )
    return np.asarray(x * shape, dtype=np.float32)


def plate(
    rate: int, rng: np.random.Generator, low: float, base: float, tau: float, wash: float, ping: float, crowd: float
) -> Wave:
    """Hats, rides and crashes of metal: ``crowd`` modes from ``base`` Hz up, a ``wash`` of noise, a stick's ping.

    High modes die sooner; what lies below ``low`` Hz is taken away.
    """
    count = int(crowd)
    frequencies = np.sort(np.exp(rng.uniform(np.log(base), np.log(11_500), count)))
    taus = tau * rng.uniform(0.4, 1.2, count) * (base / frequencies) ** 0.25
    frames = max(64, int(min(4.5 * tau, 1.6) * rate))
    levels = rng.uniform(0.2, 1, count)
    levels[: count // 8] *= 1 + 4 * ping
    out = unit(ringing(frequencies, levels, taus, frames, rate, rng.uniform(0, 2 * np.pi, count)))
    t = np.arange(frames, dtype=np.float32) / rate
    out += wash * 0.4 * noise(frames, rng) * np.exp(-t / np.float32(0.7 * tau))
    tip = ping * noise(frames, rng) * np.exp(-t / np.float32(0.003))
    return filtered(out + tip, high_pass(low, rate))


def squares(rate: int, rng: np.random.Generator, base: float, low: float, tau: float, wash: float) -> Wave:
    """An 808's hats and cymbals: six square oscillators that fit badly, above ``low`` Hz, with some noise."""
    t = times(min(5 * tau, 1.6), rate)
    out = wash * noise(len(t), rng)
    for ratio in (2.0, 3.0, 4.16, 5.43, 6.79, 8.21):
        out += 0.5 * np.where((base * ratio * t + rng.random()) % 1 < 0.5, 1, -1)
    return np.asarray(filtered(out, high_pass(low, rate)) * np.exp(-t / np.float32(tau)), dtype=np.float32)


def cowbell(rate: int, rng: np.random.Generator, pitch: float, ratio: float, tau: float) -> Wave:
    """Two squares a narrow sixth apart, the second quieter or louder."""
    t = times(5 * tau, rate)
    out = np.zeros_like(t)
    for base, level in ((pitch, 1.0), (ratio * pitch, rng.uniform(0.4, 1.2))):
        out += level * np.where((base * t) % 1 < 0.5, 1, -1)
    out = filtered(out, band_pass(0.8 * pitch, 8 * pitch, rate))
    return np.asarray(out * (np.exp(-t / np.float32(0.2 * tau)) + np.exp(-t / np.float32(tau))), dtype=np.float32)


def thing(
    rate: int, rng: np.random.Generator, pitch: float, tau: float, modes: float, spread: float, scrape: float
) -> Wave:
    """Rims, claves, blocks, bottles, pans: a few modes within ``spread`` octaves, and a knock of noise."""
    count = max(1, int(modes))
    frequencies = pitch * 2 ** np.concatenate([[0.0], rng.uniform(0.1, spread, count - 1)])
    out = ringing(
        frequencies,
        rng.uniform(0.3, 1, count),
        tau * rng.uniform(0.3, 1, count),
        max(64, int(min(5.5 * tau + 0.02, 1.0) * rate)),
        rate,
    )
    t = np.arange(len(out), dtype=np.float32) / rate
    knock = filtered(noise(len(out), rng), band_pass(0.7 * pitch, 5 * pitch, rate)) * np.exp(
        -t / np.float32(0.002 + 0.3 * tau * scrape)
    )
    return np.asarray(unit(out) + scrape * unit(knock), dtype=np.float32)


def zap(rate: int, rng: np.random.Generator, pitch: float, ratio: float, index: float, tau: float, bend: float) -> Wave:
    """Blips and zaps of synthesisers: two-operator FM whose pitch bends by ``bend`` octaves."""
    t = times(5 * tau, rate)
    phase = 2 * np.pi * pitch * (t + 0.3 * tau * (2**bend - 1) * (1 - np.exp(-t / np.float32(0.3 * tau))))
    env = np.exp(-t / np.float32(tau))
    return np.asarray(np.sin(phase + index * env * np.sin(ratio * phase)) * env, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Sound:
    """A recipe, its ``weight`` among the sounds of a drum, and a range for each setting."""

    recipe: Callable[..., Wave]
    weight: float
    ranges: dict[str, Range]

    def draw(self, rate: int, rng: np.random.Generator) -> Wave:
        """One such sound, with a peak of 1."""
        return unit(self.recipe(rate, rng, **{name: between(rng, span) for name, span in self.ranges.items()}))


def _sound(recipe: Callable[..., Wave], weight: float, **ranges: Range) -> Sound:
    return Sound(recipe, weight, ranges)


def _snare(weight: float, **ranges: Range) -> Sound:
    usual: dict[str, Range] = {"body": (0.2, 1), "wires": (0.3, 1), "stick": (0.02, 0.7), "gate": (0, 0.02)}
    return Sound(snare, weight, {**usual, **ranges})


_CONGAS = (
    _sound(membrane, 3, pitch=(160, 480), tau=(0.04, 0.2), bright=(0.3, 0.8), stick=(0.05, 0.9), hard=(800, 4000)),
    _sound(membrane, 1, pitch=(70, 300), tau=(0.1, 0.35), bright=(0.2, 0.7), stick=(0.05, 0.4), hard=(500, 2500)),
)
_PERCUSSION = (
    *_CONGAS,
    _sound(cowbell, 1, pitch=(400, 1100), ratio=(1.3, 1.6), tau=(0.03, 0.2)),
    _sound(thing, 2, pitch=(500, 3200), tau=(0.008, 0.06), modes=(1, 3), spread=(0.8, 2), scrape=(0.01, 0.4)),
    _sound(thing, 2, pitch=(150, 2500), tau=(0.015, 0.3), modes=(4, 12), spread=(1.5, 4), scrape=(0.1, 1.5)),
    _sound(hiss, 1.5, low=(300, 5000), high=(1500, 9000), tau=(0.008, 0.08), rise=(0.0005, 0.012)),
    _sound(zap, 1, pitch=(120, 2200), ratio=(0.5, 4.3), index=(0.2, 5), tau=(0.01, 0.12), bend=(-1, 2.5)),
    _sound(plate, 1, low=(1500, 6000), base=(500, 3000), tau=(0.03, 0.25), wash=(0.05, 1), ping=(0, 1), crowd=(8, 30)),
)
_TOMS = (
    _sound(membrane, 3, pitch=(62, 130), tau=(0.08, 0.35), bright=(0.3, 0.75), stick=(0.05, 0.6), hard=(700, 3500)),
    _sound(
        swept, 2, pitch=(60, 130), sweep=(30, 200), fall=(0.02, 0.12), tau=(0.07, 0.3), click=(0, 0.4), drive=(0.5, 3)
    ),
)
_HAT = (
    _sound(hiss, 3, low=(3500, 9000), high=(9000, 11_500), tau=(0.006, 0.05), rise=(0.0002, 0.001)),
    _sound(hiss, 1, low=(1500, 4000), high=(5000, 8000), tau=(0.006, 0.05), rise=(0.0002, 0.004)),
    _sound(squares, 2, base=(150, 420), low=(4000, 9000), tau=(0.008, 0.05), wash=(0.01, 1.5)),
    _sound(
        plate, 3, low=(2500, 7500), base=(1200, 4000), tau=(0.015, 0.08), wash=(0.1, 2), ping=(0, 1), crowd=(20, 60)
    ),
)
_LONG_HAT = (
    _sound(hiss, 2, low=(3000, 8500), high=(8500, 11_500), tau=(0.06, 0.3), rise=(0.0003, 0.003)),
    _sound(squares, 1.5, base=(150, 420), low=(4000, 8500), tau=(0.07, 0.3), wash=(0.01, 1.5)),
    _sound(plate, 3, low=(2000, 6500), base=(900, 3500), tau=(0.1, 0.4), wash=(0.1, 2), ping=(0, 1), crowd=(25, 70)),
)
SOUNDS: dict[str, tuple[Sound, ...]] = {
    "kick": (
        _sound(
            swept,
            2,
            pitch=(36, 58),
            sweep=(25, 130),
            fall=(0.006, 0.03),
            tau=(0.17, 0.45),
            click=(0, 0.4),
            drive=(0.4, 3),
        ),
        _sound(
            swept,
            3,
            pitch=(42, 66),
            sweep=(90, 340),
            fall=(0.012, 0.05),
            tau=(0.05, 0.15),
            click=(0.02, 0.8),
            drive=(0.5, 4),
        ),
        _sound(
            swept,
            1,
            pitch=(40, 70),
            sweep=(60, 240),
            fall=(0.01, 0.04),
            tau=(0.06, 0.25),
            click=(0.1, 0.8),
            drive=(5, 18),
        ),
        _sound(membrane, 3, pitch=(46, 88), tau=(0.04, 0.16), bright=(0.15, 0.6), stick=(0.02, 0.7), hard=(900, 4000)),
        _sound(
            swept,
            1,
            pitch=(45, 75),
            sweep=(10, 40),
            fall=(0.01, 0.03),
            tau=(0.04, 0.12),
            click=(0, 0.03),
            drive=(0.4, 1),
        ),
    ),
    "snare": (
        _snare(4, pitch=(150, 270), tau=(0.05, 0.18), low=(500, 2500), high=(5000, 11_000)),
        _snare(1, pitch=(95, 160), tau=(0.08, 0.22), low=(300, 1200), high=(3500, 9000)),
        _snare(1, pitch=(170, 420), tau=(0.015, 0.045), low=(800, 3000), high=(6000, 11_000), stick=(0.1, 1)),
        _snare(1, pitch=(140, 250), tau=(0.06, 0.12), low=(400, 1500), high=(5000, 11_000), gate=(0.08, 0.28)),
        _sound(hiss, 1, low=(800, 2500), high=(5000, 9500), tau=(0.03, 0.12), rise=(0.003, 0.03)),
        _sound(hiss, 1, low=(400, 2500), high=(4000, 11_000), tau=(0.03, 0.14), rise=(0.0002, 0.001)),
    ),
    "clap": (
        _sound(hands, 4, centre=(800, 2400), width=(0.8, 2.6), tau=(0.03, 0.2), spread=(0.008, 0.035)),
        _sound(hiss, 1, low=(1200, 2500), high=(3000, 6000), tau=(0.01, 0.03), rise=(0.0003, 0.002)),
    ),
    "rim": (
        _sound(thing, 3, pitch=(350, 2200), tau=(0.005, 0.03), modes=(2, 4), spread=(1, 3), scrape=(0.05, 0.8)),
        _sound(thing, 1, pitch=(1200, 3500), tau=(0.008, 0.04), modes=(1, 2), spread=(0.5, 1.5), scrape=(0.02, 0.4)),
        _sound(hiss, 1, low=(1500, 4000), high=(5000, 10_000), tau=(0.003, 0.012), rise=(0.0001, 0.0005)),
    ),
    "hat": _HAT,
    "open_hat": _LONG_HAT,
    "ride": (
        _sound(
            plate,
            4,
            low=(400, 3500),
            base=(500, 2500),
            tau=(0.15, 0.5),
            wash=(0.05, 0.8),
            ping=(0.3, 2),
            crowd=(15, 60),
        ),
        *_LONG_HAT,
    ),
    "crash": (
        _sound(
            plate, 2, low=(400, 3500), base=(300, 1500), tau=(0.3, 0.8), wash=(0.3, 2), ping=(0, 0.5), crowd=(40, 90)
        ),
        _sound(hiss, 1, low=(1500, 5000), high=(7000, 11_500), tau=(0.2, 0.6), rise=(0.0005, 0.008)),
    ),
    "tom_high": tuple(Sound(tom.recipe, tom.weight, {**tom.ranges, "pitch": (120, 260)}) for tom in _TOMS),
    "tom_low": _TOMS,
    "perc_1": _PERCUSSION,
    "perc_2": _PERCUSSION,
    "shaker": (
        _sound(hiss, 3, low=(2500, 7000), high=(8000, 11_500), tau=(0.012, 0.06), rise=(0.004, 0.045), grain=(0, 0.8)),
        _sound(
            plate,
            1,
            low=(4000, 8000),
            base=(3500, 6500),
            tau=(0.03, 0.12),
            wash=(0.2, 2),
            ping=(0, 0.5),
            crowd=(15, 40),
        ),
        _sound(hiss, 1, low=(1500, 5000), high=(6000, 10_000), tau=(0.01, 0.05), rise=(0.001, 0.01), grain=(0, 1)),
    ),
}
