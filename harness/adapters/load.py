"""A model card to a model in memory, and the LoRA that it is to wear."""

from __future__ import annotations

import atexit
import contextlib
import gc
import inspect
import logging
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.adapters.engine import Engine, Support
from harness.adapters.locate import card_error, first_words, shown
from harness.adapters.probe import bears_padding
from harness.collect.specs import LocalModel

if TYPE_CHECKING:
    import torch
    from transformers import BitsAndBytesConfig, PretrainedConfig, PreTrainedModel

DEFAULT_LENGTH = 2048
"""Context of a model whose configuration names none, as in lm-eval."""
TESTED = {"llama", "qwen2", "gpt2", "mistral", "gemma2", "gemma3_text"}
"""Architectures that our tests compare with transformers' own generation; others are probed."""
NF4_BLOCK = 64
"""Numbers that share a scale in NF4, as bitsandbytes quantizes."""
LENGTH_NAMES = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No progress bars, warnings or log lines of the libraries; all restored afterwards."""
    from transformers.utils import logging as hf_logging

    bars = hf_logging.is_progress_bar_enabled()
    disabled = logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hf_logging.disable_progress_bar()
        logging.disable(logging.ERROR)
        try:
            yield
        finally:
            logging.disable(disabled)
            if bars:
                hf_logging.enable_progress_bar()


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """No garbage collection meanwhile: it takes a fifth of the import of torch and transformers,
    and there is nothing to collect. Afterwards, their million objects are not looked at again
    (until `TransformersAdapter.close` thaws them): each full collection would take 0.5 s."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        # frozen objects outlive the interpreter's last collection, and triton reports them
        atexit.register(gc.unfreeze)
        if enabled:
            gc.enable()


def choose_device(card: LocalModel) -> torch.device:
    """The card's device; `auto` is the first of cuda, mps, cpu that this machine has."""
    import torch

    if card.device != "auto":
        try:
            return torch.device(card.device)
        except RuntimeError:
            raise card_error(card, f"device '{card.device}' is no device of torch") from None
    if torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def load_model(
    card: LocalModel, folder: Path, auto: str = "AutoModelForCausalLM"
) -> PreTrainedModel:
    """The base model in evaluation mode on its device; safetensors only, nothing missing.

    ``auto`` names the class of transformers that chooses the model's.

    Raises ModelError, one line, if transformers cannot make a model of the folder.
    """
    import transformers

    device = choose_device(card)
    # without a device map the weights are first read to the CPU, which is where they stay
    placement = {} if device.type == "cpu" and card.quantize == "none" else {"": device}
    options: dict[str, Any] = {"device_map": placement} if placement else {}
    if card.quantize != "none":
        options["quantization_config"] = quantization(card)
    try:
        with quiet():
            model, report = getattr(transformers, auto).from_pretrained(
                folder,
                dtype=card.dtype,
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=card.trust_remote_code,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are refused below, by name
                **options,
            )
    except Exception as error:  # whatever the libraries raise: what they were given is the folder
        cause = first_words(error)
        raise card_error(card, f"base '{card.base}' cannot be loaded: {cause}") from None
    trouble = _misloaded(report)
    if trouble:
        raise card_error(card, f"base '{card.base}' in {shown(folder)}: {trouble}")
    loaded: PreTrainedModel = model.eval()
    _check_blocks(card, loaded, device)
    return loaded


def _check_blocks(card: LocalModel, model: PreTrainedModel, device: torch.device) -> None:
    """Raise ModelError for NF4 weights that bitsandbytes cannot multiply with on a CPU."""
    if card.quantize != "nf4" or device.type != "cpu":
        return
    for name, module in model.named_modules():
        width = getattr(module, "in_features", 0)
        if type(module).__name__ == "Linear4bit" and width % NF4_BLOCK:
            what = f"quantize nf4 on a CPU needs weights whose width is a multiple of {NF4_BLOCK}"
            raise card_error(card, f"{what}; {name} of base '{card.base}' is {width} wide")


def _misloaded(report: Mapping[str, Any]) -> str:
    """Which weights did not find their place; empty if all did."""
    odd = sorted(report["mismatched_keys"])
    if odd:
        name, stored, wanted = odd[0]
        what = f"{len(odd)} weights do not have the shape that config.json says"
        return f"{what}, the first is {name}: {list(stored)} in place of {list(wanted)}"
    missing = sorted(report["missing_keys"])
    if missing:
        return f"{len(missing)} weights are missing, the first is {missing[0]}"
    return ""


def quantization(card: LocalModel) -> BitsAndBytesConfig:
    """The card's `quantize` for bitsandbytes; NF4 with double quantization."""
    import torch
    from transformers import BitsAndBytesConfig

    if card.quantize == "int8":
        # one line for every layer of every step: "MatMul8bitLt: inputs will be cast"
        logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
        return BitsAndBytesConfig(load_in_8bit=True)
    compute = torch.bfloat16 if card.dtype == "auto" else getattr(torch, card.dtype)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute,
    )


def make_engine(model: PreTrainedModel, eos: int | None) -> Engine:
    """A loaded model with what the loops must know of it."""
    config = model.config.get_text_config(decoder=True)
    names = model.generation_config.eos_token_id if model.generation_config else None
    listed = names if isinstance(names, list) else [names]
    ends = frozenset(int(token) for token in [*listed, eos] if token is not None)
    arguments = set(inspect.signature(model.forward).parameters)
    engine = Engine(
        model=model,
        device=next(model.parameters()).device,
        support=_support(model, config, arguments),
        layers=int(config.num_hidden_layers),
        vocab=int(config.vocab_size),
        window=_window(config),
        eos=ends,
        packs=config._attn_implementation == "sdpa",
        keeps="logits_to_keep" in arguments,
    )
    if config.model_type not in TESTED and not bears_padding(engine):
        engine.support = "equal"
    return engine


def context_length(card: LocalModel, config: PretrainedConfig) -> int:
    """The card's `max_length`, else what the configuration says that positions go up to."""
    if card.max_length is not None:
        return card.max_length
    text = config.get_text_config(decoder=True)
    found = [getattr(text, name, None) for name in LENGTH_NAMES]
    return next((value for value in found if isinstance(value, int)), DEFAULT_LENGTH)


def _window(config: PretrainedConfig) -> int | None:
    """The sliding window of any of the layers."""
    if "full_attention" in (kinds := set(getattr(config, "layer_types", None) or ())):
        if kinds == {"full_attention"}:
            return None
    elif getattr(config, "use_sliding_window", True) is False:
        return None
    window = getattr(config, "sliding_window", None)
    return int(window) if window else None


def _support(model: PreTrainedModel, config: PretrainedConfig, names: set[str]) -> Support:
    """Whether all state of the model is keys and values, as far as it declares."""
    from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

    plain = {DynamicLayer, DynamicSlidingWindowLayer}
    layers = {type(layer) for layer in DynamicCache(config=config).layers}
    wanted = {"past_key_values", "position_ids", "attention_mask"}
    return "padded" if wanted <= names and layers <= plain and not model._is_stateful else "equal"
