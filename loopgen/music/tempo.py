"""Tempo, meter, beats, bars, seconds and samples: the only place that converts between them.

Conventions
-----------
- A **tempo** counts quarter notes a minute, in every meter, as DAWs do. It is a ``Fraction``, kept exactly as given.
- A **beat** is a quarter note, or the meter's own note where that is shorter (6/8 has six eighth-note beats a bar),
  so that every bar has a whole number of beats.
- All arithmetic is rational; a number of samples is rounded once, half up, at the very end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loopgen.errors import InvalidRequest

BPM_RANGE = (20, 999)
"""Ableton Live's range of tempos, in BPM."""

RATE_RANGE = (8_000, 192_000)
"""Sample rates in Hz."""

BARS_RANGE = (1, 256)

_DECIMAL = re.compile(r"\+?[0-9]+(?:[.,][0-9]*)?")
_RATIO = re.compile(r"[0-9]+/[0-9]+")
_DECIMAL_LENGTH, _RATIO_LENGTH = 24, 64
"""Characters that a tempo may have: every float fits the one, and every decimal fits the other as a ratio."""


def parse_bpm(value: str | float | Fraction | np.integer[Any], field: str = "bpm") -> Fraction:
    """Turn a tempo into an exact fraction of quarter notes a minute.

    A float stands for its shortest decimal form, so 127.9 is 1279/10 and not its binary neighbour.
    Text may be a decimal of up to 24 characters or a ratio of up to 64, in ASCII digits. Raises ``InvalidRequest``,
    naming ``field``, for anything that is no number within 20 to 999.

    >>> parse_bpm("60.23"), parse_bpm(127.9), parse_bpm("120 bpm"), parse_bpm("361/3")
    (Fraction(6023, 100), Fraction(1279, 10), Fraction(120, 1), Fraction(361, 3))
    """
    allowed = f"a tempo from {BPM_RANGE[0]} to {BPM_RANGE[1]} BPM, like 127.9"
    bpm: Fraction | None = None
    if isinstance(value, bool):
        pass
    elif isinstance(value, Fraction | int | np.integer):
        bpm = Fraction(value) if isinstance(value, Fraction) else Fraction(int(value))
    else:
        text = repr(float(value)) if isinstance(value, float | np.floating) else str(value)
        text = re.sub(r"\s*bpm$", "", text.strip(), flags=re.IGNORECASE)
        form, length = (_RATIO, _RATIO_LENGTH) if "/" in text else (_DECIMAL, _DECIMAL_LENGTH)
        if not form.fullmatch(text):
            pass
        elif len(text) > length:
            allowed = f"a tempo from {BPM_RANGE[0]} to {BPM_RANGE[1]} BPM in at most {length} characters, like 127.9"
        elif form is _DECIMAL:
            bpm = Fraction(text.replace(",", "."))
        else:
            numerator, denominator = map(int, text.split("/"))
            bpm = Fraction(numerator, denominator) if denominator else None
    if bpm is None or not BPM_RANGE[0] <= bpm <= BPM_RANGE[1]:
        raise InvalidRequest(field, value, allowed)
    return bpm


def format_bpm(bpm: Fraction) -> str:
    """Write a tempo as people do: exactly if it is a short decimal, else to 6 places.

    >>> format_bpm(Fraction(1279, 10)), format_bpm(Fraction(120)), format_bpm(Fraction(361, 3))
    ('127.9', '120', '120.333333')
    """
    return f"{float(bpm):.6f}".rstrip("0").rstrip(".")


def counted(number: int, noun: str) -> str:
    """A number with its noun, for people.

    >>> counted(1, "bar"), counted(2, "bar")
    ('1 bar', '2 bars')
    """
    return f"{number} {noun}" + ("" if number == 1 else "s")


def round_half_up(x: Fraction) -> int:
    """Round to the nearest integer, halves upwards.

    >>> round_half_up(Fraction(5, 2)), round_half_up(Fraction(-5, 2)), round_half_up(Fraction(7, 3))
    (3, -2, 2)
    """
    return (2 * x.numerator + x.denominator) // (2 * x.denominator)


