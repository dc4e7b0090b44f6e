"""Who sends, where their answers go, and how long they are remembered."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias, TypeVar

from bridge.clips import Clips
from bridge.protocol import LEASE

Address: TypeAlias = tuple[str, int]
"""Host and port."""

PEERS_MAX = 256
REQUESTS_MAX = 200
"""Requests that a peer's repeats are recognised among, and loops of its own that are remembered."""


NOTES_KEPT = 100_000
"""Notes in the clips of all peers together, some 40 MB; one peer alone stays below it."""


K = TypeVar("K")
V = TypeVar("V")


class Recent(OrderedDict[K, V]):
    """The last ``REQUESTS_MAX`` entries."""

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        while len(self) > REQUESTS_MAX:
            self.popitem(last=False)


@dataclass(slots=True, eq=False)
class Peer:
    """A client: its name (empty while it has not said hello), its reply address, and what it has sent so far.

    ``requests`` holds which job a ``req`` became and what it asked for, ``errands`` the answers of what is done once,
    ``loops`` the files of the last loops that it had generated.
    """

    source: Address
    reply: Address
    seen: float
    name: str = ""
    greeted: float = 0.0
    clips: Clips = field(default_factory=Clips)
    topics: set[str] = field(default_factory=set)
    requests: Recent[str, tuple[str, int]] = field(default_factory=lambda: Recent())
    errands: Recent[tuple[str, ...], tuple[str, ...]] = field(default_factory=lambda: Recent())
    loops: Recent[str, None] = field(default_factory=lambda: Recent())

    def remember(self, req: str, job: str, contents: int) -> None:
        """Note which job a request has become, so that its repeat becomes no second one."""
        if req:
            self.requests[req] = job, contents

    def turned(self, loop: str, path: str) -> None:
        """One of its loops, by path or file name, was turned: the turned one takes its place."""
        self.loops = Recent((path if loop in (old, Path(old).name) else old, None) for old in self.loops)


@dataclass(frozen=True, slots=True)
class Sender:
    """Whom a message came from: the peer at that address, and the mailbox of its host where the peer has none."""

    peer: Peer
    mailbox: Peer | None = None

    @property
    def source(self) -> Address:
        """Where the message came from."""
        return self.peer.source

    @property
    def owner(self) -> Peer:
        """Whose the loops are that are made for it: the mailbox's where there is one, which outlives the port."""
        return self.mailbox or self.peer

    @property
    def listeners(self) -> tuple[Peer, ...]:
        """Peers that an answer concerns."""
        return (self.peer,) if self.mailbox is None else (self.peer, self.mailbox)

    @property
    def replies(self) -> tuple[Address, ...]:
        """Addresses that an answer goes to."""
        return tuple(peer.reply for peer in self.listeners)

    @property
    def clips(self) -> Clips:
        """Melodies sent so far; those of senders with a new port each time lie at their mailbox."""
        return self.peer.clips if self.mailbox is None else self.mailbox.clips


class Peers:
    """The registry. All peers are on the hosts that they send from: a client chooses its port, never a host."""

    def __init__(self) -> None:
        self._peers: OrderedDict[Address, Peer] = OrderedDict()

    def __iter__(self) -> Iterator[Peer]:
        return iter(tuple(self._peers.values()))

    def hello(self, source: Address, name: str, reply_port: int, now: float) -> tuple[Peer, bool]:
        """Register a client; returns it, and whether it is new."""
        reply = (source[0], reply_port or source[1])
        known = self._peers.get(source)
        if reply != source:  # one that sends each message from a new port says hello again
            known = next((p for p in self._peers.values() if (p.name, p.reply) == (name, reply)), known)
        is_new = known is None or known.name != name
        peer = known or Peer(source, reply, now)
        self._peers.pop(peer.source, None)
        self._peers.pop(source, None)
        peer.source, peer.reply, peer.name, peer.seen, peer.greeted = source, reply, name, now, now
        self._keep(peer)
        return peer, is_new

    def sender(self, source: Address, now: float) -> Sender:
        """Find who sends from an address, and renew the lease.

        One that has said hello from there is answered where it asked. Another is answered at its port, and also at the
        mailbox of its host: where the last living hello asked for answers at another port than it came from.
        Command-line senders use a new port each time.
        """
        peer = self._peers.get(source)
        if peer is None:
            peer = Peer(source, source, now)
            self._keep(peer)
        peer.seen = now
        self._peers.move_to_end(source)
        if peer.name:
            return Sender(peer)
        boxes = [p for p in self._peers.values() if p.name and p.reply != p.source and p.source[0] == source[0]]
        mailbox = max(boxes, key=lambda p: p.greeted, default=None)
        if mailbox is not None:
            mailbox.seen = now
        return Sender(peer, mailbox)

    def make_room(self) -> None:
        """Drop the oldest clip of whoever keeps most notes, while all together keep more than ``NOTES_KEPT``."""
        while sum(peer.clips.notes for peer in self._peers.values()) > NOTES_KEPT:
            max(self._peers.values(), key=lambda peer: peer.clips.notes).clips.drop_oldest()

    def forget(self, peer: Peer) -> None:
        """Drop a peer."""
        self._peers.pop(peer.source, None)

    def expire(self, now: float) -> list[Peer]:
        """Drop those that have been silent for longer than the lease, and return them."""
        gone = [peer for peer in self._peers.values() if now - peer.seen > LEASE]
        for peer in gone:
            self.forget(peer)
        return gone

    def _keep(self, peer: Peer) -> None:
        self._peers[peer.source] = peer
        while len(self._peers) > PEERS_MAX:
            nameless = next((p for p in self._peers.values() if not p.name and p is not peer), None)
            self.forget(nameless or next(iter(self._peers.values())))
