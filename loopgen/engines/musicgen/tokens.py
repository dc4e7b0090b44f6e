"""The loop over frames: what the model is told and what it has heard become tokens.

The host only keeps the device busy: it brings noise, calls the step, and now and then looks which frames are finished.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor

from loopgen.engines.musicgen import delay, machine
from loopgen.engines.musicgen.conditions import Conditions
from loopgen.engines.musicgen.prefill import embed, prefill, share, tell
from loopgen.engines.musicgen.sampling import Noise, gumbel
from loopgen.engines.musicgen.step import NOISE_STEPS, Buffers, Size, Step, borrow
from loopgen.engines.musicgen.weights import POSITIONS, Shape, Weights
from loopgen.errors import GenerationFailed
from loopgen.music.sampling import Sampling

WINDOW = 1_500
"""Frames that a model was trained on, 30 s: more are drawn in windows, each continuing the one before."""
BUCKETS = (256, 512, 1024, 1536, 2048)
"""Cache slots that steps on CUDA attend to (besides a prefix): each costs bytes, so no more than needed, but each
length is a graph of its own, so few. Elsewhere a length costs nothing and they go by ``GRAIN``."""
GRAIN = 32
"""Lengths of texts and prefixes are rounded up to a multiple of this, so that shapes recur."""
LOOK_EVERY = 4
"""Frames between two looks at what is finished, and so between two chances to cancel."""


class Model(Protocol):
    """What a loop over frames needs of a model."""

    @property
    def weights(self) -> Weights:
        """Read for what is computed once."""

    @property
    def step(self) -> Step:
        """Called for each frame."""


@torch.no_grad()
def draw(
    model: Model,
    conditions: Conditions,
    frames: int,
    sampling: Sampling,
    seeds: Sequence[int],
    *,
    prompt: Tensor | None = None,
    progress: Callable[[float], None] | None = None,
    on_frames: Callable[[Tensor], None] | None = None,
) -> Tensor:
    """Draw one take a seed, ``(takes, codebooks, frames)`` int64 on the CPU; frames are 1/50 s.

    A seed gives the same tokens alone as among others. ``prompt`` is what the takes begin with, ``(codebooks, n)`` for
    all or ``(takes, codebooks, n)``, counted in ``frames``. ``progress`` is told the share of the work that is done and
    may raise to cancel; ``on_frames`` gets the newly finished frames of all takes, ``(takes, codebooks, n)`` on the
    CPU, the prompt's first. Both are called every few frames, in this thread.

    Raises ``OutOfMemory``, ``GenerationFailed`` where the model's numbers overflowed; ``ValueError`` for sizes that do
    not fit together.
    """
    weights, shape = model.weights, model.weights.shape
    prompts = _prompts(shape, prompt, len(seeds), frames)
    guided = sampling.guidance != 1
    _check(shape, conditions, len(seeds), guided)
    prefix = conditions.states.shape[1] if shape.has_prefix else 0
    size = Size(
        takes=len(seeds),
        guided=guided,
        negative=guided and conditions.null_states is not None and not shape.has_prefix,
        text=0 if shape.has_prefix else _rounded(_longest(conditions)),
        capacity=slots_for(prefix, delay.steps(shape, frames)),
    )
    too_much = (
        f"{len(seeds)} takes of {frames / 50:g} s need more memory than {weights.device} has; ask for fewer takes or "
        "variations, or a shorter loop, or use a smaller model"
    )
    with machine.or_too_much(too_much), _current(weights.device), borrow(weights, size) as buffers:
        _set(buffers, sampling, shape)
        _prepare(weights, buffers, conditions, prompts, frames)
        return _steps(model, buffers, prefix, prompts.shape[-1], frames, sampling, seeds, progress, on_frames)


@contextmanager
def _current(device: torch.device) -> Iterator[None]:
    """Make a GPU the current one: events and launches that name none are of the current one, not of their tensors'."""
    if device.type == "cuda":
        with torch.cuda.device(device):
            yield
    else:
        yield


def slots_for(prefix: int, steps: int) -> int:
    """The smallest bucket of cache slots with room for so many steps after a prefix.

    >>> slots_for(0, 256), slots_for(0, 257), slots_for(240, 1503)
    (256, 512, 1792)
    """
    return _rounded(prefix) + next(bucket for bucket in BUCKETS if bucket >= steps)


