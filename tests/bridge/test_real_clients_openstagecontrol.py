"""Open Stage Control's layout: held against the protocol's table, and acted out against the real server.

What its widgets would send is sent from here, by the rules of its manual; their scripts run in Node.
"""

import json
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.protocol import COMMANDS, REPLIES, understand
from bridge.server import Server
from bridge.wire import Message, Value, decode, encode
from tests.bridge.clients_support import CLIENTS, DEADLINE, asked, check_loop, needs, serving

LAYOUT = json.loads((CLIENTS / "openstagecontrol" / "loopgen.json").read_text(encoding="utf-8"))
RUN_SCRIPT = """
const {script, value, values} = JSON.parse(require('fs').readFileSync(0))
const acts = []
new Function('value', 'get', 'set', 'send', script)(
    value, id => values[id], (id, value) => acts.push(['set', id, value]), (...words) => acts.push(['send', ...words]))
console.log(JSON.stringify(acts))
"""


def widgets(content: dict[str, Any] = LAYOUT["content"]) -> Iterator[dict[str, Any]]:
    yield content
    for child in content.get("widgets", []) + content.get("tabs", []):
        yield from widgets(child)


WIDGETS = {widget["id"]: widget for widget in widgets()}
SENDERS = [widget for widget in WIDGETS.values() if "target" in widget]
LISTENERS = [widget for widget in WIDGETS.values() if widget["type"] == "variable"]
SCRIPTS = [widget["onValue"] for widget in WIDGETS.values() if "onValue" in widget]


def sent(widget: dict[str, Any], *values: Value) -> Message:
    """The message of a widget: its preArgs, then its value; a button that is ``momentary`` sends no value."""
    before = widget.get("preArgs") or []
    arguments = (*before, *values) if widget.get("mode") != "momentary" else tuple(before)
    kinds = {"s": str, "i": int, "f": float}
    tags = widget.get("typeTags", "")
    return Message(widget["address"], tuple(kinds[tag](value) for tag, value in zip(tags, arguments, strict=True)))


def test_the_layout_is_a_session_and_each_name_is_there_once() -> None:
    assert (LAYOUT["type"], LAYOUT["createdWith"], LAYOUT["content"]["type"]) == (
        "session",
        "Open Stage Control",
        "root",
    )
    assert len(WIDGETS) == len(list(widgets()))
    for script in SCRIPTS:
        assert set(re.findall(r"[gs]et\('(\w+)'", script)) <= set(WIDGETS)


EXAMPLES = {"prompt": "dub techno", "tempo": "127.953", "meter": "7/8", "bars": "2", "key": "Am", "preset": "uk-garage"}


@pytest.mark.parametrize("widget", SENDERS, ids=lambda widget: str(widget["id"]))
def test_what_is_sent_is_in_the_protocols_table(widget: dict[str, Any]) -> None:
    assert widget["target"] == ["127.0.0.1:11200"]
    message = sent(widget, *([EXAMPLES[widget["id"]]] if widget["type"] == "input" else []))
    call = understand(message)
    assert call.command is COMMANDS[widget["address"]]
    assert set(call.values) == {argument.name for argument in call.command.arguments}


def test_what_is_listened_to_is_in_the_protocols_table() -> None:
    replies = {reply.address: reply for reply in REPLIES.values()}
    for widget in LISTENERS:
        reply = replies[widget["address"]]
        used = [int(index) for index in re.findall(r"value\[(\d+)\]", widget["onValue"])]
        assert all(index < len(reply.arguments) for index in used)
    assert all(address in COMMANDS for script in SCRIPTS for address in re.findall(r"'(/\w[^']*)'", script))
    assert {widget["address"] for widget in LISTENERS} >= {"/loopgen/" + r for r in ("progress", "done", "error")}


def test_everything_else_sends_nothing() -> None:
    for widget in WIDGETS.values():
        assert "target" in widget or widget.get("bypass") or widget["type"] == "root"


class Surface:
    """The layout in use: one socket, the widgets' values, and what their scripts do."""

    def __init__(self, server: Server) -> None:
        self.values: dict[str, Any] = {}
        self._server = ("127.0.0.1", server.port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))

    def __enter__(self) -> "Surface":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def touch(self, name: str, *values: Value) -> None:
        widget = WIDGETS[name]
        if "target" in widget:
            message = sent(widget, *values)
            self._send(message.address, widget.get("typeTags", ""), message.arguments)
        self._run(widget, 1)

    def wait_for(self, name: str, pattern: str) -> None:
        deadline = time.monotonic() + DEADLINE
        self._socket.settimeout(0.5)
        while not re.search(pattern, str(self.values.get(name, ""))):
            assert time.monotonic() < deadline, f"{name} does not show {pattern!r}: {self.values}"
            try:
                datagram = self._socket.recv(65_536)
            except TimeoutError:
                continue
            for message in decode(datagram):
                for widget in LISTENERS:
                    if widget["address"] == message.address:
                        self.values[widget["id"]] = list(message.arguments)
                        self._run(widget, list(message.arguments))

    def _run(self, widget: dict[str, Any], value: object) -> None:
        if "onValue" not in widget:
            return
        given = json.dumps({"script": widget["onValue"], "value": value, "values": self.values})
        done = subprocess.run(
            [needs("node"), "-e", RUN_SCRIPT], input=given, capture_output=True, encoding="utf-8", timeout=30
        )
        assert done.returncode == 0, done.stderr
        for act, *words in json.loads(done.stdout):
            if act == "set":
                self.values[words[0]] = words[1]
            else:
                assert words[0] == "127.0.0.1:11200"
                self._send(words[1], "".join(w["type"] for w in words[2:]), tuple(w["value"] for w in words[2:]))

    def _send(self, address: str, tags: str, arguments: tuple[Value, ...]) -> None:
        self._socket.sendto(encode(address, tags, arguments), self._server)


def test_the_layout_makes_a_loop_and_stops_one(tmp_path: Path) -> None:
    needs("node")
    with serving(tmp_path) as server, Surface(server) as surface:
        surface.touch("connect")
        surface.wait_for("server", r"^loopgen \d")
        for name in ("prompt", "tempo", "meter", "bars", "key"):
            surface.touch(name, EXAMPLES[name])
        surface.touch("generate")
        surface.wait_for("bar", r"^(0\.\d+|1)$")
        surface.wait_for("status", r"\.wav - ")
        path = Path(surface.values["status"].split(" - ")[0])
        check_loop(path, "127.953", 2, tmp_path, "7/8")
        assert (asked(path)["prompt"], asked(path)["key"]) == ("dub techno", "Am")
        surface.touch("bars", "999")
        surface.wait_for("status", "999.*1 to 256")
        surface.touch("bars", "200")
        surface.touch("generate")
        surface.wait_for("status", "^(at work|starting|.*before it)$")
        surface.touch("cancel")
        surface.wait_for("status", "^cancelled$")
