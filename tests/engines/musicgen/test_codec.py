"""Tokens to audio and back: as transformers does it, and in parts as if in one."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import EncodecConfig, EncodecModel

from loopgen.engines.musicgen.codec import Preview, decode, encode
from loopgen.engines.musicgen.conditions import describe
from loopgen.engines.musicgen.tokens import draw
from loopgen.music.sampling import Sampling
from tests.engines.musicgen.peer import hold
from tests.engines.musicgen.tiny import make_tiny

HOP = 640


def some_tokens(takes: int, codebooks: int, frames: int, cards: int = 64) -> Tensor:
    return torch.randint(0, cards, (takes, codebooks, frames), generator=torch.Generator().manual_seed(frames))


def make_codec(**settings: Any) -> Any:
    """EnCodec of another make, with codebooks that are not all zero."""
    torch.manual_seed(1)
    sizes = {"num_filters": 4, "hidden_size": 16, "codebook_size": 64, "codebook_dim": 16, "target_bandwidths": [1.2]}
    rates = {"sampling_rate": 32_000, "upsampling_ratios": [8, 5, 4, 4]}
    codec: Any = EncodecModel(EncodecConfig(**sizes | rates | settings))  # type: ignore[arg-type]
    codec.eval()
    for layer in codec.quantizer.layers:
        torch.nn.init.normal_(layer.codebook.embed)
    return codec


@pytest.fixture(scope="module")
def codec() -> Any:
    return make_tiny("text").audio_encoder


def test_mono_decodes_as_transformers(codec: Any) -> None:
    tokens = some_tokens(3, 4, 30)
    audio = decode(codec, tokens, 1)
    assert audio.shape == (3, 30 * HOP, 1) and audio.dtype == torch.float32
    with torch.no_grad():
        theirs = codec.decode(tokens[None], [None]).audio_values
    torch.testing.assert_close(audio.transpose(1, 2), theirs)
    assert not torch.allclose(audio[0], audio[1])


def test_stereo_decodes_left_and_right_by_themselves(codec: Any) -> None:
    tokens = some_tokens(2, 8, 30)
    audio = decode(codec, tokens, 2)
    assert audio.shape == (2, 30 * HOP, 2)
    for channel in range(2):
        torch.testing.assert_close(audio[:, :, channel], decode(codec, tokens[:, channel::2], 1)[:, :, 0])
    assert not torch.allclose(audio[:, :, 0], audio[:, :, 1])


def test_many_long_takes_decode_as_one(codec: Any) -> None:
    tokens = some_tokens(7, 4, 1_300)
    audio = decode(codec, tokens, 1)
    torch.testing.assert_close(audio[6:], decode(codec, tokens[6:], 1), atol=1e-5, rtol=0)


@pytest.mark.parametrize("channels", [1, 2])
def test_encodes_as_transformers(codec: Any, channels: int) -> None:
    samples = torch.randn(20 * HOP, channels) / 3
    tokens = encode(codec, samples, channels)
    assert tokens.shape == (4 * channels, 20) and tokens.dtype == torch.int64
    with torch.no_grad():
        for channel in range(channels):
            theirs = codec.encode(samples[None, None, :, channel]).audio_codes[0, 0]
            assert torch.equal(tokens[channel::channels], theirs)


def test_channels_are_matched_to_the_model(codec: Any) -> None:
    samples = torch.randn(20 * HOP + 100, 2) / 3
    mean = samples.mean(dim=1, keepdim=True)
    mono = encode(codec, samples, 1)
    assert mono.shape == (4, 21)
    assert torch.equal(mono, encode(codec, mean, 1))
    assert torch.equal(encode(codec, mean, 2), mono.repeat_interleave(2, dim=0))
    with pytest.raises(ValueError, match=r"expected \(samples, channels\)"):
        encode(codec, torch.zeros(0, 1), 1)


def previewed(preview: Preview, tokens: Tensor, sizes: list[int]) -> list[Tensor]:
    parts, start = [], 0
    for size in sizes:
        parts.append(preview.feed(tokens[:, :, start : start + size]))
        start += size
    assert start == tokens.shape[2]
    return [*parts, preview.finish()]


@pytest.mark.parametrize("chunk", [1, 25])
@pytest.mark.parametrize("sizes", [[61], [4] * 15 + [1], [1] * 61, [30, 1, 30], [2, 59]])
def test_parts_are_the_whole(codec: Any, sizes: list[int], chunk: int) -> None:
    tokens = some_tokens(2, 8, 61)
    parts = previewed(Preview(codec, 2, 2, chunk=chunk), tokens, sizes)
    torch.testing.assert_close(torch.cat(parts, dim=1), decode(codec, tokens, 2), atol=1e-5, rtol=0)


@pytest.mark.parametrize("frames", range(1, 12))
def test_short_takes_too(codec: Any, frames: int) -> None:
    tokens = some_tokens(1, 4, frames)
    parts = previewed(Preview(codec, 1, 1, chunk=1), tokens, [1] * frames)
    torch.testing.assert_close(torch.cat(parts, dim=1), decode(codec, tokens, 1), atol=1e-5, rtol=0)


def test_audio_comes_as_early_as_it_is_final(codec: Any) -> None:
    """Four frames later; any earlier, and the next frame would still change it."""
    preview = Preview(codec, 1, 1, chunk=1)
    assert preview.lookahead == 4
    tokens = some_tokens(1, 4, 40)
    assert [preview.feed(tokens[:, :, [index]]).shape[1] for index in range(10)] == [0] * 4 + [HOP] * 6
    other = tokens.clone()
    other[:, :, 20] = (other[:, :, 20] + 1) % 64
    changed = (decode(codec, other, 1) - decode(codec, tokens, 1)).abs()[0, :, 0] > 0
    first = int(changed.nonzero()[0])
    assert 16 * HOP <= first < 17 * HOP


def test_a_long_memory_is_kept() -> None:
    """Forget gates that stay open: context would need every frame there was; the state carries it."""
    codec = make_codec(use_causal_conv=False)
    with torch.no_grad():
        for name, bias in codec.decoder.layers[1].lstm.named_parameters():
            if "bias" in name:
                gate = len(bias) // 4
                bias[gate : 2 * gate] += 3
    tokens = some_tokens(1, 4, 200, cards=64)
    whole = decode(codec, tokens, 1)
    parts = torch.cat(previewed(Preview(codec, 1, 1), tokens, [4] * 50), dim=1)
    torch.testing.assert_close(parts, whole, atol=1e-5, rtol=0)
    late = decode(codec, tokens[:, :, 100:], 1)
    assert float((late[:, 25 * HOP :] - whole[:, 125 * HOP :]).abs().max()) > 1e-4


@pytest.mark.parametrize(
    "settings",
    [
        {"use_causal_conv": True},
        {"use_causal_conv": False, "norm_type": "time_group_norm"},
        {"use_causal_conv": False, "num_residual_layers": 3, "upsampling_ratios": [9, 2, 5, 7], "kernel_size": 9},
    ],
    ids=["causal", "norm-over-time", "deeper"],
)
def test_other_codecs_are_exact_too(settings: dict[str, Any]) -> None:
    codec = make_codec(**settings)
    tokens = some_tokens(1, codec.config.num_quantizers, 50)
    preview = Preview(codec, 1, 1, chunk=1)
    parts = previewed(preview, tokens, [5] * 10)
    torch.testing.assert_close(torch.cat(parts, dim=1), decode(codec, tokens, 1), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", ["text", "melody-stereo"])
def test_preview_of_a_take_is_its_audio(kind: Any) -> None:
    model = hold(kind)
    preview = Preview(model.codec, 2, model.shape.channels)
    parts: list[Tensor] = []

    def listen(frames: Tensor) -> None:
        parts.append(preview.feed(frames))

    tokens = draw(model, describe(model, ["warm deep house"]), 90, Sampling(), [1, 2], on_frames=listen)
    assert sum(part.shape[1] for part in parts) >= 50 * HOP  # it sounded before the end
    parts.append(preview.finish())
    torch.testing.assert_close(
        torch.cat(parts, dim=1), decode(model.codec, tokens, model.shape.channels), atol=1e-5, rtol=0
    )
