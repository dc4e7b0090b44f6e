"""What the bridge does with each message, without sockets or threads: datagrams in, datagrams out.

Everything here runs on one thread and returns at once. What may take time (files, presets) goes through ``Slow``, what
takes long (music) through ``Jobs``; both come back through the same thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

from bridge import protocol
from bridge.fields import SESSION, exact
from bridge.outbox import Outbox
from bridge.peers import Address, Peer, Peers, Sender
from bridge.protocol import Call, Misused, answer
from bridge.session import Session
from bridge.slow import Slow
from bridge.wire import BYTES_IN, Malformed, Message, Value, decode
from loopgen import __version__
from loopgen.errors import Busy, LoopgenError, UnknownJob
from loopgen.jobs import Generate, Job, Jobs, Retempo
from loopgen.music.melody import Melody

Send: TypeAlias = Callable[[bytes, Address], None]
TOPICS = ("state", "jobs", "traffic")
WATCHERS_MAX = 8
"""Clients that may watch the traffic: each of them multiplies it."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something worth showing on the console: a kind, a line for people, and the job where it is about one.

    Kinds: ``listening``, ``warm``, ``client``, ``left``, ``job``, ``refused``, ``failed``, ``closed``.
    """

    kind: str
    text: str
    job: Job | None = None


@dataclass(slots=True)
class _Order:
    """A job's owner: the request it came by, and where its events go."""

    req: str
    replies: tuple[Address, ...]
    address: str
    progressed: float = 0.0
    delivered: int = 0


