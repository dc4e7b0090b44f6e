"""EnCodec: tokens to audio, whole or while they are being drawn, and audio to tokens.

The decoder is a convolution over frames, an LSTM, and a stack of convolutions that makes each frame ``hop`` samples.
The LSTM is causal but remembers without limit. Measured on random weights of the real size (32 kHz, ratios 8, 5, 4, 4,
64 filters, 2 LSTM layers; audio of about 0.1): 25 frames of left context reproduce the whole to 1e-7, but with forget
gates as open as trained ones may be (biases + 6) 40 frames are off by 2e-2. So ``Preview`` carries the LSTM's state
along and takes context only where convolutions read it, as many frames as their kernels reach: 3 on either side before
the LSTM, 1 after it. Audio is final when 4 more frames are known; a frame first changes what sounds 3.75 frames before.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from transformers.models.encodec.modeling_encodec import (
    EncodecConv1d,
    EncodecConvTranspose1d,
    EncodecLSTM,
    EncodecResnetBlock,
)

FRAMES_AT_ONCE = 6_000
"""Frames in one decoding pass, over all rows: 30 s are 250 MB for each tensor of the last layers, in float32."""


@torch.no_grad()
def decode(codec: Any, tokens: Tensor, channels: int) -> Tensor:
    """Audio of whole takes, ``(takes, samples, channels)`` float32 on the CPU, at the codec's rate.

    ``codec`` is transformers' ``EncodecModel``; ``tokens`` ``(takes, codebooks, frames)``. The two channels of a stereo
    model, whose codebooks alternate, are decoded as two mono takes.
    """
    rows = _single(tokens, channels)
    at_once = max(1, FRAMES_AT_ONCE // max(tokens.shape[-1], 1))
    parts = [
        codec.decode(part[None].to(codec.device), [None]).audio_values[:, 0] for part in torch.split(rows, at_once)
    ]
    return _together(torch.cat(parts), channels)


@torch.no_grad()
def encode(codec: Any, samples: Tensor, channels: int) -> Tensor:
    """Tokens of audio at the codec's rate, ``(codebooks, frames)`` int64 on the CPU; a part of a frame is filled up.

    ``samples`` is ``(samples, 1 or 2)``; ``channels`` is the model's: mono is doubled for stereo models, stereo mixed
    to its mean for mono ones.
    """
    if samples.dim() != 2 or not len(samples):
        raise ValueError(f"audio has shape {tuple(samples.shape)}; expected (samples, channels), at least one sample")
    if samples.shape[1] != channels:
        samples = samples.mean(dim=1, keepdim=True).expand(-1, channels)
    weight = next(codec.decoder.parameters())
    values = samples.T[:, None].to(device=weight.device, dtype=weight.dtype)
    codes: Tensor = codec.encode(values).audio_codes[0]
    return codes.permute(1, 0, 2).flatten(0, 1).cpu()


class Preview:
    """Audio while the tokens are being drawn: what is given out is final, and all of it together is the whole.

    State is carried from call to call, so each frame is decoded once: after the last frames the audio is complete. It
    differs from ``decode`` by rounding only. A codec that normalises over time ("time_group_norm", no MusicGen has it)
    gives everything at the end.
    """

    def __init__(self, codec: Any, takes: int, channels: int, *, chunk: int = 25) -> None:
        """``chunk`` frames (0.5 s) are decoded at a time, at least; fewer cost more work a frame."""
        layers = list(codec.decoder.layers)
        memory = next(index for index, layer in enumerate(layers) if isinstance(layer, EncodecLSTM))
        self._codec, self._channels, self._chunk = codec, channels, chunk
        self._lstm = layers[memory].lstm
        self._state: tuple[Tensor, Tensor] | None = None
        self._before = _Stage(layers[:memory], hop=1)
        self._after = _Stage(layers[memory + 1 :], hop=codec.config.hop_length)
        self._local = codec.config.norm_type == "weight_norm"
        self._waiting = torch.zeros(takes * channels, codec.config.num_quantizers, 0, dtype=torch.int64)

    @property
    def lookahead(self) -> int:
        """Frames that must be known beyond one before its audio is final."""
        return self._before.right + self._after.right

    def feed(self, tokens: Tensor) -> Tensor:
        """Take the next frames, ``(takes, codebooks, n)``; ``(takes, samples, channels)`` float32 that is now final."""
        self._waiting = torch.cat([self._waiting, _single(tokens, self._channels)], dim=2)
        if self._local and self._waiting.shape[2] >= self._chunk:
            return self._advance(last=False)
        return self._nothing()

    def finish(self) -> Tensor:
        """The rest of the audio, after the last frames."""
        return self._advance(last=True)

    @torch.no_grad()
    def _advance(self, *, last: bool) -> Tensor:
        codes, self._waiting = self._waiting.to(self._codec.device), self._waiting[:, :, :0]
        frames = self._codec.quantizer.decode(codes.transpose(0, 1)) if codes.shape[2] else None
        states = self._before.advance(frames, last=last)
        if states is not None:
            steps = states.permute(2, 0, 1)
            remembered, self._state = self._lstm(steps, self._state)
            states = (remembered + steps).permute(1, 2, 0)
        audio = self._after.advance(states, last=last)
        return self._nothing() if audio is None else _together(audio[:, 0], self._channels)

    def _nothing(self) -> Tensor:
        return torch.zeros(len(self._waiting) // self._channels, 0, self._channels)


class _Stage:
    """Convolutions over frames, in parts; a frame's output reads ``left`` and ``right`` frames beside it."""

    def __init__(self, layers: list[Any], hop: int) -> None:
        self._layers, self._hop = layers, hop
        self.left, self.right = _reach(layers, hop)
        self._kept: Tensor | None = None
        self._context = 0

    def advance(self, frames: Tensor | None, *, last: bool) -> Tensor | None:
        """Output of the frames that are final now: ``(rows, features, frames)`` to ``(rows, features, samples)``."""
        parts = [part for part in (self._kept, frames) if part is not None]
        if not parts:
            return None
        self._kept = known = torch.cat(parts, dim=2)
        # the first frames are here as context only, and so are the last ones until they are final
        start, end = self._context, known.shape[2] if last else known.shape[2] - self.right
        # what is before the first frame is a reflection of the first ``left`` ones
        if end <= start or not (last or known.shape[2] > self.left):
            return None
        self._kept = known[:, :, max(end - self.left, 0) :]
        self._context = min(end, self.left)
        outputs = known
        for layer in self._layers:
            outputs = layer(outputs)
        return outputs[:, :, start * self._hop : end * self._hop]


