"""A loop onto the disk: a WAV or FLAC, a JSON sidecar beside it and its take, each written whole or not at all.

The order decides what a break may leave: a take without a loop does no harm and is found (``takes.orphans``), a sidecar
speaks of a take that is there, a loop has its sidecar.
"""

from __future__ import annotations

import io
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import soundfile

from loopgen.audiofile import read_audio
from loopgen.errors import AudioUnreadable, InvalidRequest, OutputUnwritable
from loopgen.files import check_folder, write_whole
from loopgen.library import embedded
from loopgen.library.recall import belongs
from loopgen.library.takes import FOLDER, keep_take, orphans, take_back, take_name, take_of
from loopgen.music.key import Key
from loopgen.music.loop import Loop
from loopgen.music.tempo import format_bpm
from loopgen.wav import LoopTags, digest, integers, wav_bytes

FORMATS: dict[str, tuple[str, int]] = {"wav": (".wav", 24), "float": (".wav", 32), "flac": (".flac", 24)}
"""Format name -> file suffix and bits a sample."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A loop on disk, and its take where that is kept; ``notes`` tells what the user should know, in plain words."""

    path: Path
    sidecar: Path
    take: Path | None = None
    notes: tuple[str, ...] = ()


def keep(
    loop: Loop, target: Path, *, file_format: str | None = None, number: int | None = None, take: bool = True
) -> Kept:
    """Write a loop, its sidecar and its take to ``target``, a folder or a file name ending in .wav or .flac.

    In a folder the loop gets a name of its own; ``number`` goes into an explicit file name (``loop-2.wav``). The recipe
    goes into the sidecar and into the file itself. ``take`` is whether a take is kept that is not there yet. A loop
    whose very sound is there already keeps the recipe and the marks that it has.

    Raises ``OutputUnwritable`` (no permission, no such folder, disk full; nothing is left behind)
    and ``InvalidRequest`` for another suffix or format.
    """
    chosen = resolve_format(target, file_format)
    suffix, bits = FORMATS[chosen]
    sound = digest(loop.audio, bits)
    if is_folder(target):
        path = _free_name(target, file_stem(loop), suffix, sound, bits)
    else:
        path = target if number is None else target.with_stem(f"{target.stem}-{number}")
    sidecar = path.with_suffix(".json")
    _check_is_sidecar(sidecar, path)
    before = _recipe_at(sidecar)
    known = take_name(loop)
    take_file = path.parent / FOLDER / f"{known}.flac" if known else None
    was_there = take_file is not None and take_file.exists()
    kept_take = keep_take(loop, path) if take else take_file if was_there else None
    recipe = {**loop.recipe, "audio": {"sha256": sound, "bits": bits}}
    if is_same := before.get("audio") == recipe["audio"]:
        recipe = {key: value for key, value in before.items() if key not in ("file", "marks")}
    if recipe.get("take"):
        recipe["take"] = {**recipe["take"], "name": kept_take.stem if kept_take else _take_beside(path, recipe)}
    tags, inside = _tags(loop), embedded.packed(recipe)
    if chosen == "flac":
        data = embedded.into_flac(_flac_bytes(loop, tags), inside)
    else:
        data = wav_bytes(loop.audio, tags, bits=bits, after={embedded.NAME: inside})
    beside = {"file": path.name, **recipe, **({"marks": before["marks"]} if is_same and "marks" in before else {})}
    text = json.dumps(beside, indent=2, ensure_ascii=False) + "\n"
    try:
        write_whole({sidecar: text.encode("utf-8", "replace"), path: data})
    except OutputUnwritable:
        if kept_take and not was_there:
            take_back(kept_take)
        raise
    return Kept(path, sidecar, kept_take, tuple(_orphaned(before, recipe, path)))


def _take_beside(path: Path, recipe: Mapping[str, Any]) -> str | None:
    """Name of the take that a recipe speaks of, where it is there."""
    name = take_of(recipe)
    return name if name and (path.parent / FOLDER / f"{name}.flac").exists() else None


def _orphaned(before: Mapping[str, Any], recipe: Mapping[str, Any], path: Path) -> Iterator[str]:
    """Says which take is left alone when a loop takes the place of another."""
    old = take_of(before)
    if old is None or old == take_of(recipe):
        return
    file = path.parent / FOLDER / f"{old}.flac"
    if file in orphans(path.parent):
        yield f"the loop that was {path.name} before is replaced; its take stays in {file}"


