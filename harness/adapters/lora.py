"""LoRAs: whether one was made for this base, and putting it on and off in place."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from harness.adapters.fingerprint import weights_digest
from harness.adapters.load import quiet
from harness.adapters.locate import (
    HUB_ID,
    cached_snapshot,
    card_error,
    first_words,
    local_folder,
    weight_files,
)
from harness.adapters.verify import Shape, read_header
from harness.collect.specs import LocalModel, VisionModel

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

LORA_KEY = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])\.weight")
FAMILY = ("lora_", "token_adapter", "trainable_tokens")
"""What the parts of names of weights that stand beside the base begin with."""
LIKENESS = 3
"""Parts that the names of a module must share at their ends to be taken for the same."""
PACKED = {"U8", "I8"}
"""Types of weights that are quantized in the file, whose shapes say nothing."""


class Wardrobe:
    """The LoRAs of one base in memory: each is read once, and one or none is worn at a time.

    peft is imported for the first LoRA only: it costs more than transformers itself.
    """

    def __init__(self, base: PreTrainedModel) -> None:
        self._base = base
        self._peft: PeftModel | None = None
        self._names: dict[Path, str] = {}

    def wear(self, card: LocalModel, lora: Path | None) -> PreTrainedModel:
        """The base with this LoRA switched on, or with all of them off.

        Raises ModelError if peft does not find a place for every weight of the LoRA.
        """
        if lora is None:
            if self._peft is not None:
                self._peft.base_model.disable_adapter_layers()
            return self._base
        if lora not in self._names:
            self._fit(card, lora)
        assert self._peft is not None
        self._peft.base_model.enable_adapter_layers()
        self._peft.set_adapter(self._names[lora], inference_mode=True)
        self._peft.eval()  # loading an adapter leaves its dropout in training mode
        return self._base

    def _fit(self, card: LocalModel, lora: Path) -> None:
        with quiet():
            from peft import PeftConfig, PeftModel
            from peft.utils import get_peft_model_state_dict
            from safetensors import safe_open

            name = f"lora{len(self._names)}"
            try:
                config = PeftConfig.from_pretrained(str(lora))
                config.inference_mode = True
                if self._peft is None:
                    self._peft = PeftModel.from_pretrained(
                        self._base, str(lora), adapter_name=name, config=config
                    )
                else:
                    self._peft.load_adapter(str(lora), adapter_name=name, peft_config=config)
            except Exception as error:  # whatever peft raises: what it was given is the LoRA
                cause = first_words(error)
                raise card_error(card, f"lora '{card.lora}' does not fit: {cause}") from None
            # False: looking for resized embeddings would ask the network for the base's config
            state = get_peft_model_state_dict(
                self._peft, adapter_name=name, save_embedding_layers=False
            )
            placed = set(state)
            with safe_open(weight_files(lora)[0], "pt") as file:
                stored = set(file.keys())
        self._names[lora] = name
        if placed != stored:
            odd = sorted(placed ^ stored)[0]
            raise card_error(
                card,
                f"lora '{card.lora}' does not fit base '{card.base}': "
                f"{len(placed ^ stored)} weights have no counterpart, the first is {odd}",
            )


def check_lora(card: LocalModel, base: Path, lora: Path) -> None:
    """Raise ModelError unless the LoRA was made for this base; reads file headers only.

    Its configuration must name the base (`_same_base` says how), and every pair of its matrices
    must fit a weight of the base.
    """
    config = json.loads((lora / "adapter_config.json").read_text("utf-8"))
    if config.get("peft_type") != "LORA":
        raise card_error(card, f"lora '{card.lora}' is of type {config.get('peft_type')}, not LORA")
    named = config.get("base_model_name_or_path")
    if named and not _same_base(card, str(named), base):
        raise card_error(
            card, f"lora '{card.lora}' was made for base '{named}', not for '{card.base}'"
        )
    own = _shapes(lora)
    whole = _whole_weights(own, tuple(config.get("modules_to_save") or ()))
    renamed = isinstance(card, VisionModel)
    trouble = whole or _misfit(own, _shapes(base), bool(config.get("fan_in_fan_out")), renamed)
    if trouble:
        raise card_error(card, f"lora '{card.lora}' does not fit base '{card.base}': {trouble}")


def _same_base(card: LocalModel, named: str, base: Path) -> bool:
    """Whether the base that a LoRA names is the card's.

    Hub ids must be equal. A folder must be the same one, or be called the same (it was moved, or
    the LoRA comes from another machine), or hold the same weights.
    """
    if local_folder(card, card.base) is None and HUB_ID.fullmatch(named):
        return named.lower() == card.base.lower()
    folder = Path(os.path.expanduser(named))
    folder = folder if folder.is_absolute() else card.root / folder
    if folder.is_dir():
        if folder.resolve() == base.resolve():
            return True
        return bool(weight_files(folder)) and weights_digest(folder) == weights_digest(base)
    cached = cached_snapshot(named, "main") if HUB_ID.fullmatch(named) else None
    if cached is not None and weight_files(cached):
        return weights_digest(cached) == weights_digest(base)
    return Path(named).name == Path(card.base).resolve().name


def _whole_weights(lora: dict[str, Shape], saved: tuple[str, ...]) -> str:
    """Why a file with more than a LoRA in it is refused; empty if it has no more.

    Trained biases and resized embeddings would overwrite the base, which others share.
    """
    for key in sorted(lora):
        parts = key.split(".")
        if not any(part.startswith(FAMILY) or part in saved for part in parts):
            return f"it holds the whole weight {key}: merge it into a base of its own"
    return ""


def _misfit(lora: dict[str, Shape], base: dict[str, Shape], transposed: bool, renamed: bool) -> str:
    """Why the matrices of a LoRA do not fit; empty if they do."""
    for key in sorted(lora):
        match = LORA_KEY.fullmatch(key)
        if match is None:
            continue
        module = match["module"]
        found = _weights(base, module, renamed)
        if not found and not renamed:
            return f"the base has no module {module}"
        own = lora[key][1]
        shapes = [shape for kind, shape in found if kind not in PACKED and len(shape) == 2]
        if shapes and not any(_fits(own, one, match["side"], transposed) for one in shapes):
            return f"{key} is {list(own)}, the base's weight {list(shapes[0])}"
        if match["side"] == "A" and key.replace("lora_A", "lora_B") not in lora:
            return f"{key} has no lora_B"
    return ""


def _fits(own: tuple[int, ...], weight: tuple[int, ...], side: str, transposed: bool) -> bool:
    wide, tall = weight if transposed else weight[::-1]
    return own[1] == wide if side == "A" else own[0] == tall


def _weights(base: dict[str, Shape], module: str, renamed: bool) -> list[Shape]:
    """The base's weight of a module; checkpoints may lack the outermost name ("transformer.").

    Checkpoints of vision models have other names than the model in memory (``renamed``): all
    weights count whose names end alike, in as many parts as any does; peft has the last word.
    """
    for name in (module, module.partition(".")[2]):
        if f"{name}.weight" in base:
            return [base[f"{name}.weight"]]
    parts = module.split(".")
    for first in range(1, len(parts) - LIKENESS + 1) if renamed else ():
        end = ".".join(parts[first:]) + ".weight"
        found = [base[key] for key in base if key == end or key.endswith("." + end)]
        if found:
            return found
    return []


def _shapes(folder: Path) -> dict[str, Shape]:
    """(type, shape) of every tensor in a folder's safetensors, from their headers."""
    shapes: dict[str, Shape] = {}
    for file in weight_files(folder):
        shapes |= read_header(file)
    return shapes
