"""Datagrams: what is taken, what is refused, and that nothing else ever happens."""

import contextlib
import struct
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder

from bridge.wire import BYTES_IN, Malformed, Message, decode, encode, encode_any


def message(address: str, *arguments: tuple[Any, str]) -> bytes:
    builder = OscMessageBuilder(address)
    for value, tag in arguments:
        builder.add_arg(value, tag)
    return bytes(builder.build().dgram)


def bundle(*contents: bytes, at: float = IMMEDIATELY) -> bytes:
    head = b"#bundle\0" + (b"\0\0\0\0\0\0\0\1" if at == IMMEDIATELY else struct.pack(">II", int(at) + 2_208_988_800, 0))
    return head + b"".join(struct.pack(">i", len(content)) + content for content in contents)


def refused(datagram: bytes) -> str:
    with pytest.raises(Malformed) as caught:
        decode(datagram)
    return caught.value.code


def test_text_that_is_no_unicode_is_sent_all_the_same() -> None:
    assert decode(encode("/a", "s", ("loops-\udcff",))) == [Message("/a", ("loops-?",))]


def test_every_type_that_is_taken() -> None:
    datagram = message("/a", (1, "i"), (0.5, "f"), (0.1, "d"), (2**40, "h"), ("é", "s"), (True, "T"), (None, "N"))
    assert decode(datagram) == [Message("/a", (1, 0.5, 0.1, 2**40, "é", True, None))]
    assert decode(b"/a\0\0") == [Message("/a")]
    assert decode(b"/a\0\0,\0\0\0") == [Message("/a")]


def test_a_reference_builder_agrees() -> None:
    assert encode("/loopgen/x", "sif", ("text", 3, 0.25)) == message("/loopgen/x", ("text", "s"), (3, "i"), (0.25, "f"))
    assert decode(encode_any("/x", (2**31, -5, 1.5, "s")))[0].arguments == ("2147483648", -5, 1.5, "s")


@pytest.mark.parametrize("tag", list("cSIQbrmt[]"))
def test_types_that_would_shift_the_arguments_are_refused(tag: str) -> None:
    assert refused(b"/loopgen/ping\0\0\0," + tag.encode() + b"s\0abc\0abc\0") == "undecodable"


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\0",
        b"/a",
        b"/a\0",
        b"hello",
        b"a\0\0\0",
        b"/a\0\0,i\0\0",  # the integer is missing
        b"/a\0\0,i\0\0\0\0",
        b"/a\0\0,s\0\0abcd",  # no end of the text
        b"/a\0\0,s\0\0\xff\xfe\0\0",  # no UTF-8
        b"/a\0\0i\0\0\0\0\0\0\1",  # no comma
        b"/\xc3\xa9\0,\0\0\0",
        b"/" + b"a" * 200 + b"\0\0\0",
        b"#bundle\0",
        b"#bundle\0\0\0\0\0\0\0\0\1\0\0\0\x40",
        b"#bundle\0\0\0\0\0\0\0\0\1\xff\xff\xff\xff",
        b"#bundle\0\0\0\0\0\0\0\0\1\0\0\0\0",
        b"#bundle\0\0\0\0\0\0\0\0\1\0\0\0\x03abc",
    ],
)
def test_broken_datagrams(datagram: bytes) -> None:
    assert refused(datagram) == "undecodable"


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("tag", ["f", "d"])
def test_numbers_that_are_none(number: float, tag: str) -> None:
    assert refused(message("/loopgen/set/tempo", (number, tag))) == "bad_arguments"


@pytest.mark.parametrize("address", ["/loopgen/*", "/loopgen/" + "*" * 16 + "!", "/loopgen/pin?", "/{a,b}", "/a[0-9]"])
def test_patterns_are_no_addresses(address: str) -> None:
    started = time.monotonic()
    assert refused(message(address)) == "pattern_refused"
    assert time.monotonic() - started < 1.0  # a dispatcher of regular expressions took 14 s here


def test_length() -> None:
    assert len(decode(message("/a", ("x" * (BYTES_IN - 16), "s")))) == 1
    assert refused(message("/a", ("x" * BYTES_IN, "s"))) == "too_large"


def test_bundles_are_opened_in_order() -> None:
    inner = bundle(message("/b", (2, "i")), message("/c"))
    builder = OscBundleBuilder(IMMEDIATELY)
    assert [m.address for m in decode(bundle(message("/a"), inner))] == ["/a", "/b", "/c"]
    assert refused(bytes(builder.build().dgram)) == "undecodable", "it holds nothing"
    assert [m.address for m in decode(bundle(message("/a"), at=time.time() + 0.2))] == ["/a"]
    assert [m.address for m in decode(bundle(message("/a"), at=time.time() - 3600))] == ["/a"]


def test_bundles_that_would_wait_nest_or_flood() -> None:
    assert refused(bundle(message("/a"), at=time.time() + 3600)) == "too_early"
    nested = message("/a")
    for _ in range(6):
        nested = bundle(nested)
    assert refused(nested) == "undecodable"
    assert refused(bundle(*[message("/a")] * 65)) == "undecodable"


@given(st.binary(max_size=200))
def test_any_bytes_are_messages_or_malformed(datagram: bytes) -> None:
    try:
        assert all(isinstance(m, Message) for m in decode(datagram))
    except Malformed as error:
        assert error.code in {"undecodable", "pattern_refused", "bad_arguments", "too_early"}


@given(st.data())
def test_any_damage_to_a_good_message(data: st.DataObject) -> None:
    good = bytearray(
        message("/loopgen/generate", ("r", "s"), ("bars", "s"), (4, "i"), (1.5, "d"), ("tempo", "s"), (9.0, "f"))
    )
    for at in data.draw(st.lists(st.integers(0, len(good) - 1), max_size=6)):
        good[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(good)))
    with contextlib.suppress(Malformed):
        decode(bytes(good[:cut]))
