"""What the bridge does with each message, without sockets or threads: datagrams in, datagrams out.

Everything here runs on one thread and returns at once. What may take time (files, presets) goes through ``Slow``, what
takes long (music) through ``Jobs``; both come back through the same thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from bridge import protocol
from bridge.desk import Desk
from bridge.fields import BY_NAME, SESSION, exact
from bridge.peers import Address, Peer, Peers, Sender
from bridge.post import WATCHERS_MAX, Post, Send
from bridge.protocol import Call, Misused
from bridge.session import Session
from bridge.slow import Slow
from bridge.wire import BYTES_IN, Malformed, Message, decode
from loopgen import __version__
from loopgen.engines.base import Playable
from loopgen.errors import Busy, LoopgenError
from loopgen.jobs import Generate, Job, Jobs
from loopgen.music.melody import Melody

TOPICS = ("state", "jobs", "traffic")


@dataclass(frozen=True, slots=True)
class Notice:
    """Something worth showing on the console: a kind, a line for people, and the job where it is about one.

    Kinds: ``listening``, ``warm``, ``client``, ``left``, ``job``, ``refused``, ``failed``, ``closed``.
    """

    kind: str
    text: str
    job: Job | None = None


class Service:
    """The protocol's behaviour."""

    def __init__(
        self, jobs: Jobs, slow: Slow, session: Session, output: Path, send: Send, listener: Callable[[Notice], None]
    ) -> None:
        self.peers, self.session = Peers(), session
        self._jobs, self._slow, self._output, self._listener = jobs, slow, output, listener
        self._post = Post(self.peers, send)
        self._desk = desk = Desk(jobs, session, self._post)
        self.handlers: Mapping[str, Callable[[Call, Sender], None]] = {
            "hello": self._hello,
            "ping": self._ping,
            "bye": self._bye,
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
            "set": self._set,
            "get": self._get,
            "melody_begin": self._melody_begin,
            "melody_notes": self._melody_notes,
            "melody_end": self._melody_end,
            "melody_file": self._melody_file,
            "generate": desk.generate,
            "retempo": desk.retempo,
            "rotate": desk.rotate,
            "cancel": desk.cancel,
            "job": desk.job,
            "ack": desk.ack,
            "copy": self._copy,
            "preset_save": self._preset_save,
            "preset_load": self._preset_load,
            "preset_delete": self._preset_delete,
            "preset_list": self._preset_list,
            "engine_list": self._engine_list,
        }

    def receive(self, datagram: bytes, source: Address) -> None:
        """Serve one datagram; answers are sent before this returns, and nothing is raised."""
        now = time.monotonic()
        messages: list[Message] = []
        try:
            messages = decode(datagram)
        except Malformed as error:
            self._refuse(self.peers.sender(source, now).replies, error.code, str(error), "", error.address)
        for message in messages:
            if not protocol.is_answer(message.address):  # to answer an answer could go round for ever
                self._post.received(source, message)
                self._serve(message, self.peers.sender(source, now))

    def _serve(self, message: Message, sender: Sender) -> None:
        try:
            call = protocol.understand(message)
            self.handlers[call.command.action](call, sender)
        except (Misused, LoopgenError) as error:
            self._refuse(sender.replies, error.code, str(error), protocol.req_of(message), message.address)
        except Exception as error:  # a fault of ours must not stop the server, nor stay silent
            text = f"internal error: {type(error).__name__}: {error}"
            self._refuse(sender.replies, "internal", text, protocol.req_of(message), message.address)

    def _refuse(self, replies: tuple[Address, ...], code: str, text: str, req: str, address: str) -> None:
        self._post.answer(replies, "error", req, code, text, address)
        self._listener(Notice("refused", f"{replies[0][0]}:{replies[0][1]} {address} {code}: {text}"))

    # -- clients -------------------------------------------------------------------------------------------------------

    def _hello(self, call: Call, sender: Sender) -> None:
        name = call.values["client"] or "client"
        peer, is_new = self.peers.hello(sender.source, name, call.values["reply_port"], time.monotonic())
        facts = self._jobs.engine_facts
        engine, licence = facts.get("name") or self.session["engine"] or "auto", facts.get("licence", "")
        about = (__version__, protocol.VERSION, BYTES_IN, str(self._output), engine, self._jobs.state, licence)
        self._post.answer((peer.reply,), "welcome", *about)
        if is_new:
            self._listener(Notice("client", f"{name} at {peer.reply[0]}:{peer.reply[1]}"))

    def _ping(self, call: Call, sender: Sender) -> None:
        self._post.answer(sender.replies, "pong", call.values["token"])

    def _bye(self, call: Call, sender: Sender) -> None:
        self.peers.forget(sender.peer)
        self._left(sender.peer)
        self._post.answer(sender.replies, "ok", "")

    def _left(self, peer: Peer) -> None:
        if peer.name:
            self._listener(Notice("left", f"{peer.name} at {peer.reply[0]}:{peer.reply[1]}"))

    def _subscribe(self, call: Call, sender: Sender) -> None:
        topic = call.values["topic"]
        if topic not in TOPICS and topic not in {field.name for field in SESSION}:
            raise Misused(
                "unknown_name", f"there is no topic {topic[:32]!r}; give a session value or {', '.join(TOPICS)}"
            )
        if topic == "traffic" and topic not in sender.peer.topics and len(self._post.watchers()) >= WATCHERS_MAX:
            raise Busy(f"{WATCHERS_MAX} clients watch the traffic already; try again when one has left")
        for peer in sender.listeners:
            peer.topics.add(topic)
        if topic in TOPICS:
            self._post.answer(sender.replies, "value", "", topic, self._jobs.state if topic == "state" else "")
        else:
            self._post.answer(sender.replies, "value", "", topic, self.session.shown(topic))

    def _unsubscribe(self, call: Call, sender: Sender) -> None:
        for peer in sender.listeners:
            peer.topics.discard(call.values["topic"])
        self._post.answer(sender.replies, "ok", call.values["topic"])

    # -- session -------------------------------------------------------------------------------------------------------

    def _set(self, call: Call, sender: Sender) -> None:
        assert call.command.field
        name, value = call.command.field.name, call.values[call.command.field.name]
        if name == "preset" and value != "":
            self._load(BY_NAME["preset"].read(value), call, sender)
            return
        self._tell(self.session.set(name, value))
        self._post.answer(sender.replies, "ok", call.values["req"])

    def _tell(self, changed: Sequence[str]) -> None:
        for name in changed:
            self._post.publish(name, "value", "", name, self.session.shown(name))

    def _get(self, call: Call, sender: Sender) -> None:
        assert call.command.field
        name = call.command.field.name
        self._post.answer(sender.replies, "value", call.values["req"], name, self.session.shown(name))

    # -- melodies ------------------------------------------------------------------------------------------------------

    def _melody_begin(self, call: Call, sender: Sender) -> None:
        sender.clips.begin(call.values["id"], call.values["count"], call.values["length"])
        self.peers.make_room()
        self._post.answer(sender.replies, "ok", call.values["id"])

    def _melody_notes(self, call: Call, sender: Sender) -> None:
        if len(call.rest) > protocol.NOTES_A_MESSAGE:
            raise Misused(
                "bad_arguments", f"{len(call.rest)} notes in a message; send at most {protocol.NOTES_A_MESSAGE}"
            )
        sender.clips.add(call.values["id"], call.values["offset"], call.rest)
        self._post.answer(sender.replies, "ok", call.values["id"])

    def _melody_end(self, call: Call, sender: Sender) -> None:
        count = sender.clips.end(call.values["id"], call.values["count"])
        self._post.answer(sender.replies, "melody_ok", call.values["id"], count)

    def _melody_file(self, call: Call, sender: Sender) -> None:
        id_, name = call.values["id"], call.values["name"]
        clips = sender.clips

        def read(result: Melody | Exception) -> None:
            if isinstance(result, Exception):
                clips.drop(id_)
                self._fail(result, sender, id_, call)
            else:
                clips.put(id_, result)
                self.peers.make_room()
                self._post.answer(sender.replies, "melody_ok", id_, len(result.notes))

        tempo = call.values["tempo"] or self.session["tempo"] or 120
        self._slow.read_melody(name, exact(Fraction(tempo)), read)
        clips.expect(id_)

    def _fail(self, error: Exception, sender: Sender, req: str, call: Call) -> None:
        code = error.code if isinstance(error, LoopgenError | Misused) else "internal"
        self._refuse(sender.replies, code, str(error) or type(error).__name__, req, call.command.address)

    # -- presets -------------------------------------------------------------------------------------------------------

    def _preset_save(self, call: Call, sender: Sender) -> None:
        loop = call.values["job"].replace("\\", "/").rpartition("/")[2]
        if loop.lower().endswith((".wav", ".flac")):
            self._preset("keep", call.values["name"], {"loop": loop}, call, sender)
            return
        fields = self._asked_by(call.values["job"]) if call.values["job"] else self.session.order({})
        if "bpm" in fields:
            fields["bpm"] = exact(fields["bpm"])
        self._preset("save", call.values["name"], fields, call, sender)

    def _asked_by(self, job_id: str) -> dict[str, Any]:
        work = self._jobs.find(job_id).work
        if not isinstance(work, Generate):
            raise Misused("invalid_request", f"job: {job_id} only changed a loop; give the job that made it")
        return dict(work.asked)

    def _preset_load(self, call: Call, sender: Sender) -> None:
        self._load(call.values["name"], call, sender)

    def _load(self, name: str, call: Call, sender: Sender) -> None:
        self._preset("load", name, {}, call, sender, lambda fields: self._tell(self.session.adopt(name, fields)))

    def _preset_delete(self, call: Call, sender: Sender) -> None:
        def deleted(_: object) -> None:
            if self.session["preset"] == call.values["name"]:  # every order would ask for what is gone
                self._tell(self.session.let_go())

        self._preset("delete", call.values["name"], {}, call, sender, deleted)

    def _preset(
        self,
        action: str,
        name: str,
        fields: Mapping[str, Any],
        call: Call,
        sender: Sender,
        then: Callable[[Any], None] = lambda result: None,
    ) -> None:
        """Have it done elsewhere, then say ok. A command that comes again is answered again, and not done twice."""
        req, errands = call.values["req"], sender.peer.errands
        errand = (call.command.address, req, name)
        if req and errand in errands:
            if said := errands[errand]:
                self._post.answer(sender.replies, *said)
            return
        errands[errand] = ()

        def finished(result: Any) -> None:
            if isinstance(result, Exception):
                errands.pop(errand, None)
                self._fail(result, sender, req, call)
                return
            then(result)
            errands[errand] = ("ok", req)
            self._post.answer(sender.replies, "ok", req)

        self._slow.presets(action, name, fields, finished)

    def _preset_list(self, call: Call, sender: Sender) -> None:
        def listed(names: Sequence[str] | Exception) -> None:
            if isinstance(names, Exception):
                self._fail(names, sender, call.values["req"], call)
                return
            for number, name in enumerate(names or [""], 1 if names else 0):
                self._post.answer(sender.replies, "preset_item", call.values["req"], number, len(names), name)

        self._slow.presets("list", "", {}, listed)

    def _engine_list(self, call: Call, sender: Sender) -> None:
        def listed(found: Sequence[Playable] | Exception) -> None:
            if isinstance(found, Exception):
                self._fail(found, sender, call.values["req"], call)
                return
            for number, engine in enumerate(found, 1):
                told = (call.values["req"], number, len(found), engine.name, engine.licence)
                self._post.answer(sender.replies, "engine_item", *told)

        self._slow.engines(listed)

    # -- the machine ---------------------------------------------------------------------------------------------------

    def _copy(self, call: Call, sender: Sender) -> None:
        """A loop's path only, whatever is asked: what lies on the clipboard is pasted without a second look."""
        job, variation = self._jobs.find(call.values["job"]), call.values["variation"]
        loop = next((loop for loop in job.delivered if loop.variation == variation), None)
        if loop is None:
            raise Misused("invalid_request", f"variation: job {job.id} has made no loop {variation}")

        def copied(result: Exception | None) -> None:
            if result is not None:
                self._fail(result, sender, call.values["req"], call)
            else:
                self._post.answer(sender.replies, "ok", call.values["req"])

        self._slow.copy(loop.path, copied)

    # -- news ----------------------------------------------------------------------------------------------------------

    def job_changed(self, job: Job) -> None:
        """Tell what has become of a job."""
        self._listener(Notice("job", job.stage, job))
        self._desk.changed(job)

    def state_changed(self, state: str) -> None:
        """Tell who subscribed to it."""
        self._post.publish("state", "value", "", "state", state)

    def tick(self) -> float:
        """Send again what is due, forget who is silent; returns seconds until there is more to do, at most 1."""
        now = time.monotonic()
        due = self._desk.tick(now)
        for peer in self.peers.expire(now):
            self._left(peer)
        return 1.0 if due is None else min(1.0, max(0.0, due - now))
