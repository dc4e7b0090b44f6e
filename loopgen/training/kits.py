"""Kits: the drums of one clip, which come out of one place.

They share a room, a sampler's pitch and its dullness, as the drums of a sampled break do, and may stand in for one
another.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.signal import fftconvolve

from loopgen.training.drum_voices import SOUNDS
from loopgen.training.signals import Wave, between, filtered, low_pass, room, unit

_STAND_INS = {
    "snare": (0.16, ("clap", "rim", "perc_1", "tom_high")),
    "kick": (0.07, ("tom_low", "perc_1")),
    "hat": (0.1, ("shaker", "rim", "perc_2")),
    "clap": (0.1, ("snare", "rim")),
    "ride": (0.1, ("hat", "perc_1")),
}
"""Chance that a drum is played on another one, and on which."""

LAYERS = (0.3, 0.6, 1.0)
"""Strengths at which a drum is recorded: softer strokes are duller."""


@dataclass(frozen=True, slots=True)
class Drum:
    """One drum of a kit: ``waves`` for each of LAYERS with peaks near 1, and frames of swell before the beat."""

    waves: tuple[Wave, ...]
    lead: int


def draw_kit(drums: Iterable[str], rate: int, rng: np.random.Generator) -> dict[str, Drum]:
    """A kit of ``drums`` (names of ``score.DRUMS``) at ``rate`` Hz, drawn from ``rng``."""
    semitones = rng.uniform(-4, 4) if rng.random() < 0.3 else rng.uniform(-1, 1)
    recorded = round(rate * 2 ** (-semitones / 12))  # played back at ``rate``, it sounds higher by that much
    reverb = None
    if rng.random() < 0.5:
        reverb = room(between(rng, (0.06, 0.7)), between(rng, (1500, 10_000)), rate, rng)
        reverb *= between(rng, (0.06, 0.9))
    ceiling = between(rng, (2500, 9000)) if rng.random() < 0.2 else None
    played = rng.random() < 0.6
    kit = {}
    for name in sorted(drums):
        chance, others = _STAND_INS.get(name, (0.0, ()))
        sounds = SOUNDS[str(rng.choice(others)) if rng.random() < chance else name]
        weights = np.array([sound.weight for sound in sounds])
        sound = sounds[int(rng.choice(len(sounds), p=weights / weights.sum()))]
        wave = sound.draw(recorded, rng)
        swells = "rise" in sound.ranges and rng.random() < 0.5
        lead = int(np.argmax(np.abs(wave) > 0.5)) if swells else 0
        if ceiling is not None:
            wave = filtered(wave, low_pass(ceiling, rate))
        if reverb is not None:
            wet = fftconvolve(wave, reverb).astype(np.float32)
            wet[: len(wave)] += wave
            wave = wet
        fade = min(len(wave), int(0.004 * rate))
        wave[len(wave) - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
        wave = unit(wave)
        soft = [filtered(wave, low_pass(16_000 * layer**1.5, rate, 0.5)) if played else wave for layer in LAYERS[:-1]]
        kit[name] = Drum((*soft, wave), lead)
    return kit
