"""OSC 1.0 datagrams to messages and back, strict: what is not understood whole is refused whole."""

from __future__ import annotations

import math
import struct
import time
from dataclasses import dataclass
from typing import TypeAlias

from pythonosc.osc_message import OscMessage, ParseError
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.parsing import osc_types

Value: TypeAlias = str | int | float | bool | None

BYTES_IN = 8192
"""The longest datagram that is read; a client learns it from ``welcome``."""

BYTES_OUT = 1024
"""The longest datagram that is sent: Max cuts lists at 256 atoms, macOS and small parsers datagrams at a few KB."""

LATENESS = 2.0
"""Seconds that a bundle may lie in the future: it is handled at once, so a longer wait would not be what was meant."""

_TAKEN = frozenset("ifdhsTFN")
_PATTERN = frozenset("*?[]{}!,# ")
_BUNDLE = b"#bundle\0"
_NTP_EPOCH = 2_208_988_800
_NESTING, _ELEMENTS = 4, 64


class Malformed(Exception):
    """A datagram that cannot be used; ``code`` is stable and goes over the wire."""

    def __init__(self, code: str, text: str, address: str = "") -> None:
        super().__init__(text)
        self.code, self.address = code, address


@dataclass(frozen=True, slots=True)
class Message:
    """An address and its arguments: text, whole numbers, finite numbers, true, false, nothing.

    >>> decode(encode("/loopgen/ping", "s", ("a",)))
    [Message(address='/loopgen/ping', arguments=('a',))]
    """

    address: str
    arguments: tuple[Value, ...] = ()

    def __str__(self) -> str:
        return " ".join([self.address, *(str(argument) for argument in self.arguments)])


def decode(datagram: bytes, now: float | None = None) -> list[Message]:
    """Read a message, or those of a bundle in their order; ``now`` in seconds since 1970.

    Raises ``Malformed``: ``too_large``, ``undecodable``, ``pattern_refused`` (an address with wildcards would be a
    regular expression to some dispatchers, here it is nothing) and ``too_early`` for a bundle of the future.
    """
    if len(datagram) > BYTES_IN:
        raise Malformed("too_large", f"a datagram of {len(datagram)} bytes or more; at most {BYTES_IN} are read")
    messages = _elements(datagram, time.time() if now is None else now, 0)
    if not messages:
        raise Malformed("undecodable", "a bundle without a message")
    return messages


def _elements(datagram: bytes, now: float, depth: int) -> list[Message]:
    if not datagram.startswith(_BUNDLE):
        return [_message(datagram)]
    if depth >= _NESTING or len(datagram) < 16:
        raise Malformed("undecodable", f"a bundle cut short, or more than {_NESTING} bundles in each other")
    seconds, fraction = struct.unpack(">II", datagram[8:16])
    ahead = seconds - _NTP_EPOCH - now
    if (seconds, fraction) != (0, 1) and ahead > LATENESS:
        raise Malformed("too_early", f"a bundle for {ahead:.0f} s from now; send it when it is due")
    messages: list[Message] = []
    index = 16
    while index < len(datagram):
        size = struct.unpack(">i", datagram[index : index + 4])[0] if index + 4 <= len(datagram) else -1
        index += 4
        if size <= 0 or size % 4 or index + size > len(datagram) or len(messages) >= _ELEMENTS:
            raise Malformed("undecodable", f"a bundle cut short, or of more than {_ELEMENTS} messages")
        messages += _elements(datagram[index : index + size], now, depth + 1)
        index += size
    return messages


def _message(datagram: bytes) -> Message:
    end = datagram.find(b"\0")
    if not datagram.startswith(b"/") or end < 0 or len(datagram) % 4:
        raise Malformed("undecodable", "no OSC message: an address, its padding or the length is wrong")
    try:
        address = datagram[:end].decode("ascii")
    except UnicodeDecodeError:
        raise Malformed("undecodable", "an address that is not ASCII") from None
    if len(address) > 128 or not address.isprintable():
        raise Malformed("undecodable", "an address of more than 128 characters, or with control characters")
    if not _PATTERN.isdisjoint(address):
        raise Malformed("pattern_refused", "addresses with wildcards are not taken; send each by itself", address)
    tags_start = end + 4 - end % 4
    tags_end = datagram.find(b"\0", tags_start)
    tags = datagram[tags_start:tags_end].decode("latin-1")
    if tags_start == len(datagram):
        return Message(address)
    if tags_end < 0 or not tags.startswith(","):
        raise Malformed("undecodable", "an address without type tags", address)
    if unknown := set(tags[1:]) - _TAKEN:
        shown = "".join(sorted(unknown))[:8]
        raise Malformed("undecodable", f"the type {shown!r} is not taken; send i, f, d, h, s, T, F or N", address)
    try:
        arguments = tuple(OscMessage(datagram).params)
    except (ParseError, osc_types.ParseError, ValueError, struct.error, IndexError) as error:
        raise Malformed("undecodable", f"arguments cut short, or text that is not UTF-8 ({error})", address) from None
    if len(arguments) != len(tags) - 1:
        raise Malformed("undecodable", "arguments cut short", address)
    if any(isinstance(argument, float) and not math.isfinite(argument) for argument in arguments):
        raise Malformed("bad_arguments", "a number that is none (NaN or infinite)", address)
    return Message(address, arguments)


def encode(address: str, tags: str, arguments: tuple[Value, ...]) -> bytes:
    """Build a datagram; ``tags`` gives the OSC type of each argument (``i``, ``f``, ``d`` or ``s``).

    >>> encode("/a", "i", (1,)).hex(" ", 4)
    '2f610000 2c690000 00000001'
    """
    builder = OscMessageBuilder(address)
    arguments = tuple(a.encode(errors="replace").decode() if isinstance(a, str) else a for a in arguments)
    for tag, argument in zip(tags, arguments, strict=True):
        builder.add_arg(argument, tag)
    return bytes(builder.build().dgram)


def encode_any(address: str, arguments: tuple[Value, ...]) -> bytes:
    """Build a datagram with the types that the values have; whole numbers past 32 bits become text."""
    fitted = tuple(
        str(a) if isinstance(a, int) and not isinstance(a, bool) and abs(a) >= 2**31 else a for a in arguments
    )
    tags = "".join("s" if isinstance(a, str) else "f" if isinstance(a, float) else "i" for a in fitted)
    return encode(address, tags, fitted)
