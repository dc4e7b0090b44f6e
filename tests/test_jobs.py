"""Jobs with a real worker process: the happy path, cancelling, and every way in which a worker or its disk can fail."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from loopgen.errors import Busy, UnknownJob
from loopgen.jobs import Generate, Job, Jobs, Retempo
from loopgen.music.audio import Audio
from loopgen.music.melody import Melody, Note
from loopgen.music.tempo import Meter, loop_frames
from loopgen.onsets import onset_times
from tests.jobs_support import DEADLINE, bench, check_folder_is_whole, soon

STALL = 12.0
"""Seconds without a sign of life; a worker on a machine that is busy with other tests takes some to start."""

PLUGINS = Path(__file__).parent / "plugins"
posix = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")


@pytest.fixture(autouse=True)
def odd_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines that come through their entry point, in the worker too, which gets our ``sys.path``."""
    monkeypatch.syspath_prepend(PLUGINS)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)


def test_a_job_from_the_queue_to_the_disk(tmp_path: Path) -> None:
    with bench(tmp_path / "made" / "on demand") as b:
        job = b.submit("dub techno", engine=None, bpm="127.9", bars=4, folder="my set", rate=48_000)
        assert (job.state, job.position, job.delivered) == ("queued", 0, ())
        end = b.heard.end(job)
        assert (end.state, end.fraction, end.code) == ("done", 1.0, "")
        (loop,) = end.delivered
        path = Path(loop.path)
        assert path.parent == b.output / "my set"
        frames = loop_frames(Fraction("127.9"), 4, Meter(), 48_000)
        assert (loop.frames, loop.rate, loop.bars) == (frames, 48_000, 4)
        assert (loop.bpm, loop.quarters) == (Fraction("127.9"), Fraction(16))
        assert len(soundfile.read(path)[0]) == frames
        assert (loop.variation, loop.variations) == (1, 1)
        assert loop.summary.startswith("seam clean, beat 1 certain, -1")
        assert loop.summary.endswith(" LUFS")
        assert json.loads(path.with_suffix(".json").read_text("utf-8"))["request"]["bpm"] == "127.9"
        assert b.jobs.find(job.id) == end
        assert b.jobs.engine_facts == {"name": "sketch", "version": "1", "licence": "CC0-1.0"}
        assert check_folder_is_whole(b.output) == 1


def test_news_comes_in_order_and_progress_rises(tmp_path: Path) -> None:
    with bench(tmp_path) as b:
        end = b.done("house", engine=None, variations=3, bars=2)
        news = b.heard.of(end)
        assert [job.state for job in news] == ["queued", *["running"] * (len(news) - 2), "done"]
        fractions = [job.fraction for job in news]
        assert fractions == sorted(fractions)
        assert len(set(fractions)) > 5
        assert [loop.variation for loop in end.delivered] == [1, 2, 3]
        assert len({loop.path for loop in end.delivered}) == 3
        assert [len(job.delivered) for job in news] == sorted(len(job.delivered) for job in news)
        stages = {job.stage for job in news}
        assert any(stage.startswith("loop 2 of 3: ") for stage in stages)
        assert {"starting", "ready", "working"} >= set(b.heard.states) >= {"working", "ready"}


def test_the_worker_follows_a_melody_a_preset_and_chords(tmp_path: Path) -> None:
    with bench(tmp_path) as b:
        melody = Melody((Note(0, 57, 1), Note(1, 60, 1), Note(2, 64, 2)), 4)
        job = b.jobs.submit(Generate({"prompt": "synth lead, 100 bpm", "bars": 1, "seed": 1}, melody))
        (loop,) = b.heard.end(job).delivered
        assert loop.bpm == 100
        recipe = json.loads(Path(loop.path).with_suffix(".json").read_text("utf-8"))
        assert [note[1] for note in recipe["request"]["melody"]] == [57, 60, 64]
        both = b.heard.end(b.jobs.submit(Generate({"prompt": "x", "chords": "Am"}, melody)))
        assert (both.state, both.code) == ("error", "invalid_request")
        assert b.failed(bpm="1e9").code == "invalid_request"
        assert b.failed(preset="no such").code == "preset_unusable"
        assert b.failed(engine="absent").code == "engine_unavailable"


