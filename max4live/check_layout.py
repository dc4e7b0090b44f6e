"""What must hold of what a user sees and reads: the presentation, and the Info text of its controls."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from max4live.amxd import Device
from max4live.check_patch import Files
from max4live.check_structure import is_number, is_rectangle
from max4live.objects import CONTROLS, boxes, label

HEIGHT = 169
"""Pixels that Live gives a device."""


def _presented(device: Device) -> list[dict[str, Any]]:
    """The boxes of the presentation: in patchers within the patch nothing of it is seen."""
    return [box for box in boxes(device.patch["patcher"]) if box.get("presentation")]


def opens_in_presentation(device: Device, files: Files) -> Iterator[str]:
    """The device shows its presentation, not its cords."""
    if device.patch["patcher"].get("openinpresentation") != 1:
        yield "openinpresentation is not 1: Live would show the patch with its cords"


def rectangles(device: Device, files: Files) -> Iterator[str]:
    """Everything lies on whole pixels inside the device."""
    width = device.patch["patcher"].get("devicewidth", 0)
    if not is_number(width) or width <= 0 or width != int(width):
        yield f"devicewidth is {width!r}; give the width of the device in whole pixels"
        width = float("inf")
    for box in _presented(device):
        rectangle: object = box.get("presentation_rect")
        if not is_rectangle(rectangle):
            yield f"{label(box)}: presentation_rect is {rectangle!r}; give left, top, width and height"
            continue
        x, y, w, h = rectangle
        if any(number != int(number) for number in rectangle):
            yield f"{label(box)}: presentation_rect is {rectangle}; whole pixels are sharp on every screen"
        if w <= 0 or h <= 0 or x < 0 or y < 0 or x + w > width or y + h > HEIGHT:
            yield (
                f"{label(box)}: it reaches from {x}, {y} to {x + w}, {y + h}; the device ends at {width}, {HEIGHT}, "
                "and nothing may be empty"
            )


def overlaps(device: Device, files: Files) -> Iterator[str]:
    """Nothing covers anything else, but what lies on a panel in the background."""
    seen = [box for box in _presented(device) if is_rectangle(box.get("presentation_rect"))]
    seen = [box for box in seen if not (box["maxclass"] == "panel" and box.get("background")) and not box.get("hidden")]
    for one, other in combinations(seen, 2):
        (x, y, w, h), (left, top, width, height) = one["presentation_rect"], other["presentation_rect"]
        if x < left + width and left < x + w and y < top + height and top < y + h:
            yield f"{label(one)} and {label(other)} lie over each other in the presentation"


def info_texts(device: Device, files: Files) -> Iterator[str]:
    """Every control says in Live's Info View what it is for."""
    for box in _presented(device):
        if box["maxclass"] not in CONTROLS or box.get("ignoreclick"):
            continue
        for key, what in (("annotation_name", "title"), ("annotation", "text")):
            if not str(box.get(key, "")).strip():
                yield f"{label(box)}: Live's Info View has no {what} for it; give it an {key}"


RULES = (opens_in_presentation, rectangles, overlaps, info_texts)
