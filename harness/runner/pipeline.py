"""The whole run on one screen."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from harness.adapters.cache import request_key
from harness.collect.specs import TaskSpec
from harness.records import Score
from harness.results.run import Aggregate, CellResult, CompletionRow, Run, ScorerInfo
from harness.runner.generate import Answers, Memory, Progress, generate
from harness.runner.profile import profile
from harness.runner.provenance import git_state, model_infos, package_versions, spec_texts
from harness.runner.score import ScoredCell, score
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


def run(works: Sequence[Work], options: Options, progress: Progress) -> Run:
    """Ask, score and summarise all cells of `make_work`; nothing is written but the cache.

    Raises ModelError if a model cannot be loaded, Interrupted when stopped.
    """
    started = datetime.now(UTC)
    answers = generate(works, options.memory, progress)
    scored = score(works, answers.completions, options.memory.cache, options.seed)
    revision, dirty = git_state(options.project)
    return Run(
        cells=[_result(cell, answers) for cell in scored],
        started=started,
        finished=datetime.now(UTC),
        models=model_infos((work.cell.model for work in works), answers),
        specs=spec_texts(works),
        profile=profile(scored, answers),
        seeds=sorted({options.seed, *(work.cell.task.generate.seed for work in works)}),
        settings=options.settings,
        revision=revision,
        dirty=dirty,
        packages=package_versions(),
    )


def _result(scored: ScoredCell, answers: Answers) -> CellResult:
    cell, requests = scored.work.cell, scored.work.requests
    fingerprint = answers.fingerprints[cell.model.model]
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


CORPUS: dict[str, Aggregate] = {"bleu": "bleu", "chrf": "chrf", "perplexity": "perplexity"}


def task_hash(task: TaskSpec) -> str:
    """Hash of a task as it ran: settings and variant applied, whoever answered."""
    return hashlib.sha256(task.model_dump_json().encode()).hexdigest()


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
