"""A take becomes a loop: the steps in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loopgen.looping.choose import Seamed, best_seam
from loopgen.looping.cut import cut, cut_at
from loopgen.looping.level import level
from loopgen.looping.stretch import Gridded, stretch
from loopgen.looping.track import track
from loopgen.metrics import BOUNDS, clipped, evaluate, failed, usable
from loopgen.music.audio import Audio
from loopgen.music.beats import BeatGrid, Rival
from loopgen.music.loop import Loop, Span, Take
from loopgen.music.request import LoopRequest
from loopgen.music.tempo import beat_frames, counted, round_half_up
from loopgen.music.turn import beat_one

UNSURE = 0.5
"""Below this confidence the user is told that the beat, or which beat is one, may be wrong."""

_BEAT_UNSURE, _BAR_UNSURE, _SEAM_HEARD = (
    "the beat is uncertain",
    "which beat is one is uncertain",
    "the seam may be heard",
)

FAR = 0.2
"""Stretching by more than this share of the length is heard on most material."""


Progress = Callable[[float, str], None]
"""Told before each step the share of the work that is done, 0 to 1, and what comes now; may raise to cancel."""


def make(
    take: Take,
    request: LoopRequest,
    *,
    source_bpm: Fraction | None = None,
    downbeat: float | None = None,
    stretcher: str = "auto",
    like: Loop | None = None,
    later: int | None = None,
    progress: Progress | None = None,
) -> Loop:
    """Make the loop that was asked for out of a take, whatever its tempo, length, rate or state.

    ``source_bpm`` (quarter notes a minute) and ``downbeat`` (seconds) are what the user knows of the take; ``like`` is
    a loop of the same take and meter, whose beats and place are used again: ``later`` by so many beats. The take is
    heard as 24 bits hold it, so that one that was kept makes the same loop. The loop is exactly
    ``loop_frames(bpm, bars, meter, rate)`` samples long; what is weak about it is said in its warnings. Its recipe
    holds the grid that was found and what each step decided.
    """
    say = progress or (lambda share, step: None)
    say(0.0, "finding the beats")
    take = replace(take, audio=take.audio.in_24_bits())
    known = like.grid if like else None
    grid = known or track(
        take.audio,
        request.bpm,
        request.meter,
        known=take.grid,
        source_bpm=source_bpm,
        downbeat=downbeat,
        cue=take.cue,
        votes=take.votes,
    )
    say(0.3, "onto the grid")
    gridded = stretch(take.audio, grid, request.bpm, request.rate, stretcher=stretcher)
    say(0.6, "choosing the bars")
    bar_lines = np.clip(np.round(grid.downbeats * take.audio.rate), 0, take.audio.frames).astype(np.int64)
    clips = clipped(take.audio, bar_lines)
    if like:
        spans = [_span_again(like, later, request, gridded)]
    else:
        spans = cut(gridded, request.bars, request.meter, clipped=clips)
    if take.start is not None and not like:  # chords, a melody and the phrase begin there: another bar would turn them
        there = int(np.argmin(np.abs(grid.beats - take.start)))
        spans = [span for span in spans if round(span.start / gridded.beat_frames) == there] or spans
    say(0.7, "closing the seam")
    closing = partial(say, 0.7, "closing the seam")
    seamed = best_seam(
        gridded, spans, request.bars, request.meter, longest_fade=request.longest_fade, checkpoint=closing
    )
    say(0.8, "setting the level")
    audio = level(seamed.audio)
    say(0.9, "judging the loop")
    judging = partial(say, 0.9, "judging the loop")
    scores = evaluate(audio, request.bpm, request.bars, request.meter, checkpoint=judging).to_dict()
    judging()
    recipe = {"grid": _describe_grid(grid, gridded, seamed), "steps": _describe_steps(gridded, seamed)}
    warnings = tuple(_weaknesses(grid, gridded, seamed, audio, request, scores, clips))
    return Loop(audio, request, scores, recipe, warnings, take, grid)


def _span_again(like: Loop, later: int | None, request: LoopRequest, gridded: Gridded) -> Span:
    """The beats that another loop of the take was made of, where they lie on this grid; or others that are asked for.

    Raises ``InvalidRequest`` where the take does not hold them.
    """
    beat, beats = like.recipe["steps"]["beat"], like.recipe["steps"]["beats"]
    before, wanted = like.request.bars * request.meter.beats, request.bars * request.meter.beats
    if later is not None or (wanted != before and not beats < min(before, wanted)):  # a short piece is played again
        origin = beat - like.recipe.get("retempo", {}).get("start", 0)
        asked = min(wanted, beats) if beats < before else wanted
        return cut_at(gridded, request.meter, beat + (later or 0), asked, origin=origin, fixed=later is not None)
    start = round_half_up(beat * gridded.beat_frames)
    frames = round_half_up(beats * gridded.beat_frames)
    return Span(start, start + frames, max(0, start - gridded.valid[0]))


def _describe_grid(grid: BeatGrid, gridded: Gridded, seamed: Seamed) -> dict[str, Any]:
    """Times are seconds in the take; ``loop_start`` is where the loop's beat 1 was played."""
    heard = grid.beats[grid.beats >= -1e-3]
    bars = grid.downbeats[grid.downbeats >= -1e-3]
    start = float(np.interp(seamed.span.start / float(gridded.beat_frames), np.arange(len(grid.beats)), grid.beats))
    return {
        "tempo": grid.bpm,
        "confidence": round(grid.confidence, 4),
        "first_beat": float(heard[0]) if len(heard) else None,
        "first_downbeat": float(bars[0]) if len(bars) else None,
        "downbeat_confidence": round(grid.downbeat_confidence, 4),
        "loop_start": start,
        "wobble_ms": round(1000 * grid.wobble, 3),
        "source": grid.source,
        "rival": _describe_rival(_rival(grid, gridded, seamed)),
    }


