"""MusicGen on this machine, tried: our decoder against transformers' own, and how long a step takes."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import transformers

from loopgen.engines.base import Hardware
from loopgen.engines.musicgen import graphs, load, machine, parts
from loopgen.engines.musicgen.check import Finding, Told, said
from loopgen.engines.musicgen.conditions import describe
from loopgen.engines.musicgen.load import Model
from loopgen.engines.musicgen.tokens import draw
from loopgen.errors import LoopgenError, OutOfMemory
from loopgen.music.sampling import Sampling

PROMPT = "Warm deep house groove. bpm: 124. key: a minor. genre: house. instrument: rhodes, bass"
COMPARED, WARM_UP, TIMED = 16, 8, 48
"""Frames that are compared with transformers', that pass before time is taken, and that it is taken of."""
FRAME_MS = 20.0
"""What a frame lasts: a step that takes longer is slower than the music."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The hardware that was chosen, in words; ``free`` memory in bytes, None if unknown."""

    device: str
    precision: str
    threads: int
    cores: int
    free: int | None


def hardware(asked: Hardware) -> Seen:
    """What a model would be computed on; raises what ``machine`` raises."""
    device = machine.device_of(asked.device)
    precision = machine.precision_of(asked.precision, device)
    threads = machine.use_threads(asked.threads)
    return Seen(machine.describe(device), precision, threads, machine.cores(), machine.free_memory(device))


def play(chosen: str, asked: Hardware, tell: Told) -> Iterator[Finding]:
    """Our decoder against transformers', then how fast it is; every error is a finding."""
    name = chosen or "tiny models with random weights"
    try:
        if chosen:
            yield from _real(chosen, asked, tell)
        else:
            yield from _random(asked, tell)
    except LoopgenError as error:
        yield Finding("decoder", "problem", str(error))
    except Exception as error:  # whatever a library raises is what we are here to find
        yield Finding("decoder", "problem", f"{name} did not play: {said(error)}", "please report it, with this line")


def _real(chosen: str, asked: Hardware, tell: Told) -> Iterator[Finding]:
    tell(0.2, f"loading {chosen}")
    try:
        lacking, compared = "", [_exactly(chosen, asked, tell)]
    except OutOfMemory as error:
        lacking, compared = str(error), []
    gc.collect()  # both models, before there is another
    if lacking:
        yield Finding("decoder", "warning", f"{chosen} is not compared with transformers: {lacking}")
        yield from _random(asked, tell)
    yield from compared
    ours = load.load(chosen, device=asked.device, precision=asked.precision, threads=asked.threads)
    tell(0.8, f"taking the time of {TIMED} frames")
    ms = _step_ms(ours)
    faster = f"{FRAME_MS / ms:.1f} times as fast as the music plays"
    how = f"{chosen} in {ours.precision} on {ours.device} by {graphs.described(ours.step)}"
    yield Finding("speed", "ok", f"{how}: {ms:.1f} ms a step, {faster}")


def _exactly(chosen: str, asked: Hardware, tell: Told) -> Finding:
    """Both in fp32, where they are exact enough for the same tokens."""
    ours = load.load(chosen, device=asked.device, precision="fp32", threads=asked.threads)
    tell(0.5, f"drawing {COMPARED} frames by {chosen}, as transformers does")
    with machine.or_too_much(f"{chosen} in fp32 does not fit into the memory of {ours.device} twice"):
        return _compared(chosen, ours, load.reference(ours))


def _random(asked: Hardware, tell: Told) -> Iterator[Finding]:
    for kind in ("text", "melody"):
        tell(0.5, f"drawing {COMPARED} frames of a tiny {kind} model, as transformers does")
        yield _compared(f"a tiny {kind} model with random weights", *_tiny(kind, asked.device))


def _compared(name: str, ours: Model, theirs: Any) -> Finding:
    expected = _their_tokens(theirs, ours.tokenizer)
    found = _our_tokens(ours, COMPARED)
    text = f"{COMPARED} frames of {name}"
    if expected.shape == found.shape and torch.equal(expected, found):
        return Finding("decoder", "ok", f"{text}: every token is that of transformers {transformers.__version__}")
    wrong = float((expected != found).float().mean()) if expected.shape == found.shape else 1.0
    return Finding(
        "decoder",
        "problem",
        f"{text}: {wrong:.0%} of the tokens differ from transformers {transformers.__version__}",
        "use transformers as in constraints.txt, and please report it with this whole list",
    )


