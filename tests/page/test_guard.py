"""Who may ask: what another site, another program or another machine could try, tried."""

from __future__ import annotations

import re
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from loopgen.errors import InvalidRequest, PortTaken
from loopgen.page.app import STATIC, read_static
from loopgen.page.guard import read_token
from loopgen.page.server import Server
from tests.page.world import ask, fill, index, post, request, serve, token_of


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("loops")
    fill(folder)
    index(folder)
    (folder.parent / "secret.txt").write_text("secret")
    with serve(folder) as server:
        yield server


CHANGES = (
    "/api/jobs",
    "/api/jobs/ab/cancel",
    *(f"/api/loops/ab/{what}" for what in ("mark", "rename", "trash", "preset", "retempo", "rotate")),
)


def test_the_page_itself_is_answered(server: Server) -> None:
    assert request(server, "GET", "/")[0] == 200
    assert ask(server, "/api/loops")["total"] == 4


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "", "[::1]:{port}", None]
)
def test_another_name_for_this_machine_is_refused(server: Server, host: str | None) -> None:
    named = {"Host": host.format(port=server.port) if host else host}
    for path in ("/", "/api/loops", f"/?token={token_of(server)}"):
        assert request(server, "GET", path, headers=named)[0] in (400, 403)
    assert request(server, "POST", "/api/jobs", {"prompt": "x"}, headers=named)[0] in (400, 403)


@pytest.mark.parametrize("cookie", [None, "", "loopgen=x", "loopgen_{port}=", "loopgen_{port}=wrong", "other={token}"])
def test_without_the_token_there_is_nothing_to_see(server: Server, cookie: str | None) -> None:
    sent = {"Cookie": cookie.format(port=server.port, token=token_of(server)) if cookie else cookie}
    for path in ("/", "/main.js", "/api/state", "/api/events", "/?token=wrong", "/?token="):
        status, headers, data = request(server, "GET", path, headers=sent)
        assert status == 403, path
        assert "set-cookie" not in headers
        assert token_of(server).encode() not in data
    assert request(server, "POST", "/api/jobs", {"prompt": "x"}, headers=sent)[0] == 403


def test_the_token_becomes_a_cookie_that_scripts_and_other_sites_do_not_get(server: Server) -> None:
    status, headers, _ = request(server, "GET", f"/?token={token_of(server)}", headers={"Cookie": None})
    assert (status, headers["refresh"]) == (200, "0; url=/")  # so that the token stays in no history and no bookmark
    cookie = headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


@pytest.mark.parametrize(
    "origin",
    [None, "null", "http://evil.example", "http://127.0.0.1", "http://127.0.0.1:1", "https://127.0.0.1:{port}"],
)
def test_changes_come_from_the_page_alone(server: Server, origin: str | None) -> None:
    sent = {"Origin": origin.format(port=server.port) if origin else origin}
    for path in CHANGES:
        assert request(server, "POST", path, {}, headers=sent)[0] == 403, path


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_gets_nothing_though_the_browser_sends_the_cookie(server: Server, site: str) -> None:
    for method, path in (("GET", "/api/loops"), ("GET", "/main.js"), ("POST", "/api/jobs")):
        assert request(server, method, path, {}, headers={"Sec-Fetch-Site": site})[0] == 403


@pytest.mark.parametrize("media", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_form_of_another_site_cannot_be_taken_for_json(server: Server, media: str | None) -> None:
    assert request(server, "POST", "/api/jobs", {"prompt": "x"}, headers={"Content-Type": media})[0] == 415


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"])
def test_other_methods_are_unknown(server: Server, method: str) -> None:
    status, headers, _ = request(server, method, "/api/loops")
    assert status == 405
    assert not [name for name in headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt", "/..%2fsecret.txt", "/%2e%2e/secret.txt", "/static/../../secret.txt", "//etc/passwd",
        "/api/loops/..%2f..%2fsecret.txt/audio", "/api/loops/%2fetc%2fpasswd/audio", "/api/loops/C:%5Csecret.txt/audio",
        "/etc/passwd", "/api.py", "/../app.py", "/__init__.py", "/index.html", "/api/waveforms/../../secret.txt",
    ],
)  # fmt: skip
def test_no_path_of_a_client_is_opened(server: Server, path: str) -> None:
    status, _, data = request(server, "GET", path)
    assert status in (400, 404), data
    assert b"secret" not in data.replace(b"secret.txt", b"")


