"""How many training samples of each class the data of a task have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.collect.plan import apply_settings
from harness.errors import HarnessError
from harness.records import LETTERS, Sample
from harness.results.manifest import CellRecord
from harness.results.run_settings import run_settings
from harness.results.store import RunReader
from harness.scorers import exercise

HUB = "hf://"


@dataclass(frozen=True)
class Training:
    """Class -> training samples; none if nothing is known, for the reason of ``note``."""

    counts: dict[str, int] = field(default_factory=dict)
    split: str = ""
    note: str = ""


def training_of(run: RunReader, cell: CellRecord, metric: str) -> Training:
    """The training split of the cell's task, as the project in which the run lies has it today,
    with what the run set of its data.

    Classes are those of the metric: exercises by their column, else the words of the target among
    the choices. Nothing is fetched: data of the hub have no counts here.
    """
    from harness.collect.library import Project

    try:
        task = Project.here(run.path.resolve().parent).get_task(cell.task)
        settings = run_settings(run, cell)
        data = {key: value for key, value in settings.items() if key.startswith("data.")}
        task = apply_settings(task, data, "--set") if data else task
        split = task.data.train_split
        if task.data.path.startswith(HUB):
            return Training(split=split, note=f"{cell.task}: data of the hub are not counted")
        from harness.tasks.dataset import load_samples

        unlimited = task.data.model_copy(update={"limit": None})
        samples = load_samples(task.model_copy(update={"data": unlimited}), split)
    except HarnessError as error:
        first = str(error).splitlines()[0]
        return Training(note=f"{cell.task}: training samples are not known ({first})")
    if _asked(run, cell) & {sample.id for sample in samples}:
        # data without a column `split` have all rows in every split
        note = f"{cell.task}: its data have no training samples apart from those that are asked"
        return Training(split=split, note=note)
    return Training(class_counts(samples, metric), split)


def _asked(run: RunReader, cell: CellRecord) -> set[str]:
    where = {"task": cell.task, "variant": cell.variant}
    return set(run.table("samples", ["sample"], where).column("sample").to_pylist())


def class_counts(samples: Sequence[Sample], metric: str) -> dict[str, int]:
    """Class -> its samples, for one of the metrics whose answers are classes."""
    if metric.partition("[")[0] == "exercise_identification":
        return dict(Counter(label for label in exercise.labels_of(samples) if label is not None))
    return dict(Counter(_class(sample) for sample in samples))


def _class(sample: Sample) -> str:
    """The words of the target among the choices, or the target as it stands."""
    letter = sample.target.strip().upper()
    at = LETTERS.find(letter) if len(letter) == 1 else -1
    return sample.choices[at] if 0 <= at < len(sample.choices) else sample.target.strip()
