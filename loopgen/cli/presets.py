"""``loopgen presets``: the sounds that there are, and the user's own, made, mended and passed on."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from loopgen.cli.common import Commands, Parser, add_command, print_json, say

if TYPE_CHECKING:
    from pathlib import Path

    from loopgen.presets import Preset

ACTIONS = ("list", "show", "save", "edit", "delete", "export", "import", "check", "schema")


def _meant(words: list[str]) -> list[str]:
    """The action first: `loopgen presets` alone lists them, and `loopgen presets NAME` shows one.

    >>> _meant([]), _meant(["--json"]), _meant(["dub-techno"]), _meant(["--json", "check"])
    (['list'], ['list', '--json'], ['show', 'dub-techno'], ['check', '--json'])
    >>> _meant(["--tag", "club"]), _meant(["remove", "dub-techno"])
    (['list', '--tag', 'club'], ['remove', 'dub-techno'])
    """
    names = [word for word in words if not word.startswith("-")]
    first = names[0] if names else None
    if first in ACTIONS:
        place = words.index(first)
        return [first, *words[:place], *words[place + 1 :]]
    if {"-h", "--help"} & {*words}:
        return words
    if first is None or {"--tag", "--own"} & {*words}:
        return ["list", *words]
    return words if len(names) > 1 else ["show", *words]  # an unknown action is told what there are


class _Action(Parser):
    """Options may stand between names and fields; help lists the fields, whose table is loaded for this only."""

    tells_fields = False
    _is_mixing = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does for words and options that are mixed; it calls this itself once more."""
        if self._is_mixing:
            return super().parse_known_args(args, namespace)
        self._is_mixing = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._is_mixing = False

    def format_help(self) -> str:
        """The usual help, then the fields."""
        if self.tells_fields:
            from loopgen.presets import KEYS

            self.formatter_class = argparse.RawDescriptionHelpFormatter
            lines = [f"  {name:<12} {field.meaning}" for name, field in KEYS.items() if name != "version"]
            self.epilog = "fields:\n" + "\n".join(lines)
        return super().format_help()


def add(commands: Commands[Parser]) -> None:
    """Add the command and its actions."""
    text = "list, show, make, mend and pass on presets"
    presets = commands.add_parser("presets", help=text, description=text[0].upper() + text[1:] + ".")
    presets.meant = _meant
    actions = presets.add_subparsers(title="actions", metavar="ACTION", required=True, parser_class=_Action)
    listing = add_command(actions, "list", _list, "list presets, all of them or those that fit")
    listing.add_argument("words", nargs="*", metavar="WORD", help="in name, description, prompt or tags; all must be")
    listing.add_argument("--tag", action="append", default=[], metavar="TAG", help="with this tag; may be given again")
    listing.add_argument("--own", action="store_true", help="only your own")
    add_command(actions, "show", _show, "show a preset").add_argument("name", metavar="NAME")
    _add_save(actions)
    edit = add_command(actions, "edit", _edit, "open a copy in your editor; it is taken over if it is sound")
    edit.add_argument("name", metavar="NAME", help="one of loopgen's becomes your own")
    edit.epilog = "The editor is what VISUAL or EDITOR says; one with windows is to be told to wait: 'code --wait'."
    delete = add_command(
        actions, "delete", _delete, "delete presets of your own; one of loopgen's that was hid is back"
    )
    delete.add_argument("names", nargs="+", metavar="NAME")
    export = add_command(actions, "export", _export, "write presets where they can be passed on from")
    export.add_argument("names", nargs="*", metavar="NAME", help="which (default: all of your own)")
    export.add_argument(
        "-o", "--output", default=".", metavar="PATH", help="a folder, or for one a .toml file (default: here)"
    )
    bring = add_command(actions, "import", _import, "take preset files over into your own, all or none of them")
    bring.add_argument("sources", nargs="+", metavar="PATH", help="a .toml file, or a folder of them")
    for command in (export, bring):
        command.add_argument("--force", action="store_true", help="overwrite what is there")
    check = add_command(actions, "check", _check, "tell everything that is wrong with presets, in all files at once")
    check.add_argument(
        "names", nargs="*", metavar="NAME", help="a preset, a .toml file or a folder (default: all that there are)"
    )
    schema = add_command(actions, "schema", _schema, "print the JSON Schema of a preset's file, for editors")
    schema.add_argument("-o", "--output", metavar="FILE", help="write it into this file instead")


def _add_save(actions: Commands[_Action]) -> None:
    save = add_command(actions, "save", _save, "keep a sound: from a loop, from another preset, or from fields alone")
    save.tells_fields = True
    save.add_argument("name", metavar="NAME")
    save.add_argument(
        "fields",
        nargs="*",
        default=[],  # else the name's absence is told as that of fields, too
        metavar="FIELD=VALUE",
        help="like bpm=127.9 key=set tags=dark,slow; empty leaves it open",
    )
    save.add_argument("--from", dest="source", metavar="LOOP", help="a loop (its sidecar's recipe), or a preset's name")
    save.add_argument("--force", action="store_true", help="overwrite a preset of your own")


