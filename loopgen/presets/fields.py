"""What a preset's file may hold, in one table: the reader and the JSON Schema both derive from it.

The file is flat, its keys are those of an order::

    #:schema ./preset.schema.json
    version = 2
    description = "Warm rhodes over a soft four on the floor"
    tags = ["house", "warm"]
    prompt = "warm deep house groove, rhodes chords, round bass"
    bpm = "122"
    key = "set"         # the session's or the DAW's
    chords = "Fm9 Db Ab Eb"
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from loopgen.music.chords import BARS_MAX as CHORDS_MAX
from loopgen.music.chords import CHARACTERS_MAX, INTERVALS, parse_chords
from loopgen.music.key import SCALES, Key
from loopgen.music.melody import FOLLOWS
from loopgen.music.request import FADE_MAX, STRETCHERS, TAKES_MAX, LoopRequest
from loopgen.music.sampling import PROMPT_CHARACTERS, SAMPLING_FIELDS, Sampling
from loopgen.music.tempo import BARS_RANGE, BPM_RANGE, Meter, parse_bpm

VERSION = 2
"""Of the file format. A file without the key is of version 1, which had fewer keys."""

SET_KEY = "set"
"""As a preset's ``key``: that of the session or the DAW; where there is none, the engine chooses."""

SCHEMA_FILE = "preset.schema.json"
"""Lies beside the presets, so that editors find it."""


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a preset's file.

    Attributes:
        name: the key.
        meaning: what it does, in one line.
        allowed: what may be given, in the words of an error.
        shape: the JSON Schema of its value.
        check: raises ``InvalidRequest`` for a value of the right type that cannot be used.
        is_sound: whether it is part of what is asked for, and not said about it.
    """

    name: str
    meaning: str
    allowed: str
    shape: Mapping[str, Any]
    check: Callable[[Any], object] = lambda value: None
    is_sound: bool = True


def _any_case(word: str) -> str:
    """A pattern for a word in any case: ECMA's patterns, which a schema has, know no flag for it."""
    return "".join(f"[{c.upper()}{c}]" if c.isalpha() else c for c in word)


