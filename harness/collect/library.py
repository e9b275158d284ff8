"""Where specs come from: what was fine-tuned here, the user's project, installed packages, ours.

A spec is found by the name of its file, `<name>.<kind>.yaml`, so that nothing is read before it is
selected: a mistake in a bundled file nobody asked for cannot break a run. Of two libraries that
know a name, the one that stands first wins; a fresh LoRA stands before the card it was planned as.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from harness.collect.judge_spec import JudgeSpec
from harness.collect.recipe_spec import RecipeSpec
from harness.collect.specs import (
    SPEC_KINDS,
    FileSpec,
    ModelBase,
    ModelSpec,
    TaskSpec,
)
from harness.collect.suggest import known_or_near
from harness.collect.validate import Kind, Origin, read_spec
from harness.collect.yamlio import Loc, parse
from harness.errors import CollectError, SelectionError, SpecError, shown

KINDS = tuple(SPEC_KINDS)
FINETUNED = "runs/finetune"
BASELINES = "leaderboard/baselines"
"""Where a project keeps what gates compare with, a folder a task."""
ENTRY_POINTS = "harness.library"
_ALMOST = re.compile(r"\.(task|model|judge|recipe)s?\.ya?ml$", re.IGNORECASE)
_NOT_OURS = frozenset({"__pycache__", "node_modules", "site-packages"})


@dataclass(frozen=True)
class Library:
    """A folder with spec folders in it; `folders` says which kind of spec lies where."""

    root: Path
    title: str
    folders: Mapping[str, str] = field(default_factory=lambda: SPEC_KINDS, hash=False)

    @functools.cached_property
    def _files(self) -> dict[str, dict[str, list[Path]]]:
        return {
            kind: _by_name(kind, spec_files(self.root / folder, (kind,)))
            for kind, folder in self.folders.items()
        }

    def names(self, kind: str) -> tuple[str, ...]:
        """The names of all specs of a kind, sorted."""
        return tuple(self._files.get(kind, ()))

    def files(self, kind: str, name: str) -> list[Path]:
        """All files that claim a name; more than one is a mistake."""
        return self._files.get(kind, {}).get(name, [])

    def paths(self, kind: str) -> list[str]:
        """The files of all specs of a kind, relative to the library."""
        files = [file for group in self._files.get(kind, {}).values() for file in group]
        return [file.relative_to(self.root).as_posix() for file in files]

    def file(self, kind: str, name: str) -> Path | None:
        """The file of a spec, None if there is none.

        Raises SpecError if two files have the name.
        """
        files = self.files(kind, name)
        if len(files) > 1:
            raise same_name(kind, name, files[0], files[1])
        return files[0] if files else None


def same_name(kind: str, name: str, first: Path, second: Path) -> SpecError:
    """Two files claim a name; both are named."""
    return SpecError(second, 0, f"the {kind} '{name}' exists twice; the other is {shown(first)}")


def _by_name(kind: str, files: Iterator[Path]) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for file in files:
        found.setdefault(file.name.removesuffix(f".{kind}.yaml"), []).append(file)
    return dict(sorted(found.items()))


def kind_of(path: Path) -> str | None:
    """The kind of spec a file is by its name, None if it is none."""
    parts = path.name.rsplit(".", 2)
    return parts[1] if len(parts) == 3 and parts[1] in SPEC_KINDS and parts[2] == "yaml" else None


def spec_files(folder: Path, kinds: tuple[str, ...] = KINDS) -> Iterator[Path]:
    """All spec files below a folder, sorted; hidden folders and checkpoints are not entered."""
    suffixes = tuple(f".{kind}.yaml" for kind in kinds)
    for path in _walk(folder):
        if path.name.endswith(suffixes) and path.is_file():  # no pipe, no device
            yield path


def almost_specs(folder: Path) -> Iterator[SpecError]:
    """Notes on files below a folder that look like specs and are none by their names."""
    for path in _walk(folder):
        found = _ALMOST.search(path.name)
        if found and kind_of(path) is None:
            kind = found[1].lower()
            what = f"not read: the name of a {kind}'s file must end in .{kind}.yaml"
            yield SpecError(path, 0, what)


def _walk(folder: Path) -> Iterator[Path]:
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith((".", "checkpoint-")) and name not in _NOT_OURS
        )
        for name in sorted(files):
            yield Path(here, name)


# --------------------------------------------------------------------------- the libraries


def library_root() -> Path:
    """The bundled library: in the wheel beside the package's code, else the repository's root."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "_library"
    return inside if inside.is_dir() else package.parent


