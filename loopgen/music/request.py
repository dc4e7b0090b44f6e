"""What a user asks for."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from loopgen.errors import InvalidRequest
from loopgen.music.audio import Audio
from loopgen.music.key import Key
from loopgen.music.melody import Melody
from loopgen.music.sampling import PROMPT_CHARACTERS, Sampling
from loopgen.music.tempo import Meter, check_bars, check_rate, parse_bpm

SEED_MAX = 2**32 - 1
VARIATIONS_MAX = 16
TAKES_MAX = 16
STRETCHERS = ("auto", "vocoder", "signalsmith", "rubberband", "resample")
"""How a take is brought onto the tempo where it has another; ``auto`` lets the take decide."""

OWN = "own"
LISTENERS = (OWN, "beat_this")
"""Who says where beats and bars of a take lie: loopgen itself, or loopgen weighing what beat_this hears."""

FADE_MAX = 240.0
"""Milliseconds of the longest crossfade that a seam is ever given."""


@dataclass(frozen=True, slots=True, eq=False)
class Opening:
    """Music that a take goes on from.

    Attributes:
        audio: whole bars on the request's exact tempo and meter; a bar ends where it ends.
        kept: so many of its last bars are the loop's first; 0: the loop begins after it.
        name: of the loop that it is from, for the recipe.
        how: whether it goes on from that loop's end (``continue``) or begins like it (``vary``), for the recipe.
        source: digest of that loop's sound (``loopgen.wav.digest``), by which it is found again.
    """

    audio: Audio
    kept: int
    name: str
    how: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class LoopRequest:
    """A loop as it was asked for; checks itself and raises ``InvalidRequest`` with field, value and range.

    ``bpm`` (quarter notes a minute) takes text, int, float or Fraction and is kept as an exact ``Fraction``;
    ``meter`` and ``key`` take text; ``rate`` is in Hz; ``seed`` is 0 to 2**32 - 1. ``takes`` is how many takes an
    engine that can is to make at once, of which the best become the loops; 0: as many as it thinks right.
    ``stretcher`` is one of ``STRETCHERS``; ``longest_fade`` is how long the seam's crossfade may be, in ms, 0 to
    ``FADE_MAX``: 0 is a plain cut. ``listener`` is one of ``LISTENERS``.

    >>> LoopRequest("dub techno", "60.23", key="Am").bpm
    Fraction(6023, 100)
    >>> LoopRequest("dub techno", 0)
    Traceback (most recent call last):
    loopgen.errors.InvalidRequest: bpm: 0 cannot be used; give a tempo from 20 to 999 BPM, like 127.9
    """

    prompt: str
    bpm: Fraction
    bars: int
    meter: Meter
    key: Key | None
    melody: Melody | None
    seed: int
    variations: int
    rate: int
    engine: str
    sampling: Sampling
    opening: Opening | None
    takes: int
    stretcher: str
    longest_fade: float
    listener: str

    def __init__(
        self,
        prompt: str,
        bpm: str | int | float | Fraction,
        bars: int = 4,
        meter: Meter | str = "4/4",
        key: Key | str | None = None,
        melody: Melody | None = None,
        seed: int = 0,
        variations: int = 1,
        rate: int = 44_100,
        engine: str = "auto",
        sampling: Sampling = Sampling(),  # noqa: B008 - frozen
        opening: Opening | None = None,
        takes: int = 0,
        stretcher: str = "auto",
        longest_fade: float = FADE_MAX,
        listener: str = OWN,
    ) -> None:
        def put(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        if not isinstance(prompt, str) or len(prompt) > PROMPT_CHARACTERS or any(ord(c) < 32 for c in prompt.strip()):
            raise InvalidRequest("prompt", prompt, f"one line of at most {PROMPT_CHARACTERS} characters")
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= SEED_MAX:
            raise InvalidRequest("seed", seed, f"a whole number from 0 to {SEED_MAX}")
        if isinstance(variations, bool) or not isinstance(variations, int) or not 1 <= variations <= VARIATIONS_MAX:
            raise InvalidRequest("variations", variations, f"a whole number from 1 to {VARIATIONS_MAX}")
        if isinstance(takes, bool) or not isinstance(takes, int) or not 0 <= takes <= TAKES_MAX:
            raise InvalidRequest("takes", takes, f"a whole number from 1 to {TAKES_MAX}, or 0 for the engine's own")
        if stretcher not in STRETCHERS:
            raise InvalidRequest("stretcher", stretcher, f"one of {', '.join(STRETCHERS)}")
        if listener not in LISTENERS:
            raise InvalidRequest("listener", listener, f"one of {', '.join(LISTENERS)}")
        is_number = isinstance(longest_fade, int | float) and not isinstance(longest_fade, bool)
        if not is_number or not 0 <= longest_fade <= FADE_MAX:
            raise InvalidRequest("longest_fade", longest_fade, f"milliseconds from 0 (a plain cut) to {FADE_MAX:g}")
        put("prompt", prompt.strip())
        put("bpm", parse_bpm(bpm))
        put("bars", check_bars(bars))
        put("meter", Meter.parse(meter))
        put("key", None if key is None else Key.parse(key))
        put("melody", melody)
        put("seed", seed)
        put("variations", variations)
        put("rate", check_rate(rate))
        put("engine", engine)
        put("sampling", sampling)
        put("opening", opening)
        put("takes", takes)
        put("stretcher", stretcher)
        put("longest_fade", float(longest_fade))
        put("listener", listener)
        minutes = self.bars * self.meter.quarters / self.bpm
        if minutes > 10:
            allowed = f"fewer bars: here they last {float(minutes):.0f} minutes, and a loop may last 10"
            raise InvalidRequest("bars", self.bars, allowed)
