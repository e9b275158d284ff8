"""What the reference studies reported, as it lies in the library."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from harness.collect.library import library_root
from harness.errors import StoreError
from harness.leaderboard.reference import FOLDER, REPORTED, reference_rows
from harness.leaderboard.report.studies import CLASS_STUDIES, STUDIES
from harness.leaderboard.report.study_tables import matching

ROOT = Path(__file__).resolve().parents[2]
WITHOUT_A_TABLE = {"equations", "retrieval", "quantization"}


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "build_reference", ROOT / "tools" / "build_reference.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_committed_files_are_what_the_tool_writes(tool: ModuleType, tmp_path: Path) -> None:
    written = tool.build(tmp_path / "one")
    again = tool.build(tmp_path / "two")
    assert [file.read_bytes() for file in written] == [file.read_bytes() for file in again]
    committed = library_root() / FOLDER
    assert {file.name for file in committed.glob("*.parquet")} == {file.name for file in written}
    # the version of pyarrow stands in a file's bytes, not in its rows
    assert reference_rows(committed) == reference_rows(tmp_path / "one")


def test_every_number_says_that_it_was_not_measured_here() -> None:
    rows = reference_rows()
    assert len(rows) > 100
    assert {row.study for row in rows} == {"A", "B", "C", "D"}
    assert all(row.note.startswith(REPORTED) for row in rows)


def test_numbers_of_the_studies() -> None:
    rows = {(r.study, r.model, r.metric, r.variant, r.label): r for r in reference_rows()}
    tuned = "Researcher-Llama-3.2-3B"
    assert rows["A", tuned, "vad_rubric.accuracy", "", None].value == 26.8
    assert rows["B", "1b_lora", "instruction_quality.delta", "", None].value == -0.45
    assert rows["C", "Qwen2.5-3B", "perplexity", "", None].value == 11.9
    assert rows["D", "LLaMA-VID 7B", "choice", "fps=6", "Arson"].value == 43.0
    found = rows["D", "LLaMA-VID 7B, fine-tuned", "video_match", "fps=6", None]
    assert (found.value, found.n) == (2.66, 812)


def test_every_number_stands_in_a_column_of_its_table_and_in_its_unit() -> None:
    rows = reference_rows()
    placed = {id(row) for row in rows if row.table in WITHOUT_A_TABLE}
    placed |= {id(r) for r in rows for one in CLASS_STUDIES if r.table == one.name and r.label}
    for study in STUDIES:
        for column in study.columns:
            for row in matching(study, column, rows).values():
                placed.add(id(row))
                percent = column.times == 100 or column.show == "retention"
                assert (row.unit == "%") is percent, row
    assert not [row for row in rows if id(row) not in placed]


def test_a_file_of_something_else_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"not parquet")
    with pytest.raises(StoreError, match=r"x\.parquet: cannot be read"):
        reference_rows(tmp_path)


def test_other_columns_are_told_in_one_line(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"study": ["A"]}), tmp_path / "x.parquet")
    with pytest.raises(StoreError, match=r"x\.parquet: is damaged: its columns are not study"):
        reference_rows(tmp_path)
