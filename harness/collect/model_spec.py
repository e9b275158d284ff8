"""The shapes of model cards, one for each adapter."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from harness.collect.base_spec import FileSpec, Name, Scalar, Spec


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


class LocalModel(ModelBase):
    """What cards of models that transformers loads have in common."""

    base: str = Field(description="folder (./ is beside this card) or hub id of the base model")
    revision: str = "main"
    lora: str | None = Field(None, description="folder or hub id of a PEFT adapter")
    lora_revision: str = "main"
    quantize: Literal["none", "int8", "nf4"] = "none"
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    device: str = Field("auto", description="auto (cuda, mps, cpu) or a torch device")
    max_length: int | None = Field(None, gt=0, description="context; default: the model's own")
    chat_template: str | None = Field(None, description="Jinja text in place of the model's own")
    trust_remote_code: bool = Field(False, description="also needs --allow-code")


class TransformersModel(LocalModel):
    """A causal language model of transformers, with or without a LoRA."""

    adapter: Literal["transformers"]
    batch_tokens: int = Field(32768, gt=0, description="tokens in one batch, answers included")
    batch_size: int | None = Field(
        None, gt=0, description="samples in one batch at most; default: 64 on a CPU, else 256"
    )
    bos: Literal["auto", "always", "never"] = "auto"


class VisionModel(LocalModel):
    """A vision-language model that transformers knows natively, with or without a LoRA."""

    adapter: Literal["vision"]
    batch_size: int = Field(8, gt=0, description="samples of equal frame counts in one batch")
    system: str | None = Field(None, description="system prompt of tasks that have none")


class BridgeModel(ModelBase):
    """A system that pins old libraries: a worker under an interpreter of the user's own."""

    adapter: Literal["bridge"]
    python: str = Field(
        description="the interpreter of the environment that has the system; ~ and $VARIABLES are "
        "filled in; a card of one's own needs --allow-code"
    )
    worker: str = Field(
        description="llama_vid, mobile_videogpt, nvila, or a script (./ is beside this card)"
    )
    base: str = Field(description="folder or name of the weights, as the worker takes it")
    lora: str | None = Field(None, description="folder of a LoRA, as the worker takes it")
    system: str = Field(description="system prompt; may be ''")
    conversation: str = Field(description="name of the conversation template")
    options: dict[str, Scalar] = Field(default_factory=dict, description="handed to the worker")
    quantize: Literal["none", "int8", "nf4"] = "none"
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    frames_as: Literal["array", "png"] = "png"
    batch_size: int = Field(1, gt=0)
    start_timeout_s: float = Field(600, gt=0, description="until the worker has loaded its weights")
    timeout_s: float = Field(120, gt=0, description="for one request")
    max_restarts: int = Field(3, ge=0, description="of a worker that died or hung, in one run")


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
    video: Literal["frames", "url"] = Field(
        "frames", description="how a video is sent: its frames as images, or whole as video_url"
    )
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


ModelSpec = (
    TransformersModel | VisionModel | BridgeModel | ReplayModel | OpenAIModel | EmbeddingJudgeModel
)
MODEL_KINDS: dict[str, type[ModelBase]] = {
    "transformers": TransformersModel,
    "vision": VisionModel,
    "bridge": BridgeModel,
    "replay": ReplayModel,
    "openai": OpenAIModel,
    "embedding-judge": EmbeddingJudgeModel,
}
