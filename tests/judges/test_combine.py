"""Many verdicts to one: repeats, panels, quorum, agreement."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.collect.judge_spec import JudgeSpec
from harness.judges.combine import combine, panel_alpha, panel_table, quorum
from harness.records import Verdict


def spec_of(*panel: str, **fields: object) -> JudgeSpec:
    known = {"judge": "j", "version": 1, "model": "a", "panel": panel, "template": "j.j2"}
    known["criteria"] = [{"name": "depth", "min": 1, "max": 5}, {"name": "sound", "kind": "yesno"}]
    known["scale"] = "mean"
    return JudgeSpec.model_validate({**known, **fields})


def said(
    model: str,
    depth: float,
    *flags: str,
    yes: float = 1,
    repeat: int = 0,
    total: float | None = None,
) -> Verdict:
    """Total and value follow the depth, unless a total is given."""
    total = depth if total is None else total
    numbers = {"criteria": {"depth": depth, "sound": yes}, "total": total, "value": (depth - 1) / 4}
    return Verdict("j", model, repeat, "ok", flags=flags, **numbers)


def failed(model: str, why: str = "no JSON", repeat: int = 0) -> Verdict:
    return Verdict("j", model, repeat, "error", error=why)


# --------------------------------------------------------------------------- repeats


def test_one_verdict_is_itself():
    one = combine(spec_of(), [said("a", 4, "reasked")])
    assert (one.value, one.total, one.criteria) == (0.75, 4.0, {"depth": 4.0, "sound": 1.0})
    assert (one.status, one.n, one.flags, one.error) == ("ok", 1, ("reasked",), None)
    assert (one.spread, one.disagreement) == (None, None)


def test_repeats_are_a_mean_and_a_spread():
    one = combine(spec_of(repeats=3), [said("a", n, repeat=n) for n in (1, 2, 3)])
    assert (one.total, one.value, one.n) == (2.0, 0.25, 3)
    assert one.spread == pytest.approx(0.25)  # of 0, 0.25, 0.5
    assert one.disagreement is None


def test_an_unreadable_repeat_is_left_out_and_flagged():
    one = combine(spec_of(repeats=2), [said("a", 5), failed("a", repeat=1)])
    assert (one.total, one.n, one.flags) == (5.0, 1, ("missing_repeat",))


def test_r2_no_readable_verdict_is_an_error_with_its_reason_and_no_number():
    one = combine(spec_of(), [failed("a", "no JSON")])
    assert (one.status, one.value, one.total, one.criteria) == ("error", None, None, {})
    assert one.error == "no verdict: no JSON"
    assert combine(spec_of(), []).status == "error"


def test_nothing_to_judge_is_skipped():
    one = combine(spec_of(), [Verdict("j", "a", 0, "skipped", error="no answer")])
    assert (one.status, one.value, one.error) == ("skipped", None, "no answer")


def test_verdicts_of_another_judge_are_refused():
    with pytest.raises(ValueError, match="other"):
        combine(spec_of(), [Verdict("other", "a", 0, "error", error="x")])


# --------------------------------------------------------------------------- panels


@pytest.mark.parametrize(
    ("aggregate", "expected"), [("mean", 10 / 3), ("median", 4.0), ("majority", 4.0)]
)
def test_r11_a_panel_is_a_mean_a_median_or_a_majority(aggregate, expected):
    spec = spec_of("b", "c", aggregate=aggregate)
    one = combine(spec, [said("a", 4), said("b", 4), said("c", 2)])
    assert one.total == pytest.approx(expected)
    assert one.criteria["depth"] == pytest.approx(expected)
    assert one.value == pytest.approx((expected - 1) / 4)
    assert one.disagreement == pytest.approx(0.5)
    assert one.n == 3
    assert "tie" not in one.flags


def test_r11_each_judge_of_a_panel_counts_once_however_often_it_was_asked():
    verdicts = [said("a", 5, repeat=n) for n in range(9)] + [said("b", 1)]
    assert combine(spec_of("b"), verdicts).total == 3.0


def test_r11_repeats_do_not_see_the_disagreement_of_the_panel():
    verdicts = [
        said(model, depth, repeat=n) for model, depth in (("a", 5), ("b", 1)) for n in (0, 1)
    ]
    one = combine(spec_of("b", repeats=2), verdicts)
    assert (one.spread, one.disagreement) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("votes", "expected", "tie"), [((1, 1, 0), 1.0, False), ((0, 0, 1), 0.0, False)]
)
def test_r11_yes_and_no_go_by_the_majority(votes, expected, tie):
    verdicts = [said(model, 3, yes=vote) for model, vote in zip("abc", votes, strict=True)]
    one = combine(spec_of("b", "c"), verdicts)
    assert (one.criteria["sound"], "tie" in one.flags) == (expected, tie)


def test_r11_a_tie_is_called_a_tie():
    one = combine(spec_of("b"), [said("a", 3, yes=1), said("b", 3, yes=0)])
    assert (one.criteria["sound"], one.flags) == (0.5, ("tie",))
    two = combine(spec_of("b", aggregate="majority"), [said("a", 2), said("b", 4)])
    assert (two.total, two.flags) == (3.0, ("tie",))


def test_r11_a_judge_that_is_of_two_minds_has_no_vote():
    torn = [said("a", 3, yes=1), said("a", 3, yes=0, repeat=1)]
    assert combine(spec_of("b", repeats=2), [*torn, said("b", 3, yes=0)]).criteria["sound"] == 0.0
    assert combine(spec_of(repeats=2), torn).flags == ("tie",)


def test_r11_quorum_is_more_than_half_unless_the_spec_says_how_many():
    assert [quorum(spec_of(*names)) for names in ("", "b", "bc", "bcd")] == [1, 2, 2, 3]
    assert quorum(spec_of("b", "c", quorum=1)) == 1
    assert quorum(spec_of("b", quorum=5)) == 2  # all of them


@pytest.mark.parametrize(("wanted", "status"), [(None, "ok"), (2, "ok"), (3, "error")])
def test_r11_one_dead_judge_counts_against_the_quorum(wanted, status):
    verdicts = [said("a", 4), failed("b", "HTTP 500"), said("c", 2)]
    one = combine(spec_of("b", "c", quorum=wanted), verdicts)
    assert one.status == status
    if status == "ok":
        assert (one.total, one.n, one.flags) == (3.0, 2, ("missing_judge",))
    else:
        assert one.total is None
        assert one.error == "2 of 3 judges, quorum 3: HTTP 500"


def test_flags_of_the_verdicts_are_kept_each_once():
    verdicts = [said("a", 3, "inconsistent", "weighted"), said("b", 3, "weighted")]
    assert combine(spec_of("b"), verdicts).flags == ("inconsistent", "weighted")


DEPTHS = st.lists(st.integers(1, 5), min_size=3, max_size=3)


@given(DEPTHS, st.sampled_from(["mean", "median", "majority"]), st.permutations("abc"))
def test_a_panel_stays_within_what_its_members_said_in_whatever_order(depths, aggregate, order):
    spec = spec_of("b", "c", aggregate=aggregate)
    verdicts = {m: said(m, depth) for m, depth in zip("abc", depths, strict=True)}
    one = combine(spec, list(verdicts.values()))
    assert min(depths) - 1e-9 <= one.total <= max(depths) + 1e-9
    assert combine(spec, [verdicts[m] for m in order]).total == pytest.approx(one.total)
    assert one.value == pytest.approx((one.total - 1) / 4)


# --------------------------------------------------------------------------- Krippendorff

_ = None
# the worked examples of Krippendorff 2011, sections A, B and C; one column an observer
BINARY = list(zip([0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0], strict=True))
NAMES = [
    ("aabbdcccedda".index(a), "aabbdcccedda".index(b))
    for a, b in zip("aabbdcccedda", "babbbccceddd", strict=True)
]
FOUR = list(
    zip(
        [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
        [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
        strict=True,
    )
)


@pytest.mark.parametrize(
    ("table", "level", "expected"),
    [
        (BINARY, "nominal", 0.095),
        (NAMES, "nominal", 0.692),
        (FOUR, "nominal", 0.743),
        (FOUR, "ordinal", 0.815),
        (FOUR, "interval", 0.849),
    ],
)
def test_r11_alpha_is_krippendorffs_2011(table, level, expected):
    assert panel_alpha(table, level) == pytest.approx(expected, abs=5e-4)


def test_r11_alpha_of_perfect_agreement_is_one_and_of_contradiction_below_zero():
    assert panel_alpha([[1, 1], [5, 5], [3, 3]]) == 1.0
    worst = panel_alpha([[1, 5], [5, 1]] * 10)
    assert worst is not None
    assert worst < 0


@pytest.mark.parametrize("table", [[], [[1], [2]], [[3, 3], [3, 3]], [[1, None], [None, 2]]])
def test_r11_alpha_is_unknown_where_nothing_can_be_compared(table):
    assert panel_alpha(table) is None


def test_r11_the_table_of_a_panel_has_a_column_a_judge_and_holes_for_the_dead():
    groups = [
        [said("a", 1), said("a", 3, repeat=1), said("b", 5)],
        [failed("a"), said("b", 3)],
    ]
    assert panel_table(groups) == [[0.25, 1.0], [None, 0.5]]
