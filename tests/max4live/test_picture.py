"""The picture: each box shows its value where the patch says, labels fit, and the same patch gives the same picture."""

from __future__ import annotations

import copy
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

from loopgen.errors import InputError, OutputUnwritable
from max4live import patch, picture
from max4live.picture import EXAMPLE, fitting, text_width, wrapped

PATCH = patch.load()
SEEN: dict[str, dict[str, Any]] = {
    entry["box"]["varname"]: entry["box"] for entry in PATCH["patcher"]["boxes"] if entry["box"].get("presentation")
}
SCALE, LEFT, TOP = 3, 4, 22


def drawn(path: Path, shown: dict[str, Any]) -> np.ndarray[Any, Any]:
    """A picture as rows of pixels of red, green and blue."""
    picture.draw(PATCH, path, shown)
    return np.asarray(imread(io.BytesIO(path.read_bytes())))[:, :, :3]


def test_the_picture_is_three_times_the_device_with_title_bar_and_margin(tmp_path: Path) -> None:
    pixels = drawn(tmp_path / "a.png", dict(EXAMPLE))
    assert pixels.shape == (3 * (169 + 18 + 8), 3 * (460 + 8), 3)


def test_the_same_patch_gives_the_same_picture(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        picture.draw(PATCH, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_the_picture_that_is_shown_to_readers_is_that_of_the_patch(tmp_path: Path) -> None:
    kept = np.asarray(imread(Path(__file__).parents[2] / "docs" / "max4live.png"))[:, :, :3]
    pixels = drawn(tmp_path / "a.png", dict(EXAMPLE))
    assert kept.shape == pixels.shape, "draw it anew: python -m max4live picture docs/max4live.png"
    other = (np.abs(kept - pixels).max(axis=2) > 0.2).mean()  # another matplotlib smooths edges otherwise
    assert other < 0.0003, "draw it anew: python -m max4live picture docs/max4live.png"


@pytest.mark.parametrize("name", sorted({*EXAMPLE, "cancel", "copy"}))
def test_a_value_is_shown_inside_its_box_and_nowhere_else(tmp_path: Path, name: str) -> None:
    before = EXAMPLE.get(name, True)
    other = 90 if name == "progress" else "Q" if isinstance(before, str) else not before
    first = drawn(tmp_path / "a.png", dict(EXAMPLE))
    rows, columns = np.nonzero((first != drawn(tmp_path / "b.png", {**EXAMPLE, name: other})).any(axis=2))
    x, y, width, height = SEEN[name]["presentation_rect"]
    assert len(rows) > 20
    assert (columns.min() >= SCALE * (x + LEFT)) and (columns.max() < SCALE * (x + width + LEFT))
    assert (rows.min() >= SCALE * (y + TOP)) and (rows.max() < SCALE * (y + height + TOP))


def test_a_long_text_stays_inside_its_box(tmp_path: Path) -> None:
    """The column of pixels right of each box is as it is without any text."""
    texts = ("prompt", "preset", "engine", "target", "link", "facts", "status", "detail", "licence")
    long = drawn(tmp_path / "a.png", {**EXAMPLE, **dict.fromkeys(texts, "many words and more of them " * 8)})
    none = drawn(tmp_path / "b.png", {**EXAMPLE, **dict.fromkeys(texts, "")})
    inside = np.zeros(long.shape[:2], dtype=bool)
    for name in texts:
        x, y, width, height = (int(SCALE * number) for number in SEEN[name]["presentation_rect"])
        inside[y + SCALE * TOP : y + height + SCALE * TOP, x + SCALE * LEFT : x + width + SCALE * LEFT] = True
    assert (long != none).any(axis=2)[inside].any()
    assert not (long != none).any(axis=2)[~inside].any()


def test_a_new_device_shows_its_initial_values(tmp_path: Path) -> None:
    initial = {
        "bars": "4",
        "variations": "1",
        "guidance": "3.0",
        "temperature": "1.00",
        "seed": "0",
        "port": "11200",
        "link": "starting",
        "engine": "auto",
        "preset": "No preset",
        "target": "Highlighted slot",
        "progress": 0,
        "scale": True,
        "melody": False,
        "lock": False,
    }
    assert (drawn(tmp_path / "a.png", {}) == drawn(tmp_path / "b.png", initial)).all()


def labels() -> list[tuple[str, str, float, float]]:
    """Name, text, size and room of everything that is written on a box and does not change."""
    found = []
    for name, box in SEEN.items():
        width, size = box["presentation_rect"][2], box.get("fontsize", 9.5)
        texts = box.get("saved_attribute_attributes", {}).get("valueof", {}).get("parameter_enum", [])
        arrow = 16 if box["maxclass"] in ("live.menu", "umenu") else 4
        if box["maxclass"] in ("live.comment", "live.text", "comment"):
            texts = [box["text"]]
        elif box["maxclass"] == "umenu":
            texts = box["items"]
        elif box["maxclass"] == "live.numbox":
            texts = [str(int(box["saved_attribute_attributes"]["valueof"]["parameter_mmax"]))]
        found += [(name, text, size, width - arrow) for text in texts]
    return found


def sentences() -> list[str]:
    """What the JavaScript has to say in whole sentences: the display's lines for details."""
    source = "".join(path.read_text(encoding="utf-8") for path in sorted(patch.SOURCE.parent.glob("*.js")))
    return sorted(set(re.findall(r'"([A-Z][^"\n]* [^"\n]*\.)"', source)))


@pytest.mark.parametrize("text", sentences())
def test_no_sentence_is_cut(text: str) -> None:
    _, _, width, height = SEEN["detail"]["presentation_rect"]
    lines = wrapped(text, 9.5, width - 4)
    assert len(lines) * 9.5 * 1.3 <= height
    assert all(text_width(line) <= width - 4 for line in lines)


@pytest.mark.parametrize(("name", "text", "size", "room"), labels())
def test_no_label_is_cut(name: str, text: str, size: float, room: float) -> None:
    assert text_width(text, size) <= room


def test_a_text_is_cut_to_the_room_with_an_ellipsis() -> None:
    assert fitting("short", 9.5, 100) == "short"
    cut = fitting("a long line of text", 9.5, 50)
    assert cut.endswith("…") and "a long line of text".startswith(cut[:-1])
    assert 40 < text_width(cut, 9.5) <= 50
    assert fitting("wide", 9.5, 1) == "…"


def test_text_is_wrapped_between_words() -> None:
    text = "what is happening now, and an extraordinarilylongwordthatdoesnotfit at the end"
    lines = wrapped(text, 9.5, 80)
    assert " ".join(lines) == text
    assert [line for line in lines if text_width(line) > 80] == ["extraordinarilylongwordthatdoesnotfit"]
    assert wrapped("", 9.5, 80) == []


def test_what_cannot_be_drawn_or_written(tmp_path: Path) -> None:
    with pytest.raises(OutputUnwritable, match="cannot be written"):
        picture.draw(PATCH, tmp_path / "none" / "a.png")
    strange = copy.deepcopy(PATCH)
    next(entry["box"] for entry in strange["patcher"]["boxes"] if entry["box"].get("varname") == "bars")["maxclass"] = (
        "x"
    )
    with pytest.raises(InputError, match="bars: a x cannot be drawn"):
        picture.draw(strange, tmp_path / "a.png")
