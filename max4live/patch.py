"""``Loopgen.toml`` to the patch that Max reads: boxes, cords, parameters and what Max expects around them.

The result is what Max itself would save: a box of class ``newobj`` for each object that is typed, sorted keys, ids
``obj-1`` and on in the order of the source. The same source gives the same patch.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loopgen.errors import InputError
from max4live.amxd import KINDS
from max4live.parameter import Parameter, read_parameter
from max4live.theme import COLORS, rgba

SOURCE = Path(__file__).parent / "src" / "Loopgen.toml"
HEIGHT = 169
"""Pixels: Live gives every device the same."""

FONT = "Ableton Sans Medium"


@dataclass(frozen=True, slots=True)
class Kind:
    """A class of Max's: its inlets, the types of its outlets, and the attributes that the source may give."""

    inlets: int
    outlets: tuple[str, ...]
    attributes: str = ""

    @property
    def allowed(self) -> frozenset[str]:
        """Names of the attributes."""
        return frozenset(self.attributes.split())


_TEXT = "fontname fontsize textjustification linecount "

CLASSES = {
    "comment": Kind(1, (), _TEXT),
    "live.comment": Kind(1, (), _TEXT),
    "live.menu": Kind(1, ("", "", "float"), "appearance"),
    "live.numbox": Kind(1, ("", "float"), "appearance ignoreclick"),
    "live.text": Kind(1, ("", ""), "appearance mode outputmode"),
    "panel": Kind(1, (), "background ignoreclick mode rounded border"),
    "textedit": Kind(
        1,
        ("", "int", "", ""),
        _TEXT + "keymode tabmode outputmode nosymquotes wordwrap border rounded",
    ),
    "umenu": Kind(1, ("int", "", ""), "items fontname fontsize arrow applycolors truncate"),
}
"""What a user sees."""

OBJECTS = {
    "i": Kind(2, ("int",)),
    "js": Kind(1, ()),
    "live.banks": Kind(1, ("",)),
    "live.thisdevice": Kind(1, ("bang", "int", "int")),
    "pattr": Kind(1, ("", "", "")),
    "plugin~": Kind(2, ("signal", "signal")),
    "plugout~": Kind(2, ("signal", "signal")),
    "prepend": Kind(1, ("",)),
    "route": Kind(2, ("", "")),
    "udpreceive": Kind(1, ("",)),
    "udpsend": Kind(1, ()),
}
"""What is typed into a box, and ``t``, whose outlets are its arguments."""

_TRIGGER = {"b": "bang", "l": "", "s": "", "i": "int", "f": "float"}
_CACHED = {("panel", "bgfillcolor"): "bgcolor", ("umenu", "bgfillcolor"): None}
"""Where Max keeps the last colour beside the theme's name: in the same attribute, but for these."""
_OWN = frozenset({"class", "at", "shown", "text", "colors", "title", "info", "parameter", "outlets"})
_CORD = re.compile(r"(\w+) (\d+) > (\w+) (\d+)")
_GRID = (140, 36)
"""Pixels between columns and rows of the patching view."""


@dataclass(frozen=True, slots=True)
class _Box:
    """A box of the source, its id, class and parameter."""

    name: str
    id: str
    kind: Kind
    source: Mapping[str, Any]
    parameter: Parameter | None

    def attributes(self) -> dict[str, Any]:
        """The box as Max writes it, its keys sorted."""
        source = self.source
        kind = source.get("class", "newobj")
        size = source["shown"][2:] if "shown" in source else [6 * len(source["text"]) + 16, 20]
        box: dict[str, Any] = {
            "id": self.id,
            "maxclass": kind,
            "varname": self.name,
            "numinlets": self.kind.inlets,
            "numoutlets": len(self.kind.outlets),
            "patching_rect": _rectangle([24 + source["at"][0] * _GRID[0], 24 + source["at"][1] * _GRID[1], *size]),
            **{key: value for key, value in source.items() if key not in _OWN or key == "text"},
        }
        if self.kind.outlets:
            box["outlettype"] = list(self.kind.outlets)
        if "shown" in source:
            box |= {"presentation": 1, "presentation_rect": _rectangle(source["shown"])}
        if "title" in source:
            box |= {"annotation_name": source["title"], "annotation": source["info"]}
        saved: dict[str, Any] = {}
        for attribute, color in source.get("colors", {}).items():
            saved[attribute] = {"expression": f"themecolor.{color}"}
            if cached := _CACHED.get((kind, attribute), attribute):
                box[cached] = rgba(COLORS[color])
        box |= self._kind_of_parameter(kind)
        if self.parameter:
            saved["valueof"] = self.parameter.attributes(source.get("title", ""), source.get("info", ""))
        if saved:
            box["saved_attribute_attributes"] = dict(sorted(saved.items()))
        if kind == "live.text":
            box |= {"texton": source["text"], "automation": "Off", "automationon": "On"}
        if kind == "umenu":  # Max separates the items with commas
            box["items"] = [part for item in source["items"] for part in (item, ",")][:-1]
        return dict(sorted(box.items()))

    def _kind_of_parameter(self, kind: str) -> dict[str, Any]:
        """Where Max says whether a box is a parameter: an object that is typed has it among its own attributes."""
        enabled = {"parameter_enable": int(self.parameter is not None)}
        match kind, self.source.get("text", "").split():
            case "newobj", ["js", script, *_]:
                return {"saved_object_attributes": {"filename": script} | enabled}
            case "newobj", ["pattr", *_]:
                stored = {"restore": list(self.parameter.initial)} if self.parameter else {}
                return {"saved_object_attributes": enabled | {"parameter_mappable": 0}} | stored
            case (("newobj" | "comment" | "live.comment" | "panel"), _):
                return {}
        return enabled


