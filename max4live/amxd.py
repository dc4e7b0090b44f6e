"""The ``.amxd`` file: a Max for Live device to bytes and back, unfrozen and frozen.

A file is three chunks, each a tag of 4 bytes, a little-endian length and that many bytes::

    ampf  4  the kind: aaaa (audio effect), mmmm (MIDI effect) or iiii (instrument)
    meta  4  0 or 1 unfrozen, 7 frozen
    ptch  n  unfrozen: the patch as JSON, a newline and a NUL; frozen: a container of files, the patch the first

The container is big-endian, and its lengths count their own 8 bytes of tag and length::

    mx@c  16  the offset of the directory, 64 bits, from the start of mx@c
    the files, one after the other
    dlst  n   for each file a dire: type fnam sz32 of32 vers flag mdat

``mdat`` counts seconds since 1904. It is always the same here, so that the same sources give the same bytes.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from loopgen.errors import InputError

KINDS = {"aaaa": "audio effect", "mmmm": "MIDI effect", "iiii": "instrument"}
NAME = "Loopgen.amxd"

FILE_TYPES = {".js": "TEXT", ".txt": "TEXT", ".json": "JSON", ".maxpat": "JSON", ".png": "PNG", ".svg": "svg"}
"""Max's type codes by file name suffix; in the directory they are filled with spaces to 4 bytes."""

_META_UNFROZEN, _META_FROZEN = (0, 1), 7
_HEADER = struct.Struct(">4sIQ")
_IS_DEVICE = 0x11
_DATE = 3_850_070_400
"""1 January 2026, 0:00 UTC, in seconds since 1 January 1904."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device: its kind (a key of ``KINDS``), its patch, the files inside by name (none when unfrozen), its name."""

    kind: str
    patch: dict[str, Any]
    files: Mapping[str, bytes] = field(default_factory=dict)
    name: str = NAME


def type_code(name: str) -> str:
    """Max's type code of a file; raises ``InputError`` for a suffix that no device here has use for.

    >>> type_code("loopgen.device.js"), type_code("logo.png")
    ('TEXT', 'PNG')
    """
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in FILE_TYPES:
        raise InputError(
            f"{name}: a device takes files that end in {', '.join(FILE_TYPES)}; give it one of these names"
        )
    return FILE_TYPES[suffix]


def to_bytes(device: Device, *, frozen: bool) -> bytes:
    """The file of a device; frozen with its files inside, else without. The same device gives the same bytes.

    Raises ``InputError`` for a kind that is not in ``KINDS`` and for files that a device cannot hold.
    """
    if device.kind not in KINDS:
        raise InputError(f"the kind of a device: {device.kind!r} cannot be used; give one of {', '.join(KINDS)}")
    text = json.dumps(device.patch, indent="\t", ensure_ascii=False, allow_nan=False)
    patch = text.encode() + b"\n\0"
    content = _freeze(device, patch) if frozen else patch
    meta = _META_FROZEN if frozen else _META_UNFROZEN[0]
    chunks = ((b"ampf", device.kind.encode()), (b"meta", struct.pack("<I", meta)), (b"ptch", content))
    return b"".join(tag + struct.pack("<I", len(data)) + data for tag, data in chunks)


def _freeze(device: Device, patch: bytes) -> bytes:
    files = [(device.name, "JSON", patch, _IS_DEVICE)]
    files += [(name, type_code(name), device.files[name], 0) for name in sorted(device.files)]
    entries, offset = b"", _HEADER.size
    for name, kind, data, flag in files:
        entries += _entry(name, kind, len(data), offset, flag)
        offset += len(data)
    header = _HEADER.pack(b"mx@c", _HEADER.size, offset)
    return header + b"".join(data for _, _, data, _ in files) + _chunk("dlst", entries)


def _entry(name: str, kind: str, size: int, offset: int, flag: int) -> bytes:
    if not name.isascii() or not name.isprintable() or not name or "/" in name or "\\" in name:
        raise InputError(f"{name!r} cannot be the name of a file in a device; give a name of ASCII characters, no path")
    padded = name.encode() + b"\0" * (4 - len(name) % 4)  # at least one NUL, and whole words of 4 bytes
    numbers = {"sz32": size, "of32": offset, "vers": 0, "flag": flag, "mdat": _DATE}
    fields = _chunk("type", kind.ljust(4).encode()) + _chunk("fnam", padded)
    return _chunk("dire", fields + b"".join(_chunk(tag, struct.pack(">I", value)) for tag, value in numbers.items()))


def _chunk(tag: str, data: bytes) -> bytes:
    return tag.encode() + struct.pack(">I", 8 + len(data)) + data


