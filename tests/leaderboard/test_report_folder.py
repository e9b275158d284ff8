"""The folder of a report: whole, replaced by the next, and never a stranger's."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import StoreError
from harness.leaderboard.report.folder import check_target, write_folder


def files(folder: Path) -> set[str]:
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {name for name in found if not name.startswith(".")}


def test_a_report_replaces_the_one_before(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "report"
    write_folder(target, {"SUMMARY.md": b"old", "tables/gone.md": b"old"})
    write_folder(target, {"SUMMARY.md": b"new"})
    assert files(target) == {"SUMMARY.md"}
    assert (target / "SUMMARY.md").read_bytes() == b"new"
    assert [path.name for path in target.parent.iterdir()] == ["report"]


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    write_folder(tmp_path / "report", {"SUMMARY.md": b"new"})
    assert files(tmp_path / "report") == {"SUMMARY.md"}


def test_a_folder_that_no_report_wrote_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years")
    with pytest.raises(StoreError, match="is not empty and holds no report"):
        write_folder(tmp_path, {"SUMMARY.md": b"new"})
    assert files(tmp_path) == {"thesis.tex"}


def test_what_somebody_put_into_a_report_is_not_lost(tmp_path: Path) -> None:
    target = tmp_path / "report"
    write_folder(target, {"SUMMARY.md": b"old"})
    (target / "notes.md").write_text("mine")
    with pytest.raises(StoreError, match=r"notes\.md was not written by a report"):
        write_folder(target, {"SUMMARY.md": b"new"})
    assert (target / "SUMMARY.md").read_bytes() == b"old"


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "report").write_text("x")
    with pytest.raises(StoreError, match="is not a folder"):
        check_target(tmp_path / "report")


def test_the_present_folder_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match="must not be the present one"):
        check_target(Path("."))


def test_what_cannot_be_written_leaves_the_old_report(tmp_path: Path) -> None:
    target = tmp_path / "report"
    write_folder(target, {"SUMMARY.md": b"old"})
    with pytest.raises(StoreError, match="cannot write the report to"):
        # a file where a folder is wanted, as a full disk would stop it half way
        write_folder(target, {"SUMMARY.md": b"new", "a": b"", "a/b": b""})
    assert (target / "SUMMARY.md").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["report"]
