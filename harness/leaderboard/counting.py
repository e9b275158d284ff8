"""Which of several runs of a cell counts: the rule that the site and the report share.

Of two cells of one task, variant and model the one counts that is no profile, then the one of which
anything was answered, then the one with more samples, then the newer (docs/adr/0006).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.results.manifest import CellRecord
from harness.results.store import RunReader

Weight = tuple[bool, bool, int, str, str]


def weight(run: RunReader, cell: CellRecord) -> Weight:
    """The greater of two counts."""
    age = run.manifest.started, run.run_id
    return not is_profile(run), not has_failed(cell), cell.samples, *age


def is_profile(run: RunReader) -> bool:
    """Whether a run measured speed (`harness run --profile`), on a few rows: its scores are no
    results."""
    return bool(run.manifest.settings.get("profile"))


def has_failed(cell: CellRecord) -> bool:
    """Whether all of a cell's samples failed or were skipped."""
    left_out = cell.counts.get("error", 0) + cell.counts.get("skipped", 0)
    return left_out >= cell.completions > 0


def is_less(run: RunReader, cell: CellRecord, samples: int) -> bool:
    """Whether --limit kept a cell from being asked so many samples. Fewer samples alone do not say
    so: the data may be others."""
    return bool(run.manifest.settings.get("limit")) and cell.samples < samples


def why_not_whole(cells: Sequence[tuple[RunReader, CellRecord]]) -> Mapping[int, str]:
    """Place in ``cells`` -> why a cell is not whole, of those whose task has a whole one."""
    most: dict[str, int] = {}
    for run, cell in cells:
        if _is_whole(run, cell) and not has_failed(cell):
            most[cell.task] = max(most.get(cell.task, 0), cell.samples)
    found: dict[int, str] = {}
    for at, (run, cell) in enumerate(cells):
        # a model that failed where others did not is a finding, and stays
        if cell.task in most and all(map(has_failed, run.manifest.cells)):
            found[at] = "all samples of the run failed"
        elif is_less(run, cell, most.get(cell.task, 0)):
            found[at] = f"--limit left {cell.samples} of {most[cell.task]} samples"
    return found


def _is_whole(run: RunReader, cell: CellRecord) -> bool:
    """Whether --limit, if there was one, left nothing out for sure."""
    limit = run.manifest.settings.get("limit", "")
    return not limit.isdecimal() or int(limit) > cell.samples
