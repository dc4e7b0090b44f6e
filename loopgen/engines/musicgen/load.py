"""A folder of weights becomes a model that plays.

The file of weights is mapped, not read: transformers' classes take the mapped tensors as they are, and what the decoder
makes of them is the only copy in memory. T5 and EnCodec stay in fp32 whatever the decoder computes in: they run once a
loop, so they cost little time, and T5's states and EnCodec's audio are better for it (T5's overflow in fp16).
"""

from __future__ import annotations

import json
import pickle
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from transformers import (
    AutoTokenizer,
    EncodecModel,
    MusicgenConfig,
    MusicgenForCausalLM,
    MusicgenMelodyConfig,
    MusicgenMelodyForCausalLM,
    T5EncoderModel,
)
from transformers.utils import logging

from loopgen.engines.musicgen import catalogue, hub, int8, machine, weights
from loopgen.engines.musicgen.step import Step, TorchStep
from loopgen.engines.musicgen.weights import Shape, Weights
from loopgen.errors import EngineUnavailable, LoopgenError, OutOfMemory

Progress = Callable[[float], None]

UNKNOWN_LICENCE = "unknown (CC-BY-NC-4.0 if it was fine-tuned from Meta's weights)"


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
        codec: transformers' ``EncodecModel``, in fp32, mono; stereo models code each channel by itself.
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


@dataclass(slots=True)
class _Parts:
    """transformers' modules, on the CPU."""

    decoder: Any
    text_encoder: Any
    codec: Any
    tokenizer: Any
    projection: Any
    chroma_projection: Any
    chroma_length: int


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
    folder = hub.locate(str(source))
    place = machine.device_of(device)
    chosen = machine.precision_of(precision, place)
    count = machine.use_threads(threads)
    tell(0.0)
    with _quiet(), _explained(folder, place):
        parts = _original(folder) if hub.is_original(folder) else _published(folder)
        _check_room(parts, chosen, place, folder)
        tell(0.2)
        gathered = _weights(parts.decoder, chosen, place)
        tell(0.8)
        name, licence = _called(str(source), folder)
        model = Model(
            name=name,
            folder=folder,
            licence=licence,
            weights=gathered,
            step=TorchStep(gathered),
            device=place,
            precision=chosen,
            threads=count,
            tokenizer=parts.tokenizer,
            text_encoder=_ready(parts.text_encoder, place),
            enc_to_dec_proj=_ready(parts.projection, place),
            audio_enc_to_dec_proj=_ready(parts.chroma_projection, place),
            chroma_length=parts.chroma_length,
            codec=_ready(parts.codec, place),
        )
    tell(1.0)
    return model


def _published(folder: Path) -> _Parts:
    """A model in transformers' layout."""
    kind = _kind(folder)
    if lacks := hub.missing(folder):
        raise EngineUnavailable(f"{folder} is no whole MusicGen model: {', '.join(lacks)} not there; {_again(folder)}")
    is_melody = kind == "musicgen_melody"
    config: Any = (MusicgenMelodyConfig if is_melody else MusicgenConfig).from_pretrained(folder, local_files_only=True)
    state = _state(folder)
    decoder_class: Any = MusicgenMelodyForCausalLM if is_melody else MusicgenForCausalLM
    return _Parts(
        decoder=_module(decoder_class, config.decoder, state, "decoder.", folder, _stored(state)),
        text_encoder=_module(T5EncoderModel, config.text_encoder, state, "text_encoder.", folder),
        codec=_module(EncodecModel, config.audio_encoder, state, "audio_encoder.", folder),
        tokenizer=AutoTokenizer.from_pretrained(folder, local_files_only=True),
        projection=_linear(state, "enc_to_dec_proj"),
        chroma_projection=_linear(state, "audio_enc_to_dec_proj"),
        chroma_length=config.chroma_length if is_melody else 0,
    )


def _original(folder: Path) -> _Parts:
    """A checkpoint of audiocraft's."""
    from loopgen.engines.musicgen import convert

    converted = convert.convert(folder)
    model = converted.model
    return _Parts(
        decoder=model.decoder,
        text_encoder=model.text_encoder,
        codec=model.audio_encoder,
        tokenizer=AutoTokenizer.from_pretrained(converted.text_encoder, local_files_only=True),
        projection=getattr(model, "enc_to_dec_proj", None),
        chroma_projection=getattr(model, "audio_enc_to_dec_proj", None),
        chroma_length=getattr(model.config, "chroma_length", 0),
    )


def _kind(folder: Path) -> str:
    """``musicgen`` or ``musicgen_melody``."""
    try:
        kind = json.loads((folder / hub.CONFIG).read_bytes()).get("model_type")
    except FileNotFoundError:
        raise EngineUnavailable(
            f"{folder} is no MusicGen model: it has no {hub.CONFIG}, nor both of {' and '.join(hub.ORIGINAL)}"
        ) from None
    except (OSError, ValueError, AttributeError):
        _damaged(folder / hub.CONFIG)
    if kind not in hub.MODEL_TYPES:
        raise EngineUnavailable(
            f"{folder} is a model of the kind {kind!r}, not MusicGen: `loopgen models list` shows some that are"
        )
    return str(kind)


