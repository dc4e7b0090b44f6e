"""Replies while a job runs, and a burst from many senders, beside python-osc's own servers."""

from __future__ import annotations

import multiprocessing
import selectors
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median, quantiles

from bridge.peers import PEERS_MAX
from bridge.wire import Malformed, Message, Value, decode, encode_any
from tests.bench.bridge_fuzz import osc
from tests.bench.bridge_peer import SERVERS, peer
from tests.bench.bridge_serving import STOCK_BUFFER, Sender, Serving, ping_seconds, serving
from tests.bench.bridge_table import Row, table
from tests.bench.options import Options

SENDERS = 8
STARS = (16, 24)
LONG: tuple[Value, ...] = ("prompt", "dub techno", "bars", 64, "variations", 16)
_SILENCE = 3.0
"""Seconds without any answer after which the rest counts as lost."""


# -- replies while a job is generating ---------------------------------------------------------------------------------


def replies(options: Options, folder: Path) -> None:
    """Orders that are accepted and orders that are refused, in turns, while the worker is busy."""
    count = 200 if options.quick else 1_000
    with serving(folder) as server, Sender(server.port) as owner, Sender(server.port) as asker:
        times = []
        for n in range(count):
            if n % 50 == 0:
                _keep_working(owner, n)
            times.append(_order(asker, n))
            time.sleep(0.002)
    rows = [Row(f"accepted or error while a job generates, {count:,} requests", _spread(times), "99% <= 10 ms")]
    for name in SERVERS:
        with peer(name, generates=True) as port, Sender(port, 60.0) as owner, Sender(port, 60.0) as asker:
            times = []
            for n in range(count // 20):
                if n % 5 == 0:
                    owner.send("/loopgen/generate", f"long {n}")
                    time.sleep(0.02)
                times.append(ping_seconds(asker, f"t{n}") or 60.0)
                time.sleep(0.002)
        rows.append(Row(f"   {name}, generating in its handler, {count // 20} pings", _spread(times)))
    table(rows)


def _keep_working(owner: Sender, n: int) -> None:
    """Make sure that the worker has something to do for the next seconds."""
    while (welcome := owner.ask("/loopgen/hello", "owner", 1, 0)) is not None:
        while welcome is not None and welcome.address != "/loopgen/welcome":
            welcome = owner.read()
        if welcome is None or welcome.arguments[5] == "working":
            return
        owner.send("/loopgen/generate", f"long {n}", *LONG)
        time.sleep(0.1)


def _order(asker: Sender, n: int) -> float:
    fields: tuple[Value, ...] = ("prompt", "techno", "bars", 1) if n % 2 else ("prompt", "techno", "tempo", 5)
    begin = time.perf_counter()
    asker.send("/loopgen/generate", f"r{n}", *fields)
    while (message := asker.read()) is not None:
        taken = time.perf_counter() - begin
        if message.address == "/loopgen/accepted" and message.arguments[0] == f"r{n}":
            asker.send("/loopgen/cancel", message.arguments[1])
            return taken
        if message.address == "/loopgen/error" and message.arguments[0] == f"r{n}":
            return taken
    raise TimeoutError(f"request {n} was never answered")


def _spread(times: list[float]) -> str:
    high = quantiles(times, n=100, method="inclusive")[98]
    return f"median {1000 * median(times):.2f} ms, 99% {1000 * high:.2f}, worst {1000 * max(times):.2f}"


# -- a burst -----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Burst:
    """What became of it: answers by kind, pings meanwhile in seconds, datagrams that the system dropped."""

    sent: int
    answered: Counter[str] = field(default_factory=Counter)
    pings: list[float | None] = field(default_factory=list)
    seconds: float = 0.0
    dropped: tuple[int, int] = (0, 0)
    accepted: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        total = sum(self.answered.values())
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in sorted(self.answered.items()))
        lost = f"; dropped by the system: {self.dropped[0]:,} of the server's, {self.dropped[1]:,} of the senders'"
        return f"{total:,} of {self.sent:,} answered ({kinds}){lost if any(self.dropped) else ''}"

    @property
    def ping(self) -> str:
        """The pings in words."""
        there = [seconds for seconds in self.pings if seconds is not None]
        worst = f"worst {1000 * max(there):.1f} ms of {len(self.pings)}" if there else "none answered"
        return worst + (f", {len(self.pings) - len(there)} never answered" if len(there) < len(self.pings) else "")


