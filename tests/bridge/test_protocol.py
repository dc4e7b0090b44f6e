"""The table: what each message means, what is refused and with which words."""

import re
import struct
from fractions import Fraction
from pathlib import Path

import pytest

from bridge import protocol
from bridge.fields import BY_NAME, FIELDS, SESSION
from bridge.protocol import COMMANDS, REPLIES, Misused, answer, is_answer, named, read_pairs, understand
from bridge.service import Service
from bridge.session import Session
from bridge.slow import Slow
from bridge.wire import BYTES_OUT, Message, Value, decode
from loopgen.errors import (
    Cancelled,
    InputError,
    InvalidRequest,
    JobError,
    LoopgenError,
    PortTaken,
    Refused,
    ServerUnreachable,
    SettingUnusable,
)
from loopgen.jobs import Jobs


def float32(x: float) -> float:
    return float(struct.unpack("f", struct.pack("f", x))[0])


def wrong(address: str, *arguments: Value) -> Misused | InvalidRequest:
    try:
        understand(Message(address, arguments))
    except (Misused, InvalidRequest) as error:
        return error
    raise AssertionError(f"{address} {arguments} was understood")


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("60.23", Fraction(6023, 100)),
        ("127.123456789", Fraction(127123456789, 10**9)),
        ("361/3", Fraction(361, 3)),
        (float32(120.5), Fraction(241, 2)),
        (float32(127.9), Fraction(1279, 10)),
        (float32(60.23), Fraction(6023, 100)),
        (174, Fraction(174)),
    ],
)
def test_tempos_are_exact(sent: Value, meant: Fraction) -> None:
    assert read_pairs([("tempo", sent)]) == {"tempo": meant}
    shown = BY_NAME["tempo"].show(meant)
    assert BY_NAME["tempo"].read(shown) == meant


@pytest.mark.parametrize("value", [4, 4.0, "4"])
def test_numbers_come_as_the_sender_has_them(value: Value) -> None:
    assert read_pairs([("bars", value), ("variations", value)]) == {"bars": 4, "variations": 4}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("tempo", 0), ("tempo", 1e30), ("tempo", "fast"), ("tempo", None), ("tempo", True), ("bars", 4.5), ("bars", 0),
        ("bars", "four"), ("bars", "9" * 30), ("meter", "4/3"), ("meter", "x" * 5000), ("key", "H"), ("seed", -1),
        ("rate", 1), ("variations", 17), ("prompt", "two\nlines"), ("prompt", "x" * 2001), ("prompt", 1.5),
        ("folder", "../up"), ("folder", "/etc"), ("folder", "C:\\x"), ("folder", "CON"), ("preset", "a/b"),
        ("folder", ".."), ("engine", "a\0b"), ("num", 0), ("den", 1e9), ("key", None), ("chords", 3.5),
        ("prompt", "two\u2028lines"),
    ],
)  # fmt: skip
def test_values_out_of_range_are_refused_by_name(key: str, value: Value) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_pairs([(key, value)])
    assert str(caught.value).startswith(f"{key}: ") and "give " in str(caught.value)


def test_prompts_of_any_language_and_keyboard() -> None:
    for prompt in ("ダブ　テクノ", "house\u00a0music", "träge Café-Musik 🎹"):
        assert read_pairs([("prompt", prompt)]) == {"prompt": prompt}


def test_unknown_keys_and_addresses_name_the_nearest() -> None:
    with pytest.raises(Misused, match="did you mean 'tempo'"):
        read_pairs([("tempp", 120)])
    error = wrong("/loopgen/genrate", "r7")
    assert error.code == "unknown_address"
    assert "/loopgen/generate" in str(error)
    assert wrong("/live/tempo").code == "unknown_address"


def test_too_few_too_many_and_half_a_pair() -> None:
    for address, arguments in [
        ("/loopgen/melody/begin", ("m",)),
        ("/loopgen/ping", ("a", "b")),
        ("/loopgen/melody/notes", ("m", 0, 60, 0.0, 1.0)),
        ("/loopgen/job", ()),
        ("/loopgen/set/tempo", ()),
        ("/loopgen/ack", ("j", 1, 2)),
    ]:
        error = wrong(address, *arguments)
        assert error.code == "bad_arguments" and "takes" in str(error)


