"""What every command shares: a parser that errs in one line, and ways to print."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

CLIENT_NAME = "loopgen send"
"""What the command line calls itself when it talks to a server."""

FAILED, USAGE, INTERRUPTED = 1, 2, 130

Commands = argparse._SubParsersAction  # argparse has no public name for what add_subparsers() returns


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    meant: Callable[[list[str]], list[str]] | None = None
    """Given the words that were typed, what is to be read in their stead."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does, with what was ``meant``."""
        return super().parse_known_args(self.meant(list(args)) if self.meant else args, namespace)

    def error(self, message: str) -> NoReturn:
        """Exit with status 2 and one line on standard error."""
        self.exit(USAGE, f"{self.prog}: {message} (`{self.prog} --help` shows what can be given)\n")


P = TypeVar("P", bound=Parser)


def add_command(commands: Commands[P], name: str, run: Callable[[argparse.Namespace], None], text: str) -> P:
    """A command with the options that all have; ``run`` is called with the parsed options."""
    command = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    command.add_argument("--json", action="store_true", help="print one JSON object for machines")
    command.add_argument("--debug", action="store_true", help="show a traceback when something fails")
    command.set_defaults(run=run)
    return command


HARDWARE = ("device", "precision", "threads")
"""Options, and settings, for engines with models."""


def add_hardware(command: argparse.ArgumentParser) -> None:
    """Add the options of ``HARDWARE``."""
    command.add_argument("--device", metavar="NAME", help="for models: auto (the default), cuda, cuda:1, mps or cpu")
    command.add_argument("--precision", metavar="NAME", help="for models: auto (the default), bf16, fp16, fp32, int8")
    command.add_argument("--threads", metavar="N", help="for models on the CPU (default: all cores but one)")


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


def clean(text: str) -> str:
    """Text of one line without control characters: what comes over the wire must not steer a terminal.

    >>> clean("a\\x1b[2Jb\\nc")
    'a?[2Jb?c'
    """
    return "".join(character if character.isprintable() else "?" for character in text)


class ProgressLine:
    """One line of standard error that tells how far the work is, on a terminal only."""

    def __init__(self, *, is_silent: bool = False) -> None:
        self._is_silent = is_silent or not sys.stderr.isatty()
        self._is_shown = False

    def show(self, fraction: float, stage: str) -> None:
        """Draw it anew; ``fraction`` from 0 to 1."""
        if not self._is_silent:
            print(f"\r\x1b[K{fraction:4.0%}  {clean(stage)}", end="", file=sys.stderr, flush=True)
            self._is_shown = True

    def clear(self) -> None:
        """Take it away."""
        if self._is_shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
            self._is_shown = False
