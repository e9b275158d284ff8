"""The tables of the reference studies, filled from one's own runs and from what was reported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.leaderboard.reference import ReferenceRow
from harness.leaderboard.report.evidence import Entry, Evidence
from harness.leaderboard.report.master import (
    delta_cell,
    delta_notes,
    entry_cell,
    judge_words,
    value_notes,
)
from harness.leaderboard.report.paper import DAGGER, PaperCell, PaperTable, Row, percent_text
from harness.leaderboard.report.studies import Column, Study
from harness.results.answers import task_label
from harness.results.compare import Comparison
from harness.results.render import Record

RowKey = tuple[str, tuple[str, ...]]
"""A model, and the settings of its variant that no column names."""


@dataclass(frozen=True)
class Filled:
    """A study's table with the entries that fill it: row -> place of the column -> entry."""

    study: Study
    evidence: Evidence
    rows: Mapping[RowKey, Mapping[int, Entry]]

    @property
    def entries(self) -> list[Entry]:
        """All entries, row by row."""
        return [one for row in self.rows.values() for one in row.values()]


def study_table(
    study: Study, evidence: Evidence, reported: Sequence[ReferenceRow]
) -> PaperTable | None:
    """The table with own rows and, in a block above, the reported ones; None if nothing of one's
    own fills any cell."""
    filled = Filled(study, evidence, _own(study, evidence))
    if not filled.rows:
        return None
    theirs = _reported_rows(study, reported)
    own = [_own_row(filled, key) for key in filled.rows]
    status = {at for at, column in enumerate(study.columns) if column.show == "status"}
    letters = ["l" if at in status else "r" for at in range(len(study.columns))]
    return PaperTable(
        name=study.name,
        caption=study.caption,
        columns=("model", "n", *(column.header for column in study.columns)),
        align="lr" + "".join(letters),
        groups=[group for group in (theirs, own) if group],
        records=[*_reported_records(study, reported), *_own_records(filled)],
        notes=_notes(filled),
    )


# --------------------------------------------------------------------------- own runs


def settings(variant: str) -> tuple[str, ...]:
    """The settings of a variant: "fps=1,frames=8" has two."""
    return tuple(part for part in variant.split(",") if part)


def _own(study: Study, evidence: Evidence) -> dict[RowKey, dict[int, Entry]]:
    found: dict[RowKey, dict[int, Entry]] = {}
    for entry in evidence.entries:
        for at, column in enumerate(study.columns):
            if not _fills(column, entry):
                continue
            rest = tuple(
                one for one in settings(entry.cell.variant) if one not in settings(column.variant)
            )
            row = found.setdefault((entry.cell.model, rest), {})
            old = row.get(at)
            # a column names its tasks in the order in which they are wanted
            if old is None or _rank(column, entry) < _rank(column, old):
                row[at] = entry
    order = {name: at for at, name in enumerate(evidence.models)}
    return dict(sorted(found.items(), key=lambda one: order[one[0][0]]))


def _fills(column: Column, entry: Entry) -> bool:
    if entry.cell.task not in column.tasks or entry.row.value is None:
        return False
    if not set(settings(column.variant)) <= set(settings(entry.cell.variant)):
        return False
    return entry.base_name == column.metric if column.metric else entry.primary


def _rank(column: Column, entry: Entry) -> int:
    return column.tasks.index(entry.cell.task)


def _own_row(filled: Filled, key: RowKey) -> Row:
    row = filled.rows[key]
    sizes = sorted({one.row.n for one in row.values()})
    n = f"{sizes[0]}\u2013{sizes[-1]}" if len(sizes) > 1 else str(sizes[0])
    cells = [
        _own_cell(filled, row.get(at), column) for at, column in enumerate(filled.study.columns)
    ]
    return (PaperCell(task_label(key[0], ",".join(key[1]))), PaperCell(n), *cells)


def _own_cell(filled: Filled, entry: Entry | None, column: Column) -> PaperCell:
    if entry is None:
        return PaperCell("-")
    found = filled.evidence.delta(entry)
    if column.show == "value":
        return entry_cell(filled.evidence, entry, column.times)
    if found is None:
        return PaperCell("-")
    if column.show == "delta":
        return delta_cell(found, column.times)
    if column.show == "status":
        return PaperCell(status_words(found))
    return PaperCell(percent_text(retention(found)))


def status_words(found: Comparison) -> str:
    """A verdict as a lab would say it: regression, improvement, or what it is in place of them."""
    words = {"better": "improvement", "worse": "regression"}
    word, comma, rest = found.verdict.partition(",")
    star = " *" if found.claimed and not found.holds else ""
    return words.get(word, word) + comma + rest + star