def test_the_server_process_imports_nothing_heavy() -> None:
    heavy = ("scipy", "soundfile", "soxr", "librosa", "matplotlib", "loopgen.studio", "loopgen.looping")
    script = f"import sys, loopgen.jobs; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=DEADLINE)
    assert done.stdout.strip() == "[]"


def test_what_waits_is_cancelled_at_once_and_what_runs_soon(tmp_path: Path) -> None:
    with bench(tmp_path, engine="odd") as b:
        b.ready()
        pid = b.jobs.worker_pid
        running, waiting, last = b.submit("take it slow"), b.submit(), b.submit()
        assert [waiting.position, last.position] == [1, 2]
        b.heard.running(running)
        assert b.jobs.cancel(waiting.id).state == "cancelled"
        assert b.jobs.find(last.id).position == 1
        start = time.monotonic()
        b.jobs.cancel(running.id)
        end = b.heard.end(running)
        print(f"a running job was cancelled in {1000 * (time.monotonic() - start):.1f} ms")
        assert (end.state, end.delivered) == ("cancelled", ())
        assert b.heard.end(last).state == "done"
        assert b.jobs.worker_pid == pid  # it yielded
        assert b.jobs.cancel(last.id).state == "done"
        with pytest.raises(UnknownJob):
            b.jobs.cancel("ffffffff")


def test_the_embedded_engine_yields_at_any_moment(tmp_path: Path) -> None:
    with bench(tmp_path) as b:
        b.ready()
        pid, times, yielded = b.jobs.worker_pid, [], 0
        for moment in range(8):
            job = b.submit("drum and bass", engine=None, bpm="174", bars=8)
            b.heard.reached(job, moment / 9)
            start = time.monotonic()
            b.jobs.cancel(job.id)
            assert b.heard.end(job).state == "cancelled"
            times.append(round(1000 * (time.monotonic() - start)))
            yielded += b.jobs.worker_pid == pid
            b.ready()
            pid = b.jobs.worker_pid
        print(f"cancelled in {times} ms; the worker yielded {yielded} times of 8")
        assert check_folder_is_whole(tmp_path) == 0
        assert b.done(engine=None).delivered


@pytest.mark.parametrize("prompt", ["now hang", "now spin", "now deaf"])
def test_a_worker_that_does_not_yield_is_replaced(tmp_path: Path, prompt: str) -> None:
    with bench(tmp_path, engine="odd") as b:
        b.ready()
        pid = b.jobs.worker_pid
        job = b.submit(prompt)
        b.heard.reached(job, 0.2)
        start = time.monotonic()
        b.jobs.cancel(job.id)
        end = b.heard.end(job)
        print(f"{prompt}: cancelled in {1000 * (time.monotonic() - start):.1f} ms")
        assert (end.state, end.code) == ("cancelled", "cancelled")
        assert b.done().delivered
        assert b.jobs.worker_pid != pid


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        pytest.param("now segfault", "SIGSEGV", marks=posix),
        pytest.param("now sigkill", "most likely out of memory", marks=posix),
        ("now exit", "exit status 3"),
    ],
)
def test_a_crash_is_an_error_and_the_next_job_works(tmp_path: Path, prompt: str, said: str) -> None:
    with bench(tmp_path, engine="odd") as b:
        crashing, following = b.submit(prompt), b.submit()
        end = b.heard.end(crashing)
        assert (end.state, end.code) == ("error", "worker_died")
        assert said in end.message
        assert "Traceback" not in end.message
        assert b.heard.end(following).state == "done"


