"""Takes whose grid is known: real loops tiled, shifted and warped, and grooves of our own with many patterns.

The truth is exact: a real loop repeats after exactly its own length, so the beats of its tiling are known to a
fraction of a sample wherever it is started and however its tempo is bent afterwards.
"""

from __future__ import annotations

import csv
import math
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from loopgen.engines.sketch.engine import SketchEngine
from loopgen.engines.sketch.repertoire import GENRES
from loopgen.errors import InvalidRequest
from loopgen.music.audio import Audio
from loopgen.music.beats import BeatGrid
from loopgen.music.request import LoopRequest
from loopgen.music.tempo import Meter, bar_seconds
from tests.bench.grooves import groove
from tests.bench.options import Options

AUDIO_SUFFIXES = {".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif"}
WOBBLE = 0.012
"""Depth of the slow tempo wobble, relative."""

_STEM_WORDS = re.compile(r"bass|synth|drone|pad|chord|piano|keys|lead|arp|guitar|melod|303|string|vocal|hi-?hat", re.I)
_FOUR = Meter(4, 4)


@dataclass(frozen=True, slots=True, eq=False)
class KnownTake:
    """A take and the truth about it.

    ``kind`` is ``"groove"`` (drums among it) or ``"stem"`` (a single instrument); ``source`` ``"real"``,
    ``"synthetic"`` or ``"engine"``. ``bar_beats`` is the number of beats after which the truth says where the bar
    starts: the meter's, or fewer where a loop is shorter than a bar. ``wobble`` is the depth of the tempo's wobble
    (0: steady). ``guessed`` says that the loop's number of beats was guessed from its length.
    """

    name: str
    audio: Audio
    grid: BeatGrid
    meter: Meter
    kind: str
    source: str
    bar_beats: int
    wobble: float
    guessed: bool = False

    @property
    def bpm(self) -> float:
        """True mean tempo in quarter notes a minute."""
        return self.grid.bpm

    @property
    def loop(self) -> str:
        """What the take was made of; takes of the same loop count as one."""
        return self.name.split("#")[0]


@dataclass(frozen=True, slots=True)
class Label:
    """What is known of a loop file: its quarter notes, kind, meter, and whether the quarters were guessed."""

    beats: int
    kind: str
    guessed: bool
    meter: Meter = _FOUR


