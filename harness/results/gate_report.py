"""What a gate says, for people, for machines, and for the summary of a CI job."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict

from harness.errors import ExitCode
from harness.results.render import visible, width
from harness.results.rulings import GateResult, Outcome, Ruling

WORD = {ExitCode.OK: "PASS", ExitCode.FAILED: "FAIL", ExitCode.UNDECIDED: "ERROR"}


def verdict_word(result: GateResult) -> str:
    """The whole gate in one word: it is INCONCLUSIVE, and stops nothing, if a line is, unless the
    task says that such a line passes."""
    open_lines = [
        one
        for one in result.rulings
        if one.outcome == "INCONCLUSIVE" and one.on_inconclusive == "warn"
    ]
    return "INCONCLUSIVE" if open_lines and not result.exit_code else WORD[result.exit_code]


def gate_lines(result: GateResult) -> list[str]:
    """A line for each ruling, below the candidate and the baseline it is about; then the sum."""
    lines: list[str] = []
    known = ("", "", "")
    for ruling in result.rulings:
        cell = (ruling.task, ruling.variant, ruling.model)
        if cell != known:
            lines += [""] * bool(lines) + [_heading(cell, result.rulings)]
            known = cell
        lines.append(ruling_line(ruling, _column(result.rulings)))
        if ruling.outcome in ("FAIL", "INCONCLUSIVE") and ruling.stops and ruling.worst:
            lines.append(f"  {'':12}  lost most: {', '.join(map(visible, ruling.worst))}")
    lines += ["", *(f"note: {visible(note)}" for note in result.notes)]
    return [*lines, sum_line(result)]


def ruling_line(ruling: Ruling, column: int = 0) -> str:
    """OUTCOME, metric with its class, and why: on one line."""
    name = _name(ruling)
    pad = " " * max(column - width(name), 0)
    mark = " (stops)" if ruling.outcome == "INCONCLUSIVE" and ruling.stops else ""
    return f"  {ruling.outcome:12}  {name}{pad}  {visible(ruling.reason)}{mark}"


def sum_line(result: GateResult) -> str:
    """How many lines ended how."""
    told: tuple[Outcome, ...] = ("PASS", "FAIL", "INCONCLUSIVE", "ERROR")
    counts = [f"{result.count(one)} {one}" for one in told if result.count(one)]
    return f"gate: {verdict_word(result)} ({', '.join(counts) or 'no lines'})"


def gate_json(result: GateResult) -> str:
    """All rulings with all numbers; null for what is no finite number, which JSON has not."""
    body = {
        "verdict": verdict_word(result),
        "exit_code": int(result.exit_code),
        "rulings": [_finite({**asdict(one), "stops": one.stops}) for one in result.rulings],
        "notes": list(result.notes),
    }
    return json.dumps(body, ensure_ascii=False, indent=2, allow_nan=False)


def _finite(row: dict[str, object]) -> dict[str, object]:
    bad = {k for k, v in row.items() if isinstance(v, float) and not math.isfinite(v)}
    return {key: None if key in bad else value for key, value in row.items()}


def gate_markdown(result: GateResult) -> str:
    """A table for a pull request or the summary of a CI job."""
    rows = ["| | task | model | metric | asked | what came out |", "|---|---|---|---|---|---|"]
    for one in result.rulings:
        task = f"{one.task} [{one.variant}]" if one.variant else one.task
        metric = f"{one.metric} ({one.group})" if one.group else one.metric
        words = [f"**{one.outcome}**", task, one.model, metric, one.line, one.reason]
        rows.append(f"| {' | '.join(map(_cell, words))} |")
    notes = [f"- {_cell(note)}" for note in result.notes]
    return "\n".join([f"### harness {sum_line(result)}", "", *rows, "", *notes, ""])


def _cell(text: str) -> str:
    safe = visible(text).replace("&", "&amp;").replace("<", "&lt;")
    return safe.replace("\\", "\\\\").replace("|", "\\|").replace("`", "\\`")


def _heading(cell: tuple[str, str, str], rulings: Sequence[Ruling]) -> str:
    """The task, the candidate, and whom it is compared with, if it is with anybody."""
    task, variant, model = cell
    named = [r.baseline for r in rulings if (r.task, r.variant, r.model) == cell and r.baseline]
    against = f" against {named[0]}" if named else ""
    return visible(f"{task} [{variant}]" if variant else task) + visible(f": {model}{against}")


def _name(ruling: Ruling) -> str:
    group = f" ({ruling.group})" if ruling.group else ""
    return visible(f"{ruling.metric}{group}: {ruling.line}")


def _column(rulings: Sequence[Ruling]) -> int:
    return min(max((width(_name(one)) for one in rulings), default=0), 60)
