import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from harness.adapters.encoder import find_encoder
from harness.collect.specs import ScoreSpec
from harness.errors import ModelError
from harness.records import Completion, Sample
from harness.scorers.base import ScorerContext
from harness.scorers.bertscore import ROW, match_pairs
from harness.scorers.registry import make_scorer

ENCODER = find_encoder("minilm-l6")
PAIRS = [
    ("A camera watches the gate.", "The gate is watched by a camera."),
    ("Bananas are yellow", "The gate is watched by a camera."),
    ("one", "one two three four five six"),
]


class MemoryStore(dict):
    def get(self, keys):
        return {key: self[key] for key in keys if key in self}

    def put(self, rows):
        self.update(rows)


def scorer(store=None, **spec):
    spec = ScoreSpec(metric="bertscore_f1", encoder="minilm-l6", **spec)
    return make_scorer(spec, ScorerContext(embedding_store=store))


def scored(pairs, **options):
    samples = [Sample(str(i), "q", target) for i, (_, target) in enumerate(pairs)]
    completions = [Completion(str(i), answer) for i, (answer, _) in enumerate(pairs)]
    return scorer(**options).score(samples, completions)


def slowly(answer, reference, layer):
    """The formula of the paper, a token at a time, one text in a batch."""
    tokenizer = AutoTokenizer.from_pretrained(ENCODER.folder)
    model = AutoModel.from_pretrained(ENCODER.folder, dtype=torch.float32).eval()

    def tokens(text):
        with torch.inference_mode():
            out = model(**tokenizer(text, return_tensors="pt"), output_hidden_states=True)
        return [v / np.linalg.norm(v) for v in out.hidden_states[layer][0][1:-1].numpy()]

    mine, theirs = tokens(answer), tokens(reference)
    precision = sum(max(float(a @ b) for b in theirs) for a in mine) / len(mine)
    recall = sum(max(float(a @ b) for a in mine) for b in theirs) / len(theirs)
    return precision, recall


@pytest.mark.parametrize("layer", [None, 2])
def test_equal_to_the_formula(layer):
    for score, pair in zip(scored(PAIRS, layer=layer), PAIRS, strict=True):
        precision, recall = slowly(*pair, 6 if layer is None else layer)
        assert score.detail[:2] == pytest.approx((precision, recall), abs=1e-5)
        assert score.value == pytest.approx(2 * precision * recall / (precision + recall), abs=1e-5)


def test_equal_texts_have_one_and_a_paraphrase_is_above_its_control():
    (same,) = scored([("a b", "a b")])
    assert same.value == pytest.approx(1, abs=1e-5)
    assert same.control is None
    paraphrase, unrelated, _ = scored(PAIRS)
    assert paraphrase.value > unrelated.value
    assert paraphrase.value > paraphrase.control


def test_names_tell_encoder_and_layer():
    assert scorer().name == "bertscore_f1[minilm-l6]"
    assert scorer(layer=4).name == "bertscore_f1[minilm-l6,layer=4]"
    with pytest.raises(ModelError, match="6 layers, not 7"):
        scorer(layer=7)


def test_empty_and_long_answers_are_explained():
    empty, long = scored([("", "a"), ("word " * 600, "b")])
    assert (empty.value, empty.status, empty.explanation) == (0.0, "ok", "empty answer")
    assert long.explanation == "text truncated to 512 tokens"
    assert long.detail[2] == 1.0


def test_swapping_the_texts_swaps_precision_and_recall():
    one, other = ("A cat sat.", "Dogs run in the park.")
    found = match_pairs([(one, other), (other, one)], ENCODER, 6)
    there, back = found[one, other], found[other, one]
    assert (there.precision, there.recall) == pytest.approx((back.recall, back.precision))


def test_a_second_run_computes_nothing(monkeypatch):
    store = MemoryStore()
    first = scored(PAIRS, store=store)
    assert {len(row) for row in store.values()} == {ROW.size}
    poisoned = MemoryStore({key: ROW.pack(0.5, 0.5, 0) for key in store})
    assert {score.value for score in scored(PAIRS, store=poisoned)} == {0.5}
    assert scored(PAIRS, store=store) == first
