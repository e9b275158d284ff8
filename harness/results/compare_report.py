"""Comparisons as tables to read and records to compute with."""

from __future__ import annotations

from collections.abc import Sequence

from harness.results.compare import Comparison, Estimate
from harness.results.differences import Difference
from harness.results.preferences import (
    LEGEND,
    Preference,
    preference_record,
    preference_tables,
)
from harness.results.render import (
    Record,
    Report,
    Table,
    columns_left,
    interval,
    number,
    wrap_name,
)
from harness.results.stats import Interval

COLUMNS = ("metric", "A", "B", "B - A", "content", "verdict W/T/L")
WIDEST = 120
SHORTEST_NAME = 14
WRAPPED = {  # so that the table fits 100 columns
    "better, content not shown": "better,\ncontent not\nshown",
    "no difference shown": "no difference\nshown",
    "no difference seen": "no difference\nseen",
}
INTERVAL = (
    "[low, high]: 95 % interval; of many such intervals from other samples of the same kind, "
    "95 % hold the true value."
)


def comparison_report(
    rows: Sequence[Comparison],
    notes: Sequence[str],
    columns: int = WIDEST,
    preferred: Sequence[Preference] = (),
) -> Report:
    """A table for each task and pair of models, footnotes that say what the numbers mean; then
    what judges of pairs ``preferred``.

    Long names of metrics are broken where the table would not fit the columns.
    """
    groups: dict[tuple[str, ...], list[Comparison]] = {}
    for row in rows:
        groups.setdefault((row.a.name, row.b.name, row.task, row.variant), []).append(row)
    tables: list[Table] = []
    papers: list[Table] = []
    last: list[str] = []
    for group in groups.values():
        sides = _sides(group[0])
        lead = [] if sides == last else sides
        tables.append(_table(group, lead, min(columns, WIDEST)))
        papers.append(_paper(group, lead))
        last = sides
    said = preference_tables(preferred)
    tables, papers = [*tables, *said], [*papers, *said]
    footnotes = [*(_legend(rows) if rows else []), *([LEGEND] if preferred else []), *notes]
    if not tables:
        footnotes.append("no metric has a value on both sides: there is nothing to compare")
    records: dict[str, list[Record]] = {"comparisons": [comparison_record(row) for row in rows]}
    pairs = {"preferences": [preference_record(row) for row in preferred]} if preferred else {}
    named = {**records, **pairs} if rows else {**pairs, **records}
    return Report(tables, named, footnotes, papers)


def _sides(row: Comparison) -> list[str]:
    return [f"{side}  {x.model}  ({x.run.run_id})" for side, x in (("A", row.a), ("B", row.b))]


def _table(rows: Sequence[Comparison], lead: Sequence[str], columns: int) -> Table:
    numbers = [_cells(row) for row in rows]
    space = max(columns_left([["", *cells] for cells in numbers], COLUMNS, 0, columns), 0)
    names = [_name(row, max(space, SHORTEST_NAME)) for row in rows]
    cells = [[name, *rest] for name, rest in zip(names, numbers, strict=True)]
    return Table(_title(rows[0]), COLUMNS, cells, "lrrrrl", lead=lead)


def _title(row: Comparison) -> str:
    return f"{row.task} [{row.variant}]" if row.variant else row.task


def _paper(rows: Sequence[Comparison], lead: Sequence[str]) -> Table:
    """What a paper shows, each in a column of its own; the rest is in csv and json."""
    kinds = {row.effect.kind for row in rows if row.effect_size is not None}
    kind = kinds.pop() if len(kinds) == 1 else ""
    found = []
    for row in rows:
        side = "" if row.neutral or row.higher_is_better else " (lower is better)"
        cells = [f"{row.metric}{side}", str(row.n)]
        cells += [_with_interval(one.value, one.interval) for one in (row.before, row.after)]
        cells.append(_signed(row.difference))
        cells.append(p_value(row.p_holm)[1:].lstrip("=") if row.n else "-")
        size = row.effect_size
        words = "-" if size is None else _two_digits(size)
        cells.append(words if kind or size is None else f"{words} ({row.effect.kind})")
        found.append(cells)
    columns = ["metric", "n", "A", "B", "B - A", "p", kind or "effect"]
    if any(row.content for row in rows):
        columns.append("content")
        for row, cells in zip(rows, found, strict=True):
            cells.append(_signed(row.content) if row.content else "-")
    return Table(_title(rows[0]), columns, found, "l" + "r" * (len(columns) - 1), lead=lead)


def _signed(found: Difference) -> str:
    return _difference(found).replace("\n", " ").removesuffix(" -")


def _with_interval(value: float | None, around: Interval) -> str:
    return f"{number(value)} {interval(around)}" if around.known else number(value)


def _name(row: Comparison, columns: int) -> str:
    lines = [wrap_name(row.metric, columns)]
    lines.append(f"n={row.n}" + (f", {row.left_out} left out" if row.left_out else ""))
    if row.n:
        lines.append(f"MDE {number(row.effect.mde)}")
    if row.judge:
        lines.append(f"kappa {number(row.kappa)}")
    if row.neutral or not row.higher_is_better:
        lines.append("(no better side)" if row.neutral else "(lower is better)")
    return "\n".join(lines)


def _cells(row: Comparison) -> list[str]:
    """All but the first column."""
    faded = row.claimed and not row.holds
    words = WRAPPED.get(row.verdict, row.verdict) + (" *" if faded else "")
    return [
        _estimate(row.before),
        _estimate(row.after),
        "\n".join([_difference(row.difference), *_tested(row)]),
        _difference(row.content) if row.content else "",
        f"{words}\n{row.wins}/{row.difference.ties}/{row.losses}",
    ]


