"""A step is of static shape, does no host work, and computes transformers' logits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from loopgen.engines.musicgen.conditions import Conditions, describe
from loopgen.engines.musicgen.step import SPARE_BUFFERS, Buffers, Size, TorchStep, allocate, borrow
from loopgen.engines.musicgen.tokens import _prepare, _set
from loopgen.engines.musicgen.weights import gather
from loopgen.music.sampling import Sampling
from tests.engines.musicgen.peer import Held, hold
from tests.engines.musicgen.tiny import KINDS, Kind

SIZES = [
    Size(takes=2, guided=True, negative=False, text=32, capacity=256),
    Size(takes=3, guided=False, negative=False, text=32, capacity=256),
    Size(takes=1, guided=True, negative=True, text=64, capacity=256),
]


def ready(model: Held, size: Size, told: Conditions, known: int = 0) -> Buffers:
    """Buffers as they are before the first step of a request."""
    buffers = allocate(model.weights, size)
    heard = torch.randint(0, model.shape.cards, (size.takes, model.shape.codebooks, known))
    _set(buffers, Sampling(), model.shape)
    _prepare(model.weights, buffers, told, heard, 40)
    return buffers


@pytest.mark.parametrize("kind", KINDS)
def test_logits_are_those_of_transformers(kind: Kind) -> None:
    """Cache, prefix and heads together: the tenth step against a forward pass over everything at once."""
    model = hold(kind)
    shape, decoder = model.shape, model.theirs.decoder
    told = describe(model, ["warm deep house"])
    text = 0 if shape.has_prefix else 32
    buffers = ready(model, Size(takes=2, guided=False, negative=False, text=text, capacity=512), told)
    for _ in range(10):
        model.step(buffers)
    rows = {"input_ids": buffers.tokens[:, :, :10].flatten(0, 1)}
    states = {"encoder_hidden_states": told.states.expand(2, -1, -1)}
    with torch.no_grad():
        theirs = decoder(**rows, **states).logits
    theirs = theirs[:, -1].view(2, shape.codebooks, shape.cards)
    torch.testing.assert_close(buffers.logits, theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", ["text", "stereo"])
def test_prefilling_is_stepping(kind: Kind) -> None:
    """What one pass puts into the cache is what step after step puts there."""
    model = hold(kind)
    told = describe(model, ["warm deep house"], negative="piano")
    size = Size(takes=2, guided=True, negative=True, text=32, capacity=256)
    at_once = ready(model, size, told, known=12)
    stepped = ready(model, size, told)
    stepped.tokens.copy_(at_once.tokens)
    for _ in range(12):
        model.step(stepped)
    assert torch.equal(stepped.position, at_once.position) and torch.equal(stepped.time, at_once.time)
    for mine, other in ((at_once.keys, stepped.keys), (at_once.values, stepped.values)):
        torch.testing.assert_close(mine[:, :, :, :12], other[:, :, :, :12], atol=1e-4, rtol=1e-4)


def test_slots_beyond_the_position_do_not_matter() -> None:
    model = hold("text")
    told = describe(model, ["warm deep house"])
    size = Size(takes=1, guided=True, negative=False, text=32, capacity=512)
    narrow, wide = ready(model, size, told), ready(model, size, told)
    wide.keys.fill_(9)
    wide.values.fill_(9)
    narrow.slots = 256
    for _ in range(5):
        model.step(narrow)
        model.step(wide)
    torch.testing.assert_close(narrow.logits, wide.logits)


class HostWork(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Refuses what makes the host wait for a device, or a shape depend on values."""

    FORBIDDEN = ("_local_scalar_dense", "nonzero", "item", "is_nonzero", "masked_select", "unique", "_to_copy.cpu")

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = str(func)
        assert not any(word in name for word in self.FORBIDDEN), f"{name} asks the device for a value"
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("size", SIZES)
def test_a_step_never_asks_for_a_value(size: Size) -> None:
    model = hold("text")
    buffers = ready(model, size, describe(model, ["warm deep house"], negative="piano" if size.negative else ""))
    host_work: Callable[[], Any] = HostWork
    with host_work():
        model.step(buffers)
    with pytest.raises(AssertionError, match="asks the device"), host_work():
        int(buffers.time)


@pytest.mark.parametrize("kind", ["text", "melody"])
@pytest.mark.parametrize("takes", [1, 12])
def test_a_step_stays_on_the_device(kind: Kind, takes: int) -> None:
    """On a device without values: to ask for one raises, and so does mixing devices. Addresses stay as they are."""
    decoder = hold(kind).theirs.decoder
    weights = gather(decoder, dtype=torch.bfloat16, device="meta")
    size = Size(takes=takes, guided=True, negative=False, text=0 if kind == "melody" else 32, capacity=256)
    buffers = allocate(weights, size)
    before = {each.name: getattr(buffers, each.name) for each in fields(buffers)}
    TorchStep(weights)(buffers)
    assert all(getattr(buffers, name) is value for name, value in before.items())
    assert {value.device.type for value in before.values() if isinstance(value, Tensor)} == {"meta"}
    buffers.temperature = torch.ones(1)  # on the CPU
    with pytest.raises(RuntimeError, match="device"):
        TorchStep(weights)(buffers)


def test_a_step_is_one_graph() -> None:
    """Traced whole, without a break: what is captured once serves every step."""
    model = hold("text")
    buffers, again = (ready(model, SIZES[0], describe(model, ["warm deep house"])) for _ in range(2))
    traced: Callable[[Buffers], None] = torch.compile(model.step, fullgraph=True, backend="eager")
    for _ in range(3):
        traced(buffers)
        model.step(again)
    assert torch.equal(buffers.tokens, again.tokens) and torch.equal(buffers.logits, again.logits)


def test_buffers_are_lent_and_few_are_kept() -> None:
    weights = hold("text").weights
    with borrow(weights, SIZES[0]) as first, borrow(weights, SIZES[0]) as second:
        assert first is not second  # two requests at once do not share
    with borrow(weights, SIZES[0]) as again:
        assert again is first
    for capacity in (256, 512, 1024):
        with borrow(weights, Size(takes=1, guided=True, negative=False, text=32, capacity=capacity)):
            assert len(weights.spare) < SPARE_BUFFERS
    assert len(weights.spare) == SPARE_BUFFERS


def test_buffers_are_kept_after_a_cancellation_and_given_up_for_want_of_memory() -> None:
    weights = hold("text").weights
    with pytest.raises(KeyboardInterrupt), borrow(weights, SIZES[0]):
        raise KeyboardInterrupt
    assert list(weights.spare) == [SIZES[0]]
    with pytest.raises(torch.OutOfMemoryError), borrow(weights, SIZES[1]):
        raise torch.OutOfMemoryError
    assert not weights.spare
