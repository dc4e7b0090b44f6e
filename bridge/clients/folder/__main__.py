"""``python -m bridge.clients.folder [prompt="dub techno"] [tempo=127.9] [bars=4] ...``: see the how-to beside this."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bridge.client import Client
from bridge.clients.folder.drops import Drops
from bridge.clients.folder.run import assignments, run
from bridge.protocol import INBOX, PORT
from loopgen.errors import LoopgenError, OutputUnwritable, ServerUnreachable

POLL, RETRY, PING = 0.25, 2.0, 20.0
"""Seconds between two looks into the folder, two tries to find the server, and two signs of life."""


def main(argv: Sequence[str] | None = None) -> int:
    """Watch until interrupted; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m bridge.clients.folder",
        description="Drop a MIDI clip, an audio file or a .txt prompt into the inbox: a loop appears beside it.",
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--settle", type=float, default=1.0, help="seconds that a file must stay unchanged (1)")
    parser.add_argument("fields", nargs="*", metavar="key=value", help="for every loop: prompt, tempo, bars, key ...")
    options = parser.parse_args(argv)
    try:
        _watch(options.host, options.port, options.settle, assignments(options.fields))
    except KeyboardInterrupt:
        return 130
    except LoopgenError as error:
        _say(f"cannot go on: {error}")
        return error.exit_status
    return 0


def _watch(host: str, port: int, settle: float, fields: dict[str, str]) -> None:
    told = ""
    while True:
        try:
            with Client(host, port, name="folder") as client:
                told = ""
                _serve(client, settle, fields)
        except ServerUnreachable as error:
            if str(error) != told:
                _say(f"{error}; waiting for it")
            told = str(error)
            time.sleep(RETRY)


def _serve(client: Client, settle: float, fields: dict[str, str]) -> None:
    root = Path(client.welcome.output_root)
    inbox = root / INBOX
    if not inbox.is_dir():
        raise OutputUnwritable(f"the server's folder {inbox} is not on this computer; run this beside the server")
    drops = Drops(inbox, settle)
    _say(f"watching {inbox}; loops appear in {root}; Ctrl-C ends")
    greeted = time.monotonic()
    while True:
        for path in drops.ready():
            run(client, drops, path, fields, _say)
        if time.monotonic() - greeted > PING:
            client.ask("/loopgen/ping", "folder")
            greeted = time.monotonic()
        time.sleep(POLL)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
