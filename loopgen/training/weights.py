"""Makes the beat network's weights and their card anew, from nothing but seeds."""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import time
import zlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import scipy
import torch
from numpy.typing import NDArray

import loopgen.looping
from loopgen.errors import OutputUnwritable
from loopgen.files import check_folder, write_whole
from loopgen.looping.beat_net import CARD, WEIGHTS, packed
from loopgen.training.examples import Example, examples
from loopgen.training.judge import CLAIM, KEPT, asked, calibrated, table
from loopgen.training.learn import EPOCHS, learned
from loopgen.training.net import exported

PIECES, SEED = 6000, 20_261
FOLDS = 3
"""Styles are dealt to so many folds; each member learns without one of them, and is judged by that one."""

_MOST_PROCESSES = 61
"""That Python's pools can wait for on Windows."""

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""One thread for each process: sums in another order would give other weights."""


def main() -> None:
    """Make examples, train, calibrate, write the weights and their card.

    Exits with status 2 and a line that says why where an argument is out of range or the folder cannot be written.
    """
    parser = argparse.ArgumentParser(prog="python -m loopgen.training", description=__doc__)
    parser.add_argument(
        "--pieces", type=_from_one, default=PIECES, metavar="N", help=f"pieces to learn from ({PIECES})"
    )
    parser.add_argument(
        "--epochs", type=_from_one, default=EPOCHS, metavar="N", help=f"times that each is seen ({EPOCHS})"
    )
    parser.add_argument("--seed", type=_from_zero, default=SEED, help=f"of the pieces and the networks ({SEED})")
    usual_processes = min(os.cpu_count() or 1, _MOST_PROCESSES)
    parser.add_argument(
        "--processes", type=_from_one, default=usual_processes, metavar="N", help="at work at once (one a core)"
    )
    place = Path(loopgen.looping.__file__).parent
    parser.add_argument("--out", type=Path, default=place, metavar="DIR", help="where to write (beside the tracker)")
    options = parser.parse_args()
    try:
        check_folder(options.out)
    except OutputUnwritable as error:
        parser.error(str(error))
    begin = time.monotonic()
    os.environ.update(dict.fromkeys(THREADS, "1"))
    with ProcessPoolExecutor(min(options.processes, _MOST_PROCESSES), get_context("spawn"), _alone) as pool:
        made = _made(pool, options.seed, options.pieces)
        known = [each for pair in made for each in pair if each is not None]
        missed = sum(each is None for pair in made for each in pair)
        print(f"{len(known)} examples in {time.monotonic() - begin:.0f} s; {missed} takes whose grid was not found")
        judging = [[each for each in known if _fold(each) == k] for k in range(FOLDS)]
        if not all(judging):
            parser.error(f"--pieces {options.pieces}: not enough styles for {FOLDS} folds; ask for 100 or more")
        train = partial(_member, epochs=options.epochs)
        folds = [[each for each in known if _fold(each) != k] for k in range(FOLDS)]
        members = list(pool.map(train, folds, range(FOLDS), range(options.seed, options.seed + FOLDS)))
        widened = [({name: array.astype(np.float32) for name, array in each.items()},) for each in members]
        judged = [each for part in pool.map(asked, judging, widened) for each in part]
    calibration = calibrated(judged)
    data = packed(members, calibration)
    usual = {"pieces": PIECES, "epochs": EPOCHS, "seed": SEED}
    facts = {
        "pieces": options.pieces,
        "examples": len(known),
        "missed": missed,
        "styles": len({each.style for each in known}),
        "full": f"{calibration.full:.2f}",
        "alone": f"{calibration.alone:.2f}",
        "size": len(data),
        "digest": hashlib.sha256(data).hexdigest(),
        "date": date.today(),
        "minutes": f"{(time.monotonic() - begin) / 60:.0f}",
        "processes": options.processes,
        "platform": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, "
        f"torch {torch.__version__}, numpy {np.__version__}, scipy {scipy.__version__}",
        "more": "".join(f" --{name} {vars(options)[name]}" for name in usual if vars(options)[name] != usual[name]),
        "table": "\n".join(table(judged, calibration)),
    }
    card = CARD_TEXT.format(weights=WEIGHTS, kept=KEPT, claim=CLAIM, **facts)
    write_whole({options.out / CARD: card.encode(), options.out / WEIGHTS: data})
    print(card)


def _from_one(text: str) -> int:
    return _whole(text, 1)


def _from_zero(text: str) -> int:
    return _whole(text, 0)


def _whole(text: str, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} on")
    return int(text)


def _alone() -> None:
    torch.set_num_threads(1)


def _made(pool: ProcessPoolExecutor, seed: int, pieces: int) -> list[list[Example | None]]:
    made = []
    for number, pair in enumerate(pool.map(partial(examples, seed), range(pieces), chunksize=8), 1):
        made.append(pair)
        if number % 100 == 0:
            print(f"{number} of {pieces} pieces heard", flush=True)
    return made


def _fold(example: Example) -> int:
    return zlib.crc32(example.style.encode()) % FOLDS


def _member(known: Sequence[Example], number: int, seed: int, *, epochs: int) -> dict[str, NDArray[np.float16]]:
    def report(line: str) -> None:
        print(f"network {number + 1}: {line}", flush=True)

    return exported(learned(known, seed, epochs=epochs, report=report))


CARD_TEXT = """\
# The network that tells where bars begin

`{weights}`, {size} bytes, SHA-256
`{digest}`:
three small convolutional networks whose evidence is averaged. They read what begins, how loud it is and how the harmony
moves in every sixteenth of a take, and say how probable it is that a bar begins there. `python -m loopgen.training`
wrote both this card and the weights, which are free to use under loopgen's licence.

- **Data**: {pieces} pieces of music made up and played by `loopgen.training` itself, of {styles} styles, in 4/4, 3/4,
  6/8, 5/4, 7/8 and other meters, each clean and roughened: {examples} takes. For {missed} more no right grid was found;
  these teach nothing. No recording and nobody's music went into it.
- **Made on** {date} in {minutes} minutes by {processes} processes
  ({platform}).
- **Again**: `pip install 'loopgen[musicgen]'` (for PyTorch), then `python -m loopgen.training{more}`. The same platform
  and versions give the same bytes; others give other last digits.
- **Confidence**: the evidence of full grooves is divided by {full}, of instruments alone by {alone}: the least with
  which at least {kept:.1%} of the beats that claim {claim} and more were right, or else the greatest that was tried.
  Each network learned without a third of the styles, and the figures below are its own on that third.

{table}
"""
