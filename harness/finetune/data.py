"""A task's samples to training rows: the prompt object of evaluation, and a mask.

The prompt is tokenised as the adapter tokenises it when it evaluates, and the answer as the
continuation that follows it, so that training and evaluation see the same token ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from harness.collect.specs import FileSpec, TaskSpec
from harness.collect.yamlio import Loc, parse
from harness.errors import DataError
from harness.records import Request, Sample
from harness.tasks.dataset import load_samples
from harness.tasks.prompt import Prompt


class Encoder(Protocol):
    """What turns a prompt and its answer into token ids; the adapter's own."""

    def encode_pair(self, request: Request) -> tuple[list[int], list[int]]:
        """Ids of the prompt and ids of ``request.continuations[0]``."""
        ...


@dataclass(frozen=True, slots=True)
class TrainRow:
    """Token ids of prompt + answer + EOS; the loss is taken where ``completion_mask`` is 1."""

    input_ids: list[int]
    completion_mask: list[int]


@dataclass(frozen=True)
class Rows:
    """The rows of a split that teach, and what `max_length` took from the others."""

    rows: tuple[TrainRow, ...]
    cut: int
    """Rows that lose their end: an answer that breaks off, without EOS."""
    lost: int
    """Samples of which `max_length` leaves nothing but the prompt: they are no rows."""
    longest: int
    """Tokens of the longest prompt and answer together, before anything is cut."""
    shortest_prompt: int
    """Tokens of the shortest prompt."""


@dataclass(frozen=True)
class Splits:
    """The samples that are learnt from, and those that are watched while learning."""

    train: tuple[Sample, ...]
    validation: tuple[Sample, ...]


def load_splits(task: TaskSpec) -> Splits:
    """Train and validation samples; refuses a train sample that is asked in the test split.

    Raises DataError naming the first sample that stands in both.
    """
    train = load_samples(task, task.data.train_split)
    held_out = {(s.input, s.target) for s in load_samples(task)}
    for sample in train:
        if (sample.input, sample.target) in held_out:
            what = f"train sample '{sample.id}' stands in the test split too"
            raise DataError(task.path, line_of(task, ("data", "train_split")), what)
    name = task.data.validation_split
    return Splits(tuple(train), tuple(load_samples(task, name)) if name else ())


def make_rows(
    task: TaskSpec, samples: Sequence[Sample], encoder: Encoder, eos: int, max_length: int
) -> Rows:
    """Rows for the trainer; one without a token of its answer would teach nothing and is left."""
    prompt = Prompt.of(task)
    rows: list[TrainRow] = []
    cut, longest, shortest = 0, 0, 0
    for sample in samples:
        request = Request(
            sample.id, "perplexity", prompt.render(sample), (training_answer(task, prompt, sample),)
        )
        context, answer = encoder.encode_pair(request)
        ids = [*context, *answer, eos]
        longest = max(longest, len(ids))
        shortest = min(shortest or len(context), len(context))
        if len(context) < max_length:
            mask = [0] * len(context) + [1] * (len(answer) + 1)
            rows.append(TrainRow(ids[:max_length], mask[:max_length]))
            cut += len(ids) > max_length
    return Rows(tuple(rows), cut, len(samples) - len(rows), longest, shortest)


def training_answer(task: TaskSpec, prompt: Prompt, sample: Sample) -> str:
    """The reference as it follows the prompt; a choice is taught as it will be asked."""
    if sample.choices:
        letters = prompt.continuations(sample, "letter")
        right = [letter[-1] for letter in letters].index(sample.target)
        return prompt.continuations(sample, task.choices)[right]
    return prompt.answer(sample)


def line_of(spec: FileSpec, loc: Loc) -> int:
    """The line of the spec's file where a value is, or what is nearest around it; 0 if unknown."""
    document, _ = parse(spec.path, spec.text)
    return document.line(loc) if document else 0
