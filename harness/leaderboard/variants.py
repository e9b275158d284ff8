"""Settings of a task that were varied: curves over one, heat maps over two."""

from __future__ import annotations

from collections.abc import Sequence

from harness.leaderboard.charts import Axes, Chart, CurveRow, HeatRow, curve, heat_map
from harness.leaderboard.gather import Bench
from harness.results.run import MetricRow
from harness.results.variants import Settings, settings_of


def variant_charts(benches: Sequence[Bench], models: Sequence[str]) -> list[Chart]:
    """Charts of a task's first metric over the settings that have numbers for values.

    One such setting makes a curve; two a heat map for each model; of more, the first two. Benches
    that differ in anything else from the first are left out of that picture.
    """
    varied = _varied(benches)
    if not varied or not benches[0].primary:
        return []
    metric, task = benches[0].primary, benches[0].task
    base = settings_of(benches[0].variant)
    wanted = varied[:2]
    shown = [bench for bench in benches if _same_but(settings_of(bench.variant), base, wanted)]
    if len(wanted) == 1 or len({settings_of(b.variant)[wanted[1]] for b in shown}) < 2:
        return [_curve(task, metric, wanted[0], shown, models)]
    return [
        chart
        for model in models
        if (chart := _heat_map(task, metric, (wanted[0], wanted[1]), shown, model)) is not None
    ]


def _curve(
    task: str, metric: str, setting: str, benches: Sequence[Bench], models: Sequence[str]
) -> Chart:
    rows = [
        CurveRow(model, float(settings_of(bench.variant)[setting]), row.value, row.low, row.high)
        for bench in benches
        for model in models
        if (row := _row(bench, model, metric)) is not None
    ]
    name = f"{benches[0].column(metric)}-over-{_plain(setting)}"
    return curve(name, f"{metric} over {setting}", rows, Axes(setting, metric), models)


def _heat_map(
    task: str, metric: str, settings: tuple[str, str], benches: Sequence[Bench], model: str
) -> Chart | None:
    rows = [
        HeatRow(float(own[settings[0]]), float(own[settings[1]]), row.value)
        for bench in benches
        if (row := _row(bench, model, metric)) is not None
        and (own := settings_of(bench.variant)) is not None
    ]
    if not rows:
        return None
    from harness.leaderboard.names import slug

    name = f"{benches[0].column(metric)}-map-{slug(model)}"
    title = f"{model}: {metric} over {settings[0]} and {settings[1]}"
    return heat_map(name, title, rows, Axes(*settings, metric))


def _varied(benches: Sequence[Bench]) -> list[str]:
    """Settings that have several values, all of them numbers."""
    values: dict[str, set[str]] = {}
    for bench in benches:
        for name, value in settings_of(bench.variant).items():
            values.setdefault(name, set()).add(value)
    return [
        name for name, found in values.items() if len(found) > 1 and all(map(_is_number, found))
    ]


def _same_but(own: Settings, base: Settings, wanted: Sequence[str]) -> bool:
    return own.keys() == base.keys() and all(
        own[name] == base[name] for name in own if name not in wanted
    )


def _row(bench: Bench, model: str, metric: str) -> MetricRow | None:
    cell = bench.cells.get(model)
    return None if cell is None else cell.metrics.get(metric)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _plain(name: str) -> str:
    from harness.leaderboard.names import slug

    return slug(name)
