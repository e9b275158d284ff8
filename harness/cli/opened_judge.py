"""A judge with its models, opened for a command that asks it outside of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from harness.adapters.cache import Cache, CachedAdapter
from harness.adapters.registry import open_adapter
from harness.cli.bench import make_judges, models_named
from harness.cli.progress import make_progress
from harness.cli.session import cache_path
from harness.collect.appoint import appoint_named
from harness.collect.library import Project
from harness.collect.specs import ModelSpec
from harness.errors import Interrupted
from harness.judges.budget import Budget, BudgetedAdapter
from harness.judges.calibrate import binding, panel_fingerprint
from harness.judges.judge import ItemVerdict, Judge
from harness.judges.prices import PriceTable
from harness.runner.verdicts import label

if TYPE_CHECKING:
    from harness.results.render import Format

Result = TypeVar("Result")
OpenAdapter = Callable[[ModelSpec], CachedAdapter]
Told = Callable[[ItemVerdict], object]


@dataclass(frozen=True)
class Asking:
    """How the judge is asked, as it was typed."""

    judge_model: str
    fresh: bool
    max_cost: float | None
    cache: Path | None
    allow_code: bool
    form: Format


@dataclass
class OpenedJudge:
    """A judge, the project it is asked in, and its adapters as they are needed."""

    project: Project
    judge: Judge
    memory: Cache
    budget: Budget
    prices: PriceTable
    asking: Asking
    adapters: dict[str, CachedAdapter] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The judge's, as its columns are headed: an embedding judge says that it is one."""
        return label(self.judge.spec, self.judge.models)

    def adapter(self, model: ModelSpec) -> CachedAdapter:
        """A model's adapter, kept within the budget, with the cache around it."""
        if model.model not in self.adapters:
            bare = open_adapter([model], allow_code=self.asking.allow_code)
            inner, fresh = BudgetedAdapter(bare, self.budget, self.prices), self.asking.fresh
            self.adapters[model.model] = CachedAdapter(inner, self.memory, fresh=fresh)
        return self.adapters[model.model]

    def binding(self) -> str:
        """What a calibration or a self-test of this judge is kept under."""
        prints = [self.adapter(model).fingerprint(model) for model in self.judge.models]
        return binding(self.judge.spec, self.judge.template_hash, panel_fingerprint(prints))

    def said(self, items: int, ask: Callable[[OpenAdapter, Told], Result]) -> Result:
        """What ``ask`` comes to when it is given adapters; shows how it goes.

        Raises ModelError if a model cannot be asked, Interrupted on Ctrl-C.
        """
        spec = self.judge.spec
        total = items * spec.repeats * len(self.judge.models) * (2 if spec.pairwise else 1)
        progress = make_progress()
        try:
            done = ask(self.adapter, lambda one: progress.judged(spec.judge, one.verdict, total))
            progress.judges_done([])
        except KeyboardInterrupt:
            raise Interrupted(
                "interrupted: all replies are kept; run the same command again to go on"
            ) from None
        finally:
            progress.close()
        return done


@contextmanager
def opened(name: str, asking: Asking) -> Iterator[OpenedJudge]:
    """The judge of that name in the present project, by its own models or those of --judge-model.

    Raises SelectionError, SpecError or CollectError for mistakes in its files, ModelError for a
    model without a price where there is a limit of costs.
    """
    project = Project.here()
    chosen = appoint_named([name], project, models_named(asking.judge_model, project))
    judge = make_judges(chosen, project)[name]
    prices, budget = PriceTable.of(project.root), Budget(asking.max_cost)
    budget.check(judge.models, prices)
    memory = Cache(asking.cache or cache_path(project.root))
    found = OpenedJudge(project, judge, memory, budget, prices, asking)
    try:
        yield found
    finally:
        for adapter in found.adapters.values():
            adapter.close()
        memory.close()