def retention(found: Comparison) -> float | None:
    """The model's value as a share of its baseline's; None where the baseline has none, or 0."""
    before, after = found.before.value, found.after.value
    return None if not before or after is None else after / before


def _own_records(filled: Filled) -> list[Record]:
    records: list[Record] = []
    for (model, rest), row in filled.rows.items():
        for at, column in enumerate(filled.study.columns):
            entry = row.get(at)
            if entry is None:
                continue
            found = filled.evidence.delta(entry)
            kept = retention(found) if found and column.show == "retention" else None
            records.append(
                {
                    "source": "measured here",
                    "model": model,
                    "settings": ",".join(rest),
                    "column": column.header,
                    "task": entry.cell.task,
                    "variant": entry.cell.variant,
                    "metric": entry.info.name,
                    **_numbers(column, entry, found),
                    "retention_percent": None if kept is None else 100 * kept,
                    "n": entry.row.n,
                    "n_error": entry.row.n_error,
                    "note": "",
                }
            )
    return records


def _numbers(
    column: Column, entry: Entry, found: Comparison | None
) -> dict[str, float | str | None]:
    """What the column shows, in its unit."""
    row, times = entry.row, column.times
    value, low, high = row.value, row.low, row.high
    if column.show == "delta":
        d = found.difference if found and found.n else None
        value, low, high = (d.value, d.low, d.high) if d else (None, None, None)
    scaled = [None if one is None else one * times for one in (value, low, high)]
    verdict = found.verdict if found else None
    return {"value": scaled[0], "low": scaled[1], "high": scaled[2], "verdict": verdict}


def _notes(filled: Filled) -> list[str]:
    shows = {column.show for column in filled.study.columns}
    notes = value_notes(filled.evidence, filled.entries)
    if shows & {"delta", "status"}:
        notes += delta_notes(filled.evidence, filled.entries)
    notes += judge_words(filled.entries)
    if any(one.n_error for one in (entry.row for entry in filled.entries)):
        notes.append("Samples that failed stand in no value; the master table counts them.")
    return [*notes, *filled.study.notes]


# --------------------------------------------------------------------------- reported


def matching(study: Study, column: Column, rows: Iterable[ReferenceRow]) -> dict[str, ReferenceRow]:
    """The reported numbers of a column, by the model that they are of."""
    metric = column.reported or column.metric
    wanted = f"{metric}.delta" if column.show == "delta" else metric
    return {
        row.model: row
        for row in rows
        if row.table == study.name
        and row.task in column.tasks
        and row.metric == wanted
        and row.variant == column.variant
        and column.show != "status"
    }


def as_reported(value: float, *, sign: bool = False) -> str:
    """A number in no more digits than its authors gave it."""
    return f"{value:+g}" if sign else f"{value:g}"


def _reported_rows(study: Study, rows: Sequence[ReferenceRow]) -> list[Row]:
    found = [matching(study, column, rows) for column in study.columns]
    models = dict.fromkeys(row.model for row in rows if row.table == study.name)
    return [_reported_row(model, found, study.columns) for model in models]


def _reported_row(
    model: str, found: Sequence[Mapping[str, ReferenceRow]], columns: Sequence[Column]
) -> Row:
    own = [of_column.get(model) for of_column in found]
    sizes = {row.n for row in own if row is not None and row.n is not None}
    cells = [
        PaperCell(as_reported(row.value, sign=column.show == "delta"), "reported")
        if row
        else PaperCell("-")
        for row, column in zip(own, columns, strict=True)
    ]
    n = PaperCell(str(max(sizes)), "reported") if sizes else PaperCell("-")
    return (PaperCell(f"{model} {DAGGER}", "reported"), n, *cells)


def _reported_records(study: Study, rows: Sequence[ReferenceRow]) -> list[Record]:
    records: list[Record] = []
    for column in study.columns:
        for model, row in matching(study, column, rows).items():
            records.append(
                {
                    "source": "reported",
                    "model": model,
                    "settings": "",
                    "column": column.header,
                    "task": row.task,
                    "variant": row.variant,
                    "metric": row.metric,
                    "value": row.value,
                    "low": None,
                    "high": None,
                    "verdict": None,
                    "retention_percent": row.value if column.show == "retention" else None,
                    "n": row.n,
                    "n_error": None,
                    "note": row.note,
                }
            )
    return records