def bursts(options: Options, folder: Path) -> None:
    """5,000 datagrams in one second; all at once; and what the stock buffer of a Linux does with them."""
    count = 1_000 if options.quick else 5_000
    for buffer, what in ((2**30, ""), (STOCK_BUFFER, ", a stock Linux's buffer")):
        with serving(folder / str(buffer), buffer=buffer) as server:
            made = burst(server.port, count, count / 5_000)
            _cancel(server, made)
            goal = "" if what else "every one answered"
            rows = [Row(f"burst of {count:,} at 5,000/s from {SENDERS} senders{what}", str(made), goal)]
            rows.append(Row("   ping meanwhile", made.ping, "" if what else "<= 50 ms"))
            made = burst(server.port, count, 0.0)
            _cancel(server, made)
            rows += [Row(f"   all {count:,} as fast as can be{what}", str(made)), Row("   ping meanwhile", made.ping)]
            table(rows)
    for name in SERVERS:
        with peer(name) as port:
            made = burst(port, count, count / 5_000)
        table([Row(f"   {name}, the same burst", str(made)), Row("   ping meanwhile", made.ping)])


def burst(port: int, count: int, seconds: float) -> Burst:
    """Send ``count`` datagrams of every kind in ``seconds`` and read the answers as they come."""
    made = Burst(count)
    with ExitStack() as stack, _pinging(port, made):
        senders = [stack.enter_context(Sender(port)) for _ in range(SENDERS)]
        for sender in senders:
            sender.socket.setblocking(False)
        dropped = _dropped(port), sum(_dropped(sender.port) for sender in senders)
        waiting: list[set[str]] = [set() for _ in senders]
        nameless = [0] * SENDERS
        plan = deque((n * seconds / count, n % SENDERS, *_message(n)) for n in range(count))
        with selectors.DefaultSelector() as selector:
            for number, sender in enumerate(senders):
                selector.register(sender.socket, selectors.EVENT_READ, number)
            begin = heard = time.perf_counter()
            while True:
                now = time.perf_counter()
                for _ in range(25):  # and then read again
                    if not plan or begin + plan[0][0] > now:
                        break
                    _, number, key, datagram = plan.popleft()
                    if key:
                        waiting[number].add(key)
                    else:
                        nameless[number] += 1
                    senders[number].socket.send(datagram)
                for ready, _ in selector.select(0 if plan else 0.05):
                    if _take(senders[ready.data], made, waiting[ready.data], nameless, ready.data):
                        heard = time.perf_counter()
                        made.seconds = heard - begin
                if not plan and (not any(nameless) and not any(waiting)):
                    break
                if not plan and time.perf_counter() - heard > _SILENCE:
                    break
        after = _dropped(port), sum(_dropped(sender.port) for sender in senders)
        made.dropped = after[0] - dropped[0], after[1] - dropped[1]
    return made


