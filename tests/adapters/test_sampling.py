"""Drawing one token from logits."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from harness.adapters.sampling import draw, generator
from harness.records import GenerateSettings, Request

LOGITS = [3.0, 1.0, 2.0, 0.0]


def request(**values) -> Request:
    return Request("r", "generate", "p", settings=GenerateSettings(**values), epoch=0)


def drawn(chance: float, **values) -> int:
    import torch

    return draw(torch.tensor([LOGITS]), [request(**values)], [chance])[0]


def test_greedy_requests_have_no_generator():
    assert generator(request(temperature=0.0), [1, 2]) is None


def test_frequencies_are_the_softmax_of_the_heated_logits():
    import torch

    grid = [(i + 0.5) / 20_000 for i in range(20_000)]
    tokens = draw(
        torch.tensor([LOGITS]).expand(20_000, -1), [request(temperature=2.0)] * 20_000, grid
    )
    expected = (torch.tensor(LOGITS) / 2).softmax(-1)
    for token in range(4):
        assert abs(tokens.count(token) / 20_000 - float(expected[token])) < 1e-3


def test_top_k_keeps_the_most_probable():
    assert {drawn(c / 50, temperature=5.0, top_k=2) for c in range(50)} == {0, 2}


def test_top_p_keeps_the_smallest_set_that_reaches_it():
    # probabilities .644 .237 .087 .032: .7 needs two
    assert {drawn(c / 50, temperature=1.0, top_p=0.7) for c in range(50)} == {0, 2}
    assert {drawn(c / 50, temperature=1.0, top_p=0.01) for c in range(50)} == {0}


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 1, exclude_max=True), st.floats(0.01, 1), st.integers(0, 6))
def test_every_draw_is_a_token_that_is_kept(chance, top_p, top_k):
    assert drawn(chance, temperature=1.0, top_p=top_p, top_k=top_k) in range(4)


def test_rows_with_their_own_settings_share_a_batch():
    import torch

    rows = [request(temperature=1.0, top_k=1), request(temperature=1.0)]
    assert draw(torch.tensor([LOGITS, LOGITS]), rows, [0.99, 0.999]) == [0, 3]


def test_seed_epoch_and_prompt_move_the_generator():
    base = generator(request(temperature=1.0), [1])
    for other, ids in (
        (request(temperature=1.0, seed=1), [1]),
        (Request("r", "generate", "p", settings=GenerateSettings(temperature=1.0), epoch=1), [1]),
        (request(temperature=1.0), [2]),
    ):
        assert base.random() != generator(other, ids).random()


@pytest.mark.parametrize("temperature", [float("inf"), float("nan"), -1.0])
def test_a_temperature_is_a_finite_number(temperature):
    with pytest.raises(ValidationError, match=r"finite number|greater than or equal to 0"):
        TypeAdapter(GenerateSettings).validate_python({"temperature": temperature})


def test_an_empty_stop_string_is_refused():
    with pytest.raises(ValidationError, match="at least 1 character"):
        TypeAdapter(GenerateSettings).validate_python({"stop": ["", "x"]})
    assert TypeAdapter(GenerateSettings).validate_python({"stop": ["x"]}).stop == ("x",)
