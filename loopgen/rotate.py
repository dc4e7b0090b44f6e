"""A loop on disk turned, so that another of its beats is beat 1: no take is needed, and nothing is generated.

The samples of the turned loop are those of the file, from another one on: whole beats lie where they lay, to the
sample, and turning back gives the file's sound again. Its recipe says by how much the loop was turned since it was
made, so that ``loopgen.remake`` and ``studio.retempo`` turn it too.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from loopgen import __version__, studio
from loopgen.errors import InvalidRequest, RecipeUnusable, TakeGone
from loopgen.library import recipes
from loopgen.library.earlier import find_earlier
from loopgen.library.recall import recall
from loopgen.library.takes import find_take, is_take
from loopgen.looping.make import Progress
from loopgen.looping.turn import turn_of, turned, turned_from
from loopgen.music.loop import Loop
from loopgen.music.tempo import bar_seconds, counted, format_bpm
from loopgen.music.turn import parse_turn, rival_of
from loopgen.wav import digest

__all__ = ["again", "own_format", "parse_turn", "rotate", "runner_up"]

ENGINE = "rotate"
"""What stands for the engine in the recipe of a turned loop that was not loopgen's."""

_NEAR = Fraction(1, 50)
"""Of a bar: what is so much longer or shorter than whole bars is no loop of them."""

_OF_THE_FILE = ("file", "marks", "audio")
"""What a sidecar says of the very file beside it."""


def rotate(path: Path, beats: Fraction | None = None, *, progress: Progress | None = None) -> Loop:
    """The loop at ``path`` with its beat 1 so many ``beats`` later; less than 0: earlier.

    Any loop of whole bars will do, loopgen's or not. Without ``beats`` it is turned to the second likeliest beat 1 that
    its recipe names. The loop comes with its take, where that was kept.

    Raises ``InvalidRequest`` for beats as ``parse_turn`` does, for those that turn the loop into itself, for a loop
    that names no other beat 1 where none is given, and for what is no loop; ``AudioUnreadable``, ``RecipeUnusable``.
    """
    say = progress or (lambda share, stage: None)
    say(0.0, "reading the loop")
    loop = _read(path)
    count = loop.request.bars * loop.request.meter.beats
    turn = runner_up(path) if beats is None else parse_turn(beats)
    if turn % count == 0:
        allowed = f"another number: the loop has {counted(count, 'beat')}, and would begin where it does now"
        raise InvalidRequest("beats", str(turn), allowed)
    before = turn_of(loop.recipe)
    of = turned_from(loop.recipe) if before is not None else {"loop": path.name, "sha256": digest(loop.audio)}
    say(0.3, "judging the loop")
    made = turned(loop, (before or 0) + turn, of, checkpoint=lambda: say(0.3, "judging the loop"))
    say(1.0, "done")
    return made


def again(path: Path, recipe: Mapping[str, Any]) -> tuple[Path, Loop]:
    """The turned loop at ``path`` once more, from the file that it was turned from, and which one that is.

    Raises ``RecipeUnusable`` where that is not there, and as ``studio.reread`` does.
    """
    turn, of = turn_of(recipe), turned_from(recipe)
    found = find_earlier(path, str(of.get("loop", "")), of.get("sha256"), "was turned from")
    return found, turned(_read(found), turn or Fraction(0), of)


def own_format(path: Path) -> str:
    """The format of ``library.keep`` that holds a file's samples as they are: ``wav``, ``float`` or ``flac``."""
    info = soundfile.info(str(path))
    if info.format == "FLAC":
        return "flac"
    return "wav" if info.subtype in _WITHIN_24_BITS else "float"


_WITHIN_24_BITS = ("PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "ULAW", "ALAW")


def _read(path: Path) -> Loop:
    """The loop at ``path`` as it may be kept, with its take where there is one."""
    if is_take(path):
        raise InvalidRequest("loop", path.name, "a loop that was made of it: this is the take itself")
    found = _with_loss(path, studio.reread(path))
    request = found.request
    bars = Fraction(found.audio.frames, found.audio.rate) / bar_seconds(request.bpm, request.meter)
    if abs(bars - request.bars) > _NEAR:
        allowed = (
            f"a loop of whole bars: this lasts {float(bars):.4g} of {request.meter} at {format_bpm(request.bpm)} BPM "
            "(a tempo in its name counts, like 120bpm); `loopgen conform` makes loops of any recording"
        )
        raise InvalidRequest("loop", path.name, allowed)
    recipe = {name: value for name, value in found.recipe.items() if name not in _OF_THE_FILE}
    if not _is_whole(recipe):
        return _foreign(path, found)
    with suppress(RecipeUnusable):
        request = replace(recipes.request_of(recipe), rate=found.audio.rate)
    said = recipe.get("warnings")
    warnings = tuple(dict.fromkeys([*found.warnings, *map(str, said if isinstance(said, list) else ())]))
    loop = replace(found, request=request, recipe=recipe, warnings=warnings)
    with suppress(TakeGone, RecipeUnusable):
        kept = find_take(path)
        steps = {"steps": kept.recipe["steps"]}
        return replace(loop, recipe={**recipe, **steps}, take=kept.take, grid=kept.grid)
    return loop


def _is_whole(recipe: Mapping[str, Any]) -> bool:
    """Whether a recipe says who made the loop, which every loop that is kept says again."""
    engine = recipe.get("engine")
    is_known = isinstance(engine, dict) and engine.keys() >= {"name", "version", "licence"}
    return is_known and isinstance(recipe.get("request"), dict) and recipe.keys() >= {"loopgen", "seed"}


def _with_loss(path: Path, loop: Loop) -> Loop:
    """The loop with a warning where its file is finer than the 32-bit floats that samples are held in."""
    if soundfile.info(str(path)).subtype not in ("PCM_32", "DOUBLE"):
        return loop
    if np.array_equal(soundfile.read(path, dtype="float64", always_2d=True)[0], loop.audio.samples):
        return loop
    lost = f"{path.name} is finer than the 32-bit floats in which its samples are written: they are rounded"
    return replace(loop, warnings=(*loop.warnings, lost))


def _foreign(path: Path, found: Loop) -> Loop:
    """A loop of somebody else's, with all that a recipe has to say."""
    name = "".join(character for character in path.stem if character.isprintable())[:80]
    request = replace(found.request, prompt=found.request.prompt or name, engine=ENGINE)
    engine = {"name": ENGINE, "version": __version__, "licence": "that of the recording", "kind": "recording"}
    recipe: dict[str, Any] = {
        "loopgen": __version__,
        "environment": dict(recipes.environment()),
        "request": recipes.describe(request),
        "engine": engine,
        "key": str(request.key) if request.key else None,
        "seed": request.seed,
        "weaker_takes": [],
        "take": None,
        "grid": {"tempo": float(request.bpm), "wobble_ms": 0.0},
        "frames": found.audio.frames,
    }
    return replace(found, request=request, recipe=recipe)


def runner_up(path: Path) -> Fraction:
    """How many beats later the second likeliest beat 1 of the loop at ``path`` lies.

    Raises ``InvalidRequest`` where the loop names none.
    """
    rival = rival_of(recall(path).recipe.get("grid"))
    if rival is None:
        allowed = f"how many beats later beat 1 is to lie, like 1, -1 or 0.5: {path.name} names no second likeliest"
        raise InvalidRequest("beats", "", allowed)
    return rival.beats
