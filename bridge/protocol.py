"""The protocol, version 1, in one table: parsing, validation, replies and the README's tables derive from it.

``COMMANDS`` is what a client may send, ``REPLIES`` what it may get; ``bridge.fields`` holds the values that `generate`
takes and the session keeps. Whoever adds a line has added it everywhere.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from bridge.fields import BY_NAME, FIELDS, SESSION, Field, number, read_tempo, read_turn, text, whole
from bridge.wire import BYTES_IN, BYTES_OUT, Malformed, Message, Value, encode

VERSION = 1
PORT = 11_200
INBOX = "inbox"
"""Folder below the output root where clients put melody files."""

ALL = "all"
"""In the place of a loop: each that the client had generated, as when a set's tempo changes."""

NOTES_A_MESSAGE = 32
LEASE = 60.0
"""Seconds after which a silent client is forgotten; any message renews them."""

PROGRESS_PERIOD = 0.2
"""Seconds between two progress messages of a job, at least."""

RESENDS = (0.5, 1.0, 2.0)
"""Seconds after which ``done`` is sent again while nobody acknowledges it."""


class Misused(Exception):
    """A message that cannot be served; ``code`` is stable and goes over the wire, with the text."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a command: its OSC type as documented, how it is read, and what it is if left out."""

    name: str
    tag: str
    read: Callable[[str, Value], Any]
    otherwise: Any = ...

    @property
    def needed(self) -> bool:
        """Whether it must be given."""
        return self.otherwise is ...


@dataclass(frozen=True, slots=True)
class Command:
    """What a client may send. ``rest`` repeats to the end of the message; ``answers`` are keys of ``REPLIES``."""

    address: str
    arguments: tuple[Argument, ...]
    answers: tuple[str, ...]
    meaning: str
    rest: tuple[Argument, ...] = ()
    field: Field | None = None

    @property
    def action(self) -> str:
        """Name of what it does, ``melody_begin``; ``set`` and ``get`` for all session values."""
        name = self.address.removeprefix("/loopgen/").replace("/", "_")
        return name if self.field is None else name.partition("_")[0]

    @property
    def takes_req(self) -> bool:
        """Whether its first argument is an id that the answers bring back."""
        return bool(self.arguments) and self.arguments[0].name == "req"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a client may get: names and OSC types (i, f, s) of the arguments; ``shorten`` may be cut to fit."""

    address: str
    arguments: tuple[tuple[str, str], ...]
    meaning: str
    shorten: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """A command as it was understood: its values by name, and the groups of ``rest``."""

    command: Command
    values: Mapping[str, Any]
    rest: tuple[tuple[Any, ...], ...] = ()


def _key(name: str, value: Value) -> str:
    """An id of a client's choosing; a bare number (a button of a control surface) is none."""
    return text(name, value, 64) if isinstance(value, str) else ""


def _button(name: str, value: Value) -> str | None:
    """As ``_key``; None for the 0 that a button sends when it is let go."""
    return None if value in (0, False) and not isinstance(value, str) else _key(name, value)


_KINDS: Mapping[str, tuple[str, Callable[[str, Value], Any]]] = {
    "key": ("s", _key),
    "button": ("s", _button),
    "name": ("s", lambda name, value: text(name, value, 256)),
    "tempo": ("s", lambda name, value: read_tempo(value)),
    "port": ("i", partial(whole, low=0, high=65_535)),
    "count": ("i", partial(whole, low=0, high=100_000)),
    "offset": ("i", partial(whole, low=-100_000, high=100_000)),
    "midi": ("i", partial(whole, low=0, high=127)),
    "beats": ("f", partial(number, low=0, high=100_000)),
    "turn": ("f", lambda name, value: "" if value == "" else read_turn(name, value)),
    "any": ("", lambda name, value: value),
}
"""Kinds of arguments: OSC type as documented, and how they are read. Numbers are taken as i, f, d and h."""


def _arguments(signature: str) -> tuple[Argument, ...]:
    """``"req:key name:name reply_port:port=0"`` -> arguments; ``=`` gives what one is if left out."""
    arguments = []
    for part in signature.split():
        name, _, kind = part.partition(":")
        kind, is_optional, default = kind.partition("=")
        tag, read = _KINDS[kind]
        arguments.append(Argument(name, tag, read, ... if not is_optional else default and read(name, default)))
    return tuple(arguments)


def _command(
    name: str, signature: str, answers: str, meaning: str, rest: str = "", field: Field | None = None
) -> Command:
    return Command(f"/loopgen/{name}", _arguments(signature), tuple(answers.split()), meaning, _arguments(rest), field)


