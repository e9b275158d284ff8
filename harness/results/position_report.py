"""Which letter a model prefers, where that was tested: in `harness show RUN --classes`.

A letter says something about places only where choices change places. With the same choices in the
same order for all samples a letter is a class.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.results.answers import Answered, task_label
from harness.results.manifest import CellRecord
from harness.results.positions import Position, positions
from harness.results.render import Record, Table, interval, number
from harness.results.run import ScorerInfo
from harness.results.run_settings import answered_by, task_as_run
from harness.results.store import RunReader
from harness.results.variants import settings_of, without

SHUFFLE = "shuffle_choices"
RULE = (
    "difference: chosen less right, shares of the answers paired by sample; a preference for a "
    "letter is shown where the interval excludes zero (not corrected for the number of letters)."
)
SAME = (
    "{task}: all samples have the same choices in the same order, so a letter is a class, and a "
    "preference for a place was not tested (--set shuffle_choices=1,2,3 does)."
)
UNSHUFFLED = (
    "{task}: answers were {how} and the choices not shuffled, so nothing is said of letters "
    "(--set shuffle_choices=1,2,3 tests their places)."
)
HOW = {"weighed": "weighed", "words": "given in words"}


@dataclass(frozen=True)
class Lettered:
    """Answers by letters: of one cell, or of those that differ in the order of choices alone."""

    cell: CellRecord
    info: ScorerInfo
    rows: Sequence[Answered]
    together: int = 1

    @property
    def column(self) -> str:
        """Model and settings."""
        variant = self.cell.variant
        settings = variant if self.together == 1 else without(variant, (SHUFFLE,))
        return task_label(self.cell.model, settings)

    @property
    def ordered(self) -> bool:
        """Whether all samples have the same choices in the same order."""
        return len({row.sample.choices for row in self.rows}) == 1


@dataclass(frozen=True)
class Places:
    """What is told of letters: a table and records, or why there are none."""

    table: Table | None
    records: dict[str, list[Record]]
    notes: list[str]


def places_of(run: RunReader, found: Sequence[Lettered]) -> Places:
    """Of the cells of one task; several orders of the same choices are told together in the table,
    and each by itself in the records."""
    kept, notes = list[Lettered](), list[str]()
    groups: dict[tuple[str, str], list[Lettered]] = {}
    for one in found:
        key = (one.cell.model, without(one.cell.variant, (SHUFFLE,)))
        groups.setdefault(key, []).append(one)
    for group in groups.values():
        whole = _joined(group)
        why = _untested(run, whole)
        kept += [] if why else [whole]
        notes += [why] * bool(why)
    told = [(one, positions(one.rows)) for one in kept]
    tested = {(one.cell.model, without(one.cell.variant, (SHUFFLE,))) for one in kept}
    alone = [
        one for key, group in groups.items() if key in tested for one in group if not one.ordered
    ]
    records = {
        "positions": [row for one in alone for row in _records(one, positions(one.rows))],
        "positions_together": [
            row for one, places in told if one.together > 1 for row in _records(one, places)
        ],
    }
    return Places(_table(told) if told else None, records, [*notes, *[RULE] * bool(told)])


def _joined(group: Sequence[Lettered]) -> Lettered:
    first = group[0]
    rows = [row for one in group for row in one.rows]
    return Lettered(first.cell, first.info, rows, len(group))


def _untested(run: RunReader, one: Lettered) -> str:
    """Why nothing can be said of places; "" if it can."""
    if one.ordered:
        return SAME.format(task=one.cell.task)
    task = task_as_run(run, one.cell)
    shuffled = SHUFFLE in settings_of(one.cell.variant) or task.get(SHUFFLE) is not None
    weighed = any(not row.wrote and row.error is None for row in one.rows)
    way = "weighed" if weighed else answered_by(task)
    if shuffled or way == "letters":
        return ""
    return UNSHUFFLED.format(task=one.cell.task, how=HOW[way])


def _table(found: Sequence[tuple[Lettered, Sequence[Position]]]) -> Table:
    rows = [
        [
            one.column if at == 0 else "",
            place.letter,
            number(place.chosen),
            number(place.right),
            number(place.difference.value, sign=True),
            interval(place.difference.interval),
            number(place.accuracy),
        ]
        for one, places in found
        for at, place in enumerate(places)
    ]
    columns = ("model", "letter", "chosen", "right", "difference", "95 % interval", "recognised")
    title = f"{found[0][0].cell.task}, how often each letter is chosen and is right"
    together = max(one.together for one, _ in found)
    title += f", over {together} orders of the choices together" * (together > 1)
    return Table(title, columns, rows, "llrrrrr")


def _records(one: Lettered, places: Sequence[Position]) -> Iterable[Record]:
    cell = one.cell
    variant = cell.variant if one.together == 1 else without(cell.variant, (SHUFFLE,))
    for place in places:
        yield {
            "task": cell.task,
            "variant": variant,
            "model": cell.model,
            "metric": one.info.name,
            "letter": place.letter,
            "n": place.n,
            "chosen": place.chosen,
            "right": place.right,
            "difference": place.difference.value,
            "low": place.difference.low,
            "high": place.difference.high,
            "p": place.difference.p,
            "recognised": place.accuracy,
        }
