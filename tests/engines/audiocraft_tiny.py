"""Tiny random models of audiocraft's own, built from settings like those of the published ones, and exported.

Import and call within ``audiocraft_stand_ins.stand_ins()``.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from transformers import T5Config, T5EncoderModel

from tests.engines.musicgen.tiny import make_tokenizer

CARDS = 64
WIDTH = 64
T5_WIDTH = 32

_LM = """
device: cpu
dtype: float32
sample_rate: 32000
channels: {channels}
lm_model: {model}
dataset: {{segment_duration: {seconds}}}
interleave_stereo_codebooks: {{use: {stereo}}}
codebooks_pattern:
  modeling: {pattern}
  delay: {{delays: {delays}, flatten_first: 0, empty_initial: 0}}
  parallel: {{empty_initial: -1}}
transformer_lm:
  dim: {width}
  num_heads: 4
  num_layers: 2
  hidden_scale: 4
  n_q: {books}
  card: {cards}
  dropout: 0.0
  emb_lr: null
  activation: gelu
  norm_first: true
  bias_ff: false
  bias_attn: false
  bias_proj: false
  past_context: null
  causal: {causal}
  custom: false
  memory_efficient: true
  attention_as_float32: false
  layer_scale: null
  positional_embedding: sin
  xpos: false
  checkpointing: none
  weight_init: gaussian
  depthwise_init: current
  zero_bias_init: true
  norm: layer_norm
  cross_attention: false
  qk_layer_norm: false
  qk_layer_norm_cross: false
  attention_dropout: null
  kv_repeat: 1
  two_step_cfg: false
classifier_free_guidance: {{training_dropout: 0.3, inference_coef: 3.0}}
attribute_dropout: {{}}
fuser:
  cross_attention_pos_emb: false
  cross_attention_pos_emb_scale: 1
  sum: []
  prepend: {prepend}
  cross: {cross}
  input_interpolate: []
conditioners:
  description:
    model: t5
    t5: {{name: t5-base, finetune: {finetune}, word_dropout: 0.2, normalize_text: false}}
"""
_CHROMA = """  self_wav:
    model: chroma_stem
    chroma_stem:
      sample_rate: ${sample_rate}
      n_chroma: 12
      radix2_exp: 14
      argmax: true
      match_len_on_eval: false
      eval_wavs: null
      n_eval_wavs: 100
      cache_path: null
"""
_MAGNET = """masking: {span_len: 3}
"""
_CODEC = """
device: cpu
sample_rate: 32000
channels: 1
compression_model: encodec
encodec:
  autoencoder: seanet
  quantizer: rvq
  sample_rate: ${sample_rate}
  channels: ${channels}
  causal: false
  renormalize: false
seanet:
  dimension: 16
  channels: ${channels}
  causal: ${encodec.causal}
  n_filters: 4
  n_residual_layers: 1
  ratios: [8, 5, 4, 4]
  activation: ELU
  activation_params: {alpha: 1.0}
  norm: weight_norm
  norm_params: {}
  kernel_size: 7
  residual_kernel_size: 3
  last_kernel_size: 7
  dilation_base: 2
  pad_mode: constant
  true_skip: true
  compress: 2
  lstm: 2
  disable_norm_outer_blocks: 0
  decoder: {trim_right_ratio: 1.0, final_activation: null, final_activation_params: null}
  encoder: {}
rvq:
  n_q: 4
  q_dropout: false
  bins: 64
  decay: 0.99
  kmeans_init: true
  kmeans_iters: 50
  threshold_ema_dead_code: 2
  orthogonal_reg_weight: 0.0
  orthogonal_reg_active_codes_only: false
"""


def lm_settings(kind: str = "text", *, seconds: int = 30, finetune: bool = False) -> Any:
    """Settings of a training run of a kind: ``text``, ``melody``, ``stereo``, ``melody-stereo`` or ``magnet``."""
    channels = 2 if "stereo" in kind else 1
    is_melody, is_magnet = "melody" in kind, kind == "magnet"
    text = _LM.format(
        channels=channels,
        model="transformer_lm_magnet" if is_magnet else "transformer_lm",
        seconds=seconds,
        stereo="true" if channels == 2 else "false",
        pattern="parallel" if is_magnet else "delay",
        delays=[book // channels for book in range(4 * channels)],
        width=WIDTH,
        books=4 * channels,
        cards=CARDS,
        causal="false" if is_magnet else "true",
        prepend="[self_wav, description]" if is_melody else "[]",
        cross="[]" if is_melody else "[description]",
        finetune="true" if finetune else "false",
    )
    settings = _omegaconf().create(text + _CHROMA * is_melody + _MAGNET * is_magnet)
    if is_magnet:
        settings.transformer_lm.subcodes_context = 5
    return settings


def codec_settings() -> Any:
    """Settings of the codec's training run; 32 kHz, 50 frames a second, four codebooks."""
    return _omegaconf().create(_CODEC)


