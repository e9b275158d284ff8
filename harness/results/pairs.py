"""Two sides of a comparison: which run and model each is, and their scores pair by pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.collect.suggest import known_or_near
from harness.errors import SelectionError, StoreError
from harness.results.judged import judge_lines
from harness.results.manifest import CellRecord
from harness.results.metrics import SampleScores, ScoreColumns, by_sample
from harness.results.run import ScorerInfo
from harness.results.store import RunReader, find_named, find_run, newest_with
from harness.results.stored_judges import measured


@dataclass(frozen=True)
class Side:
    """One model's cells in one run."""

    run: RunReader
    model: str

    @property
    def name(self) -> str:
        """RUN:MODEL, as it can be typed."""
        return f"{self.run.run_id}:{self.model}"


@dataclass(frozen=True)
class CompareOptions:
    """Which tasks and metrics; all if empty. ``allow_mismatch`` compares what both sides share.

    ``criteria`` compares the parts of a judge's total, too; they would otherwise only add to the
    number of comparisons that each of them has to stand up to.
    """

    tasks: Sequence[str] = ()
    metrics: Sequence[str] = ()
    allow_mismatch: bool = False
    criteria: bool = False


@dataclass(frozen=True)
class Metric:
    """One metric on both sides; entry i of every array belongs to sample ``ids[i]``."""

    info: ScorerInfo
    ids: list[str]
    a: SampleScores
    b: SampleScores
    clusters: list[str | None]


@dataclass(frozen=True)
class CellPair:
    """The same task and variant on both sides."""

    a: CellRecord
    b: CellRecord
    metrics: list[Metric]
    notes: list[str] = field(default_factory=list)


# --------------------------------------------------------------------------- sides


def find_sides(root: Path, a: str, b: str) -> list[tuple[Side, Side]]:
    """What two words on the command line mean: RUN, MODEL or RUN:MODEL.

    Two models' names prefer one run that holds both. Two runs that hold several models are
    compared model by model of the same name. Raises StoreError if it stays unclear.
    """
    together = None
    if not any(_split(text)[1] or find_named(root, text) for text in (a, b)):
        together = newest_with(root, [a, b])
    first = find_models(root, a) if together is None else (together, [a])
    second = find_models(root, b) if together is None else (together, [b])
    pairs = [
        (Side(first[0], left), Side(second[0], right))
        for left, right in _match_models(first, second)
    ]
    same = [x.name for x, y in pairs if x == y]
    if same:
        raise StoreError(f"both sides are {same[0]}: name two runs or two models")
    return pairs


def find_models(root: Path, text: str) -> tuple[RunReader, list[str]]:
    """A run and those of its models that RUN, MODEL or RUN:MODEL means.

    Raises StoreError if there is no such run or model.
    """
    name, model = _split(text)
    if model:
        run = find_run(root, name)
        names = run.manifest.model_names
        if model not in names:
            raise StoreError(f"run {run.run_id} has no model '{model}'; it has {', '.join(names)}")
        return run, [model]
    named = find_named(root, text)
    if named is not None:
        return named, named.manifest.model_names
    run = find_run(root, text)
    return run, [text]


def find_one(root: Path, text: str) -> tuple[RunReader, str]:
    """A run and, if the text is RUN:MODEL, the model; else "". Raises as ``find_run`` does."""
    if _split(text)[1] and find_named(root, text) is None:
        run, models = find_models(root, text)
        return run, models[0]
    return find_run(root, text), ""


def _split(text: str) -> tuple[str, str]:
    """RUN and MODEL; a text that is a path is all RUN."""
    head, _, tail = text.rpartition(":")
    return (head, tail) if head and "/" not in tail else (text, "")


def _match_models(
    a: tuple[RunReader, list[str]], b: tuple[RunReader, list[str]]
) -> list[tuple[str, str]]:
    if len(a[1]) == len(b[1]) == 1:
        return [(a[1][0], b[1][0])]
    common = [model for model in a[1] if model in b[1]]
    if common:
        return [(model, model) for model in common]
    run, models = a if len(a[1]) > 1 else b
    raise StoreError(
        f"run {run.run_id} holds {', '.join(models)}: say which one, as {run.run_id}:{models[0]}"
    )


# --------------------------------------------------------------------------- pairs


def pair_cells(a: Side, b: Side, options: CompareOptions) -> list[CellPair]:
    """The cells that both sides have, with their scores.

    Raises StoreError if they have none in common, or if task version, data, samples or scorer
    versions differ (unless mismatch is allowed); SelectionError for an unknown task or metric.
    """
    left, right = _cells(a), _cells(b)
    tasks = {task for task, _ in [*left, *right]}
    _check_names("task", options.tasks, tasks)
    common = [key for key in left if key in right and wanted(key[0], options.tasks)]
    if not common:
        raise StoreError(
            f"nothing to compare: {a.name} has {_names(left)}, {b.name} has {_names(right)}"
        )
    metrics = {info.name for key in common for info in (*left[key].scorers, *right[key].scorers)}
    _check_names("metric", options.metrics, metrics | {_base(name) for name in metrics})
    alone = [_label(key) for key in {**left, **right} if (key in left) != (key in right)]
    pairs = [_pair(a, b, (left[key], right[key]), options) for key in common]
    if alone:
        pairs[0].notes.append(f"on one side only, not compared: {', '.join(alone)}")
    return pairs


