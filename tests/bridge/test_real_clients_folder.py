"""The watched folder, as a process of its own beside the real server."""

import json
import sys
from pathlib import Path

import mido
import numpy as np
import soundfile

from bridge.clients.folder.drops import LEDGER, Drops
from bridge.server import Server
from tests.bridge.clients_support import Program, asked, check_loop, free_port, serving, wait_until


def watcher(server: Server, *fields: str) -> Program:
    return Program(
        [sys.executable, "-m", "bridge.clients.folder", "--port", str(server.port), "--settle", "0.3", *fields]
    )


def write_midi(path: Path, pitches: tuple[int, ...]) -> Path:
    file = mido.MidiFile(ticks_per_beat=480)
    track = mido.MidiTrack()
    for pitch in pitches:
        track.append(mido.Message("note_on", note=pitch, velocity=100, time=0))
        track.append(mido.Message("note_off", note=pitch, velocity=0, time=480))
    file.tracks.append(track)
    file.save(path)
    return path


def loop_in(said: Program, name: str) -> Path:
    return Path(said.wait_for(rf"^{name} -> (.+\.wav) \(")[1])


def test_a_clip_becomes_a_loop_that_follows_it(tmp_path: Path) -> None:
    with serving(tmp_path) as server, watcher(server, "tempo=127.953", "bars=2", "prompt=dub techno") as said:
        said.wait_for("^watching ")
        write_midi(server.inbox / "riff.mid", (69, 72, 76))
        path = loop_in(said, "riff.mid")
        check_loop(path, "127.953", 2, tmp_path)
        assert [note[1] for note in asked(path)["melody"]] == [69, 72, 76]
        assert asked(path)["prompt"] == "dub techno"


def test_a_text_is_a_prompt_and_goes_with_the_clip_of_its_name(tmp_path: Path) -> None:
    with serving(tmp_path) as server, watcher(server, "tempo=120") as said:
        said.wait_for("^watching ")
        (server.inbox / "night.txt").write_text(
            "\ufeffacid house,\nat night\r\ntempo: 133.7\nbars = 1\n", encoding="utf-8"
        )
        path = loop_in(said, "night.txt")
        check_loop(path, "133.7", 1, tmp_path)
        assert asked(path)["prompt"] == "acid house, at night"
        write_midi(server.inbox / "night.mid", (60,))
        path = loop_in(said, "night.mid")
        check_loop(path, "133.7", 1, tmp_path)
        assert [note[1] for note in asked(path)["melody"]] == [60]


def test_a_clip_alone_is_named_as_it_should_sound(tmp_path: Path) -> None:
    """Its name has signs that no name on the wire may have; a copy is read instead, and removed."""
    clip = "Dub_Techno,_Böse_(2) 131.7 bpm.mid"
    with serving(tmp_path) as server, watcher(server, "bars=1") as said:
        said.wait_for("^watching ")
        write_midi(server.inbox / clip, (60, 63))
        path = Path(said.wait_for(r" -> (.+\.wav) \(")[1])
        check_loop(path, "131.7", 1, tmp_path)
        assert asked(path)["prompt"] == "Dub Techno, Böse (2)"
        assert {left.name for left in server.inbox.iterdir()} == {clip, LEDGER}


def test_an_audio_clip_is_heard(tmp_path: Path) -> None:
    rate = 44_100
    time = np.arange(rate // 2) / rate
    notes = [0.4 * np.sin(2 * np.pi * hz * time) * np.exp(-3 * time) for hz in (440.0, 523.25, 659.26, 440.0)]
    with serving(tmp_path) as server, watcher(server, "bars=1", "prompt=techno") as said:
        said.wait_for("^watching ")
        soundfile.write(server.inbox / "hum 120bpm.wav", np.concatenate(notes), rate)
        path = loop_in(said, "hum 120bpm.wav")
        assert {note[1] % 12 for note in asked(path)["melody"]} >= {9, 0, 4}


def test_nothing_runs_twice_and_what_is_saved_anew_runs_anew(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        for _ in range(2):  # the second watcher finds the first one's ledger
            with watcher(server, "bars=1", "prompt=techno") as said:
                said.wait_for("^watching ")
                name = "one.mid" if not (server.inbox / "one.mid").exists() else "two.mid"
                write_midi(server.inbox / name, (60,))
                loop_in(said, name)
        assert len(list(tmp_path.glob("*.wav"))) == 2
        with watcher(server, "bars=1", "prompt=techno") as said:
            said.wait_for("^watching ")
            write_midi(server.inbox / "one.mid", (60, 64, 67))
            loop_in(said, "one.mid")
            assert "two.mid" not in "".join(said.lines)
        assert len(list(tmp_path.glob("*.wav"))) == 3


def test_what_cannot_be_used_is_said_once_and_the_rest_goes_on(tmp_path: Path) -> None:
    with serving(tmp_path) as server, watcher(server, "bars=1", "prompt=techno") as said:
        said.wait_for("^watching ")
        (server.inbox / "broken.mid").write_bytes(b"MThd no midi at all")
        (server.inbox / "fast.txt").write_text("techno\ntempo: 5000")
        (server.inbox / "notes.pdf").write_bytes(b"no clip")
        said.wait_for(r"^broken\.mid: .*")
        said.wait_for(r"^fast\.txt: .*5000.*20 to 999")
        write_midi(server.inbox / "good.mid", (60,))
        loop_in(said, "good.mid")
        assert sum("broken.mid" in line for line in said.lines) == 1
        assert not any("notes.pdf" in line for line in said.lines)


def test_it_waits_for_the_server(tmp_path: Path) -> None:
    port = free_port()
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    write_midi(inbox / "early.mid", (60,))
    with Program(
        [sys.executable, "-m", "bridge.clients.folder", "--port", str(port), "prompt=techno", "bars=1"]
    ) as said:
        said.wait_for("loopgen serve.*waiting for it$")
        with Server(port=port, output=tmp_path):
            check_loop(loop_in(said, "early.mid"), "120", 1, tmp_path)


def test_a_field_that_is_none_is_refused_at_once() -> None:
    with Program([sys.executable, "-m", "bridge.clients.folder", "tempoo=120"]) as said:
        assert said.wait() == 2
    assert "tempoo=120" in said.lines[0]


def test_a_file_that_grows_is_left_until_it_rests(tmp_path: Path) -> None:
    now = [0.0]
    drops = Drops(tmp_path, settle=1.0, clock=lambda: now[0])
    clip = tmp_path / "long.wav"

    def look(at: float) -> list[str]:
        now[0] = at
        return [path.name for path in drops.ready()]

    clip.write_bytes(b"1")
    assert look(0.0) == [] and look(0.9) == []
    clip.write_bytes(b"12")
    assert look(1.5) == [] and look(2.4) == []
    assert look(2.6) == ["long.wav"]
    (tmp_path / "empty.wav").touch()
    assert look(3.0) == ["long.wav"] and look(9.0) == ["long.wav"]  # empty: it has not begun yet
    drops.done(clip)
    assert look(10.0) == []
    assert json.loads((tmp_path / LEDGER).read_text()).keys() == {"long.wav"}


def test_a_broken_ledger_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / LEDGER).write_text('{"a.mid": 3}')
    (tmp_path / "a.mid").write_bytes(b"x")
    drops = Drops(tmp_path, settle=0.0)
    wait_until(lambda: drops.ready(), "it is ready", 5)
