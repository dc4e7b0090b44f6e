"""One-shots of drums and percussion, and the kits that tune them.

Every recipe is a function ``(rate, rng, **sound) -> (n,)`` float64, mono, onset at sample 0, peak about 1.
A kit is a table: lane -> recipe, its settings, level in dB, pan (-1 left, 1 right) and share sent to the room.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from loopgen.engines.sketch.wavetable import scan, table

Wave = NDArray[np.float64]


def _time(seconds: float, rate: int) -> Wave:
    return np.arange(int(seconds * rate), dtype=np.float64) / rate


def _decay(t: Wave, attack: float, tau: float) -> Wave:
    """Rise linearly in ``attack`` seconds, fall by 1/e every ``tau``; the last 5 ms fade to nothing."""
    end = np.minimum(1.0, (t[-1] - t) / 0.005)
    return np.asarray(np.minimum(1.0, t / attack) * np.exp(-t / tau) * end)


def _band(x: Wave, rate: int, low: float | None, high: float | None, order: int = 2) -> Wave:
    """Butterworth filter; either edge in Hz may be missing, edges near Nyquist are ignored."""
    top = 0.45 * rate
    if high is not None and high >= top:
        high = None
    if low is not None:
        low = min(low, 0.8 * top)
    if low is not None and high is not None:
        sos = butter(order, (low, high), "bandpass", fs=rate, output="sos")
    elif low is not None:
        sos = butter(order, low, "highpass", fs=rate, output="sos")
    elif high is not None:
        sos = butter(order, high, "lowpass", fs=rate, output="sos")
    else:
        return x
    return np.asarray(sosfilt(sos, x))


def _unit(x: Wave) -> Wave:
    return np.asarray(x / max(float(np.max(np.abs(x))), 1e-9))


def kick(
    rate: int,
    rng: np.random.Generator,
    pitch: float = 50.0,
    sweep: float = 160.0,
    fall: float = 0.022,
    tau: float = 0.13,
    click: float = 0.25,
    drive: float = 1.0,
) -> Wave:
    """A sine that falls from ``pitch + sweep`` Hz to ``pitch`` within ``fall`` seconds, with a click on top."""
    t = _time(min(6.5 * tau, 2.5), rate)
    phase = pitch * t + sweep * fall * (1 - np.exp(-t / fall))
    body = np.sin(2 * np.pi * phase) * _decay(t, 0.0012, tau)
    n = int(0.012 * rate)
    snap = _band(rng.standard_normal(n), rate, 900.0, 6000.0) * np.exp(-np.arange(n) / (0.0022 * rate))
    body = np.tanh(drive * body) / np.tanh(drive)
    body[:n] += click * _unit(snap)
    return _unit(body)


def snare(
    rate: int,
    rng: np.random.Generator,
    pitch: float = 185.0,
    tone: float = 0.6,
    tau: float = 0.09,
    low: float = 900.0,
    high: float = 9500.0,
    gate: float = 0.0,
) -> Wave:
    """Two modes of a drum head and the rattle of its wires; ``gate`` holds a burst of room noise for that long."""
    t = _time(max(6 * tau, gate + 0.03), rate)
    drop = 1 + 0.35 * np.exp(-t / 0.008)
    phase = 2 * np.pi * pitch * np.cumsum(drop) / rate
    head = np.sin(phase) * _decay(t, 0.0006, 0.055) + 0.5 * np.sin(1.83 * phase) * _decay(t, 0.0006, 0.035)
    noise = _unit(_band(rng.standard_normal(len(t)), rate, low, high))
    wires = noise * (_decay(t, 0.0005, tau) + 0.5 * _decay(t, 0.0005, 0.012))
    out = tone * head + (1.25 - tone) * wires
    if gate > 0:
        out += 0.35 * noise * np.clip((gate - t) / 0.02, 0, 1) * np.minimum(1, t / 0.004)
    return _unit(out)


def clap(rate: int, rng: np.random.Generator, tau: float = 0.11, centre: float = 1250.0) -> Wave:
    """Four hands within 32 ms and the room after them."""
    t = _time(6 * tau, rate)
    noise = _band(rng.standard_normal(len(t)), rate, 0.62 * centre, 2.6 * centre)
    shape = np.zeros_like(t)
    for k, at in enumerate((0.0, 0.0105, 0.0205)):
        late = t - at
        shape += np.where(late >= 0, np.exp(-np.maximum(late, 0) / 0.0045), 0) * (0.75 + 0.1 * k)
    late = t - 0.031
    shape += np.where(late >= 0, np.exp(-np.maximum(late, 0) / tau), 0) * 0.85
    return _unit(noise * shape * np.minimum(1.0, (t[-1] - t) / 0.005))


def rim(rate: int, rng: np.random.Generator, pitch: float = 1700.0) -> Wave:
    """Stick on the rim: two short high modes."""
    t = _time(0.07, rate)
    body = np.sin(2 * np.pi * pitch * t) * np.exp(-t / 0.008) + 0.7 * np.sin(2 * np.pi * 0.29 * pitch * t) * np.exp(
        -t / 0.014
    )
    return _unit(body * np.minimum(1, t / 0.0003) + 0.12 * rng.standard_normal(len(t)) * np.exp(-t / 0.003))


_METAL = (2.0, 3.0, 4.16, 5.43, 6.79, 8.21)  # ratios of the six square oscillators of an 808's cymbals


def _metal(t: Wave, base: float, rng: np.random.Generator) -> Wave:
    """Six inharmonic squares of three harmonics each."""
    out = np.zeros_like(t)
    cycle = table(np.array([1, 0, 1 / 3, 0, 1 / 5]))
    for ratio in _METAL:
        out += scan(cycle, base * ratio * t + rng.random())
    return out / len(_METAL)


def hat(
    rate: int,
    rng: np.random.Generator,
    tau: float = 0.022,
    low: float = 7000.0,
    metal: float = 0.4,
    base: float = 205.0,
) -> Wave:
    """Noise and metal above ``low`` Hz; a longer ``tau`` opens it."""
    t = _time(min(6.5 * tau, 1.6), rate)
    x = (1 - metal) * rng.standard_normal(len(t)) * 0.5 + metal * 2.2 * _metal(t, base, rng)
    return _unit(_band(x, rate, low, None) * _decay(t, 0.0004, tau))


def cymbal(
    rate: int,
    rng: np.random.Generator,
    tau: float = 0.7,
    low: float = 3200.0,
    ping: float = 0.0,
    metal: float = 0.5,
) -> Wave:
    """Crash or ride: bright noise that darkens as it dies, and for a ride the ``ping`` of the stick."""
    t = _time(min(4.5 * tau, 2.6), rate)
    x = (1 - metal) * rng.standard_normal(len(t)) * 0.5 + metal * 1.6 * _metal(t, 311.0, rng)
    wash = 0.55 * _band(x, rate, low, 9000.0) * _decay(t, 0.002, tau) + _band(x, rate, 7500.0, None) * _decay(
        t, 0.001, 0.45 * tau
    )
    out = _unit(wash)
    if ping:
        tip = sum(np.sin(2 * np.pi * f * t + p) for f, p in ((2870.0, 0.3), (4130.0, 1.9), (5290.0, 4.0)))
        out = (1 - 0.6 * ping) * out + ping * 0.3 * tip * _decay(t, 0.0005, 0.05)
    return _unit(out)


def shaker(rate: int, rng: np.random.Generator, tau: float = 0.035, rise: float = 0.018) -> Wave:
    """Beads: noise that swells before it falls."""
    t = _time(rise + 5 * tau, rate)
    shape = np.where(t < rise, (t / rise) ** 2, np.exp(-(t - rise) / tau))
    return _unit(
        _band(rng.standard_normal(len(t)), rate, 4500.0, 13_000.0) * shape * np.minimum(1, (t[-1] - t) / 0.005)
    )


def tambourine(rate: int, rng: np.random.Generator, tau: float = 0.07) -> Wave:
    """Jingles: high metal with a rattle."""
    t = _time(5 * tau, rate)
    x = 0.6 * rng.standard_normal(len(t)) + 1.6 * _metal(t, 523.0, rng)
    rattle = 1 + 0.5 * np.sin(2 * np.pi * 38 * t)
    return _unit(_band(x, rate, 6200.0, None) * _decay(t, 0.001, tau) * rattle)


def skin(
    rate: int, rng: np.random.Generator, pitch: float = 220.0, tau: float = 0.11, slap: float = 0.2, drop: float = 0.25
) -> Wave:
    """Toms, congas and bongos: the modes of a membrane (1, 1.59, 2.14) with a falling pitch and the hand or stick."""
    t = _time(6 * tau, rate)
    phase = 2 * np.pi * pitch * (t + drop * 0.02 * (1 - np.exp(-t / 0.02)))
    out = np.sin(phase) * _decay(t, 0.001, tau)
    out += 0.35 * np.sin(1.59 * phase) * _decay(t, 0.001, 0.5 * tau)
    out += 0.2 * np.sin(2.14 * phase) * _decay(t, 0.001, 0.3 * tau)
    n = min(len(t), int(0.02 * rate))
    out[:n] += slap * _unit(_band(rng.standard_normal(n), rate, 700.0, 5000.0)) * np.exp(-np.arange(n) / (0.004 * rate))
    return _unit(out)


def cowbell(rate: int, rng: np.random.Generator, pitch: float = 540.0, tau: float = 0.09) -> Wave:
    """Two squares a narrow sixth apart (540 and 800 Hz on the 808), band-limited."""
    del rng
    t = _time(5 * tau, rate)
    out = np.zeros_like(t)
    for base in (pitch, 1.481 * pitch):
        for k in (1, 3, 5, 7):
            out += np.sin(2 * np.pi * base * k * t) / k
    return _unit(
        _band(out, rate, 500.0, 5000.0, 1) * (0.6 * _decay(t, 0.0007, 0.2 * tau) + 0.4 * _decay(t, 0.0007, tau))
    )


def wood(rate: int, rng: np.random.Generator, pitch: float = 2450.0, tau: float = 0.02) -> Wave:
    """Claves, wood blocks and agogô: one or two ringing modes."""
    del rng
    t = _time(8 * tau, rate)
    return _unit(
        (np.sin(2 * np.pi * pitch * t) + 0.25 * np.sin(2 * np.pi * 2.72 * pitch * t) * np.exp(-t / (0.4 * tau)))
        * _decay(t, 0.0004, tau)
    )


def snap(rate: int, rng: np.random.Generator) -> Wave:
    """Finger snap: a tight band of noise after a tick."""
    t = _time(0.12, rate)
    return _unit(_band(rng.standard_normal(len(t)), rate, 1700.0, 3600.0) * _decay(t, 0.0008, 0.014))


def brush(rate: int, rng: np.random.Generator, tau: float = 0.07) -> Wave:
    """A wire brush across a snare head."""
    t = _time(0.02 + 5 * tau, rate)
    shape = np.where(t < 0.012, t / 0.012, np.exp(-(t - 0.012) / tau)) * np.minimum(1, (t[-1] - t) / 0.005)
    return _unit(_band(rng.standard_normal(len(t)), rate, 1400.0, 7500.0, 1) * shape)


@dataclass(frozen=True, slots=True)
class Drum:
    """A lane of a kit: the recipe, its settings, ``level`` in dB, ``pan`` -1 to 1, ``room`` 0 to 1."""

    recipe: Callable[..., Wave]
    sound: Mapping[str, Any] = field(default_factory=dict)
    level: float = 0.0
    pan: float = 0.0
    room: float = 0.1


Kit = Mapping[str, Drum]

_PERCUSSION: dict[str, Drum] = {
    "shaker": Drum(shaker, {}, -14, 0.35, 0.1),
    "tambourine": Drum(tambourine, {}, -13.5, -0.4, 0.15),
    "conga": Drum(skin, {"pitch": 196, "tau": 0.13}, -10, -0.35, 0.2),
    "conga high": Drum(skin, {"pitch": 294, "tau": 0.09, "slap": 0.35}, -10, -0.2, 0.2),
    "bongo": Drum(skin, {"pitch": 415, "tau": 0.06, "slap": 0.4}, -12, 0.4, 0.2),
    "tom high": Drum(skin, {"pitch": 165, "tau": 0.17, "drop": 0.5}, -5, -0.3, 0.2),
    "tom": Drum(skin, {"pitch": 118, "tau": 0.2, "drop": 0.5}, -5, 0.1, 0.2),
    "tom low": Drum(skin, {"pitch": 84, "tau": 0.24, "drop": 0.5}, -4, 0.4, 0.2),
    "cowbell": Drum(cowbell, {}, -13, 0.3, 0.1),
    "clave": Drum(wood, {}, -12, -0.3, 0.25),
    "wood": Drum(wood, {"pitch": 930, "tau": 0.03}, -11, 0.35, 0.2),
    "agogo": Drum(wood, {"pitch": 1480, "tau": 0.06}, -14, 0.4, 0.2),
    "agogo low": Drum(wood, {"pitch": 990, "tau": 0.07}, -13, 0.3, 0.2),
    "snap": Drum(snap, {}, -8, 0.15, 0.25),
    "rim": Drum(rim, {}, -7, -0.1, 0.2),
    "ride": Drum(cymbal, {"tau": 0.5, "ping": 0.7}, -12.5, 0.35, 0.1),
    "crash": Drum(cymbal, {"tau": 0.75, "metal": 0.35}, -7.5, -0.3, 0.25),
}

KITS: dict[str, Kit] = {
    "909": {
        **_PERCUSSION,
        "kick": Drum(kick, {"pitch": 54, "sweep": 190, "tau": 0.1, "drive": 1.6}, -2.5, 0, 0.0),
        "snare": Drum(snare, {"pitch": 178, "tone": 0.5}, -4, 0, 0.15),
        "clap": Drum(clap, {}, -5.5, 0, 0.2),
        "hat": Drum(hat, {"tau": 0.02, "metal": 0.25}, -9.5, 0.27, 0.03),
        "open": Drum(hat, {"tau": 0.11, "metal": 0.3, "low": 6500}, -9, 0.25, 0.06),
    },
    "deep": {
        **_PERCUSSION,
        "kick": Drum(kick, {"pitch": 50, "sweep": 110, "tau": 0.12, "click": 0.12}, -2.5, 0, 0.0),
        "snare": Drum(rim, {"pitch": 1400}, -7, 0, 0.35),
        "clap": Drum(clap, {"tau": 0.08, "centre": 1050}, -8, 0, 0.3),
        "hat": Drum(hat, {"tau": 0.018, "metal": 0.15, "low": 8000}, -12.5, 0.3, 0.05),
        "open": Drum(hat, {"tau": 0.09, "metal": 0.2, "low": 7500}, -11.5, 0.25, 0.1),
    },
    "808": {
        **_PERCUSSION,
        "kick": Drum(kick, {"pitch": 49, "sweep": 70, "fall": 0.012, "tau": 0.26, "click": 0.18}, -2.5, 0, 0.0),
        "snare": Drum(snare, {"pitch": 175, "tone": 0.45, "tau": 0.07, "low": 1600}, -4, 0, 0.12),
        "clap": Drum(clap, {"tau": 0.1, "centre": 1150}, -5, 0, 0.2),
        "hat": Drum(hat, {"tau": 0.016, "metal": 0.75, "low": 7600}, -9.5, 0.25, 0.02),
        "open": Drum(hat, {"tau": 0.14, "metal": 0.75, "low": 7000}, -9.5, 0.25, 0.05),
        "rim": Drum(rim, {"pitch": 1850}, -7, -0.15, 0.2),
    },
    "acoustic": {
        **_PERCUSSION,
        "kick": Drum(kick, {"pitch": 65, "sweep": 80, "fall": 0.012, "tau": 0.064, "click": 0.45}, -2.5, 0, 0.08),
        "snare": Drum(snare, {"pitch": 195, "tone": 0.62, "tau": 0.085}, -2, 0.03, 0.22),
        "clap": Drum(clap, {}, -7, 0, 0.25),
        "hat": Drum(hat, {"tau": 0.026, "metal": 0.45, "low": 6000, "base": 253}, -9.5, 0.43, 0.08),
        "open": Drum(hat, {"tau": 0.16, "metal": 0.45, "low": 5200, "base": 253}, -9, 0.43, 0.1),
    },
    "break": {
        **_PERCUSSION,
        "kick": Drum(kick, {"pitch": 69, "sweep": 90, "tau": 0.051, "click": 0.4, "drive": 2}, -3.5, 0, 0.1),
        "snare": Drum(snare, {"pitch": 225, "tone": 0.7, "tau": 0.07, "low": 700}, -2, 0.05, 0.2),
        "clap": Drum(clap, {}, -7, 0, 0.2),
        "hat": Drum(hat, {"tau": 0.024, "metal": 0.4, "low": 5200, "base": 240}, -8.5, 0.35, 0.1),
        "open": Drum(hat, {"tau": 0.12, "metal": 0.4, "low": 4800, "base": 240}, -8.5, 0.35, 0.12),
        "ride": Drum(cymbal, {"tau": 0.4, "ping": 0.5, "low": 2600}, -11.5, 0.3, 0.1),
    },
    "dusty": {
        **_PERCUSSION,
        "kick": Drum(kick, {"pitch": 60, "sweep": 70, "tau": 0.072, "click": 0.3, "drive": 2.2}, -2.5, 0, 0.05),
        "snare": Drum(snare, {"pitch": 205, "tone": 0.6, "tau": 0.075, "low": 700, "high": 6500}, -2.5, 0, 0.18),
        "clap": Drum(clap, {"centre": 1000, "tau": 0.07}, -7, 0, 0.2),
        "hat": Drum(hat, {"tau": 0.02, "metal": 0.3, "low": 5200, "base": 230}, -11, 0.33, 0.05),
        "open": Drum(hat, {"tau": 0.1, "metal": 0.3, "low": 4800, "base": 230}, -11, 0.33, 0.08),
    },
    "linn": {
        **_PERCUSSION,
        "kick": Drum(kick, {"pitch": 59, "sweep": 120, "fall": 0.016, "tau": 0.076, "click": 0.4}, -2.5, 0, 0.03),
        "snare": Drum(snare, {"pitch": 190, "tone": 0.5, "tau": 0.1, "gate": 0.19}, -3, 0, 0.3),
        "clap": Drum(clap, {}, -6, 0, 0.25),
        "hat": Drum(hat, {"tau": 0.022, "metal": 0.35}, -10.5, 0.35, 0.05),
        "open": Drum(hat, {"tau": 0.12, "metal": 0.35}, -10.5, 0.35, 0.08),
    },
    "brushes": {
        **_PERCUSSION,
        "kick": Drum(kick, {"pitch": 67, "sweep": 40, "tau": 0.06, "click": 0.2}, -7.5, 0, 0.12),
        "snare": Drum(brush, {}, -6, -0.1, 0.25),
        "clap": Drum(snap, {}, -8, 0.1, 0.25),
        "hat": Drum(hat, {"tau": 0.03, "metal": 0.5, "low": 5600, "base": 260}, -12.5, 0.45, 0.1),
        "open": Drum(hat, {"tau": 0.12, "metal": 0.5, "low": 5200, "base": 260}, -12.5, 0.45, 0.12),
        "ride": Drum(cymbal, {"tau": 0.55, "ping": 0.8, "low": 2600}, -8.5, 0.3, 0.15),
    },
}  # fmt: skip
