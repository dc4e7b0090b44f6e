"""What the page has made, without a browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from loopgen.errors import InvalidRequest, PresetUnusable, UnknownJob
from loopgen.page import workshop as module
from loopgen.page.workshop import Bench, Workshop, read_order


def quiet(bench: Bench) -> Workshop:
    return Workshop(bench, lambda job: None, lambda: None)


@pytest.mark.parametrize("runs", [True, False])
def test_who_asks_for_a_model_is_told_of_another_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runs: bool
) -> None:
    monkeypatch.setattr(module, "has_models", lambda name: name == "big")
    monkeypatch.setattr(module, "settle", lambda given, own_presets: None)
    workshop = quiet(Bench(tmp_path, engine="sketch", beside=lambda: "`loopgen serve`" if runs else ""))
    try:
        told = workshop.submit({"prompt": "house", "engine": "big"})["notes"]
        assert [note for note in told if "loopgen serve" in note] == told
        assert bool(told) == runs
        assert workshop.submit({"prompt": "house", "engine": "big"})["notes"] == []  # once
    finally:
        workshop.close()


def test_what_cannot_be_made_starts_no_worker(tmp_path: Path) -> None:
    workshop = quiet(Bench(tmp_path))
    with pytest.raises(InvalidRequest, match="20 to 999"):
        workshop.submit({"prompt": "house", "bpm": "0"})
    with pytest.raises(PresetUnusable, match="nothing"):
        workshop.submit({"preset": "nothing"})
    with pytest.raises(UnknownJob):
        workshop.cancel("nobody")
    assert workshop.worker_pid is None
    assert workshop.jobs() == []
    workshop.close()


def test_a_form_is_read_as_an_order() -> None:
    assert read_order({"prompt": "house", "bpm": " 127.9 ", "seed": "7", "top_p": "0.9", "chords": ""}) == {
        "prompt": "house",
        "bpm": " 127.9 ",
        "seed": 7,
        "top_p": 0.9,
    }
    with pytest.raises(InvalidRequest, match="tempo"):
        read_order({"tempo": "120"})
