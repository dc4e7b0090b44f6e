"""``loopgen library`` as people type it."""

import json
from pathlib import Path
from typing import Any

import pytest

from loopgen.cli import main
from tests.library.support import foreign, some_loops


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOOPGEN_SETTINGS", str(tmp_path / "none.toml"))
    monkeypatch.setenv("LOOPGEN_OUTPUT", str(tmp_path / "loops"))
    return some_loops(tmp_path / "loops")


def told(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> tuple[str, str]:
    assert main(["library", *words]) == status
    out, err = capsys.readouterr()
    return out, err


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(told(capsys, *words, "--json")[0])
    return answer


def names(answer: dict[str, Any]) -> list[str]:
    return sorted(Path(loop["path"]).name for loop in answer["loops"])


def test_a_list_of_all_and_of_some(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = told(capsys)
    assert {line.split()[-1] for line in out.splitlines()} == {"loop0.wav", "loop1.wav", "loop2.wav"}
    assert f"3 loops in {folder}" in err
    assert names(asked(capsys, "list", "--bpm", "121")) == ["loop1.wav"]
    assert names(asked(capsys, "find", "loop", "--bpm", "60-60.5")) == ["loop0.wav", "loop1.wav"]
    assert names(asked(capsys, "find", "loop", "--bpm", "60-60.5", "--exact-tempo")) == []
    assert names(asked(capsys, "find", "--since", "yesterday", "--until", "today", "--engine", "sketch")) == [
        "loop0.wav", "loop1.wav", "loop2.wav",
    ]  # fmt: skip
    assert names(asked(capsys, "find", "--until", "2020-01-01")) == []
    answer = asked(capsys, "find", "--key", "C", "--compatible", "--limit", "1")
    assert answer["total"] == 3
    assert len(answer["loops"]) == 1
    assert answer["compatible_keys"]["relative"] == "Am"
    assert "C goes with Am (relative)" in told(capsys, "find", "--key", "C", "--compatible")[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("find", "--bpm", "fast"), "bpm: 'fast' cannot be used"),
        (("find", "--bpm", "130-120"), "bpm: '130-120' cannot be used"),
        (("find", "--bpm", "100-110-120"), "bpm: '100-110-120' cannot be used"),
        (("find", "--since", "once"), "since: 'once' cannot be used; give a date like"),
        (("find", "--compatible"), "compatible: True cannot be used; give a key"),
        (("find", "--order", "colour"), "one of added, made, bpm, name, rating"),
        (("find", "--limit", "-1"), "limit"),
        (("show", "nothing"), "loop: 'nothing' cannot be used"),
        (("rate", "loop1", "6"), "rating: 6 cannot be used"),
        (("tag", "loop1"), "+dub gives one"),
        (("tag", "loop1", "+two words"), "tag: 'two words' cannot be used"),
        (("add", "nowhere"), "add: 'nowhere' cannot be used"),
        (("drop", "nowhere"), "what was added: nothing was"),
        (("list", "--folder", "nowhere"), "nothing has been kept in this one yet"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_line(
    folder: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    out, err = told(capsys, *words, status=2)
    assert not out
    assert said in err
    assert len(err.splitlines()) == 1


def test_marks(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "tag", "loop1", "+dub", "rain")[0].splitlines()[1] == "  +dub, +rain"
    assert asked(capsys, "tag", "loop1", "-rain", "+night")["loops"][0]["tags"] == ["dub", "night"]
    assert told(capsys, "fav", "loop1", "loop2")[0].count("favourite") == 2
    assert asked(capsys, "rate", "loop2", "4")["loops"][0]["rating"] == 4
    assert names(asked(capsys, "find", "--favourite")) == ["loop1.wav", "loop2.wav"]
    assert names(asked(capsys, "find", "--favourite", "--tag", "dub", "--tag", "night")) == ["loop1.wav"]
    assert names(asked(capsys, "find", "night")) == ["loop1.wav"]
    assert names(asked(capsys, "find", "--rating", "4")) == ["loop2.wav"]
    asked(capsys, "fav", "loop1", "--off")
    assert names(asked(capsys, "find", "--favourite")) == ["loop2.wav"]
    out = told(capsys, "show", "loop1")[0]
    assert "+dub, +night" in out
    assert "121 BPM · 1 bar of 4/4 · Am" in out
    assert json.loads((folder / "loop1.json").read_text("utf-8"))["marks"]["tags"] == ["dub", "night"]


def test_moves(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "rename", "loop1", "night drive")[0].strip() == str(folder / "night drive.wav")
    told(capsys, "trash", "night drive.wav", "loop2")
    assert names(asked(capsys, "list")) == ["loop0.wav"]
    assert names(asked(capsys, "trash")) == ["loop2.wav", "night drive.wav"]
    assert "in the trash" in told(capsys, "show", "loop2")[0]
    assert told(capsys, "restore", "loop2")[0].strip() == str(folder / "loop2.wav")
    assert "--yes" in told(capsys, "trash", "--empty", "--json", status=2)[1]
    assert names(asked(capsys, "trash")) == ["night drive.wav"]
    assert asked(capsys, "trash", "--empty", "--yes") == {"deleted": 1}
    assert names(asked(capsys, "list")) == ["loop0.wav", "loop2.wav"]


def test_copies_that_go_with_a_loop_are_named(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack = tmp_path / "pack"
    pack.mkdir()
    (pack / "same.wav").write_bytes((folder / "loop1.wav").read_bytes())
    told(capsys, "add", str(pack))
    err = told(capsys, "trash", "loop1")[1]
    assert "all 2 copies were put away" in err and str(pack / "same.wav") in err
    assert "1 loop would be deleted" in told(capsys, "trash", "--empty", "--json", status=2)[1]
    told(capsys, "restore", "loop1")
    assert (pack / "same.wav").exists()
    assert "copies" not in told(capsys, "trash", "loop2")[1]


def test_a_first_library_is_made_and_one_that_was_named_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOOPGEN_SETTINGS", str(tmp_path / "none.toml"))
    monkeypatch.delenv("LOOPGEN_OUTPUT", raising=False)
    monkeypatch.setattr("platformdirs.user_music_path", lambda: tmp_path / "Music")
    pack = foreign(tmp_path / "pack" / "kit_90bpm.wav").parent
    assert asked(capsys, "add", str(pack))["new"] == 1
    assert (tmp_path / "Music" / "loopgen").is_dir()
    monkeypatch.setenv("LOOPGEN_OUTPUT", str(tmp_path / "drive" / "loops"))
    assert "its drive is away" in told(capsys, "add", str(pack), status=2)[1]
    assert not (tmp_path / "drive").exists()


def test_folders(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack = foreign(tmp_path / "pack" / "kit_90bpm.wav").parent
    (pack / "bad.wav").write_bytes(b"nonsense")
    answer = asked(capsys, "add", str(pack))
    assert (answer["new"], answer["total"], len(answer["problems"])) == (4, 4, 1)
    assert "90  " in told(capsys, "find", "kit")[0]
    out, err = told(capsys, "rebuild")
    assert not out
    assert "4 new; 4 loops" in err
    assert "bad.wav" in err
    assert asked(capsys, "drop", str(pack))["total"] == 3
    assert "beginning of its id" in _help(capsys)


def _help(capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["library", "show", "--help"]) == 0
    return " ".join(capsys.readouterr().out.split())


def test_a_new_loop_is_listed_at_once_and_by_the_beginning_of_its_id(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told(capsys)
    foreign(folder / "new_100bpm.wav", seed=4)
    loop = asked(capsys, "show", "new_100bpm")
    assert asked(capsys, "show", loop["id"][:7])["path"] == str(folder / "new_100bpm.wav")
