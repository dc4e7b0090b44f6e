"""Hostile datagrams: everything that a broken or ill-meant sender may put on the wire, the same for the same seed."""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Sequence

from bridge.fields import FIELDS
from bridge.protocol import COMMANDS, REPLIES, Misused, is_answer, read_pairs, understand
from bridge.wire import Malformed, Message, decode
from loopgen.errors import LoopgenError

NO_CLIP = "no such clip"
"""Orders of the fuzz ask for this melody, which is never sent: they are refused, and so nothing may be written."""

_NTP_EPOCH = 2_208_988_800
_LONG = b"A" * 9_000

TEXTS: tuple[bytes, ...] = (
    b"", b"r1", b"../../../../etc/passwd", b"..\\..\\up", b"/etc/passwd", b"/tmp/loopgen-was-here", b"~/x.mid",
    b"C:\\Windows\\x.mid", b"file:///etc/passwd", b"CON", b"nul.txt", b".", b"..", b"...",
    b"link.mid", b"folder.mid", b"linked/secret.mid", b"pipe.mid", b"zero.mid", b"a" * 64, b"a" * 65, b"a" * 4_000,
    b"\xff\xfe\xfd", b"\xc3\x28", b"\xed\xa0\x80", "\u202egnp.exe".encode(), "\U0001d518\U0001f600".encode(),
    b"a\nb", b"\x1b[2J\x1b]0;x\x07", b"[red]x[/red]", b"%s%n%x", b"${HOME}", b"`id`", b"*" * 16 + b"!",
    b"1e400", b"nan", b"-0", b"9" * 300, b"1/0", b"0x10", b"120.5", b"999999999999999999999/7", b"4/4", b"7/0",
    b"Am", b"house", b"tempo", b"state", b"jobs", b"traffic", b"deep-house",
)  # fmt: skip
INTEGERS = (0, 1, -1, 2, 4, 31, 32, 64, 128, 4_096, 4_097, 65_535, 65_536, 100_000, 2**31 - 1, -(2**31))
FLOATS = (0.0, -0.0, 0.5, 1.0, 120.0, 127.9, -1.0, 1e-45, 3.4e38, -3.4e38, float("nan"), float("inf"), float("-inf"))
TAGS = "ifdhsTFNbcrmtSIQ[]*x\xff"

Argument = tuple[str, object]
"""An OSC type and what is sent for it: bytes for text and blobs, numbers for the others."""


def osc(address: bytes, arguments: Sequence[Argument]) -> bytes:
    """A datagram of any types, text of any bytes."""
    tags = "," + "".join(tag for tag, _ in arguments)
    return _padded(address) + _padded(tags.encode("latin-1")) + b"".join(_bytes(tag, value) for tag, value in arguments)


def bundle(contents: Sequence[bytes], seconds: float = 0.0) -> bytes:
    """A bundle that is due ``seconds`` from now; 0 means at once."""
    due = b"\0\0\0\0\0\0\0\1" if not seconds else struct.pack(">II", int(time.time() + seconds + _NTP_EPOCH) % 2**32, 0)
    return b"#bundle\0" + due + b"".join(struct.pack(">i", len(content)) + content for content in contents)


def writes(datagram: bytes) -> bool:
    """Whether a server would take this for an order to make or keep something, and be right."""
    try:
        messages = decode(datagram)
    except Malformed:
        return False
    return any(map(_is_order, messages))


def is_answerable(datagram: bytes) -> bool:
    """Whether exactly this sender is owed an answer: not for replies, nor where it asks for it to go elsewhere."""
    try:
        messages = decode(datagram)
    except Malformed:
        return True
    if any(message.address == "/loopgen/hello" for message in messages):
        return False
    return any(not is_answer(message.address) for message in messages)