COMMANDS: Mapping[str, Command] = {command.address: command for command in (
    _command("hello", f"client:name=client protocol:count={VERSION} reply_port:port=0", "welcome",
             "who you are, the protocol you know (the answer tells the server's), and which port of your host answers "
             "go to: 0 for the one you send from"),
    _command("ping", "token:name=", "pong", f"are you there; renews a {LEASE:.0f} s lease, as every message does"),
    _command("bye", "", "ok", "forget me, my subscriptions and my melodies; my jobs go on"),
    *(_command(f"set/{field.name}", f"req:key {field.name}:any", "ok", "sets a session value; empty text takes it back",
               field=field) for field in SESSION),
    *(_command(f"get/{field.name}", "req:key", "value", "a session value, empty while unset", field=field)
      for field in SESSION),
    _command("subscribe", "topic:name", "value",
             "the value at once, then each change; topics are the session values, `state`, `jobs` and `traffic`"),
    _command("unsubscribe", "topic:name", "ok", "no more of it"),
    _command("melody/begin", "id:key count:count length:beats", "ok", "a clip of so many notes and beats follows"),
    _command("melody/notes", "id:key offset:count", "ok",
             f"up to {NOTES_A_MESSAGE} notes, the first being number offset; times in beats (quarter notes)",
             rest="pitch:midi start:beats duration:beats velocity:midi"),
    _command("melody/end", "id:key count:count", "melody_ok", "all sent; `melody_incomplete` names what is missing"),
    _command("melody/file", "id:key name:name tempo:tempo=", "melody_ok",
             f"a .mid or audio file of the folder `{INBOX}` in the output root; tempo: of an audio clip that does not "
             "say its own, else the session's, else 120"),
    _command("generate", "req:button", "accepted progress preview done error cancelled",
             "make loops; the keys stand in the table below, what is left out is the session's",
             rest="key:name value:any"),
    _command("ack", "job:key variation:count=0", "ok", "got it, do not send `done` again (0: all of the job's)"),
    _command("retempo", "req:key loop:name bpm:tempo bars:count=0 start:offset=", "accepted progress done error "
             "cancelled",
             "the kept take of a job (`id`, `id/2` for its second loop) or of a loop's file name below the output "
             f"root, on another tempo; of `{ALL}`, every loop that you had generated, in the order they were made, "
             "as you have turned them, each one variation of the job; bars: so many (0: as before); start: the beat of "
             "the take that becomes beat 1, counted from where its first loop begins"),
    _command("rotate", "req:key loop:name beats:turn=", "accepted progress done error cancelled",
             "a loop, named as for `retempo`, turned so that what sounds so many beats later becomes its beat 1, "
             "earlier below 0; in quarters of a beat, a number or text like `1/2`; left out: to the second likeliest "
             "beat 1, where the loop's file names one, as the `summary` of a loop does whose beat 1 is in doubt"),
    _command("cancel", "job:key", "cancelled done error", "stop a job; one that has ended answers with its end"),
    _command("copy", "req:key job:key variation:count=1", "ok",
             "put the path of a job's loop on the clipboard of the machine that the server runs on"),
    _command("job", "req:key job:key", "accepted progress done error cancelled", "where a job stands"),
    _command("preset/save", "req:key name:name job:name=", "ok",
             "keep the session's sound under a name, or a job's, or that of a loop by its file's name"),
    _command("preset/load", "req:key name:name", "ok",
             "a preset's values take the place of the session's; a tempo that is set stays"),
    _command("preset/delete", "req:key name:name", "ok", "remove a preset of your own"),
    _command("preset/list", "req:key", "preset_item", "one answer a preset"),
    _command("engine/list", "req:key", "engine_item", "one answer an engine, or model of one, that can play here"),
)}  # fmt: skip


def _reply(name: str, signature: str, meaning: str, shorten: str = "") -> Reply:
    pairs = tuple((part.partition(":")[0], part.partition(":")[2]) for part in signature.split())
    return Reply("/loopgen/" + name, pairs, meaning, shorten)