def _state(folder: Path) -> dict[str, Tensor]:
    """All tensors of a folder's weights by name, mapped from their files."""
    state: dict[str, Tensor] = {}
    for name in hub.weight_files(folder, {path.name for path in folder.iterdir()}):
        state |= _mapped(folder / name)
    return state


def _mapped(file: Path) -> dict[str, Tensor]:
    try:
        if file.suffix == ".safetensors":
            with safe_open(file, framework="pt") as opened:
                return {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118, it is no dict
        try:
            state = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError:  # the format of torch before 1.6 cannot be mapped
            state = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise EngineUnavailable(
            f"{file} is damaged, or holds more than weights, which may be a program that does harm: get the model as "
            "safetensors"
        ) from error
    except (SafetensorError, RuntimeError, EOFError, ValueError):
        _damaged(file)
    if not isinstance(state, Mapping) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        _damaged(file)
    return dict(state)


def _module(
    kind: Any,
    config: Any,
    state: Mapping[str, Tensor],
    prefix: str,
    folder: Path,
    dtype: torch.dtype = torch.float32,
) -> Any:
    """One of transformers' modules with its share of the weights, which it takes without a copy where it can."""
    own = {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
    try:
        module, report = kind.from_pretrained(
            None, config=config, state_dict=own, dtype=dtype, output_loading_info=True
        )
    except RuntimeError as error:
        if "mismatch" not in str(error):
            raise
        raise EngineUnavailable(
            f"{folder} does not fit together: its weights are of other sizes than {hub.CONFIG} says; {_again(folder)}"
        ) from error
    lacks = sorted({*report["missing_keys"], *(str(key) for key in report["mismatched_keys"])})
    if lacks:
        raise EngineUnavailable(
            f"{folder} is not the MusicGen model that its {hub.CONFIG} says: of its weights {len(lacks)} are not "
            f"there, {prefix}{lacks[0]} among them; {_again(folder)}"
        )
    return module


def _stored(state: Mapping[str, Tensor]) -> torch.dtype:
    """What the decoder's weights are stored in; they are converted once, to what they are computed in."""
    stored = (tensor.dtype for name, tensor in state.items() if name.startswith("decoder."))
    return next((dtype for dtype in stored if dtype.is_floating_point), torch.float32)


def _linear(state: Mapping[str, Tensor], name: str) -> Any:
    """A projection, or None where the checkpoint has none: the widths are the same."""
    if f"{name}.weight" not in state:
        return None
    weight, bias = state[f"{name}.weight"], state.get(f"{name}.bias")
    with torch.device("meta"):
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    own = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
    linear.load_state_dict({part: tensor.float() for part, tensor in own.items()}, assign=True)
    return linear


def _weights(decoder: Any, precision: str, device: torch.device) -> Weights:
    gathered = weights.gather(decoder, dtype=machine.DTYPES[precision], device=device)
    return int8.quantise(gathered) if precision == "int8" else gathered


def _ready(module: Any, device: torch.device) -> Any:
    if module is not None:
        module.to(device=device, dtype=torch.float32).eval().requires_grad_(False)
    return module


def _check_room(parts: _Parts, precision: str, device: torch.device, folder: Path) -> None:
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


def _called(source: str, folder: Path) -> tuple[str, str]:
    """A model's name and the licence of its weights, also where it was given as a folder of the cache."""
    repo = next((part for part in folder.parts if part.startswith("models--")), "")
    name = repo.removeprefix("models--").replace("--", "/") or source
    if known := catalogue.get(name):
        return known.name, catalogue.LICENCE
    return (name if repo else folder.name), UNKNOWN_LICENCE


def _again(folder: Path) -> str:
    name, _ = _called(str(folder), folder)
    if "snapshots" in folder.parts:
        return f"`loopgen models remove {name}` and `loopgen models pull {name}` get it anew"
    return "copy it anew"


def _damaged(file: Path) -> NoReturn:
    raise EngineUnavailable(f"{file} is damaged or cut off: {_again(file.parent)}") from None


@contextmanager
def _explained(folder: Path, device: torch.device) -> Iterator[None]:
    """What comes up from below, as errors that say what to do."""
    try:
        yield
    except LoopgenError:
        raise
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise OutOfMemory(_too_large(folder, device)) from error
    except ImportError as error:
        raise EngineUnavailable(
            f"{folder} needs what is not installed: {str(error).strip().splitlines()[0]}"
        ) from error
    except OSError as error:
        raise EngineUnavailable(f"{folder} cannot be read: {str(error).strip().splitlines()[0]}") from error
    except RuntimeError as error:
        if "allocate memory" in str(error):
            raise OutOfMemory(_too_large(folder, device)) from error
        raise


def _too_large(folder: Path, device: torch.device) -> str:
    return f"{folder.name} does not fit into the memory of {device}: choose a smaller model or a lower precision"


@contextmanager
def _quiet() -> Iterator[None]:
    """transformers draws no bars and warns of nothing; its padding token above the vocabulary is MusicGen's own."""
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(40)  # errors
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def _nothing(_: float) -> None:
    return None
