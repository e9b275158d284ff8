"""What a judge is shown of a sample, and a person who rates in its place: the same, and all of it.

An answer can only be judged beside the question as it was meant: with the choices that were given,
with the text that an instruction speaks of, with whatever column the task's prompt shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Template

from harness.collect.judge_spec import JudgeSpec
from harness.collect.library import library_root
from harness.collect.specs import TaskSpec
from harness.collect.templates import TemplateFault, compiled, rendered
from harness.collect.yamlio import Document, get_in, parse
from harness.errors import SpecError
from harness.judges.base import Material
from harness.records import LETTERS, Sample
from harness.results.run import Run
from harness.tasks.media import media_folder
from harness.tasks.prompt import template_names


@dataclass(frozen=True)
class Question:
    """The `question:` of a score entry, and where it stands."""

    template: Template
    path: Path
    line: int

    def of(self, sample: Sample) -> str:
        """What a judge is told that was asked; raises SpecError, also if that is nothing."""
        try:
            text = rendered(self.template, template_names(sample))
        except TemplateFault as fault:
            raise self._fault(fault.what, sample) from None
        if not text.strip():
            raise self._fault("nothing is left to be shown", sample)
        return text

    def _fault(self, what: str, sample: Sample) -> SpecError:
        return SpecError(self.path, self.line, f"question: {what} (sample '{sample.id}')")


@dataclass(frozen=True)
class View:
    """How the samples of one task are shown.

    ``questions`` are by the judge's name; a judge without one is shown `question_of`. ``folder`` is
    the one below which media lie; they must lie in it or in one of ``roots``, unless there are
    none.
    """

    questions: Mapping[str, Question] = field(default_factory=dict)
    folder: Path = Path()
    roots: tuple[Path, ...] = ()

    @classmethod
    def of(cls, task: TaskSpec) -> View:
        """Of a task as it was read; raises SpecError for a template that cannot be compiled."""
        entries = [(number, one.judge, one.question) for number, one in enumerate(task.score)]
        document, _ = parse(task.path, task.text)
        roots = () if task.allow_outside else (task.root,)
        folder = media_folder(task.path, task.data.path, task.data.media_root)
        return cls(_questions(entries, task.path, document), folder, roots)

    @classmethod
    def stored(cls, path: Path, text: str, root: Path) -> View:
        """Of a task as a run has kept it; raises as `of`. ``path`` is where its file was."""
        document, _ = parse(path, text)
        scores = get_in(document.data, ("score",)) if document else None
        given = get_in(document.data, ("data", "path")) if document else None
        entries = [
            (number, one.get("judge"), one.get("question"))
            for number, one in enumerate(scores if isinstance(scores, list) else ())
            if isinstance(one, dict)
        ]
        below = get_in(document.data, ("data", "media_root")) if document else None
        root_of_media = below if isinstance(below, str) else None
        folder = media_folder(path, given if isinstance(given, str) else "x", root_of_media)
        return cls(_questions(entries, path, document), folder, (root,))

    def material(
        self, spec: JudgeSpec, sample: Sample, answer: str, answer_b: str | None = None
    ) -> Material:
        """What a judge may see of a sample: no model, no threshold, and no reference that it did
        not ask for."""
        own = self.questions.get(spec.judge)
        question = own.of(sample) if own else question_of(sample)
        reference = reference_of(sample) if spec.needs_reference else None
        return Material(question, reference, answer, answer_b, sample.media, str(self.folder))

    def check(self, samples: Sequence[Sample], judges: Iterable[JudgeSpec] = ()) -> None:
        """Raise SpecError if a sample cannot be shown to all judges as it should be."""
        for question in self.questions.values():
            for sample in samples:
                question.of(sample)
        for spec in judges:
            for sample in samples if spec.media else ():
                shown = self.material(spec, sample, "", "").paths
                for name, path in zip(sample.media, shown, strict=True):
                    if what := self._media_fault(Path(path)):
                        what = f"media '{name}' of sample '{sample.id}' {what}"
                        raise SpecError(
                            spec.path, 0, f"judge '{spec.judge}' is shown media: {what}"
                        )

    def _media_fault(self, path: Path) -> str:
        if self.roots and not lies_in(path, (*self.roots, self.folder)):
            return "lies outside the project (see --allow-outside)"
        return "" if path.is_file() else f"is no file beside the data ({self.folder})"


def stored_views(stored: Run, root: Path) -> dict[str, View]:
    """Name of each task of a stored run -> how it was shown, in the project at ``root``."""
    found = {}
    for spec in stored.specs:
        if spec.kind == "task":
            path = root / spec.path
            path = path if path.is_file() else library_root() / spec.path
            found[spec.name] = View.stored(
                path if path.is_file() else root / spec.path, spec.text, root
            )
    return found


def lies_in(path: Path, folders: Iterable[Path]) -> bool:
    """Whether a path, all links followed, is below one of the folders."""
    try:
        found = path.resolve()
        return any(found.is_relative_to(folder.resolve()) for folder in folders)
    except (OSError, ValueError, RuntimeError):  # a NUL, links in a circle
        return False


def judge_named(word: str) -> str:
    """The name of the judge that a task names, by its name or by the path of its file."""
    return Path(word).name.removesuffix(".judge.yaml")


def _questions(
    entries: Iterable[tuple[int, object, object]], path: Path, document: Document | None
) -> dict[str, Question]:
    found = {}
    for number, judge, source in entries:
        if not isinstance(judge, str) or not isinstance(source, str):
            continue
        line = document.line(("score", number, "question")) if document else 0
        try:
            found[judge_named(judge)] = Question(compiled(source), path, line)
        except TemplateFault as fault:
            raise SpecError(path, line, f"question: {fault.what}") from None
    return found


# --------------------------------------------------------------------------- parts


def question_of(sample: Sample) -> str:
    """What was asked: of rows in Alpaca's form the instruction and the input it speaks of, and of
    a sample with choices these with their letters."""
    row, context, asked = sample.row, sample.row.get("input"), sample.input
    alpaca = row.get("instruction") == sample.input and isinstance(context, str)
    if alpaca and str(context).strip():
        asked = f"{asked}\n\n{context}"
    listed = [choice_text(sample, number) for number in range(len(sample.choices))]
    return "\n\n".join([asked, "\n".join(listed)]) if listed else asked


def reference_of(sample: Sample) -> str:
    """The reference answer; of a sample with choices, the letter and the words of the right one."""
    letter = sample.target.strip().upper()
    at = LETTERS.find(letter) if len(letter) == 1 else -1
    return choice_text(sample, at) if 0 <= at < len(sample.choices) else sample.target


def choice_text(sample: Sample, number: int) -> str:
    """A choice as it is listed: `B. Robbery`."""
    return f"{LETTERS[number]}. {sample.choices[number]}"
