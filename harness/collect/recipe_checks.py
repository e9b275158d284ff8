"""What a recipe asks of its base, as far as files tell: no weights are loaded, no hub is asked."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.collect.shapes import Mistake
from harness.collect.specs import MODEL_KINDS
from harness.collect.suggest import did_you_mean
from harness.collect.yamlio import Loc, Value, get_in, parse, read_text
from harness.errors import HarnessError

MAX_HEADER = 100_000_000
"""Bytes of a safetensors header, as the format itself limits them."""
TARGETS: Loc = ("lora", "target_modules")


@dataclass(frozen=True, slots=True)
class _Card:
    """The base's card as plain data; what is wrong with it is said where it is read."""

    path: Path
    root: Path
    data: dict[str, Value]


def recipe_mistakes(data: dict[str, Value]) -> Iterator[Mistake]:
    """A base that cannot be trained, a LoRA under its name, targets that it does not have."""
    base, model = data.get("base"), data.get("model")
    if not isinstance(base, str):
        return
    card = _find_card(base)
    known_as = {base, None if card is None else card.data.get("model")}
    if isinstance(model, str) and model in known_as:
        what = f"model '{model}' is the name of the base; the LoRA needs one of its own"
        yield Mistake(("model",), what)
    if card is None:
        return
    adapter = card.data.get("adapter")
    if adapter in MODEL_KINDS and adapter != "transformers":
        what = f"base '{base}' is not a transformers model (its adapter is {adapter})"
        yield Mistake(("base",), f"{what}: it cannot be trained")
    elif card.data.get("lora"):
        yield Mistake(("base",), f"base '{base}' is a LoRA; name its own base")
    elif adapter == "transformers":
        yield from _targets(data, card)


def _find_card(base: str) -> _Card | None:
    # the libraries read specs, and specs are checked here: known only when it is called
    from harness.collect.library import Project, is_path, kind_of

    project = Project.here()
    try:
        file = project.file("model", base)
        if file is None and is_path(base):
            file = project.find_path(base)
        if file is None or kind_of(file) != "model":
            return None
        document, _ = parse(file, read_text(file))
    except HarnessError:  # told where the card itself is read
        return None
    return None if document is None else _Card(file, project.root_of(file), document.data)


def _targets(data: dict[str, Value], card: _Card) -> Iterator[Mistake]:
    from harness.collect.recipe_spec import LoraRecipe

    folder = _folder(card)
    given = get_in(data, TARGETS)
    names = given if isinstance(given, list) else list(LoraRecipe().target_modules)
    if folder is None or not all(isinstance(name, str) for name in names):
        return
    try:
        modules = module_names(folder)
    except (OSError, ValueError):  # told when the weights are loaded
        return
    for number, what in missing_targets([str(n) for n in names], modules, str(data["base"])):
        yield Mistake((*TARGETS, number), what)


def _folder(card: _Card) -> Path | None:
    """Where the card's base lies on this disk, by the rules of model cards; None if unknown."""
    base = card.data.get("base")
    if not isinstance(base, str):
        return None
    beside = base.startswith(("./", "../"))
    folder = (card.path.parent if beside else card.root) / Path(os.path.expanduser(base))
    return folder if folder.is_dir() else None


# --------------------------------------------------------------------------- modules of a model


def missing_targets(
    names: Sequence[str], modules: frozenset[str], base: str
) -> Iterator[tuple[int, str]]:
    """Position and fault of each target that no module of the base is called by.

    Nothing if no modules are known. PEFT takes a target for the end of a module's dotted name:
    `q_proj`, `self_attn.q_proj`.
    """
    if not modules or list(names) == ["all-linear"]:
        return
    dotted = [f".{module}" for module in modules]
    leaves = sorted({module.rpartition(".")[2] for module in modules})
    for number, name in enumerate(names):
        # tied to the embeddings, it exists and has no weights of its own
        if name == "lm_head" or any(module.endswith(f".{name}") for module in dotted):
            continue
        known = [leaf for leaf in leaves if leaf.endswith("proj")] or leaves
        hint = did_you_mean(name, leaves) or f" (it has {', '.join(known[:12])})"
        yield number, f"target_modules: '{name}' is not in '{base}'{hint}"


def module_names(folder: Path) -> frozenset[str]:
    """Dotted names of the modules with a weight matrix, by the headers of safetensors files.

    Empty if the folder does not hold all of its files. Raises ValueError for a damaged file.
    """
    found: set[str] = set()
    for file in _weight_files(folder):
        for name, tensor in read_header(file).items():
            if len(tensor) >= 2:  # a norm or a bias takes no LoRA
                found.add(name.rpartition(".")[0])
    return frozenset(found - {""})


def _weight_files(folder: Path) -> list[Path]:
    single, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if single.is_file():
        return [single]
    if not index.is_file():
        return []
    listed = get_in(json.loads(index.read_text("utf-8")), ("weight_map",))
    names = sorted({str(name) for name in listed.values()}) if isinstance(listed, dict) else []
    files = [folder / name for name in names]
    return files if all(file.is_file() for file in files) else []


def read_header(file: Path) -> dict[str, list[int]]:
    """Tensor -> shape of a safetensors file. Raises ValueError if it is damaged or cut short."""
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        text = stream.read(min(length, MAX_HEADER))
    try:
        header = json.loads(text)
        header.pop("__metadata__", None)
        ends = [int(tensor["data_offsets"][1]) for tensor in header.values()]
        shapes = {name: [int(n) for n in tensor["shape"]] for name, tensor in header.items()}
    except (ValueError, LookupError, TypeError, AttributeError):
        raise ValueError(f"the header of {file.name} is damaged") from None
    if 8 + length + max(ends, default=0) > file.stat().st_size:
        raise ValueError(f"{file.name} is cut short")
    return shapes
