"""What the tests of the client for AbletonOSC share: a set, the client as a process, what it printed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from bridge.server import Server
from tests.bridge.abletonosc_stand_in import AudioClip, MidiClip, Note, Song, StandIn, Track
from tests.bridge.clients_support import Program

CREATES = ("silently", "with an answer")
RIFF: list[Note] = [(57, 0.0, 1.0, 100.0, False), (60, 1.0, 0.5, 90.0, False), (64, 2.0, 2.0, 80.4, False)]


def a_set(**values: object) -> Song:
    """A MIDI track with a riff, which is highlighted, and two audio tracks."""
    song = Song(127.953, 4, 4, 9, "Minor", [Track("Keys", is_midi=True), Track("Loops"), Track("More")])
    song.tracks[0].slots[0] = MidiClip("Riff", list(RIFF))
    for name, value in values.items():
        setattr(song, name, value)
    return song


def client(live: StandIn, port: int, *words: str, env: Mapping[str, str] | None = None) -> Program:
    ports = ("--port", str(port), "--live-port", str(live.port), "--live-reply-port", str(live.reply_port))
    return Program([sys.executable, "-m", "bridge.clients.ableton", *ports, *words], env)


def run(live: StandIn, server: Server, *words: str, status: int = 0) -> Program:
    """The client, at its end."""
    with client(live, server.port, "--no-reveal", *words) as said:
        assert said.wait() == status, said.lines
    return said


def path_in(said: Program) -> Path:
    return Path(said.wait_for(r"^(.+\.wav) \(")[1])


def audio(song: Song, track: int, scene: int) -> AudioClip:
    made = song.tracks[track].slots[scene]
    assert isinstance(made, AudioClip)
    return made
