"""Golden vectors: what goes over the wire between the device and the server, made from the server's own tables.

``max4live/src/protocol.js`` and ``bridge/protocol.py`` are written apart, in two languages. ``vectors.json`` holds what
both must agree on; ``python -m tests.max4live.vectors`` writes it anew after a change of the protocol. Whoever changes
it thereby sees in the tests of JavaScript what the device has to follow.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

from bridge.clips import Clips
from bridge.fields import FIELDS
from bridge.protocol import (
    CODES,
    COMMANDS,
    NOTES_A_MESSAGE,
    PORT,
    REPLIES,
    VERSION,
    Misused,
    answer,
    named,
    read_pairs,
    understand,
)
from bridge.wire import Value, decode, encode

PATH = Path(__file__).with_name("vectors.json")
RENEW = "run `python -m tests.max4live.vectors` and see that max4live/src/protocol.js still agrees"

Atoms: TypeAlias = list[Any]
"""A message as Max has it: the address, then whole numbers, numbers and text."""

TEXTS = (
    "dub techno",
    "dub techno, rolling bass; 'dry', \"wide\"",
    "tiefe Bässe, süß und grün",
    "🎹 piano 🎛️, “soft” – 120 %",
    "commas, are, not, separators \\, nor are slashes / and {braces} $1",
    "127.9",
    "x" * 2000,
)
CLIENT, JOB, PATH_OF_LOOP = "Max for Live 5f0c", "5f0c21aa", "/Users/Jürgen Groß/Music/loopgen/loop_127.9bpm_3f9a.wav"

KEYS: Mapping[str, Value] = {
    "prompt": "dub techno, rolling bass",
    "tempo": "60.23",
    "bars": 4,
    "meter": "7/8",
    "key": "F# minor",
    "preset": "deep dub",
    "engine": "musicgen:small",
    "variations": 8,
    "rate": 44_100,
    "folder": "Live",
    "takes": 4,
    "temperature": 1,
    "top_k": 250,
    "top_p": 0,
    "guidance": 3,
    "negative": "vocals",
    "count_in": 1,
    "follow": "chords",
    "stretcher": "vocoder",
    "longest_fade": 30,
    "preview": 0,
    "continue": "5f0c21aa/2",
    "vary": "loop_127.9bpm_3f9a.wav",
    "seed": 42,
    "melody": "clip-1",
    "chords": "Am F C G",
    "num": 7,
    "den": 8,
}
"""A value for each key of `generate`."""

SENT_ALIKE: Sequence[tuple[str, Any, Value]] = (
    *(("prompt", text, text) for text in TEXTS),
    ("prompt", "", ""),
    ("prompt", " two\nlines\r\nand a\ttab\u2028", "two lines and a tab"),
    *(("tempo", text, text) for text in ("20", "60.23", "119.999999", "127.9", "127.953125", "361/3", "999")),
    ("seed", 0, 0),
    ("seed", 9_999_999, 9_999_999),
    ("seed", 2**31 - 1, 2**31 - 1),
    ("seed", 2**31, "2147483648"),
    ("seed", 2**32 - 1, "4294967295"),
    ("seed", "4294967295", "4294967295"),
    ("guidance", 3.5, "3.5"),
    ("guidance", 0.0, 0),
    ("temperature", 0.699999988079071, "0.7"),
    ("temperature", 1.2300000190734863, "1.23"),
    ("top_p", 0.009999999776482582, "0.01"),
    ("bars", 32, 32),
    ("preview", True, 1),
    ("count_in", False, 0),
)
"""Key, what the device has, and the atom that it becomes: exact on the way, whatever its size."""

ANSWERS: Mapping[str, Sequence[tuple[Value, ...]]] = {
    "welcome": (
        ("0.1.0", 1, 8192, "/Users/Jürgen Groß/Music/loopgen", "auto", "starting", ""),
        ("0.1.0", 1, 8192, "C:\\Users\\süß\\Music\\loopgen", "musicgen:small", "ready", "CC-BY-NC 4.0"),
        ("0.1.0", 1, 8192, "/music", "procedural", "working", "MIT"),
        ("9.0.0", 2, 65_507, "/music", "procedural", "failed", ""),
    ),
    "pong": (("",), ("are you there",)),
    "ok": (("",), ("r1",), (JOB,)),
    "value": (("", "tempo", "127.9"), ("", "bars", 4), ("", "guidance", 3.5), ("", "state", "ready"), ("r", "key", "")),
    "melody_ok": (("clip-1", 1), ("clip-1", 4096)),
    "accepted": (("r1", JOB, 0), ("r2", "12345678", 17)),
    "progress": ((JOB, 0.0, ""), (JOB, 0.1, "engine loads"), (JOB, 0.5, "take 2 of 4"), (JOB, 1.0, "written")),
    "preview": ((JOB, PATH_OF_LOOP, 2.5),),
    "done": (
        (JOB, "r1", PATH_OF_LOOP, 127.9, 4, 16.0, 331_009, 44_100, "seam 0.98; beats 0.95", 1, 1, "127.9", "42",
         "procedural", "MIT"),
        (JOB, "r1", PATH_OF_LOOP, 361 / 3, 1, 3.5, 83_767, 48_000, "", 2, 8, "361/3", "4294967295", "musicgen:small",
         "CC-BY-NC 4.0"),
        (JOB, "", "C:\\Loops\\ä.wav", 60.23, 8, 32.0, 1_405_811, 44_100, "ü" * 900, 1, 1, "60.23", "", "", ""),
    ),
    "cancelled": ((JOB, "r1"),),
    "preset_item": (("r1", 1, 2, "deep dub"), ("r1", 2, 2, "süß & 🎹"), ("r1", 0, 0, "")),
    "engine_item": (("r1", 1, 2, "musicgen:small", "CC-BY-NC 4.0"), ("r1", 2, 2, "procedural", "MIT")),
    "error": tuple(("r1", code, meaning, "/loopgen/generate") for code, meaning in CODES.items()),
}  # fmt: skip
"""Values for each reply of the server."""

TEMPOS: Sequence[float] = (
    20.0, 20.0078125, 32.0, 60.22999954223633, 60.23, 63.99999, 64.00001, 99.99, 119.99, 120.0, 120.1, 120.33333,
    64 + 2**-18, 64 + 3 * 2**-18,  # halfway between two floats
    361 / 3, 127.9, 127.90000152587891, 127.953125, 127.95312512, 128.0, 174.5, 255.99998, 256.00003, 511.99, 512.0,
    998.99, 998.9999, 999.0,
)  # fmt: skip
"""Tempos as Live gives them, 32-bit or 64-bit floats."""


def single(x: float) -> float:
    """The 32-bit float nearest to a number."""
    value: float = struct.unpack("f", struct.pack("f", x))[0]
    return value


def tempo_text(x: float) -> str:
    """The shortest decimal that is the same 32-bit float, halves of its last digit away from zero."""
    exact = Decimal(single(x))
    texts = (str(exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)) for places in range(10))
    return next(text for text in texts if single(float(text)) == single(x))


def datagram(atoms: Atoms) -> bytes:
    """The bytes that Max's [udpsend] makes of a message: i of whole numbers, f of others, s of text."""
    address, *arguments = atoms
    arguments = [a if isinstance(a, str) or a != int(a) else int(a) for a in arguments]
    tags = "".join("s" if isinstance(a, str) else "f" if isinstance(a, float) else "i" for a in arguments)
    return encode(address, tags, tuple(arguments))


