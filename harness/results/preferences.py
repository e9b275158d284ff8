"""Two models as judges of pairs prefer them: such a judge has no number of either one alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.judges.pairwise import Duel, Duels
from harness.results.aligned import clusters_of
from harness.results.differences import mcnemar_mid_p
from harness.results.judged import duels_of, pairs_of, read_judged
from harness.results.manifest import CellRecord
from harness.results.pairs import CompareOptions, Side, common_cells, wanted
from harness.results.render import Record, Table, shorten

COLUMNS = (
    "judge",
    "pairs",
    "wins",
    "ties",
    "losses",
    "p",
    "no verdict",
    "orders agree",
    "first seat",
)
LEGEND = (
    "wins, ties, losses: pairs in which a judge prefers B, neither, A, asked in both orders; "
    "p: exact sign test of B against A without ties (two-sided, mid-p; one vote a sample or group "
    "of samples; not corrected for other comparisons); "
    "'orders agree': the share in which the order made no difference (the others are ties); "
    "'first seat': the share of preferences for what stood first, 50% is fair."
)


@dataclass(frozen=True, slots=True)
class Signs:
    """How many independent ``units`` the second cell of a duel wins and loses, one vote each.

    A unit is a sample, or a group of samples where the data name groups: several judges, repeats
    and epochs ask about the same answer, and would make a p of nothing if each counted.
    """

    win: int
    loss: int
    units: str

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, Duel]], groups: Mapping[str, str | None]) -> Signs:
        """Of pairs with their samples; the majority of its pairs is a unit's vote."""
        votes: Counter[tuple[str, str]] = Counter()
        for sample, pair in pairs:
            group = groups.get(sample)
            unit = ("sample", sample) if group is None else ("group", group)
            votes[unit] += {"B": 1, "A": -1}.get(pair.winner or "", 0)
        units = "groups" if any(kind == "group" for kind, _ in votes) else "samples"
        signs = list(votes.values())
        return cls(sum(sign > 0 for sign in signs), sum(sign < 0 for sign in signs), units)


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
    signs: Signs
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

    @property
    def p(self) -> float:
        """Two-sided mid-p of the exact sign test; what tied says nothing."""
        return mcnemar_mid_p(self.signs.win, self.signs.loss)


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
    infos = [
        info
        for info in cell.scorers
        if info.opponent == base.model and wanted(info.name, options.metrics)
    ]
    if not infos:
        return []
    judged = {one.name: one for one in read_judged(run, [cell])}
    groups = clusters_of(run, cell)
    found = []
    for info in infos:
        if info.judge in judged:
            counted = duels_of(judged[info.judge], cell)
            signs = Signs.of(pairs_of(judged[info.judge], cell), groups)
            about = (cell.task, cell.variant, info.name, info.judged_by)
            found.append(Preference(*sides, *about, counted, signs, turned))
    return found


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
        tables.append(Table(title, COLUMNS, [_cells(row) for row in group], "lrrrrrrrr"))
    return tables


def _cells(row: Preference) -> list[str]:
    found = row.duels
    counts = [found.n, row.wins, found.tie, row.losses]
    shares = [found.position_consistency, found.first_slot_rate]
    words = ["-" if share is None else f"{share:.0%}" for share in shares]
    name = f"{shorten(row.judge, 40)}\njudged by {shorten(row.judged_by, 28)}"
    return [name, *map(str, counts), _p(row.p), str(found.n_error), *words]


def _p(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def preference_record(row: Preference) -> Record:
    """All of it, for programs."""
    votes = row.signs.win, row.signs.loss
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
        "p": row.p,
        "p_method": f"sign test, mid-p, {sum(votes)} {row.signs.units} without ties",
        "n_error": row.duels.n_error,
        "position_consistency": row.duels.position_consistency,
        "first_slot_rate": row.duels.first_slot_rate,
    }