def project_root(folder: Path) -> Path:
    """The nearest folder, from here upwards, that holds specs or says [tool.harness]; else here."""
    here = folder.resolve()
    for candidate in (here, *here.parents):
        if _has_specs(candidate) or _has_settings(candidate):
            return candidate
    return here


def _has_specs(folder: Path) -> bool:
    return any(
        next(inside.glob(pattern), None) is not None
        for kind, name in SPEC_KINDS.items()
        if (inside := folder / name).is_dir()
        for pattern in (f"*.{kind}.yaml", f"*/*.{kind}.yaml")
    )


def _has_settings(folder: Path) -> bool:
    try:
        file = folder / "pyproject.toml"
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
    except (OSError, UnicodeDecodeError):
        return False
    return re.search(r"^\[tool\.harness[].]", text, re.MULTILINE) is not None


def find_libraries(root: Path) -> tuple[Library, ...]:
    """The libraries that a project sees, the first to be asked first."""
    bundled = library_root()
    libraries = [
        Library(root, "fine-tuned", {"model": FINETUNED}),
        Library(root, "project"),
        *_installed(),
    ]
    if bundled != root:
        libraries.append(Library(bundled, "bundled"))
    return tuple(libraries)


def _installed() -> Iterator[Library]:
    """Packages that announce a folder of specs; they are located, never imported."""
    from importlib.metadata import entry_points

    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name):
        top, *inner = point.module.split(".")
        spec = importlib.util.find_spec(top)
        for place in (spec.submodule_search_locations if spec else None) or ():
            yield Library(Path(place, *inner).resolve(), point.name)


# --------------------------------------------------------------------------- the project


