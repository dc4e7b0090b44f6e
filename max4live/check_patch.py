"""What must hold of a device's boxes, cords, files and names; each rule yields its problems in words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping

from max4live.amxd import KINDS, Device, type_code
from max4live.objects import (
    CONSOLE,
    INTERFACE,
    NAMED,
    all_boxes,
    all_references,
    boxes,
    label,
    patchers,
    words,
)

Files = Mapping[str, bytes]
"""The files that a device finds: those inside it, or those beside it."""

_HOME = re.compile(r"(?:/Users/|/home/|[A-Za-z]:[\\/]+Users[\\/]|Macintosh HD:)[^\s\"']*")

_OUTLETS_MORE = {"t": 0, "trigger": 0, "unpack": 0, "route": 1, "routepass": 1, "sel": 1, "select": 1}
"""Outlets beside those that each argument makes."""


def kind(device: Device, files: Files) -> Iterator[str]:
    """The kind in the patch's project against the kind of the file; an audio effect passes its audio on."""
    expected = int.from_bytes(device.kind.encode(), "big")
    project = device.patch["patcher"].get("project")
    found = project.get("amxdtype") if isinstance(project, dict) else None
    if found != expected:
        yield (
            f"project.amxdtype is {found}; the file says that this is an {KINDS[device.kind]} ({device.kind}), "
            f"which is {expected}"
        )
    if device.kind == "aaaa":
        there = {words(box)[0] for box in all_boxes(device.patch)}
        for name in ("plugin~", "plugout~"):
            if name not in there:
                yield f"there is no [{name}]: an audio effect without it silences its track"


def ids(device: Device, files: Files) -> Iterator[str]:
    """Ids are unique in their patcher, scripting names too."""
    for where, patcher in patchers(device.patch):
        for key, what in (("id", "id"), ("varname", "scripting name")):
            for value, count in Counter(box[key] for box in boxes(patcher) if box.get(key)).items():
                if count > 1:
                    yield f"{where}: {count} boxes have the {what} {value}; give each its own"


def cords(device: Device, files: Files) -> Iterator[str]:
    """Cords run between boxes that exist, from outlets and to inlets that they have, once."""
    for where, patcher in patchers(device.patch):
        there = {box["id"]: box for box in boxes(patcher)}
        seen = set()
        for line in (entry["patchline"] for entry in patcher["lines"]):
            source, outlet = line["source"]
            destination, inlet = line["destination"]
            text = f"{where}: the cord from {source} outlet {outlet} to {destination} inlet {inlet}"
            for name in {source, destination} - there.keys():
                yield f"{text}: there is no box {name}"
            for box, number, key in ((source, outlet, "outlets"), (destination, inlet, "inlets")):
                count = there[box]["num" + key] if box in there else number + 1
                if not 0 <= number < count:
                    yield f"{text}: {label(there[box])} has {count} {key}, counted from 0"
            if (source, outlet, destination, inlet) in seen:
                yield f"{text} is there twice: every message would arrive twice"
            seen.add((source, outlet, destination, inlet))


def outlets(device: Device, files: Files) -> Iterator[str]:
    """Objects whose arguments decide how many outlets they have, have as many."""
    for box in all_boxes(device.patch):
        name, *arguments = words(box)
        if box["maxclass"] == "newobj" and name in _OUTLETS_MORE and arguments:
            count = len(arguments) + _OUTLETS_MORE[name]
            if box["numoutlets"] != count:
                yield f"{label(box)}: the box has {box['numoutlets']} outlets; as its text is, Max gives it {count}"


def classes(device: Device, files: Files) -> Iterator[str]:
    """Boxes have classes that Max knows: one that it does not know has made Live crash."""
    for box in all_boxes(device.patch):
        if box["maxclass"] not in INTERFACE:
            yield (
                f"{label(box)}: the class {box['maxclass']} is none that a box has here; an object without a face is a "
                f'"newobj" with its name as text, and one that this device should use goes into max4live/objects.py'
            )


def references(device: Device, files: Files) -> Iterator[str]:
    """Every file that the patch refers to is there and listed, no other is, and the list tells nothing of a machine."""
    needed = all_references(device.patch)
    for name in sorted(needed - files.keys()):
        hint = ""
        if name.endswith(".maxpat"):
            hint = f": {name.removesuffix('.maxpat')} is neither an object of max4live/objects.py nor an abstraction"
        yield f"the patch refers to {name}, which is not there{hint}"
    for name in sorted(device.files.keys() - needed):
        yield f"{name} is inside the device, and nothing in the patch refers to it"
    cache = device.patch["patcher"].get("dependency_cache", [])
    for name, count in Counter(entry.get("name") for entry in cache).items():
        if count > 1 or name not in needed:
            yield f"dependency_cache lists {name} {count} times; it should list it {int(name in needed)} times"
    for name in sorted(needed - {entry.get("name") for entry in cache}):
        yield f"dependency_cache does not list {name}, so that Max would not look for it"
    for entry in cache:
        if entry.get("name") in needed & files.keys() and entry.get("type") != type_code(entry["name"]):
            yield f"dependency_cache says {entry['name']} is {entry.get('type')}; it is {type_code(entry['name'])}"


def console(device: Device, files: Files) -> Iterator[str]:
    """No object that fills the console or goes round Live to the sound card, no message to Max itself."""
    for box in all_boxes(device.patch):
        if words(box)[0] in CONSOLE:
            yield f"{label(box)}: [{words(box)[0]}] is for trying things out; take it away"
        if box["maxclass"] == "message" and re.search(r";\s*max\s", str(box.get("text", ""))):
            yield f"{label(box)}: a message to max changes Max for all devices; take it away"


def names(device: Device, files: Files) -> Iterator[str]:
    """What has a name that all devices share begins with ``---``, which Live makes unique to the device."""
    for box in all_boxes(device.patch):
        kind, *arguments = words(box)
        if kind in NAMED and arguments and not arguments[0].startswith("---"):
            yield f"{label(box)}: all devices share the name {arguments[0]}; write ---{arguments[0]}"
        if box["maxclass"] == "message":
            for name in re.findall(r";\s*([^\s;,]+)", str(box.get("text", ""))):
                if not name.startswith("---") and name != "max":
                    yield f"{label(box)}: it sends to {name}, which all devices share; write ---{name}"


def home_paths(device: Device, files: Files) -> Iterator[str]:
    """Nothing tells whose machine the device was built on."""
    for path, value in _strings(device.patch, ""):
        if path.endswith(".bootpath"):
            yield f"{path} is {value!r}: a bootpath tells where the device was built; leave it out"
        elif match := _HOME.search(value) or re.match(r"~/\S*", value):
            yield f"{path} holds {match[0]!r}, a path on somebody's machine"
    for name, data in files.items():
        if match := _HOME.search(data.decode("utf-8", "replace")):
            yield f"{name} holds {match[0]!r}, a path on somebody's machine"


def _strings(value: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _strings(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _strings(inner, f"{path}[{place}]")
    elif isinstance(value, str):
        yield path, value


RULES = (kind, ids, cords, outlets, classes, references, console, names, home_paths)
