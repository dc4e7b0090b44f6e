"""Loops into a library, many at once: read by several processes, and measured where a file does not say its tempo.

One bad file holds up no other: it is told and passed over, even where reading it ends the process that reads. What has
been read is kept at once, so that a break costs a second's work.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from fractions import Fraction
from functools import partial
from multiprocessing import connection
from pathlib import Path

import numpy as np

from loopgen.audiofile import read_audio
from loopgen.errors import InvalidRequest, LoopgenError
from loopgen.files import make_folder, write_whole
from loopgen.library.folder import SUFFIXES, check_audio, is_take
from loopgen.library.index import Library
from loopgen.library.moves import belongings
from loopgen.library.reading import Reading, describe
from loopgen.library.refresh import Changes, Progress
from loopgen.looping.track import track
from loopgen.music.audio import Audio
from loopgen.music.tempo import BPM_RANGE, Meter, format_bpm, loop_frames

_WORTH_PROCESSES = 24
"""So many files are read sooner by one process than others have started."""
_AHEAD = 4
"""Files that wait for each process."""
_PROCESSES_MAX = 16
_SHORTEST, _LONGEST = 1.0, 60.0
"""Seconds of a recording that tell a tempo; of a longer one its beginning is enough."""
_NEAR = 0.02
"""A file that lasts whole bars of a measured tempo, to so much of one, is a loop of just that length."""


def add(
    library: Library,
    places: Sequence[Path],
    *,
    copy: bool = False,
    progress: Progress | None = None,
    processes: int | None = None,
) -> Changes:
    """Make folders and files parts of a library, and read them.

    They stay where they are and as they are; ``copy`` puts copies into the library's folder instead. What was read
    before and has not changed is not read again, but for loops without a tempo. ``progress`` is told the fraction done
    and the file, and may raise to stop.

    Raises ``InvalidRequest`` for a place that is not there or holds no loops, ``OutputUnwritable``.
    """
    for place in places:
        if not place.exists():
            raise InvalidRequest("add", str(place), "a folder or a file that is there")
        if not place.is_dir():
            check_audio(place)
    problems: list[str] = []
    if copy:
        for place in places:
            problems += _copy(place.resolve(), library.folder, progress)
    else:
        library.add_places(places)
    changes = library.refresh(progress, reader(processes), again=True)
    changes.problems = (*problems, *changes.problems)
    return changes


def refresh(library: Library, progress: Progress | None = None, processes: int | None = None) -> Changes:
    """``library.refresh``, by several processes where there is much to read, with tempos measured."""
    return library.refresh(progress, reader(processes), again=True)


def rebuild(library: Library, progress: Progress | None = None, processes: int | None = None) -> Changes:
    """``library.rebuild``, by several processes, with tempos measured."""
    return library.rebuild(progress, reader(processes))


def reader(
    processes: int | None = None, read: Callable[[Path], Reading] | None = None
) -> Callable[[Iterable[Path]], Iterator[Reading]]:
    """What reads files for ``Library.refresh``: by so many processes, by default one a core."""
    count = min(_PROCESSES_MAX, processes or os.cpu_count() or 1)
    return partial(_read_all, processes=count, read=read or read_and_measure)


def read_and_measure(path: Path) -> Reading:
    """Read a file, and measure its tempo where it does not say one; raises nothing."""
    try:
        audio = read_audio(path)
        reading = describe(path, audio)
        return reading if reading.bpm is not None else measured(reading, audio)
    except (LoopgenError, OSError, MemoryError) as error:
        return Reading(path, problem=str(error) or type(error).__name__)
    except Exception as error:  # a defect of ours; the other files are not to suffer for it
        return Reading(path, problem=f"{path} could not be measured: internal error: {type(error).__name__}: {error}")


def measured(reading: Reading, audio: Audio) -> Reading:
    """A reading with the tempo that is heard in ``audio``, if one is.

    A file that lasts whole bars of it, nearly, is a loop of that many bars, and its tempo follows exactly from that.
    """
    reading = replace(reading, heard=True)
    if audio.seconds < _SHORTEST or not audio.samples.any():
        return reading
    meter = Meter.parse(reading.meter) if reading.meter else Meter()
    start = audio.with_samples(audio.samples[: int(_LONGEST * audio.rate)])
    grid = track(start, Fraction(120), meter)
    bars = audio.seconds / (grid.period * meter.beats)
    whole = round(bars)
    if 1 <= whole <= 256 and abs(bars - whole) <= _NEAR * max(1.0, whole / 4):
        bpm = _plainest(Fraction(60 * audio.rate, audio.frames) * whole * meter.quarters, audio, whole, meter)
    else:
        whole, bpm = 0, Fraction(f"{60 * float(meter.beat_quarters) / grid.period:.3f}")
    if not np.isfinite(float(bpm)) or not BPM_RANGE[0] <= bpm <= BPM_RANGE[1]:
        return reading
    said = f"the file does not say its tempo: {format_bpm(round(bpm, 3))} BPM was measured, {grid.confidence:.0%} sure"
    warnings = (said, *reading.warnings)
    return replace(reading, bpm=bpm, bars=reading.bars or whole or None, warnings=warnings, summary=said)


def _plainest(bpm: Fraction, audio: Audio, bars: int, meter: Meter) -> Fraction:
    """A tempo with as few decimals as can be at which so many bars last just as long: 93 and not 92.99996."""
    for decimals in range(4):
        if loop_frames(plain := round(bpm, decimals), bars, meter, audio.rate) == audio.frames:
            return plain
    return bpm


def _read_all(paths: Iterable[Path], *, processes: int, read: Callable[[Path], Reading]) -> Iterator[Reading]:
    waiting = deque(paths)
    if len(waiting) < _WORTH_PROCESSES or processes < 2:
        yield from map(read, waiting)
        return
    suspects: deque[Path] = deque()
    while waiting or suspects:
        # One of those that were being read when a process died is at fault: they are read one at a time.
        alone = bool(suspects)
        left: list[Path] = []
        if alone:
            yield from _pooled(suspects, 1, 1, read, left)
        else:
            yield from _pooled(waiting, processes, _AHEAD * processes, read, left)
        if alone and left:
            yield Reading(left[0], problem=f"{left[0]} ended the process that read it, and is passed over")
        else:
            suspects.extend(left)


def _pooled(
    waiting: deque[Path], processes: int, ahead: int, read: Callable[[Path], Reading], left: list[Path]
) -> Iterator[Reading]:
    """Read files, so many at once, until none waits or a process dies; ``left`` are those that were being read then."""
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), initializer=_begin)
    running: dict[Future[Reading], Path] = {}
    try:
        while waiting or running:
            while waiting and len(running) < ahead:
                running[pool.submit(read, waiting[0])] = waiting[0]
                waiting.popleft()
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                reading = future.result()
                del running[future]
                yield reading
    except BrokenProcessPool:
        left += running.values()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin() -> None:
    """Ctrl-C is for the parent, which ends its processes; they end with it, too, where it was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    if parent := multiprocessing.parent_process():
        connection.wait([parent.sentinel])
        os._exit(1)


