"""The library: its index at 100,000 loops, questions to it, loops taken in; their takes on another tempo, the page."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile

from loopgen import intake, library
from loopgen.library import store
from loopgen.library.find import HERE, Query
from loopgen.library.folder import Found
from loopgen.library.index import Library
from loopgen.library.marks import Marks
from loopgen.library.reading import Reading
from loopgen.music.key import Key
from loopgen.wav import encode
from tests.bench import page, retempo
from tests.bench.options import Options
from tests.loops import pulse_loop

_PROCESSES = 2
_SHOWN = 100
"""Loops of an answer that are read, as many as a page shows at once."""
_WORDS = (
    *("dub", "techno", "house", "rainy", "rolling", "acid", "bass", "deep", "night", "drive"),
    *("jungle", "lo-fi", "hip", "hop", "amen", "break", "trance", "pad"),
)
_TAGS = ("dub", "rain", "night", "dark", "warm", "gig", "todo", "loud", "soft", "set")


def run(options: Options) -> None:
    """Print the figures beside what they are to reach."""
    many = 10_000 if options.quick else 100_000
    with tempfile.TemporaryDirectory() as name, Library(Path(name)) as index:
        _row(f"index of {many:,} synthetic loops", seconds := _filled(index, many), "s")
        _row("  a loop", 1000 * seconds / many, "ms")
        _row("  the index's file", index.database.stat().st_size / 1e6, "MB")
        print(f"\n{f'filtered find, the first {_SHOWN}':<44}{'found':>8}{'find':>10}{'count':>10}")
        slowest = least = 0.0
        for title, query in _queries():
            found, counted = _median(index.find, query), _median(index.count, query)
            slowest = max(slowest, found)
            least = max(least, _median(index.find, query, clock=time.process_time))
            print(f"  {title:<42}{index.count(query):>8}{found:>7.1f} ms{counted:>7.1f} ms")
        _row("  the slowest", slowest, "ms", "<= 20")
        _row("  the slowest, time of the processor alone", least, "ms")
    _refreshed(1_000 if options.quick else 10_000)
    _imported(options)
    retempo.run(options)
    page.run(options)
    _killed()


def _killed() -> None:
    """What the tests try, in a line: the process that saves, moves or marks is killed at each of its steps."""
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "killed", "tests/library"]
    done = subprocess.run(tests, capture_output=True, text=True, check=False)
    verdict = "every loop, recipe and mark survived" if done.returncode == 0 else f"LOST SOMETHING\n{done.stdout}"
    print(f"kill -9 at every step of saving, moving and marking: {verdict}")


def _row(title: str, value: float, unit: str, target: str = "") -> None:
    print(f"{title:<48}{value:>10.2f} {unit:<10}{f'(to reach: {target})' if target else ''}", flush=True)


def _median(work: Callable[..., object], *arguments: object, clock: Callable[[], float] = time.perf_counter) -> float:
    """Milliseconds, the median of eleven runs."""
    times = []
    for _ in range(11):
        begin = clock()
        work(*arguments)
        times.append(clock() - begin)
    return 1000 * statistics.median(times)


def _filled(index: Library, many: int) -> float:
    """Seconds that so many loops take into the index, in transactions as an import writes them."""
    random = np.random.default_rng(0)
    loops = [_synthetic(random, number) for number in range(many)]
    begin = time.perf_counter()
    for start in range(0, many, 256):
        with index._database.writing() as connection:
            numbers = [store.put_reading(connection, *each) for each in loops[start : start + 256]]
            store.settle(connection, numbers)
    return time.perf_counter() - begin


def _synthetic(random: np.random.Generator, number: int) -> tuple[Found, Reading, Marks]:
    words = random.choice(_WORDS, 4, replace=False)
    prompt = f"{words[0]} {words[1]}, {words[2]} {words[3]}"
    bpm = Fraction(int(random.integers(600, 1800)), 10)
    key = str(Key(int(random.integers(12)), ["minor", "major", "dorian"][int(random.integers(3))]))
    path = Path(f"{prompt.replace(', ', '-').replace(' ', '-')}_{number}.wav")
    made = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=int(random.integers(1_000_000)))
    marks = Marks()
    if number % 5 == 0:
        tags = tuple(sorted(str(tag) for tag in random.choice(_TAGS, 2, replace=False)))
        marks = Marks(tags, bool(number % 10 == 0), int(random.integers(6)), made.isoformat())
    reading = Reading(
        path, f"{number * 2654435761 % 2**64:032x}", "", prompt, bpm, int(random.choice([1, 2, 4, 8])), "4/4", key,
        str(random.choice(["sketch", "musicgen:small", "musicgen:melody"])), prompt, number, "CC0-1.0", 330_000,
        44_100, 2, (), "seam clean, beat 1 certain, -14.0 LUFS", "loopgen", True, marks,
    )  # fmt: skip
    stamp = int(made.timestamp() * 1e9)
    return Found(path.as_posix(), str(path), 2_000_000, stamp, stamp, HERE, made.timestamp()), reading, marks


def _queries() -> Iterator[tuple[str, Query]]:
    yield "all, the newest", Query(limit=_SHOWN)
    yield "two words, begun", Query(words="dub tech", limit=_SHOWN)
    yield "one word that a quarter has", Query(words="techno", limit=_SHOWN)
    yield "120 to 130 BPM, x2 and /2", Query(bpm=(120, 130), limit=_SHOWN)
    yield "127.9 BPM alone", Query(bpm=(127.9, 127.9), exact_tempo=True, limit=_SHOWN)
    yield "Am and what goes with it", Query(key="Am", compatible=True, limit=_SHOWN)
    yield (
        "tempo, key, 4 bars, favourites",
        Query(bpm=(120, 130), key="Am", compatible=True, bars=4, favourite=True, limit=_SHOWN),
    )
    yield "words, tempo, engine", Query(words="acid", bpm=(120, 130), engine="musicgen", limit=_SHOWN)
    yield "a tag, rated 4 or better", Query(tags=("dub",), rating=4, limit=_SHOWN)
    yield (
        "made in one week",
        Query(since=datetime(2024, 6, 1, tzinfo=UTC), until=datetime(2024, 6, 8, tzinfo=UTC), limit=_SHOWN),
    )
    yield "by name, 120 to 130 BPM", Query(bpm=(120, 130), order="name", descending=False, limit=_SHOWN)
    yield "8 bars of 3/4: none", Query(bars=8, meter="3/4", limit=_SHOWN)


def _refreshed(many: int) -> None:
    """A folder of many small files in which nothing has changed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(many):
            samples = np.random.default_rng(number).standard_normal(100) * 0.1
            soundfile.write(folder / f"{number}_120bpm.wav", samples, 44_100)
        with Library(folder) as index:
            begin = time.perf_counter()
            index.refresh()
            print()
            _row(f"refresh: {many:,} new files of no length", time.perf_counter() - begin, "s")
            _row(f"refresh: {many:,} files, nothing has changed", _median(index.refresh), "ms")
            one = index.find(Query(limit=1))[0]
            _row("tag a loop, on disk and in the index", _median(_toggled, index, one.id), "ms")


