"""Takes on disk: what a loop was cut from, so that it can be laid on another tempo years later.

A take is one FLAC in ``takes/`` beside its loops: 24 bits, which is all of it (``Audio.in_24_bits``); what is louder
than full scale is divided by a power of two. Inside, as an APPLICATION block, is whatever ``looping.make`` needs beside
the sound (the beats that were found, where the loop begins), and the first loop's recipe. Its name is a digest of all
that: the same take is there once, however many loops are made of it, and a damaged one is noticed.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from loopgen.errors import OutputUnwritable, TakeGone
from loopgen.files import TAKES, make_folder, write_whole
from loopgen.library import embedded
from loopgen.library.recall import recall
from loopgen.library.recipes import request_of
from loopgen.music.audio import Audio
from loopgen.music.beats import BeatGrid, Rival
from loopgen.music.loop import Loop, Take
from loopgen.music.tempo import Meter
from loopgen.wav import encode, integers

FOLDER = TAKES
"""Name of the folder beside the loops."""

_FULL_SCALE, _SPARE_BITS = 2**23, 8
_NAME = re.compile(r"[0-9a-f]{32}")
_CHANNELS_MAX = 8
_FORMAT = 1


def take_name(loop: Loop) -> str | None:
    """Name of the take's file without suffix; None for a loop without its take, or of more channels than FLAC has."""
    if loop.take is None or loop.grid is None or loop.take.audio.channels > _CHANNELS_MAX or not loop.take.audio.frames:
        return None
    return _digest(_described(loop), _stored(loop.take.audio))


def keep_take(loop: Loop, path: Path) -> Path | None:
    """Write the take of a loop that is, or will be, at ``path``; returns its file, None where there is nothing to keep.

    A take that is there already is left alone. Raises ``OutputUnwritable``.
    """
    name = take_name(loop)
    if name is None or loop.take is None:
        return None
    target = path.parent / FOLDER / f"{name}.flac"
    if not target.exists():
        audio = loop.take.audio
        stream = io.BytesIO()
        with soundfile.SoundFile(stream, "w", audio.rate, audio.channels, "PCM_24", format="FLAC") as file:
            file.write(integers(_stored(audio), 24) << _SPARE_BITS)
        make_folder(target.parent)
        try:
            write_whole({target: embedded.into_flac(stream.getvalue(), embedded.packed(_described(loop)))})
        except OutputUnwritable:
            _remove_if_empty(target.parent)
            raise
    return target


def take_back(file: Path) -> None:
    """Remove a take that was just written, whose loop could not be; raises nothing."""
    with suppress(OSError):
        file.unlink()
    _remove_if_empty(file.parent)


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def find_take(path: Path, *, among: Iterable[Path] = ()) -> Loop:
    """The loop at ``path`` with its take and grid, without its own audio; ``path`` may be a take's own file too.

    The take is looked for beside the loop, then in ``among``, further folders that may have a ``takes``. Raises
    ``TakeGone``, saying why and what can be done.
    """
    if is_take(path):
        take, grid, recipe = _read(path)
        recipe["take"] = {"rate": take.audio.rate, "frames": take.audio.frames, "name": path.stem}
        return Loop(_silence(take.audio), request_of(recipe), recipe.get("scores", {}), recipe, (), take, grid)
    recipe = dict(recall(path).recipe)
    if not recipe:
        raise TakeGone(
            f"{path} carries no recipe, so that nobody knows its take: it is no loop of loopgen's, or another program "
            f"took its recipe out and its sidecar is lost; `loopgen conform` makes loops of any recording"
        )
    request = request_of(recipe)
    name = take_of(recipe)
    if name is None:
        raise TakeGone(f"the take of {path} was not kept; {_otherwise(path, recipe)}")
    places = [place / FOLDER / f"{name}.flac" for place in (path.parent, *among)]
    found = next((place for place in places if place.exists()), None)
    if found is None:
        raise TakeGone(
            f"the take of {path} is gone: it was {places[0]}; put it back, or play it again with "
            f"`loopgen redo {path.name} --bpm ...`"
        )
    take, grid, first = _read(found)
    recipe["steps"] = {**first["steps"], **recipe.get("steps", {})}
    return Loop(_silence(take.audio), request, recipe.get("scores", {}), recipe, (), take, grid)


def _otherwise(path: Path, recipe: Mapping[str, Any]) -> str:
    """What can be done about a loop whose take is not there, in words."""
    if isinstance(recipe.get("engine"), Mapping) and recipe["engine"].get("kind") == "recording":
        return f"`loopgen conform {path.name} --bpm ...` stretches the loop itself"
    return f"`loopgen redo {path.name} --bpm ...` plays it again"


def is_take(path: Path) -> bool:
    """Whether ``path`` is where a take lies, and not a loop."""
    return path.parent.name == FOLDER and _NAME.fullmatch(path.stem) is not None


def has_take(path: Path) -> bool:
    """Whether the take of the loop at ``path`` is there, beside it; its sound is not looked at."""
    name = take_of(recall(path).recipe)
    return name is not None and (path.parent / FOLDER / f"{name}.flac").exists()