def _own() -> Path:
    """The user's folder of presets, there or not."""
    from loopgen import settings

    return settings.resolve({}, os.environ, settings.config_file(os.environ)).settings.presets


def _shown(preset: Preset) -> dict[str, object]:
    about = {"name": preset.name, "description": preset.description, "tags": [*preset.tags], "licence": preset.licence}
    return {**about, "own": preset.own, **preset.fields}


# -- what there is -----------------------------------------------------------------------------------------------------


def _list(options: argparse.Namespace) -> None:
    from loopgen import presets
    from loopgen.errors import PresetUnusable

    own = _own()
    chosen = []
    for name in presets.names(own):
        try:
            preset = presets.load(name, own)
        except PresetUnusable as error:
            say(f"loopgen: {error}")  # one broken file hides no other preset
            continue
        if _fits(preset, options.words, options.tag) and (preset.own or not options.own):
            chosen.append(preset)
    if options.json:
        print_json({"presets": [_shown(preset) for preset in chosen], "folder": str(own)})
        return
    if not chosen:
        print("No preset fits.")
    width = max((len(preset.name) for preset in chosen), default=0)
    for preset in chosen:
        tempo = str(preset.fields.get("bpm", ""))
        tags = f" [{', '.join(preset.tags)}]" if preset.tags else ""
        own_one = " (your own)" if preset.own else ""
        print(f"{preset.name:<{width}}  {tempo:>6}  {preset.description}{tags}{own_one}".rstrip())
    print(f"\nYour own go into {own}")


def _fits(preset: Preset, words: Iterable[str], tags: Iterable[str]) -> bool:
    text = " ".join([preset.name, preset.description, str(preset.fields["prompt"]), *preset.tags]).casefold()
    known = {tag.casefold() for tag in preset.tags}
    return all(word.casefold() in text for word in words) and all(tag.casefold() in known for tag in tags)


def _show(options: argparse.Namespace) -> None:
    from loopgen import presets

    own = _own()
    preset = presets.load(options.name, own)
    if options.json:
        print_json({"presets": [_shown(preset)], "folder": str(own)})
        return
    for key, value in preset.table().items():
        if key != "version":
            print(f"{key:<12} {', '.join(value) if isinstance(value, list) else value}")
    print(f"\n{presets.file_of(options.name, own)[0]}")


def _schema(options: argparse.Namespace) -> None:
    from pathlib import Path

    from loopgen import presets
    from loopgen.files import write_whole

    if options.output is None:
        print(presets.schema_text(), end="")
        return
    write_whole({Path(options.output): presets.schema_text().encode()})
    if options.json:
        print_json({"path": options.output})
    else:
        print(options.output)


def _check(options: argparse.Namespace) -> None:
    from pathlib import Path

    from loopgen import presets
    from loopgen.errors import PresetUnusable

    own = _own()
    files: dict[Path, None] = {}
    for name in options.names:
        path = Path(name)
        if path.is_dir():
            files |= dict.fromkeys(sorted(path.glob("*.toml")))
        elif path.suffix.lower() == ".toml":
            files[path] = None
        else:
            files[presets.file_of(name, own)[0]] = None
    if not options.names:
        files = dict.fromkeys(path for place in (presets.folder(), own) for path in sorted(place.glob("*.toml")))
    found = {path: presets.problems(path) for path in files}
    wrong = {path: told for path, told in found.items() if told}
    if options.json:
        checked = [{"path": str(path), "sound": not told, "problems": told} for path, told in found.items()]
        print_json({"presets": checked, "sound": not wrong})
    else:
        for path, told in wrong.items():
            print(f"{path}:", *told, sep="\n  ")
        if not wrong:
            print(f"{len(found)} presets are sound.")
    if wrong:
        raise PresetUnusable(f"{len(wrong)} of {len(found)} presets cannot be used; mend the files named above")


# -- the user's own ----------------------------------------------------------------------------------------------------


def _save(options: argparse.Namespace) -> None:
    from loopgen import presets
    from loopgen.errors import PresetUnusable

    own = _own()
    if not options.force and options.name in presets.preset_files(own):
        raise PresetUnusable(f"you have a preset {options.name!r} already; --force overwrites it, or give another name")
    table, notes = _source(options.source, own)
    table |= _typed(options.fields)
    about = {name: table.pop(name) for name in ("description", "tags", "licence") if name in table}
    if not table.get("prompt"):
        raise PresetUnusable('there is no sound to keep: give --from LOOP, or prompt="dub techno, rolling bass"')
    preset = presets.save(
        options.name,
        table,
        about.get("description"),
        own,
        tags=about.get("tags"),
        licence=about.get("licence"),
    )
    if options.json:
        print_json({**_shown(preset), "path": str(presets.file_of(options.name, own)[0]), "notes": notes})
        return
    for note in notes:
        say(f"note: {note}")
    print(f"preset {options.name} saved; `loopgen generate --preset {_quoted(options.name)}` plays it")


