"""Cells to requests: what a run will ask, before any model is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.collect.judge_spec import JudgeSpec
from harness.collect.plan import Cell
from harness.collect.specs import ScoreSpec, TaskSpec
from harness.errors import CollectError, HarnessError, SpecError
from harness.judges.judge import Judge
from harness.records import Request, Sample
from harness.runner.material import View
from harness.scorers.base import ScorerContext
from harness.scorers.needs import fault
from harness.scorers.registry import make_scorer
from harness.tasks.dataset import load_samples
from harness.tasks.prompt import FEWSHOT, Prompt, make_requests
from harness.tasks.rows import line_of, together

SPARE = 100  # rows of the train split beyond num_fewshot, in place of a sample's own


@dataclass(frozen=True)
class Work:
    """A cell with its samples and its requests, which stand epoch by epoch within a sample."""

    cell: Cell
    samples: tuple[Sample, ...]
    requests: tuple[Request, ...]
    epochs: int
    judges: tuple[Judge, ...] = ()
    """Those that the task names, in its order."""

    @property
    def asked(self) -> list[tuple[Sample, Request]]:
        """Each request with the sample it is about."""
        each = [sample for sample in self.samples for _ in range(self.epochs)]
        return list(zip(each, self.requests, strict=True))


@dataclass(frozen=True, slots=True)
class Asking:
    """How much of each cell is asked."""

    limit: int | None = None
    epochs: int = 1
    seed: int | None = None


def make_work(
    cells: Sequence[Cell], asking: Asking, judges: Mapping[str, Judge] | None = None
) -> list[Work]:
    """Read the data and render the prompts of all cells; ``judges`` by the names in the tasks.

    Raises CollectError with every mistake of every task; nothing has been run by then.
    """
    errors: list[HarnessError] = []
    works: list[Work] = []
    rendered: dict[str, tuple[tuple[Sample, ...], tuple[Request, ...]]] = {}
    for number, cell in enumerate(cells):
        key = cell.task.model_dump_json() + str(cell.task.path)
        try:
            if key not in rendered:
                rendered[key] = _render(cell.task, asking)
                specs = {word: judge.spec for word, judge in (judges or {}).items()}
                check_judges(cell.task, rendered[key][0], specs)
                shown_to = [judge.spec for judge in judges_of(cell.task, judges or {})]
                View.of(cell.task).check(rendered[key][0], shown_to)
        except CollectError as error:
            errors += error.errors
            rendered[key] = ((), ())
        except HarnessError as error:
            errors.append(error)
            rendered[key] = ((), ())
        samples, requests = rendered[key]
        # ids are unique over the run, so that one call can answer all cells of a model
        cell_name = f"{cell.task.task}[{number}]"
        own = tuple(replace(request, id=f"{cell_name}/{request.id}") for request in requests)
        works.append(Work(cell, samples, own, asking.epochs, judges_of(cell.task, judges or {})))
    if errors:
        raise CollectError(list(dict.fromkeys(errors)))
    return works


def place_of(request: str) -> tuple[str, str]:
    """The cell's name within the run, and the sample, that the id of a request speaks of."""
    cell, _, rest = request.partition("/")
    return cell, rest.rpartition("#")[0]


def _render(task: TaskSpec, asking: Asking) -> tuple[tuple[Sample, ...], tuple[Request, ...]]:
    if asking.seed is not None:
        settings = replace(task.generate, seed=asking.seed)
        task = _with_settings(task, settings)
    everything = load_samples(task)
    samples = everything[: asking.limit]
    for score in metrics_of(task):  # what cannot be computed is found before hours are spent
        make_scorer(score, ScorerContext(output_type=task.output_type, root=task.root))
    check_metrics(task, everything, asking.limit)
    prompt = Prompt.of(task, few_shots(task))
    return tuple(samples), tuple(make_requests(task, prompt, samples, asking.epochs))


