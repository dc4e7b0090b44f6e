import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from loopgen import metrics, report
from loopgen.music.audio import Audio
from loopgen.music.loop import Loop
from tests.loops import pulse_loop


def measured(loop: Loop) -> Loop:
    request = loop.request
    return replace(loop, scores=metrics.evaluate(loop.audio, request.bpm, request.bars, request.meter).to_dict())


LOOP = measured(pulse_loop())
SILENT = measured(replace(LOOP, audio=Audio(np.zeros_like(LOOP.audio.samples), LOOP.audio.rate), recipe={}))


def test_the_json_object_is_json_and_says_what_the_loop_is() -> None:
    for loop in (LOOP, SILENT):
        shown = json.loads(json.dumps(report.fields(loop, Path("a.wav")), allow_nan=False))
        assert (shown["path"], shown["frames"], shown["bpm"]) == ("a.wav", loop.audio.frames, 127.9)


def test_the_text_says_the_same_in_words() -> None:
    text = "\n".join(report.describe(replace(LOOP, warnings=("beware",)), Path("a.wav")))
    for words in ("a.wav", "127.9 BPM", "4 bars of 4/4", "Am", "stereo", "LUFS", "seed 7", "warning: beware"):
        assert words in text


def test_takes_that_were_passed_over_are_told_briefly() -> None:
    def shown(*whys: str) -> list[str]:
        takes = [{"seed": seed, "warnings": [why] if why else []} for seed, why in enumerate(whys, 1)]
        loop = replace(LOOP, recipe={**LOOP.recipe, "weaker_takes": takes})
        return [line for line in report.describe(loop, Path("a.wav")) if "weaker" in line]

    assert shown() == []
    assert shown("silent", "hole", "silent") == ["  weaker   seeds 1, 3: silent", "  weaker   seed 2: hole"]
    assert shown("") == ["  weaker   seed 1: more strained at the seam"]
    assert shown(*"aabcdee")[2:] == [
        "  weaker   seed 4: c",
        "  weaker   and 3 takes more, in the JSON beside the loop",
    ]


def test_plain_terminals_get_ascii() -> None:
    for loop in (LOOP, SILENT):
        assert "\n".join(report.describe(loop, Path("a.wav"), plain=True)).isascii()


@pytest.mark.parametrize("bars", [1, 3, 4, 64, 100])
def test_the_level_line_shows_the_beats(bars: int) -> None:
    line = report.sketch(pulse_loop(bars=bars, bpm="240"), plain=True)
    assert line.count("|") == (bars - 1 if bars <= 64 else 0)
    assert len(line) <= 64 + 64


def test_the_picture_is_a_png_with_ink_where_the_loop_is_loud() -> None:
    image = imread(io.BytesIO(report.draw(LOOP)))
    assert image.shape[1] > 1000
    assert image[..., :3].std() > 0.1
    assert report.draw(SILENT).startswith(b"\x89PNG")


def test_fewer_warnings_then_the_better_seam_rank_first() -> None:
    good = report.fields(LOOP, Path("a.wav"))
    warned = good | {"warnings": ["x"]}
    strained = good | {"seam": {**good["seam"], "click": 9.0}}
    assert sorted([warned, strained, good], key=report.rank) == [good, strained, warned]
