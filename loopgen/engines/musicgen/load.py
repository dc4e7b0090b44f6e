"""A folder of weights becomes a model that plays.

The file of weights is mapped, not read: transformers' classes take the mapped tensors as they are, and what the decoder
makes of them is the only copy in memory. T5 and EnCodec stay in fp32 whatever the decoder computes in: they run once a
loop, so they cost little time, and T5's states and EnCodec's audio are better for it (T5's overflow in fp16).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import MusicgenForConditionalGeneration, MusicgenMelodyForConditionalGeneration

from loopgen.engines.musicgen import catalogue, graphs, hub, int8, machine, weights
from loopgen.engines.musicgen.parts import Parts, called, parts_of, quiet, read
from loopgen.engines.musicgen.step import Step
from loopgen.engines.musicgen.weights import Shape, Weights
from loopgen.errors import EngineUnavailable, LoopgenError, OutOfMemory

Progress = Callable[[float], None]


@dataclass(slots=True, eq=False)
class Model:
    """A model in memory: what tells it what to play, what draws tokens, what makes audio of them.

    Attributes:
        name: short name of a published model, name on the hub, or the folder's.
        folder: where it came from.
        licence: of the weights.
        weights: the decoder's, in ``precision``.
        step: draws one column of tokens.
        device, precision, threads: what it computes on; threads count on the CPU only.
        tokenizer, text_encoder: T5's, as transformers loads them; the encoder in fp32.
        enc_to_dec_proj: from T5's width to the decoder's, a ``Linear``; None where they are the same.
        audio_enc_to_dec_proj: from chroma bins to the decoder's width; None for models without melody.
        chroma_length: frames of chroma that a melody model is told; 0 for others.
        codec: transformers' ``EncodecModel``, in fp32, mono; stereo models code each channel by itself. On
            ``machine.codec_device``.
    """

    name: str
    folder: Path
    licence: str
    weights: Weights = field(repr=False)
    step: Step = field(repr=False)
    device: torch.device
    precision: str
    threads: int
    tokenizer: Any = field(repr=False)
    text_encoder: Any = field(repr=False)
    enc_to_dec_proj: Any = field(repr=False)
    audio_enc_to_dec_proj: Any = field(repr=False)
    chroma_length: int
    codec: Any = field(repr=False)

    @property
    def shape(self) -> Shape:
        """Sizes of the decoder."""
        return self.weights.shape

    @property
    def dtype(self) -> torch.dtype:
        """What hidden states of the decoder are computed in."""
        return self.weights.dtype

    @property
    def sample_rate(self) -> int:
        """Samples a second of the audio; 32000 in all published models."""
        return int(self.codec.config.sampling_rate)

    @property
    def frame_rate(self) -> int:
        """Frames of tokens a second; 50 in all published models."""
        return int(self.codec.config.frame_rate)

    @property
    def is_melody(self) -> bool:
        """Whether it follows a melody."""
        return self.shape.has_prefix


def load(
    source: str | Path,
    *,
    device: str = "auto",
    precision: str = "auto",
    threads: int = 0,
    progress: Progress | None = None,
) -> Model:
    """Load a model by short name, name on the hub, or folder; nothing is downloaded.

    ``device``, ``precision`` and ``threads`` are those of ``loopgen.engines.base.Hardware``. ``progress`` is told the
    share of the work that is done, and may raise to stop it. Raises ``EngineUnavailable`` (not here, incomplete,
    damaged, no MusicGen), ``InvalidRequest`` and ``OutOfMemory``.
    """
    tell = progress or _nothing
    folder = source if isinstance(source, Path) and source.is_dir() else hub.locate(str(source))
    place = machine.device_of(device)
    chosen = machine.precision_of(precision, place)
    count = machine.use_threads(threads)
    tell(0.0)
    with quiet(), _explained(folder, place):
        parts = read(folder)
        _check_room(parts, chosen, place, folder)
        tell(0.2)
        gathered = _weights(parts.decoder, chosen, place)
        tell(0.8)
        model = _model(parts, gathered, folder, *called(folder), chosen, count)
    tell(1.0)
    return model


def adopt(whole: Any, tokenizer: Any, *, device: str = "auto") -> Model:
    """A model of transformers' that is in memory already, in fp32; for comparisons, as its weights are held twice."""
    place = machine.device_of(device)
    gathered = _weights(whole.decoder, "fp32", place)
    name = type(whole).__name__
    parts = parts_of(whole, tokenizer)
    return _model(parts, gathered, Path(name), name, "none", "fp32", torch.get_num_threads())


