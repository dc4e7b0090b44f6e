"""What is typed after ``loopgen send``: words like ``tempo=127.9``, and where the server is."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from loopgen.errors import InputError, ServerUnreachable

if TYPE_CHECKING:
    from bridge.fields import Field
    from bridge.wire import Value
    from loopgen.music.melody import Melody

_OTHERWISE = {"bpm": "tempo", "time": "meter", "signature": "meter", "scale": "key", "notes": "melody"}
"""What people call a key -> its name."""

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Addresses to listen on that are none to send to -> this machine's."""


def read(words: Iterable[str], fields: Sequence[Field]) -> dict[str, str]:
    """Values by key out of words like ``key=value``; raises ``InputError`` for another word or an unknown key.

    >>> from bridge.fields import FIELDS
    >>> read(["prompt=acid = loud", "tempo=127.9"], FIELDS)
    {'prompt': 'acid = loud', 'tempo': '127.9'}
    """
    values: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise InputError(f'{word[:60]!r} is no key=value; put text with spaces in quotes, like prompt="dub techno"')
        check_known(key, [field.name for field in fields])
        if key in values:
            raise InputError(f"{key} is given twice, as {values[key][:40]!r} and {value[:40]!r}; give it once")
        values[key] = value
    return values


def check_known(key: str, known: Sequence[str]) -> None:
    """Raise ``InputError`` for an unknown key, naming the nearest.

    >>> check_known("temp", ["tempo", "bars"])
    Traceback (most recent call last):
    loopgen.errors.InputError: 'temp' is unknown here; did you mean 'tempo'?
    """
    if key not in known:
        near = [_OTHERWISE[key]] if _OTHERWISE.get(key) in known else difflib.get_close_matches(key[:64], known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
        raise InputError(f"{key[:64]!r} is unknown here; {hint}")


def check(values: Mapping[str, str], *, unset: bool = False) -> dict[str, Value]:
    """The values as they go over the wire, exact; raises ``InvalidRequest`` for one that no server would take.

    Empty text unsets a value where ``unset`` says so.

    >>> check({"tempo": "127,9", "bars": "4", "key": "A minor"})
    {'tempo': '127.9', 'bars': 4, 'key': 'Am'}
    """
    from bridge.fields import BY_NAME

    checked: dict[str, Value] = {}
    for name, value in values.items():
        field = BY_NAME[name]
        checked[name] = "" if unset and not value else field.show(field.read(value))
    return checked


def read_melody(text: str, tempo: Value) -> Melody:
    """The melody of a .mid file, of notes as text, or of an audio file, which is heard at ``tempo`` if it says none.

    Raises ``InvalidRequest``, ``AudioUnreadable``.
    """
    from loopgen.melodies import read_melody as read_any
    from loopgen.music.tempo import parse_bpm

    return read_any(text, bpm=parse_bpm(str(tempo)) if tempo else None)


def server_address(host: str | None, port: str | None) -> tuple[str, int]:
    """Where the server is: as flags or environment say, else where one runs here, else as the settings file says.

    Raises ``SettingUnusable``, ``ServerUnreachable`` where the settings leave the port open and none runs.
    """
    from bridge import discovery
    from loopgen import settings

    found = settings.resolve({"host": host, "port": port}, os.environ, settings.config_file(os.environ))
    chosen = found.settings
    address = chosen.host, chosen.port
    if {found.origins["host"], found.origins["port"]} <= {"default", "file"}:
        running = discovery.running(settings.state_folder())
        address = (running.host, running.port) if running else address
    if not address[1]:
        raise ServerUnreachable("no loopgen runs here; `loopgen serve` starts one")
    return _EVERYWHERE.get(address[0], address[0]), address[1]
