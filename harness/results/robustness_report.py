"""Degraded input against clean, as tables: ``harness show RUN --robustness``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.results.answers import task_label
from harness.results.render import Record, Report, Table, interval, number, shorten
from harness.results.robustness import Ratio, Robust, robustness
from harness.results.store import RunReader
from harness.results.within import Measured, difference_record, difference_words

RULE = (
    "ratio: degraded/clean on the same samples, its interval a paired bootstrap over samples (or "
    "clusters). difference: degraded less clean, paired."
)

NO_RATIO = (
    "-: no ratio, since the clean value is 0: of nothing, no share can be left. Look at the "
    "difference there."
)


def robustness_report(run: RunReader, found: Sequence[Measured]) -> Report:
    """A table for each task, model, metric and rest of the settings, one of its classes below it.

    Records are in ``robustness``, those of classes in ``robustness_by_class``.
    """
    rows = robustness(run, found)
    groups: dict[tuple[str, ...], list[Robust]] = {}
    for row in rows:
        key = (row.clean.cell.task, row.clean.cell.model, row.settings, row.clean.info.name)
        groups.setdefault(key, []).append(row)
    tables = []
    for group in groups.values():
        tables.append(_table(group))
        if any(row.by_class for row in group):
            tables.append(_class_table(group))
    notes = ["No degraded variant here has a clean one (degrade=none) beside it."]
    if rows:
        holm = f"* behind a verdict: not after Holm's correction for {len(rows)} comparisons."
        notes = [f"{RULE} {holm}"]
        ratios = [ratio for row in rows for ratio in (row.ratio, *row.by_class.values())]
        without = any(one.value is None and one.clean is not None for one in ratios)
        notes += [NO_RATIO] * without
    records = {
        "robustness": [_record(row) for row in rows],
        "robustness_by_class": [one for row in rows for one in _class_records(row)],
    }
    return Report(tables, records, notes)


def _where(row: Robust) -> str:
    where = task_label(row.clean.cell.task, row.settings)
    return f"{where}: {row.clean.cell.model}, {row.clean.info.name}"


def _table(group: Sequence[Robust]) -> Table:
    columns = ("degrade", "clean", "degraded", "ratio", "95 % interval", "difference")
    rows = [
        [
            row.how,
            number(row.ratio.clean),
            number(row.ratio.degraded),
            *ratio_words(row.ratio),
            *difference_words(row.comparison),
            str(row.ratio.n),
        ]
        for row in group
    ]
    names = [*columns, "95 % interval", "verdict", "n"]
    return Table(f"{_where(group[0])}, degraded against clean", names, rows, "lrrrrrrlr")


def _class_table(group: Sequence[Robust]) -> Table:
    """Classes down, degradations across, ratios with their intervals."""
    labels = list(dict.fromkeys(label for row in group for label in row.by_class))
    rows = [
        [
            shorten(label, 30),
            "/".join(
                sorted({str(row.by_class[label].n) for row in group if label in row.by_class})
            ),
            *(_ratio_cell(row.by_class.get(label)) for row in group),
        ]
        for label in labels
    ]
    names = ["class", "n", *(row.how for row in group)]
    title = f"{_where(group[0])}, degraded/clean by class"
    return Table(title, names, rows, "l" + "r" * (len(names) - 1))


def ratio_words(found: Ratio) -> list[str]:
    """The ratio and its interval."""
    return [number(found.value), interval(found.interval)]


def _ratio_cell(found: Ratio | None) -> str:
    if found is None or found.value is None:
        return "-"
    around = interval(found.interval)
    return number(found.value) if around == "-" else f"{number(found.value)} {around}"


def _record(row: Robust) -> Record:
    cell = row.degraded.cell
    return {
        "task": cell.task,
        "model": cell.model,
        "settings": row.settings,
        "metric": row.clean.info.name,
        "degrade": row.how,
        **_ratio_record(row.ratio),
        **difference_record(row.comparison),
    }


def _class_records(row: Robust) -> Iterable[Record]:
    cell = row.degraded.cell
    for label, ratio in row.by_class.items():
        yield {
            "task": cell.task,
            "model": cell.model,
            "settings": row.settings,
            "metric": row.clean.info.name,
            "degrade": row.how,
            "class": label,
            **_ratio_record(ratio),
        }


def _ratio_record(found: Ratio) -> Record:
    return {
        "n": found.n,
        "clean": found.clean,
        "degraded": found.degraded,
        "ratio": found.value,
        "ratio_low": found.interval.low,
        "ratio_high": found.interval.high,
        "method": found.interval.method,
    }
