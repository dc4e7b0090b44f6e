"""``loopgen send``: the server's client on the command line."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from loopgen.cli import words
from loopgen.cli.common import CLIENT_NAME, Commands, Parser, ProgressLine, add_command, clean, print_json, say

if TYPE_CHECKING:
    from bridge.client import Client, Done
    from bridge.fields import Field
    from bridge.wire import Message, Value

WORDS = "KEY=VALUE"
ENDS = ("/loopgen/done", "/loopgen/cancelled", "/loopgen/error")
ALIVE = 5.0
"""Seconds between two subscriptions of the monitor: they keep it known, and tell it that the server is there."""

DEAF = 15.0
"""Seconds without any answer after which the monitor gives up."""


class _Action(Parser):
    """Help that lists the keys of the protocol's table, which is loaded for this only."""

    keys: Callable[[], Sequence[Field]] | None = None

    def format_help(self) -> str:
        """The usual help, then the keys."""
        if self.keys:
            self.formatter_class = argparse.RawDescriptionHelpFormatter
            self.epilog = "keys:\n" + "\n".join(f"  {field.name:<12} {field.allowed}" for field in self.keys())
        return super().format_help()


def add(commands: Commands[Parser]) -> None:
    """Add the command and its actions."""
    text = "talk to a running server: make loops, set values, watch the traffic"
    send = commands.add_parser("send", help=text, description=text[0].upper() + text[1:] + ".")
    _add_address(send, None)
    actions = send.add_subparsers(title="actions", metavar="ACTION", required=True, parser_class=_Action)
    generate = _add(actions, "generate", _generate, 'make loops: prompt="dub techno" tempo=127.9 bars=4')
    generate.add_argument(
        "words", nargs="*", metavar=WORDS, help='what the loop should be; melody=FILE or melody="A4 C5"'
    )
    generate.keys = _generate_fields
    retempo = _add(actions, "retempo", _retempo, "lay a loop that was made on another tempo: LOOP tempo=131.5")
    retempo.add_argument("loop", metavar="LOOP", help="a job (for its second loop: JOB/2), or the file name of a loop")
    retempo.add_argument("words", nargs="+", metavar=WORDS, help="the new tempo=BPM, and bars=N if they are to change")
    retempo.add_argument("--start", type=int, metavar="BEATS", help="the beat of the take that becomes beat 1")
    rotate = _add(actions, "rotate", _rotate, "turn a loop, so that another beat is its beat 1: LOOP beats=2")
    rotate.add_argument("loop", metavar="LOOP", help="as for `retempo`")
    rotate.add_argument(
        "words",
        nargs="*",
        metavar=WORDS,
        help="beats=N: so much later, like 2 or 1/2, earlier below 0; else its runner-up",
    )
    for command in (generate, retempo, rotate):
        command.add_argument(
            "--timeout", type=_seconds, default=600.0, metavar="SECONDS", help="give up waiting after so long (600)"
        )
    _add(actions, "monitor", _monitor, "show all traffic of the server until Ctrl-C")
    _add(actions, "ping", _ping, "ask whether the server is there, and what it is")
    setting = _add(
        actions, "set", _set, "set session values, which later requests may leave out: tempo=127.9 meter=7/8"
    )
    setting.add_argument("words", nargs="+", metavar=WORDS, help="a value; nothing after the = unsets it")
    setting.keys = _session_fields
    get = _add(actions, "get", _get, "show session values")
    get.add_argument("names", nargs="*", metavar="NAME", help="which (default: all)")
    for name, run, text in (("cancel", _cancel, "stop a job"), ("job", _job, "show where a job stands")):
        _add(actions, name, run, text).add_argument("job", metavar="JOB", help="its id, as `generate` tells it")
    _add(actions, "presets", _presets, "list the presets that the server knows")
    preset = _add(actions, "preset", _preset, "save the session's values as a preset, load or delete one")
    preset.add_argument("verb", choices=("save", "load", "delete"))
    preset.add_argument("name", metavar="NAME")
    preset.add_argument("job", nargs="?", metavar="JOB", help="with save: a job or a loop's file whose sound is kept")


