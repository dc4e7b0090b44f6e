"""Which step runs, when it is captured, and what happens where it fails. CUDA has a stand-in.

The stand-in's graphs run the captured step when they are replayed, and leave the buffers alone while capturing, as
CUDA's do.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from loopgen.engines.musicgen import fused, graphs
from loopgen.engines.musicgen.graphs import GraphStep
from loopgen.engines.musicgen.step import Buffers, Size, Step, TorchStep, allocate
from loopgen.engines.musicgen.weights import Shape, Weights
from tests.engines.musicgen.fused_interpreted import clone, random_buffers, random_weights

SHAPE = Shape(layers=1, width=32, heads=2, ffn=64, codebooks=2, cards=24, channels=1, has_prefix=False)


class Spy:
    """A step that counts its calls, and can be made to do wrong."""

    def __init__(self, weights: Weights, wrong: Callable[[Buffers], object] | None = None) -> None:
        self.step, self.wrong, self.calls = TorchStep(weights), wrong, 0

    def __call__(self, buffers: Buffers) -> None:
        self.calls += 1
        self.step(buffers)
        if self.wrong:
            self.wrong(buffers)


class Stream:
    def wait_stream(self, other: Stream) -> None:
        assert isinstance(other, Stream) and other is not self


class Cuda:
    """What ``GraphStep`` uses of ``torch.cuda``."""

    def __init__(self, buffers: Buffers | None = None, fail: str = "") -> None:
        self.buffers, self.fail = buffers, fail
        self.captures: list[dict[str, object]] = []
        self.replays = 0
        self.main = self.now = Stream()

        self.Stream, self.CUDAGraph = Stream, lambda: Graph(self)

    def device(self, device: torch.device) -> Any:
        return nullcontext()

    def current_stream(self) -> Stream:
        return self.now

    def synchronize(self) -> None:
        pass

    @contextmanager
    def stream(self, stream: Stream) -> Iterator[None]:
        before, self.now = self.now, stream
        try:
            yield
        finally:
            self.now = before


class Graph:
    def __init__(self, cuda: Cuda) -> None:
        self.cuda = cuda

    def capture_begin(self, **how: object) -> None:
        assert self.cuda.now is not self.cuda.main, "captured on a stream of its own"
        if self.cuda.fail == "begin":
            raise RuntimeError("no capture\nand more lines")
        self.cuda.captures.append(how)
        assert self.cuda.buffers is not None
        self.before = clone(self.cuda.buffers)

    def capture_end(self) -> None:
        buffers = self.cuda.buffers
        assert buffers is not None
        for name in ("tokens", "time", "position", "keys", "values", "logits"):
            getattr(buffers, name).copy_(getattr(self.before, name))
        if self.cuda.fail == "end":
            raise RuntimeError("operation not permitted when stream is capturing")

    def replay(self) -> None:
        assert self.cuda.now is self.cuda.main and self.cuda.buffers is not None
        self.cuda.replays += 1
        TorchStep(WEIGHTS)(self.cuda.buffers)


WEIGHTS = random_weights(SHAPE, torch.float32)


def make_buffers() -> Buffers:
    return random_buffers(WEIGHTS, Size(2, True, False, 32, 64), 32, 7)


def same(ours: Buffers, theirs: Buffers) -> bool:
    names = ("tokens", "time", "position", "keys", "values", "logits")
    return all(torch.equal(getattr(ours, name), getattr(theirs, name)) for name in names)


def after(steps: int, slots: int = 32) -> Buffers:
    """What a few plain steps make of the buffers."""
    buffers = make_buffers()
    for _ in range(steps):
        buffers.slots = slots
        TorchStep(WEIGHTS)(buffers)
    return buffers


def test_on_the_processor_the_plain_step_runs() -> None:
    step = graphs.best(WEIGHTS)
    assert type(step) is TorchStep
    assert graphs.described(step) == "PyTorch, launch by launch"


def test_graphs_are_captured_once_for_each_number_of_slots() -> None:
    buffers = make_buffers()
    cuda = Cuda(buffers)
    plain = Spy(WEIGHTS)
    step = GraphStep(plain, [("graphs", lambda: plain)], cuda=cuda)
    for slots in (32, 32, 64, 32, 64):
        buffers.slots = slots
        step(buffers)
    assert len(cuda.captures) == 2 and cuda.replays == 5
    assert plain.calls == 2 * (graphs.WARM_UP + 1), "the plain step only warms up and is captured"
    assert all(how == {"capture_error_mode": "thread_local"} for how in cuda.captures)
    assert same(buffers, after(5, 64)), "warming up leaves no trace"
    assert graphs.described(step) == "graphs"
    other = make_buffers()
    cuda.buffers = other
    step(other)
    assert len(cuda.captures) == 3, "other buffers have other addresses"


@pytest.mark.parametrize("fail", ["begin", "end"])
def test_without_capture_the_plain_step_runs_and_says_why(fail: str) -> None:
    buffers = make_buffers()
    plain = Spy(WEIGHTS)
    step = GraphStep(plain, [("graphs", lambda: plain)], ["no Triton"], cuda=Cuda(buffers, fail))
    for _ in range(3):
        step(buffers)
    assert same(buffers, after(3))
    assert not buffers.kept and len(step.reasons) == 2
    reason = "no capture" if fail == "begin" else "operation not permitted when stream is capturing"
    assert graphs.described(step) == f"PyTorch, launch by launch (no Triton; graphs: RuntimeError: {reason})"


WRONGS: dict[str, tuple[Callable[[Buffers], object], str]] = {
    "logits": (lambda buffers: buffers.logits.add_(1), "its logits are off"),
    "nothing": (lambda buffers: buffers.logits.fill_(float("nan")), "its logits are off by nan"),
    "keys": (lambda buffers: buffers.keys[:, :, :, 7].mul_(2), "its keys are off"),
    "values": (lambda buffers: buffers.values[:, -1, :, 7].zero_(), "its values are off"),
    "tokens": (lambda buffers: buffers.tokens[0, 0, 8].add_(1), "it draws other tokens"),
    "position": (lambda buffers: buffers.position.sub_(1), "it does not go on"),
    "time": (lambda buffers: buffers.time.add_(1), "it does not go on"),
}


@pytest.mark.parametrize("wrong", WRONGS)
def test_a_faster_step_that_computes_something_else_is_passed_over(wrong: str) -> None:
    change, said = WRONGS[wrong]
    buffers = make_buffers()
    cuda = Cuda(buffers)
    plain, faster = Spy(WEIGHTS), Spy(WEIGHTS, change)
    step = GraphStep(plain, [("fused", lambda: faster), ("graphs", lambda: plain)], cuda=cuda)
    for _ in range(2):
        step(buffers)
    assert faster.calls == 1 and cuda.replays == 2
    assert same(buffers, after(2))
    assert graphs.described(step).startswith("graphs (fused: RuntimeError: ") and said in step.reasons[0]


def test_a_faster_step_that_agrees_is_captured_and_checked_once_a_size() -> None:
    buffers = make_buffers()
    cuda = Cuda(buffers)
    plain, faster = Spy(WEIGHTS), Spy(WEIGHTS)
    step = GraphStep(plain, [("fused", lambda: faster), ("graphs", lambda: plain)], cuda=cuda)
    for slots in (32, 64, 64):
        buffers.slots = slots
        step(buffers)
    assert plain.calls == 1 and faster.calls == 1 + 2 * (graphs.WARM_UP + 1)
    assert same(buffers, after(3, 64))
    cuda.buffers = random_buffers(WEIGHTS, Size(1, False, False, 32, 64), 32, 7)
    step(cuda.buffers)
    assert plain.calls == 2, "another size is compared anew"


def test_what_a_graph_reads_lives_as_long_as_the_graph() -> None:
    """A candidate that is given up at one size was captured at another, whose graphs go on being replayed."""
    buffers = make_buffers()
    cuda = Cuda(buffers)
    plain, faster = Spy(WEIGHTS), Spy(WEIGHTS)
    alive = weakref.ref(faster)
    makes = [faster]
    step = GraphStep(plain, [("fused", makes.pop), ("graphs", lambda: plain)], cuda=cuda)
    step(buffers)
    faster.wrong = WRONGS["logits"][0]
    del faster
    cuda.buffers = random_buffers(WEIGHTS, Size(1, False, False, 32, 64), 32, 7)
    step(cuda.buffers)
    assert graphs.described(step).startswith("graphs (fused: ")
    assert alive() is not None
    buffers.kept.clear()
    gc.collect()
    assert alive() is None


def test_a_step_that_cannot_even_be_made_is_passed_over() -> None:
    def make() -> Step:
        raise ImportError("libcuda.so cannot be opened")

    buffers = make_buffers()
    plain = Spy(WEIGHTS)
    step = GraphStep(plain, [("fused", make), ("graphs", lambda: plain)], cuda=Cuda(buffers))
    step(buffers)
    assert step.reasons == ["fused: ImportError: libcuda.so cannot be opened"]
    assert same(buffers, after(1))


def test_memory_that_runs_out_is_not_hidden() -> None:
    class Greedy:
        def __call__(self, buffers: Buffers) -> None:
            buffers.time.add_(1)
            raise torch.OutOfMemoryError("CUDA out of memory")

    buffers = make_buffers()
    greedy = Greedy()
    step = GraphStep(greedy, [("graphs", lambda: greedy)], cuda=Cuda(buffers))
    with pytest.raises(torch.OutOfMemoryError):
        step(buffers)
    assert not step.reasons
    expected = make_buffers()
    assert torch.equal(buffers.tokens, expected.tokens) and torch.equal(buffers.time, expected.time)


@pytest.mark.parametrize("is_there", [True, False])
def test_on_a_gpu_fused_kernels_come_first(monkeypatch: pytest.MonkeyPatch, is_there: bool) -> None:
    monkeypatch.setattr(fused, "missing", lambda device: "" if is_there else "needs Triton")
    weights, plain = random_weights(SHAPE, torch.bfloat16), Spy(WEIGHTS)
    monkeypatch.setattr(Weights, "device", torch.device("cuda"))
    monkeypatch.setattr(graphs, "TorchStep", lambda _: plain)
    step = graphs.best(weights)
    name = graphs.described(step)
    expected = "fused kernels in CUDA graphs" if is_there else "PyTorch in CUDA graphs (needs Triton)"
    assert name == expected


@pytest.mark.parametrize("text", [32, 0])
@pytest.mark.parametrize("takes", [1, 9])
def test_what_is_captured_never_leaves_the_device(text: int, takes: int) -> None:
    """On the device "meta", whose tensors have no values: reading one fails, and moving one would show."""

    class OnlyThere(TorchDispatchMode):  # type: ignore[no-untyped-call]
        operations = 0

        def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = operation(*args, **(kwargs or {}))
            self.operations += 1
            for tensor in tree_leaves((args, kwargs, result)):
                assert not isinstance(tensor, torch.Tensor) or tensor.is_meta, f"{operation} on the host"
            return result

    weights = random_weights(replace(SHAPE, has_prefix=not text), torch.bfloat16, device="meta")
    step, buffers = TorchStep(weights), allocate(weights, Size(takes, True, False, text, 64))
    buffers.slots = 32
    with OnlyThere() as watched:  # type: ignore[no-untyped-call]
        step(buffers)
    assert watched.operations > 30
    with pytest.raises(RuntimeError, match="meta"), OnlyThere():  # type: ignore[no-untyped-call]
        buffers.time.item()


def test_fused_kernels_say_what_they_do_not_take() -> None:
    assert "float32" in fused.unfit(WEIGHTS)
    assert fused.unfit(random_weights(SHAPE, torch.bfloat16)) == ""
    assert fused.misshapen(40, 64, 16, 64) == "fused kernels take sizes that 16 divides; the model has 40"


def test_without_a_gpu_fused_kernels_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert fused.missing() == "fused kernels need an NVIDIA GPU"
