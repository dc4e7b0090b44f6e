"""Orders for jobs: taken once however often they come, followed, and told to who asked until they have ended."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from bridge import protocol
from bridge.fields import exact
from bridge.outbox import Outbox
from bridge.peers import Address, Peer, Sender
from bridge.post import Post
from bridge.protocol import Call
from bridge.session import Session
from loopgen.errors import InvalidRequest, UnknownJob
from loopgen.jobs import From, Generate, Job, Jobs, Retempo, Rotate, Work
from loopgen.music.tempo import check_bars

_ADDRESSES = {Generate: "/loopgen/generate", Retempo: "/loopgen/retempo", Rotate: "/loopgen/rotate"}


@dataclass(slots=True)
class _Order:
    """What became a job: the request it came by, who asked, and where its events go."""

    req: str
    peer: Peer
    owner: Peer
    replies: tuple[Address, ...]
    cancellers: tuple[Address, ...] = ()
    progressed: float = 0.0
    previewed: float = 0.0
    delivered: int = 0

    def tell_also(self, replies: tuple[Address, ...]) -> None:
        self.replies = tuple(dict.fromkeys((*self.replies, *replies)))


class Desk:
    """The protocol's commands about jobs."""

    def __init__(self, jobs: Jobs, session: Session, post: Post) -> None:
        self._jobs, self._session, self._post = jobs, session, post
        self._outbox = Outbox()
        self._orders: dict[str, _Order] = {}

    def generate(self, call: Call, sender: Sender) -> None:
        """Take an order for loops."""
        if call.values["req"] is None:  # a button was let go
            self._post.answer(sender.replies, "ok", "")
            return
        if self._repeated(call, sender):
            return
        given = protocol.read_pairs(call.rest)
        folder = given.pop("folder", None) or self._session["folder"] or ""
        melody = sender.clips.get(given.pop("melody")) if "melody" in given else None
        begin = _begin(given)
        preview = bool(given.pop("preview", self._session["preview"]))
        self._submit(
            Generate(self._session.order(given, goes_on=begin is not None), melody, folder, begin, preview),
            call,
            sender,
        )

    def retempo(self, call: Call, sender: Sender) -> None:
        """Take an order for another tempo."""
        if not self._repeated(call, sender):
            loops = self._loops(_bare(call.values["loop"]), sender)
            bars, start = call.values["bars"] or None, call.values["start"]
            if bars is not None:
                check_bars(bars)
            folder = self._session["folder"] or ""
            work = Retempo(loops, call.values["bpm"], folder, bars, None if start == "" else start)
            self._submit(work, call, sender)

    def rotate(self, call: Call, sender: Sender) -> None:
        """Take an order for another beat 1."""
        if not self._repeated(call, sender):
            beats = call.values["beats"]
            loop = self._loop(_bare(call.values["loop"]))
            self._submit(Rotate(loop, None if beats == "" else beats, self._session["folder"] or ""), call, sender)

    def _loops(self, named: str, sender: Sender) -> tuple[str, ...]:
        """The files that an order names, or what it says where that is unknown here; raises ``InvalidRequest``."""
        if named != protocol.ALL:
            return (self._loop(named),)
        if not sender.owner.loops:
            raise InvalidRequest("loop", named, "a loop's name: you had none made since you came")
        return tuple(sender.owner.loops)

    def _loop(self, named: str) -> str:
        """The file that an order names, or what it says where that is unknown here."""
        with suppress(UnknownJob):
            job, _, number = named.partition("/")
            variation = int(number) if number.isascii() and number.isdigit() else 1
            made = (loop.path for loop in self._jobs.find(job).delivered if loop.variation == variation)
            return next(made, named)
        return named

    def _repeated(self, call: Call, sender: Sender) -> bool:
        """Whether this is an order once more; then it is answered with where that stands.

        The same ``req`` with other contents is another order: patches count from 1 whenever they are opened.
        """
        req = call.values["req"]
        known = sender.peer.requests.get(req) if req else None
        if known is None or known[1] != _contents(call):
            return False
        try:
            job = self._jobs.find(known[0])
        except UnknownJob:
            return False
        self._post.answer(sender.replies, "accepted", req, job.id, job.position)
        if order := self._orders.get(job.id):
            order.tell_also(sender.replies)
        self._tell(job, req, sender.replies)
        return True

    def _submit(self, work: Work, call: Call, sender: Sender) -> None:
        req = call.values["req"]
        job = self._jobs.submit(work)
        sender.peer.remember(req, job.id, _contents(call))
        self._orders[job.id] = _Order(req, sender.peer, sender.owner, sender.replies)
        self._post.answer(sender.replies, "accepted", req, job.id, job.position)

    def cancel(self, call: Call, sender: Sender) -> None:
        """Stop a job; the answer is its end, whatever that is."""
        job = self._jobs.cancel(call.values["job"])
        if order := self._orders.get(job.id):
            order.cancellers = tuple(dict.fromkeys((*order.cancellers, *sender.replies)))
        else:
            self._tell(job, job.id, sender.replies)

    def job(self, call: Call, sender: Sender) -> None:
        """Say where a job stands."""
        job = self._jobs.find(call.values["job"])
        if job.state == "queued":
            self._post.answer(sender.replies, "accepted", call.values["req"], job.id, job.position)
        self._tell(job, call.values["req"], sender.replies)

    def ack(self, call: Call, sender: Sender) -> None:
        """A delivery has arrived."""
        self._outbox.acknowledge(call.values["job"], call.values["variation"])
        self._post.answer(sender.replies, "ok", call.values["job"])

    def _tell(self, job: Job, req: str, replies: tuple[Address, ...]) -> None:
        """All that is to say of a job as it stands."""
        for number in range(len(job.delivered)):
            self._post.answer(replies, *_done(job, number, req))
        if job.state == "running":
            self._post.answer(replies, "progress", job.id, job.fraction, job.stage)
        elif job.state in ("error", "cancelled"):
            self._post.answer(replies, *_end(job, req))

    def changed(self, job: Job) -> None:
        """Tell who asked, and who watches, what has become of a job."""
        order = self._orders.get(job.id)
        if order is None:
            return
        now = time.monotonic()
        while order.delivered < len(job.delivered):
            said = _done(job, order.delivered, order.req)
            datagram = self._post.answer(order.replies, *said)
            path = job.delivered[order.delivered].path
            if isinstance(job.work, Generate):
                order.owner.loops[path] = None
            elif isinstance(job.work, Rotate):
                order.owner.turned(str(job.work.loop), path)
            order.delivered += 1
            self._outbox.put(job.id, order.delivered, datagram, order.replies, now)
            self._post.publish("jobs", *said, but=order.replies)
        if job.state == "running" and not job.is_whole and now - order.progressed >= protocol.PROGRESS_PERIOD:
            order.progressed = now
            self._post.answer(order.replies, "progress", job.id, job.fraction, job.stage)
            self._post.publish("jobs", "progress", job.id, job.fraction, job.stage, but=order.replies)
        if job.preview and job.preview[1] != order.previewed:
            order.previewed = job.preview[1]
            self._post.answer(order.replies, "preview", job.id, *job.preview)
            self._post.publish("jobs", "preview", job.id, *job.preview, but=order.replies)
        if job.has_ended:
            self._ended(job, order)

    def _ended(self, job: Job, order: _Order) -> None:
        del self._orders[job.id]
        others = tuple(address for address in order.cancellers if address not in order.replies)
        if job.state != "done":
            said = _end(job, order.req)
            self._post.answer((*order.replies, *others), *said)
            self._post.publish("jobs", *said, but=(*order.replies, *others))
        elif order.cancellers:  # they were too late, and hear that
            self._tell(job, job.id, order.cancellers)

    def tick(self, now: float) -> float | None:
        """Send again what nobody acknowledged; returns when there is more to send again.

        Whoever waits for a job is not forgotten, however silent.
        """
        for datagram, replies in self._outbox.due(now):
            self._post.send(datagram, replies)
        for order in self._orders.values():
            order.peer.seen = now
        return self._outbox.next_due()


