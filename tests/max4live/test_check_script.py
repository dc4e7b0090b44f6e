"""The lint of a script: what [js] would not run, what would disturb other devices, and what only looks like it."""

from __future__ import annotations

import pytest

from max4live import amxd, check_script
from max4live.check import check
from tests.max4live import samples


def problems(script: str) -> list[str]:
    return check(amxd.to_bytes(samples.device(logic_js=script), frozen=True))


SCRIPTS: dict[str, tuple[str, str]] = {
    "not strict": ("inlets = 1;\noutlets = 2;", 'does not begin with "use strict"'),
    "strict too late": ('var x = 1;\n"use strict";\noutlets = 2;', 'does not begin with "use strict"'),
    "posts": ('"use strict";\noutlets = 2;\npost("hello");', "line 3: post writes"),
    "posts plainly": ('"use strict";\noutlets = 2;\ncpost ("hello");', "cpost writes"),
    "logs": ('"use strict";\noutlets = 2;\nconsole.log("hello");', "console.log writes"),
    "a home": ('"use strict";\noutlets = 2;\nvar a = "/Users/ada/x";', "logic.js holds '/Users/ada/x'"),
    "a shared name": ('"use strict";\noutlets = 2;\nmessnamed("status", 1);', "share the name status"),
    "a shared Global": ('"use strict";\noutlets = 2;\nvar g = new Global("loopgen");', "share the name loopgen"),
    "a box that is not there": ('"use strict";\noutlets = 2;\nport.show("speed", "set", 1);', "name speed"),
    "inlets that are not there": ('"use strict";\ninlets = 2;\noutlets = 2;', "its script declares 2"),
} | {
    f"newer: {code}": (f'"use strict";\noutlets = 2;\n{code}', "line 3")
    for code in (
        "var f = (a) => a;",
        "let a = 1;",
        "const a = 1;",
        "class Clip {}",
        "var s = `a`;",
        "async function f() {}",
        "var p = new Promise(f);",
        "var m = new Map();",
        "var s = new Set();",
        "var a = Array.from(b);",
        "var a = Object.assign({}, b);",
        "var a = Number.isInteger(b);",
        "var a = Math.trunc(b);",
        "var a = b.includes(c);",
        "var a = b.startsWith(c);",
        "var a = b.padStart(2);",
        "f(...a);",
        "var a = b?.c;",
        "var a = b ?? c;",
        "var a = b ** c;",
        "for (var a of b) {}",
        "function f(a = 1) {}",
        "function* f() {}",
        "var {a} = b;",
        "var a = 0b11;",
        'import a from "b";',
        "export var a = 1;",
    )
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_each_fault_of_a_script_is_found_and_nothing_else(name: str) -> None:
    script, word = SCRIPTS[name]
    found = problems(script)
    assert any(word in problem for problem in found), found
    assert len(found) == 1, found


@pytest.mark.parametrize(
    "code",
    [
        'var s = "=> let const `x` .includes(a) ... ??";',
        "// let us post(this) => here",
        "var letter = constant.classes; a.let = 1; b.post(2);",
        "if (a <= b && c >= d) { e = f / g; }",
        "for (var i = 0; i < of.length; i += 1) { f(i); }",
        "function f(a) { var b = a; return b; }",
        'error("a fault of the device\\n");',
        "var a = b ? .5 : 1;",
    ],
)
def test_what_only_looks_newer_is_fine(code: str) -> None:
    assert problems(f'"use strict";\noutlets = 2;\n{code}') == []


def test_every_rule_has_a_script_that_breaks_it() -> None:
    broken = [samples.device(logic_js=script) for script, _ in SCRIPTS.values()]
    for rule in check_script.RULES:
        assert any(list(rule(device, device.files)) for device in broken), rule.__name__
