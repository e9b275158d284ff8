"""A cell in words, for whoever must mend it: what is missing in it, and what was answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness.results.render import shorten, visible
from harness.results.run import JUDGE_ERROR, CellResult

SHOWN = 3
TEXT_COLUMNS = 100


def shortcomings(cell: CellResult) -> list[str]:
    """Lines with samples to look at; none if all was answered, scored and judged."""
    return [*_failed(cell), *_unscored(cell)]


def answers_to(cell: CellResult, samples: Sequence[str]) -> list[str]:
    """What the model answered to these samples, and what was expected; two lines each."""
    first = {row.sample: row.completion for row in reversed(cell.completions)}
    targets = {sample.id: sample.target for sample in cell.samples}
    lines: list[str] = []
    for name in samples:
        if name not in first or name not in targets:
            continue
        said = first[name].error if first[name].failed else first[name].text
        lines.append(f"  {visible(name)}: {_one_line(said)}")
        lines.append(f"    target: {_one_line(targets[name])}")
    return lines


def _failed(cell: CellResult) -> list[str]:
    failed = [row for row in cell.completions if row.completion.failed]
    if not failed:
        return []
    reasons = Counter(row.completion.error for row in failed)
    lines = [f"{len(failed)} of {len(cell.completions)} samples failed"]
    lines += [f"  {count} x {error}" for error, count in reasons.most_common(SHOWN)]
    return [*lines, _names([row.sample for row in failed])]


def _unscored(cell: CellResult) -> list[str]:
    """What was answered and has no score; a criterion says the same as its judge's total."""
    lines: list[str] = []
    for info in cell.scorers:
        if info.criterion:
            continue
        missing = [
            (row.sample, score.explanation or "no score")
            for row, score in zip(cell.completions, cell.scores[info.name], strict=True)
            if score.status == "error" and not row.completion.failed
        ]
        if not missing:
            continue
        reasons = Counter(why.removeprefix(JUDGE_ERROR) for _, why in missing)
        what = "have no verdict of" if info.judge else "have no score in"
        lines.append(f"{len(missing)} of {len(cell.completions)} answers {what} {info.name}")
        lines += [f"  {count} x {why}" for why, count in reasons.most_common(SHOWN)]
        lines.append(_names([sample for sample, _ in missing]))
    return lines


def _names(samples: Sequence[str]) -> str:
    """The first of them, in the order of the data."""
    names = [visible(name) for name in dict.fromkeys(samples)]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"  samples: {', '.join(names[:SHOWN])}{more}"


def _one_line(text: str | None) -> str:
    return shorten(visible(" ".join((text or "").split())), TEXT_COLUMNS) or "(nothing)"
