"""What must hold of a device's parameters: what Live stores, automates and maps."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from max4live.amxd import Device
from max4live.check_patch import Files
from max4live.check_structure import is_number
from max4live.objects import CONTROLS, all_boxes, boxes, label, patchers, words

FLOAT, INT, ENUM, BLOB = 0, 1, 2, 3
"""``parameter_type``."""
STORED_ONLY, HIDDEN = 1, 2
"""``parameter_invisible``; 0, or nothing, is automated and stored."""

SHORT_NAME = 12
"""Characters: longer short names are cut on Push, and under a dial."""
LONG_NAME = 32

_UNIT_STYLES = range(11)
_CUSTOM_UNIT = 9
_RANGE_DEFAULT = (0, 127)
_ASKING = {"bang", "outputvalue", "active"}
"""Messages to a parameter that change no value."""


def parameters(device: Device) -> list[tuple[dict[str, Any], Mapping[str, Any]]]:
    """The boxes that are parameters, each with its parameter's attributes."""
    found = []
    for box in all_boxes(device.patch):
        saved = box.get("saved_attribute_attributes", {}).get("valueof", {})
        is_live = box["maxclass"].startswith("live.") and box["maxclass"] in CONTROLS
        if is_live or box.get("parameter_enable") or saved.get("parameter_longname"):
            found.append((box, saved))
    return found


def long_names(device: Device, files: Files) -> Iterator[str]:
    """Live knows a parameter by its long name: own, lasting, unlike all others."""
    counts = Counter(saved.get("parameter_longname") for _, saved in parameters(device))
    for box, saved in parameters(device):
        name = saved.get("parameter_longname") or ""
        if not name.strip():
            yield f"{label(box)}: a parameter without a long name; Live stores its value under it"
        elif name.startswith("live.") or name == box["maxclass"] or re.search(r"\[\d+\]$", name):
            yield f"{label(box)}: its long name {name} is one that Max makes up; give it one that says what it is"
        elif len(name) > LONG_NAME:
            yield f"{label(box)}: its long name {name!r} has {len(name)} characters; at most {LONG_NAME} are read"
        elif counts[name] > 1:
            yield f"{label(box)}: {counts[name]} parameters have the long name {name}; Live could not tell them apart"


def short_names(device: Device, files: Files) -> Iterator[str]:
    """Short names are there and are not cut."""
    for box, saved in parameters(device):
        name = saved.get("parameter_shortname") or ""
        if not name.strip():
            yield f"{label(box)}: a parameter without a short name"
        elif len(name) > SHORT_NAME:
            yield f"{label(box)}: its short name {name!r} would be cut; give at most {SHORT_NAME} characters"


def ranges(device: Device, files: Files) -> Iterator[str]:
    """Ranges are not empty; Max's Int parameters hold 0 to 255 and no more; lists have items, each once."""
    for box, saved in parameters(device):
        kind = saved.get("parameter_type", FLOAT)
        if kind not in (FLOAT, INT, ENUM, BLOB):
            yield f"{label(box)}: parameter_type is {kind!r}; give 0 (Float), 1 (Int), 2 (Enum) or 3 (Blob)"
        elif kind == ENUM:
            items = saved.get("parameter_enum", [])
            if len(items) < 2 or len(set(items)) < len(items):
                yield f"{label(box)}: its items are {items!r}; give two or more, each once"
        elif kind != BLOB:
            low, high = _range(saved)
            if not low < high:
                yield f"{label(box)}: it reaches from {low} to {high}; the end must be above the beginning"
            if kind == INT and not (low >= 0 and high <= 255):
                yield (
                    f"{label(box)}: it reaches from {low} to {high}; an Int parameter of Max holds 0 to 255: "
                    "make it a Float that shows whole numbers (parameter_type 0, parameter_unitstyle 0)"
                )


def _range(saved: Mapping[str, Any]) -> tuple[float, float]:
    low, high = _RANGE_DEFAULT
    return saved.get("parameter_mmin", low), saved.get("parameter_mmax", high)


def units(device: Device, files: Files) -> Iterator[str]:
    """Numbers say in what unit they are shown."""
    for box, saved in parameters(device):
        if saved.get("parameter_type", FLOAT) not in (FLOAT, INT):
            continue
        style = saved.get("parameter_unitstyle")
        if style not in _UNIT_STYLES:
            yield f"{label(box)}: parameter_unitstyle is {style!r}; say how its value is shown (0 whole numbers ... 10)"
        elif style == _CUSTOM_UNIT and not str(saved.get("parameter_units", "")).strip():
            yield f"{label(box)}: a custom unit without parameter_units"


