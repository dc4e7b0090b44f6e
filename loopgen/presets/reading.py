"""A preset's file is read: brought to today's version, then checked key by key, so that all that is wrong is told."""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from loopgen.errors import InvalidRequest, LoopgenError, PresetUnusable
from loopgen.music.names import check_name
from loopgen.music.request import LoopRequest
from loopgen.music.sampling import SAMPLING_FIELDS, Sampling
from loopgen.presets.fields import FIELDS, KEYS, SET_KEY, VERSION

BYTES_MAX = 1_000_000

Table = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Preset:
    """A named sound.

    Attributes:
        name: also its file's, without the suffix.
        description: what it is, for a list.
        fields: values by the names of ``FIELDS``; those that are not there are left open.
        own: whether it is the user's and not one of ours.
        tags: words to find it by.
        licence: what the preset may be passed on under; empty where nobody said.
    """

    name: str
    description: str
    fields: Mapping[str, Any]
    own: bool = False
    tags: tuple[str, ...] = ()
    licence: str = ""

    def table(self) -> Table:
        """What its file says, in the order in which files say it; without what is empty."""
        said = {"version": VERSION, "description": self.description, "tags": list(self.tags), "licence": self.licence}
        table = {**said, **self.fields}
        return {key: table[key] for key in KEYS if table.get(key) not in (None, "", [])}


def read(path: Path) -> Preset:
    """Read one preset file; raises ``PresetUnusable`` for bad TOML, unknown keys, wrong types and bad values."""
    try:
        return read_text(path.stem, text_of(path))
    except (OSError, ValueError) as error:
        raise PresetUnusable(f"preset {path.stem} cannot be read: {why(error)}") from None


def read_text(name: str, text: str) -> Preset:
    """Read a preset from its file's text; raises ``PresetUnusable``."""
    table, wrong = _parsed(text)
    if wrong:
        more = f" (and {len(wrong) - 1} more: `loopgen presets check` tells all)" if wrong[1:] else ""
        raise PresetUnusable(f"preset {name}{wrong[0]}{more}")
    return preset_of(name, table)


def preset_of(name: str, table: Mapping[str, Any]) -> Preset:
    """The preset that a checked table makes."""
    sound = {key: value for key, value in table.items() if key in FIELDS}
    tags = tuple(table.get("tags", ()))
    return Preset(name, table.get("description", ""), MappingProxyType(sound), False, tags, table.get("licence", ""))


def problems(path: Path) -> list[str]:
    """All that is wrong with a preset file, each in a line of words; an empty list for a sound one."""
    wrong = []
    try:
        check_name("preset", path.stem)
    except InvalidRequest as error:
        wrong.append(f"its name cannot be asked for: {error}")
    try:
        text = text_of(path)
    except (OSError, ValueError) as error:
        return [*wrong, f"cannot be read: {why(error)}"]
    return [*wrong, *(line.removeprefix(":").strip() for line in _parsed(text)[1])]


def text_of(path: Path) -> str:
    """A file's text; raises ``OSError``, and ``ValueError`` for one that is not UTF-8 or too large to be a preset."""
    if path.stat().st_size > BYTES_MAX:
        raise ValueError(f"it has more than {BYTES_MAX // 1_000_000} MB")
    try:
        return path.read_text(encoding="utf-8-sig")  # Windows' editors begin a file with a mark
    except UnicodeDecodeError:
        raise ValueError("it is no text in UTF-8; save it as such in your editor") from None


def why(error: OSError | ValueError) -> str:
    """Why a file cannot be read, in words: those of the system without its number and the path once more."""
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def _parsed(text: str) -> tuple[Table, list[str]]:
    """The table of today's version, and what is wrong, to be put behind a preset's name."""
    try:
        table = tomllib.loads(text)
    except ValueError as error:
        return {}, [f" cannot be read: {error}"]
    table = {key: _whole(value) if key in KEYS else value for key, value in table.items()}
    try:
        table = migrated(table)
    except PresetUnusable as error:
        return {}, [f": {error}"]
    return table, [*wrong_in(table)]


