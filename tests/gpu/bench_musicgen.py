"""``python -m tests.gpu.bench_musicgen``: how fast MusicGen is here, beside transformers and the floor of memory.

Weights are random at full size: nothing is downloaded. The floor is the time that a copy in the same run would take for
the bytes that a step must read. A part that fails says so, and the next one runs.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
import transformers

from loopgen.engines.musicgen import graphs, int8, machine
from loopgen.engines.musicgen.load import Model
from tests.gpu import measure
from tests.gpu.random_models import our_model, whole_model

FRAMES, QUICK_FRAMES = 600, 64
"""12 s are measured, about four bars at 120 BPM with lead-in and tail; with ``--quick`` a moment."""


@dataclass
class Report:
    """Prints figures as they come, and keeps those that the last table is made of."""

    found: dict[str, float] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def title(self, text: str) -> None:
        """Begin a table."""
        print(f"\n{text}\n{'-' * len(text)}", flush=True)

    def line(self, figure: str, text: str) -> None:
        """Print a figure."""
        print(f"{figure:<58} {text}", flush=True)

    def part(self, figure: str, work: Callable[[], str]) -> None:
        """Measure and print; what goes wrong is printed instead, and remembered."""
        try:
            self.line(figure, work())
        except Exception as error:  # one part is not to cost the others
            said = (str(error).strip().splitlines() or [""])[0]
            self.failed.append(f"{figure}: {type(error).__name__}: {said}")
            self.line(figure, f"FAILED ({type(error).__name__}: {said})")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print everything; 1 if a part failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.gpu.bench_musicgen", description=__doc__)
    names = ("tiny", "small", "medium", "melody", "large")
    parser.add_argument("--models", nargs="+", choices=names, help="default: all but tiny on a GPU, small on a CPU")
    parser.add_argument("--device", default="auto", help="auto, cuda, cuda:1, mps or cpu")
    parser.add_argument("--threads", type=int, default=1, help="on a CPU (default 1: the figures are of one core)")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_FRAMES} frames instead of {FRAMES}")
    asked = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    device = machine.device_of(asked.device)
    if device.type == "cpu":
        torch.set_num_threads(asked.threads)
    models = asked.models or (["small"] if device.type == "cpu" else ["small", "medium", "melody", "large"])
    frames = QUICK_FRAMES if asked.quick else FRAMES

    started, worked, report = time.perf_counter(), time.process_time(), Report()
    report.title("Machine")
    report.line("device", machine.describe(device))
    report.line("PyTorch, transformers", f"{torch.__version__}, {transformers.__version__}")
    if device.type == "cpu":
        report.line("threads, of cores", f"{torch.get_num_threads()}, {os.cpu_count()}")
    bandwidth = measure.copy_bandwidth(device)
    report.line("copy bandwidth, read and written", f"{bandwidth / 1e9:.1f} GB/s")
    with torch.inference_mode():
        for name in models:
            try:
                (on_cpu if device.type == "cpu" else on_gpu)(name, device, bandwidth, frames, asked.quick, report)
            except Exception as error:  # a model that does not fit is not to cost the others
                report.failed.append(f"{name}: {type(error).__name__}: {error}")
                report.line(name, f"FAILED ({type(error).__name__}: {error})")
            gc.collect()
            if device.type == "cuda":
                torch.cuda.empty_cache()
    figures(report, device)
    took = time.perf_counter() - started
    report.line("\nthis took", f"{took:.0f} s")
    share = (time.process_time() - worked) / took
    if device.type == "cpu" and share < 0.9 * torch.get_num_threads():
        print(f"The machine was busy: this process had {share:.2f} cores on average, so all times are too long.")
    for failure in report.failed:
        print(f"FAILED {failure}")
    return 1 if report.failed else 0


def on_gpu(name: str, device: torch.device, bandwidth: float, frames: int, quick: bool, report: Report) -> None:
    """One model on a GPU, or on Apple's."""
    precision = machine.precision_of("auto", device)
    found = report.found
    whole = whole_model(name, device, machine.DTYPES[precision])
    report.title(f"{name} in {precision}, {frames} frames")
    report.part("ms a step by transformers' generate", lambda: theirs(name, whole, 32 if quick else 128, report))
    model = our_model(name, whole, device, precision)

    def variations(takes: int) -> str:
        ms = found[f"{name} {takes}"] = measure.step_ms(model, takes, frames)
        floor = measure.floor_ms(model, takes, frames, bandwidth)
        found[f"{name} {takes} over floor"] = ms / floor
        one = found.get(f"{name} 1", ms)
        return f"{ms:9.3f}   floor {floor:.3f}, over it {ms / floor:.2f} times   {ms / one:.2f} times that of one"

    def stepping(step: Any) -> str:
        other = measure.with_step(model, step)
        return f"{measure.step_ms(other, 1, min(frames, 240), 1):9.3f}   {graphs.described(step)}"

    for takes in (1, 4, 8):
        report.part(f"ms a step, {takes} variation{'s' * (takes > 1)}", partial(variations, takes))
    report.line("the step that ran", graphs.described(model.step))
    report.part("fused kernels' logits against PyTorch's", lambda: measure.fused_error(model))
    for kind, step in measure.steps(model)[1:]:
        report.part(f"ms a step, {kind}", partial(stepping, step))
    model = measure.with_step(model, graphs.best(model.weights))
    rest(name, model, report, whole_request=True)


