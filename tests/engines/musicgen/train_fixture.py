"""Trains the small MusicGen of ``fixture/`` until it plays a few bars of the embedded engine by heart.

    python -m tests.engines.musicgen.train_fixture [FOLDER]

Overfitting is the aim: what such a model plays is known beforehand, so that a test can hold real neural output against
what it should be, text encoder, tokens, codec and all. Three stages, from one seed, ten minutes on one core:

1. EnCodec's encoder and decoder learn the bars as an autoencoder without a quantizer.
2. The four codebooks are found by k-means, each on what the ones before it left over (residual vector quantization),
   and the decoder learns to play from the codes.
3. T5 and the decoder of tokens learn the codes of both songs under teacher forcing in the delay pattern. The prompt is
   left out now and then, as classifier-free guidance needs it; some of the tokens that are read are replaced by others,
   so that the model finds back after a token drawn wrong; some songs are joined in the middle or come after a count-in,
   so that it goes on with what it is given.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, l1_loss, pad
from transformers import (
    EncodecConfig,
    MusicgenConfig,
    MusicgenDecoderConfig,
    MusicgenForConditionalGeneration,
    T5Config,
)
from transformers.utils import logging

from loopgen.engines.musicgen.codec import encode
from loopgen.engines.musicgen.count_in import count_in
from loopgen.engines.musicgen.prompt import describe
from loopgen.engines.sketch.engine import SketchEngine
from loopgen.music.request import LoopRequest
from loopgen.music.tempo import Meter
from tests.engines.musicgen.tiny import make_tokenizer, save_model

FOLDER = Path(__file__).with_name("fixture")
RATE = 32_000
HOP = 640
CARDS = 128
FRAMES = 1_500
"""Tokens of each codebook in a training example: the 30 s that the real models know, at 50 Hz."""
SURENESS = 2
"""Temperature of training, so that drawing at 1 hardly strays from the songs, guidance's sharper tails included."""
GUESSWORK = 50
"""Frames before which it cannot be known where a song was joined, or which one it is where no prompt says so."""


@dataclass(frozen=True, slots=True)
class Song:
    """What the model knows by heart: two bars of the embedded engine, over and over. Their length is whole frames."""

    prompt: str
    bpm: Fraction
    key: str
    seed: int

    def request(self, bpm: Fraction | None = None) -> LoopRequest:
        """The two bars as a user would ask for them, at another tempo perhaps."""
        return LoopRequest(self.prompt, bpm or self.bpm, 2, key=self.key, rate=RATE, seed=self.seed)

    def ring(self) -> NDArray[np.float32]:
        """The two bars, mono; the end leads into the beginning."""
        take = SketchEngine().generate(self.request(), self.seed)
        frames = int(2 * 240 * RATE / self.bpm)
        first = int(240 * RATE / self.bpm)
        return take.audio.mono()[first : first + frames]

    def audio(self, frames: int = FRAMES) -> NDArray[np.float32]:
        """The song as the model should play it: the ring from its beginning, ``frames`` frames of it."""
        return np.resize(self.ring(), frames * HOP)


SONGS = (
    Song("deep house, four on the floor", Fraction(120), "Am", 1),
    Song("boom bap hip hop, dusty drums", Fraction(96), "Dm", 2),
)


def small() -> Any:
    """The architecture of facebook/musicgen-small, about a million weights."""
    audio = EncodecConfig(
        sampling_rate=RATE,
        num_filters=8,
        hidden_size=32,
        codebook_size=CARDS,
        upsampling_ratios=[8, 5, 4, 4],
        target_bandwidths=[50 * 4 * math.log2(CARDS) / 1000],
        num_lstm_layers=1,
        use_causal_conv=False,
        use_conv_shortcut=False,
    )
    text = T5Config(vocab_size=len(make_tokenizer()), d_model=32, d_kv=16, d_ff=64, num_layers=2, num_heads=2)
    decoder = MusicgenDecoderConfig(
        vocab_size=CARDS,
        hidden_size=96,
        num_hidden_layers=2,
        ffn_dim=384,
        num_attention_heads=4,
        pad_token_id=CARDS,
        bos_token_id=CARDS,
        dropout=0.0,
    )
    config = MusicgenConfig(text_encoder=text, audio_encoder=audio, decoder=decoder)
    model: Any = MusicgenForConditionalGeneration(config)
    model.generation_config.update(
        decoder_start_token_id=CARDS,
        pad_token_id=CARDS,
        bos_token_id=CARDS,
        do_sample=True,
        guidance_scale=3.0,
        max_length=1500,
    )
    return model


