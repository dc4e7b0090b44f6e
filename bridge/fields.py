"""The values that `generate` takes and the session keeps: how each is read off the wire, and how it is shown again."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any, TypeGuard
from unicodedata import category

from bridge.wire import Value
from loopgen.errors import InvalidRequest
from loopgen.music.chords import parse_chords
from loopgen.music.key import Key
from loopgen.music.melody import FOLLOWS
from loopgen.music.names import check_name
from loopgen.music.request import FADE_MAX, SEED_MAX, STRETCHERS, TAKES_MAX, VARIATIONS_MAX
from loopgen.music.sampling import PROMPT_CHARACTERS
from loopgen.music.tempo import BARS_RANGE, RATE_RANGE, Meter, format_bpm, parse_bpm
from loopgen.music.turn import parse_turn


@dataclass(frozen=True, slots=True)
class Field:
    """One value by name. ``tag`` is its OSC type in answers, ``session`` whether clients share it."""

    name: str
    allowed: str
    read: Callable[[Value], Any]
    tag: str = "s"
    session: bool = True

    def show(self, value: Any) -> Value:
        """A value as it goes over the wire; empty text where there is none."""
        if value is None:
            return ""
        if isinstance(value, Fraction):
            return exact(value)
        shown: Value = {"i": int, "f": float, "s": str}[self.tag](value)
        return shown


def exact(bpm: Fraction) -> str:
    """A tempo as text that gives back the very same tempo.

    >>> exact(Fraction(6023, 100)), exact(Fraction(361, 3))
    ('60.23', '361/3')
    """
    shown = format_bpm(bpm)
    return shown if parse_bpm(shown) == bpm else str(bpm)


_BREAKS = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories of control characters, surrogates, line and paragraph separators."""


def text(name: str, value: Value, longest: int) -> str:
    """Text of one line; raises ``InvalidRequest``. Whole numbers are taken as their digits."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    shown = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None
    if shown is None or len(shown) > longest or any(category(c) in _BREAKS for c in shown):
        raise InvalidRequest(name, value, f"one line of text, at most {longest} characters")
    return shown


def whole(name: str, value: Value, low: int, high: int) -> int:
    """A whole number, sent as int, float or digits; raises ``InvalidRequest``.

    >>> whole("bars", 4.0, 1, 256), whole("bars", "8", 1, 256)
    (4, 8)
    """
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 12:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InvalidRequest(name, value, f"a whole number from {low} to {high}")
    return value


def number(name: str, value: Value, low: float, high: float) -> float:
    """A number, sent as int or float; raises ``InvalidRequest``."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InvalidRequest(name, value, f"a number from {low} to {high}")
    return float(value)


def read_tempo(value: Value) -> Fraction:
    """A tempo: text is kept exactly, a number is rounded to 0.001 BPM, for OSC floats have 24 bits.

    >>> import struct
    >>> read_tempo("60.23"), read_tempo(struct.unpack("f", struct.pack("f", 127.9))[0])
    (Fraction(6023, 100), Fraction(1279, 10))
    """
    if isinstance(value, float):
        value = round(value, 3)
    return parse_bpm(value if isinstance(value, str | int | float) else str(value), "tempo")


def read_turn(name: str, value: Value) -> Fraction:
    """How many beats later beat 1 is to be, in quarters of a beat; raises ``InvalidRequest``.

    >>> read_turn("beats", -1.0), read_turn("beats", "1/2")
    (Fraction(-1, 1), Fraction(1, 2))
    """
    return parse_turn("nothing" if value is None else value, name)


def _whole(name: str, low: int, high: int) -> Callable[[Value], int]:
    return lambda value: whole(name, value, low, high)


def _switch(name: str) -> Callable[[Value | bool], bool]:
    """1 or 0 from the wire; a preset has true or false."""
    return lambda value: value if isinstance(value, bool) else whole(name, value, 0, 1) == 1


def _number(name: str, high: float) -> Callable[[Value], float]:
    return lambda value: number(name, float(value) if _is_decimal(value) else value, 0, high)


def _is_decimal(value: Value) -> TypeGuard[str]:
    return isinstance(value, str) and re.fullmatch(r"[0-9]{1,6}(\.[0-9]{0,9})?|\.[0-9]{1,9}", value) is not None


