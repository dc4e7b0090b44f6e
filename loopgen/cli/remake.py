"""``loopgen redo``, ``retempo`` and ``rotate``: loops made again, their takes laid on another tempo, and turned."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from loopgen.cli.common import HARDWARE, Commands, Parser, add_command, add_hardware
from loopgen.cli.delivery import Delivery, add_output, chosen_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from loopgen.engines import base
    from loopgen.looping.make import Progress
    from loopgen.music.loop import Loop

_TO_VARY = (
    ("--prompt", str, "WORDS", "what it should sound like"),
    ("--bpm", str, "BPM", "quarter notes a minute (played anew; `loopgen retempo` stretches the take that is there)"),
    ("--bars", int, "N", "1 to 256"),
    ("--meter", str, "N/D", "like 3/4"),
    ("--key", str, "KEY", "like Am"),
    ("--seed", int, "N", "0 to 4294967295"),
    ("--engine", str, "NAME", "an engine of `loopgen engines`"),
    ("--preset", str, "NAME", "a sound of `loopgen presets`, for all but tempo, bars, meter and key"),
    ("--chords", str, "SYMBOLS", 'one a bar: "Am F C/E N.C."'),
    ("--follow", str, "WHAT", "of the melody: melody, chords or nothing"),
    ("--rate", int, "HZ", "8000 to 192000"),
    ("--stretcher", str, "NAME", "auto, or one by name"),
    ("--longest-fade", float, "MS", "of the seam, 0 to 240"),
    ("--listener", str, "NAME", "who finds the beats: own, or beat_this too"),
    ("--variations", int, "K", "so many loops; alone, each with a new seed"),
    ("--takes", int, "K", "so many takes at once (engines with models)"),
    ("--temperature", float, "T", "0 to 10"),
    ("--top-k", int, "N", "0 to 2048"),
    ("--top-p", float, "P", "0 to 1"),
    ("--guidance", float, "G", "0 to 20"),
    ("--negative", str, "WORDS", "what it should not sound like"),
)


def add(commands: Commands[Parser]) -> None:
    """Add the commands."""
    redo = add_command(commands, "redo", _redo, "make a loop again, bit by bit, or with something changed")
    redo.add_argument("loop", help="a WAV or FLAC that loopgen made; its recipe is in its sidecar and inside it")
    vary = redo.add_argument_group("what is to be different (without any: the very same loop)")
    for flag, kind, metavar, text in _TO_VARY:
        vary.add_argument(flag, type=kind, metavar=metavar, help=text)
    vary.add_argument("--melody", metavar="NOTES", help='a .mid or audio file, or notes: "A4 C5 E5:2 r D5:0.5"')
    vary.add_argument("--count-in", action=argparse.BooleanOptionalAction, default=None, help="clicks first, or not")
    add_hardware(redo)
    add_output(redo, beside=True)
    retempo = add_command(commands, "retempo", _retempo, "lay the takes of loops on another tempo, bars or start")
    retempo.add_argument("loops", nargs="+", metavar="LOOP", help="loops whose takes were kept, or takes themselves")
    retempo.add_argument("--bpm", help="the new tempo, 20 to 999 quarter notes a minute, kept exactly: 131.5")
    retempo.add_argument("--bars", type=int, metavar="N", help="another number of bars, as many as the take has")
    retempo.add_argument(
        "--start",
        type=int,
        metavar="BEATS",
        help="the beat of the take that becomes beat 1; 0 is the first loop's, and --start=-4 a bar of 4/4 before it",
    )
    retempo.add_argument("--stretcher", metavar="NAME", help="auto (the default), or one by name (see the README)")
    add_output(retempo, beside=True)
    rotate = add_command(commands, "rotate", _rotate, "turn loops, so that another of their beats is beat 1")
    rotate.add_argument("loops", nargs="+", metavar="LOOP", help="WAV or FLAC loops, or others; they need no take")
    rotate.add_argument(
        "--beats",
        metavar="N",
        help="how many beats later beat 1 is to lie: 1, -1, 0.5, 1/4 (default: the second likeliest beat 1, where the "
        "loop names one)",
    )
    rotate.meant = _signed
    add_output(rotate, beside=True)


def _signed(words: list[str]) -> list[str]:
    """``--beats -1/2`` as one word: argparse takes what begins like an option for one.

    >>> _signed(["a.wav", "--beats", "-1/2", "--json"])
    ['a.wav', '--beats=-1/2', '--json']
    """
    joined: list[str] = []
    for word in words:
        if joined and joined[-1] == "--beats" and word[:1] == "-" and word[1:2].isdigit():
            joined[-1] = f"--beats={word}"
        else:
            joined.append(word)
    return joined


def _redo(options: argparse.Namespace) -> None:
    from pathlib import Path

    from loopgen import remake, rotate
    from loopgen.engines import base
    from loopgen.melodies import read_melody

    chosen = chosen_settings(options)
    path = Path(options.loop)
    given = {name: getattr(options, name) for name in (_field(flag) for flag, *_ in _TO_VARY)}
    given["count_in"] = options.count_in
    melody = None
    if options.melody is not None:
        separate = base.separator() if chosen.separate else None
        melody = read_melody(options.melody, bpm=options.bpm or _tempo(path), separate=separate)
    delivery = Delivery(options, chosen, (), several=(options.variations or 1) > 1)
    if options.output is None:
        delivery.check(path.parent)

    def load(name: str, hardware: base.Hardware) -> base.Engine:
        def loading(share: float) -> None:
            delivery.progress(0.0, f"loading the model: {share:.0%}")

        return base.load(name, hardware, loading, passed_over=delivery.note)

    said = {name: getattr(chosen, name) for name in HARDWARE}
    for made in remake.redo(
        path,
        given,
        melody=melody,
        own_presets=chosen.presets,
        hardware=base.Hardware(**said),
        load=load,
        progress=delivery.progress,
    ):
        if made.identical is None:
            verdict = "changed  "
        else:
            verdict = "redone   bit-identical" if made.identical else "redone   not bit-identical"
        lines = [f"{verdict}{': ' * (made.identical is not None and bool(made.remarks))}{'; '.join(made.remarks)}"]
        more = {"identical": made.identical, "remarks": list(made.remarks)}
        like = None if made.identical is None else rotate.own_format(path)  # it takes its own place again
        delivery.add(made.loop, more, lines, beside=path.parent, like=like)
    delivery.close()


def _field(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_")


def _tempo(path: Path) -> str | None:
    """A loop's own tempo, for a melody that does not say its own."""
    from loopgen.library import recall

    bpm = recall(path).bpm
    return None if bpm is None else str(bpm)


