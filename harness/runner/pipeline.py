"""The whole run on one screen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from harness.adapters.keys import request_key
from harness.collect.plan import settled
from harness.collect.specs import TaskSpec
from harness.judges.budget import Budget
from harness.records import Completion, Score
from harness.results.run import Aggregate, CellResult, CompletionRow, Run, ScorerInfo
from harness.runner.cases import Case, cases_of
from harness.runner.generate import Answers, Memory, card_text, generate
from harness.runner.judging import Judging, RunProgress
from harness.runner.profile import judge_profile, profile
from harness.runner.provenance import (
    agreement,
    git_state,
    judge_texts,
    model_infos,
    models_of,
    package_versions,
    spec_texts,
)
from harness.runner.score import ScoredCell, score
from harness.runner.verdicts import Columns, columns
from harness.runner.work import Work
from harness.scorers.base import Scorer
from harness.tasks.dataset import data_hash


@dataclass(frozen=True)
class Options:
    """What the command line adds to the cells."""

    memory: Memory
    project: Path
    seed: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)
    """The command's own words, for the manifest."""
    budget: Budget = field(default_factory=lambda: Budget(None))
    """What judges may cost."""
    started: datetime | None = None
    """When the run began, if that has been told already; else it begins with `run`."""


def run(works: Sequence[Work], options: Options, progress: RunProgress) -> Run:
    """Ask, judge, score and summarise all cells of `make_work`; nothing is written but the cache.

    Raises ModelError if a model cannot be loaded, Interrupted when stopped.
    """
    started = options.started or datetime.now(UTC)
    cases = cases_of(works)
    judging = Judging(cases, options.memory, options.budget)
    try:
        answers = generate(works, options.memory, _Overheard(progress, judging))
        scored = score(works, answers.completions, options.memory.cache, options.seed)
        judging.finish(progress)
    finally:
        judging.close()
    cells = [_result(cell, answers) for cell in scored]
    judged = add_verdicts(cells, cases, judging, options.project)
    revision, dirty = git_state(options.project)
    judges = judging.judges.values()
    return Run(
        cells=judged,
        started=started,
        finished=datetime.now(UTC),
        models=model_infos(
            [*(work.cell.model for work in works), *models_of(judges)],
            {**answers.fingerprints, **judging.fingerprints},
        ),
        specs=spec_texts(works, judges),
        profile=[*profile(scored, answers), *judge_profile(judged)],
        seeds=sorted({options.seed, *(work.cell.task.generate.seed for work in works)}),
        settings=options.settings,
        revision=revision,
        dirty=dirty,
        packages=package_versions(),
    )


class _Overheard:
    """Progress of the models whose answers the judges hear as well."""

    def __init__(self, progress: RunProgress, judging: Judging) -> None:
        self._progress, self._judging = progress, judging

    def start(self, model: str, total: int) -> None:
        """As the progress's."""
        self._progress.start(model, total)

    def advance(self, batch: Sequence[Completion], cached: bool) -> None:
        """As the progress's; raises what has ended a judge, rather than to go on for nothing."""
        self._progress.advance(batch, cached)
        self._judging.offer(batch)
        self._judging.listen(self._progress)

    def finish(self, notes: Sequence[str]) -> None:
        """As the progress's."""
        self._progress.finish(notes)


def add_verdicts(
    cells: Sequence[CellResult], cases: Sequence[Case], judging: Judging, project: Path
) -> list[CellResult]:
    """The cells with what the judges said of them.

    What the same judge said before, in a run that is judged again, is replaced.
    """
    known = agreement(judging.judges.values(), judging.fingerprints, project)
    by_cell = {case.cell: case for case in cases}
    found = []
    for cell in cells:
        case = by_cell.get(cell.cell_id)
        if case is None:
            found.append(cell)
            continue
        done = [row.completion for row in cell.completions]
        found.append(with_columns(cell, columns(case, done, judging.verdicts, known)))
    return found


def judged_again(stored: Run, judging: Judging) -> Run:
    """A stored run, judged anew, with who judged it and how long that took."""
    judges = list(judging.judges.values())
    models = model_infos(models_of(judges), judging.fingerprints)
    texts = judge_texts(judges)
    stages = {f"judge {name}" for name in judging.judges}
    kept = [row for row in stored.profile if row.stage not in stages]
    new = [row for row in judge_profile(stored.cells) if row.stage in stages]
    return replace(
        stored,
        finished=datetime.now(UTC),
        models=list({one.model: one for one in [*stored.models, *models]}.values()),
        specs=list({(one.kind, one.name): one for one in [*stored.specs, *texts]}.values()),
        profile=[*kept, *new],
    )


def with_columns(cell: CellResult, new: Columns) -> CellResult:
    """A cell with the columns of its judges behind its own."""
    judges = {info.judge for info in new.scorers}
    kept = [info for info in cell.scorers if info.judge not in judges]
    return replace(
        cell,
        scorers=[*kept, *new.scorers],
        scores={**{info.name: cell.scores[info.name] for info in kept}, **new.scores},
        verdicts=[*(v for v in cell.verdicts if v.verdict.judge not in judges), *new.verdicts],
    )


def _result(scored: ScoredCell, answers: Answers) -> CellResult:
    cell, requests = scored.work.cell, scored.work.requests
    fingerprint = answers.cards[card_text(cell.model)]
    rows = [
        CompletionRow(
            sample=sample.id,
            epoch=request.epoch,
            completion=done,
            key=request_key(fingerprint, request),
            cached=request.id in answers.cached,
            prompt=answers.prompts.get(request.id),
            continuations=request.continuations,
        )
        for sample, request, done in zip(scored.samples, requests, scored.completions, strict=True)
    ]
    return CellResult(
        cell_id=cell.id,
        cell_hash=cell.hash,
        task=cell.task.task,
        task_hash=task_hash(cell.task),
        task_version=cell.task.version,
        model=cell.model.model,
        variant=",".join(f"{key}={value}" for key, value in cell.variant),
        samples=scored.work.samples,
        completions=rows,
        scores=scored.scores,
        scorers=[_info(scorer, scored.scores[scorer.name]) for scorer in scored.scorers],
        split=cell.task.data.split,
        data_hash=data_hash(scored.work.samples),
    )


CORPUS: dict[str, Aggregate] = {
    "bleu": "bleu",
    "chrf": "chrf",
    "perplexity": "perplexity",
    "circular": "circular",
}


def task_hash(task: TaskSpec) -> str:
    """Hash of a task as it ran: settings and variant applied, whoever answered."""
    text = json.dumps(settled(task), ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _info(scorer: Scorer, scores: Sequence[Score]) -> ScorerInfo:
    return ScorerInfo(
        name=scorer.name,
        version=scorer.version,
        higher_is_better=scorer.higher_is_better,
        aggregate=CORPUS.get(scorer.name.partition("[")[0], "mean"),
        overlap=any(score.control is not None for score in scores),
        kind=scorer.scale.kind,
        low=scorer.scale.low,
        high=scorer.scale.high,
        neutral=scorer.scale.neutral,
    )