def from_bytes(data: bytes) -> Device:
    """Read the file of a device, unfrozen or frozen; every length and offset is held against the bytes there are.

    Raises ``InputError`` for anything broken.
    """
    chunks = list(_chunks(data, "<", own=0))
    tags = [tag for tag, _ in chunks]
    if tags != ["ampf", "meta", "ptch"]:
        raise _broken(f"it should hold the chunks ampf, meta, ptch; it holds {', '.join(tags) or 'none'}")
    (_, kind), (_, meta), (_, content) = chunks
    if kind not in [known.encode() for known in KINDS]:
        raise _broken(f"its kind is {kind!r}, which is none of {', '.join(KINDS)}")
    if len(meta) != 4:
        raise _broken(f"meta has {len(meta)} bytes, not 4")
    number = int.from_bytes(meta, "little")
    frozen = content.startswith(b"mx@c")
    if number != _META_FROZEN if frozen else number not in _META_UNFROZEN:
        raise _broken(f"meta says {number}, though it is {'frozen (7)' if frozen else 'not frozen (0 or 1)'}")
    if not frozen:
        return Device(kind.decode(), _patch(content), {})
    (name, patch), *others = _thaw(content)
    files = dict(others)
    if len(files) < len(others) or name in files:
        raise _broken("two files inside have one name")
    return Device(kind.decode(), _patch(patch), files, name)


def _patch(data: bytes) -> dict[str, Any]:
    if not data.endswith(b"\n\0"):
        raise _broken("its patch does not end in a newline and a NUL")
    try:
        patch = json.loads(data[:-1].decode())
    except ValueError as error:
        raise _broken(f"its patch is no JSON: {error}") from None
    if not isinstance(patch, dict) or not isinstance(patch.get("patcher"), dict):
        raise _broken('its patch does not begin with {"patcher": {...}}')
    return patch


def _thaw(content: bytes) -> list[tuple[str, bytes]]:
    """Names and bytes of the files in a container, the device first."""
    if len(content) < _HEADER.size:
        raise _broken("it ends within the header of its files")
    _, size, start = _HEADER.unpack_from(content)
    if size != _HEADER.size or not _HEADER.size <= start <= len(content):
        raise _broken(f"its directory should begin at byte {start} of {len(content)}")
    parts = list(_chunks(content[start:], ">", own=8))
    if [tag for tag, _ in parts] != ["dlst"]:
        raise _broken("its directory is not one chunk dlst")
    found: list[tuple[str, bytes]] = []
    expected = _HEADER.size
    for tag, entry in _chunks(parts[0][1], ">", own=8):
        fields = dict(_chunks(entry, ">", own=8))
        if tag != "dire" or list(fields) != ["type", "fnam", "sz32", "of32", "vers", "flag", "mdat"]:
            raise _broken(f"an entry of its directory is {tag} {' '.join(fields)}")
        if any(len(fields[number]) != 4 for number in ("type", "sz32", "of32", "vers", "flag", "mdat")):
            raise _broken("a field of its directory is not 4 bytes long")
        name = _name(fields["fnam"])
        size, offset, flag = (int.from_bytes(fields[number], "big") for number in ("sz32", "of32", "flag"))
        if offset != expected or offset + size > start:
            raise _broken(f"{name} should lie at bytes {offset} to {offset + size}, which are not its own")
        if flag != (0 if found else _IS_DEVICE):
            raise _broken(f"{name} has the flag {flag:#x}; the device, which comes first, has 0x11 and others have 0")
        found.append((name, content[offset : offset + size]))
        expected = offset + size
    if not found or expected != start:
        raise _broken(f"{start - expected} bytes before its directory belong to no file")
    return found


def _name(data: bytes) -> str:
    name = data.rstrip(b"\0")
    if not name or not 1 <= len(data) - len(name) <= 4 or len(data) % 4 or not name.isascii():
        raise _broken(f"{data!r} is no name of a file, filled with NULs to whole words")
    return name.decode()


def _chunks(data: bytes, order: str, own: int) -> Iterator[tuple[str, bytes]]:
    """Tags and contents of a run of chunks that must fill ``data``; ``own`` bytes of tag and length count as length."""
    at = 0
    while at < len(data):
        tag = data[at : at + 4]
        if len(data) - at < 8 or not tag.isascii():
            raise _broken(f"there is no chunk at byte {at} of {len(data)}")
        (length,) = struct.unpack_from(order + "I", data, at + 4)
        end = at + 8 - own + length
        if length < own or end > len(data):
            raise _broken(
                f"the chunk {tag.decode()} says that it has {length} bytes; there are {len(data) - at - 8 + own}"
            )
        yield tag.decode(), data[at + 8 : end]
        at = end


def _broken(reason: str) -> InputError:
    return InputError(f"this is no device that can be used: {reason}; build it anew")