@pytest.mark.parametrize(
    ("prompt", "code", "said"),
    [
        ("now memory", "out_of_memory", "fewer bars"),
        ("now raise", "generation_failed", "a fault of the engine"),
        ("now quit", "internal", "the engine leaves"),
    ],
)
def test_what_an_engine_raises_is_an_error_and_the_worker_lives(
    tmp_path: Path, prompt: str, code: str, said: str
) -> None:
    with bench(tmp_path, engine="odd") as b:
        b.ready()
        pid = b.jobs.worker_pid
        end = b.failed(prompt)
        assert end.code == code
        assert said in end.message
        assert b.done("now print").delivered
        assert b.jobs.worker_pid == pid


def test_a_worker_without_a_sign_of_life_is_given_up(tmp_path: Path) -> None:
    with bench(tmp_path, engine="odd", stall=STALL) as b:
        b.ready()
        end = b.failed("now hang")
        assert end.code == "stalled"
        assert f"{STALL:g} s" in end.message
        assert b.done().delivered


def test_an_idle_worker_that_is_killed_is_replaced(tmp_path: Path) -> None:
    with bench(tmp_path, engine="odd") as b:
        b.ready()
        pid = b.jobs.worker_pid
        assert pid
        kill(pid)
        b.heard.until(lambda: b.jobs.state == "ready" and b.jobs.worker_pid != pid)
        assert b.done().delivered


@posix
def test_ctrl_c_is_not_for_the_worker(tmp_path: Path) -> None:
    with bench(tmp_path, engine="odd") as b:
        assert soon(lambda: b.jobs.worker_pid is not None)
        pid = b.jobs.worker_pid
        assert pid
        os.kill(pid, signal.SIGINT)  # while it is born
        b.ready()
        os.kill(pid, signal.SIGINT)
        assert b.done().delivered
        assert b.jobs.worker_pid == pid


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_death_in_the_middle_of_writing_leaves_nothing(tmp_path: Path, step: int) -> None:
    with bench(tmp_path, engine="odd") as b:
        end = b.failed(f"now die-at-{step}", folder="set")
        assert end.code == "worker_died"
        assert list((tmp_path / "set").iterdir()) == []
        assert b.done(folder="set").delivered
        assert check_folder_is_whole(tmp_path) == 1


def test_thirty_jobs_with_the_worker_killed_at_random(tmp_path: Path) -> None:
    rng = random.Random(5)
    handles = Path("/proc/self/fd")  # where there is one
    with bench(tmp_path) as b:
        b.ready()
        before = len(list(handles.glob("*")))
        jobs = [
            b.submit(
                "techno", engine="odd" if rng.random() < 0.5 else None, bars=2, seed=n, variations=rng.choice([1, 2])
            )
            for n in range(30)
        ]
        over = threading.Event()

        def murder() -> None:
            while not over.wait(rng.uniform(0.1, 2.5)):
                if pid := b.jobs.worker_pid:
                    kill(pid)

        murderer = threading.Thread(target=murder)
        murderer.start()
        try:
            ends = [b.heard.end(job) for job in jobs]
        finally:
            over.set()
            murderer.join()
        assert {end.state for end in ends} <= {"done", "error"}
        assert {end.code for end in ends} <= {"", "worker_died"}
        counted = {state: sum(end.state == state for end in ends) for state in ("done", "error")}
        print(f"30 jobs among kills: {counted}")
        assert b.done("techno", seed=99).delivered
        b.ready()
        assert len(list(handles.glob("*"))) <= before
        for end in ends:
            assert all(Path(loop.path).exists() for loop in end.delivered)
            assert end.state == "error" or len(end.delivered) == end.delivered[0].variations
    check_folder_is_whole(tmp_path)


def test_more_jobs_than_may_wait_are_refused(tmp_path: Path) -> None:
    with bench(tmp_path, engine="odd", limit=3) as b:
        running = b.submit("take it slow")
        b.heard.running(running)
        waiting = [b.submit() for _ in range(3)]
        with pytest.raises(Busy, match="3 jobs wait"):
            b.submit()
        b.jobs.cancel(waiting[0].id)
        waiting.append(b.submit())
        b.jobs.cancel(running.id)
        assert [b.heard.end(job).state for job in waiting] == ["cancelled", "done", "done", "done"]


