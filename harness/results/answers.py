"""Answers of a run, one by one: which to look at, and how they are shown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import StoreError, shown
from harness.records import LETTERS, Sample, Score
from harness.results.manifest import CellRecord
from harness.results.render import Record, Table, Value, number, quoted, shorten, visible
from harness.results.run import ScorerInfo
from harness.results.store import RunReader

NOT_KEPT = "(not kept)"
"""In place of an answer's text, in a baseline."""


@dataclass(frozen=True, slots=True)
class Answered:
    """One completion as it is listed: the sample, what was answered, how it was scored."""

    sample: Sample
    epoch: int
    text: str
    error: str | None
    score: Score
    wrote: bool = True
    """Whether it was asked to write, and not only to weigh given texts."""
    prompt: str | None = None
    """What the model read, if that was asked for and anything was sent."""
    continuations: tuple[str, ...] = ()
    truncated: str = ""


def answers(
    run: RunReader,
    cell: CellRecord,
    info: ScorerInfo,
    *,
    prompts: bool = False,
    whole: bool = False,
) -> list[Answered]:
    """The completions of a cell with their scores by one scorer, in the order of the run.

    ``whole`` also reads what only some ask for: the samples' source rows and clusters, and the
    details of the scores.
    Raises StoreError if ``prompts`` are asked for and the run, or a baseline, was stored without
    them.
    """
    samples = _samples(run, cell, whole=whole)
    columns = ["sample", "epoch", "text", "error", "finish_reason", "truncated"]
    baseline = run.manifest.baseline
    if prompts:
        if baseline is not None:
            raise StoreError(f"{shown(run.path)} is a baseline, which keeps no prompts")
        if not run.has_column("completions", "prompt"):
            what = "keeps no prompts, an earlier version wrote it: run it again to see them"
            raise StoreError(f"run {run.run_id} {what}")
        columns += ["prompt", "continuations"]
    done = run.table("completions", columns, {"cell": cell.cell}).to_pylist()
    names = ["sample", "epoch", "value", "status", "answer", "explanation", *["detail"] * whole]
    scores = run.table("scores", names, {"cell": cell.cell, "scorer": info.name}).to_pylist()
    if baseline is not None and not baseline.answers:
        done = [{**row, "text": NOT_KEPT} for row in done]
    by_key = {(row["sample"], row["epoch"]): row for row in scores}
    return [_answered(row, samples, by_key[row["sample"], row["epoch"]]) for row in done]


def _answered(
    row: Mapping[str, Any], samples: Mapping[str, Sample], raw: Mapping[str, Any]
) -> Answered:
    return Answered(
        sample=samples[row["sample"]],
        epoch=row["epoch"],
        text=row["text"],
        error=row["error"],
        score=Score(
            raw["value"],
            raw["status"],
            raw["answer"],
            detail=tuple(raw.get("detail") or ()),
            explanation=raw["explanation"],
        ),
        wrote=row["error"] is None and row["finish_reason"] != "scored",
        prompt=row.get("prompt"),
        continuations=tuple(row.get("continuations") or ()),
        truncated=row["truncated"],
    )


def _samples(run: RunReader, cell: CellRecord, *, whole: bool) -> dict[str, Sample]:
    where = {"task": cell.task, "variant": cell.variant}
    columns = ["sample", "input", "target", "choices", *["cluster", "row"] * whole]
    return {
        row["sample"]: Sample(
            row["sample"],
            row["input"],
            row["target"],
            tuple(row["choices"]),
            cluster=row.get("cluster"),
            row=json.loads(row["row"]) if row.get("row") else {},
        )
        for row in run.table("samples", columns, where).to_pylist()
    }


def pick_worst(rows: Sequence[Answered], info: ScorerInfo, count: int) -> list[Answered]:
    """Up to ``count`` completions without a score, then up to ``count`` with the worst.

    A perfect 1 of a yes-or-no metric is never among the worst, however few others there are.
    """
    failed = [row for row in rows if row.score.value is None]
    scored = [row for row in rows if row.score.value is not None]
    values = {row.score.value for row in scored}
    if values <= {0.0, 1.0}:
        best = 1.0 if info.higher_is_better else 0.0
        scored = [row for row in scored if row.score.value != best]
    scored.sort(key=lambda row: row.score.value or 0.0, reverse=not info.higher_is_better)
    return failed[:count] + scored[:count]


