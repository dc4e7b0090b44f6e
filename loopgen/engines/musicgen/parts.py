"""transformers' modules from a folder of weights, in its own layout or audiocraft's, without reading what is not used.

Files are mapped: the modules take the mapped tensors as they are where they can.
"""

from __future__ import annotations

import json
import pickle
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
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
from transformers.utils.import_utils import is_protobuf_available, is_sentencepiece_available

from loopgen.engines.musicgen import catalogue, hub
from loopgen.errors import EngineUnavailable


@dataclass(slots=True)
class Parts:
    """What a model is made of, on the CPU: transformers' modules, the decoder as it is stored, the others in fp32.

    Attributes:
        decoder: ``MusicgenForCausalLM`` or ``MusicgenMelodyForCausalLM``.
        text_encoder, tokenizer: T5's.
        codec: ``EncodecModel``.
        projection: ``Linear`` from T5's width to the decoder's, or None where the checkpoint has none.
        chroma_projection: ``Linear`` from chroma bins to the decoder's width, or None.
        chroma_length: frames of chroma that a melody model is told; 0 for others.
    """

    decoder: Any
    text_encoder: Any
    codec: Any
    tokenizer: Any
    projection: Any
    chroma_projection: Any
    chroma_length: int


def read(folder: Path) -> Parts:
    """The parts of the model in a folder; raises ``EngineUnavailable`` where it is incomplete, damaged or another."""
    if hub.is_original(folder):
        from loopgen.engines.musicgen import convert

        converted = convert.convert(folder)
        config, state, tokenizer = converted.config, converted.state, converted.text_encoder
    else:
        kind: Any = MusicgenMelodyConfig if _is_melody(folder) else MusicgenConfig
        if lacks := hub.missing(folder):
            raise EngineUnavailable(f"{folder} is no whole model: {', '.join(lacks)} not there; {again(folder)}")
        config, state, tokenizer = _loaded(kind, folder, hub.CONFIG), _state(folder), folder
    is_melody = isinstance(config, MusicgenMelodyConfig)
    decoder: Any = MusicgenMelodyForCausalLM if is_melody else MusicgenForCausalLM
    return Parts(
        decoder=_module(decoder, config.decoder, state, "decoder.", folder, _stored(state)),
        text_encoder=_module(T5EncoderModel, config.text_encoder, state, "text_encoder.", folder),
        codec=_module(EncodecModel, config.audio_encoder, state, "audio_encoder.", folder),
        tokenizer=_tokenizer(tokenizer),
        projection=_linear(state, "enc_to_dec_proj"),
        chroma_projection=_linear(state, "audio_enc_to_dec_proj"),
        chroma_length=config.chroma_length if is_melody else 0,
    )


def parts_of(whole: Any, tokenizer: Any) -> Parts:
    """The parts of a model of transformers' that is in memory."""
    return Parts(
        decoder=whole.decoder,
        text_encoder=whole.text_encoder,
        codec=whole.audio_encoder,
        tokenizer=tokenizer,
        projection=getattr(whole, "enc_to_dec_proj", None),
        chroma_projection=getattr(whole, "audio_enc_to_dec_proj", None),
        chroma_length=getattr(whole.config, "chroma_length", 0),
    )


def _is_melody(folder: Path) -> bool:
    """Whether a folder's config is of a melody model; raises ``EngineUnavailable`` for a model of another kind."""
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
    return bool(kind == "musicgen_melody")


def _loaded(kind: Any, folder: Path, what: str) -> Any:
    """A config or tokenizer; raises ``EngineUnavailable`` where transformers cannot make anything of the files."""
    try:
        return kind.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # it validates with errors of its own, and tokenizers raise bare exceptions
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise EngineUnavailable(f"{what} in {folder} cannot be used ({lines[0]}): {again(folder)}") from error


def _tokenizer(folder: Path) -> Any:
    has_old_alone = (folder / "spiece.model").is_file() and not (folder / "tokenizer.json").is_file()
    if has_old_alone and not (is_sentencepiece_available() and is_protobuf_available()):
        raise EngineUnavailable(
            f"the tokenizer in {folder} is spiece.model, without tokenizer.json: pip install sentencepiece protobuf"
        )
    return _loaded(AutoTokenizer, folder, "the tokenizer")


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
            f"{folder} does not fit together: its weights are of other sizes than {hub.CONFIG} says; {again(folder)}"
        ) from error
    lacks = sorted({*report["missing_keys"], *(str(key) for key in report["mismatched_keys"])})
    if lacks:
        raise EngineUnavailable(
            f"{folder} is not the MusicGen model that its {hub.CONFIG} says: of its weights {len(lacks)} are not "
            f"there, {prefix}{lacks[0]} among them; {again(folder)}"
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


def again(folder: Path) -> str:
    """How to come by a folder's files once more."""
    name, _ = called(folder)
    if "snapshots" in folder.parts:
        return f"`loopgen models remove {name}` and `loopgen models pull {name}` get it anew"
    return "copy it anew"


def _damaged(file: Path) -> NoReturn:
    raise EngineUnavailable(f"{file} is damaged or cut off: {again(file.parent)}") from None


def called(folder: Path) -> tuple[str, str]:
    """A model's name and the licence of its weights: of the hub's cache, its name there, else the folder's."""
    repo = next((part for part in folder.parts if part.startswith("models--")), "")
    if not repo:
        return folder.resolve().name, catalogue.UNKNOWN_LICENCE
    name = repo.removeprefix("models--").replace("--", "/")
    known = catalogue.get(name)
    return (known.name if known else name), catalogue.licence_of(name)


@contextmanager
def quiet() -> Iterator[None]:
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
