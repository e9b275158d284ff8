"""What a bridge card names: interpreter, worker script, weights; and the hash of it all.

Reads files, starts nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.adapters.bridge_protocol import PROTOCOL
from harness.adapters.fingerprint import IGNORED, TEXT_SUFFIXES, file_digest
from harness.adapters.locate import card_error, shown
from harness.collect.library import library_root
from harness.collect.specs import BridgeModel
from harness.collect.suggest import did_you_mean

ANSWERS_VERSION = 1  # raise it when this adapter begins to ask the same request differently
BRIDGES = Path("adapters", "bridges")
SUFFIXES = TEXT_SUFFIXES | {".safetensors", ".bin", ".pt", ".pth", ".py"}
NO_WEIGHTS = {"optimizer.pt", "scheduler.pt", "training_args.bin", "rng_state.pth"}
LIBRARIES = (
    "torch", "torchvision", "transformers", "tokenizers", "peft", "accelerate", "bitsandbytes",
    "flash_attn", "mamba_ssm", "causal_conv1d", "numpy", "pillow",
)  # fmt: skip
"""Of the environment, in the fingerprint, where they are installed in the usual place."""


@dataclass(frozen=True, slots=True)
class Files:
    """What a worker is started with. ``base`` and ``lora`` are folders, or names as they stand."""

    python: Path
    script: Path
    base: str
    lora: str | None

    @property
    def command(self) -> list[str]:
        """The command line."""
        return [str(self.python), "-u", str(self.script)]


def find_files(card: BridgeModel, allow_code: bool) -> Files:
    """All that the card names; raises ModelError, one line with what to do, if it is not there."""
    if not allow_code and not card.path.resolve().is_relative_to(library_root().resolve()):
        raise card_error(
            card, "adapter 'bridge' runs a program that this card names: it needs --allow-code"
        )
    return Files(
        _interpreter(card),
        _script(card),
        _place(card, "base", card.base),
        None if card.lora is None else _place(card, "lora", card.lora),
    )


def environment() -> dict[str, str]:
    """Ours without the keys of APIs, and worker.py within reach of a script that lies elsewhere."""
    known = {name: text for name, text in os.environ.items() if not name.endswith("_API_KEY")}
    path = [known["PYTHONPATH"]] if known.get("PYTHONPATH") else []
    known["PYTHONPATH"] = os.pathsep.join([*path, str(library_root() / BRIDGES)])
    known["PYTHONIOENCODING"] = "utf-8"
    return known


def fingerprint(card: BridgeModel, files: Files) -> str:
    """SHA-256 over the card's settings, the worker's text, weights, and the libraries' versions.

    A base or LoRA that is no folder counts by its name. The interpreter's place, timeouts and the
    number of restarts do not count.
    """
    shared = library_root() / BRIDGES / "worker.py"
    parts: list[object] = [ANSWERS_VERSION, PROTOCOL, card.adapter, card.system, card.conversation]
    parts += [sorted(card.options.items()), card.quantize, card.dtype, card.frames_as]
    parts += [file_digest(files.script), file_digest(shared) if shared.is_file() else ""]
    parts += [_weights(files.base), _weights(files.lora), versions(files.python)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def versions(python: Path) -> list[str]:
    """`name-version` of the libraries in the interpreter's environment that change answers."""
    places = (python.parent.parent / "lib").glob("python3*/site-packages/*.dist-info")
    found = (place.name.removesuffix(".dist-info") for place in places)
    return sorted(each for each in found if each.rpartition("-")[0].lower() in LIBRARIES)


def expanded(text: str) -> str:
    """With ~ and environment variables filled in."""
    return os.path.expanduser(os.path.expandvars(text))


def _interpreter(card: BridgeModel) -> Path:
    name = expanded(card.python)
    if "/" not in name:
        found = shutil.which(name)
        if found is None:
            raise card_error(card, f"python '{card.python}': no such program on PATH")
        return Path(found)
    path = Path(name) if Path(name).is_absolute() else card.path.parent / name
    if not path.is_file():
        hint = "make the environment as the card's comment says, or set 'python' to one you have"
        raise card_error(card, f"python '{card.python}': no such file {shown_path(path)}; {hint}")
    if not os.access(path, os.X_OK):
        what = f"python '{card.python}' is not executable"
        raise card_error(card, f"{what}: name an interpreter, such as ~/envs/NAME/bin/python")
    return path


def shown_path(path: Path) -> str:
    """As a user would write it; links (an environment's python is one) are not followed."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _script(card: BridgeModel) -> Path:
    name = expanded(card.worker)
    if "/" in name:
        path = Path(name) if Path(name).is_absolute() else card.path.parent / name
        if not path.is_file():
            raise card_error(card, f"worker '{card.worker}': no such file {shown(path)}")
        return path.resolve()
    places = [root / BRIDGES / f"{name}.py" for root in (card.root, library_root())]
    for path in places:
        if path.is_file():
            return path.resolve()
    known = {file.stem for place in places for file in place.parent.glob("*.py")} - {"worker"}
    hint = did_you_mean(name, sorted(known)) or f"; known are {', '.join(sorted(known))}"
    raise card_error(card, f"worker '{card.worker}': no {BRIDGES.as_posix()}/{name}.py{hint}")


def _place(card: BridgeModel, key: str, written: str) -> str:
    """The folder that is meant, or the name as it stands if it can only be a hub's."""
    name = expanded(written)
    home = Path(expanded(str(card.options.get("home", ""))))
    if name.startswith(("./", "../")) or Path(name).is_absolute():
        path = card.path.parent / name
        if not path.exists():
            raise card_error(card, f"{key} '{written}': no such folder {shown_path(path)}")
        return str(path.resolve())
    for inside in (card.root / name, home / name if home.is_absolute() else card.root / name):
        if inside.is_dir():
            return str(inside.resolve())
    if name.count("/") > 1:  # no hub's name
        raise card_error(card, f"{key} '{written}': no such folder under {card.root} or {home}")
    return name


def _weights(name: str | None) -> object:
    if name is None or not Path(name).is_absolute():
        return name
    folder = Path(name)
    if folder.is_file():
        return file_digest(folder)
    return [(file.relative_to(folder).as_posix(), file_digest(file)) for file in _files(folder)]


def _files(folder: Path) -> Iterator[Path]:
    """Weights and settings below a folder, sorted; checkpoints of a training are not entered."""
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith((".", "checkpoint-")))
        for name in sorted(files):
            kept = name not in IGNORED | NO_WEIGHTS and not name.startswith(".")
            if kept and Path(name).suffix in SUFFIXES:
                yield Path(here, name)
