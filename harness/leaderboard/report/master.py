"""The tables that every report has: all models on all tasks, and every metric there is.

A task stands in the master table with the first metric of its ``score`` list that has a better
side (``harness.leaderboard.report.evidence``). Failed samples stand in no value and in every count.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from harness.leaderboard.report.evidence import Entry, Evidence, bare
from harness.leaderboard.report.paper import (
    PaperCell,
    PaperTable,
    Row,
    listed,
    plural,
    value_cell,
)
from harness.results.answers import task_label
from harness.results.compare import Comparison
from harness.results.compare_report import comparison_record, p_value
from harness.results.preferences import preference_record
from harness.results.render import Record, number
from harness.results.within import verdict_words

MODELS_ABREAST = 5
INTERVAL = "[low, high]: 95 % interval."
ALL_ALIKE = "No interval: every sample has the same value, or there is only one."
BOLD = "Bold: shown to be better than the second best on the same samples."
STAR = "*: said of this comparison alone; it does not survive the correction (p is not < 0.05)."
NOT_SHOWN = (
    "content not shown: nearer to the references, but not surely more than to references of other "
    "samples; it may have learned the form."
)
DELTA = (
    "Difference: mean over the same samples, against the baseline; better and worse are said only "
    "where the interval excludes 0 and p < 0.05, no difference shown otherwise."
)


COMPARED = ("difference", "p", "verdict")


def master_table(evidence: Evidence) -> PaperTable:
    """All models x all tasks by what stands for each task."""
    columns = ("task", "model", "value", "n", "failed", *COMPARED)
    groups = [_group(evidence, group) for group in by_place(evidence.primary)]
    table = PaperTable(
        name="master",
        headed=True,
        caption="All models on all tasks, by the first metric of each task",
        columns=columns,
        align="llrrrrrl",
        groups=groups,
        records=[entry_record(evidence, one) for one in evidence.primary],
        notes=[
            *value_notes(evidence, evidence.primary),
            *delta_notes(evidence, evidence.primary),
            *judge_words(evidence.primary),
        ],
    )
    return table if evidence.deltas else _uncompared(table)


def metrics_table(evidence: Evidence) -> PaperTable:
    """Every metric of every cell but the criteria of judges; CSV has those, too."""
    entries = [one for one in evidence.entries if not one.info.criterion and not one.info.opponent]
    columns = ("task", "model", "metric", "value", "n", "failed", *COMPARED)
    groups = []
    for group in by_place(entries):
        rows = [
            (row[0], row[1], PaperCell(metric_label(one)), *row[2:])
            for one, row in zip(group, _group(evidence, group, whole=True), strict=True)
        ]
        groups.append(rows)
    table = PaperTable(
        name="metrics",
        headed=True,
        caption="Every metric of every model",
        columns=columns,
        align="lllrrrrrl",
        groups=groups,
        records=[entry_record(evidence, one) for one in evidence.entries],
        notes=[
            *value_notes(evidence, entries),
            *delta_notes(evidence, entries),
            *judge_words(entries),
        ],
    )
    return table if evidence.deltas else _uncompared(table)


def _uncompared(table: PaperTable) -> PaperTable:
    """The table without the columns of a baseline, where no model has one."""
    size = len(table.columns) - len(COMPARED)
    groups = [[row[:size] for row in group] for group in table.groups]
    return replace(table, columns=table.columns[:size], align=table.align[:size], groups=groups)


def overview_tables(evidence: Evidence) -> list[PaperTable]:
    """Tasks down, models across, a few at a time."""
    names = evidence.models
    found = []
    for at in range(0, len(names), MODELS_ABREAST):
        some = names[at : at + MODELS_ABREAST]
        name = "overview" if at == 0 else f"overview-{at // MODELS_ABREAST + 1}"
        found.append(_overview(evidence, name, some))
    return found


def preference_table(evidence: Evidence) -> PaperTable | None:
    """What judges of pairs prefer; None if none was asked."""
    if not evidence.preferred:
        return None
    rows = []
    for one in evidence.preferred:
        words = [task_label(one.task, one.variant), one.b.model, one.a.model, bare(one.judge)]
        counts = [one.wins, one.duels.tie, one.losses, one.duels.n_error]
        p = p_value(one.p)[1:].lstrip("=")
        rows.append(tuple(PaperCell(text) for text in [*words, *map(str, counts), p]))
    return PaperTable(
        name="preferences",
        caption="Which of two models a judge of pairs prefers",
        columns=("task", "model", "against", "judge", "wins", "ties", "losses", "failed", "p"),
        align="llllrrrrr",
        groups=[rows],
        records=[preference_record(one) for one in evidence.preferred],
        notes=[
            "Each pair was asked in both orders; one that turns with the order is a tie.",
            "p: exact sign test without ties, not corrected for other comparisons.",
        ],
    )


# --------------------------------------------------------------------------- rows


def by_place(entries: Iterable[Entry]) -> list[list[Entry]]:
    """The entries of each task and variant together."""
    groups: dict[tuple[str, str], list[Entry]] = {}
    for one in entries:
        groups.setdefault(one.key[:2], []).append(one)
    return list(groups.values())


def metric_label(entry: Entry) -> str:
    """The metric as tables name it, with its direction where it is not the usual one."""
    if entry.info.neutral:
        return f"{entry.base_name} (no better side)"
    return entry.base_name if entry.info.higher_is_better else f"{entry.base_name} (lower: better)"


def entry_cell(evidence: Evidence, entry: Entry, times: float = 1.0) -> PaperCell:
    """Value and interval, bold if it is shown to be the best."""
    row = entry.row
    style = "best" if evidence.is_best(entry) else ""
    return value_cell(row.value, (row.low, row.high), style, times=times)  # type: ignore[arg-type]


def delta_cell(found: Comparison | None, times: float = 1.0) -> PaperCell:
    """The difference to the baseline with its interval."""
    if found is None or not found.n:
        return PaperCell("" if found is None else "-")
    ends = (found.difference.low, found.difference.high)
    return value_cell(found.difference.value, ends, times=times, sign=True)


def p_text(found: Comparison | None) -> str:
    """0.012 or <0.001, after Holm."""
    return "" if found is None or not found.n else p_value(found.p_holm)[1:].lstrip("=")


def delta_notes(evidence: Evidence, entries: Sequence[Entry]) -> list[str]:
    """What differences, p and verdicts mean, as far as they occur."""
    found = [(one, evidence.delta(one)) for one in entries]
    rows = [row for _, row in found if row is not None]
    if not rows:
        return []
    firsts = {entry.primary for entry, row in found if row is not None}
    words = {True: "first metrics of tasks", False: "all other metrics and criteria"}
    sizes = dict(zip((True, False), evidence.families, strict=True))
    told = [
        f"the {plural(sizes[w], 'comparison')} of {words[w]}" for w in (True, False) if w in firsts
    ]
    notes = [f"{DELTA} p: two-sided, after Holm's correction for {listed(told)}."]
    if len(told) > 1:
        notes[-1] = notes[-1].replace(" and the ", " and, apart from these, for the ")
    notes += [STAR] * any(one.claimed and not one.holds for one in rows)
    notes += [NOT_SHOWN] * any("content" in one.verdict for one in rows)
    return notes


def value_notes(evidence: Evidence, entries: Sequence[Entry]) -> list[str]:
    """What values and intervals mean, as far as they occur."""
    rows = [one.row for one in entries if one.row.value is not None]
    notes = [INTERVAL] * any(row.low is not None for row in rows)
    notes += [ALL_ALIKE] * any(row.low is None for row in rows)
    return notes + [BOLD] * any(evidence.is_best(one) for one in entries)


def judge_words(entries: Iterable[Entry]) -> list[str]:
    """Who stands behind the names of judges, and how far people agree with them; a line each."""
    notes: dict[str, str] = {}
    for info in (one.info for one in entries):
        if not info.judge or (info.criterion and info.judge in notes):
            continue
        odd = ", which is no language model" if "not an LLM" in info.name else ""
        by = f"{info.judge}: judged by {info.judged_by or 'an unknown model'}{odd}"
        known = "not measured" if info.kappa is None else number(info.kappa)
        notes[info.judge] = f"{by}; agreement with people (kappa): {known}."
    return list(notes.values())


def _group(evidence: Evidence, group: Sequence[Entry], *, whole: bool = False) -> list[Row]:
    """The rows of a task; its name, and in a whole table each model's, stands there once."""
    rows: list[Row] = []
    last = ""
    for entry in group:
        found = evidence.delta(entry)
        task = task_label(*entry.key[:2])
        where = task if whole else f"{task}: {metric_label(entry)}"
        model = entry.cell.model
        cells = [
            PaperCell("" if rows else where),
            PaperCell("" if whole and model == last else model),
            entry_cell(evidence, entry),
            PaperCell(str(entry.row.n)),
            PaperCell(str(entry.row.n_error + entry.row.n_skipped)),
            delta_cell(found),
            PaperCell(p_text(found)),
            PaperCell(verdict_words(found)),
        ]
        rows.append(tuple(cells))
        last = model
    return rows


