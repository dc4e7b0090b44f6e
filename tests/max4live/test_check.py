"""The lint: nothing is said of a device in which nothing is wrong, and each rule finds what breaks it, alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from max4live import amxd, check_script
from max4live.build import build
from max4live.check import RULES, check
from max4live.check_structure import structure
from tests.max4live import samples
from tests.max4live.samples import box, control, cord

Patcher = dict[str, Any]


def problems(content: dict[str, Any] | None = None, **files: str) -> list[str]:
    return check(amxd.to_bytes(samples.device(content, **files), frozen=True))


def boxed(patcher: Patcher, number: int) -> dict[str, Any]:
    """The box of a number."""
    found: dict[str, Any] = next(entry["box"] for entry in patcher["boxes"] if entry["box"]["id"] == f"obj-{number}")
    return found


def saved(patcher: Patcher, number: int) -> dict[str, Any]:
    """The parameter's attributes of the box of a number."""
    found: dict[str, Any] = boxed(patcher, number)["saved_attribute_attributes"]["valueof"]
    return found


def add(patcher: Patcher, *boxes: dict[str, Any]) -> Patcher:
    patcher["boxes"] += [{"box": each} for each in boxes]
    return patcher


def inner(*boxes: dict[str, Any], lines: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """A box with a patcher inside."""
    content = {"boxes": [{"box": each} for each in boxes], "lines": lines or []}
    return box(90, "newobj", text="p inner", patcher=content)


def test_nothing_is_said_of_a_device_in_which_nothing_is_wrong() -> None:
    assert problems() == []
    data = amxd.to_bytes(samples.device(), frozen=False)
    assert check(data, samples.device().files) == []


def test_an_unfrozen_device_needs_its_files_beside_it() -> None:
    data = amxd.to_bytes(samples.device(), frozen=False)
    assert check(data) == ["the patch refers to logic.js, which is not there"]


def test_nothing_is_said_of_files_that_only_lie_beside_a_device() -> None:
    data = amxd.to_bytes(samples.device(), frozen=False)
    others = {"mine.js": b"let x = 1", "notes.txt": b"/Users/me/secret"}
    assert check(data, {**samples.device().files, **others}) == []


def test_a_frozen_device_does_not_look_beside_it() -> None:
    content = samples.patch()
    add(content["patcher"], box(20, "fpic", [150, 100, 20, 20], pic="logo.png"))
    content["patcher"]["dependency_cache"].append({"name": "logo.png", "type": "PNG"})
    data = amxd.to_bytes(samples.device(content), frozen=True)
    assert check(data, {"logo.png": b"PNG"}) == ["the patch refers to logo.png, which is not there"]


def test_a_broken_file_is_one_problem() -> None:
    (problem,) = check(b"RIFF")
    assert "no device that can be used" in problem


def test_a_patch_of_nothing_has_no_boxes() -> None:
    found = check(amxd.to_bytes(amxd.Device("aaaa", {"patcher": {}}), frozen=False))
    assert found == ["the patch: it has no boxes", "the patch: it has no lines"]


def test_nothing_in_a_patch_can_stop_the_lint() -> None:
    """Whatever stands where something else should, is a problem in words or none, and no error of the lint."""

    def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        yield path
        inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, each in inner:
            yield from places(each, (*path, key))

    content = samples.patch()
    content["patcher"]["boxes"][7:9] = content["patcher"]["boxes"][8:9]  # one panel and one parameter are enough
    for path in [path for path in places(content) if len(path) > 1]:
        holder = content
        for key in path[:-1]:
            holder = holder[key]
        kept = holder[path[-1]]
        for other in (None, [], {}, "x", -1.5, True, [None], {"a": 1}):
            holder[path[-1]] = other
            found = check(amxd.to_bytes(samples.device(content), frozen=True))
            assert all(isinstance(problem, str) for problem in found), path
        holder[path[-1]] = kept


BREAKS: dict[str, tuple[Callable[[Patcher], object], str]] = {
    # structure
    "no id": (lambda p: boxed(p, 4).pop("id"), "has no id"),
    "no class": (lambda p: boxed(p, 4).pop("maxclass"), "has no maxclass"),
    "no number of inlets": (lambda p: boxed(p, 4).pop("numinlets"), "has no numinlets"),
    "no text": (lambda p: boxed(p, 4).update(text=" "), "newobj without a text"),
    "no rectangle": (lambda p: boxed(p, 4).update(patching_rect=[1, 2, 3]), "patching_rect cannot be [1, 2, 3]"),
    "types of other outlets": (lambda p: boxed(p, 4).update(outlettype=["", ""]), "1 outlets and 2 types"),
    "half a cord": (lambda p: p["lines"][0]["patchline"].pop("source"), "a cord's source is None"),
    "half a cord's end": (
        lambda p: p["lines"][0]["patchline"].update(source=["obj-1"]),
        "a cord's source is ['obj-1']",
    ),
    "no box": (lambda p: p["boxes"].append({"bocks": {}}), "which is no box"),
    "no list of cords": (lambda p: p.update(lines={}), "lines cannot be {}"),
    "no banks": (lambda p: p["parameters"].update(parameterbanks=[1]), "which are no banks of names"),
    "no attributes": (lambda p: boxed(p, 9)["saved_attribute_attributes"].update(valueof=1), "valueof is 1"),
    "a long name of no letters": (lambda p: saved(p, 9).update(parameter_longname=1), "parameter_longname cannot be 1"),
    "a box within without an id": (
        lambda p: add(p, inner({"maxclass": "toggle", "numinlets": 1, "numoutlets": 0, "patching_rect": [1, 1, 9, 9]})),
        "the patch, box obj-90, its patcher, box None: it has no id",
    ),
    # the kind
    "another kind": (lambda p: p["project"].update(amxdtype=1835887981), "amxdtype is 1835887981"),
    "no kind": (lambda p: p.pop("project"), "amxdtype is None"),
    "no plugout~": (
        lambda p: (p["boxes"].remove({"box": boxed(p, 2)}), p.update(lines=p["lines"][2:])),
        "no [plugout~]",
    ),
    # ids and cords
    "one id twice": (lambda p: add(p, box(4, "message", text="bang")), "2 boxes have the id obj-4"),
    "one scripting name twice": (
        lambda p: add(p, box(20, "message", text="bang", varname="logic")),
        "2 boxes have the scripting name logic",
    ),
    "one id twice within": (
        lambda p: add(p, inner(box(1, "message", text="a"), box(1, "message", text="b"))),
        "the patcher in obj-90: 2 boxes have the id obj-1",
    ),
    "a cord from nowhere": (lambda p: p["lines"].append(cord(44, 0, 3, 0)), "there is no box obj-44"),
    "a cord to nowhere": (lambda p: p["lines"].append(cord(3, 0, 44, 0)), "there is no box obj-44"),
    "a cord into a patcher within": (
        lambda p: add(p, inner(lines=[cord(3, 0, 1, 0)])),
        "the patcher in obj-90: the cord",
    ),
    "an outlet too many": (lambda p: p["lines"].append(cord(4, 1, 3, 0)), "has 1 outlets, counted from 0"),
    "an inlet too many": (lambda p: p["lines"].append(cord(4, 0, 2, 2)), "has 2 inlets, counted from 0"),
    "a cord twice": (lambda p: p["lines"].append(cord(4, 0, 3, 0)), "is there twice"),
    "outlets that a trigger has not": (
        lambda p: add(p, box(20, "newobj", text="t b l", numoutlets=3)),
        "as its text is, Max gives it 2",
    ),
    "outlets that a route has": (
        lambda p: add(p, box(20, "newobj", text="route a b", numoutlets=2)),
        "as its text is, Max gives it 3",
    ),
    # objects and files
    "an object as a class": (lambda p: add(p, box(20, "udpsend")), "the class udpsend is none"),
    "an unknown object": (lambda p: add(p, box(20, "newobj", text="mystery 1")), "mystery is neither an object"),
    "a script that is not there": (lambda p: boxed(p, 3).update(text="js other.js"), "refers to other.js"),
    "a picture that is not there": (
        lambda p: add(p, box(20, "fpic", [150, 100, 20, 20], pic="logo.png")),
        "refers to logo.png",
    ),
    "a file that is not listed": (lambda p: p["dependency_cache"].clear(), "does not list logic.js"),
    "a file listed twice": (lambda p: p["dependency_cache"].append(p["dependency_cache"][0]), "logic.js 2 times"),
    "a file listed for nothing": (
        lambda p: p["dependency_cache"].append({"name": "x.js", "type": "TEXT"}),
        "lists x.js 1 times; it should list it 0 times",
    ),
    "a file of another type": (lambda p: p["dependency_cache"][0].update(type="JSON"), "logic.js is JSON; it is TEXT"),
    "print": (lambda p: add(p, box(20, "newobj", text="print loopgen")), "[print] is for trying things out"),
    "dac~ within": (lambda p: add(p, inner(box(1, "newobj", text="dac~ 1 2"))), "[dac~] is for trying things out"),
    "a message to Max": (lambda p: add(p, box(20, "message", text="; max clearmaxwindow")), "a message to max"),
    "a shared send": (lambda p: boxed(p, 5).update(text="s status"), "write ---status"),
    "a shared coll": (lambda p: add(p, box(20, "newobj", text="coll notes @embed 1")), "write ---notes"),
    "a shared buffer": (lambda p: add(p, box(20, "newobj", text="buffer~ loop")), "write ---loop"),
    "a shared dict within": (lambda p: add(p, inner(box(1, "newobj", text="dict d"))), "write ---d"),
    "a message to a shared name": (lambda p: add(p, box(20, "message", text="1; status 2")), "write ---status"),
    "a bootpath": (lambda p: p["dependency_cache"][0].update(bootpath="."), "bootpath"),
    "a home on a Mac": (lambda p: p.update(description="/Users/ada/Music/x"), "/Users/ada/Music/x"),
    "a home on Windows": (lambda p: p.update(description="C:\\Users\\ada"), "a path on somebody's machine"),
    "a home on Linux": (lambda p: boxed(p, 8).update(text="see /home/ada/x"), "/home/ada/x"),
    "a home by its sign": (lambda p: p.update(description="~/Music"), "~/Music"),
    # parameters
    "no long name": (lambda p: saved(p, 9).update(parameter_longname=""), "without a long name"),
    "Max's own long name": (lambda p: saved(p, 9).update(parameter_longname="live.numbox[1]"), "one that Max makes up"),
    "a numbered long name": (lambda p: saved(p, 9).update(parameter_longname="Guidance[1]"), "one that Max makes up"),
    "a very long name": (lambda p: saved(p, 9).update(parameter_longname="G" * 33), "33 characters"),
    "one long name twice": (lambda p: saved(p, 10).update(parameter_longname="Guidance"), "2 parameters have"),
    "no short name": (lambda p: saved(p, 9).pop("parameter_shortname"), "without a short name"),
    "a long short name": (lambda p: saved(p, 9).update(parameter_shortname="G" * 13), "would be cut"),
    "no such type": (lambda p: saved(p, 9).update(parameter_type=4), "parameter_type is 4"),
    "an empty range": (lambda p: saved(p, 9).update(parameter_mmin=10), "from 10 to 10"),
    "an Int of many bits": (lambda p: saved(p, 9).update(parameter_type=1, parameter_mmax=65535), "holds 0 to 255"),
    "an Int below nothing": (lambda p: saved(p, 9).update(parameter_type=1, parameter_mmin=-1), "holds 0 to 255"),
    "one item": (
        lambda p: saved(p, 10).update(parameter_enum=["1"], parameter_initial=[0]),
        "its items are ['1']",
    ),
    "an item twice": (lambda p: saved(p, 10).update(parameter_enum=["1", "2", "2"]), "each once"),
    "no unit": (lambda p: saved(p, 9).pop("parameter_unitstyle"), "parameter_unitstyle is None"),
    "a custom unit of nothing": (lambda p: saved(p, 9).update(parameter_unitstyle=9), "without parameter_units"),
    "no initial value": (lambda p: saved(p, 9).pop("parameter_initial"), "no initial value"),
    "an initial value that is not enabled": (
        lambda p: saved(p, 9).update(parameter_initial_enable=0),
        "no initial value",
    ),
    "an initial value outside": (lambda p: saved(p, 9).update(parameter_initial=[11]), "11 lies outside 0 to 10"),
    "an initial item outside": (lambda p: saved(p, 10).update(parameter_initial=[3]), "3 lies outside 0 to 2"),
    "a button that is stored": (
        lambda p: saved(p, 11).update(
            parameter_invisible=0, parameter_initial_enable=1, parameter_initial=[0], parameter_mmax=1
        ),
        "a button that is not Hidden",
    ),
    "a number into a parameter": (lambda p: p["lines"].append(cord(4, 0, 9, 0)), "driven from inside is Hidden"),
    "a message into a parameter": (
        lambda p: (add(p, box(20, "message", text="set 4")), p["lines"].append(cord(20, 0, 9, 0))),
        "driven from inside is Hidden",
    ),
    "another name in the list": (lambda p: p["parameters"].update({"obj-9": ["Guide", "Guide", 0]}), "['Guide'"),
    "a parameter of nobody": (lambda p: p["parameters"].update({"obj-4": ["Port", "Port", 0]}), "obj-4"),
    "a bank of nobody": (
        lambda p: p["parameters"]["parameterbanks"]["0"]["parameters"].append("Tempo"),
        "the bank Main names 'Tempo'",
    ),
    "a bank of what is hidden": (
        lambda p: p["parameters"]["parameterbanks"]["0"]["parameters"].append("Generate"),
        "the bank Main names 'Generate'",
    ),
    # what is seen
    "opens as a patch": (lambda p: p.update(openinpresentation=0), "openinpresentation is not 1"),
    "no width": (lambda p: p.update(devicewidth=0.0), "devicewidth is 0.0"),
    "half a pixel of width": (lambda p: p.update(devicewidth=200.5), "devicewidth is 200.5"),
    "half a pixel": (lambda p: boxed(p, 9).update(presentation_rect=[10.5, 30, 40, 15]), "whole pixels"),
    "no place": (lambda p: boxed(p, 9).pop("presentation_rect"), "presentation_rect is None"),
    "too far right": (lambda p: boxed(p, 9).update(presentation_rect=[161, 30, 40, 15]), "ends at 200.0, 169"),
    "too low": (lambda p: boxed(p, 9).update(presentation_rect=[10, 155, 40, 15]), "to 50, 170"),
    "too far left": (lambda p: boxed(p, 9).update(presentation_rect=[-1, 30, 40, 15]), "reaches from -1"),
    "empty": (lambda p: boxed(p, 9).update(presentation_rect=[10, 30, 0, 15]), "nothing may be empty"),
    "over another": (lambda p: boxed(p, 9).update(presentation_rect=[21, 30, 40, 15]), "lie over each other"),
    "a panel in front": (lambda p: boxed(p, 7).pop("background"), "lie over each other"),
    "no Info title": (lambda p: boxed(p, 9).pop("annotation_name"), "no title for it"),
    "no Info text": (lambda p: boxed(p, 11).update(annotation=" "), "no text for it"),
    "no Info text on a menu": (lambda p: add(p, box(20, "umenu", [10, 100, 60, 20], annotation_name="M")), "no text"),
    # the script's box
    "outlets too few": (lambda p: boxed(p, 3).update(numoutlets=1, outlettype=[""]), "its script declares 2"),
    "a box that a script asks for": (lambda p: boxed(p, 8).update(varname="state"), "has the scripting name status"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_each_fault_of_a_patch_is_found_and_nothing_else(name: str) -> None:
    breaks, word = BREAKS[name]
    content = samples.patch()
    breaks(content["patcher"])
    found = problems(content)
    assert any(word in problem for problem in found), found
    assert len(found) == FOLLOWING.get(name, 1), found


FOLLOWING = {  # problems, where one fault makes several
    "a cord into a patcher within": 2,
    "an empty range": 2,
    "a script that is not there": 4,  # nothing needs logic.js any more, and other.js is not listed
    "a picture that is not there": 2,  # it is not listed either
    "an unknown object": 2,
    "no long name": 3,  # the list of parameters and the bank name what is not there
    "Max's own long name": 3,
    "a numbered long name": 3,
    "a very long name": 3,
    "one long name twice": 4,
    "no short name": 2,
    "a long short name": 2,
    "a panel in front": 4,
}


def test_what_may_be_sent_to_a_parameter() -> None:
    content = samples.patch()
    patcher = content["patcher"]
    add(
        patcher,
        box(20, "message", text="bang, active 0"),
        box(21, "newobj", text="t b l", numoutlets=2),
        box(22, "newobj", text="prepend active"),
        box(23, "newobj", text="loadbang"),
    )
    patcher["lines"] += [cord(number, 0, 9, 0) for number in (20, 21, 22, 23)] + [cord(4, 0, 11, 0)]
    assert problems(content) == []


def test_a_parameter_that_is_driven_may_be_hidden() -> None:
    content = samples.patch()
    patcher = content["patcher"]
    add(
        patcher,
        control(
            20,
            "live.numbox",
            [10, 100, 40, 15],
            "Seed",
            parameter_type=0,
            parameter_unitstyle=0,
            parameter_mmax=9999999,
            parameter_invisible=2,
        ),
    )
    patcher["lines"].append(cord(4, 0, 20, 0))
    assert problems(content) == []


def test_what_shows_only_needs_no_info_text() -> None:
    content = samples.patch()
    add(content["patcher"], box(20, "slider", [10, 100, 100, 6], ignoreclick=1))
    assert problems(content) == []


def test_a_store_without_a_face_is_filled_by_the_patch() -> None:
    content = samples.patch()
    patcher = content["patcher"]
    store = control(20, "newobj", [], "Memory", text="pattr memory", parameter_type=3, parameter_invisible=1)
    add(patcher, store)
    patcher["lines"].append(cord(4, 0, 20, 0))
    assert problems(content) == []
    saved(patcher, 20)["parameter_invisible"] = 0
    assert ["is Hidden" in problem for problem in problems(content)] == [True]


def test_an_abstraction_is_fine_where_its_file_is() -> None:
    content = samples.patch()
    add(content["patcher"], box(20, "newobj", text="helper 1"))
    content["patcher"]["dependency_cache"].append({"name": "helper.maxpat", "type": "JSON"})
    assert problems(content, helper_maxpat="{}") == []


def test_a_file_that_nothing_refers_to_is_told() -> None:
    assert problems(spare_js='"use strict";\n') == [
        "spare.js is inside the device, and nothing in the patch refers to it"
    ]


def test_every_rule_has_a_device_that_breaks_it() -> None:
    broken = []
    for breaks, _ in BREAKS.values():
        content = samples.patch()
        breaks(content["patcher"])
        broken.append(samples.device(content))
    readable = [device for device in broken if not list(structure(device))]
    for rule in set(RULES) - set(check_script.RULES):
        assert any(list(rule(device, device.files)) for device in readable), rule.__name__


def test_the_device_itself_is_fine() -> None:
    unfrozen = build(frozen=False)
    assert check(build()["Loopgen.amxd"]) == []
    assert check(unfrozen.pop("Loopgen.amxd"), unfrozen) == []
