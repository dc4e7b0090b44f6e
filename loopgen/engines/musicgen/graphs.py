"""Steps without the host: captured once as CUDA graphs, then replayed.

A step is hundreds of launches, each of which costs the host several microseconds: more than the GPU needs for all of
them. ``best`` gives the fastest step that works here: the fused kernels in graphs, else PyTorch's in graphs, else
PyTorch's as it is, and remembers why the faster ones were passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from loopgen.engines.musicgen import fused, sampling
from loopgen.engines.musicgen.step import NOISE_STEPS, Buffers, Size, Step, TorchStep
from loopgen.engines.musicgen.weights import Weights

TOLERANCE = {torch.bfloat16: 0.1, torch.float16: 0.02}
"""Relative error of logits that rounding explains: each of 100 residual additions is off by up to 2^-9 or 2^-12."""
LAUNCHED = "PyTorch, launch by launch"
"""The plain step."""
WARM_UP = 2
"""Steps before a capture: the first compiles kernels and makes cuBLAS's workspaces, which no graph may contain."""


def best(weights: Weights) -> Step:
    """The fastest step for these weights on their device; ``described`` says which, once it has run."""
    plain = TorchStep(weights)
    if weights.device.type != "cuda":
        return plain
    faster: list[tuple[str, Callable[[], Step]]] = [("PyTorch in CUDA graphs", lambda: plain)]
    reason = fused.missing(weights.device) or fused.unfit(weights)
    if not reason:
        faster.insert(0, ("fused kernels in CUDA graphs", partial(_fused_step, weights)))
    return GraphStep(plain, faster, [reason] if reason else [])


def described(step: Step) -> str:
    """In words, which step it is and why it is no faster one."""
    return step.description if isinstance(step, GraphStep) else LAUNCHED


class GraphStep:
    """A step that captures others as CUDA graphs, one for each of the buffers' sizes and ``slots``.

    Each candidate is tried beside the plain step on the very buffers of the first request: if it fails, or draws other
    tokens or logits, the next is tried, and in the end the plain step runs as it is.

    Attributes:
        reasons: why faster steps were passed over, in words.
    """

    def __init__(
        self,
        plain: Step,
        candidates: Sequence[tuple[str, Callable[[], Step]]],
        reasons: Sequence[str] = (),
        *,
        cuda: Any = torch.cuda,
    ) -> None:
        self.reasons = list(reasons)
        self._plain = plain
        self._candidates = list(candidates)
        self._cuda = cuda
        self._step: Step | None = None
        self._checked: set[Size] = set()
        self._stream: Any = None

    @property
    def description(self) -> str:
        """Which step it is and why it is no faster one."""
        name = self._candidates[0][0] if self._candidates else LAUNCHED
        return f"{name} ({'; '.join(self.reasons)})" if self.reasons else name

    def __call__(self, buffers: Buffers) -> None:
        """Advance all rows by one step; see ``Buffers.tokens``."""
        replay = buffers.kept.get(buffers.slots)
        if replay is None and self._candidates:
            with self._cuda.device(buffers.tokens.device):
                replay = self._prepared(buffers)
        if replay is None:
            self._plain(buffers)
        else:
            buffers.kept[buffers.slots] = replay
            replay()

    def _prepared(self, buffers: Buffers) -> Callable[[], None] | None:
        """Replays a graph that advances these buffers; None where there is none to be had."""
        while self._candidates:
            name, make = self._candidates[0]
            state = _State(buffers)
            try:
                if self._step is None:
                    self._step = make()
                if buffers.size not in self._checked:
                    self._check(self._step, buffers, state)
                    self._checked.add(buffers.size)
                return self._captured(self._step, buffers, state)
            except torch.OutOfMemoryError:
                raise
            except Exception as error:  # a compiler, a driver, a library: whatever fails here has a slower substitute
                self.reasons.append(f"{name}: {type(error).__name__}: {_first_line(error)}")
                self._candidates.pop(0)
                self._step = None
                self._checked.clear()
            finally:
                state.restore()
        return None

    def _check(self, step: Step, buffers: Buffers, state: _State) -> None:
        """Compare with the plain step; raises ``RuntimeError`` that says what differs."""
        if step is self._plain:
            return
        self._plain(buffers)
        expected = buffers.logits.clone(), *_written(buffers, state)
        state.restore()
        step(buffers)
        got = buffers.logits, *_written(buffers, state)
        limit = TOLERANCE.get(buffers.keys.dtype, 1e-3)
        for what, ours, theirs in zip(("logits", "keys", "values"), got, expected, strict=True):
            error = _relative(ours, theirs)
            if not error <= limit:
                raise RuntimeError(f"its {what} are off by {error:.2g} of their size")
        if not torch.equal(_drawn(buffers, state), buffers.tokens.index_select(2, state.time + 1)[..., 0]):
            raise RuntimeError("it draws other tokens from the same logits")
        if int(buffers.time) != int(state.time) + 1 or int(buffers.position) != int(state.position) + 1:
            raise RuntimeError("it does not go on to the next position")
        state.restore()

    def _captured(self, step: Step, buffers: Buffers, state: _State) -> Callable[[], None]:
        cuda = self._cuda
        if self._stream is None:
            self._stream = cuda.Stream()
        self._stream.wait_stream(cuda.current_stream())
        graph = cuda.CUDAGraph()
        try:
            with cuda.stream(self._stream):
                for _ in range(WARM_UP):
                    step(buffers)
                    state.restore()
                cuda.synchronize()
                # A pool of its own: a shared one cannot be captured into again once its last graph is gone.
                # Other threads may go on allocating: a codec decodes, say.
                graph.capture_begin(capture_error_mode="thread_local")
                try:
                    step(buffers)
                finally:
                    graph.capture_end()
        finally:
            cuda.current_stream().wait_stream(self._stream)
        return partial(_replay, graph, step)


def _replay(graph: Any, step: Step) -> None:
    """Run a graph again. It reads what its ``step`` holds, which so lives as long as the graph."""
    graph.replay()


class _State:
    """What a step changes besides the slots that it fills again when it is repeated."""

    def __init__(self, buffers: Buffers) -> None:
        self.buffers = buffers
        self.tokens, self.time, self.position = buffers.tokens.clone(), buffers.time.clone(), buffers.position.clone()

    def restore(self) -> None:
        """Back to before the step."""
        self.buffers.tokens.copy_(self.tokens)
        self.buffers.time.copy_(self.time)
        self.buffers.position.copy_(self.position)


def _written(buffers: Buffers, state: _State) -> tuple[Tensor, Tensor]:
    """Copies of the keys and values of the slot that a step filled."""
    return buffers.keys.index_select(3, state.position), buffers.values.index_select(3, state.position)


def _drawn(buffers: Buffers, state: _State) -> Tensor:
    """What the column after ``state.time`` must be, by the logits that lie in the buffers."""
    logits = sampling.guide(buffers.logits, buffers.guidance) if buffers.size.guided else buffers.logits
    noise = buffers.noise.index_select(0, state.time % NOISE_STEPS)[0]
    drawn = sampling.choose(logits, buffers.temperature, buffers.top_k, buffers.top_p, noise)
    column = state.tokens.index_select(2, state.time + 1)[..., 0]
    return torch.where(column < 0, drawn, column)


def _relative(ours: Tensor, theirs: Tensor) -> float:
    return float((ours.float() - theirs.float()).norm() / theirs.float().norm())


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no reason given"])[0]


def _fused_step(weights: Weights) -> Step:
    from loopgen.engines.musicgen.fused.step import FusedStep

    return FusedStep(weights)
