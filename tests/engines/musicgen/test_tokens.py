"""The tokens that we draw are those that transformers draws with the same noise."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from loopgen.engines.musicgen import int8
from loopgen.engines.musicgen.conditions import describe
from loopgen.engines.musicgen.step import TorchStep
from loopgen.engines.musicgen.tokens import draw
from loopgen.engines.musicgen.weights import gather
from loopgen.errors import Cancelled, GenerationFailed, OutOfMemory
from loopgen.music.sampling import Sampling
from tests.engines.musicgen.peer import Held, generate, hold
from tests.engines.musicgen.tiny import KINDS, Kind

PROMPT = "warm deep house groove with piano bpm: 124"
FRAMES = 60


@pytest.fixture(scope="module")
def models() -> dict[Kind, Held]:
    return {kind: hold(kind, dtype=torch.float64) for kind in KINDS}


def tune(seed: int, frames: int = 47) -> Tensor:
    bins = torch.randint(0, 12, (frames,), generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.one_hot(bins, 12).float()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(temperature=0),
        Sampling(temperature=0, guidance=1),
        Sampling(top_k=20),
        Sampling(top_k=20, guidance=1, temperature=0.8),
        Sampling(top_p=0.9, temperature=1.3),
    ],
    ids=["greedy", "greedy-unguided", "sampled", "sampled-unguided", "top-p"],
)
def test_same_tokens_as_transformers(
    monkeypatch: pytest.MonkeyPatch, models: dict[Kind, Held], kind: Kind, sampling: Sampling
) -> None:
    model = models[kind]
    chroma = tune(1) if model.shape.has_prefix else None
    seeds = [7, 8]
    theirs = generate(monkeypatch, model, [PROMPT], FRAMES, sampling, seeds, chroma=chroma)
    ours = draw(model, describe(model, [PROMPT], chroma=chroma), FRAMES, sampling, seeds)
    assert ours.dtype == torch.int64 and ours.shape == (2, model.shape.codebooks, FRAMES)
    assert torch.equal(ours, theirs)
    varied = 20 if sampling.temperature else 5  # no constant that would agree by itself; greedy search repeats itself
    assert len(set(ours.flatten().tolist())) > varied


@pytest.mark.parametrize("kind", KINDS)
def test_continuation_as_transformers(monkeypatch: pytest.MonkeyPatch, models: dict[Kind, Held], kind: Kind) -> None:
    model = models[kind]
    chroma = tune(1) if model.shape.has_prefix else None
    heard = torch.randint(0, model.shape.cards, (model.shape.codebooks, 21), generator=torch.Generator().manual_seed(3))
    for sampling in (Sampling(top_k=20), Sampling(temperature=0, guidance=1)):
        theirs = generate(monkeypatch, model, [PROMPT], FRAMES, sampling, [7, 8], chroma=chroma, prompt=heard)
        told = describe(model, [PROMPT], chroma=chroma)
        ours = draw(model, told, FRAMES, sampling, [7, 8], prompt=heard)
        assert torch.equal(ours, theirs)
        assert torch.equal(ours[:, :, :21], heard.expand(2, -1, -1))


@pytest.mark.parametrize("kind", ["text", "melody"])
def test_prompts_of_their_own_as_transformers(
    monkeypatch: pytest.MonkeyPatch, models: dict[Kind, Held], kind: Kind
) -> None:
    model, prompts = models[kind], [PROMPT, "jazz", "dark techno loop with kick and hats"]
    theirs = generate(monkeypatch, model, prompts, FRAMES, Sampling(top_k=20), [7, 8, 9])
    ours = draw(model, describe(model, prompts), FRAMES, Sampling(top_k=20), [7, 8, 9])
    assert torch.equal(ours, theirs)


def test_long_takes_grow_their_cache_as_transformers(monkeypatch: pytest.MonkeyPatch, models: dict[Kind, Held]) -> None:
    model, frames = models["text"], 530
    theirs = generate(monkeypatch, model, [PROMPT], frames, Sampling(top_k=20), [7])
    assert torch.equal(draw(model, describe(model, [PROMPT]), frames, Sampling(top_k=20), [7]), theirs)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_a_seed_gives_the_same_tokens_alone_as_among_others(
    models: dict[Kind, Held], kind: Kind, guidance: float
) -> None:
    model, sampling, seeds = models[kind], Sampling(guidance=guidance), [3, 1, 4, 15]
    heard = torch.randint(0, model.shape.cards, (model.shape.codebooks, 9), generator=torch.Generator().manual_seed(3))
    told = describe(model, [PROMPT], negative="jazz")
    for prompt in (None, heard):
        together = draw(model, told, 200, sampling, seeds, prompt=prompt)
        for take, seed in enumerate(seeds):
            assert torch.equal(draw(model, told, 200, sampling, [seed], prompt=prompt)[0], together[take])
        assert len({take.numpy().tobytes() for take in together}) == len(seeds)


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_alone_as_among_others_in_single_precision(guidance: float) -> None:
    """Short, as luck may be against a processor whose products depend on their number of rows (see ``TorchStep``)."""
    model, sampling, seeds = hold("text"), Sampling(guidance=guidance), [3, 1, 4, 15]
    told = describe(model, [PROMPT])
    together = draw(model, told, 50, sampling, seeds)
    for take, seed in enumerate(seeds):
        assert torch.equal(draw(model, told, 50, sampling, [seed])[0], together[take])


def test_prompts_of_their_own_among_others(models: dict[Kind, Held]) -> None:
    """Each take may be told and may have heard something else; it sounds as if it were alone."""
    model, prompts = models["text"], [PROMPT, "jazz", "dark techno"]
    heard = torch.randint(0, model.shape.cards, (3, model.shape.codebooks, 9))
    together = draw(model, describe(model, prompts), FRAMES, Sampling(), [1, 2, 3], prompt=heard)
    for take, prompt in enumerate(prompts):
        alone = draw(model, describe(model, [prompt]), FRAMES, Sampling(), [take + 1], prompt=heard[take])
        assert torch.equal(alone[0], together[take])


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_model_is_told_matters(models: dict[Kind, Held], kind: Kind) -> None:
    model = models[kind]

    def drawn(prompt: str = PROMPT, **told: object) -> Tensor:
        return draw(model, describe(model, [prompt], **told), FRAMES, Sampling(top_k=20), [5])  # type: ignore[arg-type]

    plain = drawn()
    assert torch.equal(drawn(), plain)
    assert not torch.equal(drawn("dark techno"), plain)
    assert not torch.equal(drawn(negative="piano"), plain)
    if model.shape.has_prefix:
        assert not torch.equal(drawn(chroma=tune(1)), plain)
        assert not torch.equal(drawn(chroma=tune(1)), drawn(chroma=tune(2)))
        return
    with pytest.raises(ValueError, match="takes no melody"):
        drawn(chroma=tune(1))


@pytest.mark.parametrize("kind", ["text", "melody"])
def test_a_negative_prompt_equal_to_the_prompt_leaves_the_plain_model(models: dict[Kind, Held], kind: Kind) -> None:
    """Guidance leads nowhere when both rows are told the same."""
    model = models[kind]
    guided = draw(model, describe(model, [PROMPT], negative=PROMPT), FRAMES, Sampling(guidance=7), [5])
    assert torch.equal(guided, draw(model, describe(model, [PROMPT]), FRAMES, Sampling(guidance=1), [5]))


def test_buffers_are_used_again_without_a_trace(models: dict[Kind, Held]) -> None:
    model = hold("text")
    first = draw(model, describe(model, [PROMPT]), 300, Sampling(), [5])
    kept = list(model.weights.spare.values())
    draw(model, describe(model, ["jazz"]), 290, Sampling(temperature=2, guidance=5), [6])
    assert list(model.weights.spare.values()) == kept
    assert torch.equal(draw(model, describe(model, [PROMPT]), 300, Sampling(), [5]), first)


def test_finished_frames_come_as_they_are_drawn(models: dict[Kind, Held]) -> None:
    model = models["stereo"]
    heard = torch.randint(0, model.shape.cards, (model.shape.codebooks, 10))
    parts: list[Tensor] = []
    shares: list[float] = []
    whole = draw(
        model,
        describe(model, [PROMPT]),
        FRAMES,
        Sampling(),
        [1, 2],
        prompt=heard,
        progress=shares.append,
        on_frames=parts.append,
    )
    assert torch.equal(torch.cat(parts, dim=2), whole)
    assert len(parts) > 10 and max(part.shape[2] for part in parts[1:]) <= 4
    assert shares == sorted(shares) and shares[-1] == 1


def test_cancel_stops_within_a_few_frames() -> None:
    model, steps = hold("text"), []
    step = model.step

    def counted(buffers: object) -> None:
        steps.append(1)
        step(buffers)  # type: ignore[arg-type]

    def cancel(share: float) -> None:
        if share > 0.1:
            raise Cancelled("stopped")

    model.step = counted
    with pytest.raises(Cancelled):
        draw(model, describe(model, [PROMPT]), 400, Sampling(), [1], progress=cancel)
    assert 40 < len(steps) <= 45
    model.step = step
    assert draw(model, describe(model, [PROMPT]), 40, Sampling(), [1]).shape == (1, 4, 40)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9.05 GB)"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
    ids=["cuda", "mps", "cpu", "numpy"],
)
def test_too_little_memory_is_said_with_what_to_do(error: Exception) -> None:
    model = hold("text")

    def full(buffers: object) -> None:
        raise error

    model.step = full
    with pytest.raises(OutOfMemory, match="2 takes of 8 s need more memory than cpu has; ask for fewer takes"):
        draw(model, describe(model, [PROMPT]), 400, Sampling(), [1, 2])


def test_other_errors_of_a_step_stay_what_they_are() -> None:
    model = hold("text")

    def broken(buffers: object) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    model.step = broken
    with pytest.raises(RuntimeError, match="illegal memory access"):
        draw(model, describe(model, [PROMPT]), 40, Sampling(), [1])


@pytest.mark.parametrize(("dtype", "said"), [(torch.float16, "use precision bf16 or fp32"), (torch.float32, "damaged")])
def test_numbers_that_overflow_are_no_music(dtype: torch.dtype, said: str) -> None:
    model = hold("text", dtype=dtype)
    model.weights.layers[0].fc1 = torch.as_tensor(model.weights.layers[0].fc1) * 1e4
    model.weights.layers[0].fc2 = torch.as_tensor(model.weights.layers[0].fc2) * torch.finfo(dtype).max / 1e4
    with pytest.raises(GenerationFailed, match=f"overflowed in float.*: .*{said}"):
        draw(model, describe(model, [PROMPT]), 8, Sampling(), [1])


def test_a_gpu_is_the_current_one_while_it_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event is of the current GPU: recorded on another than the tensors', it would wait for nothing."""
    model = hold("text")
    told = describe(model, [PROMPT])
    with FakeTensorMode(allow_non_fake_inputs=True):
        model.weights = gather(model.theirs.decoder, dtype=torch.float16, device="cuda:1")

    class Entered(Exception):
        pass

    def enter(device: torch.device) -> None:
        raise Entered(str(device))

    monkeypatch.setattr(torch.cuda, "device", enter)
    with pytest.raises(Entered, match="cuda:1"):
        draw(model, told, 8, Sampling(), [1])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", ["text", "melody"])