def _tested(row: Comparison) -> list[str]:
    if not row.n:
        return []
    size = row.effect_size
    effect = [] if size is None else [f"{row.effect.kind} {_two_digits(size)}"]
    return [p_value(row.p_holm), *effect]


def _two_digits(size: float) -> str:
    return f"{size:+.2f}" if abs(size) >= 0.005 else "0.00"


def p_value(p: float) -> str:
    """p=0.012, or p<0.001: no more of it can be believed."""
    return "p<0.001" if p < 0.001 else f"p={p:.3f}" if p < 0.1 else f"p={p:.2f}"


def _estimate(found: Estimate) -> str:
    lines = [number(found.value), interval(found.interval)]
    if found.control is not None:
        lines.append(f"control {number(found.control)}")
    return "\n".join(lines)


def _difference(found: Difference) -> str:
    if not found.n:
        return "-"
    return f"{number(found.value, sign=True)}\n{interval(found.interval)}"


def _legend(rows: Sequence[Comparison]) -> list[str]:
    """What the numbers mean; only what these tables need."""
    notes = [
        INTERVAL,
        "B - A: mean difference over the same n samples, each answered by both; "
        "W/T/L: pairs in which B is better, equal, worse. "
        "'better' and 'worse': the interval excludes 0 and the p of this comparison alone is "
        "< 0.05; 'no difference shown': not both; 'no difference seen': every pair is equal; "
        "'too few': so few pairs can show nothing.",
        _p_note(len(rows)),
        *effect_notes(rows),
    ]
    if any(row.content or _controlled(row) for row in rows):
        notes.append(
            "control: the same answers scored against other samples' references; "
            "content: B - A of what lies above the control."
        )
    if any("content" in row.verdict for row in rows):
        notes.append(
            "'content not shown': the answers are closer to their references, but not surely more "
            "than to any reference (the interval of content holds 0, or its p is not < 0.05: "
            "content_p in csv and json). What was learned may be the format."
        )
    whole = [row.metric for row in rows if row.content is None and _controlled(row)]
    if whole:
        notes.append(
            f"{', '.join(dict.fromkeys(whole))}: computed from all answers together; the control "
            "is a mean over samples, which cannot be subtracted, so there is no content."
        )
    if any(row.neutral for row in rows):
        notes.append(
            "'more' and 'fewer' are real in the same sense, of metrics that have no better side; "
            "W/T/L: pairs in which B has more, as much, less."
        )
    if any(row.judge for row in rows):
        notes.append("kappa: the judge's agreement with people; - if nobody has measured it.")
    if any(row.left_out for row in rows):
        failed = [f"{row.task} {_failed(row)}" for row in rows if row.left_out]
        notes.append(
            f"left out, because one side has no score: {'; '.join(dict.fromkeys(failed))}."
        )
    if any(row.claimed and not row.holds for row in rows):
        notes.append(
            "*: each verdict stands for itself; this one does not survive the correction for all "
            "of them: the p shown is not < 0.05."
        )
    return notes


def _p_note(count: int) -> str:
    if count < 2:
        return "p: two-sided."
    return (
        f"p: two-sided, after Holm's correction for {count} comparisons at once; csv and json also "
        "have p as it is, and q_bh of Benjamini and Hochberg."
    )


def effect_notes(rows: Sequence[Comparison]) -> list[str]:
    """What d_z, h and MDE mean, if they are shown."""
    kinds = {row.effect.kind for row in rows if row.effect_size is not None}
    words = {
        "d_z": "d_z: the mean difference in standard deviations of the pairs' differences",
        "h": "h: Cohen's h, of yes/no metrics, the difference of the arcsines of the two shares",
    }
    notes = []
    if kinds:
        said = "; ".join(text for kind, text in words.items() if kind in kinds)
        notes.append(f"{said}. Above 0 B is better; 0.2 is small, 0.5 medium, 0.8 large.")
    if any(row.n for row in rows):
        notes.append(
            "MDE: a true difference of this size would be found 80 % of the time in so many pairs "
            "of such a spread; smaller ones may be there unseen. -: none would, or no pair differs."
        )
    return notes


def _controlled(row: Comparison) -> bool:
    return row.before.control is not None and row.after.control is not None


def _failed(row: Comparison) -> str:
    return f"({row.before.failed} failed in A, {row.after.failed} in B)"


def comparison_record(row: Comparison) -> Record:
    """All of it, for programs."""
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
        "higher_is_better": None if row.neutral else row.higher_is_better,
        **_estimate_record("a", row.before),
        **_estimate_record("b", row.after),
        "difference": d.value if d.n else None,
        "difference_low": d.low,
        "difference_high": d.high,
        "method": d.method,
        "p": d.p,
        "p_method": d.p_method,
        "p_holm": row.p_holm,
        "q_bh": row.q,
        "effect": row.effect_size,
        "effect_kind": row.effect.kind,
        "mde": row.effect.mde,
        "content": content.value if content else None,
        "content_low": content.low if content else None,
        "content_high": content.high if content else None,
        "content_p": content.p if content else None,
        "wins": row.wins,
        "ties": d.ties,
        "losses": row.losses,
        "verdict": row.verdict,
        "holds_after_holm": row.holds,
        "judge": row.judge,
        "kappa": row.kappa,
    }


def _estimate_record(side: str, found: Estimate) -> Record:
    return {
        side: found.value,
        f"{side}_low": found.interval.low,
        f"{side}_high": found.interval.high,
        f"{side}_method": found.interval.method,
        f"{side}_control": found.control,
    }
