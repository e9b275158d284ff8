"""Stored runs to the files of a report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from harness.leaderboard.charts import Chart
from harness.leaderboard.reference import ReferenceRow, reference_rows
from harness.leaderboard.report import latex, limits, markdown, master, setup_tables, speed
from harness.leaderboard.report.class_tables import Confused, class_tables, confused
from harness.leaderboard.report.evidence import Evidence, gather
from harness.leaderboard.report.examples import Examples, error_table, examples, examples_text
from harness.leaderboard.report.figures import figure_files, make_charts
from harness.leaderboard.report.paper import PaperTable, csv_text
from harness.leaderboard.report.studies import ERROR_STUDIES, STUDIES
from harness.leaderboard.report.study_tables import study_table
from harness.leaderboard.report.summary import Figure, figures_text, summary_text

T = TypeVar("T", PaperTable, Chart)


@dataclass(frozen=True)
class ReportOptions:
    """``words`` are runs and models as on the command line, all whole runs if there are none.

    ``reference`` puts reported numbers beside one's own. ``baseline`` is held against every other
    model, whatever their cards say. ``figures`` draws them, which takes longer than all else.
    """

    words: Sequence[str] = ()
    reference: bool = True
    baseline: str | None = None
    figures: bool = True


@dataclass(frozen=True)
class Material:
    """What all parts of a report are made of."""

    evidence: Evidence
    reported: Sequence[ReferenceRow]
    stages: Sequence[speed.Stage]
    degraded: Sequence[limits.Degraded]
    confused: Sequence[Confused]
    examples: Sequence[Examples]


def make_report(root: Path, options: ReportOptions) -> dict[str, bytes]:
    """The files of a report on runs below ``root``, by their paths in its folder.

    The same runs make the same bytes. Raises StoreError as
    ``harness.leaderboard.report.evidence.gather`` does.
    """
    evidence = gather(root, options.words, options.baseline)
    material = Material(
        evidence,
        reference_rows() if options.reference else [],
        speed.stages(evidence),
        limits.degraded(evidence),
        confused(evidence),
        examples(evidence),
    )
    tables = _named(list(make_tables(material)))
    drawn = make_charts(evidence, material.confused, material.stages, root)
    charts = _named(list(drawn) if options.figures else [])
    figures = [Figure(one.name, one.title, one.alt) for one in charts]
    texts: dict[str, str] = {}
    for table in tables:
        texts[f"tables/{table.name}.md"] = markdown.table_text(table)
        texts[f"tables/{table.name}.tex"] = latex.table_text(table)
        texts[f"tables/{table.name}.csv"] = csv_text(table)
    texts["SUMMARY.md"] = summary_text(evidence, tables, figures)
    texts["examples.md"] = examples_text(material.examples)
    if figures:
        texts["figures.md"] = figures_text(figures)
    texts["paper.tex"] = latex.paper_text(
        [table.name for table in tables], [(one.name, one.title, one.alt) for one in figures]
    )
    files = {name: text.encode("utf-8", "backslashreplace") for name, text in texts.items()}
    return {**files, **figure_files(charts)}


def make_tables(material: Material) -> Iterator[PaperTable]:
    """Every table that the runs can fill, the ones to read first first."""
    evidence, reported = material.evidence, material.reported
    yield master.master_table(evidence)
    yield from master.overview_tables(evidence)
    yield setup_tables.tasks_table(evidence)
    yield setup_tables.models_table(evidence)
    yield from _known(study_table(study, evidence, reported) for study in STUDIES)
    yield from class_tables(material.confused, reported)
    yield from _known(error_table(study, material.examples) for study in ERROR_STUDIES)
    found = [
        master.preference_table(evidence),
        limits.robustness_table(material.degraded),
        limits.robustness_by_class_table(material.degraded),
        limits.headroom_table(evidence),
        speed.latency_table(material.stages),
        speed.guidance_table(evidence, material.stages),
    ]
    yield from _known(found)
    yield master.metrics_table(evidence)


def _known(
    tables: Iterator[PaperTable | None] | Sequence[PaperTable | None],
) -> Iterator[PaperTable]:
    yield from (table for table in tables if table is not None)


def _named(found: Sequence[T]) -> list[T]:
    """Tables or charts under names that differ, also where a file system knows no capitals."""
    taken: set[str] = set()
    named = []
    for one in found:
        name, number = one.name, 2
        while name.casefold() in taken:
            name, number = f"{one.name}-{number}", number + 1
        taken.add(name.casefold())
        named.append(replace(one, name=name))
    return named
