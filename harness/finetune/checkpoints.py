"""The checkpoints of a training as models, without a file of their own: cards made in memory."""

from __future__ import annotations

import glob
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.adapters.locate import local_folder, weight_files
from harness.adapters.registry import load_key
from harness.adapters.verify import read_header
from harness.collect.library import Project
from harness.collect.specs import TransformersModel
from harness.collect.yamlio import dump
from harness.errors import HarnessError, SelectionError, shown
from harness.finetune.folder import NOTE

FOLDER = re.compile(r"checkpoint-(\d+)")
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
NAME_LENGTH = 70
"""Characters of a training's name in the names of its checkpoints."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint as a model."""

    step: int
    card: TransformersModel


@dataclass(frozen=True)
class Checkpoints:
    """The whole checkpoints of one training, by step, all on one load of ``base``.

    ``base`` is the base model as they wear it: its own card, or one of another name with their
    quantization and dtype. ``task`` is what the recipe trained, empty if nobody says.
    """

    found: tuple[Checkpoint, ...]
    base: TransformersModel
    task: str
    notes: tuple[str, ...] = ()

    def step_of(self, model: str) -> int:
        """The step of a checkpoint by its model's name."""
        return next(one.step for one in self.found if one.card.model == model)


@dataclass(frozen=True)
class _Origin:
    """What a training's folder says of it: how its LoRAs are worn, on what, trained on which task;
    ``stem`` is the name of the model that it makes."""

    stem: str
    worn: TransformersModel
    base: TransformersModel | None
    task: str


def find_checkpoints(patterns: Sequence[str], project: Project, base: str = "") -> Checkpoints:
    """The checkpoints that glob patterns match, sorted by step.

    How they are worn is told by the model card beside them, else by the recipe that their folder
    names, else by ``base``, the name of the base's card, which goes before both. A checkpoint
    without whole LoRA weights is passed over, with a note. Raises SelectionError if none is left,
    if they are of several trainings, or if nothing says what their base is.
    """
    folders = [folder for pattern in patterns for folder in _matches(pattern)]
    folders = sorted(dict.fromkeys(folders), key=_step)
    trouble = {folder: _damage(folder) for folder in folders}
    notes = [f"{shown(folder)} is passed over: {what}" for folder, what in trouble.items() if what]
    whole = [folder for folder in folders if not trouble[folder]]
    if not whole:
        raise SelectionError(f"no whole checkpoint of a LoRA: {'; '.join(notes)}")
    parents = list(dict.fromkeys(folder.parent for folder in whole))
    if len(parents) > 1:
        names = " and ".join(shown(parent) for parent in parents)
        raise SelectionError(f"checkpoints of several trainings, {names}: name one of them")
    origin = _origin(parents[0], project, base)
    return Checkpoints(
        tuple(Checkpoint(_step(folder), _card(folder, origin, project)) for folder in whole),
        _base_as_worn(origin),
        origin.task,
        tuple(notes),
    )


def is_checkpoint(word: str) -> bool:
    """Whether a word is the path of a checkpoint: a shell wrote out a pattern without quotes."""
    path = Path(word)
    return FOLDER.fullmatch(path.name) is not None and path.is_dir()


# --------------------------------------------------------------------------- folders


def _matches(pattern: str) -> list[Path]:
    text = str(Path(pattern).expanduser())
    there = [text] if Path(text).is_dir() else glob.glob(text)
    found = [Path(name).absolute() for name in there if Path(name).is_dir()]
    steps = [path for path in found if FOLDER.fullmatch(path.name)]
    if steps:
        return steps
    inside = [path for path in found if any(map(is_checkpoint, glob.glob(f"{path}/checkpoint-*")))]
    if inside:
        hint = f": '{shown(inside[0])}/checkpoint-*' names the checkpoints in it"
    else:
        hint = ": the folders of checkpoints are called checkpoint-STEP" if found else ""
    raise SelectionError(f"no checkpoint matches '{pattern}'{hint}")


def _step(folder: Path) -> int:
    match = FOLDER.fullmatch(folder.name)
    return int(match[1]) if match else 0


