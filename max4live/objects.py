"""The boxes of a patch, the objects of Max that this device may use, and the files that boxes refer to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


OBJECTS = _names(
    """
    plugin~ plugout~ js udpsend udpreceive live.thisdevice live.banks live.colors pattr autopattr
    t trigger b bangbang prepend append route routepass sel select gate switch deferlow defer delay del pipe speedlim
    onebang change loadbang loadmess i int f float pack pak unpack join unjoin zl zl.reg zl.len zl.slice zl.nth zl.join
    tosymbol fromsymbol sprintf regexp itoa iter counter thispatcher pcontrol p patcher in out
    s send r receive coll dict value v + - * / % == != < > <= >= && || ! expr if clip scale
    """
)
"""What a box of class newobj may hold; another name is taken for an abstraction, a file ``NAME.maxpat``."""

CONTROLS = _names(
    """
    live.dial live.numbox live.menu live.text live.tab live.toggle live.slider live.button umenu textedit slider
    multislider number flonum toggle button
    """
)
"""What a user turns, presses or types into."""

INTERFACE = CONTROLS | _names(
    "newobj message comment panel inlet outlet bpatcher fpic jsui live.comment live.line live.drop multislider"
)
"""The classes that a box may have: one that Max does not know has made Live crash."""

CONSOLE = _names("print error dac~ adc~ ezdac~ ezadc~")
"""Objects for trying things out: they fill the console, or go round Live to the sound card."""

NAMED = _names("s send r receive s~ send~ r~ receive~ buffer~ coll dict table value v play~ groove~ peek~ poke~ info~")
"""Objects whose first argument is a name that all devices of a Live set share."""

_SCRIPTED = {"js": ".js", "v8": ".js", "node.script": ".js", "jsui": ".js", "v8ui": ".js"}


def patchers(patch: Mapping[str, Any], where: str = "the patch") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The patcher of a patch and those within it, each with words for where it is."""
    patcher = patch["patcher"]
    yield where, patcher
    for box in boxes(patcher):
        if isinstance(box.get("patcher"), dict):
            yield from patchers(box, f"the patcher in {box.get('varname') or box['id']}")


def boxes(patcher: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The boxes of one patcher, without those inside others."""
    return [entry["box"] for entry in patcher.get("boxes", [])]


def all_boxes(patch: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The boxes of a patch and of all patchers within it."""
    return [box for _, patcher in patchers(patch) for box in boxes(patcher)]


def words(box: Mapping[str, Any]) -> list[str]:
    """The name of a box's object and its arguments, without attributes (``@name value``).

    >>> words({"maxclass": "newobj", "text": "udpreceive 11201 @defer 1"})
    ['udpreceive', '11201']
    """
    if box["maxclass"] != "newobj":
        return [box["maxclass"]]
    text = str(box.get("text", "")).split()
    attributes = [place for place, word in enumerate(text) if word.startswith("@") and len(word) > 1]
    return text[: attributes[0]] if attributes else text


def label(box: Mapping[str, Any]) -> str:
    """What to call a box in a message: its scripting name, else its object, and its id."""
    name = box.get("varname") or " ".join(words(box)) or box["maxclass"]
    return f"{name} ({box['id']})"


def references(box: Mapping[str, Any]) -> set[str]:
    """The files that a box needs beside the patch: scripts, pictures and abstractions."""
    found = set()
    kind, *arguments = words(box) or [""]
    if kind in _SCRIPTED:
        script = arguments[0] if arguments else box.get("filename", "")
        found.add(script if "." in script else script + _SCRIPTED[kind])
    elif box["maxclass"] == "newobj" and kind not in OBJECTS | CONSOLE | NAMED and kind:
        found.add(kind + ".maxpat")
    elif box["maxclass"] == "bpatcher" and box.get("name"):
        found.add(box["name"])
    found.update(picture for picture in [box.get("pic"), *box.get("pictures", [])] if picture)
    return found


def all_references(patch: Mapping[str, Any]) -> set[str]:
    """The files that a patch needs beside it."""
    return set().union(*(references(box) for box in all_boxes(patch)))
