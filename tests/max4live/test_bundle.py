"""The device's modules as one script: run under Node as Max would run it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from loopgen.errors import InputError
from max4live import bundle, check_script
from max4live.javascript import blank
from tests.bridge.clients_support import needs
from tests.max4live import samples

MODULES = {
    "main": """// What Max runs.
"use strict";

var high = require("./high");
var low = require("./low");
var hidden = 1;

function bang() {
  return high.say() + low.count();
}
""",
    "high": """"use strict";
var low = require("./low"); // not: var x = require("./y");

var hidden = "high";
exports.say = function () { low.count(); return hidden + typeof this + /require("z")/.source + "\\n"; };
""".replace(" // not", "\n// not"),
    "low": """// require("./nothing")
"use strict";
var hidden = 0;
exports.count = function () { hidden += 1; return hidden; };
""",
}


def write(folder: Path, modules: dict[str, str]) -> Path:
    for name, text in modules.items():
        (folder / f"{name}.js").write_bytes(text.encode())
    return folder


def run(script: str, ask: str) -> str:
    program = f"const vm = require('vm'); const context = vm.createContext({{}});vm.runInContext({script!r}, context);"
    program = program.replace(repr(script), "require('fs').readFileSync(0, 'utf8')")
    program += f"process.stdout.write(String(vm.runInContext({ask!r}, context)))"
    done = subprocess.run(
        [needs("node"), "-e", program], input=script, capture_output=True, encoding="utf-8", check=True, timeout=60
    )
    return done.stdout


def test_modules_run_as_one_script(tmp_path: Path) -> None:
    text = bundle.bundle(write(tmp_path, MODULES))
    assert run(text, "bang()") == 'highobjectrequire("z")\n2'  # one low for both, and nobody sees another's hidden
    assert run(text, "hidden") == "1"
    assert text.index("// low.js") < text.index("// high.js") < text.index("// main.js")
    assert text.count('"use strict";') == 1
    assert list(check_script.is_strict(samples.device(), {"x.js": text.encode()})) == []


def test_the_bundle_does_not_depend_on_the_checkout(tmp_path: Path) -> None:
    text = bundle.bundle(write(tmp_path, MODULES))
    windows = {name: "\ufeff" + source.replace("\n", "\r\n") for name, source in MODULES.items()}
    (tmp_path / "w").mkdir()
    assert bundle.bundle(write(tmp_path / "w", windows)) == text
    assert "\r" not in text
    assert str(tmp_path) not in text


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("low", lambda text: text + 'var high = require("./high");\n', ["high -> low -> high", "circle"]),
        ("high", lambda text: text.replace("./low", "./lower"), ["lower.js", "high.js requires it"]),
        ("low", lambda text: text + 'exports.x = require("./high").say;\n', ["low.js, line 5", "require"]),
        ("low", lambda text: text + "module.exports = 1;\n", ["line 5", "module"]),
        ("low", lambda text: text + "var bundled = 1;\n", ["line 5", "bundled"]),
        ("low", lambda text: text.replace('"use strict";\n', ""), ["low.js", "use strict"]),
        ("main", lambda text: text + "exports.bang = bang;\n", ["main.js, line 11", "exports"]),
    ],
)
def test_what_cannot_be_bundled_is_told(
    tmp_path: Path, name: str, change: Callable[[str], str], words: list[str]
) -> None:
    with pytest.raises(InputError) as caught:
        bundle.bundle(write(tmp_path, MODULES | {name: change(MODULES[name])}))
    for word in words:
        assert word in str(caught.value)


def test_no_main_and_no_text_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"main\.js is not there"):
        bundle.bundle(tmp_path)
    (tmp_path / "main.js").write_bytes(b'"use strict";\n// \xff\n')
    with pytest.raises(InputError, match="cannot be read"):
        bundle.bundle(tmp_path)


def test_the_devices_own_bundle_is_es5() -> None:
    text = bundle.bundle()
    if acorn := shutil.which("acorn"):
        subprocess.run([acorn, "--ecma5", "--silent"], input=text.encode(), check=True, timeout=60)
    for rule in check_script.RULES[:4]:
        assert list(rule(samples.device(), {bundle.NAME: text.encode()})) == []
    names = {path.stem for path in bundle.SRC.glob("*.js")} - {"main"}
    assert names == {name for name in names if f"(bundled.{name} = {{}})" in text}, "a module that nobody requires"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a = 'it\\'s' + \"//\";", "a = '     ' + \"  \";"),
        ("/* a\nb */ c", "    \n     c"),
        ("x = y / 2 / z; // no", "x = y / 2 / z;      "),
        ("f(/[/'\"]/, '/')", "f(/     /, ' ')"),
        ("return /'/.test(a)", "return / /.test(a)"),
        ("(a) / b / c", "(a) / b / c"),
        ("'open\nnext", "'    \nnext"),
        ("", ""),
    ],
)
def test_code_is_told_from_comments_and_strings(text: str, code: str) -> None:
    assert blank(text) == code
