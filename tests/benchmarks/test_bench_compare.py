"""The runs that `make bench` compares are runs, and every metric of them is compared."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_the_two_runs_can_be_compared(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    invoke: Callable[..., tuple[int, str, str]],
) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    import bench_compare

    bench_compare.write_runs(tmp_path / "runs", 30)
    names = sorted(path.name for path in (tmp_path / "runs").iterdir())
    code, out, _ = invoke("compare", *names, "--runs", str(tmp_path / "runs"), "--format", "json")
    assert code == 0
    found = json.loads(out)["comparisons"]
    assert [row["metric"] for row in found] == [info.name for info in bench_compare.SCORERS]
    assert {row["n"] for row in found} == {30}
