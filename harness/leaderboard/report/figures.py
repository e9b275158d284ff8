"""Which figures the runs of a report can fill, as charts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Literal

from harness.errors import StoreError, shown
from harness.leaderboard.charts import (
    Axes,
    BarRow,
    Chart,
    ConfusionRow,
    CurveRow,
    ForestRow,
    HeatRow,
    LatencyRow,
    TradeOffRow,
    TrainingRow,
    confusion,
    curve,
    forest,
    grouped_bars,
    heat_map,
    latency,
    render,
    trade_off,
    training_curve,
)
from harness.leaderboard.report.class_tables import Confused, recognised
from harness.leaderboard.report.evidence import Entry, Evidence
from harness.leaderboard.report.master import by_place, metric_label
from harness.leaderboard.report.paper import slug
from harness.leaderboard.report.speed import Stage, median_ms
from harness.leaderboard.report.study_tables import settings
from harness.results.answers import task_label

FOREST_ROWS = 30
"""More differences than these do not fit a page."""
MOST_MODELS = 8
"""Bars of more models cannot be told apart."""


def make_charts(
    evidence: Evidence, found: Sequence[Confused], stages: Sequence[Stage], root: Path
) -> Iterator[Chart]:
    """Every figure with something to draw, the ones to look at first first."""
    yield from _forests(evidence)
    yield from _criteria(evidence)
    yield from _classes(evidence, found)
    yield from _variants(evidence)
    yield from _trade_offs(evidence, stages)
    yield from _latencies(evidence, stages)
    for model in evidence.models:
        yield from _training(root, model)


# --------------------------------------------------------------------------- differences


def _forests(evidence: Evidence) -> Iterator[Chart]:
    """All differences to the baseline, a figure for each scale: points and shares share no axis."""
    scales: dict[str, list[ForestRow]] = {}
    several = len(evidence.baselines) > 1
    for entry in evidence.entries:
        row = evidence.delta(entry)
        if row is None or not row.n or entry.info.criterion or entry.info.neutral:
            continue
        label = f"{task_label(*entry.key[:2])}: {metric_label(entry)}"
        label = f"{row.b.model}, {label}" if several else label
        verdict = row.verdict if row.holds or not row.claimed else "no difference shown"
        d = row.difference
        scales.setdefault(_scale(entry), []).append(
            ForestRow(label, d.value, d.low, d.high, verdict)
        )
    pairs = ", ".join(f"{model} - {base}" for model, base in evidence.baselines.items())
    for scale, rows in scales.items():
        for at in range(0, len(rows), FOREST_ROWS):
            part = "" if len(rows) <= FOREST_ROWS else str(at // FOREST_ROWS + 1)
            title = f"Differences to the baseline, {scale}"
            name = slug("differences", scale, part)
            axes = Axes(f"difference ({pairs})" if not several else "difference to the baseline")
            yield forest(name, title, rows[at : at + FOREST_ROWS], axes)


def _scale(entry: Entry) -> str:
    """In words, so that only what has the same unit shares an axis."""
    low, high = entry.info.low, entry.info.high
    if low is None or high is None:
        return entry.base_name
    if high == 1:
        return "scale up to 1"
    return f"scale {low:g} to {high:g}"


# --------------------------------------------------------------------------- judges, classes


def _criteria(evidence: Evidence) -> Iterator[Chart]:
    """The criteria of each judge, in the points of its rubric."""
    groups: dict[tuple[str, str, str], list[Entry]] = {}
    for one in evidence.entries:
        if one.info.criterion and one.info.kind == "number" and one.row.value is not None:
            groups.setdefault((*one.key[:2], one.info.judge), []).append(one)
    for (task, variant, judge), group in groups.items():
        names = dict.fromkeys(one.base_name for one in group)
        if len(names) < 2:
            continue
        where = task_label(task, variant)
        rows = [
            BarRow(
                one.base_name.removeprefix(f"{judge}."),
                one.cell.model,
                one.row.value,
                one.row.low,
                one.row.high,
            )
            for one in group
        ]
        odd = " (embedding judge, no LLM)" if "not an LLM" in group[0].info.name else ""
        title = f"{where}: criteria of {judge}{odd}"
        yield _bars(slug("criteria", task, variant, judge), title, rows, evidence)


def _bars(name: str, title: str, rows: Sequence[BarRow], evidence: Evidence) -> Chart:
    kept = list(dict.fromkeys(row.model for row in rows))[:MOST_MODELS]
    axes = Axes("points", "criterion") if name.startswith("criteria") else Axes("%", "class")
    some = [row for row in rows if row.model in kept]
    more = len({row.model for row in rows}) - len(kept)
    title += f" (the first {len(kept)} of {len(kept) + more})" if more else ""
    return grouped_bars(name, title, some, axes, evidence.models)


def _classes(evidence: Evidence, found: Sequence[Confused]) -> Iterator[Chart]:
    for task in dict.fromkeys(one.task for one in found):
        own = [one for one in found if one.task == task]
        rows = [
            BarRow(label, one.name, *_percent(*recognised(one.table, label)))
            for label in own[0].table.labels
            for one in own
        ]
        title = f"{task}: recognised of each class"
        yield _bars(slug("classes", task), title, rows, evidence)
        for at in range(0, len(own), 4):
            cells = [cell for one in own[at : at + 4] for cell in _cells(one)]
            part = "" if len(own) <= 4 else str(at // 4 + 1)
            name = slug("confusion", task, part)
            yield confusion(name, f"{task}: what was answered in place of what", cells)


def _percent(*shares: float | None) -> tuple[float | None, ...]:
    return tuple(None if share is None else 100 * share for share in shares)


def _cells(one: Confused) -> Iterator[ConfusionRow]:
    answers = (*one.table.labels, "unreadable")
    for label, counts in zip(one.table.labels, one.table.counts, strict=True):
        for answer, count in zip(answers, counts, strict=True):
            if count or answer != "unreadable":
                yield ConfusionRow(one.name, label, answer, count)


# --------------------------------------------------------------------------- variants


def _variants(evidence: Evidence) -> Iterator[Chart]:
    """A curve over each setting that has several numbers, a heat map over each two of them; cells
    that set other settings are a sweep of their own."""
    sweeps: dict[tuple[str, frozenset[str]], list[Entry]] = {}
    for one in evidence.primary:
        sweeps.setdefault((one.cell.task, frozenset(_values(one))), []).append(one)
    for (task, _), group in sweeps.items():
        numbers = _numeric(group)
        for name in numbers:
            yield _curve(task, name, group)
        for x, y in combinations(numbers, 2):
            for model in dict.fromkeys(one.cell.model for one in group):
                own = [one for one in group if one.cell.model == model]
                if {x, y} <= set(_numeric(own)):
                    yield _heat(task, (x, y), own)


def _values(entry: Entry) -> dict[str, float | str]:
    """The settings of a variant, numbers as numbers."""
    found: dict[str, float | str] = {}
    for one in settings(entry.cell.variant):
        name, _, text = one.partition("=")
        try:
            found[name] = float(text)
        except ValueError:
            found[name] = text
    return found


def _numeric(group: Sequence[Entry]) -> list[str]:
    """Settings that are numbers in all entries, and at least two different ones."""
    all_values = [_values(one) for one in group]
    names = dict.fromkeys(name for values in all_values for name in values)
    return [
        name
        for name in names
        if all(isinstance(values.get(name), float) for values in all_values)
        and len({values[name] for values in all_values}) > 1
    ]


def _curve(task: str, name: str, group: Sequence[Entry]) -> Chart:
    rows = []
    for one in group:
        values = _values(one)
        rest = ",".join(s for s in settings(one.cell.variant) if not s.startswith(f"{name}="))
        model = task_label(one.cell.model, rest)
        x, row = values[name], one.row
        if isinstance(x, float):
            rows.append(CurveRow(model, x, row.value, row.low, row.high))
    label = metric_label(group[0])
    return curve(slug("curve", task, name), f"{task}: {label} over {name}", rows, Axes(name, label))


def _heat(task: str, names: tuple[str, str], own: Sequence[Entry]) -> Chart:
    x, y = names
    rows = [HeatRow(_values(one)[x], _values(one)[y], one.row.value) for one in own]
    label, model = metric_label(own[0]), own[0].cell.model
    title = f"{task}: {label} of {model} over {x} and {y}"
    return heat_map(slug("heat", task, model, x, y), title, rows, Axes(x, y, label))


# --------------------------------------------------------------------------- costs


def _trade_offs(evidence: Evidence, stages: Sequence[Stage]) -> Iterator[Chart]:
    for group in by_place(evidence.primary):
        rows = [
            TradeOffRow(one.cell.model, one.row.value, cost, one.row.low, one.row.high)
            for one in group
            if (cost := median_ms(one, stages)) is not None and one.row.value is not None
        ]
        machines = {one.side.run.manifest.machine for one in group}
        if len(rows) < 2 or len(machines) > 1:
            continue
        where, label = task_label(*group[0].key[:2]), metric_label(group[0])
        yield trade_off(
            slug("trade_off", *group[0].key[:2]),
            f"{where}: {label} against median latency",
            rows,
            Axes("ms a sample", label),
            evidence.models,
            not group[0].info.higher_is_better,
        )


def _latencies(evidence: Evidence, stages: Sequence[Stage]) -> Iterator[Chart]:
    for place in dict.fromkeys(one.chosen.place for one in stages):
        rows = []
        for one in stages:
            p50, p95, p99 = (one.values[name] for name in ("p50", "p95", "p99"))
            if one.chosen.place == place and None not in (p50, p95, p99):
                rows.append(LatencyRow(one.chosen.cell.model, one.stage, p50, p95, p99))  # type: ignore[arg-type]
        if rows:
            title = f"{task_label(*place)}: latency by stage"
            yield latency(slug("latency", *place), title, rows, models=evidence.models)


def _training(root: Path, model: str) -> Iterator[Chart]:
    """The curve of the training that lies in the runs' folder under the model's name."""
    file = root / "finetune" / model / "curve.parquet"
    if slug(model) != model or not file.is_file():
        return
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file) as opened:
            table = opened.read()
        columns = [table.column(name).to_pylist() for name in ("step", "loss", "eval_loss")]
    except (OSError, KeyError, pa.ArrowException) as error:
        reason = str(error).strip("\"'").splitlines()[0]
        raise StoreError(f"{shown(file)}: cannot be read: {reason}") from None
    rows = [TrainingRow(*row) for row in zip(*columns, strict=True)]
    yield training_curve(slug("training", model), f"Training of {model}", rows)


FORMS: tuple[Literal["pdf", "png", "svg"], ...] = ("pdf", "png", "svg")
_RESOURCES = re.compile(rb"(?:^ *[/][a-z]+[0-9]+ [0-9]+ 0 R\n)+", re.MULTILINE)


def figure_files(charts: Sequence[Chart]) -> dict[str, bytes]:
    """Each chart as PDF, PNG and SVG, by path in the report; the same chart, the same bytes."""
    files = {f"figures/{one.name}.{form}": render(one, form) for one in charts for form in FORMS}
    return {name: steady(body) if name.endswith(".pdf") else body for name, body in files.items()}


def steady(pdf: bytes) -> bytes:
    """The PDF with the names of each resource dictionary in order.

    vl-convert writes them in an order that changes from call to call. Lines only change places
    among themselves, so that every offset of the file stays true.
    """

    def ordered(found: re.Match[bytes]) -> bytes:
        return b"".join(sorted(found[0].splitlines(keepends=True)))

    return _RESOURCES.sub(ordered, pdf)
