"""Where a model card's files lie: a folder, the hub's cache, or a download into that cache.

Needs neither torch nor transformers; a hub id that is cached needs no network either.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from harness.collect.specs import LocalModel, ModelBase
from harness.collect.yamlio import parse
from harness.errors import ModelError

HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
NO_FOLDER = "no such folder"
TRUE = {"1", "true", "yes", "on"}
WANTED = ["*.safetensors", "*.json", "*.jinja", "*.txt", "*.model", "*.tiktoken"]


@dataclass(frozen=True, slots=True)
class Place:
    """A folder that holds a model's files, and the name it goes by."""

    folder: Path
    name: str
    """Hub id, or the folder as the card writes it."""


def card_error(card: ModelBase, what: str) -> ModelError:
    """One line that begins with the card's file, and the line of the key it begins with."""
    line = " ".join(what.split())
    document, _ = parse(card.path, card.text)
    key = line.split(" ")[0]
    known = document is not None and document.get((key,)) is not None
    at = f":{document.line((key,))}" if document is not None and known else ""
    return ModelError(f"{shown(card.path)}{at}: {line}")


def shown(path: Path) -> str:
    """A path as the user would write it."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def first_words(error: BaseException) -> str:
    """What an exception of a library says, on one line; with its name where that says little."""
    text = " ".join((str(error).strip().splitlines() or [""])[0].split())[:300]
    return text if isinstance(error, OSError) and text else f"{type(error).__name__}: {text}"


def local_folder(card: LocalModel, name: str) -> Path | None:
    """The folder that ``name`` means, or None if it can only be a hub id.

    ``./x`` and ``../x`` are beside the card; other relative names are under the card's project
    if such a folder exists there.
    """
    if name.startswith(("./", "../")) or name in {".", ".."}:
        return card.path.parent / name
    path = Path(os.path.expanduser(name))
    if path.is_absolute():
        return path
    inside = card.root / path
    if inside.is_dir() or not HUB_ID.fullmatch(name):
        return inside
    return None


def base_identity(card: LocalModel) -> str:
    """A name that is equal for cards with the same base: the resolved folder or the hub id."""
    folder = local_folder(card, card.base)
    return card.base if folder is None else str(folder.resolve())


def locate_base(card: LocalModel, allow_code: bool = False) -> Place:
    """The folder of the base model, with a config and safetensors in it, downloaded if need be.

    Raises ModelError if there is none: missing, offline, or weights in another format only.
    """
    if card.trust_remote_code and not allow_code:
        raise card_error(card, "trust_remote_code runs code of the model: it needs --allow-code")
    wanted = [*WANTED, "*.py"] if card.trust_remote_code else WANTED
    return _locate(card, "base", (card.base, card.revision, "config.json"), wanted)


def locate_lora(card: LocalModel) -> Place | None:
    """The folder of the card's LoRA; None if the card has none. Raises ModelError as above."""
    if card.lora is None:
        return None
    return _locate(card, "lora", (card.lora, card.lora_revision, "adapter_config.json"), WANTED)


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files that make up the model or LoRA; empty if any of them is missing."""
    index = folder / "model.safetensors.index.json"
    for single in ("model.safetensors", "adapter_model.safetensors"):
        if (folder / single).is_file():
            return [folder / single]
    if not index.is_file():
        return []
    try:
        names = sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
        files = [folder / name for name in names]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return []
    return files if all(file.is_file() for file in files) else []


def hub_cache() -> Path:
    """The hub's cache folder, as its client finds it; read anew each time."""
    if "HF_HUB_CACHE" in os.environ:
        return Path(os.environ["HF_HUB_CACHE"]).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("HF_HOME", os.path.join(cache, "huggingface"))
    return Path(home).expanduser() / "hub"


def cached_snapshot(name: str, revision: str) -> Path | None:
    """The folder of a hub model in the cache, if this revision was ever fetched."""
    repository = hub_cache() / ("models--" + name.replace("/", "--"))
    reference = repository / "refs" / revision
    commit = reference.read_text("utf-8").strip() if reference.is_file() else revision
    folder = repository / "snapshots" / commit
    return folder if folder.is_dir() else None


def _locate(card: LocalModel, key: str, what: tuple[str, str, str], wanted: list[str]) -> Place:
    name, revision, config = what
    folder = local_folder(card, name)
    if folder is not None:
        missing = _missing(folder, config)
        if missing:
            where = ": " if missing == NO_FOLDER else " in "
            raise card_error(card, f"{key} '{name}': {missing}{where}{shown(folder)}")
        return Place(folder, name)
    cached = cached_snapshot(name, revision)
    if cached is not None and not _missing(cached, config):
        return Place(cached, name)
    looked = f"looked for a folder of that name and in the hub cache {hub_cache()}"
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in TRUE:
        raise card_error(
            card,
            f"{key} '{name}' (revision {revision}) is not here: {looked}; "
            "HF_HUB_OFFLINE is set, so it was not downloaded",
        )
    folder = _download(card, f"{key} '{name}' (revision {revision})", what, wanted)
    missing = _missing(folder, config)
    if missing:
        raise card_error(card, f"{key} '{name}': the hub's repository has {missing}")
    return Place(folder, name)


def _missing(folder: Path, config: str) -> str:
    """What keeps a folder from being a model; empty if nothing does."""
    if not folder.is_dir():
        return NO_FOLDER
    if not (folder / config).is_file():
        return f"no {config}"
    if weight_files(folder):
        return ""
    pickled = [*folder.glob("*.bin"), *folder.glob("*.pth"), *folder.glob("*.pt")]
    if pickled:
        return f"no safetensors weights (only {pickled[0].name}, which is never loaded)"
    if (folder / "model.safetensors.index.json").is_file():
        return "a damaged model.safetensors.index.json, or not all weights that it names,"
    return "no safetensors weights"


def _download(card: LocalModel, label: str, what: tuple[str, str, str], wanted: list[str]) -> Path:
    from huggingface_hub import snapshot_download

    name, revision, _ = what
    try:
        folder = snapshot_download(
            name, revision=revision, cache_dir=hub_cache(), allow_patterns=wanted
        )
    except Exception as error:  # whatever the network underneath raises: the cause is outside
        lines = str(error).splitlines() or [""]
        cause = f"{type(error).__name__}: {lines[0]}"[:200]
        raise card_error(
            card,
            f"{label} is neither a folder nor in the hub cache {hub_cache()}, and could not "
            f"be downloaded ({cause}); HF_HUB_OFFLINE=1 stops such attempts",
        ) from None
    return Path(folder)
