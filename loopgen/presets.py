"""Presets: one sound a TOML file, giving a request whatever fields it leaves open."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

from loopgen.errors import InvalidRequest, LoopgenError, OutputUnwritable, PresetUnusable
from loopgen.files import make_folder, write_whole
from loopgen.music.key import Key
from loopgen.music.names import check_name
from loopgen.music.request import LoopRequest
from loopgen.music.sampling import SAMPLING_FIELDS, Sampling
from loopgen.music.tempo import Meter, format_bpm

FIELDS: Mapping[str, type | tuple[type, ...]] = MappingProxyType(
    {
        "prompt": str,
        "bpm": (str, int, float),
        "bars": int,
        "meter": str,
        "key": str,
        "engine": str,
        "temperature": (int, float),
        "top_k": int,
        "top_p": (int, float),
        "guidance": (int, float),
        "negative": str,
        "count_in": bool,
    }
)
"""Fields of a request, and of its sampling, that a preset may set, with their TOML types."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A named sound; ``fields`` holds values for ``LoopRequest``, by name; ``own`` tells the user's from ours."""

    name: str
    description: str
    fields: Mapping[str, Any]
    own: bool = False


def folder() -> Path:
    """The factory presets: inside the installed package, or at the root of a checkout."""
    packaged = Path(__file__).parent / "_presets"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "presets"


def names(own: Path | None = None) -> list[str]:
    """Names of all presets, sorted: ours and those in the folder ``own`` of the user, if there is one."""
    return sorted({*_inside(folder()), *(_inside(own) if own else {})})


def load(name: str, own: Path | None = None) -> Preset:
    """Read a preset by name, the user's own before ours; raises ``PresetUnusable``, naming the nearest there is."""
    if own and name in (mine := _inside(own)):
        return replace(read(mine[name]), own=True)
    if path := _inside(folder()).get(name):
        return read(path)
    raise _unknown(name, own)


def save(name: str, fields: Mapping[str, Any], description: str, own: Path) -> Preset:
    """Keep a sound under a name in the folder ``own``, made on demand; one of ours keeps its file and is hidden by it.

    ``fields`` holds values under the names of ``FIELDS``; None counts as absent; a tempo may be a ``Fraction``, a meter
    and a key their values. Returns the preset as it will be read. Raises ``InvalidRequest`` for a name that cannot be
    one, ``PresetUnusable`` for fields that make no request, ``OutputUnwritable`` where the folder cannot be written.
    """
    check_name("preset", name)
    if not isinstance(description, str):
        raise PresetUnusable(f"preset {name}: description = {description!r} is of the wrong type; give text")
    for other in _inside(own):
        if other != name and other.casefold() == name.casefold():  # one file on Windows and macOS, two on Linux
            raise PresetUnusable(f"there is a preset {other!r} already; use this name, or one that differs in more")
    table = {"description": description, **{key: _plain(value) for key, value in fields.items() if value is not None}}
    preset = replace(_checked(name, table), own=True)
    text = "".join(f"{key} = {_toml(value)}\n" for key, value in table.items())
    make_folder(own)
    write_whole({own / f"{name}.toml": text.encode()})
    return preset


def delete(name: str, own: Path) -> None:
    """Delete a preset of the user's folder; raises ``PresetUnusable`` for one of ours or an unknown one.

    Where it hid one of ours, that one is back. Raises ``OutputUnwritable`` where the file cannot be removed.
    """
    if path := _inside(own).get(name):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputUnwritable(f"{path} cannot be deleted: {error.strerror or error}") from None
    elif name in _inside(folder()):
        raise PresetUnusable(f"{name!r} comes with loopgen and cannot be deleted; only presets of your own can")
    else:
        raise _unknown(name, own)


def _inside(place: Path) -> dict[str, Path]:
    """Name -> file of the presets in a folder; files whose names cannot be given are passed over."""
    found = {}
    for path in place.glob("*.toml"):
        with suppress(InvalidRequest):
            found[check_name("preset", path.stem)] = path
    return found


def _unknown(name: str, own: Path | None) -> PresetUnusable:
    near = difflib.get_close_matches(name, names(own), 1)
    hint = f"did you mean {near[0]!r}?" if near else "`loopgen presets` lists them"
    return PresetUnusable(f"there is no preset {name[:64]!r}; {hint}")


def read(path: Path) -> Preset:
    """Read one preset file; raises ``PresetUnusable`` for bad TOML, unknown keys, wrong types and bad values."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PresetUnusable(f"preset {path.stem} cannot be read: {error}") from None
    return _checked(path.stem, table)


def _checked(name: str, table: Mapping[str, Any]) -> Preset:
    for key, value in table.items():
        if key != "description" and key not in FIELDS:
            near = difflib.get_close_matches(key, [*FIELDS, "description"], 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known are description, {', '.join(FIELDS)}"
            raise PresetUnusable(f"preset {name} has an unknown key {key!r}{hint}")
        expected = FIELDS.get(key, str)
        if not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
            raise PresetUnusable(f"preset {name}: {key} = {value!r} is of the wrong type")
    sound = {key: value for key, value in table.items() if key != "description"}
    if not sound.get("prompt"):
        raise PresetUnusable(f"preset {name} has no prompt")
    try:
        sampling = Sampling(**{key: value for key, value in sound.items() if key in SAMPLING_FIELDS})
        asked = {key: value for key, value in sound.items() if key not in SAMPLING_FIELDS}
        LoopRequest(**{"bpm": 120, **asked}, sampling=sampling)
    except LoopgenError as error:
        raise PresetUnusable(f"preset {name}: {error}") from None
    return Preset(name, str(table.get("description", "")), MappingProxyType(sound))


def _plain(value: Any) -> Any:
    """A field as TOML can hold it, exactly."""
    if isinstance(value, Fraction):
        return text if Fraction(text := format_bpm(value)) == value else str(value)
    return str(value) if isinstance(value, Meter | Key) else value


def _toml(value: str | int | float) -> str:
    """Write a TOML value: a basic string with whatever must be escaped, a number, or true and false."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        plain = value.encode("utf-8", "replace").decode()  # half a character, as broken senders make, becomes "?"
        escaped = plain.replace("\\", "\\\\").replace('"', '\\"')
        return '"' + "".join(f"\\u{ord(c):04x}" if ord(c) < 32 or ord(c) == 127 else c for c in escaped) + '"'
    return repr(value)