def _recipe_at(sidecar: Path) -> Mapping[str, Any]:
    """The recipe in a sidecar, empty where there is none that can be read."""
    with suppress(OSError, ValueError):
        found = json.loads(sidecar.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
    return {}


def is_folder(target: Path) -> bool:
    """Whether ``-o TARGET`` means a folder: one that exists, or a name without a suffix of ours."""
    return target.is_dir() or target.suffix.lower() not in {suffix for suffix, _ in FORMATS.values()}


def resolve_format(target: Path, file_format: str | None) -> str:
    """Settle the file format between ``--format`` and the suffix of ``-o``; raises ``InvalidRequest``."""
    if file_format is not None and file_format not in FORMATS:
        raise InvalidRequest("format", file_format, f"one of {', '.join(FORMATS)}")
    if target.name in {suffix for suffix, _ in FORMATS.values()}:
        raise InvalidRequest("output", str(target), "a folder, or a file name ending in .wav or .flac")
    if is_folder(target):
        if not target.is_dir() and target.suffix.lower() in {".mp3", ".ogg", ".aif", ".aiff", ".m4a", ".json"}:
            raise InvalidRequest("output", str(target), "a folder, or a file name ending in .wav or .flac")
        return file_format or "wav"
    by_suffix = "flac" if target.suffix.lower() == ".flac" else "wav"
    if file_format is None:
        return by_suffix
    if FORMATS[file_format][0] != target.suffix.lower():
        raise InvalidRequest(
            "output", str(target), f"a name ending in {FORMATS[file_format][0]} for --format {file_format}"
        )
    return file_format


def check_writable(target: Path) -> None:
    """Find out before the work whether ``target`` can be written; makes the folder; raises ``OutputUnwritable``."""
    if not is_folder(target):
        _check_is_sidecar(target.with_suffix(".json"), target)
    check_folder(target if is_folder(target) else target.parent)


def file_stem(loop: Loop) -> str:
    """Name of a loop's file without its suffix, like ``loopgen_127.9bpm_Am_4bars_dub-techno_3f9a``."""
    request, key = loop.request, loop_key(loop)
    meter = "" if str(request.meter) == "4/4" else str(request.meter).replace("/", "-")
    parts = ["loopgen", f"{format_bpm(request.bpm)}bpm", key.short if key else "", f"{request.bars}bars", meter]
    return "_".join(part for part in (*parts, slug(request.prompt), digest(loop.audio)[:4]) if part)


def slug(prompt: str) -> str:
    """The first words of a prompt as a file name takes them.

    >>> slug("dub techno, rolling bass, rainy"), slug("Übermäßig träge Café-Musik heute"), slug("../../etc")
    ('dub-techno', 'ubermaig-trage-cafe-musik', 'etc')
    """
    plain = unicodedata.normalize("NFKD", prompt).encode("ascii", "ignore").decode().lower()
    phrase = next((part for part in plain.split(",") if re.search("[a-z0-9]", part)), "")
    return "-".join(re.findall(r"[a-z0-9]+", phrase)[:4])[:32].strip("-")


def loop_key(loop: Loop) -> Key | None:
    """The key that was asked for, else the one that the engine says it played in."""
    said = loop.take.facts.get("key") if loop.take else None
    if loop.request.key is None and isinstance(said, str):
        with suppress(InvalidRequest):  # an engine may be anybody's
            return Key.parse(said)
    return loop.request.key


def _tags(loop: Loop) -> LoopTags:
    request = loop.request
    engine = loop.recipe["engine"]
    info = {
        "INAM": request.prompt,
        "ISFT": f"loopgen {loop.recipe['loopgen']}",
        "ICMT": f"{format_bpm(request.bpm)} BPM, {request.bars} bars of {request.meter}; "
        f"engine {engine['name']}, seed {loop.recipe['seed']}; {engine['licence']}",
        "IGNR": str(engine.get("genre", "")),
    }
    return LoopTags(request.bpm, request.bars, request.meter, loop_key(loop), info)


def _flac_bytes(loop: Loop, tags: LoopTags) -> bytes:
    stream = io.BytesIO()
    with soundfile.SoundFile(stream, "w", loop.audio.rate, loop.audio.channels, "PCM_24", format="FLAC") as file:
        info = tags.info or {}
        file.title, file.software, file.comment = info["INAM"], info["ISFT"], info["ICMT"]
        file.write(integers(loop.audio, 24) << 8)  # the very integers of the WAV: libsndfile scales floats otherwise
    return stream.getvalue()


def _free_name(folder: Path, stem: str, suffix: str, sound: str, bits: int) -> Path:
    """A name that no other loop has: the same sound may take its own place again, another gets a number."""
    for number in range(1, 10_000):
        path = folder / (stem + (f"-{number}" if number > 1 else "") + suffix)
        if not path.exists() or _sound_of(path, bits) == sound:
            return path
    raise OutputUnwritable(f"{folder} holds 10,000 loops named {stem}; give another folder")


def _sound_of(path: Path, bits: int) -> str | None:
    """Digest of a file's sound; None for what is no audio."""
    with suppress(AudioUnreadable):
        return digest(read_audio(path), bits)
    return None


def _check_is_sidecar(sidecar: Path, path: Path) -> None:
    """Refuse to put a loop's sidecar in the place of somebody's own JSON file, or of another loop's sidecar."""
    if not sidecar.exists():
        return
    with suppress(OSError, ValueError, TypeError):
        recipe = json.loads(sidecar.read_text(encoding="utf-8"))
        if "loopgen" in recipe and belongs(recipe, path):
            return
        if "loopgen" in recipe:
            raise OutputUnwritable(f"{sidecar} belongs to {recipe['file']}; give another name")
    raise OutputUnwritable(f"{sidecar} is there already and is no loopgen sidecar; give another name")
