"""Loops put away, brought back, renamed; drives that come and go; processes killed in the middle."""

import json
import shutil
import signal
import sys
from pathlib import Path

import pytest

from loopgen.errors import InvalidRequest, OutputUnwritable
from loopgen.library import moves
from loopgen.library.find import Query
from loopgen.library.index import Library
from tests.library.support import COUNTED, finished, foreign, python, some_loops


def files(folder: Path) -> dict[str, bytes]:
    """All that is in a folder but the index and what only helps to find things."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".loopgen" not in path.parts
    }


def test_trash_and_restore(tmp_path: Path) -> None:
    folder = some_loops(tmp_path / "loops")
    before = files(folder)
    with Library(folder) as library:
        library.refresh()
        one = library.mark(library.resolve("loop1").id, add=["rain"], rating=2)
        marked = files(folder)
        gone = library.trash(one.id)
        assert gone.trashed
        assert gone.path.is_file()
        assert sorted(files(folder)) == sorted(set(before) - {"loop1.wav", "loop1.json"})
        assert {each.name for each in library.find()} == {"loop0.wav", "loop2.wav"}
        library.rebuild()
        assert library.get(one.id).trashed
        back = library.restore(library.resolve("loop1", trashed=True).id)
        assert (back.path, back.tags, back.rating, back.trashed) == (one.path, ("rain",), 2, False)
        assert files(folder) == marked
        assert not library.find(Query(trashed=True))
        assert not library.refresh()
        with pytest.raises(InvalidRequest, match="lies in the trash"):
            library.restore(one.id)


def test_the_take_goes_along_unless_others_were_made_of_it(tmp_path: Path) -> None:
    folder = some_loops(tmp_path / "loops")
    take = folder / "takes" / f"{'0123456789abcdef' * 2}.flac"
    foreign(take)
    sound = take.read_bytes()
    for name in ("loop0", "loop1"):
        sidecar = folder / f"{name}.json"
        recipe = json.loads(sidecar.read_text("utf-8"))
        sidecar.write_text(json.dumps({**recipe, "take": {"name": take.stem}}), "utf-8")
    with Library(folder) as library:
        library.refresh()
        assert library.count() == 3  # a take is no loop
        first, second = library.resolve("loop0"), library.resolve("loop1")
        assert (first.has_take, second.has_take, library.resolve("loop2").has_take) == (True, True, False)
        library.trash(first.id)
        assert take.read_bytes() == sound
        library.trash(second.id)
        assert not take.exists()
        assert library.restore(first.id).has_take
        assert take.read_bytes() == sound
        library.restore(second.id)
        assert library.empty_trash() == 0
        assert take.read_bytes() == sound


def test_a_place_that_was_taken_meanwhile_is_left_to_the_other(tmp_path: Path) -> None:
    folder = some_loops(tmp_path / "loops")
    with Library(folder) as library:
        library.refresh()
        one = library.resolve("loop1")
        library.trash(one.id)
        foreign(folder / "loop1.wav", seed=5)
        other = (folder / "loop1.wav").read_bytes()
        library.refresh()
        assert library.restore(one.id).path == folder / "loop1-2.wav"
        assert (folder / "loop1.wav").read_bytes() == other
        assert library.count() == 4


def test_the_trash_is_emptied_for_good(tmp_path: Path) -> None:
    folder = some_loops(tmp_path / "loops")
    with Library(folder) as library:
        library.refresh()
        library.trash(library.resolve("loop1").id)
        assert library.empty_trash() == 1
        assert not library.find(Query(trashed=True))
        library.rebuild()
        assert library.count() == 2
        assert not library.count(Query(trashed=True))


def test_rename(tmp_path: Path) -> None:
    folder = some_loops(tmp_path / "loops")
    with Library(folder) as library:
        library.refresh()
        one = library.mark(library.resolve("loop1").id, add=["rain"])
        renamed = library.rename(one.id, "night drive F#m")
        assert (renamed.path, renamed.tags) == (folder / "night drive F#m.wav", ("rain",))
        assert json.loads((folder / "night drive F#m.json").read_text("utf-8"))["file"] == "night drive F#m.wav"
        assert not (folder / "loop1.json").exists()
        assert not library.refresh()
        assert library.find(Query(words="drive")) == [renamed]
        for name in ("loop2", "a/b", "", "con", "x" * 300, "dot.", "../up"):
            with pytest.raises(InvalidRequest):
                library.rename(one.id, name)
        assert renamed.path.is_file()


def test_a_drive_that_is_away_takes_no_loop_with_it(tmp_path: Path) -> None:
    folder, drive = some_loops(tmp_path / "loops"), tmp_path / "drive"
    foreign(drive / "pack" / "kit_90bpm.wav", seed=1)
    with Library(folder) as library:
        library.add_places([drive])
        library.refresh()
        one = library.mark(library.resolve("kit_90bpm").id, add=["rain"])
        assert not one.away
        assert files(drive).keys() == {"pack/kit_90bpm.wav"}  # what lies elsewhere is left alone
        drive.rename(tmp_path / "unplugged")
        for mount_point in (False, True):
            if mount_point:
                drive.mkdir()
            assert library.refresh().away == 1
            assert library.get(one.id).away
            assert library.count() == 4
        assert library.mark(one.id, rating=4).rating == 4
        drive.rmdir()
        (tmp_path / "unplugged").rename(drive)
        library.refresh()
        back = library.get(one.id)
        assert (back.away, back.tags, back.rating) == (False, ("rain",), 4)
        library.rebuild()
        assert library.get(one.id).tags == ("rain",)


def test_the_librarys_own_drive_is_away(tmp_path: Path) -> None:
    folder = some_loops(tmp_path / "loops")
    with Library(folder, tmp_path / "index.db") as library:
        library.refresh()
        one = library.mark(library.resolve("loop1").id, add=["rain"])
        folder.rename(tmp_path / "unplugged")
        for mount_point in (False, True):
            if mount_point:
                folder.mkdir()
            changes = library.refresh()
            assert (changes.away, changes.vanished) == (3, 0)
            said = "is its drive away?" if mount_point else "cannot be read"
            assert said in " ".join(changes.problems)
            assert library.get(one.id).away
            with pytest.raises(OutputUnwritable, match="is its drive away"):
                library.mark(one.id, rating=4)
        assert list(folder.iterdir()) == []
        folder.rmdir()
        (tmp_path / "unplugged").rename(folder)
        assert not library.refresh().problems
        back = library.get(one.id)
        assert (back.away, back.tags, library.count()) == (False, ("rain",), 3)


def test_deleted_loops_are_listed_no_more_and_known_again_when_they_return(tmp_path: Path) -> None:
    folder = some_loops(tmp_path / "loops")
    with Library(folder) as library:
        library.refresh()
        one = library.mark(library.resolve("loop1").id, add=["rain"])
        shutil.move(folder / "loop1.wav", tmp_path / "elsewhere.wav")
        (folder / "loop1.json").unlink()
        assert library.refresh().vanished == 1
        assert library.count() == 2
        shutil.rmtree(folder / ".loopgen" / "library.db", ignore_errors=True)
        library.rebuild()
        shutil.move(tmp_path / "elsewhere.wav", folder / "again.wav")
        library.refresh()
        assert library.get(one.id).tags == ("rain",)


_KILLED = f"""
import os, sys
from pathlib import Path
from loopgen.library import moves, marks, index, store
from loopgen.library.index import Library
folder, what, point = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
{COUNTED}
with Library(folder) as library:
    library.refresh()
    loop = library.resolve("loop1", trashed=None).id
    for holder, name in ((Path, "replace"), (Path, "rename"), (Path, "unlink"), (Path, "open"), (os, "fsync"),
                         (store, "settle"), (store, "put_file"), (store, "put_marks")):
        setattr(holder, name, counted(getattr(holder, name)))
    if what == "trash":
        library.trash(loop)
    elif what == "restore":
        library.restore(loop)
    elif what == "rename":
        library.rename(loop, "renamed")
    elif what == "mark":
        library.mark(loop, add=["new"])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