# --------------------------------------------------------------------------- listing


@dataclass(frozen=True, slots=True)
class Listing:
    """Some answers of one cell, as ``title`` says which, with their scores by one metric."""

    cell: CellRecord
    info: ScorerInfo
    rows: Sequence[Answered]
    title: str
    prompts: bool = False

    def table(self, columns: int) -> Table:
        """Texts cut to the columns of a terminal, but a prompt whole and line by line."""
        room = max(columns - 15, 20)
        names = ["sample", "input", "target", "answer", "remark"]
        cells = []
        for row in self.rows:
            remark = row.error or row.score.explanation or ""
            head = visible(_place(row)) + f"   {self.info.name} {_outcome(row)}"
            texts = [row.sample.input, target_of(row), answer_of(row), remark]
            cells.append([head, *(shorten(text.strip(" "), room) for text in texts)])
            if self.prompts:
                cells[-1] += [_prompt(row), _continuations(row)]
        names += ["prompt", "weighed"] * self.prompts
        where = f"{task_label(self.cell.task, self.cell.variant)}: {self.cell.model}"
        return Table(f"{where}, {self.title}", names, cells, "l" * len(names), True)

    def records(self) -> list[Record]:
        """The same in full."""
        return [self._record(row) for row in self.rows]

    def _record(self, row: Answered) -> Record:
        found: dict[str, Value] = {
            "cell": self.cell.cell,
            "task": self.cell.task,
            "variant": self.cell.variant,
            "model": self.cell.model,
            "metric": self.info.name,
            "sample": row.sample.id,
            "epoch": row.epoch,
            "value": row.score.value,
            "status": row.score.status,
            "input": row.sample.input,
            "target": row.sample.target,
            "text": row.text,
            "answer": row.score.answer,
            "error": row.error,
            "explanation": row.score.explanation,
        }
        if self.prompts:
            more: dict[str, Value] = {"prompt": row.prompt, "continuations": row.continuations}
            found |= {**more, "truncated": row.truncated}
        return found


def task_label(task: str, variant: str) -> str:
    """A task, with its variant if it has one."""
    return f"{task} [{variant}]" if variant else task


def _prompt(row: Answered) -> str:
    """The lines of the prompt; where nothing can be seen, why."""
    if row.prompt is None:
        return "(nothing was sent)"
    cut = f"(cut at its {row.truncated} end to fit the model)" if row.truncated else ""
    return "\n".join(filter(None, [quoted(row.prompt) or "(empty)", cut]))


def _continuations(row: Answered) -> str:
    """What the model had to weigh behind the prompt, with the spaces in front."""
    return "\n".join(f"'{visible(one)}'" for one in row.continuations)


def _place(row: Answered) -> str:
    return f"{row.sample.id} (epoch {row.epoch})" if row.epoch else row.sample.id


def _outcome(row: Answered) -> str:
    return row.score.status if row.score.value is None else number(row.score.value)


def target_of(row: Answered) -> str:
    """The reference, with the words of the choice that its letter stands for."""
    return _spelled(row.sample, row.sample.target.strip().upper()) or row.sample.target


def answer_of(row: Answered) -> str:
    """The text, or the choice that a scored choice stands for."""
    if row.text.strip(" "):
        return row.text
    answer = row.score.answer or ""
    return _spelled(row.sample, answer) or answer or ("(empty)" if row.wrote else "")


def _spelled(sample: Sample, letter: str) -> str:
    """ "B: the choice's words", if the letter is one of the choices'."""
    at = LETTERS.find(letter) if len(letter) == 1 else -1
    return f"{letter}: {sample.choices[at]}" if 0 <= at < len(sample.choices) else ""