def _add(actions: Commands[_Action], name: str, run: Callable[[argparse.Namespace], None], text: str) -> _Action:
    command = add_command(actions, name, run, text)
    _add_address(command, argparse.SUPPRESS)
    return command


def _add_address(parser: Parser, default: str | None) -> None:
    parser.add_argument("--host", metavar="ADDRESS", default=default, help="the server's (default: 127.0.0.1)")
    parser.add_argument(
        "--port", default=default, help="the server's (default: that of the server running here, or 11200)"
    )


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 86_400:
        raise ValueError
    return seconds


_seconds.__name__ = "number of seconds"  # argparse says: invalid number of seconds value


def _generate_fields() -> Sequence[Field]:
    from dataclasses import replace

    from bridge.fields import FIELDS

    here = {"melody": 'a .mid or audio file, or notes as text: "A4 C5 E5:2 r"'}
    return [replace(field, allowed=here.get(field.name, field.allowed)) for field in FIELDS]


def _session_fields() -> Sequence[Field]:
    from bridge.fields import SESSION

    return SESSION


def _client(options: argparse.Namespace) -> Client:
    from bridge.client import Client

    return Client(*words.server_address(options.host, options.port), name=CLIENT_NAME)


# -- actions -----------------------------------------------------------------------------------------------------------


def _generate(options: argparse.Namespace) -> None:
    given = words.read(options.words, _generate_fields())
    melody = given.pop("melody", None)
    fields = words.check(given)
    with _client(options) as client:
        if melody is not None:
            tempo = fields.get("tempo") or _value(client, "tempo")
            client.melody(words.read_melody(melody, tempo))
            fields["melody"] = "melody"
        _deliver(options, client, lambda **hooks: client.generate(fields, previewed=_once_told(), **hooks))


def _once_told() -> Callable[[str, float], None]:
    """Says where a take can be heard, the first time."""
    told: set[str] = set()

    def previewed(path: str, seconds: float) -> None:
        if path not in told:
            told.add(path)
            say(f"to be heard while it is drawn: {clean(path)}")

    return previewed


def _retempo(options: argparse.Namespace) -> None:
    from bridge.fields import BY_NAME
    from loopgen.errors import InvalidRequest

    fields = words.check(words.read(options.words, [BY_NAME["tempo"], BY_NAME["bars"]]))
    if "tempo" not in fields:
        raise InvalidRequest("tempo", "", "the new tempo, like tempo=131.5")
    told = {"bars": int(fields.get("bars") or 0), "start": options.start}
    with _client(options) as client:
        _deliver(options, client, lambda **hooks: client.retempo(options.loop, str(fields["tempo"]), **told, **hooks))


def _rotate(options: argparse.Namespace) -> None:
    from bridge.fields import BEATS

    given = words.read(options.words, [BEATS])
    beats = str(BEATS.read(given["beats"])) if "beats" in given else None
    with _client(options) as client:
        _deliver(options, client, lambda **hooks: client.rotate(options.loop, beats, **hooks))


def _deliver(options: argparse.Namespace, client: Client, ask: Callable[..., Iterator[Done]]) -> None:
    """Show a job's way to its loops; an interrupt cancels it."""
    from dataclasses import asdict

    progress = ProgressLine(is_silent=options.json)
    jobs: list[str] = []
    loops: list[Done] = []

    def accepted(job: str, position: int) -> None:
        jobs.append(job)
        progress.show(0.0, f"job {job}" + (f", {position} before it" if position else ""))

    try:
        for loop in ask(progress=progress.show, accepted=accepted, timeout=options.timeout):
            loops.append(loop)
            progress.clear()
            if not options.json:
                print(loop.path, flush=True)
            if not options.json:
                say(f"{clean(loop.summary)} (job {loop.job})")
    except KeyboardInterrupt:
        for job in jobs:
            with suppress(Exception):
                _stop(client, job, 1.0)
        raise
    finally:
        progress.clear()
    if options.json:
        print_json({"job": jobs[0], "path": loops[0].path, "loops": [asdict(loop) for loop in loops]})


