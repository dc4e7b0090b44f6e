"""Who may ask: only this machine, only this page, only whoever holds the token.

A server on loopback is open to every web page that the user visits: their scripts can send to it, and with a name that
is pointed to 127.0.0.1 afterwards (DNS rebinding) read from it. So each request must name us as its host, must not come
from another site, must come from our own page where it changes something, and must bring the token: in the address that
``loopgen library open`` prints, from then on in a cookie that no script can read.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What the page may load and do (CSP): its own files, nothing inline, nothing from elsewhere."""

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
FILES = "/files/"
"""Addresses of loops for other programs, which send no cookie: these carry a key of their own."""

_SHUT = "This page is shut: open it by the address that `loopgen library open` prints.\n"


def read_token(folder: Path) -> str:
    """The user's token, made at the first time: kept, so that a page that is open outlives the server behind it.

    Only the user can read the file. Where the folder cannot be written, the token is this server's alone.
    """
    path = folder / "page-token"
    with suppress(OSError, ValueError):
        found = path.read_text(encoding="ascii").strip()
        if len(found) >= 32:
            return found
    token = secrets.token_urlsafe(32)
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(token)
    return token


class Guard:
    """ASGI middleware: refuses what is not ours, and gives every answer its headers."""

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self._app, self._token = app, token
        self._hosts = {f"{host}:{port}" for host in ("127.0.0.1", "localhost")}
        self._cookie = f"loopgen_{port}"  # cookies do not tell ports apart
        self._invitations: set[str] = set()

    def invite(self) -> str:
        """A token that opens the page once: for a browser's command line, which other users of the machine can see."""
        self._invitations.add(token := secrets.token_urlsafe(32))
        return token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        answer = self._answer(scope)
        await (answer or self._app)(scope, receive, send_guarded)

    def _answer(self, scope: Scope) -> Response | None:
        """An answer that ends it here; None for a request that may pass."""
        headers = Headers(scope=scope)
        path, method = scope["path"], scope["method"]
        if headers.get("host", "").lower() not in self._hosts:
            return _refused("this server answers to 127.0.0.1 and localhost only")
        if method not in ("GET", "HEAD", "POST"):
            return _refused("only GET and POST are known", 405)
        if path.startswith(FILES) and method != "POST":
            return None  # for other programs; its own key is looked at there
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        if path == "/" and method == "GET" and self._opens(query.get("token", [""])[0]):
            return self._welcome()
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return _refused("another site asked for this")
        if method == "POST":
            if headers.get("origin", "").lower() not in {f"http://{host}" for host in self._hosts}:
                return _refused("a change must come from the page itself")
            if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
                return _refused("a change is sent as JSON", 415)
        if not self._fits(cookie_parser(headers.get("cookie", "")).get(self._cookie, "")):
            return _refused(_SHUT)
        return None

    def _welcome(self) -> Response:
        """The cookie, and the page after it: by a step of our own, as a strict cookie goes with no step of others'."""
        response = PlainTextResponse("loopgen opens ...\n", headers={"Refresh": "0; url=/"})
        response.set_cookie(self._cookie, self._token, httponly=True, samesite="strict", max_age=30 * 86_400)
        return response

    def _opens(self, token: str) -> bool:
        if token in self._invitations:
            self._invitations.discard(token)
            return True
        return self._fits(token)

    def _fits(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self._token.encode())


class Keys:
    """Keys for the addresses of single loops, which outlive no change of the token."""

    def __init__(self, token: str) -> None:
        self._secret = hashlib.sha256(b"files:" + token.encode()).digest()

    def of(self, loop: str) -> str:
        """The key for a loop's id."""
        return hmac.new(self._secret, loop.encode(), hashlib.sha256).hexdigest()[:32]

    def fits(self, loop: str, key: str) -> bool:
        """Whether this is the key for a loop's id."""
        return hmac.compare_digest(self.of(loop).encode(), key.encode())


def _refused(why: str, status: int = 403) -> Response:
    return PlainTextResponse(why if why.endswith("\n") else f"loopgen: {why}\n", status)
