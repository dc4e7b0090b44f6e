"""What must hold of a device's JavaScript, as far as it can be told without a parser."""

from __future__ import annotations

import re
from collections.abc import Iterator

from max4live.amxd import Device
from max4live.check_patch import Files
from max4live.javascript import blank, line_of
from max4live.objects import all_boxes, label, words

_NEWER = {
    r"=>": "an arrow function; write function",
    r"(?<![\w$.])let\s+[\w$\[{]": "let; write var",
    r"(?<![\w$.])const\s": "const; write var",
    r"(?<![\w$.])class\s+[\w${]": "class; write a function",
    r"`": "a template; join strings by +",
    r"(?<![\w$.])(?:async|await)\s": "async or await; give a function to call",
    r"(?<![\w$.])(?:Promise|Map|Set|WeakMap|WeakSet|Symbol|Proxy|Reflect)\b": "an object of later JavaScript",
    r"\bArray\.(?:from|of)\b": "Array.from or Array.of; write a loop",
    r"\bObject\.(?:assign|entries|values|fromEntries|is)\b": "a function of later JavaScript; write a loop",
    r"\bNumber\.(?:is\w+|parse\w+|EPSILON|M\w+_SAFE_INTEGER)\b": "a part of Number of later JavaScript",
    r"\bMath\.(?:trunc|sign|log2|log10|hypot|cbrt|fround|clz32|imul|sinh|cosh|tanh|expm1|log1p)\b": "later Math",
    r"\.(?:includes|startsWith|endsWith|padStart|padEnd|repeat|codePointAt)\s*\(": "a method of later JavaScript",
    r"\.(?:findIndex|flatMap|flat|matchAll|replaceAll|fill|copyWithin)\s*\(": "a method of later JavaScript",
    r"\.\.\.": "a spread or rest argument",
    r"\?\.(?!\d)|\?\?|\*\*": "an operator of later JavaScript",
    r"\bfor\s*\([^;)]*\sof\s": "for ... of; count through the array",
    r"\bfunction\b[^({]*\([^)]*=": "a default argument; set it inside",
    r"\bfunction\s*\*": "a generator",
    r"(?<![\w$.])(?:var|let|const)\s*[{\[]": "destructuring; take the parts one by one",
    r"(?<![\w$.])0[boBO]\d": "a number in a form of later JavaScript",
    r"(?<![\w$.])(?:import|export)\s": "a module of later JavaScript; write require and exports",
}
_NEWER_COMPILED = [(re.compile(pattern), words) for pattern, words in _NEWER.items()]

_GLOBAL_NAME = re.compile(r"""(?:\bmessnamed\s*\(|\bnew\s+(?:Global|Dict|Buffer|PolyBuffer)\s*\()\s*["']([^"']+)["']""")
_GETNAMED = re.compile(r"""\.(?:getnamed|show)\s*\(\s*["']([^"']+)["']""")
"""``show(name, message ...)`` is how the device's own modules reach a box."""


def _scripts(files: Files) -> Iterator[tuple[str, str]]:
    for name, data in files.items():
        if name.endswith(".js"):
            yield name, data.decode("utf-8", "replace")


def is_strict(device: Device, files: Files) -> Iterator[str]:
    """Scripts are strict, so that a misspelt variable is an error and not a new one."""
    for name, text in _scripts(files):
        if not re.match(r"""\s*["']use strict["'];""", blank(text, strings=False)):
            yield f'{name}: it does not begin with "use strict";'


def is_es5(device: Device, files: Files) -> Iterator[str]:
    """Scripts hold nothing newer than ES5, which [js] runs in every Live 12."""
    for name, text in _scripts(files):
        code = blank(text)
        for pattern, advice in _NEWER_COMPILED:
            if match := pattern.search(code):
                yield f"{name}, line {line_of(code, match.start())}: {advice}; [js] runs ES5"


def is_silent(device: Device, files: Files) -> Iterator[str]:
    """Nothing is posted to Max's console; ``error`` may tell what only somebody who develops the device can mend."""
    for name, text in _scripts(files):
        code = blank(text)
        if match := re.search(r"(?<![\w$.])(?:c?post|console\s*\.\s*\w+)\s*\(", code):
            yield (
                f"{name}, line {line_of(code, match.start())}: {match[0].rstrip('( ')} writes to Max's console; "
                "show it in the device, or use error where the device itself is wrong"
            )


def shares_no_names(device: Device, files: Files) -> Iterator[str]:
    """No script uses a name that all devices share: ``---`` means nothing inside a script."""
    for name, text in _scripts(files):
        for match in _GLOBAL_NAME.finditer(blank(text, strings=False)):
            yield f"{name}, line {line_of(text, match.start())}: all devices share the name {match[1]}"


def named_boxes_exist(device: Device, files: Files) -> Iterator[str]:
    """What a script gets by its scripting name is there."""
    there = {box.get("varname") for box in all_boxes(device.patch)}
    for name, text in _scripts(files):
        for match in _GETNAMED.finditer(blank(text, strings=False)):
            if match[1] not in there:
                yield f"{name}, line {line_of(text, match.start())}: no box has the scripting name {match[1]}"


def inlets_and_outlets(device: Device, files: Files) -> Iterator[str]:
    """A [js] has the inlets and outlets that its script declares."""
    for box in all_boxes(device.patch):
        kind, *arguments = words(box)
        if kind != "js" or not arguments or arguments[0] not in files:
            continue
        code = blank(files[arguments[0]].decode("utf-8", "replace"))
        for key in ("inlets", "outlets"):
            match = re.search(rf"^(?:var\s+|this\.)?{key}\s*=\s*(\d+)", code, re.MULTILINE)
            declared = int(match[1]) if match else 1
            if box["num" + key] != declared:
                yield f"{label(box)}: the box has {box['num' + key]} {key}, its script declares {declared}"


RULES = (is_strict, is_es5, is_silent, shares_no_names, named_boxes_exist, inlets_and_outlets)
