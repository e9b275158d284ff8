"""`--classes` on crimes as the reference study has them: base and tuned, side by side."""

from __future__ import annotations

from pathlib import Path

import pytest
from reportruns import Cell, store

from harness.records import Sample
from harness.results.class_report import class_report
from harness.results.classes import classed, sample_classes
from harness.results.render import FORMATS, render
from harness.results.run import ScorerInfo
from harness.results.store import RunReader, read_run

CLASSES = ("Arson", "Fighting", "Normal")
TARGETS = ["Arson"] * 4 + ["Fighting"] * 4 + ["Normal"] * 12
BLIND = ["Normal"] * 20
SEEING = ["Arson"] * 3 + ["Fighting"] * 5 + ["Normal"] * 12


@pytest.fixture
def crimes(tmp_path: Path) -> RunReader:
    cells = [
        Cell("crime", name, choices=CLASSES, targets=TARGETS, answers=answers)
        for name, answers in (("base", BLIND), ("tuned", SEEING))
    ]
    return read_run(store(tmp_path, *cells))


def test_classes_stand_side_by_side(crimes: RunReader) -> None:
    report = class_report(crimes, crimes.manifest.cells)
    assert report.tables[0].columns == ["class", "n", "base", "tuned"]
    assert report.tables[0].rows == [
        ["Arson", "4", "0.000", "0.750"],
        ["Fighting", "4", "0.000", "1.000"],
        ["Normal", "12", "1.000", "1.000"],
    ]


def test_accuracy_flatters_whoever_says_normal(crimes: RunReader) -> None:
    base, tuned = class_report(crimes, crimes.manifest.cells).records["summary"]
    assert (base["accuracy"], base["balanced_accuracy"]) == (0.6, pytest.approx(1 / 3))
    assert base["macro_f1"] == pytest.approx(0.25)  # (0 + 0 + 0.75) / 3
    assert (base["normal_accuracy"], base["normal_balanced"]) == (0.6, 0.5)
    assert (tuned["accuracy"], tuned["normal_accuracy"]) == (0.95, 1.0)
    assert base["rho"] is None  # no project, no training samples


def test_what_the_accuracy_of_a_class_is_stands_below(crimes: RunReader) -> None:
    report = class_report(crimes, crimes.manifest.cells)
    table = next(one for one in report.tables if one.title == "crime: base, by class")
    assert list(table.rows[0])[:5] == ["Arson", "4", "0.800", "-", "0.000"]
    assert any(
        note.startswith("accuracy of a class: one against the rest") for note in report.notes
    )


def test_matrices_and_mix_ups(crimes: RunReader) -> None:
    report = class_report(crimes, crimes.manifest.cells)
    titles = [table.title for table in report.tables]
    assert "crime: base, anomaly against normal, target (row) and answer (column)" in titles
    pairs = [
        (r["model"], r["truth"], r["answer"], r["count"], r["share"])
        for r in report.records["confused"]
    ]
    assert pairs == [
        ("base", "Arson", "Normal", 4, 1.0),
        ("base", "Fighting", "Normal", 4, 1.0),
        ("tuned", "Arson", "Fighting", 1, 0.25),
    ]
    cells = report.records["confusion"]
    assert sum(row["count"] for row in cells if row["model"] == "tuned") == 20


def test_in_one_order_letters_are_classes_and_no_preference_is_claimed(crimes: RunReader) -> None:
    report = class_report(crimes, crimes.manifest.cells)
    assert "positions" not in report.records
    assert not any("each letter" in table.title for table in report.tables)
    assert any("a preference for a place was not tested" in note for note in report.notes)


def animals(store_runs, cell, classes: list[str]) -> RunReader:
    """Other choices for each sample; its class is told by its row, if by anything."""
    samples = [
        Sample(f"q{n}", "?", "A", (name, "stone"), row={"class": kind} if kind else {})
        for n, (name, kind) in enumerate(zip(("fox", "owl", "elk"), classes, strict=True))
    ]
    values = {"choice": [1.0, 0.0, 1.0]}
    return read_run(store_runs(cell(values=values, samples=samples)))


@pytest.fixture
def store_runs(tmp_path: Path, make_run):
    from harness.results.store import write_run

    return lambda one: write_run(tmp_path, make_run(one.build()))


def test_letters_of_choices_that_differ_are_no_classes(store_runs, cell) -> None:
    run = animals(store_runs, cell, ["", "", ""])
    report = class_report(run, run.manifest.cells)
    assert not any("class" in table.title for table in report.tables)
    assert "classes" not in report.records or report.records["classes"] == []
    assert report.notes[0] == (
        "capitals: its choices differ by sample, so letters are positions, not classes."
    )


def test_rows_with_a_class_give_the_accuracy_by_it(store_runs, cell) -> None:
    run = animals(store_runs, cell, ["mammal", "bird", "mammal"])
    report = class_report(run, run.manifest.cells)
    table = report.tables[0]
    assert table.title == "capitals, choice by the class that the rows name"
    assert [list(row) for row in table.rows] == [["bird", "1", "0.000"], ["mammal", "2", "1.000"]]
    assert [row["value"] for row in report.records["by_class"]] == [0.0, 1.0]


def test_many_models_have_numbers_for_columns(tmp_path: Path) -> None:
    cells = [
        Cell(
            "crime",
            "a-model-with-a-name",
            variant=f"fps={n}",
            choices=CLASSES,
            targets=TARGETS,
            answers=BLIND,
        )
        for n in range(6)
    ]
    run = read_run(store(tmp_path, *cells))
    report = class_report(run, run.manifest.cells)
    assert report.tables[0].columns == ["class", "n", "1", "2", "3", "4", "5", "6"]
    assert report.tables[1].rows[5][0] == "6 a-model-with-a-name [fps=5]"


def test_every_format(crimes: RunReader) -> None:
    report = class_report(crimes, crimes.manifest.cells)
    for form in FORMATS:
        assert "Fighting" in render(report, form)


def test_of_metrics_that_read_the_choice_the_first_is_shown(crimes: RunReader) -> None:
    (cell, _) = crimes.manifest.cells
    infos = [ScorerInfo(name) for name in ("f1", "choice_norm", "choice", "pope")]
    many = type(cell)(**{n: getattr(cell, n) for n in cell.__slots__} | {"scorers": tuple(infos)})
    assert [one.name for one in classed(many)] == ["choice_norm", "pope"]


def test_a_task_without_classes_says_so(tmp_path: Path) -> None:
    run = read_run(store(tmp_path, Cell("text", "m", {"f1": [0.1, 0.2]})))
    report = class_report(run, run.manifest.cells)
    assert (list(report.tables), report.records) == ([], {"classes": []})
    assert report.notes == ["No metric of this choice has classes for answers."]


def test_the_class_of_a_sample_is_a_column_or_its_target(
    crimes: RunReader, tmp_path: Path, cell, make_run
) -> None:
    assert set(sample_classes(crimes, crimes.manifest.cells[0]).values()) == set(CLASSES)
    from harness.results.store import write_run

    samples = [Sample("a", "?", "x", row={"class": "deer"}), Sample("b", "?", "x", row={})]
    built = cell(values={"f1": [0.1, 0.2]}, samples=samples).build()
    run = read_run(write_run(tmp_path / "more", make_run(built)))
    assert sample_classes(run, run.manifest.cells[0]) == {"a": "deer", "b": "(none)"}
