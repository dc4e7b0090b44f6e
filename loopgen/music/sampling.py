"""How an engine that draws its music token by token is to draw it."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from loopgen.errors import InvalidRequest

PROMPT_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn; checks itself and raises ``InvalidRequest``. Engines that draw none pass it over.

    Attributes:
        temperature: of the distribution that is drawn from; 0 takes the likeliest token each time.
        top_k: only the so many likeliest tokens are drawn from; 0: all.
        top_p: only the likeliest tokens that together have this probability, 0 to 1; 0: all. Wins over ``top_k``.
        guidance: weight of the prompt (classifier-free guidance): 1 is the plain model, more keeps closer to it.
        negative: what it should not sound like; takes the place of the empty prompt that guidance leads away from.
            Experimental: no model was trained for it.
        count_in: whether a bar of clicks on the exact tempo is played to the model first; it is not in the loop.

    The defaults are audiocraft's (``MusicGen.set_generation_params``).

    >>> Sampling(temperature=-1)
    Traceback (most recent call last):
    loopgen.errors.InvalidRequest: temperature: -1 cannot be used; give a number from 0 to 10
    """

    temperature: float = 1.0
    top_k: int = 250
    top_p: float = 0.0
    guidance: float = 3.0
    negative: str = ""
    count_in: bool = False

    def __post_init__(self) -> None:
        for name, high in (("temperature", 10), ("top_p", 1), ("guidance", 20)):
            value = getattr(self, name)
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not is_number or not math.isfinite(value) or not 0 <= value <= high:
                raise InvalidRequest(name, value, f"a number from 0 to {high}")
            object.__setattr__(self, name, float(value))
        if isinstance(self.top_k, bool) or not isinstance(self.top_k, int) or not 0 <= self.top_k <= 2048:
            raise InvalidRequest("top_k", self.top_k, "a whole number from 0 to 2048")
        is_line = isinstance(self.negative, str) and all(ord(character) >= 32 for character in self.negative)
        if not is_line or len(self.negative) > PROMPT_CHARACTERS:
            raise InvalidRequest("negative", self.negative, f"one line of at most {PROMPT_CHARACTERS} characters")
        if not isinstance(self.count_in, bool):
            raise InvalidRequest("count_in", self.count_in, "true or false")


SAMPLING_FIELDS = tuple(field.name for field in fields(Sampling))
"""What can be asked for by name, in orders, presets and sessions."""
