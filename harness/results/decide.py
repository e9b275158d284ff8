"""Evidence to a ruling: PASS, FAIL or INCONCLUSIVE, and the reason in one line.

The rules and why they are so: docs/adr/0005-three-valued-gate.md.
"""

from __future__ import annotations

import math
from dataclasses import replace

from harness.results import power
from harness.results.evidence import Evidence
from harness.results.limits import Bounds
from harness.results.onesided import OneSided
from harness.results.render import number
from harness.results.rulings import ALPHA, Outcome, Ruling


def decide(found: Evidence, p_holm: float | None) -> Ruling:
    """The ruling on one demand; ``p_holm`` is its p value after Holm's correction."""
    ruling = _draft(found, p_holm)
    if found.error:
        return replace(ruling, outcome="ERROR", reason=found.error)
    if math.isnan(found.before or 0.0) or math.isnan(found.after or 0.0):
        return replace(ruling, outcome="ERROR", reason=f"{ruling.metric} is not a number")
    if found.said:
        return replace(ruling, outcome="PASS", reason=found.said)
    if found.demand.key == "max_drop":
        return _drop(found, ruling)
    return _ratio(found, ruling) if found.demand.key == "max_ratio" else _limit(found, ruling)


def _draft(found: Evidence, p_holm: float | None) -> Ruling:
    demand, spec = found.demand, found.demand.spec
    line = spec.words if demand.key == "limits" else f"{demand.key} {demand.limit:g}"
    if spec.rule == "point" and demand.key != "limits":
        line += ", rule: point"
    both = math.isfinite(_or_nan(found.before)) and math.isfinite(_or_nan(found.after))
    return Ruling(
        task=demand.task,
        variant=demand.variant,
        model=demand.model,
        metric=demand.metric or spec.metric,
        line=line,
        outcome="PASS",
        reason="",
        on_inconclusive=spec.on_inconclusive,
        cell=demand.cell,
        group=demand.group,
        baseline=demand.baseline,
        before=found.before,
        after=found.after,
        difference=(found.after or 0.0) - (found.before or 0.0) if both else None,
        p=found.p,
        p_holm=p_holm,
        n=found.n,
        worst=found.worst,
    )


# --------------------------------------------------------------------------- against a baseline


def _drop(found: Evidence, ruling: Ruling) -> Ruling:
    """Non-inferiority first: a drop that surely lies within the margin is allowed."""
    drop, margin = found.drop, found.demand.limit
    assert drop is not None
    low, high = (drop.low, drop.high) if found.upwards else (_minus(drop.high), _minus(drop.low))
    ruling = replace(ruling, low=low, high=high, method=drop.method)
    change = f"{number(ruling.before)} -> {number(ruling.after)}"
    if found.identical:
        return _with(ruling, "PASS", f"{change}: {found.identical}")
    if ruling.difference is not None:
        change += f" ({number(ruling.difference, sign=True)})"
    if found.demand.spec.rule == "point":
        kept = _reaches(drop.value, -margin, found)
        word = "is" if kept else "is not"
        said = f"{change} {word} within {margin:g}, chance not considered"
        return _with(ruling, "PASS" if kept else "FAIL", said)
    sure = _sure(ruling)
    if drop.low is not None and drop.low > -margin:
        return _with(ruling, "PASS", f"{change}, {sure}: a drop of {margin:g} is ruled out")
    if _shown(ruling.p_holm) and _lies_below(drop, found):
        return _with(ruling, "FAIL", f"{change}, {sure}: it is worse ({_p(ruling.p_holm)})")
    return _undecided(found, ruling, f"{change}, {sure}")


def _lies_below(drop: OneSided, found: Evidence) -> bool:
    """Whether the bound says as the p value does that the candidate is worse.

    The same difference in every pair has none but for what was not seen, and is still no chance:
    there what was seen must exceed the margin.
    """
    if drop.high is not None and drop.high < 0:
        return True
    exceeds = not _reaches(drop.value, -found.demand.limit, found)
    return exceeds and (drop.high is None or drop.spread == 0)


def _undecided(found: Evidence, ruling: Ruling, said: str) -> Ruling:
    """Neither shown: with how many samples it would be, were both models equal."""
    drop, margin = found.drop, found.demand.limit
    assert drop is not None
    said += f": neither worse nor within {margin:g} for sure"
    if margin == 0:
        return _with(ruling, "INCONCLUSIVE", f"{said}; max_drop 0 asks for a proven gain")
    needed = None
    if drop.discordant is not None:  # yes and no: of a few pairs one may not trust that none differ
        needed = power.required_n_pairs((drop.discordant + 2) / (drop.n + 2), margin)
    elif drop.spread:
        needed = power.required_n(drop.spread, margin, reach=drop.reach or 0.0)
    elif drop.spread == 0 and found.span:  # other answers with the very same scores
        needed = power.required_n_identical(margin, found.span)
    return _with_needed(found, ruling, said, needed, drop.clusters)


