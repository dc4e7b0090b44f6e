"""The bridge: how soon it answers and delivers, and what it endures, beside the ways without it.

The server is `loopgen serve` in a process of its own, driven over UDP as any client would.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.bench.bridge_hostile import hostile, soak
from tests.bench.bridge_jobs import disks, kills, starts, triggers
from tests.bench.bridge_load import bursts, crowd, replies, stars
from tests.bench.options import Options


def run(options: Options) -> None:
    """Print one table: a figure a row, beside what is to be reached; a peer's rows are set in."""
    for measure in (replies, starts, triggers, bursts, crowd, stars, hostile, kills, disks, soak):
        with tempfile.TemporaryDirectory(prefix="loopgen-bench-") as folder:
            measure(options, Path(folder).resolve() / measure.__name__)
