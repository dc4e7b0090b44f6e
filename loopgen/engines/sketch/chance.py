"""Random streams that are the same on every platform, one for each purpose.

Each stream is seeded from the take's seed and a name, so that what one part draws never changes another part.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


class Chance:
    """A family of streams below a seed and a text.

    >>> chance = Chance(7, "sea")
    >>> bool(chance.stream("bass").random() == chance.stream("bass").random() != chance.stream("lead").random())
    True
    """

    def __init__(self, seed: int, text: str) -> None:
        digest = hashlib.sha256(text.encode()).digest()
        self._root = (seed, *_words(digest[:16]))

    def stream(self, *names: str) -> np.random.Generator:
        """A fresh generator for the purpose that ``names`` spell."""
        digest = hashlib.sha256("/".join(names).encode()).digest()
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence([*self._root, *_words(digest[:16])])))

    def pick(self, options: Sequence[T], *names: str) -> T:
        """One of ``options``, from a stream of its own."""
        return options[int(self.stream(*names).random() * len(options))]


def _words(digest: bytes) -> list[int]:
    return [int.from_bytes(digest[k : k + 4], "little") for k in range(0, len(digest), 4)]
