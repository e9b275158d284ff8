"""Where a run comes from: git revision, package versions, spec texts and model cards."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from harness.collect.specs import ModelSpec, TransformersModel
from harness.judges.agreement import Estimate
from harness.judges.calibrate import load_calibration, panel_fingerprint
from harness.judges.judge import Judge
from harness.results.run import ModelInfo, SpecText
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


def spec_texts(works: Sequence[Work], judges: Iterable[Judge] = ()) -> list[SpecText]:
    """Every spec of the run, once."""
    texts = {(one.kind, one.name): one for one in judge_texts(judges)}
    for work in works:
        task, model = work.cell.task, work.cell.model
        texts["task", task.task] = SpecText(
            "task", task.task, _inside(task.path, task.root), task.text
        )
        texts["model", model.model] = SpecText(
            "model", model.model, _inside(model.path, model.root), model.text
        )
    return list(texts.values())


def judge_texts(judges: Iterable[Judge]) -> list[SpecText]:
    """The spec and the template of every judge, and the cards of its models."""
    texts: dict[tuple[str, str], SpecText] = {}
    for judge in judges:
        spec, name = judge.spec, judge.spec.judge
        template = spec.path.parent / spec.template
        body = template.read_text(encoding="utf-8", errors="replace")
        texts["judge", name] = SpecText("judge", name, _inside(spec.path, spec.root), spec.text)
        texts["judge", spec.template] = SpecText(
            "judge", spec.template, _inside(template, spec.root), body
        )
        for model in judge.models:
            path = _inside(model.path, model.root)
            texts["model", model.model] = SpecText("model", model.model, path, model.text)
    return list(texts.values())


def models_of(judges: Iterable[Judge]) -> list[ModelSpec]:
    """Who judges."""
    return [model for judge in judges for model in judge.models]


def agreement(
    judges: Iterable[Judge], fingerprints: Mapping[str, str], project: Path
) -> dict[str, Estimate]:
    """The kappa with people of each judge, and of each "judge.criterion", where it was measured of
    the judge exactly as it judges now."""
    found: dict[str, Estimate] = {}
    for judge in judges:
        models = panel_fingerprint([fingerprints[name] for name in judge.spec.models])
        known = load_calibration(judge.spec, judge.template_hash, models, project)
        if known is not None:
            name = judge.spec.judge
            found[name] = known.total.kappa
            parts = known.criteria.items()
            found |= {f"{name}.{part}": rated.kappa for part, rated in parts}
    return found


def model_infos(models: Iterable[ModelSpec], fingerprints: Mapping[str, str]) -> list[ModelInfo]:
    """Who answered."""
    infos = []
    for model in {model.model: model for model in models}.values():
        native = model if isinstance(model, TransformersModel) else None
        infos.append(
            ModelInfo(
                model=model.model,
                fingerprint=fingerprints.get(model.model, ""),
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
