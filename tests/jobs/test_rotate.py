"""A loop turned by a job, and what a job says of a loop whose beat 1 is in doubt."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile

from loopgen import library
from loopgen.jobs import Rotate
from loopgen.worker import summary
from tests.jobs.support import bench, check_folder_is_whole
from tests.loops import doubted_loop


def test_a_loop_is_turned_with_its_take_however_it_is_named(tmp_path: Path) -> None:
    with bench(tmp_path, engine="odd") as b:
        made = b.done(variations=2)
        first, second = (Path(loop.path) for loop in made.delivered)
        for loop, path in ((made.id, first), (f"{made.id}/2", second), (first.name, first), (second, second)):
            end = b.heard.end(b.jobs.submit(Rotate(loop, Fraction(1), folder="turned")))
            assert end.state == "done", end
            (turned,) = end.delivered
            assert Path(turned.path).parent == tmp_path / "turned"
            before, after = (soundfile.read(file)[0] for file in (path, turned.path))
            assert np.array_equal(after, np.roll(before, -(len(before) // 4), axis=0))
            recipe = json.loads(Path(turned.path).with_suffix(".json").read_text("utf-8"))
            assert recipe["rotated"]["of"]["loop"] == path.name
        assert check_folder_is_whole(tmp_path) == 4


def test_a_loop_outlives_the_worker_and_its_take(tmp_path: Path) -> None:
    with bench(tmp_path, engine="odd", keep_takes=False) as b:
        made = b.done()
        b.failed("now exit")
        (path,) = (Path(loop.path) for loop in made.delivered)
        end = b.heard.end(b.jobs.submit(Rotate(path.name, Fraction(1))))
        assert end.state == "done", "its samples are all that is needed"
        end = b.heard.end(b.jobs.submit(Rotate(made.id, Fraction(1))))
        assert (end.state, end.code) == ("error", "audio_unreadable")


def test_only_a_path_leads_out_of_the_output_folder(tmp_path: Path) -> None:
    outside = library.keep(doubted_loop(), tmp_path).path
    with bench(tmp_path / "out", engine="odd") as b:
        end = b.heard.end(b.jobs.submit(Rotate(str(outside), Fraction(1))))
        assert (end.state, end.code) == ("error", "audio_unreadable")
        end = b.heard.end(b.jobs.submit(Rotate(outside)))
        assert end.state == "done" and Path(end.delivered[0].path).parent == tmp_path / "out"
        outside.unlink()
        end = b.heard.end(b.jobs.submit(Rotate(outside)))
        assert (end.state, end.code) == ("error", "audio_unreadable")


def test_the_summary_names_the_runner_up() -> None:
    assert summary(doubted_loop(sure=0.62, rival=0.3)) == "beat 1 62% sure, else beat 3 (30%)"
    assert summary(doubted_loop(sure=0.62, beats="1/2", rival=0.3)) == "beat 1 62% sure, else half a beat later (30%)"
    assert summary(doubted_loop(sure=0.9, rival=0.02)) == "beat 1 90% sure"
    assert summary(doubted_loop(sure=0.999, rival=0.3)) == "beat 1 certain"
    assert summary(doubted_loop(sure=0.4)).startswith("which beat is one is uncertain")
