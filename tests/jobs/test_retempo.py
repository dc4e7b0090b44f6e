"""A kept take on another tempo."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from loopgen.jobs import Retempo
from loopgen.music.audio import Audio
from loopgen.music.tempo import Meter, loop_frames
from loopgen.onsets import onset_times
from tests.jobs.support import bench, check_folder_is_whole


class TestRetempo:
    def test_the_same_bars_on_another_tempo(self, tmp_path: Path) -> None:
        with bench(tmp_path) as b:
            made = b.done("boom bap", engine=None, bars=2, bpm="124", seed=8)
            (first,) = made.delivered
            original = json.loads(Path(first.path).with_suffix(".json").read_text("utf-8"))
            names = (Path(first.path).name, made.id, f"{made.id}/1")
            for loop, bpm in zip(names, (Fraction("127.9"), Fraction(361, 3), Fraction(118)), strict=True):
                end = b.heard.end(b.jobs.submit(Retempo((loop,), bpm, folder="other")))
                assert end.state == "done", end
                (other,) = end.delivered
                assert Path(other.path).parent == tmp_path / "other"
                assert (other.bpm, other.bars, other.variations) == (bpm, 2, 1)
                samples, rate = soundfile.read(other.path)
                assert len(samples) == other.frames == loop_frames(bpm, 2, Meter(), rate)
                before, _ = soundfile.read(first.path)
                assert same_rhythm(before, samples, rate) > 0.9
                assert same_rhythm(before, np.roll(samples, len(samples) // 8, axis=0), rate) < 0.7  # it can fail
                recipe = json.loads(Path(other.path).with_suffix(".json").read_text("utf-8"))
                assert recipe["retempo"]["from"] == "124"
                assert recipe["engine"]["name"] == "sketch"
                assert recipe["grid"]["loop_start"] == pytest.approx(original["grid"]["loop_start"], abs=1e-4)
            assert check_folder_is_whole(tmp_path) == 4

    def test_a_variation_by_its_number_and_a_retempo_of_a_retempo(self, tmp_path: Path) -> None:
        with bench(tmp_path, engine="odd") as b:
            made = b.done(variations=2)
            second = b.heard.end(b.jobs.submit(Retempo((f"{made.id}/2",), Fraction(100))))
            recipe = json.loads(Path(second.delivered[0].path).with_suffix(".json").read_text("utf-8"))
            original = json.loads(Path(made.delivered[1].path).with_suffix(".json").read_text("utf-8"))
            assert recipe["seed"] == original["seed"]
            back = b.heard.end(b.jobs.submit(Retempo((second.id,), Fraction(120))))
            assert back.delivered[0].path == made.delivered[1].path
            assert json.loads(Path(back.delivered[0].path).with_suffix(".json").read_text("utf-8")) == original

    def test_a_take_that_is_not_kept(self, tmp_path: Path) -> None:
        with bench(tmp_path, engine="odd") as b:
            made = b.done()
            b.failed("now exit")
            end = b.heard.end(b.jobs.submit(Retempo((made.id,), Fraction(100))))
            assert (end.state, end.code) == ("error", "take_gone")
            assert "seed" in end.message
            made = b.done()
            end = b.heard.end(b.jobs.submit(Retempo((made.id,), Fraction(1000))))
            assert (end.state, end.code) == ("error", "invalid_request")


def same_rhythm(one: NDArray[np.float64], other: NDArray[np.float64], rate: int) -> float:
    """Share of the clear onsets of one loop that the other has at the same place in the bar, to 5 ms."""
    clear, all_of_other = onset_times(Audio(one, rate)), onset_times(Audio(other, rate))
    places = clear.times[clear.strengths >= 0.2] * rate / len(one)
    assert len(places) >= 8
    off = np.abs(places[:, None] - all_of_other.times * rate / len(other))
    return float(np.mean(np.minimum(off, 1 - off).min(axis=1) * len(other) / rate < 0.005))
