"""Runs the tests that are written in JavaScript, each file by itself, under Node."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from max4live.bundle import bundle
from tests.bridge.clients_support import needs, serving

HERE = Path(__file__).parent


def run_script(script: Path, **environment: str) -> None:
    """Run a file of tests; fails with what Node says."""
    done = subprocess.run(
        [needs("node"), "--test-reporter=spec", str(script)],
        env={**os.environ, **environment},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tests 0" not in done.stdout


@pytest.mark.parametrize("script", sorted(HERE.glob("*.test.js")), ids=lambda path: path.name)
def test_javascript(script: Path, amxd: Path) -> None:
    run_script(script, LOOPGEN_AMXD=str(amxd))


@pytest.mark.parametrize("script", sorted(HERE.glob("*.bridge.js")), ids=lambda path: path.name)
def test_javascript_against_the_real_bridge(script: Path, amxd: Path, tmp_path: Path) -> None:
    with serving(tmp_path / "out") as server:
        run_script(
            script,
            LOOPGEN_AMXD=str(amxd),
            LOOPGEN_PORT=str(server.port),
            LOOPGEN_OUTPUT=str(tmp_path / "out"),
            LOOPGEN_PYTHON=sys.executable,  # for servers of the script's own
        )


def test_the_devices_script_is_es5_and_ascii(tmp_path: Path) -> None:
    """Max's js is an engine of 2011, and guesses at what is not ASCII."""

    def is_es5(text: str) -> bool:
        script = tmp_path / "loopgen.device.js"
        script.write_text(text, encoding="ascii")
        return subprocess.run([acorn, "--ecma5", "--silent", str(script)], timeout=60, check=False).returncode == 0

    acorn = needs("acorn")
    assert is_es5(bundle())
    assert not is_es5("const modern = () => 1")
