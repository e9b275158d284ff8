"""A project whose task names a judge, and the judge's server on the loopback interface.

from judged import judged, server  # fixtures
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from faultserver import FaultServer

if TYPE_CHECKING:
    from tests.conftest import UserProject

JUDGE = """\
judge: strict
version: 1
model: api
template: strict.j2
criteria:
  - {name: accuracy, max: 40}
  - {name: completeness, max: 30}
  - {name: relevance, max: 20}
  - {name: practicality, max: 10}
"""
TEMPLATE = """\
Question: {{ question }}
Reference: {{ reference }}
Answer: {{ answer }}
{% for one in criteria %}- {{ one.name }}: 0 to {{ one.max }}
{% endfor %}"""
DUEL = "judge: duel\nversion: 1\nmodel: api\ntemplate: duel.j2\npairwise: true\n"
DUEL_TEMPLATE = """\
Question: {{ question }}
Reference: {{ reference }}
One: {{ answer_a }}
Two: {{ answer_b }}
"""
GOOD = {"accuracy": 35, "completeness": 25, "relevance": 18, "practicality": 8}
RIGHT = {f"s{n}": f"It is {2 * n + 1}." for n in range(6)}


def verdict(**scores: object) -> str:
    """The reply of a judge; by default 35 + 25 + 18 + 8."""
    return json.dumps({"reasoning": "Because it is so.", **(scores or GOOD)})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with FaultServer() as running:
        running.answer = lambda asked: verdict()
        yield running


@pytest.fixture
def judged(project: UserProject, server: FaultServer) -> UserProject:
    """The task `sums` with the judge `strict`, a recorded model, and the judge's model `api`."""
    project.add_sums()
    score(project, "[rouge_l, {judge: strict}]")
    project.add_replay(RIGHT)
    project.write("judges/strict.judge.yaml", JUDGE)
    project.write("judges/strict.j2", TEMPLATE)
    card = f"model: api\nadapter: openai\nbase: some-judge\nbase_url: {server.url}\n"
    project.write("adapters/api.model.yaml", card + "price: {input: 1, output: 10}\n")
    return project


def score(project: UserProject, entries: str) -> None:
    """What the task `sums` is scored by."""
    task = project.root / "tasks/sums/sums.task.yaml"
    lines = task.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not line.startswith("score:")]
    task.write_text("\n".join([*kept, f"score: {entries}", ""]), encoding="utf-8")


def more_sums(project: UserProject, count: int, name: str = "recorded") -> None:
    """So many samples, all answered, and scored as before."""
    task = project.root / "tasks/sums/sums.task.yaml"
    text = task.read_text(encoding="utf-8")
    project.add_sums(count)
    task.write_text(text, encoding="utf-8")
    project.add_replay({f"s{n}": f"It is {n}." for n in range(count)}, name)


def table(root: Path, name: str) -> list[dict[str, Any]]:
    """A table of the newest run."""
    rows: list[dict[str, Any]] = pq.read_table(newest(root) / f"{name}.parquet").to_pylist()
    return rows


def metrics(root: Path, model: str = "recorded") -> dict[str, dict[str, Any]]:
    return {row["metric"]: row for row in table(root, "metrics") if row["model"] == model}


def newest(root: Path) -> Path:
    """The folder of the newest run."""
    runs = [path for path in (root / "runs").iterdir() if not path.name.startswith(".")]
    return max(runs, key=lambda path: (path / "manifest.json").stat().st_mtime_ns)
