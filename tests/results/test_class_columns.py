"""A metric by the class that rows name."""

from __future__ import annotations

from harness.records import Sample
from harness.results.class_columns import by_class_column
from harness.results.store import read_run


def test_each_class_has_the_metric_of_its_samples(store, cell) -> None:
    names = ["fox", "owl", "fox", "owl", "fox"]
    samples = [Sample(f"q{n}", "?", "A", row={"class": one}) for n, one in enumerate(names)]
    run = read_run(store(cell(values={"choice": [1.0, 0.0, 0.0, None, 1.0]}, samples=samples)))
    (one,) = run.manifest.cells
    found = by_class_column(run, one, one.scorers[0])
    assert {label: (part.n, part.value) for label, part in found.items()} == {
        "fox": (3, 2 / 3),
        "owl": (1, 0.0),
    }


def test_rows_without_a_class_have_none(store, cell) -> None:
    run = read_run(store(cell(values={"choice": [1.0, 0.0]})))
    (one,) = run.manifest.cells
    assert by_class_column(run, one, one.scorers[0]) == {}