def _overview(evidence: Evidence, name: str, models: Sequence[str]) -> PaperTable:
    by_key = {(*one.key[:2], one.cell.model): one for one in evidence.primary}
    rows: list[Row] = []
    for group in by_place(evidence.primary):
        task, variant = group[0].key[:2]
        found = [by_key.get((task, variant, model)) for model in models]
        cells = [entry_cell(evidence, one) if one else PaperCell("-") for one in found]
        rows.append(
            (PaperCell(task_label(task, variant)), PaperCell(metric_label(group[0])), *cells)
        )
    chosen = [one for one in evidence.primary if one.cell.model in models]
    return PaperTable(
        name=name,
        caption="Models side by side" if name == "overview" else "Models side by side, continued",
        columns=("task", "metric", *models),
        align="ll" + "r" * len(models),
        groups=[rows],
        records=[entry_record(evidence, one) for one in chosen],
        notes=value_notes(evidence, chosen),
    )


def entry_record(evidence: Evidence, entry: Entry) -> Record:
    """Everything that is known of one metric of one model, unrounded."""
    row, found = entry.row, evidence.delta(entry)
    compared = {} if found is None else comparison_record(found)
    wanted = ("model_a", "difference", "difference_low", "difference_high", "p", "p_holm", "mde")
    counts = ("wins", "ties", "losses", "verdict", "holds_after_holm")
    return {
        "task": row.task,
        "variant": row.variant,
        "model": row.model,
        "metric": entry.info.name,
        "primary": entry.primary,
        "value": row.value,
        "low": row.low,
        "high": row.high,
        "method": row.method,
        "n": row.n,
        "n_error": row.n_error,
        "n_skipped": row.n_skipped,
        "n_truncated": row.n_truncated,
        "n_judge_error": row.n_judge_error,
        "control": row.control,
        "higher_is_better": None if entry.info.neutral else entry.info.higher_is_better,
        "best_shown": evidence.is_best(entry),
        "run": entry.side.run.run_id,
        "judge": entry.info.judge,
        "kappa": entry.info.kappa,
        **{("baseline" if key == "model_a" else key): compared.get(key) for key in wanted},
        **{key: compared.get(key) for key in counts},
    }
