"""``loopgen redo`` and ``retempo``, in processes of their own."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.programs import loopgen


def test_a_loop_is_made_again_and_its_take_laid_anew(tmp_path: Path) -> None:
    words = ("boom bap", "--bpm", "87", "--bars", 1, "--seed", 8, "--engine", "sketch", "--json")
    first = json.loads(loopgen("generate", *words, folder=tmp_path).stdout)
    before = sorted(tmp_path.rglob("*.*"))
    done = loopgen("redo", first["path"], folder=tmp_path)
    assert "redone   bit-identical" in done.stdout
    assert sorted(tmp_path.rglob("*.*")) == before, "what is there already is written once"
    changed = json.loads(loopgen("redo", first["path"], "--key", "Dm", "--json", folder=tmp_path).stdout)
    assert (changed["identical"], changed["key"], changed["seed"]) == (None, "Dm", 8)
    assert any(remark.startswith("key Dm, not ") for remark in changed["remarks"])
    laid = json.loads(loopgen("retempo", first["path"], "--bpm", "92.5", "--json", folder=tmp_path).stdout)
    assert (laid["bpm"], laid["bars"], laid["take"]) == (92.5, 1, first["take"])
    assert laid["stretched"] == "the take, played at 87 BPM, goes 6.3% faster"
    both = json.loads(
        loopgen(
            "retempo", first["path"], laid["path"], changed["path"], "--bpm", "90", "--json", folder=tmp_path
        ).stdout
    )
    assert len(both["variations"]) == 2 and "of the same take" in both["notes"][0]
    alone = loopgen("redo", first["path"], "--bpm", "99", "--no-take", "-o", "alone", folder=tmp_path)
    assert "bpm 99, not 87" in alone.stdout and not (tmp_path / "alone" / "takes").exists()


def test_what_cannot_be_done_gets_one_line(tmp_path: Path) -> None:
    (tmp_path / "mine.wav").write_bytes(b"RIFF")
    for words, said in (
        (("redo", "none.wav"), "does not exist"),
        (("redo", "mine.wav"), "mine.wav"),
        (("retempo", "none.wav", "--bpm", "100"), "none.wav does not exist"),
        (("retempo", ".", "--bpm", "100"), "is a folder"),
        (("retempo", "mine.wav", "--bpm", "100"), "no recipe"),
        (("retempo", "none.wav"), "--bpm 131.5"),
    ):
        done = loopgen(*words, folder=tmp_path, status=2)
        assert said in done.stderr and done.stderr.count("\n") == 1, done.stderr
