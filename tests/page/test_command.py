"""``loopgen library open``, as a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.cookiejar import CookieJar
from pathlib import Path

import pytest

from tests.bridge.clients_support import DEADLINE, Program
from tests.page.world import fill


def environment(home: Path) -> dict[str, str]:
    """A home of its own, so that no token or cache of whoever runs the tests is touched."""
    names = ("HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "LOCALAPPDATA", "APPDATA", "USERPROFILE")
    return {**dict.fromkeys(names, str(home)), "LOOPGEN_SETTINGS": str(home / "settings.toml")}


def run(*given: str, home: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "loopgen", "library", "open", *given]
    environ = {**os.environ, **environment(home)}
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, env=environ, check=False)


def fetch(url: str) -> Mapping[str, object]:
    """The state of the page at an address with its token, as a browser comes to it."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    with opener.open(url) as answer:
        assert answer.status == 200
    with opener.open(url.partition("?")[0] + "api/state") as answer:
        found = json.loads(answer.read())
        assert isinstance(found, dict)
        return found


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process there")
def test_it_prints_an_address_serves_it_and_ends_on_ctrl_c(tmp_path: Path) -> None:
    folder = tmp_path / "loops"
    folder.mkdir()
    fill(folder)
    command = [sys.executable, "-m", "loopgen", "library", "open", str(folder), "--no-browser", "--port", "0"]
    with Program(command, environment(tmp_path)) as program:
        url = program.wait_for(r"^http://127\.0\.0\.1:\d+/\?token=\S{32,}$")[0]
        assert fetch(url)["folder"] == str(folder)
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(url.partition("?")[0])
        os.kill(program._process.pid, signal.SIGINT)
        assert program.wait() == 0
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(url)


def test_a_folder_that_is_not_there_and_ports_that_are_none_are_said(tmp_path: Path) -> None:
    missing = run(str(tmp_path / "nowhere"), "--no-browser", home=tmp_path)
    assert (missing.returncode, "nowhere" in missing.stderr) == (2, True)
    for port in ("x", "70000", "-1"):
        said = run(str(tmp_path), f"--port={port}", "--no-browser", home=tmp_path)
        assert (said.returncode, "port" in said.stderr) == (2, True), said
