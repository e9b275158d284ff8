"""What `harness judge calibrate` and `selftest` print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.judges.agreement import Estimate
from harness.judges.calibrate import Agreement, Calibrated
from harness.judges.canaries import EXERCISES, Outcome, SelfTest
from harness.results.render import Record, Report, Table, number, visible

_AGREEMENT = ("n", "kappa", "95 %", "Spearman", "bias", "95 %")


@dataclass(frozen=True, slots=True)
class JudgedRate:
    """How many of a cell's samples a judge passed."""

    task: str
    model: str
    passed: int
    n: int


def calibration_report(
    name: str, done: Calibrated, rates: Sequence[JudgedRate], notes: Sequence[str]
) -> Report:
    """Judge against people, people against each other, pass and fail, and a run's true rates.

    ``name`` is the judge's, with what it must not pass for.
    """
    judge = " + ".join(done.models)
    rows = [_row("total", done.total), *(_row(*one) for one in done.criteria.items())]
    title = f"{name} ({judge}) and people: {done.n} answers, {', '.join(done.raters)}"
    tables = [Table(title, ("rating", *_AGREEMENT), rows, "lrrrrrr")]
    pairs = [_row(f"{one.first} - {one.second}", one.agreement) for one in done.people]
    tables.append(Table("people among themselves", ("raters", *_AGREEMENT), pairs, "lrrrrrr"))
    tables.append(_passes(done))
    own = JudgedRate("these labels", "", done.passes.judge_passed, done.passes.n)
    tables.append(_rates(done, [own, *rates]))
    records: dict[str, Sequence[Record]] = {
        "agreement": [
            _record("total", done.total),
            *(_record(*one) for one in done.criteria.items()),
        ],
        "people": [_record(f"{one.first} - {one.second}", one.agreement) for one in done.people],
        "passes": [_pass_record(done)],
        "rates": [_rate_record(done, one) for one in rates],
    }
    return Report(tables, records, (*_notes(done), *notes))


def _row(name: str, found: Agreement) -> list[str]:
    bias = number(found.bias.value, sign=True)
    cells = [number(found.kappa.value), _interval(found.kappa), number(found.spearman.value)]
    return [visible(name), str(found.bias.n), *cells, bias, _interval(found.bias)]


def _interval(found: Estimate) -> str:
    if found.low is None or found.high is None:
        return "-"
    return f"[{number(found.low)}, {number(found.high)}]"


def _passes(done: Calibrated) -> Table:
    table = done.passes
    rows = [
        [name, str(found.n), number(found.value), _interval(found)]
        for name, found in (
            ("sensitivity: passes what people pass", table.sensitivity),
            ("specificity: fails what people fail", table.specificity),
        )
    ]
    title = f"pass and fail at {done.threshold:g} and above"
    return Table(title, ("", "n", "share", "95 %"), rows, "lrrr")


def _rates(done: Calibrated, rates: Sequence[JudgedRate]) -> Table:
    rows = []
    for one in rates:
        true = done.passes.correct(one.passed, one.n)
        judged = number(one.passed / one.n if one.n else None)
        cells = [str(one.n), judged, number(true.value), _interval(true)]
        rows.append([visible(one.task), visible(one.model), *cells])
    columns = ("task", "model", "n", "judged rate", "corrected", "95 %")
    return Table("pass rates, corrected for the judge's errors", columns, rows, "llrrrr")


def _notes(done: Calibrated) -> list[str]:
    notes = [f"alpha of judge and people {number(done.alpha)}"]
    if len(done.raters) > 1:
        notes[0] += f"; of people alone {number(done.people_alpha)}"
    notes.append("kappa has quadratic weights; bias is judge minus people, in points of the rubric")
    if done.n_judge_error:
        notes.append(f"{done.n_judge_error} of {done.n} answers have no verdict and are left out")
    for name, count in (("pass", done.passes.positives), ("fail", done.passes.negatives)):
        if not count and done.n > done.n_judge_error:
            notes.append(f"people {name} none of the answers: no rate can be corrected")
    return notes


def _record(name: str, found: Agreement) -> Record:
    return {
        "name": name,
        "n": found.bias.n,
        "kappa": found.kappa.value,
        "kappa_low": found.kappa.low,
        "kappa_high": found.kappa.high,
        "spearman": found.spearman.value,
        "bias": found.bias.value,
        "bias_low": found.bias.low,
        "bias_high": found.bias.high,
    }


def _pass_record(done: Calibrated) -> Record:
    return {
        "threshold": done.threshold,
        "sensitivity": done.passes.sensitivity.value,
        "positives": done.passes.positives,
        "specificity": done.passes.specificity.value,
        "negatives": done.passes.negatives,
        "alpha": done.alpha,
        "people_alpha": done.people_alpha,
        "n": done.n,
        "n_judge_error": done.n_judge_error,
    }


def _rate_record(done: Calibrated, one: JudgedRate) -> Record:
    true = done.passes.correct(one.passed, one.n)
    return {
        "task": one.task,
        "model": one.model,
        "n": one.n,
        "passed": one.passed,
        "corrected": true.value,
        "low": true.low,
        "high": true.high,
    }


# --------------------------------------------------------------------------- self-test


def selftest_report(name: str, done: SelfTest, notes: Sequence[str]) -> Report:
    """A row for each probe, a column for each exercise, and what is wrong below."""
    tried = dict.fromkeys(one.probe for one in done.outcomes)
    rows = [_probe_row(probe, [x for x in done.outcomes if x.probe == probe]) for probe in tried]
    columns = ("answer", *(f"exercise {n + 1}" for n in range(len(EXERCISES))), "")
    judge = " + ".join(done.models)
    title = f"self-test of {name} ({judge}): canaries may get {done.ceiling:g} of 1"
    align = "l" + "r" * len(EXERCISES) + "l"
    records: list[Record] = [
        {
            "probe": one.probe,
            "role": one.role,
            "exercise": one.exercise + 1,
            "value": one.value,
            "passed": one.passed,
            "error": one.error,
        }
        for one in done.outcomes
    ]
    told = [f"FAILED {line}" for line in done.failures] + ["passed"] * done.passed
    return Report([Table(title, columns, rows, align)], {"outcomes": records}, (*told, *notes))


def _probe_row(name: str, outcomes: Sequence[Outcome]) -> list[str]:
    values = {one.exercise: one.value for one in outcomes}
    cells = [
        "none" if (value := values.get(n)) is None else f"{value:.2f}"
        for n in range(len(EXERCISES))
    ]
    failed = any(one.passed is False for one in outcomes)
    missing = any(one.passed is None and one.value is None for one in outcomes)
    return [name, *cells, "FAILED" if failed else "not measured" if missing else ""]