def _with_needed(
    found: Evidence, ruling: Ruling, said: str, needed: int | None, units: int
) -> Ruling:
    if needed is None:
        return _with(ruling, "INCONCLUSIVE", f"{said} (n = {found.n})")
    grouped = units < found.n
    noun = "clusters" if grouped else "samples"
    if needed <= units:
        said += f"; with {units} {noun} an equal model would mostly pass: it lies near the limit"
    else:
        said += f"; needs about {needed} {noun}, has {units}"
    samples = -(-needed * found.n // units) if grouped and units else needed
    return replace(_with(ruling, "INCONCLUSIVE", said), n_needed=samples)


def _ratio(found: Evidence, ruling: Ruling) -> Ruling:
    """A cost: PASS if it surely keeps to the limit, FAIL if it surely does not."""
    limit, ratio = found.demand.limit, found.ratio
    if math.isinf(found.before or 0.0) or math.isinf(found.after or 0.0):
        return _with(ruling, "ERROR", f"{ruling.metric} is infinite: there is no ratio")
    change = f"{number(ruling.before)} -> {number(ruling.after)}"
    seen = (ruling.after or 0.0) / ruling.before if ruling.before else None
    if seen is None:
        return _with(ruling, "INCONCLUSIVE", f"{change}: the baseline's is zero, there is no ratio")
    change += f" ({seen:.2f} x)"
    if ratio is None or found.demand.spec.rule == "point":
        kept = _reaches(-seen, -limit, found)
        said = f"{change} {'keeps to' if kept else 'exceeds'} {limit:g} x, chance not considered"
        return _with(ruling, "PASS" if kept else "FAIL", said)
    # without bounds, every resample has this very ratio
    ends = (ratio.value if end is None else end for end in (ratio.low, ratio.high))
    low, high = (end * limit if ratio.n > 1 else None for end in ends)
    ruling = replace(ruling, method=ratio.method)
    if high is not None and high <= limit:
        return _with(ruling, "PASS", f"{change}, surely at most {high:.2f} x of {limit:g} x")
    if low is not None and low > limit and _shown(ruling.p_holm):
        return _with(
            ruling, "FAIL", f"{change}, surely at least {low:.2f} x, more than {limit:g} x"
        )
    between = "unknown" if low is None or high is None else f"{low:.2f} to {high:.2f} x"
    return _with(ruling, "INCONCLUSIVE", f"{change}, 95 % {between}: {limit:g} x is not ruled out")


# --------------------------------------------------------------------------- against a number


def _limit(found: Evidence, ruling: Ruling) -> Ruling:
    """A floor or a ceiling: PASS if all of the interval keeps to it, FAIL if none of it does."""
    demand, bounds = found.demand, found.bounds
    value, limit = ruling.after, demand.limit
    floor = demand.key == "min"
    assert value is not None
    kept = _reaches(value, limit, found) if floor else _reaches(-value, -limit, found)
    if math.isinf(value):  # one answer is enough, and no other makes up for it
        word = "within" if kept else "beyond"
        return _with(ruling, "PASS" if kept else "FAIL", f"{number(value)} lies {word} {limit:g}")
    if bounds is None or demand.spec.rule == "point":
        word = ("reaches" if floor else "keeps to") if kept else ("misses" if floor else "exceeds")
        said = f"{number(value)} {word} {limit:g}, chance not considered"
        return _with(ruling, "PASS" if kept else "FAIL", said)
    ruling = replace(ruling, low=bounds.low, high=bounds.high, method=bounds.method)
    sure = _sure(ruling)
    near, far = (bounds.low, bounds.high) if floor else (bounds.high, bounds.low)
    if near is not None and (near >= limit if floor else near <= limit):
        return _with(ruling, "PASS", f"{number(value)}, {sure}")
    if far is not None and (far < limit if floor else far > limit) and _shown(ruling.p_holm):
        return _with(ruling, "FAIL", f"{number(value)}, {sure} ({_p(ruling.p_holm)})")
    said = f"{number(value)}, {sure}: {'below' if floor else 'above'} {limit:g} is not ruled out"
    needed = _limit_needs(bounds, value, limit)
    units = found.units
    if needed is not None and needed <= units:  # the limit lies within chance of the mean
        needed = None
    return _with_needed(found, ruling, said, needed, units)


def _limit_needs(bounds: Bounds, value: float, limit: float) -> int | None:
    """Units that would show that a mean as it is lies on its side of the limit."""
    margin = abs(value - limit)
    if bounds.share:
        return power.required_n_share(value, limit)
    if bounds.spread:
        return power.required_n(bounds.spread, margin, reach=bounds.reach or 0.0)
    return power.required_n_identical(margin, bounds.reach) if bounds.reach else None


def _reaches(value: float, limit: float, found: Evidence) -> bool:
    """Whether a value is at least the limit, but for what rounding does to it."""
    sizes = (1.0, limit, found.before or 0.0, found.after or 0.0)
    scale = max(abs(size) for size in sizes if math.isfinite(size))
    return value >= limit - 1e-12 * scale


# --------------------------------------------------------------------------- words


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _sure(ruling: Ruling) -> str:
    """The one-sided 95 % bounds: of a change with signs, of a mean without."""
    if ruling.low is None or ruling.high is None:
        return "no interval"
    sign = ruling.difference is not None
    return f"95 % {number(ruling.low, sign=sign)} to {number(ruling.high, sign=sign)}"


def _p(p: float | None) -> str:
    if p is None:
        return "p unknown"
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _shown(p: float | None) -> bool:
    return p is not None and p < ALPHA


def _with(ruling: Ruling, outcome: Outcome, reason: str) -> Ruling:
    return replace(ruling, outcome=outcome, reason=reason)


def _minus(end: float | None) -> float | None:
    return None if end is None else 0.0 - end
