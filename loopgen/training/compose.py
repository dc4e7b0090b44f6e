"""A piece put together by chance: meter, tempo, who plays, what they play and how steadily."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from loopgen.music.tempo import Meter
from loopgen.training.feel import Feel, feel
from loopgen.training.harmony import harmony
from loopgen.training.phrases import Ground, part
from loopgen.training.pulses import pulses
from loopgen.training.rhythms import Drumming, drumming
from loopgen.training.score import PARTS, Hit, Music, Note
from loopgen.training.styles import Style, styles

Rng = np.random.Generator
Array = NDArray[np.float64]

_METERS = (
    ("4/4", 0.64), ("3/4", 0.09), ("6/8", 0.08), ("12/8", 0.025), ("5/4", 0.035), ("7/8", 0.045), ("2/4", 0.015),
    ("2/2", 0.01), ("6/4", 0.01), ("7/4", 0.01), ("9/8", 0.01), ("11/8", 0.005), ("5/8", 0.01), ("3/8", 0.005),
    ("8/8", 0.005), ("10/8", 0.005),
)  # fmt: skip

_TEXTURES = (("full", 0.42), ("drums", 0.28), ("one drum", 0.05), ("one part", 0.13), ("parts", 0.12))

_SECONDS = 24.0
"""The least that a piece lasts; a clip may be cut from anywhere in it."""

_TEMPO = (60.0, 185.0)


def compose(rng: Rng, meter: Meter | None = None) -> Music:
    """A piece of at least 24 seconds and 4 bars, in ``meter`` or in one by chance; all of it follows from ``rng``.

    >>> music = compose(np.random.default_rng(3), Meter(7, 8))
    >>> music == compose(np.random.default_rng(3), Meter(7, 8)), music.sixteenths * music.sixteenth >= 24
    (True, True)
    """
    if meter is None:
        meter = Meter.parse(_METERS[_weighted(rng, _METERS)][0])
    texture = _TEXTURES[_weighted(rng, _TEXTURES)][0]
    drums = texture in ("full", "drums", "one drum")
    written = styles(meter)
    style = written[int(rng.integers(len(written)))] if drums and written and rng.random() < 0.72 else None
    bpm = _tempo(rng, style)
    sixteenth = 15 / bpm
    felt = pulses(rng, meter)
    bars = max(4, math.ceil(_SECONDS / (felt.cells * sixteenth)))
    triplets = style is not None and style.steps % 3 == 0 and style.steps != felt.cells
    manner = feel(rng, meter, sixteenth, style.swung if style else 0, triplets)
    played = drumming(rng, felt, bars, style, texture == "one drum") if drums else Drumming({}, texture)
    names = _parts(rng, texture)
    ground = Ground(felt, bars, harmony(rng, felt, bars), played.kicks(), texture == "one part")
    end = float(bars * felt.cells)
    notes = [note for name in names for note in _notes(rng, manner, name, part(rng, name, ground), end)]
    name = played.style if drums else ", ".join(names)
    return Music(meter, bars, bpm, tuple(_hits(rng, manner, played, end)), tuple(sorted(notes, key=_order)), name)


def _tempo(rng: Rng, style: Style | None) -> float:
    """Quarters a minute: mostly usual for the style, else up to half as much again or less; whole half of the time."""
    low, high = style.tempo if style else _TEMPO
    if style and rng.random() < 0.3:
        low, high = max(_TEMPO[0], low / 1.5), min(_TEMPO[1], high * 1.5)
    bpm = low * (high / low) ** float(rng.random())
    return float(round(bpm)) if rng.random() < 0.5 else round(bpm, 3)


def _parts(rng: Rng, texture: str) -> list[str]:
    """Who plays besides the drums."""
    if texture in ("drums", "one drum"):
        return []
    if texture == "one part":
        return [PARTS[int(rng.choice(5, p=[0.3, 0.25, 0.1, 0.17, 0.18]))]]
    chances = {"bass": 0.72, "chord": 0.5, "pad": 0.35, "arp": 0.3, "lead": 0.42}
    names = [name for name, chance in chances.items() if rng.random() < chance]
    while len(names) < (1 if texture == "full" else 2):
        name = PARTS[int(rng.integers(5))]
        names += [name] if name not in names else []
    return names[:4]


def _hits(rng: Rng, manner: Feel, played: Drumming, end: float) -> list[Hit]:
    """Strokes as they are heard, in order; each as loud as the player manages."""
    hits = []
    for drum, (places, levels) in played.strokes.items():
        heard = manner.played(rng, places, drum)
        touch = np.clip(levels * np.exp(0.06 * rng.standard_normal(len(levels))), 0.02, 1)
        hits += [
            Hit(place, drum, level)
            for place, level in zip(heard.tolist(), touch.tolist(), strict=True)
            if -1 <= place < end
        ]
    return sorted(hits, key=lambda hit: (hit.place, hit.drum))


def _notes(rng: Rng, manner: Feel, name: str, lines: list[tuple[float, float, int, float]], end: float) -> list[Note]:
    """A part as it is heard; the notes of a chord keep together."""
    starts, which = np.unique(np.array([line[0] for line in lines]), return_inverse=True)
    heard = manner.played(rng, starts, name)[which]
    touch = np.exp(0.05 * rng.standard_normal(len(lines)))
    return [
        Note(place, length, pitch, name, min(1.0, level))
        for (_, length, pitch, _), place, level in zip(
            lines, heard.tolist(), (touch * np.array([line[3] for line in lines])).tolist(), strict=True
        )
        if -8 <= place < end
    ]


def _order(note: Note) -> tuple[float, str, int]:
    return note.place, note.part, note.pitch


def _weighted(rng: Rng, table: tuple[tuple[str, float], ...]) -> int:
    shares = np.array([share for _, share in table])
    return int(rng.choice(len(table), p=shares / shares.sum()))
