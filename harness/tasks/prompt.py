"""Samples to prompts: the one object that evaluation and fine-tuning share.

What a model is trained on and what it is asked are rendered by the same `Prompt`, so that a
template cannot drift between the two.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from jinja2 import Template, TemplateError, TemplateSyntaxError
from jinja2.exceptions import SecurityError, UndefinedError

from harness.collect.sandbox import environment
from harness.collect.specs import PromptSpec, TaskSpec
from harness.collect.suggest import did_you_mean
from harness.errors import SpecError
from harness.records import LETTERS, FrameSettings, GenerateSettings, Message, Request, Sample
from harness.tasks.media import media_paths
from harness.tasks.rows import line_of, shown

Question = str | tuple[Message, ...]
"""A prompt without examples: text, or messages for the chat template."""
FEWSHOT = ("prompt", "num_fewshot")
SEED_STRIDE = 1_000_003  # epochs of neighbouring seeds never share a seed


@dataclass(frozen=True)
class Part:
    """One compiled template of a task, with what is needed to point at it."""

    template: Template
    source: str

    @classmethod
    def of(cls, task: TaskSpec, source: str) -> Part:
        """Compile; raises SpecError at the line of the mistake."""
        try:
            return cls(environment().from_string(source), source)
        except TemplateSyntaxError as error:
            line, what = _line_in(task.text, source, error.lineno), error.message or "syntax"
        except (RecursionError, MemoryError, OverflowError):
            line, what = _line_in(task.text, source, 1), "too large to compile"
        raise SpecError(task.path, line, f"template: {shown(what)}")


@dataclass(frozen=True)
class Prompt:
    """A task's compiled prompt with its few-shot examples, if it has any.

    Raises SpecError, naming the task's file and line, when a template cannot be read, uses a name
    that the sample does not have or tries to leave the sandbox.
    """

    task: TaskSpec
    parts: tuple[Part, ...]
    answer_part: Part
    examples: tuple[Sample, ...] = ()

    @classmethod
    def of(cls, task: TaskSpec, examples: Sequence[Sample] = ()) -> Prompt:
        """Compile the task's templates.

        ``examples`` are those that may be shown, ``num_fewshot`` of which stand in each prompt:
        the first that do not ask what the sample itself asks, for no sample is shown its own
        answer. Without any, prompts have none, as for fine-tuning.
        """
        spec = task.prompt
        turns = [turn.content for turn in spec.messages or ()]
        sources = turns if spec.template is None else [spec.template]
        parts = tuple(Part.of(task, source) for source in sources)
        return cls(task, parts, Part.of(task, spec.target_template), tuple(examples))

    @property
    def spec(self) -> PromptSpec:
        """The task's prompt as it is written."""
        return self.task.prompt

    @property
    def delimiter(self) -> str:
        """What stands between prompt and answer: nothing in a chat."""
        return "" if self.spec.messages is not None else self.spec.target_delimiter

    def render(self, sample: Sample) -> Question:
        """The prompt of a sample: text, or messages for the chat template.

        Raises SpecError if fewer than ``num_fewshot`` examples are others than the sample.
        """
        own = self._question(sample)
        shots = self._shots(sample, own) if self.examples else []
        if isinstance(own, str):
            solved = [f"{asked}{answer}" for asked, answer in shots]
            return self.spec.fewshot_delimiter.join([*solved, own])
        turns: list[Message] = []
        for asked, answer in shots:
            turns += _after(turns, asked)
            turns.append(Message("assistant", answer))
        return tuple(turns + _after(turns, own))

    def answer(self, sample: Sample) -> str:
        """The reference as the model should have written it, with the delimiter in front."""
        return self.delimiter + self._render(self.answer_part, sample)

    def continuations(self, sample: Sample, choices: str) -> tuple[str, ...]:
        """What a `choices` task compares: the choices' words or their letters."""
        texts = sample.choices if choices == "text" else LETTERS[: len(sample.choices)]
        return tuple(self.delimiter + text for text in texts)

    def _shots(self, sample: Sample, own: Question) -> list[tuple[Question, str]]:
        shots: list[tuple[Question, str]] = []
        count = self.spec.num_fewshot
        for number, example in enumerate(self.examples):
            if len(shots) == count:
                break
            if number not in self._solved:
                self._solved[number] = self._question(example), self.answer(example)
            if self._solved[number][0] != own:
                shots.append(self._solved[number])
        if len(shots) < count:
            split, line = self.task.data.train_split, line_of(self.task, FEWSHOT)
            what = f"num_fewshot is {count}, and only {len(shots)} of the rows of split '{split}' "
            what += f"{'asks' if len(shots) == 1 else 'ask'} something else than sample "
            what += f"'{shown(sample.id, 40)}'"
            raise SpecError(self.task.path, line, what)
        return shots

    @cached_property
    def _solved(self) -> dict[int, tuple[Question, str]]:
        """Examples as they are shown, by their position; each is rendered when first needed."""
        return {}

    def _question(self, sample: Sample) -> Question:
        texts = [self._render(part, sample) for part in self.parts]
        if self.spec.messages is None:
            return texts[0]
        roles = [turn.role for turn in self.spec.messages]
        return tuple(map(Message, roles, texts))

    def _render(self, part: Part, sample: Sample) -> str:
        names = {**template_names(sample), "answer_as": self.task.answer or ""}
        try:
            return part.template.render(names)
        except UndefinedError as error:
            line, what = _template_line(error), f"{error.message}{_hint(error, names)}"
            listed = ", ".join(name for name in names if name != "answer_as")
            what += f" (sample '{shown(sample.id, 40)}' has: {shown(listed, 300)})"
        except (SecurityError, RecursionError, MemoryError, OverflowError) as error:
            line, what = _template_line(error), f"not allowed: {error or 'too much memory'}"
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
            line, what = _template_line(error), f"{error} (sample '{shown(sample.id, 40)}')"
        line = _line_in(self.task.text, part.source, line)
        raise SpecError(self.task.path, line, f"template: {shown(what, 500)}")


