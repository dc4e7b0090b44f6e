"""A small server that speaks what loopgen needs of the hub's protocol: a model's files, their hashes, parts of them."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = (".safetensors", ".bin")
"""The hub keeps these apart (LFS): named by SHA-256, and reached by a redirect to another place."""


class Hub:
    """Repositories are folders; ``cut`` breaks each answer after so many bytes; ``requests`` lists what was asked."""

    def __init__(self, repos: dict[str, Path]) -> None:
        self.repos, self.gated, self.broken = repos, set[str](), False
        self.cut: int | None = None
        self.damage = False
        self.requests: list[tuple[str, str, str]] = []
        self.address = ""

    def asked_for(self, file: str) -> list[str]:
        """The ranges that were asked of a large file's bytes, an empty text being all of it."""
        return [part for method, path, part in self.requests if method == "GET" and path.endswith(f"/cdn/{file}")]


@contextmanager
def serving(repos: dict[str, Path]) -> Iterator[Hub]:
    """Run a hub on a free port of this machine."""
    hub = Hub(repos)

    class Handler(_Handler):
        model = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    model: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, with_body: bool) -> None:
        hub, path = self.model, unquote(urlsplit(self.path).path)
        hub.requests.append((self.command, path, self.headers.get("Range", "")))
        parts = path.strip("/").split("/")
        is_api = parts[:2] == ["api", "models"]
        repo = "/".join(parts[2:4] if is_api else parts[:2])
        if hub.broken:
            return self._refuse(500, "", "internal")
        if repo in hub.gated:
            return self._refuse(403, "GatedRepo", f"Access to model {repo} is restricted")
        if repo not in hub.repos:
            return self._refuse(401, "RepoNotFound", "Repository not found")
        folder = hub.repos[repo]
        if is_api:
            about = json.dumps(_tree(folder) if "tree" in parts else _about(repo, folder)).encode()
            return self._send(about, {"Content-Type": "application/json"}, with_body)
        file = folder / "/".join(parts[4:] if parts[2] == "resolve" else parts[3:])
        if not file.is_file():
            return self._refuse(404, "EntryNotFound", "Entry not found")
        if parts[2] == "cdn":
            return self._send_part(file, with_body)
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{etag(file)}"'}
        if not file.name.endswith(LARGE):
            return self._send(file.read_bytes(), headers, with_body)
        linked = {"X-Linked-Etag": f'"{etag(file)}"', "X-Linked-Size": str(file.stat().st_size)}
        location = {"Location": f"{hub.address.replace('127.0.0.1', 'localhost')}/{repo}/cdn/{file.name}"}
        return self._send(b"", headers | linked | location, with_body, status=302)

    def _send_part(self, file: Path, with_body: bool) -> None:
        """A large file, or from some byte on, as far as it goes before the connection breaks."""
        data, asked = file.read_bytes(), self.headers.get("Range", "")
        start = int(asked.removeprefix("bytes=").partition("-")[0]) if asked else 0
        if self.model.damage:
            data = data[:start] + bytes(len(data) - start)
        content = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if asked else {}
        self._send(data[start:], content, with_body, status=206 if asked else 200, cut=self.model.cut)

    def _send(
        self, body: bytes, headers: dict[str, str], with_body: bool, *, status: int = 200, cut: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body[:cut])
        if with_body and cut is not None and cut < len(body):
            self.close_connection = True

    def _refuse(self, status: int, code: str, message: str) -> None:
        self._send(b"", {"X-Error-Code": code, "X-Error-Message": message}, True, status=status)


def etag(file: Path) -> str:
    """What the hub names a file by."""
    data = file.read_bytes()
    if file.name.endswith(LARGE):
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _about(repo: str, folder: Path) -> dict[str, object]:
    files = [
        {"rfilename": path.name, "size": path.stat().st_size, "blobId": etag(path)}
        for path in sorted(folder.iterdir())
        if path.is_file()
    ]
    return {"_id": "1", "id": repo, "modelId": repo, "sha": COMMIT, "siblings": files, "private": False, "tags": []}


def _tree(folder: Path) -> list[dict[str, object]]:
    files = []
    for path in sorted(folder.iterdir()):
        size = path.stat().st_size
        lfs = {"lfs": {"oid": etag(path), "size": size, "pointerSize": 130}} if path.name.endswith(LARGE) else {}
        files.append({"type": "file", "path": path.name, "size": size, "oid": etag(path), **lfs})
    return files
