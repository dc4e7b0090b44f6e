"""What a loop was asked for with, and where it was made: into a recipe, and back out of it.

``describe`` and ``request_of`` are each other's inverse, but for an opening: music is not written into recipes, only
which loop it is from (``loopgen.remake`` looks for that one).
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict
from fractions import Fraction
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from loopgen.errors import InvalidRequest, RecipeUnusable
from loopgen.music.melody import Melody, Note
from loopgen.music.request import FADE_MAX, OWN, LoopRequest
from loopgen.music.sampling import Sampling
from loopgen.music.tempo import format_bpm, parse_bpm
from loopgen.wav import digest

_SHAPE_THE_SOUND = ("numpy", "scipy", "soxr", "python-stretch")
"""Libraries whose arithmetic is in every loop."""


def describe(request: LoopRequest) -> dict[str, Any]:
    """A request as JSON values, the tempo as text that says it exactly."""
    melody, opened = request.melody, request.opening
    return {
        "prompt": request.prompt,
        "bpm": exact(request.bpm),
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
        "listener": request.listener,
        "opening": {
            "how": opened.how,
            "loop": opened.name,
            "kept": opened.kept,
            "sha256": digest(opened.audio),
            "of": opened.source,
        }
        if opened
        else None,
    }


def request_of(recipe: Mapping[str, Any]) -> LoopRequest:
    """The request in a recipe, without its opening; what earlier versions did not write down is as they had it.

    Raises ``RecipeUnusable`` where it is not there, or makes no request.
    """
    try:
        said = recipe["request"]
        melody = None
        if said.get("melody") is not None:
            notes = tuple(Note(*note) for note in said["melody"])
            melody = Melody(notes, said["melody_length"], said.get("melody_heard") or "")
        return LoopRequest(
            said["prompt"],
            said["bpm"],
            said["bars"],
            said["meter"],
            said["key"],
            melody,
            said["seed"],
            rate=said["rate"],
            engine=said["engine"],
            sampling=Sampling(**said.get("sampling", {})),
            takes=said.get("takes", 0),
            stretcher=said.get("stretcher") or _stretcher_of(recipe),
            longest_fade=said.get("longest_fade", FADE_MAX),
            listener=said.get("listener", OWN),
        )
    except InvalidRequest as error:
        raise RecipeUnusable(f"the recipe makes no request: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        said_so = f"{type(error).__name__}: {error}"
        raise RecipeUnusable(f"the recipe lacks a part, or is a newer loopgen's ({said_so}); update loopgen") from None


def _stretcher_of(recipe: Mapping[str, Any]) -> str:
    """Which stretcher an earlier version was told to use: those that ``auto`` never takes were asked for by name."""
    used = recipe.get("steps", {}).get("stretcher")
    return used if used in ("signalsmith", "rubberband") else "auto"


def exact(bpm: Fraction) -> str:
    """A tempo as text that says it exactly.

    >>> exact(Fraction(1279, 10)), exact(Fraction(361, 3))
    ('127.9', '361/3')
    """
    return text if parse_bpm(text := format_bpm(bpm)) == bpm else str(bpm)


@lru_cache(1)
def environment() -> Mapping[str, str]:
    """What this process computes with, beside the engine: the system, the machine, and the libraries' versions."""
    here = {"python": platform.python_version(), "system": platform.system(), "machine": platform.machine()}
    for name in _SHAPE_THE_SOUND:
        try:
            here[name] = version(name)
        except PackageNotFoundError:  # the stretchers by name are optional for whoever builds loopgen by hand
            continue
    return here
