"""Whether a model's files are whole, as far as their headers tell: before anything is asked."""

from __future__ import annotations

import json
from pathlib import Path

from harness.adapters.locate import card_error, shown, weight_files
from harness.collect.specs import LocalModel

Shape = tuple[str, tuple[int, ...]]
OBJECTS = (
    "config.json",
    "generation_config.json",
    "adapter_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
)
"""Files that must hold a JSON object if they are there."""
POSITIONS = ("max_position_embeddings", "n_positions")
"""What a configuration calls the number of tokens that the model was made for."""


def check_files(card: LocalModel, base: Path, lora: Path | None) -> None:
    """Raise ModelError, one line, if a file is damaged or the card asks for what cannot be.

    Every safetensors file must be as long as its header says, every configuration a JSON object,
    the card's `max_length` within the base's positions, its `chat_template` free of syntax
    errors. Reads headers and small files only.
    """
    for key, name, folder in (("base", card.base, base), ("lora", card.lora, lora)):
        if folder is None:
            continue
        damaged = _damage(folder)
        if damaged:
            raise card_error(card, f"{key} '{name}' is damaged: {damaged}")
    config = _object(base / "config.json")
    known = positions(config)
    if card.max_length is not None and known is not None and card.max_length > known:
        what = f"max_length {card.max_length} is more than the {known} tokens"
        raise card_error(card, f"{what} that base '{card.base}' was made for (its config.json)")
    if card.chat_template is not None:
        check_template(card, card.chat_template)


def check_template(card: LocalModel, template: str) -> None:
    """Raise ModelError if a chat template has a syntax error."""
    from jinja2 import Environment, TemplateSyntaxError

    try:
        try:
            Environment(extensions=["jinja2.ext.loopcontrols"]).parse(template)
        except TemplateSyntaxError:
            # it may use a tag of transformers' own, which is slow to import
            from transformers.utils.chat_template_utils import render_jinja_template

            render_jinja_template([], chat_template=template)
    except TemplateSyntaxError as error:
        what = f"chat_template, its line {error.lineno}: {error.message}"
        raise card_error(card, what) from None


def positions(config: dict[str, object]) -> int | None:
    """How many tokens a model was made for, by its config.json; None if that does not say."""
    inner = config.get("text_config")
    for place in (inner, config):
        for name in POSITIONS:
            value = place.get(name) if isinstance(place, dict) else None
            if isinstance(value, int) and value > 0:
                return value
    return None


def read_header(file: Path) -> dict[str, Shape]:
    """(type, shape) of every tensor of a safetensors file.

    Raises ValueError, with what is wrong, if the header cannot be read or the file is shorter or
    longer than it says.
    """
    size = file.stat().st_size
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if size < 8 or length > size - 8:
            raise ValueError(f"not a safetensors file, or cut off ({size} bytes)")
        header = stream.read(length)
    try:
        items = json.loads(header)
        items.pop("__metadata__", None)
        ends = [int(item["data_offsets"][1]) for item in items.values()]
        shapes = {key: (item["dtype"], tuple(item["shape"])) for key, item in items.items()}
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise ValueError("not a safetensors file: its header cannot be read") from None
    whole = 8 + length + max(ends, default=0)
    if whole != size:
        raise ValueError(f"{size} bytes long, and its header says {whole}")
    return shapes


def _damage(folder: Path) -> str:
    """The first file of a folder that is damaged, and how; empty if none is."""
    for file in [*(folder / name for name in OBJECTS), *weight_files(folder)]:
        try:
            if file.suffix == ".safetensors":
                read_header(file)
            elif file.is_file():
                _object(file)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            return f"{shown(file)}: {reason}"
    return ""


def _object(file: Path) -> dict[str, object]:
    try:
        found = json.loads(file.read_text("utf-8"))
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    return found
