"""The values that all clients share: a set has one tempo, whoever says it."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import Any

from bridge.fields import BY_NAME, SESSION
from bridge.wire import Value
from loopgen.engines.base import is_public, split
from loopgen.errors import EngineUnavailable, InvalidRequest
from loopgen.music.sampling import SAMPLING_FIELDS
from loopgen.presets import SET_KEY

_ASKED = {"tempo": "bpm"}
_NAMES = {asked: name for name, asked in _ASKED.items()}
_SOUND = ("prompt", "bars", "meter", "key", "engine", "follow", "stretcher", "longest_fade", *SAMPLING_FIELDS)
"""Values that a preset brings, where it does not leave them open."""

_NOT_ASKED = frozenset({"folder", "melody", "continue", "vary", "preview"})


class Session:
    """Values by name: what a client has set, under it a preset's, under it those ``given`` at the start."""

    def __init__(self, engines: Collection[str] = (), given: Mapping[str, Any] | None = None) -> None:
        self._engines = frozenset(engines)
        self._given = dict(given or {})
        self._adopted: dict[str, Any] = {}
        self._set: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        return self._set.get(name, self._adopted.get(name, self._given.get(name)))

    def shown(self, name: str) -> Value:
        """A value as it goes over the wire."""
        return BY_NAME[name].show(self[name])

    def set(self, name: str, value: Value) -> list[str]:
        """Set a value, or take it back with empty text; returns what has changed. Raises ``LoopgenError``.

        A preset is set by ``adopt``; taken back, its values go with it.
        """
        if name == "preset":
            return self.adopt("", {})
        before = self[name]
        if value == "":
            self._set.pop(name, None)
        else:
            read = BY_NAME[name].read(value)
            if name == "engine":
                self.check_engine(read)
            self._set[name] = read
        return [name] if self[name] != before else []

    def adopt(self, preset: str, fields: Mapping[str, Any]) -> list[str]:
        """Take a preset's values over, in place of another's and of those that were set; returns what has changed.

        A tempo that was set stays: it is the set's, not the sound's; so does a key where the preset follows the set's.
        Raises ``LoopgenError`` and changes nothing for a preset that cannot be used here.
        """
        named = {_NAMES.get(key, key): value for key, value in fields.items()}
        follows = {"key"} if named.get("key") == SET_KEY else set()
        shared = {field.name for field in SESSION} - follows
        adopted = {name: BY_NAME[name].read(value) for name, value in named.items() if name in shared}
        if "engine" in adopted:
            self.check_engine(adopted["engine"])
        before = {field.name: self[field.name] for field in SESSION}
        if preset:
            adopted["preset"] = preset
            for name in {*_SOUND, *adopted} - {"tempo"} - follows:
                self._set.pop(name, None)
        self._adopted = adopted
        return [name for name, value in before.items() if self[name] != value]

    def let_go(self) -> list[str]:
        """Part from a preset that is no more; the values that it gave stay. Returns what has changed."""
        self._adopted.pop("preset", None)
        self._set = {**self._adopted, **self._set}
        self._adopted = {}
        return ["preset"]

    def check_engine(self, name: str) -> None:
        """Refuse an engine that is not there at once; raises ``EngineUnavailable``."""
        known = sorted({"auto", *self._engines})
        if not is_public(name) and split(name)[0] in known:
            raise EngineUnavailable(
                f"{name[:64]!r} names no model; give one like musicgen:medium or musicgen:owner/name"
            )
        if split(name)[0] not in known:
            near = difflib.get_close_matches(split(name)[0], known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
            raise EngineUnavailable(f"engine {name[:64]!r} is unknown; {hint}")

    def order(self, given: Mapping[str, Any], *, goes_on: bool = False) -> dict[str, Any]:
        """What `generate` asks for: the session's values under those given; raises ``LoopgenError``.

        An order that ``goes_on`` from an earlier loop needs no words of its own. A preset's own values are left to
        whoever settles the order. One that is given brings its own prompt.
        """
        own = {name: value for name, value in self._given.items() if name not in self._adopted}
        values = {**own, **self._set, **({"preset": self["preset"]} if self["preset"] else {}), **given}
        if "preset" in given and "prompt" not in given:
            values.pop("prompt", None)
        if "engine" in values:
            self.check_engine(values["engine"])
        if "prompt" not in values and "preset" not in values and not goes_on:
            raise InvalidRequest("prompt", "", "a prompt like 'dub techno, rolling bass', or a preset")
        return {_ASKED.get(name, name): value for name, value in values.items() if name not in _NOT_ASKED}