def clip(notes: int) -> dict[str, Any]:
    """A clip as the device reads it from Live: times off the grid, velocities with fractions."""
    return {
        "length": notes / 4 if notes % 4 else float(notes),
        "notes": [
            {
                "pitch": (36 + 7 * i) % 128,
                "start": i / 4,
                "duration": 1 / 3 if i % 3 else 1.0,
                "velocity": 0.25 + i * 1.25 % 126,
            }
            for i in range(notes)
        ],
    }


def message(name: str, *groups: Mapping[str, Any], **values: Any) -> Atoms:
    """A command's atoms, in the order of its arguments in the protocol's table; ``groups`` repeat to the end."""
    command = COMMANDS[f"/loopgen/{name}"]
    needed = {argument.name for argument in command.arguments if argument.needed}
    known = {argument.name for argument in command.arguments}
    assert needed <= set(values) <= known, f"{name}: the arguments have changed"
    rest = [group[argument.name] for group in groups for argument in command.rest]
    return [
        command.address,
        *(values[argument.name] for argument in command.arguments if argument.name in values),
        *rest,
    ]


def melody_messages(id_: str, given: Mapping[str, Any], offset: int = -1) -> list[Atoms]:
    """The messages of a clip, or those of its notes from an offset on."""
    notes = [{**note, "velocity": max(1, int(note["velocity"] + 0.5))} for note in given["notes"]]
    begin = [message("melody/begin", id=id_, count=len(notes), length=given["length"])] if offset < 0 else []
    chunks = [
        message("melody/notes", *notes[at : at + NOTES_A_MESSAGE], id=id_, offset=at)
        for at in range(max(0, offset), len(notes), NOTES_A_MESSAGE)
    ]
    return [*begin, *chunks, message("melody/end", id=id_, count=len(notes))]


