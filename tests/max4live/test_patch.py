"""The patch: what the JavaScript relies on, what Max expects, and that faults in the source are named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from loopgen.errors import InputError
from max4live import patch

PATCHER: dict[str, Any] = patch.load()["patcher"]
BOXES: dict[str, dict[str, Any]] = {
    entry["box"]["varname"]: entry["box"] for entry in PATCHER["boxes"] if "varname" in entry["box"]
}
NAMES = {box["id"]: name for name, box in BOXES.items()}
CORDS = {
    (NAMES[line["source"][0]], line["source"][1]): (NAMES[line["destination"][0]], line["destination"][1])
    for line in (entry["patchline"] for entry in PATCHER["lines"])
}
SEEN = {name: box for name, box in BOXES.items() if box.get("presentation")}


def parameter(name: str) -> dict[str, Any]:
    saved: dict[str, Any] = BOXES[name]["saved_attribute_attributes"]["valueof"]
    return saved


def reached(name: str, outlet: int) -> Iterator[str]:
    """The texts of the objects on the way from an outlet along the leftmost outlets, up to the js."""
    while (name, outlet) in CORDS and name != "logic":
        (name, _), outlet = CORDS[name, outlet], 0
        yield BOXES[name].get("text", BOXES[name]["maxclass"])


@pytest.mark.parametrize(
    ("name", "kind", "outlet"),
    [
        *[(name, "umenu", 0) for name in ("preset", "engine", "target")],
        ("bars", "live.menu", 1),
        *[(name, "live.numbox", 0) for name in ("variations", "seed", "guidance", "temperature", "port")],
        *[(name, "live.text", 0) for name in ("lock", "melody", "scale")],
    ],
)
def test_a_setting_says_its_name_and_value_to_the_js(name: str, kind: str, outlet: int) -> None:
    assert BOXES[name]["maxclass"] == kind
    whole = ["i"] * (name in ("seed", "port"))  # floats, as Int parameters end at 255
    assert list(reached(name, outlet)) == [*whole, f"prepend {name}", "js loopgen.device.js"]


@pytest.mark.parametrize("name", ["generate", "cancel", "again", "retempo", "copy"])
def test_a_button_says_its_name_and_those_that_generate_ask_for_the_prompt_first(name: str) -> None:
    (trigger, _), asks = CORDS[name, 0], name in ("generate", "again")
    assert BOXES[trigger]["text"] == f"t {name}" + " b" * asks
    assert BOXES[trigger]["outlettype"] == [name] + ["bang"] * asks
    assert CORDS[trigger, 0] == ("logic", 0)
    assert CORDS.get((trigger, 1)) == (("prompt", 0) if asks else None)


def test_the_prompt_reaches_the_js_as_one_symbol_past_nothing_that_knows_words() -> None:
    assert list(reached("prompt", 0)) == ["prepend prompt", "js loopgen.device.js"]
    assert {key: BOXES["prompt"][key] for key in ("keymode", "outputmode", "nosymquotes", "wordwrap")} == {
        "keymode": 1,
        "outputmode": 1,
        "nosymquotes": 1,
        "wordwrap": 1,
    }


def test_what_was_kept_is_heard_before_the_js_starts() -> None:
    assert list(reached("ready", 0)) == ["t init b", "js loopgen.device.js"]
    assert CORDS["ready_order", 1] == ("memory", 0)  # a trigger's right outlet is the first
    assert CORDS["memory", 0] == ("logic", 0)
    assert parameter("memory")["parameter_initial"] == BOXES["memory"]["restore"] == ["memory", "=", "=", "=", "="]
    assert (parameter("memory")["parameter_type"], parameter("memory")["parameter_invisible"]) == (3, 1)
    assert BOXES["memory"]["saved_object_attributes"]["parameter_enable"] == 1


def test_the_js_has_an_outlet_for_the_server_its_own_ear_the_port_and_the_memory() -> None:
    assert [BOXES[CORDS["logic", outlet][0]]["text"] for outlet in range(4)] == [
        "udpsend 127.0.0.1 11200",
        "udpsend 127.0.0.1 11201",
        "udpreceive @quiet 1 @defer 1",
        "prepend memory",
    ]
    assert BOXES["logic"]["numoutlets"] == 4
    assert list(reached("hear", 0)) == ["prepend heard", "js loopgen.device.js"]
    assert CORDS["memory_to", 0] == ("memory", 0)


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("status detail facts licence link", {"comment", "live.comment"}),
        ("progress", {"live.numbox"}),
        ("preset engine target", {"umenu"}),
        ("prompt", {"textedit"}),
        ("cancel generate again retempo copy seed guidance temperature", {"live.text", "live.numbox"}),
    ],
)
def test_what_the_js_shows_things_in_is_seen(name: str, kinds: set[str]) -> None:
    for one in name.split():
        assert SEEN[one]["maxclass"] in kinds


def test_sound_passes_untouched() -> None:
    assert [CORDS["sound_in", channel] for channel in (0, 1)] == [("sound_out", 0), ("sound_out", 1)]
    assert [line for line in CORDS.values() if line[0] == "sound_out"] == [("sound_out", 0), ("sound_out", 1)]


def test_the_same_source_gives_the_same_patch() -> None:
    assert json.dumps(patch.load()) == json.dumps({"patcher": PATCHER})
    assert [entry["box"]["id"] for entry in PATCHER["boxes"]] == [
        f"obj-{number}" for number in range(1, len(PATCHER["boxes"]) + 1)
    ]


def test_objects_without_a_face_are_newobj_and_their_outlets_have_types() -> None:
    for box in BOXES.values():
        assert (box["maxclass"] in patch.CLASSES) == bool(box.get("presentation"))
        assert box["maxclass"] in {*patch.CLASSES, "newobj"}
        assert len(box.get("outlettype", [])) == box["numoutlets"]


def test_the_kind_of_device_and_no_path_of_a_machine() -> None:
    assert PATCHER["project"]["amxdtype"] == 1633771873  # "aaaa" as one number, as Max writes an audio effect's
    assert (PATCHER["openinpresentation"], PATCHER["devicewidth"]) == (1, 460.0)
    assert "bootpath" not in json.dumps(PATCHER)


def test_the_presentation_lies_on_a_grid() -> None:
    """Rows of 15 pixels every 20 from 7, columns that end at 140, 252 and 452; the display's texts lie inside it."""
    left, top, width, height = SEEN["display"]["presentation_rect"]
    for name, box in SEEN.items():
        x, y, w, h = box["presentation_rect"]
        assert all(number == int(number) for number in (x, y, w, h)), name
        if box["maxclass"] == "comment" or name == "port":
            assert left <= x and x + w <= left + width and top <= y and y + h <= top + height, name
        elif box["maxclass"] == "live.comment":
            assert (x in (6, 146), y % 20) == (True, 6), name
        elif name not in ("prompt", "display"):
            assert (y % 20, h) == (7, 15), name
    ends = {box["presentation_rect"][0] + box["presentation_rect"][2] for box in SEEN.values()}
    assert {140.0, 252.0, 452.0} <= ends
    assert max(ends) == PATCHER["devicewidth"] - min(box["presentation_rect"][0] for box in SEEN.values()) - 2
    assert max(box["presentation_rect"][1] + box["presentation_rect"][3] for box in SEEN.values()) == 169 - 7


