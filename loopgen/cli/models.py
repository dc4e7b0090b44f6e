"""``loopgen models``: which weights there are, what they weigh, what their licence is; to get and to remove them."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from loopgen.cli.common import Commands, Parser, ProgressLine, add_command, print_json, say


def add(commands: Commands[Parser]) -> None:
    """Add the command and its actions."""
    text = "list, download and remove the weights that the engine musicgen plays by"
    models = commands.add_parser("models", help=text, description=text[0].upper() + text[1:] + ".")
    actions = models.add_subparsers(title="actions", metavar="ACTION", required=True, parser_class=Parser)
    add_command(actions, "list", _list, "list the models: sizes, licences, and which are on this machine")
    _add(actions, "pull", _pull, "download a model; what was cut off goes on where it stopped")
    _add(actions, "path", _path, "print the folder of a model that is on this machine")
    _add(actions, "remove", _remove, "delete a model that was downloaded")


def _add(actions: Commands[Parser], name: str, run: Callable[[argparse.Namespace], None], text: str) -> None:
    add_command(actions, name, run, text).add_argument(
        "model", metavar="MODEL", help="a name of `loopgen models list`, or one on the Hugging Face hub (owner/name)"
    )


def _list(options: argparse.Namespace) -> None:
    from loopgen.engines.musicgen import catalogue, hub
    from loopgen.errors import EngineUnavailable

    cache, here, lacking = None, {}, ""
    try:
        cache = hub.cache_folder()
        here = {found.name: found for found in hub.present(cache)}
    except EngineUnavailable as error:  # what there is can be told before gigabytes are installed
        lacking = str(error)
    if options.json:
        names = [*(known.name for known in catalogue.MODELS), *(name for name in here if not catalogue.get(name))]
        print_json(
            {"models": [_described(name, here.get(name)) for name in names], "cache": str(cache) if cache else None}
        )
        return
    rows = []
    for known in catalogue.MODELS:
        size = f"about {hub.in_words(known.download_bytes)}"
        rows.append((known.name, size, known.description, f"loopgen models pull {known.name}"))
    rows += [(name, "", "", "") for name in here if not catalogue.get(name)]
    for place, (name, _, described, _) in enumerate(rows):
        if found := here.get(name):
            state = f"{found.folder}" if not found.lacks else f"cut off: loopgen models pull {name}"
            rows[place] = (name, hub.in_words(found.size), described or "not Meta's own", state)
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for name, size, described, state in rows:
        mark = "*" if name in here and not here[name].lacks else " "
        print(f"{mark} {name:<{widths[0]}}  {size:>{widths[1]}}  {described:<{widths[2]}}  {state}")
    print(f"\n* on this machine, in {cache}" if cache else f"\nNone can play yet: {lacking}")
    print(f"Licence {catalogue.LICENCE}. {catalogue.LICENCE_MEANING}")


def _described(name: str, found: object) -> dict[str, object]:
    from loopgen.engines.musicgen import catalogue, hub

    known = catalogue.get(name)
    here = found if isinstance(found, hub.Found) else None
    return {
        "name": name,
        "repo": known.repo if known else name,
        "here": here is not None and not here.lacks,
        "path": str(here.folder) if here else None,
        "bytes": here.size if here else None,
        "lacks": list(here.lacks) if here else [],
        "approximate_download_bytes": known.download_bytes if known else None,
        "parameters": known.parameters if known else None,
        "channels": known.channels if known else None,
        "melody": known.is_melody if known else None,
        "approximate_memory_bytes": {
            precision: known.memory_bytes(precision) if known else None for precision in catalogue.BYTES
        },
        "licence": catalogue.licence_of(name),
    }


def _pull(options: argparse.Namespace) -> None:
    from loopgen.engines.musicgen import catalogue, hub
    from loopgen.engines.musicgen.pull import pull

    repo = hub.repo_of(options.model)
    licence = catalogue.licence_of(repo)
    meaning = catalogue.LICENCE_MEANING if licence == catalogue.LICENCE else "Look at its page on the hub."
    line = ProgressLine(is_silent=options.json)
    terms = [] if options.json else [f"{repo}: licence {licence}. {meaning}"]

    def told(here: int, total: int, file: str) -> None:
        while terms:  # before the first byte, once it is known that there are any
            say(terms.pop())
        line.show(here / max(1, total), f"{hub.in_words(here)} of {hub.in_words(total)}  {file}")

    try:
        folder = pull(options.model, told)
    finally:
        line.clear()
    known = catalogue.get(repo)
    found = next(found for found in hub.present() if found.name == (known.name if known else repo))
    if options.json:
        print_json(_described(found.name, found) | {"licence_meaning": meaning})
        return
    print(folder)
    say(f"{hub.in_words(found.size)} are here; play by it: loopgen generate ... --engine musicgen:{found.name}")


def _path(options: argparse.Namespace) -> None:
    from loopgen.engines.musicgen import hub

    folder = hub.locate(options.model)
    if options.json:
        print_json({"name": options.model, "path": str(folder)})
    else:
        print(folder)


def _remove(options: argparse.Namespace) -> None:
    from loopgen.engines.musicgen import hub

    freed = hub.remove(options.model)
    if options.json:
        print_json({"name": options.model, "freed_bytes": freed})
    else:
        print(f"{options.model} is removed; {hub.in_words(freed)} are free again")
