"""How far a judge agrees with people, measured, stored, and bound to what was measured.

A calibration belongs to one judge as it judges: its models' weights, its template and rubric, and
the settings that shape a reply. When any of them changes, the stored one is not found any more.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import TypeVar

from harness.adapters.cache import CachedAdapter
from harness.collect.judge_spec import JudgeSpec
from harness.collect.specs import ModelSpec
from harness.errors import SelectionError, StoreError, shown
from harness.judges.agreement import (
    Estimate,
    PassTable,
    alpha,
    mean_error,
    resampled,
)
from harness.judges.base import Material
from harness.judges.combine import Combined
from harness.judges.judge import ItemVerdict, Judge, ask
from harness.judges.labels import Label, LabelledItem, rubric_of, write_whole
from harness.records import Verdict

Record = TypeVar("Record")
FOLDER = Path(".harness", "calibration")


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two raters of the same items, in the units of the rubric.

    ``kappa`` has quadratic weights; ``bias`` is the mean of first minus second.
    """

    kappa: Estimate
    spearman: Estimate
    bias: Estimate


@dataclass(frozen=True, slots=True)
class RaterPair:
    """Two people who rated some of the same items."""

    first: str
    second: str
    agreement: Agreement


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What a judge's word is worth.

    ``total`` is the judge against people (their mean where several rated an item), ``criteria``
    the same for each criterion that people rated. ``alpha`` is Krippendorff's for judge and people
    together, ``people_alpha`` for people alone: a judge cannot be asked to agree with people more
    than they do. ``passes`` counts passes and fails at ``threshold``, which is in the units of the
    rubric. Of ``n`` items ``n_judge_error`` have no verdict and stand in nothing else.
    """

    judge: str
    models: tuple[str, ...]
    created: datetime
    n: int
    n_judge_error: int
    raters: tuple[str, ...]
    threshold: float
    total: Agreement
    criteria: Mapping[str, Agreement]
    alpha: float | None
    people_alpha: float | None
    people: tuple[RaterPair, ...]
    passes: PassTable

    @property
    def kappa(self) -> float | None:
        """Quadratic-weighted kappa of judge and people, on the total."""
        return self.total.kappa.value

    @property
    def judge_error_rate(self) -> float:
        """The share of items that the judge gave no verdict on."""
        return self.n_judge_error / self.n if self.n else 0.0


# --------------------------------------------------------------------------- measuring


def gather(
    judge: Judge,
    items: Sequence[tuple[str, Material]],
    open_adapter: Callable[[ModelSpec], CachedAdapter],
    told: Callable[[ItemVerdict], object] = lambda _: None,
) -> dict[str, list[Verdict]]:
    """All verdicts of a judge by item id, by the very way that a run goes; raises as `ask`.

    ``told`` hears of each as it arrives.
    """
    found: dict[str, list[Verdict]] = {id: [] for id, _ in items}
    for batch in ask(judge, items, open_adapter):
        for one in batch:
            found[one.item].append(one.verdict)
            told(one)
    return found


def calibrate(
    spec: JudgeSpec,
    items: Sequence[LabelledItem],
    verdicts: Mapping[str, Combined],
    threshold: float | None = None,
) -> Calibrated:
    """Compare a judge's verdicts (by item id) with people's labels of the same items.

    ``threshold`` is as for `pass_mark`. Raises as that, and KeyError if an item was never judged.
    """
    passing = pass_mark(spec, threshold)
    judged = [(item, verdicts[item.id]) for item in items if verdicts[item.id].total is not None]
    judge = [_known(one.total) for _, one in judged]
    human = [fmean(label.total for label in item.labels) for item, _ in judged]
    raters = tuple(sorted({label.rater for item in items for label in item.labels}))
    table = [_ratings(item, raters) for item in items]
    both = [[_known(one.total), *_ratings(item, raters)] for item, one in judged]
    return Calibrated(
        judge=spec.judge,
        models=spec.models,
        created=datetime.now(UTC).replace(microsecond=0),
        n=len(items),
        n_judge_error=len(items) - len(judged),
        raters=raters,
        threshold=passing,
        total=agreement(judge, human),
        criteria=_by_criterion(spec, judged),
        alpha=alpha(both),
        people_alpha=alpha(table),
        people=rater_pairs(items),
        passes=PassTable.of(judge, human, passing),
    )


def pass_mark(spec: JudgeSpec, threshold: float | None = None) -> float:
    """What passes, in the units of the rubric; the middle of the scale by default.

    Raises HarnessError for a pairwise judge, SelectionError for what is not on the scale.
    """
    rubric = rubric_of(spec)
    if threshold is None:
        return (rubric.low + rubric.high) / 2
    if not rubric.low <= threshold <= rubric.high:  # also for NaN, which is nowhere
        scale = f"the totals of {spec.judge} go from {rubric.low:g} to {rubric.high:g}"
        raise SelectionError(f"--threshold {threshold:g}: {scale}")
    return threshold


def agreement(a: Sequence[float], b: Sequence[float]) -> Agreement:
    """Kappa, rank correlation and bias (a minus b), each with its interval."""
    return Agreement(
        resampled("kappa", a, b),
        resampled("spearman", a, b),
        mean_error([x - y for x, y in zip(a, b, strict=True)]),
    )


def rater_pairs(items: Sequence[LabelledItem]) -> tuple[RaterPair, ...]:
    """Every two people who rated items in common; by their names, in order."""
    totals: dict[str, dict[str, float]] = {}
    for item in items:
        for label in item.labels:
            totals.setdefault(label.rater, {})[item.id] = label.total
    found = []
    for a, b in combinations(sorted(totals), 2):
        common = [id for id in totals[a] if id in totals[b]]
        if common:
            ratings = [totals[a][id] for id in common], [totals[b][id] for id in common]
            found.append(RaterPair(a, b, agreement(*ratings)))
    return tuple(found)


def _known(value: float | None) -> float:
    if value is None:
        raise ValueError("a verdict without a total")
    return value


def _ratings(item: LabelledItem, raters: Sequence[str]) -> list[float | None]:
    given = {label.rater: label.total for label in item.labels}
    return [given.get(rater) for rater in raters]


def _by_criterion(
    spec: JudgeSpec, judged: Sequence[tuple[LabelledItem, Combined]]
) -> dict[str, Agreement]:
    found = {}
    for name in (criterion.name for criterion in spec.criteria):
        pairs = [
            (one.criteria[name], fmean(label.ratings[name] for label in rated))
            for item, one in judged
            if (rated := _rated(item, name)) and name in one.criteria
        ]
        if pairs:
            found[name] = agreement([x for x, _ in pairs], [y for _, y in pairs])
    return found


def _rated(item: LabelledItem, name: str) -> list[Label]:
    return [label for label in item.labels if name in label.ratings]


# --------------------------------------------------------------------------- keeping


def binding(spec: JudgeSpec, template_hash: str, fingerprint: str) -> str:
    """SHA-256 of all that a calibration or a self-test of a judge holds for.

    ``fingerprint`` is that of the judge model; of a panel's models, `panel_fingerprint`.
    """
    parts: list[object] = [spec.judge, template_hash, fingerprint, len(spec.models)]
    parts += [spec.temperature, spec.top_p, spec.max_new_tokens, spec.seed, spec.repeats]
    parts += [spec.logprobs, spec.aggregate, spec.quorum, spec.reasks, spec.media]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def panel_fingerprint(fingerprints: Sequence[str]) -> str:
    """One fingerprint for the models of a judge, in the order of the spec; of one, its own."""
    if len(fingerprints) == 1:
        return fingerprints[0]
    return hashlib.sha256(json.dumps(list(fingerprints)).encode()).hexdigest()


def load_calibration(
    spec: JudgeSpec, template_hash: str, fingerprint: str, project: Path | None = None
) -> Calibrated | None:
    """The stored calibration of a judge exactly as it judges now; None if there is none, or if
    its file cannot be read: that is told, and costs nobody a run that is finished."""
    known = load_or_warn(Calibrated, calibration_path(spec, project))
    return known.get(binding(spec, template_hash, fingerprint))


def save_calibration(done: Calibrated, key: str, path: Path) -> Path | None:
    """Store a calibration under its `binding`, beside those of the judge's other models.

    Returns and raises as `keep`.
    """
    return keep(Calibrated, done, key, path)


def calibration_path(spec: JudgeSpec, project: Path | None = None) -> Path:
    """<project>/.harness/calibration/<judge>.json, of the project around the present folder."""
    from harness.collect.library import project_root

    return (project or project_root(Path.cwd())) / FOLDER / f"{spec.judge}.json"


def keep(kind: type[Record], done: Record, key: str, path: Path) -> Path | None:
    """Put a record into a file of records by key, whole or not at all; raises StoreError.

    A file that cannot be read gives way to a new one; the path to which it was moved is returned.
    """
    from pydantic import TypeAdapter

    aside = None
    try:
        known = load(kind, path)
    except StoreError:
        known, aside = {}, path.with_name(f"{path.name}.damaged")
    records: TypeAdapter[dict[str, Record]] = TypeAdapter(dict[str, kind])  # type: ignore[valid-type]
    body = records.dump_json({**known, key: done}, indent=1)
    records.validate_json(body)  # what could not be read again is not written
    if aside is not None:
        try:
            os.replace(path, aside)
        except OSError as error:
            raise StoreError(f"cannot move {shown(path)}: {error.strerror or error}") from None
    write_whole(path, body.decode() + "\n")
    return aside


def load_or_warn(kind: type[Record], path: Path) -> dict[str, Record]:
    """As `load`; a file that cannot be read is as none, with a line that names it, told once."""
    try:
        return load(kind, path)
    except StoreError as error:
        _warn(str(error))
        return {}


@lru_cache(maxsize=64)
def _warn(what: str) -> None:
    logging.getLogger("harness").warning("warning: %s", what)


def load(kind: type[Record], path: Path) -> dict[str, Record]:
    """The records of a file by key; none if there is no file. Raises StoreError."""
    from pydantic import TypeAdapter, ValidationError

    try:
        body = path.read_bytes() if path.exists() else b"{}"
        known: dict[str, Record] = TypeAdapter(dict[str, kind]).validate_json(body)  # type: ignore[valid-type]
    except (OSError, ValidationError) as error:
        cause = error.strerror if isinstance(error, OSError) else "is damaged"
        raise StoreError(f"{shown(path)}: {cause}; delete it and measure again") from None
    return known