def test_half_precision_draws_music_too(kind: Kind, dtype: torch.dtype) -> None:
    model = hold(kind, dtype=dtype)
    tokens = draw(model, describe(model, [PROMPT]), FRAMES, Sampling(), [1, 2])
    assert int(tokens.min()) >= 0 and int(tokens.max()) < model.shape.cards
    assert len(set(tokens.flatten().tolist())) > 20


@pytest.mark.skipif(
    not int8.available(), reason="rows are computed by themselves only where the processor has a kernel"
)
def test_int8_matrices_draw_close_to_the_plain_model_and_alone_as_among_others() -> None:
    plain, coarse = hold("text"), hold("text")
    coarse.weights = int8.quantise(coarse.weights)
    coarse.step = TorchStep(coarse.weights)
    told = describe(coarse, [PROMPT])
    tokens = draw(coarse, told, 200, Sampling(), [1, 2, 3, 4])
    for take in range(4):
        assert torch.equal(draw(coarse, told, 200, Sampling(), [take + 1])[0], tokens[take])
    first = draw(plain, told, 200, Sampling(), [1, 2, 3, 4])[:, :, 0]
    assert float((first == tokens[:, :, 0]).float().mean()) > 0.5


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda model, told: draw(model, told, 10, Sampling(), []), "no seed"),
        (lambda model, told: draw(model, told, 1501, Sampling(), [1]), "1501 frames"),
        (lambda model, told: draw(model, told, 5, Sampling(), [1], prompt=torch.zeros(4, 5)), "5 are the prompt's"),
        (lambda model, told: draw(model, told, 9, Sampling(), [1], prompt=torch.zeros(2, 5)), r"expected \(4, n\)"),
        (lambda model, told: draw(model, told, 9, Sampling(), [1], prompt=torch.full((4, 5), 64)), "outside 0 to 63"),
        (lambda model, told: draw(model, told, 9, Sampling(), [1, 2, 3]), "2 rows"),
    ],
)
def test_sizes_that_do_not_fit_are_said(
    models: dict[Kind, Held], call: Callable[[Held, object], Tensor], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        call(models["text"], describe(models["text"], [PROMPT, "jazz"]))
