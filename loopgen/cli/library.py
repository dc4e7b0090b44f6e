"""``loopgen library``: the loops that were kept, found again, marked, moved and put away."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from loopgen.cli import entries
from loopgen.cli.common import Commands, Parser, ProgressLine, add_command, print_json, say

if TYPE_CHECKING:  # heavy modules are imported by the command that needs them: --help answers at once
    from loopgen.library.find import Entry, Query
    from loopgen.library.index import Library
    from loopgen.library.refresh import Changes

_PROBLEMS_SHOWN = 20
_LOOP = "a loop: its path, file name or id, or the beginning of its id"


def add(commands: Commands[Parser]) -> None:
    """Add the command and its actions."""
    text = "list, find, tag, rate, rename and put away the loops that were kept"
    library = commands.add_parser("library", help=text, description=text[0].upper() + text[1:] + ".")
    actions = library.add_subparsers(title="actions", metavar="ACTION", parser_class=Parser)
    _add_questions(library, actions)
    _add_marks(actions)
    _add_moves(actions)
    _add_folders(actions)


def _add_questions(library: Parser, actions: Commands[Parser]) -> None:
    library.add_argument("--json", action="store_true", help="print one JSON object for machines")
    library.add_argument("--debug", action="store_true", help="show a traceback when something fails")
    _add_filters(library)
    library.set_defaults(run=_find, words=[], trashed=False)
    _add_filters(_action(actions, "list", _find, "list the loops, the newest first (what `loopgen library` does)"))
    find = _action(actions, "find", _find, "find loops by words of their prompts, names, engines and tags")
    find.add_argument("words", nargs="*", metavar="WORDS", help="each begins a word of what is looked for: dub tech")
    _add_filters(find)
    show = _action(actions, "show", _show, "show all that is known of a loop")
    show.add_argument("loop", metavar="LOOP", help=_LOOP)


def _add_filters(command: Parser) -> None:
    by = command.add_argument_group("which loops")
    by.add_argument("--bpm", metavar="BPM", help="a tempo, to half a BPM, or a range: 128, 120-130; x2 and /2 count")
    by.add_argument("--exact-tempo", action="store_true", help="half and double tempos do not count")
    by.add_argument("--key", metavar="KEY", help="like Am, F# minor or D dorian")
    by.add_argument("--compatible", action="store_true", help="also its relative key, and those a fifth up and down")
    by.add_argument("--bars", type=int, help="so many bars")
    by.add_argument("--meter", metavar="N/D", help="like 3/4")
    by.add_argument("--engine", metavar="NAME", help="played by this engine: sketch, musicgen, musicgen:small")
    by.add_argument("--tag", action="append", default=[], metavar="TAG", help="with this tag; may be given again")
    by.add_argument("--favourite", action="store_true", default=None, help="favourites only")
    by.add_argument("--rating", type=int, metavar="N", help="rated N of 5 or better")
    by.add_argument("--since", metavar="WHEN", help="made since 2026-11-20, today, yesterday, 36h, 7d or 2w ago")
    by.add_argument("--until", metavar="WHEN", help="made until then")
    by.add_argument("--origin", metavar="NAME", help="loopgen, or foreign for loops of others")
    by.add_argument("--order", default="made", metavar="NAME", help="made (the default), added, bpm, name or rating")
    by.add_argument("--ascending", action="store_true", help="the smallest, or oldest, first")
    by.add_argument("--limit", type=int, default=50, metavar="N", help="show so many (default: 50; 0: all)")
    by.add_argument("--folder", metavar="FOLDER", help="the library (default: `output` of `loopgen settings`)")
    command.set_defaults(words=[], trashed=False)


def _add_marks(actions: Commands[Parser]) -> None:
    tag = _action(actions, "tag", _tag, "give a loop tags, and take tags from it")
    tag.add_argument("loop", metavar="LOOP", help=_LOOP)
    tag.add_argument("tags", nargs=argparse.REMAINDER, metavar="TAG", help="+dub gives a tag, -rain takes it away")
    favourite = _action(actions, "fav", _favourite, "make loops favourites")
    favourite.add_argument("loops", nargs="+", metavar="LOOP", help=_LOOP)
    favourite.add_argument("--off", action="store_true", help="they are none any more")
    rate = _action(actions, "rate", _rate, "rate a loop")
    rate.add_argument("loop", metavar="LOOP", help=_LOOP)
    rate.add_argument("rating", type=int, metavar="N", help="1 to 5; 0 takes the rating back")


def _add_moves(actions: Commands[Parser]) -> None:
    rename = _action(actions, "rename", _rename, "give a loop's file, and its sidecar, another name")
    rename.add_argument("loop", metavar="LOOP", help=_LOOP)
    rename.add_argument("name", metavar="NAME", help="the new name, with or without .wav")
    trash = _action(actions, "trash", _trash, "move loops into the library's trash, or list what lies there")
    trash.add_argument("loops", nargs="*", metavar="LOOP", help=_LOOP)
    trash.add_argument("--empty", action="store_true", help="delete what lies in the trash, for good; asks first")
    trash.add_argument("--yes", action="store_true", help="do not ask")
    restore = _action(actions, "restore", _restore, "move loops out of the trash to where they were")
    restore.add_argument("loops", nargs="+", metavar="LOOP", help=_LOOP)


def _add_folders(actions: Commands[Parser]) -> None:
    intake = _action(actions, "add", _add_places, "take loops elsewhere into the library: WAV and FLAC, anybody's")
    intake.add_argument("places", nargs="+", metavar="FOLDER|FILE", help="they stay where they are, and as they are")
    intake.add_argument("--copy", action="store_true", help="copy them into the library's folder instead")
    drop = _action(actions, "drop", _drop, "take an added folder or file out of the library; it is left as it is")
    drop.add_argument("place", metavar="FOLDER|FILE", help="as it was added")
    _action(actions, "rebuild", _rebuild, "forget the index and read all loops again; nothing is lost by it")
    page = _action(actions, "open", _open, "look at the loops, play them, and make new ones, in a browser")
    page.add_argument("folder", nargs="?", default=argparse.SUPPRESS, metavar="FOLDER", help="the library")
    page.add_argument("--port", metavar="N", help="of the page, on this machine only (default: 11280)")
    page.add_argument("--no-browser", action="store_true", help="print the address and open nothing")


def _action(actions: Commands[Parser], name: str, run: Callable[[argparse.Namespace], None], text: str) -> Parser:
    command = add_command(actions, name, run, text)
    if name not in ("list", "find"):
        command.add_argument("--folder", metavar="FOLDER", help="the library (default: `output` of `loopgen settings`)")
    return command


def _open(options: argparse.Namespace) -> None:
    from loopgen.cli.page import open_page

    open_page(options)


@contextmanager
def _opened(options: argparse.Namespace, *, fresh: bool = True) -> Iterator[Library]:
    """The library, brought to what lies in its folder; tells what had to be done about it."""
    from pathlib import Path

    from loopgen import intake, settings
    from loopgen.errors import OutputUnwritable
    from loopgen.library.index import Library

    chosen = settings.resolve({}, os.environ, settings.config_file(os.environ)).settings
    with Library(Path(options.folder).expanduser() if options.folder else chosen.output) as library:
        if fresh:
            try:
                with _progress(options) as show:
                    changes = intake.refresh(library, show)
                _tell(library, changes)
            except OutputUnwritable as error:  # a full or read-only disk: what was known can be shown
                say(f"note: {error}")
        yield library


@contextmanager
def _progress(options: argparse.Namespace) -> Iterator[Callable[[float, str], None]]:
    line = ProgressLine(is_silent=options.json)
    try:
        yield line.show
    finally:
        line.clear()


def _tell(library: Library, changes: Changes) -> None:
    for note in library.notes:
        say(f"note: {note}")
    library.notes.clear()
    for problem in changes.problems[:_PROBLEMS_SHOWN]:
        say(f"note: {problem}")
    if more := len(changes.problems) - _PROBLEMS_SHOWN:
        say(f"note: and {more} more that cannot be used") if more > 0 else None


def _find(options: argparse.Namespace) -> None:
    query = _query(options)
    with _opened(options) as library:
        _print_found(options, library, query)


def _query(options: argparse.Namespace) -> Query:
    from loopgen.library.find import Query

    return Query(
        words=" ".join(options.words),
        bpm=entries.read_tempos(options.bpm) if options.bpm is not None else None,
        exact_tempo=options.exact_tempo,
        key=options.key,
        compatible=options.compatible,
        bars=options.bars,
        meter=options.meter,
        engine=options.engine,
        tags=tuple(options.tag),
        favourite=options.favourite,
        rating=options.rating,
        since=entries.read_time(options.since, "since") if options.since is not None else None,
        until=entries.read_time(options.until, "until") if options.until is not None else None,
        origin=options.origin,
        order=options.order,
        descending=not options.ascending,
        limit=options.limit or None,
    )


def _print_found(options: argparse.Namespace, library: Library, query: Query) -> None:
    from loopgen.library.find import compatible_keys
    from loopgen.music.key import Key

    total, found = library.count(query), library.find(query)
    keys = {}
    if query.compatible and isinstance(query.key, Key):
        keys = {relation: str(key) for relation, key in compatible_keys(query.key).items()}
    if options.json:
        loops = [entries.fields(each) for each in found]
        print_json({"folder": str(library.folder), "total": total, "compatible_keys": keys, "loops": loops})
        return
    if keys:
        others = ", ".join(f"{key} ({relation})" for relation, key in keys.items() if relation != "itself")
        say(f"{query.key} goes with {others}")
    entries.print_rows(found, library.folder)
    where = "in the trash of" if query.trashed else "in"
    if total > len(found):
        say(f"{len(found)} of {total} loops {where} {library.folder}; --limit 0 shows all")
    elif query == type(query)(limit=query.limit, order=query.order, descending=query.descending) and not total:
        say(
            f"no loops are in {library.folder}: none were kept there yet (`loopgen generate` and `loopgen library add`"
            " bring some), or its drive is away"
        )
    else:
        say(f"{total} loop{'s' * (total != 1)} {where} {library.folder}")


def _show(options: argparse.Namespace) -> None:
    with _opened(options) as library:
        found = library.resolve(options.loop, trashed=None)
        files = library.files(found.id)
    if options.json:
        print_json({**entries.fields(found), "files": [str(file) for file in files]})
        return
    entries.print_one(found, files)


def _marked(options: argparse.Namespace, loops: Sequence[Entry]) -> None:
    if options.json:
        print_json({"loops": [entries.fields(each) for each in loops]})
        return
    for each in loops:
        print(f"{each.path}\n  {entries.marks(each) or 'no marks'}")


def _tag(options: argparse.Namespace) -> None:
    from loopgen.errors import InvalidRequest

    words = list(options.tags)
    for flag in ("--json", "--debug"):  # a tag may begin with a minus, so that the parser leaves these to us
        if flag in words:
            words.remove(flag)
            setattr(options, flag[2:], True)
    if "--folder" in words[:-1]:
        at = words.index("--folder")
        options.folder = words[at + 1]
        del words[at : at + 2]
    if not words:
        raise InvalidRequest("tag", "", "tags: +dub gives one, -rain takes it away")
    gained = [word.removeprefix("+") for word in words if not word.startswith("-")]
    lost = [word[1:] for word in words if word.startswith("-")]
    with _opened(options) as library:
        loop = library.resolve(options.loop)
        entry = library.mark(loop.id, add=gained, remove=lost)
    _marked(options, [entry])


def _favourite(options: argparse.Namespace) -> None:
    with _opened(options) as library:
        meant = [library.resolve(name) for name in options.loops]
        marked = [library.mark(loop.id, favourite=not options.off) for loop in meant]
    _marked(options, marked)


def _rate(options: argparse.Namespace) -> None:
    with _opened(options) as library:
        entry = library.mark(library.resolve(options.loop).id, rating=options.rating)
    _marked(options, [entry])


def _rename(options: argparse.Namespace) -> None:
    with _opened(options) as library:
        entry = library.rename(library.resolve(options.loop).id, options.name)
    _moved(options, [entry])


def _moved(options: argparse.Namespace, loops: Sequence[Entry]) -> None:
    if options.json:
        print_json({"loops": [entries.fields(each) for each in loops]})
        return
    for each in loops:
        print(each.path)


def _trash(options: argparse.Namespace) -> None:
    from loopgen.errors import InvalidRequest
    from loopgen.library.find import Query

    if options.empty and options.loops:
        raise InvalidRequest("empty", options.loops[0], "either loops to put away, or --empty")
    with _opened(options) as library:
        if options.empty:
            _empty(options, library)
        elif not options.loops:
            _print_found(options, library, Query(trashed=True))
        else:
            meant = [library.resolve(name) for name in options.loops]
            copies = {loop.id: library.files(loop.id) for loop in meant}
            _moved(options, [library.trash(loop.id) for loop in meant])
            if not options.json:
                for each in copies.values():
                    if each[1:]:  # of an added folder, too: whoever meant one of them is to know
                        say(f"all {len(each)} copies were put away: {', '.join(str(file) for file in each)}")
                say("`loopgen library restore` brings them back")


def _empty(options: argparse.Namespace, library: Library) -> None:
    from loopgen.errors import InputError
    from loopgen.library.find import Query

    many = library.count(Query(trashed=True))
    if many and not options.yes:
        if not sys.stdin.isatty() or options.json:
            raise InputError(f"{many} loop{'s' * (many != 1)} would be deleted for good; say so with --yes")
        say(f"{many} loop{'s' * (many != 1)} will be deleted for good. Type yes to go on: ")
        if input().strip().lower() != "yes":
            say("nothing was deleted")
            return
    library.empty_trash()
    if options.json:
        print_json({"deleted": many})
    else:
        say(f"{many} loop{'s' * (many != 1)} deleted")


def _restore(options: argparse.Namespace) -> None:
    with _opened(options) as library:
        meant = [library.resolve(name, trashed=True) for name in options.loops]
        restored = [library.restore(loop.id) for loop in meant]
    _moved(options, restored)


def _add_places(options: argparse.Namespace) -> None:
    from pathlib import Path

    from loopgen import intake, settings
    from loopgen.files import make_folder

    found = settings.resolve({}, os.environ, settings.config_file(os.environ))
    if not options.folder and found.origins["output"] == "default":  # a first library; one that was named may be away
        make_folder(found.settings.output)
    with _opened(options, fresh=False) as library:
        with _progress(options) as show:
            changes = intake.add(
                library, [Path(place).expanduser() for place in options.places], copy=options.copy, progress=show
            )
        _print_changes(options, library, changes)


def _drop(options: argparse.Namespace) -> None:
    from pathlib import Path

    from loopgen.errors import InvalidRequest

    with _opened(options, fresh=False) as library:
        if not library.drop_place(Path(options.place).expanduser()):
            added = ", ".join(str(place) for place in library.places[1:]) or "nothing was"
            raise InvalidRequest("drop", options.place, f"what was added: {added}")
        _print_changes(options, library, library.refresh())


def _rebuild(options: argparse.Namespace) -> None:
    from loopgen import intake

    with _opened(options, fresh=False) as library:
        with _progress(options) as show:
            changes = intake.rebuild(library, show)
        _print_changes(options, library, changes)


def _print_changes(options: argparse.Namespace, library: Library, changes: Changes) -> None:
    from dataclasses import asdict

    from loopgen.library.find import Query

    total = library.count(Query())
    if options.json:
        print_json(
            {"folder": str(library.folder), "total": total, **asdict(changes), "problems": list(changes.problems)}
        )
        return
    _tell(library, changes)
    counts = {
        "new": changes.new,
        "changed": changes.changed,
        "moved": changes.moved,
        "duplicates": changes.duplicates,
        "gone": changes.vanished,
        "away": changes.away,
    }
    said = ", ".join(f"{many} {name}" for name, many in counts.items() if many) or "nothing new"
    say(f"{said}; {total} loop{'s' * (total != 1)} in {library.folder}")
