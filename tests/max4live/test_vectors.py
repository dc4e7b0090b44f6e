"""``vectors.json`` is what the protocol says now, and says something of all that the device sends and gets."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from bridge.clips import Clips
from bridge.fields import FIELDS, read_tempo
from bridge.protocol import CODES, COMMANDS, REPLIES
from bridge.wire import BYTES_IN, BYTES_OUT
from loopgen.music.tempo import BPM_RANGE, parse_bpm
from tests.max4live import vectors
from tests.max4live.vectors import ANSWERS, KEYS, PATH, RENEW, single, tempo_text

STORED: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
PRESENT: dict[str, Any] = json.loads(vectors.write(vectors.make()))

NOT_SENT = {"ping", "unsubscribe", "melody/file", "preset/save", "preset/load", "preset/delete", "rotate"}
"""Commands that the device has no use for, beside the session's set and get."""


@pytest.mark.parametrize("part", sorted({*STORED, *PRESENT}))
def test_stored_vectors_are_those_of_the_present_protocol(part: str) -> None:
    assert STORED.get(part) == PRESENT.get(part), f"{part!r} in {PATH.name} is not what the protocol says now; {RENEW}"


def test_every_reply_has_vectors() -> None:
    assert set(ANSWERS) == set(REPLIES), (
        f"give each reply of bridge/protocol.py examples in vectors.ANSWERS, then {RENEW}"
    )
    assert {vector["read"]["kind"] for vector in STORED["received"]} == set(REPLIES), RENEW


def test_every_command_has_vectors_or_is_not_the_devices() -> None:
    sent = {understood["command"] for vector in STORED["sent"] for understood in vector["understood"]}
    plain = {address for address, command in COMMANDS.items() if command.field is None}
    assert plain - sent == {f"/loopgen/{name}" for name in NOT_SENT}


def test_every_key_and_every_code_has_vectors() -> None:
    assert set(KEYS) == {field.name for field in FIELDS}, f"give each field an example in vectors.KEYS, then {RENEW}"
    orders = [
        understood["order"] for vector in STORED["sent"] for understood in vector["understood"] if "order" in understood
    ]
    assert {key for order in orders for key in order} == set(KEYS) - {"num", "den"}  # these two become the meter
    assert {v["read"]["code"] for v in STORED["received"] if v["read"]["kind"] == "error"} == set(CODES)


def test_values_arrive_exactly() -> None:
    orders = [
        (key, value) for v in STORED["sent"] for u in v["understood"] for key, value in u.get("order", {}).items()
    ]
    for expected in (
        ("tempo", "6023/100"), ("tempo", "361/3"), ("seed", 2**32 - 1), ("seed", 2**31), ("temperature", 0.7),
        ("top_p", 0.01), ("meter", "7/8"), ("prompt", "two lines and a tab"), ("prompt", "🎹 piano 🎛️, “soft” – 120 %"),
    ):  # fmt: skip
        assert expected in orders
    assert ("prompt", "") not in orders


def test_no_message_passes_the_limits() -> None:
    sent = [bytes.fromhex(hex_) for vector in STORED["sent"] for hex_ in vector["datagrams"]]
    assert max(map(len, sent)) <= BYTES_IN
    assert (
        max(len(atoms) for vector in STORED["sent"] for atoms in vector["messages"]) <= 256
    )  # longer lists are cut by Max
    received = [bytes.fromhex(vector["datagram"]) for vector in STORED["received"]]
    assert max(map(len, received)) <= BYTES_OUT
    assert any(vector["read"].get("summary", "").endswith("…") for vector in STORED["received"])


@pytest.mark.parametrize("count", [1, 32, 33, 100])
def test_melodies_are_whole_at_the_server(count: int) -> None:
    given = vectors.clip(count)
    clips = Clips()
    vectors.deliver(vectors.melody_messages("m", given), clips)
    melody = clips.get("m")
    assert melody.length == given["length"]
    for note, meant in zip(sorted(melody.notes), given["notes"], strict=True):
        assert (note.start, note.pitch) == (meant["start"], meant["pitch"])
        assert note.duration == single(meant["duration"])
        assert note.velocity == 1 or abs(note.velocity - meant["velocity"]) <= 0.5


@pytest.mark.parametrize("vector", STORED["tempos"], ids=lambda vector: str(vector["value"]))
def test_tempo_text_is_the_same_float_and_as_short_as_can_be(vector: dict[str, Any]) -> None:
    x, text = np.float32(vector["value"]), vector["text"]
    assert np.float32(text) == x
    assert len(text) == len(np.format_float_positional(x, unique=True, trim="-"))
    assert read_tempo(text) == parse_bpm(text) == Fraction(text)
    assert BPM_RANGE[0] <= parse_bpm(text) <= BPM_RANGE[1]


def test_tempo_text_is_what_live_shows() -> None:
    for hundredths in range(100 * BPM_RANGE[0], 100 * BPM_RANGE[1] + 1, 7):
        shown = Fraction(hundredths, 100)
        assert parse_bpm(tempo_text(single(float(shown)))) == shown


@pytest.mark.parametrize("bound", BPM_RANGE)
def test_tempo_text_stays_in_the_range_up_to_its_last_float(bound: int) -> None:
    inside = np.nextafter(np.float32(bound), np.float32(sum(BPM_RANGE) / 2))
    text = tempo_text(float(inside))
    assert BPM_RANGE[0] < parse_bpm(text) < BPM_RANGE[1]
    assert math.isclose(float(text), bound, rel_tol=1e-6)