def _damage(folder: Path) -> str:
    """Why a checkpoint is no whole LoRA; empty if it is one."""
    if not (folder / WEIGHTS).is_file():
        whole = weight_files(folder)
        return "it holds a whole model, not a LoRA" if whole else f"it has no {WEIGHTS}"
    if not (folder / CONFIG).is_file():
        return f"it has no {CONFIG}"
    try:
        read_header(folder / WEIGHTS)
        return _fault(json.loads((folder / CONFIG).read_text("utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        return f"it cannot be read ({error})"
    except json.JSONDecodeError:
        return f"{CONFIG} is damaged"
    except ValueError as error:
        return f"{WEIGHTS} is damaged ({error})"


def _fault(config: object) -> str:
    """What is wrong with what an adapter says of itself; empty if it is a LoRA's."""
    if not isinstance(config, dict):
        return f"{CONFIG} is damaged"
    kind = config.get("peft_type")
    if not kind:
        return f"{CONFIG} is damaged: it has no 'peft_type'"
    return "" if kind == "LORA" else f"it holds an adapter of type {kind}, not a LoRA"


# --------------------------------------------------------------------------- where they come from


def _origin(parent: Path, project: Project, base: str) -> _Origin:
    home = parent.parent if parent.name == "checkpoints" else parent
    note = _note(home)
    stem = note.get("model") or training_name(parent)
    if base:
        own = _transformers(project, base, f"-m {base}")
        task = _task_of(note.get("recipe", ""), project)
        return _Origin(stem, own, own, task)
    card = _finished_card(home, note.get("model", ""), project)
    if card is not None:
        named = card.baseline
        worn = card.model_copy(update={"lora": None})
        own_base = _transformers(project, named, named) if named else None
        return _Origin(card.model, worn, own_base, _task_of(note.get("recipe", ""), project))
    if note.get("recipe"):
        return _by_recipe(note["recipe"], stem, project)
    where = shown(home)
    raise SelectionError(
        f"{where} has neither a model card nor {NOTE}, which would name the base: -m BASE does"
    )


def training_name(folder: Path) -> str:
    """A name for the model of a training that has none, after the folder of its checkpoints."""
    parts = [part for part in folder.absolute().parts if part not in ("checkpoints", "/")]
    named = [part for part in parts if not part.startswith(".")]
    text = re.sub(r"[^A-Za-z0-9._-]+", "-", named[-1] if named else "").lstrip("._-")
    return text[:NAME_LENGTH] or "model"


def _note(home: Path) -> dict[str, str]:
    """`recipe.json`; empty if there is none that can be read."""
    try:
        body = json.loads((home / NOTE).read_text("utf-8"))
        return {key: str(body[key]) for key in ("recipe", "model") if body.get(key)}
    except (OSError, ValueError, AttributeError):
        return {}


def _finished_card(home: Path, name: str, project: Project) -> TransformersModel | None:
    files = [home / f"{name}.model.yaml"] if name else sorted(home.glob("*.model.yaml"))
    if len(files) != 1 or not files[0].is_file():
        return None
    found = project.read(files[0])
    return found if isinstance(found, TransformersModel) else None


def _by_recipe(name: str, stem: str, project: Project) -> _Origin:
    try:
        recipe = project.get_recipe(name)
    except SelectionError as error:
        raise SelectionError(f"{error}, which made these checkpoints: -m BASE names it") from None
    base = _transformers(project, recipe.base, f"base '{recipe.base}' of {recipe.recipe}")
    dtype: str = recipe.dtype
    if dtype == "float16":
        from harness.adapters.load import choose_device

        # as the training does: a CPU cannot train it
        dtype = "bfloat16" if choose_device(base).type == "cpu" else dtype
    worn = base.model_copy(update={"quantize": recipe.quantize, "dtype": dtype})
    return _Origin(stem, worn, base, recipe.task)


def _task_of(recipe: str, project: Project) -> str:
    """The task of a recipe, empty if the recipe is no longer here."""
    try:
        return project.get_recipe(recipe).task if recipe else ""
    except HarnessError:
        return ""


def _transformers(project: Project, name: str, what: str) -> TransformersModel:
    card = project.get_model(name)
    if not isinstance(card, TransformersModel):
        raise SelectionError(f"{what} is not a transformers model: checkpoints have no base in it")
    if card.lora:
        raise SelectionError(f"{what} is a LoRA itself: name the model it was made for")
    return card


# --------------------------------------------------------------------------- cards


def _card(folder: Path, origin: _Origin, project: Project) -> TransformersModel:
    worn = origin.worn
    changes = {
        "model": f"{origin.stem[:NAME_LENGTH]}-{folder.name}",
        "description": f"{folder.name} of the training of {origin.stem}.",
        "tags": ("lora", "checkpoint"),
        "base": _base_reference(worn, project),
        "lora": _reference(folder, project),
        "lora_revision": "main",
        "baseline": _base_as_worn(origin).model,
    }
    card = worn.model_copy(update=changes)
    # a comment: what the card was, without lines that a message could point to
    lines = dump(card.model_dump(mode="json", exclude_defaults=True)).splitlines()
    text = "".join(f"# {line}\n" for line in ["made in memory", *lines])
    card.located(folder, text, project.root)
    return card


def _base_as_worn(origin: _Origin) -> TransformersModel:
    """The base's own card if checkpoints share its load, else one that says how it differs."""
    worn, base = origin.worn, origin.base
    if base is not None and load_key(base) == load_key(worn):
        return base
    how = worn.quantize if worn.quantize != "none" else worn.dtype
    name = f"{base.model}-{how}" if base is not None else f"{origin.stem[:NAME_LENGTH]}-base"
    return worn.model_copy(update={"model": name, "lora": None, "baseline": None})


def _base_reference(worn: TransformersModel, project: Project) -> str:
    folder = local_folder(worn, worn.base)
    return worn.base if folder is None else _reference(folder, project)


def _reference(folder: Path, project: Project) -> str:
    """A folder by its path below the project, else by its whole path."""
    folder, root = folder.resolve(), project.root.resolve()
    inside = folder.is_relative_to(root) and folder != root
    return folder.relative_to(root).as_posix() if inside else folder.as_posix()
