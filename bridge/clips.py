"""Melodies that arrive in pieces, in any order, some of them lost or twice."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from bridge.protocol import Misused
from loopgen.music.melody import Melody, Note

CLIPS_MAX = 16
"""Clips that a client may keep; the oldest goes when there is one more."""

NOTES_MAX = 4096

NotePiece = tuple[int, float, float, int]
"""Pitch, start, duration (beats) and velocity, as they come over the wire."""


@dataclass(slots=True)
class _Clip:
    count: int
    length: float
    notes: dict[int, NotePiece] = field(default_factory=dict)
    melody: Melody | None = None


class Clips:
    """One client's melodies by id, those that are whole and those still arriving."""

    def __init__(self) -> None:
        self._clips: OrderedDict[str, _Clip] = OrderedDict()

    @property
    def notes(self) -> int:
        """How many notes all of them have, or will have."""
        return sum(clip.count for clip in self._clips.values())

    def drop_oldest(self) -> None:
        """Forget the clip that was begun first."""
        self._clips.popitem(last=False)

    def begin(self, id_: str, count: int, length: float) -> None:
        """Open a clip, in place of any other of this id; raises ``Misused``."""
        if not 1 <= count <= NOTES_MAX:
            raise Misused("invalid_request", f"count: {count} cannot be used; give 1 to {NOTES_MAX} notes")
        if length <= 0:
            raise Misused("invalid_request", f"length: {length} cannot be used; give beats above 0")
        self._keep(id_, _Clip(count, length))

    def add(self, id_: str, offset: int, notes: Sequence[NotePiece]) -> None:
        """Take a chunk; the same chunk twice is the same as once. Raises ``Misused``."""
        clip = self._find(id_)
        if offset + len(notes) > clip.count:
            text = f"notes {offset} to {offset + len(notes) - 1} of a clip that has {clip.count}; begin again"
            raise Misused("invalid_request", text)
        numbered = dict(enumerate(notes, offset))
        if any(clip.notes.get(at) != note for at, note in numbered.items()):  # not when it comes twice
            clip.notes.update(numbered)
            clip.melody = None

    def end(self, id_: str, count: int) -> int:
        """Close a clip and return its number of notes; raises ``Misused`` that names the first missing offset."""
        clip = self._find(id_)
        if count != clip.count:
            text = f"count: {count} cannot be used; give {clip.count}, as melody/begin said, or begin again"
            raise Misused("invalid_request", text)
        missing = next((at for at in range(clip.count) if at not in clip.notes), None)
        if missing is not None:
            text = f"offset {missing} is missing, {len(clip.notes)} of {clip.count} notes are here; send it again"
            raise Misused("melody_incomplete", text)
        # A velocity of 0 is a rest, and a note of no length none at all: clips in the wild have both.
        notes = [
            Note(start, pitch, duration, velocity)
            for pitch, start, duration, velocity in clip.notes.values()
            if velocity and duration > 0
        ]
        if not notes:
            raise Misused(
                "invalid_request", "the clip holds no note that sounds; give one with a duration and a velocity"
            )
        clip.melody = Melody(tuple(notes), clip.length)
        return clip.count

    def expect(self, id_: str) -> None:
        """A melody of this id is on its way from a file; until it comes there is none."""
        self._keep(id_, _Clip(0, 0.0))

    def drop(self, id_: str) -> None:
        """Forget a clip."""
        self._clips.pop(id_, None)

    def put(self, id_: str, melody: Melody) -> None:
        """Keep a melody that came whole, from a file."""
        self._keep(id_, _Clip(len(melody.notes), melody.length, melody=melody))

    def get(self, id_: str) -> Melody:
        """A clip that is whole; raises ``Misused`` (``melody_unknown``, ``melody_incomplete``)."""
        clip = self._find(id_)
        if clip.melody is None:
            raise Misused("melody_incomplete", f"melody {id_!r} is not whole yet; wait for melody/ok")
        return clip.melody

    def _find(self, id_: str) -> _Clip:
        if id_ not in self._clips:
            raise Misused("melody_unknown", f"there is no melody {id_!r}; send melody/begin first")
        return self._clips[id_]

    def _keep(self, id_: str, clip: _Clip) -> None:
        self._clips.pop(id_, None)
        self._clips[id_] = clip
        while len(self._clips) > CLIPS_MAX:
            self._clips.popitem(last=False)
