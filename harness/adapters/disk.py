"""How large a model's weights are on disk."""

from __future__ import annotations

from pathlib import Path

from harness.adapters.bridge_files import find_files
from harness.adapters.locate import cached_snapshot, local_folder, weight_files
from harness.collect.specs import BridgeModel, LocalModel, ModelSpec
from harness.errors import ModelError

WEIGHTS = {".safetensors", ".bin", ".pth", ".pt"}


def disk_mb(card: ModelSpec) -> float | None:
    """Megabytes (10^6 bytes) of a card's weights on disk, its LoRA's included.

    None if they are not files of this machine: behind an API, or never downloaded. Of a bridge's
    folders, every file that looks like weights; what the worker finds elsewhere does not count.
    """
    parts = _of_local(card) if isinstance(card, LocalModel) else _of_bridge(card)
    if not parts or not all(parts):
        return None
    try:
        return sum(file.stat().st_size for files in parts for file in files) / 1e6
    except OSError:
        return None


def _of_local(card: LocalModel) -> list[list[Path]]:
    """The files of the base and of the LoRA; an empty list for what is not here."""
    names = [(card.base, card.revision), (card.lora, card.lora_revision)]
    folders = [
        local_folder(card, name) or cached_snapshot(name, revision)
        for name, revision in names
        if name
    ]
    return [weight_files(folder) if folder else [] for folder in folders]


def _of_bridge(card: ModelSpec) -> list[list[Path]]:
    """As `_of_local`; nothing for a card of another kind."""
    if not isinstance(card, BridgeModel):
        return []
    try:
        found = find_files(card, allow_code=True)  # looks, and runs nothing
    except ModelError:
        return []
    return [_weights_below(Path(name)) for name in (found.base, found.lora) if name]


def _weights_below(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    if not place.is_absolute():  # the name of a hub's repository
        return []
    return [file for file in place.rglob("*") if file.suffix in WEIGHTS and file.is_file()]
