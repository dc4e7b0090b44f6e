"""Instruments of the training music: recipes for notes, and for each part the many instruments it may be played on.

A recipe is a function ``(frequency, seconds, rate, rng, **sound) -> wave`` of a note held that long; what the player's
release does to it is the renderer's. As with drums, an instrument is drawn from ranges.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft

from loopgen.training.signals import (
    Range,
    Wave,
    band_pass,
    between,
    filtered,
    high_pass,
    low_pass,
    noise,
    ringing,
    times,
    unit,
)  # fmt: skip


def _rise(t: Wave, attack: float) -> Wave:
    return np.asarray(np.minimum(np.float32(1), t / np.float32(max(attack, 0.0005))), dtype=np.float32)


def _vibrato(t: Wave, depth: float, rng: np.random.Generator) -> Wave:
    """Seconds to add to ``t`` for a vibrato of ``depth`` (of the frequency), which sets in after 0.15 s."""
    turn = 2 * np.pi * rng.uniform(4.5, 6.5)
    return np.asarray(depth / turn * np.sin(turn * t) * np.clip((t - 0.15) / 0.2, 0, 1), dtype=np.float32)


def _saw(phase: Wave, step: float) -> Wave:
    """Sawtooth at ``phase`` in cycles, its jump rounded by the polynomial BLEP so that it hardly aliases."""
    turn = phase - np.floor(phase)
    out = 2 * turn - 1
    early = turn < step
    late = turn > 1 - step
    x = turn[early] / step
    out[early] -= 2 * x - x * x - 1
    x = (turn[late] - 1) / step
    out[late] -= x * x + 2 * x + 1
    return np.asarray(out, dtype=np.float32)


def subtractive(
    frequency: float,
    seconds: float,
    rate: int,
    rng: np.random.Generator,
    pulse: float,
    voices: float,
    detune: float,
    cutoff: float,
    octaves: float,
    fall: float,
    q: float,
    attack: float,
    decay: float,
    sustain: float,
    vibrato: float,
) -> Wave:
    """Saws (or pulses, where ``pulse`` is above 0: their width) through a low-pass whose cutoff falls or rises.

    The filter starts ``octaves`` above ``cutoff`` (below it if negative) and is there after ``fall`` seconds: two fixed
    filters, one faded into the other. ``detune`` is the spread of the ``voices``, relative.
    """
    t = times(seconds, rate)
    clock = t + _vibrato(t, vibrato, rng) if vibrato > 0 else t
    out = np.zeros_like(t)
    count = int(voices)
    for k in range(count):
        pitch = frequency * (1 + detune * (k - (count - 1) / 2))
        phase = pitch * clock + np.float32(rng.random())
        out += _saw(phase, pitch / rate)
        if pulse > 0:
            out -= _saw(phase + np.float32(pulse), pitch / rate)
    ends = [filtered(out, low_pass(max(cutoff * 2**k, 0.7 * frequency), rate, q)) for k in (octaves, 0)]
    part = np.exp(-t / np.float32(fall))
    out = part * ends[0] + (1 - part) * ends[1]
    level = sustain + (1 - sustain) * np.exp(-t / np.float32(decay))
    return np.asarray(out * _rise(t, attack) * level, dtype=np.float32)


def struck(
    frequency: float,
    seconds: float,
    rate: int,
    rng: np.random.Generator,
    stiff: float,
    pick: float,
    bright: float,
    tau: float,
    damping: float,
    knock: float,
) -> Wave:
    """Strings plucked or hammered: harmonics stretched by ``stiff``, none with a node at ``pick``, high ones shorter.

    ``bright`` is the harmonic at which the pluck has lost half, ``tau`` the time the lowest takes to fall by 1/e at
    middle C (lower notes take longer), ``knock`` the noise of hammer, thumb or plectrum.
    """
    h = np.arange(1.0, max(2, min(40, int(0.45 * rate / frequency))) + 1)
    levels = (np.abs(np.sin(np.pi * h * pick)) + 0.02) / h / np.sqrt(1 + (h / bright) ** 2)
    taus = tau * (261.6 / frequency) ** 0.5 / (1 + damping * (h - 1))
    frames = max(32, int(min(seconds, 5 * taus[0]) * rate))
    out = unit(ringing(frequency * h * np.sqrt(1 + stiff * h**2), levels, taus, frames, rate))
    n = min(frames, int(0.03 * rate))
    blow = noise(n, rng) * np.exp(-np.arange(n, dtype=np.float32) / np.float32(0.004 * rate))
    out[:n] += knock * unit(filtered(blow, band_pass(400, 5000, rate)))
    return out


_BARS = (
    (1.0, 3.93, 9.2, 15.6),  # marimba
    (1.0, 2.76, 5.4, 8.93),  # free bar: vibraphone, glockenspiel
    (1.0, 2.0, 2.4, 3.0, 4.5, 5.33, 6.67),  # bell
    (1.0, 2.0, 4.0, 7.1, 11.0),  # electric piano's tine
    (1.0, 3.0, 5.0, 7.0),  # kalimba, clarinet-like
)


def mallet(
    frequency: float, seconds: float, rate: int, rng: np.random.Generator,
    bar: float, bright: float, tau: float, knock: float,
) -> Wave:  # fmt: skip
    """Bars, bells and tines: a few modes, each above the first ``bright`` as strong and shorter."""
    ratios = np.array(_BARS[int(bar)])
    number = np.arange(len(ratios))
    taus = tau * (261.6 / frequency) ** 0.4 / (1 + 0.8 * number)
    frames = max(32, int(min(seconds, 5 * taus[0]) * rate))
    out = unit(ringing(frequency * ratios, bright**number, taus, frames, rate))
    n = min(frames, int(0.012 * rate))
    out[:n] += knock * 0.5 * noise(n, rng) * np.exp(-np.arange(n, dtype=np.float32) / np.float32(0.002 * rate))
    return out


def modulated(
    frequency: float, seconds: float, rate: int, rng: np.random.Generator,
    ratio: float, index: float, fall: float, attack: float, decay: float, sustain: float,
) -> Wave:  # fmt: skip
    """Two-operator FM: electric pianos, basses, glassy tones. The index falls within ``fall`` seconds."""
    t = times(seconds, rate)
    phase = 2 * np.pi * ((frequency * t) % 1)
    near = round(2 * ratio) / 2 if rng.random() < 0.8 else ratio
    depth = index * (0.15 + 0.85 * np.exp(-t / np.float32(fall)))
    out = np.sin(phase + depth * np.sin(2 * np.pi * ((near * frequency * t) % 1)))
    return np.asarray(
        out * _rise(t, attack) * (sustain + (1 - sustain) * np.exp(-t / np.float32(decay))), dtype=np.float32
    )


def drawbars(
    frequency: float, seconds: float, rate: int, rng: np.random.Generator, bright: float, click: float, attack: float
) -> Wave:
    """An organ: nine sines, each ``bright`` as strong as the last or so, and the key's click."""
    ratios = np.array([0.5, 1, 1.5, 2, 3, 4, 5, 6, 8])
    t = times(seconds, rate)
    levels = bright ** np.arange(9) * rng.uniform(0.2, 1, 9)
    out = unit(ringing(frequency * ratios, levels, np.full(9, 1e6), len(t), rate, rng.uniform(0, 6.28, 9)))
    n = min(len(t), int(0.006 * rate))
    out[:n] += click * noise(n, rng) * np.linspace(1, 0, n, dtype=np.float32)
    return out * _rise(t, attack)


