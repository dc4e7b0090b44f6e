"""Checkpoints of the original library, audiocraft, in transformers' layout.

``convert`` reads the two files (``original``) and the T5 encoder that they name, and makes the model that transformers
would have loaded. It changes names and cuts stacked matrices apart; no weight is changed. What transformers' MusicGen
cannot express (other delays, biases, conditioners, MAGNeT ...) is refused with its name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import (
    EncodecConfig,
    EncodecModel,
    MusicgenConfig,
    MusicgenDecoderConfig,
    MusicgenForConditionalGeneration,
    MusicgenMelodyConfig,
    MusicgenMelodyDecoderConfig,
    MusicgenMelodyForConditionalGeneration,
    T5EncoderModel,
)
from transformers.utils import logging as _logging

from loopgen.engines.musicgen.original import CODEC_FILE, LM_FILE, Settings, part, place, read
from loopgen.errors import EngineUnavailable

Find = Callable[[str], Path]
"""From the name of a part on the hub to its folder on disk; raises ``EngineUnavailable`` that says how to get it."""

State = dict[str, Tensor]
logging: Any = _logging  # untyped


@dataclass(frozen=True, slots=True, eq=False)
class Converted:
    """A checkpoint as transformers would have saved it.

    Attributes:
        config: ``MusicgenConfig`` or ``MusicgenMelodyConfig``.
        state: all weights under transformers' names, as the files have them (often fp16), on the CPU.
        text_encoder: the folder of its T5, where the tokenizer lies.
        folder: where it came from.
    """

    config: Any
    state: State
    text_encoder: Path
    folder: Path

    @property
    def model(self) -> Any:
        """The whole model, made anew, in fp32 and evaluation mode; raises ``EngineUnavailable`` where weights lack."""
        with _quiet():
            return _filled(self)


def convert(folder: Path, *, find: Find = part) -> Converted:
    """Read the audiocraft model in ``folder`` as one of transformers.

    A T5 or codec that is only named is taken from ``folder / NAME`` where there is such a folder, else from
    ``find(NAME)``. Raises ``EngineUnavailable`` where a file cannot be read, or describes a model of another kind.
    """
    with _quiet():
        lm = read(folder / LM_FILE)
        settings = Settings(lm, folder / LM_FILE)
        codec, state = _codec(folder, find)
        decoder = _decoder_config(settings, codec)
        text_encoder = place(settings.get("conditioners.description.t5.name"), folder, find)
        t5 = _loaded(T5EncoderModel, text_encoder)
    state |= {f"text_encoder.{name}": weight for name, weight in t5.state_dict().items()}
    # a T5 that was trained along comes with the language model, and takes the place of the plain one
    state |= _renamed(lm["best_state"], _LM_NAMES, folder / LM_FILE)
    parts: dict[str, Any] = {"text_encoder": t5.config, "audio_encoder": codec, "decoder": decoder}
    if isinstance(decoder, MusicgenMelodyDecoderConfig):
        config: Any = MusicgenMelodyConfig(**parts, num_chroma=12, chroma_length=_chroma_length(settings))
    else:
        config = MusicgenConfig(**parts)
    return Converted(config, state, text_encoder, folder)


_PLAIN = {  # what MusicGen's decoder in transformers takes for granted
    "lm_model": "transformer_lm",
    "transformer_lm.norm_first": True,
    "transformer_lm.bias_proj": False,
    "transformer_lm.bias_ff": False,
    "transformer_lm.bias_attn": False,
    "transformer_lm.activation": "gelu",
    "transformer_lm.norm": "layer_norm",
    "transformer_lm.causal": True,
    "transformer_lm.past_context": None,
    "transformer_lm.layer_scale": None,
    "transformer_lm.positional_embedding": "sin",
    "transformer_lm.positional_scale": 1.0,
    "transformer_lm.qk_layer_norm": False,
    "transformer_lm.qk_layer_norm_cross": False,
    "transformer_lm.kv_repeat": 1,
    "codebooks_pattern.delay.flatten_first": 0,
    "codebooks_pattern.delay.empty_initial": 0,
    "interleave_stereo_codebooks.per_timestep": False,
    "conditioners.description.model": "t5",
    "conditioners.description.t5.normalize_text": False,
    "fuser.sum": [],
    "fuser.input_interpolate": [],
    "fuser.cross_attention_pos_emb": False,
}
_TEXT = {"fuser.cross": ["description"], "fuser.prepend": []}
_MELODY = {
    "fuser.cross": [],
    "fuser.prepend": ["self_wav", "description"],
    "conditioners.self_wav.model": "chroma_stem",
    "conditioners.self_wav.chroma_stem.n_chroma": 12,
    "conditioners.self_wav.chroma_stem.radix2_exp": 14,
    "conditioners.self_wav.chroma_stem.argmax": True,
}
_CODEC = {
    "compression_model": "encodec",
    "encodec.autoencoder": "seanet",
    "encodec.quantizer": "rvq",
    "encodec.channels": 1,
    "encodec.renormalize": False,
    "seanet.channels": 1,
    "seanet.activation": "ELU",
    "seanet.activation_params.alpha": 1.0,
    "seanet.encoder": {},
    "seanet.decoder.final_activation": None,
}

_AT, _IN = r"(\d+)", "condition_provider.conditioners"
_LAYER = rf"transformer\.layers\.{_AT}"
_OUT = r"decoder.model.decoder.layers.\1"
_LM_NAMES = (  # audiocraft's name -> transformers'; {} stands for q, k and v, one after another in one matrix
    (rf"emb\.{_AT}\.weight", r"decoder.model.decoder.embed_tokens.\1.weight"),
    (rf"{_LAYER}\.self_attn\.(?:mha\.)?in_proj_weight", rf"{_OUT}.self_attn.{{}}_proj.weight"),
    (rf"{_LAYER}\.self_attn\.(?:mha\.)?out_proj\.weight", rf"{_OUT}.self_attn.out_proj.weight"),
    (rf"{_LAYER}\.cross_attention\.(?:mha\.)?in_proj_weight", rf"{_OUT}.encoder_attn.{{}}_proj.weight"),
    (rf"{_LAYER}\.cross_attention\.(?:mha\.)?out_proj\.weight", rf"{_OUT}.encoder_attn.out_proj.weight"),
    (rf"{_LAYER}\.linear([12])\.weight", rf"{_OUT}.fc\2.weight"),
    (rf"{_LAYER}\.norm1\.(weight|bias)", rf"{_OUT}.self_attn_layer_norm.\2"),
    (rf"{_LAYER}\.norm_cross\.(weight|bias)", rf"{_OUT}.encoder_attn_layer_norm.\2"),
    (rf"{_LAYER}\.norm2\.(weight|bias)", rf"{_OUT}.final_layer_norm.\2"),
    (r"out_norm\.(weight|bias)", r"decoder.model.decoder.layer_norm.\1"),
    (rf"linears\.{_AT}\.weight", r"decoder.lm_heads.\1.weight"),
    (rf"{_IN}\.description\.output_proj\.(weight|bias)", r"enc_to_dec_proj.\1"),
    (rf"{_IN}\.self_wav\.output_proj\.(weight|bias)", r"audio_enc_to_dec_proj.\1"),
    (rf"{_IN}\.description\.t5\.(.+)", r"text_encoder.\1"),
    (rf"{_IN}\.self_wav\.chroma\..+", ""),  # window and filters of the analysis, no weights
)
_UNIT = rf"(encoder|decoder)\.model\.{_AT}"
_NORMED = r"(bias|weight|weight_g|weight_v|parametrizations\.weight\.original[01])"
_CODEC_NAMES = (
    (rf"{_UNIT}\.(?:conv\.conv|convtr\.convtr)\.{_NORMED}", r"\1.layers.\2.conv.\3"),
    (rf"{_UNIT}\.(?:conv|convtr)\.norm\.(weight|bias)", r"\1.layers.\2.norm.\3"),
    (rf"{_UNIT}\.block\.{_AT}\.conv\.conv\.{_NORMED}", r"\1.layers.\2.block.\3.conv.\4"),
    (rf"{_UNIT}\.block\.{_AT}\.conv\.norm\.(weight|bias)", r"\1.layers.\2.block.\3.norm.\4"),
    (rf"{_UNIT}\.shortcut\.conv\.conv\.{_NORMED}", r"\1.layers.\2.shortcut.conv.\3"),
    (rf"{_UNIT}\.shortcut\.conv\.norm\.(weight|bias)", r"\1.layers.\2.shortcut.norm.\3"),
    (rf"{_UNIT}\.lstm\.(\w+)", r"\1.layers.\2.lstm.\3"),
    (
        rf"quantizer\.vq\.layers\.{_AT}\._codebook\.(inited|cluster_size|embed|embed_avg)",
        r"quantizer.layers.\1.codebook.\2",
    ),
)


def _loaded(kind: Any, folder: Path) -> Any:
    """A part that is published in transformers' layout."""
    try:
        return kind.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise EngineUnavailable(f"{folder} holds no whole {kind.__name__}: {str(error).splitlines()[0]}") from error


