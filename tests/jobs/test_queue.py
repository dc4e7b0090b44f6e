"""Jobs with a real worker process: from the queue to the disk, cancelled, refused, closed."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import deque
from fractions import Fraction
from pathlib import Path

import pytest
import soundfile

from loopgen.engines.base import Hardware
from loopgen.errors import Busy, UnknownJob
from loopgen.jobs import Generate, Job, Jobs, Retempo
from loopgen.music.melody import Melody, Note
from loopgen.music.tempo import Meter, loop_frames
from loopgen.worker import _Worker
from loopgen.worker.messages import Made, Order, Setup, Stop, Writing
from tests.jobs.support import DEADLINE, bench, check_folder_is_whole, soon


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


def test_a_worker_that_yields_late_keeps_its_takes_and_its_late_loop_does_not_appear(tmp_path: Path) -> None:
    with bench(tmp_path, engine="odd") as b:
        made = b.done()
        pid = b.jobs.worker_pid
        job = b.submit("now nap", folder="late")
        b.heard.reached(job, 0.2)
        start = time.monotonic()
        b.jobs.cancel(job.id)
        following = b.submit(seed=4)
        assert b.heard.end(job).state == "cancelled"
        print(f"cancelled in {1000 * (time.monotonic() - start):.1f} ms, in the middle of a nap")
        assert b.heard.end(following).state == "done"
        assert b.heard.of(job)[-1].state == "cancelled"  # nothing came after it
        assert b.heard.end(b.jobs.submit(Retempo((made.id,), Fraction(100)))).state == "done"
        assert b.jobs.worker_pid == pid
        assert list((tmp_path / "late").iterdir()) == []


def test_a_worker_that_is_held_up_in_writing_leaves_nothing(tmp_path: Path) -> None:
    with bench(tmp_path, engine="odd") as b:
        job = b.submit("now write-forever", folder="slow disk")
        assert soon(lambda: any((tmp_path / "slow disk" / "takes").glob(".*.flac.*.tmp")))
        b.jobs.cancel(job.id)
        assert b.heard.end(job).state == "cancelled"
        assert list((tmp_path / "slow disk").iterdir()) == []
        assert b.done().delivered


def test_a_stop_that_comes_just_before_a_loop_is_written_is_heard(tmp_path: Path) -> None:
    """The worker's end of a pipe whose other end says stop when it hears that a loop is about to be written."""

    class Told(deque[object]):
        said: list[object]

        def send(self, message: object) -> None:
            self.said.append(message)
            if isinstance(message, Writing) and is_cancelled:
                self.append(Stop(message.job))

        def poll(self) -> bool:
            return bool(self)

        def recv(self) -> object:
            return self.popleft()

    asked = {"prompt": "house", "bpm": 120, "bars": 1, "seed": 1, "engine": "odd"}
    for is_cancelled in (True, False):
        pipe = Told()
        pipe.said = []
        setup = Setup(tmp_path, "odd", "auto", "wav", None, Hardware())
        end = _Worker(pipe, setup)._done(Order("job", Generate(asked)))  # type: ignore[arg-type]
        assert end.state == ("cancelled" if is_cancelled else "done")
        assert any(isinstance(message, Made) for message in pipe.said) == (not is_cancelled)
        assert check_folder_is_whole(tmp_path) == (not is_cancelled)


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


def test_a_cancellation_right_after_the_last_loop_is_too_late(tmp_path: Path) -> None:
    """The worker looks for a stop once more when the last loop is out: 12 ends, one each, all of them done."""
    heard: list[Job] = []
    ended = threading.Condition()

    def listener(job: Job) -> None:
        with ended:
            if job.is_whole and not job.has_ended:
                jobs.cancel(job.id)
            if job.has_ended:
                heard.append(job)
                ended.notify_all()

    jobs = Jobs(tmp_path, engine="odd", listener=listener)
    jobs.start()
    try:
        for seed in range(12):
            jobs.submit(Generate({"prompt": "x", "bpm": 120, "bars": 1, "seed": seed}))
        with ended:
            assert ended.wait_for(lambda: len(heard) >= 12, DEADLINE)
    finally:
        jobs.close()
    assert [(job.state, len(job.delivered)) for job in heard] == [("done", 1)] * 12
