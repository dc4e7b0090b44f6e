"""What the benchmark of MusicGen measures: one function a figure."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import partial
from statistics import median
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from loopgen.engines.base import Hardware
from loopgen.engines.musicgen import codec, delay, engine, graphs
from loopgen.engines.musicgen.conditions import Conditions, describe
from loopgen.engines.musicgen.fused import missing, unfit
from loopgen.engines.musicgen.graphs import GraphStep
from loopgen.engines.musicgen.int8 import Int8Matrix
from loopgen.engines.musicgen.load import Model
from loopgen.engines.musicgen.step import Size, Step, TorchStep, allocate
from loopgen.engines.musicgen.tokens import draw
from loopgen.engines.musicgen.weights import Weights
from loopgen.looping.make import make
from loopgen.music.request import LoopRequest
from loopgen.music.sampling import Sampling

PROMPT = "Warm deep house groove. bpm: 120. key: a minor. genre: house. instrument: rhodes, bass"
REQUEST = LoopRequest("warm deep house groove", Fraction(120), 4)


def seconds(work: Callable[[], object], device: torch.device, repeats: int = 3) -> float:
    """Median duration of ``work``, the device's included; what warms up is the caller's."""
    taken = []
    for _ in range(repeats):
        _wait(device)
        start = time.perf_counter()
        work()
        _wait(device)
        taken.append(time.perf_counter() - start)
    return median(taken)


def copy_bandwidth(device: torch.device) -> float:
    """Bytes a second, read and written, of a large copy."""
    count = (1 << 30 if device.type == "cuda" else 1 << 27) // 4
    source, target = (torch.ones(count, device=device) for _ in range(2))
    target.copy_(source)
    rounds = 10
    taken = seconds(lambda: [target.copy_(source) for _ in range(rounds)], device)
    return 2 * source.nbytes * rounds / taken


def step_bytes(weights: Weights, size: Size, slots: float) -> int:
    """What one step must read: every matrix and norm once, and of the caches what is attended to."""
    total = float(_bytes(weights.heads) + sum(map(_bytes, weights.norm)))
    for layer in weights.layers:
        matrices = [layer.qkv, layer.out, layer.fc1, layer.fc2]
        norms = [layer.self_norm, layer.final_norm]
        if size.crossed and layer.cross_norm:
            matrices += [matrix for matrix in (layer.cross_q, layer.cross_out) if matrix is not None]
            norms.append(layer.cross_norm)
        total += sum(map(_bytes, matrices)) + sum(_bytes(tensor) for norm in norms for tensor in norm)
        cells = size.rows * slots + size.crossed * size.text
        total += 2 * cells * weights.shape.width * weights.embeddings.element_size()
    return round(total)


def floor_ms(model: Model, takes: int, frames: int, bandwidth: float) -> float:
    """Milliseconds a step cannot go below, on average over a take."""
    told = conditions(model)
    length = told.states.shape[1]
    prefix = length if model.shape.has_prefix else 0
    size = Size(takes, True, False, 0 if prefix else length, 0)
    slots = prefix + (delay.steps(model.shape, frames) + 1) / 2
    return 1000 * step_bytes(model.weights, size, slots) / bandwidth


def conditions(model: Model) -> Conditions:
    """What the models are told."""
    return describe(model, [PROMPT])


def step_ms(model: Model, takes: int, frames: int, repeats: int = 3) -> float:
    """Milliseconds a step of whole takes, noise and all, warm."""
    told, seeds = conditions(model), list(range(takes))

    def run() -> Tensor:
        return draw(model, told, frames, Sampling(), seeds)

    draw(model, told, min(frames, 8), Sampling(), seeds)
    if model.device.type == "cuda":
        run()  # captures every graph
    return 1000 * seconds(run, model.device, repeats) / delay.steps(model.shape, frames)


def steps(model: Model) -> list[tuple[str, Step]]:
    """The same model's steps, fastest first; those that cannot be had here are left out."""
    plain = TorchStep(model.weights)
    found: list[tuple[str, Step]] = [("PyTorch, launch by launch", plain)]
    if model.device.type == "cuda":
        found.insert(0, ("PyTorch in CUDA graphs", GraphStep(plain, [("PyTorch in CUDA graphs", lambda: plain)])))
        found.insert(0, ("the fastest", graphs.best(model.weights)))
    return found


