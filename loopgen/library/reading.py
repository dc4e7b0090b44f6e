"""One audio file -> what the index keeps of it. Needs nothing but the file and what lies beside it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from loopgen.audiofile import read_audio
from loopgen.errors import LoopgenError
from loopgen.library.marks import Marks, broken_sidecar, sidecar_marks
from loopgen.library.recall import recall
from loopgen.library.takes import FOLDER, take_of
from loopgen.music.audio import Audio
from loopgen.music.beats import Rival
from loopgen.music.key import Key
from loopgen.music.tempo import Meter, bar_seconds
from loopgen.music.turn import beat_one, rival_of
from loopgen.wav import encode

_BLOCK = 1 << 18
_NEAR = Fraction(1, 50)
"""A loop that is so much of a bar longer or shorter than whole bars has that many."""

_WORTH_NAMING = 0.05
"""A second likeliest beat 1 that is less probable is passed over."""

_EXACT = Fraction(1, 1000)
"""A file that is so much of its length longer or shorter than whole beats was cut on them."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file is; ``problem`` says in one line why it could not be read, or what beside it could not.

    ``id`` is empty where the file is no audio that can be used. Tempo, bars and key are None where nothing says them;
    ``heard`` says that a tempo was looked for in the sound, found or not; ``rival`` where else beat 1 may well be.
    """

    path: Path
    id: str = ""
    problem: str = ""
    title: str = ""
    bpm: Fraction | None = None
    bars: int | None = None
    meter: str | None = None
    key: str | None = None
    engine: str | None = None
    prompt: str = ""
    seed: int | None = None
    licence: str | None = None
    frames: int = 0
    rate: int = 0
    channels: int = 0
    warnings: tuple[str, ...] = ()
    summary: str = ""
    origin: str = "foreign"
    has_take: bool = False
    marks: Marks = field(default_factory=Marks)
    take: str | None = None
    heard: bool = False
    rival: Rival | None = None

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.frames / self.rate


def read_loop(path: Path) -> Reading:
    """Read a file; raises nothing, as one bad file must not hold up a folder."""
    try:
        return describe(path, read_audio(path))
    except (LoopgenError, OSError, MemoryError) as error:
        return Reading(path, problem=str(error) or type(error).__name__)


def describe(path: Path, audio: Audio) -> Reading:
    """What is known of the loop in ``path``, whose samples are ``audio``."""
    known = recall(path)
    recipe = known.recipe
    bpm = known.bpm or _tempo_in_name(path.stem, audio, known.meter or Meter())
    engine = _mapping(recipe.get("engine"))
    bars = known.bars or _whole_bars(audio, bpm, known.meter or Meter())
    warnings = tuple(str(warning) for warning in _list(recipe.get("warnings")))
    seed = recipe.get("seed")
    take = take_of(recipe)
    return Reading(
        path,
        content_id(audio),
        broken_sidecar(path),
        known.prompt or path.stem,
        bpm,
        bars,
        str(known.meter) if known.meter else None,
        _key(recipe.get("key")) or (str(known.key) if known.key else None),
        str(engine["name"]) if engine.get("name") else None,
        known.prompt,
        seed if isinstance(seed, int) else None,
        str(engine["licence"]) if engine.get("licence") else None,
        audio.frames,
        audio.rate,
        audio.channels,
        warnings,
        warnings[0] if warnings else summary_of(recipe),
        "loopgen" if "loopgen" in recipe else "foreign",
        take is not None and take_file(path, take).exists(),
        sidecar_marks(path),
        take,
        rival=_rival(recipe),
    )


def content_id(audio: Audio) -> str:
    """The id of some audio: 24 digits of its samples at 24 bits, the first of which stand in loopgen's file names, and
    8 of its rate and channels.

    >>> content_id(Audio([0.0, 0.5], 44_100)) == content_id(Audio([0.0, 0.5 + 1e-9], 44_100))
    True
    """
    samples = hashlib.sha256()
    for start in range(0, audio.frames, _BLOCK):
        samples.update(encode(audio.with_samples(audio.samples[start : start + _BLOCK]), 24))
    form = hashlib.sha256(f"{audio.rate} {audio.channels}".encode())
    return samples.hexdigest()[:24] + form.hexdigest()[:8]


def take_file(path: Path, take: str) -> Path:
    """Where the take of the loop at ``path`` lies, if it is kept."""
    return path.parent / FOLDER / f"{take}.flac"


def _tempo_in_name(stem: str, audio: Audio, meter: Meter) -> Fraction | None:
    """A bare number in a file's name (``Kit_174_Am``), where the file lasts just whole beats at that tempo.

    >>> _tempo_in_name("Kit_120_Am 03", Audio([0.0] * 88_200, 44_100), Meter())
    Fraction(120, 1)
    """
    for text in re.findall(r"(?<![\w.])(\d{2,3})(?![\w.])", stem.replace("_", " ")):
        bpm = Fraction(text)
        if 50 <= bpm <= 220:
            beats = Fraction(audio.frames, audio.rate) / bar_seconds(bpm, meter) * meter.beats
            if round(beats) >= meter.beats and abs(beats - round(beats)) <= _EXACT * beats:
                return bpm
    return None


def _whole_bars(audio: Audio, bpm: Fraction | None, meter: Meter) -> int | None:
    if bpm is None:
        return None
    bars = Fraction(audio.frames, audio.rate) / bar_seconds(bpm, meter)
    whole = round(bars)
    return whole if 1 <= whole <= 256 and abs(bars - whole) <= _NEAR else None


def summary_of(recipe: Mapping[str, Any]) -> str:
    """What is known to be good, of a loop without warnings, and which beat else may be one, in a line."""
    sure = _mapping(recipe.get("grid")).get("downbeat_confidence")
    loudness = _mapping(_mapping(recipe.get("scores")).get("level")).get("loudness")
    said = ["seam clean"] if _mapping(_mapping(recipe.get("scores")).get("seam")).get("passes") else []
    if isinstance(sure, int | float):
        rival = _rival(recipe) if sure < 0.995 else None
        other = f", else {beat_one(rival.beats)} ({rival.confidence:.0%})" if rival else ""
        said.append("beat 1 certain" if sure >= 0.995 else f"beat 1 {sure:.0%} sure{other}")
    if isinstance(loudness, int | float):
        said.append(f"{loudness:.1f} LUFS")
    return ", ".join(said)


def _rival(recipe: Mapping[str, Any]) -> Rival | None:
    rival = rival_of(recipe.get("grid"))
    return rival if rival and rival.confidence >= _WORTH_NAMING else None


def _key(value: object) -> str | None:
    with suppress(LoopgenError):
        return str(Key.parse(value)) if isinstance(value, str) else None
    return None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
