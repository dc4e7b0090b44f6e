"""Who sends, where their answers go, and how long they are remembered."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from bridge.clips import Clips
from bridge.protocol import LEASE

Address: TypeAlias = tuple[str, int]
"""Host and port."""

PEERS_MAX = 256
REQUESTS_MAX = 1_000
"""Requests that a peer's repeats are recognised among."""


NOTES_KEPT = 100_000
"""Notes in the clips of all peers together, some 40 MB; one peer alone stays below it."""


@dataclass(slots=True)
class Peer:
    """A client: its name (empty while it has not said hello), its reply address, and what it has sent so far."""

    source: Address
    reply: Address
    seen: float
    name: str = ""
    clips: Clips = field(default_factory=Clips)
    topics: set[str] = field(default_factory=set)
    requests: OrderedDict[str, str] = field(default_factory=OrderedDict)

    @property
    def elsewhere(self) -> bool:
        """Whether it listens at another port than it sends from."""
        return self.reply != self.source

    def remember(self, req: str, job: str) -> None:
        """Note which job a request has become, so that its repeat becomes no second one."""
        if req:
            self.requests[req] = job
            while len(self.requests) > REQUESTS_MAX:
                self.requests.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Sender:
    """Whom a message came from: the peer it counts for, and the addresses that its answers go to."""

    peer: Peer
    replies: tuple[Address, ...]


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
        if known is None and reply != source:  # one that sends each message from a new port says hello again
            known = next((p for p in self._peers.values() if p.name == name and p.reply == reply), None)
        new = known is None or not known.name
        peer = known or Peer(source, reply, now)
        self._peers.pop(peer.source, None)
        peer.source, peer.reply, peer.name, peer.seen = source, reply, name, now
        self._keep(peer)
        return peer, new

    def sender(self, source: Address, now: float) -> Sender:
        """Find who sends from an address.

        One that has said hello from there is answered where it asked. Another is answered at its port, and counts for
        the last living client of its host that listens elsewhere, which is answered as well: command-line senders
        use a new port each time, and their hello was sent from another.
        """
        if peer := self._peers.get(source):
            peer.seen = now
            self._peers.move_to_end(source)
            return Sender(peer, (peer.reply,))
        for mailbox in reversed(self._peers.values()):
            if mailbox.source[0] == source[0] and mailbox.name and mailbox.elsewhere:
                mailbox.seen = now
                return Sender(mailbox, tuple(dict.fromkeys((source, mailbox.reply))))
        peer = Peer(source, source, now)
        self._keep(peer)
        return Sender(peer, (source,))

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
