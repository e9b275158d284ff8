"""Which cells are touched by what git says changed: committed or not, tracked or not yet.

A cell is made of files: its task, the data, the model's card and folders, the judges with their
templates, labels and models, and the committed baseline. Files that git ignores (weights below
runs/) cannot be seen to change.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.collect.library import BASELINES, Project
from harness.collect.plan import Cell
from harness.collect.specs import ModelSpec, ReplayModel, TaskSpec, TransformersModel
from harness.collect.yamlio import Value, parse
from harness.errors import HarnessError, SelectionError

_WORDS = {"A": "added", "D": "deleted", "M": "changed", "T": "changed", "U": "in conflict"}


def changed_cells(
    cells: Sequence[Cell], project: Project, revision: str
) -> tuple[list[Cell], Mapping[str, tuple[str, ...]]]:
    """The cells that a change since ``revision`` touches, in their order, and why, by cell id.

    A reason is a line: "data/approaches.jsonl changed". A cell is also touched by a change of what
    a gate line of its task asks of another task, and if such a line of a touched cell asks for it.
    Raises SelectionError outside a git repository, without git, or for an unknown revision.
    """
    repository = _Repository.around(project.root)
    changes = repository.changes(revision)
    parts, files = _Parts(project), _TaskFiles(repository, revision, project.root)
    why: dict[str, list[str]] = {cell.id: [] for cell in cells}
    for cell in cells:
        for path in parts.of_cell(cell):
            why[cell.id] += _reasons(path, changes, project.root)
        why[cell.id] = [files.told(line, cell.task) for line in dict.fromkeys(why[cell.id])]
    for cell in [cell for cell in cells if why[cell.id]]:
        asked = {line.task for line in cell.task.gate if line.task not in (None, cell.task.task)}
        for other in cells:
            if other.task.task in asked and other.model == cell.model and not why[other.id]:
                why[other.id].append(f"the gate of {cell.task.task} asks for it")
    touched = [cell for cell in cells if why[cell.id]]
    return touched, {cell.id: tuple(dict.fromkeys(why[cell.id])) for cell in touched}


# --------------------------------------------------------------------------- what a cell is made of


@dataclass(frozen=True)
class _Parts:
    """The files and folders that specs are made of."""

    project: Project

    def of_cell(self, cell: Cell) -> Iterator[Path]:
        yield from self._of_task(cell.task)
        for name in {line.task for line in cell.task.gate} - {None, cell.task.task}:
            try:
                yield from self._of_task(self.project.get_task(str(name)))
            except HarnessError:
                yield from self._of_broken("task", str(name))
        yield from _of_model(cell.model, cell.task.task)

    def _of_task(self, task: TaskSpec) -> Iterator[Path]:
        yield task.path
        if not task.data.path.startswith("hf://"):
            yield task.path.parent / task.data.path
        yield self.project.root / BASELINES / task.task
        for score in task.score:
            if score.judge is not None:
                yield from self._of_judge(score.judge)

    def _of_judge(self, name: str) -> Iterator[Path]:
        try:
            spec = self.project.get_judge(name)
            yield spec.path
            yield spec.path.parent / spec.template
            if spec.calibration.labels is not None:
                yield spec.path.parent / spec.calibration.labels
            for model in spec.models:
                yield from _of_model(self.project.get_model(model))
        except HarnessError:
            yield from self._of_broken("judge", name)

    def _of_broken(self, kind: str, name: str) -> Iterator[Path]:
        """All that lies beside a spec that cannot be read: what broke it must be told by running
        the cell, and not be passed over."""
        for library in self.project.libraries:
            yield from (path.parent for path in library.files(kind, name))


def _of_model(card: ModelSpec, task: str = "") -> Iterator[Path]:
    """A card and what it names; of a judge's recorded answers, whatever the task."""
    yield card.path
    if isinstance(card, TransformersModel):
        for name in filter(None, (card.base, card.lora)):
            yield _folder(card, name)
    elif isinstance(card, ReplayModel):
        whole = card.path.parent / card.completions.replace("{task}", task or "{task}")
        yield whole.parent if "{task}" in whole.name else whole


def _folder(card: TransformersModel, name: str) -> Path:
    """Where weights would lie if the name is a folder's: beside the card, or in the project."""
    if name in (".", "..") or name.startswith(("./", "../")):
        return card.path.parent / name
    return card.root / Path(os.path.expanduser(name))


