"""Recordings from disk: WAV, FLAC, OGG, MP3, AIFF and whatever else libsndfile reads."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import soundfile

from loopgen.errors import AudioUnreadable
from loopgen.music.audio import Audio
from loopgen.music.tempo import RATE_RANGE

MINUTES_MAX = 20
_STREAMED = (0, 0xFFFFFFFF)  # size fields of writers that could not seek back


def read_audio(path: str | Path) -> Audio:
    """Read a whole recording.

    Raises ``AudioUnreadable`` where the file is missing, a folder, not permitted, empty, not audio, truncated, longer
    than 20 minutes, has a rate outside 8-192 kHz or samples that are no numbers.
    """
    path = Path(path)
    if path.is_dir():
        raise AudioUnreadable(f"{path} is a folder; give an audio file")
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except FileNotFoundError:
        raise AudioUnreadable(f"{path} does not exist") from None
    except OSError as error:
        raise AudioUnreadable(f"{path} cannot be read: {error.strerror or error}") from None
    size = path.stat().st_size
    if size == 0:
        raise AudioUnreadable(f"{path} is empty")
    if (declared := _declared_size(head)) and declared > size:
        raise AudioUnreadable(f"{path} is truncated: its header says {declared} bytes, the file has {size}")
    try:
        with soundfile.SoundFile(str(path)) as file:
            rate, frames = file.samplerate, file.frames
            if not RATE_RANGE[0] <= rate <= RATE_RANGE[1]:
                raise AudioUnreadable(f"{path} has a rate of {rate} Hz; rates from 8000 to 192000 Hz can be used")
            if frames > MINUTES_MAX * 60 * rate and frames < 2**62:
                raise AudioUnreadable(
                    f"{path} lasts {frames / rate / 60:.0f} minutes; at most {MINUTES_MAX} can be used"
                )
            samples = file.read(frames=MINUTES_MAX * 60 * rate, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        reason = str(getattr(error, "error_string", error)).strip().rstrip(".")
        raise AudioUnreadable(
            f"{path} is no audio that can be read ({reason}); WAV, FLAC, OGG, MP3 and AIFF can"
        ) from None
    if len(samples) == 0:
        raise AudioUnreadable(f"{path} holds no samples")
    if len(samples) < frames < 2**62:
        raise AudioUnreadable(f"{path} is truncated: {len(samples)} of {frames} frames could be read")
    if head[:4] == b"OggS" and not _ogg_ends(path):
        raise AudioUnreadable(f"{path} is truncated: its last page is missing")
    if not np.isfinite(samples).all():
        raise AudioUnreadable(f"{path} holds samples that are no numbers (NaN or infinite); export it again")
    return Audio(samples, rate)


def _declared_size(head: bytes) -> int | None:
    """Size in bytes that a RIFF or AIFF header claims, None where it claims nothing."""
    if len(head) < 12:
        return None
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        size = struct.unpack("<I", head[4:8])[0]
    elif head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        size = struct.unpack(">I", head[4:8])[0]
    else:
        return None
    return None if size in _STREAMED else size + 8


def _ogg_ends(path: Path) -> bool:
    """Whether the last Ogg page carries the end-of-stream flag and is whole (RFC 3533)."""
    with path.open("rb") as file:
        file.seek(-min(path.stat().st_size, 70_000), 2)
        tail = file.read()
    start = tail.rfind(b"OggS")
    if start < 0 or start + 27 > len(tail):
        return False
    segments = tail[start + 26]
    table = tail[start + 27 : start + 27 + segments]
    whole = len(table) == segments and start + 27 + segments + sum(table) <= len(tail)
    return whole and bool(tail[start + 5] & 4)