def _numbers(lowest: int, highest: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": lowest, "maximum": highest}


def _line(longest: int) -> dict[str, Any]:
    return {"type": "string", "maxLength": longest, "pattern": r"^[^\x00-\x1f]*$"}


def _request(name: str) -> Callable[[Any], object]:
    return lambda value: LoopRequest(**{"prompt": "x", "bpm": 120, name: value})


def _drawn(name: str) -> Callable[[Any], object]:
    return lambda value: Sampling(**{name: value})


_DECIMAL = (
    r"^\s*\+?0*(?:(?:[2-9][0-9]|[1-8][0-9][0-9]|9[0-8][0-9]|99[0-8])(?:[.,][0-9]*)?|999(?:[.,]0*)?)"
    r"(?:\s*[Bb][Pp][Mm])?\s*$"
)
_RATIO = r"^\s*[0-9]+/[0-9]*[1-9][0-9]*(?:\s*[Bb][Pp][Mm])?\s*$"
_METER = r"^\s*0*(?:[1-9]|[1-5][0-9]|6[0-4])\s*/\s*0*(?:1|2|4|8|16)\s*$"
_MODES = "|".join(_any_case(word) for word in (*SCALES, "maj", "min", "aeolian", "ionian", "m"))
_KEY = (
    rf"^(?:set|\s*[A-Ga-g](?:\s*-?\s*(?:{_any_case('sharp')}|{_any_case('flat')})|[#♯b♭])?"
    rf"(?:\s*-?\s*(?:{_MODES}))?\s*)$"
)
_CHORD = (
    (
        r"[A-Ga-g][#♯b♭]?(?:" + "|".join(re.escape(word) for word in sorted(INTERVALS, key=len, reverse=True)) + r")"
        r"(?:/[A-Ga-g][#♯b♭]?)?"
    )
    .replace(r"\-", "-")
    .replace(r"\#", "#")
)
_SILENT = r"(?:[Nn]\.?[Cc]\.|[Nn]\.?[Cc]|[Rr])"
_APART = r"[\s,|]"
_CHORDS = (
    rf"^{_APART}*(?:{_SILENT}(?:{_APART}+(?:{_SILENT}|%))*{_APART}+)?{_CHORD}"
    rf"(?:{_APART}+(?:{_SILENT}|%|{_CHORD}))*{_APART}*$"
)
_FEW_CHORDS = rf"^{_APART}*[^\s,|]+(?:{_APART}+[^\s,|]+){{0,{CHORDS_MAX - 1}}}{_APART}*$"
_TAG = r"^[^\x00-\x20,](?:[^\x00-\x1f,]{0,30}[^\x00-\x20,])?$"

_TABLE = (
    Field("version", "of the file format; a file without it is of the first", f"1 to {VERSION}",
          {"type": "integer", "enum": [*range(1, VERSION + 1)]}, is_sound=False),
    Field("description", "what it is, for a list", "text", {"type": "string", "maxLength": 4000}, is_sound=False),
    Field("tags", "words to find it by", 'words like ["house", "warm"], each once, of at most 32 characters, no comma',
          {"type": "array", "maxItems": 32, "uniqueItems": True, "items": {"type": "string", "pattern": _TAG}},
          is_sound=False),
    Field("licence", "what the preset itself may be passed on under", "one line of at most 200 characters",
          _line(200), is_sound=False),
    Field("prompt", "what it should sound like; may name tempo, key and meter",
          f"one line of at most {PROMPT_CHARACTERS} characters",
          {"type": "string", "minLength": 1, "maxLength": PROMPT_CHARACTERS,
           "pattern": r"^ *[^\x00-\x20][^\x00-\x1f]*$"}, _request("prompt")),
    Field("bpm", "quarter notes a minute; text is kept exactly", "a tempo from 20 to 999 BPM, like 127.9",
          {"anyOf": [{"type": "number", "minimum": BPM_RANGE[0], "maximum": BPM_RANGE[1]},
                     {"type": "string", "maxLength": 24, "pattern": _DECIMAL},
                     {"type": "string", "maxLength": 64, "pattern": _RATIO}]}, parse_bpm),
    Field("bars", "how many", "a whole number from 1 to 256", _numbers(*BARS_RANGE), _request("bars")),
    Field("meter", "like 3/4", "a meter like 4/4, 3/4, 6/8 or 7/8", {"type": "string", "pattern": _METER}, Meter.parse),
    Field("key", f'like F minor; "{SET_KEY}": that of the session or the DAW, where there is one',
          f'a key like Am, F# minor, Bb or D dorian, or "{SET_KEY}"', {"type": "string", "pattern": _KEY},
          lambda value: None if value == SET_KEY else Key.parse(value)),
    Field("chords", "chord symbols, one a bar, where an order brings no melody and no chords", "chords like 'Am F C G'",
          {"type": "string", "maxLength": CHARACTERS_MAX,
           "allOf": [{"pattern": _CHORDS}, {"pattern": _FEW_CHORDS}]}, parse_chords),
    Field("follow", "of a melody that is given: the melody itself, its chords only, or nothing of it",
          f"one of {', '.join(FOLLOWS)}", {"type": "string", "enum": [*FOLLOWS]}),
    Field("engine", "an engine of `loopgen engines`, or auto", "an engine of `loopgen engines`, or auto",
          {"type": "string", "pattern": r"^[A-Za-z0-9_.-]{1,64}(?::[^\x00-\x1f]{1,4096})?$"}),
    Field("takes", "made at once by an engine that can; the best become the loops; 0: as many as it thinks right",
          f"a whole number from 0 to {TAKES_MAX}", _numbers(0, TAKES_MAX), _request("takes")),
    Field("temperature", "how freely tokens are drawn", "a number from 0 to 10",
          {"type": "number", "minimum": 0, "maximum": 10}, _drawn("temperature")),
    Field("top_k", "tokens are drawn from so many of the likeliest; 0: from all", "a whole number from 0 to 2048",
          _numbers(0, 2048), _drawn("top_k")),
    Field("top_p", "tokens are drawn from the likeliest of this probability; 0: top_k counts", "a number from 0 to 1",
          {"type": "number", "minimum": 0, "maximum": 1}, _drawn("top_p")),
    Field("guidance", "how closely the prompt is kept to", "a number from 0 to 20",
          {"type": "number", "minimum": 0, "maximum": 20}, _drawn("guidance")),
    Field("negative", "what it should not sound like (experimental)",
          f"one line of at most {PROMPT_CHARACTERS} characters", _line(PROMPT_CHARACTERS), _drawn("negative")),
    Field("count_in", "whether a bar of clicks is played to the model first", "true or false", {"type": "boolean"},
          _drawn("count_in")),
    Field("stretcher", "how a take is brought onto the tempo where it has another", f"one of {', '.join(STRETCHERS)}",
          {"type": "string", "enum": [*STRETCHERS]}),
    Field("longest_fade", "of the seam, in milliseconds; 0: a plain cut", f"a number from 0 to {FADE_MAX:g}",
          {"type": "number", "minimum": 0, "maximum": FADE_MAX}, _request("longest_fade")),
)  # fmt: skip

KEYS: Mapping[str, Field] = MappingProxyType({field.name: field for field in _TABLE})
"""Every key of a preset's file, in the order in which files have them."""

FIELDS: Mapping[str, Field] = MappingProxyType({name: field for name, field in KEYS.items() if field.is_sound})
"""Those that an order may override."""

if missing := set(SAMPLING_FIELDS) - set(FIELDS):  # a new way to draw belongs in every preset
    raise AssertionError(f"presets lack {missing}")


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a preset's file: what it takes the reader takes, and the other way round.

    Two things it cannot say, and the reader does: that a tempo given as a ratio lies within 20 to 999, and that a loop
    lasts at most ten minutes.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A preset of loopgen",
        "description": "One sound: what a request for a loop leaves open. Any field can be overridden.",
        "type": "object",
        "properties": {
            name: {"description": f"{field.meaning[0].upper()}{field.meaning[1:]}: {field.allowed}.", **field.shape}
            for name, field in KEYS.items()
        },
        "required": ["prompt"],
        "additionalProperties": False,
    }