class Fuzz:
    """An endless supply; ``kinds`` counts what was given out."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._makers = (
            self._mutated, self._mutated, self._mutated, self._wrong_values, self._wrong_values, self._wild_tags,
            self._truncated, self._huge, self._noise, self._pattern, self._bundled, self._reply, self._text_bytes,
        )  # fmt: skip
        self.kinds: dict[str, int] = {}

    def __iter__(self) -> Fuzz:
        return self

    def __next__(self) -> bytes:
        while True:
            make = self._random.choice(self._makers)
            datagram = make()[:65_000]
            if not writes(datagram):
                name = make.__name__.strip("_")
                self.kinds[name] = self.kinds.get(name, 0) + 1
                return datagram

    def _sensible(self) -> bytes:
        """A command as it is meant, with values that may be right."""
        command = self._random.choice(list(COMMANDS.values()))
        values: list[Argument] = [self._meant(argument.name) for argument in command.arguments]
        if command.address == "/loopgen/generate":
            values += [("s", b"melody"), ("s", NO_CLIP.encode())]
            for field in self._random.sample(FIELDS, self._random.randint(0, 4)):
                values += [("s", field.name.encode()), self._meant(field.name)]
        elif command.rest:
            for _ in range(self._random.choice((0, 1, 2, 32, 33))):
                values += [("i", self._random.randrange(140)), ("f", self._random.random() * 8), ("f", 0.5), ("i", 90)]
        return osc(command.address.encode(), values)

    def _meant(self, name: str) -> Argument:
        pick = self._random.choice
        known: dict[str, Argument] = {
            "req": ("s", b"r%d" % self._random.randrange(10_000)),
            "id": ("s", b"m%d" % self._random.randrange(20)),
            "topic": ("s", pick((b"tempo", b"state", b"jobs", b"key", b"nothing"))),
            "count": ("i", self._random.randrange(1, 70)),
            "offset": ("i", self._random.randrange(0, 70)),
            "length": ("f", 16.0),
            "protocol": ("i", 1),
            "reply_port": ("i", pick((0, 0, 1, 9, 65_535))),
            "prompt": ("s", b"dub techno"),
            "tempo": ("s", b"127.9"),
            "bpm": ("s", b"127.9"),
            "meter": ("s", b"4/4"),
            "folder": ("s", b"set one"),
        }
        return known.get(name) or pick((self._text(), self._number()))

    def _text(self) -> Argument:
        return "s", self._random.choice(TEXTS)

    def _number(self) -> Argument:
        pick = self._random.choice
        tag = pick("ifdh")
        if tag in "ih":
            return tag, pick(INTEGERS)
        return tag, pick(FLOATS)

    def _wrong_values(self) -> bytes:
        command = self._random.choice(list(COMMANDS.values()))
        count = self._random.randint(0, 2 * len(command.arguments) + 4)
        return osc(
            command.address.encode(),
            [self._text() if self._random.random() < 0.6 else self._number() for _ in range(count)],
        )

    def _mutated(self) -> bytes:
        data = bytearray(self._sensible())
        for _ in range(self._random.randint(1, 6)):
            at = self._random.randrange(len(data))
            action = self._random.randrange(4)
            if action == 0:
                data[at] ^= 1 << self._random.randrange(8)
            elif action == 1:
                data[at] = self._random.choice(b"\0\xff/,#*sifdh{[.")
            elif action == 2:
                data[at:at] = self._random.randbytes(self._random.choice((1, 4, 8)))
            elif len(data) > 8:
                del data[at : at + self._random.choice((1, 4))]
        return bytes(data)

    def _wild_tags(self) -> bytes:
        tags = "," + "".join(self._random.choice(TAGS) for _ in range(self._random.randint(1, 12)))
        address = self._random.choice(list(COMMANDS)).encode()
        return _padded(address) + _padded(tags.encode("latin-1")) + self._random.randbytes(self._random.randrange(64))

    def _truncated(self) -> bytes:
        data = self._sensible()
        return data[: self._random.randrange(len(data))]

    def _huge(self) -> bytes:
        size = self._random.choice((8_188, 8_192, 8_193, 9_000, 9_216, 16_384, 65_000))
        if self._random.random() < 0.3:
            return (self._sensible() + bytes(size))[:size]
        if self._random.random() < 0.5:
            return osc(b"/loopgen/set/prompt", [("s", b"r"), ("s", _LONG[: size % 9_000])])
        return osc(b"/loopgen/melody/notes", [("s", b"m1"), ("i", 0)] + [("f", 1.0)] * (size // 5))[:size]

    def _noise(self) -> bytes:
        return self._random.randbytes(self._random.choice((0, 1, 3, 4, 16, 100, 1_000)))

    def _pattern(self) -> bytes:
        address = self._random.choice((
            b"/loopgen/" + b"*" * 16 + b"!", b"/loopgen/" + b"*a" * 50 + b"!", b"/loopgen/*", b"/*", b"//ping",
            b"/loopgen/" + b"?" * 100, b"/loopgen/{ping,bye}", b"/loopgen/set/[a-z]*", b"/loopgen/((a+)+)+$",
            b"/loopgen/ping/", b"/loopgen/../loopgen/ping", b"/loopgen/__class__", b"/loopgen/_serve",
            b"/LOOPGEN/PING", b"/loopgen/ping#",
        ))  # fmt: skip
        return osc(address, [self._text()])

    def _bundled(self) -> bytes:
        seconds = self._random.choice((0.0, 0.0, 1.0, 3_600.0, 1e8, -1e8))
        contents = [self._sensible() for _ in range(self._random.choice((0, 1, 2, 5, 70)))]
        made = bundle(contents, seconds)
        for _ in range(self._random.choice((0, 0, 1, 3, 20))):
            made = bundle([made], seconds)
        if self._random.random() < 0.3:
            made = made[: self._random.randrange(len(made))]
        return made

    def _reply(self) -> bytes:
        reply = self._random.choice(list(REPLIES.values()))
        return osc(reply.address.encode(), [self._text() for _ in reply.arguments])

    def _text_bytes(self) -> bytes:
        name = self._random.choice((b"melody/file", b"preset/load", b"preset/delete", b"set/folder", b"set/preset"))
        return osc(b"/loopgen/" + name, [("s", b"r"), self._text()])


def _is_order(message: Message) -> bool:
    if message.address not in ("/loopgen/generate", "/loopgen/preset/save"):
        return False
    try:
        call = understand(message)
        return message.address == "/loopgen/preset/save" or read_pairs(call.rest).get("melody") != NO_CLIP
    except (Misused, LoopgenError):
        return False


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (4 - len(data) % 4)


def _bytes(tag: str, value: object) -> bytes:
    if isinstance(value, bytes):
        return _padded(value)
    if isinstance(value, float):
        return struct.pack(">d" if tag == "d" else ">f", value)
    assert isinstance(value, int)
    return struct.pack(">q" if tag == "h" else ">i", value)
