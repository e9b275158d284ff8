"""Which cells of the runs of a report count, and notes on those that do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.errors import StoreError
from harness.leaderboard.counting import is_profile, weight, why_not_whole
from harness.leaderboard.report.paper import plural
from harness.results.answers import task_label
from harness.results.manifest import CellRecord
from harness.results.pairs import Side
from harness.results.stored_judges import measured


@dataclass(frozen=True)
class Chosen:
    """A cell that counts, and the run that it is of."""

    side: Side
    cell: CellRecord

    @property
    def place(self) -> tuple[str, str]:
        """Task and variant."""
        return self.cell.task, self.cell.variant


def choose(sides: Sequence[Side], *, named: bool) -> tuple[list[Chosen], list[Chosen], list[str]]:
    """The cells that count, in the order of the runs; those that tell of speed alone; and notes on
    all others.

    Profiles have no scores beside other runs. If nobody has ``named`` the runs, what is not whole
    is left out of the tasks that somebody ran whole. Raises StoreError for several versions of a
    task in runs of one model.
    """
    found = [Chosen(side, cell) for side in sides for cell in _cells(side)]
    results = [one for one in found if not is_profile(one.side.run)]
    profiles = [one for one in found if is_profile(one.side.run)] if results else []
    found = results or found
    notes = [_told(profiles, "a profile measures speed on a few rows; left out of all scores")]
    if not named:
        whys = why_not_whole([(one.side.run, one.cell) for one in found])
        for why in dict.fromkeys(whys.values()):
            own = [found[at] for at, said in whys.items() if said == why]
            notes.append(_told(own, f"left out: {why}; others ran the task whole"))
        found = [one for at, one in enumerate(found) if at not in whys]
    cells, others = _best(found)
    timed = [one for one in _best(profiles)[0] if _key(one) not in {_key(c) for c in cells}]
    best = {_key(one): one for one in cells}
    passed = [_passed_by(one, best) for one in others]
    return cells, timed, [*filter(None, notes), *passed]


def _cells(side: Side) -> list[CellRecord]:
    own = [cell for cell in side.run.manifest.cells if cell.model == side.model]
    return measured(side.run, own)


def _key(one: Chosen) -> tuple[str, str, str]:
    return one.cell.task, one.cell.variant, one.cell.model


def _best(found: Sequence[Chosen]) -> tuple[list[Chosen], list[Chosen]]:
    """One of each task, variant and model, and all others."""
    best: dict[tuple[str, str, str], Chosen] = {}
    others: list[Chosen] = []
    for one in found:
        new, old = one, best.get(_key(one))
        if old is None or weight(old.side.run, old.cell) <= weight(new.side.run, new.cell):
            best[_key(one)], new = new, old or new
        if old is not None:
            others.append(new)
    for one in others:
        kept = best[_key(one)]
        if kept.cell.task_version != one.cell.task_version:
            raise unlike(kept, one, versions(kept, one))
    return list(best.values()), others


def _told(cells: Sequence[Chosen], why: str) -> str:
    """Cells in one note; "" for none."""
    if not cells:
        return ""
    runs = dict.fromkeys(one.side.run.run_id for one in cells)
    places = dict.fromkeys(
        f"{one.cell.model} on {task_label(one.cell.task, one.cell.variant)}" for one in cells
    )
    where = f"{'run' if len(runs) == 1 else 'runs'} {', '.join(runs)}"
    return f"{', '.join(places)} ({where}): {why}"


def _passed_by(chosen: Chosen, best: Mapping[tuple[str, str, str], Chosen]) -> str:
    cell = chosen.cell
    kept = best[cell.task, cell.variant, cell.model]
    where = f"{cell.model} on {task_label(cell.task, cell.variant)}"
    more = " (the model has changed since)" if _weights(kept) != _weights(chosen) else ""
    return (
        f"{where} stands in run {chosen.side.run.run_id} as well "
        f"({plural(cell.samples, 'sample')}){more}; run {kept.side.run.run_id} counts"
    )


def _weights(chosen: Chosen) -> str:
    models = chosen.side.run.manifest.models
    return next((one.fingerprint for one in models if one.model == chosen.cell.model), "")


def versions(a: Chosen, b: Chosen) -> str:
    """Why two cells of several versions of a task are not alike."""
    return f"task versions {a.cell.task_version} and {b.cell.task_version}"


def unlike(a: Chosen, b: Chosen, why: str) -> StoreError:
    """What is raised for cells that cannot stand in one report."""
    return StoreError(
        f"{task_label(*a.place)}: {a.side.name} and {b.side.name} do not measure the same thing "
        f"({why}): name the runs that belong together"
    )
