"""What the gates of tasks need before anything is run: other tasks, and metrics that exist."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.collect.library import Project
from harness.collect.specs import TaskSpec
from harness.collect.suggest import known_or_near
from harness.errors import SelectionError


def with_asked_for(tasks: Iterable[TaskSpec], project: Project) -> list[TaskSpec]:
    """The tasks, and those of whose numbers their gates ask something (retention)."""
    found = {task.task: task for task in tasks}
    for task in list(found.values()):
        for line in task.gate:
            if line.task is not None and line.task not in found:
                found[line.task] = project.get_task(line.task)
    return list(found.values())


def check_metric(metric: str, tasks: Sequence[TaskSpec]) -> None:
    """Raise SelectionError for a metric that no task can have; an empty one is none."""
    if not metric:
        return
    scores = [score for task in tasks for score in task.score]
    names = [name for score in scores for name in (score.metric, score.judge) if name]
    if not any(metric == name or metric.startswith((f"{name}[", f"{name}.")) for name in names):
        raise SelectionError(f"no metric '{metric}' to choose by{known_or_near(metric, names)}")
