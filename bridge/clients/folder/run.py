"""One drop -> one order -> loops."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bridge.client import Client
from bridge.clients.folder.drops import PROMPTS, Drops
from bridge.fields import BY_NAME
from loopgen.errors import Cancelled, InvalidRequest, Refused

_ASSIGNMENT = re.compile(r"\s*([a-z]+)\s*[=:]\s*(.*?)\s*")
BYTES_MAX = 10_000


def assignments(words: Sequence[str]) -> dict[str, str]:
    """``tempo=127.9`` to a key and its value; raises ``InvalidRequest`` for what is none.

    >>> assignments(["prompt=dub techno", "tempo = 127.9"])
    {'prompt': 'dub techno', 'tempo': '127.9'}
    """
    fields = {}
    for word in words:
        found = _ASSIGNMENT.fullmatch(word)
        if not found or found[1] not in BY_NAME:
            raise InvalidRequest("key=value", word, f"one of {', '.join(BY_NAME)}, like tempo=127.9")
        fields[found[1]] = found[2]
    return fields


def read_prompt(text: str) -> dict[str, str]:
    """The fields of a .txt: lines like ``tempo: 127.9``; all others together are the prompt.

    >>> read_prompt("dub techno,\\nrainy\\n\\ntempo: 127.9\\nbars = 4\\n")
    {'tempo': '127.9', 'bars': '4', 'prompt': 'dub techno, rainy'}
    """
    fields, words = {}, []
    for line in text.lstrip("\ufeff").splitlines():
        found = _ASSIGNMENT.fullmatch(line)
        if found and found[1] in BY_NAME:
            fields[found[1]] = found[2]
        else:
            words += line.split()
    return fields | ({"prompt": " ".join(words)} if words else {})


def run(client: Client, drops: Drops, path: Path, given: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Make loops of a drop and tell what happens; raises ``ServerUnreachable``, ``OutputUnwritable``.

    What the server has taken or refused counts as run. A clip's prompt is, in this order: the .txt of the same name,
    what was given for all, the server's session, the clip's own name.
    """
    try:
        fields = dict(given)
        text = path if path.suffix.lower() in PROMPTS else path.with_suffix(".txt")
        if text.is_file():
            if text.stat().st_size > BYTES_MAX:
                raise InvalidRequest("prompt", text.name, f"a text of at most {BYTES_MAX // 1000} KB")
            fields |= read_prompt(text.read_text(encoding="utf-8", errors="replace"))
        if text != path:
            fields["melody"] = _send_melody(client, path, fields.get("tempo", ""), say)
            if "prompt" not in fields and "preset" not in fields and not _session_prompt(client):
                fields["prompt"] = path.stem.replace("_", " ").strip() or "loop"
        told = ", ".join(f"{key} {value}" for key, value in fields.items() if key != "melody")
        for loop in client.generate(
            fields, accepted=lambda job, position: _accepted(drops, [path, text], say, f"{path.name}: {told}")
        ):
            say(f"{path.name} -> {loop.path} ({loop.summary})")
    except (Refused, Cancelled, InvalidRequest) as error:
        drops.done(path)
        say(f"{path.name}: {error}")


def _accepted(drops: Drops, paths: Sequence[Path], say: Callable[[str], None], line: str) -> None:
    for path in paths:
        drops.done(path)
    say(line)


def _session_prompt(client: Client) -> bool:
    return bool(client.ask("/loopgen/get/prompt").arguments[2])


def _send_melody(client: Client, path: Path, tempo: str, say: Callable[[str], None]) -> str:
    answer = client.ask("/loopgen/melody/file", "drop", path.name, *([tempo] if tempo else []), timeout=120.0)
    say(f"{path.name}: a melody of {answer.arguments[1]} notes")
    return "drop"
