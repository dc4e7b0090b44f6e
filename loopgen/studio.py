"""One function per intention: generate, retempo, conform, inspect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from loopgen import __version__, library, metrics
from loopgen.audiofile import read_audio
from loopgen.engines import base as engines
from loopgen.errors import InvalidRequest, TakeGone
from loopgen.looping.make import Progress, make, seam_weaknesses
from loopgen.looping.stretch import check_stretcher
from loopgen.looping.track import track
from loopgen.music.audio import Audio
from loopgen.music.loop import Loop, Take
from loopgen.music.request import LoopRequest, Opening
from loopgen.music.sampling import Sampling
from loopgen.music.tempo import BPM_RANGE, Meter, bar_seconds, check_bars, counted, format_bpm, parse_bpm, round_half_up
from loopgen.previews import PreviewFile
from loopgen.selection import select


def generate(
    request: LoopRequest,
    *,
    engine: engines.Engine | None = None,
    stretcher: str = "auto",
    progress: Progress | None = None,
    preview: PreviewFile | None = None,
) -> Iterator[Loop]:
    """Make ``request.variations`` loops, one after the other.

    A take whose loop has a weakness (a seam out of bounds, an uncertain beat, silence ...) is made again with the next
    seed (``loopgen.selection`` says how); the best is delivered, whatever it is, with its warnings. ``engine`` is taken
    instead of loading ``request.engine``; ``progress`` is told the fraction done, 0 to 1, and the stage in words, and
    may raise to cancel. ``preview`` is written while an engine that can be heard at it draws its takes.

    Raises ``EngineUnavailable``, ``InvalidRequest`` for an unknown stretcher and for an opening that the engine cannot
    go on from and, where an engine fails on every attempt, ``GenerationFailed``.
    """
    check_stretcher(stretcher)
    engine = engine or engines.load(request.engine)
    unheard = _unheard(engine, request)
    say = progress or (lambda fraction, stage: None)
    for selected in select(engine, request, stretcher=stretcher, progress=say, preview=preview):
        loop = replace(selected.loop, warnings=(*selected.loop.warnings, *unheard))
        facts = {"name": engine.name, "version": engine.version, "licence": engine.licence, **_facts(loop)}
        yield _with_recipe(loop, facts, selected.weaker)
    say(1.0, "done")


def _unheard(engine: engines.Engine, request: LoopRequest) -> list[str]:
    """What of the request the engine will pass over, in plain words; raises ``InvalidRequest`` for an opening."""
    able = engines.abilities(engine)
    if request.opening and engines.OPENING not in able:
        allowed = f"an engine that can go on from audio, like musicgen: {engine.name} cannot"
        raise InvalidRequest("opening", request.opening.name, allowed)
    unheard = []
    if request.melody and engines.MELODY not in able:
        unheard.append(f"{engine.name} follows no melody: the loop was made from the words alone")
    if engines.SAMPLING not in able:
        plain = asdict(Sampling())
        given = [name for name, value in asdict(request.sampling).items() if value != plain[name]]
        if given:
            unheard.append(f"{engine.name} draws no tokens: {', '.join(given).replace('_', '-')} passed over")
    return unheard


def retempo(loop: Loop, bpm: Fraction, *, stretcher: str = "auto", progress: Progress | None = None) -> Loop:
    """Lay the take that a loop was made of on another tempo: the same bars, starting on the same beat.

    Nothing is generated again: the sound is stretched, and a warning says so where that is far. ``bpm`` counts quarter
    notes. The recipe's ``retempo`` says which tempo the take was played at. ``progress`` as for ``generate``.

    Raises ``InvalidRequest`` for a tempo outside of 20 to 999 or an unknown stretcher, ``TakeGone`` for a loop that
    comes without its take.
    """
    check_stretcher(stretcher)
    if loop.take is None or loop.grid is None:
        raise TakeGone("the take of this loop is not kept; generate it again at the new tempo with its seed")
    request = replace(loop.request, bpm=parse_bpm(bpm))
    other = make(loop.take, request, stretcher=stretcher, like=loop, progress=progress)
    recipe = {**other.recipe, "retempo": {"from": loop.recipe.get("retempo", {}).get("from", _exact(loop.request.bpm))}}
    return _with_recipe(replace(other, recipe=recipe), loop.recipe["engine"])


OPENING_SECONDS = 10.0
"""An opening has as many whole bars as fit, and one at least: enough to take up a groove, and room for what follows."""

CONTINUE, VARY = "continue", "vary"


def opening(loop: Loop, request: LoopRequest, how: str, name: str = "") -> Opening:
    """What takes go on from: a finished loop, on the request's tempo.

    Args:
        loop: with its audio; a loop is a ring, so that its last bar leads into its first.
        request: says the tempo, to which the loop is stretched where it has another.
        how: ``"continue"``: the new loop goes on from the old one's end. ``"vary"``: it begins with the first quarter
            of the old one's bars, by half of its own at most, and goes its own way from there; of a single bar nothing
            is kept.
        name: of the old loop, for the recipe.

    Raises ``InvalidRequest`` for another ``how``, a loop that is silent or of another meter than the request.
    """
    if how not in (CONTINUE, VARY):
        raise InvalidRequest("opening", how, f"{CONTINUE!r} or {VARY!r}")
    if not loop.audio.samples.any():
        raise InvalidRequest(how, name, "a loop that is not silent")
    old, bpm, audio = loop.request, request.bpm, loop.audio
    if old.meter != request.meter:
        raise InvalidRequest("meter", str(request.meter), f"{old.meter}, as in the loop that it goes on from")
    if old.bpm != bpm:
        audio = conform(audio, replace(old, bpm=bpm, rate=audio.rate), source_bpm=old.bpm, downbeat=0.0).audio
    kept = min(max(old.bars // 4, 1), old.bars - 1, request.bars // 2) if how == VARY else 0
    fits = max(1, int(OPENING_SECONDS / float(bar_seconds(bpm, old.meter))))
    kept = min(kept, max(1, fits - 1)) if kept else 0
    lead = min(old.bars, max(1, fits - kept))
    first = round_half_up(Fraction(audio.frames * (old.bars - lead), old.bars))
    last = round_half_up(Fraction(audio.frames * kept, old.bars))
    return Opening(audio.with_samples(np.concatenate([audio.samples[first:], audio.samples[:last]])), kept, name)


def conform(
    audio: Audio,
    request: LoopRequest,
    *,
    source_bpm: Fraction | None = None,
    downbeat: float | None = None,
    stretcher: str = "auto",
) -> Loop:
    """Turn a recording into a loop; ``source_bpm`` and ``downbeat`` (seconds) are what the user knows of it.

    Raises ``InvalidRequest`` for a downbeat outside the recording or an unknown stretcher.
    """
    check_stretcher(stretcher)
    if downbeat is not None and not 0 <= downbeat <= audio.seconds:
        raise InvalidRequest("downbeat", downbeat, f"a time within the recording, 0 to {audio.seconds:.3f} seconds")
    loop = make(
        Take(audio, "conform", request.seed), request, source_bpm=source_bpm, downbeat=downbeat, stretcher=stretcher
    )
    engine = {"name": "conform", "version": __version__, "licence": "that of the recording", "kind": "recording"}
    return _with_recipe(loop, engine)


def inspect(path: Path, *, bpm: str | None = None, bars: int | None = None, meter: str | None = None) -> Loop:
    """Read a loop back and measure it.

    Tempo, bars and meter come from the arguments, else the sidecar, the file's tags or its name. What none of them
    says is measured.

    Raises ``AudioUnreadable`` and ``InvalidRequest``.
    """
    audio = read_audio(path)
    known = library.recall(path)
    used_meter = Meter.parse(meter) if meter else known.meter or Meter()
    told = bpm is not None or bars is not None
    used_bpm = parse_bpm(bpm) if bpm is not None else None if told else known.bpm
    used_bars = check_bars(bars) if bars is not None else None if told else known.bars
    warnings = []
    if used_bpm is None and used_bars is None:
        warnings.append("the file does not say its tempo: it was measured (--bpm or --bars sets it)")
        grid = track(audio, Fraction(120), used_meter)
        used_bars = round(audio.seconds / (grid.period * used_meter.beats))
    if used_bars is None and used_bpm is not None:
        used_bars = round(audio.seconds / float(bar_seconds(used_bpm, used_meter)))
    used_bars = max(1, used_bars or 1)
    if used_bpm is None:
        used_bpm = Fraction(60 * audio.rate, audio.frames) * used_bars * used_meter.quarters
        if not BPM_RANGE[0] <= used_bpm <= BPM_RANGE[1]:
            length = f"{counted(used_bars, 'bar')} in {audio.seconds:.3g} s would be {float(used_bpm):.4g} BPM"
            raise InvalidRequest("bars", used_bars, f"another number, or --bpm: {length}, outside of 20 to 999")
    request = LoopRequest(known.prompt, used_bpm, used_bars, used_meter, known.key, rate=audio.rate)
    scores = metrics.evaluate(audio, used_bpm, used_bars, used_meter).to_dict()
    if off := scores["length_error"]:
        warnings.append(f"the length is {off:+d} samples off {counted(used_bars, 'bar')} at {format_bpm(used_bpm)} BPM")
    return Loop(audio, request, scores, known.recipe, (*warnings, *seam_weaknesses(scores["seam"])))


def _with_recipe(loop: Loop, engine: Mapping[str, Any], weaker: Sequence[Loop] = ()) -> Loop:
    """Complete the recipe: what is needed to make the loop again, how good it is, and what was passed over."""
    request = loop.request
    take = loop.take
    melody = request.melody
    asked = {
        "prompt": request.prompt,
        "bpm": _exact(request.bpm),
        "bars": request.bars,
        "meter": str(request.meter),
        "key": str(request.key) if request.key else None,
        "melody": [[n.start, n.pitch, n.duration, n.velocity] for n in melody.notes] if melody else None,
        "melody_length": melody.length if melody else None,
        "melody_heard": melody.heard or None if melody else None,
        "seed": request.seed,
        "rate": request.rate,
        "engine": request.engine,
        "sampling": asdict(request.sampling),
        "takes": request.takes,
        "stretcher": request.stretcher,
        "longest_fade": request.longest_fade,
        "opening": {"loop": opened.name, "kept": opened.kept} if (opened := request.opening) else None,
    }
    recipe = {
        "loopgen": __version__,
        "request": asked,
        "engine": dict(engine),
        "key": str(key) if (key := library.loop_key(loop)) else None,
        "seed": take.seed if take else None,
        "weaker_takes": [
            {
                "seed": other.take.seed if other.take else None,
                "seam": other.scores["seam"],
                "warnings": [*other.warnings],
            }
            for other in weaker
        ],
        "take": {"rate": take.audio.rate, "frames": take.audio.frames} if take else None,
        **loop.recipe,
        "frames": loop.audio.frames,
        "scores": dict(loop.scores),
        "warnings": list(loop.warnings),
    }
    return replace(loop, recipe=recipe)


def _exact(bpm: Fraction) -> str:
    """A tempo as text that says it exactly."""
    return text if parse_bpm(text := format_bpm(bpm)) == bpm else str(bpm)


def _facts(loop: Loop) -> Mapping[str, Any]:
    return loop.take.facts if loop.take else {}
