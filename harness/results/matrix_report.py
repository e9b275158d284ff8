"""Matrices of models as tables to read and records to compute with."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_uppercase

from harness.results.compare_report import (
    INTERVAL,
    WIDEST,
    comparison_record,
    p_value,
)
from harness.results.matrix import Matrix
from harness.results.preferences import LEGEND, Preference, preference_record, preference_tables
from harness.results.render import (
    Record,
    Report,
    Table,
    columns_left,
    interval,
    number,
    wrap_name,
)

SHORTEST_NAME = 12


def matrix_report(
    matrices: Sequence[Matrix],
    notes: Sequence[str],
    columns: int = WIDEST,
    preferred: Sequence[Preference] = (),
) -> Report:
    """A table for each task and metric: every model's mean, and its difference from each other
    one; then what judges of pairs ``preferred``."""
    tables: list[Table] = []
    papers: list[Table] = []
    last: list[str] = []
    for matrix in matrices:
        lead = [
            f"{letter}  {side.model}  ({side.run.run_id})"
            for letter, side in zip(ascii_uppercase, matrix.sides, strict=False)
        ]
        lead, last = ([] if lead == last else lead), lead
        tables.append(_table(matrix, lead, min(columns, WIDEST)))
        papers.append(_paper(matrix, lead))
    said = preference_tables(preferred)
    tables, papers = [*tables, *said], [*papers, *said]
    footnotes = [*(_legend(matrices) if matrices else []), *([LEGEND] if preferred else []), *notes]
    if not tables:
        footnotes.append("no metric has a value on all sides: there is nothing to compare")
    records: dict[str, list[Record]] = {
        "comparisons": [comparison_record(row) for one in matrices for row in one.pairs.values()],
        "models": [_model(one, i) for one in matrices for i in range(len(one.sides))],
        "tests": [_test(one) for one in matrices],
    }
    if preferred:
        records["preferences"] = [preference_record(row) for row in preferred]
    return Report(tables, records, footnotes, papers)


def _table(matrix: Matrix, lead: Sequence[str], columns: int) -> Table:
    letters = ascii_uppercase[: len(matrix.sides)]
    headers = ("model", "mean", *letters, "stands")
    numbers = [_cells(matrix, i) for i in range(len(letters))]
    space = columns_left([["", *cells] for cells in numbers], headers, 0, columns)
    names = [
        wrap_name(f"{letter}  {side.model}", max(space, SHORTEST_NAME))
        for letter, side in zip(letters, matrix.sides, strict=True)
    ]
    rows = [[name, *cells] for name, cells in zip(names, numbers, strict=True)]
    return Table(_title(matrix), headers, rows, "lr" + "r" * len(letters) + "l", lead=lead)


def _paper(matrix: Matrix, lead: Sequence[str]) -> Table:
    """One number a cell; p of each pair is in csv and json."""
    rows = []
    for i, (letter, side) in enumerate(zip(ascii_uppercase, matrix.sides, strict=False)):
        mean, *others, _ = _cells(matrix, i)
        value = mean.replace("\n", " ").removesuffix(" -")
        rows.append([f"{letter}  {side.model}", value, *(one.split("\n")[0] for one in others)])
    letters = ascii_uppercase[: len(matrix.sides)]
    headers = ("model", "mean", *letters)
    return Table(_title(matrix), headers, rows, "l" + "r" * (len(letters) + 1), lead=lead)


def _title(matrix: Matrix) -> str:
    task = f"{matrix.task} [{matrix.variant}]" if matrix.variant else matrix.task
    info = matrix.info
    said = [f"n={matrix.n}" + (f", {matrix.left_out} left out" if matrix.left_out else "")]
    if info.neutral or not info.higher_is_better:
        said.append("no better side" if info.neutral else "lower is better")
    if info.judge:
        said.append(f"kappa {number(info.kappa)}")
    return f"{task}: {info.name} ({'; '.join(said)})\n{_alike(matrix)}"


def _alike(matrix: Matrix) -> str:
    found = matrix.omnibus
    if found is None:
        return "all alike? nothing can be said of these samples"
    return f"all alike? {p_value(matrix.omnibus_holm)} ({found.method})"


def _cells(matrix: Matrix, i: int) -> list[str]:
    """All but the first column of model i."""
    mine = matrix.estimates[i]
    others = range(len(matrix.sides))
    return [
        f"{number(mine.value)}\n{interval(mine.interval)}",
        *(_against(matrix, i, j) if i != j else "" for j in others),
        _stands(matrix, i),
    ]


def _against(matrix: Matrix, i: int, j: int) -> str:
    """Model i less model j."""
    pair = matrix.pairs[min(i, j), max(i, j)]
    if not pair.n:
        return "-"
    value = pair.difference.value if i > j else 0.0 - pair.difference.value
    mark = "*" if matrix.shown(i, j) else ""
    return f"{number(value, sign=True)}{mark}\n{p_value(pair.p_holm)[1:].lstrip('=')}"


def _stands(matrix: Matrix, i: int) -> str:
    others = [j for j in range(len(matrix.sides)) if j != i]
    above = "".join(ascii_uppercase[j] for j in others if matrix.shown(i, j) > 0)
    below = "".join(ascii_uppercase[j] for j in others if matrix.shown(i, j) < 0)
    lines = [f"{sign} {letters}" for sign, letters in ((">", above), ("<", below)) if letters]
    return "\n".join(lines)


def _legend(matrices: Sequence[Matrix]) -> list[str]:
    """What the numbers mean; only what these tables need."""
    notes = [
        "mean: over the n samples of which all models have a score. " + INTERVAL,
        "A, B, ...: the row's model less the column's; below it p of the pair, two-sided, after "
        "Holm's correction for all pairs of the table. *: p < 0.05, and the interval of the "
        "difference excludes 0.",
        "stands: the models it is surely better (>) or worse (<) than"
        + (", or has surely more or less of" if any(x.info.neutral for x in matrices) else "")
        + ".",
        "all alike?: p of one test that no model differs from any other"
        + (f", after Holm's correction for {len(matrices)} tests" if len(matrices) > 1 else "")
        + ". csv and json have the interval, effect size and MDE of every pair.",
    ]
    if any(one.left_out for one in matrices):
        failed = [f"{one.task} ({_failed(one)})" for one in matrices if one.left_out]
        notes.append(
            f"left out, because one side has no score: {'; '.join(dict.fromkeys(failed))}."
        )
    if any(one.info.judge for one in matrices):
        notes.append("kappa: the judge's agreement with people; - if nobody has measured it.")
    return notes


def _failed(matrix: Matrix) -> str:
    pairs = zip(ascii_uppercase, matrix.estimates, strict=False)
    said = ", ".join(f"{one.failed} in {letter}" for letter, one in pairs)
    return f"failed {said}"


def _model(matrix: Matrix, i: int) -> Record:
    side, mine = matrix.sides[i], matrix.estimates[i]
    others = [(j, f"{one.run.run_id}:{one.model}") for j, one in enumerate(matrix.sides) if j != i]
    return {
        **_where(matrix),
        "run": side.run.run_id,
        "model": side.model,
        "value": mine.value,
        "low": mine.interval.low,
        "high": mine.interval.high,
        "method": mine.interval.method,
        "control": mine.control,
        "failed": mine.failed,
        "better_than": [name for j, name in others if matrix.shown(i, j) > 0],
        "worse_than": [name for j, name in others if matrix.shown(i, j) < 0],
    }


def _test(matrix: Matrix) -> Record:
    found = matrix.omnibus
    return {
        **_where(matrix),
        "models": len(matrix.sides),
        "statistic": found.statistic if found else None,
        "df": found.df[0] if found else None,
        "df_within": found.df[1] if found and len(found.df) > 1 else None,
        "p": found.p if found else None,
        "p_holm": matrix.omnibus_holm if found else None,
        "method": found.method if found else "too few samples",
    }


def _where(matrix: Matrix) -> Record:
    info = matrix.info
    return {
        "task": matrix.task,
        "variant": matrix.variant,
        "metric": info.name,
        "n": matrix.n,
        "left_out": matrix.left_out,
        "higher_is_better": None if info.neutral else info.higher_is_better,
    }