def _retempo(options: argparse.Namespace) -> None:
    from pathlib import Path

    from loopgen import remake
    from loopgen.errors import InvalidRequest
    from loopgen.music.tempo import parse_bpm

    if options.bpm is None and options.bars is None and options.start is None:
        raise InvalidRequest("bpm", "", "another tempo with --bpm, like --bpm 131.5; or --bars, or --start")
    bpm = parse_bpm(options.bpm) if options.bpm is not None else None
    chosen = chosen_settings(options)
    paths = [Path(name) for name in options.loops]
    delivery = Delivery(options, chosen, (), several=len(paths) > 1)
    laid: dict[tuple[object, ...], Path] = {}

    def lay(path: Path, progress: Progress) -> None:
        beside = path.parent.parent if path.parent.name == "takes" else path.parent
        if options.output is None:
            delivery.check(beside)
        loop = remake.retempo(
            path, bpm, bars=options.bars, start=options.start, stretcher=chosen.stretcher, progress=progress
        )
        first = laid.setdefault(_place(loop), path)
        if first != path:
            delivery.note(f"{path.name} is of the same take and bars as {first.name}: one loop is made of both")
            return
        more = {"of": str(path), "stretched": remake.how_far(loop), "ratio": loop.recipe["steps"]["ratio"]}
        delivery.add(loop, more, [f"retempo  {remake.how_far(loop)}"], beside=beside)

    _each(paths, lay, delivery, "laid anew")


def _each(paths: Sequence[Path], do: Callable[[Path, Progress], None], delivery: Delivery, done: str) -> None:
    """Do the same with each loop; what cannot be done with one of several is said, and the others are gone on with."""
    from loopgen.errors import InputError, LoopgenError

    failed = 0
    for number, path in enumerate(paths):
        which = f"{path.name}: " if len(paths) > 1 else ""

        def progress(share: float, stage: str, number: int = number, which: str = which) -> None:
            delivery.progress((number + share) / len(paths), which + stage)

        try:
            do(path, progress)
        except LoopgenError as error:
            if len(paths) == 1:
                raise
            failed += 1
            delivery.note(str(error))
    delivery.close()
    if failed:
        raise InputError(f"{failed} of {len(paths)} files were not {done}; the notes say why")


def _rotate(options: argparse.Namespace) -> None:
    from pathlib import Path

    from loopgen import rotate
    from loopgen.errors import InvalidRequest
    from loopgen.music.turn import later

    beats = rotate.parse_turn(options.beats) if options.beats is not None else None
    chosen = chosen_settings(options)
    paths = [Path(name) for name in options.loops]
    delivery = Delivery(options, chosen, (), several=len(paths) > 1)
    if options.output is not None and Path(options.output).resolve() in [path.resolve() for path in paths]:
        raise InvalidRequest("output", options.output, "another name: that is the loop that is to be turned")

    def turn(path: Path, progress: Progress) -> None:
        if options.output is None:
            delivery.check(path.parent)
        loop = rotate.rotate(path, beats, progress=progress)
        by = beats if beats is not None else rotate.runner_up(path)
        more = {"of": str(path), "turned": str(by), "rotated": loop.recipe["rotated"]}
        remark = f"turned   beat 1 is {later(by)} than in {path.name}"
        delivery.add(loop, more, [remark], beside=path.parent, like=rotate.own_format(path))

    _each(paths, turn, delivery, "turned")


def _place(loop: Loop) -> tuple[object, ...]:
    """What of which take a loop is: loops that agree in it sound alike on the same tempo."""
    steps, take, request = loop.recipe["steps"], loop.recipe.get("take") or {}, loop.request
    turn = (loop.recipe.get("rotated") or {}).get("beats", "0")
    return take.get("name"), steps["beat"], steps["beats"], request.bars, request.rate, turn