def _decoder_config(settings: Settings, codec: EncodecConfig) -> MusicgenDecoderConfig | MusicgenMelodyDecoderConfig:
    is_melody = settings.get("conditioners.self_wav", None) is not None
    settings.require(_PLAIN | (_MELODY if is_melody else _TEXT))
    extra = set(settings.get("conditioners")) - {"description", "self_wav", "args"}
    if extra:
        raise EngineUnavailable(f"{settings.file} is of a model with other conditions: {', '.join(sorted(extra))}")
    channels = 2 if settings.get("interleave_stereo_codebooks.use", False) else 1
    books, width = settings.get("transformer_lm.n_q"), settings.get("transformer_lm.dim")
    if settings.get("codebooks_pattern.modeling", None) is None:  # as it was said at first
        settings.require({"transformer_lm.q_modeling": "delay"})
    else:
        delays = [book // channels for book in range(books)]
        settings.require({"codebooks_pattern.modeling": "delay", "codebooks_pattern.delay.delays": delays})
    if (books, settings.get("transformer_lm.card")) != (channels * codec.num_quantizers, codec.codebook_size):
        raise EngineUnavailable(
            f"{settings.file} is of another codec than {CODEC_FILE} beside it: "
            f"{books // channels} codebooks of {settings.get('transformer_lm.card')}, "
            f"not {codec.num_quantizers} of {codec.codebook_size}"
        )
    cards = codec.codebook_size
    kind: Any = MusicgenMelodyDecoderConfig if is_melody else MusicgenDecoderConfig
    config: MusicgenDecoderConfig | MusicgenMelodyDecoderConfig = kind(
        vocab_size=cards,
        hidden_size=width,
        num_hidden_layers=settings.get("transformer_lm.num_layers"),
        num_attention_heads=settings.get("transformer_lm.num_heads"),
        ffn_dim=int(settings.get("transformer_lm.hidden_scale", 4) * width),
        num_codebooks=books,
        audio_channels=channels,
        pad_token_id=cards,
        bos_token_id=cards,
    )
    return config


def _chroma_length(settings: Settings) -> int:
    """Frames of chroma in front of the tokens: those of the training's segment, a hop of 4096 samples apart."""
    samples = int(
        settings.get("conditioners.self_wav.chroma_stem.sample_rate") * settings.get("dataset.segment_duration")
    )
    return samples // 4096 + 1


def _codec(folder: Path, find: Find) -> tuple[EncodecConfig, State]:
    """Configuration of the codec, and its weights under ``audio_encoder.``."""
    file = folder / CODEC_FILE
    checkpoint = read(file)
    config: EncodecConfig
    if "pretrained" in checkpoint:
        codec = _loaded(EncodecModel, place(checkpoint["pretrained"], folder, find))
        config, state = codec.config, codec.state_dict()
    else:
        config = _codec_config(Settings(checkpoint, file))
        state = _renamed(checkpoint["best_state"], _CODEC_NAMES, file)
        if config.norm_type == "weight_norm":
            state = _normed(state)
    return config, {f"audio_encoder.{name}": weight for name, weight in state.items()}


def _codec_config(settings: Settings) -> EncodecConfig:
    settings.require(_CODEC)
    seanet = settings.get("seanet")
    norm = {"weight_norm": "weight_norm", "none": "weight_norm", "time_group_norm": "time_group_norm"}.get(
        seanet["norm"]
    )
    if norm is None or seanet["lstm"] < 1:
        settings.require({"seanet.norm": "weight_norm", "seanet.lstm": 2})
    rate, bins, books = settings.get("encodec.sample_rate"), settings.get("rvq.bins"), settings.get("rvq.n_q")
    bits = math.ceil(math.log2(bins))
    frame_rate = rate // math.prod(seanet["ratios"])
    return EncodecConfig(
        target_bandwidths=[_at_least(books * bits * frame_rate / 1000, books * bits * frame_rate)],
        sampling_rate=rate,
        audio_channels=1,
        hidden_size=seanet["dimension"],
        num_filters=seanet["n_filters"],
        num_residual_layers=seanet["n_residual_layers"],
        upsampling_ratios=list(seanet["ratios"]),
        norm_type="time_group_norm" if seanet["norm"] == "time_group_norm" else "weight_norm",
        kernel_size=seanet["kernel_size"],
        last_kernel_size=seanet["last_kernel_size"],
        residual_kernel_size=seanet["residual_kernel_size"],
        dilation_growth_rate=seanet["dilation_base"],
        use_causal_conv=settings.get("seanet.causal"),
        pad_mode=seanet["pad_mode"],
        compress=seanet["compress"],
        num_lstm_layers=seanet["lstm"],
        trim_right_ratio=settings.get("seanet.decoder.trim_right_ratio", 1.0),
        codebook_size=bins,
        use_conv_shortcut=not seanet["true_skip"],
    )


def _at_least(kilobits: float, bits: int) -> float:
    """The bandwidth that transformers, rounding down, reads as the right number of codebooks."""
    while 1000 * kilobits < bits:
        kilobits = math.nextafter(kilobits, math.inf)
    return kilobits


def _renamed(state: Mapping[str, Tensor], names: Iterable[tuple[str, str]], file: Path) -> State:
    """Weights under transformers' names, the stacked ones of attention cut into queries, keys and values."""
    rules = [(re.compile(pattern), replacement) for pattern, replacement in names]
    out: State = {}
    for name, weight in state.items():
        found = next(((match, new) for rule, new in rules if (match := rule.fullmatch(name))), None)
        if found is None:
            raise EngineUnavailable(f"{file} holds a weight that loopgen's decoder has no place for: {name}")
        new = found[0].expand(found[1])
        if "{}" in new:
            out |= {new.format(part): piece for part, piece in zip("qkv", weight.chunk(3), strict=True)}
        elif new:
            out[new] = weight
    return out


def _normed(state: State) -> State:
    """Convolutions by torch's present weight norm: magnitude ``original0`` times direction ``original1``.

    A matrix that is stored as it is, as outer blocks may be, is its own direction.
    """
    out: State = {}
    for name, weight in state.items():
        stem, _, last = name.rpartition(".")
        if not stem.endswith("conv") or last == "bias" or "parametrizations" in name:
            out[name] = weight
        elif last == "weight":
            out[f"{stem}.parametrizations.weight.original0"] = torch.norm_except_dim(weight, 2, 0)
            out[f"{stem}.parametrizations.weight.original1"] = weight
        else:
            out[f"{stem}.parametrizations.weight.original{'gv'.index(last[-1])}"] = weight
    return out


def _filled(converted: Converted) -> Any:
    """The model with exactly these weights."""
    config, state, folder = converted.config, converted.state, converted.folder
    is_melody = isinstance(config, MusicgenMelodyConfig)
    kind: Any = MusicgenMelodyForConditionalGeneration if is_melody else MusicgenForConditionalGeneration
    try:
        model, report = kind.from_pretrained(
            None, config=config, state_dict=dict(state), dtype=torch.float32, output_loading_info=True
        )
    except RuntimeError as error:  # shapes that do not fit
        raise EngineUnavailable(f"{folder} is not the model that its settings say: {error}") from error
    missing = sorted({*report["missing_keys"], *report["mismatched_keys"]})
    if missing:
        raise EngineUnavailable(f"{folder} lacks {len(missing)} weights of its model, {missing[0]} among them")
    for name in ("enc_to_dec_proj", "audio_enc_to_dec_proj"):  # transformers drops a projection between equal widths
        if not hasattr(model, name) and f"{name}.weight" in state:
            weight = state[f"{name}.weight"]
            setattr(model, name, torch.nn.Linear(weight.shape[1], weight.shape[0]))
            getattr(model, name).load_state_dict({part: state[f"{name}.{part}"] for part in ("weight", "bias")})
    pad = config.decoder.vocab_size
    model.generation_config.update(
        decoder_start_token_id=pad, pad_token_id=pad, bos_token_id=pad, do_sample=True, guidance_scale=3.0
    )
    return model.eval()


@contextmanager
def _quiet() -> Iterator[None]:
    """No bars of transformers', and no warnings of the padding token above the vocabulary that all MusicGen have."""
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
