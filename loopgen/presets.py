"""Presets: one sound a TOML file, giving a request whatever fields it leaves open."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from loopgen.errors import LoopgenError, PresetUnusable
from loopgen.music.request import LoopRequest

FIELDS: Mapping[str, type | tuple[type, ...]] = MappingProxyType(
    {"prompt": str, "bpm": (str, int, float), "bars": int, "meter": str, "key": str, "engine": str}
)
"""Fields of a request that a preset may set, with their TOML types."""

_NAME = re.compile(r"[A-Za-z0-9 _.-]{1,64}")


@dataclass(frozen=True, slots=True)
class Preset:
    """A named sound; ``fields`` holds values for ``LoopRequest``, by name."""

    name: str
    description: str
    fields: Mapping[str, Any]


def folder() -> Path:
    """The factory presets: inside the installed package, or at the root of a checkout."""
    packaged = Path(__file__).parent / "_presets"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "presets"


def names() -> list[str]:
    """Names of all presets, sorted."""
    return sorted(path.stem for path in folder().glob("*.toml"))


def load(name: str) -> Preset:
    """Read a preset by name; raises ``PresetUnusable``, naming the nearest there is."""
    if not _NAME.fullmatch(name) or name not in names():
        near = difflib.get_close_matches(name, names(), 1)
        hint = f"did you mean {near[0]!r}?" if near else "`loopgen presets` lists them"
        raise PresetUnusable(f"there is no preset {name[:64]!r}; {hint}")
    return read(folder() / f"{name}.toml")


def read(path: Path) -> Preset:
    """Read one preset file; raises ``PresetUnusable`` for bad TOML, unknown keys, wrong types and bad values."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PresetUnusable(f"preset {path.name} cannot be read: {error}") from None
    for key, value in table.items():
        if key != "description" and key not in FIELDS:
            near = difflib.get_close_matches(key, [*FIELDS, "description"], 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known are description, {', '.join(FIELDS)}"
            raise PresetUnusable(f"preset {path.name} has an unknown key {key!r}{hint}")
        if not isinstance(value, FIELDS.get(key, str)) or isinstance(value, bool):
            raise PresetUnusable(f"preset {path.name}: {key} = {value!r} is of the wrong type")
    fields = {key: value for key, value in table.items() if key != "description"}
    if not fields.get("prompt"):
        raise PresetUnusable(f"preset {path.name} has no prompt")
    try:
        LoopRequest(**{"bpm": 120, **fields})
    except LoopgenError as error:
        raise PresetUnusable(f"preset {path.name}: {error}") from None
    return Preset(path.stem, str(table.get("description", "")), MappingProxyType(fields))
