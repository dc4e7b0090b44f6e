"""Sonic Pi's script: its syntax, and its addresses against the protocol's table."""

import re
import subprocess

from bridge.protocol import COMMANDS, REPLIES, VERSION, understand
from bridge.wire import Message
from tests.bridge.clients_support import CLIENTS, needs

SCRIPT = CLIENTS / "sonic-pi" / "loopgen.rb"
TEXT = SCRIPT.read_text(encoding="utf-8")


def test_every_address_is_in_the_protocols_table() -> None:
    sent = {"/loopgen/" + address for address in re.findall(r'loopgen_send "([^"]+)"', TEXT)}
    assert sent == {
        f"/loopgen/{name}" for name in ("hello", "melody/begin", "melody/notes", "melody/end", "generate", "ack")
    }
    assert sent <= set(COMMANDS)
    understand(Message("/loopgen/hello", ("Sonic Pi", VERSION, 4560)))
    assert re.findall(r'"hello", "Sonic Pi", (\d+), (\d+)', TEXT) == [(str(VERSION), "4560")] * 2
    cues = re.findall(r'sync "/osc\*(/loopgen/[^"]+)"', TEXT)
    heard = {cue.split("{")[0] + name for cue in cues for name in re.sub(r".*\{|\}", "", cue).split(",") if "{" in cue}
    heard |= {cue for cue in cues if "{" not in cue}
    assert heard == {"/loopgen/progress", "/loopgen/done", "/loopgen/error"}
    assert heard <= {reply.address for reply in REPLIES.values()}


def test_the_answers_are_read_where_the_table_has_them() -> None:
    done = [name for name, _ in REPLIES["done"].arguments]
    error = [name for name, _ in REPLIES["error"].arguments]
    assert (done[0], done[1], done[2], done[8]) == ("job", "req", "path", "summary")
    assert (error[0], error[2], len(error)) == ("req", "message", 4) and len(done) > 4
    assert [name for name, _ in REPLIES["progress"].arguments] == ["job", "fraction", "stage"]


def test_it_is_ruby() -> None:
    done = subprocess.run([needs("ruby"), "-wc", SCRIPT], capture_output=True, encoding="utf-8", timeout=60)
    assert done.stdout.strip() == "Syntax OK", done.stderr