def _reach(layers: list[Any], hop: int) -> tuple[int, int]:
    """Input frames left and right of a frame that its ``hop`` output samples depend on, by the kernels' sizes."""
    first, last = 0, hop - 1
    for layer in reversed(list(_convolutions(layers))):
        kernel, stride, dilation = layer.conv.kernel_size[0], layer.conv.stride[0], layer.conv.dilation[0]
        extent = (kernel - 1) * dilation + 1
        padding = extent - stride
        if isinstance(layer, EncodecConvTranspose1d):
            right = math.ceil(padding * layer.trim_right_ratio) if layer.causal else padding // 2
            left = padding - right
            first, last = -(-(first + left - extent + 1) // stride), (last + left) // stride
        else:
            right = 0 if layer.causal else padding // 2
            first, last = first - (padding - right), last + right
    return -first, last


def _convolutions(layers: Iterable[Any]) -> Iterable[Any]:
    for layer in layers:
        if isinstance(layer, EncodecResnetBlock):
            yield from _convolutions(layer.block)
        elif isinstance(layer, EncodecConv1d | EncodecConvTranspose1d):
            yield layer


def _single(tokens: Tensor, channels: int) -> Tensor:
    """Each channel a row: ``(takes, codebooks, n)`` to ``(takes * channels, codebooks / channels, n)``."""
    takes, codebooks, frames = tokens.shape
    return tokens.reshape(takes, codebooks // channels, channels, frames).transpose(1, 2).flatten(0, 1)


def _together(rows: Tensor, channels: int) -> Tensor:
    """Channels of a take side by side: ``(takes * channels, samples)`` to ``(takes, samples, channels)``."""
    return rows.reshape(-1, channels, rows.shape[-1]).transpose(1, 2).float().cpu().contiguous()
