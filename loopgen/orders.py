"""What was asked for, in whatever words, becomes one request: the same way for the command line and the server."""

from __future__ import annotations

import difflib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from loopgen import presets
from loopgen.errors import InvalidRequest
from loopgen.music.chords import parse_chords
from loopgen.music.harmony import chords_only
from loopgen.music.melody import FOLLOWS, Melody
from loopgen.music.prompt import Intent, read_prompt
from loopgen.music.request import FADE_MAX, OWN, SEED_MAX, LoopRequest
from loopgen.music.sampling import SAMPLING_FIELDS, Sampling
from loopgen.music.tempo import check_bars

ASKED: Mapping[str, str] = MappingProxyType(
    {
        "prompt": "what it should sound like; may name tempo, key and meter",
        "preset": "a sound of `loopgen presets`",
        "bpm": "quarter notes a minute, 20 to 999",
        "bars": "1 to 256",
        "meter": "like 3/4",
        "key": "like Am; set: the session's or the DAW's, where there is one, whatever a preset says",
        "chords": "chord symbols, one a bar; empty: none, whatever a preset says",
        "follow": "of a melody that is given: melody, chords or nothing",
        "seed": "0 to 4294967295",
        "variations": "1 to 16",
        "rate": "8000 to 192000 Hz",
        "engine": "an engine of `loopgen engines`",
        "takes": "takes made at once, 1 to 16; the best become the loops",
        "temperature": "of the draw, 0 to 10",
        "top_k": "draw from so many tokens, 0 to 2048",
        "top_p": "draw from tokens of this probability, 0 to 1",
        "guidance": "weight of the prompt, 0 to 20",
        "negative": "what it should not sound like",
        "count_in": "a bar of clicks played to the model first",
        "stretcher": "how a take is brought onto the tempo",
        "longest_fade": "of the seam, in milliseconds, 0 to 240",
        "listener": "who says where beats and bars lie: own or beat_this",
    }
)
"""Name -> meaning of everything that an order may hold."""

DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {
        "bars": 4,
        "variations": 1,
        "rate": 44_100,
        "engine": "auto",
        "takes": 0,
        "follow": FOLLOWS[0],
        "stretcher": "auto",
        "longest_fade": FADE_MAX,
        "listener": OWN,
    }
)


@dataclass(frozen=True, slots=True)
class Settled:
    """A request, and ``notes`` that tell the user in plain words what was decided for them."""

    request: LoopRequest
    notes: tuple[str, ...]


def settle(
    asked: Mapping[str, Any],
    melody: Melody | None = None,
    *,
    own_presets: Path | None = None,
    otherwise: Mapping[str, Any] | None = None,
    earlier: LoopRequest | None = None,
) -> Settled:
    """Settle an order: what is given wins over the prompt's words, these over the preset, this over ``otherwise``.

    A melody, or chords, that an order brings are followed as its or the preset's ``follow`` says; where it brings none,
    or none that is followed, the preset's own chords are. A key that is ``"set"`` is left to the session or the DAW,
    which gives it with the order; where there is none, as on the command line without ``--key``, the engine chooses.

    What an order leaves open that goes on from an ``earlier`` loop is as in that one's request, before the preset: its
    tempo, bars, meter and key, and its prompt where there is no preset.

    ``asked`` holds values under the names of ``ASKED`` (None counts as absent), ``otherwise`` the user's own defaults
    for ``bars``, ``rate``, ``engine`` or ``takes``. A seed is drawn where none is given. ``own_presets`` is the
    folder of the user's presets.

    Raises ``InvalidRequest`` for a name or value that cannot be used, ``PresetUnusable`` for the preset.

    >>> settled = settle({"prompt": "dub techno, 127.9 bpm", "chords": "Am F", "seed": 7})
    >>> settled.request.prompt, float(settled.request.bpm), settled.request.melody.length
    ('dub techno', 127.9, 8.0)
    """
    given = {name: value for name, value in asked.items() if value is not None}
    for name in given:
        if name not in ASKED:
            near = difflib.get_close_matches(str(name), ASKED, 1)
            raise InvalidRequest("order", name, f"{near[0]!r}" if near else f"one of {', '.join(ASKED)}")
    for name in ("prompt", "preset", "chords", "engine", "follow", "stretcher", "listener"):
        if not isinstance(given.get(name, ""), str):
            raise InvalidRequest(name, given[name], "text")
    if given.get("chords") and melody is not None:
        raise InvalidRequest("chords", given["chords"], "either chords or a melody: the melody brings its own harmony")
    sound = dict(presets.load(given["preset"], own_presets).fields) if "preset" in given else {}
    follows_set = given.get("key", sound.get("key")) == presets.SET_KEY
    if follows_set:  # whoever has a set gives its key with the order
        given.pop("key", None)
        sound.pop("key", None)
    if earlier:
        known = _said(earlier)
        sound = known | sound | {name: known[name] for name in known if name != "prompt"}
    prompt = given.get("prompt", sound.get("prompt"))
    if prompt is None:
        raise InvalidRequest("prompt", "", "a prompt like 'dub techno, rolling bass', or a preset")
    intent = read_prompt(prompt, given.get("bpm"), given.get("key"), given.get("meter"), otherwise=sound)
    rest = {**DEFAULTS, **(otherwise or {}), **sound, **given}
    played, said = _played(given, sound, melody, intent, rest)
    notes = [*intent.notes, *said]
    if follows_set and intent.key is None:
        notes.append("the key is to be the set's, and there is none: the engine chooses one; --key gives it")
    request = LoopRequest(
        intent.prompt,
        intent.bpm,
        bars=rest["bars"],
        meter=intent.meter,
        key=intent.key,
        melody=played,
        seed=given["seed"] if "seed" in given else secrets.randbelow(SEED_MAX + 1),
        variations=rest["variations"],
        rate=rest["rate"],
        engine=rest["engine"],
        sampling=Sampling(**{name: rest[name] for name in SAMPLING_FIELDS if name in rest}),
        takes=rest["takes"],
        stretcher=rest["stretcher"],
        longest_fade=rest["longest_fade"],
        listener=rest["listener"],
    )
    return Settled(request, tuple(notes))


def _played(
    given: Mapping[str, Any], sound: Mapping[str, Any], melody: Melody | None, intent: Intent, rest: Mapping[str, Any]
) -> tuple[Melody | None, list[str]]:
    """What is to be followed of melody and chords, the preset's chords where nothing else is; and notes on that."""
    follow = rest["follow"]
    if follow not in FOLLOWS:
        raise InvalidRequest("follow", follow, f"one of {', '.join(FOLLOWS)}")
    notes = []
    if given.get("chords"):
        melody = parse_chords(given["chords"], intent.meter)
    if melody is not None and follow == "nothing":
        melody = None
        notes.append("the melody or chords that were given are passed over, as follow is nothing")
    elif melody is not None and follow == "chords":
        melody = chords_only(melody, intent.meter, check_bars(rest["bars"]), intent.key)
    own = sound.get("chords")
    if own and "chords" not in given and melody is None:
        melody = parse_chords(own, intent.meter)
    return melody, notes


def _said(request: LoopRequest) -> dict[str, Any]:
    """What an earlier request says of what comes after it, by the names of ``ASKED``."""
    said = {"prompt": request.prompt, "bpm": request.bpm, "bars": request.bars, "meter": str(request.meter)}
    return {name: value for name, value in said.items() if value} | ({"key": str(request.key)} if request.key else {})