def _orders() -> Iterator[tuple[list[tuple[str, Any]], list[tuple[str, Value]]]]:
    """What the device has for `generate`, and the pairs that it becomes."""
    yield [], []
    yield from (([(key, given)], [(key, value)]) for key, given, value in SENT_ALIKE)
    yield from (([(key, value)], [(key, value)]) for key, value in KEYS.items())
    whole = [(key, KEYS[key]) for key in ("prompt", "tempo", "bars", "num", "den", "key", "seed", "guidance", "melody")]
    yield whole, whole


def _built() -> Iterator[tuple[str, list[Any], list[Atoms]]]:
    """Function of protocol.js, its arguments, the messages that it must give."""
    for port in (11_201, 11_264):
        yield "hello", [CLIENT, port], [message("hello", client=CLIENT, protocol=VERSION, reply_port=port)]
    yield "bye", [], [message("bye")]
    yield "subscribe", ["state"], [message("subscribe", topic="state")]
    for variation in (0, 1, 8):
        yield "ack", [JOB, variation], [message("ack", job=JOB, variation=variation)]
    yield "cancel", [JOB], [message("cancel", job=JOB)]
    yield "job", ["r1", JOB], [message("job", req="r1", job=JOB)]
    yield "copy", ["r1", JOB, 2], [message("copy", req="r1", job=JOB, variation=2)]
    yield "presetList", ["r1"], [message("preset/list", req="r1")]
    yield "engineList", ["r1"], [message("engine/list", req="r1")]
    name = PATH_OF_LOOP.rpartition("/")[2]
    for loop, sent in ((JOB, JOB), (f"{JOB}/2", f"{JOB}/2"), (PATH_OF_LOOP, name), ("C:\\Loops\\ä b.FLAC", "ä b.FLAC")):
        yield "retempo", ["r2", loop, "131.5"], [message("retempo", req="r2", loop=sent, bpm="131.5")]
    yield "retempo", ["r2", JOB, 60.22999954223633], [message("retempo", req="r2", loop=JOB, bpm="60.23")]
    for given, pairs in _orders():
        groups = [{"key": key, "value": value} for key, value in pairs]
        yield "generate", ["r1", given], [message("generate", *groups, req="r1")]
    for count in (1, 32, 33, 100):
        yield "melody", ["clip-1", clip(count)], melody_messages("clip-1", clip(count))
    for offset in (0, 5, 32, 99):
        yield "melodyFrom", ["clip-1", clip(100), offset], melody_messages("clip-1", clip(100), offset)


