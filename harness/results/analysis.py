"""What `harness show` tells of a run beside its page: along settings, under degraded input, class
by class, against declared minimums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.results.by import by_report, check_keys, merged
from harness.results.class_report import class_report
from harness.results.error_examples import example_report
from harness.results.headroom import headroom_report
from harness.results.render import Report
from harness.results.robustness_report import robustness_report
from harness.results.show import ShowOptions, select
from harness.results.store import RunReader
from harness.results.stored_judges import measured
from harness.results.variants import DEGRADE
from harness.results.within import first_metrics, measurements


@dataclass(frozen=True)
class AnalysisOptions:
    """What is wanted, of which cells and metrics.

    ``by`` has one text for each time that it was given, keys parted by commas. ``examples``
    answers that are not right, of each cell, are drawn by ``seed``.
    """

    shown: ShowOptions
    by: Sequence[str] = ()
    robustness: bool = False
    classes: bool = False
    headroom: bool = False
    examples: int = 0
    seed: int = 0

    @property
    def wanted(self) -> bool:
        """Whether anything is."""
        return bool(self.by or self.robustness or self.classes or self.headroom or self.examples)


def analyse(run: RunReader, options: AnalysisOptions) -> Report:
    """Everything that is wanted, in one report.

    Raises SelectionError for a task, model, metric or key that the run does not have.
    """
    cells = measured(run, select(run, options.shown))
    found = measurements(run, cells, options.shown.metrics)
    lists = [[key.strip() for key in text.split(",") if key.strip()] for text in options.by]
    keys = [check_keys(one, cells) for one in lists]
    reports = [by_report(run, found, one) for one in keys]
    if options.robustness or any(DEGRADE in one for one in keys):
        reports.append(robustness_report(run, found))
    if options.classes:
        reports.append(class_report(run, cells, options.shown.metrics))
    if options.examples:
        reports.append(example_report(run, first_metrics(found), options.examples, options.seed))
    if options.headroom:
        every = measurements(run, cells, options.shown.metrics, criteria=True)
        reports.append(headroom_report(run, every))
    whole = merged(reports)
    return replace(whole, notes=[*whole.notes, f"run {run.run_id}"])
