"""The page's application: its own few files, its addresses, and the guard around them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from loopgen.page.api import Api
from loopgen.page.guard import Guard

STATIC = Path(__file__).parent / "static"

_MEDIA = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def make_app(api: Api, token: str, port: int) -> Guard:
    """The application as a server on ``port`` runs it."""
    routes = [*api.routes(), *(Route(address, _given(*file)) for address, file in read_static().items())]
    return Guard(Starlette(routes=routes), token, port)


def read_static() -> Mapping[str, tuple[bytes, str]]:
    """Address -> content and media type of each file of the page: all that can be asked for, read once."""
    files = {}
    for path in sorted(STATIC.iterdir()):
        if path.suffix in _MEDIA:
            address = "/" if path.name == "index.html" else f"/{path.name}"
            files[address] = (path.read_bytes(), _MEDIA[path.suffix])
    return files


def _given(content: bytes, media: str) -> Callable[[Request], Response]:
    def endpoint(request: Request) -> Response:
        return Response(content, media_type=media)

    return endpoint
