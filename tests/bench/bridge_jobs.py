"""How soon: from the start of the process, from the trigger. How sure: with workers that are killed, with bad disks."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

import soundfile

from bridge.protocol import RESENDS, named
from bridge.wire import Malformed, Message, Value
from loopgen.errors import TakeGone
from loopgen.library.takes import FOLDER, find_take
from loopgen.music.tempo import Meter, loop_frames, parse_bpm
from tests.bench.bridge_peer import peer
from tests.bench.bridge_serving import Sender, Serving, end, kill, launch, serving
from tests.bench.bridge_table import Row, table
from tests.bench.options import Options

PROMPTS = ("dub techno", "house", "liquid drum and bass", "lo-fi hip hop", "ambient", "rolling techno")
ENDS = ("done", "error", "cancelled")
WAIT = 60.0
JOBS_SECONDS = 600.0


# -- how soon ----------------------------------------------------------------------------------------------------------


def starts(options: Options, folder: Path) -> None:
    """From the start of the process to the first answer, to a job that is taken, to a warm engine, to a loop."""
    times: dict[str, list[float]] = defaultdict(list)
    for n in range(4 if options.quick else 14):
        begin = time.perf_counter()
        server = launch(folder / str(n))
        try:
            with Sender(server.port, 0.005) as sender:
                while sender.ask("/loopgen/hello", "bench", 1, 0) is None:
                    if time.perf_counter() - begin > WAIT:
                        raise TimeoutError("no welcome")
                times["welcome"].append(time.perf_counter() - begin)
                sender.socket.settimeout(WAIT)
                if n % 2:
                    _await_ready(sender)
                    times["warm"].append(time.perf_counter() - begin)
                else:
                    sender.send("/loopgen/generate", "first", *_fields(n))
                    _until(sender, "/loopgen/accepted")
                    times["accepted"].append(time.perf_counter() - begin)
                    _until(sender, "/loopgen/done")
                    times["done"].append(time.perf_counter() - begin)
        finally:
            end(server)
    naive = []
    for _ in range(2 if options.quick else 5):
        begin = time.perf_counter()
        with peer("python-osc, blocking", generates=True):
            naive.append(time.perf_counter() - begin)
    table([
        Row("from process start to the first welcome", _seconds(times["welcome"]), "<= 1.5 s"),
        Row("   ... to `accepted`, generate sent at once", _seconds(times["accepted"]), "<= 1.5 s"),
        Row("   ... to that job's `done`: 4 bars at 128, all cold", _seconds(times["done"])),
        Row("   ... to a warm engine, where nothing was sent", _seconds(times["warm"]), "<= 1.5 s"),
        Row("   a server that loads and makes a first loop, then binds", _seconds(naive)),
    ])  # fmt: skip


def _await_ready(sender: Sender) -> None:
    message = sender.ask("/loopgen/subscribe", "state")
    while message is not None and message.arguments[1:] != ("state", "ready"):
        message = sender.read()
    if message is None:
        raise TimeoutError("the engine did not become ready")


def triggers(options: Options, folder: Path) -> None:
    """From the trigger to `done`, with seeds and prompts that were not there before."""
    count = 6 if options.quick else 20
    times, by_prompt = [], defaultdict[str, list[float]](list)
    with serving(folder) as server, Sender(server.port, WAIT) as sender:
        for n in range(count):
            begin = time.perf_counter()
            sender.send("/loopgen/generate", f"r{n}", *_fields(n))
            done = named(_until(sender, "/loopgen/done"))
            times.append(time.perf_counter() - begin)
            by_prompt[PROMPTS[n % len(PROMPTS)]].append(times[-1])
            sender.send("/loopgen/ack", done["job"])
            info = soundfile.info(str(done["path"]))
            if info.frames != loop_frames(parse_bpm("128"), 4, Meter(), info.samplerate):
                raise AssertionError(f"{done['path']} has {info.frames} frames")
            time.sleep(0.05)
    naive = []
    for n in range(2 if options.quick else 5):
        begin = time.perf_counter()
        flags = ["-o", str(folder / "naive"), "--bpm", "128", "--bars", "4", "--seed", str(n)]
        subprocess.run(
            [sys.executable, "-m", "loopgen", "generate", PROMPTS[n], *flags],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        naive.append(time.perf_counter() - begin)
    table([
        Row(f"trigger to done, 4 bars at 128, warm, {count} runs", _seconds(times), "<= 1.0 s"),
        Row("   the slowest of each prompt", ", ".join(f"{name} {max(some):.2f}" for name, some in by_prompt.items())),
        Row("   a process for each loop, as the command line has it", _seconds(naive)),
    ])  # fmt: skip


def _fields(n: int) -> tuple[Value, ...]:
    return "prompt", PROMPTS[n % len(PROMPTS)], "tempo", "128", "bars", 4, "seed", 1_000 + n


def _until(sender: Sender, address: str) -> Message:
    while (message := sender.read()) is not None:
        if message.address == address:
            return message
        if message.address == "/loopgen/error":
            raise AssertionError(str(message))
    raise TimeoutError(f"no {address}")


def _seconds(times: list[float]) -> str:
    if len(times) < 8:
        return f"median {median(times):.2f} s, worst {max(times):.2f} of {len(times)}"
    high = quantiles(times, n=20, method="inclusive")[18]
    return f"median {median(times):.2f} s, 95% {high:.2f}, worst {max(times):.2f}"


# -- workers that die --------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Fates:
    """Jobs as one client sees them: by job what it was told, resends aside, and the loops it was given."""

    jobs: dict[str, str] = field(default_factory=dict)
    wanted: dict[str, int] = field(default_factory=dict)
    told: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    loops: dict[tuple[str, int], str] = field(default_factory=dict)
    codes: Counter[str] = field(default_factory=Counter)

    def take(self, message: Message, sender: Sender) -> None:
        """Note what a message says of a job."""
        with suppress(Malformed):
            said = named(message)
            req, job = str(said.get("req")), str(said.get("job"))
            if message.address == "/loopgen/accepted" and req in self.wanted:
                self.jobs[req] = job
            elif message.address == "/loopgen/done":
                number = int(said["variation"] or 0)
                sender.send("/loopgen/ack", job, number)
                if (job, number) not in self.loops:
                    self.loops[job, number] = str(said["path"])
                    if sum(1 for told, _ in self.loops if told == job) == said["variations"]:
                        self.told[job].append("done")
            elif message.address == "/loopgen/cancelled":
                self.told[job].append("cancelled")
            elif message.address == "/loopgen/error" and req in self.wanted:
                self.codes[str(said["code"])] += 1
                if req in self.jobs:
                    self.told[self.jobs[req]].append("error")

    @property
    def open(self) -> int:
        """Jobs that were asked for and have not ended."""
        return len(self.wanted) - sum(1 for job in self.jobs.values() if self.told[job])


def kills(options: Options, folder: Path) -> None:
    """200 jobs, some of them cancelled, while the worker is killed at random."""
    count = 20 if options.quick else 200
    chance, fates, killed, over = random.Random(4), Fates(), [0], threading.Event()
    with serving(folder) as server:
        pid = server.process.pid
        killer = threading.Thread(target=_kill_now_and_then, args=(server, killed, over), daemon=True)
        killer.start()
        with Sender(server.port, 0.05) as sender:
            see_through(sender, fates, count, chance)
            over.set()
            killer.join()
            _read_for(sender, fates, sum(RESENDS) + 1.0)  # whether one ends a second time
            asked = [_asked(sender, job) for job in fates.jobs.values()]
        survived = server.is_alive() and server.process.pid == pid
        faults = broken_files(server.output)
        told = {Path(path).name for path in fates.loops.values()}
        untold = sum(1 for path in server.output.glob("*.wav") if path.name not in told)
    ends = Counter("+".join(fates.told[job]) or "none" for job in fates.jobs.values())
    agree = sum(1 for job, says in zip(fates.jobs.values(), asked, strict=True) if fates.told[job] == [says])
    tally = ", ".join(f"{name} {n}" for name, n in sorted(ends.items()))
    once = sum(n for name, n in ends.items() if name in ENDS)
    codes = ", ".join(f"{code} {n}" for code, n in sorted(fates.codes.items()))
    table([
        Row(f"{count} jobs, the worker killed {killed[0]} times: ended once", f"{once} of {count} ({tally})", "all"),
        Row("   errors", codes or "none"),
        Row("   asked for afterwards, the same end", f"{agree} of {count}", "all"),
        Row("   partial or left-over files", f"{len(faults)}{': ' if faults else ''}{faults[:3] or ''}", "0"),
        Row("   whole loops of jobs that died before they could tell", str(untold)),
        Row("   the server", "the same process" if survived else "DIED", "never restarted"),
    ])  # fmt: skip


def see_through(
    sender: Sender, fates: Fates, count: int, chance: random.Random, prompts: Sequence[str] = PROMPTS, bars: int = 4
) -> None:
    """Send ``count`` jobs, some at a time, and read until all have ended."""
    deadline = time.monotonic() + JOBS_SECONDS
    numbers = iter(range(count))
    while (fates.open or len(fates.wanted) < count) and time.monotonic() < deadline:
        for n in itertools.islice(numbers, max(0, 6 - fates.open)):
            variations = chance.choice((1, 1, 2, 3))
            fates.wanted[f"r{n}"] = variations
            fields = ("prompt", chance.choice(prompts), "bars", chance.randint(1, bars), "seed", n)
            sender.send("/loopgen/generate", f"r{n}", "variations", variations, *fields)
        if (message := sender.read()) is not None:
            fates.take(message, sender)
            if message.address == "/loopgen/progress" and chance.random() < 0.02:
                sender.send("/loopgen/cancel", message.arguments[0])


def _kill_now_and_then(server: Serving, killed: list[int], over: threading.Event) -> None:
    chance = random.Random(5)
    while not over.wait(chance.uniform(0.5, 4.0)):
        if (pid := server.worker()) is not None:
            kill(pid, chance)
            killed[0] += 1


def _read_for(sender: Sender, fates: Fates, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if (message := sender.read()) is not None:
            fates.take(message, sender)


def _asked(sender: Sender, job: str) -> str:
    """How a job has ended, as the server has it afterwards."""
    sender.send("/loopgen/job", f"asked {job}", job)
    says = ""
    deadline = time.monotonic() + 2.0
    while time.monotonic() < deadline:
        message = sender.read()
        if message is None:
            if says:
                return says
            continue
        said = named(message)
        if said.get("req") == f"asked {job}":
            says = message.address.removeprefix("/loopgen/")
            if says in ("error", "cancelled"):
                return says
    return says


def broken_files(output: Path) -> list[str]:
    """What should not be there: temporary names, audio without its description or the reverse, audio cut short."""
    faults = []
    for path in output.rglob("*"):
        if path.is_dir() or path.parent.name in ("inbox", "presets"):
            continue
        whole = False
        if path.parent.name == FOLDER:
            with suppress(TakeGone):
                whole = find_take(path).take is not None
        elif path.suffix == ".json":
            whole = path.with_suffix(".wav").is_file() and isinstance(json.loads(path.read_text("utf-8")), dict)
        elif path.suffix == ".wav":
            with suppress(RuntimeError):
                whole = len(soundfile.read(path)[0]) > 0 and path.with_suffix(".json").is_file()
        if not whole:
            faults.append(path.name)
    return faults


# -- disks that fail ---------------------------------------------------------------------------------------------------


def disks(options: Options, folder: Path) -> None:
    """A disk that fills, a folder that goes, that becomes a file or read-only: the error, and the job after."""
    with _small_disk(folder / "disk") as disk:
        if disk is None:
            table([Row("output disk full or read-only", "not tried: it takes Linux and root to mount a small disk")])
        output = (disk or folder) / "out"
        with serving(folder / "server", output) as server:
            if disk is not None:
                _fail(server, "disk full", lambda: None, lambda: _remount(disk, "size=500m"))
            _fail(server, "folder removed", lambda: shutil.rmtree(output), lambda: None, "an error, or made again")
            _fail(server, "a file in its place", lambda: _replace(output), lambda: output.unlink(missing_ok=True))
            if disk is not None:
                _fail(
                    server, "read-only", lambda: _remount(disk, "ro,size=500m"), lambda: _remount(disk, "rw,size=500m")
                )


def _fail(
    server: Serving, what: str, harm: Callable[[], object], mend: Callable[[], object], goal: str = "a clear error"
) -> None:
    with Sender(server.port, WAIT) as sender:
        sender.send("/loopgen/generate", what, "variations", 6, *_fields(1))
        ended = first_end(sender, harm)
        mend()
        sender.send("/loopgen/generate", f"{what}, after", *_fields(2))
        after = first_end(sender, lambda: None)
    left = broken_files(server.output)
    table([
        Row(f"{what} during a job", ended, goal),
        Row("   the next job, after mending", f"{after}{f', left over: {left}' if left else ''}", "done"),
    ])  # fmt: skip


def first_end(sender: Sender, harm: Callable[[], object]) -> str:
    """How the job that was just sent ends; ``harm`` is done when its first loop is there."""
    number = 0
    while (message := sender.read()) is not None:
        said = named(message)
        if message.address == "/loopgen/error":
            return f"{said['code']}: {said['message']}"
        if message.address == "/loopgen/done" and said["variation"] == number + 1:
            sender.send("/loopgen/ack", said["job"])
            number += 1
            if number == 1:
                harm()
            if number == said["variations"]:
                return "done" if number == 1 else f"done, all {number}"
    return f"no end within {WAIT:.0f} s"


@contextmanager
def _small_disk(place: Path) -> Iterator[Path | None]:
    """A disk of 5 MB; None where none can be mounted."""
    place.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=5m", "tmpfs", str(place)]
    is_mounted = sys.platform == "linux" and os.geteuid() == 0 and not subprocess.run(command, stderr=-3).returncode
    try:
        yield place if is_mounted else None
    finally:
        if is_mounted:
            subprocess.run(["umount", "--lazy", str(place)], check=True)


def _remount(disk: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)


def _replace(output: Path) -> None:
    shutil.rmtree(output)
    output.write_text("in the way")