def _plain(value: Any) -> Any:
    """A value as JSON has it; fractions as text."""
    return str(value) if isinstance(value, Fraction) else value


def _understood(sent: bytes) -> dict[str, Any]:
    """What the server makes of a datagram."""
    (received,) = decode(sent)
    call = understand(received)
    read: dict[str, Any] = {"command": call.command.address, "values": dict(call.values)}
    if call.command.action == "generate":
        read["order"] = read_pairs([(key, value) for key, value in call.rest])
    elif call.rest:
        read["rest"] = call.rest
    return {
        name: {key: _plain(value) for key, value in part.items()} if isinstance(part, dict) else part
        for name, part in read.items()
    }


def _answered(kind: str, values: tuple[Value, ...]) -> dict[str, Any]:
    sent = answer(kind, *values)
    (received,) = decode(sent)
    return {
        "datagram": sent.hex(),
        "atoms": [received.address, *received.arguments],
        "read": {"kind": kind, **named(received)},
    }


def deliver(messages: Sequence[Atoms], clips: Clips) -> None:
    """Have a server's clips take the messages of a melody, as bytes; raises ``Misused``."""
    for atoms in messages:
        call = understand(decode(datagram(atoms))[0])
        if call.command.action == "melody_begin":
            clips.begin(call.values["id"], call.values["count"], call.values["length"])
        elif call.command.action == "melody_notes":
            clips.add(call.values["id"], call.values["offset"], [(p, at, beats, v) for p, at, beats, v in call.rest])
        else:
            clips.end(call.values["id"], call.values["count"])


def _missing() -> Iterator[dict[str, Any]]:
    """Melodies that lost a message on the way: the text of the server's error, and the first note that is missing."""
    for lost, offset in ((1, 0), (2, 32), (4, 96)):
        messages = melody_messages("clip-1", clip(100))
        try:
            deliver(messages[:lost] + messages[lost + 1 :], Clips())
        except Misused as error:
            assert error.code == "melody_incomplete"
            yield {"text": str(error), "offset": offset}


def make() -> dict[str, Any]:
    """All vectors, as the protocol is now."""
    return {
        "protocol": VERSION,
        "port": PORT,
        "notes_a_message": NOTES_A_MESSAGE,
        "keys": [field.name for field in FIELDS],
        "codes": list(CODES),
        "replies": {
            kind: {"address": reply.address, "arguments": [list(argument) for argument in reply.arguments]}
            for kind, reply in REPLIES.items()
        },
        "sent": [
            {
                "build": build,
                "given": given,
                "messages": messages,
                "datagrams": [datagram(atoms).hex() for atoms in messages],
                "understood": [_understood(datagram(atoms)) for atoms in messages],
            }
            for build, given, messages in _built()
        ],
        "received": [_answered(kind, values) for kind, examples in ANSWERS.items() for values in examples],
        "missing": list(_missing()),
        "tempos": [{"value": x, "text": tempo_text(x)} for x in (*TEMPOS, *map(single, TEMPOS))],
    }  # fmt: skip


def write(vectors: Mapping[str, Any]) -> str:
    """JSON with a line for each vector, so that a change shows as one."""

    def block(value: Any) -> str:
        if isinstance(value, list) and value and isinstance(value[0], dict):
            return "[\n" + ",\n".join(map(line, value)) + "\n]"
        return line(value)

    def line(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False).replace("\u2028", "\\u2028")

    return "{\n" + ",\n".join(f"{json.dumps(name)}: {block(value)}" for name, value in vectors.items()) + "\n}\n"


if __name__ == "__main__":
    PATH.write_text(write(make()), encoding="utf-8", newline="\n")
    print(f"{PATH} is written")
