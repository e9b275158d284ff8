"""What is to be said of the judges of a run beside their scores: errors, money, doubts.

Nothing here changes a number; it says how far the numbers of a judge can be believed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from string import ascii_uppercase
from typing import Any

from harness.collect.judge_spec import JudgeLimits
from harness.judges.audit import length_audit
from harness.judges.combine import combine, panel_alpha, panel_table
from harness.judges.money import Bill
from harness.judges.pairwise import Duel, Duels, duel, duels
from harness.records import Verdict
from harness.results.arrays import rows_of
from harness.results.manifest import CellRecord
from harness.results.render import number
from harness.results.restore import verdict_row
from harness.results.run import ScorerInfo, VerdictRow
from harness.results.store import RunReader
from harness.results.stored_judges import spec_as_judged, stored_judges, stored_spec
from harness.results.tables import COLUMNS

LONG = ("criteria", "reasoning", "raw", "mode", "captured_mass", "key")
"""Columns of the verdicts that nothing here reads."""
READ = [name for name in COLUMNS["verdicts"] if name not in LONG]
Answer = tuple[str, str, int]
"""Cell, sample and epoch."""


def order_flag(order: str) -> str:
    """How a verdict's flags tell in which order a pair was shown: "ab" is base first."""
    return f"order_{order}"


@dataclass(frozen=True)
class Judged:
    """All verdicts of one judge in some cells of a run, by the answers they are about."""

    name: str
    cells: Sequence[CellRecord]
    verdicts: Mapping[Answer, Sequence[Verdict]]

    @property
    def title(self) -> str:
        """The judge as its columns are headed, with what its numbers must not pass for."""
        return next((info.name for info in _totals_of(self)), self.name)

    @property
    def all(self) -> list[Verdict]:
        """Every verdict, whatever became of it."""
        return [one for given in self.verdicts.values() for one in given]


def judge_notes(
    run: RunReader,
    cells: Sequence[CellRecord],
    judges: Collection[str] | None = None,
    *,
    quotes: bool = True,
) -> list[str]:
    """A few lines about each judge of the cells, or about ``judges`` only; none for a run without
    judges. Without ``quotes``, nothing that a judge wrote is part of them."""
    notes: list[str] = []
    unknown: list[str] = []
    if any(info.judge for cell in cells for info in cell.scorers):
        for judged in read_judged(run, cells):
            if judges is not None and judged.name not in judges:
                continue
            notes += _notes(run, judged, quotes)
            if any(one.kappa is None and not one.kappa_n for one in _totals_of(judged)):
                unknown.append(judged.title)
    if judges is None:
        notes += _alone(run)
    if unknown:
        names = ", ".join(unknown)
        notes.append(
            f"no kappa (-): nobody has measured how far {names} and people agree ('harness judge "
            "label' and 'harness judge calibrate' do)."
        )
    return notes


def _alone(run: RunReader) -> Iterator[str]:
    """Judges that had nothing to say, because there was nothing to prefer an answer to."""
    heard = {info.judge for cell in run.manifest.cells for info in cell.scorers}
    where = "" if len(run.manifest.model_names) == 1 else " of a task"
    for spec in stored_judges(run):
        if spec.pairwise and spec.judge not in heard:
            yield f"{spec.judge}: needs two models{where}, only one was run."


def _totals_of(judged: Judged) -> list[ScorerInfo]:
    infos = [info for cell in judged.cells for info in cell.scorers]
    return [info for info in infos if info.judge == judged.name and not info.criterion]


def badge(info: ScorerInfo, errors: int) -> str:
    """What stands beside every number of a judge: its agreement with people, its errors, its
    kinship. "" beside a metric's."""
    if not info.judge:
        return ""
    measured_on = f" (n={info.kappa_n})" if info.kappa_n else ""
    lines = [f"kappa {number(info.kappa)}{measured_on}"]
    lines += [f"{errors} {_plural('error', errors)}"] * (errors > 0)
    lines += ["same family"] * info.same_family
    return "\n".join(lines)


