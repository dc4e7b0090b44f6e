"""``loopgen send`` as its user meets it: real processes against a real server."""

import json
import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
import soundfile

from bridge.server import Server
from bridge.service import Notice
from loopgen.cli import main
from loopgen.music.tempo import Meter, loop_frames, parse_bpm
from tests.cli.programs import PATIENCE, Program, environment, loopgen, serving

LONG = ("tempo=40", "bars=64", "variations=9")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("send")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Program]:
    with serving(folder) as (program, _):
        yield program


def sent(folder: Path, *arguments: object) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(loopgen("send", *arguments, "--json", folder=folder).stdout)
    return shown


def test_generate_prints_the_path_of_a_loop_of_the_exact_length(server: Program, folder: Path) -> None:
    done = loopgen("send", "generate", "prompt=dub techno, rolling bass", "tempo=127.9", "bars=4", folder=folder)
    path = Path(done.stdout.rstrip("\n"))
    assert path.is_relative_to(folder / "out")
    assert soundfile.info(str(path)).frames == loop_frames(parse_bpm("127.9"), 4, Meter(), 44_100)
    assert re.fullmatch(r".*LUFS \(job \w+\)\n", done.stderr), "no terminal: no progress, but how good it is"


def test_what_the_session_says_is_enough_and_notes_reach_the_sender(server: Program, folder: Path) -> None:
    loopgen("send", "set", "prompt=acid, 140 bpm", "tempo=127.9", "bars=1", folder=folder)
    done = loopgen("send", "generate", folder=folder)
    assert "127.9bpm" in done.stdout and "the prompt says 140 BPM, but 127.9 BPM was given" in done.stderr
    again = loopgen("send", "retempo", done.stdout.rstrip("\n"), "tempo=131.5", folder=folder)
    assert "131.5bpm" in again.stdout
    loopgen("send", "set", "prompt=", "tempo=", "bars=", folder=folder)


def test_json_has_each_loop_and_its_exact_tempo(server: Program, folder: Path) -> None:
    words = ("prompt=trap", "tempo=60.23", "num=7", "den=8", "bars=1", "variations=2", "seed=3", "folder=mine")
    shown = sent(folder, "generate", *words)
    assert [loop["variation"] for loop in shown["loops"]] == [1, 2]
    for loop in shown["loops"]:
        assert loop["tempo"] == "60.23"
        assert loop["frames"] == loop_frames(parse_bpm("60.23"), 1, Meter(7, 8), 44_100)
        assert Path(loop["path"]).parent == folder / "out" / "mine"
    assert shown["path"] == shown["loops"][0]["path"]
    about = sent(folder, "job", shown["job"])
    assert about["state"] == "done"
    assert [loop["path"] for loop in about["loops"]] == [loop["path"] for loop in shown["loops"]]
    text = loopgen("send", "job", shown["job"], folder=folder).stdout.splitlines()
    assert text == [f"{shown['job']} done", *(loop["path"] for loop in shown["loops"])]


def test_melodies_as_notes_and_as_a_midi_file(server: Program, folder: Path) -> None:
    file = mido.MidiFile()
    track = mido.MidiTrack()
    file.tracks.append(track)
    for note in range(70):  # three chunks
        track.append(mido.Message("note_on", note=57 + note % 12, time=0))
        track.append(mido.Message("note_off", note=57 + note % 12, time=240))
    file.save(folder / "melody.mid")
    for melody in ("A4 C5 E5:2", "melody.mid"):
        prompt = f"just a lead of {len(melody)}"
        sent(folder, "generate", f"prompt={prompt}", "tempo=120", "bars=1", f"melody={melody}")
        assert "with a melody" in server.job("running", prompt)["asked"]


def test_retempo_lays_the_same_take_anew(server: Program, folder: Path) -> None:
    first = sent(folder, "generate", "prompt=house", "tempo=124", "bars=1")
    again = sent(folder, "retempo", first["job"], "tempo=131.5")
    assert again["loops"][0]["tempo"] == "131.5"
    assert soundfile.info(again["path"]).frames == loop_frames(parse_bpm("131.5"), 1, Meter(), 44_100)


def test_rotate_begins_on_another_beat(server: Program, folder: Path) -> None:
    first = sent(folder, "generate", "prompt=house", "tempo=124", "bars=1")
    again = sent(folder, "rotate", first["job"], "beats=-1/2")
    assert server.job("done", "begun half a beat earlier")["asked"].startswith(Path(first["path"]).name)
    before, after = (soundfile.read(path)[0] for path in (first["path"], again["path"]))
    assert np.array_equal(after, np.roll(before, len(before) - round(3.5 / 4 * len(before)), axis=0))
    done = loopgen("send", "rotate", again["path"], folder=folder, status=1)
    assert "names no second likeliest" in done.stderr and "invalid_request)" in done.stderr


