"""A loop that sounds good becomes a preset: what its recipe says of the sound, without what made it that one take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from loopgen.errors import LoopgenError, PresetUnusable
from loopgen.music.chords import write_chords
from loopgen.music.melody import Melody, Note
from loopgen.music.request import FADE_MAX
from loopgen.music.sampling import SAMPLING_FIELDS, Sampling

_OPEN = {"engine": "auto", "takes": 0, "stretcher": "auto", "longest_fade": FADE_MAX, **asdict(Sampling())}
"""What a preset need not say, as it is so anyway."""


def of_recipe(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the preset that asks for loops like the one of this recipe.

    Its key is the one that was asked for, else the one that the engine chose. Chords are kept where it was made to
    chord symbols; of other melodies, and of seeds, a preset knows nothing. Raises ``PresetUnusable`` for a recipe that
    does not say what was asked for.

    >>> said = {"prompt": "dub", "bpm": "127.9", "bars": 4, "meter": "4/4", "key": None, "engine": "auto"}
    >>> of_recipe({"request": said, "key": "Am"})
    {'prompt': 'dub', 'bpm': '127.9', 'bars': 4, 'meter': '4/4', 'key': 'Am'}
    """
    said = _request(recipe)
    drawn = said.get("sampling")
    fields = {
        **{name: said.get(name) for name in ("prompt", "bpm", "bars", "meter", "engine", "takes")},
        "key": said.get("key") or recipe.get("key"),
        "chords": _chords(said),
        **{name: drawn.get(name) for name in SAMPLING_FIELDS if isinstance(drawn, Mapping)},
        **{name: said.get(name) for name in ("stretcher", "longest_fade")},
    }
    return {name: value for name, value in fields.items() if value is not None and value != _OPEN.get(name)}


def left_out(recipe: Mapping[str, Any]) -> list[str]:
    """What of a loop's making no preset can hold, in words for the user."""
    said = _request(recipe)
    notes = []
    if said.get("melody") and _chords(said) is None:
        notes.append("the melody that the loop was made to is no part of a preset; give it again with --melody")
    if said.get("opening"):
        notes.append("that the loop goes on from another is no part of a preset; give that again with --continue")
    return notes


def _request(recipe: Mapping[str, Any]) -> Mapping[str, Any]:
    said, engine = recipe.get("request"), recipe.get("engine")
    if isinstance(engine, Mapping) and engine.get("kind") == "recording":
        raise PresetUnusable("the loop was made of a recording and not of words; there is no sound to keep")
    if not isinstance(said, Mapping) or not said.get("prompt"):
        raise PresetUnusable("the loop does not say what it was made of: it has no recipe of loopgen's")
    return said


def _chords(said: Mapping[str, Any]) -> str | None:
    """The chord symbols that a loop was made to, where it was."""
    if not said.get("melody") or said.get("melody_heard"):
        return None
    try:
        notes = tuple(Note(*note) for note in said["melody"])
        return write_chords(Melody(notes, said["melody_length"]), str(said["meter"]))
    except (LoopgenError, KeyError, TypeError, ValueError):  # sidecars may have been written by anybody
        return None
