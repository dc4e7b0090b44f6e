"""Answers on their way out: to who asked, to who subscribed, and a copy to who watches the traffic."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from bridge.peers import Address, Peer, Peers
from bridge.protocol import answer
from bridge.wire import Message, Value, decode

Send: TypeAlias = Callable[[bytes, Address], None]

WATCHERS_MAX = 8
"""Clients that may watch the traffic: each of them multiplies it."""


class Post:
    """Sends replies by their names of the protocol's table."""

    def __init__(self, peers: Peers, send: Send) -> None:
        self._peers, self._raw_send = peers, send

    def answer(self, replies: tuple[Address, ...], name: str, *values: Value) -> bytes:
        """Send a reply; returns its datagram, should it have to be sent again."""
        datagram = answer(name, *values)
        self.send(datagram, replies)
        return datagram

    def send(self, datagram: bytes, replies: tuple[Address, ...]) -> None:
        """Send a datagram."""
        for address in replies:
            self._raw_send(datagram, address)
        if watchers := self.watchers():
            self._copy(watchers, "->", replies, decode(datagram)[0])

    def publish(self, topic: str, name: str, *values: Value, but: tuple[Address, ...] = ()) -> None:
        """Send a reply to all who subscribed to a topic."""
        if replies := tuple(peer.reply for peer in self._peers if topic in peer.topics and peer.reply not in but):
            self.answer(replies, name, *values)

    def received(self, source: Address, message: Message) -> None:
        """Show a message that came in to who watches."""
        if watchers := self.watchers():
            self._copy(watchers, "<-", (source,), message)

    def watchers(self) -> list[Peer]:
        """Who watches the traffic."""
        return [peer for peer in self._peers if "traffic" in peer.topics]

    def _copy(self, watchers: list[Peer], arrow: str, ends: tuple[Address, ...], message: Message) -> None:
        """One line a message, however many get it; none for those that get nothing but their own."""
        more = f" and {len(ends) - 1} more" if len(ends) > 1 else ""
        datagram = answer("value", "", "traffic", f"{arrow} {ends[0][0]}:{ends[0][1]}{more} {message}")
        for peer in watchers:
            if not {peer.source, peer.reply}.issuperset(ends):
                self._raw_send(datagram, peer.reply)
