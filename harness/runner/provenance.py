"""Where a run comes from: git revision, package versions, spec texts and model cards."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path

from harness.collect.specs import ModelSpec, TransformersModel
from harness.results.run import ModelInfo, SpecText
from harness.runner.generate import Answers
from harness.runner.work import Work

PACKAGES = (
    "tune-harness",
    "torch",
    "transformers",
    "peft",
    "bitsandbytes",
    "tokenizers",
    "sentence-transformers",
    "rouge-score",
    "sacrebleu",
    "rapidfuzz",
    "regex",
    "numpy",
    "pyarrow",
)


def git_state(folder: Path) -> tuple[str, bool]:
    """Revision of the repository around a folder, and whether it has changes; '' outside one."""
    try:
        revision = _git(folder, "rev-parse", "HEAD")
        return revision, bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return "", False


def package_versions() -> dict[str, str]:
    """Installed versions of what can change a number."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def spec_texts(works: Sequence[Work]) -> list[SpecText]:
    """Every spec of the run, once."""
    texts: dict[tuple[str, str], SpecText] = {}
    for work in works:
        task, model = work.cell.task, work.cell.model
        texts["task", task.task] = SpecText(
            "task", task.task, _inside(task.path, task.root), task.text
        )
        texts["model", model.model] = SpecText(
            "model", model.model, _inside(model.path, model.root), model.text
        )
    return list(texts.values())


def model_infos(models: Iterable[ModelSpec], answers: Answers) -> list[ModelInfo]:
    """Who answered."""
    infos = []
    for model in {model.model: model for model in models}.values():
        native = model if isinstance(model, TransformersModel) else None
        infos.append(
            ModelInfo(
                model=model.model,
                fingerprint=answers.fingerprints.get(model.model, ""),
                adapter=model.adapter,
                dtype=native.dtype if native else "",
                device=native.device if native else "",
                baseline=model.baseline,
            )
        )
    return infos


def _inside(path: Path, root: Path) -> str:
    """A path without this machine in it."""
    try:
        return path.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        return path.name


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *words], capture_output=True, text=True, check=True, timeout=20
    )
    return done.stdout.strip()
