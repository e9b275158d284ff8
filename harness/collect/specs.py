"""The shapes of the files a user writes: what they share, the task and the model card.

The judge's is in judge_spec.py, the recipe's in recipe_spec.py. Every spec is frozen and forbids
unknown keys; `harness schema KIND` prints the same shapes as JSON Schema. Field names are the
field's own (see docs/adr/0001): those of Inspect for samples, of Hugging Face and PEFT for
generation and training, of lm-eval for output types.
"""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, model_validator

from harness.collect.base_spec import FileSpec as FileSpec
from harness.collect.base_spec import Misplaced as Misplaced
from harness.collect.base_spec import Name as Name
from harness.collect.base_spec import Scalar as Scalar
from harness.collect.base_spec import Spec as Spec
from harness.collect.gate_spec import GateSpec
from harness.collect.model_spec import MODEL_KINDS as MODEL_KINDS
from harness.collect.model_spec import URL as URL
from harness.collect.model_spec import BridgeModel as BridgeModel
from harness.collect.model_spec import EmbeddingJudgeModel as EmbeddingJudgeModel
from harness.collect.model_spec import LocalModel as LocalModel
from harness.collect.model_spec import ModelBase as ModelBase
from harness.collect.model_spec import ModelSpec as ModelSpec
from harness.collect.model_spec import OpenAIModel as OpenAIModel
from harness.collect.model_spec import Price as Price
from harness.collect.model_spec import ReplayModel as ReplayModel
from harness.collect.model_spec import TransformersModel as TransformersModel
from harness.collect.model_spec import VisionModel as VisionModel
from harness.collect.suggest import did_you_mean
from harness.records import FrameSettings, GenerateSettings, OutputType

VARIANT_KEYS = ("prompt.", "generate.", "data.", "media.")
"""Where the dotted keys of `variants` and of `--set` may point."""
SHORT_KEYS = {
    name: f"media.{name}"
    for name in ("fps", "frames", "max_frames", "resolution", "start", "end", "degrade")
}
"""Settings that have a short name of their own, which is the one that a variant shows."""
DEGRADATIONS = (
    "none", "blur", "motion_blur", "brightness", "noise", "compression", "occlusion",
)  # fmt: skip
DEGRADE = re.compile(rf"none|({'|'.join(DEGRADATIONS[1:])})(:-?[0-9]+(\.[0-9]+)?)?")
"""How a degradation is written; harness/media/degrade.py says what kinds and levels mean."""
LEVELS = {"brightness": (-1, 1), "compression": (0, 51)}
"""From which level to which a kind of degradation goes; the others from 0 to 1."""
SIDE = re.compile(r"[1-9][0-9]{0,5}")
MAX_SIDE = 8192
MAX_FPS = 1000
SOURCE_FPS = re.compile(r"source(/[1-9][0-9]{0,3})?")
CARD_KEYS = ("quantize", "dtype", "batch_size", "batch_tokens", "max_length")
"""Settings of the model card that `variants` and `--set` may change."""

METRICS = (
    "exact_match",
    "includes",
    "regex",
    "choice",
    "choice_norm",
    "rouge_1",
    "rouge_2",
    "rouge_l",
    "bleu",
    "chrf",
    "meteor",
    "semantic_similarity",
    "context_relevance",
    "bertscore_f1",
    "perplexity",
    "token_count",
    "format",
    "vqa_accuracy",
    "gqa_accuracy",
    "pope",
    "circular",
    "error_f1",
    "frame_localization",
    "exercise_identification",
)
"""The metrics a task may name; harness/scorers/registry.py says what each of them is."""


OUTPUT_TYPES: dict[str, tuple[OutputType, ...]] = {
    "choice": ("generate", "choices"),
    "choice_norm": ("choices",),
    "circular": ("generate", "choices"),
    "perplexity": ("perplexity",),
    "token_count": ("generate", "choices", "perplexity"),
}
"""What a metric can be computed from, where that is not generated text alone."""


# --------------------------------------------------------------------------- task


class Fields(Spec):
    """Which columns of the data become which parts of a sample.

    A dot reaches into a nested column: ``conversations.0.value``.
    """

    input: str = Field("input", description="column with the question or instruction")
    target: str = Field("target", description="column with the reference answer")
    choices: str | None = Field(None, description="column with a list of choices")
    media: str | None = Field(None, description="column with paths of videos or images")
    id: str = Field("id", description="column with a unique id; rows without one are numbered")
    cluster: str | None = Field(None, description="column naming the group of a sample")
    start: str | None = Field(None, description="column: from which second of the video on")
    end: str | None = Field(None, description="column: up to which second of the video")


class DataSpec(Spec):
    """Where the rows come from."""

    path: str = Field(description="file (.jsonl .csv .parquet) or hf://owner/name@revision")
    split: str = Field("test", description="rows whose `split` column (or hub split) is this")
    train_split: str = Field("train", description="what fine-tuning and few-shot examples use")
    validation_split: str | None = Field("validation", description="what fine-tuning validates on")
    config: str | None = Field(None, description="configuration name of a hub data set")
    fields: Fields = Fields()
    media_root: str | None = Field(
        None, description="folder below which `media` lie; default: the folder of the data file"
    )
    limit: int | None = Field(None, gt=0, description="at most so many rows, from the first")