def _monitor(options: argparse.Namespace) -> None:
    import json
    from datetime import datetime

    from bridge.protocol import named
    from loopgen.errors import ServerUnreachable

    with _client(options) as client:
        if not options.json:
            say(f"traffic of {client.host}:{client.port}; Ctrl-C ends this")
        try:
            heard, subscribed = time.monotonic(), -math.inf
            while time.monotonic() - heard < DEAF:
                if time.monotonic() - subscribed > ALIVE:
                    client.send("/loopgen/subscribe", "traffic")
                    subscribed = time.monotonic()
                message = client.receive(0.5)
                if message is None or message.address != "/loopgen/value":
                    continue
                heard, text = time.monotonic(), clean(str(named(message)["value"]))
                now = datetime.now().astimezone()
                if text and options.json:
                    arrow, peer, said = [*text.split(" ", 2), "", ""][:3]
                    shown = {
                        "time": now.isoformat(timespec="milliseconds"),
                        "way": arrow,
                        "peer": peer,
                        "message": said,
                    }
                    print(json.dumps(shown), flush=True)
                elif text:
                    print(f"{now:%H:%M:%S}  {text}", flush=True)
        except KeyboardInterrupt:
            return
    raise ServerUnreachable(f"the loopgen at {client.host}:{client.port} is gone; `loopgen serve` starts one")


def _ping(options: argparse.Namespace) -> None:
    from dataclasses import asdict

    with _client(options) as client:
        begin = time.perf_counter()
        client.ask("/loopgen/ping", client.req())
        took = 1000 * (time.perf_counter() - begin)
        about = client.welcome
        if options.json:
            shown = {"host": client.host, "port": client.port, "milliseconds": round(took, 3)}
            print_json(shown | asdict(about))
        else:
            engine = about.engine + (f" (licence: {clean(about.licence)})" if about.licence else "")
            print(
                f"loopgen {about.version} at {client.host}:{client.port}, engine {engine}, {about.state}, "
                f"loops go to {about.output_root}; {took:.1f} ms"
            )


def _set(options: argparse.Namespace) -> None:
    fields = words.check(words.read(options.words, _session_fields()), unset=True)
    with _client(options) as client:
        for name, value in fields.items():
            client.ask(f"/loopgen/set/{name}", value)
        _print_values(options, client, list(fields))


def _get(options: argparse.Namespace) -> None:
    known = [field.name for field in _session_fields()]
    for name in options.names:
        words.check_known(name, known)
    with _client(options) as client:
        _print_values(options, client, options.names or known)


def _print_values(options: argparse.Namespace, client: Client, names: Sequence[str]) -> None:
    values = {name: _value(client, name) for name in dict.fromkeys(names)}
    if options.json:
        print_json({name: None if value == "" else value for name, value in values.items()})
    elif len(values) == 1:
        print(*values.values())
    else:
        for name, value in values.items():
            print(f"{name:<12} {value}".rstrip())


def _value(client: Client, name: str) -> Value:
    value = client.ask(f"/loopgen/get/{name}").arguments[2]
    return float(f"{value:.7g}") if isinstance(value, float) else value  # what 32 bits hold, as it was typed


def _cancel(options: argparse.Namespace) -> None:
    with _client(options) as client:
        _print_job(options, _stop(client, options.job, 3.0))


def _stop(client: Client, job: str, seconds: float) -> list[Message]:
    """Cancel a job and wait for what says how it ended; raises ``Refused``, ``ServerUnreachable``."""
    from bridge.protocol import named
    from loopgen.errors import Refused, ServerUnreachable

    deadline, asked = time.monotonic() + seconds, -math.inf
    heard: list[Message] = []
    while time.monotonic() < deadline:
        if time.monotonic() - asked > 0.5:
            client.cancel(job)
            asked = time.monotonic()
        message = client.receive(0.1)
        if message is None or message.address not in ENDS:
            continue
        said = named(message)
        if said.get("address") == "/loopgen/cancel" and said["req"] == job:
            raise Refused(str(said["message"]), str(said["code"]))
        if job in (said.get("job"), said["req"]):
            heard.append(message)
            if said.get("variation") == said.get("variations"):  # an end, or the last loop of a job that was done
                return heard
    raise ServerUnreachable(f"the server has not said what became of job {job}; `loopgen send job {job}` asks again")


