"""The embedded engine: a request becomes a take by synthesis alone.

``generate`` is the whole story: read the words, write the score, play it on a ring, unroll the ring into a take.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loopgen.engines.base import Progress
from loopgen.engines.sketch.chance import Chance
from loopgen.engines.sketch.compose import compose
from loopgen.engines.sketch.instruments import INSTRUMENTS
from loopgen.engines.sketch.mix import render
from loopgen.engines.sketch.prompt import parse
from loopgen.engines.sketch.score import Score
from loopgen.music.audio import Audio
from loopgen.music.beats import BeatGrid
from loopgen.music.loop import Take
from loopgen.music.request import LoopRequest
from loopgen.music.tempo import bar_seconds, beat_seconds, loop_frames

NATIVE_RATES = (22_050, 96_000)
"""Rates in Hz at which the engine plays directly; others are left to the resampler of the looping steps."""

RESOLUTION = 2.0**-20
"""Samples are rounded to this step, far below hearing, so that the last bits of a platform's arithmetic do not show."""


class SketchEngine:
    """A groovebox: synthesised drums, basses, chords and leads, arranged from the words of the prompt."""

    name = "sketch"
    description = "embedded groovebox: synthesised drums, bass, chords and leads in many genres; not MusicGen"
    licence = "CC0-1.0"
    version = "1"

    def generate(self, request: LoopRequest, seed: int, *, progress: Progress | None = None) -> Take:
        """Play the request's bars, with the bar before and the bar after, in stereo.

        The music is a ring: the lead-in is its last bar, the tail its first, tails of rooms and echoes included. The
        loop is ``loop_frames(...)`` samples at the take's rate, and begins on a whole sample. Same request and seed,
        same samples.
        """
        tick = progress or (lambda share: None)
        tick(0.0)
        rate = playing_rate(request.rate)
        style = parse(request.prompt)
        score = compose(request, style, seed)
        tick(0.05)
        frames = loop_frames(request.bpm, request.bars, request.meter, rate)
        chance = Chance(seed, f"sound of {score.genre.name}: {' '.join(style.rest)}")
        ring = render(score, frames, rate, chance, tick)
        samples, first = unrolled(ring, rate * bar_seconds(request.bpm, request.meter))
        grid = BeatGrid.steady(
            first / rate, float(beat_seconds(request.bpm, request.meter)), len(samples) / rate, request.meter
        )
        start = first / rate if request.melody else None  # a groove may begin with any bar, what was given may not
        take = Take(Audio(samples, rate), self.name, seed, grid, facts(score, self), start)
        tick(1.0)
        return take


def playing_rate(rate: int) -> int:
    """The rate in Hz at which a request for ``rate`` is played.

    >>> [playing_rate(rate) for rate in (44_100, 96_000, 192_000, 176_400, 8_000, 11_025)]
    [44100, 96000, 48000, 44100, 48000, 44100]
    """
    if NATIVE_RATES[0] <= rate <= NATIVE_RATES[1]:
        return rate
    return 44_100 if rate % 11_025 == 0 else 48_000


def unrolled(ring: NDArray[np.float64], bar: Fraction) -> tuple[NDArray[np.float32], int]:
    """Turn a ring ``(2, n)`` into a take ``(frames, 2)`` with a bar (in samples) on either side.

    Returns the take and the index of the sample on which the loop begins.
    """
    lead_in = math.ceil(bar)
    frames = ring.shape[1]
    samples = np.ascontiguousarray((np.rint(ring / RESOLUTION) * RESOLUTION).astype(np.float32).T)
    if lead_in > frames:  # one bar whose length is no whole number of samples
        return samples[np.arange(-lead_in, frames + lead_in) % frames], lead_in
    return np.concatenate([samples[frames - lead_in :], samples, samples[:lead_in]]), lead_in


def facts(score: Score, engine: SketchEngine) -> dict[str, Any]:
    """What the recipe says about how the take was made; JSON values only."""
    playing = {part: INSTRUMENTS[score.instruments[part]].label for part in score.notes}
    lanes = sorted({hit.lane for hit in score.hits})
    if lanes:
        playing["drums"] = f"{score.kit} kit: {', '.join(lanes)}"
    return {
        "kind": "synthesis",
        "note": "synthesised by loopgen's embedded sketch engine; no neural model, not MusicGen",
        "licence": engine.licence,
        "version": engine.version,
        "genre": score.genre.name,
        "genre_named": score.style.genre is not None,
        "key": str(score.key),
        "chords": [{"quarter": round(h.start, 6), "chord": str(h.chord)} for h in score.harmony],
        "swing": round(score.swing.ratio, 3),
        "pulse_quarters": round(score.pulse, 6),
        "instruments": dict(sorted(playing.items())),
        "words_used": list(score.style.understood),
        "words_unused": list(score.style.rest),
    }
