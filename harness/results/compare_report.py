"""Comparisons as tables to read and records to compute with."""

from __future__ import annotations

from collections.abc import Sequence

from harness.results.compare import Comparison, Estimate
from harness.results.differences import Difference
from harness.results.render import Record, Report, Table, interval, number, wrap_name

COLUMNS = ("metric", "A", "B", "B - A", "content", "W/T/L", "verdict")
WRAPPED = {  # so that the table fits 100 columns
    "better in format only": "better in\nformat only",
    "no difference shown": "no difference\nshown",
    "no difference seen": "no difference\nseen",
}


def comparison_report(rows: Sequence[Comparison], notes: Sequence[str]) -> Report:
    """A table for each task and pair of models, footnotes that say what the numbers mean."""
    groups: dict[tuple[str, ...], list[Comparison]] = {}
    for row in rows:
        groups.setdefault((row.a.name, row.b.name, row.task, row.variant), []).append(row)
    tables: list[Table] = []
    last: list[str] = []
    for group in groups.values():
        sides = _sides(group[0])
        tables.append(_table(group, [] if sides == last else sides))
        last = sides
    footnotes = [*_legend(rows), *notes]
    return Report(tables, {"comparisons": [_record(row) for row in rows]}, footnotes)


def _sides(row: Comparison) -> list[str]:
    return [f"{side}  {x.model}  ({x.run.run_id})" for side, x in (("A", row.a), ("B", row.b))]


def _table(rows: Sequence[Comparison], lead: Sequence[str]) -> Table:
    task = f"{rows[0].task} [{rows[0].variant}]" if rows[0].variant else rows[0].task
    return Table(task, COLUMNS, [_cells(row) for row in rows], "lrrrrrl", lead=lead)


def _cells(row: Comparison) -> list[str]:
    count = f"n={row.n}" + (f", {row.left_out} left out" if row.left_out else "")
    arrow = "" if row.higher_is_better else " (lower is better)"
    words = WRAPPED.get(row.verdict, row.verdict) + ("" if row.holds else " *")
    return [
        f"{wrap_name(row.metric, 22)}\n{count}{_indented(arrow)}",
        _estimate(row.before),
        _estimate(row.after),
        _difference(row.difference),
        _difference(row.content) if row.content else "",
        f"{row.wins}/{row.difference.ties}/{row.losses}",
        words,
    ]


def _indented(words: str) -> str:
    return f"\n{words.strip()}" if words else ""


def _estimate(found: Estimate) -> str:
    lines = [number(found.value), interval(found.interval)]
    if found.control is not None:
        lines.append(f"control {number(found.control)}")
    return "\n".join(lines)


def _difference(found: Difference) -> str:
    return f"{number(found.value, sign=True)}\n{interval(found.interval)}"


def _legend(rows: Sequence[Comparison]) -> list[str]:
    """What the numbers mean; only what these tables need."""
    notes = [
        "[low, high]: 95 % interval; of many such intervals from other samples of the same kind, "
        "95 % hold the true value.",
        "B - A: mean difference over the same n samples, each answered by both; "
        "W/T/L: pairs in which B is better, equal, worse. "
        "'better' and 'worse': the interval excludes 0 and p < 0.05.",
    ]
    if any(row.content for row in rows):
        notes.append(
            "control: the same answers scored against other samples' references; "
            "content: B - A of what lies above the control."
        )
    if any(row.content and row.difference.method.startswith("paired") for row in rows):
        notes.append("Of corpus metrics (bleu, chrf), control and content are means over samples.")
    if any(row.left_out for row in rows):
        failed = [f"{row.task} {_failed(row)}" for row in rows if row.left_out]
        notes.append(
            f"left out, because one side has no score: {'; '.join(dict.fromkeys(failed))}."
        )
    if len(rows) > 1:
        notes.append(
            f"{len(rows)} comparisons at once: each verdict stands for itself; * marks those that "
            "do not survive Holm's correction for all of them (p_holm in csv and json)."
        )
    return notes


def _failed(row: Comparison) -> str:
    return f"({row.before.failed} failed in A, {row.after.failed} in B)"


def _record(row: Comparison) -> Record:
    d, content = row.difference, row.content
    return {
        "task": row.task,
        "variant": row.variant,
        "metric": row.metric,
        "run_a": row.a.run.run_id,
        "model_a": row.a.model,
        "run_b": row.b.run.run_id,
        "model_b": row.b.model,
        "n": row.n,
        "left_out": row.left_out,
        "failed_a": row.before.failed,
        "failed_b": row.after.failed,
        "higher_is_better": row.higher_is_better,
        **_estimate_record("a", row.before),
        **_estimate_record("b", row.after),
        "difference": d.value,
        "difference_low": d.low,
        "difference_high": d.high,
        "method": d.method,
        "p": d.p,
        "p_holm": row.p_holm,
        "content": content.value if content else None,
        "content_low": content.low if content else None,
        "content_high": content.high if content else None,
        "wins": row.wins,
        "ties": d.ties,
        "losses": row.losses,
        "verdict": row.verdict,
        "holds_after_holm": row.holds,
    }


def _estimate_record(side: str, found: Estimate) -> Record:
    return {
        side: found.value,
        f"{side}_low": found.interval.low,
        f"{side}_high": found.interval.high,
        f"{side}_method": found.interval.method,
        f"{side}_control": found.control,
    }
