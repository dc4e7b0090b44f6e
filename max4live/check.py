"""Lint for a built device: what would make Live refuse it, Max complain, or a user stumble."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from loopgen.errors import LoopgenError
from max4live import amxd, check_layout, check_parameters, check_patch, check_script, check_structure
from max4live.objects import all_references

RULES = (*check_patch.RULES, *check_parameters.RULES, *check_layout.RULES, *check_script.RULES)
"""Each takes the device and the files that it finds, and yields its problems in words."""


def check(data: bytes, beside: Mapping[str, bytes] = MappingProxyType({})) -> list[str]:
    """Problems of a device, given as the bytes of its file, in words; none when it is fine.

    A frozen device must hold all files that it needs; one that holds none may find them ``beside`` it, by name. What
    else lies there is none of its business.
    """
    try:
        device = amxd.from_bytes(data)
    except LoopgenError as error:
        return [str(error)]
    if problems := list(check_structure.structure(device)):
        return problems
    files = device.files or {name: beside[name] for name in all_references(device.patch) & beside.keys()}
    return [problem for rule in RULES for problem in rule(device, files)]
