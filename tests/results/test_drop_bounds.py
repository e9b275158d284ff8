"""The bound by which a gate lets numbers pass: what it adds for drops that no sample has shown."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.results.drop_bounds import numeric_bounds, reach, rules_out, tango_bounds


@given(st.integers(1, 400), st.data(), st.floats(0.001, 0.99))
def test_what_tangos_bound_rules_out_needs_no_search(
    n: int, data: st.DataObject, margin: float
) -> None:
    losses = data.draw(st.integers(0, n))
    wins = data.draw(st.integers(0, n - losses))
    low = tango_bounds(wins, losses, n, 0.05).low
    assert low is not None
    if abs(low + margin) > 1e-9:
        assert rules_out(wins, losses, n, margin, 0.05) == (low > -margin)


def test_a_handful_of_good_answers_does_not_rule_out_that_some_collapse() -> None:
    d = np.random.default_rng(0).normal(0, 0.02, 16)
    bare, known = (numeric_bounds(d, None, span, 0.05) for span in (None, 1.0))
    assert bare.low > -0.05  # as far as these 16 go
    assert known.low < -0.08  # a sixth of all may be otherwise, each by half of the range
    assert known.high == bare.high
    assert "low with a drop of 0.5 unseen" in known.method


def test_a_drop_that_was_seen_counts_in_full() -> None:
    d = np.append(np.random.default_rng(1).normal(0, 0.02, 99), -1.0)
    assert reach(d, None, 1.0) == 1.0
    assert numeric_bounds(d, None, 1.0, 0.05).low < -0.046  # as of one loss among 100


def test_one_sample_of_a_cluster_is_only_a_part_of_it() -> None:
    rng = np.random.default_rng(2)
    videos, d = np.repeat(np.arange(25), 4), rng.normal(0, 0.02, 100)
    assert reach(d, videos, 1.0) == pytest.approx(0.5 / 4)
    assert reach(d, videos, None) < 0.05
    alone, grouped = numeric_bounds(d, None, 1.0, 0.05), numeric_bounds(d, videos, 1.0, 0.05)
    assert grouped.low == pytest.approx(alone.low, abs=0.005)
