"""Where presets lie: ours beside the program, the user's own in a folder of theirs that hides ours of the same name."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from loopgen.errors import InvalidRequest, OutputUnwritable, PresetUnusable
from loopgen.files import make_folder, write_whole
from loopgen.music.names import check_name
from loopgen.presets.fields import SCHEMA_FILE, VERSION, schema
from loopgen.presets.reading import Preset, migrated, read, read_text, text_of, why, wrong_in
from loopgen.presets.writing import directed, plain_table, undirected, written

_ROOT = Path(__file__).parent.parent


def folder() -> Path:
    """The factory presets: inside the installed package, or at the root of a checkout."""
    packaged = _ROOT / "_presets"
    return packaged if packaged.is_dir() else _ROOT.parent / "presets"


def names(own: Path | None = None) -> list[str]:
    """Names of all presets, sorted: ours and those in the folder ``own`` of the user, if there is one."""
    return sorted({*preset_files(folder()), *(preset_files(own) if own else {})})


def file_of(name: str, own: Path | None = None) -> tuple[Path, bool]:
    """A preset's file, and whether it is the user's own; raises ``PresetUnusable``, naming the nearest there is."""
    if own and name in (mine := preset_files(own)):
        return mine[name], True
    if path := preset_files(folder()).get(name):
        return path, False
    near = difflib.get_close_matches(name, names(own), 1)
    hint = f"did you mean {near[0]!r}?" if near else "`loopgen presets` lists them"
    raise PresetUnusable(f"there is no preset {name[:64]!r}; {hint}")


def load(name: str, own: Path | None = None) -> Preset:
    """Read a preset by name, the user's own before ours; raises ``PresetUnusable``, naming the nearest there is."""
    path, is_own = file_of(name, own)
    return replace(read(path), own=is_own)


def save(
    name: str,
    fields: Mapping[str, Any],
    description: str | None,
    own: Path,
    *,
    tags: Iterable[str] | None = None,
    licence: str | None = None,
) -> Preset:
    """Keep a sound under a name in the folder ``own``, made on demand; one of ours keeps its file and is hidden by it.

    ``fields`` holds values under the names of ``FIELDS``; None counts as absent; a tempo may be a ``Fraction``, a meter
    and a key their values. Where the user has a preset of this name, its comments stay, and its description, tags and
    licence where none are given. Returns the preset as it will be read. Raises ``InvalidRequest`` for a name that
    cannot be one, ``PresetUnusable`` for fields that make no request, ``OutputUnwritable`` where the folder cannot be
    written.
    """
    _check_free(name, own)
    before, known = "", None
    with suppress(PresetUnusable, OSError, ValueError):
        path, is_own = file_of(name, own)
        if is_own:
            before = text_of(path)
            known = read_text(name, before)
    about = {
        "description": description if description is not None else known.description if known else "",
        "tags": list(tags) if tags is not None else list(known.tags) if known else [],
        "licence": licence if licence is not None else known.licence if known else "",
    }
    table = {"version": VERSION, **{key: value for key, value in about.items() if value != "" and value != []}}
    text = _sound_text(name, {**table, **fields}, before)
    preset = read_text(name, text)
    _put({name: text}, own)
    return replace(preset, own=True)


def _sound_text(name: str, table: Mapping[str, Any], before: str) -> str:
    """The text of a table that can be one; what TOML cannot hold at all is refused here."""
    plain = plain_table(table)
    if wrong := [*wrong_in(plain)]:
        raise PresetUnusable(f"preset {name}{wrong[0]}")
    return written(plain, before)


def editable(path: Path) -> str:
    """A preset file's text as an editor is to have it: sound or not, with the line that names the schema."""
    return directed(_text(path))


def take_over(name: str, text: str, own: Path) -> Preset:
    """Keep a file's text, as a user or an editor wrote it, as the user's own preset of this name.

    A text of an older version is brought to today's. Raises as ``save`` does, and writes nothing then.
    """
    _check_free(name, own)
    preset, text = _todays(name, text)
    _put({name: directed(text)}, own)
    return replace(preset, own=True)