def _prompts(shape: Shape, prompt: Tensor | None, takes: int, frames: int) -> Tensor:
    if not takes:
        raise ValueError("no seed was given; give one for each take")
    if prompt is None:
        prompt = torch.zeros(shape.codebooks, 0, dtype=torch.int64)
    prompts = prompt.cpu().to(torch.int64)
    if prompts.dim() == 2:
        prompts = prompts.expand(takes, -1, -1)
    if prompts.shape[:-1] != (takes, shape.codebooks):
        raise ValueError(
            f"the prompt has shape {tuple(prompt.shape)}; expected ({shape.codebooks}, n) or "
            f"({takes}, {shape.codebooks}, n)"
        )
    known = prompts.shape[-1]
    if not known < frames <= WINDOW:
        raise ValueError(
            f"{frames} frames of which {known} are the prompt's; draw at least one, at most {WINDOW} in all"
        )
    if known and not 0 <= int(prompts.min()) <= int(prompts.max()) < shape.cards:
        raise ValueError(f"the prompt has tokens outside 0 to {shape.cards - 1}")
    return prompts


def _check(shape: Shape, conditions: Conditions, takes: int, guided: bool) -> None:
    null = conditions.null_states
    for name, states in (("states", conditions.states), ("null_states", null)):
        if states is not None and len(states) not in (1, takes):
            raise ValueError(f"{name} are of {len(states)} rows; expected 1 or one for each of {takes} takes")
    if shape.has_prefix and conditions.states.shape[1] + WINDOW + shape.codebooks > POSITIONS:
        raise ValueError(f"the states are {conditions.states.shape[1]} long; the model's positions end at {POSITIONS}")
    if shape.has_prefix and guided and (null is None or null.shape[1] != conditions.states.shape[1]):
        raise ValueError("a melody model's null_states must be as long as its states")


def _longest(conditions: Conditions) -> int:
    null = conditions.null_states
    return max(conditions.states.shape[1], 0 if null is None else null.shape[1])


