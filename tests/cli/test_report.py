"""`harness report` as a user calls it."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from reportruns import Cell, store

if TYPE_CHECKING:
    from tests.conftest import UserProject

Invoke = Callable[..., tuple[int, str, str]]
HIGH = [0.8 + at / 100 for at in range(12)]
LOW = [0.2 + at / 50 for at in range(12)]


@pytest.fixture
def runs(project: UserProject) -> Path:
    """Base and tuned on one task, in two runs."""
    root = project.root / "runs"
    store(root, Cell("a", "base", {"f1": LOW}))
    store(root, Cell("a", "tuned", {"f1": HIGH}), baselines={"tuned": "base"}, after=60)
    return root


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*")
            if p.is_file()}  # fmt: skip


def test_all_runs_become_a_report(invoke: Invoke, runs: Path) -> None:
    code, out, err = invoke("report")
    assert (code, err) == (0, "")
    assert out == "report/SUMMARY.md: 5 tables, 1 figures; begin there\n"
    text = Path("report/tables/master.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    assert [row["model"] for row in rows] == ["base", "tuned"]
    assert rows[1]["baseline"] == "base"
    assert float(rows[1]["difference"]) == pytest.approx(0.545)
    assert rows[1]["verdict"] == "better"


def test_the_same_runs_make_the_same_bytes(invoke: Invoke, runs: Path) -> None:
    assert invoke("report", "--to", "one")[0] == 0
    assert invoke("report", "--to", "two")[0] == 0
    assert tree(Path("one")) == tree(Path("two"))


def test_a_report_is_replaced(invoke: Invoke, runs: Path) -> None:
    assert invoke("report", "--no-figures")[0] == 0
    assert not Path("report/figures").exists()
    code, out, _ = invoke("report", "base", "--no-figures")
    assert code == 0
    assert "0 figures" in out
    assert "tuned" not in Path("report/SUMMARY.md").read_text()


def test_what_is_wrong_is_told_in_one_line(invoke: Invoke, runs: Path) -> None:
    (runs.parent / "thesis").mkdir()
    (runs.parent / "thesis" / "x.tex").write_text("x")
    for words, what in (
        (("nothing",), "no run and no model 'nothing'"),
        (("--baseline", "other"), "no model 'other' in these runs; they hold base, tuned"),
        (("--to", "thesis"), "thesis is not empty and holds no report"),
        (("--runs", "nowhere"), "no runs below nowhere"),
    ):
        code, out, err = invoke("report", *words)
        assert (code, out) == (4, "")
        assert what in err
        assert err.count("\n") == 1


def test_a_damaged_run_is_left_out_unless_it_is_named(invoke: Invoke, runs: Path) -> None:
    files = sorted(runs.glob("*/scores.parquet"))
    files[0].write_bytes(files[0].read_bytes()[:100])
    code, _, err = invoke("report", str(files[0].parent))
    assert code == 4
    assert "scores.parquet" in err
    assert err.count("\n") == 1
    assert not Path("report").exists()
    code, _, err = invoke("report", "--no-figures")
    assert code == 0
    assert err.startswith("note: left out: ")
    assert "scores.parquet" in err
    for file in files[1:]:
        file.write_bytes(b"")
    code, _, err = invoke("report", "--no-figures")
    assert code == 4
    assert "no run can be reported: " in err


def test_runs_of_other_versions_of_a_task_are_told(invoke: Invoke, runs: Path) -> None:
    store(runs, Cell("a", "third", {"f1": LOW}, version=2), after=120)
    code, _, err = invoke("report")
    assert code == 4
    assert "task versions 1 and 2" in err
    assert err.count("\n") == 1
    assert invoke("report", "base", "tuned", "--no-figures")[0] == 0


def test_a_report_loads_no_torch(project: UserProject, runs: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys; from harness.cli import main; main(['report', '--no-figures']);"
        "print(sorted({'torch', 'transformers', 'altair'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=project.environment(),
        cwd=project.root,
    )
    assert done.stdout.endswith("[]\n")
