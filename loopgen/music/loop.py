"""What passes between engine, looping and library: takes, spans and loops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from loopgen.music.audio import Audio
from loopgen.music.beats import BeatGrid, Votes
from loopgen.music.request import LoopRequest


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """Audio as an engine (or a file) gave it: more than was asked for, with lead-in and tail.

    ``grid`` is what the engine knows of its own beats, ``start`` (seconds) where its first bar begins, after the
    lead-in, where the loop has to begin with that one; ``cue`` (seconds) where a bar should begin by what the engine
    was given to go on from, which it may not have heeded; ``votes`` is what another listener says of it. ``facts`` is
    whatever else the recipe should say (engine version, licence of the weights, chords played ...), JSON values only.
    """

    audio: Audio
    engine: str
    seed: int
    grid: BeatGrid | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    start: float | None = None
    cue: float | None = None
    votes: Votes | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """Which part of a take, already on the exact grid, becomes the loop; all in samples, ``stop - start`` exact.

    ``lead_in`` samples before ``start`` are there to be faded in under the loop's tail.
    """

    start: int
    stop: int
    lead_in: int

    @property
    def frames(self) -> int:
        """Length of the loop in samples."""
        return self.stop - self.start


@dataclass(frozen=True, slots=True, eq=False)
class Loop:
    """A finished loop: exactly ``loop_frames(...)`` samples, beat 1 on the first.

    ``scores`` is what the ear would check (``loopgen.metrics.evaluate``), ``recipe`` how it was made, both JSON values
    only; ``warnings`` says in plain words what is weak. ``take`` and ``grid`` (in the take's own seconds) are absent
    where a loop was read back from a file.
    """

    audio: Audio
    request: LoopRequest
    scores: Mapping[str, Any]
    recipe: Mapping[str, Any]
    warnings: tuple[str, ...] = ()
    take: Take | None = None
    grid: BeatGrid | None = None
