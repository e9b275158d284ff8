"""The sides of a comparison: which run and model each is, and their scores sample by sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.collect.suggest import known_or_near
from harness.errors import SelectionError, StoreError
from harness.results.aligned import Aligned, align, read_sides
from harness.results.judged import judge_lines
from harness.results.manifest import FILE_NAME, CellRecord
from harness.results.metrics import SampleScores
from harness.results.mismatch import mismatches
from harness.results.run import ScorerInfo
from harness.results.store import RUN_ID, RunReader, find_named, find_run, newest_with
from harness.results.stored_judges import measured

MOST_SIDES = 26
"""One letter each in the tables."""


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
    """Which tasks and metrics; all if empty. ``intersect`` compares what all sides share.

    ``criteria`` compares the parts of a judge's total, too; they would otherwise only add to the
    number of comparisons that each of them has to stand up to. ``collect_reasons`` compares what
    all share as well, and says why that is doubtful in ``reasons`` alone, not in notes.
    """

    tasks: Sequence[str] = ()
    metrics: Sequence[str] = ()
    intersect: bool = False
    criteria: bool = False
    collect_reasons: bool = False
    variant: str | None = None
    """One variant of the tasks alone; all if None."""
    opponents: bool = False
    """Also what judges of pairs said of each model beside its own base: nothing to subtract."""


@dataclass(frozen=True)
class Metric:
    """One metric on both sides; entry i of every array belongs to sample ``ids[i]``."""

    info: ScorerInfo
    ids: list[str]
    a: SampleScores
    b: SampleScores
    clusters: list[str | None]


@dataclass(frozen=True)
class CellGroup:
    """The same task and variant on several sides.

    ``reasons`` say why the sides do not measure the same thing; none if they do.
    """

    cells: tuple[CellRecord, ...]
    metrics: list[Aligned]
    notes: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class CellPair:
    """The same task and variant on both sides; ``reasons`` as of a group."""

    a: CellRecord
    b: CellRecord
    metrics: list[Metric]
    notes: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


# --------------------------------------------------------------------------- sides


def runs_among(words: Sequence[str]) -> list[str]:
    """The words without folders that hold no run, not even half of one: a shell that writes out
    ``runs/*`` names the folder of trainings, too. All of them, if nothing else is left."""
    kept = [word for word in words if not _is_other_folder(Path(word))]
    return kept or list(words)


def _is_other_folder(path: Path) -> bool:
    try:
        known = (path / FILE_NAME).exists() or RUN_ID.search(path.name)
        # a name alone is that of a model, even if a folder has it, too
        return len(path.parts) > 1 and path.is_dir() and not known
    except (OSError, ValueError):
        return False


def find_sides(root: Path, a: str, b: str) -> list[tuple[Side, Side]]:
    """What two words on the command line mean; as ``find_groups``, whose errors it raises."""
    return [(group[0], group[1]) for group in find_groups(root, [a, b])]


def find_groups(root: Path, words: Sequence[str]) -> list[tuple[Side, ...]]:
    """The sides that words on the command line mean: RUN, MODEL or RUN:MODEL, one side each.

    Models' names prefer one run that holds them all. Runs that hold several models are compared
    model by model of the same name; one run alone stands for all of its models. Raises StoreError
    if it stays unclear, or if less than two sides are meant.
    """
    together = None
    if not any(_split(text)[1] or find_named(root, text) for text in words):
        together = newest_with(root, words)
    if together is not None:
        found = [(together, [text]) for text in words]
    else:
        found = [find_models(root, text) for text in words]
    if len(words) == 1:
        run, models = found[0]
        groups = [tuple(Side(run, model) for model in models)]
    else:
        rows = _match_models(found)
        groups = [
            tuple(Side(run, m) for (run, _), m in zip(found, row, strict=True)) for row in rows
        ]
    for group in groups:
        _check_sides(group)
    return groups


def _check_sides(group: Sequence[Side]) -> None:
    if len(group) < 2:
        raise StoreError(f"nothing to compare {group[0].name} with: name two runs or two models")
    if len(group) > MOST_SIDES:
        raise StoreError(f"{len(group)} models at once: compare at most {MOST_SIDES}")
    names = [side.name for side in group]
    for name in names:
        if names.count(name) > 1:
            both = "both sides are" if len(group) == 2 else f"{names.count(name)} sides are"
            raise StoreError(f"{both} {name}: name two runs or two models")


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


def _match_models(found: Sequence[tuple[RunReader, list[str]]]) -> list[list[str]]:
    """Which model of each run stands beside which of the others."""
    if all(len(models) == 1 for _, models in found):
        return [[models[0] for _, models in found]]
    common = [model for model in found[0][1] if all(model in models for _, models in found)]
    if common:
        return [[model] * len(found) for model in common]
    run, models = next((run, models) for run, models in found if len(models) > 1)
    raise StoreError(
        f"run {run.run_id} holds {', '.join(models)}: say which one, as {run.run_id}:{models[0]}"
    )


# --------------------------------------------------------------------------- pairs


def pair_cells(a: Side, b: Side, options: CompareOptions) -> list[CellPair]:
    """The cells that both sides have, with their scores; raises as ``group_cells`` does."""
    return [
        CellPair(
            group.cells[0],
            group.cells[1],
            [_two_sided(one) for one in group.metrics],
            group.notes,
            group.reasons,
        )
        for group in group_cells((a, b), options)
    ]


def _two_sided(metric: Aligned) -> Metric:
    a, b = metric.sides
    return Metric(metric.info, metric.ids, a, b, metric.clusters)


def group_cells(sides: Sequence[Side], options: CompareOptions) -> list[CellGroup]:
    """The cells that all sides have, with their scores.

    Raises StoreError if they have none in common, if no sample is in all, or if task version,
    data, samples or scorer versions differ (unless told to compare what they share);
    SelectionError for an unknown task or metric.
    """
    groups = [_group(sides, cells, options) for cells in common_cells(sides, options)]
    cells = [_cells(side) for side in sides]
    others = dict.fromkeys(key for own in cells for key in own)
    alone = [_label(key) for key in others if not all(key in own for own in cells)]
    if alone:
        where = "one side only" if len(sides) == 2 else "some sides only"
        groups[0].notes.append(f"on {where}, not compared: {', '.join(alone)}")
    return groups


def common_cells(sides: Sequence[Side], options: CompareOptions) -> list[tuple[CellRecord, ...]]:
    """The cells that all sides have of the wanted tasks, one for each side.

    Raises StoreError if there are none, SelectionError for an unknown task or metric.
    """
    cells = [_cells(side) for side in sides]
    _check_names("task", options.tasks, {task for of_side in cells for task, _ in of_side})
    common = [
        key
        for key in cells[0]
        if all(key in of_side for of_side in cells)
        and wanted(key[0], options.tasks)
        and options.variant in (None, key[1])
    ]
    if not common:
        has = (f"{one.name} has {_names(own)}" for one, own in zip(sides, cells, strict=True))
        raise StoreError(f"nothing to compare: {', '.join(has)}")
    found = [tuple(of_side[key] for of_side in cells) for key in common]
    metrics = {info.name for group in found for cell in group for info in cell.scorers}
    _check_names("metric", options.metrics, metrics | {_base(name) for name in metrics})
    return found


def _group(
    sides: Sequence[Side], cells: tuple[CellRecord, ...], options: CompareOptions
) -> CellGroup:
    infos = _common_scorers(cells, options)
    stored = [(side.run, cell) for side, cell in zip(sides, cells, strict=True)]
    scores = read_sides(stored, infos)
    where = _label((cells[0].task, cells[0].variant))
    metrics = align(stored[0], infos, scores)
    if any(not metric.ids for metric in metrics):
        names = " and ".join(side.name for side in sides)
        raise StoreError(f"{where}: nothing to compare: {names} share no sample")
    reasons = _reasons(stored, infos, scores)
    if not (options.intersect or options.collect_reasons):
        _refuse(where, sides, reasons)
    pairs = zip(sides[1:], reasons, strict=True)
    said = [
        f"{side.name}: {text}" if len(sides) > 2 else text for side, why in pairs for text in why
    ]
    notes = [] if options.collect_reasons else [f"{where}: MISMATCH allowed: {x}" for x in said]
    if not said and any(cell.task_hash != cells[0].task_hash for cell in cells):
        notes.append(f"{where}: the task differs (prompt or settings) though its version does not")
    return CellGroup(cells, metrics, [*notes, *judge_lines(stored, infos)], said)


def _common_scorers(cells: Sequence[CellRecord], options: CompareOptions) -> list[ScorerInfo]:
    """The first cell's scorers that all have and that were asked for."""
    others = [{info.name for info in cell.scorers} for cell in cells[1:]]
    return [
        info
        for info in cells[0].scorers
        if all(info.name in names for names in others)
        and wanted(info.name, options.metrics)
        and (options.criteria or options.metrics or not info.criterion)
        # of two models, `preferences` shows what such a judge said
        and (options.opponents or not info.opponent)
    ]


def _reasons(
    stored: Sequence[tuple[RunReader, CellRecord]],
    infos: Sequence[ScorerInfo],
    scores: Sequence[Mapping[str, SampleScores]],
) -> list[list[str]]:
    """Why each of the other cells does not measure the same thing as the first."""
    found = []
    for side, others in zip(stored[1:], scores[1:], strict=True):
        name = infos[0].name if infos else ""
        samples = (scores[0][name].ids, others[name].ids) if infos else None
        found.append(mismatches((stored[0], side), infos, samples))
    return found


def _refuse(where: str, sides: Sequence[Side], reasons: Sequence[Sequence[str]]) -> None:
    for side, found in zip(sides[1:], reasons, strict=True):
        if found:
            raise StoreError(
                f"{where}: cannot compare {sides[0].name} with {side.name}: {'; '.join(found)} "
                "(--intersect compares what both share)"
            )


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
