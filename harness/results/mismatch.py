"""Why two cells do not measure the same thing, so that their scores must not be compared."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from harness.results.aligned import clusters_of
from harness.results.manifest import CellRecord
from harness.results.run import ScorerInfo
from harness.results.store import RunReader
from harness.results.stored_judges import PANEL

Stored = tuple[RunReader, CellRecord]
"""A cell and the run that holds it."""


def mismatches(
    sides: tuple[Stored, Stored],
    infos: Sequence[ScorerInfo],
    samples: tuple[Collection[str], Collection[str]] | None,
) -> list[str]:
    """One reason a line; none if both cells measure the same thing.

    ``infos`` are the first cell's scorers that the second has, too; ``samples`` the ids of those
    that each side has scores of, None if there is no scorer. Raises StoreError as
    ``RunReader.table`` does.
    """
    (_, a), (_, b) = sides
    reasons = []
    if a.task_version != b.task_version:
        reasons.append(f"task versions {a.task_version} and {b.task_version}")
    others = {info.name: info for info in b.scorers}
    reasons += [said for info in infos for said in _scorers(info, others[info.name])]
    reasons += [said for info in infos for said in _judges(sides, info)]
    if epochs_of(a) != epochs_of(b):  # the mean of five draws varies less than one
        reasons.append(f"epochs {epochs_of(a)} and {epochs_of(b)}")
    reasons = list(dict.fromkeys(reasons))
    if samples is None:
        return reasons or _hashes(a, b)
    differ = _samples(*samples)
    reasons += differ
    if not _same_place(sides):
        both = sorted(set(samples[0]) & set(samples[1]))
        reasons += _clusters(sides, both)
        if differ:
            reasons += _contents(sides, both)
    return reasons or _hashes(a, b)


def not_comparable(baseline: Stored, reasons: Sequence[str], asked: Sequence[str]) -> str:
    """What to do about a baseline that does not measure what the candidate was measured by;
    ``asked`` are settings that differ."""
    run, cell = baseline
    name, said = f"{run.run_id}:{cell.model}", "; ".join([*reasons, *asked])
    if all(reason.startswith("epochs") for reason in reasons):
        return f"asked otherwise than the baseline {name} ({said}): ask alike, or set it again"
    if not asked and all(reason.startswith(SAMPLES_DIFFER) for reason in reasons):
        way = "run the same ones, or --intersect compares what both have"
        return f"not the samples of the baseline {name} ({said}): {way}"
    if run.manifest.kind == "run":
        return f"cannot be compared with {name} ({said}): run both alike"
    return f"the baseline {name} is stale ({said}): set it again"


def epochs_of(cell: CellRecord) -> int:
    """How often each sample was asked."""
    return max(1, round(cell.completions / cell.samples)) if cell.samples else 1


def _scorers(info: ScorerInfo, other: ScorerInfo) -> list[str]:
    if info.version != other.version:
        return [f"versions {info.version} and {other.version} of {info.name}"]
    if info.judged_by != other.judged_by:
        who = f"{info.judged_by or 'nobody'} and {other.judged_by or 'nobody'}"
        return [f"{info.judge or info.name} was judged by {who}"]
    if info.template != other.template:
        return [f"the templates of {info.judge} differ"]
    names = ["higher_is_better", "aggregate"]
    if info.kind is not None and other.kind is not None:  # an old run does not tell its scale
        names += ["kind", "low", "high", "neutral"]
    return [
        f"{name} of {info.name} is {getattr(info, name)} and {getattr(other, name)}"
        for name in names
        if getattr(info, name) != getattr(other, name)
    ]


def _judges(sides: tuple[Stored, Stored], info: ScorerInfo) -> list[str]:
    """A judge of the same name may have other weights, or stand behind another server."""
    if not info.judge:
        return []
    left, right = ({m.model: m.fingerprint for m in run.manifest.models} for run, _ in sides)
    return [
        f"{name}, who judged {info.judge}, is another model than it was"
        for name in info.judged_by.split(PANEL)
        if left.get(name) and right.get(name) and left[name] != right[name]
    ]


def _samples(a: Collection[str], b: Collection[str]) -> list[str]:
    if a == b:
        return []
    both = len(set(a) & set(b))
    if both == len(a) == len(b):
        return []
    return [f"{SAMPLES_DIFFER}: {len(a)} and {len(b)}, {both} in both"]


SAMPLES_DIFFER = "samples differ"
"""How the one reason begins that comparing what both sides share does away with."""


def _hashes(a: CellRecord, b: CellRecord) -> list[str]:
    if a.data_hash == b.data_hash:
        return []
    return ["the data differ: same ids, other inputs or targets"]


def _same_place(sides: tuple[Stored, Stored]) -> bool:
    """Whether both cells' samples are the same rows of the same file."""
    places = [(run.path, cell.task, cell.variant) for run, cell in sides]
    return places[0] == places[1]


def _clusters(sides: tuple[Stored, Stored], ids: Sequence[str]) -> list[str]:
    left, right = (clusters_of(run, cell) for run, cell in sides)
    moved = sum(left.get(one) != right.get(one) for one in ids)
    return [f"{moved} of {len(ids)} samples are in other clusters"] if moved else []


def _contents(sides: tuple[Stored, Stored], ids: Sequence[str]) -> list[str]:
    """Targets and inputs, sample by sample; a baseline may keep no inputs."""
    if sides[0][1].data_hash == sides[1][1].data_hash:
        return []
    found: list[dict[str, tuple[str, str]]] = []
    for run, cell in sides:
        where = {"task": cell.task, "variant": cell.variant}
        table = run.table("samples", ["sample", "target", "input"], where)
        names, targets, inputs = (table.column(i).to_pylist() for i in range(3))
        found.append(dict(zip(names, zip(targets, inputs, strict=True), strict=True)))
    left, right = found
    none = ("", "")
    other = 0
    for one in ids:
        (target, text), (new_target, new_text) = left.get(one, none), right.get(one, none)
        other += target != new_target or bool(text and new_text and text != new_text)
    what = "samples that both have differ in input or target"
    return [f"{other} of {len(ids)} {what}"] if other else []
