"""What is known of a loop on disk: from its sidecar, the recipe inside it, its tags or its name."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from loopgen.errors import InvalidRequest, LoopgenError
from loopgen.library import embedded
from loopgen.music.key import Key
from loopgen.music.tempo import Meter, check_bars, parse_bpm
from loopgen.wav import read_acid


@dataclass(frozen=True, slots=True)
class Known:
    """What a file says of itself; None for what it does not."""

    bpm: Fraction | None = None
    bars: int | None = None
    meter: Meter | None = None
    key: Key | None = None
    prompt: str = ""
    recipe: Mapping[str, Any] = field(default_factory=dict)


def recall(path: Path) -> Known:
    """What is known of a loop on disk: from its sidecar, the recipe inside it, else its ``acid`` chunk, else its name.

    Where sidecar and file hold recipes of different sounds, the file was renamed or replaced: its own counts.
    """
    inside = embedded.read(path)
    beside: dict[str, Any] = {}
    with suppress(OSError, ValueError, TypeError):
        beside = dict(json.loads(path.with_suffix(".json").read_text(encoding="utf-8")))
        if not belongs(beside, path) or (inside and inside.get("audio") != beside.get("audio")):
            beside = {}
    for recipe in (beside, inside):
        with suppress(ValueError, KeyError, TypeError, LoopgenError):
            return _known(recipe)
    with suppress(OSError, InvalidRequest):
        if acid := read_acid(path):
            quarters, bpm, meter = acid
            bars = Fraction(quarters) / meter.quarters
            whole = int(bars) if bars.denominator == 1 and bars > 0 else None
            return Known(parse_bpm(round(bpm, 4)), whole, meter)
    return _read_name(path.stem)


def _known(recipe: dict[str, Any]) -> Known:
    said = dict(recipe["request"])
    key = said.get("key")
    return Known(
        parse_bpm(said["bpm"]),
        check_bars(said["bars"]),
        Meter.parse(said["meter"]),
        Key.parse(key) if key else None,
        str(said["prompt"]),
        recipe,
    )


def _read_name(stem: str) -> Known:
    tempo = re.search(r"(?<![\d.])(\d{2,3}(?:\.\d+)?)[ _-]?bpm", stem, re.IGNORECASE)
    bars = re.search(r"(?<![\d.])(\d{1,3})[ _-]?bars?(?![a-z])", stem, re.IGNORECASE)
    meter = re.search(r"bars?_(\d{1,2})-(\d{1,2})(?!\d)", stem)
    key = re.search(r"(?:^|[ _-])([A-G][#b]?m?)(?=[ _-]|$)", stem)
    with suppress(InvalidRequest):
        return Known(
            parse_bpm(tempo[1]) if tempo else None,
            check_bars(int(bars[1])) if bars else None,
            Meter(int(meter[1]), int(meter[2])) if meter else None,
            key=Key.parse(key[1]) if key else None,
        )
    return Known()


def belongs(recipe: Mapping[str, Any], path: Path) -> bool:
    """Whether a sidecar of this name is that of ``path`` and not of a loop of the same name in another format."""
    return Path(str(recipe.get("file", path.name))).suffix == path.suffix