def _source(source: str | None, own: Path) -> tuple[dict[str, Any], list[str]]:
    """What a preset is to be made of, and what of it cannot be kept."""
    from pathlib import Path

    from loopgen import presets
    from loopgen.errors import AudioUnreadable
    from loopgen.library import recall

    if source is None:
        return {}, []
    path = Path(source)
    if path.suffix.lower() not in (".wav", ".flac", ".json"):
        table = presets.load(source, own).table()
        return {key: value for key, value in table.items() if key != "version"}, []
    if path.suffix.lower() == ".json":  # the sidecar is given in the loop's stead
        path = next((path.with_suffix(s) for s in (".wav", ".flac") if path.with_suffix(s).exists()), path)
    if not path.exists():
        raise AudioUnreadable(f"{path} is not there; give a loop that loopgen made")
    recipe = recall(path).recipe
    return presets.of_recipe(recipe), presets.left_out(recipe)


_TRUTHS: Mapping[str, bool] = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def _typed(words: Iterable[str]) -> dict[str, Any]:
    """Values by field out of words like ``field=value``; None where nothing follows the =.

    Raises ``InputError`` for another word or an unknown field; values of a wrong kind stay text, which is refused where
    all fields are.
    """
    from contextlib import suppress

    from loopgen.cli.words import check_known
    from loopgen.errors import InputError
    from loopgen.presets import KEYS

    found: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            raise InputError(f'{word[:60]!r} is no field=value; put text with spaces in quotes, like prompt="dub"')
        check_known(key, [name for name in KEYS if name != "version"])
        kind = KEYS[key].shape.get("type")
        value: Any = text
        with suppress(ValueError):
            if kind == "integer":
                value = int(text)
            elif kind == "number":
                value = float(text)
            elif kind == "boolean":
                value = _TRUTHS.get(text.strip().lower(), text)
            elif kind == "array":
                value = [part.strip() for part in text.split(",") if part.strip()]
        found[key] = value if text else [] if kind == "array" else "" if key in ("description", "licence") else None
    return found


def _edit(options: argparse.Namespace) -> None:
    from loopgen import presets
    from loopgen.cli.editor import edited

    own = _own()
    path, is_own = presets.file_of(options.name, own)
    beside = {presets.SCHEMA_FILE: presets.schema_text()}
    text = edited(f"{options.name}.toml", presets.editable(path), beside, presets.problems)
    if text is None:
        _tell_edited(options, path, changed=False)
        return
    presets.take_over(options.name, text, own)
    if not is_own and not options.json:
        say(f"note: {options.name!r} is your own now; `loopgen presets delete` brings loopgen's back")
    _tell_edited(options, presets.file_of(options.name, own)[0], changed=True)


def _tell_edited(options: argparse.Namespace, path: Path, *, changed: bool) -> None:
    if options.json:
        print_json({"name": options.name, "path": str(path), "changed": changed})
    else:
        print(f"preset {options.name} {'saved: ' + str(path) if changed else 'is as it was'}")


def _delete(options: argparse.Namespace) -> None:
    from loopgen import presets
    from loopgen.errors import PresetUnusable

    own = _own()
    for name in options.names:  # all are known to be the user's before the first is gone
        if not presets.file_of(name, own)[1]:
            raise PresetUnusable(f"{name!r} comes with loopgen and cannot be deleted; only presets of your own can")
    for name in dict.fromkeys(options.names):
        presets.delete(name, own)
    if options.json:
        print_json({"deleted": options.names})
    else:
        print(f"deleted: {', '.join(options.names)}")


def _export(options: argparse.Namespace) -> None:
    from pathlib import Path

    from loopgen import presets
    from loopgen.errors import PresetUnusable

    own = _own()
    names = options.names or sorted(presets.preset_files(own))
    if not names:
        raise PresetUnusable(f"you have no presets of your own in {own}; name those of loopgen that you want")
    files = presets.export(names, Path(options.output), own, force=options.force)
    if options.json:
        print_json({"files": [str(path) for path in files]})
    else:
        print(*files, sep="\n")


def _import(options: argparse.Namespace) -> None:
    from pathlib import Path

    from loopgen import presets

    own = _own()
    ours = {*presets.preset_files(presets.folder())}
    taken = presets.bring_in([Path(source) for source in options.sources], own, force=options.force)
    hidden = [preset.name for preset in taken if preset.name in ours]
    if options.json:
        print_json({"imported": [_shown(preset) for preset in taken], "hides": hidden, "folder": str(own)})
        return
    for name in hidden:
        say(f"note: your {name!r} hides the one that comes with loopgen")
    print(f"imported into {own}: {', '.join(preset.name for preset in taken)}")


def _quoted(name: str) -> str:
    return f'"{name}"' if " " in name else name