def test_nothing_lies_over_anything_else_for_who_opens_the_editor() -> None:
    boxes = [entry["box"] for entry in PATCHER["boxes"] if entry["box"]["maxclass"] != "panel"]
    for one, other in combinations(boxes, 2):
        (x, y, w, h), (left, top, width, height) = one["patching_rect"], other["patching_rect"]
        apart = x + w <= left or left + width <= x or y + h <= top or top + height <= y
        assert apart, (one["id"], other["id"])


def test_colours_follow_the_theme() -> None:
    """live.* objects keep their defaults, which do; the others name a theme colour for each colour that they have."""
    for name, box in SEEN.items():
        fixed = {key for key in box if key.endswith("color")}
        named = box.get("saved_attribute_attributes", {})
        expressions = {value["expression"] for key, value in named.items() if key != "valueof"}
        assert all(text.startswith("themecolor.live_") for text in expressions), name
        if box["maxclass"].startswith("live."):
            assert not fixed | expressions, name
        else:
            assert expressions, name
            assert fixed <= {*named, "bgcolor"}, name
            assert box.get("fontname", "Ableton Sans Medium") == "Ableton Sans Medium"


def test_every_control_says_in_the_info_view_what_it_does() -> None:
    for name, box in SEEN.items():
        if box["maxclass"] in ("live.comment", "panel"):
            continue
        assert box["annotation_name"] and box["annotation"].endswith("."), name
        assert len(box["annotation"]) < 260, name  # what the Info View holds without scrolling
        if box.get("parameter_enable"):
            assert parameter(name)["parameter_info"] == box["annotation"]
            assert parameter(name)["parameter_annotation_name"] == box["annotation_name"]