def load(source: Path = SOURCE) -> dict[str, Any]:
    """The patch, ``{"patcher": {...}}``; raises ``InputError`` that names the box or cord at fault."""
    try:
        text = tomllib.loads(source.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{source} cannot be read: {error.strerror or error}") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{source}: {error}; mend it") from None
    try:
        return {"patcher": _patcher(text)}
    except _Fault as fault:
        raise InputError(f"{source.name}: {fault}") from None


class _Fault(Exception):
    """What is wrong in the source, for people."""


def _patcher(text: Mapping[str, Any]) -> dict[str, Any]:
    boxes = [_read_box(name, f"obj-{number}", box) for number, (name, box) in enumerate(text["box"].items(), 1)]
    notes = [_note(note, f"obj-{number}") for number, note in enumerate(text.get("note", []), len(boxes) + 1)]
    device = text["device"]
    width = float(device["width"])
    return {
        "fileversion": 1,
        "appversion": {"major": 8, "minor": 6, "revision": 0, "architecture": "x64", "modernui": 1},
        "classnamespace": "box",
        "rect": [80.0, 100.0, 1480.0, 620.0],
        "openrect": [0.0, 0.0, width, float(HEIGHT)],
        "bglocked": 0,
        "openinpresentation": 1,
        "default_fontsize": 10.0,
        "default_fontface": 0,
        "default_fontname": FONT,
        "gridonopen": 1,
        "gridsize": [4.0, 4.0],
        "gridsnaponopen": 1,
        "objectsnaponopen": 1,
        "statusbarvisible": 2,
        "toolbarvisible": 1,
        "lefttoolbarpinned": 0,
        "toptoolbarpinned": 0,
        "righttoolbarpinned": 0,
        "bottomtoolbarpinned": 0,
        "toolbars_unpinned_last_save": 0,
        "tallnewobj": 0,
        "boxanimatetime": 200,
        "enablehscroll": 1,
        "enablevscroll": 1,
        "devicewidth": width,
        "description": device["description"],
        "digest": device["title"],
        "tags": device["tags"],
        "style": "",
        "subpatcher_template": "",
        "assistshowspatchername": 0,
        "boxes": [{"box": box} for box in [*(box.attributes() for box in boxes), *notes]],
        "lines": [{"patchline": line} for line in _cords(text["cords"]["list"], {box.name: box for box in boxes})],
        "parameters": _parameters(boxes, text.get("bank", [])),
        "dependency_cache": [],
        "latency": 0,
        "is_mpe": 0,
        "minimum_live_version": "",
        "minimum_max_version": "",
        "platform_compatibility": 0,
        "project": _project(device["kind"]),
        "autosave": 0,
    }


def _project(kind: str) -> dict[str, Any]:
    """What Max keeps of a device's project; the kind of device is the four letters of its file as a number."""
    letters = next((letters for letters, name in KINDS.items() if name == kind), None)
    if letters is None:
        raise _Fault(f"device: the kind {kind!r} is none; give {', '.join(KINDS.values())}")
    return {
        "version": 1,
        "creationdate": 3850070400,  # 1 January 2026 in seconds since 1904: the same patch every time
        "modificationdate": 3850070400,
        "viewrect": [0.0, 0.0, 300.0, 500.0],
        "autoorganize": 1,
        "hideprojectwindow": 1,
        "showdependencies": 1,
        "autolocalize": 0,
        "contents": {"patchers": {}},
        "layout": {},
        "searchpath": {},
        "detailsvisible": 0,
        "amxdtype": int.from_bytes(letters.encode("ascii"), "big"),
        "readonly": 0,
        "devpathtype": 0,
        "devpath": ".",
        "sortmode": 0,
        "viewmode": 0,
        "includepackages": 0,
    }


