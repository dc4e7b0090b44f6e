"""Melodies from MIDI files and from notes typed as text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from loopgen.errors import AudioUnreadable, InvalidRequest
from loopgen.music.melody import Melody, Note

BYTES_MAX = 4_000_000
QUARTERS_MAX = 100_000
NOTES_MAX = 20_000
_NOTE = re.compile(r"([A-Ga-g])([#♯b♭]?)(-?[0-9])?(?:[:/]([0-9]+(?:\.[0-9]+)?|\.[0-9]+))?")
_REST = re.compile(r"[rR-](?:[:/]([0-9]+(?:\.[0-9]+)?|\.[0-9]+))?")
_SEMITONES = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}


def read_notes(text: str) -> Melody:
    """A melody from notes such as ``"A4 C5 E5:2 r D5:0.5"``.

    A number after a colon is the length in quarter notes (1 if absent), ``r`` a rest; the octave defaults to 4.
    Raises ``InvalidRequest`` for notes that cannot be read.

    >>> melody = read_notes("A4 C5:0.5 r:0.5 E5:2")
    >>> [(note.pitch, note.start, note.duration) for note in melody.notes], melody.length
    ([(69, 0.0, 1.0), (72, 1.0, 0.5), (76, 2.0, 2.0)], 4.0)
    """
    notes, position = [], 0.0
    words = text.replace(",", " ").split()
    if len(words) > NOTES_MAX:
        raise InvalidRequest("melody", f"{len(words)} notes", f"at most {NOTES_MAX}")
    for word in words:
        if rest := _REST.fullmatch(word):
            position += float(rest[1] or 1)
        elif note := _NOTE.fullmatch(word):
            letter, sign, octave, length = note.groups()
            pitch = 12 * (int(octave or 4) + 1) + _SEMITONES[letter.lower()]
            pitch += {"#": 1, "♯": 1, "b": -1, "♭": -1}.get(sign, 0)
            notes.append(Note(position, pitch, float(length or 1)))
            position += float(length or 1)
        else:
            raise InvalidRequest("melody", word, "a .mid or audio file, or notes like 'A4 C5 E5:2 r D5:0.5'")
    if not notes:
        raise InvalidRequest("melody", text, "at least one note, like 'A4 C5 E5:2'")
    return Melody(tuple(notes), position)


def read_midi(path: Path) -> Melody:
    """The notes of all tracks of a MIDI file but its drums (channel 10), in quarter notes; its tempo is ignored.

    The length is rounded up to whole quarters. Raises ``AudioUnreadable`` where the file is missing, too large, broken,
    without notes, or counts in seconds instead of beats (SMPTE).
    """
    import mido

    try:
        if path.stat().st_size > BYTES_MAX:
            raise AudioUnreadable(f"{path} has more than {BYTES_MAX // 1_000_000} MB, too much for a melody")
        file = mido.MidiFile(path)
    except FileNotFoundError:
        raise AudioUnreadable(f"{path} does not exist") from None
    except AudioUnreadable:
        raise
    except (OSError, EOFError, ValueError, KeyError, IndexError, mido.KeySignatureError) as error:
        raise AudioUnreadable(f"{path} is no MIDI file that can be read ({str(error) or 'truncated'})") from None
    if file.ticks_per_beat <= 0:
        raise AudioUnreadable(f"{path} counts time in SMPTE frames; export it with beats (ticks a quarter note)")
    notes: list[Note] = []
    end = 1.0
    for track in file.tracks:
        try:
            played = _notes(track, file.ticks_per_beat)
        except InvalidRequest as error:
            raise AudioUnreadable(f"{path} holds a note that cannot be used ({error})") from None
        notes += played
        if played:  # a clip that ends in a rest says so by the end of its track
            end = max(end, sum(message.time for message in track) / file.ticks_per_beat)
        if len(notes) > NOTES_MAX:
            raise AudioUnreadable(f"{path} has more than {NOTES_MAX} notes, too many for a melody")
    if not notes:
        raise AudioUnreadable(f"{path} holds no notes (drums on channel 10 do not count)")
    return Melody(tuple(notes), float(min(math.ceil(end - 1e-6), QUARTERS_MAX)))


def _notes(track: Iterable[Any], ticks: int) -> list[Note]:
    """The notes of one track; one that is struck while it sounds ends there."""
    notes: list[Note] = []
    tick, sounding = 0, dict[tuple[int, int], tuple[int, int]]()
    for message in track:
        tick += message.time
        if message.type not in ("note_on", "note_off") or message.channel == 9:
            continue
        voice = (message.channel, message.note)
        if voice in sounding:
            start, velocity = sounding.pop(voice)
            if tick > start:
                notes.append(Note(start / ticks, message.note, (tick - start) / ticks, velocity))
        if message.type == "note_on" and message.velocity > 0:
            sounding[voice] = (tick, message.velocity)
    return notes
