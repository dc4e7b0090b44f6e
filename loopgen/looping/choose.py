"""Of several places and fades, the seam that the ear hears least."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from loopgen.looping.seam import Fade, ends, seam
from loopgen.looping.stretch import Gridded
from loopgen.metrics.seam import Bound, SeamJudge, SeamScores
from loopgen.music.audio import Audio
from loopgen.music.loop import Span
from loopgen.music.tempo import Meter, check_bars, round_half_up

FADE_MS = (5.0, 15.0, 30.0, 60.0, 120.0, 240.0)
"""Lengths of fade that are tried, in milliseconds."""

SPLICE = Bound(natural=0.5, accept=1.0, reject=1.3)
"""Bound of ``SeamJudge.splice``: a seam can pass all six metrics at the wrap and still be heard within its fade."""

_PLACES = 4
_GOOD_ENOUGH = 0.6
_PREFERENCE = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class Seamed:
    """A loop of exactly the length asked for, and where it comes from.

    ``pieces`` is how often the span is played (the last time perhaps in part), ``reason`` why it is more than once or
    what else is weak, in plain words, "" if nothing is.
    """

    audio: Audio
    span: Span
    fade: Fade
    scores: SeamScores
    pieces: int
    reason: str


def best_seam(gridded: Gridded, spans: Sequence[Span], bars: int, meter: Meter) -> Seamed:
    """Try the first few of ``spans`` (as ``cut`` orders them) with several fades; a shorter span is repeated."""
    total = check_bars(bars) * meter.beats
    frames = round_half_up(total * gridded.beat_frames)
    best: tuple[float, Span, Fade, SeamScores] | None = None
    for place, span in enumerate(spans[:_PLACES]):
        span_bars, span_meter = _count(gridded, span, meter)
        judge = SeamJudge(seam(gridded.audio, span, 0), span_bars, span_meter)
        for fade in fades(gridded, span):
            tail, head = ends(gridded.audio, span, fade)
            scores = judge.judge(tail, head)
            cost = max(scores.cost, SPLICE.strain(judge.splice(tail, head))) + _PREFERENCE * place
            if best is None or cost < best[0]:
                best = cost, span, fade, scores
        if best is not None and best[0] < _GOOD_ENOUGH:
            break
    if best is None:
        raise ValueError("there is no span to make a loop of")
    _, span, fade, scores = best
    audio = repeat(gridded, span, fade, frames)
    return Seamed(audio, span, fade, scores, -(-frames // span.frames), "")


def fades(gridded: Gridded, span: Span) -> Iterator[Fade]:
    """The fades that the take has music for."""
    yield Fade(0)
    before = span.start - max(0, gridded.valid[0])
    after = gridded.valid[1] - span.stop
    longest = span.frames // 4
    for ms in FADE_MS:
        length = round(ms * gridded.audio.rate / 1000)
        hold = max(0, -after)
        if length + hold <= min(before, longest):
            yield Fade(length, "lead-in", hold)
        hold = max(0, -before)
        if length + hold <= min(after, longest):
            yield Fade(length, "ring-out", hold)


def repeat(gridded: Gridded, span: Span, fade: Fade, frames: int) -> Audio:
    """A span played again and again for ``frames`` samples, each time seamed, each time starting on its exact beat."""
    beats = max(1, round(span.frames / gridded.beat_frames))
    exact = beats * gridded.beat_frames if span.frames < frames else Fraction(frames)
    out: list[NDArray[np.float32]] = []
    place = 0
    while place < frames:
        stop = min(round_half_up((len(out) + 1) * exact), frames)
        piece = Span(span.start, span.start + stop - place, span.lead_in)
        out.append(seam(gridded.audio, piece, fade).samples)
        place = stop
    return gridded.audio.with_samples(np.concatenate(out))


def _count(gridded: Gridded, span: Span, meter: Meter) -> tuple[int, Meter]:
    """Bars and meter of a span; one of less than a bar is a bar of its own."""
    beats = max(1, round(span.frames / gridded.beat_frames))
    if beats % meter.beats == 0:
        return beats // meter.beats, meter
    return 1, Meter(min(beats, 64), 4)
