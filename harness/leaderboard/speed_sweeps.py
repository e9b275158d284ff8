"""Tables of what a run varied: batch sizes, resolution and frames, quantization; what to take."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from harness.leaderboard.pareto import Point, front, recommend
from harness.results.compression import RULE as COMPRESSION_RULE
from harness.results.compression import (
    SETTINGS,
    Compressed,
    Weighed,
    compression,
    in_order,
    sizes_of,
)
from harness.results.render import Record, Report, Table, number, shorten
from harness.results.run import ScorerInfo
from harness.results.scaling import (
    BOUND_RULE,
    CPU_NOTE,
    OPTIMAL_RULE,
    SETTING,
    UNSTEADY,
    Scaling,
    batch_points,
)
from harness.results.speed import CellSpeed, sweeps
from harness.results.variants import shared

AXES = ("resolution", "frames", "fps", "max_frames")
"""Settings of what is seen, of which two that vary make heat maps."""
TRADE_RULE = (
    "On the front (*): no other configuration is as good and as fast, and better in one of both. "
    "Low latency: the least median milliseconds{wait}; best quality: the best value; balanced: "
    "nearest to the ideal of both, each scaled to 0 to 1 over the front."
)
WAIT = (
    " until an answer is there, which waits for its whole batch (waits: the median of a sample "
    "times batch_size)"
)
Part = Report
"""Tables, records and notes of one kind of sweep; of none, if the run has no such."""


@dataclass(frozen=True)
class Measured:
    """A cell's speed, and its value in one metric, if it has any that says how good it is."""

    speed: CellSpeed
    info: ScorerInfo | None = None
    value: float | None = None

    @property
    def quality(self) -> float | None:
        """The value with more being better."""
        if self.value is None or self.info is None:
            return None
        return self.value if self.info.higher_is_better else -self.value

    @property
    def where(self) -> str:
        """Task and model."""
        return f"{self.speed.record.task}: {self.speed.record.model}"


def joined(parts: Iterable[Part]) -> Report:
    """Parts behind each other; records of the same name are never in two of them."""
    found = list(parts)
    tables = [table for part in found for table in part.tables]
    records = {name: rows for part in found for name, rows in part.records.items()}
    return Report(tables, records, [note for part in found for note in part.notes])


def _groups(found: Sequence[Measured], *settings: str) -> Iterator[list[Measured]]:
    by_cell = {one.speed.record.cell: one for one in found}
    for group in sweeps((one.speed for one in found), *settings):
        yield [by_cell[speed.record.cell] for speed in group]


def _others(one: Measured, *settings: str) -> str:
    """Task, model and what a sweep did not vary."""
    kept = [f"{k}={v}" for k, v in one.speed.settings.items() if k not in settings]
    return f"{one.where} ({','.join(kept)})" if kept else one.where


# --------------------------------------------------------------------------- batches


def batch_part(found: Sequence[Measured]) -> Part:
    """Throughput by batch size, the batch to take, and what bounds the speed."""
    tables, notes = list[Table](), list[str]()
    records: list[Record] = []
    slow = False
    for group in _groups(found, SETTING):
        points = batch_points(one.speed for one in group)
        if len({one.batch for one in points}) < 2:
            continue
        scaling, where = Scaling.of(points), _others(group[0], SETTING)
        slow = slow or any(one.speed.total.memory != "CUDA" for one in group)
        tables.append(_batch_table(where, scaling))
        notes.append(f"{where}: optimal batch {scaling.optimal.batch}; {scaling.verdict}.")
        if scaling.unsteady:
            sizes = ", ".join(map(str, scaling.unsteady))
            notes.append(f"{where}: {UNSTEADY.format(sizes=sizes)}")
        records += [
            {
                "where": where,
                "batch_size": one.batch,
                "ms": one.ms,
                "samples_per_s": one.per_second,
                "tokens_per_s": one.tokens_per_s,
                "speed_up": scaling.speed_up(one),
                "peak_memory_mb": one.memory_mb,
                "optimal": one is scaling.optimal,
                "verdict": scaling.verdict,
            }
            for one in scaling.points
        ]
    if not tables:
        return Report([], {"batches": []})
    rules = [OPTIMAL_RULE, BOUND_RULE, *[CPU_NOTE] * slow]
    return Report(tables, {"batches": records}, [*notes, *rules])


