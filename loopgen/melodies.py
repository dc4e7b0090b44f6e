"""Melodies from whatever a user has: notes as text, a MIDI file, a recording."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from loopgen.errors import InvalidRequest
from loopgen.midi import read_midi, read_notes
from loopgen.music.audio import Audio
from loopgen.music.melody import Melody
from loopgen.music.tempo import parse_bpm

_FILE = re.compile(r".+\.[A-Za-z][A-Za-z0-9]{1,4}", re.DOTALL)


def read_melody(
    text: str | Path,
    *,
    bpm: str | float | Fraction | None = None,
    separate: Callable[[Audio], Audio] | None = None,
) -> Melody:
    """A melody from the name of a MIDI or audio file, or from notes such as ``"A4 C5 E5:2 r D5:0.5"``.

    The tempo of an audio file is what its sidecar, its tags or its name say, else ``bpm``; it is heard by
    ``transcribe.hear_melody``, after ``separate`` has taken out what is no melody, where that is given (drums and bass:
    ``loopgen.engines.separate``). The others count in quarter notes themselves.

    Raises ``InvalidRequest`` for notes that cannot be read and a tempo that nobody says, ``AudioUnreadable`` for a file
    that cannot be read or holds no melody.
    """
    path = Path(text)
    if not _FILE.fullmatch(str(text)):
        return read_notes(str(text))
    if path.suffix.lower() in (".mid", ".midi"):
        return read_midi(path)
    from loopgen.audiofile import read_audio
    from loopgen.library import recall
    from loopgen.transcribe import hear_melody

    audio = read_audio(path)
    tempo = recall(path).bpm or (None if bpm is None else parse_bpm(bpm))
    if tempo is None:
        raise InvalidRequest("bpm", "", f"the tempo of {path.name}: neither its name nor its tags say it")
    return hear_melody(separate(audio) if separate else audio, tempo)