def _contents(call: Call) -> int:
    """What tells one order from another, in little room."""
    return hash((call.command.address, *call.values.values(), *call.rest))


def _begin(given: dict[str, Any]) -> From | None:
    """Take the loop that is to be gone on from out of an order; raises ``InvalidRequest`` for two of them."""
    named = {how: _bare(loop) for how in ("continue", "vary") if (loop := given.pop(how, ""))}
    if len(named) > 1:
        raise InvalidRequest("vary", named["vary"], "either continue or vary")
    return next((From(how, loop) for how, loop in named.items()), None)


def _bare(loop: str) -> str:
    """A loop by its file name, where the path is given that ``done`` told; it is looked up and never opened.

    >>> _bare("/music/loops/a.wav"), _bare("C:\\\\loops\\\\a.flac"), _bare("5f0c21aa/2")
    ('a.wav', 'a.flac', '5f0c21aa/2')
    """
    is_file = loop.lower().endswith((".wav", ".flac"))
    return loop.replace("\\", "/").rpartition("/")[2] if is_file else loop


def _done(job: Job, number: int, req: str) -> tuple[Any, ...]:
    loop = job.delivered[number]
    return (
        "done", job.id, req, loop.path, float(loop.bpm), loop.bars, float(loop.quarters), loop.frames, loop.rate,
        "; ".join((loop.summary, *job.notes)), loop.variation, loop.variations, exact(loop.bpm),
        "" if loop.seed is None else str(loop.seed), loop.engine, loop.licence,
    )  # fmt: skip


def _end(job: Job, req: str) -> tuple[Any, ...]:
    if job.state == "cancelled":
        return "cancelled", job.id, req
    return "error", req, job.code, job.message, _ADDRESSES[type(job.work)]