def make_requests(
    task: TaskSpec, prompt: Prompt, samples: Sequence[Sample], epochs: int = 1
) -> list[Request]:
    """One request for each sample and epoch, in the samples' order; ids are ``sample#epoch``.

    If answers are sampled, each epoch has a seed of its own.
    """
    requests = []
    settings = [_epoch_settings(task, epoch) for epoch in range(epochs)]
    for sample in samples:
        rendered = prompt.render(sample)
        continuations: tuple[str, ...] = ()
        if task.output_type == "choices":
            continuations = prompt.continuations(sample, task.choices)
        elif task.output_type == "perplexity":
            text = prompt.answer(sample)
            # without a prompt, the text is all there is: nothing to be set apart from
            continuations = (text if rendered else text.removeprefix(prompt.delimiter),)
        media = media_paths(task, sample)
        if media and prompt.examples:
            line = line_of(task, FEWSHOT)
            raise SpecError(task.path, line, "few-shot examples of a task with media have none")
        for epoch in range(epochs):
            requests.append(
                Request(
                    id=f"{sample.id}#{epoch}",
                    output_type=task.output_type,
                    prompt=rendered,
                    continuations=continuations,
                    settings=settings[epoch],
                    media=media,
                    frames=frames_of(task, sample) if media else None,
                    epoch=epoch,
                )
            )
    return requests


def frames_of(task: TaskSpec, sample: Sample) -> FrameSettings:
    """What is seen of a sample's media: the task's settings, within the sample's own times."""
    own, start, end = task.media, sample.start, sample.end
    return replace(
        own,
        start=own.start if start is None else start,
        end=own.end if end is None else end,
    )


def _epoch_settings(task: TaskSpec, epoch: int) -> GenerateSettings:
    own = task.generate
    return replace(own, seed=own.seed + epoch * SEED_STRIDE) if epoch and own.temperature else own


def _after(turns: Sequence[Message], more: Question) -> list[Message]:
    """A sample's turns; the system prompt is given once, at the top."""
    own = [turn for turn in more if isinstance(turn, Message)]
    return [turn for turn in own if not turns or turn.role != "system"]


def template_names(sample: Sample) -> Mapping[str, object]:
    """What a template sees; a part of the sample goes before a column of the same name."""
    own: dict[str, object] = {
        "input": sample.input,
        "target": sample.target,
        "choices": sample.choices,
        "letters": tuple(LETTERS[: len(sample.choices)]),
        "id": sample.id,
        "row": sample.row,
    }
    return {**sample.row, **own}


# --------------------------------------------------------------------------- places


def _hint(error: UndefinedError, names: Mapping[str, object]) -> str:
    found = re.match(r"'(\w+)' is undefined", error.message or "")
    return did_you_mean(found[1], names) if found else ""


def _template_line(error: BaseException) -> int:
    """The line of the template in which it went wrong; Jinja puts it into the traceback."""
    trace, line = error.__traceback__, 1
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _line_in(text: str, source: str, line: int) -> int:
    """The line of a task file where a line of one of its templates stands; else of `prompt:`."""
    lines = source.splitlines()
    wanted = lines[line - 1].strip() if 0 < line <= len(lines) else ""
    own = list(enumerate(text.splitlines(), start=1))
    exact = [n for n, found in own if wanted and found.strip() == wanted]
    within = [n for n, found in own if wanted and wanted in found]
    top = [n for n, found in own if found.startswith("prompt:")]
    return [*exact, *within, *top, 0][0]
