"""A model that is in memory already, and in training, as an adapter: nothing is loaded, and
afterwards the training goes on as if nobody had asked."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import random
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from harness.adapters.fingerprint import ANSWERS_VERSION
from harness.adapters.tokenizer import TextTokenizer, wrap_tokenizer
from harness.adapters.transformers import TransformersAdapter
from harness.collect.specs import ModelSpec, TransformersModel

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from harness.adapters.engine import Engine

PACKS = "support_avx512bf16_for_cpu"
"""A layer of bitsandbytes with this packs its 4-bit weights for good as soon as it is asked in
evaluation mode on a CPU; no gradient comes through it afterwards."""


class LiveAdapter(TransformersAdapter):
    """Serves one model as it is just now: open it anew after every step.

    ``model`` is a PreTrainedModel or peft's model around one, in evaluation mode (``at_rest``).
    ``digest`` stands for its weights; that it was asked live is part of the fingerprint, so that
    answers never mix with those of a checkpoint that was loaded from files.
    """

    def __init__(
        self, model: torch.nn.Module, tokenizer: PreTrainedTokenizerBase, digest: str
    ) -> None:
        super().__init__()
        # its padding and truncation are set and unset by whoever uses it
        self._own = copy.deepcopy(tokenizer)
        self._network = inner_model(model)
        self._digest = digest
        self._engine: Engine | None = None

    def fingerprint(self, model: ModelSpec) -> str:
        """Hash of the weights, the configuration, the tokenizer's template, and 'live'."""
        config = self._network.config.to_json_string(use_diff=True)
        template = str(self._own.chat_template)
        parts = ["live", ANSWERS_VERSION, self._digest, config, template, len(self._own)]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def close(self) -> None:
        """The model belongs to the training."""
        self._engine = None

    def _tokenizer(self, card: TransformersModel) -> TextTokenizer:
        return wrap_tokenizer(card, self._own, None)

    def _wear(self, card: TransformersModel) -> tuple[Engine, TextTokenizer, int]:
        from harness.adapters.load import context_length, make_engine

        if self._engine is None:
            self._engine = make_engine(self._network, self._own.eos_token_id)
        length = context_length(card, self._network.config)
        return self._engine, self._tokenizer(card), length


def inner_model(model: torch.nn.Module) -> PreTrainedModel:
    """The model of transformers inside peft's; LoRAs are layers of it."""
    inside = getattr(model, "get_base_model", None)
    found: PreTrainedModel = model if inside is None else inside()
    return found


# --------------------------------------------------------------------------- weights as they are


def digest(tensors: Iterable[tuple[str, torch.Tensor]]) -> str:
    """SHA-256 over names, types, shapes and values."""
    import torch

    found = hashlib.sha256()
    for name, tensor in sorted(tensors, key=lambda item: item[0]):
        found.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        if not tensor.is_meta and tensor.numel():
            flat = tensor.detach().reshape(-1).contiguous().cpu()
            found.update(memoryview(flat.view(torch.uint8).numpy()))
    return found.hexdigest()


def frozen(model: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """What training does not change: the base, where a LoRA is trained."""
    yield from ((name, one) for name, one in model.named_parameters() if not one.requires_grad)
    yield from model.named_buffers()


def trained(model: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """What training changes."""
    yield from ((name, one) for name, one in model.named_parameters() if one.requires_grad)


# --------------------------------------------------------------------------- leaving no trace


@contextlib.contextmanager
def at_rest(model: torch.nn.Module) -> Iterator[None]:
    """Evaluation mode without gradient checkpointing, and with keys and values kept; afterwards
    all of that is as it was, and so are random numbers, buffers and what requires gradients."""
    modules = list(model.modules())
    training = [module.training for module in modules]
    packing = [m for m in modules if getattr(m, PACKS, False) is True]
    checkpointed = [m for m in modules if getattr(m, "gradient_checkpointing", False) is True]
    buffers = [dict(module._buffers) for module in modules]
    wanting = [(one, one.requires_grad) for one in model.parameters()]
    config = inner_model(model).config
    use_cache = getattr(config, "use_cache", None)
    with _same_chance():
        try:
            model.eval()
            for module in checkpointed:
                module.gradient_checkpointing = False
            for module in packing:
                setattr(module, PACKS, False)
            if use_cache is not None:
                config.use_cache = True
            yield
        finally:
            for module in checkpointed:
                module.gradient_checkpointing = True
            for module in packing:
                setattr(module, PACKS, True)
            for module, mode, held in zip(modules, training, buffers, strict=True):
                module.training = mode
                module._buffers.clear()
                module._buffers.update(held)
            for parameter, wants in wanting:
                if parameter.requires_grad != wants:
                    parameter.requires_grad_(wants)
            if use_cache is not None:
                config.use_cache = use_cache


@contextlib.contextmanager
def without_lora(model: torch.nn.Module) -> Iterator[None]:
    """The base, while LoRAs that stand around or in it are switched off."""
    off = getattr(model, "disable_adapter", None)
    if off is not None:
        with off():
            yield
        return
    injected = getattr(model, "_hf_peft_config_loaded", False)
    if injected:
        model.disable_adapters()
    try:
        yield
    finally:
        if injected:
            model.enable_adapters()


def has_lora(model: torch.nn.Module) -> bool:
    """Whether ``without_lora`` switches anything off."""
    around = hasattr(model, "disable_adapter")
    return around or bool(getattr(model, "_hf_peft_config_loaded", False))


@contextlib.contextmanager
def _same_chance() -> Iterator[None]:
    """All generators of random numbers go on afterwards where they stood."""
    import numpy as np
    import torch

    own, arrays = random.getstate(), np.random.get_state()
    main = torch.get_rng_state()
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    mps = torch.mps.get_rng_state() if torch.backends.mps.is_available() else None
    try:
        yield
    finally:
        random.setstate(own)
        np.random.set_state(arrays)
        torch.set_rng_state(main)
        if devices:
            torch.cuda.set_rng_state_all(devices)
        if mps is not None:
            torch.mps.set_rng_state(mps)
