"""A small Live with AbletonOSC in it, over real UDP.

It answers the addresses that AbletonOSC's README documents in the shapes of its code of 2025 (``osc_server.py``,
``handler.py``, ``clip.py``, ``clip_slot.py``, ``song.py``, ``track.py``, ``view.py``): rounds of a tenth of a second
(here of a hundredth), the indices of track and clip before a value, 32-bit floats, silence for what fails,
``/live/error`` beside it, and the end of the round with it. Live's own rules are those of its object model's documents.
"""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import soundfile
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

REPLY_BYTES = 9216
"""The longest datagram that macOS sends unless told otherwise."""

Note = tuple[int, float, float, float, bool]
"""Pitch, start, duration, velocity, mute, in AbletonOSC's order."""


@dataclass
class MidiClip:
    name: str = "Riff"
    notes: list[Note] = field(default_factory=list)
    loop_start: float = 0.0
    loop_end: float = 4.0
    start_marker: float = 0.0
    end_marker: float = 4.0
    looping: bool = True

    is_midi_clip, is_audio_clip = True, False

    @property
    def file_path(self) -> str:
        raise RuntimeError("Only valid for audio clips")

    @property
    def length(self) -> float:
        return self.loop_end - self.loop_start if self.looping else self.end_marker - self.start_marker

    def get_notes_extended(self, pitch: int, pitches: int, start: float, span: float) -> list[Note]:
        return [n for n in self.notes if pitch <= n[0] < pitch + pitches and start <= n[1] < start + span]


class AudioClip:
    """A file in a slot: not warped at first, its times are seconds; warped, they are beats at a guessed tempo."""

    is_midi_clip, is_audio_clip = False, True

    def __init__(self, path: str, tempo: float, guess: float) -> None:
        if not Path(path).is_absolute() or not Path(path).is_file():
            raise RuntimeError(f"The file {path} could not be opened")
        info = soundfile.info(path)
        self.file_path, self.name, self.warp_mode = path, Path(path).stem, 4
        self._seconds = float(info.frames / info.samplerate)
        self._beats = self._seconds * tempo / 60 * guess
        self._warping = self._looping = False
        self.start_marker, self.end_marker = 0.0, self._seconds
        self.loop_start, self.loop_end = 0.0, self._seconds

    @property
    def warping(self) -> bool:
        return self._warping

    @warping.setter
    def warping(self, on: int) -> None:
        self._warping = bool(on)
        self.loop_end = self.end_marker = self._beats if on else self._seconds

    @property
    def looping(self) -> bool:
        return self._looping

    @looping.setter
    def looping(self, on: int) -> None:
        if on and not self._warping:
            raise RuntimeError("Unwarped clips cannot loop")
        self._looping = bool(on)

    @property
    def length(self) -> float:
        return self.loop_end - self.loop_start if self._looping else self.end_marker - self.start_marker


Clip = MidiClip | AudioClip


@dataclass
class Track:
    name: str
    is_midi: bool = False
    is_foldable: bool = False
    is_frozen: bool = False
    slots: list[Clip | None] = field(default_factory=lambda: [None] * 4)

    @property
    def has_midi_input(self) -> bool:
        return self.is_midi


@dataclass
class Song:
    tempo: float = 120.0
    signature_numerator: int = 4
    signature_denominator: int = 4
    root_note: int = 0
    scale_name: str = "Major"
    tracks: list[Track] = field(default_factory=list)
    selected: tuple[int, int] | None = (0, 0)
    """Track and scene of the highlighted slot; None while the main track is selected."""