def _batch_table(where: str, scaling: Scaling) -> Table:
    first = scaling.points[0].batch
    gains = [None, *(step.gain for step in scaling.steps)]
    rows = [
        [
            f"{one.batch} *" if one is scaling.optimal else str(one.batch),
            number(one.ms),
            number(one.per_second),
            number(one.tokens_per_s),
            number(scaling.speed_up(one)),
            "" if gain is None else number(gain),
            number(one.memory_mb),
        ]
        for one, gain in zip(scaling.points, gains, strict=True)
    ]
    columns = ["batch", "ms a sample", "samples/s", "tokens/s", f"speed-up on {first}"]
    columns += ["gain a doubling", "peak MB"]
    return Table(f"{where}, by batch size (* optimal)", columns, rows, "lrrrrrr")


# --------------------------------------------------------------------------- heat maps


def grid_part(found: Sequence[Measured]) -> Part:
    """Quality, latency and memory over two settings of what is seen."""
    tables = list[Table]()
    records: list[Record] = []
    for across, along in itertools.combinations(AXES, 2):
        for group in _groups(found, across, along):
            sizes = [{one.speed.settings.get(name) for one in group} for name in (across, along)]
            if any(len(values - {None}) < 2 for values in sizes):
                continue
            where = _others(group[0], across, along)
            tables += _grids(where, (across, along), group)
            records += [
                {
                    "where": where,
                    across: one.speed.settings.get(across),
                    along: one.speed.settings.get(along),
                    "metric": one.info.name if one.info else None,
                    "value": one.value,
                    "p50": one.speed.total.p50,
                    "peak_memory_mb": one.speed.total.peak_memory_mb,
                }
                for one in group
            ]
    return Report(tables, {"grids": records})


def _grids(where: str, axes: tuple[str, str], group: Sequence[Measured]) -> list[Table]:
    info = next((one.info for one in group if one.info), None)
    pictures: list[tuple[str, Callable[[Measured], float | None]]] = [
        ("median ms a sample", lambda one: one.speed.total.p50),
        ("peak memory in MB", lambda one: one.speed.total.peak_memory_mb),
    ]
    if info is not None:
        pictures.insert(0, (info.name, lambda one: one.value))
    return [_grid(f"{where}, {what}", axes, group, value) for what, value in pictures]


def _grid(
    title: str,
    axes: tuple[str, str],
    group: Sequence[Measured],
    value: Callable[[Measured], float | None],
) -> Table:
    cells = {tuple(one.speed.settings.get(name, "") for name in axes): value(one) for one in group}
    down, across = (sorted({key[i] for key in cells}, key=_order) for i in (0, 1))
    rows = [[a or "-", *(number(cells.get((a, b))) for b in across)] for a in down]
    head = f"{axes[0]} \\ {axes[1]}"
    return Table(title, [head, *(b or "-" for b in across)], rows, "r" * (1 + len(across)))


def _order(text: str) -> tuple[float, str]:
    """Numbers by their size, `WIDTHxHEIGHT` by its width, other words behind them."""
    head = text.partition("x")[0]
    try:
        return float(head), text
    except ValueError:
        return float("inf"), text


# --------------------------------------------------------------------------- what to take


def trade_part(found: Sequence[Measured]) -> Part:
    """Of each task's configurations, models and variants alike: the front, and which to take."""
    tables = list[Table]()
    records: list[Record] = []
    for task in dict.fromkeys(one.speed.record.task for one in found):
        own = [one for one in found if one.speed.record.task == task]
        points = [
            Point(one.speed.record.cell, one.quality, one.speed.total.p50)
            for one in own
            if one.quality is not None and one.speed.total.p50 is not None
        ]
        if len(points) < 2:
            continue
        by_cell = {one.speed.record.cell: one for one in own}
        chosen = [by_cell[point.model] for point in points]
        kept, picks = front(points), recommend(points)
        waits = [replace(points[at], cost=wait) for at, wait in enumerate(map(_wait, chosen))]
        batched = waits != points
        soon = recommend(waits)
        picks |= {"low latency": soon["low latency"]} if soon else {}
        common, rests = shared([one.speed.record.variant for one in chosen])
        rows = []
        for at in sorted(range(len(points)), key=lambda i: points[i].cost):
            wishes = [wish for wish, pick in picks.items() if pick == at]
            row = _trade_row(chosen[at], rests[at], at in kept, wishes)
            rows.append([*row[:4], *[number(waits[at].cost)] * batched, *row[4:]])
            records.append(_trade_record(chosen[at], at in kept, wishes))
        metric = next(one.info.name for one in own if one.info)
        columns = ["model", "variant", metric, "median ms", *["waits"] * batched]
        columns += ["peak MB", "front", "take for"]
        title = f"{task}, quality against latency{common and f', with {common}'}"
        tables.append(Table(title, columns, rows, "llrr" + "r" * batched + "rll"))
    told = any("waits" in table.columns for table in tables)
    rule = TRADE_RULE.format(wait=WAIT if told else "")
    return Report(tables, {"trade_off": records}, [rule] if tables else [])


