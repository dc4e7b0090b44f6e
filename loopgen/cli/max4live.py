"""``loopgen max4live``: the device for Ableton Live, built and put where Live finds it."""

from __future__ import annotations

import argparse
from pathlib import Path

from loopgen.cli.common import Commands, Parser, add_command, print_json, say


def add(commands: Commands[Parser]) -> None:
    """Add the command and its actions."""
    text = "install the Max for Live device into Ableton Live"
    group = commands.add_parser("max4live", help=text, description=text[0].upper() + text[1:] + ".")
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True, parser_class=Parser)
    command = add_command(actions, "install", _install, "put the device into Live's User Library")
    _add_library(command)
    _add_unfrozen(command)
    command = add_command(actions, "where", _where, "show which folder is Live's User Library, and how it was found")
    _add_library(command)
    command = add_command(actions, "build", _build, "write the device into a folder of your choice")
    command.add_argument("-o", "--output", required=True, metavar="DIR", help="the folder")
    _add_unfrozen(command)


def _add_library(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--user-library", metavar="DIR", help="Live's User Library (default: the folder that the newest Live here uses)"
    )


def _add_unfrozen(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--unfrozen", action="store_true", help="its script as a file beside it, for those who develop it in Max"
    )


def _library(options: argparse.Namespace) -> tuple[Path, str]:
    """The User Library, and how it was found."""
    from max4live import install

    if options.user_library is not None:
        return install.given(Path(options.user_library)), "--user-library"
    return install.find(install.this_system())


def _install(options: argparse.Namespace) -> None:
    from max4live import install

    library, source = _library(options)
    done = install.install(library, frozen=not options.unfrozen)
    if options.json:
        print_json(
            {
                "files": [str(path) for path in done.files],
                "removed": [str(path) for path in done.removed],
                "replaced": done.replaced,
                "frozen": not options.unfrozen,
                "user_library": str(library),
                "source": source,
            }
        )
        return
    for path in done.files:
        print(path)
    say(f"{'Replaced' if done.replaced else 'Installed'} in Live's User Library, found by: {source}")
    for path in done.removed:
        say(f"Removed {path}, which belonged to an unfrozen device")
    say("In Live's browser, search for Loopgen, or open User Library > Presets > Audio Effects > Max Audio Effect.")
    say("Drag it onto an audio track, and run `loopgen serve` beside Live. It needs Live Suite, or Max for Live.")
    if done.replaced:
        say("A set that is open keeps the device that it has loaded until it is opened again.")


def _where(options: argparse.Namespace) -> None:
    from loopgen.errors import InputError
    from max4live import amxd, install

    places = [] if options.user_library else list(install.places(install.this_system()))
    library, source, wrong = None, "", None
    try:
        library, source = _library(options)
    except InputError as error:
        wrong = error
    device = library / install.PLACE / amxd.NAME if library else None
    if options.json:
        candidates = [
            {"folder": str(place.folder) if place.folder else None, "source": place.source, "problem": place.problem}
            for place in places
        ]
        print_json(
            {
                "user_library": str(library) if library else None,
                "source": source,
                "problem": str(wrong or ""),
                "device": str(device) if device else None,
                "installed": bool(device and device.is_file()),
                "candidates": candidates,
            }
        )
    else:
        for place in places:
            mark = "*" if place.folder == library and place.source == source else " "
            print(
                f"{mark} {place.folder or '(no folder)'}  {place.source}{': ' if place.problem else ''}{place.problem}"
            )
        if library and not places:
            print(f"* {library}  {source}")
        if device:
            print(f"  {device}  {'is installed' if device.is_file() else 'is not there yet: loopgen max4live install'}")
    if wrong:
        raise wrong


def _build(options: argparse.Namespace) -> None:
    from loopgen.files import make_folder, write_whole
    from max4live.build import build

    folder = make_folder(Path(options.output).expanduser())
    files = {folder / name: data for name, data in build(frozen=not options.unfrozen).items()}
    write_whole(files)
    if options.json:
        print_json({"files": [str(path) for path in files], "frozen": not options.unfrozen})
        return
    for path in files:
        print(path)
