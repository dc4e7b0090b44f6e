"""The command line: the only place that reads arguments, prints and exits.

One file a group of commands: :mod:`loops` makes them, :mod:`remake` makes them again, :mod:`serve` runs the server,
:mod:`send` talks to it, :mod:`max4live` installs the device for Live, :mod:`models` gets weights, :mod:`presets` keeps
sounds, :mod:`lists` shows what there is, :mod:`doctor` whether it works.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence

from loopgen.cli import doctor, library, lists, loops, max4live, models, presets, remake, send, serve
from loopgen.cli.common import FAILED, INTERRUPTED, USAGE, Parser, clean, say


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 1 job failed, 2 unusable input, 130 interrupted."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file's name that cannot be shown ends nothing
    try:
        options = build_parser().parse_args(arguments)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else USAGE
    try:
        options.run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        say("loopgen: interrupted; nothing half-written is left behind")
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone, as in `loopgen engines | head -1`
        sys.stderr.close()
        return 0
    except Exception as error:
        if options.debug:
            raise
        return _explain(error)
    return 0


def _explain(error: Exception) -> int:
    from loopgen.errors import LoopgenError, Refused

    if isinstance(error, Refused):
        say(f"loopgen: {clean(str(error))} ({clean(error.wire_code)})")
        return error.exit_status
    if isinstance(error, LoopgenError):
        say(f"loopgen: {error}")
        return error.exit_status
    if isinstance(error, MemoryError):
        say("loopgen: not enough memory for this request; give fewer bars or a lower --rate")
        return FAILED
    say(f"loopgen: internal error: {type(error).__name__}: {error} (--debug shows where; please report it)")
    return FAILED


def build_parser() -> Parser:
    """All commands and their options."""
    from loopgen import __version__

    parser = Parser(prog="loopgen", description="A prompt and a tempo become a seamless loop of exactly that tempo.")
    parser.add_argument("--version", action="version", version=f"loopgen {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    for group in (loops, remake, library, serve, send, max4live, models, presets, lists, doctor):
        group.add(commands)
    return parser
