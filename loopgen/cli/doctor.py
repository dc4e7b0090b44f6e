"""``loopgen doctor``: whether this machine can make loops, and what to do where it cannot."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from loopgen.cli.common import HARDWARE, Commands, Parser, ProgressLine, add_command, add_hardware, print_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loopgen.engines.musicgen.check import Finding
    from loopgen.settings import Settings

MARKS = {"ok": "ok", "warning": "warning", "problem": "PROBLEM"}


def add(commands: Commands[Parser]) -> None:
    """Add the command."""
    text = "check the machine: versions, hardware, weights, and MusicGen's decoder against transformers'"
    command = add_command(commands, "doctor", _doctor, text)
    command.add_argument(
        "model", nargs="?", default="", metavar="MODEL", help="the model to try (default: the smallest that is here)"
    )
    add_hardware(command)


def _doctor(options: argparse.Namespace) -> None:
    from dataclasses import asdict

    from loopgen import settings
    from loopgen.errors import JobError

    flags = {name: getattr(options, name) for name in HARDWARE}
    chosen = settings.resolve(flags, os.environ, settings.config_file(os.environ)).settings
    line = ProgressLine(is_silent=options.json)
    found = []
    try:
        for finding in _findings(options.model, chosen, line):
            found.append(finding)
            line.clear()
            if not options.json:
                print(f"{MARKS[finding.level]:<8} {finding.topic:<13} {finding.text}", flush=True)
                if finding.remedy:
                    print(f"{'':<22} -> {finding.remedy}", flush=True)
    finally:
        line.clear()
    problems = [finding for finding in found if finding.level == "problem"]
    if options.json:
        print_json({"engine": chosen.engine, "fine": not problems, "findings": [asdict(finding) for finding in found]})
    if problems:
        topics = ", ".join(dict.fromkeys(finding.topic for finding in problems))
        raise JobError(f"{len(problems)} of {len(found)} checks found a problem: {topics}")


def _findings(model: str, chosen: Settings, line: ProgressLine) -> Iterator[Finding]:
    from loopgen.engines import base
    from loopgen.engines.musicgen import check
    from loopgen.errors import EngineUnavailable

    plain, named = base.split(chosen.engine)
    model = model.removeprefix("musicgen:")  # as it is written elsewhere
    hardware = base.Hardware(chosen.device, chosen.precision, chosen.threads)
    is_needed = plain == "musicgen"
    yield from check.examine(model or (named if is_needed else ""), hardware, is_needed=is_needed, told=line.show)
    yield _listener(chosen.listener)
    try:
        base.check(chosen.engine)
    except EngineUnavailable as error:
        yield check.Finding("engine", "problem", str(error))
        return
    best = next((info.name for info in base.engines() if info.available), "none")
    text = f"{chosen.engine} (now: {best})" if chosen.engine == "auto" else chosen.engine
    yield check.Finding("engine", "ok", text)


def _listener(chosen: str) -> Finding:
    """Whether beat_this can be asked where beats and bars lie, which is a problem only where the settings say so."""
    from loopgen.engines import base
    from loopgen.engines.musicgen.check import Finding
    from loopgen.music.request import OWN

    reason = base.listener_missing()
    if chosen != OWN:
        return Finding("listener", "problem" if reason else "ok", f"{chosen}: {reason}" if reason else chosen)
    return Finding("listener", "ok", f"{OWN}; beat_this " + (f"is optional: {reason}" if reason else "is here too"))
