"""The MIDI clip in the highlighted slot, as a melody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bridge.clients.ableton.live import Answer, Live, number
from bridge.clips import NOTES_MAX
from loopgen.errors import InputError
from loopgen.music.melody import Melody, Note

HELD = 64.0
"""Beats before the region in which notes are looked for that still sound in it: Live finds notes by their start."""

SHORTEST = 1 / 64
"""Beats: what is left of a note that is cut, at least; and the shortest stretch of time that is asked for."""

_FIELDS = 5
"""Pitch, start, duration, velocity, mute: what an answer has for a note."""

_PITCHES = 128

NEEDED = "click a MIDI clip with notes in Session View, or leave --melody out"


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip's name and its notes, from the start of its loop on."""

    name: str
    melody: Melody

    def __str__(self) -> str:
        count = len(self.melody.notes)
        return f"{count} note{'' if count == 1 else 's'} of {self.name!r}"


def highlighted(live: Live) -> tuple[int, int] | None:
    """Track and scene, from 0, of the highlighted slot; None where a return track or the main track is selected."""
    slot = live.ask(("/live/view/get/selected_clip",))[0]
    if slot is None or len(slot) != 2 or not all(isinstance(index, int) for index in slot):
        return None
    return int(slot[0] or 0), int(slot[1] or 0)


def read(live: Live) -> Clip:
    """Read the highlighted clip; raises ``InputError`` that says what to do, ``ServerUnreachable``.

    Of a clip that loops, its loop counts, of another what lies between its markers. Muted notes are left out; notes are
    cut to the region.
    """
    slot = highlighted(live)
    if slot is None:
        raise InputError(f"no slot is highlighted in Live; {NEEDED}")
    if number(live.ask(("/live/clip_slot/get/has_clip", *slot))[0]) != 1:
        raise InputError(f"the highlighted slot of Live has no clip; {NEEDED}")
    names = ("name", "is_midi_clip", "looping", "loop_start", "loop_end", "start_marker", "end_marker")
    said = dict(zip(names, live.ask(*((f"/live/clip/get/{name}", *slot) for name in names)), strict=True))
    name = str((said["name"] or ("",))[0])
    if number(said["is_midi_clip"]) != 1:
        raise InputError(f"the highlighted clip {name!r} is an audio clip; {NEEDED}")
    ends = ("loop_start", "loop_end") if number(said["looping"]) else ("start_marker", "end_marker")
    start, end = (number(said[which]) for which in ends)
    if start is None or end is None or not end > start:
        raise InputError(
            f"AbletonOSC does not tell where {name!r} begins and ends ({live.trouble or 'no reason given'})"
        )
    cut = {kept for sound in _sounds(live, slot, start - HELD, end) if (kept := _cut(sound, start, end))}
    if not cut:
        raise InputError(f"the highlighted clip {name!r} has no notes in its loop; {NEEDED}")
    if len(cut) > NOTES_MAX:
        raise InputError(f"the highlighted clip {name!r} has {len(cut)} notes; at most {NOTES_MAX} are taken")
    return Clip(name, Melody(tuple(cut), end - start))


def _sounds(live: Live, slot: tuple[int, int], start: float, end: float) -> Iterator[Answer]:
    """Pitch, start, duration, velocity and mute of the notes that begin from ``start`` to ``end``.

    An answer is one datagram, and of many notes too long for one: then AbletonOSC has an error or nothing to say (macOS
    sends 9 KB at most), or this program does not read it. Halves of the time are asked for instead.
    """
    answer = live.ask(("/live/clip/get/notes", *slot, 0, _PITCHES, start, end - start), tries=2)[0]
    if answer is None:
        if end - start <= SHORTEST:
            raise InputError(f"AbletonOSC does not tell the clip's notes ({live.trouble or 'no reason given'})")
        middle = (start + end) / 2
        yield from _sounds(live, slot, start, middle)
        yield from _sounds(live, slot, middle, end)
        return
    if len(answer) % _FIELDS or not all(isinstance(value, int | float) for value in answer):
        raise InputError("AbletonOSC told notes that cannot be read; take its newest version")
    for offset in range(0, len(answer), _FIELDS):
        yield answer[offset : offset + _FIELDS]


def _cut(sound: Answer, start: float, end: float) -> Note | None:
    """The part of a note that sounds from ``start`` to ``end``, counted from ``start``; None for none, or a muted one.

    >>> _cut((60, 3.0, 2.0, 99.6, False), 4.0, 8.0)
    Note(start=0.0, pitch=60, duration=1.0, velocity=100)
    >>> _cut((60, 1.0, 3.0, 99.6, False), 4.0, 8.0), _cut((60, 5.0, 1.0, 99.6, True), 4.0, 8.0)
    (None, None)
    """
    pitch, at, duration, velocity, is_muted = (float(value or 0) for value in sound)
    begin, finish = max(at, start), min(at + duration, end)
    if is_muted or finish - begin < SHORTEST or not 0 <= pitch < _PITCHES:
        return None
    return Note(begin - start, int(pitch), finish - begin, min(127, max(1, round(velocity))))