def spectral_distance(played: Tensor, true: Tensor) -> Tensor:
    """Sum over four resolutions of the L1 distances of magnitudes and of their logarithms, after EnCodec's losses."""
    total = torch.zeros(())
    for size in (128, 512, 1024, 2048):
        window = torch.hann_window(size)
        a, b = (
            torch.stft(x[:, 0], size, size // 4, window=window, return_complex=True, center=False).abs() / size**0.5
            for x in (played, true)
        )
        total = total + (a - b).abs().mean() / b.mean() + 0.2 * (torch.log(a + 1e-3) - torch.log(b + 1e-3)).abs().mean()
    return total


def fit(name: str, weights: Sequence[nn.Parameter], steps: int, rate: float, loss: Callable[[float], Tensor]) -> None:
    """Adam with a short warm-up and a cosine down to nothing; ``loss`` is told the share of the steps that is done."""
    optimiser = torch.optim.Adam(weights, lr=rate, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1, (step + 1) / 30) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / steps)))
    )
    begun = time.monotonic()
    for step in range(steps):
        value = loss(step / steps)
        optimiser.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        schedule.step()
        if (step + 1) % 50 == 0 or step == steps - 1:
            print(f"{name} {step + 1}/{steps}: {value.item():.4f}, {time.monotonic() - begun:.0f} s", flush=True)


def around(ring: Tensor, start: int, length: int) -> Tensor:
    """``length`` steps of a ring from ``start`` on; its last axis is the ring."""
    return ring[..., torch.arange(start, start + length) % ring.shape[-1]]


def chance(below: int) -> int:
    """A whole number from 0 to ``below``, that one left out."""
    return int(torch.randint(below, ()))


