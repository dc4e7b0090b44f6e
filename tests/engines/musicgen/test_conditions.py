"""What the decoder is told is what transformers tells it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from loopgen.engines.musicgen.conditions import describe
from loopgen.engines.musicgen.tokens import draw
from loopgen.errors import InvalidRequest
from loopgen.music.sampling import Sampling
from tests.engines.musicgen.peer import Held, hold
from tests.engines.musicgen.tiny import KINDS, Kind

PROMPTS = ["warm deep house groove", "jazz"]


@pytest.fixture(scope="module")
def models() -> dict[Kind, Held]:
    return {kind: hold(kind) for kind in KINDS}


def told_by_transformers(
    monkeypatch: pytest.MonkeyPatch, model: Held, chroma: Tensor | None = None
) -> tuple[Tensor, Tensor | None]:
    """States and mask that transformers' decoder gets at first, prompts first, then their unconditional rows."""
    words = model.tokenizer(PROMPTS, padding=True, return_tensors="pt")
    features = {} if chroma is None else {"input_features": chroma.expand(2, -1, -1).clone()}
    seen: list[dict[str, Any]] = []
    forward = model.theirs.decoder.forward

    def listen(*args: Any, **kwargs: Any) -> Any:
        seen.append(kwargs)
        return forward(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(model.theirs.decoder, "forward", listen)
        model.theirs.generate(**words, **features, max_new_tokens=6, do_sample=False, guidance_scale=3.0)
    return seen[0]["encoder_hidden_states"], seen[0].get("encoder_attention_mask")


@pytest.mark.parametrize("kind", ["text", "stereo"])
def test_text_models_attend_to_the_text(monkeypatch: pytest.MonkeyPatch, models: dict[Kind, Held], kind: Kind) -> None:
    told = describe(models[kind], PROMPTS)
    states, mask = told_by_transformers(monkeypatch, models[kind])
    assert mask is not None
    torch.testing.assert_close(told.states, states[:2], atol=1e-5, rtol=1e-5)
    assert torch.equal(told.mask, mask[:2].bool())
    assert not told.mask.all() and not told.states[~told.mask].any()
    # nothing at all, attended to by nobody: no row of ours stands for it
    assert told.null_states is None and told.null_mask is None
    assert not states[2:].any() and not mask[2:].any()


@pytest.mark.parametrize("frames", [None, 1, 47, 235, 300])
def test_melody_models_read_chroma_then_text(
    monkeypatch: pytest.MonkeyPatch, models: dict[Kind, Held], frames: int | None
) -> None:
    model = models["melody"]
    chroma = None if frames is None else torch.eye(12)[torch.arange(frames) * 5 % 12]
    told = describe(model, PROMPTS, chroma=chroma)
    states, _ = told_by_transformers(monkeypatch, model, chroma)
    torch.testing.assert_close(told.states, states[:2], atol=1e-5, rtol=1e-5)
    assert told.null_states is not None and len(told.null_states) == 1
    torch.testing.assert_close(told.null_states.expand(2, -1, -1), states[2:], atol=1e-5, rtol=1e-5)
    assert told.mask.all()  # transformers and audiocraft hide nothing of the prefix, padding of the text included


@pytest.mark.parametrize("kind", KINDS)
def test_a_negative_prompt_is_encoded_as_a_prompt(models: dict[Kind, Held], kind: Kind) -> None:
    model = models[kind]
    told = describe(model, PROMPTS[:1], negative=PROMPTS[1])
    as_prompt = describe(model, PROMPTS)
    assert told.null_states is not None and told.null_mask is not None
    assert torch.equal(told.states[0], as_prompt.states[0])
    assert torch.equal(told.null_states[0], as_prompt.states[1])
    assert torch.equal(told.null_mask[0], as_prompt.mask[1])


def test_states_of_a_prompt_do_not_depend_on_the_others(models: dict[Kind, Held]) -> None:
    together, alone = describe(models["text"], PROMPTS), describe(models["text"], PROMPTS[1:])
    length = alone.states.shape[1]
    assert torch.equal(together.states[1, :length], alone.states[0])
    assert int(together.mask[1].sum()) == length


@pytest.mark.parametrize("chroma", [torch.zeros(10, 11), torch.zeros(0, 12), torch.zeros(1, 10, 12)])
def test_chroma_of_another_shape_is_refused(models: dict[Kind, Held], chroma: Tensor) -> None:
    with pytest.raises(ValueError, match=r"expected \(frames, 12\)"):
        describe(models["melody"], PROMPTS, chroma=chroma)


def test_words_and_melody_are_asked_for_where_they_belong(models: dict[Kind, Held]) -> None:
    with pytest.raises(ValueError, match="no prompt"):
        describe(models["text"], [])
    with pytest.raises(ValueError, match="use a melody model"):
        describe(models["stereo"], PROMPTS, chroma=torch.eye(12))


@pytest.mark.parametrize("kind", ["text", "melody"])
def test_texts_end_somewhere(models: dict[Kind, Held], kind: Kind) -> None:
    """The longest text that is taken leaves room for a whole window."""
    model = models[kind]
    told = describe(model, [" ".join(["jazz"] * 1_023)])
    assert told.states.shape[1] == 1_024 + model.chroma_length
    assert draw(model, told, 8, Sampling(), [1]).shape == (1, 4, 8)
    for texts in ({"prompts": [" ".join(["jazz"] * 1_024)]}, {"prompts": ["jazz"], "negative": "z" * 1_500}):
        with pytest.raises(InvalidRequest, match="1024 is the most"):
            describe(model, **texts)
    if model.shape.has_prefix:
        with pytest.raises(ValueError, match="positions end at 3072"):
            draw(model, replace(told, states=told.states.repeat(1, 2, 1)), 8, Sampling(), [1])
