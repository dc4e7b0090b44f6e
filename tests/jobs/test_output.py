"""Every way in which a job's folder can fail."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.jobs.support import bench, check_folder_is_whole, posix


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
