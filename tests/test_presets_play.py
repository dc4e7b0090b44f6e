"""The factory presets as they sound: `python -m tests.bench presets` measures them on many seeds."""

from __future__ import annotations

import pytest

from loopgen import presets
from loopgen.engines.sketch.engine import SketchEngine
from loopgen.looping.make import flaws, make
from loopgen.orders import settle


def test_there_are_enough_for_the_genres_people_make() -> None:
    assert len(presets.names()) >= 32


@pytest.mark.parametrize("name", presets.names())
def test_the_embedded_engine_plays_a_factory_preset_without_a_flaw(name: str) -> None:
    request = settle({"preset": name, "seed": 0, "rate": 22_050}).request
    take = SketchEngine().generate(request, request.seed)
    assert take.facts["genre_named"], f"the embedded engine knows no genre in {request.prompt!r}"
    assert flaws(make(take, request, stretcher=request.stretcher)) == []


def test_drums_alone_have_nothing_that_is_pitched() -> None:
    for name in ("four-floor-drums", "break-drums", "shaker-tops"):
        request = settle({"preset": name, "seed": 0, "bars": 1, "key": "Am"}).request
        assert set(SketchEngine().generate(request, 0).facts["instruments"]) == {"drums"}, name