def take_of(recipe: Mapping[str, Any]) -> str | None:
    """Name of the take's file, without suffix, in a recipe; None where it names none that could be one."""
    with suppress(AttributeError, TypeError):
        name = recipe["take"].get("name") if recipe.get("take") else None
        if isinstance(name, str) and _NAME.fullmatch(name):  # a recipe is anybody's text: it leads to no other file
            return name
    return None


def orphans(folder: Path) -> list[Path]:
    """Takes of a folder's loops that no sidecar in it speaks of: left when their loops were deleted or replaced."""
    spoken_of = set()
    for sidecar in folder.glob("*.json"):
        with suppress(OSError, ValueError):
            recipe = json.loads(sidecar.read_text(encoding="utf-8"))
            spoken_of.add(take_of(recipe) if isinstance(recipe, dict) else None)
    takes = (path for path in (folder / FOLDER).glob("*.flac") if _NAME.fullmatch(path.stem))
    return sorted(path for path in takes if path.stem not in spoken_of)


def _described(loop: Loop) -> dict[str, Any]:
    """All about a take but its sound, and the recipe of the loop that was first made of it."""
    assert loop.take is not None
    assert loop.grid is not None
    take, grid = loop.take, loop.grid
    return {
        "format": _FORMAT,
        "scale": take.audio.scale,
        "rate": take.audio.rate,
        "frames": take.audio.frames,
        "engine": take.engine,
        "seed": take.seed,
        "facts": dict(take.facts),
        "start": take.start,
        "cue": take.cue,
        "own_grid": _plain(take.grid) if take.grid else None,
        "grid": _plain(grid),
        "recipe": _first(loop.recipe),
    }


def _first(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe of the loop that a take became first, of that of any loop made of it since."""
    request, steps, again = dict(recipe["request"]), recipe["steps"], recipe.get("retempo")
    beat, beats = steps["beat"], steps["beats"]
    if again:
        request |= {"bpm": again["from"], "bars": again["bars"], "stretcher": again["stretcher"]}
        beat, beats = beat - again["start"], again["beats"]
    kept = {name: recipe.get(name) for name in ("engine", "key", "seed", "conform")}
    return {**kept, "request": request, "steps": {"beat": beat, "beats": beats}}


def _plain(grid: BeatGrid) -> dict[str, Any]:
    rival = grid.rival
    return {
        "beats": grid.beats.tolist(),
        "meter": str(grid.meter),
        "downbeat": grid.downbeat,
        "confidence": grid.confidence,
        "downbeat_confidence": grid.downbeat_confidence,
        "source": grid.source,
        **({"rival": {"beats": str(rival.beats), "confidence": rival.confidence}} if rival else {}),
    }


def _grid(said: Mapping[str, Any] | None) -> BeatGrid | None:
    if said is None:
        return None
    rival = said.get("rival")
    plain = {**said, "beats": np.array(said["beats"]), "meter": Meter.parse(said["meter"])}
    return BeatGrid(**plain | ({"rival": Rival(Fraction(rival["beats"]), rival["confidence"])} if rival else {}))


def _read(path: Path) -> tuple[Take, BeatGrid, dict[str, Any]]:
    """A take from its file, its grid and its first loop's recipe; raises ``TakeGone`` where it is damaged."""
    said = embedded.read(path)
    try:
        if said["format"] != _FORMAT:
            raise TakeGone(f"the take {path} is of a newer loopgen; update loopgen")
        samples, rate = soundfile.read(path, dtype="int32", always_2d=True)
        stored = Audio((samples >> _SPARE_BITS) / np.float32(_FULL_SCALE), rate)
        if _digest(said, stored) != path.stem:
            raise ValueError("other than it was")
        audio = stored.with_samples(stored.samples * np.float32(said["scale"]))
        grid = _grid(said["grid"])
        if grid is None:
            raise ValueError("without beats")
        take = Take(
            audio, said["engine"], said["seed"], _grid(said["own_grid"]), said["facts"], said["start"], said["cue"]
        )
        return take, grid, said["recipe"]
    except (OSError, soundfile.LibsndfileError, KeyError, TypeError, ValueError) as error:
        reason = str(error) or type(error).__name__
        raise TakeGone(f"the take {path} is damaged ({reason}); play it again with `loopgen redo`") from None


def _stored(audio: Audio) -> Audio:
    """Samples as they lie in the file, within full scale."""
    return audio.with_samples(audio.samples / np.float32(audio.scale))


def _digest(said: Mapping[str, Any], stored: Audio) -> str:
    whole = hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=False).encode("utf-8", "replace"))
    whole.update(encode(stored, 24))
    return whole.hexdigest()[:32]


def _silence(audio: Audio) -> Audio:
    return audio.with_samples(audio.samples[:0].copy())


def without_audio(loop: Loop) -> Loop:
    """A loop that is there for its take alone; no view of its sound stays in memory."""
    return replace(loop, audio=_silence(loop.audio))
