"""A baseline on one page: where it comes from, its numbers, and what a new one would change."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence

from harness.errors import StoreError
from harness.results.compare import Comparison, compare_sides
from harness.results.manifest import CellRecord, Origin
from harness.results.pairs import CompareOptions, Side
from harness.results.render import Record, Report, Table, Value, interval, number, render
from harness.results.run import MetricRow
from harness.results.stats import Interval

WIDEST = 84  # columns of a word of provenance on a terminal
GENERATED = "Written by `harness baseline set`; what is changed here by hand is lost."


def readme(side: Side) -> str:
    """The text of a baseline's README.md: what a pull request shows."""
    origin = _origin(side)
    lines = [f"{name}: {value}" for name, value in provenance(side).items()]
    # as a list: in a table, one longer word would change every line
    body = render(Report([_metrics(side)], {}, lines), "markdown")
    return f"# Baseline of {origin.task}: {origin.model}\n\n{GENERATED}\n\n{body}\n"


def baseline_report(side: Side) -> Report:
    """Provenance and metrics."""
    found = provenance(side)
    title = f"{_origin(side).task}: baseline of {side.model}"
    rows = [[name, "\n".join(textwrap.wrap(value, WIDEST))] for name, value in found.items()]
    table = Table(title, ["", "provenance"], rows, "ll")
    record: Record = dict(found)
    records = {"metrics": [_record(row) for row in side.run.metrics()], "provenance": [record]}
    return Report([table, _metrics(side)], records)


def _metrics(side: Side) -> Table:
    rows = side.run.metrics()
    columns = ["variant", "metric", "value", "95 % interval", "n", "errors", "skipped"]
    if not any(row.variant for row in rows):
        columns = columns[1:]
    cells = [_metric_cells(row)[-len(columns) :] for row in rows]
    return Table("metrics", columns, cells, "l" * (len(columns) - 5) + "rrrrr")


def provenance(side: Side) -> dict[str, str]:
    """Where a baseline comes from, in words; hashes cut to 12 digits."""
    run, origin = side.run.manifest, _origin(side)
    info = next((one for one in run.models if one.model == side.model), None)
    fingerprint = info.fingerprint[:12] if info and info.fingerprint else "unknown"
    where = [] if info is None else [one for one in (info.adapter, info.dtype, info.device) if one]
    found = {
        "run": origin.run,
        "model": origin.model,
        "weights": " ".join([fingerprint, *([f"({', '.join(where)})"] if where else [])]),
        "date": run.started,
        "git revision": _revision(run.revision, run.dirty),
        "task version": _per_cell(run.cells, lambda cell: str(cell.task_version)),
        "data": _per_cell(run.cells, lambda cell: cell.data_hash[:12]),
        "samples": _per_cell(run.cells, _samples),
    }
    found |= _judges(run.cells)
    settings = ", ".join(f"{key} {value}" for key, value in run.settings.items() if _matters(key))
    if settings:
        found["settings"] = settings
    packages = {"python": run.python, **run.packages}
    found["packages"] = ", ".join(f"{key} {value}" for key, value in packages.items() if value)
    texts = "kept" if origin.answers else "not kept"
    found["texts"] = texts + "".join(f"; column {name} of the data kept" for name in origin.columns)
    return found


def doubts(side: Side) -> list[str]:
    """What a reader should know before a run becomes a baseline."""
    run = side.run.manifest
    found = []
    if "limit" in run.settings:
        limit = run.settings["limit"]
        found.append(f"the run was limited to {limit} samples a task (--limit)")
    if run.dirty:
        found.append("the run was made with uncommitted changes")
    return found


def changes(old: Side, new: Side, task: str) -> list[str]:
    """One line a metric: old mean, new mean, and whether the difference is real."""
    try:
        rows, _ = compare_sides([(old, new)], CompareOptions(tasks=[task]))
    except StoreError as error:
        why = str(error).partition(": cannot compare ")[2].partition(": ")[2]
        why = why.removesuffix(" (--intersect compares what both share)") or str(error)
        return [*_means(old, new, task), f"  not comparable: {why}"]
    return [_change(row) for row in rows] or _means(old, new, task)


