"""From a Live set to loops in it: one request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from bridge.client import Client, Done
from bridge.clients.ableton import clip, slots, song
from bridge.clients.ableton.live import Live
from bridge.clients.ableton.reveal import reveal
from loopgen.errors import InputError, ServerUnreachable

NAME_MAX = 40
"""Characters of a prompt that name a clip."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line asks of Live. ``scale`` as in `song.read`; ``track`` by name, empty for the highlighted."""

    melody: bool = False
    scale: bool | None = None
    track: str = ""
    show: bool = True


class Session:
    """A Live and a way to loopgen's server; ``say`` is told each line for people, ``progress`` how far a job is."""

    def __init__(
        self,
        live: Live,
        connect: Callable[[], Client],
        wishes: Wishes,
        say: Callable[[str], None],
        progress: Callable[[float, str], None],
    ) -> None:
        self._live, self._connect, self._wishes, self._say, self._progress = live, connect, wishes, say, progress
        self._is_shown = False
        self.last = ""
        """File name of the last loop."""

    def look(self) -> None:
        """Say what the set is, if Live and the server are there. Raises ``LoopgenError``."""
        set_ = song.read(self._live, self._wishes.scale)
        with self._connect():
            self._say(f"Live: {set_}")

    def generate(self, fields: Mapping[str, str]) -> None:
        """Make loops that fit the set as it is now, and put them into it. Raises ``LoopgenError``."""
        set_ = song.read(self._live, self._wishes.scale)
        notes = clip.read(self._live) if self._wishes.melody else None
        aimed = self._aim()
        with self._connect() as client:
            asked = {**set_.fields, **fields}
            self._say(f"Live: {set_}" + (f", {notes}" if notes else ""))
            if notes:
                client.melody(notes.melody, "clip")
                asked["melody"] = "clip"
            name = " ".join(fields.get("prompt", "").split())
            self._deliver(
                client, lambda told: client.generate(asked, accepted=told, progress=self._progress), aimed, name
            )
        self._compare(set_)

    def retempo(self) -> None:
        """Lay the last loop on the set's tempo, as another loop. Raises ``LoopgenError``."""
        if not self.last:
            raise InputError("there is no loop yet whose tempo could be changed; make one first")
        set_ = song.read(self._live, self._wishes.scale)
        aimed = self._aim()
        with self._connect() as client:
            self._say(f"Live: {set_.tempo} BPM")
            self._deliver(
                client,
                lambda told: client.retempo(self.last, set_.tempo, accepted=told, progress=self._progress),
                aimed,
            )
        self._compare(set_)

    def _aim(self) -> slots.Slot | str:
        """Where the loops shall go, as Live is now; or why they cannot."""
        try:
            return slots.aim(self._live, self._wishes.track)
        except slots.NotPlaced as error:
            return str(error)

    def _deliver(
        self,
        client: Client,
        ask: Callable[[Callable[[str, int], None]], Iterable[Done]],
        aimed: slots.Slot | str,
        name: str = "",
    ) -> None:
        job = ""
        self._is_shown = False

        def told(id_: str, position: int) -> None:
            nonlocal job
            job = id_
            if position:
                self._say(f"waiting: {position} before it")

        try:
            for loop in ask(told):
                job = "" if loop.variation == loop.variations else job
                self.last = Path(loop.path).name
                self._say(f"{loop.path} ({loop.summary})")
                aimed = self._hand_over(loop, aimed, name)
            if loop.licence:
                self._say(f"licence: {loop.licence}")
        except KeyboardInterrupt:
            if job:
                client.cancel(job)
            raise

    def _hand_over(self, loop: Done, aimed: slots.Slot | str, name: str) -> slots.Slot | str:
        """Put a loop into Live, or say how the user does. A loop is never lost to a Live that is.

        Returns where the next one shall go: below, as the user has yet to fill the slot that was named.
        """
        place: slots.Slot | None = None
        try:
            if isinstance(aimed, str):
                raise slots.NotPlaced(aimed)
            if not Path(loop.path).is_file():
                raise slots.NotPlaced("the loop is on the server's computer, not on this one")
            place = slots.empty(self._live, aimed)
            slots.place(self._live, place, loop.path, loop.beats, loop.tempo, name[:NAME_MAX])
            self._say(f"in {place}, {loop.beats:g} beats")
        except slots.Imperfect as error:
            self._say(str(error))
        except (slots.NotPlaced, ServerUnreachable) as error:
            target = f"into {place}" if place else "into an empty slot of an audio track"
            self._say(f"not placed: {error}. Drag the file {target}")
            if self._wishes.show and not self._is_shown and Path(loop.path).is_file():
                self._is_shown = True
                reveal(Path(loop.path))
        return replace(place, scene=place.scene + 1) if place else aimed

    def _compare(self, before: song.Song) -> None:
        """The loop has the tempo that the set had when it was asked for."""
        with suppress(InputError, ServerUnreachable):
            now = song.read(self._live, False)
            if now.tempo != before.tempo:
                self._say(f"the set is at {now.tempo} BPM now; the loop has {before.tempo}, as when it was asked for")