def judge_lines(
    sides: Sequence[tuple[RunReader, CellRecord]], infos: Sequence[ScorerInfo]
) -> list[str]:
    """A line on each judge of the same cell on several sides, which are called A, B, C...: who it
    is, and what speaks against its word."""
    lines = []
    for info in infos:
        if info.judge and not info.criterion:
            named = list(zip(ascii_uppercase, sides, strict=False))
            errors = [(name, _errors_of(*side, info.name)) for name, side in named]
            line = f"{info.name}: judged by {info.judged_by}"
            if any(count for _, count in errors):
                counts = ", ".join(f"{count} in {name}" for name, count in errors)
                line += f"; judge errors, left out: {counts}"
            kin = [
                name
                for name, (_, cell) in named
                if any(one.same_family for one in cell.scorers if one.name == info.name)
            ]
            lines.append(line + (f"; of the same family as {' and '.join(kin)}" if kin else ""))
    return lines


def _errors_of(run: RunReader, cell: CellRecord, metric: str) -> int:
    rows = run.metrics()
    return sum(r.n_judge_error for r in rows if (r.cell, r.metric) == (cell.cell, metric))


def read_judged(run: RunReader, cells: Sequence[CellRecord]) -> list[Judged]:
    """The verdicts of each judge of the cells, in the order of the run."""
    wanted = {cell.cell for cell in cells}
    found: dict[str, dict[Answer, list[Verdict]]] = {}
    # an earlier version did not count how often it asked again
    columns = [name for name in READ if name != "reasks" or run.has_column("verdicts", name)]
    for raw in rows_of(run.table("verdicts", columns)):
        if raw["cell"] in wanted:
            row: VerdictRow = verdict_row(raw)
            about = (raw["cell"], row.sample, row.epoch)
            found.setdefault(row.verdict.judge, {}).setdefault(about, []).append(row.verdict)
    return [
        Judged(name, [cell for cell in cells if _judges(cell, name)], given)
        for name, given in found.items()
    ]


def _judges(cell: CellRecord, name: str) -> bool:
    return any(info.judge == name for info in cell.scorers)


def _notes(run: RunReader, judged: Judged, quotes: bool) -> Iterator[str]:
    infos = [info for cell in judged.cells for info in cell.scorers if info.judge == judged.name]
    said = judged.all
    names = ", ".join(dict.fromkeys(info.judged_by for info in infos))
    yield f"{judged.title}, judged by {names}: {_bill(run, said)}."
    yield from _errors(run, judged, quotes)
    again = sum(one.reasks for one in said)
    if again:
        yield f"{judged.title}: asked again {again} times, for replies that could not be read."
    kin = sorted({one.model for one in said if "same_family" in one.flags})
    if kin:
        models = ", ".join(
            cell.model for cell in judged.cells if any(i.same_family for i in cell.scorers)
        )
        yield (
            f"{judged.title}: {', '.join(kin)} judged answers of its own family ({models}), "
            "which judges are known to favour."
        )
    yield from _odd(judged.title, said)
    yield from _panel(judged)
    yield from _repeats(run, judged)
    yield from _pairs(judged)
    yield from _length(run, judged)


def _bill(run: RunReader, said: Sequence[Verdict]) -> str:
    """How many verdicts there are, and what they cost; errors are paid for, but no verdicts."""
    bill = Bill.of(said)
    servers = {one.model for one in run.manifest.models if one.adapter == "openai"}
    if not {one.model for one in said} <= servers:
        # a model that runs here was loaded meanwhile, and answers in batches
        bill = replace(bill, p50_ms=None, p95_ms=None)
    failed = sum(one.status == "error" for one in said)
    if not failed:
        return bill.words()
    counts = f"{bill.verdicts - failed:,}/{bill.verdicts:,} verdicts, "
    counts += f"{failed:,} {_plural('judge error', failed)}"
    return bill.words().replace(f"{bill.verdicts:,} verdicts", counts, 1)


