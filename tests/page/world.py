"""What the tests of the page share: a folder of loops, its server, and a real browser."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from loopgen import library
from loopgen.library.index import Library
from loopgen.music.audio import Audio
from loopgen.page.server import Server
from loopgen.page.workshop import Bench
from tests.loops import pulse_loop

LOOPS = (
    ("dub techno, rainy", "127.9", 2),
    ("deep house, warm", "122", 4),
    ("jungle, chopped", "165", 1),
    ("boom bap", "90", 2),
)


def fill(folder: Path, rate: int = 44_100) -> dict[str, Path]:
    """A few loops with sidecars; prompt's first words -> file."""
    kept = {}
    for seed, (prompt, bpm, bars) in enumerate(LOOPS):
        loop = pulse_loop(prompt, bpm=bpm, bars=bars, seed=seed)
        if rate != loop.audio.rate:
            loop = replace(loop, audio=Audio(loop.audio.samples, rate))
        kept[prompt.split(",")[0]] = library.keep(loop, folder).path
    return kept


def serve(folder: Path, *, port: int = 0, state: Path | None = None, presets: Path | None = None) -> Server:
    """A server of a folder, with a token of its own or that of a state folder."""
    return Server(Bench(folder, own_presets=presets or folder / "presets"), port, state_folder=state)


def index(folder: Path) -> dict[str, str]:
    """Title -> id of all loops of a folder."""
    with Library(folder) as opened:
        opened.refresh()
        return {entry.title: entry.id for entry in opened.find()}


def token_of(server: Server) -> str:
    """The token in its address."""
    return server.url.partition("token=")[2]


def request(
    server: Server,
    method: str,
    path: str,
    body: Any = None,
    *,
    headers: Mapping[str, str | None] | None = None,
    raw: bytes | None = None,
) -> tuple[int, dict[str, str], bytes]:
    """A request as the page sends it; ``headers`` change some, None leaves one out."""
    own = f"http://127.0.0.1:{server.port}"
    sent: dict[str, str | None] = {
        "Host": f"127.0.0.1:{server.port}",
        "Cookie": f"loopgen_{server.port}={token_of(server)}",
        "Sec-Fetch-Site": "same-origin",
    }
    if method == "POST":
        sent |= {"Origin": own, "Content-Type": "application/json"}
    sent |= dict(headers or {})
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        data = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        for name, value in sent.items():
            if value is not None:
                connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(data)))
        connection.endheaders(data)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def ask(server: Server, path: str) -> Any:
    """The JSON at an address."""
    status, _, data = request(server, "GET", path)
    assert status == 200, data
    return json.loads(data)


def post(server: Server, path: str, body: Any) -> tuple[int, Any]:
    """The status and JSON of a change."""
    status, _, data = request(server, "POST", path, body)
    return status, json.loads(data)
