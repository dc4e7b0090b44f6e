"""100,000 hostile datagrams from every kind of sender, and a long time of dense traffic: what it leaves behind."""

from __future__ import annotations

import hashlib
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import mido
import psutil

from bridge.client import Client
from bridge.wire import Malformed, decode, encode_any
from loopgen.errors import Busy, Cancelled, LoopgenError, Refused
from loopgen.music.melody import Melody, Note
from tests.bench.bridge_fuzz import Fuzz, is_answerable
from tests.bench.bridge_serving import Footprint, Sender, Serving, ping_seconds, serving
from tests.bench.bridge_table import Row, table
from tests.bench.options import Options

BATCH = 100
REGULARS = 40
TRAP = Path("/tmp/loopgen-was-here")
"""One of the absolute paths that the fuzz asks for."""


@dataclass(slots=True)
class Siege:
    """What became of it: datagrams sent, those owed an answer that got none, answers by code, the worst ping."""

    sent: int = 0
    owed: int = 0
    unanswered: list[bytes] = field(default_factory=list)
    codes: Counter[str] = field(default_factory=Counter)
    worst_ping: float = 0.0
    stalls: int = 0


def hostile(options: Options, folder: Path) -> None:
    """Send the fuzz; look at files, memory, threads and handles before and after."""
    count = 5_000 if options.quick else 100_000
    with serving(folder) as server:
        furnish(server.output, folder / "outside")
        pid = server.process.pid
        siege, fuzz = Siege(), Fuzz(1)
        before = contents(folder)
        for at in range(0, count, BATCH):
            besiege(server.port, fuzz, BATCH, siege, at)
            if at == count // 5:
                early = server.footprint()
        late, changed = server.footprint(), difference(before, contents(folder))
        survived = server.is_alive() and server.process.pid == pid
        server.wait_ready()
    internal = siege.codes.get("internal", 0)
    worst = f"{siege.stalls} stalls, worst ping {1000 * siege.worst_ping:.1f} ms"
    rows = [
        Row(f"{siege.sent:,} hostile datagrams", f"{'lived' if survived else 'DIED'}, {worst}", "no crash, no stall"),
        Row("   owed an answer, and got none", f"{len(siege.unanswered):,} of {siege.owed:,} that were followed", "0"),
        Row("   refused as `internal`: faults of ours", f"{internal:,}", "0"),
        Row("   files written, changed or removed", f"{len(changed)}{': ' if changed else ''}{changed[:3] or ''}", "0"),
        Row("   at 20% of them", str(early)),
        Row("   at their end", str(late), "no more"),
        Row("   by kind", ", ".join(f"{kind} {n:,}" for kind, n in sorted(fuzz.kinds.items()))),
        Row("   answered with", ", ".join(f"{code} {n:,}" for code, n in siege.codes.most_common(12))),
    ]
    table(rows)
    for datagram in siege.unanswered[:5]:
        print(f"      unanswered: {datagram[:80]!r}")


def besiege(port: int, fuzz: Fuzz, count: int, siege: Siege, round_: int) -> None:
    """One batch: every fourth goes from new ports one by one, each followed to its answer; others come in a swarm."""
    with ExitStack() as stack:
        if round_ // BATCH % 4 == 0:
            for _ in range(count):
                _follow(port, next(fuzz), siege)
        else:
            senders = [stack.enter_context(Sender(port, 0.0)) for _ in range(4)]
            for n in range(count):
                siege.sent += 1
                with suppress(OSError):  # not every system sends what is so large
                    senders[n % 4].socket.send(next(fuzz))
        with Sender(port, 5.0) as pinger:
            seconds = ping_seconds(pinger, f"b{round_}")
        if seconds is None:
            siege.stalls += 1
        else:
            siege.worst_ping = max(siege.worst_ping, seconds)


def _follow(port: int, datagram: bytes, siege: Siege) -> None:
    sender = Sender(port, 5.0)
    siege.sent += 1
    try:
        sender.socket.send(datagram)
        if is_answerable(datagram):
            siege.owed += 1
            message = sender.read()
            if message is None:
                siege.unanswered.append(datagram)
            else:
                is_error = message.address == "/loopgen/error"
                siege.codes[str(message.arguments[1]) if is_error else message.address] += 1
        else:  # it may have asked for its answers elsewhere, and the system may give its port to the next sender
            sender.socket.send(encode_any("/loopgen/bye", ()))
    except OSError:  # not every system sends what is so large
        return
    finally:
        sender.socket.close()  # without a bye: many do not say it


def furnish(output: Path, outside: Path) -> None:
    """Put things into the output folder and its inbox that must stay as they are, or must not be read through."""
    outside.mkdir(parents=True)
    secret = outside / "secret.mid"
    secret.write_bytes(b"MThd\0\0\0\6\0\0\0\1\1\xe0MTrk\0\0\0\4\0\xff\x2f\0")
    inbox = output / "inbox"
    inbox.mkdir(parents=True, exist_ok=True)
    (output / "kept.wav").write_bytes(b"RIFF")
    (inbox / "folder.mid").mkdir()
    with suppress(OSError):  # Windows lets not everybody make links
        (inbox / "link.mid").symlink_to(secret)
        (inbox / "linked").symlink_to(outside)
        (inbox / "zero.mid").symlink_to("/dev/zero")
    if hasattr(os, "mkfifo"):
        os.mkfifo(inbox / "pipe.mid")


def contents(folder: Path) -> dict[str, str]:
    """Every path below a folder and what is in it; the server's log aside, the trap included."""
    found = {"trap": str(TRAP.exists())}
    for path in folder.rglob("*"):
        if path.name != "log":
            is_file = path.is_file() and not path.is_symlink()
            found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest() if is_file else "no file"
    return found


