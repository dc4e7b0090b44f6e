"""Takes are drawn until there are good loops: one by one, or many at once, of which the best are kept."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

from loopgen import metrics
from loopgen.engines.base import BatchEngine, Engine, listener
from loopgen.errors import Cancelled, GenerationFailed, LoopgenError
from loopgen.looping.make import Progress, flaws, make
from loopgen.music.audio import Audio
from loopgen.music.loop import Loop, Take
from loopgen.music.request import SEED_MAX, TAKES_MAX, LoopRequest
from loopgen.previews import PreviewFile

ATTEMPTS = 3
"""How often takes are drawn at most: the first time, and twice more where what came out is weak."""

_PLAYING = 0.6
"""Share of the work on a loop that is the engine's, of the embedded one's."""
_PLAYING_BATCH = 0.8
"""The same of an engine that draws many takes at once."""

_GLANCE_SECONDS = 0.05


def listened_to(take: Take, request: LoopRequest, downbeat: float | None = None) -> Take:
    """The take with the votes of the request's listener, where that is another than our own and is of use.

    An engine that knows its grid is believed, and so is a user who names a ``downbeat``: nobody is asked then.

    Raises ``EngineUnavailable`` where the listener is not here or fails.
    """
    hear = listener(request.listener) if take.grid is None and downbeat is None else None
    return replace(take, votes=hear(take.audio)) if hear else take


@dataclass(frozen=True, slots=True, eq=False)
class Selected:
    """A loop to deliver, and those that were passed over for it, which may come without their sound."""

    loop: Loop
    weaker: Sequence[Loop]


def weakness(loop: Loop) -> tuple[int, int, float]:
    """Sorts loops, the best first: fewest flaws, fewest warnings, then the least strained seam."""
    return len(flaws(loop)), len(loop.warnings), metrics.strain(loop.scores["seam"])


def select(
    engine: Engine, request: LoopRequest, *, stretcher: str, progress: Progress, preview: PreviewFile | None = None
) -> Iterator[Selected]:
    """The request's loops, of takes with seeds that count up from ``request.seed``.

    An engine that draws takes one by one: one loop after the other, each of at most ``ATTEMPTS`` takes, the first
    without a flaw or the best. One that draws many at once: ``request.takes`` of them, at least as many as
    loops are wanted, each made a loop; if too few are without a flaw another batch is drawn, ``ATTEMPTS`` at most,
    and the best of all are delivered, the best first.

    ``preview`` gets the first take of each batch, as far as it is.

    Raises ``GenerationFailed`` where the engine fails every time, and whatever ``progress`` raises.
    """
    if isinstance(engine, BatchEngine):
        yield from _best_of_batches(engine, request, stretcher, _rising(progress), preview)
    else:
        yield from _one_by_one(engine, request, stretcher, _rising(progress))


def _one_by_one(engine: Engine, request: LoopRequest, stretcher: str, say: Progress) -> Iterator[Selected]:
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

            this_seed, seed = seed, _seeds(seed, 2)[1]
            play(0.0)
            try:
                take = engine.generate(request, this_seed, progress=play)
                loop = make(listened_to(take, request), request, stretcher=stretcher, progress=work)
            except (LoopgenError, MemoryError):
                raise
            except Exception as error:  # an engine may be anybody's, and another seed may do
                failure = error
                continue
            tries.append(loop)
            if not flaws(loop):
                break
        if not tries:
            raise _failed(engine, failure)
        best = min(tries, key=weakness)
        yield Selected(best, [loop for loop in tries if loop is not best])


def _best_of_batches(
    engine: BatchEngine, request: LoopRequest, stretcher: str, say: Progress, preview: PreviewFile | None
) -> Iterator[Selected]:
    wanted = request.variations
    count = min(TAKES_MAX, max(request.takes or engine.batch, wanted))
    loops: list[Loop] = []
    failure: Exception | None = None
    seed = request.seed
    for attempt in range(ATTEMPTS):
        which = f"batch {attempt + 1}: " if attempt else ""
        what = f"{which}playing {count} takes" if count > 1 else f"{which}playing"

        def play(fraction: float, what: str = what) -> None:
            say(_PLAYING_BATCH * fraction, what)

        def work(fraction: float, stage: str, which: str = which) -> None:
            say(_PLAYING_BATCH + (1 - _PLAYING_BATCH) * fraction, f"{which}{stage}")

        seeds = _seeds(seed, count)
        seed = _seeds(seed, count + 1)[-1]
        play(0.0)
        if preview:
            preview.restart()
        try:
            takes = engine.generate_batch(request, seeds, progress=play, preview=preview.add if preview else None)
            if preview:
                preview.write()
            made = _made_loops(takes, request, stretcher, work)
        except (LoopgenError, MemoryError):
            raise
        except Exception as error:
            failure = error
            continue
        loops = sorted([*loops, *(one for one in made if isinstance(one, Loop))], key=weakness)
        loops[wanted:] = [_without_sound(loop) for loop in loops[wanted:]]
        failure = next((one for one in made if isinstance(one, Exception)), failure)
        if sum(not flaws(loop) for loop in loops) >= wanted:
            break
        del takes, made  # before there are more of them
    if not loops:
        raise _failed(engine, failure)
    for loop in loops[:wanted]:
        yield Selected(loop, loops[wanted:])
    if len(loops) < wanted:  # those that could be made are delivered all the same
        raise _failed(engine, failure)


def _without_sound(loop: Loop) -> Loop:
    """A loop that will not be delivered, for the recipe: minutes of many takes take gigabytes."""
    take = loop.take and replace(loop.take, audio=_silenced(loop.take.audio))
    return replace(loop, audio=_silenced(loop.audio), take=take)


def _silenced(audio: Audio) -> Audio:
    return audio.with_samples(audio.samples[:0].copy())


def _made_loops(
    takes: Sequence[Take], request: LoopRequest, stretcher: str, progress: Progress
) -> list[Loop | Exception]:
    """Each take's loop, or what its making raised, in order; side by side on the machine's cores."""
    stop = threading.Event()
    shares = [0.0] * len(takes)

    def one(number: int) -> Loop:
        def checkpoint(fraction: float, _: str) -> None:
            shares[number] = fraction
            if stop.is_set():
                raise Cancelled("cancelled")

        return make(listened_to(takes[number], request), request, stretcher=stretcher, progress=checkpoint)

    what = f"making {len(takes)} loops" if len(takes) > 1 else "making the loop"
    with ThreadPoolExecutor(min(len(takes), os.cpu_count() or 1), "loopgen-loops") as pool:
        waiting: set[Future[Loop]] = set()
        order = [pool.submit(one, number) for number in range(len(takes))]
        waiting.update(order)
        try:
            while waiting:
                _, waiting = wait(waiting, _GLANCE_SECONDS, FIRST_COMPLETED)
                progress(sum(shares) / len(shares), what)
        except BaseException:
            stop.set()
            for future in order:
                future.cancel()
            raise
    return [_outcome(future) for future in order]


def _outcome(future: Future[Loop]) -> Loop | Exception:
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, LoopgenError | MemoryError) or not isinstance(error, Exception):
        raise error
    return error


def _seeds(first: int, count: int) -> list[int]:
    """Seeds that count up from the first, and from 0 after the highest."""
    return [(first + k) % (SEED_MAX + 1) for k in range(count)]


def _failed(engine: Engine, failure: Exception | None) -> GenerationFailed:
    error = GenerationFailed(
        f"{engine.name} failed {ATTEMPTS} times, last with {type(failure).__name__}: {failure}; "
        "try another engine (`loopgen engines` lists them)"
    )
    error.__cause__ = failure
    return error


def _rising(progress: Progress) -> Progress:
    """Never goes back, also where a take is made again."""
    furthest = 0.0

    def say(fraction: float, stage: str) -> None:
        nonlocal furthest
        furthest = max(furthest, fraction)
        progress(furthest, stage)

    return say