def _toggled(index: Library, loop: str) -> None:
    index.mark(loop, favourite=not index.get(loop).favourite)


def _imported(options: Options) -> None:
    """Loops on disk, by two processes; the processes' start counts."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seconds = _written(folder / "said", folder / "unsaid", options)
        print()
        for kind, title in (("said", "import, tempo said by the files"), ("unsaid", "import, tempo measured")):
            (folder / f"library-{kind}").mkdir()
            with Library(folder / f"library-{kind}") as index:
                begin = time.perf_counter()
                changes = intake.add(index, [folder / kind], processes=_PROCESSES)
                wall = time.perf_counter() - begin
                assert not changes.problems, changes.problems
                known = sum(each.bpm is not None for each in index.find())
            files = f"{changes.new} files, {seconds[kind] / 60:.0f} minutes, {known} tempos known"
            _row(f"{title} ({_PROCESSES} processes)", seconds[kind] / wall, "x real time", ">= 30")
            print(f"  {files}, {wall:.1f} s")


def _written(said: Path, unsaid: Path, options: Options) -> dict[str, float]:
    """Loops as they lie in people's folders, WAV and FLAC, with and without a tempo; seconds of sound in each."""
    many = 24 if options.quick else 96
    seconds = {"said": 0.0, "unsaid": 0.0}
    own = [path for path in sorted(options.audio.iterdir()) if path.suffix == ".flac"] if options.audio else []
    said.mkdir()
    unsaid.mkdir()
    for number in range(many):
        loop = pulse_loop(f"loop {number}", bpm=f"{90 + number}.5", bars=4, seed=number)
        kept = library.keep(loop, said / f"loop{number}.{'flac' if number % 2 else 'wav'}")
        seconds["said"] += loop.audio.seconds
        if own:
            samples, rate = soundfile.read(own[number % len(own)], dtype="float32")
            soundfile.write(unsaid / f"{number:03}.wav", samples * (1 - number / 1000), rate, "PCM_24")
            seconds["unsaid"] += len(samples) / rate
        else:
            data = np.frombuffer(encode(loop.audio, 16), "<i2").reshape(-1, 2)
            soundfile.write(unsaid / kept.path.name, data, loop.audio.rate, "PCM_16")
            seconds["unsaid"] += loop.audio.seconds
    return seconds