def _plural(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun}s"


def _errors(run: RunReader, judged: Judged, quotes: bool) -> Iterator[str]:
    """Verdicts that are none, and the answers that have no verdict for it: a repeat, or a member
    of a panel, that failed beside others costs no answer its verdict."""
    failed = [one for one in judged.all if one.status == "error"]
    if not failed:
        return
    (why, _), *_ = Counter(one.error or "no reason given" for one in failed).most_common(1)
    asked = sum(one.status != "skipped" for one in judged.all)
    reason = f", most often: {why}" if quotes else ""
    line = f"{judged.title}: {len(failed)} of {asked} verdicts are judge errors{reason}."
    missing, answers = _unjudged(run, judged)
    if (missing, answers) != (len(failed), asked):
        all_fine = f" All {answers} answers have a verdict all the same."
        line += f" {missing} of {answers} answers have no verdict." if missing else all_fine
    limit = _limit(run, judged.name)
    if answers and missing / answers > limit:
        line += f" That is more than {limit:.0%}: no gate may go by it."
    yield line


def _unjudged(run: RunReader, judged: Judged) -> tuple[int, int]:
    """How many answers have no verdict, of how many that there was something to judge in; as a
    gate counts them."""
    totals = {(cell.cell, info.name) for cell in judged.cells for info in cell.scorers}
    totals &= {(cell.cell, one.name) for cell in judged.cells for one in _totals_of(judged)}
    rows = [row for row in run.metrics() if (row.cell, row.metric) in totals]
    missing = sum(row.n_judge_error for row in rows)
    return missing, missing + sum(row.n for row in rows)


def _odd(name: str, said: Sequence[Verdict]) -> Iterator[str]:
    """How often a verdict is not as it should be."""
    told = {
        "inconsistent": "contradict themselves",
        "total_mismatch": "state another total than the sum of their scores",
        "low_mass": "leave too much probability to what is no score",
        "reasked": "were readable only when asked again",
    }
    valid = [one for one in said if one.status == "ok"]
    for flag, words in told.items():
        count = sum(flag in one.flags for one in valid)
        if count:
            yield f"{name}: {count} of {len(valid)} verdicts {words}."


def _panel(judged: Judged) -> Iterator[str]:
    if len({one.model for one in judged.all if one.status != "skipped"}) < 2:
        return
    given = judged.verdicts.values()
    found = panel_alpha(_duel_table(given) if _of_pairs(judged) else panel_table(given))
    word = "unknown" if found is None else number(found)
    yield f"{judged.title}: Krippendorff's alpha of the panel {word} (1 agreement, 0 chance)."


def _duel_table(groups: Iterable[Sequence[Verdict]]) -> list[list[float | None]]:
    """As `panel_table`, of pairs: a cell is what the answer has won with that member, the mean over
    its repeats. A single order is no opinion: the preference for an answer is 1 in one and 0 in the
    other."""
    rows: list[dict[str, list[float]]] = []
    for verdicts in groups:
        rows.append({})
        for model, one in duels_among(verdicts):
            if one.points is not None:
                rows[-1].setdefault(model, []).append(one.points)
    models = dict.fromkeys(model for row in rows for model in row)
    return [[fmean(row[model]) if model in row else None for model in models] for row in rows]


def _repeats(run: RunReader, judged: Judged) -> Iterator[str]:
    """How far a judge agrees with itself."""
    infos = _totals_of(judged)
    spec = spec_as_judged(run, infos[0]) if infos else None
    if spec is None or spec.pairwise or spec.repeats < 2:
        return
    span = infos[0].span
    combined = [combine(spec, given).spread for given in judged.verdicts.values()]
    spreads = [one for one in combined if one is not None]
    if spreads and span is not None:
        mean = number(span * fmean(spreads))
        yield (
            f"{judged.title}: {spec.repeats} repeats of one answer differ by {mean} of {span:g} "
            "points (their standard deviation, mean over all answers)."
        )


