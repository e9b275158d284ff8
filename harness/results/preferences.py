"""Two models as judges of pairs prefer them: such a judge has no number of either one alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.judges.pairwise import Duels
from harness.results.judged import duels_of, read_judged
from harness.results.manifest import CellRecord
from harness.results.pairs import CompareOptions, Side, common_cells, wanted
from harness.results.render import Record, Table, shorten
from harness.results.run import ScorerInfo
from harness.results.stored_judges import stored_judges

COLUMNS = ("judge", "pairs", "wins", "ties", "losses", "no verdict", "orders agree", "first seat")
LEGEND = (
    "wins, ties, losses: pairs in which a judge prefers B, neither, A, asked in both orders; "
    "'orders agree': the share in which the order made no difference (the others are ties); "
    "'first seat': the share of preferences for what stood first, 50% is fair."
)


@dataclass(frozen=True)
class Preference:
    """What one judge of pairs said of two models; wins are B's."""

    a: Side
    b: Side
    task: str
    variant: str
    judge: str
    judged_by: str
    duels: Duels
    turned: bool
    """Whether A's answers were held against B's, so that the wins of the duels are A's."""

    @property
    def wins(self) -> int:
        """Pairs in which B is preferred."""
        return self.duels.loss if self.turned else self.duels.win

    @property
    def losses(self) -> int:
        """Pairs in which A is preferred."""
        return self.duels.win if self.turned else self.duels.loss


def preferences(sides: Sequence[tuple[Side, Side]], options: CompareOptions) -> list[Preference]:
    """What judges of pairs said of two models of one run, when one was the other's base.

    Raises as `harness.results.pairs.common_cells` does.
    """
    found = []
    for left, right in sides:
        if left.run.run_id != right.run.run_id:
            continue
        for a, b in common_cells((left, right), options):
            found += _of_cell((left, right), (a, b), options, turned=False)
            found += _of_cell((left, right), (b, a), options, turned=True)
    return found


def _of_cell(
    sides: tuple[Side, Side],
    cells: tuple[CellRecord, CellRecord],
    options: CompareOptions,
    *,
    turned: bool,
) -> list[Preference]:
    """What was said of the second cell beside the first, if that is its base."""
    base, cell = cells
    run = sides[0].run
    infos = _pairwise(sides[0], cell, options)
    if not infos or base_of(sides[0], cell) != base.model:
        return []
    judged = {one.name: one for one in read_judged(run, [cell])}
    found = []
    for info in infos:
        if info.judge in judged:
            counted = duels_of(judged[info.judge], cell)
            about = (cell.task, cell.variant, info.name, info.judged_by)
            found.append(Preference(*sides, *about, counted, turned))
    return found


def _pairwise(side: Side, cell: CellRecord, options: CompareOptions) -> list[ScorerInfo]:
    names = {spec.judge for spec in stored_judges(side.run) if spec.pairwise}
    return [i for i in cell.scorers if i.judge in names and wanted(i.name, options.metrics)]


def base_of(side: Side, cell: CellRecord) -> str:
    """The model beside whose answers a cell's were judged: the baseline of its card if the run
    has it, else the first model of the same task and variant."""
    manifest = side.run.manifest
    where = (cell.task, cell.variant)
    group = [one.model for one in manifest.cells if (one.task, one.variant) == where]
    named = {one.model: one.baseline for one in manifest.models}.get(cell.model)
    return named if named in group else group[0]


# --------------------------------------------------------------------------- as tables


def preference_tables(rows: Sequence[Preference]) -> list[Table]:
    """A table for each task and pair of models."""
    groups: dict[tuple[str, ...], list[Preference]] = {}
    for row in rows:
        groups.setdefault((row.a.name, row.b.name, row.task, row.variant), []).append(row)
    tables = []
    for group in groups.values():
        first = group[0]
        task = f"{first.task} [{first.variant}]" if first.variant else first.task
        title = f"{task}: {first.b.model} (B) beside {first.a.model} (A)"
        tables.append(Table(title, COLUMNS, [_cells(row) for row in group], "lrrrrrrr"))
    return tables


def _cells(row: Preference) -> list[str]:
    found = row.duels
    counts = [found.n, row.wins, found.tie, row.losses, found.n_error]
    shares = [found.position_consistency, found.first_slot_rate]
    words = ["-" if share is None else f"{share:.0%}" for share in shares]
    name = f"{shorten(row.judge, 40)}\njudged by {shorten(row.judged_by, 28)}"
    return [name, *map(str, counts), *words]


def preference_record(row: Preference) -> Record:
    """All of it, for programs."""
    return {
        "task": row.task,
        "variant": row.variant,
        "judge": row.judge,
        "judged_by": row.judged_by,
        "run": row.a.run.run_id,
        "model_a": row.a.model,
        "model_b": row.b.model,
        "pairs": row.duels.n,
        "wins": row.wins,
        "ties": row.duels.tie,
        "losses": row.losses,
        "n_error": row.duels.n_error,
        "position_consistency": row.duels.position_consistency,
        "first_slot_rate": row.duels.first_slot_rate,
    }