def delete(name: str, own: Path) -> None:
    """Delete a preset of the user's folder; raises ``PresetUnusable`` for one of ours or an unknown one.

    Where it hid one of ours, that one is back. Raises ``OutputUnwritable`` where the file cannot be removed.
    """
    path, is_own = file_of(name, own)
    if not is_own:
        raise PresetUnusable(f"{name!r} comes with loopgen and cannot be deleted; only presets of your own can")
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputUnwritable(f"{path} cannot be deleted: {error.strerror or error}") from None


def export(chosen: Iterable[str], target: Path, own: Path | None = None, *, force: bool = False) -> list[Path]:
    """Write presets where they can be passed on from: one to a file ending in .toml, or any number into a folder.

    Nothing is overwritten without ``force``, and nothing written where one cannot be. Returns the files. Raises
    ``PresetUnusable`` for one that is unknown or broken, ``OutputUnwritable``.
    """
    wanted = list(dict.fromkeys(chosen))
    to_file = target.suffix.lower() == ".toml" and not target.is_dir()
    if to_file and len(wanted) != 1:
        raise PresetUnusable(f"{len(wanted)} presets do not fit into {target.name}; give a folder")
    files: dict[Path, bytes] = {}
    for name in wanted:
        text = _todays(name, _text(file_of(name, own)[0]))[1]
        files[target if to_file else target / f"{name}.toml"] = undirected(text).encode()
    there = [path for path in files if path.exists()]
    if there and not force:
        more = f" and {len(there) - 1} more are" if there[1:] else " is"
        raise OutputUnwritable(f"{there[0]}{more} there already; --force overwrites")
    if files:
        make_folder(target.parent if to_file else target)
        write_whole(files)
    return [*files]


def bring_in(sources: Iterable[Path], own: Path, *, force: bool = False) -> list[Preset]:
    """Take preset files, or all of a folder, over into the user's own.

    All or none: raises ``PresetUnusable`` for a file that is missing or unsound, for two of one name, and, without
    ``force``, for a name that the user has already; ``OutputUnwritable`` where the folder cannot be written.
    """
    files: list[Path] = []
    for source in sources:
        found = sorted(source.glob("*.toml")) if source.is_dir() else [source]
        if not found:
            raise PresetUnusable(f"{source} holds no .toml file; give presets, or a folder of them")
        files += found
    texts: dict[str, str] = {}
    presets: list[Preset] = []
    for path in files:
        name = check_name("preset", path.stem)
        if path.suffix.lower() != ".toml":
            raise PresetUnusable(f"{path} is no preset; give a file ending in .toml")
        if twice := [other for other in texts if other.casefold() == name.casefold()]:
            raise PresetUnusable(f"{path}: there are two of the name {twice[0]!r}; give one of them another")
        if not force and name in preset_files(own):
            raise PresetUnusable(f"you have a preset {name!r} already; --force overwrites it, or rename the file")
        _check_free(name, own)
        preset, text = _todays(name, _text(path))
        texts[name] = directed(text)
        presets.append(replace(preset, own=True))
    _put(texts, own)
    return presets


def preset_files(place: Path) -> dict[str, Path]:
    """Name -> file of the presets in a folder; files whose names cannot be given are passed over."""
    found = {}
    for path in place.glob("*.toml"):
        with suppress(InvalidRequest):
            found[check_name("preset", path.stem)] = path
    return found


def _check_free(name: str, own: Path) -> None:
    check_name("preset", name)
    for other in preset_files(own):
        if other != name and other.casefold() == name.casefold():  # one file on Windows and macOS, two on Linux
            raise PresetUnusable(f"there is a preset {other!r} already; use this name, or one that differs in more")


def _text(path: Path) -> str:
    try:
        return text_of(path)
    except (OSError, ValueError) as error:
        raise PresetUnusable(f"{path} cannot be read: {why(error)}") from None


def _todays(name: str, text: str) -> tuple[Preset, str]:
    """A preset, and its text as today's version has it, the user's comments kept; raises ``PresetUnusable``."""
    preset = read_text(name, text)
    table = tomllib.loads(text)
    if table.get("version") != VERSION:
        text = written(migrated(table), text)
    return preset, text


def _put(texts: Mapping[str, str], own: Path) -> None:
    """Write presets into the user's folder, the schema beside them."""
    if not texts:
        return
    make_folder(own)
    files = {own / f"{name}.toml": text.encode() for name, text in texts.items()}
    write_whole({own / SCHEMA_FILE: schema_text().encode(), **files})


def schema_text() -> str:
    """The JSON Schema as a file holds it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
