"""Paths, names and node ids to specs, with every mistake of every file at once.

An argument is what pytest's would be: nothing (all that the project sees), a folder, a file, the
name of a task, `path::task`, or a cell's whole id `path::task[model,key=value]`. Paths are tried
from the present folder, then from the project's root, then from each library's.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from harness.collect.appoint import clashes
from harness.collect.judge_spec import JudgeSpec
from harness.collect.library import (
    KINDS,
    Project,
    almost_specs,
    is_path,
    kind_of,
    library_root,
    same_name,
    spec_files,
)
from harness.collect.plan import Cell, task_id
from harness.collect.recipe_spec import RecipeSpec
from harness.collect.specs import (
    SPEC_KINDS,
    FileSpec,
    ModelBase,
    ModelSpec,
    TaskSpec,
)
from harness.collect.suggest import did_you_mean, known_or_near
from harness.errors import CollectError, HarnessError, SelectionError, SpecError


@dataclass(frozen=True)
class Collected:
    """The specs that were selected, and every mistake in their files."""

    tasks: tuple[TaskSpec, ...] = ()
    models: tuple[ModelSpec, ...] = ()
    judges: tuple[JudgeSpec, ...] = ()
    recipes: tuple[RecipeSpec, ...] = ()
    errors: tuple[SpecError, ...] = ()
    notes: tuple[SpecError, ...] = ()
    """Mistakes in files of other libraries that nobody named, and names that are almost those of
    specs; they stop nothing."""
    whole: frozenset[str] = field(default_factory=frozenset)
    """Ids of the tasks all of whose cells are wanted."""
    cell_ids: tuple[str, ...] = ()
    """Ids of single cells that are wanted."""

    def check(self) -> Collected:
        """Itself, if no file has a mistake; else raises CollectError with all of them."""
        if self.errors:
            raise CollectError(self.errors)
        return self

    def wanted(self, cells: Sequence[Cell]) -> tuple[Cell, ...]:
        """Those of the planned cells that the arguments named.

        Raises SelectionError if an id of a cell names none of them.
        """
        known = {cell.id for cell in cells}
        for name in self.cell_ids:
            if name not in known:
                raise SelectionError(f"no cell '{name}'{did_you_mean(name, known)}")
        return tuple(
            cell for cell in cells if task_id(cell.task) in self.whole or cell.id in self.cell_ids
        )


def collect(arguments: Sequence[str], project: Project) -> Collected:
    """The specs that the arguments name.

    Mistakes in files are returned, all of them. Raises SelectionError for an argument that names
    nothing.
    """
    picks = [pick for text in arguments for pick in _picks(text, project)]
    if not arguments:
        picks = [_Pick(path) for path in _all_files(project)]
    collector = _Collector(project, lenient=not arguments)
    for pick in picks:
        collector.add(pick)
    for folder in _walked(arguments, project):
        for note in almost_specs(folder):
            collector.note(note)
    return collector.result()


def _walked(arguments: Sequence[str], project: Project) -> list[Path]:
    """The folders of the user's in which specs were looked for."""
    if not arguments:
        return [project.root / folder for folder in SPEC_KINDS.values()]
    paths = [project.find_path(text) for text in arguments if "::" not in text and text]
    return [path for path in paths if path is not None and path.is_dir()]


def _all_files(project: Project) -> list[Path]:
    """One file for each name, in the order of the libraries; both files of a name used twice."""
    seen: set[tuple[str, str]] = set()
    files: list[Path] = []
    for library in project.libraries:
        for kind in KINDS:
            for name in library.names(kind):
                if (kind, name) not in seen:
                    files += library.files(kind, name)
                seen.add((kind, name))
    return files


@dataclass(frozen=True, slots=True)
class _Pick:
    """A file that was selected; `task` and `cell` are what stood behind `::`."""

    path: Path
    task: str | None = None
    cell: str | None = None


def _picks(text: str, project: Project) -> list[_Pick]:
    where, separator, rest = text.partition("::")
    if separator:
        return [_pick_by_id(text, where, rest, project)]
    file = project.file("task", text)
    if file is not None:
        return [_Pick(file)]
    path = project.find_path(text) if text else None
    if path is None:
        raise SelectionError(_no_such(text, project))
    if not path.is_dir():
        return [_Pick(path)]
    around = path != project.root and project.root.is_relative_to(path)
    if around or path == Path(path.anchor):  # a walk over the whole disk is nobody's wish
        raise SelectionError(
            f"'{text}' lies around the project {project.root}: name a folder in it"
        )
    return [_Pick(file) for file in spec_files(path)]


