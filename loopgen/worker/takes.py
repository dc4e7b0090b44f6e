"""The takes of the last loops, for another tempo."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from loopgen.errors import TakeGone
from loopgen.music.loop import Loop

TAKES, TAKE_BYTES = 32, 512 * 2**20
"""So many loops, and so much of them, keep their takes in memory."""


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    names: tuple[str, ...]
    path: Path
    loop: Loop
    size: int


class Takes:
    """The last loops with their takes, within ``TAKES`` and ``TAKE_BYTES``."""

    def __init__(self) -> None:
        self._kept: list[_Kept] = []

    def keep(self, job: str, variation: int, path: Path, loop: Loop) -> None:
        """Remember a loop, by the name of its file at ``path`` and its job's id."""
        if loop.take is None:
            return
        by_job = (f"{job}/{variation}", job) if variation == 1 else (f"{job}/{variation}",)
        nothing = loop.audio.samples[:0].copy()  # the take is all that is needed; a view would hold the loop's sound
        slim = replace(loop, audio=loop.audio.with_samples(nothing))
        self._kept.append(_Kept((path.name, *by_job), path, slim, loop.take.audio.samples.nbytes))
        while len(self._kept) > TAKES or sum(kept.size for kept in self._kept) > TAKE_BYTES:
            self._kept.pop(0)

    def find(self, name: str) -> Loop:
        """The loop of this name, without its own audio; raises ``TakeGone``."""
        return self._find(name).loop

    def reread(self, name: str) -> Loop:
        """The loop of this name with its audio, from its file; raises ``TakeGone`` and ``AudioUnreadable``."""
        from loopgen.audiofile import read_audio

        kept = self._find(name)
        return replace(kept.loop, audio=read_audio(kept.path))

    def _find(self, name: str) -> _Kept:
        for kept in reversed(self._kept):
            if name in kept.names:
                return kept
        raise TakeGone(
            f"no take of {name[:80]!r} is kept: those of the last {TAKES} loops are, as long as the engine's process "
            "lives; generate it again with its seed (in the JSON beside the loop)"
        )

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()