@pytest.mark.parametrize("what", ["trash", "restore", "rename", "mark"])
def test_killed_at_every_step_no_loop_recipe_or_mark_is_lost(tmp_path: Path, what: str) -> None:
    origin = some_loops(tmp_path / "loops")
    with Library(origin) as library:
        library.refresh()
        one = library.mark(library.resolve("loop1").id, add=["rain"], rating=5)
        sound = one.path.read_bytes()
        if what == "restore":
            library.trash(one.id)
    for point in range(60):
        folder = tmp_path / f"killed{point}"
        shutil.copytree(origin, folder)
        process = python(_KILLED, folder, what, point)
        _, told = process.communicate(timeout=120)
        assert process.returncode in (0, -signal.SIGKILL), told
        for fresh in (False, True):
            if fresh:
                for left in (folder / ".loopgen").glob("library.db*"):
                    left.unlink()
            with Library(folder) as library:
                assert not library.refresh().problems
                after = library.get(one.id)
                assert after.path.read_bytes() == sound
                assert {"rain"} <= set(after.tags) <= {"rain", "new"}
                assert (after.rating, after.title, str(after.bpm)) == (5, "loop 1", "121")
                assert library.count() + library.count(Query(trashed=True)) == 3
        with Library(folder) as library:  # and what was begun can be done
            if what == "restore" and library.get(one.id).trashed:
                assert not library.restore(one.id).trashed
            elif what == "trash" and not library.get(one.id).trashed:
                assert library.trash(one.id).trashed
            elif what == "rename":
                assert library.rename(one.id, "renamed").name == "renamed.wav"
        if process.returncode == 0:
            assert point > 3
            return
    raise AssertionError("no end was reached")


def test_a_file_is_never_moved_over_another(tmp_path: Path) -> None:
    first, second = foreign(tmp_path / "a.wav", seed=1), foreign(tmp_path / "b.wav", seed=2)
    content = second.read_bytes()
    with pytest.raises(OutputUnwritable, match="taken"):
        moves._move(first, second)
    assert second.read_bytes() == content


_FULL = """
import resource, signal, sys
from pathlib import Path
from loopgen.errors import OutputUnwritable
from loopgen.library.index import Library
with Library(Path(sys.argv[1])) as library:
    library.refresh()
    loop = library.resolve("loop1").id
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
    for work, more in ((library.mark, {"add": ["new"]}), (library.trash, {}), (library.rename, {"name": "new"})):
        try:
            work(loop, **more)
            print("done")
        except OutputUnwritable as error:
            print("refused" if str(error) else "silent")
    print(library.get(loop).name, library.get(loop).tags, library.count())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
def test_on_a_full_disk_nothing_changes(tmp_path: Path) -> None:
    folder = some_loops(tmp_path / "loops")
    with Library(folder) as library:
        library.refresh()
        library.mark(library.resolve("loop1").id, add=["rain"])
    before = files(folder)
    assert finished(python(_FULL, folder)).split("\n") == [*["refused"] * 3, "loop1.wav ('rain',) 3", ""]
    assert files(folder) == before
