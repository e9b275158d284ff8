"""Samples to prompts: the one object that evaluation and fine-tuning share.

What a model is trained on and what it is asked are rendered by the same `Prompt`, so that a
template cannot drift between the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.exceptions import SecurityError, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from harness.collect.specs import PromptSpec, TaskSpec
from harness.errors import SpecError
from harness.records import LETTERS, Message, Request, Sample


@lru_cache(maxsize=1)
def environment() -> ImmutableSandboxedEnvironment:
    """The sandbox all templates run in: no attribute access to Python's insides, one pass."""
    return ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)


@dataclass(frozen=True)
class Prompt:
    """A task's compiled prompt with its few-shot examples, if it has any.

    Raises SpecError, naming the task's file, when a template uses a name that the sample does not
    have or tries to leave the sandbox.
    """

    spec: PromptSpec
    where: str
    parts: tuple[tuple[str, Template], ...]
    answer_template: Template
    examples: tuple[Sample, ...] = ()

    @classmethod
    def of(cls, task: TaskSpec, examples: Sequence[Sample] = ()) -> Prompt:
        """Compile the task's templates."""
        spec, env = task.prompt, environment()
        sources = (
            [("text", spec.template)]
            if spec.template is not None
            else [(m.role, m.content) for m in spec.messages or ()]
        )
        parts = tuple((role, env.from_string(source)) for role, source in sources)
        answer = env.from_string(spec.target_template)
        return cls(spec, str(task.path), parts, answer, tuple(examples))

    @property
    def delimiter(self) -> str:
        """What stands between prompt and answer: nothing in a chat."""
        return "" if self.spec.messages else self.spec.target_delimiter

    def render(self, sample: Sample) -> str | tuple[Message, ...]:
        """The prompt of a sample: text, or messages for the chat template."""
        if self.spec.messages is None:
            shots = [self._own_text(shot) + self.answer(shot) for shot in self.examples]
            return self.spec.fewshot_delimiter.join([*shots, self._own_text(sample)])
        turns: list[Message] = []
        for shot in self.examples:
            solved = self._turns(shot)
            turns += solved[bool(turns and solved[0].role == "system") :]
            turns.append(Message("assistant", self.answer(shot)))
        own = self._turns(sample)
        return tuple(turns + own[bool(turns and own[0].role == "system") :])

    def answer(self, sample: Sample) -> str:
        """The reference as the model should have written it, with the delimiter in front."""
        return self.delimiter + self._render(self.answer_template, sample)

    def continuations(self, sample: Sample, choices: str) -> tuple[str, ...]:
        """What a `choices` task compares: the choices' words or their letters."""
        texts = sample.choices if choices == "text" else LETTERS[: len(sample.choices)]
        return tuple(self.delimiter + text for text in texts)

    def _own_text(self, sample: Sample) -> str:
        return self._render(self.parts[0][1], sample)

    def _turns(self, sample: Sample) -> list[Message]:
        return [
            Message(role, self._render(template, sample))  # type: ignore[arg-type]
            for role, template in self.parts
        ]

    def _render(self, template: Template, sample: Sample) -> str:
        try:
            return template.render(_names(sample))
        except UndefinedError as error:
            names = ", ".join(_names(sample))
            what = f"template: {error.message} (sample '{sample.id}' has: {names})"
        except SecurityError as error:
            what = f"template: not allowed: {error}"
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
            what = f"template: {error} (sample '{sample.id}')"
        raise SpecError(self.where, 0, what)


def make_requests(
    task: TaskSpec, prompt: Prompt, samples: Sequence[Sample], epochs: int = 1
) -> list[Request]:
    """One request for each sample and epoch, in the samples' order; ids are ``sample#epoch``.

    An epoch moves the sampling seed, so that greedy epochs are one and the same request to the
    cache only if nothing is sampled.
    """
    requests = []
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
                    settings=task.generate,
                    media=sample.media,
                    epoch=epoch,
                )
            )
    return requests


def _names(sample: Sample) -> Mapping[str, object]:
    letters = LETTERS[: len(sample.choices)]
    own: dict[str, object] = {"input": sample.input, "target": sample.target, "choices": sample.choices}
    own |= {"letters": tuple(letters), "id": sample.id, "row": sample.row}
    return {**sample.row, **own}
