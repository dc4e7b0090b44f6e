"""One function per intention: generate, retempo, conform, inspect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from fractions import Fraction
from functools import partial
from math import floor
from pathlib import Path
from typing import Any

import numpy as np

from loopgen import __version__, library, metrics
from loopgen.audiofile import read_audio
from loopgen.engines import base as engines
from loopgen.errors import InvalidRequest, TakeGone
from loopgen.library import recipes
from loopgen.looping.make import Progress, make, seam_weaknesses
from loopgen.looping.stretch import check_stretcher
from loopgen.looping.track import track
from loopgen.looping.turn import turn_of, turned
from loopgen.music.audio import Audio
from loopgen.music.loop import Loop, Take
from loopgen.music.request import LoopRequest, Opening
from loopgen.music.sampling import Sampling
from loopgen.music.tempo import BPM_RANGE, Meter, bar_seconds, check_bars, counted, format_bpm, parse_bpm, round_half_up
from loopgen.previews import PreviewFile
from loopgen.selection import listened_to, select
from loopgen.wav import digest


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

    Raises ``EngineUnavailable``, for the listener too, ``InvalidRequest`` for an unknown stretcher and for an opening
    that the engine cannot go on from and, where an engine fails on every attempt, ``GenerationFailed``.
    """
    request = _stretched_by(stretcher, request)
    engines.listener(request.listener)  # known before the work
    engine = engine or engines.load(request.engine)
    unheard = _unheard(engine, request)
    say = progress or (lambda fraction, stage: None)
    for selected in select(engine, request, stretcher=request.stretcher, progress=say, preview=preview):
        yield _delivered(selected.loop, engine, unheard, selected.weaker)
    say(1.0, "done")


def generate_again(
    request: LoopRequest, seed: int, *, engine: engines.Engine, progress: Progress | None = None
) -> Loop:
    """The loop of the take that ``seed`` makes, whatever its weaknesses: none is made in its stead.

    Raises as ``generate`` does, and whatever the engine raises.
    """
    unheard = _unheard(engine, _stretched_by("auto", request))
    say = progress or (lambda fraction, stage: None)
    take = engine.generate(request, seed, progress=lambda share: say(_PLAYING * share, "playing"))
    making: Progress = lambda share, stage: say(_PLAYING + (1 - _PLAYING) * share, stage)  # noqa: E731
    loop = make(listened_to(take, request), request, stretcher=request.stretcher, progress=making)
    return _delivered(loop, engine, unheard)


_PLAYING = 0.7
"""Share of the work on one loop that is the engine's."""


def _delivered(loop: Loop, engine: engines.Engine, unheard: Sequence[str], weaker: Sequence[Loop] = ()) -> Loop:
    facts = {"name": engine.name, "version": engine.version, "licence": engine.licence, **_facts(loop)}
    return _with_recipe(replace(loop, warnings=(*loop.warnings, *unheard)), facts, weaker)


def _stretched_by(stretcher: str, request: LoopRequest) -> LoopRequest:
    """The request with the stretcher that counts, its own unless another is named; raises as ``check_stretcher``."""
    check_stretcher(stretcher)
    check_stretcher(request.stretcher)
    return request if stretcher == "auto" else replace(request, stretcher=stretcher)


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


def retempo(
    loop: Loop,
    bpm: Fraction | None = None,
    *,
    bars: int | None = None,
    start: int | None = None,
    stretcher: str = "auto",
    progress: Progress | None = None,
) -> Loop:
    """Lay the take that a loop was made of on another tempo, with another number of bars, or from another beat.

    Nothing is generated again: the sound is stretched, and a warning says so where that is far; always the take's,
    however many tempos it was laid on before. ``bpm`` counts quarter notes. ``start`` is the beat of the take that
    becomes beat 1, 0 being the one with which the take's first loop began; it may be negative. What is not given is as
    in ``loop``; more bars than the take holds from there begin as many bars earlier as they have to. A loop that was
    turned (``loopgen.rotate``) stays so: with other bars it begins on its beat 1 in the take; a ``start`` that is given
    is beat 1 instead, but for the part of a beat by which the loop was turned. The recipe's ``retempo`` says how the
    first loop was. ``progress`` as for ``generate``.

    Raises ``InvalidRequest`` for a tempo outside of 20 to 999, an unknown stretcher, and bars or a start that the take
    does not hold; ``TakeGone`` for a loop that comes without its take.
    """
    if loop.take is None or loop.grid is None:
        raise TakeGone("the take of this loop is not kept; generate it again at the new tempo with its seed")
    old, steps = loop.request, loop.recipe["steps"]
    request = _stretched_by(stretcher, replace(old, bpm=parse_bpm(bpm or old.bpm), bars=check_bars(bars or old.bars)))
    first = loop.recipe.get("retempo") or {
        "from": recipes.exact(old.bpm),
        "bars": old.bars,
        "beats": steps["beats"],
        "start": 0,
        "stretcher": old.stretcher,
    }
    later = None if start is None else start - first["start"]
    turn = turn_of(loop.recipe)
    place, rest = 0, turn
    if turn is not None:
        place, rest = (0, turn % 1) if later is not None else _beat_one(turn, loop, request)
    lay = partial(make, loop.take, request, stretcher=request.stretcher, later=later, progress=progress)
    try:
        other = lay(like=_moved(loop, place))
    except InvalidRequest:
        if not place:
            raise
        other, rest = lay(like=loop), turn  # the take is too short to begin there: the same bars, turned
    begins = first["start"] + other.recipe["steps"]["beat"] - steps["beat"]
    kept = {name: loop.recipe[name] for name in ("conform",) if name in loop.recipe}
    take = {"rate": loop.take.audio.rate, "frames": loop.take.audio.frames, **(loop.recipe.get("take") or {})}
    other = replace(other, recipe={**other.recipe, **kept, "take": take, "retempo": {**first, "start": begins}})
    made = _with_recipe(other, loop.recipe["engine"])
    asked = {**made.recipe["request"], "opening": loop.recipe["request"].get("opening")}
    made = replace(made, recipe={**made.recipe, "request": asked})
    return made if rest is None else turned(made, rest)


