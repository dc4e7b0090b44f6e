"""The .amxd format, against its layout written out by hand, and against files that are broken."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable

import pytest

from loopgen.errors import InputError
from max4live import amxd
from tests.max4live import samples

PATCH = {"patcher": {"boxes": [], "lines": [], "title": "Grüße"}}
TEXT = '{\n\t"patcher": {\n\t\t"boxes": [],\n\t\t"lines": [],\n\t\t"title": "Grüße"\n\t}\n}\n\0'.encode()


def test_an_unfrozen_device_is_three_chunks() -> None:
    expected = b"ampf\4\0\0\0aaaameta\4\0\0\0\0\0\0\0ptch" + struct.pack("<I", len(TEXT)) + TEXT
    assert amxd.to_bytes(amxd.Device("aaaa", PATCH), frozen=False) == expected


def test_a_frozen_device_is_a_container_of_files() -> None:
    device = amxd.Device("mmmm", PATCH, {"b.png": b"\x89PNG", "a.js": b"x;"}, "Tiny.amxd")
    n = len(TEXT)

    def entry(kind: bytes, name: bytes, size: int, offset: int, flag: int) -> bytes:
        fields = b"type" + struct.pack(">I", 12) + kind + b"fnam" + struct.pack(">I", 8 + len(name)) + name
        for tag, value in ((b"sz32", size), (b"of32", offset), (b"vers", 0), (b"flag", flag), (b"mdat", 3_850_070_400)):
            fields += tag + struct.pack(">II", 12, value)
        return b"dire" + struct.pack(">I", 8 + len(fields)) + fields

    entries = entry(b"JSON", b"Tiny.amxd\0\0\0", n, 16, 0x11)
    entries += entry(b"TEXT", b"a.js\0\0\0\0", 2, 16 + n, 0) + entry(b"PNG ", b"b.png\0\0\0", 4, 18 + n, 0)
    content = b"mx@c" + struct.pack(">IQ", 16, 22 + n) + TEXT + b"x;" + b"\x89PNG"
    content += b"dlst" + struct.pack(">I", 8 + len(entries)) + entries
    expected = b"ampf\4\0\0\0mmmmmeta\4\0\0\0\7\0\0\0ptch" + struct.pack("<I", len(content)) + content
    assert amxd.to_bytes(device, frozen=True) == expected


@pytest.mark.parametrize("frozen", [True, False])
def test_what_is_written_is_read(frozen: bool) -> None:
    device = samples.device()
    data = amxd.to_bytes(device, frozen=frozen)
    read = amxd.from_bytes(data)
    assert (read.kind, read.patch, dict(read.files)) == ("aaaa", device.patch, dict(device.files) if frozen else {})
    assert amxd.to_bytes(read, frozen=frozen) == data


def test_a_frozen_device_without_files_is_read() -> None:
    device = amxd.Device("iiii", PATCH, {}, "Alone.amxd")
    assert amxd.from_bytes(amxd.to_bytes(device, frozen=True)) == device


def test_the_first_byte_count_of_other_makers_is_read() -> None:
    """Max has written both 0 and 1 as meta of unfrozen devices."""
    data = amxd.to_bytes(amxd.Device("aaaa", PATCH), frozen=False)
    assert amxd.from_bytes(data.replace(b"meta\4\0\0\0\0", b"meta\4\0\0\0\1")).patch == PATCH


@pytest.mark.parametrize(
    ("device", "word"),
    [
        (amxd.Device("audio", PATCH), "'audio'"),
        (amxd.Device("aaaa", PATCH, {"song.mp3": b""}), "song.mp3"),
        (amxd.Device("aaaa", PATCH, {"lib/a.js": b""}), "'lib/a.js'"),
        (amxd.Device("aaaa", PATCH, {"ä.js": b""}), "'ä.js'"),
    ],
)
def test_what_no_device_can_hold_is_told(device: amxd.Device, word: str) -> None:
    with pytest.raises(InputError, match="give") as caught:
        amxd.to_bytes(device, frozen=True)
    assert word in str(caught.value)


def _frozen() -> bytes:
    return amxd.to_bytes(samples.device(), frozen=True)


def _unfrozen() -> bytes:
    return amxd.to_bytes(samples.device(), frozen=False)


BROKEN: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "ampf, meta, ptch"),
    "a wav": (lambda: b"RIFF\x24\0\0\0WAVEfmt ", "RIFF"),
    "cut off in its patch": (lambda: _unfrozen()[:40], "ptch"),
    "bytes at the end": (lambda: _unfrozen() + b"more", "no chunk at byte"),
    "another kind": (lambda: _unfrozen().replace(b"aaaameta", b"nattmeta"), "natt"),
    "meta too long": (lambda: _unfrozen().replace(b"meta\4\0\0\0\0\0\0\0", b"meta\5\0\0\0\0\0\0\0\0"), "5 bytes"),
    "meta says frozen": (lambda: _unfrozen().replace(b"meta\4\0\0\0\0", b"meta\4\0\0\0\7"), "meta says 7"),
    "meta says unfrozen": (lambda: _frozen().replace(b"meta\4\0\0\0\7", b"meta\4\0\0\0\0"), "meta says 0"),
    "no NUL": (lambda: _unfrozen()[:-1] + b" ", "newline and a NUL"),
    "no JSON": (lambda: _unfrozen().replace(b'"patcher": {', b'"patcher"= {'), "no JSON"),
    "no patcher": (lambda: _unfrozen().replace(b'"patcher":', b'"Patcher":'), "patcher"),
    "no text": (lambda: _unfrozen().replace(b"Guidance", b"Guidanc\xff"), "no JSON"),
    "the directory elsewhere": (
        lambda: _frozen().replace(b"mx@c\0\0\0\x10\0\0\0\0", b"mx@c\0\0\0\x10\0\0\0\1"),
        "byte",
    ),
    "another header": (lambda: _frozen().replace(b"mx@c\0\0\0\x10", b"mx@c\0\0\0\x14"), "directory"),
    "no directory": (lambda: _frozen().replace(b"dlst", b"list"), "dlst"),
    "an unknown field": (lambda: _frozen().replace(b"vers", b"revs"), "revs"),
    "an unknown entry": (lambda: _frozen().replace(b"dire", b"dare"), "dare"),
    "another flag": (lambda: _frozen().replace(b"flag\0\0\0\x0c\0\0\0\x11", b"flag\0\0\0\x0c\0\0\0\0"), "flag 0x0"),
    "an offset of another": (
        lambda: _frozen().replace(b"of32\0\0\0\x0c\0\0\0\x10", b"of32\0\0\0\x0c\0\0\0\x11"),
        "its own",
    ),
    "a name without NUL": (lambda: _frozen().replace(b"logic.js\0\0\0\0", b"logic.js.js."), "name"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_an_error_in_words(name: str) -> None:
    make, word = BROKEN[name]
    with pytest.raises(InputError, match="no device that can be used") as caught:
        amxd.from_bytes(make())
    assert word in str(caught.value)


def test_a_file_of_a_wrong_size_is_told() -> None:
    data = _frozen()
    size = struct.pack(">I", len(samples.SCRIPT.encode()))
    place = data.rindex(b"sz32\0\0\0\x0c" + size) + 8
    with pytest.raises(InputError, match="belong to no file"):
        amxd.from_bytes(data[: place + 3] + bytes([data[place + 3] - 1]) + data[place + 4 :])


def test_two_files_of_one_name_are_told() -> None:
    device = samples.device(twice_js="1;")
    data = amxd.to_bytes(device, frozen=True).replace(b"twice.js\0", b"logic.js\0")
    with pytest.raises(InputError, match="one name"):
        amxd.from_bytes(data)


def test_every_cut_is_an_error_in_words() -> None:
    data = amxd.to_bytes(amxd.Device("aaaa", PATCH, {"a.js": b"x;"}), frozen=True)
    for length in range(len(data)):
        with pytest.raises(InputError):
            amxd.from_bytes(data[:length])


def test_the_date_is_what_it_says() -> None:
    from datetime import UTC, datetime

    data = _frozen()
    seconds = int.from_bytes(data[data.index(b"mdat") + 8 :][:4], "big")
    assert datetime(2026, 1, 1, tzinfo=UTC).timestamp() - datetime(1904, 1, 1, tzinfo=UTC).timestamp() == seconds


def test_the_patch_is_text_for_max() -> None:
    """No escapes for letters beyond ASCII, and no number that JSON does not have."""
    assert json.loads(TEXT[:-1]) == PATCH
    with pytest.raises(ValueError, match="not JSON compliant"):
        amxd.to_bytes(amxd.Device("aaaa", {"patcher": {"x": float("nan")}}), frozen=False)