def _job(options: argparse.Namespace) -> None:
    with _client(options) as client:
        _print_job(options, _ask_about(client, options.job))


def _ask_about(client: Client, job: str) -> list[Message]:
    """All that the server says of a job: its loops, and where it stands; raises ``Refused``, ``ServerUnreachable``."""
    from bridge.protocol import named
    from loopgen.errors import Refused, ServerUnreachable

    req = client.req()
    heard: list[Message] = []
    for _ in range(3):
        client.send("/loopgen/job", req, job)
        while message := client.receive(0.2 if heard else client.timeout / 3):
            said = named(message)
            if said.get("address") == "/loopgen/job" and said["req"] == req:
                raise Refused(str(said["message"]), str(said["code"]))
            if req == said.get("req") or job == said.get("job"):
                heard.append(message)
        if heard:
            return heard
    raise ServerUnreachable(f"no loopgen answers at {client.host}:{client.port}; `loopgen serve` starts one")


def _print_job(options: argparse.Namespace, heard: Sequence[Message]) -> None:
    from bridge.protocol import named

    loops: dict[Value, dict[str, Value]] = {}
    shown: dict[str, Any] = {"job": options.job, "state": "done"}
    line = "done"
    for message in heard:
        said = named(message)
        if message.address == "/loopgen/done":
            loops[said["variation"]] = said
        elif message.address == "/loopgen/accepted":
            shown |= {"state": "queued", "position": said["position"]}
            line = f"waits, {said['position']} before it"
        elif message.address == "/loopgen/progress":
            shown |= {"state": "running", "fraction": said["fraction"], "stage": said["stage"]}
            line = f"{float(said['fraction'] or 0):.0%} {said['stage']}"
        elif message.address == "/loopgen/cancelled":
            shown, line = shown | {"state": "cancelled"}, "cancelled"
        elif message.address == "/loopgen/error":
            shown |= {"state": "error", "code": said["code"], "message": said["message"]}
            line = f"failed, {said['code']}: {said['message']}"
    if options.json:
        print_json(shown | {"loops": list(loops.values())})
    else:
        print("\n".join([clean(f"{options.job} {line}"), *(str(loop["path"]) for loop in loops.values())]))


def _presets(options: argparse.Namespace) -> None:
    with _client(options) as client:
        names = _preset_names(client)
    if options.json:
        print_json({"presets": names})
    else:
        print("\n".join(names))


def _preset_names(client: Client) -> list[str]:
    from bridge.protocol import named
    from loopgen.errors import ServerUnreachable

    for _ in range(3):
        found: dict[Value, str] = {}
        message: Message | None = client.ask("/loopgen/preset/list")
        while message is not None:
            said = named(message) if message.address == "/loopgen/preset/item" else {}
            if said.get("name"):
                found[said["number"]] = str(said["name"])
            if said and len(found) == said["total"]:
                return sorted(found.values())
            message = client.receive(0.5)
    raise ServerUnreachable("the list of presets has not come whole; try again")


def _preset(options: argparse.Namespace) -> None:
    from loopgen.errors import InputError

    if options.job and options.verb != "save":
        raise InputError(f"preset {options.verb} takes a name only; a job ({options.job}) is for `preset save`")
    with _client(options) as client:
        client.ask(f"/loopgen/preset/{options.verb}", options.name, *([options.job] if options.job else []))
    if options.json:
        print_json({"preset": options.name, "done": options.verb})
    else:
        past = {"save": "saved", "load": "loaded", "delete": "deleted"}[options.verb]
        print(f"preset {options.name} {past}")
