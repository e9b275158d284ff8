"""Choice tasks whose choices are classes: what was recognised of each, and what was confused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.leaderboard.reference import ReferenceRow
from harness.leaderboard.report.choosing import Chosen
from harness.leaderboard.report.evidence import Evidence, bare
from harness.leaderboard.report.paper import (
    DAGGER,
    PaperCell,
    PaperTable,
    Row,
    percent_text,
    plain,
    slug,
    value_cell,
)
from harness.leaderboard.report.studies import CLASS_STUDIES, ClassStudy
from harness.leaderboard.report.study_tables import as_reported
from harness.results.answers import answers, task_label
from harness.results.classes import LETTERED, classed, confusion_by, fixed, needs_rows
from harness.results.confusions import accuracy_of, against_normal, confused_pairs, recalled
from harness.results.render import Record
from harness.scorers.choice import Confusion
from harness.scorers.classes import balanced_accuracy, macro_f1

SHORT_LABELS = 60
MOST_PAIRS = 5
SMALL = "Small classes say little: look at the intervals (Wilson, 95 %)."


@dataclass(frozen=True)
class Confused:
    """What one model answered in place of what, on one task and variant."""

    task: str
    variant: str
    model: str
    table: Confusion

    @property
    def name(self) -> str:
        """The model, with its variant if it has one."""
        return task_label(self.model, self.variant)


def confused(evidence: Evidence) -> list[Confused]:
    """The confusion of every model on every task whose answers are classes: one of the same choices
    for all samples, yes or no, exercises. All variants of a model together."""
    order = {name: at for at, name in enumerate(evidence.models)}
    found = []
    for chosen in sorted(evidence.cells, key=lambda one: order[one.cell.model]):
        table = _confusion(chosen)
        if table is not None:
            cell = chosen.cell
            found.append(Confused(cell.task, cell.variant, cell.model, table))
    return found


def _confusion(chosen: Chosen) -> Confusion | None:
    """By the first metric whose answers are classes with names."""
    for info in classed(chosen.cell):
        rows = answers(chosen.side.run, chosen.cell, info, whole=needs_rows(info.name))
        if bare(info.name) not in LETTERED or (rows and fixed(rows)):
            return confusion_by(info.name, rows)
    return None


def class_tables(found: Sequence[Confused], reported: Sequence[ReferenceRow]) -> list[PaperTable]:
    """For each task a table of classes, then a confusion matrix for each model."""
    tables = []
    for task in dict.fromkeys(one.task for one in found):
        own = [one for one in found if one.task == task]
        study = next((one for one in CLASS_STUDIES if one.task == task), None)
        study = study or ClassStudy(
            slug("classes", task), "", f"{task} by class, recognised in %", task
        )
        tables.append(_by_class(study, own, reported))
        tables += [_balanced(task, own), *_mixed_up(task, own)]
        tables += [_matrix(one) for one in own]
        tables += [_matrix(one) for one in map(_against_normal, own) if one is not None]
    return tables


# --------------------------------------------------------------------------- by class


def _by_class(
    study: ClassStudy, own: Sequence[Confused], reported: Sequence[ReferenceRow]
) -> PaperTable:
    theirs = [row for row in reported if row.table == study.name and row.label]
    sides = list(dict.fromkeys((row.model, row.variant) for row in theirs))
    labels = dict.fromkeys(label for one in own for label in one.table.labels)
    rows = [_class_row(label, own, theirs, sides) for label in labels]
    heads = [f"{task_label(*side)} {DAGGER}" for side in sides]
    return PaperTable(
        name=study.name,
        caption=study.caption,
        columns=("class", "n", *heads, *(one.name for one in own)),
        align="l" + "r" * (1 + len(sides) + len(own)),
        groups=[rows],
        records=[*_reported_records(theirs), *(r for one in own for r in _class_records(one))],
        notes=[SMALL, "An unreadable answer is a miss; failed samples stand in no row."],
    )


def _class_row(
    label: str,
    own: Sequence[Confused],
    theirs: Sequence[ReferenceRow],
    sides: Sequence[tuple[str, str]],
) -> Row:
    known = {(row.model, row.variant): row for row in theirs if row.label == label}
    cells = [
        PaperCell(as_reported(known[side].value), "reported") if side in known else PaperCell("-")
        for side in sides
    ]
    for one in own:
        value, low, high = recognised(one.table, label)
        cells.append(value_cell(value, (low, high), times=100))
    sizes = {recalled(one.table, label)[2] for one in own}
    return (PaperCell(label), PaperCell("/".join(map(str, sorted(sizes)))), *cells)


def recognised(table: Confusion, label: str) -> tuple[float | None, float | None, float | None]:
    """The share of a class that was recognised, with its interval (Wilson); None where the class
    has no sample."""
    value, around, n = recalled(table, label)
    return (value, around.low, around.high) if n else (None, None, None)


def _class_records(one: Confused) -> Iterator[Record]:
    for label in one.table.labels:
        value, low, high = (v if v is None else 100 * v for v in recognised(one.table, label))
        yield {
            "source": "measured here",
            "task": one.task,
            "variant": one.variant,
            "model": one.model,
            "class": label,
            "n": recalled(one.table, label)[2],
            "recognised_percent": value,
            "low": low,
            "high": high,
            "note": "",
        }


def _reported_records(rows: Sequence[ReferenceRow]) -> Iterator[Record]:
    for row in rows:
        yield {
            "source": "reported",
            "task": row.task,
            "variant": row.variant,
            "model": row.model,
            "class": row.label,
            "n": row.n,
            "recognised_percent": row.value,
            "low": None,
            "high": None,
            "note": row.note,
        }


# --------------------------------------------------------------------------- all classes together


def _balanced(task: str, own: Sequence[Confused]) -> PaperTable:
    """Accuracy beside what counts every class the same."""
    measures = (accuracy_of, balanced_accuracy, macro_f1)
    values = [tuple(measure(one.table) for measure in measures) for one in own]
    rows = [
        plain(one.name, str(one.table.n), *map(percent_text, found))
        for one, found in zip(own, values, strict=True)
    ]
    return PaperTable(
        name=slug("balanced", task),
        caption=f"{task}: accuracy beside what counts every class the same, in %",
        columns=("model", "n", "accuracy", "balanced accuracy", "macro F1"),
        align="lrrrr",
        groups=[rows],
        records=[
            {
                "task": one.task,
                "variant": one.variant,
                "model": one.model,
                "n": one.table.n,
                "n_error": one.table.n_error,
                "accuracy": found[0],
                "balanced_accuracy": found[1],
                "macro_f1": found[2],
            }
            for one, found in zip(own, values, strict=True)
        ],
        notes=[
            "Balanced accuracy: the mean share recognised of the classes. Macro F1: the mean of "
            "the classes' F1."
        ],
    )


def _mixed_up(task: str, own: Sequence[Confused]) -> Iterator[PaperTable]:
    """What was most often taken for what; nothing where all is right."""
    pairs = [(one, confused_pairs(one.table, MOST_PAIRS)) for one in own]
    groups = [
        [
            plain(
                one.name if at == 0 else "",
                pair.truth,
                pair.answer,
                str(pair.count),
                percent_text(pair.share),
            )
            for at, pair in enumerate(found)
        ]
        for one, found in pairs
        if found
    ]
    if groups:
        yield PaperTable(
            name=slug("mixed_up", task),
            caption=f"{task}: what was most often taken for what",
            columns=("model", "truth", "answer", "count", "of the class (%)"),
            align="lllrr",
            groups=groups,
            records=[
                {
                    "task": one.task,
                    "variant": one.variant,
                    "model": one.model,
                    "truth": pair.truth,
                    "answer": pair.answer,
                    "count": pair.count,
                    "share": pair.share,
                }
                for one, found in pairs
                for pair in found
            ],
            notes=[],
        )


# --------------------------------------------------------------------------- confusion


def _matrix(one: Confused) -> PaperTable:
    """Targets down, answers across; columns are numbered when there are many classes."""
    labels = one.table.labels
    short = sum(map(len, labels)) <= SHORT_LABELS
    heads = list(labels) if short else [str(at) for at in range(1, len(labels) + 1)]
    firsts = list(labels) if short else [f"{at} {name}" for at, name in enumerate(labels, 1)]
    rows = [
        plain(first, *(str(count) if count else "." for count in counts))
        for first, counts in zip(firsts, one.table.counts, strict=True)
    ]
    errors = one.table.n_error
    return PaperTable(
        name=slug("confusion", one.task, one.model, one.variant),
        caption=f"{one.task}: what {one.name} answered (across) in place of what (down)",
        series=f"{one.task}: what was answered in place of what",
        part=one.name,
        columns=("target", *heads, "unreadable"),
        align="l" + "r" * (len(labels) + 1),
        groups=[rows],
        records=list(_pairs(one)),
        notes=[f"{errors} samples failed and stand in no cell."] if errors else [],
    )


def _pairs(one: Confused) -> Iterator[Record]:
    answers_ = (*one.table.labels, "(unreadable)")
    for label, counts in zip(one.table.labels, one.table.counts, strict=True):
        for answer, count in zip(answers_, counts, strict=True):
            yield {
                "task": one.task,
                "variant": one.variant,
                "model": one.model,
                "target": label,
                "answer": answer,
                "count": count,
            }


def _against_normal(one: Confused) -> Confused | None:
    """The same with all classes but "Normal" as one; None where there is no such class."""
    table = against_normal(one.table)
    return None if table is None else Confused(f"{one.task} anomaly", one.variant, one.model, table)
