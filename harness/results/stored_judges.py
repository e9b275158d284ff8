"""The judges that a run keeps: as they were written, as they judged, and what was measured of them
since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from harness.collect.judge_spec import JudgeSpec
from harness.collect.shapes import shape
from harness.collect.specs import MODEL_KINDS, ModelSpec
from harness.collect.yamlio import parse
from harness.judges.calibrate import Calibrated, load_calibration, panel_fingerprint
from harness.results.manifest import CellRecord
from harness.results.run import Run, ScorerInfo
from harness.results.store import RunReader

PANEL = " + "
"""Between the models of a panel in ``ScorerInfo.judged_by``."""


def stored_spec(run: RunReader, name: str) -> JudgeSpec | None:
    """A judge as the run's manifest keeps it; None if it does not, or cannot be read today."""
    for spec in run.manifest.specs:
        if spec.kind == "judge" and spec.name == name:
            document, _ = parse(Path(spec.path), spec.text)
            try:
                return JudgeSpec.model_validate(document.data) if document else None
            except ValueError:
                return None
    return None


def stored_judges(run: RunReader) -> list[JudgeSpec]:
    """All judges of a run; the templates that are kept beside them are none."""
    names = [one.name for one in run.manifest.specs if one.kind == "judge"]
    found = [stored_spec(run, name) for name in names]
    return [spec for name, spec in zip(names, found, strict=True) if spec and spec.judge == name]


def stored_card(run: Run, name: str) -> ModelSpec | None:
    """A model's card as the run keeps it: that of the model that answered, whatever has become of
    its file since. None if the run does not keep it, or it cannot be read today."""
    for spec in run.specs:
        if spec.kind == "model" and spec.name == name:
            document, _ = parse(Path(spec.path), spec.text)
            data = document.data if document else {}
            # its shape alone: the files that it names may be gone
            kind = MODEL_KINDS.get(str(data.get("adapter")))
            return cast(ModelSpec | None, shape(kind, data)[0]) if kind else None
    return None


def spec_as_judged(run: RunReader, info: ScorerInfo) -> JudgeSpec | None:
    """A stored judge with the models that judged here, which --judge-model may have named."""
    spec, models = stored_spec(run, info.judge), tuple(info.judged_by.split(PANEL))
    if spec is None or models == spec.models:
        return spec
    return spec.model_copy(update={"model": models[0], "panel": models[1:], "quorum": None})


def measured(run: RunReader, cells: Sequence[CellRecord]) -> list[CellRecord]:
    """The cells with the kappa of each judge as it is known today: a judge may have been
    calibrated after it judged. What was known then stands where nothing is found now."""
    known: dict[tuple[str, str, str], Calibrated | None] = {}
    found = []
    for cell in cells:
        infos = []
        for info in cell.scorers:
            key = (info.judge, info.judged_by, info.template)
            if info.judge and key not in known:
                known[key] = _calibration(run, info)
            infos.append(_with_kappa(info, known.get(key)))
        found.append(replace(cell, scorers=tuple(infos)))
    return found


def _with_kappa(info: ScorerInfo, known: Calibrated | None) -> ScorerInfo:
    if known is None:
        return info
    name = info.name.partition("[")[0].removeprefix(f"{info.judge}.")
    rated = known.criteria.get(name) if info.criterion else known.total
    if rated is None:
        return info
    return replace(info, kappa=rated.kappa.value, kappa_n=rated.kappa.n)


def _calibration(run: RunReader, info: ScorerInfo) -> Calibrated | None:
    """What the project around the present folder knows of a judge exactly as it judged here."""
    spec = spec_as_judged(run, info)
    prints = {one.model: one.fingerprint for one in run.manifest.models}
    if spec is None or not all(prints.get(model) for model in spec.models):
        return None
    models = panel_fingerprint([prints[model] for model in spec.models])
    return load_calibration(spec, info.template, models)
