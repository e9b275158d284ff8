import subprocess
import sys

import pytest

from harness.collect.specs import ScoreSpec
from harness.errors import ModelError
from harness.records import Completion, Sample
from harness.scorers.base import ScorerContext
from harness.scorers.registry import make_scorer
from harness.scorers.similarity import truncated

SAMPLES = [
    Sample("1", "Which animal hunts mice?", "A cat hunts mice."),
    Sample("2", "What is the capital of France?", "Paris is the capital of France."),
    Sample("3", "Say a lot.", "word " * 400),
]
COMPLETIONS = [
    Completion("1", "Cats catch mice."),
    Completion("2", " "),
    Completion("3", "half a pair: \ud83d"),
]


class MemoryStore:
    def __init__(self):
        self.rows, self.puts = {}, 0

    def get(self, keys):
        return {key: self.rows[key] for key in keys if key in self.rows}

    def put(self, rows):
        self.rows.update(rows)
        self.puts += 1


@pytest.fixture(autouse=True)
def _empty_hub_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def scorer(metric, store=None, **spec):
    return make_scorer(ScoreSpec(metric=metric, **spec), ScorerContext(embedding_store=store))


def test_the_name_says_which_encoder_it_was_and_the_method_why():
    fallback = scorer("semantic_similarity")
    assert fallback.name == "semantic_similarity[minilm-l6]"
    assert "all-mpnet-base-v2 is not in the hub cache" in fallback.method
    asked = scorer("context_relevance", encoder="sentence-transformers/all-MiniLM-L6-v2")
    assert asked.name == "context_relevance[minilm-l6]"
    assert "not in the hub cache" not in asked.method


@pytest.mark.parametrize("name", ["all-mpnet-base-v2", "owner/other", "./missing"])
def test_a_named_encoder_that_is_not_here_is_an_error(name):
    with pytest.raises(ModelError, match=name):
        scorer("semantic_similarity", encoder=name)


def test_a_paraphrase_is_nearer_than_the_control_and_special_texts_are_explained():
    metric = scorer("semantic_similarity")
    near, empty, long = metric.score(SAMPLES, COMPLETIONS)
    assert near.value > 0.7 > 0.3 > near.control
    assert (empty.value, empty.status, empty.explanation) == (0.0, "ok", "empty answer")
    assert long.explanation == "reference truncated to 256 tokens"
    assert truncated([near, empty, long]) == 1
    assert metric.corpus([near, empty, long]) == pytest.approx((near.value + long.value) / 3)
    assert truncated(scorer("context_relevance").score(SAMPLES, COMPLETIONS)) == 0


def test_equal_texts_have_similarity_one_and_one_sample_has_no_control():
    score = scorer("semantic_similarity").score(SAMPLES[:1], [Completion("1", SAMPLES[0].target)])
    assert score[0].value == 1.0
    assert score[0].control is None


def test_a_second_run_reads_everything_from_the_store():
    store = MemoryStore()
    first = scorer("semantic_similarity", store).score(SAMPLES, COMPLETIONS)
    puts = store.puts
    assert scorer("semantic_similarity", store).score(SAMPLES, COMPLETIONS) == first
    assert store.puts == puts == 1


def test_a_fully_cached_run_imports_neither_torch_nor_sentence_transformers():
    code = """
import sys
from harness.collect.specs import ScoreSpec
from harness.records import Completion, Sample
from harness.scorers.base import ScorerContext
from harness.scorers.registry import make_scorer

class Full:
    def get(self, keys):
        return {key: bytes(4 + 4 * 384) for key in keys}

for metric in ("semantic_similarity", "context_relevance"):
    scorer = make_scorer(ScoreSpec(metric=metric), ScorerContext(embedding_store=Full()))
    scorer.score([Sample("1", "q", "t")], [Completion("1", "a")])
print(sorted({"torch", "transformers", "sentence_transformers"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
