"""A file's text to a spec, or to every mistake in it with its own line."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.collect.checks import check
from harness.collect.judge_spec import JudgeSpec
from harness.collect.path_checks import Place
from harness.collect.recipe_spec import RecipeSpec
from harness.collect.shapes import Mistake, shape
from harness.collect.specs import MODEL_KINDS, FileSpec, TaskSpec
from harness.collect.suggest import known_or_near
from harness.collect.yamlio import Document, Value, parse, read_text
from harness.errors import CollectError, SpecError

Kind = Literal["task", "model", "judge", "recipe"]
SPEC_TYPES: dict[str, type[FileSpec]] = {"task": TaskSpec, "judge": JudgeSpec, "recipe": RecipeSpec}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a spec comes from: its file, and the project or library the file belongs to."""

    path: Path
    root: Path
    allow_outside: bool = False
    judges: Collection[str] = ()
    """Names of the judges that the project knows, for hints."""

    @property
    def place(self) -> Place:
        """What a data path of the spec is measured against."""
        return Place(self.path, None if self.allow_outside else self.root, self.judges)


def read_spec(kind: Kind, origin: Origin) -> FileSpec:
    """Read and check a file.

    Raises SpecError for one mistake, CollectError with all of them for more.
    """
    result = validate(kind, origin, read_text(origin.path))
    if isinstance(result, FileSpec):
        return result
    raise result[0] if len(result) == 1 else CollectError(result)


def validate(kind: Kind, origin: Origin, text: str) -> FileSpec | list[SpecError]:
    """The spec that the text is, or all of its mistakes in the order of their lines."""
    document, errors = parse(origin.path, text)
    if document is None:
        return errors
    spec, mistakes = validate_data(kind, document.data, origin)
    errors += [_located(document, mistake) for mistake in mistakes]
    if spec is None or errors:
        unique = {(error.line, error.what): error for error in errors}
        return sorted(unique.values(), key=lambda error: error.line)
    spec.located(origin.path, text, origin.root, allow_outside=origin.allow_outside)
    return spec


def validate_data(
    kind: Kind, data: dict[str, Value], origin: Origin
) -> tuple[FileSpec | None, list[Mistake]]:
    """The spec that plain data is, and the mistakes in it, of shape and of meaning."""
    spec_type, mistakes = _spec_type(kind, data)
    spec: FileSpec | None = None
    if spec_type is not None:
        spec, mistakes = shape(spec_type, data)
    return spec, [*mistakes, *check(kind, data, origin.place)]


def _located(document: Document, mistake: Mistake) -> SpecError:
    if mistake.text_line:
        line = document.text_line(mistake.loc, mistake.text_line)
    else:
        line = document.line(mistake.loc)
    return SpecError(document.path, line, mistake.what)


def _spec_type(
    kind: Kind, data: Mapping[str, Value]
) -> tuple[type[FileSpec] | None, list[Mistake]]:
    """The class of a file; that of a model card depends on its adapter."""
    if kind != "model":
        return SPEC_TYPES[kind], []
    if "adapter" not in data:
        return None, [Mistake((), f"missing key 'adapter' (one of {', '.join(MODEL_KINDS)})")]
    adapter = data["adapter"]
    if not isinstance(adapter, str) or adapter not in MODEL_KINDS:
        what = f"unknown adapter '{adapter}'{known_or_near(str(adapter), MODEL_KINDS)}"
        return None, [Mistake(("adapter",), what)]
    return MODEL_KINDS[adapter], []
