"""Settings of a task that were varied: curves over one, heat maps over two, and degradations."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.collect.specs import SOURCE_FPS
from harness.leaderboard.charts import Axes, Chart, CurveRow, HeatRow, curve, heat_map
from harness.leaderboard.gather import Bench
from harness.leaderboard.names import slug
from harness.results.run import MetricRow
from harness.results.variants import NONE, Settings, number_of, settings_of

DEGRADE = "degrade"
LEVEL = "level of degradation (0 none, 1 the worst)"
LEAST_CRF, MAX_CRF = 18, 51
WORDS = {
    "fps": "frames a second (fps)",
    "max_frames": "frames at most (max_frames)",
    "resolution": "resolution (short side, pixels)",
}
MOST = 24
"""Charts of one task."""


def variant_charts(benches: Sequence[Bench], models: Sequence[str]) -> list[Chart]:
    """Charts of a task's first metric over the settings that were varied.

    Each setting with numbers for values (frames a second, frames, resolution) makes a curve, each
    two a heat map for every model, and degradations a curve over their level with a line for every
    kind. What else was varied is as in the first bench there, without degradation if it can be, and
    stands in the title. Benches that set other settings are a sweep of their own: what one does not
    set is as the task has it, which no axis can show.
    """
    sweeps: dict[frozenset[str], list[Bench]] = {}
    for bench in benches:
        if bench.primary:
            sweeps.setdefault(frozenset(settings_of(bench.variant)), []).append(bench)
    apart = len(sweeps) > 1
    found = [_charts(_Sweep.of(own, models, apart=apart)) for own in sweeps.values()]
    return [chart for charts in found for chart in charts][:MOST]


def _charts(sweep: _Sweep) -> list[Chart]:
    numbers = [name for name, values in sweep.varied.items() if are_numbers(values)]
    charts = [chart for name in numbers if (chart := _curve(sweep, name)) is not None]
    if DEGRADE in sweep.varied:
        charts += _degraded(sweep)
    for pair in itertools.combinations(numbers, 2):
        charts += [chart for model in sweep.models if (chart := _heat_map(sweep, pair, model))]
    return charts


@dataclass(frozen=True)
class _Sweep:
    """The benches of one task that set the same settings; ``varied`` are the values of those that
    have several, ``named`` those that stand in titles."""

    benches: Sequence[tuple[Settings, Bench]]
    models: Sequence[str]
    metric: str
    base: Settings
    varied: Mapping[str, list[str]]
    named: Sequence[str]

    @classmethod
    def of(cls, benches: Sequence[Bench], models: Sequence[str], *, apart: bool) -> _Sweep:
        """The sweep; ``apart`` if the task has others, so that titles are to name all settings."""
        own = [(settings_of(bench.variant), bench) for bench in benches]
        values: dict[str, list[str]] = {}
        for settings, _ in own:
            for name, value in settings.items():
                values.setdefault(name, []).append(value)
        varied = {name: list(dict.fromkeys(found)) for name, found in values.items()}
        base = dict(own[0][0])
        if NONE in varied.get(DEGRADE, ()):
            base[DEGRADE] = NONE
        several = {name: found for name, found in varied.items() if len(found) > 1}
        named = list(base if apart else several)
        return cls(own, models, benches[0].primary, base, several, named)

    @property
    def column(self) -> str:
        """How the names of charts begin."""
        return self.benches[0][1].column(self.metric)

    def along(self, *names: str) -> list[tuple[Settings, Bench]]:
        """The benches that differ from the base in these settings alone."""
        return [
            (own, bench)
            for own, bench in self.benches
            if all(own[name] == self.base[name] for name in own if name not in names)
        ]

    def words(self, name: str) -> str:
        """What an axis says of a setting."""
        if SOURCE_FPS.fullmatch(self.varied[name][0]):
            return f"share of the file's own frames ({name})"
        return WORDS.get(name, name)

    def title(self, *names: str) -> str:
        """``accuracy over fps (degrade=none)``."""
        rest = [f"{name}={self.base[name]}" for name in self.named if name not in names]
        fixed = f" ({', '.join(rest)})" if rest else ""
        return f"{self.metric} over {' and '.join(names)}{fixed}"


def _curve(sweep: _Sweep, setting: str) -> Chart | None:
    found = sweep.along(setting)
    if len({_number(own[setting]) for own, _ in found}) < 2:
        return None
    rows = [
        CurveRow(model, _number(own[setting]) or 0.0, row.value, row.low, row.high)
        for own, bench in found
        for model in sweep.models
        if (row := _row(bench, model, sweep.metric)) is not None
    ]
    name = f"{sweep.column}-over-{slug(setting)}"
    axes = Axes(sweep.words(setting), sweep.metric)
    return curve(name, sweep.title(setting), rows, axes, sweep.models)


def _degraded(sweep: _Sweep) -> list[Chart]:
    """One chart with a line for each model where there is one kind of degradation, else one for
    each model with a line for each kind; a clean bench is level 0 of every kind."""
    places = [(own[DEGRADE], bench) for own, bench in sweep.along(DEGRADE)]
    clean = [bench for how, bench in places if how == NONE]
    levels = [(*level, bench) for how, bench in places if (level := level_of(how)) is not None]
    kinds = list(dict.fromkeys(kind for kind, _, _ in levels))
    levels += [(kind, 0.0, bench) for kind in kinds for bench in clean]
    rows = {
        model: [
            (kind, CurveRow(model, level, row.value, row.low, row.high))
            for kind, level, bench in levels
            if (row := _row(bench, model, sweep.metric)) is not None
        ]
        for model in sweep.models
    }
    axes, name, title = Axes(LEVEL, sweep.metric), f"{sweep.column}-degraded", sweep.title(DEGRADE)
    if len(kinds) == 1:
        every = [row for own in rows.values() for _, row in own]
        title = title.replace(DEGRADE, kinds[0], 1)
        return [curve(name, title, every, axes, sweep.models)]
    return [
        curve(
            f"{name}-{slug(model)}",
            f"{model}: {title}",
            [replace(row, model=kind) for kind, row in own],
            axes,
            kinds,
            "degradation",
        )
        for model, own in rows.items()
        if own
    ]


def level_of(degradation: str) -> tuple[str, float] | None:
    """The kind of a degradation and its level from 0 (none) to 1 (the worst); None for none.

    A rate factor of compression becomes the level that means the same; what makes a picture darker
    is another kind than what makes it brighter (harness/media/degrade.py says how strong a level
    is).
    """
    kind, colon, text = degradation.partition(":")
    level = _number(text) if colon else 0.5
    if kind in ("", NONE) or level is None:
        return None
    if kind == "compression" and level > 1:
        level = max(0.0, (level - LEAST_CRF) / (MAX_CRF - LEAST_CRF))
    if kind == "brightness":
        kind = "darker" if level < 0 else "brighter"
    return kind.replace("_", " "), abs(level)


def _heat_map(sweep: _Sweep, pair: tuple[str, str], model: str) -> Chart | None:
    rows = [
        HeatRow(_number(own[pair[0]]) or 0.0, _number(own[pair[1]]) or 0.0, row.value)
        for own, bench in sweep.along(*pair)
        if (row := _row(bench, model, sweep.metric)) is not None
    ]
    if len({row.x for row in rows}) < 2 or len({row.y for row in rows}) < 2:
        return None
    which = "map" if len(sweep.varied) == 2 else f"map-{slug('-'.join(pair))}"
    x, y = map(sweep.words, pair)
    axes = Axes(x, y, sweep.metric)
    title = f"{model}: {sweep.title(*pair)}"
    return heat_map(f"{sweep.column}-{which}-{slug(model)}", title, rows, axes)


def are_numbers(values: Sequence[str]) -> bool:
    """Whether all values lie on one scale: numbers, or shares of a file's own frames."""
    shares = [SOURCE_FPS.fullmatch(value) is not None for value in values]
    return all(shares) or (not any(shares) and all(number_of(one) is not None for one in values))


def _number(value: str) -> float | None:
    """The number that a setting is: of `source/4`, a quarter."""
    if SOURCE_FPS.fullmatch(value):
        return 1 / int(value.partition("/")[2] or 1)
    return number_of(value)


def _row(bench: Bench, model: str, metric: str) -> MetricRow | None:
    cell = bench.cells.get(model)
    return None if cell is None else cell.metrics.get(metric)


def short_variant(variant: str) -> str:
    """A variant without the rooms of its settings, "max_new_tokens=8" for the dotted whole: on a
    chart what differs must not be cut off."""
    parts = (part.partition("=") for part in variant.split(",") if part)
    return ",".join(f"{name.rpartition('.')[2]}={value}" for name, _, value in parts)
