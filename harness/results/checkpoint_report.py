"""The checkpoints of a training side by side: the curve, the best, the first that got worse."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from harness.collect.gate_spec import GateSpec
from harness.collect.suggest import known_or_near
from harness.errors import ExitCode, SelectionError
from harness.results.gate_report import WORD, gate_json, gate_lines, gate_markdown
from harness.results.manifest import CellRecord
from harness.results.render import Report, Table, interval, number, render, visible
from harness.results.rulings import GateResult, Outcome, Ruling
from harness.results.run import MetricRow
from harness.results.sparkline import sparkline
from harness.results.stats import Interval

WORST_FIRST: tuple[Outcome, ...] = ("FAIL", "ERROR", "INCONCLUSIVE", "PASS")


@dataclass(frozen=True, slots=True)
class Measure:
    """The number that names the best: one metric of one task (and variant)."""

    task: str
    variant: str
    metric: str
    higher_is_better: bool = True

    @property
    def name(self) -> str:
        """The metric and what it is of."""
        return f"{self.metric} of {self.task}{f'[{self.variant}]' if self.variant else ''}"


@dataclass(frozen=True, slots=True)
class Point:
    """A checkpoint on the curve. ``outcome`` is the worst of its rulings, None without any."""

    step: int
    model: str
    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    outcome: Outcome | None = None


@dataclass(frozen=True)
class CheckpointReport:
    """What is known of the checkpoints of one training; ``points`` go by step."""

    measure: Measure
    points: Sequence[Point]
    result: GateResult
    base: Point | None = None

    @property
    def best(self) -> Point | None:
        """The best by the measure; of equals the earliest; None if none has a value."""
        return best_of(self.points, self.measure.higher_is_better)

    @property
    def alike(self) -> bool:
        """Whether there are several with a value, and all have the same: then none is best."""
        return all_alike(self.points)

    @property
    def first_failed(self) -> Point | None:
        """The first that is shown to be worse than allowed."""
        return next((point for point in self.points if point.outcome == "FAIL"), None)

    @property
    def exit_code(self) -> ExitCode:
        """The gate's word on the best checkpoint: may this training be shipped?

        The other checkpoints' rulings are told, and change nothing. Without a best one, the gate's
        word on all.
        """
        best = self.best
        return self.result.exit_code if best is None else self.of(best).exit_code

    def of(self, point: Point) -> GateResult:
        """The rulings on one checkpoint."""
        return GateResult([one for one in self.result.rulings if one.model == point.model])


def choose_measure(
    cells: Sequence[CellRecord], gates: Iterable[tuple[str, GateSpec]], wanted: str = ""
) -> Measure:
    """The measure that ``wanted`` names, else the first line's of the gates that scores have.

    ``gates`` are lines with the task that declares them. Raises SelectionError for a metric that
    no task scores, or that has no better side.
    """
    asked = [(spec.task or task, spec.metric) for task, spec in gates if not spec.is_cost]
    pairs = [("", wanted)] if wanted else asked
    for task, metric in pairs:
        for cell in cells:
            for info in cell.scorers if task in ("", cell.task) else ():
                if metric not in (info.name, info.name.partition("[")[0]):
                    continue
                if info.neutral and wanted:
                    raise SelectionError(f"--metric {wanted} has no better side: name another")
                if not info.neutral:
                    return Measure(cell.task, cell.variant, info.name, info.higher_is_better)
    known = dict.fromkeys(info.name for cell in cells for info in cell.scorers)
    if wanted:
        raise SelectionError(f"no metric '{wanted}' to choose by{known_or_near(wanted, known)}")
    for cell in cells:
        for info in cell.scorers:
            if not info.neutral:
                return Measure(cell.task, cell.variant, info.name, info.higher_is_better)
    raise SelectionError("no metric of these tasks has a better side: nothing names the best")


def point_of(
    rows: Sequence[MetricRow], measure: Measure, step: int, model: str, rulings: Sequence[Ruling]
) -> Point:
    """A model's place on the curve."""
    outcomes = {one.outcome for one in rulings if one.model == model}
    outcome = next((word for word in WORST_FIRST if word in outcomes), None)
    for row in rows:
        where = (row.model, row.task, row.variant, row.metric)
        if where == (model, measure.task, measure.variant, measure.metric):
            return Point(step, model, row.value, row.low, row.high, row.n, outcome)
    return Point(step, model, None, outcome=outcome)