def _rival(grid: BeatGrid, gridded: Gridded, seamed: Seamed) -> Rival | None:
    """The likeliest other beat 1 of the loop, in beats after its own, which need not be the grid's."""
    if grid.rival is None:
        return None
    bar = grid.meter.beats
    begins = (round(seamed.span.start / gridded.beat_frames) - gridded.downbeat) % bar
    likeliest = (Rival(Fraction(0), grid.downbeat_confidence), grid.rival)
    other = next(one for one in likeliest if one.beats % bar != begins)
    return Rival((other.beats - begins) % bar, other.confidence)


def _describe_rival(rival: Rival | None) -> dict[str, Any] | None:
    """How many beats later, as text that says it exactly, and how likely."""
    return {"beats": str(rival.beats), "confidence": round(rival.confidence, 4)} if rival else None


def _describe_steps(gridded: Gridded, seamed: Seamed) -> dict[str, Any]:
    """Positions are samples on the stretched take, which begins with its first beat; ``beat`` counts from there."""
    return {
        "stretcher": gridded.stretcher,
        "ratio": gridded.ratio,
        "start": seamed.span.start,
        "stop": seamed.span.stop,
        "beat": round(seamed.span.start / gridded.beat_frames),
        "beats": max(1, round(seamed.span.frames / gridded.beat_frames)),
        "fade": seamed.fade.frames,
        "fade_side": seamed.fade.side,
        "repeats": seamed.pieces,
    }


def _weaknesses(
    grid: BeatGrid,
    gridded: Gridded,
    seamed: Seamed,
    audio: Audio,
    request: LoopRequest,
    scores: Mapping[str, Any],
    clips: NDArray[np.bool_],
) -> Iterator[str]:
    """What the user should know, in plain words, the gravest first."""
    lines = np.append(beat_frames(audio.frames, request.bars), audio.frames)
    if not audio.samples.any():
        yield "the loop is silent: the take holds no sound"
        return
    if grid.confidence < UNSURE:
        other = _said("beat 1", _rival(grid, gridded, seamed), "the loop may start off the beat")
        yield f"{_BEAT_UNSURE} ({grid.confidence:.0%} sure): {other}"
    elif grid.downbeat_confidence < UNSURE:
        other = _said("it", _rival(grid, gridded, seamed), "the loop may start on another beat of the bar")
        yield f"{_BAR_UNSURE} ({grid.downbeat_confidence:.0%} sure): {other}"
    if seamed.pieces > 1:
        beats = round(seamed.span.frames / float(gridded.beat_frames))
        bars, rest = divmod(beats, request.meter.beats)
        whole = counted(bars, "bar") if not rest else counted(beats, "beat")
        yield f"the take holds only {whole} that can be used: played {seamed.pieces} times"
    if abs(gridded.ratio - 1) > FAR:
        asked = float(request.bpm)
        yield f"the take was stretched far, from {grid.bpm:.1f} to {asked:g} BPM: it may sound smeared"
    faults = [fault for fault in usable(audio, lines).faults if fault not in ("drops out", "clips")]
    bar = gridded.beat_frames * request.meter.beats
    first = round((seamed.span.start - grid.downbeat * gridded.beat_frames) / bar)
    if clips[max(0, first) : max(0, first + round(seamed.span.frames / bar))].any():
        faults.append("clips")
    if faults:
        yield f"the take has no better stretch: the loop {' and '.join(faults)}"
    yield from seam_weaknesses(scores["seam"])


def _said(what: str, rival: Rival | None, otherwise: str) -> str:
    """Where else beat 1 may be and what to do then, or what there is to say ``otherwise``."""
    if rival is None:
        return otherwise
    there = f"{beat_one(rival.beats)} ({rival.confidence:.0%})"
    return f"{what} may be {there}; `loopgen rotate LOOP --beats {float(rival.beats):g}` turns it"


def flaws(loop: Loop) -> list[str]:
    """Those of a loop's warnings that another take may well be free of.

    Which beat is one is as hard to tell in the next take: that is the listener's weakness, not the player's.
    """
    return [warning for warning in loop.warnings if not warning.startswith(_BAR_UNSURE)]


def seam_weaknesses(seam: Mapping[str, Any]) -> Iterator[str]:
    """Says which of the seam's metrics are out of bounds, and by how much."""
    values = [f"{name.replace('_', ' ')} {seam[name]:.2f} (bound {BOUNDS[name].accept:g})" for name in failed(seam)]
    if values:
        yield f"{_SEAM_HEARD}: {', '.join(values)}"


def without_doubt(warnings: Iterable[str]) -> list[str]:
    """Those of a loop's warnings that are true as well where somebody knows its beat 1."""
    return [warning for warning in warnings if not warning.startswith((_BEAT_UNSURE, _BAR_UNSURE))]


def not_of_the_seam(warnings: Iterable[str]) -> list[str]:
    """Those of a loop's warnings that do not depend on where it begins."""
    return [warning for warning in warnings if not warning.startswith(_SEAM_HEARD)]
