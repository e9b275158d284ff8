import math

import pytest

from harness.collect.specs import ScoreSpec
from harness.records import Completion, Sample
from harness.scorers.base import ScorerContext
from harness.scorers.registry import make_scorer

PERPLEXITY = make_scorer(ScoreSpec(metric="perplexity"), ScorerContext(output_type="perplexity"))
SAMPLE = Sample("1", "q", "some words")


def scored(*answers):
    completions = [
        Completion("1", finish_reason="scored", logprobs=(logprob,), logprob_tokens=(tokens,))
        for logprob, tokens in answers
    ]
    return PERPLEXITY.score([SAMPLE] * len(completions), completions)


def test_long_targets_weigh_more():
    scores = scored((-2 * math.log(2), 2), (-6 * math.log(4), 6))
    assert [s.value for s in scores] == pytest.approx([2, 4])
    assert PERPLEXITY.corpus(scores) == pytest.approx(2 ** ((2 + 12) / 8))
    assert not PERPLEXITY.higher_is_better


@pytest.mark.parametrize(
    ("logprob", "tokens", "why"),
    [
        (math.nan, 3, "nan"),
        (-math.inf, 3, "-inf"),
        (-1.0, 0, "no tokens"),
        (-1e6, 1, "too large"),
    ],
)
def test_what_cannot_be_computed_is_an_error_of_the_sample(logprob, tokens, why):
    bad, good = scored((logprob, tokens), (-1.0, 1))
    assert (bad.value, bad.status) == (None, "error")
    assert why in bad.explanation
    assert PERPLEXITY.corpus([bad, good]) == pytest.approx(math.e)
    assert PERPLEXITY.corpus([bad]) is None


def test_no_log_probability_is_an_error():
    assert PERPLEXITY.score([SAMPLE], [Completion("1")])[0].status == "error"
