import pytest

from harness.collect import specs
from harness.collect.specs import ScoreSpec
from harness.errors import HarnessError
from harness.records import Completion, Sample
from harness.scorers.base import ScorerContext
from harness.scorers.registry import OUTPUT_TYPES, SCORERS, make_scorer


def test_collection_knows_the_same_metrics():
    assert set(specs.METRICS) == set(SCORERS)
    assert set(OUTPUT_TYPES) <= set(SCORERS)


@pytest.mark.parametrize("metric", SCORERS)
def test_every_metric_can_be_made_and_keeps_failures(metric):
    output_type = OUTPUT_TYPES.get(metric, ("generate",))[0]
    scorer = make_scorer(
        ScoreSpec(metric=metric, pattern="x"), ScorerContext(output_type=output_type)
    )
    assert scorer.name.startswith(metric)
    assert scorer.version >= 1
    assert scorer.method
    assert scorer.higher_is_better == (metric not in {"perplexity", "token_count"})
    yes_no = {"exact_match", "includes", "regex", "choice", "choice_norm", "format"}
    yes_no |= {"gqa_accuracy", "pope", "circular", "exercise_identification"}
    assert (scorer.scale.kind == "proportion") == (metric in yes_no)
    assert scorer.scale.low is not None
    assert scorer.scale.neutral == (metric == "token_count")
    failed = Completion("1", finish_reason="error", error="out of memory")
    sample = Sample("1", "q", "A", choices=("x", "y"))
    scores = scorer.score([sample, sample], [failed, failed])
    assert [(s.value, s.status, s.explanation) for s in scores] == [
        (None, "error", "out of memory")
    ] * 2
    assert scorer.corpus(scores) is None
    assert scorer.score([], []) == []


def test_a_misspelt_metric():
    with pytest.raises(HarnessError, match="did you mean 'rouge_l'"):
        make_scorer(ScoreSpec(metric="rouge_L"), ScorerContext())


def test_a_metric_that_the_output_cannot_give():
    with pytest.raises(HarnessError, match="'perplexity' needs output_type perplexity"):
        make_scorer(ScoreSpec(metric="perplexity"), ScorerContext())
    with pytest.raises(HarnessError, match="'rouge_l' needs output_type generate"):
        make_scorer(ScoreSpec(metric="rouge_l"), ScorerContext(output_type="choices"))