class StandIn:
    """``creates`` tells how this AbletonOSC makes audio clips: not at all, or silently, or with an answer.

    ``guess`` is by what Live is off when it guesses a file's tempo; ``scenes_max`` is the edition's; ``reports`` is
    whether it sends ``/live/error``; ``loses`` tells which answers never arrive; ``is_busy`` holds everything up.
    """

    def __init__(self, song: Song, creates: str = "", *, scale_mode: bool | None = None, round_: float = 0.01) -> None:
        self.song, self.creates, self.round = song, creates, round_
        self.guess, self.scenes_max, self.reports, self.reply_bytes = 1.0, 100, True, REPLY_BYTES
        self.loses: Callable[[str], bool] = lambda address: False
        self.is_busy = threading.Event()
        self.heard: list[tuple[Any, ...]] = []
        self._socket, self._ears = _bound(), _bound()
        self.port, self.reply_port = self._socket.getsockname()[1], self._ears.getsockname()[1]
        self._ears.close()
        self._socket.settimeout(0.05)
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._handlers = dict(self._make_handlers(scale_mode))

    def __enter__(self) -> StandIn:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join(5)
        self._socket.close()

    def answer(self, address: str, *values: Any) -> None:
        """Send what nobody may have asked for."""
        if self.loses(address):
            return
        builder = OscMessageBuilder(address)
        for value in values:
            builder.add_arg(value)
        datagram = builder.build().dgram
        if len(datagram) > self.reply_bytes:
            raise OSError(errno.EMSGSIZE, "Message too long")
        self._socket.sendto(datagram, ("127.0.0.1", self.reply_port))

    # -- rounds --------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._ends.wait(self.round):
            try:
                while not self.is_busy.is_set():
                    self._socket.setblocking(False)
                    self._process(OscMessage(self._socket.recvfrom(65_536)[0]))
            except BlockingIOError:
                pass
            except OSError as error:
                self._report(f"Socket error: Traceback (most recent call last):\n  ...\nOSError: {error}")
            except Exception as error:
                self._report(f"Error handling OSC message: {error}")

    def _report(self, text: str) -> None:
        if self.reports:
            self.answer("/live/error", text)

    def _process(self, message: OscMessage) -> None:
        self.heard.append((message.address, *message.params))
        handler = self._handlers.get(message.address)
        if handler is None:
            self._report(f"Unknown OSC address: {message.address}")
        elif (values := handler(list(message.params))) is not None:
            self.answer(message.address, *values)

    # -- addresses -----------------------------------------------------------------------------------------------------

    def _make_handlers(self, scale_mode: bool | None) -> Iterator[tuple[str, Callable[[list[Any]], Any]]]:
        song = self.song
        for name in ("tempo", "signature_numerator", "signature_denominator", "root_note", "scale_name"):
            yield f"/live/song/get/{name}", partial(self._get_song, name)
        if scale_mode is not None:
            yield "/live/song/get/scale_mode", lambda _: (scale_mode,)
        yield "/live/song/get/num_scenes", lambda _: (len(song.tracks[0].slots),)
        yield "/live/song/get/track_names", lambda _: tuple(track.name for track in song.tracks)
        yield "/live/song/create_scene", self._create_scene
        yield "/live/application/get/version", lambda _: (12, 1)
        yield "/live/view/get/selected_clip", self._selected
        for name in ("name", "has_midi_input", "is_foldable"):
            yield f"/live/track/get/{name}", partial(self._get_track, name)
        yield "/live/track/get/clips/length", self._lengths
        yield "/live/clip_slot/get/has_clip", lambda at: (*at, self._clip(at) is not None)
        for name in (
            *("name", "length", "is_midi_clip", "is_audio_clip", "file_path", "warping", "warp_mode"),
            *("looping", "loop_start", "loop_end", "start_marker", "end_marker"),
        ):
            yield f"/live/clip/get/{name}", partial(self._get_clip, name)
            yield f"/live/clip/set/{name}", partial(self._set_clip, name)
        yield "/live/clip/get/notes", self._notes
        if self.creates:
            yield "/live/clip_slot/create_audio_clip", self._create_audio_clip

    def _get_song(self, name: str, _: list[Any]) -> tuple[Any, ...]:
        return (getattr(self.song, name),)

    def _get_track(self, name: str, at: list[Any]) -> tuple[Any, ...]:
        return (at[0], getattr(self.song.tracks[at[0]], name))

    def _get_clip(self, name: str, at: list[Any]) -> tuple[Any, ...]:
        try:
            return (*at, getattr(self._clip(at), name))
        except RuntimeError:
            return (*at, None)

    def _set_clip(self, name: str, at: list[Any]) -> None:
        setattr(self._clip(at), name, at[2])

    def _clip(self, at: list[Any]) -> Clip | None:
        number, scene = int(at[0]), int(at[1])
        return self.song.tracks[number].slots[scene]

    def _selected(self, _: list[Any]) -> tuple[int, int]:
        if self.song.selected is None:
            raise ValueError("<Track.Track object> is not in list")
        return self.song.selected

    def _lengths(self, at: list[Any]) -> tuple[Any, ...]:
        return (at[0], *(clip and clip.length for clip in self.song.tracks[at[0]].slots))

    def _notes(self, at: list[Any]) -> tuple[Any, ...]:
        clip = self._clip(at)
        if not isinstance(clip, MidiClip):
            raise RuntimeError("Only available for MIDI clips")
        return (*at[:2], *(value for note in clip.get_notes_extended(*at[2:]) for value in note))

    def _create_scene(self, _: list[Any]) -> None:
        if len(self.song.tracks[0].slots) >= self.scenes_max:
            raise RuntimeError("Limit of scenes reached")
        for track in self.song.tracks:
            track.slots.append(None)

    def _create_audio_clip(self, at: list[Any]) -> tuple[Any, ...] | None:
        number, scene, path = at
        track = self.song.tracks[number]
        try:
            if track.is_midi or track.is_foldable or track.is_frozen:
                raise RuntimeError("Audio clips can only be created in unfrozen audio tracks")
            if track.slots[scene] is not None:
                raise RuntimeError("The slot has a clip already")
            track.slots[scene] = AudioClip(path, self.song.tempo, self.guess)
        except RuntimeError as error:
            if self.creates == "with an answer":
                return (number, scene, "error", str(error))
            raise
        return (number, scene, "created", path) if self.creates == "with an answer" else None


def _bound() -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.bind(("127.0.0.1", 0))
    return bound


@contextmanager
def held(port: int) -> Iterator[None]:
    """Another program that has a port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", port))
        yield
