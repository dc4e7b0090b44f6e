from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from loopgen.errors import InvalidRequest, PresetUnusable
from loopgen.music.key import Key
from loopgen.music.melody import Melody, Note
from loopgen.music.request import LoopRequest
from loopgen.music.tempo import Meter
from loopgen.orders import ASKED, settle

TUNE = Melody((Note(0, 60, 1),), 4)


def test_what_is_given_wins_over_the_prompt_this_over_the_preset_this_over_the_defaults(tmp_path: Path) -> None:
    own = {"rate": 48_000, "engine": "moody", "bars": 2}
    plain = settle({"prompt": "house"}, otherwise=own).request
    assert (plain.bars, plain.rate, plain.engine, plain.bpm) == (2, 48_000, "moody", Fraction(120))
    (tmp_path / "mine.toml").write_text('prompt = "dub"\nbars = 8\nengine = "other"\nbpm = 99\nkey = "D"', "utf-8")
    preset = settle({"preset": "mine"}, own_presets=tmp_path, otherwise=own).request
    assert (preset.prompt, preset.bars, preset.engine, preset.bpm) == ("dub", 8, "other", Fraction(99))
    assert (preset.key, preset.rate) == (Key.parse("D"), 48_000)
    said = settle({"preset": "mine", "prompt": "house, 131.5 bpm, F minor, 3/4"}, own_presets=tmp_path).request
    assert (said.prompt, said.bpm, said.key, said.meter) == ("house", Fraction("131.5"), Key.parse("Fm"), Meter(3, 4))
    assert said.bars == preset.bars
    told = settle(
        {"preset": "mine", "prompt": "house, 131.5 bpm, F minor, 3/4", "bpm": "60.23", "key": "Am",
         "meter": "7/8", "bars": 3, "rate": 32_000, "engine": "sketch", "variations": 2, "seed": 5},
        own_presets=tmp_path, otherwise=own,
    )  # fmt: skip
    request = told.request
    assert (str(request.bpm), request.key, request.meter) == ("6023/100", Key.parse("Am"), Meter(7, 8))
    assert (request.bars, request.rate, request.engine) == (3, 32_000, "sketch")
    assert (request.variations, request.seed) == (2, 5)
    assert len(told.notes) == 3


def test_none_counts_as_not_given() -> None:
    settled = settle(dict.fromkeys(ASKED) | {"prompt": "house", "seed": 1})
    assert settled == settle({"prompt": "house", "seed": 1})


def test_a_seed_is_drawn_where_none_is_given() -> None:
    assert len({settle({"prompt": "house"}).request.seed for _ in range(5)}) == 5


def test_chords_take_the_meter_that_was_settled() -> None:
    melody = settle({"prompt": "waltz in 3/4", "chords": "Am F"}).request.melody
    assert melody is not None
    assert melody.length == 6
    assert settle({"prompt": "waltz"}, TUNE).request.melody is TUNE


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "prompt"),
        ({"prompt": "x", "tempo": 120}, "order: 'tempo'"),
        ({"prompt": "x", "vairations": 2}, "'variations'"),
        ({"prompt": 7}, "prompt: 7"),
        ({"prompt": "x", "engine": 7}, "engine: 7"),
        ({"preset": 3}, "preset: 3"),
        ({"prompt": "x", "chords": "Am Hm"}, "'Hm'"),
        ({"prompt": "x", "bars": 2.5}, "bars: 2.5"),
        ({"prompt": "x", "seed": -1}, "seed: -1"),
        ({"prompt": "x", "bpm": 5}, "20 to 999"),
    ],
)
def test_what_cannot_be_used_is_named(asked: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        settle(asked)


def test_chords_and_a_melody_exclude_each_other() -> None:
    with pytest.raises(InvalidRequest, match="either chords or a melody"):
        settle({"prompt": "x", "chords": "Am"}, TUNE)


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(PresetUnusable, match="dub-techno"):
        settle({"preset": "dub-tekno"})


def test_an_order_after_a_loop_takes_over_what_it_leaves_open(tmp_path: Path) -> None:
    old = LoopRequest("dub techno", "60.23", bars=2, meter="3/4", key="Am", rate=48_000, seed=3)
    plain = settle({"seed": 1, "bars": None}, earlier=old, otherwise={"bars": 16}).request
    assert (plain.prompt, plain.bpm, plain.bars, plain.meter, plain.key) == (
        "dub techno", Fraction("60.23"), 2, Meter(3, 4), Key.parse("Am"),
    )  # fmt: skip
    other = settle({"prompt": "with congas", "bpm": 90, "bars": 8}, earlier=old).request
    assert (other.prompt, other.bpm, other.bars, other.key) == ("with congas", Fraction(90), 8, Key.parse("Am"))
    words = settle({"prompt": "with congas, 131.5 bpm, F minor"}, earlier=old)  # the prompt's words leave nothing open
    assert (words.request.bpm, words.request.key, words.notes) == (Fraction("131.5"), Key.parse("Fm"), ())
    (tmp_path / "mine.toml").write_text('prompt = "house"\nbpm = 99\nbars = 8\nengine = "other"', "utf-8")
    preset = settle({"preset": "mine"}, own_presets=tmp_path, earlier=old).request
    assert (preset.prompt, preset.bpm, preset.bars, preset.engine) == ("house", old.bpm, 2, "other")
    with pytest.raises(InvalidRequest, match="a prompt like"):
        settle({}, earlier=LoopRequest("", 100))
