"""``loopgen engines`` and ``presets``: what there is."""

from __future__ import annotations

import argparse

from loopgen.cli.common import Commands, Parser, add_command, print_json


def add(commands: Commands[Parser]) -> None:
    """Add the commands."""
    add_command(commands, "engines", _engines, "list the engines, and why some cannot be used")
    presets = add_command(commands, "presets", _presets, "list the presets, or show one")
    presets.add_argument("name", nargs="?", help="the preset to show")


def _engines(options: argparse.Namespace) -> None:
    from dataclasses import asdict

    from loopgen.engines.base import engines

    found = engines()
    if options.json:
        print_json({"engines": [asdict(engine) for engine in found]})
        return
    width = max(len(engine.name) for engine in found)
    for engine in found:
        state = "available" if engine.available else f"not available: {engine.reason}"
        print(f"{engine.name:<{width}}  {engine.description}\n{'':<{width}}  {state}; licence: {engine.licence}")


def _presets(options: argparse.Namespace) -> None:
    from loopgen import presets

    chosen = [presets.load(name) for name in ([options.name] if options.name else presets.names())]
    if options.json:
        shown = [{"name": preset.name, "description": preset.description, **preset.fields} for preset in chosen]
        print_json({"presets": shown})
    elif options.name:
        for key, value in {"description": chosen[0].description, **chosen[0].fields}.items():
            print(f"{key:<12} {value}")
    else:
        width = max(len(preset.name) for preset in chosen)
        for preset in chosen:
            print(f"{preset.name:<{width}}  {preset.description}")
