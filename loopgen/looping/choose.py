"""Of several places and fades, the seam that the ear hears least."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from loopgen.looping.extend import carry_on
from loopgen.looping.seam import Fade, ends, read, seam
from loopgen.looping.stretch import Gridded
from loopgen.metrics.seam import Bound, SeamJudge, SeamScores
from loopgen.music.audio import Audio
from loopgen.music.loop import Span
from loopgen.music.request import FADE_MAX
from loopgen.music.tempo import Meter, check_bars, round_half_up

FADE_MS = (5.0, 15.0, 30.0, 60.0, 120.0, FADE_MAX)
"""Lengths of fade that are tried, in milliseconds."""

SPLICE = Bound(natural=0.5, accept=1.0, reject=1.3)
"""Bound of ``SeamJudge.splice``: a seam can pass all six metrics at the wrap and still be heard within its fade."""

_PLACES = 4
_GOOD_ENOUGH = 0.7
_LATER_PLACE = 0.02  # of strain: the order of the places says something that the seam's metrics do not
_PREDICTED = 0.7  # of strain: what the take might have played is for want of anything that passes
_LONGER = 0.04  # of strain for each doubling: where two rhythms are blended their hits may not quite coincide
_OTHER_ATTACK = 0.05  # of strain: a ring-out lets the downbeat of another bar be heard
_PREDICTION_MS = 125.0


@dataclass(frozen=True, slots=True, eq=False)
class Seamed:
    """A loop of exactly the length asked for, and how it was made of a take.

    ``span`` is in the gridded take's samples and is played ``pieces`` times, the last perhaps in part; ``scores`` are
    those of one piece's seam; ``cost`` ranks seams (1 and below: all is within its bound).
    """

    audio: Audio
    span: Span
    fade: Fade
    scores: SeamScores
    cost: float
    pieces: int


def best_seam(
    gridded: Gridded,
    spans: Sequence[Span],
    bars: int,
    meter: Meter,
    *,
    longest_fade: float = FADE_MAX,
    checkpoint: Callable[[], None] = lambda: None,
) -> Seamed:
    """Try the first few of ``spans`` (as ``cut`` orders them) with several fades, and make the loop of the best.

    No fade is longer than ``longest_fade``, in milliseconds; where that is 0 the ends meet in a plain cut.

    The loop has exactly ``round_half_up(bars * meter.beats * gridded.beat_frames)`` samples; a span that is shorter is
    played again and again, each time seamed, each time starting on its exact beat. ``checkpoint`` is called before
    each seam that is tried, and may raise to cancel.

    Raises ``ValueError`` where there is no span.
    """
    if not spans:
        raise ValueError("there is no span to make a loop of")
    total = check_bars(bars) * meter.beats
    frames = round_half_up(total * gridded.beat_frames)
    best: Seamed | None = None
    for place, span in enumerate(spans[:_PLACES]):
        music = _Music.around(gridded, span)
        own = music.here(span)
        judge = SeamJudge(seam(music.audio, own, 0), *_count(gridded, span, meter))
        for fade, malus in _fades(music, own, longest_fade):
            checkpoint()
            tail, head = ends(music.audio, own, fade)
            scores = judge.judge(tail, head)
            cost = max(scores.cost, SPLICE.strain(judge.splice(tail, head))) + _LATER_PLACE * place + malus
            if best is None or cost < best.cost:
                best = Seamed(gridded.audio, span, fade, scores, cost, -(-total // _beats(gridded, span)))
        if best is not None and best.cost < _GOOD_ENOUGH:
            break
    assert best is not None
    return replace(best, audio=_repeated(gridded, best.span, best.fade, frames))


@dataclass(frozen=True, slots=True, eq=False)
class _Music:
    """A take, carried on beyond its ends by prediction; its own sound lies in ``first .. last``, moved by ``shift``."""

    audio: Audio
    first: int
    last: int
    shift: int
    reach: int

    @classmethod
    def around(cls, gridded: Gridded, span: Span) -> _Music:
        """Carry on at those ends that ``span`` comes near to."""
        rate, (first, last) = gridded.audio.rate, gridded.valid
        samples = gridded.audio.samples[first:last]
        reach = round(_PREDICTION_MS * rate / 1000)
        before = carry_on(samples[::-1], reach, rate)[::-1] if span.start - first < reach else samples[:0]
        after = carry_on(samples, reach, rate) if last - span.stop < reach else samples[:0]
        audio = gridded.audio.with_samples(np.concatenate([before, samples, after]))
        return cls(audio, len(before), len(before) + len(samples), len(before) - first, reach)

    def here(self, span: Span) -> Span:
        """The same span in these samples."""
        return Span(span.start + self.shift, span.stop + self.shift, span.lead_in)


def _fades(music: _Music, span: Span, longest: float) -> Iterator[tuple[Fade, float]]:
    """Fades that fit the span, with what each costs beforehand."""
    yield Fade(0), 0.0
    before, after = span.start - music.first, music.last - span.stop
    struck = _rises(music.audio, span)  # prediction against time would make an attack swell up to itself
    for ms in (*(ms for ms in FADE_MS if ms < longest), *([longest] if longest else [])):
        length = round(ms * music.audio.rate / 1000)
        lead_in = Fade(length, "lead-in", max(0, -after)), before
        ring_out = Fade(length, "ring-out", max(0, -before)), after
        for fade, there in (lead_in, ring_out):
            malus = _LONGER * max(0.0, np.log2(ms / FADE_MS[0])) + (_OTHER_ATTACK if fade.side == "ring-out" else 0.0)
            if fade.reach > span.frames // 4:
                continue
            if fade.reach <= there:
                yield fade, malus
            elif fade.reach <= max(there, 0) + music.reach and not (fade.side == "lead-in" and struck):
                yield fade, malus + _PREDICTED


def _rises(audio: Audio, span: Span) -> bool:
    """Whether the loop starts with an attack: twice as loud as it ends, over 20 ms each."""
    short = min(round(0.02 * audio.rate), span.frames)
    first, last = read(audio, span.start, span.start + short), read(audio, span.stop - short, span.stop)
    return float(np.mean(first**2)) > 4 * float(np.mean(last**2))


def _repeated(gridded: Gridded, span: Span, fade: Fade, frames: int) -> Audio:
    beats = _beats(gridded, span)
    exact = beats * gridded.beat_frames if span.frames < frames else Fraction(frames)
    music = _Music.around(gridded, span)
    own = music.here(span)
    out: list[NDArray[np.float32]] = []
    place = 0
    while place < frames:
        stop = min(round_half_up((len(out) + 1) * exact), frames)
        out.append(seam(music.audio, Span(own.start, own.start + stop - place, own.lead_in), fade).samples)
        place = stop
    return gridded.audio.with_samples(np.concatenate(out))


def _beats(gridded: Gridded, span: Span) -> int:
    return max(1, round(span.frames / gridded.beat_frames))


def _count(gridded: Gridded, span: Span, meter: Meter) -> tuple[int, Meter]:
    """Bars and meter of a span; one of less than a bar is a bar of its own."""
    beats = _beats(gridded, span)
    if beats % meter.beats == 0:
        return beats // meter.beats, meter
    return 1, Meter(min(beats, 64), 4)