def _pick_by_id(text: str, where: str, rest: str, project: Project) -> _Pick:
    path = project.find_path(where)
    if path is None:
        raise SelectionError(_no_such(where, project))
    if kind_of(path) != "task":
        raise SelectionError(f"'{where}' is not the file of a task (in '{text}')")
    task, bracket, cell = rest.partition("[")
    name = path.name.removesuffix(".task.yaml")
    if task != name:
        raise SelectionError(f"no task '{task}' in '{where}'{known_or_near(task, [name])}")
    if bracket and not cell.endswith("]"):
        raise SelectionError(f"'{text}': the ']' is missing")
    return _Pick(path, task, f"{task}[{cell}" if bracket else None)


def _no_such(text: str, project: Project) -> str:
    if text in project.names("model"):
        return f"'{text}' is a model, not a task"
    if is_path(text):
        known = {name for library in project.libraries for name in library.paths("task")}
        known |= {os.path.dirname(name) for name in known}
        return f"no such file or folder: '{text}'{did_you_mean(text, known)}"
    return f"no task named '{text}'{known_or_near(text, project.names('task'))}"


class _Collector:
    """Reads what was picked, once each, and sorts it by kind."""

    def __init__(self, project: Project, *, lenient: bool) -> None:
        self._project = project
        # with no arguments, what is wrong in somebody else's library is only noted
        self._lenient = lenient and project.root != library_root()
        self._specs: dict[Path, FileSpec] = {}
        self._errors: dict[str, SpecError] = {}
        self._notes: dict[str, SpecError] = {}
        self._names: dict[tuple[str, str], Path] = {}
        self._whole: set[str] = set()
        self._cells: dict[str, None] = {}

    def add(self, pick: _Pick) -> None:
        path, kind = pick.path, kind_of(pick.path)
        try:
            spec = self._project.read(path)
        except SpecError as error:
            self._wrong(path, [error])
            return
        except CollectError as error:
            self._wrong(path, [each for each in error.errors if isinstance(each, SpecError)])
            return
        first = self._names.setdefault((str(kind), path.name), path)
        if first != path:
            name = path.name.removesuffix(f".{kind}.yaml")
            self._wrong(path, [same_name(str(kind), name, first, path)])
            return
        if isinstance(spec, TaskSpec):
            if found := clashes(spec, self._project):
                self._wrong(path, found)
                return
            self._want(spec, pick)
        self._specs[path] = spec

    def note(self, note: SpecError) -> None:
        """Remember what stops nothing."""
        self._notes[str(note)] = note

    def _want(self, spec: TaskSpec, pick: _Pick) -> None:
        if pick.cell:
            self._cells[task_id(spec).removesuffix(spec.task) + pick.cell] = None
        else:
            self._whole.add(task_id(spec))

    def _wrong(self, path: Path, errors: Iterable[SpecError]) -> None:
        own = self._project.root_of(path) == self._project.root
        where = self._notes if self._lenient and not own else self._errors
        where.update((str(error), error) for error in errors)

    def result(self) -> Collected:
        specs = list(self._specs.values())
        return Collected(
            tuple(spec for spec in specs if isinstance(spec, TaskSpec)),
            cast(tuple[ModelSpec, ...], tuple(s for s in specs if isinstance(s, ModelBase))),
            tuple(spec for spec in specs if isinstance(spec, JudgeSpec)),
            tuple(spec for spec in specs if isinstance(spec, RecipeSpec)),
            tuple(self._errors.values()),
            tuple(self._notes.values()),
            frozenset(self._whole),
            tuple(self._cells),
        )


def default_models(
    collected: Collected, project: Project
) -> tuple[tuple[ModelSpec, ...], tuple[HarnessError, ...]]:
    """The models of a plan for which none were named, and what is wrong with the others' cards.

    They are those collected; else those that the ids of cells name; else all that can be read,
    but for the embedding judge, which answers nothing.
    """
    if collected.models:
        return collected.models, ()
    if collected.cell_ids and not collected.whole:
        inside = [text.partition("[")[2].rstrip("]").split(",")[0] for text in collected.cell_ids]
        return tuple(project.get_model(name) for name in dict.fromkeys(inside)), ()
    models: list[ModelSpec] = []
    wrong: list[HarnessError] = []
    for name in project.names("model"):
        try:
            models.append(project.get_model(name))
        except CollectError as error:
            wrong += error.errors
        except HarnessError as error:
            wrong.append(error)
    candidates = [model for model in models if model.adapter != "embedding-judge"]
    return tuple(candidates), tuple(wrong)