def _pair(
    a: Side, b: Side, cells: tuple[CellRecord, CellRecord], options: CompareOptions
) -> CellPair:
    cell_a, cell_b = cells
    versions = {info.name: info for info in cell_b.scorers}
    infos = [
        info
        for info in cell_a.scorers
        if info.name in versions
        and wanted(info.name, options.metrics)
        and (options.criteria or options.metrics or not info.criterion)
        and not info.opponent  # `preferences` shows what such a judge said
    ]
    scores_a, scores_b = _scores(a, cell_a, infos), _scores(b, cell_b, infos)
    reasons = _mismatches(cell_a, cell_b, infos)
    if infos:
        reasons += _sample_mismatch(scores_a[infos[0].name].ids, scores_b[infos[0].name].ids)
    if not reasons and cell_a.data_hash != cell_b.data_hash:
        reasons.append("the data differ: same ids, other inputs or targets")
    where = _label((cell_a.task, cell_a.variant))
    if reasons and not options.allow_mismatch:
        raise StoreError(
            f"{where}: cannot compare {a.name} with {b.name}: {'; '.join(reasons)} "
            "(--allow-mismatch compares what both share)"
        )
    notes = [f"{where}: MISMATCH allowed: {reason}" for reason in reasons]
    if not reasons and cell_a.task_hash != cell_b.task_hash:
        notes.append(f"{where}: the task differs (prompt or settings) though its version does not")
    notes += judge_lines((a.run, cell_a), (b.run, cell_b), infos)
    clusters = clusters_of(a, cell_a)
    metrics = [_align(info, scores_a[info.name], scores_b[info.name], clusters) for info in infos]
    return CellPair(cell_a, cell_b, metrics, notes)


def _align(
    info: ScorerInfo, a: SampleScores, b: SampleScores, clusters: Mapping[str, str | None]
) -> Metric:
    """Both sides cut to their common samples, in the order of the ids: results must not depend
    on the order in which a run was stored."""
    at_a = {sample: i for i, sample in enumerate(a.ids)}
    at_b = {sample: i for i, sample in enumerate(b.ids)}
    ids = sorted(at_a.keys() & at_b.keys())
    left = a.take([at_a[sample] for sample in ids])
    right = b.take([at_b[sample] for sample in ids])
    return Metric(info, ids, left, right, [clusters.get(sample) for sample in ids])


def _scores(side: Side, cell: CellRecord, infos: Sequence[ScorerInfo]) -> dict[str, SampleScores]:
    columns = ["sample", "scorer", "value", "control", "status"]
    if any(info.aggregate != "mean" for info in infos):
        columns.append("detail")
    table = side.run.table("scores", columns, {"cell": cell.cell})
    lists = {name: table.column(name).to_pylist() for name in columns}
    rows: dict[str, list[int]] = {info.name: [] for info in infos}
    for i, scorer in enumerate(lists["scorer"]):
        if scorer in rows:
            rows[scorer].append(i)
    found = {}
    for info in infos:
        at = rows[info.name]
        picked = {name: [values[i] for i in at] for name, values in lists.items()}
        detail = picked["detail"] if info.aggregate != "mean" else []
        found[info.name] = by_sample(
            ScoreColumns(
                picked["sample"], picked["value"], picked["control"], detail, picked["status"]
            )
        )
    return found


def clusters_of(side: Side, cell: CellRecord) -> dict[str, str | None]:
    """The group of each sample of a cell, None for one that stands alone."""
    where = {"task": cell.task, "variant": cell.variant}
    table = side.run.table("samples", ["sample", "cluster"], where)
    names, clusters = (table.column(name).to_pylist() for name in ("sample", "cluster"))
    return dict(zip(names, clusters, strict=True))


def _mismatches(a: CellRecord, b: CellRecord, infos: Sequence[ScorerInfo]) -> list[str]:
    reasons = []
    if a.task_version != b.task_version:
        reasons.append(f"task versions {a.task_version} and {b.task_version}")
    others = {info.name: info for info in b.scorers}
    for info in infos:
        other = others[info.name]
        if info.version != other.version:
            reasons.append(f"versions {info.version} and {other.version} of {info.name}")
        elif info.judged_by != other.judged_by:
            who = f"{info.judged_by or 'nobody'} and {other.judged_by or 'nobody'}"
            reasons.append(f"{info.judge or info.name} was judged by {who}")
        elif info.template != other.template:
            reasons.append(f"the templates of {info.judge} differ")
    return list(dict.fromkeys(reasons))


def _sample_mismatch(a: Sequence[str], b: Sequence[str]) -> list[str]:
    both = len(set(a) & set(b))
    if both == len(a) == len(b):
        return []
    return [f"samples differ: {len(a)} and {len(b)}, {both} in both"]


def _cells(side: Side) -> dict[tuple[str, str], CellRecord]:
    cells = side.run.manifest.cells
    own = measured(side.run, [cell for cell in cells if cell.model == side.model])
    return {(cell.task, cell.variant): cell for cell in own}


def _check_names(kind: str, names: Sequence[str], known: set[str]) -> None:
    for name in names:
        if name not in known:
            raise SelectionError(f"no {kind} '{name}' to compare{known_or_near(name, known)}")


def wanted(name: str, names: Sequence[str]) -> bool:
    """Whether a name was asked for, with or without its part in brackets."""
    return not names or name in names or _base(name) in names


def _base(name: str) -> str:
    return name.partition("[")[0]


def _label(key: tuple[str, str]) -> str:
    return f"{key[0]}[{key[1]}]" if key[1] else key[0]


def _names(cells: Mapping[tuple[str, str], CellRecord]) -> str:
    return ", ".join(_label(key) for key in cells) or "nothing"
