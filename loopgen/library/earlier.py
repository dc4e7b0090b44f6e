"""The loop that another was made from, found again by its name or by its sound."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from loopgen.audiofile import read_audio
from loopgen.errors import AudioUnreadable, RecipeUnusable
from loopgen.library.recall import recall
from loopgen.wav import digest


def find_earlier(path: Path, name: str, sound: str | None, relation: str) -> Path:
    """The file that the loop at ``path`` was made from: of this name or digest, in its folder or the one above.

    Where only the name is right, that file is it, although it is other than it was. Raises ``RecipeUnusable``, which
    calls the ``relation`` of the two what it is: "goes on from".
    """
    name = name.replace("\\", "/").rpartition("/")[2]
    places = [folder / name for folder in (path.parent, path.parent.parent) if name]
    there = [place for place in places if _is_file(place)]
    others = [other for kind in ("*.wav", "*.flac") for other in sorted(path.parent.glob(kind)) if sound]
    for place in (*there, *others):
        with suppress(AudioUnreadable):
            if sound is None or _sounds(place, sound):
                return place
    if there:
        return there[0]  # other than it was: what comes of it is told apart by its digest
    if not name:
        raise RecipeUnusable(f"{path.name} {relation} a loop that its recipe does not name, and that is not here")
    raise RecipeUnusable(f"{path.name} {relation} {name[:80]}, which is not here: put it into {path.parent}")


def _is_file(place: Path) -> bool:
    with suppress(OSError, ValueError):  # no file can have such a name
        return place.is_file()
    return False


def _sounds(place: Path, sound: str) -> bool:
    """Whether a file has this digest; one whose recipe says another is not read for it."""
    said = recall(place).recipe.get("audio")
    if isinstance(said, dict) and said.get("bits") == 24 and said.get("sha256") != sound:
        return False
    return digest(read_audio(place)) == sound
