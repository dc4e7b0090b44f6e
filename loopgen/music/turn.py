"""Which beat of a loop becomes beat 1: a turn, in beats, and the sample that it leads to.

A loop is a ring: turned, it holds the same samples and begins with another. A **turn** counts beats from the beat 1
that the loop was made with, whatever it was turned by since, so that turns add up without a sample's error.
"""

from __future__ import annotations

import re
from contextlib import suppress
from fractions import Fraction
from typing import Any

from loopgen.errors import InvalidRequest
from loopgen.music.beats import Rival
from loopgen.music.tempo import round_half_up

STEPS = 4
"""Of a beat, where a turn may lead: sixteenths of a quarter note."""

BEATS_MAX = 2**16
"""Beats that a loop may have at most: 256 bars of 64/1."""

_FORM = re.compile(r"[+-]?(?:[0-9]{1,12}(?:[.,][0-9]{0,12})?|[.,][0-9]{1,12}|[0-9]{1,12}/[0-9]{1,12})")


def parse_turn(text: str | float | Fraction, field: str = "beats") -> Fraction:
    """How many beats later beat 1 is to lie; less than 0: earlier.

    Raises ``InvalidRequest``, naming ``field``, for what is no number, 0, no multiple of a quarter of a beat, or beyond
    any loop.

    >>> parse_turn("1"), parse_turn("-1/4"), parse_turn("2.75"), parse_turn(0.5)
    (Fraction(1, 1), Fraction(-1, 4), Fraction(11, 4), Fraction(1, 2))
    """
    beats: Fraction | None = None
    if isinstance(text, str):
        if _FORM.fullmatch(text.strip()):
            whole, slash, parts = text.strip().replace(",", ".").partition("/")
            if not slash or int(parts):
                beats = Fraction(whole) / (int(parts) if slash else 1)
    elif isinstance(text, int | float | Fraction) and not isinstance(text, bool):
        with suppress(ValueError, OverflowError):  # not a number, or infinite
            beats = Fraction(text)
    if not beats or (beats * STEPS).denominator != 1 or abs(beats) > BEATS_MAX:
        allowed = "how many beats later beat 1 is to lie, in quarters of a beat: 1, -1 (a beat earlier), 0.5 or 1/4"
        raise InvalidRequest(field, text, allowed)
    return beats


def rival_of(grid: Any) -> Rival | None:
    """The second likeliest beat 1 that a recipe's ``grid`` names; None where it names none that there can be.

    >>> rival_of({"rival": {"beats": "1/2", "confidence": 0.35}})
    Rival(beats=Fraction(1, 2), confidence=0.35)
    >>> rival_of({"rival": {"beats": "-1", "confidence": 0.35}}), rival_of({"rival": 2}), rival_of(None)
    (None, None, None)
    """
    with suppress(InvalidRequest, TypeError, ValueError, KeyError, AttributeError, OverflowError):  # anybody's text
        said = grid["rival"]
        rival = Rival(parse_turn(said["beats"]), float(said["confidence"]))
        return rival if rival.beats > 0 and 0 <= rival.confidence <= 1 else None
    return None


def turn_frame(frames: int, beats: int, turn: Fraction) -> int:
    """The sample of a loop of ``frames`` samples and ``beats`` beats that a turn makes the first.

    It is the one on which that beat lies, ``round_half_up(k L / N)``, so that a turn by any and back is none at all.

    >>> [turn_frame(10, 4, Fraction(k)) for k in (0, 1, 3, 4, -1)], turn_frame(10, 4, Fraction(1, 2))
    ([0, 3, 8, 0, 8], 1)
    """
    return round_half_up(turn % beats * frames / beats) % frames


def later(beats: Fraction) -> str:
    """A turn in words.

    >>> [later(Fraction(k)) for k in (2, -1, Fraction(1, 2), Fraction(-1, 4), Fraction(11, 4))]
    ['2 beats later', '1 beat earlier', 'half a beat later', 'a quarter of a beat earlier', '2.75 beats later']
    """
    size = abs(beats)
    fractions = {Fraction(1, 2): "half a beat", Fraction(1, 4): "a quarter of a beat", Fraction(1): "1 beat"}
    return f"{fractions.get(size) or f'{float(size):g} beats'} {'later' if beats > 0 else 'earlier'}"


def beat_one(beats: Fraction) -> str:
    """Where beat 1 lies after a turn by less than a bar and more than nothing, in words.

    >>> beat_one(Fraction(2)), beat_one(Fraction(1, 2)), beat_one(Fraction(5, 2))
    ('beat 3', 'half a beat later', '2.5 beats later')
    """
    return f"beat {beats + 1}" if beats.denominator == 1 else later(beats)
