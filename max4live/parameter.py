"""What Live knows of a control: its parameter, from the words of ``Loopgen.toml`` to those of Max."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_VISIBLE = {"automated": 0, "stored": 1, "hidden": 2}
"""``parameter_invisible``."""
_UNITS = {"int": 0, "float": 1, "%": 5}
"""``parameter_unitstyle``; any other unit is a pattern like %.1f."""
_CUSTOM_UNIT = 9
_TYPES = {"float": 0, "int": 1, "enum": 2, "toggle": 2, "button": 2, "blob": 3}
"""``parameter_type``."""
_ADDITIVE = 3
"""``parameter_modmode``: clip envelopes add to the value."""
_KEYS = frozenset({"name", "short", "kind", "range", "items", "initial", "unit", "visible"})


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter: long and short name, kind, range or items, initial value as Max stores it, unit, visibility."""

    name: str
    short: str
    kind: str
    range: tuple[float, float]
    items: tuple[str, ...]
    initial: tuple[Any, ...]
    unit: str
    visible: str

    def attributes(self, title: str, info: str) -> dict[str, Any]:
        """What Max keeps as ``valueof``, sorted; what is as by default is left out, as Max leaves it out."""
        found: dict[str, Any] = {
            "parameter_annotation_name": title,
            "parameter_info": info,
            "parameter_longname": self.name,
            "parameter_modmode": _ADDITIVE if self.unit and self.visible == "automated" else 0,
            "parameter_shortname": self.short,
            "parameter_type": _TYPES[self.kind],
        }
        if self.initial:
            found |= {"parameter_initial": list(self.initial), "parameter_initial_enable": 1}
        if self.visible != "automated":
            found["parameter_invisible"] = _VISIBLE[self.visible]
        if self.items:
            found |= {"parameter_enum": list(self.items), "parameter_mmax": len(self.items) - 1}
        if self.unit:
            found |= {"parameter_mmin": self.range[0], "parameter_mmax": self.range[1]}
            found["parameter_unitstyle"] = _UNITS.get(self.unit, _CUSTOM_UNIT)
            if self.unit not in _UNITS:
                found["parameter_units"] = self.unit
        return dict(sorted(found.items()))


def read_parameter(source: Mapping[str, Any]) -> Parameter:
    """A parameter of the source; raises ``ValueError`` that says what is wrong."""
    if unknown := source.keys() - _KEYS:
        raise ValueError(f"parameter: {', '.join(sorted(unknown))} is none of {', '.join(sorted(_KEYS))}")
    kind, visible, name = source.get("kind"), source.get("visible"), source.get("name")
    if not name:
        raise ValueError("parameter: give a name")
    if kind not in _TYPES:
        raise ValueError(f"parameter: the kind {kind!r} is none of {', '.join(_TYPES)}")
    if visible not in _VISIBLE:
        raise ValueError(f"parameter: visible is {visible!r}; give {', '.join(_VISIBLE)}")
    if kind == "button" and visible != "hidden":
        raise ValueError("parameter: a button is hidden, or each click would be a step of Live's undo history")
    if ("initial" in source) == (visible == "hidden"):
        raise ValueError("parameter: what is stored needs an initial value, and nothing else does")
    low, high, unit, items = 0.0, 0.0, source.get("unit", ""), ()
    if kind in ("float", "int"):
        low, high = source.get("range", (0.0, 0.0))
        if not low < high:
            raise ValueError(f"parameter: the range is {low} to {high}; give [lowest, highest]")
        if not unit:
            raise ValueError(f"parameter: give a unit: {', '.join(_UNITS)} or a pattern like %.1f")
    else:
        items = {"enum": tuple(source.get("items", ())), "blob": ()}.get(kind, ("Off", "On"))
    initial = _initial(kind, source["initial"], (low, high), items) if "initial" in source else ()
    return Parameter(name, source.get("short", name), kind, (low, high), items, initial, unit, visible)


def _initial(kind: str, value: Any, span: tuple[float, float], items: tuple[str, ...]) -> tuple[Any, ...]:
    """The initial value as Max stores it: of a list of items the number, from 0."""
    if kind == "blob":
        return tuple(value)
    if kind == "enum":
        if value not in items:
            raise ValueError(f"parameter: the initial item {value!r} is none of {', '.join(items)}")
        return (items.index(value),)
    if kind == "toggle":
        return (int(value),)
    if not span[0] <= value <= span[1]:
        raise ValueError(f"parameter: the initial value {value} lies outside {span[0]} to {span[1]}")
    return (value,)
