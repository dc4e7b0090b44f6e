"""``loopgen engines`` and ``settings``: what there is."""

from __future__ import annotations

import argparse
import os

from loopgen.cli.common import Commands, Parser, add_command, print_json


def add(commands: Commands[Parser]) -> None:
    """Add the commands."""
    add_command(commands, "engines", _engines, "list the engines, and why some cannot be used")
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
