"""What a run is made of before it is stored: plain records, no tables yet.

Run -> CellResult -> CompletionRow -> harness.records.Completion
   |             `-> scores by scorer name, aligned with the completions
   `-> ModelInfo, SpecText, StageRow
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from harness.records import Completion, Sample, Score, Verdict
from harness.scorers.base import Kind

Aggregate = Literal["mean", "bleu", "chrf", "perplexity", "circular"]
JUDGE_ERROR = "judge_error: "
"""How the explanation of a score begins whose judge failed, and not the model."""


@dataclass(frozen=True, slots=True)
class ScorerInfo:
    """What must be known of a scorer to summarise and compare its scores.

    ``aggregate`` says how samples become one number: the mean of their values, or a corpus
    metric computed from the summed ``Score.detail`` (layouts: harness.results.corpus).
    ``overlap`` marks metrics that also have a control against shuffled references. ``kind``,
    ``low``, ``high`` and ``neutral`` are those of ``harness.scorers.base.Scale``; a run that does
    not say the kind is an old one, whose values must tell it.
    """

    name: str
    version: int = 1
    higher_is_better: bool = True
    aggregate: Aggregate = "mean"
    overlap: bool = False
    kind: Kind | None = None
    low: float | None = None
    high: float | None = None
    neutral: bool = False
    judge: str = ""
    """The judge whose word this is; empty for a metric, as are the following."""
    judged_by: str = ""
    """The model cards that judged, "a + b" for a panel."""
    template: str = ""
    """Hash of the judge's template and rubric."""
    same_family: bool = False
    """Whether one of those that judged shares its family with the model that answered."""
    kappa: float | None = None
    """The judge's agreement with people, if it was calibrated as it judged here."""
    kappa_n: int = 0
    """How many answers ``kappa`` was measured on."""
    opponent: str = ""
    """Of a judge of pairs, the model beside whose answers these were judged; else empty. Such a
    score says how often the opponent is beaten, and is no number of the model alone."""

    @property
    def criterion(self) -> bool:
        """Whether this is a part of a judge's total: one criterion, or a rate beside it."""
        return bool(self.judge) and self.name.partition("[")[0] != self.judge

    @property
    def span(self) -> float | None:
        """The largest difference between two values; None if there is no bound."""
        return None if self.low is None or self.high is None else self.high - self.low


@dataclass(frozen=True, slots=True)
class CompletionRow:
    """One completion, with the sample and the epoch it belongs to.

    ``key`` is the 32-byte cache key, if there is one; ``cached`` whether the answer was known
    before this run. ``prompt`` is the text that the model read (None if nothing was sent), after
    the chat template and before any truncation; ``continuations`` what it had to weigh behind it.
    """

    sample: str
    epoch: int
    completion: Completion
    key: bytes | None = None
    cached: bool = False
    prompt: str | None = None
    continuations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """One verdict, with the sample and the epoch of the completion that was judged."""

    sample: str
    epoch: int
    judge_version: int
    template_hash: str
    verdict: Verdict


@dataclass(frozen=True)
class CellResult:
    """All answers and scores of one cell (task x model x variant).

    ``variant`` is written as in the node id, "fps=6", and "" if the task has none.
    ``scores[name][i]`` is the score of ``completions[i]``; every scorer of ``scorers`` has such a
    list of the same length. ``data_hash`` stands for the task's data; without one, it is computed
    from the samples.
    """

    cell_id: str
    cell_hash: str
    task: str
    task_hash: str
    task_version: int
    model: str
    variant: str
    samples: Sequence[Sample]
    completions: Sequence[CompletionRow]
    scores: Mapping[str, Sequence[Score]]
    scorers: Sequence[ScorerInfo]
    split: str = "test"
    data_hash: str = ""
    verdicts: Sequence[VerdictRow] = ()

    def __post_init__(self) -> None:
        for info in self.scorers:
            scores, rows = len(self.scores[info.name]), len(self.completions)
            if scores != rows:
                what = f"{scores} scores of {info.name}, {rows} completions"
                raise ValueError(f"{self.cell_id}: {what}")


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Who answered. ``fingerprint`` covers weights, revision, LoRA, quantization and dtype."""

    model: str
    fingerprint: str
    adapter: str = ""
    dtype: str = ""
    device: str = ""
    baseline: str | None = None


@dataclass(frozen=True, slots=True)
class SpecText:
    """A spec file as it was read, kept so that a run can be understood without its project."""

    kind: Literal["task", "model", "judge", "recipe"]
    name: str
    path: str
    text: str


@dataclass(frozen=True, slots=True)
class StageRow:
    """Speed of one stage of one cell: milliseconds a sample, tokens and frames a second, peak
    megabytes; ``n`` answers were measured, and the model takes ``size_mb`` on disk.

    ``memory`` says what the peak is of: "CUDA", the process ("RSS"), or the process since it began
    ("RSS so far"). ``weights_mb`` is what the loaded weights take, where the adapter can tell.
    Stages are those of ``harness.results.speed``, or "judge NAME".
    """

    cell: str
    stage: str
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    tokens_per_s: float | None = None
    peak_memory_mb: float | None = None
    n: int | None = None
    mean: float | None = None
    std: float | None = None
    frames_per_s: float | None = None
    size_mb: float | None = None
    memory: str | None = None
    weights_mb: float | None = None


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One metric of one cell.

    ``n`` samples stand in ``value``; ``n_error`` and ``n_skipped`` samples do not, so that
    n + n_error + n_skipped is the number of samples. ``n_truncated`` samples lost prompt tokens
    (and may stand in any of the three); of the ``n_error`` samples, ``n_judge_error`` were answered
    and only have no valid verdict. ``low`` and ``high`` are None where the data cannot say:
    no sample, one sample, or no spread; ``method`` tells which.
    """

    cell: str
    task: str
    model: str
    variant: str
    metric: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    n_error: int
    n_skipped: int
    n_truncated: int
    control: float | None
    method: str
    higher_is_better: bool
    n_judge_error: int = 0


@dataclass(frozen=True)
class Run:
    """A finished run, ready to be stored.

    ``settings`` are the command's own words (limit, epochs, set, seed) as text.
    ``started`` and ``finished`` carry a time zone.
    """

    cells: Sequence[CellResult]
    started: datetime
    finished: datetime
    models: Sequence[ModelInfo] = ()
    specs: Sequence[SpecText] = ()
    profile: Sequence[StageRow] = ()
    seeds: Sequence[int] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    revision: str = ""
    dirty: bool = False
    packages: Mapping[str, str] = field(default_factory=dict)