def _copy(place: Path, folder: Path, progress: Progress | None) -> Iterator[str]:
    """Copy loops with what belongs to them into the library's folder; says which could not be read.

    A copy that is there is not made again. Raises ``OutputUnwritable``.
    """
    if place.is_relative_to(folder):
        return
    files = sorted(path for path in place.rglob("*") if _is_loop(path, place)) if place.is_dir() else [place]
    for done, file in enumerate(files):
        target = folder / (Path(place.name) / file.relative_to(place) if place.is_dir() else file.name)
        if progress:
            progress(done / len(files), f"copying {file.name}")
        try:
            _copy_one(file, target)
        except OSError as error:
            yield f"{file} cannot be read ({error.strerror or error}): passed over"


def _is_loop(path: Path, place: Path) -> bool:
    parts = path.relative_to(place).parts
    passed_over = any(part.startswith(".") for part in parts) or is_take(path)
    return path.suffix.lower() in SUFFIXES and not passed_over and path.is_file()


def _copy_one(file: Path, target: Path) -> None:
    data = file.read_bytes()
    stem = target.stem
    for number in range(2, 10_000):
        if not target.exists() or target.read_bytes() == data:
            break
        target = target.with_stem(f"{stem}-{number}")
    make_folder(target.parent)
    others, _ = belongings(file)
    beside = {}
    for other in others:
        to = target.with_suffix(".json") if other.suffix == ".json" else target.parent / other.relative_to(file.parent)
        if not to.exists():
            make_folder(to.parent)
            beside[to] = other.read_bytes()
    write_whole({**beside, target: data})
    status = file.stat()
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
