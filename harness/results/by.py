"""A run along one setting, as a curve, or along two, as a map: ``harness show RUN --by KEYS``.

Nothing is averaged: settings that are not named, tasks, models and metrics make tables of their
own. Every value is held against the first one of its table, sample by sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from harness.collect.suggest import did_you_mean
from harness.errors import SelectionError
from harness.results.answers import task_label
from harness.results.compare import Comparison, adjusted
from harness.results.differences import Difference
from harness.results.manifest import CellRecord
from harness.results.render import Record, Report, Table, Value, number
from harness.results.run import ScorerInfo
from harness.results.sparkline import sparkline
from harness.results.store import RunReader
from harness.results.sufficient import COSTLY, Place, Sufficient, best_place, sufficient
from harness.results.variants import DEGRADE, less, natural, settings_of, without
from harness.results.within import (
    Measured,
    difference_record,
    difference_words,
    first_metrics,
    paired,
    value_words,
)

OWN = ("task", "model")
"""Keys that are no settings."""
UNSET = "(as it is)"
"""The value of a setting in a cell that does not set it."""
MISSING = "missing"
RULE = (
    "Suffices: the least of which the paired difference to the best has zero in its interval. "
    "With few samples that shows little; look at the interval."
)


@dataclass(frozen=True)
class Series:
    """One metric of one task and model, the rest of the settings fixed, by the values of keys."""

    run: RunReader
    keys: tuple[str, ...]
    task: str
    model: str
    rest: str
    info: ScorerInfo
    points: dict[Place, Measured]

    @property
    def where(self) -> str:
        """In words, without what the keys name."""
        task = "" if "task" in self.keys else task_label(self.task, self.rest)
        return ": ".join(filter(None, [task, "" if "model" in self.keys else self.model]))

    @cached_property
    def values(self) -> dict[Place, float]:
        """The values that there are."""
        rows = {place: one.row.value for place, one in self.points.items()}
        return {place: value for place, value in rows.items() if value is not None}

    @property
    def equal(self) -> bool:
        """Whether there is nothing to choose between."""
        return len(set(self.values.values())) < 2

    def axis(self, at: int) -> list[str]:
        """The values of one key in their order."""
        return _in_order(self.keys[at], [place[at] for place in self.points])

    def compared(self, a: Place, b: Place) -> Comparison | None:
        """b against a, if they have a sample in common."""
        first, second = self.points[a], self.points[b]
        if first.cell.task != second.cell.task:
            return None
        return paired(self.run, first.cell, second.cell, self.info)

    @cached_property
    def least(self) -> Sufficient | None:
        """What suffices, of settings of which less is cheaper; None also where all values are
        equal, and where so few samples show nothing."""
        if not set(self.keys) <= set(COSTLY) or any(UNSET in place for place in self.values):
            return None
        best = best_place(self.values, self.info)
        if best is None or self.equal:
            return None
        pairs = [self.compared(best, place) for place in self.values if place != best]
        if all(pair is not None and pair.verdict.startswith("too few") for pair in pairs):
            return None

        def difference(best: Place, other: Place) -> Difference | None:
            found = self.compared(best, other)
            return None if found is None else found.difference

        return sufficient(self.values, self.info, difference)


def known_keys(cells: Sequence[CellRecord]) -> list[str]:
    """What a run can be shown by: the settings of its variants, model and task."""
    names = (name for cell in cells for name in settings_of(cell.variant))
    return list(dict.fromkeys([*names, "model", "task"]))


def check_keys(keys: Sequence[str], cells: Sequence[CellRecord]) -> tuple[str, ...]:
    """The keys, if the run has them; one or two.

    Raises SelectionError.
    """
    known = known_keys(cells)
    for key in keys:
        if key not in known:
            hint = did_you_mean(key, known)
            has = f"it can be shown by {', '.join(known)}"
            raise SelectionError(f"--by: the run varies no '{key}'{hint}; {has}")
    if not 1 <= len(keys) <= 2 or len(set(keys)) < len(keys):
        raise SelectionError(f"--by takes one key or two different ones, not '{','.join(keys)}'")
    return tuple(keys)


def series_of(run: RunReader, found: Sequence[Measured], keys: tuple[str, ...]) -> list[Series]:
    """The metrics along the keys; tasks of which no cell sets any of them are left out."""
    groups: dict[tuple[str, ...], list[tuple[Place, Measured]]] = {}
    for one in found:
        rest = without(one.cell.variant, keys)
        own = ("" if "task" in keys else one.cell.task, "" if "model" in keys else one.cell.model)
        groups.setdefault((*own, rest, one.info.name), []).append((_place(one.cell, keys), one))
    series = []
    for (task, model, rest, _), members in groups.items():
        if all(UNSET in place for place, _ in members):
            continue
        points = _ordered(dict(members), keys)
        info = next(iter(points.values())).info
        series.append(Series(run, keys, task, model, rest, info, points))
    return series


def _place(cell: CellRecord, keys: Sequence[str]) -> Place:
    own = {**settings_of(cell.variant), "task": cell.task, "model": cell.model}
    return tuple(own.get(key, UNSET) for key in keys)


def _ordered(points: dict[Place, Measured], keys: Sequence[str]) -> dict[Place, Measured]:
    axes = [_in_order(key, [place[at] for place in points]) for at, key in enumerate(keys)]

    def key(point: tuple[Place, Measured]) -> list[int]:
        return [axis.index(value) for axis, value in zip(axes, point[0], strict=True)]

    return dict(sorted(points.items(), key=key))


def _in_order(key: str, values: Sequence[str]) -> list[str]:
    """Numbers by size; words, models and tasks as the run has them, which puts the base first."""
    if key in OWN:
        return list(dict.fromkeys(values))
    return natural(values, none_first=key == DEGRADE)


# --------------------------------------------------------------------------- report


def by_report(run: RunReader, found: Sequence[Measured], keys: tuple[str, ...]) -> Report:
    """Curves or maps, all metrics of ``found`` of one key, and of two the first of each task
    unless fewer are given."""
    maps = len(keys) == 2
    chosen = first_metrics(found) if maps and len({one.info.name for one in found}) > 1 else found
    series = series_of(run, chosen, keys)
    pairs = _against_first(series)
    tables = [
        _map_table(one) if maps else _curve_table(one, pairs[at]) for at, one in enumerate(series)
    ]
    records = [
        _record(one, place, pairs[at].get(place))
        for at, one in enumerate(series)
        for place in one.points
    ]
    least = [record for one in series for record in _least_records(one)]
    notes = _notes(series, pairs, maps=maps)
    others = sorted({one.info.name for one in found} - {one.info.name for one in chosen})
    notes += [f"--metric shows another: {', '.join(others)}."] * bool(others)
    return Report([one for one in tables if one], {"by": records, "sufficient": least}, notes)


def _against_first(series: Sequence[Series]) -> list[dict[Place, Comparison]]:
    """Each value against the first of its series; p values are adjusted for all of them."""
    found: list[dict[Place, Comparison]] = []
    for one in series:
        first, *others = one.points
        pairs = {place: one.compared(first, place) for place in others}
        found.append({place: pair for place, pair in pairs.items() if pair is not None})
    rows = iter(adjusted([pair for of_one in found for pair in of_one.values()]))
    return [{place: next(rows) for place in of_one} for of_one in found]


def _curve_table(series: Series, pairs: dict[Place, Comparison]) -> Table:
    (key,) = series.keys
    first = next(iter(series.points))
    columns = [key, series.info.name, "95 % interval", f"vs {key}={first[0]}", "95 % interval"]
    columns += ["verdict", "n", "errors"]
    rows = [
        [
            place[0],
            *value_words(one.row),
            *difference_words(pairs.get(place)),
            str(one.row.n),
            str(one.row.n_error),
        ]
        for place, one in series.points.items()
    ]
    curve = sparkline(list(series.values.values())) if len(series.values) > 1 else ""
    title = f"{series.where}, {series.info.name} by {key}"
    return Table("   ".join(filter(None, [title, curve])), columns, rows, "lrrrrlrr")


def _map_table(series: Series) -> Table:
    """Rows are values of the first key, columns of the second."""
    down, across = series.keys
    columns = [f"{down} \\ {across}", *series.axis(1)]
    marks = _marks(series)
    rows = [
        [value, *(_map_cell(series, (value, other), marks) for other in series.axis(1))]
        for value in series.axis(0)
    ]
    title = f"{series.where}, {series.info.name} by {down} (down) and {across} (across)"
    return Table(title, columns, rows, "l" + "r" * (len(columns) - 1))


def _map_cell(series: Series, place: Place, marks: dict[Place, str]) -> str:
    if place not in series.points:
        return MISSING
    return number(series.points[place].row.value) + marks.get(place, "")


def _marks(series: Series) -> dict[Place, str]:
    """ "*" for the best, and what equals it, "~" for what is not shown to be worse."""
    best = best_place(series.values, series.info)
    if best is None or series.equal:
        return {}
    marks = {} if series.least is None else dict.fromkeys(series.least.not_worse, " ~")
    top = [place for place, value in series.values.items() if value == series.values[best]]
    return {**marks, **dict.fromkeys(top, " *")}


def _record(series: Series, place: Place, pair: Comparison | None) -> Record:
    row, best = series.points[place].row, best_place(series.values, series.info)
    found: dict[str, Value] = {
        "task": row.task,
        "model": row.model,
        "settings": series.rest,
        "metric": row.metric,
    }
    found |= {key: value for key, value in zip(series.keys, place, strict=True) if key not in OWN}
    found |= {
        "value": row.value,
        "low": row.low,
        "high": row.high,
        "n": row.n,
        "n_error": row.n_error,
        "best": place == best,
        "against": ",".join(next(iter(series.points))),
    }
    return {**found, **difference_record(pair)}


def _least_records(series: Series) -> list[Record]:
    least = series.least
    if least is None:
        return []
    return [
        {
            "task": series.task,
            "model": series.model,
            "settings": series.rest,
            "metric": series.info.name,
            "keys": ",".join(series.keys),
            "best": ",".join(least.best),
            "suffices": ",".join(place),
            "difference_to_best": d.value if (d := least.differences.get(place)) else 0.0,
            "low": d.low if d else None,
            "high": d.high if d else None,
        }
        for place in least.least
    ]


def _notes(
    series: Sequence[Series], pairs: Sequence[dict[Place, Comparison]], *, maps: bool
) -> list[str]:
    notes = [line for one in series if (line := least_words(one))]
    notes += [RULE] * bool(notes)
    count = sum(map(len, pairs))
    if maps:
        worse = " ~: not shown to be worse than it." if any(one.least for one in series) else ""
        gaps = any(len(one.points) < len(one.axis(0)) * len(one.axis(1)) for one in series)
        notes.append(f"*: the best.{worse}" + " missing: no such cell." * gaps)
    elif count:
        notes.append(
            "Differences are paired by sample; * behind a verdict: it does not survive Holm's "
            f"correction for {count} comparisons."
        )
    if not series:
        notes.append("No task of this choice sets that.")
    return notes


def least_words(series: Series) -> str:
    """What suffices, in a line; "" where nothing can be said."""
    least = series.least
    if least is None:
        return ""
    names = [_named(series, place) for place in least.least]
    where, either = f"{series.where}, {series.info.name}", " or ".join(names)
    if least.least == (least.best,):
        return f"{where}: {either} {_why_best(series, least.best)}."
    several = len(least.least) > 1
    told = []
    for place, name in zip(least.least, names, strict=True):
        words = _to_best(least.differences.get(place))
        told.append(f"{name} {words}" if several else words)
    verb, best = "suffice" if several else "suffices", _named(series, least.best)
    differences = ", ".join(told)
    if any(less(place, least.best) for place in least.least):
        return f"{where}: {either} {verb}; to the best ({best}): {differences}."
    # such as source/2 beside 2: nobody can say which is less without looking at the videos
    beside = f"{either}, on another scale, {verb} in its place"
    return f"{where}: {best} is the best; {beside}: {differences}."


def _why_best(series: Series, best: Place) -> str:
    others = [place for place in series.values if place != best]
    if any(less(place, best) for place in others):
        return "is needed: all less is shown to be worse"
    if all(less(best, place) for place in others):
        return "is the least and the best"
    return "is the best, and none in its place suffices"


def _to_best(found: Difference | None) -> str:
    if found is None or found.low is None or found.high is None:
        return "no pair differs"
    ends = f"[{number(found.low)}, {number(found.high)}]"
    return f"{number(found.value, sign=True)} {ends}"


def _named(series: Series, place: Place) -> str:
    pairs = zip(series.keys, place, strict=True)
    return " with ".join(f"{key}={value}" for key, value in pairs)


def merged(reports: Sequence[Report]) -> Report:
    """Several reports as one; records of one name follow each other, a note that several have
    stands once."""
    records: dict[str, list[Record]] = {}
    for one in reports:
        for name, rows in one.records.items():
            records.setdefault(name, []).extend(rows)
    tables = [table for one in reports for table in one.tables]
    notes = list(dict.fromkeys(note for one in reports for note in one.notes))
    return Report(tables, {name: _alike(rows) for name, rows in records.items()}, notes)


def _alike(rows: Sequence[Record]) -> list[Record]:
    """Records with the same columns, None where one had not all."""
    names = dict.fromkeys(name for row in rows for name in row)
    return [{name: row.get(name) for name in names} for row in rows]