def metrics_of(task: TaskSpec) -> list[ScoreSpec]:
    """What a task scores by itself; the rest of its `score` are judges."""
    return [score for score in task.score if score.metric]


def judges_of(task: TaskSpec, judges: Mapping[str, Judge]) -> tuple[Judge, ...]:
    """The judges that a task names, in its order, each once."""
    words = [score.judge for score in task.score if score.judge]
    named = [judges[word] for word in words if word in judges]
    return tuple({judge.spec.judge: judge for judge in named}.values())


def check_judges(
    task: TaskSpec, samples: Sequence[Sample], judges: Mapping[str, JudgeSpec]
) -> None:
    """Raise SpecError, at the judge's line, if a judge cannot judge what a task asks for."""
    bare = [sample.id for sample in samples if not sample.target.strip()]
    for number, score in enumerate(task.score):
        if score.judge is None:
            continue
        judge, what = judges.get(score.judge), ""
        if task.output_type != "generate":
            what = f"reads text, and 'output_type' is '{task.output_type}'"
        elif judge is None:
            what = "is not known here"
        elif judge.needs_reference and bare:
            what = f"needs a reference, and sample '{bare[0]}' has none"
        if what:
            line = line_of(task, ("score", number, "judge"))
            raise SpecError(task.path, line, f"judge '{score.judge}' {what}")


def check_metrics(task: TaskSpec, samples: Sequence[Sample], limit: int | None = None) -> None:
    """Raise SpecError, at the metric's line, if a metric needs what the samples do not have.

    Several such metrics are a CollectError.
    """
    errors = [
        SpecError(task.path, line_of(task, ("score", number)), what)
        for number, score in enumerate(task.score)
        if score.metric and (what := fault(score.metric, samples, limit))
    ]
    if errors:
        raise together(errors)


def check_data(tasks: Iterable[TaskSpec], judges: Mapping[str, JudgeSpec]) -> list[HarnessError]:
    """Every mistake that reading the tasks' data and rendering their first prompts shows.

    ``judges`` by the names in the tasks: whether the data has the references that they need. One
    that is missing has a mistake in its own file, which is told elsewhere.
    """
    errors: list[HarnessError] = []
    for task in {task.model_dump_json() + str(task.path): task for task in tasks}.values():
        try:
            samples = load_samples(task)
            check_metrics(task, samples)
            make_requests(task, Prompt.of(task, few_shots(task)), samples[:1])
            for prompt in task.prompts.values():
                other = task.model_copy(update={"prompt": prompt})
                make_requests(other, Prompt.of(other, few_shots(other)), samples[:1])
            View.of(task).check(samples[:1])
            if all(score.judge in judges for score in task.score if score.judge):
                check_judges(task, samples, judges)
        except CollectError as error:
            errors += error.errors
        except HarnessError as error:
            errors.append(error)
    return list({str(error): error for error in errors}.values())


def few_shots(task: TaskSpec) -> list[Sample]:
    """What may stand solved in front of a prompt: the rows of the train split, in their order.

    Each prompt shows the first ``num_fewshot`` of them that are others than its own sample; a
    file without a column `split` may therefore be train and test at once. Raises SpecError at the
    line of ``num_fewshot`` if there are fewer rows than that.
    """
    count = task.prompt.num_fewshot
    if not count:
        return []
    # data.limit is about what is asked; enough rows to pass over those that ask the same
    enough = task.data.model_copy(update={"limit": count + SPARE})
    shots = load_samples(task.model_copy(update={"data": enough}), task.data.train_split)
    if len(shots) < count:
        split = task.data.train_split
        what = f"num_fewshot is {count}, and split '{split}' has {len(shots)} rows"
        raise SpecError(task.path, line_of(task, FEWSHOT), what)
    return shots


def _with_settings(task: TaskSpec, settings: object) -> TaskSpec:
    return task.model_copy(update={"generate": settings})
