"""Benjamini and Hochberg's own list, statsmodels, and properties."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from harness.results.multiple import benjamini_hochberg, holm

BH_1995 = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.324]
BH_1995 += [0.4262, 0.5719, 0.6528, 0.759, 1.0]
CHANCES = st.lists(st.floats(0, 1), max_size=20)


def test_list_of_benjamini_and_hochberg() -> None:
    adjusted = benjamini_hochberg(BH_1995)
    expected = [0.0015, 0.003, 0.0095, 0.035625, 0.0603, 0.06385714, 0.06385714, 0.0645, 0.0765]
    assert adjusted[:10] == pytest.approx([*expected, 0.486])
    assert sum(p < 0.05 for p in adjusted) == 4


def test_holm_of_the_same_list() -> None:
    adjusted = holm(BH_1995)
    expected = [0.0015, 0.0056, 0.0247, 0.114, 0.2211, 0.278, 0.278, 0.278, 0.3213, 1.0]
    assert adjusted[:10] == pytest.approx(expected)
    assert sum(p < 0.05 for p in adjusted) == 3


@given(CHANCES.filter(bool))
def test_both_are_those_of_statsmodels(p: list[float]) -> None:
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-12)
    assert benjamini_hochberg(p) == pytest.approx(multipletests(p, method="fdr_bh")[1], abs=1e-12)


@given(CHANCES, st.randoms(use_true_random=False))
def test_adjusted_p_keep_their_order_and_never_fall(p: list[float], random) -> None:
    for adjust in (holm, benjamini_hochberg):
        adjusted = adjust(p)
        assert all(raw - 1e-15 <= one <= 1 for raw, one in zip(p, adjusted, strict=True))
        ranked = [one for _, one in sorted(zip(p, adjusted, strict=True))]
        assert ranked == sorted(ranked)
        places = list(range(len(p)))
        random.shuffle(places)
        assert adjust([p[i] for i in places]) == [adjusted[i] for i in places]
    assert all(bh <= h + 1e-15 for bh, h in zip(benjamini_hochberg(p), holm(p), strict=True))


@pytest.mark.parametrize("bad", [-0.1, 1.1, float("nan")])
def test_what_is_no_p_value_is_refused(bad: float) -> None:
    for adjust in (holm, benjamini_hochberg):
        with pytest.raises(ValueError, match="outside 0 to 1"):
            adjust([0.5, bad])
