"""WAV files that a DAW reads as loops: RIFF with ``acid``, ``smpl`` and ``LIST``, in the order DAWs want.

Layouts: Microsoft "Multimedia Programming Interface and Data Specifications 1.0" (RIFF, ``smpl``, ``LIST INFO``);
the ``acid`` chunk is Sony's, as libsndfile reads it. All integers are little-endian.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from loopgen.music.audio import Audio
from loopgen.music.key import Key
from loopgen.music.tempo import Meter

_PCM, _FLOAT = 1, 3
_ACID_ROOT_VALID, _ACID_STRETCH = 2, 4
_MIDDLE_C = 60


@dataclass(frozen=True, slots=True)
class LoopTags:
    """What a loop's file says of itself; ``info`` maps LIST INFO ids (``INAM``, ``ISFT`` ...) to text."""

    bpm: Fraction
    bars: int
    meter: Meter
    key: Key | None = None
    info: Mapping[str, str] | None = None

    @property
    def quarters(self) -> Fraction:
        """Length in quarter notes."""
        return self.bars * self.meter.quarters

    @property
    def root(self) -> int:
        """MIDI note of the tonic, C4 where no key is known."""
        return _MIDDLE_C + (self.key.tonic if self.key else 0)


def wav_bytes(audio: Audio, tags: LoopTags, *, bits: int = 24, after: Mapping[str, bytes] | None = None) -> bytes:
    """The whole file; ``bits`` is 16 or 24 (integer PCM) or 32 (float).

    Integer samples are rounded and clipped to full scale. ``after`` holds further chunks by their names of four
    characters; they come last, where no player waits for them. Raises ``ValueError`` for other ``bits``.

    >>> tags = LoopTags(Fraction(120), 1, Meter())
    >>> data = wav_bytes(Audio(np.zeros((88_200, 2)), 44_100), tags)
    >>> [name for name, _ in chunks(data)]
    ['fmt ', 'acid', 'smpl', 'LIST', 'data']
    """
    frame = audio.channels * bits // 8
    tag = _FLOAT if bits == 32 else _PCM
    fmt = struct.pack("<HHIIHH", tag, audio.channels, audio.rate, audio.rate * frame, frame, bits)
    parts = [("fmt ", fmt)]
    if bits == 32:
        parts.append(("fact", struct.pack("<I", audio.frames)))
    if tags.quarters.denominator == 1:
        # A whole number of quarters is all that acid can count; a wrong count would make a DAW stretch the loop.
        parts.append(("acid", _acid(tags)))
    parts += [("smpl", _smpl(audio, tags)), ("LIST", _info(tags)), ("data", encode(audio, bits))]
    parts += (after or {}).items()
    body = b"WAVE" + b"".join(_chunk(name, payload) for name, payload in parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def encode(audio: Audio, bits: int) -> bytes:
    """Interleaved little-endian samples."""
    if bits == 32:
        return bytes(audio.samples.astype("<f4").tobytes())
    if bits not in (16, 24):
        raise ValueError(f"bits {bits} must be 16, 24 or 32")
    whole = integers(audio, bits)
    if bits == 16:
        return bytes(whole.astype("<i2").tobytes())
    low_three_bytes = whole.view(np.uint8).reshape(-1, 4)[:, :3]
    return bytes(low_three_bytes.tobytes())


def integers(audio: Audio, bits: int) -> NDArray[np.int32]:
    """Samples as integers of so many bits, rounded and clipped to full scale; shape ``(frames, channels)``."""
    scale = 2 ** (bits - 1)
    whole = np.clip(np.round(audio.samples.astype(np.float64) * scale), -scale, scale - 1)
    return np.asarray(whole, dtype="<i4")


def digest(audio: Audio, bits: int = 24) -> str:
    """SHA-256 of the samples as ``encode`` gives them, in hexadecimal: what a WAV's ``data`` chunk holds.

    The same for a loop in memory and read back, as WAV and as FLAC.

    >>> digest(Audio([0.0, 0.5], 44_100))[:8]
    '9fc7fac5'
    """
    return hashlib.sha256(encode(audio, bits)).hexdigest()


def _chunk(name: str, payload: bytes) -> bytes:
    return name.encode("ascii") + struct.pack("<I", len(payload)) + payload + b"\0" * (len(payload) % 2)


def _acid(tags: LoopTags) -> bytes:
    flags = _ACID_STRETCH | (_ACID_ROOT_VALID if tags.key else 0)
    meter = tags.meter
    beats = int(tags.quarters)
    return struct.pack(
        "<IHHfIHHf", flags, tags.root, 0x8000, 0.0, beats, meter.denominator, meter.numerator, float(tags.bpm)
    )


def _smpl(audio: Audio, tags: LoopTags) -> bytes:
    period = round(1e9 / audio.rate)
    head = struct.pack("<9I", 0, 0, period, tags.root, 0, 0, 0, 1, 0)
    forever = 0
    return head + struct.pack("<6I", 0, 0, 0, audio.frames - 1, 0, forever)  # the end is inclusive


def _info(tags: LoopTags) -> bytes:
    entries = b"".join(
        _chunk(name, text.encode("utf-8", "replace") + b"\0") for name, text in (tags.info or {}).items() if text
    )
    return b"INFO" + entries


def chunks(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and payload of each RIFF chunk, in order; stops at the first that is cut short."""
    position = 12
    while position + 8 <= len(data):
        name, size = data[position : position + 4], struct.unpack_from("<I", data, position + 4)[0]
        payload = data[position + 8 : position + 8 + size]
        if len(payload) < size:
            return
        yield name.decode("latin-1"), payload
        position += 8 + size + size % 2


def read_acid(path: Path) -> tuple[int, float, Meter] | None:
    """Beats (quarters), BPM and meter from a file's ``acid`` chunk, or None where it has no sensible one."""
    payload = read_chunk(path, "acid", 4096)
    if payload is None or len(payload) < 24:
        return None
    _, _, _, _, beats, denominator, numerator, bpm = struct.unpack("<IHHfIHHf", payload[:24])
    if denominator not in (1, 2, 4, 8, 16) or not 1 <= numerator <= 64 or not 1 <= bpm <= 1000:
        return None
    return beats, bpm, Meter(numerator, denominator)


def read_chunk(path: Path, name: str, longest: int) -> bytes | None:
    """A file's first chunk of this name, at most ``longest`` bytes of it; None where there is none, or no RIFF."""
    with path.open("rb") as file:
        return _find(file, name.encode("ascii"), longest)


def _find(file: BinaryIO, wanted: bytes, longest: int) -> bytes | None:
    if file.read(4) != b"RIFF":
        return None
    file.seek(12)
    while len(head := file.read(8)) == 8:
        size = struct.unpack_from("<I", head, 4)[0]
        if head[:4] == wanted:
            return file.read(min(size, longest))
        file.seek(size + size % 2, 1)
    return None
