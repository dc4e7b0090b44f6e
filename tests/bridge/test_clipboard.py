"""A loop's path goes to the system's clipboard: to a program called xclip, as on Linux."""

import os
import sys
from pathlib import Path

import pytest

from bridge.client import Client
from loopgen.errors import Refused

XCLIP = """#!/bin/sh
case "$*" in *-o*) cat "{file}" ;; *) cat > "{file}" ;; esac
"""
NO_DISPLAY = """#!/bin/sh
echo "Error: Can't open display: :9" >&2
exit 1
"""


def use_xclip(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """From now on this is the program that has the clipboard."""
    program = folder / "xclip"
    program.write_text(script)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("DISPLAY", ":9")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    for name in list(sys.modules):
        if name.startswith("pyperclip"):  # it looks for a clipboard once
            monkeypatch.delitem(sys.modules, name)


@pytest.mark.skipif(sys.platform != "linux", reason="the other systems' clipboards are the user's own")
def test_the_path_of_a_loop_is_put_on_the_clipboard(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = list(client.generate({"prompt": "house", "tempo": "131", "bars": 1, "engine": "sketch", "variations": 2}))
    pasted = tmp_path / "clipboard"
    use_xclip(tmp_path, monkeypatch, XCLIP.format(file=pasted))
    client.ask("/loopgen/copy", made[0].job, 2)
    assert pasted.read_text() == made[1].path
    client.ask("/loopgen/copy", made[0].job)
    assert pasted.read_text() == made[0].path


@pytest.mark.skipif(sys.platform != "linux", reason="the other systems' clipboards are the user's own")
def test_a_path_that_did_not_reach_the_clipboard_is_not_said_to_be_there(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = next(client.generate({"prompt": "house", "tempo": "131", "bars": 1, "engine": "sketch"}))
    use_xclip(tmp_path, monkeypatch, NO_DISPLAY)
    with pytest.raises(Refused, match="it did not arrive there") as caught:
        client.ask("/loopgen/copy", made.job)
    assert caught.value.wire_code == "no_clipboard" and made.path in str(caught.value)


@pytest.mark.parametrize("words", ["there is no clipboard here\nand more lines", ""])
def test_without_a_clipboard_the_path_is_in_the_answer(
    client: Client, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    import pyperclip

    def none(text: str) -> None:
        raise pyperclip.PyperclipException(words)

    monkeypatch.setattr(pyperclip, "copy", none)
    made = next(client.generate({"prompt": "house", "tempo": "131", "bars": 1, "engine": "sketch"}))
    with pytest.raises(Refused, match="could not be put on the clipboard") as caught:
        client.ask("/loopgen/copy", made.job)
    assert caught.value.wire_code == "no_clipboard" and made.path in str(caught.value)


def test_only_loops_that_there_are_can_be_copied(client: Client) -> None:
    made = next(client.generate({"prompt": "house", "tempo": "131", "bars": 1, "engine": "sketch"}))
    for words, arguments in (("has made no loop 2", (made.job, 2)), ("no job", ("nosuchjob",))):
        with pytest.raises(Refused, match=words):
            client.ask("/loopgen/copy", *arguments)