REPLIES: Mapping[str, Reply] = {reply.address.removeprefix("/loopgen/").replace("/", "_"): reply for reply in (
    _reply("welcome", "version:s protocol:i max_bytes:i output_root:s engine:s state:s licence:s",
           "to `hello`; state is starting, ready, working or failed; licence is what the engine's music is under, "
           "empty until it is loaded"),
    _reply("pong", "token:s", "to `ping`"),
    _reply("ok", "req:s", "done as asked; brings back the `req`, `id`, `job` or `topic`"),
    _reply("value", "req:s name:s value:any", "to `get`; to subscribers with an empty req", "value"),
    _reply("melody/ok", "id:s count:i", "the clip is whole, with so many notes"),
    _reply("accepted", "req:s job:s position:i", "the job's id; position 0 runs. A `req` sent again gets the same job"),
    _reply("progress", "job:s fraction:f stage:s", "0 to 1; at most 5 a second", "stage"),
    _reply("preview", "job:s path:s seconds:f",
           "so much of a take can be heard in this WAV already; it grows, begins anew with another take, and is gone "
           "when the job ends"),
    _reply("done", "job:s req:s path:s bpm:f bars:i beats:f frames:i rate:i summary:s variation:i variations:i tempo:s "
           "seed:s engine:s licence:s",
           "a loop is on disk, whole; one message a variation. Beats are quarter notes, tempo is exact, engine and "
           "licence are those of its music. "
           f"Sent again after {', '.join(f'{seconds:g}' for seconds in RESENDS)} s until `ack`", "summary"),
    _reply("cancelled", "job:s req:s", "a job's end: it was stopped"),
    _reply("preset/item", "req:s number:i total:i name:s", "one of the list; total 0 where there is none"),
    _reply("engine/item", "req:s number:i total:i name:s licence:s",
           "one of the list: what `engine` takes, and what its music is under"),
    _reply("error", "req:s code:s message:s address:s",
           "any failure, a job's too: a stable code, a line for people, the address it was sent to", "message"),
)}  # fmt: skip

CODES: Mapping[str, str] = {
    "undecodable": "no OSC message that can be read; nothing was done",
    "too_large": f"a datagram above {BYTES_IN} bytes",
    "too_early": "a bundle for a time to come; send it when it is due",
    "pattern_refused": "an address with wildcards",
    "unknown_address": "no such address; the message names the nearest",
    "unknown_name": "no such key of generate, or topic",
    "bad_arguments": "too few, too many, or a number that is none",
    "invalid_request": "a value out of range; the message says which, and what can be given",
    "melody_unknown": "no clip of this id was begun",
    "melody_incomplete": "notes are missing; the message names the first offset",
    "audio_unreadable": "no such file, in the inbox or of a loop, or not one that can be read",
    "preset_unusable": "no such preset, or its file is broken",
    "engine_unavailable": "no such engine, or its parts are not installed",
    "no_clipboard": "the path could not be put on a clipboard; the message holds it",
    "output_unwritable": "disk full, folder gone or not permitted; the next job works once it is mended",
    "busy": "too many jobs or files wait; send it again later",
    "unknown_job": "no job of this id",
    "take_gone": "the take is not kept any more; generate it again with its seed",
    "recipe_unusable": "the file does not say how it was made, or is of a newer loopgen",
    "generation_failed": "the engine gave nothing that can become a loop",
    "worker_died": "the worker crashed or was killed; another runs already",
    "stalled": "the worker gave no sign for too long and was ended",
    "out_of_memory": "the request needs more memory than there is",
    "internal": "a fault of loopgen's; please report it",
}
"""Codes of ``/loopgen/error``; they stay."""

_ANSWERS = frozenset(reply.address for reply in REPLIES.values())


def is_answer(address: str) -> bool:
    """Whether only a server sends this: to answer it could go round for ever."""
    return address in _ANSWERS


def understand(message: Message) -> Call:
    """Find the command and read its arguments; raises ``Misused``, and ``InvalidRequest`` for a value.

    A ``req`` may be left out where it is the only argument missing: a fader sends its value alone.

    >>> understand(Message("/loopgen/set/tempo", ("r1", "127.9"))).values
    {'req': 'r1', 'tempo': '127.9'}
    >>> understand(Message("/loopgen/set/tempo", (127.9,))).values
    {'req': '', 'tempo': 127.9}
    """
    command = COMMANDS.get(message.address)
    if command is None:
        raise Misused("unknown_address", f"{message.address} is unknown{_nearest(message.address)}")
    return _read(command, message.arguments)


def _read(command: Command, given: tuple[Value, ...]) -> Call:
    named, rest = command.arguments, command.rest
    needed = sum(argument.needed for argument in named)
    if command.takes_req and (len(given) % len(rest) == 0 if rest else len(given) == needed - 1):
        given = ("", *given)
    surplus = given[len(named) :]
    if len(given) < needed or (surplus and (not rest or len(surplus) % len(rest))):
        raise Misused("bad_arguments", f"{command.address} takes {signature(command)}; it got {len(given)} arguments")
    values = {argument.name: argument.otherwise for argument in named[len(given) :]}
    values |= {
        argument.name: argument.read(argument.name, value) for argument, value in zip(named, given, strict=False)
    }
    groups = (surplus[at : at + len(rest)] for at in range(0, len(surplus), len(rest) or 1))
    read = tuple(
        tuple(argument.read(argument.name, value) for argument, value in zip(rest, group, strict=True))
        for group in groups
    )
    return Call(command, values, read)


def req_of(message: Message) -> str:
    """The id that an error is answered with: the message's first argument where that is text, else nothing."""
    first = message.arguments[0] if message.arguments else ""
    return first[:64] if isinstance(first, str) else ""


