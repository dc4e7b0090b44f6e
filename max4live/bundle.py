"""The device's JavaScript as one file: Max finds modules of their own unreliably in a frozen device.

``main.js`` stands at the top level, since Max takes its functions for the handlers of messages. Every other module is
a function that fills ``bundled.NAME``, before those that require it.
"""

from __future__ import annotations

import re
from pathlib import Path

from loopgen.errors import InputError
from max4live.javascript import blank, line_of

SRC = Path(__file__).parent / "src"
NAME = "loopgen.device.js"
"""What the bundle is called in the device, and in the patch's [js]."""

_MAIN = "main"
_REQUIRE = re.compile(r'^(var [A-Za-z_$][\w$]* = )require\("\./([a-z][a-z0-9_]*)"\);[ \t]*$', re.MULTILINE)
_STRICT = re.compile(r'^"use strict";[ \t]*\n', re.MULTILINE)
_HEADER = '// Built from the modules in max4live/src: edit those and build anew.\n"use strict";\n\nvar bundled = {};\n'


def bundle(folder: Path = SRC) -> str:
    """One ES5 script of ``main.js`` in a folder and of all that it requires; the same sources give the same text.

    Raises ``InputError`` for a module that is not there, requires that go in a circle, a require in another form than
    ``var x = require("./x");`` on a line of its own, and a module without ``"use strict";``.
    """
    ordered: dict[str, str] = {}
    _visit(folder, _MAIN, (), ordered)
    main = ordered.pop(_MAIN)
    wrapped = [f"(function (exports) {{\n{text}}}(bundled.{name} = {{}}));\n" for name, text in ordered.items()]
    return "\n".join([_HEADER, *wrapped, main])


def _visit(folder: Path, name: str, above: tuple[str, ...], ordered: dict[str, str]) -> None:
    """Add a module, after those that it requires."""
    if name in ordered:
        return
    if name in above:
        circle = " -> ".join([*above[above.index(name) :], name])
        raise InputError(f"the modules require each other in a circle: {circle}; move what both need into a third")
    text = _read(folder, name, above)
    for _, required in _REQUIRE.findall(blank(text, strings=False)):
        _visit(folder, required, (*above, name), ordered)
    ordered[name] = f"// {name}.js\n" + _REQUIRE.sub(r"\1bundled.\2;", text)


def _read(folder: Path, name: str, above: tuple[str, ...]) -> str:
    """The text of a module without its "use strict", which the bundle says once; lines end in a line feed."""
    path = folder / f"{name}.js"
    try:
        text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n").rstrip() + "\n"
    except FileNotFoundError:
        asked = f"{above[-1]}.js requires it" if above else "every device begins there"
        raise InputError(f"{path} is not there, and {asked}; write it, or mend the name") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    if not _STRICT.search(text):
        raise InputError(f'{path}: "use strict"; is missing; begin the module with it, on a line of its own')
    code = blank(_REQUIRE.sub(lambda match: " " * len(match[0]), text))
    own = [] if name != _MAIN else [("exports", "nothing requires main.js")]
    for word, advice in (
        *own,
        ("require", 'write var name = require("./name"); on a line of its own'),
        ("module", "write exports.name = ..."),
        ("bundled", "give it another name: the bundle keeps its modules there"),
    ):
        if match := re.search(rf"(?<![\w$.]){word}(?![\w$])", code):
            raise InputError(f"{path}, line {line_of(code, match.start())}: {word} cannot be used like this; {advice}")
    return _STRICT.sub("", text, count=1)