def _read_box(name: str, number: str, source: Mapping[str, Any]) -> _Box:
    try:
        kind = _kind(source)
        unknown = source.keys() - _OWN - kind.allowed
        if unknown:
            raise _Fault(f"{source.get('class', source.get('text'))} has no {', '.join(sorted(unknown))} here")
        if not _whole(source.get("at"), 2):
            raise _Fault(f"at is {source.get('at')!r}; give column and row of the patching view")
        if "class" in source and not _whole(source.get("shown"), 4):
            raise _Fault(f"shown is {source.get('shown')!r}; give x, y, width and height in whole pixels")
        if ("title" in source) != ("info" in source):
            raise _Fault("title and info belong together, as Live's Info View shows both")
        for attribute, color in source.get("colors", {}).items():
            if color not in COLORS:
                raise _Fault(f"{attribute} is {color!r}, which is none of Live's theme colours: {', '.join(COLORS)}")
        parameter = read_parameter(source["parameter"]) if "parameter" in source else None
    except (_Fault, ValueError) as fault:
        raise _Fault(f"box {name}: {fault}") from None
    return _Box(name, number, kind, source, parameter)


def _kind(source: Mapping[str, Any]) -> Kind:
    if "class" in source:
        if source["class"] not in CLASSES:
            raise _Fault(f"the class {source['class']!r} is not in the table; there are {', '.join(CLASSES)}")
        return CLASSES[source["class"]]
    word, *arguments = str(source.get("text", "")).split() or [""]
    if word == "t" and arguments:
        return Kind(1, tuple(_TRIGGER.get(argument, argument) for argument in arguments))
    if word not in OBJECTS:
        raise _Fault(f"the object {word!r} is not in the table; there are t, {', '.join(OBJECTS)}")
    return Kind(1, ("",) * source["outlets"]) if "outlets" in source else OBJECTS[word]


def _note(note: Mapping[str, Any], number: str) -> dict[str, Any]:
    column, row = note["at"]
    return {
        "fontface": 2,
        "id": number,
        "maxclass": "comment",
        "numinlets": 1,
        "numoutlets": 0,
        "patching_rect": _rectangle([24 + column * _GRID[0], 24 + row * _GRID[1], 6 * len(note["text"]) + 16, 18]),
        "text": note["text"],
    }


def _cords(cords: list[str], boxes: Mapping[str, _Box]) -> Iterator[dict[str, Any]]:
    """Cords as Max writes them; an outlet has one at most, for Max orders several by where the boxes lie."""
    outlets = set()
    for cord in cords:
        match = _CORD.fullmatch(cord)
        if not match:
            raise _Fault(f'the cord {cord!r} cannot be read; write "from outlet > to inlet"')
        source, outlet, destination, inlet = match[1], int(match[2]), match[3], int(match[4])
        for name in (source, destination):
            if name not in boxes:
                raise _Fault(f"the cord {cord!r}: there is no box {name}")
        there = len(boxes[source].kind.outlets), boxes[destination].kind.inlets
        for name, number, count, what in (
            (source, outlet, there[0], "outlets"),
            (destination, inlet, there[1], "inlets"),
        ):
            if number >= count:
                raise _Fault(f"the cord {cord!r}: {name} has {count} {what}, counted from 0")
        if (source, outlet) in outlets:
            raise _Fault(f"the cord {cord!r}: that outlet has one already; a trigger (t) says what comes first")
        outlets.add((source, outlet))
        yield {"destination": [boxes[destination].id, inlet], "source": [boxes[source].id, outlet]}


def _parameters(boxes: list[_Box], banks: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Max's list of the parameters, and Push's banks of eight."""
    there = [(box.id, box.parameter) for box in boxes if box.parameter]
    names = [parameter.name for _, parameter in there]
    for name in names:
        if names.count(name) > 1:
            raise _Fault(f"{names.count(name)} parameters have the name {name}; Live could not tell them apart")
    automated = [parameter.name for _, parameter in there if parameter.visible == "automated"]
    for bank in banks:
        for name in bank["parameters"]:
            if name not in automated:
                raise _Fault(f"bank {bank['name']}: {name} is no automated parameter; there are {', '.join(automated)}")
        if len(bank["parameters"]) > 8:
            raise _Fault(f"bank {bank['name']}: {len(bank['parameters'])} parameters; Push has 8 encoders")
    listed = {
        str(index): {
            "index": index,
            "name": bank["name"],
            "parameters": [*bank["parameters"], *["-"] * (8 - len(bank["parameters"]))],
            "buttons": ["-"] * 8,
        }
        for index, bank in enumerate(banks)
    }
    entries: dict[str, Any] = {number: [one.name, one.short, 0] for number, one in there}
    return entries | {"parameterbanks": listed, "inherited_shortname": 1}


def _whole(value: object, count: int) -> bool:
    return isinstance(value, list) and len(value) == count and all(type(number) is int for number in value)


def _rectangle(numbers: list[int]) -> list[float]:
    return [float(number) for number in numbers]
