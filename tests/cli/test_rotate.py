"""``loopgen rotate``, in a process of its own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile

from loopgen.audiofile import read_audio
from tests.cli.programs import loopgen


def noise(path: Path, subtype: str) -> None:
    """One bar at 120 BPM."""
    soundfile.write(path, 0.1 * np.random.default_rng(1).standard_normal((44_100, 1)), 22_050, subtype)


def test_a_loop_is_turned_and_back_and_laid_anew(tmp_path: Path) -> None:
    words = ("boom bap", "--bpm", "87", "--bars", 1, "--seed", 8, "--engine", "sketch", "--json")
    first = json.loads(loopgen("generate", *words, folder=tmp_path).stdout)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    turned = json.loads(loopgen("rotate", first["path"], "--beats", "1", "--json", folder=tmp_path).stdout)
    assert (turned["of"], turned["turned"], turned["rotated"]["beats"]) == (first["path"], "1", "1")
    assert (turned["take"], turned["frames"], turned["seed"]) == (first["take"], first["frames"], 8)
    assert turned["grid"]["source"] == "user" and turned["seam"] != first["seam"]
    shown = loopgen("rotate", turned["path"], "--beats", "-1/2", folder=tmp_path).stdout
    assert f"turned   beat 1 is half a beat earlier than in {Path(turned['path']).name}" in shown
    back = json.loads(loopgen("rotate", turned["path"], "--beats=-1", "--json", folder=tmp_path).stdout)
    assert back["path"] == first["path"]
    assert {path: path.read_bytes() for path in before} == before, "the old loop stays as it is"
    assert "bit-identical" in loopgen("redo", turned["path"], folder=tmp_path).stdout
    laid = json.loads(
        loopgen("retempo", turned["path"], first["path"], "--bpm", "90", "--json", folder=tmp_path).stdout
    )
    assert len(laid["variations"]) == 2, "turned and not turned are two loops"


def test_several_files_keep_their_formats(tmp_path: Path) -> None:
    noise(tmp_path / "a_120bpm.wav", "FLOAT")
    noise(tmp_path / "b_120bpm.flac", "PCM_16")
    (tmp_path / "c.wav").write_bytes(b"RIFF")
    words = ("a_120bpm.wav", "c.wav", "b_120bpm.flac", "--beats", "0.5", "-o", "turned", "--json")
    done = loopgen("rotate", *words, folder=tmp_path, status=2)
    said = json.loads(done.stdout)
    assert "1 of 3 files were not turned" in done.stderr and "c.wav" in said["notes"][0]
    kinds = {}
    for one in said["variations"]:
        old, new = read_audio(tmp_path / one["of"]), read_audio(tmp_path / one["path"])
        assert np.array_equal(new.samples, np.roll(old.samples, -5513, axis=0))
        kinds[one["of"]] = soundfile.info(tmp_path / one["path"]).subtype
    assert kinds == {"a_120bpm.wav": "FLOAT", "b_120bpm.flac": "PCM_24"}
    assert sorted(path.suffix for path in (tmp_path / "turned").iterdir()) == [".flac", ".json", ".json", ".wav"]


def test_what_cannot_be_done_gets_one_line(tmp_path: Path) -> None:
    noise(tmp_path / "a_120bpm.wav", "PCM_16")
    for words, said in (
        (("none.wav", "--beats", "1"), "none.wav does not exist"),
        ((".", "--beats", "1"), "is a folder"),
        (("a_120bpm.wav",), "a_120bpm.wav names no second likeliest"),
        (("a_120bpm.wav", "--beats", "1/3"), "beats: '1/3' cannot be used; give how many beats later"),
        (("a_120bpm.wav", "--beats", "-0.3"), "beats: '-0.3' cannot be used"),
        (("a_120bpm.wav", "--beats", "4"), "the loop has 4 beats"),
        (("a_120bpm.wav", "--beats", "1", "-o", "a_120bpm.wav"), "that is the loop that is to be turned"),
        (("a_120bpm.wav", "--beats", "1", "-o", "b.mp3"), ".wav or .flac"),
    ):
        done = loopgen("rotate", *words, folder=tmp_path, status=2)
        assert said in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert [path.name for path in tmp_path.glob("*.*")] == ["a_120bpm.wav"]
