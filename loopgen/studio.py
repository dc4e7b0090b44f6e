"""One function per intention: generate, retempo, conform, inspect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from loopgen import __version__, library, metrics
from loopgen.audiofile import read_audio
from loopgen.engines import base as engines
from loopgen.errors import GenerationFailed, InvalidRequest, LoopgenError, TakeGone
from loopgen.looping.make import Progress, make, seam_weaknesses
from loopgen.looping.stretch import check_stretcher
from loopgen.looping.track import track
from loopgen.music.audio import Audio
from loopgen.music.loop import Loop, Take
from loopgen.music.request import SEED_MAX, LoopRequest
from loopgen.music.tempo import BPM_RANGE, Meter, bar_seconds, check_bars, counted, format_bpm, parse_bpm

_PLAYING = 0.6
"""Share of the work on a loop that is the engine's, of the embedded one's."""

ATTEMPTS = 3
"""Takes made for one loop at most: the first, and two more where the first is weak."""


def generate(
    request: LoopRequest,
    *,
    engine: engines.Engine | None = None,
    stretcher: str = "auto",
    progress: Progress | None = None,
) -> Iterator[Loop]:
    """Make ``request.variations`` loops, one after the other.

    Seeds count up from ``request.seed``. A take whose loop has a weakness (a seam out of bounds, an uncertain beat,
    silence ...) is made again with the next seed, at most ``ATTEMPTS`` times in all; the best is delivered, whatever it
    is, with its warnings. ``engine`` is taken instead of loading ``request.engine``; ``progress`` is told the fraction
    done, 0 to 1, and the stage in words, and may raise to cancel.

    Raises ``EngineUnavailable``, ``InvalidRequest`` for an unknown stretcher and, where an engine fails on every
    attempt, ``GenerationFailed``.
    """
    check_stretcher(stretcher)
    engine = engine or engines.load(request.engine)
    say = _rising(progress or (lambda fraction, stage: None))
    seed = request.seed
    for variation in range(request.variations):
        tries: list[Loop] = []
        failure: Exception | None = None
        for attempt in range(ATTEMPTS):
            which = [f"loop {variation + 1} of {request.variations}"] if request.variations > 1 else []
            which += [f"take {attempt + 1}"] if attempt else []

            def step(fraction: float, what: str, which: str = ", ".join(which), variation: int = variation) -> None:
                say((variation + fraction) / request.variations, f"{which}: {what}" if which else what)

            def play(fraction: float, step: Progress = step) -> None:
                step(_PLAYING * fraction, "playing")

            def work(fraction: float, what: str, step: Progress = step) -> None:
                step(_PLAYING + (1 - _PLAYING) * fraction, what)

            this_seed, seed = seed, (seed + 1) % (SEED_MAX + 1)
            play(0.0)
            try:
                take = engine.generate(request, this_seed, progress=play)
                loop = make(take, request, stretcher=stretcher, progress=work)
            except (LoopgenError, MemoryError):
                raise
            except Exception as error:  # an engine may be anybody's, and another seed may do
                failure = error
                continue
            tries.append(loop)
            if not loop.warnings:
                break
        if not tries:
            raise GenerationFailed(
                f"{engine.name} failed {ATTEMPTS} times, last with {type(failure).__name__}: {failure}; "
                "try another engine (`loopgen engines` lists them)"
            ) from failure
        best = min(tries, key=weakness)
        facts = {"name": engine.name, "version": engine.version, "licence": engine.licence, **_facts(best)}
        yield _with_recipe(best, facts, [loop for loop in tries if loop is not best])
    say(1.0, "done")


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


def _rising(progress: Progress) -> Progress:
    """Never goes back, also where a take is made again."""
    furthest = 0.0

    def say(fraction: float, stage: str) -> None:
        nonlocal furthest
        furthest = max(furthest, fraction)
        progress(furthest, stage)

    return say


def weakness(loop: Loop) -> tuple[int, float]:
    """Sorts loops, the best first: fewest warnings, then the least strained seam."""
    return len(loop.warnings), metrics.strain(loop.scores["seam"])


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
        "seed": request.seed,
        "rate": request.rate,
        "engine": request.engine,
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
