"""Questions to AbletonOSC and its answers.

AbletonOSC looks at its messages every 100 ms, works through them in their order, and answers each to the address that
asked, with the indices of track and clip before the value. What it cannot answer it does not answer: newer versions say
why in ``/live/error``, which names no question. So questions are sent together, with one behind them that is always
answered: once that answer is there, what has not come will not come, and nobody waits for it.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

from bridge.fields import whole
from bridge.wire import Malformed, Message, Value, decode, encode_any
from loopgen.errors import InputError, PortTaken, ServerUnreachable

PORT, REPLY_PORT = 11_000, 11_001
"""Where AbletonOSC listens and where its answers go, whoever asks: constants of its own."""

TRIES = 3
PATIENCE = 1.5
"""Seconds for the answers to one sending: many of AbletonOSC's rounds, as Live draws and loads in between."""

LAST = "/live/application/get/version"
_ERROR = "/live/error"
_INDICES = {"track": 1, "clip": 2, "clip_slot": 2}
"""How many indices an answer repeats before its value, by the second word of its address."""

Question: TypeAlias = tuple[Value, ...]
"""An address and its arguments."""

Answer: TypeAlias = tuple[Value, ...]

INSTALL = (
    "install AbletonOSC (free, https://github.com/ideoforms/AbletonOSC): unzip it into the folder Remote Scripts of "
    "Live's User Library, name the folder AbletonOSC, start Live anew, and choose AbletonOSC as a control surface in "
    "Live's Settings > Link, Tempo & MIDI"
)


class Live:
    """A running Live, with two ports from 1 to 65535, else ``InputError``.

    Raises ``PortTaken`` on entering where another program gets AbletonOSC's answers.
    """

    def __init__(self, port: int = PORT, reply_port: int = REPLY_PORT, patience: float = PATIENCE) -> None:
        self._address = "127.0.0.1", whole("AbletonOSC's port", port, 1, 65_535)
        self._reply_port = whole("AbletonOSC's reply port", reply_port, 1, 65_535)
        if port == reply_port:  # it would hear its own questions
            raise InputError(
                f"AbletonOSC listens at one port and answers to another, and {port} was given for both; "
                f"its own are {PORT} and {REPLY_PORT}"
            )
        self._patience = patience
        self._owed = 0
        self._has_answered = False
        self.trouble = ""
        """What AbletonOSC said last of why it did not answer; empty where it said nothing."""

    def __enter__(self) -> Live:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind(("127.0.0.1", self._reply_port))
        except OSError as error:
            self._socket.close()
            raise PortTaken(
                f"port {self._reply_port}, to which AbletonOSC answers, belongs to another program ({error.strerror}): "
                "another run of this one, or a control surface; end that one first"
            ) from None
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def tell(self, address: str, *arguments: Value) -> None:
        """Send what has no answer."""
        with suppress(ConnectionError):  # the answer to an earlier one: nobody was there
            self._socket.sendto(encode_any(address, arguments), self._address)

    def ask(self, *questions: Question, tries: int = TRIES, patience: float | None = None) -> list[Answer | None]:
        """Ask all at once: for each the answer, without the indices, or None where there was none (see ``trouble``).

        What was not answered is asked again, at most ``tries`` times in all. ``patience`` in seconds for each of them.
        Raises ``ServerUnreachable`` when nothing at all comes back.
        """
        self.trouble = ""
        answers: dict[Question, Answer] = {}
        is_heard = False
        for _ in range(tries):
            left = [one for one in dict.fromkeys(questions) if one not in answers and not self._is_unknown(one)]
            if is_heard and not left:
                break
            for one in (*left, (LAST,)):
                self.tell(str(one[0]), *one[1:])
            self._owed += 1
            is_heard |= self._collect(left, answers, self._patience if patience is None else patience)
        if not is_heard and len(answers) < len(set(questions)):
            raise ServerUnreachable(self._silence())
        return [answers.get(one) for one in questions]

    def _collect(self, left: list[Question], answers: dict[Question, Answer], patience: float) -> bool:
        """Whether the answer that is always given came; the others go into ``answers``.

        A Live that was busy answers all sendings in the end, so all are waited for: an answer that came too late for
        one batch would be taken for one of the next. The last one counts.
        """
        deadline = time.monotonic() + patience
        is_heard = False
        while self._owed and (rest := deadline - time.monotonic()) > 0:
            message = self._receive(rest)
            if message is None:
                continue
            self._has_answered |= message.address.startswith("/live/")
            if message.address == LAST:
                self._owed -= 1
                is_heard = True
                deadline = time.monotonic() + patience  # it has begun to answer: the next is on its way, or lost
            elif message.address == _ERROR:
                self.trouble = _reason(message)
            else:
                for one in left:
                    if (value := _value(one, message)) is not None:
                        answers[one] = value
        if is_heard:
            self._owed = 0  # what is still out was lost
        return is_heard

    def _receive(self, timeout: float) -> Message | None:
        self._socket.settimeout(max(0.001, timeout))
        try:
            datagram = self._socket.recv(65_536)
            return decode(datagram)[0]
        except Malformed as error:
            self.trouble = str(error)
        except TimeoutError:
            pass
        except OSError:  # Windows tells here that an earlier message found nobody
            time.sleep(min(0.05, max(0.0, timeout)))
        return None

    def _is_unknown(self, question: Question) -> bool:
        return self.trouble.endswith(f"Unknown OSC address: {question[0]}")

    def _silence(self) -> str:
        if self._has_answered:
            return "Live has stopped answering; it may be loading, or show a dialog: look at it and try again"
        return (
            f"AbletonOSC does not answer at port {self._address[1]}. If Live runs with it as a control surface, "
            f"Live may be loading or show a dialog: try again. Else {INSTALL}"
        )


def number(answer: Answer | None) -> float | None:
    """The number that an answer consists of, or None.

    >>> number((4,)), number((True,)), number(("Major",)), number(None)
    (4.0, 1.0, None, None)
    """
    return float(answer[0]) if answer and isinstance(answer[0], int | float) else None


def wait_for(holds: Callable[[], bool], seconds: float) -> bool:
    """Ask until it holds, or ``seconds`` have gone."""
    deadline = time.monotonic() + seconds
    while not (answer := holds()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return answer


def _value(question: Question, message: Message) -> Answer | None:
    """What a message answers a question with; None where it answers another.

    >>> _value(("/live/clip/get/name", 1, 2), Message("/live/clip/get/name", (1, 2, "riff")))
    ('riff',)
    >>> _value(("/live/clip/get/name", 1, 2), Message("/live/clip/get/name", (1, 3, "beat")))
    """
    address, *asked = question
    count = _INDICES.get(str(address).split("/")[2], 0)
    if message.address != address or list(message.arguments[:count]) != asked[:count]:
        return None
    return message.arguments[count:]


def _reason(message: Message) -> str:
    """The line of an error that says most: its last, as some are Python's tracebacks.

    Some versions put the kind of the error, or the kind and the address, before it, and what was asked behind it.

    >>> _reason(Message("/live/error", ("Error handling OSC message: list index out of range",)))
    'list index out of range'
    >>> _reason(Message("/live/error", ("request", "/live/clip/get/name", "no clip", 2, 0, 0)))
    'no clip'
    """
    said = [argument for argument in message.arguments if isinstance(argument, str)]
    kind = said[0] if said else ""
    text = said[{"request": 2, "log": 1}.get(kind, 0) :][:1] or ["no reason given"]
    lines = text[0].strip().splitlines() or ["no reason given"]
    return lines[-1].removeprefix("Error handling OSC message: ")
