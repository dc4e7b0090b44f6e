"""beat_this as another listener: a package of the same interface in its stead, which says what its weights hold.

The published one wants torchaudio and downloaded weights, which no test may ask for.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from loopgen import studio
from loopgen.engines import base, listen
from loopgen.errors import EngineUnavailable, InvalidRequest
from loopgen.library.recipes import describe, request_of
from loopgen.music.audio import Audio
from loopgen.music.loop import Take
from loopgen.music.request import LoopRequest
from loopgen.selection import listened_to
from tests.cli.programs import environment
from tests.looping.test_votes import BEAT, clicks

INFERENCE = '''
import json

import numpy as np


class Audio2Beats:
    """As beat_this 1.1 has it: made of a checkpoint, called with a signal and its rate, gives beats and downbeats."""

    def __init__(self, checkpoint_path="final0", device="cpu", float16=False, dbn=False):
        with open(checkpoint_path) as file:
            self.said = json.load(file)

    def __call__(self, signal, sr):
        assert signal.ndim == 1 and np.isfinite(signal).all() and sr > 0
        return np.array(self.said["beats"]), np.array(self.said["downbeats"])
'''
FIRST = 0.25 + 2 * BEAT
SAID = {"beats": list(np.arange(0.25, 16, BEAT)), "downbeats": list(np.arange(FIRST, 16, 4 * BEAT))}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The package, on the path of this process; gives the place of its weights, which are not there yet."""
    site = tmp_path / "site"
    for name, source in (("beat_this/__init__", ""), ("beat_this/inference", INFERENCE), ("torchaudio/__init__", "")):
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / f"{name}.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    listen.weights().parent.mkdir(parents=True)
    yield listen.weights()
    listen._network.cache_clear()
    for name in [name for name in sys.modules if name.split(".")[0] in listen.REQUIRED]:
        del sys.modules[name]


def fetched(weights: Path) -> None:
    weights.write_text(json.dumps(SAID), encoding="utf-8")


def asked(listener: str = "beat_this") -> LoopRequest:
    return LoopRequest("clicks", 120, 2, rate=22_050, engine="conform", listener=listener)


def test_it_says_beats_and_downbeats(installed: Path) -> None:
    fetched(installed)
    said = listen.votes(clicks())
    assert said.beats.tolist() == SAID["beats"]
    assert said.downbeats.tolist() == SAID["downbeats"]
    assert listen.votes(Audio(np.full((900, 2), np.nan, np.float32), 8_000)).beats.dtype == np.float64
    assert not len(listen.votes(Audio(np.zeros((9, 1), np.float32), 8_000)).beats)


def test_a_loop_begins_where_it_says_and_the_recipe_names_it(installed: Path) -> None:
    fetched(installed)
    loop = studio.conform(clicks(), asked())
    there = float(loop.recipe["grid"]["first_downbeat"])
    assert abs((there - FIRST + 1) % (4 * BEAT) - 1) < 0.03
    assert loop.recipe["request"]["listener"] == "beat_this"
    assert request_of(loop.recipe).listener == "beat_this"


def test_whoever_knows_better_is_not_contradicted(installed: Path) -> None:
    fetched(installed)
    loop = studio.conform(clicks(), asked(), downbeat=0.75)
    assert abs((float(loop.recipe["grid"]["first_downbeat"]) - 0.75 + 1) % (4 * BEAT) - 1) < 0.03
    known = base.load("sketch").generate(LoopRequest("house", 120, 1), 1)
    assert known.grid is not None
    assert listened_to(known, asked()) is known
    assert listened_to(take := Take(clicks(), "mine", 0), asked("own")) is take


def test_what_is_missing_is_said_with_what_to_do(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        EngineUnavailable, match=r"weights are not in .*beat_this-final0\.ckpt; .*load_model\('final0'\)"
    ):
        base.listener("beat_this")
    fetched(installed)
    hear = base.listener("beat_this")
    assert hear is not None
    installed.write_bytes(b"half")
    with pytest.raises(EngineUnavailable, match=r"beat_this failed .* fetch them anew"):
        hear(clicks())
    installed.unlink()
    with pytest.raises(EngineUnavailable, match="--listener own goes without"):
        hear(clicks())
    monkeypatch.setattr(listen, "find_spec", lambda name: None)
    with pytest.raises(EngineUnavailable, match=r"not installed: pip install 'loopgen\[beat-this\]'"):
        base.listener("beat_this")
    assert base.listener("own") is None


def test_generating_asks_before_it_plays(installed: Path) -> None:
    with pytest.raises(EngineUnavailable, match="weights are not in"):
        next(studio.generate(LoopRequest("house", 120, 1, engine="sketch", listener="beat_this")))


def test_no_other_listener_is_known() -> None:
    with pytest.raises(InvalidRequest, match="one of own, beat_this"):
        LoopRequest("house", 120, listener="ear")


def test_earlier_recipes_were_heard_by_our_own() -> None:
    said = describe(LoopRequest("house", Fraction(120)))
    del said["listener"]
    assert request_of({"request": said}).listener == "own"


def program(folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "loopgen", *words],
        capture_output=True, text=True, cwd=folder, env=environment(folder) | more, check=False, timeout=300,
    )  # fmt: skip


def test_the_commands_ask_it(installed: Path, tmp_path: Path) -> None:
    path = {"PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), environment(tmp_path)["PYTHONPATH"]])}
    soundfile.write(tmp_path / "take.wav", clicks().samples, clicks().rate)
    conform = (
        "conform",
        "take.wav",
        "--bpm",
        "120",
        "--bars",
        "2",
        "-o",
        "loop.wav",
        "--json",
        "--listener",
        "beat_this",
    )
    refused = program(tmp_path, *conform, **path)
    assert refused.returncode == 2
    assert "weights are not in" in refused.stderr
    assert "Traceback" not in refused.stderr
    fetched(installed)
    done = program(tmp_path, *conform, **path)
    assert done.returncode == 0, done.stderr
    recipe = json.loads((tmp_path / "loop.json").read_text())
    assert abs((recipe["grid"]["first_downbeat"] - FIRST + 1) % (4 * BEAT) - 1) < 0.03
    again = program(tmp_path, "redo", "loop.wav", "-o", "again.wav", **path)
    assert "bit-identical" in again.stdout, again.stdout + again.stderr
