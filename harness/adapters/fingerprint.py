"""The hash of all that makes a model answer as it does; reads files, loads nothing."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from harness.adapters.locate import locate_base, locate_lora, weight_files
from harness.collect.specs import LocalModel, TransformersModel, VisionModel

ANSWERS_VERSION = 1  # raise it when this adapter begins to answer the same request differently
BIG = 1 << 26  # bytes; digests of larger files are remembered between processes
IGNORED = {"README.md", "trainer_state.json", "training_args.bin"}
TEXT_SUFFIXES = {".json", ".jinja", ".model", ".txt", ".tiktoken"}
_known: dict[str, str] = {}


def fingerprint(card: LocalModel, allow_code: bool = False) -> str:
    """SHA-256 over weights, LoRA, configuration, tokenizer and the card's own settings.

    The device is left out on purpose, and so are names and folders: a model that was moved keeps
    its fingerprint. Raises ModelError if files are missing.
    """
    base = locate_base(card, allow_code)
    lora = locate_lora(card)
    parts: list[object] = [ANSWERS_VERSION, card.revision, card.quantize, card.dtype]
    own = card.bos if isinstance(card, TransformersModel) else None
    parts += [own, card.chat_template, card.max_length]
    if isinstance(card, VisionModel):
        parts += [card.adapter, card.system, versions()]
    parts.append(folder_digests(base.folder, code=card.trust_remote_code))
    if lora is not None:
        parts.append(folder_digests(lora.folder))
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def versions() -> list[str]:
    """Of the libraries that turn pictures into what a vision model reads, which they change."""
    from importlib.metadata import version

    return [f"{name} {version(name)}" for name in ("transformers", "torchvision")]


def weights_digest(folder: Path) -> str:
    """One hash of a folder's safetensors, in order."""
    digests = [file_digest(file) for file in weight_files(folder)]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def folder_digests(folder: Path, code: bool = False) -> list[tuple[str, str]]:
    """(name, SHA-256) of every file that a loaded model depends on, sorted by name."""
    suffixes = TEXT_SUFFIXES | {".py"} if code else TEXT_SUFFIXES
    texts = [
        file
        for file in folder.iterdir()
        if file.suffix in suffixes and file.name not in IGNORED and file.is_file()
    ]
    files = sorted({*weight_files(folder), *texts})
    return [(file.name, file_digest(file)) for file in files]


def file_digest(file: Path, store: Path | None = None) -> str:
    """SHA-256 of a file's content.

    A large file in the hub's cache is named by its SHA-256 already. Others are remembered by
    path, size and time of change; those over 64 MiB beyond the process, in ``store``.
    """
    real = file.resolve()
    if real.parent.name == "blobs" and len(real.name) == 64:
        return real.name
    stat = real.stat()
    key = f"{real}|{stat.st_size}|{stat.st_mtime_ns}"
    if key in _known:
        return _known[key]
    store = store or digest_store()
    if stat.st_size > BIG:
        _known.update(_read(store))
    if key not in _known:
        with real.open("rb") as stream:
            _known[key] = hashlib.file_digest(stream, "sha256").hexdigest()
        if stat.st_size > BIG:
            _write(store, key, _known[key])
    return _known[key]


def digest_store() -> Path:
    """Where digests of large files are kept: a small JSON file in the user's cache folder."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return Path(cache).expanduser() / "tune-harness" / "digests.json"


def _read(store: Path) -> dict[str, str]:
    try:
        found = json.loads(store.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in found.items()}


def _write(store: Path, key: str, digest: str) -> None:
    known = {**_read(store), key: digest}
    fresh = store.with_name(f"{store.name}.{os.getpid()}")
    try:
        store.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(json.dumps(known, indent=0), "utf-8")
        fresh.replace(store)
    except OSError:
        pass  # the memory is a convenience: without it the file is hashed again next time