def _whole(value: Any) -> Any:
    """4.0 is 4, as JSON Schema has it."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


STEPS: Mapping[int, Callable[[Table], Table]] = MappingProxyType(
    {
        1: dict,  # the second version has more keys than the first, and each of the first's as it was
    }
)
"""Version -> what makes a table of the next one of it."""


def migrated(table: Mapping[str, Any], *, steps: Mapping[int, Callable[[Table], Table]] = STEPS) -> Table:
    """A table as today's version has it; raises ``PresetUnusable`` for a version that is not known here."""
    version, newest = table.get("version", 1), max(steps) + 1
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise PresetUnusable(f"version = {version!r} cannot be used; give 1 to {newest}, or leave it out")
    if version > newest:
        raise PresetUnusable(
            f"it is of version {version}, and this loopgen knows versions up to {newest}; update loopgen to use it"
        )
    table = dict(table)
    for step in range(version, newest):
        table = steps[step](table)
    return {**table, "version": newest}


def wrong_in(table: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a table of today's version, to be put behind a preset's name."""
    found = False
    for key, value in table.items():
        if key not in KEYS:
            near = difflib.get_close_matches(str(key), KEYS, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(KEYS)}"
            yield f" has an unknown key {key!r}; {hint}"
            found = True
        elif fault := _fault(key, value):
            yield f": {fault}"
            found = True
    if not table.get("prompt"):
        yield " has no prompt"
    elif not found and (fault := _as_a_whole(table)):
        yield f": {fault}"


def _fault(key: str, value: Any) -> str:
    """What is wrong with one value, or nothing."""
    field = KEYS[key]
    shape: Mapping[str, Any] = field.shape
    kinds = [option["type"] for option in shape.get("anyOf", [shape])]
    shown = repr(value) if len(repr(value)) <= 60 else repr(value)[:57] + "..."
    if not any(_is(value, kind) for kind in kinds):
        return f"{key} = {shown} is of the wrong type; give {field.allowed}"
    try:
        field.check(value)
    except LoopgenError as error:
        return str(error)
    return "" if fits(value, shape) else f"{key}: {shown} cannot be used; give {field.allowed}"


def _as_a_whole(table: Mapping[str, Any]) -> str:
    sampling = Sampling(**{key: value for key, value in table.items() if key in SAMPLING_FIELDS})
    apart = {"chords", "follow", *SAMPLING_FIELDS}
    asked = {key: value for key, value in table.items() if key in FIELDS and key not in apart}
    if asked.get("key") == SET_KEY:
        del asked["key"]
    try:
        LoopRequest(**{"bpm": 120, **asked}, sampling=sampling)
    except LoopgenError as error:
        return str(error)
    return ""


_KINDS: Mapping[str, tuple[type, ...]] = MappingProxyType(
    {"string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,), "array": (list,)}
)


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, _KINDS[kind]) and (kind == "boolean") == isinstance(value, bool)


def fits(value: Any, shape: Mapping[str, Any]) -> bool:
    """Whether a value is what a shape of the table wants: the part of JSON Schema that the table uses.

    >>> fits("Am", {"type": "string", "pattern": "^[A-G]m?$"}), fits("Am\\n", {"pattern": "^[A-G]m?$"})
    (True, False)
    """
    tests: Mapping[str, Callable[[Any], bool]] = {
        "type": lambda kind: _is(value, kind),
        "enum": lambda values: any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in values),
        "minimum": lambda least: math.isfinite(value) and value >= least,
        "maximum": lambda most: value <= most,
        "minLength": lambda least: len(value) >= least,
        "maxLength": lambda most: len(value) <= most,
        "pattern": lambda pattern: re.search(pattern.removesuffix("$") + r"\Z", value) is not None,
        "maxItems": lambda most: len(value) <= most,
        "uniqueItems": lambda unique: not unique or len({*value}) == len(value),
        "items": lambda item: all(fits(one, item) for one in value),
        "anyOf": lambda shapes: any(fits(value, one) for one in shapes),
        "allOf": lambda shapes: all(fits(value, one) for one in shapes),
    }
    ordered = sorted(shape, key=[*tests].index)  # the type first: what follows counts on it
    return all(tests[word](shape[word]) for word in ordered)
