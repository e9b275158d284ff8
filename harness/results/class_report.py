"""All that answers which are classes can tell: ``harness show RUN --classes``.

One chapter a task: every class beside every model and variant, balanced numbers, confusion
matrices, the anomaly against normal, mix-ups, training samples, places of the choices; of POPE,
form errors and frame localisation their own reports.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from harness.results.answers import Answered, answers, task_label
from harness.results.class_columns import by_class_column
from harness.results.class_tables import (
    NO_CLASSES,
    class_table,
    confusion_table,
    heading,
    one_against_rest,
)
from harness.results.classes import LETTERED, classed, confusion_by, fixed
from harness.results.confusions import (
    Association,
    accuracy_of,
    against_normal,
    confused_pairs,
    recalled,
    with_training,
)
from harness.results.manifest import CellRecord
from harness.results.metric_reports import METRIC_REPORTS, metric_report
from harness.results.position_report import Lettered, places_of
from harness.results.render import Record, Report, Table, number, shorten
from harness.results.run import ScorerInfo
from harness.results.store import RunReader
from harness.results.training_counts import training_of
from harness.scorers.choice import Confusion, per_class
from harness.scorers.classes import balanced_accuracy, macro_f1

WIDE = 70
"""Letters above all columns of models together."""
MOST_PAIRS = 5
"""Mix-ups of one model and variant that are listed."""


@dataclass(frozen=True)
class Classed:
    """One metric of one cell whose answers are classes."""

    cell: CellRecord
    info: ScorerInfo
    rows: Sequence[Answered]
    table: Confusion

    @property
    def column(self) -> str:
        """Model and variant."""
        return task_label(self.cell.model, self.cell.variant)

    @property
    def lettered(self) -> bool:
        """Whether the answers are letters of choices."""
        return self.info.name.partition("[")[0] in LETTERED

    @property
    def named(self) -> bool:
        """Whether the classes have names, and are not the letters of choices that differ."""
        return not self.lettered or fixed(self.rows)

    @property
    def record(self) -> Record:
        """Where it is of."""
        cell = self.cell
        place = {"task": cell.task, "variant": cell.variant, "model": cell.model}
        return {**place, "metric": self.info.name}


@dataclass
class Pages:
    """What is told so far."""

    tables: list[Table] = field(default_factory=list)
    records: dict[str, list[Record]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, name: str, table: Table | None, records: Iterable[Record]) -> None:
        """A table, and its records under a name."""
        self.tables += [] if table is None else [table]
        self.records.setdefault(name, []).extend(records)


def class_report(
    run: RunReader, cells: Sequence[CellRecord], metrics: Sequence[str] = ()
) -> Report:
    """The report on some cells; ``metrics`` are all if there are none."""
    pages = Pages(records={name: [] for name in ("classes", "summary", "confused")})
    found = [one for cell in cells for one in _classed(run, cell, metrics)]
    groups: dict[tuple[str, str], list[Classed]] = {}
    for one in found:
        groups.setdefault((one.cell.task, one.info.name), []).append(one)
    for group in groups.values():
        _chapter(run, group, pages)
    for cell in cells:
        for info in cell.scorers:
            if info.name.partition("[")[0] in METRIC_REPORTS and _wanted(info.name, metrics):
                rows = answers(run, cell, info, whole=True)
                for name, table, records in metric_report(cell, info, rows):
                    pages.add(name, table, records)
    if not pages.tables and not pages.notes:
        pages.notes.append("No metric of this choice has classes for answers.")
    pages.notes += one_against_rest(pages.tables)
    # what has no rows is left out: CSV is the first list
    told = {name: rows for name, rows in pages.records.items() if rows} or {"classes": []}
    return Report(pages.tables, told, list(dict.fromkeys(pages.notes)))


def _wanted(name: str, metrics: Sequence[str]) -> bool:
    return not metrics or name in metrics or name.partition("[")[0] in metrics


def _classed(run: RunReader, cell: CellRecord, metrics: Sequence[str]) -> list[Classed]:
    found = []
    for info in classed(cell):
        if _wanted(info.name, metrics):
            rows = answers(run, cell, info, whole=True)
            table = confusion_by(info.name, rows)
            if table is not None:
                found.append(Classed(cell, info, rows, table))
    return found


def _chapter(run: RunReader, group: Sequence[Classed], pages: Pages) -> None:
    """One metric of one task, all models and variants."""
    if all(one.named for one in group):
        _class_tables(run, group, pages)
    else:
        _by_column(run, group, pages)
    lettered = [Lettered(one.cell, one.info, one.rows) for one in group if one.lettered]
    if lettered:
        places = places_of(run, lettered)
        pages.tables += [] if places.table is None else [places.table]
        for name, records in places.records.items():
            pages.add(name, None, records)
        pages.notes += places.notes


def _by_column(run: RunReader, group: Sequence[Classed], pages: Pages) -> None:
    """Where letters are no classes: the metric by the class that the rows name, if they do."""
    task = group[0].cell.task
    found = [(one, by_class_column(run, one.cell, one.info)) for one in group]
    labels = sorted({label for _, parts in found for label in parts})
    pages.notes.append(NO_CLASSES.format(task=task))
    if not labels:
        return
    rows = []
    for label in labels:
        parts = [parts.get(label) for _, parts in found]
        sizes = sorted({part.n for part in parts if part is not None})
        shown = [number(part.value if part else None) for part in parts]
        rows.append([shorten(label, 30), "/".join(map(str, sizes)), *shown])
    columns = ["class", "n", *_heads(group)]
    title = f"{task}, {group[0].info.name} by the class that the rows name"
    lines = [line for line in _lines(group) if line not in columns]
    if lines:
        pages.notes.append(f"{task}: {', '.join(lines)}.")
    records: list[Record] = [
        {**one.record, "class": label, "n": part.n, "value": part.value,
         "low": part.interval.low, "high": part.interval.high}
        for one, parts in found
        for label, part in sorted(parts.items())
    ]  # fmt: skip
    table = Table(title, columns, rows, "l" + "r" * (len(columns) - 1))
    pages.add("by_class", table, records)


def _class_tables(run: RunReader, group: Sequence[Classed], pages: Pages) -> None:
    """Where all cells have the same classes by name."""
    known = training_of(run, group[0].cell, group[0].info.name)
    labels = list(dict.fromkeys(label for one in group for label in one.table.labels))
    counts = {label: known.counts[label] for label in labels if label in known.counts}
    pages.notes += [known.note] * bool(known.note)
    pages.add("classes", _side_by_side(group, labels, counts), _class_records(group, counts))
    pages.add("summary", _summary(group, counts), [_summary_record(one, counts) for one in group])
    for one in group:
        where = heading(one.cell, one.info)
        pages.tables += [
            class_table(where, per_class(one.table)),
            confusion_table(where, one.table),
        ]
        two = against_normal(one.table) if one.named else None
        if two is not None:
            pages.tables.append(confusion_table(f"{where}, anomaly against normal", two))
            pages.notes.append("anomaly: every class but the one whose name begins with Normal.")
    pages.add("confused", _mixed_up(group), _mix_up_records(group))
    pages.add("confusion", None, [row for one in group for row in _matrix_records(one)])
    if counts:
        pages.notes.append(
            f"training: samples of the class in split '{known.split}' of the data as they are "
            "today; rho: Spearman's rank correlation of them with the share recognised, by class."
        )


# --------------------------------------------------------------------------- classes


def _side_by_side(group: Sequence[Classed], labels: Sequence[str], counts: dict[str, int]) -> Table:
    """The share of each class that was recognised, models and variants across."""
    columns = ["class", *["training"] * bool(counts), "n", *_heads(group)]
    rows = []
    for label in labels:
        sizes = sorted({recalled(one.table, label)[2] for one in group})
        row = [shorten(label, 30), *[str(counts.get(label, 0))] * bool(counts)]
        row.append("/".join(map(str, sizes)))
        rows.append([*row, *(number(recalled(one.table, label)[0]) for one in group)])
    title = f"{_title(group)}, share of each class recognised"
    return Table(title, columns, rows, "l" + "r" * (len(columns) - 1))


def _heads(group: Sequence[Classed]) -> list[str]:
    """Models and variants above columns; numbers of the lines of the summary, if that is too
    wide."""
    names = [one.column for one in group]
    if sum(len(name) + 2 for name in names) <= WIDE:
        return names
    return [str(at) for at in range(1, len(names) + 1)]


def _lines(group: Sequence[Classed]) -> list[str]:
    """The same as the first cells of lines."""
    heads = _heads(group)
    names = [one.column for one in group]
    return names if heads == names else [f"{at} {name}" for at, name in enumerate(names, 1)]


def _title(group: Sequence[Classed]) -> str:
    first = group[0]
    return first.cell.task if first.lettered else f"{first.cell.task}, {first.info.name}"


def _class_records(group: Sequence[Classed], counts: dict[str, int]) -> Iterable[Record]:
    for one in group:
        for report in per_class(one.table):
            value, around, n = recalled(one.table, report.label)
            yield {
                **one.record,
                "class": report.label,
                "training": counts.get(report.label, 0) if counts else None,
                "n": n,
                "recognised": value,
                "low": around.low,
                "high": around.high,
                "accuracy": report.accuracy,
                "precision": report.precision,
                "f1": report.f1,
            }


def _associated(one: Classed, counts: dict[str, int]) -> Association:
    return with_training(one.table, counts) if counts else Association(None, None, 0)


def _summary(group: Sequence[Classed], counts: dict[str, int]) -> Table:
    """Accuracy beside what counts every class the same."""
    columns = ["model", "n", "errors", "accuracy", "balanced", "macro F1"]
    normal = any(against_normal(one.table) is not None for one in group if one.named)
    columns += ["anomaly/normal", "balanced a/n"] * normal
    columns += ["rho", "classes"] * bool(counts)
    rows = []
    for one, line in zip(group, _lines(group), strict=True):
        values = _summary_record(one, counts)
        names = ["accuracy", "balanced_accuracy", "macro_f1"]
        names += ["normal_accuracy", "normal_balanced"] * normal + ["rho"] * bool(counts)
        shown = [number(v if isinstance(v := values[name], float) else None) for name in names]
        classes = [str(values["rho_classes"])] * bool(counts)
        rows.append([line, str(one.table.n), str(one.table.n_error), *shown, *classes])
    title = f"{_title(group)}, over all classes"
    return Table(title, columns, rows, "l" + "r" * (len(columns) - 1))


def _summary_record(one: Classed, counts: dict[str, int]) -> Record:
    two = against_normal(one.table) if one.named else None
    rho = _associated(one, counts)
    return {
        **one.record,
        "n": one.table.n,
        "n_error": one.table.n_error,
        "accuracy": accuracy_of(one.table),
        "balanced_accuracy": balanced_accuracy(one.table),
        "macro_f1": macro_f1(one.table),
        "normal_accuracy": None if two is None else accuracy_of(two),
        "normal_balanced": None if two is None else balanced_accuracy(two),
        "rho": rho.rho,
        "rho_p": rho.p,
        "rho_classes": rho.n,
    }


# --------------------------------------------------------------------------- confusion


def _mixed_up(group: Sequence[Classed]) -> Table:
    rows = [
        [
            one.column if at == 0 else "",
            shorten(pair.truth, 30),
            shorten(pair.answer, 30),
            str(pair.count),
            f"{100 * pair.share:.1f} %",
        ]
        for one in group
        for at, pair in enumerate(confused_pairs(one.table, MOST_PAIRS))
    ]
    columns = ("model", "truth", "answer", "count", "of the class")
    return Table(f"{_title(group)}, most confused", columns, rows, "lllrr")


def _mix_up_records(group: Sequence[Classed]) -> Iterable[Record]:
    for one in group:
        for pair in confused_pairs(one.table):
            yield {
                **one.record,
                "truth": pair.truth,
                "answer": pair.answer,
                "count": pair.count,
                "share": pair.share,
            }


def _matrix_records(one: Classed) -> Iterable[Record]:
    """The whole matrix, a row a class, for programs that draw it."""
    for label, given in zip(one.table.labels, one.table.counts, strict=True):
        for answer, count in zip((*one.table.labels, "(unreadable)"), given, strict=True):
            yield {**one.record, "truth": label, "answer": answer, "count": count}
