"""An empty slot for a loop, and the loop into it where AbletonOSC and Live let one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bridge.clients.ableton.clip import highlighted
from bridge.clients.ableton.live import Answer, Live, number, wait_for
from loopgen.errors import InputError, ServerUnreachable

CREATE = "/live/clip_slot/create_audio_clip"
"""Not in AbletonOSC itself as of 2026, though asked for there; some versions that others keep have it. Live: 12.0.5."""

SETTLING = 2.0
"""Seconds in which Live makes up its mind about a new clip's tempo."""

IMPORTING = 5.0
"""Seconds that Live may take to read a file."""

EXACT = 1e-3
"""Beats by which a file's end may be off: it is rounded to a sample, and told as a 32-bit float."""

BEATS_MODE = 0
"""Warp mode Beats: leaves audio at its own tempo as it is."""


class NotPlaced(Exception):
    """A loop that is on disk could not be put into Live; says why."""


class Imperfect(Exception):
    """A loop is in Live, but not as it should be; says what is left to do there."""


@dataclass(frozen=True, slots=True)
class Slot:
    """``track`` and ``scene`` from 0; ``name`` is the track's."""

    track: int
    scene: int
    name: str

    def __str__(self) -> str:
        return f"{self.name!r}, scene {self.scene + 1}"


def aim(live: Live, track: str = "") -> Slot:
    """Where a loop shall go: a track by name, else the highlighted one, else the nearest that takes audio.

    Raises ``InputError`` for a track that is not there, ``NotPlaced`` where no track takes audio.
    """
    names = [str(name) for name in live.ask(("/live/song/get/track_names",))[0] or ()]
    at = highlighted(live)
    number_of, scene = at or (0, 0)
    if track:
        if track not in names:
            raise InputError(f"no track of the set is named {track!r}; there are {', '.join(names) or 'none'}")
        nearest: list[int] = [index for index, name in enumerate(names) if name == track]
    else:  # to the right first: an instrument's audio tends to go there
        nearest = sorted(range(len(names)), key=lambda index: (index < number_of, abs(index - number_of)))
    for index in nearest:
        if _takes_audio(live, index):
            return Slot(index, scene, names[index])
    raise NotPlaced(f"{track!r} is no audio track" if track else "the set has no audio track; add one")


def _takes_audio(live: Live, track: int) -> bool:
    midi, group = live.ask(*((f"/live/track/get/{what}", track) for what in ("has_midi_input", "is_foldable")))
    return number(midi) == 0 and number(group) == 0


def empty(live: Live, aimed: Slot) -> Slot:
    """The first empty slot of the track from the scene on, in a new scene if there is none; raises ``NotPlaced``."""
    name, lengths = live.ask(("/live/track/get/name", aimed.track), ("/live/track/get/clips/length", aimed.track))
    if name != (aimed.name,) or lengths is None:
        raise NotPlaced(f"the track {aimed.name!r} is not where it was")
    free = next((scene for scene in range(aimed.scene, len(lengths)) if lengths[scene] is None), None)
    if free is None:
        free = len(lengths)
        live.tell("/live/song/create_scene", -1)
        if not wait_for(lambda: number(live.ask(("/live/song/get/num_scenes",))[0]) == free + 1, SETTLING):
            raise NotPlaced(f"{aimed.name!r} has no empty slot, and Live makes no more scenes")
    return Slot(aimed.track, free, aimed.name)


def place(live: Live, slot: Slot, path: str, beats: float, tempo: str, name: str) -> None:
    """Make a clip of a file, warped, ``beats`` quarter notes long; raises ``NotPlaced``, ``Imperfect``.

    Nothing that is there is touched. ``name`` may be empty: then Live names the clip after its file.
    """
    _create(live, slot, path)
    at = (slot.track, slot.scene)
    live.tell("/live/clip/set/warping", *at, 1)
    # a new clip is its whole file, and Live has guessed a tempo for it where the file's own did not convince it
    if not wait_for(lambda: _has(live, slot, warping=1, end_marker=beats), SETTLING):
        said = number(live.ask(("/live/clip/get/end_marker", *at))[0])
        raise Imperfect(
            f"in {slot}, but Live takes it for {round(said or 0, 2):g} beats and not {beats:g}: "
            f"set its tempo (Seg. BPM) in Clip View to {tempo}, and loop it there"
        )
    for what, value in _settings(beats, name):
        live.tell(f"/live/clip/set/{what}", *at, value)
    if not _has(live, slot, length=beats, looping=1):
        why = live.trouble or "no reason given"
        raise Imperfect(f"in {slot}, but Live does not loop {beats:g} beats of it ({why})")


def _settings(beats: float, name: str) -> Iterator[tuple[str, float | int | str]]:
    """In this order: an end cannot come before a start."""
    yield from (("looping", 1), ("loop_end", beats), ("loop_start", 0.0), ("end_marker", beats), ("start_marker", 0.0))
    yield "warp_mode", BEATS_MODE
    if name:
        yield "name", name


def _create(live: Live, slot: Slot, path: str) -> None:
    """Sent once only, as it changes the set. Some versions answer it; of others only the slot tells."""
    said: Answer | None = None
    with suppress(ServerUnreachable):  # its answer may be all that is lost
        said = live.ask((CREATE, slot.track, slot.scene, path), tries=1, patience=IMPORTING)[0]
    why = str(said[1]) if said and len(said) > 1 and said[0] == "error" else live.trouble
    if wait_for(lambda: _is_of(live, slot, path), 0.0 if why else SETTLING):
        return
    raise NotPlaced("this AbletonOSC cannot make audio clips" if not why or why.endswith(CREATE) else f"Live: {why}")


def _is_of(live: Live, slot: Slot, path: str) -> bool:
    """Whether the slot's clip is this file's, and not one that somebody put there meanwhile."""
    said = live.ask(("/live/clip/get/file_path", slot.track, slot.scene))[0]
    return said is not None and Path(str(said[0]).replace("\\", "/")).name == Path(path).name


def _has(live: Live, slot: Slot, **values: float) -> bool:
    """Whether the slot's clip has all these values."""
    said = live.ask(*((f"/live/clip/get/{what}", slot.track, slot.scene) for what in values))
    numbers = [number(answer) for answer in said]
    return all(x is not None and abs(x - value) < EXACT for x, value in zip(numbers, values.values(), strict=True))
