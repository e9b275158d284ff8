"""What a run finds out before it asks anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

if TYPE_CHECKING:
    from tests.conftest import UserProject

Invoke = Callable[..., tuple[int, str, str]]

FORM = """\
task: form
version: 1
data:
  path: data/form.jsonl
  fields: {input: question, target: answer}
prompt: {template: "{{ input }}"}
score:
  - exact_match
  - metric: error_f1
  - frame_localization
"""
CHOSEN = """\
task: chosen
version: 1
data:
  path: data/chosen.jsonl
  fields: {input: question, target: answer, choices: choices}
prompt: {template: "{{ input }}"}
score: [choice, circular]
"""
WAYS = {
    "run": ("run", "form", "-m", "recorded"),
    "dry run": ("run", "form", "-m", "recorded", "--dry-run"),
    "collect": ("collect", "form", "--data"),
}


def form(project: UserProject, **columns: object) -> None:
    """A task of four rows, of which the last has the columns."""
    project.write("tasks/form/form.task.yaml", FORM)
    rows = [{"id": f"f{n}", "question": f"{n}?", "answer": "x", "error": []} for n in range(3)]
    last = {"id": "f3", "question": "3?", "answer": "x", **columns}
    project.write_rows("tasks/form/data/form.jsonl", [*rows, last])
    project.add_replay({f"f{n}": "no error" for n in range(4)})


@pytest.mark.parametrize("way", WAYS)
def test_columns_that_no_row_has_are_told_at_the_metrics_line(
    project: UserProject, invoke: Invoke, way: str
) -> None:
    form(project)
    code, _, err = invoke(*WAYS[way])
    assert code == 4
    assert err.splitlines()[:2] == [
        "tasks/form/form.task.yaml:9: metric 'error_f1' needs the column 'errors', "
        "which no row has (did you mean 'error'?)",
        "tasks/form/form.task.yaml:10: metric 'frame_localization' needs the columns "
        "'error_times' or 'error_frames', which no row has (did you mean 'error'?)",
    ]
    assert not list((project.root / "runs").glob("*"))  # nothing was asked, nothing is written


def test_one_row_with_the_columns_is_enough_if_it_is_asked(
    project: UserProject, invoke: Invoke
) -> None:
    form(project, errors=[], error_times=[])
    assert invoke(*WAYS["collect"])[0] == 0
    code, out, err = invoke(*WAYS["run"])
    assert code == 1, err  # three samples have nothing to be compared with
    assert "error_f1" in out
    code, _, err = invoke(*WAYS["run"], "--limit", "2")
    assert code == 4
    assert "needs the column 'errors'" in err


def chosen(project: UserProject, step: int) -> None:
    project.write("tasks/chosen/chosen.task.yaml", CHOSEN)
    orders = {"7": ("A", ["x", "y"]), str(7 + step): ("B", ["y", "x"])}
    rows = [
        {"id": name, "question": "?", "answer": target, "choices": choices}
        for name, (target, choices) in orders.items()
    ]
    project.write_rows("tasks/chosen/data/chosen.jsonl", rows)
    project.add_replay({name: target for name, (target, _) in orders.items()})


def test_questions_in_one_order_are_said_to_be(project: UserProject, invoke: Invoke) -> None:
    chosen(project, step=1)
    code, _, err = invoke("run", "chosen", "-m", "recorded")
    assert code == 0, err
    (run,) = (project.root / "runs").glob("2*")
    rows = pq.read_table(run / "scores.parquet").to_pylist()
    told = {row["scorer"]: row["explanation"] for row in rows}
    assert told == {"choice": None, "circular": "asked in one order only"}


def test_all_tasks_faults_come_at_once(project: UserProject, invoke: Invoke) -> None:
    form(project)
    chosen(project, step=1)

    code, _, err = invoke("run", "form", "chosen", "-m", "recorded")
    assert code == 4
    assert sum("task.yaml:" in line for line in err.splitlines()) == 2