class Service:
    """The protocol's behaviour."""

    def __init__(
        self, jobs: Jobs, slow: Slow, session: Session, output: Path, send: Send, listener: Callable[[Notice], None]
    ) -> None:
        self.peers, self.session, self.outbox = Peers(), session, Outbox()
        self._jobs, self._slow, self._output = jobs, slow, output
        self._raw_send, self._listener = send, listener
        self._orders: dict[str, _Order] = {}

    # -- in ------------------------------------------------------------------------------------------------------------

    def receive(self, datagram: bytes, source: Address) -> None:
        """Serve one datagram; answers are sent before this returns, and nothing is raised."""
        now = time.monotonic()
        messages: list[Message] = []
        try:
            messages = decode(datagram)
        except Malformed as error:
            self._refuse(self.peers.sender(source, now).replies, error.code, str(error), "", error.address)
        for message in messages:
            if protocol.is_answer(message.address):
                continue  # to answer an answer could go round for ever
            sender = self.peers.sender(source, now)
            if watchers := self._watchers():
                self._watch(watchers, "<-", (source,), message)
            self._serve(message, sender, source, now)

    def _serve(self, message: Message, sender: Sender, source: Address, now: float) -> None:
        try:
            call = protocol.understand(message)
            if call.command.action == "hello":
                self._hello(call, source, now)
            else:
                getattr(self, "_" + call.command.action)(call, sender)
        except (Misused, LoopgenError) as error:
            self._refuse(sender.replies, error.code, str(error), protocol.req_of(message), message.address)
        except Exception as error:  # a fault of ours must not stop the server, nor stay silent
            text = f"internal error: {type(error).__name__}: {error}"
            self._refuse(sender.replies, "internal", text, protocol.req_of(message), message.address)

    def _refuse(self, replies: tuple[Address, ...], code: str, text: str, req: str, address: str) -> None:
        self._answer(replies, "error", req, code, text, address)
        self._listener(Notice("refused", f"{replies[0][0]}:{replies[0][1]} {address} {code}: {text}"))

    # -- out -----------------------------------------------------------------------------------------------------------

    def _answer(self, replies: tuple[Address, ...], name: str, *values: Value) -> bytes:
        datagram = answer(name, *values)
        self._send(datagram, replies)
        return datagram

    def _send(self, datagram: bytes, replies: tuple[Address, ...]) -> None:
        for address in replies:
            self._raw_send(datagram, address)
        if watchers := self._watchers():
            self._watch(watchers, "->", replies, decode(datagram)[0])

    def _watchers(self) -> list[Peer]:
        return [peer for peer in self.peers if "traffic" in peer.topics]

    def _watch(self, watchers: list[Peer], arrow: str, ends: tuple[Address, ...], message: Message) -> None:
        """One line a message, however many get it; none for those that get nothing but their own."""
        more = f" and {len(ends) - 1} more" if len(ends) > 1 else ""
        datagram = answer("value", "", "traffic", f"{arrow} {ends[0][0]}:{ends[0][1]}{more} {message}")
        for peer in watchers:
            if not {peer.source, peer.reply}.issuperset(ends):
                self._raw_send(datagram, peer.reply)

    def _publish(self, topic: str, name: str, *values: Value, but: tuple[Address, ...] = ()) -> None:
        if replies := tuple(peer.reply for peer in self.peers if topic in peer.topics and peer.reply not in but):
            self._answer(replies, name, *values)

    # -- clients -------------------------------------------------------------------------------------------------------

    def _hello(self, call: Call, source: Address, now: float) -> None:
        name = call.values["client"] or "client"
        peer, new = self.peers.hello(source, name, call.values["reply_port"], now)
        facts = self._jobs.engine_facts
        engine = facts.get("name") or self.session["engine"] or "auto"
        root = str(self._output)
        self._answer((peer.reply,), "welcome", __version__, protocol.VERSION, BYTES_IN, root, engine, self._jobs.state)
        if new:
            self._listener(Notice("client", f"{name} at {peer.reply[0]}:{peer.reply[1]}"))

    def _ping(self, call: Call, sender: Sender) -> None:
        self._answer(sender.replies, "pong", call.values["token"])

    def _bye(self, call: Call, sender: Sender) -> None:
        self.peers.forget(sender.peer)
        self._left(sender.peer)
        self._answer(sender.replies, "ok", "")

    def _left(self, peer: Peer) -> None:
        if peer.name:
            self._listener(Notice("left", f"{peer.name} at {peer.reply[0]}:{peer.reply[1]}"))

    def _subscribe(self, call: Call, sender: Sender) -> None:
        topic = call.values["topic"]
        if topic not in TOPICS and topic not in {field.name for field in SESSION}:
            raise Misused(
                "unknown_name", f"there is no topic {topic[:32]!r}; give a session value or {', '.join(TOPICS)}"
            )
        if topic == "traffic" and topic not in sender.peer.topics and len(self._watchers()) >= WATCHERS_MAX:
            raise Busy(f"{WATCHERS_MAX} clients watch the traffic already; try again when one has left")
        sender.peer.topics.add(topic)
        if topic in TOPICS:
            self._answer(sender.replies, "value", "", topic, self._jobs.state if topic == "state" else "")
        else:
            self._answer(sender.replies, "value", "", topic, self.session.shown(topic))

    def _unsubscribe(self, call: Call, sender: Sender) -> None:
        sender.peer.topics.discard(call.values["topic"])
        self._answer(sender.replies, "ok", call.values["topic"])

    # -- session -------------------------------------------------------------------------------------------------------

    def _set(self, call: Call, sender: Sender) -> None:
        assert call.command.field
        name = call.command.field.name
        self._put(name, call.values[name])
        self._answer(sender.replies, "ok", call.values["req"])

    def _put(self, name: str, value: Value) -> None:
        if self.session.set(name, value):
            self._publish(name, "value", "", name, self.session.shown(name))

    def _get(self, call: Call, sender: Sender) -> None:
        assert call.command.field
        name = call.command.field.name
        self._answer(sender.replies, "value", call.values["req"], name, self.session.shown(name))

    # -- melodies ------------------------------------------------------------------------------------------------------

    def _melody_begin(self, call: Call, sender: Sender) -> None:
        sender.peer.clips.begin(call.values["id"], call.values["count"], call.values["length"])
        self.peers.make_room()
        self._answer(sender.replies, "ok", call.values["id"])

    def _melody_notes(self, call: Call, sender: Sender) -> None:
        if len(call.rest) > protocol.NOTES_A_MESSAGE:
            raise Misused(
                "bad_arguments", f"{len(call.rest)} notes in a message; send at most {protocol.NOTES_A_MESSAGE}"
            )
        sender.peer.clips.add(call.values["id"], call.values["offset"], call.rest)
        self._answer(sender.replies, "ok", call.values["id"])

    def _melody_end(self, call: Call, sender: Sender) -> None:
        count = sender.peer.clips.end(call.values["id"], call.values["count"])
        self._answer(sender.replies, "melody_ok", call.values["id"], count)

    def _melody_file(self, call: Call, sender: Sender) -> None:
        id_, name = call.values["id"], call.values["name"]

        def read(result: Melody | Exception) -> None:
            if isinstance(result, Exception):
                self._fail(result, sender, id_, call)
            else:
                sender.peer.clips.put(id_, result)
                self.peers.make_room()
                self._answer(sender.replies, "melody_ok", id_, len(result.notes))

        tempo = call.values["tempo"] or self.session["tempo"] or 120
        self._slow.read_melody(name, exact(Fraction(tempo)), read)

    def _fail(self, error: Exception, sender: Sender, req: str, call: Call) -> None:
        code = error.code if isinstance(error, LoopgenError) else "internal"
        self._refuse(sender.replies, code, str(error) or type(error).__name__, req, call.command.address)

    # -- jobs ----------------------------------------------------------------------------------------------------------

    def _generate(self, call: Call, sender: Sender) -> None:
        if call.values["req"] is None:  # a button was let go
            self._answer(sender.replies, "ok", "")
            return
        if self._repeated(call, sender):
            return
        given = protocol.read_pairs(call.rest)
        folder = given.pop("folder", None) or self.session["folder"] or ""
        melody = sender.peer.clips.get(given.pop("melody")) if "melody" in given else None
        self._submit(Generate(self.session.order(given), melody, folder), call, sender)

    def _retempo(self, call: Call, sender: Sender) -> None:
        if not self._repeated(call, sender):
            work = Retempo(call.values["loop"], call.values["bpm"], self.session["folder"] or "")
            self._submit(work, call, sender)

    def _repeated(self, call: Call, sender: Sender) -> bool:
        """Whether this request is one already; then it is answered with where it stands."""
        req = call.values["req"]
        if not req or req not in sender.peer.requests:
            return False
        try:
            job = self._jobs.find(sender.peer.requests[req])
        except UnknownJob:
            return False
        self._answer(sender.replies, "accepted", req, job.id, job.position)
        if job.has_ended:
            self._tell(job, req, sender.replies)
        return True

    def _submit(self, work: Generate | Retempo, call: Call, sender: Sender) -> None:
        req = call.values["req"]
        job = self._jobs.submit(work)
        sender.peer.remember(req, job.id)
        self._orders[job.id] = _Order(req, sender.replies, call.command.address)
        self._answer(sender.replies, "accepted", req, job.id, job.position)

    def _cancel(self, call: Call, sender: Sender) -> None:
        job = self._jobs.cancel(call.values["job"])
        order = self._orders.get(job.id)
        if order is None:  # it has ended before
            self._tell(job, call.values["job"], sender.replies)
        else:
            order.replies = tuple(dict.fromkeys((*order.replies, *sender.replies)))

    def _job(self, call: Call, sender: Sender) -> None:
        job = self._jobs.find(call.values["job"])
        req = call.values["req"]
        if job.state == "queued":
            self._answer(sender.replies, "accepted", req, job.id, job.position)
        self._tell(job, req, sender.replies)

    def _ack(self, call: Call, sender: Sender) -> None:
        self.outbox.acknowledge(call.values["job"], call.values["variation"])
        self._answer(sender.replies, "ok", call.values["job"])

    def _tell(self, job: Job, req: str, replies: tuple[Address, ...]) -> None:
        """All that is to say of a job as it stands."""
        for number in range(len(job.delivered)):
            self._answer(replies, *_done(job, number, req))
        if job.state == "running":
            self._answer(replies, "progress", job.id, job.fraction, job.stage)
        elif job.state in ("error", "cancelled"):
            self._answer(replies, *_end(job, req, "/loopgen/generate"))

    def job_changed(self, job: Job) -> None:
        """Tell the owner, and who watches, what has become of a job; called on the bridge's thread."""
        now = time.monotonic()
        order = self._orders.get(job.id)
        self._listener(Notice("job", job.stage, job))
        if order is None:
            return
        while order.delivered < len(job.delivered):
            said = _done(job, order.delivered, order.req)
            datagram = self._answer(order.replies, *said)
            order.delivered += 1
            self.outbox.put(job.id, order.delivered, datagram, order.replies, now)
            self._publish("jobs", *said, but=order.replies)
        is_whole = bool(job.delivered) and len(job.delivered) == job.delivered[-1].variations
        if job.state == "running" and not is_whole and now - order.progressed >= protocol.PROGRESS_PERIOD:
            order.progressed = now
            self._answer(order.replies, "progress", job.id, job.fraction, job.stage)
            self._publish("jobs", "progress", job.id, job.fraction, job.stage, but=order.replies)
        if job.has_ended:
            del self._orders[job.id]
        if job.state in ("error", "cancelled"):
            said = _end(job, order.req, order.address)
            self._answer(order.replies, *said)
            self._publish("jobs", *said, but=order.replies)

    # -- presets -------------------------------------------------------------------------------------------------------

    def _preset_save(self, call: Call, sender: Sender) -> None:
        fields = self._asked_by(call.values["job"]) if call.values["job"] else self.session.order({})
        if "bpm" in fields:
            fields["bpm"] = exact(fields["bpm"])
        self._preset("save", call, sender, fields)

    def _asked_by(self, job_id: str) -> dict[str, Any]:
        work = self._jobs.find(job_id).work
        if isinstance(work, Retempo):
            raise Misused("invalid_request", f"job: {job_id} laid a loop on another tempo; give the job that made it")
        return dict(work.asked)

    def _preset_load(self, call: Call, sender: Sender) -> None:
        self._preset("load", call, sender, {})

    def _preset_delete(self, call: Call, sender: Sender) -> None:
        self._preset("delete", call, sender, {})

    def _preset_list(self, call: Call, sender: Sender) -> None:
        self._preset("list", call, sender, {})

    def _preset(self, action: str, call: Call, sender: Sender, fields: Mapping[str, Any]) -> None:
        req, name = call.values["req"], call.values.get("name", "")

        def finished(result: Any) -> None:
            if isinstance(result, Exception):
                self._fail(result, sender, req, call)
                return
            if action == "list":
                for number, item in enumerate(result, 1):
                    self._answer(sender.replies, "preset_item", req, number, len(result), item)
                if not result:
                    self._answer(sender.replies, "preset_item", req, 0, 0, "")
                return
            if action == "load":
                self._adopt(name, result)
            elif action == "delete" and name == self.session["preset"]:
                self._put("preset", "")  # every order would ask for what is gone; the values that it gave stay
            self._answer(sender.replies, "ok", req)

        self._slow.presets(action, name, fields, finished)

    def _adopt(self, name: str, fields: Mapping[str, Any]) -> None:
        """A preset's values become the session's, and none of another preset's stay; a set's tempo is the set's."""
        self._put("preset", name)
        for field in ("prompt", "bars", "meter", "key", "engine"):
            self._put(field, fields.get(field, ""))
        if self.session["tempo"] is None and "bpm" in fields:
            self._put("tempo", fields["bpm"])

    # -- time ----------------------------------------------------------------------------------------------------------

    def tick(self) -> float:
        """Send again what nobody acknowledged, forget who is silent; returns seconds until there is more to do."""
        now = time.monotonic()
        for datagram, replies in self.outbox.due(now):
            self._send(datagram, replies)
        for peer in self.peers.expire(now):
            self._left(peer)
        due = self.outbox.next_due()
        return 1.0 if due is None else min(1.0, max(0.0, due - now))

    def state_changed(self, state: str) -> None:
        """Tell who subscribed to it."""
        self._publish("state", "value", "", "state", state)


def _done(job: Job, number: int, req: str) -> tuple[Any, ...]:
    loop = job.delivered[number]
    return (
        "done", job.id, req, loop.path, float(loop.bpm), loop.bars, float(loop.quarters), loop.frames, loop.rate,
        loop.summary, loop.variation, loop.variations, exact(loop.bpm),
    )  # fmt: skip


def _end(job: Job, req: str, address: str) -> tuple[Any, ...]:
    if job.state == "cancelled":
        return "cancelled", job.id, req
    return "error", req, job.code, job.message, address
