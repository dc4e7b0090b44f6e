"""Loops on their way to the user: onto the disk, onto the terminal, into one JSON object."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from loopgen.cli.common import HARDWARE, Parser, plain_terminal, print_json, say

if TYPE_CHECKING:
    from pathlib import Path

    from loopgen.music.loop import Loop
    from loopgen.settings import Settings


def add_output(command: Parser, *, beside: bool = False) -> None:
    """Add the options that say where loops go, and what goes with them; ``beside``: beside the loops they are made of.

    ``options.output`` is None then, and ``Delivery.add`` has to be told.
    """
    where = "beside the loop" if beside else "here"
    command.add_argument(
        "-o",
        "--output",
        default=None if beside else ".",
        metavar="PATH",
        help=f"a folder, or a .wav or .flac file (default: {where})",
    )
    command.add_argument("--format", metavar="NAME", help="wav (24 bits, the default), float or flac")
    command.add_argument(
        "--no-take",
        dest="keep_takes",
        action="store_false",
        default=None,
        help="do not keep the take (in takes/ beside the loop), of which other tempos are made",
    )
    command.add_argument("--picture", metavar="PNG", help="also draw the loop's report into this file")


def chosen_settings(options: argparse.Namespace) -> Settings:
    """The user's settings below the options that were given."""
    from loopgen import settings

    # the others are checked as parts of the request
    names = ("stretcher", "listener", "separate", "keep_takes", *HARDWARE)
    flags = {name: getattr(options, name, None) for name in names}
    return settings.resolve(flags, os.environ, settings.config_file(os.environ)).settings


class Delivery:
    """Loops as they are finished: kept on disk and shown at once, or listed as one JSON object at the end."""

    def __init__(
        self, options: argparse.Namespace, chosen: Settings, notes: Sequence[str], *, several: bool = False
    ) -> None:
        from pathlib import Path

        from loopgen import library

        self._options, self._several, self._notes = options, several, list(notes)
        self._keep_takes = chosen.keep_takes
        self._target = None if options.output is None else Path(options.output)
        self._picture = Path(options.picture) if options.picture else None
        self._shown: list[dict[str, object]] = []
        self._progress_shown = False
        self._format: str | None = options.format
        if self._format is None and (self._target is None or library.is_folder(self._target)):
            self._format = chosen.format  # a file name says its own format
        self.check(self._target or Path())
        if self._picture:
            check_picture(self._picture)
            library.check_writable(self._picture.parent)
        if not options.json:
            for note in self._notes:
                say(f"note: {note}")

    def check(self, target: Path) -> None:
        """Find out before the work whether a loop can be written there; raises ``InputError``."""
        from loopgen import library

        library.resolve_format(target, self._format)
        library.check_writable(target)

    def progress(self, fraction: float, stage: str) -> None:
        """Show how far the work is, on a terminal only."""
        if sys.stderr.isatty() and not self._options.json:
            print(f"\r\x1b[K{fraction:4.0%}  {stage}", end="", file=sys.stderr, flush=True)
            self._progress_shown = True

    def note(self, text: str) -> None:
        """Tell the user something beside the loops."""
        self._clear()
        if text not in self._notes:
            self._notes.append(text)
            if not self._options.json:
                say(f"note: {text}")

    def add(
        self,
        loop: Loop,
        more: Mapping[str, Any] | None = None,
        remarks: Sequence[str] = (),
        *,
        beside: Path | None = None,
        like: str | None = None,
    ) -> None:
        """Keep a loop and show it: in the folder ``beside`` where no output was given.

        ``more`` goes into its JSON object, ``remarks`` are lines for people. ``like`` is the format that holds all of
        it, taken where the user named none.
        """
        from pathlib import Path

        from loopgen import library, report

        number = len(self._shown) + 1 if self._several else None
        target = self._target or beside or Path()
        file_format = self._format if like is None else self._format_like(like, target)
        kept = library.keep(loop, target, file_format=file_format, number=number, take=self._keep_takes)
        picture = None
        if self._picture:
            picture = self._picture if number is None else self._picture.with_stem(f"{self._picture.stem}-{number}")
            draw(loop, picture)
        take = {"take": str(kept.take) if kept.take else None}
        self._shown.append(report.fields(loop, kept.path, picture) | take | dict(more or {}))
        self._clear()
        if not self._options.json:
            lines = report.describe(loop, kept.path, picture, plain=plain_terminal())
            print("\n".join([*lines, *(f"  {remark}" for remark in remarks)]), flush=True)
        for text in kept.notes:
            self.note(text)

    def _format_like(self, like: str, target: Path) -> str | None:
        """The format that the user named, by option or file name, else ``like``."""
        from loopgen import library

        fits = library.is_folder(target) or library.FORMATS[like][0] == target.suffix.lower()
        return like if fits and self._options.format is None else self._format

    def _clear(self) -> None:
        if self._progress_shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
            self._progress_shown = False

    def close(self) -> None:
        """Print the JSON object: the best loop's fields, and all ``variations`` where there are several."""
        from loopgen import report

        if not self._options.json:
            return
        best = min(self._shown, key=report.rank, default={})
        shown = dict(best, notes=list(self._notes))
        if len(self._shown) > 1:
            shown["variations"] = self._shown
        print_json(shown)


def check_picture(path: Path) -> None:
    """Refuse a picture's name that is none; raises ``InvalidRequest``."""
    from loopgen.errors import InvalidRequest

    if path.suffix.lower() != ".png":
        raise InvalidRequest("picture", str(path), "a file name ending in .png")


def draw(loop: Loop, path: Path) -> Path:
    """Draw a loop's report into a file; raises ``InvalidRequest`` and ``OutputUnwritable``."""
    check_picture(path)
    from loopgen import report
    from loopgen.files import write_whole

    write_whole({path: report.draw(loop)})
    return path