def _text(name: str, longest: int) -> Callable[[Value], str]:
    return lambda value: text(name, value, longest)


def _one_of(name: str, known: Sequence[str]) -> Callable[[Value], str]:
    def read(value: Value) -> str:
        if value not in known:
            raise InvalidRequest(name, value, f"one of {', '.join(known)}")
        return str(value)

    return read


def _name(name: str) -> Callable[[Value], str]:
    return lambda value: check_name(name, text(name, value, 64))


def _chords(value: Value) -> str:
    given = text("chords", value, 256)
    parse_chords(given)
    return given


FIELDS = (
    Field(
        "prompt", f"what it should sound like, up to {PROMPT_CHARACTERS} characters", _text("prompt", PROMPT_CHARACTERS)
    ),
    Field("tempo", "20 to 999 quarter notes a minute; text is kept exactly, a number rounded to 0.001", read_tempo),
    Field("bars", f"{BARS_RANGE[0]} to {BARS_RANGE[1]}", _whole("bars", *BARS_RANGE), "i"),
    Field("meter", "like 4/4, 6/8 or 7/8", lambda value: str(Meter.parse(text("meter", value, 8)))),
    Field("key", "like Am, F# minor or D dorian", lambda value: str(Key.parse(text("key", value, 32)))),
    Field("preset", "a preset's name", _name("preset")),
    Field("engine", "an engine's name, or auto; musicgen:NAME plays by a model of that name", _text("engine", 128)),
    Field("variations", f"1 to {VARIATIONS_MAX} loops", _whole("variations", 1, VARIATIONS_MAX), "i"),
    Field("rate", f"{RATE_RANGE[0]} to {RATE_RANGE[1]} Hz", _whole("rate", *RATE_RANGE), "i"),
    Field("folder", "name of a folder below the output root", _name("folder")),
    Field(
        "takes",
        f"made at once by an engine that can, 1 to {TAKES_MAX}; the best become the loops",
        _whole("takes", 0, TAKES_MAX),
        "i",
    ),
    Field("temperature", "0 to 10: how freely tokens are drawn", _number("temperature", 10), "f"),
    Field("top_k", "0 to 2048: from so many of the likeliest", _whole("top_k", 0, 2048), "i"),
    Field("top_p", "0 to 1: from the likeliest that have this probability; 0: top_k counts", _number("top_p", 1), "f"),
    Field("guidance", "0 to 20: how closely the prompt is kept to", _number("guidance", 20), "f"),
    Field("negative", "what it should not sound like (experimental)", _text("negative", PROMPT_CHARACTERS)),
    Field("count_in", "1: a bar of clicks is played to the model first", _switch("count_in"), "i"),
    Field("follow", f"of a melody that is given: {', '.join(FOLLOWS)}", _one_of("follow", FOLLOWS)),
    Field("stretcher", f"of takes with another tempo: {', '.join(STRETCHERS)}", _one_of("stretcher", STRETCHERS)),
    Field(
        "longest_fade",
        f"of the seam, 0 to {FADE_MAX:g} milliseconds; 0: a plain cut",
        _number("longest_fade", FADE_MAX),
        "f",
    ),
    Field("preview", "1: the take so far is told while it is drawn", _switch("preview"), "i"),
    Field(
        "continue", "a loop's file name or job: the new one goes on from its end", _text("continue", 128), session=False
    ),
    Field("vary", "a loop's file name or job: the new one begins like it", _text("vary", 128), session=False),
    Field("seed", f"0 to {SEED_MAX}; random if left out", _whole("seed", 0, SEED_MAX), "i", session=False),
    Field("melody", "id of a clip that was sent before", _text("melody", 64), session=False),
    Field("chords", "like Am F C G, one a bar", _chords, session=False),
    Field("num", "the meter's numerator, for senders that have it apart", _whole("num", 1, 64), "i", session=False),
    Field("den", "its denominator", _whole("den", 1, 64), "i", session=False),
)

BEATS = Field("beats", "how much later beat 1 is to be, like 2, -1 or 1/2", partial(read_turn, "beats"))
"""Of ``loopgen send rotate``."""

BY_NAME: Mapping[str, Field] = {field.name: field for field in FIELDS}
SESSION = tuple(field for field in FIELDS if field.session)