def _rounded(length: int) -> int:
    return -(-length // GRAIN) * GRAIN


def _set(buffers: Buffers, sampling: Sampling, shape: Shape) -> None:
    greedy = sampling.temperature == 0
    buffers.guidance.fill_(sampling.guidance)
    buffers.temperature.fill_(1 if greedy else sampling.temperature)
    buffers.top_k.fill_(min(sampling.top_k or shape.cards, shape.cards))
    buffers.top_p.fill_(sampling.top_p)
    buffers.noise.zero_()


def _prepare(weights: Weights, buffers: Buffers, conditions: Conditions, prompts: Tensor, frames: int) -> None:
    """Pattern, counters, cross-attention and the cache of what comes before the first frame to draw."""
    shape, size, known = weights.shape, buffers.size, prompts.shape[-1]
    columns = delay.pattern(shape, prompts, frames)
    buffers.tokens.fill_(shape.pad)
    buffers.tokens[:, :, : columns.shape[-1]] = columns.to(weights.device)
    prefix = conditions.states.shape[1] if shape.has_prefix else 0
    buffers.time.fill_(known)
    buffers.position.fill_(prefix + known)

    same_prompt = bool((prompts == prompts[:1]).all())
    first: dict[tuple[int, int, int], int] = {}
    for row in range(size.rows):
        told, take = row < size.takes, row % size.takes
        states = conditions.states if told else conditions.null_states
        mask = conditions.mask if told else conditions.null_mask
        which = take if states is not None and len(states) > 1 else 0
        source = first.setdefault((told, which, 0 if same_prompt else take), row)
        if source < row:
            share(buffers, source, row, prefix + known)
            continue
        if row < size.crossed:
            assert states is not None and mask is not None
            tell(weights, buffers, row, *_placed(weights, states[which], mask[which]))
        inputs = embed(weights, buffers.tokens[take, :, :known])
        if shape.has_prefix:
            assert states is not None
            inputs = torch.cat([states[which].to(inputs), inputs])
        if len(inputs):
            prefill(weights, buffers, row, inputs)


def _placed(weights: Weights, states: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    return states.to(device=weights.device, dtype=weights.dtype), mask.to(weights.device)


def _steps(
    model: Model,
    buffers: Buffers,
    prefix: int,
    known: int,
    frames: int,
    sampling: Sampling,
    seeds: Sequence[int],
    progress: Callable[[float], None] | None,
    on_frames: Callable[[Tensor], None] | None,
) -> Tensor:
    shape = model.weights.shape
    noise = Noise(seeds, codebooks=shape.codebooks, cards=shape.cards)
    supply = _Supply(noise, buffers) if sampling.temperature else None
    finished = _Finished(shape, buffers)
    stop = delay.steps(shape, frames)
    for time in range(known, stop):
        if supply and (time == known or time % NOISE_STEPS == 0):
            supply.bring(time)
        buffers.slots = slots_for(prefix, time + 1) if buffers.tokens.is_cuda else _rounded(prefix + time + 1)
        model.step(buffers)
        if (time + 1 - known) % LOOK_EVERY and time + 1 < stop:
            continue
        fresh = finished.look(time + 2, last=time + 1 == stop)
        if on_frames and fresh.shape[-1]:
            on_frames(fresh)
        if progress:
            progress((time + 1 - known) / (stop - known))
    _check_numbers(model.weights, buffers)
    return finished.frames()


def _check_numbers(weights: Weights, buffers: Buffers) -> None:
    """Raise ``GenerationFailed`` where a number has overflowed: it stays in the cache, so the last logits tell."""
    if not bool(buffers.logits.isfinite().all()):
        dtype = str(weights.dtype).removeprefix("torch.")
        is_half = weights.dtype == torch.float16
        remedy = "use precision bf16 or fp32" if is_half else "the weights may be damaged, get them anew"
        raise GenerationFailed(f"the model's numbers overflowed in {dtype}: {remedy}")


class _Supply:
    """Brings noise to the device ahead of the steps that use it, a few steps' worth at a time."""

    def __init__(self, noise: Noise, buffers: Buffers) -> None:
        self._noise, self._buffers = noise, buffers
        cuda = buffers.noise.is_cuda
        # two pinned halves: one is filled while the other is still being copied
        self._halves = [torch.empty(buffers.noise.shape, pin_memory=cuda) for _ in range(2)]
        self._copied = [_event(), _event()] if cuda else []

    def bring(self, time: int) -> None:
        """Noise for step ``time`` and those after it, up to the next multiple of ``NOISE_STEPS``."""
        start, half = time % NOISE_STEPS, time // NOISE_STEPS % 2
        if self._copied:
            self._copied[half].synchronize()
        uniform = self._noise.uniform(NOISE_STEPS - start, out=self._halves[half][start:])
        place = self._buffers.noise[start:]
        place.copy_(uniform, non_blocking=bool(self._copied))
        if self._copied:
            self._copied[half].record()
        place.copy_(gumbel(place))


class _Finished:
    """Follows the tokens as they are drawn, one look behind on CUDA, so that the device always has work waiting."""

    def __init__(self, shape: Shape, buffers: Buffers) -> None:
        self._shape, self._buffers = shape, buffers
        cuda = buffers.tokens.is_cuda
        takes, codebooks, columns = buffers.tokens.shape
        self._columns = torch.empty(columns, takes, codebooks, dtype=torch.int64, pin_memory=cuda)
        self._arrived = _event() if cuda else None
        self._asked = self._known = self._delivered = 0

    def look(self, columns: int, *, last: bool) -> Tensor:
        """Ask for the first ``columns`` columns; returns the frames that are finished and were not returned before."""
        if self._arrived and self._asked:
            self._arrived.synchronize()
        self._known = self._asked
        fresh = self._buffers.tokens[:, :, self._asked : columns].permute(2, 0, 1).contiguous()
        self._columns[self._asked : columns].copy_(fresh, non_blocking=self._arrived is not None)
        self._asked = columns
        if self._arrived:
            self._arrived.record()
        if last and self._arrived:
            self._arrived.synchronize()
        if last or not self._arrived:
            self._known = columns
        frames = self.frames()[..., self._delivered :]
        self._delivered += frames.shape[-1]
        return frames

    def frames(self) -> Tensor:
        """All frames that are finished, ``(takes, codebooks, frames)``."""
        return delay.resolve(self._shape, self._columns[: self._known].permute(1, 2, 0))


def _event() -> Any:
    return torch.cuda.Event()  # type: ignore[no-untyped-call]
