"""A loop made again from what it says of itself, and its take laid on another tempo.

::

    recipe ── request, seed, engine ──> the same take ── looping.make ──> the same loop: identical?
       └───── what is to be different ──> an order like any other ──> new loops

What no engine can play again (a recording, an engine that is not here) is made again of the take that was kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from loopgen import rotate, studio
from loopgen.audiofile import read_audio
from loopgen.engines import base as engines
from loopgen.errors import AudioUnreadable, EngineUnavailable, InvalidRequest, RecipeUnusable, TakeGone
from loopgen.library.earlier import find_earlier
from loopgen.library.recall import recall
from loopgen.library.recipes import describe, request_of
from loopgen.library.takes import find_take
from loopgen.looping.make import Progress
from loopgen.looping.turn import turn_of, turned, turned_from
from loopgen.music.audio import Audio
from loopgen.music.loop import Loop
from loopgen.music.melody import Melody
from loopgen.music.request import LoopRequest, Opening
from loopgen.music.tempo import format_bpm
from loopgen.orders import settle
from loopgen.wav import digest

Load = Callable[[str, engines.Hardware], engines.Engine]
"""An engine's name, and what to compute on where it has a model -> the engine."""

_OF_A_RECORDING = ("bpm", "bars", "meter", "key", "rate", "stretcher", "longest_fade", "listener")
"""What can be different of a loop that no engine played."""


@dataclass(frozen=True, slots=True, eq=False)
class Remade:
    """A loop that was made again.

    Attributes:
        loop: as ``studio`` makes them.
        identical: whether it is the same loop to the last bit; None where something was to be different.
        remarks: in plain words, what was different in the order, or why the loop is not identical, or how it was made.
    """

    loop: Loop
    identical: bool | None
    remarks: tuple[str, ...]


def redo(
    path: Path,
    changes: Mapping[str, Any] | None = None,
    *,
    melody: Melody | None = None,
    own_presets: Path | None = None,
    hardware: engines.Hardware | None = None,
    load: Load = engines.load,
    progress: Progress | None = None,
) -> Iterator[Remade]:
    """Make the loop at ``path`` again, of the very take that it was made of; or what comes of an order like its own.

    ``changes`` holds what is to be different, under the names of ``orders.ASKED`` (None counts as absent), ``melody``
    another melody. Then the order is new, and weak takes are made again as for any; more variations of the same
    have seeds of their own. ``hardware`` is what a model is to be computed on; what it leaves to ``auto`` is as in the
    recipe, where that can be.

    Raises ``AudioUnreadable``, ``RecipeUnusable`` for a file that does not say how it was made, ``EngineUnavailable``
    where the engine is missing and the take as well, and whatever ``studio.generate`` raises.
    """
    audio = read_audio(path)
    recipe = dict(recall(path).recipe)
    if not recipe:
        raise RecipeUnusable(
            f"{path} does not say how it was made: it is no loop of loopgen's, or another program took its recipe out "
            "and its sidecar is lost"
        )
    given = {name: value for name, value in (changes or {}).items() if value is not None}
    if _engine_of(recipe) == rotate.ENGINE:
        yield _turned_again(path, recipe, audio, given, melody)
        return
    if _engine_of(recipe) == "conform":
        yield _recording_again(path, recipe, audio, given, melody, progress)
        return
    order, differences = _order(recipe, given, melody, own_presets)
    if not differences:
        yield _the_very_loop(path, recipe, audio, load, hardware, progress)
        return
    if recipe.get("retempo", {}).get("start") or turn_of(recipe):
        differences.append("begins where a loop of its take would, not on another beat")
    opened = _opening(path, recipe, order)
    engine = _loaded(path, recipe, order.engine, load, hardware)
    for loop in studio.generate(replace(order, opening=opened), engine=engine, progress=progress):
        yield Remade(loop, None, tuple(_with_its_seed(differences, recipe.get("seed"), loop.recipe.get("seed"))))


