"""What the worker keeps in memory: of engines with models one, of loops the takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import Pipe
from pathlib import Path
from typing import ClassVar
from weakref import WeakSet

import pytest

from loopgen.engines import base
from loopgen.engines.base import EngineEntry, Hardware, Progress
from loopgen.errors import EngineUnavailable
from loopgen.music.loop import Take
from loopgen.worker import PREVIEWS, _Worker
from loopgen.worker.messages import Generate, Order, Setup
from loopgen.worker.takes import Takes
from tests.loops import pulse_loop
from tests.stand_in import ENTRIES, Moody


class Player(Moody):
    """Plays by a model; knows which were made, and which of them are alive."""

    alive: ClassVar[WeakSet[Player]] = WeakSet()
    made: ClassVar[list[str]] = []

    def __init__(self, model: str, _hardware: Hardware, progress: Progress) -> None:
        progress(0.5)
        self.name = f"player:{model or 'own'}"
        self.alive.add(self)
        self.made.append(self.name)


def why_not(model: str) -> str:
    return f"there is no {model}" if model == "nothing" else ""


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Worker]:
    here = __name__
    entry = EngineEntry("player", "", "CC0", f"{here}:Player", 99, has_models=True, ready=f"{here}:why_not")
    monkeypatch.setattr(base, "BUILT_IN", (*base.BUILT_IN, entry))
    monkeypatch.setattr(Player, "alive", WeakSet())
    monkeypatch.setattr(Player, "made", [])
    ours, its = Pipe()
    with ours, its:
        yield _Worker(its, Setup(tmp_path, "auto", "auto", "wav", None, Hardware()))


@pytest.mark.parametrize("name", ["player:blue", "player:own"])
def test_one_model_is_in_memory_at_a_time(worker: _Worker, name: str) -> None:
    besides: list[int] = []

    def tell(share: float) -> None:
        if share:  # a model is being loaded
            besides.append(len(Player.alive))

    for wanted in ("auto", name, "auto", "sketch", name, "player"):
        worker._engine(wanted, tell)
        assert len(Player.alive) == 1
    assert set(besides) == {0}
    assert [player.name for player in Player.alive] == [name]
    assert Player.made == (["player:own", name] * 2 if name == "player:blue" else ["player:own"])


def test_a_model_that_is_not_here_costs_the_one_that_plays_nothing(worker: _Worker) -> None:
    playing = worker._engine("player:blue", lambda share: None)
    with pytest.raises(EngineUnavailable, match="there is no nothing"):
        worker._engine("player:nothing", lambda share: None)
    assert worker._engine("player:blue", lambda share: None) is playing
    assert Player.made == ["player:blue"]


def test_of_a_loop_only_its_take_is_kept(tmp_path: Path) -> None:
    loop = pulse_loop()
    take = Take(loop.audio, "moody", 1)
    takes = Takes(tmp_path)
    takes.keep(
        "job", 1, tmp_path / "a.wav", replace(loop, audio=loop.audio.with_samples(loop.audio.samples.copy()), take=take)
    )
    kept = takes.find("a.wav")
    assert kept.take is take
    assert kept.audio.samples.base is not None
    assert kept.audio.samples.base.nbytes == 0, "no view of the loop's sound"


def test_a_preview_is_gone_before_its_loop_is_told(worker: _Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "BUILT_IN", (*base.BUILT_IN, *ENTRIES))
    heard: list[tuple[str, bool]] = []
    folder = worker._setup.output / PREVIEWS
    monkeypatch.setattr(
        worker, "_send", lambda message: heard.append((type(message).__name__, any(folder.glob("preview-*.wav"))))
    )
    asked = {"prompt": "x", "bpm": 120, "bars": 1, "seed": 3, "engine": "choir"}
    assert worker._done(Order("job", Generate(asked, preview=True))).state == "done"
    assert ("Previewed", True) in heard
    assert [there for name, there in heard if name == "Made"] == [False]
