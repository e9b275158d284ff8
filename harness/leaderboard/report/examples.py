"""The best and the worst answers of every task, in full; what models wrote is only ever text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.leaderboard.report.choosing import Chosen
from harness.leaderboard.report.evidence import Evidence, bare, primary_metric
from harness.leaderboard.report.markdown import escaped, fenced
from harness.leaderboard.report.paper import PaperTable, Row, plain, plural
from harness.leaderboard.report.studies import ErrorStudy
from harness.records import LETTERS, Verdict
from harness.results.answers import (
    Answered,
    answer_of,
    answers,
    pick_worst,
    target_of,
    task_label,
)
from harness.results.arrays import make_array, rows_of
from harness.results.judged import order_flag
from harness.results.render import Record, number, shorten
from harness.results.restore import verdict_row
from harness.results.run import ScorerInfo

EACH = 2
LONGEST = 2000  # characters of a text
LONGEST_CELL = 90  # columns of a text in a table
Said = Mapping[tuple[str, int], Sequence[Verdict]]
"""(sample, epoch) -> the first word of every judge."""


@dataclass(frozen=True)
class Examples:
    """Some answers of one cell, scored by the metric that stands for the task."""

    chosen: Chosen
    info: ScorerInfo
    best: Sequence[Answered]
    worst: Sequence[Answered]
    said: Said


def examples(evidence: Evidence, each: int = EACH) -> list[Examples]:
    """The best and worst answers of every cell."""
    return [found for one in evidence.cells if (found := _of_cell(one, each)) is not None]


def _of_cell(chosen: Chosen, each: int) -> Examples | None:
    first = primary_metric(chosen.cell)
    info = next((one for one in chosen.cell.scorers if one.name == first), None)
    if info is None:
        return None
    rows = answers(chosen.side.run, chosen.cell, info)
    best, worst = _ends(rows, info, each)
    wanted = {(row.sample.id, row.epoch) for row in (*best, *worst)}
    return Examples(chosen, info, best, worst, _verdicts(chosen, wanted))


def _ends(
    rows: Sequence[Answered], info: ScorerInfo, each: int
) -> tuple[list[Answered], list[Answered]]:
    """The best and the worst; no answer is both, and none is best where all are alike."""
    worst = pick_worst(rows, info, each)
    scored = [row for row in rows if row.score.value is not None]
    scored.sort(key=lambda row: row.score.value or 0.0, reverse=info.higher_is_better)
    values = {row.score.value for row in scored}
    taken = {(row.sample.id, row.epoch) for row in worst}
    best = [row for row in scored if (row.sample.id, row.epoch) not in taken]
    return (best[:each] if len(values) > 1 or not worst else []), worst


def _verdicts(chosen: Chosen, wanted: set[tuple[str, int]]) -> dict[tuple[str, int], list[Verdict]]:
    """The first word of each judge on the wanted answers."""
    if not any(info.judge for info in chosen.cell.scorers):
        return {}
    import pyarrow.compute as pc

    table = chosen.side.run.table("verdicts", where={"cell": chosen.cell.cell})
    names = make_array(sorted({sample for sample, _ in wanted}), "string")
    found: dict[tuple[str, int], list[Verdict]] = {}
    for raw in rows_of(table.filter(pc.is_in(table.column("sample"), value_set=names))):
        row = verdict_row(raw)
        said, about = row.verdict, (row.sample, row.epoch)
        if about in wanted and said.repeat == 0 and order_flag("ba") not in said.flags:
            found.setdefault(about, []).append(said)
    return found


# --------------------------------------------------------------------------- as Markdown


def examples_text(found: Sequence[Examples]) -> str:
    """A chapter for each task, a section for each model."""
    lines = [
        "# Examples",
        "",
        "The best and the worst answers of each model, by the first metric of each task. They show "
        "what scores look like; they prove nothing, and the extremes of a few samples are chance "
        "as much as skill. Longer texts are cut.",
    ]
    last = None
    for one in found:
        place = one.chosen.place
        if place != last:
            lines += ["", f"## {escaped(task_label(*place))}"]
        last = place
        lines += ["", f"### {escaped(one.chosen.cell.model)}"]
        for title, rows in (("Best", one.best), ("Worst", one.worst)):
            for row in rows:
                lines += ["", *_example(one, title, row)]
    return "\n".join(lines) + "\n"


def _example(one: Examples, title: str, row: Answered) -> Iterator[str]:
    value = row.score.status if row.score.value is None else number(row.score.value)
    epoch = f", epoch {row.epoch}" if row.epoch else ""
    yield f"**{title}: {escaped(row.sample.id)}{epoch}**, {escaped(bare(one.info.name))} {value}"
    texts = [("Input", row.sample.input), ("Reference", target_of(row))]
    if row.sample.choices:
        named = zip(LETTERS, row.sample.choices, strict=False)
        texts.insert(1, ("Choices", "\n".join(f"{letter}: {text}" for letter, text in named)))
    texts.append(("Answer", answer_of(row) if row.error is None else ""))
    for name, text in texts:
        if text:
            yield from ("", f"{name}:", "", fenced(_cut(text)))
    if row.error is not None:
        yield from ("", "Failed:", "", fenced(_cut(row.error)))
    for said in one.said.get((row.sample.id, row.epoch), ()):
        yield from ("", _judge_line(said), "", fenced(_cut(said.reasoning or said.error or "-")))


def _judge_line(said: Verdict) -> str:
    if said.status != "ok":
        return f"{escaped(said.judge)} ({escaped(said.model)}) gave no verdict:"
    parts = ", ".join(f"{escaped(name)} {value:g}" for name, value in said.criteria.items())
    total = number(said.total)
    return f"{escaped(said.judge)} ({escaped(said.model)}): {total}" + (
        f" ({parts}):" if parts else ":"
    )


def _cut(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}\n... ({plural(len(text), 'character')} in all)"


# --------------------------------------------------------------------------- as a table


def error_table(study: ErrorStudy, found: Sequence[Examples]) -> PaperTable | None:
    """The worst answers of a study's tasks: question, truth, prediction, verdict, score."""
    rows: list[Row] = []
    records: list[Record] = []
    for one in found:
        if one.chosen.cell.task in study.tasks:
            for row in one.worst:
                records.append(_error_record(one, row))
                rows.append(_error_row(records[-1]))
    if not rows:
        return None
    return PaperTable(
        name=study.name,
        caption=study.caption,
        columns=("model", "question", "truth", "prediction", "verdict", "score"),
        align="lppplr",
        groups=[rows],
        records=records,
        notes=["The worst answers of each model by the first metric of the task, not a fair draw."],
    )


def _error_record(one: Examples, row: Answered) -> Record:
    said = one.said.get((row.sample.id, row.epoch), ())
    told = next((verdict for verdict in said if verdict.status == "ok"), None)
    match = told.criteria.get("match") if told else None
    right = row.score.value if match is None else match
    word = "failed" if right is None else "yes" if right >= 1 else "no"
    return {
        "task": one.chosen.cell.task,
        "variant": one.chosen.cell.variant,
        "model": one.chosen.cell.model,
        "sample": row.sample.id,
        "question": row.sample.input,
        "truth": target_of(row),
        "prediction": row.error or answer_of(row),
        "verdict": word,
        "score": row.score.value if told is None else told.total,
    }


def _error_row(record: Record) -> Row:
    texts = [
        shorten(str(record[name]), LONGEST_CELL) for name in ("question", "truth", "prediction")
    ]
    score = record["score"]
    shown = number(score) if isinstance(score, float) else "-"
    model = task_label(str(record["model"]), str(record["variant"]))
    return plain(model, *texts, str(record["verdict"]), shown)
