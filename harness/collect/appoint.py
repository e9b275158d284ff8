"""Who judges: the judges that tasks name, each with the model cards it names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from harness.collect.judge_spec import JudgeSpec
from harness.collect.library import Project, is_path, kind_of
from harness.collect.specs import FileSpec, ModelBase, ModelSpec, TaskSpec
from harness.collect.yamlio import Loc, parse
from harness.errors import CollectError, HarnessError, SelectionError, SpecError


@dataclass(frozen=True)
class Appointed:
    """A judge and the cards of its models, in the order of ``spec.models``."""

    spec: JudgeSpec
    models: tuple[ModelSpec, ...]


def appoint(
    tasks: Iterable[TaskSpec], project: Project, models: Sequence[ModelSpec] = ()
) -> dict[str, Appointed]:
    """The judges of tasks by the word that names them there.

    ``models``, if there are any, judge in place of those of every judge; the second and further
    ones as its panel. Raises CollectError with every mistake of every file.
    """
    named: dict[str, Path] = {}
    for task in tasks:
        for score in task.score:
            if score.judge:
                named.setdefault(score.judge, task.path)
    return _all(named, project, models)


def appoint_named(
    names: Sequence[str], project: Project, models: Sequence[ModelSpec] = ()
) -> dict[str, Appointed]:
    """The judges that the command line names; as `appoint`."""
    return _all(dict.fromkeys(names, project.root / "x"), project, models)


def readable_judges(tasks: Iterable[TaskSpec], project: Project) -> dict[str, JudgeSpec]:
    """The judges that tasks name, by those words, without the ones whose files have mistakes."""
    found: dict[str, JudgeSpec] = {}
    for task in tasks:
        for word in [score.judge for score in task.score if score.judge not in (None, *found)]:
            with suppress(HarnessError):
                found[str(word)] = cast(JudgeSpec, _find("judge", str(word), task.path, project))
    return found


def clashes(task: TaskSpec, project: Project) -> list[SpecError]:
    """Judges of a task that would write into one column, each at its line.

    `j.clarity` beside a judge `j` with a criterion `clarity`, say. What is wrong with a judge's
    own file is not told here.
    """
    words = [(number, score.judge) for number, score in enumerate(task.score) if score.judge]
    if len(words) < 2:
        return []
    taken: dict[str, tuple[str, Path]] = {}
    errors = []
    for number, word in words:
        try:
            spec = cast(JudgeSpec, _find("judge", word, task.path, project))
        except HarnessError:
            continue
        for column in spec.columns:
            other, path = taken.setdefault(column, (word, spec.path))
            if path != spec.path:
                what = f"judges '{other}' and '{word}' both have the column '{column}', and scores "
                line = _line(task, ("score", number, "judge"))
                errors.append(SpecError(task.path, line, what + "are stored by name; rename one"))
                break
    return errors


def _line(spec: FileSpec, loc: Loc) -> int:
    document, _ = parse(spec.path, spec.text)
    return document.line(loc) if document else 0


def _all(
    named: Mapping[str, Path], project: Project, models: Sequence[ModelSpec]
) -> dict[str, Appointed]:
    errors: list[HarnessError] = []
    found: dict[str, Appointed] = {}
    for name, beside in named.items():
        try:
            found[name] = _one(name, beside, project, models)
        except CollectError as error:
            errors += error.errors
        except HarnessError as error:
            errors.append(error)
    if errors:
        raise CollectError(list({str(error): error for error in errors}.values()))
    return found


def _one(name: str, beside: Path, project: Project, models: Sequence[ModelSpec]) -> Appointed:
    spec = cast(JudgeSpec, _find("judge", name, beside, project))
    if models:
        names = tuple(model.model for model in models)
        changes = {"model": names[0], "panel": names[1:], "quorum": None}
        return Appointed(spec.model_copy(update=changes), tuple(models))
    cards = []
    errors: list[HarnessError] = []
    for model in spec.models:
        try:
            cards.append(cast(ModelSpec, _find("model", model, spec.path, project)))
        except CollectError as error:
            errors += error.errors
        except HarnessError as error:
            errors.append(error)
    if errors:
        raise CollectError(errors)
    return Appointed(spec, tuple(cards))


def _find(kind: str, name: str, beside: Path, project: Project) -> FileSpec:
    """A spec by its name, or by a path from the file that names it or from the project."""
    path = beside.parent / name
    if is_path(name) and path.is_file() and kind_of(path) == kind:
        spec = project.read(path.resolve())
        if not isinstance(spec, JudgeSpec if kind == "judge" else ModelBase):
            raise SelectionError(f"'{name}' is not a {kind}")
        return spec
    return project.get_judge(name) if kind == "judge" else project.get_model(name)
