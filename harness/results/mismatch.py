"""Why two cells do not measure the same thing, so that their scores must not be compared."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from harness.results.manifest import CellRecord
from harness.results.run import ScorerInfo


def mismatches(
    cells: tuple[CellRecord, CellRecord],
    infos: Sequence[ScorerInfo],
    samples: tuple[Collection[str], Collection[str]] | None,
) -> list[str]:
    """One reason a line; none if both cells measure the same thing.

    ``infos`` are the first cell's scorers that the second has, too; ``samples`` the ids of those
    that each side has scores of, None if there is no scorer.
    """
    a, b = cells
    reasons = []
    if a.task_version != b.task_version:
        reasons.append(f"task versions {a.task_version} and {b.task_version}")
    others = {info.name: info for info in b.scorers}
    reasons += [said for info in infos for said in _scorers(info, others[info.name])]
    reasons = list(dict.fromkeys(reasons))
    if samples is not None:
        reasons += _samples(*samples)
    if not reasons and a.data_hash != b.data_hash:
        reasons.append("the data differ: same ids, other inputs or targets")
    return reasons


def _scorers(info: ScorerInfo, other: ScorerInfo) -> list[str]:
    if info.version != other.version:
        return [f"versions {info.version} and {other.version} of {info.name}"]
    if info.judged_by != other.judged_by:
        who = f"{info.judged_by or 'nobody'} and {other.judged_by or 'nobody'}"
        return [f"{info.judge or info.name} was judged by {who}"]
    if info.template != other.template:
        return [f"the templates of {info.judge} differ"]
    return []


def _samples(a: Collection[str], b: Collection[str]) -> list[str]:
    if a == b:
        return []
    both = len(set(a) & set(b))
    if both == len(a) == len(b):
        return []
    return [f"samples differ: {len(a)} and {len(b)}, {both} in both"]