def _wait(one: Measured) -> float:
    """Milliseconds until an answer is there: the time of its whole batch, where its size is
    known."""
    size = one.speed.settings.get(SETTING, "")
    batch = int(size) if size.isdecimal() else 1
    return (one.speed.total.p50 or 0.0) * max(1, min(batch, one.speed.total.n or batch))


def _trade_row(one: Measured, settings: str, kept: bool, wishes: Sequence[str]) -> list[str]:
    record, total = one.speed.record, one.speed.total
    names = [shorten(record.model, 24), settings or "-"]
    numbers = [number(one.value), number(total.p50), number(total.peak_memory_mb)]
    return [*names, *numbers, "*" if kept else "", ", ".join(wishes)]


def _trade_record(one: Measured, kept: bool, wishes: Sequence[str]) -> Record:
    record, total = one.speed.record, one.speed.total
    return {
        "task": record.task,
        "model": record.model,
        "variant": record.variant,
        "metric": one.info.name if one.info else None,
        "value": one.value,
        "p50": total.p50,
        "wait_ms": _wait(one),
        "peak_memory_mb": total.peak_memory_mb,
        "front": kept,
        "take_for": list(wishes),
    }


# --------------------------------------------------------------------------- quantization


def compression_part(found: Sequence[Measured], tolerance: float) -> Part:
    """What quantization and number formats cost and bring, and how far one may go."""
    tables, notes = list[Table](), list[str]()
    records: list[Record] = []
    for group in _groups(found, *SETTINGS):
        by_cell = {one.speed.record.cell: one for one in group}
        ordered = [by_cell[s.record.cell] for s in in_order([one.speed for one in group])]
        done = compression([_weighed(one) for one in ordered])
        where = _others(group[0], *SETTINGS)
        info = ordered[0].info
        values = {_format(one): one.value for one in ordered}
        metric = info.name if info else "score"
        tables.append(_compression_table(f"{where}, compression", metric, done.rows, values))
        size = done.size or "not known, so there is no ratio"
        notes.append(f"{where}: sizes are {size}; the reference is {done.rows[0].name}.")
        best = done.greatest(tolerance)
        if best is not None:
            notes.append(
                f"{where}: with a drop of at most {tolerance:g} in {metric}, {best.name} is as "
                f"small as it gets ({number(best.ratio)} times smaller)."
            )
        records += [_compression_record(where, one, values, done.size) for one in done.rows]
    return Report(tables, {"compression": records}, [*notes, *[COMPRESSION_RULE] * bool(tables)])


def _format(one: Measured) -> str:
    own = one.speed.settings
    return ",".join(f"{name}={own[name]}" for name in SETTINGS if name in own) or "as the card says"


def _weighed(one: Measured) -> Weighed:
    return Weighed(_format(one), one.quality, one.speed.total.mean, sizes_of(one.speed))


def _compression_table(
    title: str, metric: str, rows: Sequence[Compressed], values: dict[str, float | None]
) -> Table:
    lines = [
        [
            one.name,
            number(values[one.name]),
            "-" if one.drop is None else number(one.drop, sign=True),
            number(one.size_mb),
            number(one.ratio),
            number(one.speed_up),
            "-" if one.resilience is None else number(one.resilience, sign=True),
        ]
        for one in rows
    ]
    columns = ["weights", metric, "drop", "MB", "ratio", "speed-up", "resilience"]
    return Table(title, columns, lines, "lrrrrrr")


def _compression_record(
    where: str, one: Compressed, values: dict[str, float | None], size: str | None
) -> Record:
    return {
        "where": where,
        "weights": one.name,
        "value": values[one.name],
        "drop": one.drop,
        "size_mb": one.size_mb,
        "size_of": size,
        "ratio": one.ratio,
        "speed_up": one.speed_up,
        "resilience": one.resilience,
    }