def known_takes(
    options: Options, *, seconds: float = 24.0, offsets: int = 2, synthetic: int = 60, engine: int = 0, seed: int = 0
) -> Iterator[KnownTake]:
    """Takes of about ``seconds`` from every loop below ``options.audio``, ``synthetic`` grooves and ``engine`` takes.

    Each real loop gives ``offsets`` steady takes and as many wobbling ones, each started at its own random place;
    every third of the others wobbles. Deterministic in ``seed``; ``options.quick`` takes a third.
    """
    if options.quick:
        offsets, synthetic, engine = 1, -(-synthetic // 3), -(-engine // 3)
    if options.audio is not None:
        yield from real_takes(options.audio, seconds=seconds, offsets=offsets, seed=seed)
    for k in range(synthetic):
        yield synthetic_take(k, seconds=seconds, wobble=WOBBLE if k % 3 == 2 else 0.0, seed=seed)
    for k in range(engine):
        yield engine_take(k, seconds=seconds, wobble=WOBBLE if k % 3 == 2 else 0.0, seed=seed)


def real_takes(folder: Path, *, seconds: float = 24.0, offsets: int = 2, seed: int = 0) -> Iterator[KnownTake]:
    """Takes made of the loops below ``folder``: ``offsets`` steady and as many wobbling ones each."""
    for path, label in labelled_loops(folder):
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        name = path.relative_to(folder).with_suffix("").as_posix()
        for turn in range(2 * offsets):
            rng = np.random.default_rng([seed, turn, zlib.crc32(name.encode())])
            yield tiled_take(name, Audio(samples, rate), label, seconds, WOBBLE if turn >= offsets else 0.0, rng)


def tiled_take(
    name: str, loop: Audio, label: Label, seconds: float, wobble: float, rng: np.random.Generator
) -> KnownTake:
    """A loop repeated for about ``seconds`` from a random place off the bar line, its tempo bent by ``wobble``."""
    length = loop.frames / loop.rate
    seconds = max(seconds, 2.5 * length)
    meter = label.meter
    count = max(1, round(label.beats / meter.beat_quarters))
    beat = length / count
    start = float(rng.integers(loop.frames)) / loop.rate
    warp, unwarp = time_map(wobble, rng)
    frames = round(seconds * loop.rate)
    if wobble == 0:
        index = (np.arange(frames) + round(start * loop.rate)) % loop.frames
        samples = loop.samples[index]
    else:
        place = (warp(np.arange(frames) / loop.rate) + start) * loop.rate
        samples = _read_periodic(loop.samples, place)
    first = math.ceil((start - beat) / beat) - 1
    last = math.floor((start + float(warp(np.array([seconds]))[0])) / beat) + 1
    numbers = np.arange(first, last + 1)
    beats = unwarp((numbers * beat - start).astype(np.float64))
    grid = BeatGrid(beats, meter, int(-first % meter.beats), 1.0, 1.0, "engine")
    bar_beats = math.gcd(meter.beats, count)
    tag = f"{name}#{start:.3f}{'~' if wobble else ''}"
    return KnownTake(tag, Audio(samples, loop.rate), grid, meter, label.kind, "real", bar_beats, wobble, label.guessed)


def synthetic_take(number: int, *, seconds: float = 24.0, wobble: float = 0.0, seed: int = 0) -> KnownTake:
    """The ``number``-th groove of the generator in ``tests.bench.grooves``, with its grid."""
    rng = np.random.default_rng([seed, 7919, number])
    made = groove(rng, seconds, time_map(wobble, rng)[1])
    meter = made.meter
    grid = BeatGrid(made.beats, meter, made.downbeat, 1.0, 1.0, "engine")
    name = f"groove-{number:03d}-{made.style}#{'~' if wobble else ''}"
    return KnownTake(name, made.audio, grid, meter, made.kind, "synthetic", meter.beats, wobble)


def engine_take(number: int, *, seconds: float = 24.0, wobble: float = 0.0, seed: int = 0) -> KnownTake:
    """A take of the embedded engine, started off the bar line: its genres in turn, each fifth one without drums."""
    rng = np.random.default_rng([seed, 104729, number])
    genre = GENRES[number % len(GENRES)]
    low, high = genre.tempo
    bpm = Fraction(f"{rng.uniform(low, high):.2f}")
    prompt = genre.name + (", no drums" if number % 5 == 4 else "")
    bars = math.ceil((seconds + 3) / float(bar_seconds(bpm, _FOUR))) + 1
    made = SketchEngine().generate(LoopRequest(prompt, bpm, bars), int(rng.integers(2**31)))
    known = made.grid
    assert known is not None
    start = rng.uniform(0, 2)
    warp, unwarp = time_map(wobble, rng)
    rate = made.audio.rate
    place = warp(np.arange(round(seconds * rate)) / rate) + start
    samples = _read_periodic(made.audio.samples, place * rate)
    beats = unwarp(known.beats - start)
    first = int(np.sum(beats <= 0)) - 1
    grid = BeatGrid(
        beats[first : int(np.sum(beats < seconds)) + 1], _FOUR, (known.downbeat - first) % 4, 1, 1, "engine"
    )
    name = f"sketch-{number:03d}-{genre.name}#{'~' if wobble else ''}"
    return KnownTake(
        name, Audio(samples, rate), grid, _FOUR, "stem" if "no drums" in prompt else "groove", "engine", 4, wobble
    )


Map = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def time_map(wobble: float, rng: np.random.Generator) -> tuple[Map, Map]:
    """A map from a take's seconds to the seconds of the steady music behind it, and its inverse.

    The tempo swings by ``wobble`` (relative) about once in 8 to 16 seconds.
    """
    rate = 2 * np.pi / rng.uniform(8, 16)
    phase = rng.uniform(0, 2 * np.pi)
    depth = wobble / rate

    def warp(t: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(t + depth * (np.sin(rate * t + phase) - np.sin(phase)))

    def unwarp(s: NDArray[np.float64]) -> NDArray[np.float64]:
        t = np.asarray(s, dtype=np.float64).copy()
        for _ in range(20):  # Newton; the slope stays within 1 ± wobble
            t -= (warp(t) - s) / (1 + wobble * np.cos(rate * t + phase))
        return t

    return warp, unwarp


def _read_periodic(
    samples: NDArray[np.float32], place: NDArray[np.float64], upsampling: int = 4
) -> NDArray[np.float32]:
    """Values of a periodic signal ``(frames, channels)`` at fractional sample positions, band-limited to -80 dB."""
    frames = len(samples)
    spectrum = np.fft.rfft(samples, axis=0)
    fine = np.fft.irfft(spectrum, n=upsampling * frames, axis=0) * upsampling
    channels = [
        map_coordinates(fine[:, c], [np.mod(place * upsampling, len(fine))], order=3, mode="grid-wrap")
        for c in range(samples.shape[1])
    ]
    return np.stack(channels, axis=1).astype(np.float32)


# ---------------------------------------------------------------- what is known of a folder of loops


@dataclass(frozen=True, slots=True)
class Row:
    """What a folder's table says of a file: quarter notes (0: nothing), kind (empty: nothing) and meter."""

    beats: float
    kind: str = ""
    meter: Meter = _FOUR


def labelled_loops(folder: Path) -> Iterator[tuple[Path, Label]]:
    """The audio files of a folder and of those below it, each with what its own folder says, in order of path."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES)
    seen = [path for path in files if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    for home, loops in groupby(seen, key=lambda path: path.parent):
        known = csv_labels(home / "labels.csv") or _markdown_labels(home / "README.md")
        for path in loops:
            yield path, label(path, known)


def label(path: Path, known: dict[str, Row]) -> Label:
    """What is known of one loop: from the folder's table, its name, its acid chunk, or a guess from its length."""
    row = known.get(path.name, Row(0.0))
    beats, kind = row.beats, row.kind or ("stem" if _STEM_WORDS.search(path.stem) else "groove")
    seconds = soundfile.info(path).duration
    if not beats and (named := re.search(r"(\d{2,3}(?:\.\d+)?) ?bpm", path.stem, re.I)):
        beats = seconds * float(named[1]) / 60
    beats = beats or _acid_beats(path)
    if round(beats) >= 1:
        return Label(round(beats), kind, False, row.meter)
    guesses = [2**k for k in range(9)]
    tempo = {n: 60 * n / seconds for n in guesses}
    sensible = [n for n in guesses if 80 <= tempo[n] <= 160] or guesses
    return Label(min(sensible, key=lambda n: abs(math.log(tempo[n] / 118))), kind, True, row.meter)


def csv_labels(path: Path) -> dict[str, Row]:
    """``file,beats,kind,bpm,meter,source,note`` by file; all but the first may be empty or missing.

    ``beats`` are quarter notes, ``kind`` is groove or stem, ``meter`` 4/4 where it is not said; the rest is for people.
    Raises ``ValueError`` that names the file for what cannot be read.
    """
    if not path.exists():
        return {}
    found = {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        for line in csv.DictReader(file):
            said = {name: (text or "").strip() for name, text in line.items() if isinstance(name, str)}
            try:
                meter = Meter.parse(said.get("meter") or _FOUR)
                row = Row(float(said.get("beats") or 0), said.get("kind", ""), meter)
            except (ValueError, InvalidRequest) as error:
                raise ValueError(f"{path}: {said.get('file')}: {error}") from None
            if row.kind not in ("", "groove", "stem") or not 0 <= row.beats < math.inf:
                raise ValueError(f"{path}: {said.get('file')}: kind is groove or stem, beats a number from 0 up")
            found[said["file"]] = row
    return found


def _markdown_labels(path: Path) -> dict[str, Row]:
    """A table ``| file | beats | ... |``."""
    if not path.exists():
        return {}
    text = path.read_text(encoding="utf-8")
    rows = ([cell.strip(" `") for cell in line.strip().strip("|").split("|")] for line in text.splitlines())
    return {row[0]: Row(float(row[1])) for row in rows if len(row) >= 2 and re.fullmatch(r"\d+(\.\d+)?", row[1])}


def _acid_beats(path: Path) -> float:
    """Number of beats in a WAV's acid chunk, 0 without one."""
    if path.suffix.lower() != ".wav":
        return 0.0
    data = path.read_bytes()
    place = 12
    while place + 8 <= len(data):
        tag, size = data[place : place + 4], struct.unpack_from("<I", data, place + 4)[0]
        if tag == b"acid" and size >= 24:
            return float(struct.unpack_from("<I", data, place + 8 + 12)[0])
        place += 8 + size + size % 2
    return 0.0


def requested(take: KnownTake, rng: np.random.Generator, spread: float = 0.04) -> Fraction:
    """A tempo that a user might have asked for when this take came out: within ``spread`` of the true one."""
    return Fraction(f"{take.bpm * (1 + rng.uniform(-spread, spread)):.2f}")