def read_pairs(pairs: Sequence[tuple[str, Value]]) -> dict[str, Any]:
    """The keys and values of `generate`, checked; raises ``InvalidRequest``, ``Misused`` for an unknown key.

    Empty text counts as left out: control surfaces have empty fields.

    >>> read_pairs([("tempo", "60.23"), ("bars", 4.0), ("num", 7), ("den", 8), ("key", "")])
    {'tempo': Fraction(6023, 100), 'bars': 4, 'meter': '7/8'}
    """
    values: dict[str, Any] = {}
    for key, value in pairs:
        if key not in BY_NAME:
            near = difflib.get_close_matches(key[:32], BY_NAME, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(BY_NAME)}"
            raise Misused("unknown_name", f"{key[:32]!r} is no key of generate; {hint}")
        if value != "":
            values[key] = BY_NAME[key].read(value)
    if "num" in values or "den" in values:
        given = f"{values.pop('num', 4)}/{values.pop('den', 4)}"
        values.setdefault("meter", BY_NAME["meter"].read(given))
    return values


def answer(name: str, *values: Value) -> bytes:
    """The datagram of a reply; text that may be cut is, where it would pass ``BYTES_OUT``.

    >>> from bridge.wire import decode
    >>> decode(answer("ok", "r1"))
    [Message(address='/loopgen/ok', arguments=('r1',))]
    """
    reply = REPLIES[name]
    tags = "".join(
        tag if tag != "any" else "s" if isinstance(value, str) else "f" if isinstance(value, float) else "i"
        for (_, tag), value in zip(reply.arguments, values, strict=True)
    )
    datagram = encode(reply.address, tags, values)
    if len(datagram) <= BYTES_OUT or not reply.shorten:
        return datagram
    at = [argument for argument, _ in reply.arguments].index(reply.shorten)
    raw = str(values[at]).encode()
    kept = raw[: max(0, len(raw) - (len(datagram) - BYTES_OUT) - 8)].decode(errors="ignore") + "…"
    return encode(reply.address, tags, (*values[:at], kept, *values[at + 1 :]))


def named(message: Message) -> dict[str, Value]:
    """A reply's arguments by name; raises ``Malformed`` for what is no reply of this protocol."""
    name = message.address.removeprefix("/loopgen/").replace("/", "_")
    if name not in REPLIES or len(message.arguments) < len(REPLIES[name].arguments):
        raise Malformed("undecodable", f"{message} is no reply of protocol {VERSION}", message.address)
    return {argument: value for (argument, _), value in zip(REPLIES[name].arguments, message.arguments, strict=False)}


def signature(command: Command) -> str:
    """A command's arguments as a person reads them.

    >>> signature(COMMANDS["/loopgen/melody/notes"]), signature(COMMANDS["/loopgen/ack"])
    ('s id, i offset, (i pitch, f start, f duration, i velocity) ...', 's job, [i variation]')
    """
    parts = [_shown(argument) for argument in command.arguments]
    if command.rest:
        parts.append(f"({', '.join(_shown(argument) for argument in command.rest)}) ...")
    return ", ".join(parts) or "nothing"


def _shown(argument: Argument) -> str:
    shown = f"{argument.tag} {argument.name}".strip()
    return shown if argument.needed else f"[{shown}]"


@lru_cache(maxsize=256)
def _nearest(address: str) -> str:
    close = address.startswith("/loopgen/") and len(address) < 40
    near = difflib.get_close_matches(address, COMMANDS, 1) if close else []
    return f"; did you mean {near[0]}?" if near else "; the protocol's table lists what is known"


def tables() -> str:
    """The README's tables, in Markdown."""
    lines = ["| client sends | arguments | answers | meaning |", "|---|---|---|---|"]
    for command in COMMANDS.values():
        field = command.field
        if field is not None and field is not SESSION[0]:
            continue
        address = command.address if field is None else command.address.replace(f"/{field.name}", "/<name>")
        took = signature(command) if field is None else signature(command).replace(field.name, "value")
        answers = ", ".join(f"`{REPLIES[name].address.removeprefix('/loopgen/')}`" for name in command.answers)
        lines.append(f"| `{address}` | {took} | {answers} | {command.meaning} |")
    lines += ["", "| server sends | arguments | when |", "|---|---|---|"]
    for reply in REPLIES.values():
        took = ", ".join(name if tag == "any" else f"{tag} {name}" for name, tag in reply.arguments)
        lines.append(f"| `{reply.address}` | {took} | {reply.meaning} |")
    lines += ["", "| key of `generate` | value | kept by the session |", "|---|---|---|"]
    lines += [f"| `{field.name}` | {field.allowed} | {'yes' if field.session else 'no'} |" for field in FIELDS]
    lines += ["", "| error code | meaning |", "|---|---|"]
    lines += [f"| `{code}` | {meaning} |" for code, meaning in CODES.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    print(tables())