def test_what_live_knows_of_the_parameters() -> None:
    def visible(number: int) -> set[str]:
        return {name for name, box in BOXES.items() if is_parameter(box) and invisible(name) == number}

    def is_parameter(box: dict[str, Any]) -> bool:
        return "valueof" in box.get("saved_attribute_attributes", {})

    def invisible(name: str) -> int:
        return int(parameter(name).get("parameter_invisible", 0))

    assert visible(0) == {"bars", "variations", "guidance", "temperature", "lock", "melody", "scale"}
    assert visible(1) == {"seed", "port", "memory"}
    assert visible(2) == {"generate", "cancel", "again", "retempo", "copy", "progress"}
    listed = PATCHER["parameters"]
    assert {key for key in listed if key.startswith("obj-")} == {
        box["id"] for box in BOXES.values() if is_parameter(box)
    }
    for name in visible(0) | visible(1) | visible(2):
        saved = parameter(name)
        assert listed[BOXES[name]["id"]][:2] == [saved["parameter_longname"], saved["parameter_shortname"]]
        assert ("parameter_initial" in saved) == (name not in visible(2))
    bank = listed["parameterbanks"]["0"]
    assert set(bank["parameters"]) == {parameter(name)["parameter_longname"] for name in visible(0)} | {"-"}
    assert (len(bank["parameters"]), len(bank["buttons"])) == (8, 8)


@pytest.mark.parametrize(
    ("name", "kind", "low", "high", "initial", "shown"),
    [
        ("variations", 1, 1, 8, 1, (0, None)),
        ("seed", 0, 0.0, 9999999.0, 0.0, (0, None)),  # Int parameters end at 255
        ("guidance", 0, 0.0, 10.0, 3.0, (9, "%.1f")),
        ("temperature", 0, 0.0, 2.0, 1.0, (9, "%.2f")),
        ("port", 0, 1024.0, 65535.0, 11200.0, (0, None)),
    ],
)
def test_numbers(name: str, kind: int, low: float, high: float, initial: float, shown: tuple[int, str | None]) -> None:
    saved = parameter(name)
    assert (saved["parameter_type"], saved["parameter_mmin"], saved["parameter_mmax"]) == (kind, low, high)
    assert saved["parameter_initial"] == [initial]
    assert (saved["parameter_unitstyle"], saved.get("parameter_units")) == shown


def test_lists_and_switches() -> None:
    bars = parameter("bars")
    assert bars["parameter_enum"][bars["parameter_initial"][0]] == "4"
    assert bars["parameter_enum"] == ["1", "2", "4", "8", "16", "32"]
    assert [parameter(name)["parameter_initial"] for name in ("lock", "melody", "scale")] == [[0], [0], [1]]
    for name in ("lock", "melody", "scale"):
        assert (BOXES[name]["automation"], BOXES[name]["automationon"]) == ("Off", "On")
        assert parameter(name)["parameter_enum"] == ["Off", "On"]


SMALL = """
[device]
kind = "MIDI effect"
width = 100
title = "T"
description = "D"
tags = ""
[[bank]]
name = "B"
parameters = ["Amount"]
[box.menu]
class = "umenu"
at = [0, 0]
shown = [8, 7, 60, 15]
items = ["one", "two"]
colors = { bgfillcolor = "live_lcd_bg" }
[box.amount]
class = "live.numbox"
at = [1, 0]
shown = [8, 27, 44, 15]
appearance = 4
title = "Amount"
info = "How much."
[box.amount.parameter]
name = "Amount"
kind = "float"
range = [0.0, 1.0]
initial = 0.5
unit = "%"
visible = "automated"
[box.go]
class = "live.text"
at = [1, 1]
shown = [8, 47, 44, 15]
text = "Go"
[box.go.parameter]
name = "Go"
kind = "button"
visible = "hidden"
[box.order]
text = "t 1 b l go"
at = [0, 1]
[[note]]
text = "a note"
at = [0, 2]
[cords]
list = ["menu 1 > order 0"]
"""