def _of_pairs(judged: Judged) -> bool:
    return any(order_flag("ab") in one.flags for one in judged.all)


def _pairs(judged: Judged) -> Iterator[str]:
    if not _of_pairs(judged):
        return
    for cell in judged.cells:
        counted = duels_of(judged, cell)
        if not counted.n:
            continue
        words = f"{counted.win} wins, {counted.tie} ties, {counted.loss} losses"
        errors = f", {counted.n_error} without verdict" if counted.n_error else ""
        same, first = counted.position_consistency, counted.first_slot_rate
        seats = "" if first is None else f", {first:.0%} of preferences for the first seat"
        orders = "" if same is None else f"; both orders agree in {same:.0%}{seats}"
        opponents = (one.opponent for one in cell.scorers if one.judge == judged.name)
        beside = "".join(f"beside {name}, " for name in opponents if name)
        about = f"{judged.title}, {cell.task}: {beside}{cell.model}"
        yield f"{about} has {words}{errors}{orders}."


def duels_of(judged: Judged, cell: CellRecord) -> Duels:
    """The pairs of a cell, each judge model and repeat one; "A" is the base's answer."""
    return duels(pair for _, pair in pairs_of(judged, cell))


def pairs_of(judged: Judged, cell: CellRecord) -> Iterator[tuple[str, Duel]]:
    """Each pair of a cell, and the sample that it answers."""
    for (name, sample, _), given in judged.verdicts.items():
        if name == cell.cell:
            yield from ((sample, one) for _, one in duels_among(given))


def duels_among(given: Sequence[Verdict]) -> Iterator[tuple[str, Duel]]:
    """The pairs among the verdicts on one answer, by who judged: each model and repeat has one."""
    by_key = {(one.model, one.repeat, order_flag("ba") in one.flags): one for one in given}
    for (model, repeat, swapped), one in by_key.items():
        other = by_key.get((model, repeat, True))
        if not swapped and other is not None and one.status != "skipped":
            yield model, duel(one, other)


def _length(run: RunReader, judged: Judged) -> Iterator[str]:
    """Whether longer answers score higher."""
    infos = _totals_of(judged)
    spec = spec_as_judged(run, infos[0]) if infos else None
    if spec is None or spec.pairwise:
        return
    lengths = _lengths(run, {cell.cell for cell in judged.cells})
    words = {about: combine(spec, given).value for about, given in judged.verdicts.items()}
    rows = [
        (about[0], value, lengths[about])
        for about, value in words.items()
        if value is not None and about in lengths
    ]
    audit = length_audit(spec, rows)
    if audit.warn and audit.rho is not None:
        more = "higher" if audit.rho > 0 else "lower"
        slope = "" if audit.slope is None else f", {audit.slope:+.3f} for twice the length"
        yield (
            f"{judged.title}: longer answers score {more} (Spearman {audit.rho:+.2f}{slope} within "
            "a task and model): quality or taste for length, look at some."
        )


def _lengths(run: RunReader, cells: Collection[str]) -> dict[Answer, int]:
    """How long each answer is: in tokens where those of the whole cell were counted, else all of
    the cell in words."""
    columns = ["cell", "sample", "epoch", "completion_tokens", "text"]
    by_cell: dict[str, list[dict[str, Any]]] = {}
    for row in rows_of(run.table("completions", columns)):
        if row["cell"] in cells:
            by_cell.setdefault(row["cell"], []).append(dict(row))
    found = {}
    for rows in by_cell.values():
        counted = all(row["completion_tokens"] or not row["text"].strip() for row in rows)
        for row in rows:
            length = row["completion_tokens"] if counted else len(row["text"].split())
            found[row["cell"], row["sample"], row["epoch"]] = length or 0
    return found


def _limit(run: RunReader, name: str) -> float:
    spec = stored_spec(run, name)
    return (JudgeLimits() if spec is None else spec.limits).max_judge_error_rate