def reference(model: Model) -> Any:
    """transformers' own model of the same folder, in fp32 on the same device; for comparisons."""
    with quiet(), _explained(model.folder, model.device):
        if hub.is_original(model.folder):
            from loopgen.engines.musicgen import convert

            whole = convert.convert(model.folder).model
        else:
            kind: Any = (MusicgenForConditionalGeneration, MusicgenMelodyForConditionalGeneration)[model.is_melody]
            whole = kind.from_pretrained(model.folder, dtype=torch.float32, local_files_only=True)
        return whole.to(model.device).float().eval()


def _model(
    parts: Parts, gathered: Weights, folder: Path, name: str, licence: str, precision: str, threads: int
) -> Model:
    return Model(
        name=name,
        folder=folder,
        licence=licence,
        weights=gathered,
        step=graphs.best(gathered),
        device=gathered.device,
        precision=precision,
        threads=threads,
        tokenizer=parts.tokenizer,
        text_encoder=_ready(parts.text_encoder, gathered.device),
        enc_to_dec_proj=_ready(parts.projection, gathered.device),
        audio_enc_to_dec_proj=_ready(parts.chroma_projection, gathered.device),
        chroma_length=parts.chroma_length,
        codec=_ready(parts.codec, machine.codec_device(gathered.device)),
    )


def _weights(decoder: Any, precision: str, device: torch.device) -> Weights:
    gathered = weights.gather(decoder, dtype=machine.DTYPES[precision], device=device)
    return int8.quantise(gathered) if precision == "int8" else gathered


def _ready(module: Any, device: torch.device) -> Any:
    if module is not None:
        module.to(device=device, dtype=torch.float32).eval().requires_grad_(False)
    return module


def _check_room(parts: Parts, precision: str, device: torch.device, folder: Path) -> None:
    """Raise ``OutOfMemory`` before the machine begins to swap, or is killed for it."""
    others = (parts.text_encoder, parts.codec)
    config = parts.decoder.config
    needed = catalogue.memory_bytes(
        sum(tensor.numel() for tensor in parts.decoder.state_dict().values()),
        config.num_hidden_layers,
        config.hidden_size,
        precision,
        others=sum(tensor.numel() for module in others for tensor in module.state_dict().values()),
    )
    free = machine.free_memory(device)
    if free is not None and needed > free:
        less = [other for other in ("int8", "bf16") if catalogue.BYTES[other] < catalogue.BYTES[precision]]
        less = [other for other in less if device.type == "cpu" or other != "int8"]
        hints = ["close other programs", "choose a smaller model", *(f"precision {other}" for other in less[:1])]
        raise OutOfMemory(
            f"{folder.name} in {precision} needs about {hub.in_words(needed)} and {device} has {hub.in_words(free)} "
            f"free: {', or '.join(hints)}"
        )


@contextmanager
def _explained(folder: Path, device: torch.device) -> Iterator[None]:
    """What comes up from below, as errors that say what to do."""
    too_much = f"{folder.name} does not fit into the memory of {device}: choose a smaller model or a lower precision"
    try:
        with machine.or_too_much(too_much):
            yield
    except LoopgenError:
        raise
    except ImportError as error:
        raise EngineUnavailable(f"{folder} needs what is not installed: {_line(error)}") from error
    except OSError as error:
        raise EngineUnavailable(f"{folder} cannot be read: {_line(error)}") from error


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _nothing(_: float) -> None:
    return None
