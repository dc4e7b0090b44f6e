"""``loopgen engines``, ``presets`` and ``settings``: what there is."""

from __future__ import annotations

import argparse
import os

from loopgen.cli.common import Commands, Parser, add_command, print_json, say


def add(commands: Commands[Parser]) -> None:
    """Add the commands."""
    add_command(commands, "engines", _engines, "list the engines, and why some cannot be used")
    presets = add_command(commands, "presets", _presets, "list the presets, or show one")
    presets.add_argument("name", nargs="?", help="the preset to show")
    add_command(commands, "settings", _settings, "show every setting, where it came from, and where to change it")


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
    from loopgen import presets, settings
    from loopgen.errors import PresetUnusable

    own = settings.resolve({}, os.environ, settings.config_file(os.environ)).settings.presets
    chosen = []
    for name in [options.name] if options.name else presets.names(own):
        try:
            chosen.append(presets.load(name, own))
        except PresetUnusable as error:
            if options.name:
                raise
            say(f"loopgen: {error}")  # one broken file hides no other preset
    if options.json:
        shown = [
            {"name": preset.name, "description": preset.description, "own": preset.own, **preset.fields}
            for preset in chosen
        ]
        print_json({"presets": shown, "folder": str(own)})
    elif options.name:
        for key, value in {"description": chosen[0].description, **chosen[0].fields}.items():
            print(f"{key:<12} {value}")
    else:
        width = max(len(preset.name) for preset in chosen)
        for preset in chosen:
            print(f"{preset.name:<{width}}  {preset.description}{' (your own)' if preset.own else ''}".rstrip())
        print(f"\nYour own go into {own}")


def _settings(options: argparse.Namespace) -> None:
    from loopgen import settings

    file = settings.config_file(os.environ)
    resolved = settings.resolve({}, os.environ, file)
    rows = {
        name: (value if isinstance(value := getattr(resolved.settings, name), int) else str(value), origin)
        for name, origin in resolved.origins.items()
    }
    if options.json:
        shown = {name: {"value": value, "origin": origin} for name, (value, origin) in rows.items()}
        print_json({"file": str(file), "exists": file.is_file(), "settings": shown})
        return
    names, values = max(map(len, rows)), max(len(str(value)) for value, _ in rows.values())
    for name, (value, origin) in rows.items():
        print(f"{name:<{names}}  {value!s:<{values}}  {origin}")
    there = "" if file.is_file() else " (not there yet)"
    print(f"\nThe settings file is {file}{there}")
    print("To set one: a line like port = 11300 in it, LOOPGEN_PORT=11300 in the environment, or a command's --port.")
