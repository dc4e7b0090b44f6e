"""A MusicGen loop made again from its recipe: the same tokens, told by their digest."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from loopgen import library, remake, studio
from loopgen.audiofile import read_audio
from loopgen.engines.base import Hardware
from loopgen.engines.musicgen.engine import MusicGenEngine
from loopgen.music.loop import Loop
from loopgen.music.request import LoopRequest

PROCESSOR = Hardware("cpu", "fp32", 1)


def test_the_same_tokens_are_drawn_again(tmp_path: Path, tiny_text: Path) -> None:
    engine = MusicGenEngine(str(tiny_text), PROCESSOR)
    wanted: list[Hardware] = []

    def load(name: str, hardware: Hardware) -> MusicGenEngine:
        assert name == f"musicgen:{tiny_text}", "a folder is loaded by its path"
        wanted.append(hardware)
        return engine

    request = LoopRequest("dub techno", "127.9", 1, seed=5, takes=2, engine=f"musicgen:{tiny_text}")
    (loop,) = studio.generate(request, engine=engine)
    kept = library.keep(loop, tmp_path)
    (found,) = remake.redo(kept.path, load=load)
    assert found.loop.recipe["engine"]["tokens"] == loop.recipe["engine"]["tokens"]
    assert found.loop.take and loop.take
    # Alone and among others the codec rounds otherwise, by 1e-6 (see test_engine), and 24 bits round that again.
    assert np.allclose(found.loop.take.audio.samples, loop.take.audio.samples, atol=1.2e-6)
    assert found.identical or "the tokens are the same" in found.remarks[-1]
    assert wanted[0].precision == "fp32", "as in the recipe"
    (alone,) = studio.generate(LoopRequest("dub techno", "127.9", 1, seed=loop.recipe["seed"], takes=1), engine=engine)
    if alone.recipe["seed"] == loop.recipe["seed"]:
        assert alone.recipe["engine"]["tokens"] == loop.recipe["engine"]["tokens"]

    laid = library.keep(remake.retempo(kept.path, request.bpm + 3), tmp_path)
    (again,) = remake.redo(laid.path, load=load)
    assert again.identical or "the tokens are the same" in again.remarks[-1]

    recipe = json.loads(kept.sidecar.read_text("utf-8"))
    recipe["seed"] += 1
    kept.sidecar.write_text(json.dumps(recipe), "utf-8")
    (other,) = remake.redo(kept.path, load=load)
    assert other.identical is False
    assert "other tokens were drawn" in other.remarks[-1]


def test_a_loop_that_goes_on_is_made_again(tmp_path: Path, tiny_text: Path) -> None:
    engine = MusicGenEngine(str(tiny_text), PROCESSOR)
    request = LoopRequest("dub techno", 120, 1, seed=5, takes=1, engine=f"musicgen:{tiny_text}")
    (first,) = studio.generate(request, engine=engine)
    earlier = library.keep(first, tmp_path / "first.wav")
    heard = Loop(read_audio(earlier.path), request, {}, {})
    going = LoopRequest(
        "dub techno",
        120,
        1,
        seed=7,
        takes=1,
        engine=request.engine,
        opening=studio.opening(heard, request, "continue", "first.wav"),
    )
    (loop,) = studio.generate(going, engine=engine)
    kept = library.keep(loop, tmp_path / "second.wav")
    (found,) = remake.redo(kept.path, load=lambda name, hardware: engine)
    assert found.identical is True, found.remarks
    assert found.loop.recipe["engine"]["tokens"] == loop.recipe["engine"]["tokens"]
