"""A small device in which nothing is wrong, for tests that put one thing wrong."""

from __future__ import annotations

from typing import Any

from max4live import amxd

SCRIPT = """// A script.
"use strict";

inlets = 1;
outlets = 2;

function anything() {
  this.patcher.getnamed("status").message("set", "post(1) => `fine`"); // post(2) is said, not done
}
"""


def box(number: int, maxclass: str, rectangle: list[int] | None = None, **more: Any) -> dict[str, Any]:
    """A box; with a rectangle it is in the presentation."""
    shown = {"presentation": 1, "presentation_rect": rectangle} if rectangle else {}
    outlets = more.pop("numoutlets", 1)
    return {
        "id": f"obj-{number}",
        "maxclass": maxclass,
        "numinlets": 1,
        "numoutlets": outlets,
        "outlettype": [""] * outlets,
        "patching_rect": [20.0, 20.0 * number, 60.0, 20.0],
        **shown,
        **more,
    }


def control(number: int, maxclass: str, rectangle: list[int], name: str, **more: Any) -> dict[str, Any]:
    """A parameter's box; what is given as ``parameter_...`` belongs to the parameter."""
    saved = {key: more.pop(key) for key in list(more) if key.startswith("parameter_")}
    return box(
        number,
        maxclass,
        rectangle,
        varname=name.lower(),
        annotation_name=name,
        annotation=f"What {name} does.",
        parameter_enable=1,
        saved_attribute_attributes={"valueof": {"parameter_longname": name, "parameter_shortname": name, **saved}},
        **more,
    )


def cord(source: int, outlet: int, destination: int, inlet: int) -> dict[str, Any]:
    """A cord between two boxes, by their numbers."""
    return {"patchline": {"source": [f"obj-{source}", outlet], "destination": [f"obj-{destination}", inlet]}}


def patch() -> dict[str, Any]:
    """A patch; ``dependency_cache`` lists its script."""
    return {
        "patcher": {
            "fileversion": 1,
            "openinpresentation": 1,
            "devicewidth": 200.0,
            "boxes": [
                {"box": each}
                for each in (
                    box(1, "newobj", text="plugin~", numoutlets=2),
                    box(2, "newobj", text="plugout~", numinlets=2, numoutlets=0),
                    box(3, "newobj", text="js logic.js", varname="logic", numoutlets=2),
                    box(4, "newobj", text="udpreceive 11201 @defer 1"),
                    box(5, "newobj", text="s ---status", numoutlets=0),
                    box(6, "newobj", text="live.thisdevice", numoutlets=3),
                    box(7, "panel", [0, 0, 200, 169], background=1, numoutlets=0),
                    box(8, "live.comment", [10, 10, 100, 16], varname="status", numoutlets=0),
                    control(
                        9,
                        "live.numbox",
                        [10, 30, 40, 15],
                        "Guidance",
                        numoutlets=2,
                        parameter_type=0,
                        parameter_unitstyle=1,
                        parameter_mmin=0,
                        parameter_mmax=10,
                        parameter_initial_enable=1,
                        parameter_initial=[3],
                    ),
                    control(
                        10,
                        "live.menu",
                        [60, 30, 40, 15],
                        "Bars",
                        numoutlets=3,
                        parameter_type=2,
                        parameter_enum=["1", "2", "4"],
                        parameter_initial_enable=1,
                        parameter_initial=[2],
                    ),
                    control(
                        11,
                        "live.text",
                        [10, 60, 60, 20],
                        "Generate",
                        mode=0,
                        numoutlets=2,
                        parameter_type=2,
                        parameter_invisible=2,
                        parameter_enum=["off", "on"],
                    ),
                )
            ],
            "lines": [
                cord(1, 0, 2, 0),
                cord(1, 1, 2, 1),
                cord(4, 0, 3, 0),
                cord(3, 0, 5, 0),
                cord(6, 0, 9, 0),
                cord(9, 0, 3, 0),
            ],
            "parameters": {
                "obj-9": ["Guidance", "Guidance", 0],
                "obj-10": ["Bars", "Bars", 0],
                "obj-11": ["Generate", "Generate", 0],
                "parameterbanks": {"0": {"index": 0, "name": "Main", "parameters": ["Guidance", "Bars", "-"]}},
            },
            "dependency_cache": [{"name": "logic.js", "patcherrelativepath": ".", "type": "TEXT", "implicit": 1}],
            "project": {"version": 1, "amxdtype": 1633771873},
        }
    }


def device(content: dict[str, Any] | None = None, **files: str) -> amxd.Device:
    """The sample as a device; files by name with ``_`` for the dot."""
    texts = {"logic.js": SCRIPT} | {name.replace("_", "."): text for name, text in files.items()}
    return amxd.Device("aaaa", content or patch(), {name: text.encode() for name, text in texts.items()})
