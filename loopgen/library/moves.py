"""Loops moved on disk, with what belongs to them: into the trash, out of it, to another name.

Each step leaves a state from which the next attempt goes on: the audio is what says where a loop is, so that it is the
first to go into the trash and the last to come out.
"""

from __future__ import annotations

import errno
import json
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from loopgen.errors import InvalidRequest, OutputUnwritable
from loopgen.files import make_folder, unwritable, write_whole
from loopgen.library.folder import SUFFIXES, TRASH, key_of
from loopgen.library.marks import PRIVATE, own_sidecar
from loopgen.library.reading import take_file
from loopgen.library.recall import recall
from loopgen.library.takes import FOLDER, take_of
from loopgen.music.names import check_name

_NAME = re.compile(r'[^<>:"/\\|?*\x00-\x1f\x7f]{1,120}')


def belongings(path: Path) -> tuple[list[Path], str | None]:
    """The files that a loop has beside itself, its sidecar and its take, and the take's name."""
    take = take_of(recall(path).recipe)
    files = [path.with_suffix(".json")] if own_sidecar(path) is not None else []
    return files + ([take_file(path, take)] if take and take_file(path, take).exists() else []), take


def trash_file(path: Path, loop: str, folder: Path, *, is_shared: Callable[[str], bool]) -> Path:
    """Move a loop and its belongings into the trash of the library in ``folder``; returns where it lies now.

    A take of which other loops were made, as ``is_shared`` says by its name, is copied. Where everything came from is
    written down first. Raises ``OutputUnwritable``.
    """
    place = folder / PRIVATE / TRASH / loop
    number = 1
    while (place / str(number)).exists():
        number += 1
    others, take = belongings(path)
    files = [path, *others]
    record = _record(loop, folder)
    for file in files:
        inside = Path(str(number)) / file.relative_to(path.parent)
        record.append({"file": inside.as_posix(), "from": key_of(file, folder)})
    make_folder(place / str(number))
    write_whole({place.with_suffix(".json"): (json.dumps({"files": record}, indent=2) + "\n").encode()})
    for file in files:
        to = place / str(number) / file.relative_to(path.parent)
        if take is not None and file == take_file(path, take) and is_shared(take):
            make_folder(to.parent)
            write_whole({to: file.read_bytes()})
        else:
            _move(file, to)
    return place / str(number) / path.name


def restore_files(loop: str, folder: Path) -> list[Path]:
    """Move a loop and its belongings back to where they came from; returns where the audio lies now.

    Where another file has taken its place, the loop gets a number; where its folder elsewhere is gone, it comes into
    the library's own. Raises ``OutputUnwritable``.
    """
    place = folder / PRIVATE / TRASH / loop
    groups: dict[str, list[tuple[Path, Path]]] = {}
    for item in _record(loop, folder):
        inside, source = Path(item["file"]), place / item["file"]
        if source.is_file() and len(inside.parts) > 1 and ".." not in inside.parts:
            groups.setdefault(inside.parts[0], []).append((source, folder / item["from"]))
    restored = []
    for files in groups.values():
        audio = [
            pair for pair in files if pair[0].suffix.lower() in SUFFIXES and len(pair[0].relative_to(place).parts) == 2
        ]
        home = audio[0][1].parent if audio else files[0][1].parent
        elsewhere = not home.is_relative_to(folder) and not home.is_dir()
        stem = _free_stem([target for _, target in files], audio[0][1].stem if audio else "")
        for source, target in sorted(files, key=lambda pair: pair in audio):
            back = target.with_stem(stem) if target.parent == home and stem else target
            back = folder / back.relative_to(home) if elsewhere and back.is_relative_to(home) else back
            if back.parent.name == FOLDER and back.exists():
                continue  # takes are called by what they hold
            _move(source, back)
            if (source, target) in audio:
                restored.append(back)
    forget_trashed(loop, folder)
    return restored


def forget_trashed(loop: str, folder: Path) -> None:
    """Delete what the trash holds of a loop."""
    place = folder / PRIVATE / TRASH / loop
    shutil.rmtree(place, ignore_errors=True)
    with suppress(OSError):
        if not place.exists():
            place.with_suffix(".json").unlink(missing_ok=True)


def rename_file(path: Path, name: str) -> Path:
    """Give a loop and its sidecar another name in the same folder; returns the new path.

    Raises ``InvalidRequest`` for a name that no system would take everywhere or that is taken, ``OutputUnwritable``.
    """
    new = path.with_name(check_file_name(name, path.suffix))
    if new == path:
        return path
    same = new.exists() and path.exists() and new.samefile(path)  # only other capitals
    sidecar, said = path.with_suffix(".json"), own_sidecar(path)
    taken = new.with_suffix(".json").exists() and (own_sidecar(new) or {}).get("file") != new.name
    if (new.exists() or (said is not None and taken)) and not same:
        raise InvalidRequest("name", name, f"another: {new.name} is taken in {new.parent}")
    if said is not None:
        text = json.dumps({**said, "file": new.name}, indent=2, ensure_ascii=False) + "\n"
        write_whole({new.with_suffix(".json"): text.encode()})
    try:
        path.rename(new)
        if said is not None and not same and sidecar != new.with_suffix(".json"):
            sidecar.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(new, error) from None
    return new


def check_file_name(name: str, suffix: str) -> str:
    """The file name for a loop that is to be called ``name``; raises ``InvalidRequest``.

    >>> check_file_name("night drive F#m", ".wav"), check_file_name("a.wav", ".wav")
    ('night drive F#m.wav', 'a.wav')
    """
    stem = name[: -len(suffix)] if name.lower().endswith(suffix.lower()) else name
    if not _NAME.fullmatch(stem) or stem != stem.strip(" .") or not stem.isprintable():
        raise InvalidRequest(
            "name", name, 'a name of 1 to 120 characters, none of <>:"/\\|?*, no dot or space at an end'
        )
    check_name("name", re.sub(r"[^A-Za-z0-9 _.-]", "_", stem)[:64].strip(" .") or "_")  # Windows' devices
    return stem + suffix


def _record(loop: str, folder: Path) -> list[dict[str, Any]]:
    with suppress(OSError, ValueError, KeyError, TypeError):
        said = json.loads((folder / PRIVATE / TRASH / f"{loop}.json").read_text(encoding="utf-8"))
        return [{"file": str(item["file"]), "from": str(item["from"])} for item in said["files"]]
    return []


def _free_stem(targets: list[Path], stem: str) -> str:
    """A name for all of a loop's files that none of them has to give way to."""
    if not stem:
        return ""
    own = [target for target in targets if target.stem == stem]  # not the take
    for number in range(1, 10_000):
        free = stem if number == 1 else f"{stem}-{number}"
        if not any(target.with_stem(free).exists() for target in own):
            return free
    raise OutputUnwritable(f"{targets[0].parent} holds 10,000 loops named {stem}; rename some")


def _move(source: Path, target: Path) -> None:
    """Move a file, onto another drive as well; never over another. Raises ``OutputUnwritable``."""
    make_folder(target.parent)
    if target.exists():
        raise OutputUnwritable(f"{target} is taken by another file; move it away")
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV and getattr(error, "winerror", None) != 17:  # another drive
            raise unwritable(source, error) from None
        write_whole({target: source.read_bytes()})
        try:
            source.unlink()
        except OSError as stuck:
            target.unlink(missing_ok=True)
            raise unwritable(source, stuck) from None
