"""Rubber Band through its command line, where the user has installed it (GPL, hence never a part of loopgen).

The files that pass between us are 32-bit float, so that nothing is clipped or rounded, and lie in a temporary folder
that is gone afterwards, whatever happens. Engine R3 ("finer"), channels together.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from loopgen.errors import EngineUnavailable
from loopgen.looping.stretching.timemap import TimeMap, place
from loopgen.music.audio import Samples

COMMAND = "rubberband"

PEAK, DITHER = 0.5, 1e-5
"""Level at which the take is handed over, and that of the noise under it (-100 dBFS). R3 judges by absolute levels: it
left quiet tones (-60 dBFS) half a percent out of tune, and tones above perfect digital silence by up to 5%."""


def find_command() -> str:
    """Path of the Rubber Band command; raises ``EngineUnavailable`` when it is not installed."""
    command = shutil.which(COMMAND)
    if command is None:
        raise EngineUnavailable(
            f"stretcher: the command {COMMAND!r} is not installed; install Rubber Band 3 "
            "(https://breakfastquay.com/rubberband) or use the stretcher 'auto', which needs nothing"
        )
    return command


def rubberband(samples: Samples, time_map: TimeMap, frames: int, rate: int) -> Samples:
    """Move ``samples`` ``(n, channels)`` along ``time_map``; returns ``(frames, channels)``, float32.

    Raises ``EngineUnavailable`` when the command is not installed or fails.
    """
    command = find_command()
    peak = float(np.max(np.abs(samples), initial=0))
    if peak == 0:
        return np.zeros((frames, samples.shape[1]), dtype=np.float32)
    # A second of silence on both sides: the engine finds its feet before the take begins.
    margin = rate
    padded = np.pad(samples / np.float32(peak / PEAK), ((margin, margin), (0, 0)))
    padded += np.float32(DITHER) * np.random.default_rng(0).standard_normal(padded.shape, dtype=np.float32)
    begin, end = time_map.target_of([-margin, len(samples) + margin])
    length = round(float(end - begin))
    inside = (time_map.source > 1 - margin) & (time_map.source < len(samples) + margin - 1)
    pairs = np.stack([time_map.source + margin, time_map.target - begin], axis=1)[inside]
    with tempfile.TemporaryDirectory(prefix="loopgen-") as folder:
        take, stretched, key_frames = (Path(folder) / name for name in ("take.wav", "stretched.wav", "map.txt"))
        soundfile.write(take, padded, rate, subtype="FLOAT")
        key_frames.write_text("".join(f"{source:.0f} {target:.0f}\n" for source, target in pairs))
        arguments = ["--fine", "--centre-focus", "--ignore-clipping", "--quiet", "--time", repr(length / len(padded))]
        if len(pairs):
            arguments += ["--timemap", str(key_frames)]
        run = subprocess.run(
            [command, *arguments, str(take), str(stretched)], capture_output=True, text=True, check=False
        )
        if run.returncode or not stretched.exists():
            reason = (run.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise EngineUnavailable(f"stretcher: {COMMAND!r} failed ({reason}); use the stretcher 'auto' instead")
        result = soundfile.read(stretched, dtype="float32", always_2d=True)[0]
    return place(result * np.float32(peak / PEAK), round(float(begin)), frames)
