"""A task's page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from harness.leaderboard.charts import Axes, BarRow, Chart, ForestRow, forest, grouped_bars
from harness.leaderboard.class_matrices import matrix_charts, titled_by_variant
from harness.leaderboard.classes import class_charts, class_table, confusions
from harness.leaderboard.columns import Standing, Standings
from harness.leaderboard.gather import Bench
from harness.leaderboard.names import slug
from harness.leaderboard.page_parts import Sources
from harness.leaderboard.task_facts import description, facts, prompts, readme, rubrics
from harness.leaderboard.variants import short_variant, variant_charts
from harness.leaderboard.views import Example, TaskView
from harness.results.judged import judge_notes

RANGE = Axes("difference to the baseline, in % of the metric's range")
CRITERIA = Axes("share of the points", "criterion")


def task_view(
    task: str,
    standings: Standings,
    sources: Sources,
    examples: Mapping[tuple[str, str], Sequence[Example]],
) -> TaskView:
    """Everything about one task, all of its variants together."""
    board, benches = standings.board, standings.board.tasks[task]
    scored = [one for one in board.scored if one.task == task]
    first, benches = (scored or benches)[0], scored
    models = [m for m in board.models if any(m in bench.cells for bench in benches)]
    columns = standings.of_task(task)
    matrices = {bench.column("choice"): confusions(bench, models) for bench in benches}
    tables = [
        titled_by_variant(table, bench)
        for bench in benches
        if (table := class_table(matrices[bench.column("choice")])) is not None
    ]
    charts = [
        *difference_chart(f"{slug(task)}-forest", columns, models, _model_and_metric),
        *variant_charts(benches, models),
        *(
            titled_by_variant(chart, bench)
            for bench in benches
            for chart in class_charts(bench, matrices[bench.column("choice")], models)
        ),
        *matrix_charts([(b, matrices[b.column("choice")]) for b in benches], models),
        *(c for b in benches for c in _criteria(b, models)),
    ]
    return TaskView(
        id=slug(task),
        name=task,
        slug=slug(task),
        version=first.newest.record.task_version,
        description=description(first, sources),
        tags=columns[0].column.tags if columns else (),
        facts=tuple(facts(first, sources)),
        prompt=tuple(prompts(first, sources)),
        rubrics=tuple(rubrics(first, sources)),
        readme=readme(first, sources),
        columns=tuple(one.column for one in columns),
        rows=standings.rows(columns),
        charts=tuple(charts),
        tables=tuple(tables),
        examples=tuple(one for b in benches for one in examples.get((b.task, b.variant), ())),
        notes=_notes(benches, sources),
    )


Label = Callable[[Standing, str], str]


def difference_chart(
    name: str, columns: Sequence[Standing], models: Sequence[str], label: Label
) -> list[Chart]:
    """A forest of differences to the baselines in metrics that have a range: as shares of it, since
    differences of several metrics share no other scale."""
    rows = []
    for one in columns:
        span = one.info.span
        for model in models:
            cell = one.cell(model)
            delta = cell.delta if cell is not None else None
            if delta is None or delta.kind == "mismatch" or not span or one.info.criterion:
                continue
            scale = 100 / span
            low, high = (None if end is None else end * scale for end in (delta.low, delta.high))
            words = delta.kind if delta.kind not in ("none", "few") else delta.words
            if "only in form" in delta.words:
                words = f"{words}, content not shown"
            less = "" if one.info.higher_is_better or one.info.neutral else " (lower is better)"
            text = label(one, model) + less
            rows.append(ForestRow(text, delta.value * scale, low, high, words))
    title = "Differences to the baseline, in % of the metric's range"
    return [forest(name, title, rows, RANGE)] if rows else []


def _model_and_metric(one: Standing, model: str) -> str:
    variant = short_variant(one.bench.variant)
    return f"{model}: {one.column.label}{f' [{variant}]' if variant else ''}"


def short_label(one: Standing) -> str:
    """Task and variant for a chart."""
    variant = short_variant(one.bench.variant)
    return f"{one.bench.task} [{variant}]" if variant else one.bench.task


def _criteria(bench: Bench, models: Sequence[str]) -> list[Chart]:
    """The criteria of each judge by model, as shares of their points."""
    found = []
    for judge in dict.fromkeys(info.judge for info in bench.scorers if info.judge):
        rows = []
        for info in bench.scorers:
            if info.judge != judge or not info.criterion or info.span is None:
                continue
            for model in models:
                row = bench.cells[model].metrics.get(info.name) if model in bench.cells else None
                if row is not None and row.value is not None and info.low is not None:
                    group = info.name.partition("[")[0].removeprefix(f"{judge}.")
                    values = (row.value, row.low, row.high)
                    shares = [None if v is None else (v - info.low) / info.span for v in values]
                    rows.append(BarRow(group, model, *shares))
        if rows:
            name = f"{bench.column(judge)}-criteria"
            found.append(grouped_bars(name, f"{judge}: criteria", rows, CRITERIA, models))
    return found


def _notes(benches: Sequence[Bench], sources: Sources) -> tuple[str, ...]:
    """What is to be said of the judges of the newest run."""
    notes: list[str] = []
    for bench in benches:
        cells = [c.record for c in bench.cells.values() if c.run is bench.newest.run]
        notes += judge_notes(bench.newest.run, cells, quotes=sources.texts.answers)
    return tuple(dict.fromkeys(map(sources.texts.clean, notes)))
