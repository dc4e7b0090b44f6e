"""``python -m bridge.clients.ableton "dub techno" [--bars 4] [--melody] [--watch] ...``: see the how-to beside this."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from typing import NoReturn

from bridge.client import Client
from bridge.clients.ableton.live import PORT as LIVE_PORT
from bridge.clients.ableton.live import REPLY_PORT, Live
from bridge.clients.ableton.session import Session, Wishes
from bridge.fields import BY_NAME, whole
from bridge.protocol import PORT
from loopgen.errors import LoopgenError

FIELDS = ("bars", "variations", "preset", "engine", "seed", "key", "takes", "guidance", "temperature")
"""Keys of ``generate`` that can be given; tempo and meter are the set's."""

USAGE, INTERRUPTED = 2, 130


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{message} (`{self.prog} --help` shows what can be given)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Make loops for the Live set that is open; returns the exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a track's name that cannot be shown ends nothing
    options = _parser().parse_args(argv)
    fields = {name: text for name in ("prompt", *FIELDS) if (text := getattr(options, name)) is not None}
    wishes = Wishes(options.melody, options.scale, options.track, options.reveal)
    try:
        whole("the port of loopgen's server", options.port, 1, 65_535)
        with Live(options.live_port, options.live_reply_port) as live:
            session = Session(live, lambda: Client(options.host, options.port, name="ableton"), wishes, _say, _progress)
            if options.watch:
                _watch(session, fields)
            else:
                session.generate(fields)
    except KeyboardInterrupt:
        return INTERRUPTED
    except LoopgenError as error:
        _say(f"cannot go on: {error}")
        return error.exit_status
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m bridge.clients.ableton",
        description="Make a loop at the tempo, meter and key of the Live set that is open, and put it into a slot.",
    )
    parser.add_argument("prompt", nargs="?", help=BY_NAME["prompt"].allowed)
    for name in FIELDS:
        parser.add_argument(f"--{name}", metavar="VALUE", help=BY_NAME[name].allowed)
    parser.add_argument(
        "--melody", action="store_true", help="follow the notes of the MIDI clip in the highlighted slot"
    )
    parser.add_argument(
        "--scale",
        action=argparse.BooleanOptionalAction,
        help="follow the set's scale (default: where it is on, or another than a new set's C major)",
    )
    parser.add_argument(
        "--track", default="", metavar="NAME", help="an audio track (default: the highlighted, or the nearest)"
    )
    parser.add_argument("--watch", action="store_true", help="stay, and make a loop each time that Return is pressed")
    parser.add_argument(
        "--reveal",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="show a loop that cannot be placed in the file manager (default)",
    )
    parser.add_argument("--host", default="127.0.0.1", help="of loopgen's server")
    parser.add_argument("--port", type=int, default=PORT, help=f"of loopgen's server ({PORT})")
    parser.add_argument("--live-port", type=int, default=LIVE_PORT, help=f"where AbletonOSC listens ({LIVE_PORT})")
    parser.add_argument("--live-reply-port", type=int, default=REPLY_PORT, help=f"where it answers ({REPLY_PORT})")
    return parser


def _watch(session: Session, fields: dict[str, str]) -> None:
    """A loop for each line, until the input ends; what cannot be done is said, and the next line is read."""
    try:
        session.look()
    except LoopgenError as error:
        _say(f"not ready yet: {error}")
    _say("Return: a loop. Text: a loop of that prompt. r: the last loop on the set's tempo. q, Ctrl-C: end.")
    while (line := sys.stdin.readline()) and (word := line.strip()) != "q":
        try:
            if word == "r":
                session.retempo()
            else:
                fields = {**fields, "prompt": word} if word else fields
                session.generate(fields)
        except KeyboardInterrupt:
            _say("stopped")
        except LoopgenError as error:
            _say(str(error))


def _say(line: str) -> None:
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    print(line, flush=True)


def _progress(fraction: float, stage: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{fraction:4.0%}  {stage}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