def _beat_one(turn: Fraction, loop: Loop, request: LoopRequest) -> tuple[int, Fraction]:
    """Where the take's beat lies on which other bars of a turned loop begin, and what of the turn is left then.

    The beat is counted from the one that the loop was made from. A loop of as many bars has the same bars, turned; so
    has one of a short piece that is played again and again. A beat of the ring lies in the take before its end, or
    after its beginning as if it went on: where more of what is heard first is the loop's own is taken.
    """
    before, wanted = loop.request.bars * request.meter.beats, request.bars * request.meter.beats
    ring = min(loop.recipe["steps"]["beats"], before)
    if wanted == before or ring < min(before, wanted):
        return 0, turn
    place = turn % ring
    if place > ring - Fraction(min(wanted, ring), 2):
        place -= ring
    return floor(place), place % 1


def _moved(loop: Loop, beats: int) -> Loop:
    """A loop that says to begin so many beats later in its take."""
    steps, again = loop.recipe["steps"], loop.recipe.get("retempo")
    moved = {"steps": {**steps, "beat": steps["beat"] + beats}}
    moved |= {"retempo": {**(again or {}), "start": (again or {}).get("start", 0) + beats}}
    return replace(loop, recipe={**loop.recipe, **moved})


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
    source = digest(audio)
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
    return Opening(
        audio.with_samples(np.concatenate([audio.samples[first:], audio.samples[:last]])), kept, name, how, source
    )


def conform(
    audio: Audio,
    request: LoopRequest,
    *,
    source_bpm: Fraction | None = None,
    downbeat: float | None = None,
    stretcher: str = "auto",
    progress: Progress | None = None,
) -> Loop:
    """Turn a recording into a loop; ``source_bpm`` and ``downbeat`` (seconds) are what the user knows of it.

    Raises ``InvalidRequest`` for a downbeat outside the recording or an unknown stretcher, and ``EngineUnavailable``
    for the request's listener.
    """
    request = _stretched_by(stretcher, request)
    if downbeat is not None and not 0 <= downbeat <= audio.seconds:
        raise InvalidRequest("downbeat", downbeat, f"a time within the recording, 0 to {audio.seconds:.3f} seconds")
    take = listened_to(Take(audio, "conform", request.seed), request, downbeat)
    loop = make(take, request, source_bpm=source_bpm, downbeat=downbeat, stretcher=request.stretcher, progress=progress)
    engine = {"name": "conform", "version": __version__, "licence": "that of the recording", "kind": "recording"}
    known = {"source_bpm": recipes.exact(source_bpm) if source_bpm else None, "downbeat": downbeat}
    return _with_recipe(replace(loop, recipe={**loop.recipe, "conform": known}), engine)


def from_take(loop: Loop, request: LoopRequest, *, progress: Progress | None = None) -> Loop:
    """Make a loop of a kept take as if it had just been played, or recorded: the beats are found anew.

    ``loop`` is any loop of the take, with it. Raises as ``conform`` does, and ``TakeGone`` for one without its take.
    """
    if loop.take is None:
        raise TakeGone("the take of this loop is not kept")
    known = loop.recipe.get("conform")
    said = known or {}
    made = make(
        listened_to(loop.take, request, said.get("downbeat")),
        _stretched_by("auto", request),
        source_bpm=parse_bpm(said["source_bpm"]) if said.get("source_bpm") else None,
        downbeat=said.get("downbeat"),
        stretcher=request.stretcher,
        progress=progress,
    )
    made = replace(made, recipe={**made.recipe, **({"conform": known} if known else {})})
    return _with_recipe(made, loop.recipe["engine"])


def inspect(path: Path, *, bpm: str | None = None, bars: int | None = None, meter: str | None = None) -> Loop:
    """Read a loop back and measure it, as ``reread`` finds what it is.

    Raises ``AudioUnreadable`` and ``InvalidRequest``.
    """
    loop = reread(path, bpm=bpm, bars=bars, meter=meter)
    request = loop.request
    scores = metrics.evaluate(loop.audio, request.bpm, request.bars, request.meter).to_dict()
    return replace(loop, scores=scores, warnings=(*loop.warnings, *seam_weaknesses(scores["seam"])))


def reread(path: Path, *, bpm: str | None = None, bars: int | None = None, meter: str | None = None) -> Loop:
    """Read a loop back without measuring how good it is; its recipe is empty where the file holds none.

    Tempo, bars and meter come from the arguments, else the sidecar, the file's tags or its name. What none of them
    says is measured, and a warning says so, or that the length is another.

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
    if off := metrics.length_error(audio.frames, used_bpm, used_bars, used_meter, audio.rate):
        warnings.append(f"the length is {off:+d} samples off {counted(used_bars, 'bar')} at {format_bpm(used_bpm)} BPM")
    return Loop(audio, request, {}, known.recipe, tuple(warnings))


def _with_recipe(loop: Loop, engine: Mapping[str, Any], weaker: Sequence[Loop] = ()) -> Loop:
    """Complete the recipe: what is needed to make the loop again, how good it is, and what was passed over."""
    take = loop.take
    recipe = {
        "loopgen": __version__,
        "environment": dict(recipes.environment()),
        "request": recipes.describe(loop.request),
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


def _facts(loop: Loop) -> Mapping[str, Any]:
    return loop.take.facts if loop.take else {}
