"""What the pages show: records that templates print as they are, already in words.

Everything that is text here may come from a model, a data file or a stranger's spec: templates
escape all of it, and scripts set it as text. Numbers stand beside their words (``value`` beside
``text``) for sorting and for charts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from harness.leaderboard.charts import Chart

DeltaKind = Literal["better", "worse", "more", "fewer", "none", "few", "mismatch"]
Outcome = Literal["PASS", "FAIL", "INCONCLUSIVE", "ERROR"]


@dataclass(frozen=True)
class Badge:
    """A mark beside a name; ``kind`` is its CSS class, ``title`` says it in a sentence."""

    text: str
    kind: Literal["lora", "quant", "baseline", "judge", "kin", "stale", "partial", "checkpoint"]
    title: str


@dataclass(frozen=True)
class Link:
    """A name and the page that tells more of it; "" if none does."""

    text: str
    href: str = ""


@dataclass(frozen=True)
class Delta:
    """A model against its baseline, in one metric: ``text`` "+0.153", ``words`` "real"."""

    value: float
    low: float | None
    high: float | None
    text: str
    words: str
    kind: DeltaKind
    title: str
    """The whole sentence: both values, interval, p, n, wins, ties, losses."""


@dataclass(frozen=True)
class CellView:
    """One metric of a model on a task.

    ``n`` samples were scored, ``failed`` were not (errors, skipped, judge errors); ``rank`` is the
    place among the models of the column, ``ranks`` its interval: 1 + the models that are surely
    better, and the models less those that are surely worse (by their intervals).
    """

    value: float | None
    low: float | None
    high: float | None
    text: str
    interval: str
    n: int
    failed: int
    truncated: int = 0
    control: str = ""
    delta: Delta | None = None
    rank: int | None = None
    ranks: tuple[int, int] | None = None
    badges: tuple[Badge, ...] = ()
    href: str = ""
    """The samples of this cell, worst first by this metric."""


@dataclass(frozen=True)
class Column:
    """A metric of a task (and a variant of it). ``id`` is stable: it stands in permalinks."""

    id: str
    task: str
    variant: str
    metric: str
    label: str
    """The metric in words, with encoder or judge."""
    task_label: str
    href: str
    higher_is_better: bool
    neutral: bool = False
    primary: bool = True
    tags: tuple[str, ...] = ()
    note: str = ""
    """What a reader must know of the metric: "embedding judge, not an LLM", kappa, ..."""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class ModelRow:
    """A line of the overview or of a task's table; ``cells`` has an entry for each column."""

    id: str
    model: Link
    badges: tuple[Badge, ...]
    baseline: Link | None
    cells: tuple[CellView | None, ...]
    tags: tuple[str, ...] = ()
    mean_rank: float | None = None
    mean_ranks: tuple[float, float] | None = None
    scored: int = 0
    """Columns with a score."""


@dataclass(frozen=True)
class TextTable:
    """Any other table: cells are text, ``align`` has a letter ("l", "r") for each column."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | Link, ...], ...]
    align: str = ""
    note: str = ""


@dataclass(frozen=True)
class Code:
    """A file or a prompt, shown as it stands in <pre>."""

    title: str
    text: str
    language: str = ""


@dataclass(frozen=True)
class Example:
    """One sample on a page that is read without scripts."""

    sample: Link
    input: str
    target: str
    answers: tuple[tuple[str, str, str], ...]
    """(model, answer or error, score in words)."""


@dataclass(frozen=True)
class TaskView:
    """A task's page."""

    id: str
    name: str
    slug: str
    version: int
    description: str
    tags: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    """(what, words): licence, data file, samples, split, output type, settings, data hash."""
    prompt: tuple[Code, ...]
    """The template, and one prompt as a model read it."""
    rubrics: tuple[Code, ...]
    readme: str
    columns: tuple[Column, ...]
    rows: tuple[ModelRow, ...]
    charts: tuple[Chart, ...]
    """Forest of differences, classes, confusion matrices, criteria, curves, heat maps."""
    tables: tuple[TextTable, ...]
    examples: tuple[Example, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelView:
    """A model's page."""

    id: str
    name: str
    slug: str
    description: str
    badges: tuple[Badge, ...]
    baseline: Link | None
    facts: tuple[tuple[str, str], ...]
    """adapter, base, revision, LoRA, quantization, dtype, device, machine, size, fingerprint."""
    card: Code | None
    recipe: Code | None
    columns: tuple[Column, ...]
    row: ModelRow
    """All metrics of all tasks, one cell a column."""
    charts: tuple[Chart, ...]
    """Forest against the baseline, training curve, latency by stage."""
    tables: tuple[TextTable, ...]
    """Profile; retention; gate rulings."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class TradePoint:
    """A model on the trade-off page: quality of one column against what it costs."""

    model: str
    column: str
    quality: float
    costs: Mapping[str, float]
    """latency_p50_ms, latency_p95_ms, peak_memory_mb, completion_tokens, size_mb, cost_usd; those
    that are known."""


@dataclass(frozen=True)
class HistoryPoint:
    """One cell of the past: a run, or a checkpoint of a training."""

    series: str
    """The model, or the training whose checkpoint it is."""
    model: str
    column: str
    run: str
    when: str
    """UTC, ISO 8601."""
    step: int | None
    value: float | None
    low: float | None
    high: float | None
    n: int
    outcome: Outcome | None
    """What the task's gate says of it."""
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Nav:
    """The site around a page."""

    title: str
    tasks: tuple[Link, ...]
    models: tuple[Link, ...]
    runs: tuple[str, ...]
    downloads: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """(run, names of its files), below data/runs/."""
    texts: bool = True
    """False if answers were left out (--no-text)."""
    version: str = ""


@dataclass(frozen=True)
class Overview:
    """The first page."""

    columns: tuple[Column, ...]
    rows: tuple[ModelRow, ...]
    sentences: tuple[str, ...]
    """The result in plain words: who is best where, and what the data cannot tell."""
    charts: tuple[Chart, ...]
    tags: tuple[str, ...]
    counts: Mapping[str, int] = field(default_factory=dict)
    """models, tasks, samples, completions, failed."""
    differences: tuple[TextTable, ...] = ()
    """To the baselines, for the page compare."""


@dataclass(frozen=True)
class TradeOff:
    """The trade-off page: points, and for each column and cost a recommendation in words."""

    columns: tuple[Column, ...]
    points: tuple[TradePoint, ...]
    costs: tuple[tuple[str, str], ...]
    """(key, label) of the costs that are known of any model."""
    recommendations: Sequence[tuple[str, str, str, str]]
    """(column label, aim, model, why)."""
    charts: tuple[Chart, ...]
    stages: tuple[Chart, ...] = ()
    """Where the time goes: a chart for each task that was timed by stage."""


@dataclass(frozen=True)
class History:
    """The history page."""

    columns: tuple[Column, ...]
    points: tuple[HistoryPoint, ...]
    charts: tuple[Chart, ...]
    table: TextTable