@pytest.mark.parametrize("prompt", ["take it slow", "now hang"])
def test_closing_ends_every_job_once(tmp_path: Path, prompt: str) -> None:
    with bench(tmp_path, engine="odd") as b:
        jobs = [b.submit(prompt), b.submit(), b.submit()]
        b.heard.running(jobs[0])
        b.jobs.close()
        b.jobs.close()
        assert [len(b.heard.ends(job)) for job in jobs] == [1, 1, 1]
        assert {b.jobs.find(job.id).state for job in jobs} == {"cancelled"}
        with pytest.raises(Busy, match="closing"):
            b.submit()


def test_closing_what_never_started_ends_its_jobs_too(tmp_path: Path) -> None:
    with bench(tmp_path, start=False) as b:
        job = b.submit()
    assert b.jobs.find(job.id).state == "cancelled"
    with bench(tmp_path / "none"):
        pass  # closed while its worker starts
    assert not (tmp_path / "none").exists()


def test_a_listener_that_raises_hurts_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ended = threading.Event()

    def listener(job: Job) -> None:
        if job.has_ended:
            ended.set()
        raise RuntimeError("not my day")

    jobs = Jobs(tmp_path, engine="odd", listener=listener)
    jobs.start()
    try:
        job = jobs.submit(Generate({"prompt": "x", "bpm": 120, "bars": 1}))
        assert ended.wait(DEADLINE)
        assert jobs.find(job.id).state == "done"
    finally:
        jobs.close()
    assert "listener" in caplog.text


def test_a_listener_that_does_not_return_does_not_hold_up_the_close(tmp_path: Path) -> None:
    stuck, free = threading.Event(), threading.Event()

    def listener(job: Job) -> None:
        stuck.set()
        free.wait(DEADLINE)

    jobs = Jobs(tmp_path, engine="odd", listener=listener)
    jobs.start()
    job = jobs.submit(Generate({"prompt": "x", "bpm": 120, "bars": 1}))
    assert stuck.wait(DEADLINE)
    jobs.close(timeout=0.2)
    assert jobs.find(job.id).state == "cancelled"
    free.set()


