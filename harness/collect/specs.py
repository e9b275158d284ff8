"""The shapes of the files a user writes: what they share, the task and the model card.

The judge's is in judge_spec.py, the recipe's in recipe_spec.py. Every spec is frozen and forbids
unknown keys; `harness schema KIND` prints the same shapes as JSON Schema. Field names are the
field's own (see docs/adr/0001): those of Inspect for samples, of Hugging Face and PEFT for
generation and training, of lm-eval for output types.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator

from harness.collect.gate_spec import GateSpec
from harness.records import GenerateSettings, OutputType

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
Scalar = str | int | float | bool
VARIANT_KEYS = ("prompt.", "generate.", "data.")
"""Where the dotted keys of `variants` and of `--set` may point."""

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
)
"""The metrics a task may name; harness/scorers/registry.py says what each of them is."""


OUTPUT_TYPES: dict[str, tuple[OutputType, ...]] = {
    "choice": ("generate", "choices"),
    "choice_norm": ("choices",),
    "perplexity": ("perplexity",),
    "token_count": ("generate", "choices", "perplexity"),
}
"""What a metric can be computed from, where that is not generated text alone."""


class Misplaced(ValueError):
    """A mistake of a whole spec that stands at one place in it."""

    def __init__(self, what: str, *loc: str | int) -> None:
        self.loc = loc
        super().__init__(what)


class Spec(BaseModel):
    """What all parts of all specs have in common."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", str_strip_whitespace=False, allow_inf_nan=False
    )


class FileSpec(Spec):
    """A spec that is a whole file; knows where it stands."""

    _path: Path = PrivateAttr(default=Path("<memory>"))
    _text: str = PrivateAttr(default="")
    _root: Path = PrivateAttr(default=Path("."))
    _allow_outside: bool = PrivateAttr(default=False)

    @property
    def path(self) -> Path:
        """The file this was read from."""
        return self._path

    @property
    def text(self) -> str:
        """The file's text, kept for the manifest."""
        return self._text

    @property
    def root(self) -> Path:
        """The project (or library) the file belongs to; data may not lie outside it."""
        return self._root

    @property
    def allow_outside(self) -> bool:
        """Whether the user allowed data outside the project (--allow-outside)."""
        return self._allow_outside

    def located(
        self, path: Path, text: str, root: Path, *, allow_outside: bool | None = None
    ) -> None:
        """Remember the origin; called once, by the reader."""
        self._path, self._text, self._root = path, text, root
        if allow_outside is not None:
            self._allow_outside = allow_outside


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


