"""``python -m tests.bench [NAME ...] [--audio DIR] [--quick]``: the figures, measured side by side with a peer."""

from __future__ import annotations

import argparse
import time
from importlib import import_module
from pathlib import Path

from tests.bench.options import Options

BENCHMARKS = {
    "length": "frames against exact arithmetic, random tempo, bars, meter and rate",
    "grid": "period and tempo's course, beside librosa",
    "tracker": "which beat is one: beat, half-bar and bar, beside the method before, librosa and greatest flux",
    "stretch": "onsets, pre-echo and spectra of the stretchers",
    "seams": "seams that pass all six metrics, beside the nearest peer's method",
    "conform": "take to loop, end to end: onset deviation and time, beside the nearest peer's method",
    "engine": "times real time of the embedded engine, by genre",
    "presets": "every factory preset by the embedded engine: seam, beat 1, loudness, flaws, time",
    "retempo": "loops of eight bars on another tempo, takes from memory and from disk; made again, bit by bit",
    "bridge": "the OSC server: replies, bursts, hostile datagrams, killed workers, bad disks, a soak",
    "library": "index of 100,000 loops, questions to it, import by two processes",
    "page": "the library's page in Chromium: first paint with 10,000 loops, scrolling, a loop laid on another tempo",
    "start": "time of `loopgen --help` against an empty Python",
}


def main() -> None:
    """Run the benchmarks that are named, all of them without a name."""
    listing = "\n".join(f"  {name:<9} {text}" for name, text in BENCHMARKS.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description=listing, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="benchmarks to run (default: all)")
    parser.add_argument("--audio", type=Path, metavar="DIR", help="a folder of real loops to make takes of")
    parser.add_argument("--quick", action="store_true", help="fewer cases, for a first look")
    options = parser.parse_args()
    if unknown := set(options.names) - set(BENCHMARKS):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    if options.audio and not options.audio.is_dir():
        parser.error(f"{options.audio} is no folder")
    for name in options.names or BENCHMARKS:
        print(f"\n== {name}: {BENCHMARKS[name]}", flush=True)
        begin = time.perf_counter()
        import_module(f"tests.bench.{name}").run(Options(options.audio, options.quick))
        print(f"({time.perf_counter() - begin:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