def train_codec(codec: Any, rings: Sequence[Tensor]) -> list[Tensor]:
    """Stages 1 and 2; ``rings`` have shape (1, samples). Returns the codes of each ring, (codebooks, frames).

    The weights are rounded to fp16, as they are saved, before the codes are taken.
    """

    def distance(played: Tensor, true: Tensor) -> Tensor:
        return spectral_distance(played, true) + 10 * l1_loss(played, true)

    def through_both(_: float) -> Tensor:
        picks = [rings[chance(len(rings))] for _ in range(4)]
        true = torch.stack([around(ring, HOP * chance(ring.shape[1] // HOP), 50 * HOP) for ring in picks])
        return distance(codec.decoder(codec.encoder(true)), true)

    fit("autoencoder", [*codec.encoder.parameters(), *codec.decoder.parameters()], 600, 3e-3, through_both)
    fill_codebooks(codec, torch.cat([latent_of(codec, ring) for ring in rings], dim=2)[0].T)
    codes = [codes_of(codec, ring) for ring in rings]
    latents = [codec.quantizer.decode(ring[:, None])[0] for ring in codes]

    def from_codes(_: float) -> Tensor:
        heard, true = [], []
        for index in (chance(len(rings)), chance(len(rings))):
            start = chance(codes[index].shape[1])
            heard.append(around(latents[index], start, 120))
            true.append(around(rings[index], start * HOP, 120 * HOP))
        return distance(codec.decoder(torch.stack(heard)), torch.stack(true))

    fit("decoder", list(codec.decoder.parameters()), 1200, 3e-3, from_codes)
    codec.half().float()
    return [codes_of(codec, ring) for ring in rings]


@torch.no_grad()
def latent_of(codec: Any, ring: Tensor) -> Tensor:
    """What the encoder makes of a ring (1, samples), (1, width, frames): three times round, the middle has no edges."""
    thrice: Tensor = codec.encoder(ring[None].tile(3))
    return thrice.chunk(3, dim=2)[1]


def codes_of(codec: Any, ring: Tensor) -> Tensor:
    """The codes of a ring (1, samples), (codebooks, frames)."""
    codes: Tensor = codec.quantizer.encode(latent_of(codec, ring))
    return codes[:, 0]


@torch.no_grad()
def fill_codebooks(codec: Any, latents: Tensor) -> None:
    """Residual vector quantization: each codebook is the k-means of what those before it left of ``latents`` (n, w)."""
    residual, power = latents, latents.var(dim=0).sum()
    for number, layer in enumerate(codec.quantizer.layers, 1):
        centres = k_means(residual, CARDS)
        layer.codebook.embed.copy_(centres)
        layer.codebook.embed_avg.copy_(centres)
        layer.codebook.cluster_size.fill_(1)
        residual = residual - centres[torch.cdist(residual, centres).argmin(dim=1)]
        print(f"{number} codebooks leave {float(residual.var(dim=0).sum() / power):.1%} of the latents' power")


def k_means(points: Tensor, count: int, rounds: int = 50) -> Tensor:
    """Lloyd's algorithm from points drawn at random; ``points`` (n, width) -> centres (count, width)."""
    centres = points[torch.randperm(len(points))[:count]].clone()
    for _ in range(rounds):
        nearest = torch.cdist(points, centres).argmin(dim=1)
        for index in sorted(set(nearest.tolist())):
            centres[index] = points[nearest == index].mean(dim=0)
    return centres


def delayed(codes: Tensor) -> Tensor:
    """The delay pattern, codebook k k steps late: (rows, codebooks, n) -> (rows, codebooks, n + codebooks - 1)."""
    rows, books, frames = codes.shape
    pattern = torch.full((rows, books, frames + books - 1), CARDS)
    for book in range(books):
        pattern[:, book, book : book + frames] = codes[:, book]
    return pattern


def example(ring: Tensor, count_ins: Sequence[Tensor], frames: int) -> tuple[Tensor, int]:
    """Codes to learn, (codebooks, frames), and of how many of the first frames nothing is learned.

    The song of ``ring`` from its beginning, mostly; or joined in the middle, as by a window of tokens that are given;
    or after one of the ``count_ins``.
    """
    kind = float(torch.rand(()))
    if kind < 0.6:
        return around(ring, 0, frames), 0
    if kind < 0.85:
        return around(ring, chance(ring.shape[1]), frames), GUESSWORK
    clicks = count_ins[chance(len(count_ins))]
    given = clicks.shape[1]
    return torch.cat([clicks, around(ring, 0, frames - given)], dim=1), given


def train_language(model: Any, codes: Sequence[Tensor]) -> None:
    """Stage 3; ``codes`` of each song's ring, (codebooks, frames)."""
    torch.manual_seed(1)
    tokenizer = make_tokenizer()
    count_ins = [counted_in(model.audio_encoder, Fraction(bpm)) for bpm in range(60, 180, 6)]
    rows, books = 4, len(codes[0])

    def batch(done: float) -> Tensor:
        songs = [index % len(SONGS) for index in range(rows)]
        frames = FRAMES if done > 0.5 else FRAMES // 3  # the first half of the way costs a quarter
        played, given = zip(*(example(codes[song], count_ins, frames) for song in songs), strict=True)
        target = delayed(torch.stack(played))
        frame = torch.arange(target.shape[2]) - torch.arange(books)[:, None]
        heard = pad(target, (1, -1), value=CARDS)
        wrong = (heard != CARDS) & (torch.rand(heard.shape) < 0.3 * (1 - done) * torch.rand(rows, 1, 1) ** 2)
        heard = torch.where(wrong, torch.randint(CARDS, heard.shape), heard)
        told = torch.rand(rows) > 0.15
        words = tokenizer([description(SONGS[song]) for song in songs], return_tensors="pt", padding=True)
        states = model.enc_to_dec_proj(model.text_encoder(**words).last_hidden_state)
        logits = model.decoder(
            input_ids=heard.flatten(0, 1),
            encoder_hidden_states=states * words.attention_mask[:, :, None] * told[:, None, None],
            encoder_attention_mask=words.attention_mask,
            use_cache=False,
        ).logits
        known = frame >= (torch.tensor(given) + GUESSWORK * ~told)[:, None, None]
        losses = cross_entropy(
            logits.movedim(2, 1) / SURENESS, target.flatten(0, 1), ignore_index=CARDS, reduction="none"
        ).view(target.shape)
        # a song's first frames are what the prompt decides, the rest follows from them
        weight = known * torch.where(frame < torch.tensor(given)[:, None, None] + 10, 20.0, 1.0)
        return torch.sum(losses * weight) / weight.sum()

    parts = (model.text_encoder, model.enc_to_dec_proj, model.decoder)
    fit("tokens", [weight for part in parts for weight in part.parameters()], 700, 4e-3, batch)


def counted_in(codec: Any, bpm: Fraction) -> Tensor:
    """Codes of a count-in, (codebooks, whole frames up to the bar line)."""
    clicks = count_in(bpm, Meter())
    return encode(codec, torch.from_numpy(clicks.samples)[:, None], channels=1)[:, : int(clicks.downbeat * RATE / HOP)]


def description(song: Song) -> str:
    """The text of a request for the song: any tempo, since a model plays its own, in more or fewer words."""
    prompt = song.prompt if chance(2) else song.prompt.partition(",")[0]
    bpm = Fraction(600 + chance(1201), 10)
    return describe(LoopRequest(prompt, bpm, key=song.key if chance(2) else None))


@torch.no_grad()
def report(model: Any, codes: Sequence[Tensor]) -> None:
    """Print how well each song is played: greedily by transformers' own loop, and by the codec alone."""
    tokenizer = make_tokenizer()
    for song, ring in zip(SONGS, codes, strict=True):
        true = around(ring, 0, FRAMES)
        waves = model.audio_encoder.decode(true[None, None], [None]).audio_values[0, 0].numpy()
        correlation = np.corrcoef(waves, song.audio())[0, 1]
        words = tokenizer([describe(song.request())], return_tensors="pt")
        for guidance in (1.0, 3.0):
            played = model.generate(
                **words, do_sample=False, guidance_scale=guidance, max_new_tokens=FRAMES + len(ring) - 1
            )
            same = float(np.mean(np.abs(played[0, 0].numpy() - waves) < 1e-4))
            print(f"{song.prompt}: guidance {guidance:g}, {same:.2%} of the samples as from the right tokens")
        print(f"{song.prompt}: correlation of the codec's audio with the engine's {correlation:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER, help="where to write the model")
    folder = parser.parse_args().folder
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    torch.set_num_threads(1)  # for the same model from the same seed
    torch.manual_seed(0)
    model = small().train()
    codes = train_codec(model.audio_encoder, [torch.from_numpy(song.ring())[None] for song in SONGS])
    train_language(model, codes)
    model.eval().half()
    save_model(folder, model)
    report(model.float(), codes)


if __name__ == "__main__":
    main()