class DataSpec(Spec):
    """Where the rows come from."""

    path: str = Field(description="file (.jsonl .csv .parquet) or hf://owner/name@revision")
    split: str = Field("test", description="rows whose `split` column (or hub split) is this")
    train_split: str = Field("train", description="what fine-tuning and few-shot examples use")
    validation_split: str | None = Field("validation", description="what fine-tuning validates on")
    config: str | None = Field(None, description="configuration name of a hub data set")
    fields: Fields = Fields()
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

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        return {"metric": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_kind(self) -> ScoreSpec:
        if (self.metric is None) == (self.judge is None):
            raise ValueError("give exactly one of 'metric' and 'judge'")
        return self


class TaskSpec(FileSpec):
    """A task: data, prompt, how to answer, how to score."""

    task: Name
    version: int = Field(ge=1, description="raise it whenever prompt, data or scoring change")
    tags: tuple[str, ...] = ()
    description: str = ""
    licence: str | None = None
    data: DataSpec
    prompt: PromptSpec
    output_type: OutputType = "generate"
    choices: Literal["text", "letter"] = Field(
        "text", description="what a `choices` task scores: the choice's words, or its letter"
    )
    generate: GenerateSettings = GenerateSettings()
    variants: dict[str, tuple[Scalar, ...]] = Field(
        default_factory=dict, description="dotted setting -> values; their product is run"
    )
    score: tuple[ScoreSpec, ...] = Field(min_length=1)
    gate: tuple[GateSpec, ...] = ()


# --------------------------------------------------------------------------- model


class ModelBase(FileSpec):
    """What all model cards share."""

    model: Name
    description: str = ""
    licence: str | None = None
    tags: tuple[str, ...] = ()
    baseline: str | None = Field(None, description="the model this one is compared with")
    family: str | None = Field(
        None, description="who made the base (llama, qwen, gpt): no judge of one's own family"
    )


class TransformersModel(ModelBase):
    """A causal language model of transformers, with or without a LoRA."""

    adapter: Literal["transformers"]
    base: str = Field(description="folder (./ is beside this card) or hub id of the base model")
    revision: str = "main"
    lora: str | None = Field(None, description="folder or hub id of a PEFT adapter")
    lora_revision: str = "main"
    quantize: Literal["none", "int8", "nf4"] = "none"
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    device: str = Field("auto", description="auto (cuda, mps, cpu) or a torch device")
    batch_tokens: int = Field(32768, gt=0, description="tokens in one batch, answers included")
    max_length: int | None = Field(None, gt=0, description="context; default: the model's own")
    bos: Literal["auto", "always", "never"] = "auto"
    chat_template: str | None = Field(None, description="Jinja text in place of the tokenizer's")
    trust_remote_code: bool = Field(False, description="also needs --allow-code")


class ReplayModel(ModelBase):
    """Answers that were recorded elsewhere: JSON lines of {id, text}."""

    adapter: Literal["replay"]
    completions: str = Field(description="one .jsonl, or with {task} in it one file a task")


class Price(Spec):
    """US dollars for a million tokens."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cached_input: float | None = Field(None, ge=0, description="default: as input")
    request: float = Field(0.0, ge=0, description="dollars for each request, beside its tokens")


PORT = "6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5]?[0-9]{1,4}"
URL = rf"^https?://(\[[0-9A-Fa-f:.]+\]|[^\s@/?#:\[\]]+)(:({PORT}))?(/[^\s@?#]*)?$"
Url = Annotated[str, Field(pattern=URL)]

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KEY = re.compile(r"(sk|gsk|hf|xai|AIza)[-_]?(?=[A-Za-z0-9_-]*[0-9])[A-Za-z0-9_-]{16,}")
"""How the keys of some services begin; some of them could be names of variables."""


class OpenAIModel(ModelBase):
    """A model behind an OpenAI-compatible server: OpenAI, Groq, vLLM, llama.cpp, Ollama, ..."""

    adapter: Literal["openai"]
    base: str = Field(description="the name that the server knows the model by")
    base_url: Url | None = Field(
        None, description="default: OPENAI_BASE_URL, else https://api.openai.com/v1"
    )
    api_key_env: str | None = Field(
        "OPENAI_API_KEY",
        description="environment variable that holds the key; with a base_url of your own, no key "
        "is sent unless this is given",
    )
    api: Literal["chat", "completions"] = "chat"
    replicas: tuple[Url, ...] = Field(
        (), description="further base_urls that serve the same model; the least busy is asked"
    )
    max_concurrency: int = Field(8, gt=0, description="requests in flight at once, a replica")
    requests_per_minute: float | None = Field(None, gt=0, description="of all replicas together")
    tokens_per_minute: float | None = Field(
        None, gt=0, description="prompt and answer, of all replicas together"
    )
    timeout_s: float = Field(120, gt=0, description="for one attempt, from sending to last byte")
    deadline_s: float = Field(600, gt=0, description="for one request, all attempts and waits")
    max_retries: int = Field(5, ge=0, description="of 408, 409, 429, 5xx and broken connections")
    structured: Literal["auto", "schema", "json", "off"] = Field(
        "auto", description="how a reply's form is asked for; auto: schema, then json, then off"
    )
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    price: Price | None = Field(None, description="in place of the price table's")

    @field_validator("api_key_env")
    @classmethod
    def _no_key(cls, name: str | None) -> str | None:
        # the value is not told: what was written here may be the key itself
        if name is not None and (not VARIABLE.fullmatch(name) or _KEY.fullmatch(name)):
            raise ValueError("'api_key_env' is the name of an environment variable, not the key")
        return name

    @model_validator(mode="after")
    def _replicas_of_something(self) -> OpenAIModel:
        # without it, the key of the default server would go to servers of the user's own
        if self.replicas and self.base_url is None:
            raise ValueError("'replicas' stand beside a 'base_url'")
        return self

    @property
    def key_variable(self) -> str | None:
        """Where the key is; a server that the card names gets only the key that the card names."""
        named = self.base_url is None or "api_key_env" in self.model_fields_set
        return self.api_key_env if named else None


class EmbeddingJudgeModel(ModelBase):
    """Fills a judge's form from sentence embeddings; not a language model."""

    adapter: Literal["embedding-judge"]
    encoder: str | None = Field(None, description="as a score's `encoder`; default: the same")


ModelSpec = TransformersModel | ReplayModel | OpenAIModel | EmbeddingJudgeModel
MODEL_KINDS: dict[str, type[ModelBase]] = {
    "transformers": TransformersModel,
    "replay": ReplayModel,
    "openai": OpenAIModel,
    "embedding-judge": EmbeddingJudgeModel,
}


SPEC_KINDS: dict[str, str] = {
    "task": "tasks",
    "model": "adapters",
    "judge": "judges",
    "recipe": "finetune",
}
"""Kind of spec -> the folder it lives in; the file is `<name>.<kind>.yaml`."""
