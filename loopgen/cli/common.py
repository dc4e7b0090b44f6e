"""What every command shares: a parser that errs in one line, and ways to print."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import NoReturn

FAILED, USAGE, INTERRUPTED = 1, 2, 130

Commands = argparse._SubParsersAction  # argparse has no public name for what add_subparsers() returns


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """Exit with status 2 and one line on standard error."""
        self.exit(USAGE, f"{self.prog}: {message} (`{self.prog} --help` shows what can be given)\n")


def add_command(commands: Commands[Parser], name: str, run: Callable[[argparse.Namespace], None], text: str) -> Parser:
    """A command with the options that all have; ``run`` is called with the parsed options."""
    command = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    command.add_argument("--json", action="store_true", help="print one JSON object for machines")
    command.add_argument("--debug", action="store_true", help="show a traceback when something fails")
    command.set_defaults(run=run)
    return command


def say(line: str) -> None:
    """Tell the user something that is not the command's result."""
    print(line, file=sys.stderr, flush=True)


def print_json(value: object) -> None:
    """Print a command's result for machines."""
    import json

    print(json.dumps(value, indent=2, ensure_ascii=True, allow_nan=False))


def plain_terminal() -> bool:
    """Whether the terminal cannot show block characters."""
    return "utf" not in (sys.stdout.encoding or "").lower()
