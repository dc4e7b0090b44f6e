"""A finished loop turned: another of its beats is beat 1, and that is what the user says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from loopgen.errors import InvalidRequest, RecipeUnusable
from loopgen.looping.make import not_of_the_seam, seam_weaknesses, without_doubt
from loopgen.metrics import evaluate
from loopgen.music.beats import BeatGrid
from loopgen.music.loop import Loop
from loopgen.music.turn import parse_turn, turn_frame


def turn_of(recipe: Mapping[str, Any]) -> Fraction | None:
    """By how many beats the loop of a recipe was turned since it was made; None: never.

    Raises ``RecipeUnusable`` where it says something else.
    """
    said = recipe.get("rotated")
    if said is None:
        return None
    with suppress(TypeError, KeyError, InvalidRequest):
        turn = Fraction(0) if said["beats"] == "0" else parse_turn(said["beats"])
        if turn >= 0:
            return turn
    raise RecipeUnusable("the recipe says that the loop was turned, and not by how many beats")


def turned_from(recipe: Mapping[str, Any]) -> Mapping[str, Any]:
    """The file that the loop of a recipe was turned from, its name and its digest; empty where it says none."""
    said = recipe.get("rotated")
    of = said.get("of") if isinstance(said, dict) else None
    return of if isinstance(of, dict) else {}


def turned(
    loop: Loop,
    turn: Fraction,
    of: Mapping[str, Any] | None = None,
    *,
    checkpoint: Callable[[], None] = lambda: None,
) -> Loop:
    """The loop with its beat 1 ``turn`` beats after the one that it was made with, however it is turned now.

    The samples stay what they are, bit for bit; what is said of its seam is found anew, and of its beat 1 nothing is
    doubted any more. ``of`` is the file that holds the loop as it was made, for the recipe: its name and its digest.
    ``checkpoint`` is called between the measurements, and may raise to cancel.
    """
    request, recipe = loop.request, loop.recipe
    beats = request.bars * request.meter.beats
    turn = turn % beats
    here = turn_frame(loop.audio.frames, beats, turn_of(recipe) or Fraction(0))
    there = turn_frame(loop.audio.frames, beats, turn)
    audio = loop.audio.with_samples(np.roll(loop.audio.samples, here - there, axis=0))
    scores = evaluate(audio, request.bpm, request.bars, request.meter, checkpoint=checkpoint).to_dict()
    others = without_doubt(not_of_the_seam(loop.warnings))
    warnings = (*others, *seam_weaknesses(scores["seam"]))
    said = {
        **recipe,
        "grid": _describe_grid(recipe, loop.grid, turn),
        "rotated": {"beats": str(turn), "of": dict(of) if of else None},
        "scores": scores,
        "warnings": [*warnings],
    }
    return replace(loop, audio=audio, scores=scores, recipe=said, warnings=warnings)


def _describe_grid(recipe: Mapping[str, Any], grid: BeatGrid | None, turn: Fraction) -> dict[str, Any] | None:
    """What a recipe says of the take's beats, with the bar counted from where the user put it."""
    said = recipe.get("grid")
    if not isinstance(said, dict):
        return None
    said = {**said, "confidence": 1.0, "downbeat_confidence": 1.0, "source": "user", "rival": None}
    if grid is None:  # without the take's beats nobody knows when they were played
        return {**said, "first_beat": None, "first_downbeat": None, "loop_start": None}
    steps = recipe["steps"]
    one = float(steps["beat"] + turn % steps["beats"])
    places = one % 1 + np.arange(len(grid.beats))
    places = places[places <= len(grid.beats) - 1]
    times = np.interp(places, np.arange(len(grid.beats)), grid.beats)
    is_first = (places - one) % grid.meter.beats == 0
    for name, heard in (("first_beat", times), ("first_downbeat", times[is_first])):
        said[name] = next((float(time) for time in heard if time >= -1e-3), None)
    return {**said, "loop_start": float(np.interp(one, np.arange(len(grid.beats)), grid.beats))}