class Project:
    """The user's folder and the libraries it sees; a spec is read when it is first asked for."""

    def __init__(self, root: Path, libraries: Sequence[Library], *, allow_outside: bool) -> None:
        self.root, self.libraries, self.allow_outside = root, tuple(libraries), allow_outside
        self._specs: dict[Path, FileSpec | CollectError] = {}
        self._names: dict[str, set[str]] = {}

    @classmethod
    def here(cls, folder: Path | None = None, *, allow_outside: bool = False) -> Project:
        """The project around a folder (the present one); `allow_outside` lets data lie anywhere."""
        root = project_root(folder or Path.cwd())
        return cls(root, find_libraries(root), allow_outside=allow_outside)

    def names(self, kind: str) -> tuple[str, ...]:
        """The names of all specs of a kind in all libraries, sorted; no file is read."""
        if kind not in self._names:
            self._names[kind] = {name for each in self.libraries for name in each.names(kind)}
        return tuple(sorted(self._names[kind]))

    def knows(self, kind: str, name: str) -> bool:
        """Whether a spec of that name exists; no file is read."""
        return any(library.files(kind, name) for library in self.libraries)

    def file(self, kind: str, name: str) -> Path | None:
        """The file of a spec in the first library that has it.

        Raises SpecError if that library has it twice.
        """
        for library in self.libraries:
            path = library.file(kind, name)
            if path is not None:
                return path
        return None

    def get_task(self, name: str) -> TaskSpec:
        """A task by name or by the path of its file.

        Raises SelectionError if there is none; SpecError or CollectError if its file is wrong.
        """
        return cast(TaskSpec, self._get("task", name))

    def get_model(self, name: str) -> ModelSpec:
        """A model card by name or by the path of its file; errors as `get_task`."""
        return cast(ModelSpec, self._get("model", name))

    def get_judge(self, name: str) -> JudgeSpec:
        """A judge by name or by the path of its file; errors as `get_task`."""
        return cast(JudgeSpec, self._get("judge", name))

    def get_recipe(self, name: str) -> RecipeSpec:
        """A recipe by name or by the path of its file; errors as `get_task`."""
        return cast(RecipeSpec, self._get("recipe", name))

    def _get(self, kind: Kind, name: str) -> FileSpec:
        path = self.file(kind, name)
        if path is None and is_path(name):
            path = self.find_path(name)
            if path is not None and kind_of(path) != kind:
                raise SelectionError(f"'{name}' is not the file of a {kind} (<name>.{kind}.yaml)")
        if path is None:
            hint = known_or_near(name, self.names(kind))
            raise SelectionError(f"no {kind} named '{name}'{hint}")
        return self.read(path)

    def read(self, path: Path) -> FileSpec:
        """The spec in a file; what it refers to by name exists.

        Raises SpecError or CollectError with all mistakes of the file.
        """
        found = self._specs.get(path)
        if found is None:
            found = self._specs[path] = self._read(path)
        if isinstance(found, FileSpec):
            return found
        raise found.errors[0] if len(found.errors) == 1 else found

    def _read(self, path: Path) -> FileSpec | CollectError:
        kind = kind_of(path)
        if kind is None:
            endings = ", ".join(f".{kind}.yaml" for kind in KINDS)
            return CollectError(
                [SpecError(path, 0, f"the name of a spec's file ends in {endings}")]
            )
        judges = self.names("judge") if kind == "task" else ()
        origin = Origin(path, self.root_of(path), self.allow_outside, judges)
        try:
            spec = read_spec(cast(Kind, kind), origin)
        except CollectError as error:
            return error
        except SpecError as error:
            return CollectError([error])
        errors = _unknown_references(self, spec)
        return CollectError(errors) if errors else spec

    def root_of(self, path: Path) -> Path:
        """The project or library that a file belongs to: the innermost around it."""
        around = [each.root for each in self.libraries if path.is_relative_to(each.root)]
        return (
            max(around, key=lambda root: len(root.parts)) if around else project_root(path.parent)
        )

    def title_of(self, root: Path) -> str:
        """`project FOLDER`, `bundled library`: how a root is headed in listings."""
        if root == self.root:
            return f"project {root}"
        titles = [library.title for library in self.libraries if library.root == root]
        return f"{titles[0]} library" if titles else f"folder {root}"

    def find_path(self, text: str) -> Path | None:
        """The file or folder that a path on the command line means, None if there is none."""
        for base in (Path.cwd(), self.root, *(library.root for library in self.libraries)):
            path = Path(os.path.abspath(base / text))
            if path.exists():
                return path
        return None


def is_path(text: str) -> bool:
    """Whether a word on the command line, or in a spec, means a file rather than a name."""
    return "/" in text or os.sep in text or text.endswith(".yaml")


# --------------------------------------------------------------------------- references


@dataclass(frozen=True, slots=True)
class _Reference:
    kind: str
    name: str | None
    loc: Loc


def _references(spec: FileSpec) -> Iterable[_Reference]:
    """The names by which a spec refers to others."""
    if isinstance(spec, TaskSpec):
        for number, score in enumerate(spec.score):
            yield _Reference("judge", score.judge, ("score", number, "judge"))
        for number, line in enumerate(spec.gate):
            yield _Reference("task", line.task, ("gate", number, "task"))
    elif isinstance(spec, ModelBase):
        yield _Reference("model", spec.baseline, ("baseline",))
    elif isinstance(spec, JudgeSpec):
        yield _Reference("model", spec.model, ("model",))
        for number, name in enumerate(spec.panel):
            yield _Reference("model", name, ("panel", number))
    elif isinstance(spec, RecipeSpec):
        yield _Reference("model", spec.base, ("base",))
        yield _Reference("task", spec.task, ("task",))
        for number, name in enumerate(spec.evaluate.tasks if spec.evaluate else ()):
            yield _Reference("task", name, ("evaluate", "tasks", number))


def _unknown_references(project: Project, spec: FileSpec) -> list[SpecError]:
    errors = []
    for reference in _references(spec):
        name, kind = reference.name, reference.kind
        if name is None or project.knows(kind, name):
            continue
        if is_path(name) and (project.find_path(name) or (spec.path.parent / name).exists()):
            continue
        document, _ = parse(spec.path, spec.text)
        line = document.line(reference.loc) if document else 0
        hint = known_or_near(name, project.names(kind))
        errors.append(SpecError(spec.path, line, f"no {kind} named '{name}'{hint}"))
    return errors