def difference(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Paths that are new, gone or not the same."""
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


# -- a long time -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Tally:
    """What the soak's clients did."""

    done: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)


def soak(options: Options, folder: Path) -> None:
    """Clients that come and go, jobs, melodies, presets, cancels, nonsense; footprints at 20% and at the end."""
    seconds = 20.0 if options.quick else 300.0
    with serving(folder) as server:
        _write_clip(server.output / "inbox" / "riff.mid")
        tally = Tally()
        threads = [threading.Thread(target=_live, args=(server, n, tally), daemon=True) for n in range(4)]
        threads.append(threading.Thread(target=_pester, args=(server, tally), daemon=True))
        for thread in threads:
            thread.start()
        marks = list(_footprints(server, seconds))
        tally.stop.set()
        for thread in threads:
            thread.join(60.0)
        server.wait_ready()
        rows = [
            Row(
                f"soak of {seconds:.0f} s: what was done",
                ", ".join(f"{k} {n:,}" for k, n in sorted(tally.done.items())),
            )
        ]
    middle = marks[len(marks) // 5 : -len(marks) // 5] or marks
    for name, number in (("server", 0), ("worker", 1)):
        rows.append(Row(f"   {name} at 20%", str(marks[len(marks) // 5][number])))
        rows.append(Row(f"   {name} at the end", str(marks[-1][number]), "no more"))
        rows.append(Row(f"   {name}, MB between 20% and 80%", _range([mark[number].memory for mark in middle])))
    rows.append(
        Row("   what went wrong", f"{len(tally.wrong)}{': ' if tally.wrong else ''}{tally.wrong[:3] or ''}", "0")
    )
    table(rows)


def _range(values: list[float]) -> str:
    return f"{min(values):.1f} to {max(values):.1f}"


def _footprints(server: Serving, seconds: float) -> Iterator[tuple[Footprint, Footprint]]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        worker = server.worker()
        with suppress(psutil.Error):
            if worker is not None:
                yield server.footprint(), Footprint.of(worker)
        time.sleep(seconds / 100)


def _live(server: Serving, number: int, tally: Tally) -> None:
    """One client after the other, each for a few things."""
    chance = random.Random(number)
    while not tally.stop.is_set():
        try:
            with server.client() as client:
                tally.done["clients"] += 1
                for _ in range(chance.randint(1, 6)):
                    _act(client, chance, tally)
                    if tally.stop.is_set():
                        break
        except (Refused, Busy) as error:
            tally.done[f"refused {error.wire_code}" if isinstance(error, Refused) else "busy"] += 1
        except LoopgenError as error:
            tally.wrong.append(f"{type(error).__name__}: {error}")


def _act(client: Client, chance: random.Random, tally: Tally) -> None:
    action = chance.choice(("loops", "loops", "loops", "melodies", "files", "presets", "cancels", "values", "retempos"))
    fields = {
        "prompt": chance.choice(("dub techno", "house", "rolling techno")),
        "bars": chance.choice((1, 2, 4)),
        "tempo": 128,
    }
    if action == "loops":
        tally.done[action] += len(list(client.generate(fields | {"variations": chance.choice((1, 1, 2))})))
    elif action == "melodies":
        notes = tuple(Note(n * 0.5, 60 + n % 7, 0.5) for n in range(chance.randint(1, 200)))
        client.melody(Melody(notes, len(notes) / 2), "riff")
        tally.done[action] += len(list(client.generate(fields | {"melody": "riff"})))
    elif action == "presets":
        name = f"own {chance.randrange(5)}"
        client.ask("/loopgen/set/prompt", "my own")
        for step in ("save", "load", "delete"):
            with suppress(Refused):  # another client may have been faster
                client.ask(f"/loopgen/preset/{step}", name)
        client.ask("/loopgen/preset/list")
        tally.done[action] += 1
    elif action == "files":
        client.ask("/loopgen/melody/file", "from file", "riff.mid", timeout=60.0)
        tally.done[action] += len(list(client.generate(fields | {"melody": "from file"})))
    elif action == "cancels":
        for _ in range(40):
            with suppress(Cancelled):
                list(client.generate(fields | {"variations": 8}, accepted=lambda job, _: client.cancel(job)))
            tally.done[action] += 1
    elif action == "retempos":
        for loop in client.generate(fields):
            with suppress(Refused):  # its take may have made room for others'
                list(client.retempo(loop.job, "131.5"))
            list(client.rotate(loop.job, 1))
        tally.done[action] += 1
    else:
        client.ask("/loopgen/subscribe", chance.choice(("tempo", "jobs", "traffic", "state")))
        for n in range(50):
            client.ask("/loopgen/set/tempo", str(100 + n))
        client.ask("/loopgen/set/tempo", "")
        tally.done[action] += 50


def _write_clip(path: Path) -> None:
    file = mido.MidiFile()
    file.tracks.append(mido.MidiTrack(mido.Message(kind, note=60, time=240) for kind in ("note_on", "note_off") * 4))
    file.save(path)


def _pester(server: Serving, tally: Tally) -> None:
    """Nonsense from ever new ports, some hundred a second; the session, which all share, is left to the others."""
    fuzz = Fuzz(2)
    while not tally.stop.is_set():
        with Sender(server.port, 0.0) as sender:
            for datagram in islice(fuzz, 20):
                if b"/set/" not in datagram and b"/load" not in datagram:
                    with suppress(OSError):
                        sender.socket.send(datagram)
                    tally.done["hostile"] += 1
            with suppress(BlockingIOError, ConnectionError, Malformed):
                decode(sender.socket.recv(65_536))
        time.sleep(0.05)
