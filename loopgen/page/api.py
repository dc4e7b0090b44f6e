"""The page's addresses: JSON in, JSON out, one function each; ids only, no path ever comes from a browser."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from loopgen import __version__, presets
from loopgen.engines.base import engines
from loopgen.errors import AudioUnreadable, Busy, InvalidRequest, LoopgenError, OutputUnwritable, PresetUnusable
from loopgen.music.tempo import parse_bpm
from loopgen.music.turn import parse_turn
from loopgen.page.audio import Sounds, Wanted
from loopgen.page.events import Events
from loopgen.page.guard import Keys
from loopgen.page.reveal import reveal
from loopgen.page.shelf import Shelf, read_whole
from loopgen.page.waveform import Peaks
from loopgen.page.workshop import Workshop

BODY_BYTES = 64_000
"""Of a request at most."""

WAVEFORMS = 100
"""Of one answer at most."""

_OWN_FOLDER = "a folder for presets of your own, in the settings"


class Api:
    """What each address does; everything that waits for a disk runs on a thread."""

    def __init__(
        self,
        shelf: Shelf,
        workshop: Workshop,
        sounds: Sounds,
        peaks: Peaks,
        events: Events,
        keys: Keys,
        own_presets: Path | None,
    ) -> None:
        self._shelf, self._workshop, self._sounds, self._peaks = shelf, workshop, sounds, peaks
        self._events, self._keys, self._own_presets = events, keys, own_presets
        self._boot = secrets.token_hex(4)

    def routes(self) -> list[Route]:
        """All of them."""
        loop = "/api/loops/{loop}"
        return [
            self._get("/api/state", self._state),
            self._get("/api/loops", lambda request: self._shelf.page(request.query_params)),
            self._get("/api/waveforms", self._waveforms),
            self._get(loop, lambda request: self._shelf.card(self._entry(request))),
            self._get(loop + "/audio", self._audio),
            self._post(loop + "/mark", self._mark),
            self._post(loop + "/rename", self._rename),
            self._post(loop + "/trash", self._trash),
            self._post(loop + "/restore", self._restore),
            self._post(loop + "/preset", self._save_preset),
            self._post(loop + "/reveal", self._reveal),
            self._post(loop + "/retempo", self._retempo),
            self._post(loop + "/rotate", self._rotate),
            self._post("/api/jobs", lambda request, body: self._workshop.submit(body)),
            self._post("/api/jobs/{job}/cancel", lambda r, body: self._workshop.cancel(r.path_params["job"])),
            Route("/api/events", self._listen),
            Route("/files/{loop}/{key}/{name}", self._file),
        ]

    # -- what there is -------------------------------------------------------------------------------------------------

    def _state(self, request: Request) -> dict[str, Any]:
        shown = []
        for name in presets.names(self._own_presets):
            try:
                preset = presets.load(name, self._own_presets)
            except PresetUnusable:
                continue  # one broken file hides no other preset
            shown.append({"name": name, "description": preset.description, "own": preset.own, **_plain(preset.fields)})
        trouble, tags, notes = self._shelf.trouble, [], []
        try:
            tags, notes = tags_of(self._shelf), self._shelf.notes()
        except LoopgenError as error:
            trouble = str(error)
        return {
            "version": __version__,
            "boot": self._boot,
            "folder": str(self._shelf.folder),
            "there": self._shelf.is_there,
            "trouble": trouble,
            "notes": notes,
            "indexing": self._shelf.indexing,
            "engines": [
                {"name": one.name, "available": one.available, "reason": one.reason, "licence": one.licence}
                for one in engines()
            ],
            "presets": shown,
            "tags": tags,
            "jobs": self._workshop.jobs(),
        }

    def _waveforms(self, request: Request) -> dict[str, Any]:
        ids = [one for one in request.query_params.get("ids", "").split(",") if one]
        if len(ids) > WAVEFORMS:
            raise InvalidRequest("ids", f"{len(ids)} of them", f"at most {WAVEFORMS}")
        return self._peaks.find((entry.id, entry.path) for entry in self._shelf.entries(ids))

    def _audio(self, request: Request) -> Response:
        asked = request.query_params
        wanted = Wanted(
            exact_tempo(asked["bpm"]) if asked.get("bpm") else None,
            read_whole("rate", asked["rate"]) if asked.get("rate") else None,
            read_whole("turns", asked.get("turns") or "1"),
            read_whole("frames", asked["frames"]) if asked.get("frames") else None,
        )
        sound = self._sounds.get(self._entry(request), wanted)
        headers = {"X-Frames": str(sound.frames), "X-Channels": str(sound.channels), "X-Rate": str(sound.rate)}
        return Response(sound.data, media_type="application/octet-stream", headers=headers)

    async def _file(self, request: Request) -> Response:
        """The loop's file for a program that it is dragged into; the name is for that program alone."""
        loop, key = request.path_params["loop"], request.path_params["key"]
        if not self._keys.fits(loop, key):
            return _error("invalid_request", "this address is not one of this page's", 404)
        try:
            entry = await run_in_threadpool(self._shelf.entry, loop)
            if not await run_in_threadpool(entry.path.is_file):
                raise AudioUnreadable(f"{entry.path} does not exist any more")
        except LoopgenError as error:
            return _error(error.code, str(error), 404)
        media = "audio/flac" if entry.path.suffix.lower() == ".flac" else "audio/wav"
        return FileResponse(entry.path, media_type=media, filename=entry.name)

    async def _listen(self, request: Request) -> Response:
        return StreamingResponse(self._events.stream({"boot": self._boot}), media_type="text/event-stream")

    # -- what changes --------------------------------------------------------------------------------------------------

    def _mark(self, request: Request, body: Mapping[str, Any]) -> dict[str, Any]:
        favourite, rating = body.get("favourite"), body.get("rating")
        if not isinstance(favourite, bool | None):
            raise InvalidRequest("favourite", str(favourite), "true or false")
        entry = self._shelf.library.mark(
            self._entry(request).id,
            add=_texts(body, "add"),
            remove=_texts(body, "remove"),
            favourite=favourite,
            rating=rating,
        )
        return self._changed(entry)

    def _rename(self, request: Request, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._changed(self._shelf.library.rename(self._entry(request).id, _text(body, "name")))

    def _trash(self, request: Request, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._changed(self._shelf.library.trash(self._entry(request).id))

    def _restore(self, request: Request, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._changed(self._shelf.library.restore(self._entry(request).id))

    def _changed(self, entry: Any) -> dict[str, Any]:
        self._events.tell("library", {})
        return self._shelf.card(entry)

    def _save_preset(self, request: Request, body: Mapping[str, Any]) -> dict[str, Any]:
        from loopgen.library.recall import recall

        if self._own_presets is None:
            raise InvalidRequest("preset", "", _OWN_FOLDER)
        entry = self._entry(request)
        recipe = recall(entry.path).recipe
        if not recipe:
            allowed = "a loop that loopgen made: this one brings no recipe"
            raise InvalidRequest("preset", entry.name, allowed)
        name, description = _text(body, "name"), str(body.get("description") or "") or None
        if name in presets.names(self._own_presets):
            raise InvalidRequest("name", name, "a name that no preset has yet")
        saved = presets.save(name, presets.of_recipe(recipe), description, self._own_presets)
        self._events.tell("library", {})
        return {"name": saved.name, "description": saved.description}

    def _reveal(self, request: Request, body: Mapping[str, Any]) -> dict[str, Any]:
        path = self._entry(request).path
        reveal(path)
        return {"path": str(path)}

    def _retempo(self, request: Request, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._workshop.retempo(self._entry(request), exact_tempo(_text(body, "bpm")))

    def _rotate(self, request: Request, body: Mapping[str, Any]) -> dict[str, Any]:
        beats = parse_turn(_text(body, "beats"), "beats") if body.get("beats") is not None else None
        return self._workshop.rotate(self._entry(request), beats)

    # -- how ----------------------------------------------------------------------------------------------------------

    def _entry(self, request: Request) -> Any:
        return self._shelf.entry(request.path_params["loop"])

    def _get(self, path: str, answer: Callable[[Request], Any]) -> Route:
        async def endpoint(request: Request) -> Response:
            return await _answered(lambda: answer(request))

        return Route(path, endpoint, methods=["GET"])

    def _post(self, path: str, answer: Callable[[Request, Mapping[str, Any]], Any]) -> Route:
        async def endpoint(request: Request) -> Response:
            try:
                body = await _body(request)
            except InvalidRequest as error:
                return _error(error.code, str(error), 400)
            except ClientDisconnect:
                return _error("invalid_request", "gone", 400)
            return await _answered(lambda: answer(request, body))

        return Route(path, endpoint, methods=["POST"])


async def _answered(call: Callable[[], Any]) -> Response:
    """The answer of a function that runs on a thread, or its error for people."""
    try:
        answer = await run_in_threadpool(call)
    except LoopgenError as error:
        status = 503 if isinstance(error, Busy) else 409 if isinstance(error, OutputUnwritable) else 400
        return _error(error.code, str(error), status, field=getattr(error, "field", ""))
    except MemoryError:
        return _error("out_of_memory", "not enough memory for this", 507)
    except Exception as error:
        return _error("internal", f"internal error: {type(error).__name__}: {error}; please report it", 500)
    return answer if isinstance(answer, Response) else JSONResponse(answer)


async def _body(request: Request) -> Mapping[str, Any]:
    data = b""
    async for part in request.stream():
        data += part
        if len(data) > BODY_BYTES:
            raise InvalidRequest("body", f"{len(data)} bytes", f"at most {BODY_BYTES}")
    try:
        body = json.loads(data or b"{}")
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise InvalidRequest("body", data[:40].decode("utf-8", "replace"), "a JSON object")
    return body


def _error(code: str, message: str, status: int, field: str = "") -> Response:
    return JSONResponse({"error": {"code": code, "message": message, "field": field}}, status)


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value.strip():
        raise InvalidRequest(name, str(value or ""), "text")
    return value.strip()


def _texts(body: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values = body.get(name, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise InvalidRequest(name, str(values), "a list of words")
    return tuple(values)


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value if isinstance(value, int | float | bool) else str(value) for name, value in fields.items()}


def exact_tempo(text: str) -> Fraction:
    """A tempo as the page passes it on: as people write it, or exactly, as a quotient.

    >>> exact_tempo("127.9"), exact_tempo("1279/10")
    (Fraction(1279, 10), Fraction(1279, 10))
    """
    top, slash, bottom = text.partition("/")
    if slash:
        whole = read_whole("bpm", top), read_whole("bpm", bottom)
        if not whole[1]:
            raise InvalidRequest("bpm", text, "a tempo from 20 to 999 BPM, like 127.9")
        return parse_bpm(Fraction(*whole))
    return parse_bpm(text)


def tags_of(shelf: Shelf) -> list[str]:
    """All tags that are in use, sorted."""
    return sorted(shelf.library.tags())