def retempo(
    path: Path,
    bpm: Fraction | None = None,
    *,
    bars: int | None = None,
    start: int | None = None,
    stretcher: str = "auto",
    progress: Progress | None = None,
) -> Loop:
    """Lay the kept take of the loop at ``path`` on another tempo, number of bars or start, as ``studio.retempo`` does.

    Raises ``AudioUnreadable`` where nothing is there, ``TakeGone`` where the take is not kept, and what
    ``studio.retempo`` raises.
    """
    if path.is_dir():
        raise AudioUnreadable(f"{path} is a folder; give the loops in it")
    if not path.exists() and not path.with_suffix(".json").exists():  # a sidecar alone still names the take
        raise AudioUnreadable(f"{path} does not exist")
    return studio.retempo(find_take(path), bpm, bars=bars, start=start, stretcher=stretcher, progress=progress)


def how_far(loop: Loop) -> str:
    """How far a loop's take was stretched, in plain words.

    What is on the tempo already is moved only, and what is a little off resampled (``looping.stretch``).
    """
    steps, tempo = loop.recipe["steps"], loop.recipe["grid"]["tempo"]
    played, asked = f"{tempo:.2f}".rstrip("0").rstrip("."), format_bpm(loop.request.bpm)
    if steps["stretcher"] == "none":
        return f"the take was played at {asked} BPM: not stretched"
    change = 100 * (1 / steps["ratio"] - 1)
    return f"the take, played at {played} BPM, goes {abs(change):.1f}% {'faster' if change > 0 else 'slower'}"


# The same loop ----------------------------------------------------------------------------------------------------


def _the_very_loop(
    path: Path,
    recipe: Mapping[str, Any],
    audio: Audio,
    load: Load,
    hardware: engines.Hardware | None,
    progress: Progress | None,
) -> Remade:
    request = _first_request(recipe)
    opened = _opening(path, recipe, request)
    try:
        engine = _loaded(path, recipe, _engine_of(recipe), load, hardware)
    except EngineUnavailable as missing:
        try:
            loop = _of_the_take(path, recipe, progress)
        except TakeGone as gone:
            raise EngineUnavailable(f"{missing}; and {gone}") from None
        return _compared(path, recipe, audio, loop, [f"made of the take that was kept: {missing}"])
    seed = recipe.get("seed")
    won = request.seed if seed is None else seed
    loop = studio.generate_again(replace(request, opening=opened), won, engine=engine, progress=progress)
    return _compared(path, recipe, audio, _as_it_was_laid(loop, recipe))


def _first_request(recipe: Mapping[str, Any]) -> LoopRequest:
    """The request of the take itself: before it was laid on another tempo."""
    request, before = request_of(recipe), recipe.get("retempo")
    if before:
        stretcher = before.get("stretcher", request.stretcher)
        request = replace(request, bpm=before["from"], bars=before.get("bars", request.bars), stretcher=stretcher)
    return request


def _as_it_was_laid(loop: Loop, recipe: Mapping[str, Any]) -> Loop:
    """The take's first loop as it is, or on the tempo that the recipe's loop was laid on; turned as that was."""
    if before := recipe.get("retempo"):
        last = request_of(recipe)
        start = before.get("start") or None  # where it begins as it began, the very place is taken
        loop = studio.retempo(loop, last.bpm, bars=last.bars, start=start, stretcher=last.stretcher)
    turn = turn_of(recipe)
    return loop if turn is None else turned(loop, turn, turned_from(recipe))


def _of_the_take(path: Path, recipe: Mapping[str, Any], progress: Progress | None) -> Loop:
    """The loop again, of its kept take."""
    kept = find_take(path)
    return _as_it_was_laid(studio.from_take(kept, _first_request(recipe), progress=progress), recipe)


def _turned_again(
    path: Path, recipe: Mapping[str, Any], audio: Audio, given: Mapping[str, Any], melody: Melody | None
) -> Remade:
    """A loop of somebody else's that was turned, again of the file that it was turned from."""
    for name in (*given, *(["melody"] if melody else [])):
        allowed = f"nothing but the loop: {path.name} was turned as it was found, no engine played it"
        raise InvalidRequest("order", name, allowed)
    found, loop = rotate.again(path, recipe)
    return _compared(path, recipe, audio, loop, [f"turned from {found.name}"])