def with_step(model: Model, step: Step) -> Model:
    """The same model stepping otherwise; what was captured over its buffers is forgotten."""
    model.weights.spare.clear()
    return replace(model, step=step)


def fused_error(model: Model) -> str:
    """How far the fused kernels' logits are from PyTorch's, or why they cannot be compared."""
    reason = missing() or unfit(model.weights)
    if reason:
        return reason
    from loopgen.engines.musicgen.fused.step import FusedStep

    logits = []
    for step in (TorchStep(model.weights), FusedStep(model.weights)):
        generator = torch.Generator().manual_seed(0)
        crossed = 0 if model.shape.has_prefix else 32
        buffers = allocate(model.weights, Size(2, True, False, crossed, 512))
        for tensor in (buffers.keys, buffers.values, buffers.cross_keys, buffers.cross_values):
            tensor.copy_(torch.randn(tensor.shape, generator=generator))
        buffers.tokens.copy_(torch.randint(0, model.shape.cards, buffers.tokens.shape, generator=generator))
        buffers.guidance.fill_(3)
        buffers.temperature.fill_(1)
        buffers.top_k.fill_(250)
        buffers.position.fill_(300)
        buffers.time.fill_(300)
        step(buffers)
        logits.append(buffers.logits.double())
    plain, fused = logits
    return f"relative error {float((fused - plain).norm() / plain.norm()):.2g}"


def their_step_ms(whole: Any, frames: int) -> float:
    """Milliseconds a step of transformers' ``generate``: two lengths, so that its beginning and EnCodec drop out."""
    device = whole.device
    ids = torch.randint(1, 100, (1, 12)).to(device)

    def run(count: int) -> None:
        with mock.patch.object(whole.audio_encoder, "decode", side_effect=_Stop):
            try:
                whole.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=count + 3)
            except _Stop:
                return

    run(4)
    few = max(4, frames // 4)
    long, short = (seconds(partial(run, count), device) for count in (frames, few))
    return 1000 * (long - short) / (frames - few)


def prompt_ms(model: Model) -> float:
    """Milliseconds to encode a prompt."""
    conditions(model)
    return 1000 * seconds(lambda: conditions(model), model.device)


def codec_ms(model: Model, frames: int) -> float:
    """Milliseconds to decode so many frames at once."""
    tokens = torch.randint(0, model.shape.cards, (1, model.shape.codebooks, frames))
    codec.decode(model.codec, tokens, model.shape.channels)
    return 1000 * seconds(lambda: codec.decode(model.codec, tokens, model.shape.channels), model.device)


def request_seconds(model: Model) -> tuple[float, float, float, float]:
    """The first preview, the take, the finished loop, all from the request; and the take's length. In seconds, warm."""
    with mock.patch.object(engine, "load", return_value=model):
        player = engine.MusicGenEngine(model.name, Hardware(device=str(model.device)))
    first: list[float] = []

    def run() -> tuple[float, float, float]:
        first.clear()
        start = time.perf_counter()
        take = player.generate_batch(REQUEST, [1], preview=lambda _: first.append(time.perf_counter() - start))[0]
        drawn = time.perf_counter() - start
        make(take, REQUEST)
        lengths.append(take.audio.seconds)
        return first[0], drawn, time.perf_counter() - start

    lengths: list[float] = []
    rounds = [run() for _ in range(4 if model.device.type == "cuda" else 1)]
    warm = rounds[1:] or rounds
    heard, drawn, done = (median(column) for column in zip(*warm, strict=True))
    return heard, drawn, done, lengths[0]


class _Stop(Exception):
    """Raised where transformers would decode audio, which is no step."""


def _bytes(matrix: Tensor | Int8Matrix) -> int:
    return matrix.nbytes


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