_VOWELS = ((730, 1090, 2440), (570, 840, 2410), (300, 870, 2240), (530, 1840, 2480), (270, 2290, 3010))
"""Formants of five vowels in Hz (Peterson and Barney 1952)."""


def ensemble(
    frequency: float, seconds: float, rate: int, rng: np.random.Generator,
    cents: float, slope: float, dull: float, vowel: float, attack: float, swell: float,
) -> Wave:  # fmt: skip
    """Many players or singers on one note: harmonics smeared over ``cents`` with random phases (Nasca's PADsynth).

    ``slope`` is how fast harmonics fall off, ``dull`` the frequency in Hz above which they fall faster; ``vowel`` above
    0 gives them a singer's formants. Enters within ``attack`` seconds and grows by ``swell`` in the next second.
    """
    size = 1 << 15
    h = np.arange(1.0, max(1, min(50, int(0.45 * rate / frequency))) + 1)
    levels = h**-slope / (1 + (h * frequency / dull) ** 2)
    if vowel > 0:
        formants = np.array(_VOWELS[int(vowel) % 5])
        levels *= 0.05 + np.exp(-(((h[:, None] * frequency - formants) / (0.12 * formants + 60)) ** 2)).sum(axis=1)
    spectrum = np.zeros(size // 2 + 1, np.complex64)
    for number, level in zip(h, levels, strict=True):
        centre = number * frequency * size / rate
        width = max(centre * (2 ** (cents / 1200) - 1), 0.6)
        low, high = max(1, int(centre - 2.5 * width)), min(size // 2, int(centre + 2.5 * width) + 1)
        if high <= low:
            break
        bins = np.arange(low, high)
        shape = np.exp(-(((bins - centre) / width) ** 2)) * level / np.sqrt(width)
        spectrum[low:high] += shape * np.exp(2j * np.pi * rng.random(high - low))
    cycle = unit(irfft(spectrum, size))
    t = times(seconds, rate)
    out = np.resize(np.roll(cycle, int(rng.integers(size))), len(t))
    return np.asarray(out * _rise(t, attack) * (1 - swell + swell * np.minimum(1, t)), dtype=np.float32)


def blown(
    frequency: float, seconds: float, rate: int, rng: np.random.Generator,
    odd: float, bright: float, breath: float, vowel: float, attack: float, vibrato: float,
) -> Wave:  # fmt: skip
    """Flutes, reeds, whistles, one singer: harmonics on one phase with vibrato, and breath around them.

    ``odd`` is how much of the even harmonics is missing.
    """
    t = times(seconds, rate)
    phase = (frequency * (t + _vibrato(t, vibrato, rng))).astype(np.float64)
    h = np.arange(1.0, max(1, min(24, int(0.4 * rate / frequency))) + 1)
    levels = bright ** (h - 1) * np.where(h % 2 == 0, 1 - odd, 1)
    if vowel > 0:
        formants = np.array(_VOWELS[int(vowel) % 5])
        levels = 0.05 / h + np.exp(-(((h[:, None] * frequency - formants) / (0.15 * formants + 60)) ** 2)).sum(axis=1)
    cycle = np.zeros(2048 // 2 + 1, np.complex64)
    cycle[1 : len(h) + 1] = levels
    wave = unit(irfft(cycle, 2048))
    out = wave[((phase % 1) * 2048).astype(np.intp)]
    air = filtered(noise(len(t), rng), band_pass(0.8 * frequency, 5 * frequency, rate))
    return np.asarray((out + breath * 0.3 * unit(air)) * _rise(t, attack), dtype=np.float32)


def sub(
    frequency: float, seconds: float, rate: int, rng: np.random.Generator,
    second: float, drive: float, drop: float, click: float, tau: float,
) -> Wave:  # fmt: skip
    """A sine for the lows, overdriven; ``drop`` octaves of a fall at its start make it an 808's bass."""
    t = times(seconds, rate)
    phase = 2 * np.pi * frequency * (t + 0.03 * (2**drop - 1) * (1 - np.exp(-t / np.float32(0.03))))
    out = np.tanh(drive * (np.sin(phase) + second * np.sin(2 * phase))) * np.exp(-t / np.float32(tau))
    n = min(len(t), int(0.01 * rate))
    out[:n] += click * filtered(noise(n, rng), high_pass(800, rate)) * np.linspace(1, 0, n, dtype=np.float32)
    return np.asarray(out * _rise(t, 0.003), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Instrument:
    """A recipe and its settings: what plays one part of a piece.

    Attributes:
        release: seconds a note takes to die once the key is up.
        transpose: semitones between the part's pitches and the instrument's.
    """

    recipe: Callable[..., Wave]
    sound: dict[str, float]
    release: float
    transpose: int

    def note(self, pitch: int, seconds: float, rate: int, rng: np.random.Generator) -> Wave:
        """MIDI ``pitch`` held for ``seconds``, with a peak of 1; shorter where the sound has died before."""
        frequency = 440 * 2 ** ((pitch + self.transpose - 69) / 12)
        return unit(self.recipe(frequency, seconds, rate, rng, **self.sound))


Choice = tuple[float, Callable[..., Wave], dict[str, Range]]

_QUICK: dict[str, Range] = {"attack": (0.001, 0.012), "decay": (0.05, 0.7), "sustain": (0.0, 0.8)}
_SLOW: dict[str, Range] = {"attack": (0.02, 0.15), "decay": (0.3, 2.0), "sustain": (0.5, 1.0)}


def _analogue(weight: float, pulse: Range = (-1, 0.5), envelope: dict[str, Range] = _QUICK, **ranges: Range) -> Choice:
    return weight, subtractive, {
        "pulse": pulse, "voices": (1, 3.99), "detune": (0.001, 0.012), "cutoff": (250, 5000), "octaves": (0, 4),
        "fall": (0.03, 0.5), "q": (0.6, 3), "vibrato": (-0.01, 0.006), **envelope, **ranges,
    }  # fmt: skip


_PIANO: Choice = 2, struck, {
    "stiff": (1e-5, 8e-4), "pick": (0.08, 0.15), "bright": (2, 14), "tau": (0.4, 1.8), "damping": (0.05, 0.4),
    "knock": (0.01, 0.25),
}  # fmt: skip
_GUITAR: Choice = 2, struck, {
    "stiff": (1e-6, 1e-4), "pick": (0.1, 0.4), "bright": (3, 25), "tau": (0.12, 1.2), "damping": (0.02, 0.25),
    "knock": (0.02, 0.5),
}  # fmt: skip
_MALLET: Choice = 1, mallet, {"bar": (0, 4.99), "bright": (0.1, 0.7), "tau": (0.1, 1.2), "knock": (0.01, 0.6)}
_ELECTRIC: Choice = 1.5, modulated, {"ratio": (0.5, 7), "index": (0.3, 4), "fall": (0.03, 0.5), **_QUICK}
_ORGAN: Choice = 1, drawbars, {"bright": (0.4, 0.95), "click": (0, 0.3), "attack": (0.001, 0.02)}
_BRASS = _analogue(1, (-1, 0), _SLOW, octaves=(-3, -1), fall=(0.04, 0.2), cutoff=(900, 4000), attack=(0.015, 0.12))
_STRINGS: Choice = 2, ensemble, {
    "cents": (8, 45), "slope": (0.6, 1.6), "dull": (800, 7000), "vowel": (-5, -1), "attack": (0.02, 0.15),
    "swell": (0, 0.4),
}  # fmt: skip
_CHOIR: Choice = 1, ensemble, {**_STRINGS[2], "slope": (0.3, 1), "vowel": (1, 5.99)}
_STAB: Choice = 1, ensemble, {**_STRINGS[2], "attack": (0.001, 0.02)}
_BLOWN: Choice = 2, blown, {
    "odd": (0, 1), "bright": (0.15, 0.8), "breath": (0, 0.8), "vowel": (-12, 5.99), "attack": (0.008, 0.08),
    "vibrato": (0, 0.008),
}  # fmt: skip

INSTRUMENTS: dict[str, tuple[Choice, ...]] = {
    "bass": (
        (3, sub, {"second": (0, 0.6), "drive": (0.4, 4), "drop": (0, 1.5), "click": (0, 0.3), "tau": (0.25, 5)}),
        _analogue(4, cutoff=(120, 1800), octaves=(0, 4), detune=(0.0005, 0.006)),
        (2, struck, {**_GUITAR[2], "tau": (0.25, 1.2), "bright": (2, 12)}),
        (1, struck, {**_GUITAR[2], "knock": (0.5, 1.5), "bright": (8, 30)}),
        (1.5, modulated, {**_ELECTRIC[2], "ratio": (0.5, 3)}),
        (0.5, *_ORGAN[1:]),
    ),
    "chord": (_PIANO, _GUITAR, _MALLET, _ELECTRIC, _ORGAN, _BRASS, _STAB, _analogue(3)),
    "pad": (
        _STRINGS, _CHOIR, _ORGAN, _BRASS, _analogue(2, envelope=_SLOW, octaves=(-2, 2), fall=(0.2, 2)),
        (0.7, modulated, {**_ELECTRIC[2], **_SLOW}),
    ),
    "arp": (_PIANO, _GUITAR, _MALLET, _MALLET, _ELECTRIC, _analogue(4, sustain=(0, 0.4)), _ORGAN),
    "lead": (_PIANO, _GUITAR, _MALLET, _ELECTRIC, _BLOWN, _BRASS, _STRINGS, _CHOIR, _analogue(3)),
}  # fmt: skip


def draw_instrument(part: str, rng: np.random.Generator) -> Instrument:
    """An instrument for one of ``score.PARTS``."""
    choices = INSTRUMENTS[part]
    weights = np.array([choice[0] for choice in choices])
    _, recipe, ranges = choices[int(rng.choice(len(choices), p=weights / weights.sum()))]
    sound = {name: between(rng, span) for name, span in ranges.items()}
    slow = sound.get("attack", 0) > 0.02
    release = between(rng, (0.05, 0.5) if slow else (0.008, 0.15))
    transpose = 0 if part == "bass" else int(rng.choice([-12, 0, 0, 0, 12]))
    return Instrument(recipe, sound, release, transpose)