def _change(row: Comparison) -> str:
    name = f"{row.metric} [{row.variant}]" if row.variant else row.metric
    known = Interval(row.difference.low, row.difference.high, "")
    about = "" if not known.known else f" {interval(known)}"
    difference = f"{number(row.difference.value, sign=True)}{about}" if row.n else "no pairs"
    arrow = f"{number(row.before.value)} -> {number(row.after.value)}"
    return f"  {name}: {arrow} ({difference}, {row.verdict})"


def _means(old: Side, new: Side, task: str) -> list[str]:
    before, after = (
        {
            (row.variant, row.metric): row.value
            for row in side.run.metrics()
            if (row.task, row.model) == (task, side.model)
        }
        for side in (old, new)
    )
    return [
        f"  {metric}{f' [{variant}]' if variant else ''}: "
        f"{number(before.get((variant, metric)))} -> {number(after.get((variant, metric)))}"
        for variant, metric in dict.fromkeys([*before, *after])
    ]


# --------------------------------------------------------------------------- the list


def baseline_list(sides: Sequence[Side], damaged: Sequence[str] = ()) -> Report:
    """A line a baseline; what cannot be read stands below."""
    columns = ["task", "model", "run", "date", "revision", "samples", "texts"]
    rows = []
    for side in sides:
        found = provenance(side)
        origin = _origin(side)
        date = found["date"][:10]
        revision = found["git revision"].replace(", with uncommitted changes", "-dirty")
        samples = str(sum(cell.samples for cell in side.run.manifest.cells))
        rows.append(
            [origin.task, origin.model, origin.run, date, revision, samples, found["texts"]]
        )
    records = [dict(zip(columns, row, strict=True)) for row in rows]
    count = "1 baseline" if len(rows) == 1 else f"{len(rows)} baselines"
    table = Table(count, columns, rows, "lllllrl")
    return Report([table], {"baselines": records}, damaged)


# --------------------------------------------------------------------------- words


def _origin(side: Side) -> Origin:
    origin = side.run.manifest.baseline
    if origin is None:
        raise StoreError(f"{side.name} is a run, not a baseline")
    return origin


def _revision(revision: str, dirty: bool) -> str:
    if not revision:
        return "none"
    return revision[:12] + (", with uncommitted changes" if dirty else "")


def _per_cell(cells: Sequence[CellRecord], what: Callable[[CellRecord], str]) -> str:
    """One word if it is the same in all variants, else each with its variant."""
    words = {cell.variant: what(cell) for cell in cells}
    if len(set(words.values())) == 1:
        return str(next(iter(words.values())))
    return ", ".join(f"{word} [{variant}]" for variant, word in words.items())


def _samples(cell: CellRecord) -> str:
    failed = {key: cell.counts.get(key, 0) for key in ("error", "skipped", "truncated")}
    words = [f"{count} {key}" for key, count in failed.items() if count]
    again = f" in {cell.completions} completions" if cell.completions != cell.samples else ""
    return f"{cell.samples}{again} ({', '.join(words) or 'none failed'})"


def _judges(cells: Sequence[CellRecord]) -> dict[str, str]:
    infos = [info for cell in cells for info in cell.scorers if info.judge and not info.criterion]
    return {
        f"judge {info.judge}": f"version {info.version}, judged by {info.judged_by or 'nobody'}, "
        f"template {info.template[:12] or 'unknown'}"
        for info in infos
    }


def _matters(setting: str) -> bool:
    """What changes the numbers; which tasks and models ran beside them does not."""
    return setting not in ("tasks", "model", "keyword", "tags", "fresh", "max_cost")


def _metric_cells(row: MetricRow) -> list[str]:
    around = interval(Interval(row.low, row.high, row.method))
    counts = [str(count) for count in (row.n, row.n_error, row.n_skipped)]
    return [row.variant, row.metric, number(row.value), around, *counts]


def _record(row: MetricRow) -> Record:
    found: dict[str, Value] = {name: getattr(row, name) for name in MetricRow.__dataclass_fields__}
    return found
