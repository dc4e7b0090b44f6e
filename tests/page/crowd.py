"""A library of as many loops as one likes: small files, and what the index would read in them if they were loops."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from loopgen.library.index import Library
from loopgen.library.reading import Reading
from loopgen.music.audio import Audio
from loopgen.music.tempo import Meter
from loopgen.wav import LoopTags, wav_bytes

_GENRES = ("dub techno", "deep house", "jungle", "boom bap", "ambient", "acid", "uk garage", "synthwave")
_KEYS = ("Am", "Em", "C", "G", "F#m", "Dm", "Bb", "Ebm")


def crowd(folder: Path, count: int) -> None:
    """Fill a folder with so many loops, and its index with what is said of them.

    The files are a few hundred frames each: what the page shows of them is real, how long they last is not.
    """
    phase = np.arange(512) / 512
    for number in range(count):
        wave = np.sin(2 * np.pi * (1 + number % 13) * phase) * np.exp(-3 * ((phase * (1 + number % 7)) % 1))
        tags = LoopTags(Fraction(_bpm(number)), 4, Meter())
        path = folder / f"{number:05d}.wav"
        path.write_bytes(wav_bytes(Audio((0.7 * wave)[:, None], 44_100), tags, bits=16))
    with Library(folder) as library:
        library.refresh(read=_read)


def _read(paths: Iterable[Path]) -> Iterator[Reading]:
    for path in paths:
        number = int(path.stem)
        yield Reading(
            path,
            hashlib.sha256(path.stem.encode()).hexdigest()[:24],
            title=f"{_GENRES[number % len(_GENRES)]}, number {number}",
            bpm=Fraction(_bpm(number)),
            bars=(1, 2, 4, 8)[number % 4],
            meter="4/4",
            key=_KEYS[number % len(_KEYS)],
            engine="sketch",
            prompt=_GENRES[number % len(_GENRES)],
            seed=number,
            frames=512,
            rate=44_100,
            channels=1,
            summary="seam clean, beat 1 certain",
            origin="loopgen",
        )


def _bpm(number: int) -> str:
    return f"{80 + number % 90}.{number % 10}"
