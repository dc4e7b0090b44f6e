"""The takes of the last loops in memory, and the loops and takes on disk: what is made of loops that there are."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from loopgen.errors import AudioUnreadable, TakeGone

if TYPE_CHECKING:
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
    """The last loops with their takes, within ``TAKES`` and ``TAKE_BYTES``; others are read from below ``output``."""

    def __init__(self, output: Path) -> None:
        self._output = output
        self._kept: list[_Kept] = []

    def keep(self, job: str, variation: int, path: Path, loop: Loop) -> None:
        """Remember a loop, by the name of its file at ``path`` and its job's id."""
        if loop.take is None:
            return
        by_job = (f"{job}/{variation}", job) if variation == 1 else (f"{job}/{variation}",)
        nothing = loop.audio.samples[:0].copy()  # the take is all that is needed; a view would hold the loop's sound
        slim = replace(loop, audio=loop.audio.with_samples(nothing))
        self._kept.append(_Kept((path.name, str(path), *by_job), path, slim, loop.take.audio.samples.nbytes))
        while len(self._kept) > TAKES or sum(kept.size for kept in self._kept) > TAKE_BYTES:
            self._kept.pop(0)

    def has(self, name: str) -> bool:
        """Whether ``find`` will find this loop's take, unless its file is damaged."""
        if self._in_memory(name):
            return True
        from loopgen.library.takes import has_take

        path = self._on_disk(name)
        return path is not None and has_take(path)

    def find(self, name: str) -> Loop:
        """The loop of this name with its take, without its own audio; raises ``TakeGone`` and ``RecipeUnusable``."""
        if kept := self._in_memory(name):
            return kept.loop
        if path := self._on_disk(name):
            from loopgen.library.takes import find_take

            return find_take(path)
        raise _gone(name)

    def reread(self, name: str) -> tuple[Loop, Path]:
        """The loop of this name with its audio, from its file, which is told as well.

        Raises ``TakeGone``, ``RecipeUnusable`` and ``AudioUnreadable``.
        """
        from loopgen.audiofile import read_audio
        from loopgen.library.recall import recall
        from loopgen.library.recipes import request_of
        from loopgen.music.loop import Loop

        if kept := self._in_memory(name):
            return replace(kept.loop, audio=read_audio(kept.path)), kept.path
        if path := self._on_disk(name):
            recipe = recall(path).recipe
            return Loop(read_audio(path), request_of(recipe), {}, recipe), path
        raise _gone(name)

    def path(self, name: str) -> Path:
        """The file of the loop of this name, whether its take is kept or not; raises ``AudioUnreadable``."""
        kept = self._in_memory(name)
        if path := kept.path if kept else self._on_disk(name):
            return path
        raise AudioUnreadable(
            f"no loop {name[:80]!r} is there: give the name of a file below the output folder, or of a job that this "
            "server remembers"
        )

    def _in_memory(self, name: str) -> _Kept | None:
        return next((kept for kept in reversed(self._kept) if name in kept.names), None)

    def _on_disk(self, name: str) -> Path | None:
        """A loop's file below the output folder, by its name or path: the last that was written, of several."""
        if not name.lower().endswith((".wav", ".flac")):
            return None
        bare = re.split(r"[/\\]", name)[-1]
        if name != bare:
            places = [Path(name)]
        else:
            folders = [self._output, *(path for path in self._output.glob("*") if path.is_dir())]
            places = [folder / bare for folder in folders]
        root = os.path.realpath(self._output)
        there = [place for place in places if place.is_file() and Path(os.path.realpath(place)).is_relative_to(root)]
        return max(there, key=lambda place: place.stat().st_mtime, default=None)

    def clear(self) -> None:
        """Forget all that is in memory."""
        self._kept.clear()


def _gone(name: str) -> TakeGone:
    return TakeGone(
        f"no take of {name[:80]!r} is there: those of the last {TAKES} loops are known by their jobs as long as the "
        "engine's process lives, all that were kept by the names of their files below the output folder; generate it "
        "again with its seed (in the JSON beside the loop)"
    )