def on_cpu(name: str, device: torch.device, bandwidth: float, frames: int, quick: bool, report: Report) -> None:
    """One model on the processor: transformers in fp32, ours in all precisions."""
    counted = min(frames, 16 if quick else 48)
    found = report.found
    whole = whole_model(name, device, torch.float32)
    report.title(f"{name}, {counted} frames")
    report.part("ms a step by transformers' generate in fp32", lambda: theirs(name, whole, counted, report))

    def ours(model: Model) -> str:
        ms = found[f"{name} {model.precision}"] = measure.step_ms(model, 1, counted, 2)
        floor = measure.floor_ms(model, 1, counted, bandwidth)
        return f"{ms:9.1f}   floor {floor:.1f}, over it {ms / floor:.2f} times"

    for precision in ("fp32", "bf16", "int8"):
        model = our_model(name, whole, device, precision)
        report.part(f"ms a step in {precision}", partial(ours, model))
    report.line("int8 pays here", "yes" if int8.available() else f"no: {int8.missing()}")
    rest(name, model, report, whole_request=not quick)


def theirs(name: str, whole: Any, frames: int, report: Report) -> str:
    """transformers' own loop; melody models go without melody."""
    dtype = next(whole.decoder.parameters()).dtype
    ms = report.found[f"{name} theirs"] = measure.their_step_ms(whole.to(dtype), frames)
    return f"{ms:9.3f}"


def rest(name: str, model: Model, report: Report, *, whole_request: bool) -> None:
    """What is not the step."""

    def decoding(length: int) -> str:
        return f"{measure.codec_ms(model, 50 * length):9.1f}"

    report.part("prompt encoding, ms", lambda: f"{measure.prompt_ms(model):9.1f}")
    for length in (12, 16):
        report.part(f"EnCodec of {length} s, ms", partial(decoding, length))

    def request() -> str:
        heard, drawn, done, length = measure.request_seconds(model)
        report.found |= {f"{name} preview": heard, f"{name} request": done}
        return f"{done:9.3f}   first exact preview {heard:.3f}, take {drawn:.3f}; {length:.1f} s of audio"

    if whole_request:
        report.part("4 bars at 120 BPM, from trigger to finished loop, s", request)


def figures(report: Report, device: torch.device) -> None:
    """The figures to reach, and whether they were."""
    found = report.found
    report.title("Figures to reach")

    def figure(what: str, value: float | None, limit: float, *, least: bool = False) -> None:
        sign = ">=" if least else "<="
        if value is None:
            report.line(what, f"not measured   (to reach: {sign} {limit})")
            return
        reached = value >= limit if least else value <= limit
        report.line(what, f"{value:9.2f}   (to reach: {sign} {limit})   {'met' if reached else 'MISSED'}")

    def ratio(one: str, other: str) -> float | None:
        return found[one] / found[other] if one in found and other in found else None

    if device.type == "cpu":
        for name in ("tiny", "small", "medium", "melody", "large"):
            if f"{name} theirs" in found:
                faster = ratio(f"{name} theirs", f"{name} int8")
                figure(f"{name}, int8: times faster than transformers in fp32", faster, 4, least=True)
        return
    for name in ("medium", "melody", "large"):
        figure(f"{name}: ms a step over the floor", found.get(f"{name} 1 over floor"), 2)
    figure("medium: times faster than transformers' generate", ratio("medium theirs", "medium 1"), 6, least=True)
    for name in ("medium", "melody", "large"):
        figure(f"{name}: time of 4 variations over that of 1", ratio(f"{name} 4", f"{name} 1"), 1.3)
    figure("medium: 4 bars at 120 BPM to a finished loop, s", found.get("medium request"), 1.5)
    figure("medium: first exact preview, s", found.get("medium preview"), 0.3)


if __name__ == "__main__":
    sys.exit(main())