def as_yaml(settings: Any) -> str:
    """Settings as text, as an export has them."""
    text: str = _omegaconf().to_yaml(settings)
    return text


def make_lm(settings: Any, *, seed: int = 0) -> Any:
    """The language model with random weights, norms and biases too, scaled so that tokens vary and prompts matter."""
    torch.manual_seed(seed)
    settings = _omegaconf().create(as_yaml(settings))
    if settings.lm_model == "transformer_lm_magnet":  # as audiocraft's loader fills them in
        settings.transformer_lm.segment_duration = settings.dataset.segment_duration
        settings.transformer_lm.span_len = settings.masking.span_len
        settings.transformer_lm.compression_model_framerate = 50
    lm = import_module("audiocraft.models.builders").get_lm_model(settings)
    for name, weight in lm.named_parameters():
        if weight.dim() > 1 and ".t5." not in name:
            torch.nn.init.normal_(weight, std=0.2)
        elif ".t5." not in name:
            torch.nn.init.normal_(weight, mean=float(name.endswith("weight")), std=0.1)
    lm.cfg = settings
    return lm.eval()


def make_codec(settings: Any, *, seed: int = 0) -> Any:
    """The codec with random weights and codebooks, its weight norm's magnitudes apart from its directions."""
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # its weight norm is torch's first, which torch calls old
        codec = import_module("audiocraft.models.builders").get_compression_model(settings)
    for name, weight in codec.named_parameters():
        if name.endswith("weight_g"):
            torch.nn.init.uniform_(weight, 0.8, 1.2)
    for layer in codec.quantizer.vq.layers:
        torch.nn.init.normal_(layer._codebook.embed)
        layer._codebook.inited.fill_(True)
    return codec.eval()


def export(folder: Path, lm: Any, codec: Any, codec_cfg: Any) -> Path:
    """Write a folder as a user's own training ends up in it, by audiocraft's own export of its trainer's states."""
    folder.mkdir(parents=True, exist_ok=True)
    tools = import_module("audiocraft.utils.export")
    trained = folder / "checkpoint.th"
    with patch.object(
        torch, "load", partial(torch.load, weights_only=False)
    ):  # the exporter reads the trainer's objects
        torch.save(_trained(lm, lm.cfg), trained)
        tools.export_lm(trained, folder / "state_dict.bin")
        torch.save(_trained(codec, codec_cfg), trained)
        tools.export_encodec(trained, folder / "compression_state_dict.bin")
    trained.unlink()
    return folder


def save_t5(folder: Path) -> Path:
    """Write a tiny T5 encoder and its tokenizer, as on the hub."""
    torch.manual_seed(0)
    tokenizer = make_tokenizer()
    t5 = T5Config(vocab_size=len(tokenizer), d_model=T5_WIDTH, d_kv=8, d_ff=64, num_layers=2, num_heads=4)
    T5EncoderModel(t5).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@contextmanager
def narrow_t5() -> Iterator[None]:
    """Inside, audiocraft takes ``t5-base`` to be as wide as the tiny one."""
    conditioner = import_module("audiocraft.modules.conditioners").T5Conditioner
    with patch.dict(conditioner.MODELS_DIMS, {"t5-base": T5_WIDTH}):
        yield


@contextmanager
def tiny_t5(folder: Path) -> Iterator[Path]:
    """Inside, audiocraft takes a tiny T5 for ``t5-base``; its folder is given."""
    save_t5(folder)
    conditioners = import_module("audiocraft.modules.conditioners")
    kept = {name: getattr(conditioners, name) for name in ("T5Tokenizer", "T5EncoderModel")}
    with (
        narrow_t5(),
        patch.object(conditioners, "T5Tokenizer", _Local(kept["T5Tokenizer"], folder)),
        patch.object(conditioners, "T5EncoderModel", _Local(kept["T5EncoderModel"], folder)),
    ):
        yield folder


class _Local:
    """A class of transformers' that loads from one folder, whatever name it is asked for."""

    def __init__(self, loader: Any, folder: Path) -> None:
        self._loader, self._folder = loader, folder

    def from_pretrained(self, _: str) -> Any:
        return self._loader.from_pretrained(self._folder)


def _trained(model: Any, settings: Any) -> dict[str, Any]:
    """What audiocraft's trainer saves of a run, as far as its exporter reads it."""
    return {"best_state": {"model": model.state_dict()}, "fsdp_best_state": {}, "xp.cfg": settings}


def _omegaconf() -> Any:
    return import_module("omegaconf").OmegaConf