@dataclass(frozen=True, slots=True)
class Meter:
    """A time signature n/d with n from 1 to 64 and d a power of two from 1 to 16.

    >>> Meter.parse("7/8").quarters, Meter.parse("7/8").beats, Meter.parse("2/2").beats, str(Meter())
    (Fraction(7, 2), 7, 4, '4/4')
    """

    numerator: int = 4
    denominator: int = 4

    def __post_init__(self) -> None:
        whole = isinstance(self.numerator, int) and isinstance(self.denominator, int)
        if not whole or not 1 <= self.numerator <= 64 or self.denominator not in (1, 2, 4, 8, 16):
            raise InvalidRequest(
                "meter", f"{self.numerator}/{self.denominator}", "a meter n/d, n from 1 to 64, d one of 1 2 4 8 16"
            )

    @classmethod
    def parse(cls, text: str | Meter) -> Meter:
        """Read ``"3/4"``; raises ``InvalidRequest``."""
        if isinstance(text, Meter):
            return text
        match = re.fullmatch(r"\s*([0-9]{1,3})\s*/\s*([0-9]{1,3})\s*", str(text))
        if not match:
            raise InvalidRequest("meter", text, "a meter like 4/4, 3/4, 6/8 or 7/8")
        return cls(int(match[1]), int(match[2]))

    @property
    def quarters(self) -> Fraction:
        """Quarter notes a bar."""
        return Fraction(4 * self.numerator, self.denominator)

    @property
    def beats(self) -> int:
        """Beats a bar: quarters, or the meter's own note where that is shorter."""
        return self.numerator * max(1, 4 // self.denominator)

    @property
    def beat_quarters(self) -> Fraction:
        """Length of a beat in quarter notes: 1, 1/2 or 1/4."""
        return self.quarters / self.beats

    def __str__(self) -> str:
        return f"{self.numerator}/{self.denominator}"


def beat_seconds(bpm: Fraction, meter: Meter) -> Fraction:
    """Length of one beat in seconds.

    >>> beat_seconds(Fraction(120), Meter(4, 4)), beat_seconds(Fraction(120), Meter(6, 8))
    (Fraction(1, 2), Fraction(1, 4))
    """
    return 60 * meter.beat_quarters / bpm


def bar_seconds(bpm: Fraction, meter: Meter) -> Fraction:
    """Length of one bar in seconds."""
    return 60 * meter.quarters / bpm


def loop_frames(bpm: Fraction, bars: int, meter: Meter, rate: int) -> int:
    """Length in samples of ``bars`` bars: ``round_half_up(rate * 60 * quarters / bpm)``.

    >>> [loop_frames(Fraction("60.23"), 4, Meter(), rate) for rate in (32_000, 44_100, 48_000)]
    [510045, 702906, 765067]
    """
    return round_half_up(rate * bars * bar_seconds(bpm, meter))


def beat_frames(frames: int, beats: int) -> NDArray[np.int64]:
    """Sample index of each of the ``beats`` beats of a loop of ``frames`` samples: ``round_half_up(k L / N)``.

    >>> beat_frames(10, 4).tolist()
    [0, 3, 5, 8]
    """
    k = np.arange(beats, dtype=np.int64)
    return (2 * k * frames + beats) // (2 * beats)


def check_rate(rate: int) -> int:
    """Return a sample rate in Hz; raises ``InvalidRequest`` outside 8000 to 192000."""
    if isinstance(rate, bool) or not isinstance(rate, int | np.integer) or not RATE_RANGE[0] <= rate <= RATE_RANGE[1]:
        raise InvalidRequest("rate", rate, f"a whole sample rate from {RATE_RANGE[0]} to {RATE_RANGE[1]} Hz")
    return int(rate)


def check_bars(bars: int) -> int:
    """Return a number of bars; raises ``InvalidRequest`` outside 1 to 256."""
    if isinstance(bars, bool) or not isinstance(bars, int | np.integer) or not BARS_RANGE[0] <= bars <= BARS_RANGE[1]:
        raise InvalidRequest("bars", bars, f"a whole number of bars from {BARS_RANGE[0]} to {BARS_RANGE[1]}")
    return int(bars)
