"""Server-sent events: what happens is told to every page that is open."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

_WAITING_MAX = 200
"""Events that may wait for one page; each is a whole state, so that of a page that sleeps the oldest can be dropped."""

_HEARTBEAT_SECONDS = 10.0


class Events:
    """A channel from any thread to all open pages."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pages: dict[asyncio.Queue[str | None], asyncio.AbstractEventLoop] = {}
        self._is_closed = False

    @property
    def pages(self) -> int:
        """How many pages listen."""
        return len(self._pages)

    def tell(self, kind: str, value: Any) -> None:
        """Tell all pages; from any thread, never blocks."""
        self._put(f"event: {kind}\ndata: {json.dumps(value)}\n\n")

    def close(self) -> None:
        """End all streams; those that come later end at once."""
        self._is_closed = True
        self._put(None)

    def _put(self, text: str | None) -> None:
        with self._lock:
            for queue, loop in self._pages.items():
                with suppress(RuntimeError):  # its loop is closed
                    loop.call_soon_threadsafe(_append, queue, text)

    async def stream(self, hello: Any) -> AsyncIterator[str]:
        """What one page hears, ``hello`` first; ends when the page or the server does."""
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        with self._lock:
            self._pages[queue] = asyncio.get_running_loop()
        try:
            yield f"retry: 1000\nevent: hello\ndata: {json.dumps(hello)}\n\n"
            while not self._is_closed:
                try:
                    text = await asyncio.wait_for(queue.get(), _HEARTBEAT_SECONDS)
                except TimeoutError:
                    text = ": still here\n\n"
                if text is None:
                    return
                yield text
        finally:
            with self._lock:
                self._pages.pop(queue, None)


def _append(queue: asyncio.Queue[str | None], text: str | None) -> None:
    if queue.qsize() >= _WAITING_MAX:
        queue.get_nowait()
    queue.put_nowait(text)