def test_session_values(server: Program, folder: Path) -> None:
    assert loopgen("send", "set", "tempo=60.23", folder=folder).stdout == "60.23\n"
    assert sent(folder, "set", "meter=7/8", "bars=2") == {"meter": "7/8", "bars": 2}
    assert loopgen("send", "get", "tempo", folder=folder).stdout == "60.23\n"
    assert loopgen("send", "set", "temperature=0.8", folder=folder).stdout == "0.8\n", "not what 32 bits make of it"
    assert sent(folder, "set", "temperature=") == {"temperature": None}
    assert {"tempo": "60.23", "meter": "7/8", "bars": 2, "key": None}.items() <= sent(folder, "get").items()
    shown = sent(folder, "generate", "prompt=funk", "bars=1")
    assert shown["loops"][0]["frames"] == loop_frames(parse_bpm("60.23"), 1, Meter(7, 8), 44_100)
    unset = sent(folder, "set", "tempo=", "meter=", "bars=")
    assert unset == {"tempo": None, "meter": None, "bars": None}


def test_presets(server: Program, folder: Path) -> None:
    loopgen("send", "set", "prompt=rainy dub", "key=Am", folder=folder)
    assert loopgen("send", "preset", "save", "Night Drive", folder=folder).stdout == "preset Night Drive saved\n"
    assert "Night Drive" in sent(folder, "presets")["presets"]
    loopgen("send", "set", "prompt=", "key=", folder=folder)
    loopgen("send", "preset", "load", "Night Drive", folder=folder)
    assert sent(folder, "get", "prompt", "key") == {"prompt": "rainy dub", "key": "Am"}
    loopgen("send", "preset", "delete", "Night Drive", folder=folder)
    listed = loopgen("send", "presets", folder=folder).stdout.splitlines()
    assert "dub-techno" in listed and "Night Drive" not in listed
    loopgen("send", "set", "prompt=", "key=", "preset=", "bars=", "meter=", "engine=", folder=folder)


def test_a_running_job_is_shown_and_cancelled(server: Program, folder: Path) -> None:
    with Program("send", "generate", "prompt=runs", *LONG, folder=folder) as sender:
        job = server.job("running", "runs")["id"]
        with Program("send", "generate", "prompt=waits", *LONG, folder=folder) as waiting:
            second = server.job("queued", "waits")["id"]
            assert sent(folder, "job", job)["state"] == "running"
            assert sent(folder, "job", second)["state"] == "queued"
            assert f"{second} waits, 1 before it" in loopgen("send", "job", second, folder=folder).stdout
            assert sent(folder, "cancel", second)["state"] == "cancelled"
            assert loopgen("send", "cancel", job, folder=folder).stdout.startswith(f"{job} cancelled\n")
            assert sent(folder, "cancel", job)["state"] == "cancelled"  # it has ended, and says how
            for one in (sender, waiting):
                status, errors = one.end()
                assert (status, len(errors.splitlines())) == (130, 1)
                assert "cancelled" in errors


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process")
def test_ctrl_c_cancels_the_job(server: Program, folder: Path) -> None:
    with Program("send", "generate", "prompt=stopped", *LONG, folder=folder) as sender:
        server.job("running", "stopped")
        sender.interrupt()
        status, errors = sender.end()
        assert status == 130
        assert "Traceback" not in errors
        server.job("cancelled", "stopped")


def test_the_servers_errors_are_told_with_their_code(server: Program, folder: Path) -> None:
    for arguments, code in (
        (("generate", "tempo=120"), "invalid_request"),
        (("generate", "prompt=a", "engine=skech"), "engine_unavailable"),
        (("generate", "preset=nothing like it"), "preset_unusable"),
        (("job", "0000"), "unknown_job"),
        (("cancel", "0000"), "unknown_job"),
        (("retempo", "0000", "tempo=120"), ""),
        (("rotate", "0000", "beats=1"), "audio_unreadable"),
        (("preset", "delete", "dub-techno"), "preset_unusable"),
        (("preset", "load", "../x"), ""),
    ):
        done = loopgen("send", *arguments, folder=folder, status=1)
        assert len(done.stderr.splitlines()) == 1 and f"{code})" in done.stderr, done.stderr
        assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("generate", "techno"), "key=value"),
        (("generate", "prompt=a", "tmpo=3"), "did you mean 'tempo'"),
        (("generate", "prompt=a", "tempo=3"), "20 to 999"),
        (("generate", "prompt=a", "melody=no notes"), "melody"),
        (("generate", "prompt=a", "melody=missing.mid"), "missing.mid"),
        (("generate", "prompt=a", "--timeout=-1"), "--timeout"),
        (("generate", "bpm=120"), "did you mean 'tempo'"),
        (("set", "tempo"), "key=value"),
        (("set", "seed=3"), "unknown here"),
        (("get", "tmpo"), "did you mean 'tempo'"),
        (("retempo", "ab12", "bars=3"), "tempo=131.5"),
        (("retempo", "ab12", "key=Am"), "unknown here"),
        (("rotate", "ab12", "beats=0"), "quarters of a beat"),
        (("rotate", "ab12", "beats=1/3"), "quarters of a beat"),
        (("rotate", "ab12", "beats="), "quarters of a beat"),
        (("rotate", "ab12", "bars=1"), "unknown here"),
        (("rotate", "ab12", "1"), "key=value"),
        (("rotate",), "LOOP"),
        (("preset", "load", "a", "b"), "name only"),
        (("preset", "throw", "a"), "save"),
        (("fly",), "fly"),
        (("ping", "--port", "x"), "--port"),
        ((), "ACTION"),
    ],
)
def test_bad_words_get_one_line(server: Program, folder: Path, arguments: tuple[str, ...], words: str) -> None:
    done = loopgen("send", *arguments, folder=folder, status=2)
    (line,) = done.stderr.splitlines()
    assert words in line


