"""How soon the command line answers."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from tests.bench.options import Options


def run(options: Options) -> None:
    """Print the median times of ``loopgen --help`` and others beside that of an empty Python, taken in turns."""
    commands = {"python -c pass": ["-c", "pass"]}
    for words in ("--help", "serve --help", "send --help"):
        commands[f"loopgen {words}"] = ["-m", "loopgen", *words.split()]
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(5 if options.quick else 25):
        for name, arguments in commands.items():
            begin = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
            times[name].append(time.perf_counter() - begin)
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, median in medians.items():
        print(f"{name:<20} {1000 * median:7.1f} ms")
    print(f"{'ratio':<20} {medians['loopgen --help'] / medians['python -c pass']:7.2f}   (to reach: <= 5)")
