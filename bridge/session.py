"""The values that all clients share: a set has one tempo, whoever says it."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import Any

from bridge.fields import BY_NAME, SESSION
from bridge.wire import Value
from loopgen.errors import EngineUnavailable, InvalidRequest

_ASKED = {"tempo": "bpm"}
_NOT_ASKED = frozenset({"folder", "melody"})


class Session:
    """Values by name, at first those ``given`` or None."""

    def __init__(self, engines: Collection[str] = (), given: Mapping[str, Any] | None = None) -> None:
        self._engines = frozenset(engines)
        self._given = dict(given or {})
        self._values: dict[str, Any] = {field.name: self._given.get(field.name) for field in SESSION}

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def shown(self, name: str) -> Value:
        """A value as it goes over the wire."""
        return BY_NAME[name].show(self._values[name])

    def set(self, name: str, value: Value) -> bool:
        """Set a value, or with empty text what it was at first; returns whether it changed. Raises ``LoopgenError``."""
        read = self._given.get(name) if value == "" else BY_NAME[name].read(value)
        if name == "engine" and read is not None:
            self.check_engine(read)
        changed = bool(self._values[name] != read)
        self._values[name] = read
        return changed

    def check_engine(self, name: str) -> None:
        """Refuse an engine that is not there at once; raises ``EngineUnavailable``."""
        known = sorted({"auto", *self._engines})
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
            raise EngineUnavailable(f"engine {name[:64]!r} is unknown; {hint}")

    def order(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What `generate` asks for: the session's values under those given; raises ``LoopgenError``."""
        values = {name: value for name, value in self._values.items() if value is not None} | dict(given)
        if "engine" in values:
            self.check_engine(values["engine"])
        if "prompt" not in values and "preset" not in values:
            raise InvalidRequest("prompt", "", "a prompt like 'dub techno, rolling bass', or a preset")
        return {_ASKED.get(name, name): value for name, value in values.items() if name not in _NOT_ASKED}