def test_a_loop_is_given_to_other_programs_by_its_own_key_alone(server: Server) -> None:
    loops = ask(server, "/api/loops")["loops"]
    first, second = loops[:2]
    alone: dict[str, str | None] = {"Cookie": None, "Sec-Fetch-Site": "cross-site"}
    status, headers, data = request(server, "GET", first["file"], headers=alone)
    assert (status, headers["content-type"]) == (200, "audio/wav")
    assert data == Path(first["path"]).read_bytes()
    assert "attachment" in headers["content-disposition"]
    key = first["file"].split("/")[3]
    for path in (
        f"/files/{second['id']}/{key}/x.wav",
        f"/files/{first['id']}/{'0' * 32}/x.wav",
        f"/files/{first['id']}//x.wav",
    ):
        assert request(server, "GET", path, headers=alone)[0] == 404
    renamed = request(server, "GET", f"/files/{first['id']}/{key}/..%2f..%2fsecret.txt", headers=alone)
    assert renamed[0] == 404 or renamed[2] == data  # the name is for the program that asks: it opens nothing


def test_what_is_sent_is_bounded_and_must_be_an_object(server: Server) -> None:
    for raw in (b"[" * 50_000, b"x", b"[]", b"\xff\xfe", b'{"prompt": "' + b"a" * 70_000 + b'"}', b"null", b"1"):
        status, _, data = request(server, "POST", "/api/jobs", raw=raw)
        assert (status, b"invalid_request" in data) == (400, True), raw[:20]
    status, answer = post(server, "/api/loops/" + "f" * 24 + "/mark", {"favourite": True})
    assert (status, answer["error"]["code"]) == (400, "invalid_request")


def test_every_answer_forbids_what_is_not_ours(server: Server) -> None:
    for path in ("/", "/main.js", "/api/loops", "/nowhere"):
        headers = request(server, "GET", path)[1]
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in headers
        assert "server" not in headers


def test_the_page_brings_no_inline_script_and_nothing_from_elsewhere() -> None:
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\son\w+=|\sstyle=|javascript:", page)
    for address, (content, _) in read_static().items():
        text = content.decode().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text), (
            address
        )
    wanted = set(re.findall(r'(?:src|href)="(/[^"]+)"', page))
    for path in STATIC.glob("*.js"):
        wanted |= set(re.findall(r'from "(/[^"]+)"', path.read_text(encoding="utf-8")))
    assert wanted <= set(read_static())


def test_only_loopback_is_listened_on(server: Server) -> None:
    held = [
        one
        for one in psutil.Process().net_connections("tcp")
        if one.laddr and one.laddr.port == server.port and one.status == "LISTEN"
    ]
    assert [one.laddr.ip for one in held] == ["127.0.0.1"]


def test_the_token_is_the_users_alone_and_stays(tmp_path: Path) -> None:
    token = read_token(tmp_path / "state")
    assert len(token) >= 32
    assert read_token(tmp_path / "state") == token
    if sys.platform != "win32":
        assert stat.S_IMODE((tmp_path / "state" / "page-token").stat().st_mode) == 0o600
    (tmp_path / "state" / "page-token").write_text("short")
    assert len(read_token(tmp_path / "state")) >= 32


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"{port} is taken"):
            serve(tmp_path, port=port).start()
    with pytest.raises(InvalidRequest, match="70000"):
        serve(tmp_path, port=70_000).start()