def best_of(points: Iterable[Point], higher_is_better: bool) -> Point | None:
    """The best value; of equals the first; None if none has a value."""
    best: Point | None = None
    for point in points:
        if point.value is None:
            continue
        sign = 1 if higher_is_better else -1
        if best is None or best.value is None or sign * point.value > sign * best.value:
            best = point
    return best


def all_alike(points: Iterable[Point]) -> bool:
    """Whether several points have a value, and all of them the same."""
    values = [point.value for point in points if point.value is not None]
    return len(values) > 1 and len(set(values)) == 1


# --------------------------------------------------------------------------- for people


def checkpoint_lines(report: CheckpointReport) -> list[str]:
    """The curve, the gate's lines, and what follows."""
    return [
        *render(Report([_table(report)], {}), "table").splitlines(),
        "",
        _curve(report),
        "",
        *gate_lines(report.result)[:-1],
        *closing(report),
    ]


def closing(report: CheckpointReport) -> list[str]:
    """The last lines: the first that fails, the best that passes, and the best with its gate.

    If all have the same value, the gate's word is on the earliest.
    """
    best, failed = report.best, report.first_failed
    lines = [f"first to fail: {failed.model}"] if failed else []
    if best is None:
        word = WORD[report.exit_code]
        return [*lines, f"gate: {word} (no checkpoint has a {report.measure.metric})"]
    word = WORD[report.exit_code]
    if word != "PASS":
        kept = [one for one in report.points if report.of(one).exit_code == ExitCode.OK]
        other = best_of(kept, report.measure.higher_is_better)
        if other is None:
            lines.append("no checkpoint passes")
        else:
            value = f"{report.measure.metric} {number(other.value)}"
            lines.append(f"best that passes: {other.model} ({value})")
    value = f"{report.measure.metric} {number(best.value)}"
    if report.alike:
        count = sum(point.value is not None for point in report.points)
        return [*lines, f"gate: {word} (none is best, all {count} have {value}: {best.model})"]
    return [*lines, f"gate: {word} (best: {best.model}, {value})"]


def _curve(report: CheckpointReport) -> str:
    values = [point.value for point in report.points if point.value is not None]
    if not values:
        return "no checkpoint has a value"
    ends = f"{number(values[0])} -> {number(values[-1])}"
    return f"{report.measure.metric}  {sparkline(values)}  {ends}"


def _table(report: CheckpointReport) -> Table:
    best, failed = report.best, report.first_failed
    rows = []
    for point in [report.base, *report.points] if report.base else report.points:
        if point is None:
            continue
        marks = ["best"] if point == best and not report.alike else []
        marks += ["first to fail"] if point == failed else []
        bounds = interval(Interval(point.low, point.high, ""))
        outcome = point.outcome or ""
        name = "base" if point == report.base else str(point.step)
        rows.append([name, number(point.value), bounds, str(point.n), outcome, ", ".join(marks)])
    better = "" if report.measure.higher_is_better else " (less is better)"
    title = f"{report.measure.name} by step{better}"
    return Table(title, ["step", "value", "95 %", "n", "gate", ""], rows, "rrlrll")


# --------------------------------------------------------------------------- for programs


def checkpoint_json(report: CheckpointReport) -> str:
    """The gate's JSON with the curve in it; verdict and exit code are those of the best."""
    body = json.loads(gate_json(report.result))
    best, failed = report.best, report.first_failed
    found = {
        "verdict": WORD[report.exit_code],
        "exit_code": int(report.exit_code),
        "measure": asdict(report.measure),
        "best": best.model if best else None,
        "all_alike": report.alike,
        "first_failed": failed.model if failed else None,
        "base": asdict(report.base) if report.base else None,
        "checkpoints": [asdict(point) for point in report.points],
    }
    return json.dumps({**found, "rulings": body["rulings"], "notes": body["notes"]}, indent=2)


def checkpoint_markdown(report: CheckpointReport) -> str:
    """The curve and the gate's table for the summary of a CI job."""
    table = render(Report([_table(report)], {}), "markdown")
    return "\n".join([table, "", *map(visible, closing(report)), "", gate_markdown(report.result)])