def _reasons(path: Path, changes: Mapping[Path, str], root: Path) -> Iterator[str]:
    """What changed at a path or below it, however a link leads there."""
    places = {Path(os.path.normpath(path)), _resolved(path)}
    for changed, word in changes.items():
        if any(changed == place or place in changed.parents for place in places):
            yield f"{_near(changed, root)} {word}"


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # links in a circle
        return path


def _near(path: Path, root: Path) -> str:
    return Path(os.path.relpath(path, root)).as_posix()


@dataclass(frozen=True)
class _TaskFiles:
    """What exactly changed in the files of tasks."""

    repository: _Repository
    revision: str
    root: Path

    def told(self, reason: str, task: TaskSpec) -> str:
        """A reason; of a task's own file it says if nothing changed but the gate."""
        name = _near(Path(os.path.normpath(task.path)), self.root)
        if reason != f"{name} changed":
            return reason
        before = self.repository.text(self.revision, task.path)
        old, new = _values(before or ""), _values(task.text)
        if not old or not new:
            return reason
        if old == new:
            return f"{name} changed in its comments only"
        same = {**old, "gate": None} == {**new, "gate": None}
        return f"{name} changed in its gate only" if same else reason


def _values(text: str) -> dict[str, Value]:
    """The values of a task's file; none if it cannot be read."""
    document, _ = parse(Path("task.yaml"), text)
    data = document.data if document else None
    return data if isinstance(data, dict) else {}


# --------------------------------------------------------------------------- git


@dataclass(frozen=True)
class _Repository:
    """A working tree; all paths below are absolute and in it."""

    root: Path

    @classmethod
    def around(cls, folder: Path) -> _Repository:
        try:
            found = _git(folder, "rev-parse", "--show-toplevel")
        except SelectionError as error:
            raise SelectionError(f"--changed-since needs a git repository: {error}") from None
        return cls(Path(os.fsdecode(found.removesuffix(b"\n"))))

    def changes(self, revision: str) -> dict[Path, str]:
        """Every path that differs from a revision -> how, in words."""
        if not revision or revision.startswith("-"):
            raise SelectionError(f"'{revision}' is no revision of git")
        try:
            _git(self.root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
        except SelectionError:
            what = f"git knows no revision '{revision}' here"
            raise SelectionError(f"{what} (a shallow clone may lack it: git fetch)") from None
        words = ("diff", "--name-status", "-z", "--no-relative", "--no-ext-diff", revision, "--")
        found = dict(self._diffed(_git(self.root, *words).split(b"\0")))
        new = _git(self.root, "ls-files", "--others", "--exclude-standard", "-z").split(b"\0")
        # a file that git forgot and that is still there is not deleted
        return found | {self._path(name): "is new, not in git" for name in new if name}

    def _diffed(self, fields: Sequence[bytes]) -> Iterator[tuple[Path, str]]:
        """Pairs of path and word from STATUS, path, or R100, old path, new path."""
        rest = iter(fields)
        for status in rest:
            letter = status[:1].decode("ascii", "replace")
            if not letter:
                continue
            path = self._path(next(rest))
            if letter not in ("R", "C"):
                yield path, _WORDS.get(letter, "changed")
                continue
            other = self._path(next(rest))
            if letter == "R":
                yield path, f"renamed to {_near(other, path.parent)}"
            yield other, f"{'renamed' if letter == 'R' else 'copied'} from {path.name}"

    def text(self, revision: str, path: Path) -> str | None:
        """A file as it was; None if it was not there."""
        name = _near(_resolved(path), _resolved(self.root))
        try:
            return _git(self.root, "show", f"{revision}:{name}").decode("utf-8", "replace")
        except SelectionError:
            return None

    def _path(self, name: bytes) -> Path:
        return self.root / os.fsdecode(name)


def _git(folder: Path, *words: str) -> bytes:
    """What git prints; raises SelectionError with the first line that it complains with."""
    command: Iterable[str] = ("git", "-C", str(folder), *words)
    try:
        done = subprocess.run(list(command), capture_output=True, check=False)
    except OSError as error:
        raise SelectionError(f"git cannot be run: {error.strerror}") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise SelectionError(said[0] if said else f"git {words[0]} failed")
    return done.stdout
