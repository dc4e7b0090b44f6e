"""``loopgen generate``, ``conform`` and ``inspect``: loops made, kept and measured."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING

from loopgen.cli.common import Commands, Parser, add_command, add_hardware, plain_terminal, print_json, say
from loopgen.cli.delivery import Delivery, add_output, chosen_settings, draw

if TYPE_CHECKING:  # heavy modules are imported by the command that needs them: --help answers at once
    from loopgen.music.loop import Loop


def add(commands: Commands[Parser]) -> None:
    """Add the three commands."""
    _add_generate(commands)
    _add_conform(commands)
    _add_inspect(commands)


def _add_generate(commands: Commands[Parser]) -> None:
    command = add_command(commands, "generate", _generate, "make loops from a prompt")
    command.add_argument("prompt", nargs="?", help='what it should sound like: "dub techno, rolling bass, rainy"')
    command.add_argument("--preset", metavar="NAME", help="a sound of `loopgen presets`; other options override it")
    command.add_argument("--engine", metavar="NAME", help="an engine of `loopgen engines` (default: auto, the best)")
    command.add_argument("--key", metavar="KEY", help="like Am, F# minor or D dorian (default: the engine chooses)")
    command.add_argument("--melody", metavar="NOTES", help='a .mid or audio file, or notes: "A4 C5 E5:2 r D5:0.5"')
    command.add_argument(
        "--separate", action="store_true", default=None, help="take drums and bass out of an audio clip first (Demucs)"
    )
    command.add_argument("--chords", metavar="SYMBOLS", help='instead of a melody, one a bar: "Am F C/E N.C."')
    command.add_argument(
        "--follow", metavar="WHAT", help="of the melody that is given: melody (the default), chords or nothing"
    )
    command.add_argument(
        "--seed", type=int, help="0 to 4294967295; the same seed gives the same loop (default: random)"
    )
    command.add_argument("--variations", type=int, default=1, metavar="K", help="how many loops (default: 1)")
    command.add_argument("--continue", dest="go_on", metavar="LOOP", help="go on from the end of this loop")
    command.add_argument("--preview", metavar="WAV", help="write the take so far into this file (engines with models)")
    command.add_argument("--vary", metavar="LOOP", help="begin like this loop, and go another way")
    command.add_argument(
        "--longest-fade", type=float, metavar="MS", help="of the seam: 0 (a plain cut) to 240 milliseconds (default)"
    )
    _add_loop_options(command)
    model = command.add_argument_group("engines with models")
    model.add_argument("--takes", type=int, metavar="K", help="so many takes at once; the best become the loops")
    model.add_argument("--temperature", type=float, metavar="T", help="how freely tokens are drawn, 0 to 10 (1)")
    model.add_argument("--top-k", type=int, metavar="N", help="from so many of the likeliest tokens (250; 0: all)")
    model.add_argument("--top-p", type=float, metavar="P", help="from the likeliest of this probability (0: by top-k)")
    model.add_argument("--guidance", type=float, metavar="G", help="how closely the prompt is kept to, 0 to 20 (3)")
    model.add_argument("--negative", metavar="WORDS", help="what it should not sound like (experimental)")
    model.add_argument(
        "--count-in",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="play the model a bar of clicks on the tempo first",
    )
    add_hardware(command)


def _add_conform(commands: Commands[Parser]) -> None:
    command = add_command(commands, "conform", _conform, "turn a recording into a loop of an exact tempo")
    command.add_argument("take", help="a WAV, FLAC, OGG, MP3 or AIFF file")
    command.add_argument("--source-bpm", metavar="BPM", help="the recording's own tempo, if you know it")
    command.add_argument("--downbeat", type=float, metavar="SECONDS", help="where a bar begins, if you know it")
    command.add_argument("--key", metavar="KEY", help="the recording's key, for the file's tags")
    _add_loop_options(command)


def _add_loop_options(command: Parser) -> None:
    command.add_argument("--bpm", help="quarter notes a minute, 20 to 999, kept exactly: 127.9")
    command.add_argument("--bars", type=int, help="1 to 256 (default: 4)")
    command.add_argument("--meter", metavar="N/D", help="like 3/4, 6/8 or 7/8 (default: 4/4)")
    command.add_argument("--rate", type=int, metavar="HZ", help="sample rate, 8000 to 192000 (default: 44100)")
    command.add_argument("--stretcher", metavar="NAME", help="auto (the default), or one by name (see the README)")
    command.add_argument("--listener", metavar="NAME", help="who finds the beats: own (the default), or beat_this too")
    add_output(command)


def _add_inspect(commands: Commands[Parser]) -> None:
    command = add_command(commands, "inspect", _inspect, "measure a loop: tempo, grid, seam, level")
    command.add_argument("file", help="a loop; its tempo is read from its sidecar, its tags or its name, or measured")
    command.add_argument("--bpm", help="its tempo, if the file does not say")
    command.add_argument("--bars", type=int, help="its number of bars, if the file does not say")
    command.add_argument("--meter", metavar="N/D", help="its meter, if the file does not say")
    command.add_argument("--picture", metavar="PNG", help="draw waveform, seam and onset deviation into this file")


def _generate(options: argparse.Namespace) -> None:
    from dataclasses import replace
    from pathlib import Path

    from loopgen import studio
    from loopgen.engines import base
    from loopgen.errors import InputError
    from loopgen.melodies import read_melody
    from loopgen.orders import ASKED, settle
    from loopgen.previews import PreviewFile

    chosen = chosen_settings(options)
    _check_preview(options.preview)
    if options.separate and options.melody is None:
        raise InputError("--separate takes drums and bass out of a recording: give one with --melody")
    asked = {name: getattr(options, name) for name in ASKED}
    earlier = _earlier(options)
    otherwise = {"engine": chosen.engine, "rate": chosen.rate, "takes": chosen.takes}
    otherwise |= {"stretcher": chosen.stretcher, "listener": chosen.listener}
    before = earlier[1].request if earlier else None
    order = partial(settle, own_presets=chosen.presets, otherwise=otherwise, earlier=before)
    settled = order(asked)
    if options.melody is not None:  # a clip that does not say its tempo has the loop's
        separate = base.separator() if chosen.separate else None
        melody = read_melody(options.melody, bpm=settled.request.bpm, separate=separate)
        settled = order(asked | {"seed": settled.request.seed}, melody)
    request = settled.request
    delivery = Delivery(options, chosen, settled.notes, several=request.variations > 1)
    if earlier:
        how, loop, name = earlier
        request = replace(request, opening=studio.opening(loop, request, how, name))
    base.listener(request.listener)  # what is not here is known before a model is loaded
    hardware = base.Hardware(chosen.device, chosen.precision, chosen.threads)
    engine = base.load(
        request.engine,
        hardware,
        lambda share: delivery.progress(0.0, f"loading the model: {share:.0%}"),
        passed_over=lambda reason: say(f"note: {reason}"),
    )
    if options.preview and not isinstance(engine, base.BatchEngine):
        say(f"note: {engine.name} cannot be heard before it is done: nothing is written to {options.preview}")
    preview = PreviewFile(Path(options.preview)) if options.preview else None
    for loop in studio.generate(
        request, engine=engine, stretcher=request.stretcher, progress=delivery.progress, preview=preview
    ):
        delivery.add(loop)
    delivery.close()


def _earlier(options: argparse.Namespace) -> tuple[str, Loop, str] | None:
    """The loop that is to be gone on from: how, the loop, its name."""
    from pathlib import Path

    from loopgen import studio
    from loopgen.errors import InvalidRequest

    given = {studio.CONTINUE: options.go_on, studio.VARY: options.vary}
    named = {how: file for how, file in given.items() if file is not None}
    if len(named) > 1:
        raise InvalidRequest("vary", options.vary, "either --continue or --vary")
    for how, file in named.items():
        return how, studio.inspect(Path(file)), Path(file).name
    return None


def _conform(options: argparse.Namespace) -> None:
    from pathlib import Path

    from loopgen import studio
    from loopgen.audiofile import read_audio
    from loopgen.errors import InvalidRequest
    from loopgen.music.request import LoopRequest
    from loopgen.music.tempo import parse_bpm

    chosen = chosen_settings(options)
    if options.bpm is None:
        raise InvalidRequest("bpm", "", "the loop's tempo with --bpm, like --bpm 128")
    request = LoopRequest(
        Path(options.take).stem[:80],
        options.bpm,
        bars=options.bars if options.bars is not None else 4,
        meter=options.meter if options.meter is not None else "4/4",
        key=options.key,
        rate=options.rate if options.rate is not None else chosen.rate,
        engine="conform",
        listener=chosen.listener,
    )
    source_bpm = parse_bpm(options.source_bpm, "source-bpm") if options.source_bpm is not None else None
    audio = read_audio(options.take)
    delivery = Delivery(options, chosen, ())
    told = {"source_bpm": source_bpm, "downbeat": options.downbeat}
    delivery.add(studio.conform(audio, request, **told, stretcher=chosen.stretcher, progress=delivery.progress))
    delivery.close()


def _inspect(options: argparse.Namespace) -> None:
    from pathlib import Path

    from loopgen import report, studio

    path = Path(options.file)
    loop = studio.inspect(path, bpm=options.bpm, bars=options.bars, meter=options.meter)
    picture = draw(loop, Path(options.picture)) if options.picture else None
    if options.json:
        print_json(report.fields(loop, path, picture))
    else:
        print("\n".join(report.describe(loop, path, picture, plain=plain_terminal())))


def _check_preview(name: str | None) -> None:
    """Find out before the work whether a preview can be written; makes its folder."""
    from pathlib import Path

    from loopgen.errors import InvalidRequest
    from loopgen.files import check_folder

    if name is None:
        return
    if Path(name).suffix.lower() != ".wav":
        raise InvalidRequest("preview", name, "a file name ending in .wav")
    check_folder(Path(name).parent)
