"""Samples to prompts: the one object that evaluation and fine-tuning share.

What a model is trained on and what it is asked are rendered by the same `Prompt`, so that a
template cannot drift between the two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError
from jinja2.exceptions import SecurityError, UndefinedError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from harness.collect.specs import PromptSpec, TaskSpec
from harness.collect.suggest import did_you_mean
from harness.errors import SpecError
from harness.records import LETTERS, GenerateSettings, Message, Request, Sample
from harness.tasks.rows import shown

MAX_PROMPT = 10_000_000  # characters; far above any context, far below the memory
Question = str | tuple[Message, ...]
"""A prompt without examples: text, or messages for the chat template."""
SEED_STRIDE = 1_000_003  # epochs of neighbouring seeds never share a seed


class Sandbox(ImmutableSandboxedEnvironment):
    """Where all templates run: no way to Python's insides, and no cheap way to fill the memory.

    Beside what Jinja refuses (attributes with underscores, ``range`` beyond 100,000), powers and
    repetitions are bounded, the globals that carry functions of Python are gone, and no output is
    longer than MAX_PROMPT. A template that loops for long is not stopped.
    """

    intercepted_binops = frozenset({"*", "**"})

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=False)
        self.globals = {name: self.globals[name] for name in ("range", "dict", "namespace")}

    def call_binop(self, context: Context, operator: str, left: object, right: object) -> object:
        """Refuse what would be too large, before it is computed."""
        if operator == "**" and not (_small(left, 1e6) and _small(right, 64)):
            raise SecurityError("a power of such numbers")
        for one, other in ((left, right), (right, left)):
            count = other if isinstance(other, int) else 0
            if count and isinstance(one, str | list | tuple) and len(one) * count > MAX_PROMPT:
                raise SecurityError("so many repetitions")
        return super().call_binop(context, operator, left, right)

    def concat(self, parts: Iterable[str]) -> str:
        """Join what a template puts out, as long as it is not too long."""
        kept, length = list[str](), 0
        for part in parts:
            kept.append(part)
            length += len(part)
            if length > MAX_PROMPT:
                raise SecurityError(f"more than {MAX_PROMPT:,} characters")
        return "".join(kept)


@lru_cache(maxsize=1)
def environment() -> Sandbox:
    """The sandbox all templates run in; each text is rendered once, never twice."""
    return Sandbox()


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

        A sample is never shown its own answer: one that stands among the examples is left out
        of its own prompt.
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
        """The prompt of a sample: text, or messages for the chat template."""
        own = self._question(sample)
        shots = [(asked, answer) for asked, answer in self._solved if asked != own]
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

    @cached_property
    def _solved(self) -> list[tuple[Question, str]]:
        return [(self._question(shot), self.answer(shot)) for shot in self.examples]

    def _question(self, sample: Sample) -> Question:
        texts = [self._render(part, sample) for part in self.parts]
        if self.spec.messages is None:
            return texts[0]
        roles = [turn.role for turn in self.spec.messages]
        return tuple(map(Message, roles, texts))

    def _render(self, part: Part, sample: Sample) -> str:
        names = _names(sample)
        try:
            return part.template.render(names)
        except UndefinedError as error:
            line, what = _template_line(error), f"{error.message}{_hint(error, names)}"
            what += f" (sample '{shown(sample.id, 40)}' has: {shown(', '.join(names), 300)})"
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
            continuations = (prompt.answer(sample),)
        for epoch in range(epochs):
            requests.append(
                Request(
                    id=f"{sample.id}#{epoch}",
                    output_type=task.output_type,
                    prompt=rendered,
                    continuations=continuations,
                    settings=settings[epoch],
                    media=sample.media,
                    epoch=epoch,
                )
            )
    return requests


def _epoch_settings(task: TaskSpec, epoch: int) -> GenerateSettings:
    own = task.generate
    return replace(own, seed=own.seed + epoch * SEED_STRIDE) if epoch and own.temperature else own


def _after(turns: Sequence[Message], more: Question) -> list[Message]:
    """A sample's turns; the system prompt is given once, at the top."""
    own = [turn for turn in more if isinstance(turn, Message)]
    return [turn for turn in own if not turns or turn.role != "system"]


def _names(sample: Sample) -> Mapping[str, object]:
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


def _small(value: object, limit: float) -> bool:
    return isinstance(value, int | float) and abs(value) <= limit


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