def _our_tokens(model: Model, frames: int) -> Any:

    return draw(model, describe(model, [PROMPT]), frames, Sampling(temperature=0, guidance=3.0), [0])[0]


def _their_tokens(theirs: Any, tokenizer: Any) -> Any:
    """What transformers' own ``generate`` draws, greedily: ``(codebooks, frames)``, left and right interleaved."""
    heard: list[Any] = []
    decode = theirs.audio_encoder.decode

    def listen(codes: Any, *rest: Any, **options: Any) -> Any:
        heard.append(codes[0, 0].cpu())
        return decode(codes, *rest, **options)

    theirs.audio_encoder.decode = listen
    try:
        ids = tokenizer(PROMPT, return_tensors="pt").input_ids.to(theirs.device)
        theirs.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            guidance_scale=3.0,
            max_new_tokens=COMPARED + 3,  # the delays of the codebooks
        )
    finally:
        del theirs.audio_encoder.decode  # the class's own is seen again
    return heard[0] if len(heard) == 1 else torch.stack(heard, dim=1).flatten(0, 1)


def _step_ms(model: Model) -> float:
    """Milliseconds a step of one take with guidance, prompt and warm-up apart.

    The few frames are drawn several times and the shortest counts: what else the machine did then would be taken off.
    """

    def seconds(frames: int) -> float:
        start = time.perf_counter()
        _our_tokens(model, frames)
        return time.perf_counter() - start

    apart = min(seconds(WARM_UP) for _ in range(4))
    return 1000 * max(seconds(WARM_UP + TIMED) - apart, 1e-6) / TIMED


def _tiny(kind: str, device: str) -> tuple[Model, Any]:
    """A model of the real architecture with random weights, ours and transformers'; no tokenizer, so any ids do."""

    text = transformers.T5Config(vocab_size=64, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4)
    audio = transformers.EncodecConfig(
        sampling_rate=32_000,
        num_filters=4,
        hidden_size=16,
        codebook_size=64,
        codebook_dim=16,
        upsampling_ratios=[8, 5, 4, 4],
        target_bandwidths=[1.2],  # kbit/s: four codebooks of 6 bits, 50 times a second
        num_lstm_layers=1,
        use_causal_conv=False,
        use_conv_shortcut=False,
    )
    sizes: dict[str, Any] = {
        "vocab_size": 64,
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "ffn_dim": 128,
        "num_attention_heads": 4,
        "pad_token_id": 64,
        "bos_token_id": 64,
    }
    with parts.quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        theirs: Any
        if kind == "melody":
            decoder: Any = transformers.MusicgenMelodyDecoderConfig(**sizes)
            config: Any = transformers.MusicgenMelodyConfig(text_encoder=text, audio_encoder=audio, decoder=decoder)
            theirs = transformers.MusicgenMelodyForConditionalGeneration(config)
        else:
            decoder = transformers.MusicgenDecoderConfig(**sizes)
            config = transformers.MusicgenConfig(text_encoder=text, audio_encoder=audio, decoder=decoder)
            theirs = transformers.MusicgenForConditionalGeneration(config)
        for weight in (*theirs.decoder.parameters(), theirs.enc_to_dec_proj.weight):
            if weight.dim() > 1:  # as they come, random weights draw one token for ever
                torch.nn.init.normal_(weight, std=0.2)
    theirs.to(machine.device_of(device)).eval()
    theirs.generation_config.update(decoder_start_token_id=64, pad_token_id=64, bos_token_id=64)
    return load.adopt(theirs, _Letters(), device=device), theirs


class _Letters:
    """In the place of a tokenizer: a letter is a token."""

    def __call__(self, text: str, **_: object) -> Any:
        self.input_ids = torch.tensor([[ord(letter) % 60 + 3 for letter in text[:24]]])
        return self