def test_a_req_may_be_left_out() -> None:
    assert understand(Message("/loopgen/set/tempo", (127.9,))).values == {"req": "", "tempo": 127.9}
    assert understand(Message("/loopgen/get/key")).values == {"req": ""}
    call = understand(Message("/loopgen/generate", ("bars", 4)))
    assert (call.values, call.rest) == ({"req": ""}, (("bars", 4),))
    call = understand(Message("/loopgen/generate", ("r1", "bars", 4)))
    assert (call.values, call.rest) == ({"req": "r1"}, (("bars", 4),))
    assert understand(Message("/loopgen/generate", (1.0,))).values == {"req": ""}
    assert understand(Message("/loopgen/generate", (0.0,))).values == {"req": None}
    assert understand(Message("/loopgen/preset/load", ("deep-house",))).values == {"req": "", "name": "deep-house"}


def test_empty_values_are_left_out_and_meters_come_apart() -> None:
    assert read_pairs([("prompt", ""), ("num", 7), ("den", 8.0)]) == {"meter": "7/8"}
    assert read_pairs([("num", 3)]) == {"meter": "3/4"}
    assert read_pairs([("num", 3), ("meter", "6/8")]) == {"meter": "6/8"}


def test_every_command_has_a_handler_and_known_answers(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path, listener=lambda job: None)
    slow = Slow(tmp_path, tmp_path, lambda call: None)
    service = Service(jobs, slow, Session(), tmp_path, lambda *_: None, lambda _: None)
    slow.close()
    assert set(service.handlers) == {command.action for command in COMMANDS.values()}
    for command in COMMANDS.values():
        assert command.answers and set(command.answers) <= set(REPLIES)
    assert all(f"/loopgen/{verb}/{field.name}" in COMMANDS for field in SESSION for verb in ("set", "get"))
    assert not any(is_answer(address) for address in COMMANDS)


def test_answers_use_only_types_that_every_receiver_knows() -> None:
    for name, reply in REPLIES.items():
        examples: dict[str, Value] = {"i": 1, "f": 0.5, "s": "x", "any": "y"}
        values = [examples[tag] for _, tag in reply.arguments]
        datagram = answer(name, *values)
        assert set(datagram.split(b",", 1)[1].split(b"\0", 1)[0].decode()) <= set("ifs")
        assert list(named(decode(datagram)[0])) == [argument for argument, _ in reply.arguments]


@pytest.mark.parametrize("letter", ["x", "é", "𝄞"])
def test_long_texts_are_cut_to_the_longest_datagram(letter: str) -> None:
    datagram = answer("error", "r1", "code", letter * 3000, "/loopgen/generate")
    assert len(datagram) <= BYTES_OUT
    said = named(decode(datagram)[0])
    assert str(said["message"]).endswith("…") and said["address"] == "/loopgen/generate"
    path = "/" + "p" * 400
    done = answer(
        "done", "j", "r", path, 60.23, 4, 16.0, 510045, 32000, letter * 3000, 1, 1, "60.23", "7", "sketch", "CC0-1.0"
    )
    assert len(done) <= BYTES_OUT and named(decode(done)[0])["path"] == path


def test_every_code_that_goes_over_the_wire_is_documented() -> None:
    root = Path(protocol.__file__).parent
    used = {
        code
        for file in root.glob("*.py")
        for code in re.findall(r'(?:Misused|Malformed)\(\s*"(\w+)"', file.read_text())
    }
    kinds = [LoopgenError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    abstract = {LoopgenError.code, InputError.code, JobError.code}
    elsewhere = {SettingUnusable.code, PortTaken.code, ServerUnreachable.code, Refused.code, Cancelled.code}
    assert used | {kind.code for kind in kinds} - abstract - elsewhere | {"internal"} == set(protocol.CODES)


def test_the_readme_shows_the_table_as_it_is() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    for line in protocol.tables().splitlines():
        assert line in readme, f"README.md lacks {line!r}; `python -m bridge.protocol` prints the tables"
    assert all(f"| `{field.name}` |" in readme for field in FIELDS)