def _recording_again(
    path: Path,
    recipe: Mapping[str, Any],
    audio: Audio,
    given: Mapping[str, Any],
    melody: Melody | None,
    progress: Progress | None,
) -> Remade:
    """A loop that was made of a recording, again of the take that was kept."""
    for name in (*given, *(["melody"] if melody else [])):
        if name not in _OF_A_RECORDING:
            allowed = f"one of {', '.join(_OF_A_RECORDING)}: {path.name} was made of a recording, no engine played it"
            raise InvalidRequest("order", name, allowed)
    old = request_of(recipe)
    order = replace(old, **given)
    try:
        if differences := _differences(old, order):
            kept = _with_the_users_bar(find_take(path), recipe)
            return Remade(studio.from_take(kept, order, progress=progress), None, tuple(differences))
        loop = _of_the_take(path, recipe, progress)
    except TakeGone as gone:
        raise TakeGone(f"{path} was made of a recording, and {gone}; `loopgen conform` takes the recording") from None
    return _compared(path, recipe, audio, loop, ["made of the recording that was kept as its take"])


def _with_the_users_bar(kept: Loop, recipe: Mapping[str, Any]) -> Loop:
    """A recording of which the user said where beat 1 is, by turning its loop."""
    there = (recipe.get("grid") or {}).get("loop_start")
    if turn_of(recipe) is None or there is None:
        return kept
    return replace(kept, recipe={**kept.recipe, "conform": {**(kept.recipe.get("conform") or {}), "downbeat": there}})


def _compared(
    path: Path, recipe: Mapping[str, Any], audio: Audio, loop: Loop, remarks: list[str] | None = None
) -> Remade:
    """Whether a loop is the one that the recipe is of, and what may be the reason where it is not."""
    said = recipe.get("audio") or {}
    bits = said.get("bits", 24)
    wanted, there = said.get("sha256"), digest(audio, bits)
    remarks = list(remarks or ())
    if wanted is None:
        remarks.append("the recipe is an earlier version's and holds no digest: compared with the file")
    elif wanted != there:
        remarks.append(f"{path.name} does not sound as its recipe says: it was changed after it was made")
    if digest(loop.audio, bits) == (wanted or there):
        return Remade(loop, True, tuple(remarks))
    reasons = [*_other_versions(recipe, loop.recipe)]
    if wanted == there:
        remarks.append(_how_unlike(audio, loop.audio))
    remarks.append("; ".join(reasons) or "nothing that the recipe names is different: versions, machine and device")
    return Remade(loop, False, tuple(remarks))


def _how_unlike(one: Audio, other: Audio) -> str:
    if one.samples.shape != other.samples.shape:
        return f"it has {other.frames} frames and not {one.frames}"
    most = float(np.abs(one.samples - other.samples).max(initial=0.0))
    return f"the sample that differs most does by {20 * np.log10(max(most, 1e-9)):.0f} dB of full scale"


