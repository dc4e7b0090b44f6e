"""``python -m max4live``: build, check and draw the device, for those who develop it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from loopgen.errors import InputError, LoopgenError
from loopgen.files import make_folder, write_whole
from max4live import amxd
from max4live.build import build
from max4live.check import check


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 1 the device has problems, 2 unusable input."""
    options = _parser().parse_args(argv)
    try:
        return int(options.run(options))
    except LoopgenError as error:
        print(f"max4live: {error}", file=sys.stderr)
        return error.exit_status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m max4live", description="The Max for Live device, from its sources."
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    command = commands.add_parser("build", help="make Loopgen.amxd")
    command.add_argument("-o", "--output", type=Path, default=Path(), metavar="DIR", help="where to (default: here)")
    command.add_argument("--unfrozen", action="store_true", help="with its script beside it, for development in Max")
    command.set_defaults(run=_build)
    command = commands.add_parser("check", help="look for faults in a device")
    command.add_argument("file", nargs="?", type=Path, metavar="FILE", help="a device (default: what the sources give)")
    command.set_defaults(run=_check)
    command = commands.add_parser("picture", help="draw what the device looks like, as a PNG")
    command.add_argument("file", type=Path, metavar="FILE", help="where to")
    command.set_defaults(run=_picture)
    return parser


def _build(options: argparse.Namespace) -> int:
    folder = make_folder(options.output)
    files = {folder / name: data for name, data in build(frozen=not options.unfrozen).items()}
    write_whole(files)
    for path, data in files.items():
        print(f"{path}  {len(data)} bytes")
    return 0


def _check(options: argparse.Namespace) -> int:
    if options.file:
        data, beside = _read(options.file)
        found = {str(options.file): check(data, beside)}
    else:
        unfrozen = build(frozen=False)
        found = {
            f"{amxd.NAME}, frozen": check(build()[amxd.NAME]),
            f"{amxd.NAME}, unfrozen": check(unfrozen.pop(amxd.NAME), unfrozen),
        }
    for name, problems in found.items():
        for problem in problems:
            print(f"{name}: {problem}")
        print(f"{name}: {len(problems) or 'no'} problem{'' if len(problems) == 1 else 's'}")
    return int(any(found.values()))


def _read(file: Path) -> tuple[bytes, dict[str, bytes]]:
    """A device and the files beside it that a device could refer to."""
    try:
        beside = {
            path.name: path.read_bytes()
            for path in sorted(file.parent.iterdir())
            if path.suffix in amxd.FILE_TYPES and path.is_file()
        }
        return file.read_bytes(), beside
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror or error}; give a device, or nothing") from None


def _picture(options: argparse.Namespace) -> int:
    from max4live import patch, picture  # here, as matplotlib takes a second

    make_folder(options.file.parent)
    picture.draw(patch.load(), options.file)
    print(options.file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
