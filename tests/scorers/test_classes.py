import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, f1_score

from harness.records import Sample, Score
from harness.scorers.choice import Confusion
from harness.scorers.classes import balanced_accuracy, class_confusion, label_confusion, macro_f1

PAIRS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abcd")), min_size=1)


@given(PAIRS)
def test_balanced_numbers_agree_with_scikit_learn(pairs):
    truth, said = zip(*pairs, strict=True)
    scores = [Score(float(a == b), answer=b) for a, b in pairs]
    table = label_confusion(truth, scores)
    present = sorted({*truth, *said})
    assert macro_f1(table) == pytest.approx(
        f1_score(truth, said, labels=present, average="macro", zero_division=0)
    )
    known = [(a, b if b in truth else "other") for a, b in pairs]
    by_hand = [
        sum(a == b for a, b in known if a == one) / truth.count(one) for one in sorted(set(truth))
    ]
    assert balanced_accuracy(table) == pytest.approx(sum(by_hand) / len(by_hand))
    if set(said) <= set(truth) and len(set(truth)) > 1:  # scikit-learn warns of one class
        assert balanced_accuracy(table) == pytest.approx(balanced_accuracy_score(truth, said))


def test_a_rare_class_counts_as_much_as_a_common_one():
    truth = ["normal"] * 8 + ["arson"] * 2
    scores = [Score(float(one == "normal"), answer="normal") for one in truth]
    table = label_confusion(truth, scores)
    assert balanced_accuracy(table) == 0.5
    assert macro_f1(table) == pytest.approx((16 / 18 + 0) / 2)


def test_unreadable_answers_and_failures():
    scores = [Score(0.0), Score(None, "error"), Score(1.0, answer="b"), Score(1.0, answer="b")]
    table = label_confusion(["a", "a", "b", None], scores)
    assert table == Confusion(("a", "b"), ((0, 0, 1), (0, 1, 0)), 2)
    assert balanced_accuracy(table) == 0.5


def test_an_empty_table_has_no_numbers():
    table = label_confusion([], [])
    assert (balanced_accuracy(table), macro_f1(table)) == (None, None)


def test_classes_of_metrics():
    letter = Sample("1", "q", "A", choices=("fire", "theft"))
    scores = [Score(0.0, answer="B")]
    assert class_confusion("choice", [letter], scores).labels == ("A", "B")
    assert class_confusion("circular", [letter], scores, "text").labels == ("fire", "theft")
    yes = Sample("1", "q", "yes")
    table = class_confusion("pope", [yes], [Score(0.0, answer="no")])
    assert (table.labels, table.counts) == (("no", "yes"), ((0, 0, 0), (1, 0, 0)))
    assert class_confusion("rouge_l", [yes], [Score(0.2)]) is None