def _other_versions(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """What decides the sound and is other than it was, as far as both recipes say."""
    before, now = _flat(old), _flat(new)
    for name, value in before.items():
        if name in now and now[name] != value:
            yield "other tokens were drawn" if name == "tokens" else f"{name} {now[name]}, not {value}"
        elif name == "tokens" and name in now:
            yield "the tokens are the same"


def _flat(recipe: Mapping[str, Any]) -> dict[str, Any]:
    engine, opened = recipe.get("engine", {}), recipe["request"].get("opening") or {}
    named = ("version", "model", "revision", "device", "precision", "step", "tokens")
    return {
        "loopgen": recipe.get("loopgen"),
        "engine": engine.get("name"),
        **{f"engine's {name}" if name == "version" else name: engine[name] for name in named if name in engine},
        **engine.get("versions", {}),
        **recipe.get("environment", {}),
        **({"opening": opened["sha256"]} if "sha256" in opened else {}),
    }


# Something else --------------------------------------------------------------------------------------------------


def _order(
    recipe: Mapping[str, Any], given: Mapping[str, Any], melody: Melody | None, own_presets: Path | None
) -> tuple[LoopRequest, list[str]]:
    """The order that a recipe and what is to be different make, and how it differs from the recipe's, in words."""
    old = request_of(recipe)
    seed = recipe.get("seed")
    old = replace(old, seed=old.seed if seed is None else seed, engine=_engine_of(recipe))
    named = ("seed", "rate", "engine", "stretcher", "longest_fade", "listener")
    before = {name: getattr(old, name) for name in named} | describe(old)["sampling"]
    exact = {"prompt": old.prompt, "bpm": old.bpm, "bars": old.bars, "meter": str(old.meter)}
    exact |= {"key": str(old.key)} if old.key else {}
    if {"prompt", "preset"} & given.keys():  # its words may say another tempo, key or meter
        exact = {}
    new_music = melody is not None or "chords" in given
    if given.get("variations", 1) > 1 and not given.keys() - {"variations"} and not new_music:
        before.pop("seed")  # the same order once more: the loop itself is there already
    asked = {**exact, **given, "seed": given.get("seed", before.pop("seed", None))}
    if "preset" not in given:
        asked = before | asked
    order = settle(
        asked,
        melody if new_music else old.melody,
        own_presets=own_presets,
        otherwise={"takes": 1 if "seed" not in given and given.get("variations", 1) == 1 else 0, **before},
        earlier=old,
    ).request
    if exact:  # words of a tempo that were left in the prompt stay there
        order = replace(order, prompt=old.prompt)
    differences = _differences(old, order)
    if given.get("variations", 1) > 1 and not differences:
        differences.append(f"{given['variations']} variations")
    return order, differences


def _with_its_seed(differences: Sequence[str], old: int | None, own: int | None) -> list[str]:
    """Differences of one loop of an order: the seed is that of the take that became the loop, not the first tried."""
    others = [one for one in differences if not one.startswith("seed ")]
    return others if own == old else [f"seed {_shown(own)}, not {_shown(old)}", *others]


def _differences(old: LoopRequest, new: LoopRequest) -> list[str]:
    before, now = describe(old), describe(new)
    before, now = {**before, **before.pop("sampling")}, {**now, **now.pop("sampling")}
    said = []
    for name, value in before.items():
        if name in ("takes", "opening", "melody_length", "melody_heard") or now[name] == value:
            continue
        said.append("another melody" if name == "melody" else f"{name} {_shown(now[name])}, not {_shown(value)}")
    heard = ("melody_length", "melody_heard")
    if "another melody" not in said and any(before[name] != now[name] for name in heard):
        said.append("another melody")
    return said


def _shown(value: object) -> str:
    return "the engine's choice" if value is None else repr(value) if value == "" else str(value)


# What is needed for either ----------------------------------------------------------------------------------------


def _engine_of(recipe: Mapping[str, Any]) -> str:
    """The name by which the engine that played can be loaded again."""
    try:
        played, asked = str(recipe["engine"]["name"]), str(recipe["request"].get("engine", ""))
    except (KeyError, TypeError, AttributeError):
        raise RecipeUnusable("the recipe does not say which engine played") from None
    is_same = engines.split(asked)[0] == engines.split(played)[0] and engines.split(asked)[1]
    return asked if is_same else played  # a model in a folder is loaded by its path


def _loaded(
    path: Path, recipe: Mapping[str, Any], name: str, load: Load, hardware: engines.Hardware | None
) -> engines.Engine:
    wanted = hardware or engines.Hardware()
    precision = recipe["engine"].get("precision")
    if wanted.precision == "auto" and isinstance(precision, str) and name == _engine_of(recipe):
        wanted = replace(wanted, precision=precision)
    try:
        return load(name, wanted)
    except EngineUnavailable as error:
        raise EngineUnavailable(f"{path.name} was played by {_engine_of(recipe)}: {error}") from None


def _opening(path: Path, recipe: Mapping[str, Any], request: LoopRequest) -> Opening | None:
    """What the take went on from, of the loop that the recipe names, found by its name or by its sound."""
    said = recipe["request"].get("opening")
    if not said:
        return None
    found = find_earlier(path, str(said.get("loop", "")), said.get("of"), "goes on from")
    audio, known = read_audio(found), recall(found)
    if known.bpm is None or known.bars is None or known.meter is None:
        raise RecipeUnusable(f"{found}, from which {path.name} goes on, does not say its tempo and bars")
    earlier = Loop(audio, LoopRequest(known.prompt, known.bpm, known.bars, known.meter, rate=audio.rate), {}, {})
    how = said.get("how") or (studio.VARY if said.get("kept") else studio.CONTINUE)
    return studio.opening(earlier, request, how, str(said.get("loop", found.name)))