class TestEnginesThatDoNotLoad:
    def test_jobs_fail_with_the_reason_and_another_engine_works(self, tmp_path: Path) -> None:
        with bench(tmp_path, engine="absent") as b:
            b.heard.until(lambda: b.jobs.state == "failed")
            assert "pip install no-such-module" in b.jobs.trouble
            end = b.failed(engine=None)
            assert end.code == "engine_unavailable"
            assert "pip install no-such-module" in end.message
            assert b.done(engine="odd").delivered
            assert b.jobs.engine_facts == {}

    def test_it_is_tried_again_with_the_next_job(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        flag = tmp_path / "flag"
        monkeypatch.setenv("ODD_ENGINES_FLAG", str(flag))
        with bench(tmp_path / "out", engine="late") as b:
            assert "not downloaded yet" in b.failed(engine=None).message
            assert b.jobs.state == "failed"
            flag.touch()
            assert b.done(engine=None).delivered
            assert b.jobs.engine_facts["name"] == "late"
            assert b.jobs.state == "ready"

    def test_one_that_takes_the_process_along_is_not_started_again_and_again(self, tmp_path: Path) -> None:
        with bench(tmp_path, engine="doomed") as b:
            b.heard.until(lambda: b.jobs.state == "failed")
            time.sleep(1.0)
            assert b.jobs.worker_pid is None
            assert b.heard.states.count("starting") == 1
            assert b.done(engine="odd").delivered
            end = b.failed(engine=None)
            assert end.code == "worker_died"
            assert "exit status 7" in end.message
            assert b.done(engine="odd").delivered

    def test_one_that_never_gets_ready_holds_nobody_up(self, tmp_path: Path) -> None:
        with bench(tmp_path, engine="frozen", stall=STALL) as b:
            b.heard.until(lambda: b.jobs.state == "failed")
            assert "no sign of life" in b.jobs.trouble
            assert b.done(engine="odd").delivered
            job = b.submit(engine=None)
            b.heard.until(lambda: b.heard.of(job)[-1:] != [] and "loading" in b.heard.of(job)[-1].stage)
            b.jobs.cancel(job.id)
            assert b.heard.end(job).state == "cancelled"

    def test_jobs_that_wait_while_it_crashes_get_their_turn(self, tmp_path: Path) -> None:
        with bench(tmp_path, engine="doomed") as b:
            ends = [b.heard.end(b.submit(engine=engine)) for engine in ("odd", None, "odd")]
            assert [end.state for end in ends] == ["done", "error", "done"]


class TestRetempo:
    def test_the_same_bars_on_another_tempo(self, tmp_path: Path) -> None:
        with bench(tmp_path) as b:
            made = b.done("boom bap", engine=None, bars=2, bpm="124", seed=8)
            (first,) = made.delivered
            original = json.loads(Path(first.path).with_suffix(".json").read_text("utf-8"))
            names = (Path(first.path).name, made.id, f"{made.id}/1")
            for loop, bpm in zip(names, (Fraction("127.9"), Fraction(361, 3), Fraction(118)), strict=True):
                end = b.heard.end(b.jobs.submit(Retempo(loop, bpm, folder="other")))
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
                assert recipe["retempo"] == {"from": "124"}
                assert recipe["engine"]["name"] == "sketch"
                assert recipe["grid"]["loop_start"] == pytest.approx(original["grid"]["loop_start"], abs=1e-4)
            assert check_folder_is_whole(tmp_path) == 4

    def test_a_variation_by_its_number_and_a_retempo_of_a_retempo(self, tmp_path: Path) -> None:
        with bench(tmp_path, engine="odd") as b:
            made = b.done(variations=2)
            second = b.heard.end(b.jobs.submit(Retempo(f"{made.id}/2", Fraction(100))))
            recipe = json.loads(Path(second.delivered[0].path).with_suffix(".json").read_text("utf-8"))
            original = json.loads(Path(made.delivered[1].path).with_suffix(".json").read_text("utf-8"))
            assert recipe["seed"] == original["seed"]
            back = b.heard.end(b.jobs.submit(Retempo(second.id, Fraction(120))))
            assert Path(back.delivered[0].path).read_bytes() == Path(made.delivered[1].path).read_bytes()

    def test_a_take_that_is_not_kept(self, tmp_path: Path) -> None:
        with bench(tmp_path, engine="odd") as b:
            made = b.done()
            b.failed("now exit")
            end = b.heard.end(b.jobs.submit(Retempo(made.id, Fraction(100))))
            assert (end.state, end.code) == ("error", "take_gone")
            assert "seed" in end.message
            made = b.done()
            end = b.heard.end(b.jobs.submit(Retempo(made.id, Fraction(1000))))
            assert (end.state, end.code) == ("error", "invalid_request")


def same_rhythm(one: NDArray[np.float64], other: NDArray[np.float64], rate: int) -> float:
    """Share of the clear onsets of one loop that the other has at the same place in the bar, to 5 ms."""
    clear, all_of_other = onset_times(Audio(one, rate)), onset_times(Audio(other, rate))
    places = clear.times[clear.strengths >= 0.2] * rate / len(one)
    assert len(places) >= 8
    off = np.abs(places[:, None] - all_of_other.times * rate / len(other))
    return float(np.mean(np.minimum(off, 1 - off).min(axis=1) * len(other) / rate < 0.005))


class TestOutputTrouble:
    def test_a_file_in_the_way(self, tmp_path: Path) -> None:
        with bench(tmp_path, engine="odd") as b:
            (tmp_path / "set").write_text("mine")
            end = b.failed(folder="set")
            assert end.code == "output_unwritable"
            assert "in the way" in end.message
            (tmp_path / "set").unlink()
            assert b.done(folder="set").delivered

    def test_the_folder_is_removed_during_a_job(self, tmp_path: Path) -> None:
        with bench(tmp_path / "out", engine="odd") as b:
            job = b.submit("take it slow", folder="set")
            b.heard.running(job)
            shutil.rmtree(b.output)
            b.jobs.cancel(job.id)
            assert b.heard.end(job).state == "cancelled"
            assert b.done(folder="set").delivered
            shutil.rmtree(b.output)
            assert b.done().delivered

    def test_the_folder_is_replaced_by_a_file_between_two_loops(self, tmp_path: Path) -> None:
        with bench(tmp_path / "out") as b:
            job = b.submit("house", engine=None, variations=16)
            b.heard.until(lambda: any(news.delivered for news in b.heard.of(job)))
            b.output.rename(tmp_path / "away")
            b.output.write_text("in the way")
            end = b.heard.end(job)
            assert (end.state, end.code) == ("error", "output_unwritable")
            assert 1 <= len(end.delivered) < 16
            b.output.unlink()
            assert b.done().delivered
            assert check_folder_is_whole(tmp_path / "away") == len(end.delivered)

    @pytest.mark.skipif(
        not hasattr(__import__("sys"), "platform") or sys.platform != "linux", reason="prlimit is Linux"
    )
    def test_a_full_disk(self, tmp_path: Path) -> None:
        import resource

        with bench(tmp_path, engine="odd") as b:
            b.ready()
            pid = b.jobs.worker_pid
            assert pid
            _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (50_000, most))
            end = b.failed()
            assert end.code == "output_unwritable"
            assert list(tmp_path.iterdir()) == []
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))
            assert b.done().delivered
            assert b.jobs.worker_pid == pid

    @pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write everywhere")
    def test_a_read_only_folder(self, tmp_path: Path) -> None:
        with bench(tmp_path, engine="odd") as b:
            tmp_path.chmod(0o500)
            end = b.failed()
            tmp_path.chmod(0o700)
            assert end.code == "output_unwritable"
            assert "permission" in end.message
            assert b.done().delivered

    def test_a_name_does_not_lead_out(self, tmp_path: Path) -> None:
        with bench(tmp_path / "out", engine="odd") as b:
            assert b.failed(folder="../elsewhere").code == "output_unwritable"
            assert b.done(folder="set/../set").delivered
        assert not (tmp_path / "elsewhere").exists()

    @posix
    def test_a_link_does_not_lead_out(self, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "set").symlink_to(tmp_path / "elsewhere")
        with bench(tmp_path / "out", engine="odd") as b:
            end = b.failed(folder="set")
            assert end.code == "output_unwritable"
            assert "leads out" in end.message
        assert list((tmp_path / "elsewhere").iterdir()) == []


ORPHAN = """
import sys, time
from pathlib import Path
from loopgen.jobs import Generate, Jobs
if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    jobs = Jobs(Path(sys.argv[2]), engine="odd", listener=lambda job: None)
    jobs.start()
    job = jobs.submit(Generate({"prompt": sys.argv[3], "bpm": 120}))
    while jobs.find(job.id).stage != "playing":
        time.sleep(0.01)
    print("playing", flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("prompt", ["take it slow", "now hang"])
def test_a_worker_does_not_outlive_its_server(tmp_path: Path, prompt: str) -> None:
    script = tmp_path / "server.py"
    script.write_text(ORPHAN)
    command = [sys.executable, str(script), str(PLUGINS), str(tmp_path / "out"), prompt]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert server.stdout
    assert server.stdout.readline() == "playing\n"
    server.kill()
    server.communicate(timeout=DEADLINE)  # the worker has the same pipe, which ends with the last of both
