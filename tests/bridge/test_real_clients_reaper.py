"""REAPER's script in a plain Lua, end to end: a small project stands in for REAPER, all else is real."""

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import mido
import pytest

from loopgen.midi import read_midi
from tests.bridge.clients_support import CLIENTS, DEADLINE, asked, check_loop, free_port, needs, serving

SCRIPT = CLIENTS / "reaper" / "loopgen.lua"
PROJECT = Path(__file__).with_name("reaper_stand_in.lua")


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A ``loopgen`` command, in a folder whose name needs quoting."""
    folder = tmp_path / "it's here"
    folder.mkdir()
    path = folder / "loopgen"
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m loopgen "$@"\n')
    path.chmod(0o755)
    return path


def reaper(folder: Path, program: Path | str, port: int, *project: str) -> list[list[str]]:
    """Run the script in a project; what it did, one line an act."""
    (folder / "REAPER").mkdir()
    done = subprocess.run(
        [needs("lua5.4", "lua5.5", "lua"), PROJECT, SCRIPT, folder / "REAPER", program, *project],
        env={"PATH": "/usr/bin:/bin", "LOOPGEN_PORT": str(port), "HOME": str(folder)},
        capture_output=True,
        encoding="utf-8",
        timeout=2 * DEADLINE,
    )
    assert done.returncode == 0, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


def acts(told: list[list[str]], kind: str) -> list[list[str]]:
    return [act[1:] for act in told if act[0] == kind]


def test_the_loop_lies_at_the_cursor_in_the_projects_tempo(tmp_path: Path, program: Path) -> None:
    with serving(tmp_path / "löops") as server:
        told = reaper(tmp_path, program, server.port, "127.953", "7/8", "3.25", "")
    ((path, mode, position, length, repeats, rate, fade_in, fade_out),) = acts(told, "item")
    check_loop(Path(path), "127.953", 2, tmp_path / "löops", "7/8")
    request = asked(Path(path))
    assert request["bpm"] == "127.953" and request["meter"] == "7/8" and request["key"] == "Am"
    assert request["prompt"] == 'dub techno, it\'s "rainy"; 100%'
    assert request.get("melody") is None
    assert float(position) == 3.25 and acts(told, "cursor") == [["3.250000"]]
    frames = round(44_100 * Fraction(60 * 7) / Fraction("127.953"))
    assert abs(float(length) - frames / 44_100) < 1e-8
    assert (mode, float(repeats), float(rate), float(fade_in), float(fade_out)) == ("0", 1, 1, 0, 0)
    assert acts(told, "undo") == [["begin"], ["loopgen: insert loop"]]
    assert acts(told, "help")[-1][0].startswith("loopgen: seam")
    assert list((tmp_path / "REAPER" / "loopgen").iterdir()) == []


def test_the_selected_midi_item_is_the_melody(tmp_path: Path, program: Path) -> None:
    # The first note begins before the item, the last ends behind it, one is muted, one lies outside.
    notes = "57,3,5,90,0;60,5,6.5,100,0;64,6.5,7,100,1;67,8,20,127,0;70,13,14,100,0"
    with serving(tmp_path / "out") as server:
        told = reaper(tmp_path, program, server.port, "90", "4/4", "0", notes)
    ((path, mode, *_),) = acts(told, "item")
    check_loop(Path(path), "90", 2, tmp_path / "out")
    request = asked(Path(path))
    assert request["melody"] == [[0, 57, 1, 90], [1, 60, 1.5, 100], [4, 67, 4, 127]]
    assert request["melody_length"] == 8
    assert mode == "1"  # on a track of its own: the selected one holds the MIDI


def test_without_a_server_a_box_says_so(tmp_path: Path, program: Path) -> None:
    told = reaper(tmp_path, program, free_port(), "120", "4/4", "0", "")
    assert acts(told, "item") == []
    ((box,),) = acts(told, "box")
    assert "loopgen serve" in box and "Traceback" not in box


def test_without_the_program_a_box_says_what_to_give(tmp_path: Path) -> None:
    told = reaper(tmp_path, "/nowhere/loopgen", free_port(), "120", "4/4", "0", "")
    ((box,),) = acts(told, "box")
    assert "not found" in box and "which loopgen" in box


def lua(code: str) -> str:
    """What a piece of Lua prints that knows the script as ``M``."""
    done = subprocess.run(
        [needs("lua5.4", "lua5.5", "lua"), "-e", f"local M = dofile('{SCRIPT}') {code}"],
        capture_output=True,
        timeout=DEADLINE,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


@pytest.mark.parametrize("bpm", ["20", "60.23", "127.953", "120.333333", "174", "999"])
def test_the_tempo_is_exact_far_into_the_project(bpm: str) -> None:
    code = f"""
    local q = 60 / {bpm}
    local r = {{}}
    function r.TimeMap2_timeToQN(_, time) return time / q end
    function r.TimeMap2_QNToTime(_, quarters) return quarters * q end
    print(M.tempo(r, 0), M.tempo(r, 7213.777))"""
    assert lua(code).split() == [bpm, bpm]


def test_the_midi_file_is_one(tmp_path: Path) -> None:
    path = tmp_path / "riff.mid"
    lua(f"""
    local notes = {{}}
    for i = 0, 199 do
      notes[#notes + 1] = {{ start = i * 1.25, length = 1.25, pitch = 40 + i % 5, velocity = i % 128 }}
    end
    local file = io.open("{path}", "wb") file:write(M.midi(notes, 251)) file:close()""")
    melody = read_midi(path)
    assert [(n.pitch, n.start, n.duration) for n in melody.notes] == [(40 + i % 5, i * 1.25, 1.25) for i in range(200)]
    file = mido.MidiFile(path)
    assert sum(message.time for message in file.tracks[0]) == 251 * file.ticks_per_beat


def test_the_windows_script_keeps_what_the_command_shell_would_take_for_its_own() -> None:
    words = "'send', 'prompt=50% \"loud\" & <fast> | ^up'"
    script = lua(f"io.write(M.script(true, [[C:\\Program Files\\loopgen.exe]], {{{words}}}, [[C:\\Temp\\x]]))")
    lines = script.split("\r\n")
    command = '"C:\\Program Files\\loopgen.exe" "send" "prompt=50%% \'loud\' & <fast> | ^up"'
    assert lines[2] == command + ' >"C:\\Temp\\x.out" 2>"C:\\Temp\\x.err"'
    assert lines[3:] == ['echo %errorlevel% >"C:\\Temp\\x.tmp"', 'move /y "C:\\Temp\\x.tmp" "C:\\Temp\\x.rc" >nul', ""]
    assert "\n" not in script.replace("\r\n", "")


def test_paths_of_every_kind_come_out_of_the_answer() -> None:
    path = 'C:\\u\\ä 🎵 "q"\\n.wav'
    loop = {"path": path, "frames": 3, "rate": 2, "summary": ""}
    out = json.dumps({"job": "a", "path": "no", "loops": [loop, loop]}, indent=2)
    code = f"""
    local loop = M.result(0, [==[{out}]==], "")
    print(loop.path) print(loop.seconds, loop.summary == "")
    print(select(2, M.result(2, "", "loopgen: tempo: 5 cannot be used\\n")))"""
    assert lua(code).splitlines() == [path, "1.5\ttrue", "loopgen: tempo: 5 cannot be used"]
