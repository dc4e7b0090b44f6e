"""What a Live set says of itself that a loop must fit: tempo, time signature, key."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bridge.clients.ableton.live import Answer, Live, number
from loopgen.errors import InputError
from loopgen.music.key import SCALES, TONICS, Key
from loopgen.music.tempo import Meter, parse_bpm

_QUESTIONS = ("tempo", "signature_numerator", "signature_denominator", "root_note", "scale_name", "scale_mode")
_UNTOUCHED = (0.0, "major")
"""The key of a new set."""


@dataclass(frozen=True, slots=True)
class Song:
    """``tempo`` as text, exact; ``meter`` like 7/8; ``key`` like A minor, empty where there is none to follow."""

    tempo: str
    meter: str
    key: str

    def __str__(self) -> str:
        return " ".join(part for part in (self.tempo, "BPM", self.meter, self.key) if part)

    @property
    def fields(self) -> dict[str, str]:
        """Keys and values of ``generate``."""
        return {name: value for name in ("tempo", "meter", "key") if (value := getattr(self, name))}


def read(live: Live, scale: bool | None = None) -> Song:
    """Read the set; raises ``InputError``, ``ServerUnreachable``.

    ``scale`` says whether the loop follows the set's scale. None: where Live says that its scale is on, or, as most
    versions of AbletonOSC do not tell, where it is another than that of a new set.
    """
    tempo, top, bottom, root, name, mode = live.ask(*((f"/live/song/get/{what}",) for what in _QUESTIONS))
    if None in (number(tempo), number(top), number(bottom)):
        raise InputError(f"AbletonOSC does not tell tempo and time signature ({live.trouble or 'no reason given'})")
    text = tempo_text(number(tempo) or 0.0)
    parse_bpm(text, "tempo")
    meter = Meter.parse(f"{number(top):.0f}/{number(bottom):.0f}")
    return Song(text, str(meter), _key(root, name, number(mode), scale))


def tempo_text(tempo: float) -> str:
    """The shortest decimal that an OSC float, which has 32 bits, cannot tell from this one.

    >>> tempo_text(60.22999954223633), tempo_text(120.0), tempo_text(127.95312)
    ('60.23', '120', '127.95312')
    """
    return np.format_float_positional(np.float32(tempo), trim="-")


def _key(root: Answer | None, name: Answer | None, mode: float | None, scale: bool | None) -> str:
    tonic, said = number(root), str(name[0]).lower() if name else ""
    if scale is False or tonic is None or tonic % 1 or not 0 <= tonic < len(TONICS) or said not in SCALES:
        return ""
    if scale is None and (not mode if mode is not None else (tonic, said) == _UNTOUCHED):
        return ""
    return str(Key(int(tonic), said))
