"""A loop's recipe inside the loop's own file, where renaming, moving and a lost sidecar cannot part them.

A WAV holds it in a RIFF chunk of our own after the sound: readers "must expect (and ignore) any unknown chunks"
(Multimedia Programming Interface and Data Specifications 1.0), names in capitals are reserved, and players that read no
further than the sound never come to it. A FLAC holds it in an APPLICATION block (RFC 9639, section 8.4), which decoders
skip. A program that writes the file anew may leave either out; then the sidecar is what there is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from loopgen.wav import read_chunk

NAME = "lgrc"
"""Of the chunk, and of the application: loopgen's recipe."""

BYTES_MAX = 8 * 2**20
_STREAMINFO, _APPLICATION = 0, 2
_BLOCK_MAX = 2**24 - 1


def packed(recipe: Mapping[str, Any]) -> bytes:
    """A recipe as it lies in a file: UTF-8 JSON, as short as it can be."""
    return json.dumps(recipe, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def into_flac(data: bytes, payload: bytes) -> bytes:
    """A FLAC file with ``payload`` as an APPLICATION block of ours; ``data`` is a whole FLAC file.

    It goes behind STREAMINFO, which has to be the first. Raises ``ValueError`` for what is no FLAC, and for a payload
    above 16 MB.
    """
    if data[:4] != b"fLaC" or data[4] & 0x7F != _STREAMINFO:
        raise ValueError("no FLAC file")
    body = NAME.encode() + payload
    if len(body) > _BLOCK_MAX:
        raise ValueError(f"{len(body)} bytes are more than a FLAC block takes")
    end = 8 + int.from_bytes(data[5:8], "big")
    is_last = data[4] & 0x80
    block = bytes([_APPLICATION | is_last]) + len(body).to_bytes(3, "big") + body
    return data[:4] + bytes([_STREAMINFO]) + data[5:end] + block + data[end:]


def read(path: Path) -> dict[str, Any]:
    """The recipe inside a file; empty where it holds none that can be read. Raises nothing."""
    with suppress(OSError, ValueError):
        with path.open("rb") as file:
            is_flac = file.read(4) == b"fLaC"
            payload = _from_flac(file) if is_flac else None
        if not is_flac:
            payload = read_chunk(path, NAME, BYTES_MAX)
        if payload is not None:
            found = json.loads(payload)
            return found if isinstance(found, dict) else {}
    return {}


def _from_flac(file: BinaryIO) -> bytes | None:
    for kind, size in _blocks(file):
        if kind == _APPLICATION and 4 <= size <= BYTES_MAX:
            body = file.read(size)
            if body[:4] == NAME.encode():
                return body[4:]
            file.seek(-size, 1)
    return None


def _blocks(file: BinaryIO) -> Iterator[tuple[int, int]]:
    """Kind and size of each metadata block; the file stands at its body, and has to stand there again afterwards."""
    while len(head := file.read(4)) == 4:
        size = int.from_bytes(head[1:], "big")
        yield head[0] & 0x7F, size
        if head[0] & 0x80:
            return
        file.seek(size, 1)