def _message(n: int) -> tuple[str, bytes]:
    """A datagram, and the key that its answer brings back; none where nothing could be read from it."""
    key = f"k{n}"
    kinds: tuple[tuple[str, tuple[Value, ...]], ...] = (
        ("/loopgen/set/tempo", (key, f"{100 + n % 50}.5")),
        ("/loopgen/get/tempo", (key,)),
        ("/loopgen/generate", (key, "prompt", "techno", "bars", 1)),
        ("/loopgen/ping", (key,)),
        ("/loopgen/nonsense", (key, 1.0)),
        ("/loopgen/set/bars", (key, "many")),
        ("/loopgen/get/prompt", (key,)),
        ("/loopgen/generate", (key, "prompt", "techno", "tempo", 5)),
    )
    if n % 50 == 49:
        return "", osc(b"/loopgen/ping", [("s", b"\xff\xfe")])
    return key, encode_any(*kinds[n // SENDERS % len(kinds)])


def _take(sender: Sender, made: Burst, waiting: set[str], nameless: list[int], number: int) -> bool:
    """Read all that has come; whether an answer was among it."""
    before = sum(made.answered.values())
    while True:
        try:
            message = decode(sender.socket.recv(65_536))[0]
        except (BlockingIOError, ConnectionError):
            return sum(made.answered.values()) > before
        except Malformed:
            continue
        key = str(message.arguments[0]) if message.arguments else ""
        kind = _kind(message)
        if key in waiting:
            waiting.discard(key)
        elif not key and kind == "error" and nameless[number]:
            nameless[number] -= 1
        else:
            continue
        made.answered[kind] += 1
        if kind == "accepted":
            made.accepted.append(str(message.arguments[1]))


def _kind(message: Message) -> str:
    if message.address == "/loopgen/error" and message.arguments[1] == "busy":
        return "busy"
    return message.address.removeprefix("/loopgen/")


def _cancel(server: Serving, made: Burst) -> None:
    with Sender(server.port, 0.5) as sender:
        for job in made.accepted:
            sender.send("/loopgen/cancel", job)
    server.wait_ready()


def _dropped(port: int) -> int:
    """Datagrams that Linux has thrown away for the sockets of a port, as their buffers were full; 0 elsewhere."""
    if sys.platform != "linux":
        return 0
    lines = Path("/proc/net/udp").read_text().splitlines()[1:]
    return sum(int(line.split()[-1]) for line in lines if line.split()[1].endswith(f":{port:04X}"))


@contextmanager
def _pinging(port: int, made: Burst) -> Iterator[None]:
    """Ping from a process of its own meanwhile."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_ping, args=(port, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        ours.recv()
        yield
        ours.send("enough")
        made.pings = ours.recv()
    finally:
        ours.close()
        process.kill()
        process.join()


def _ping(port: int, pipe: Connection) -> None:
    times: list[float | None] = []
    with Sender(port, 10.0) as sender:
        ping_seconds(sender, "first")
        pipe.send("up")
        while not pipe.poll(0.005):
            times.append(ping_seconds(sender, f"p{len(times)}"))
    pipe.send(times)


# -- a crowd -----------------------------------------------------------------------------------------------------------


def crowd(options: Options, folder: Path) -> None:
    """As many clients as there is room for want to know of everything, while one turns a knob."""
    turns = 50 if options.quick else 500
    with serving(folder) as server, ExitStack() as stack:
        for _ in range(PEERS_MAX - 2):
            one = stack.enter_context(Sender(server.port))
            for topic in ("tempo", "jobs", "state", "traffic"):
                one.ask("/loopgen/subscribe", topic)
        knob, pinger = (stack.enter_context(Sender(server.port)) for _ in range(2))
        times, pings = [], []
        for n in range(turns):
            begin = time.perf_counter()
            knob.ask("/loopgen/set/tempo", f"r{n}", f"{100 + n % 50}.5")
            times.append(time.perf_counter() - begin)
            pings.append(ping_seconds(pinger, f"p{n}") or 60.0)
    rows = [
        Row(f"a value set, {PEERS_MAX - 2} clients told of it", _spread(times)),
        Row("   ping between", _spread(pings)),
    ]
    table(rows)


# -- an address that some dispatchers take for a pattern ---------------------------------------------------------------


def stars(options: Options, folder: Path) -> None:
    """How long one datagram with so many stars in its address keeps a ping waiting."""
    cap = 5.0 if options.quick else 30.0
    which = " and ".join(map(str, STARS))
    rows = []
    with serving(folder) as server:
        rows.append(Row(f"one address of {which} stars, then a ping", _after_stars(server.port, cap)))
    for name in SERVERS:
        with peer(name) as port:
            rows.append(Row(f"   {name}", _after_stars(port, cap)))
    table(rows)


def _after_stars(port: int, cap: float) -> str:
    said = []
    for count in STARS:
        with Sender(port, cap) as sender:
            ping_seconds(sender, "first")
            sender.socket.send(osc(b"/loopgen/" + b"*" * count + b"!", [("s", b"")]))
            seconds = ping_seconds(sender, "after")
        said.append(f"not within {cap:.0f} s" if seconds is None else f"after {1000 * seconds:.1f} ms")
    return "answered " + ", ".join(said)