def load(tmp_path: Path, text: str) -> dict[str, Any]:
    path = tmp_path / "Small.toml"
    path.write_text(text, encoding="utf-8")
    loaded: dict[str, Any] = patch.load(path)["patcher"]
    return loaded


def test_a_small_source(tmp_path: Path) -> None:
    patcher = load(tmp_path, SMALL)
    boxes = [entry["box"] for entry in patcher["boxes"]]
    assert patcher["project"]["amxdtype"] == 1835887981  # "mmmm"
    assert boxes[0]["items"] == ["one", ",", "two"]
    assert boxes[1]["presentation_rect"] == [8.0, 27.0, 44.0, 15.0]
    assert boxes[3]["outlettype"] == ["1", "bang", "", "go"]
    assert (boxes[4]["maxclass"], boxes[4]["text"]) == ("comment", "a note")
    assert patcher["lines"] == [{"patchline": {"destination": ["obj-4", 0], "source": ["obj-1", 1]}}]
    assert patcher["parameters"]["parameterbanks"]["0"]["parameters"] == ["Amount", *["-"] * 7]


@pytest.mark.parametrize(
    ("good", "bad", "words"),
    [
        ('"MIDI effect"', '"plug-in"', "the kind 'plug-in' is none"),
        ('class = "umenu"', 'class = "menubar"', "box menu: the class 'menubar' is not in the table"),
        ('"t 1 b l go"', '"metro 20"', "box order: the object 'metro' is not in the table"),
        ("appearance = 4", "apearance = 4", "box amount: live.numbox has no apearance"),
        ("[8, 27, 44, 15]", "[8, 27.5, 44, 15]", "box amount: shown is .* whole pixels"),
        ("at = [0, 1]", "at = 3", "box order: at is 3"),
        ('"live_lcd_bg"', '"red"', "box menu: bgfillcolor is 'red'"),
        ('info = "How much."', "", "title and info belong together"),
        ("initial = 0.5", "initial = 2.0", "box amount: parameter: the initial value 2.0 lies outside 0.0 to 1.0"),
        ("range = [0.0, 1.0]", "range = [1.0, 1.0]", "the range is 1.0 to 1.0"),
        ('unit = "%"', "", "give a unit"),
        ('kind = "float"', 'kind = "real"', "the kind 'real' is none"),
        ('visible = "automated"', 'visible = "seen"', "visible is 'seen'"),
        ('visible = "hidden"', 'visible = "stored"\ninitial = true', "box go: parameter: a button is hidden"),
        ('name = "Go"', 'name = "Go"\ninitial = true', "needs an initial value, and nothing else does"),
        ("initial = 0.5", "start = 0.5", "start is none of"),
        ('name = "Amount"', "", "box amount: parameter: give a name"),
        ('name = "Go"', 'name = "Amount"', "2 parameters have the name Amount"),
        ('parameters = ["Amount"]', 'parameters = ["Go"]', "bank B: Go is no automated parameter"),
        ('parameters = ["Amount"]', f"parameters = {['Amount'] * 9}", "bank B: 9 parameters; Push has 8"),
        ("menu 1 > order 0", "menu 1 order 0", "the cord 'menu 1 order 0' cannot be read"),
        ("menu 1 > order 0", "menu 1 > other 0", "there is no box other"),
        ("menu 1 > order 0", "menu 3 > order 0", "menu has 3 outlets"),
        ("menu 1 > order 0", "menu 1 > order 1", "order has 1 inlets"),
        ("menu 1 > order 0", 'menu 1 > order 0", "menu 1 > amount 0', "that outlet has one already"),
        ("[cords]", "[cords", "line"),
    ],
)
def test_faults_of_the_source_are_named(tmp_path: Path, good: str, bad: str, words: str) -> None:
    assert good in SMALL
    with pytest.raises(InputError, match=words) as raised:
        load(tmp_path, SMALL.replace(good, bad, 1))
    assert "Small.toml" in str(raised.value)


def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        patch.load(tmp_path / "none.toml")