def initial_values(device: Device, files: Files) -> Iterator[str]:
    """What Live stores has a value from the start, inside its range."""
    for box, saved in parameters(device):
        kind = saved.get("parameter_type", FLOAT)
        if saved.get("parameter_invisible") == HIDDEN or kind == BLOB:
            continue  # Live gives neither a value of its own
        values = saved.get("parameter_initial")
        if not saved.get("parameter_initial_enable") or not isinstance(values, list) or len(values) != 1:
            yield f"{label(box)}: no initial value; give parameter_initial_enable 1 and parameter_initial [value]"
            continue
        low, high = (0, len(saved.get("parameter_enum", [])) - 1) if kind == ENUM else _range(saved)
        if not is_number(values[0]) or not low <= values[0] <= high:
            yield f"{label(box)}: its initial value {values[0]!r} lies outside {low} to {high}"


def hidden(device: Device, files: Files) -> Iterator[str]:
    """What the device itself turns is Hidden, and so are buttons: else each change is a step of Live's undo."""
    for box, saved in parameters(device):
        if saved.get("parameter_invisible") == HIDDEN:
            continue
        if box["maxclass"] == "live.text" and box.get("mode", 1) == 0:
            yield f"{label(box)}: a button that is not Hidden (parameter_invisible 2) makes a step of undo a click"
    for _, patcher in patchers(device.patch):
        there = {box["id"]: box for box in boxes(patcher)}
        visible = {box["id"]: box for box, saved in parameters(device) if not _is_driven(saved)}
        for line in (entry["patchline"] for entry in patcher["lines"]):
            (source, outlet), (destination, _) = line["source"], line["destination"]
            target = visible.get(destination)
            if target is None or target is not there.get(destination) or source not in there:
                continue
            if not _asks(there[source], outlet):
                yield (
                    f"{label(target)}: {label(there[source])} sends values into it; a parameter that is driven from "
                    "inside is Hidden (parameter_invisible 2)"
                )


def _is_driven(saved: Mapping[str, Any]) -> bool:
    """Whether a parameter is one for the device to turn: Hidden, or a store, which only the patch can fill."""
    invisible = saved.get("parameter_invisible")
    return invisible == HIDDEN or (invisible == STORED_ONLY and saved.get("parameter_type") == BLOB)


def _asks(box: Mapping[str, Any], outlet: int) -> bool:
    """Whether an outlet sends only messages that change no value."""
    kind, *arguments = words(box)
    if box["maxclass"] == "message":
        parts = re.split(r"[,;]", str(box.get("text", "")))
        return all(part.split()[:1] and part.split()[0] in _ASKING for part in parts)
    if kind in ("t", "trigger"):
        return arguments[outlet : outlet + 1] in (["b"], ["bang"])
    if kind == "prepend":
        return arguments[:1] == ["active"]
    return kind in ("b", "bangbang", "button", "loadbang", "onebang", "delay", "del") or (
        kind == "live.thisdevice" and outlet == 0
    )


def banks(device: Device, files: Files) -> Iterator[str]:
    """The list of parameters in the patch is that of its boxes, and Push's banks name ones that can be automated."""
    listed = device.patch["patcher"].get("parameters", {})
    known = {box["id"]: saved for box, saved in parameters(device)}
    for name, value in listed.items():
        if name.startswith("obj-") and "::" not in name:
            saved = known.get(name, {})
            expected = [saved.get("parameter_longname"), saved.get("parameter_shortname")]
            if not isinstance(value, list) or value[:2] != expected:
                yield f"parameters lists {name} as {value!r}; its box says {expected}"
    automated = {s.get("parameter_longname") for s in known.values() if not s.get("parameter_invisible")}
    for bank in listed.get("parameterbanks", {}).values():
        for name in bank.get("parameters", []):
            if name not in automated | {"-", ""}:
                title = bank.get("name") or bank.get("index")
                yield f"the bank {title} names {name!r}, which is no automated parameter"


RULES = (long_names, short_names, ranges, units, initial_values, hidden, banks)
