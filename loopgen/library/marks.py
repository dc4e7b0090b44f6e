"""What a person says of a loop: tags, favourite, rating. They lie beside the loop, in its sidecar, under ``marks``.

They carry the loop's id and when they were made. So they are found again, wherever the loop has gone, in whatever was
left of them: of several that speak of one loop the latest hold. Where no sidecar can be written, they lie in the
library's folder, in ``.loopgen/marks``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loopgen.errors import LoopgenError, OutputUnwritable
from loopgen.files import make_folder, write_whole
from loopgen.library.find import check_rating, check_tag
from loopgen.library.recall import belongs, recall

PRIVATE = ".loopgen"
"""Folder in a library's folder for what is not a loop: the index, the trash, marks without a sidecar."""


@dataclass(frozen=True, slots=True)
class Marks:
    """``at`` is when they were made, in ISO 8601 (UTC); empty where nobody made any."""

    tags: tuple[str, ...] = ()
    favourite: bool = False
    rating: int = 0
    at: str = ""

    @classmethod
    def read(cls, value: object) -> Marks:
        """Out of JSON; what cannot be used of it is passed over."""
        if not isinstance(value, Mapping):
            return cls()
        tags, rating = set(), 0
        for tag in value.get("tags") or ():
            with suppress(LoopgenError):
                tags.add(check_tag(tag))
        with suppress(LoopgenError):
            rating = check_rating(value.get("rating", 0))
        return cls(tuple(sorted(tags)), value.get("favourite") is True, rating, str(value.get("at") or "0"))

    def to_json(self, loop: str) -> dict[str, Any]:
        """For the sidecar of the loop with this id."""
        return {
            "id": loop,
            "tags": list(self.tags),
            "favourite": self.favourite,
            "rating": self.rating,
            "at": self.at,
        }


def now() -> str:
    """The time, as marks carry it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def latest(*marks: Marks) -> Marks:
    """Those that hold.

    >>> latest(Marks(("dub",), at="2026-01-02"), Marks(), Marks(("rain",), at="2026-01-01")).tags
    ('dub',)
    """
    return max(marks, key=lambda each: each.at)


def sidecar_marks(path: Path) -> Marks:
    """Those in the sidecar of a loop."""
    return Marks.read((own_sidecar(path) or {}).get("marks"))


def broken_sidecar(path: Path) -> str:
    """In words, what is wrong with the sidecar of a loop, if anything is."""
    sidecar = path.with_suffix(".json")
    try:
        json.loads(sidecar.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, RecursionError) as error:
        reason = "cannot be read" if isinstance(error, OSError) else "is no JSON"
        return f"{sidecar} {reason} and is passed over; what the audio file says of itself is used"
    return ""


def stray_marks(sidecar: Path) -> tuple[str, Marks] | None:
    """The id of a loop, and its marks, out of a JSON file that lies beside no audio any more."""
    with suppress(OSError, ValueError, RecursionError):
        said = json.loads(sidecar.read_text(encoding="utf-8"))
        marks = said.get("marks") if isinstance(said, Mapping) else None
        if isinstance(marks, Mapping) and isinstance(marks.get("id"), str):
            return marks["id"], Marks.read(marks)
    return None


def stored_marks(folder: Path) -> dict[str, Marks]:
    """Those in the library's own folder, by the loop's id."""
    found: dict[str, Marks] = {}
    with suppress(OSError):
        for file in (folder / PRIVATE / "marks").glob("*.json"):
            if stray := stray_marks(file):
                found[stray[0]] = stray[1]
    return found


def write_marks(loop: str, marks: Marks, path: Path, folder: Path) -> None:
    """Keep marks: in the loop's sidecar, else in the library's folder; raises ``OutputUnwritable``.

    A loop without one gets a sidecar within the library's folder; a foreign one that lies elsewhere is left alone.
    """
    sidecar = path.with_suffix(".json")
    said = own_sidecar(path)
    if said is not None or (not sidecar.exists() and path.exists() and path.is_relative_to(folder)):
        said = said or {"file": path.name, **recall(path).recipe}
        said = {**said, "marks": marks.to_json(loop)}
        with suppress(OutputUnwritable):  # a drive may be read-only
            write_whole({sidecar: (json.dumps(said, indent=2, ensure_ascii=False) + "\n").encode()})
            return
    store_marks(loop, marks, folder)


def store_marks(loop: str, marks: Marks, folder: Path) -> None:
    """Keep marks in the library's folder; raises ``OutputUnwritable``, too, where its drive is away."""
    if not holds_anything(folder):
        raise OutputUnwritable(f"{folder} is empty or not there: is its drive away? Marks are kept once it is back")
    place = make_folder(folder / PRIVATE / "marks") / f"{loop}.json"
    write_whole({place: (json.dumps({"marks": marks.to_json(loop)}, indent=2) + "\n").encode()})


def holds_anything(folder: Path) -> bool:
    """Whether a folder is there; an empty one is where a drive was mounted."""
    with suppress(OSError), os.scandir(folder) as scan:
        return next(scan, None) is not None
    return False


def own_sidecar(path: Path) -> dict[str, Any] | None:
    """What a loop's own sidecar says; None where there is none, or another's, or a broken one."""
    with suppress(OSError, ValueError, TypeError, RecursionError):
        said = dict(json.loads(path.with_suffix(".json").read_text(encoding="utf-8")))
        marks = said.get("marks")
        if ("loopgen" in said or (isinstance(marks, Mapping) and "id" in marks)) and belongs(said, path):
            return said
    return None
