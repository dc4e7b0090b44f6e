"""Every way in which a worker can fail, and what becomes of its job."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from loopgen.files import process_is_alive
from loopgen.library.takes import orphans
from tests.jobs.support import DEADLINE, PLUGINS, bench, check_folder_is_whole, posix, soon

STALL = 12.0
"""Seconds without a sign of life; a worker on a machine that is busy with other tests takes some to start."""


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)


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


def test_a_job_that_comes_as_the_idle_worker_is_killed_is_done(tmp_path: Path) -> None:
    with bench(tmp_path, engine="odd") as b:
        for seed in range(3):
            b.ready()
            assert b.jobs.worker_pid
            kill(b.jobs.worker_pid)
            assert b.done(seed=seed).delivered


@posix
def test_a_job_that_was_handed_to_a_worker_that_never_heard_of_it_is_done_by_the_next(tmp_path: Path) -> None:
    with bench(tmp_path, engine="odd") as b:
        b.ready()
        pid = b.jobs.worker_pid
        assert pid
        os.kill(pid, signal.SIGSTOP)
        job, following = b.submit(), b.submit(seed=4)
        b.heard.until(lambda: b.heard.of(job)[-1:] != [] and b.heard.of(job)[-1].state == "running")
        kill(pid)
        assert b.heard.end(job).state == "done"
        assert [news.state for news in b.heard.of(job)][:4] == ["queued", "running", "queued", "running"]
        assert b.heard.end(following).state == "done"
        assert [news.id for news in b.heard.news if news.has_ended] == [job.id, following.id]


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


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5, 6])
def test_death_in_the_middle_of_writing_leaves_nothing_but_a_whole_take(tmp_path: Path, step: int) -> None:
    """The take is flushed and renamed, then sidecar and loop are flushed, then renamed."""
    with bench(tmp_path, engine="odd") as b:
        end = b.failed(f"now die-at-{step}", folder="set")
        assert end.code == "worker_died"
        left = list((tmp_path / "set").rglob("*.*"))
        assert left == orphans(tmp_path / "set")
        assert len(left) == (step > 2)
        assert (tmp_path / "set" / "takes").exists() == (step > 2)
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


def test_what_a_server_left_that_was_killed_with_its_worker_is_gone_when_the_next_starts(tmp_path: Path) -> None:
    (tmp_path / "out" / "set").mkdir(parents=True)
    script = tmp_path / "server.py"
    script.write_text(ORPHAN)
    command = [sys.executable, str(script), str(PLUGINS), str(tmp_path / "out"), "now write-forever"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert server.stdout
    assert server.stdout.readline() == "playing\n"
    assert soon(lambda: any((tmp_path / "out" / "takes").glob(".*.flac.*.tmp")))
    (left,) = (tmp_path / "out" / "takes").glob(".*.tmp")
    (worker,) = re.findall(r"\.(\d+)-[0-9a-f]{8}-0\.tmp", left.name)
    server.kill()
    kill(int(worker))
    server.communicate(timeout=DEADLINE)
    assert soon(lambda: not process_is_alive(int(worker)))
    assert left.exists()
    with bench(tmp_path / "out", engine="odd") as b:
        b.ready()
        assert not left.exists()


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