class MessageSpec(Spec):
    """One templated turn of a chat prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


class PromptSpec(Spec):
    """How a sample becomes a prompt; the same object serves evaluation and fine-tuning.

    Exactly one of `template` (plain text: no chat template is applied) and `messages` (the
    model's chat template is applied). In both, Jinja sees the sample's fields, `input`,
    `choices`, `letters`, every column by its name, and all of them in `row`.
    """

    template: str | None = None
    messages: tuple[MessageSpec, ...] | None = None
    target_delimiter: str = Field(" ", description="between prompt and answer; '' for messages")
    target_template: str = Field("{{ target }}", description="how a reference becomes an answer")
    num_fewshot: int = Field(0, ge=0, description="solved examples in front, from train_split")
    fewshot_delimiter: str = "\n\n"

    @model_validator(mode="after")
    def _one_form(self) -> PromptSpec:
        if (self.template is None) == (self.messages is None):
            raise ValueError("give exactly one of 'template' and 'messages'")
        return self


class ScoreSpec(Spec):
    """One metric of a task, or one judge; a bare name stands for {metric: name}."""

    metric: str | None = None
    judge: str | None = None
    question: str | None = Field(
        None,
        description="Jinja text that a judge is shown as what was asked, over the row as the "
        "prompt's; default: the input, with an instruction's input and with the choices",
    )
    pattern: str | None = Field(None, description="regular expression of `regex` and `format`")
    ignore_case: bool = True
    encoder: str | None = Field(None, description="sentence encoder or BERTScore model")
    layer: int | None = Field(None, ge=0, description="layer of `bertscore_f1`")
    tokenizer: Literal["rouge", "unicode"] = "rouge"
    tolerance: float | None = Field(
        None, ge=0, description="seconds, or frames, of `frame_localization`; default: 0.5 or 5"
    )

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        return {"metric": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_kind(self) -> ScoreSpec:
        if (self.metric is None) == (self.judge is None):
            raise ValueError("give exactly one of 'metric' and 'judge'")
        return self


def output_of(answer: str) -> OutputType:
    """The output type that a way to answer stands for."""
    return "choices" if answer == "likelihood" else "generate"


class TaskSpec(FileSpec):
    """A task: data, prompt, how to answer, how to score."""

    task: Name
    version: int = Field(ge=1, description="raise it whenever prompt, data or scoring change")
    tags: tuple[str, ...] = ()
    description: str = ""
    licence: str | None = None
    data: DataSpec
    prompt: PromptSpec
    prompts: dict[Name, PromptSpec] = Field(
        default_factory=dict, description="further prompts by name; `--set prompt=NAME` takes one"
    )
    output_type: OutputType = "generate"
    choices: Literal["text", "letter"] = Field(
        "text", description="what a `choices` task scores: the choice's words, or its letter"
    )
    answer: Literal["likelihood", "letter", "text", "any"] | None = Field(
        None,
        description="how a choice is given, in place of `output_type`: by its log-likelihood, or "
        "as a letter, in its words or either, read out of generated text",
    )
    shuffle_choices: int | None = Field(
        None, description="seed by which each sample's choices are put into another order"
    )
    media: FrameSettings = FrameSettings()
    generate: GenerateSettings = GenerateSettings()
    variants: dict[str, tuple[Scalar, ...]] = Field(
        default_factory=dict, description="dotted setting -> values; their product is run"
    )
    score: tuple[ScoreSpec, ...] = Field(min_length=1)
    gate: tuple[GateSpec, ...] = ()

    @model_validator(mode="after")
    def _output_of_answer(self) -> TaskSpec:
        if self.answer is not None:  # a validator before would cost the strictness of JSON
            self.__dict__["output_type"] = output_of(self.answer)
        return self

    @model_validator(mode="after")
    def _media_can_be(self) -> TaskSpec:
        media = self.media
        side = media.resolution
        sides = str(side).split("x") if side is not None else []
        if len(sides) > 2 or not all(SIDE.fullmatch(s) and int(s) <= MAX_SIDE for s in sides):
            what = f"must be a short side in pixels or WIDTHxHEIGHT (320x240), not '{side}'"
            what += f" (at most {MAX_SIDE})" if sides[0].isdigit() else ""
            raise Misplaced(f"'media.resolution' {what}", "media", "resolution")
        if isinstance(media.fps, str) and not SOURCE_FPS.fullmatch(media.fps):
            what = "must be frames a second, or source/2 for every second frame of the file"
            raise Misplaced(f"'media.fps' {what}, not '{media.fps}'", "media", "fps")
        if isinstance(media.fps, float | int) and not 0 < media.fps <= MAX_FPS:
            what = f"must be above 0 and at most {MAX_FPS}, not {media.fps:g}"
            raise Misplaced(f"'media.fps' {what}", "media", "fps")
        if not DEGRADE.fullmatch(media.degrade):
            kind = media.degrade.partition(":")[0]
            hint = did_you_mean(kind, DEGRADATIONS) or f": {', '.join(DEGRADATIONS)}, as blur:0.5"
            raise Misplaced(f"unknown degradation '{media.degrade}'{hint}", "media", "degrade")
        kind, _, level = media.degrade.partition(":")
        least, most = LEVELS.get(kind, (0, 1))
        if level and not least <= float(level) <= most:
            what = f"the level of {kind} goes from {least} to {most}, not to {level}"
            raise Misplaced(f"'media.degrade': {what}", "media", "degrade")
        if media.end is not None and media.end <= (media.start or 0.0):
            raise Misplaced("'media.end' must be after 'media.start'", "media", "end")
        return self


SPEC_KINDS: dict[str, str] = {
    "task": "tasks",
    "model": "adapters",
    "judge": "judges",
    "recipe": "finetune",
}
"""Kind of spec -> the folder it lives in; the file is `<name>.<kind>.yaml`."""
