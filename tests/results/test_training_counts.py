from __future__ import annotations

import pytest

from harness.records import Sample
from harness.results.training_counts import class_counts

CHOICES = ("Arson", "Normal")


def test_classes_are_the_words_of_the_targets() -> None:
    samples = [Sample(f"q{n}", "?", t, CHOICES) for n, t in enumerate(["A", "b", "B"])]
    assert class_counts(samples, "choice") == {"Arson": 1, "Normal": 2}
    assert class_counts([Sample("q", "?", "yes")], "pope") == {"yes": 1}


@pytest.mark.parametrize("metric", ["exercise_identification"])
def test_exercises_are_counted_by_their_label(metric: str) -> None:
    names = ["squats", "Squats", "lunges", None]
    samples = [Sample(f"q{n}", "?", "", row={"exercise": one}) for n, one in enumerate(names)]
    assert class_counts(samples, metric) == {"squats": 2, "lunges": 1}