def test_nobody_there(tmp_path: Path) -> None:
    for host in ("127.0.0.1", "no.such.host.invalid"):
        done = loopgen("send", "--port", 9, "--host", host, "ping", folder=tmp_path, status=1)
        (line,) = done.stderr.splitlines()
        assert ("loopgen serve" if host == "127.0.0.1" else "--host") in line


def test_ping(server: Program, folder: Path) -> None:
    assert "engine sketch" in loopgen("send", "ping", folder=folder).stdout
    shown = sent(folder, "ping")
    assert shown["output_root"] == str(folder / "out")
    assert loopgen("send", "--port", shown["port"], "ping", folder=folder).stdout
    assert loopgen("send", "ping", "--port", shown["port"], folder=folder).stdout


@pytest.mark.parametrize("is_json", [False, True])
def test_monitor_shows_what_others_send_and_get(server: Program, folder: Path, is_json: bool) -> None:
    with Program("send", "monitor", *(["--json"] if is_json else []), folder=folder) as monitor:
        deadline = time.monotonic() + PATIENCE
        while True:  # until it has subscribed
            assert time.monotonic() < deadline
            loopgen("send", "set", "bars=3", folder=folder)
            with suppress(AssertionError):
                line = monitor.line(lambda text: "/loopgen/set/bars" in text and " 3" in text, 1.0)
                break
        if is_json:
            shown = json.loads(line)
            assert (shown["way"], shown["peer"].partition(":")[0]) == ("<-", "127.0.0.1")
        else:
            assert " <- 127.0.0.1:" in line
        monitor.line(lambda text: "->" in text and "/loopgen/ok" in text)
        monitor.interrupt()
        status, errors = monitor.end()
    assert re.fullmatch("" if is_json else r"traffic of 127\.0\.0\.1:\d+; Ctrl-C ends this\n", errors)
    assert status == 0 or sys.platform == "win32"  # there, a console's signal may end it first
    loopgen("send", "set", "bars=", folder=folder)


def test_monitor_says_when_the_server_has_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("loopgen.cli.send.ALIVE", 0.2)
    monkeypatch.setattr("loopgen.cli.send.DEAF", 1.0)
    monkeypatch.setenv("LOOPGEN_SETTINGS", str(tmp_path / "settings.toml"))
    come = threading.Event()
    statuses: list[int] = []

    def listener(notice: Notice) -> None:
        if notice.kind == "client":
            come.set()

    with Server(port=0, output=tmp_path / "out", listener=listener) as own:
        arguments = ["send", "monitor", "--port", str(own.port)]
        monitor = threading.Thread(target=lambda: statuses.append(main(arguments)))
        monitor.start()
        assert come.wait(PATIENCE)
        time.sleep(1.5)  # longer than it would be deaf for
        assert monitor.is_alive()
    monitor.join(PATIENCE)
    assert statuses == [1]
    assert "is gone; `loopgen serve` starts one" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX terminals")
def test_progress_on_a_terminal(server: Program, folder: Path) -> None:
    import pty
    import subprocess

    main, terminal = pty.openpty()
    words = ["prompt=dub techno", "tempo=120", "bars=2"]
    done = subprocess.run(
        [sys.executable, "-m", "loopgen", "send", "generate", *words],
        stdout=subprocess.PIPE,
        stderr=terminal,
        text=True,
        cwd=folder,
        env=environment(folder),
        timeout=PATIENCE,
        check=True,
    )
    os.close(terminal)
    shown = os.read(main, 65536).decode()
    os.close(main)
    assert "%  " in shown and "LUFS" in shown
    assert Path(done.stdout.strip()).is_file()


def test_a_recording_is_heard_as_a_melody_at_the_sessions_tempo(server: Program, folder: Path) -> None:
    rate, beat = 22_050, 0.5
    t = np.arange(int(rate * beat)) / rate
    notes = [np.sin(2 * np.pi * 440 * 2 ** (step / 12) * t) * np.minimum(1, 20 * (beat - t)) for step in (0, 3, 7, 12)]
    soundfile.write(folder / "hummed.wav", 0.5 * np.concatenate(notes), rate)
    loopgen("send", "set", "tempo=120", folder=folder)
    sent(folder, "generate", "prompt=a hummed lead", "bars=1", "melody=hummed.wav")
    assert "with a melody" in server.job("running", "a hummed lead")["asked"]
    loopgen("send", "set", "tempo=", folder=folder)
    done = loopgen("send", "generate", "prompt=a", "bars=1", "melody=hummed.wav", folder=folder, status=2)
    assert "tempo" in done.stderr
