"""Whether a patch is made of what the other rules read: the right kinds of values in the right places."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeGuard

from max4live.amxd import Device

Test = Callable[[object], bool]


def is_number(value: object) -> bool:
    """Whether this is a number; JSON's true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_rectangle(value: object) -> TypeGuard[list[float]]:
    """Whether this is left, top, width and height."""
    return isinstance(value, list) and len(value) == 4 and all(is_number(number) for number in value)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and value >= 0


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _are_files(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) and _is_text(each.get("name")) for each in value)


def _are_banks(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(bank, dict) and _is_texts(bank.get("parameters", [])) for bank in value.values()
    )


_PATCHER: dict[str, Test] = {
    "boxes": _is_list,
    "lines": _is_list,
    "dependency_cache": _are_files,
    "parameters": _is_object,
    "project": _is_object,
}
_BOX: dict[str, Test] = {
    "id": _is_text,
    "maxclass": _is_text,
    "numinlets": _is_whole,
    "numoutlets": _is_whole,
    "patching_rect": is_rectangle,
    "outlettype": _is_texts,
    "text": _is_text,
    "varname": _is_text,
    "name": _is_text,
    "pic": _is_text,
    "pictures": _is_texts,
    "filename": _is_text,
    "patcher": _is_object,
    "saved_attribute_attributes": _is_object,
}
_PARAMETER: dict[str, Test] = {
    "parameter_longname": _is_text,
    "parameter_shortname": _is_text,
    "parameter_type": _is_whole,
    "parameter_enum": _is_texts,
    "parameter_mmin": is_number,
    "parameter_mmax": is_number,
    "parameter_units": _is_text,
    "parameter_unitstyle": _is_whole,
    "parameter_initial": _is_list,
    "parameter_invisible": _is_whole,
}
_REQUIRED = {"boxes", "lines", "id", "maxclass", "numinlets", "numoutlets", "patching_rect"}


def structure(device: Device) -> Iterator[str]:
    """What is not of the kind that it should be; the other rules can read a patch of which nothing is said here."""
    yield from _patcher(device.patch["patcher"], "the patch")


def _patcher(patcher: Mapping[str, Any], where: str) -> Iterator[str]:
    yield from _values(patcher, _PATCHER, where)
    parameters = patcher.get("parameters")
    if isinstance(parameters, dict) and not _are_banks(parameters.get("parameterbanks", {})):
        yield f"{where}: parameterbanks is {_shown(parameters['parameterbanks'])}, which are no banks of names"
    for entry in _list(patcher.get("boxes")):
        box = entry.get("box") if isinstance(entry, dict) else None
        if isinstance(box, dict):
            yield from _box(box, f"{where}, box {box.get('id')}")
        else:
            yield f"{where}: boxes has {_shown(entry)}, which is no box"
    for entry in _list(patcher.get("lines")):
        line = entry.get("patchline") if isinstance(entry, dict) else None
        for end in ("source", "destination"):
            match line.get(end) if isinstance(line, dict) else None:
                case [str(), int()]:
                    pass
                case other:
                    yield f"{where}: a cord's {end} is {_shown(other)}; it should be an id and a number"


def _box(box: Mapping[str, Any], where: str) -> Iterator[str]:
    yield from _values(box, _BOX, where)
    if box.get("maxclass") == "newobj" and not str(box.get("text", "")).strip():
        yield f"{where}: a newobj without a text: Max cannot tell which object it is"
    kinds = box.get("outlettype")
    if isinstance(kinds, list) and len(kinds) != box.get("numoutlets"):
        yield f"{where}: it has {box.get('numoutlets')} outlets and {len(kinds)} types of outlets"
    attributes = box.get("saved_attribute_attributes")
    if isinstance(attributes, dict) and "valueof" in attributes:
        saved = attributes["valueof"]
        if isinstance(saved, dict):
            yield from _values(saved, _PARAMETER, where)
        else:
            yield f"{where}: valueof is {_shown(saved)}"
    if isinstance(box.get("patcher"), dict):
        yield from _patcher(box["patcher"], f"{where}, its patcher")


def _values(holder: Mapping[str, Any], tests: Mapping[str, Test], where: str) -> Iterator[str]:
    for key, test in tests.items():
        if key not in holder and key in _REQUIRED:
            yield f"{where}: it has no {key}"
        elif key in holder and not test(holder[key]):
            yield f"{where}: {key} cannot be {_shown(holder[key])}"


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
