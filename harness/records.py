"""The plain records that travel through a run: frozen, small, no behaviour beyond a constructor.

Sample -> Request -> Completion -> Score
                               `-> Verdict  (judges; kept apart because a judge can fail too)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Gt, Le, MinLen

OutputType = Literal["generate", "choices", "perplexity"]
FinishReason = Literal["stop", "length", "scored", "skipped", "error"]
Truncation = Literal["error", "left", "right", "skip"]
ScoreStatus = Literal["ok", "error", "skipped"]

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One row of a task's data.

    ``target`` is the reference answer; for a sample with ``choices`` it is a letter, "A" for the
    first. ``row`` holds every field of the source row, for templates and for reports.
    ``cluster`` names the group that a sample shares with others (same video, same document).
    ``media`` are paths as the data has them; ``start`` and ``end`` the seconds of a video that the
    sample is about, if it is not about all of it.
    """

    id: str
    input: str
    target: str
    choices: tuple[str, ...] = ()
    media: tuple[str, ...] = ()
    cluster: str | None = None
    start: float | None = None
    end: float | None = None
    row: Mapping[str, object] = field(default_factory=dict, hash=False, compare=False)


@dataclass(frozen=True, slots=True)
class GenerateSettings:
    """How a model answers. Names are those of ``transformers.GenerationConfig`` where it has them.

    temperature 0 is greedy. ``seed`` matters only when sampling. ``truncate`` says what happens
    to a prompt that does not fit beside ``max_new_tokens``: the sample fails (``error``), loses
    tokens at its ``left`` or ``right`` end, or is ``skip``-ped; every one of these is counted.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid", "allow_inf_nan": False}

    max_new_tokens: Annotated[int, Gt(0)] = 128
    stop: tuple[Annotated[str, MinLen(1)], ...] = ()
    temperature: Annotated[float, Ge(0)] = 0.0
    top_p: Annotated[float, Gt(0), Le(1)] = 1.0
    top_k: Annotated[int, Ge(0)] = 0
    seed: int = 0
    truncate: Truncation = "error"


@dataclass(frozen=True, slots=True)
class FrameSettings:
    """Which frames of a video a model sees, and how large and how good they are.

    ``fps`` frames a second (`source` and `source/4` are the file's own, and every fourth of its
    frames), or ``frames`` spread evenly; with both, at most ``frames`` of them at
    ``fps``; with neither, one a second. ``max_frames`` bounds either. ``resolution`` is the short
    side in pixels, or `WIDTHxHEIGHT`. ``start`` and ``end`` are seconds. ``seed`` draws the noise
    of ``degrade``, another for every sample, the same for every model and variant.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid", "allow_inf_nan": False}

    fps: float | str | None = None
    frames: Annotated[int, Gt(0)] | None = None
    max_frames: Annotated[int, Gt(0)] | None = None
    resolution: int | str | None = None
    start: Annotated[float, Ge(0)] | None = None
    end: Annotated[float, Gt(0)] | None = None
    degrade: str = "none"
    seed: int = 0


@dataclass(frozen=True, slots=True)
class ReplyForm:
    """What the text of a reply must look like, for adapters that can enforce it.

    ``schema`` is the text of a JSON schema without spaces, its properties in the order in which
    they are to be written; ``name`` is its name for servers that want one. ``top_logprobs`` > 0
    asks for that many alternatives at every token. An adapter that cannot do the one or the other
    answers without; whoever asked reads what came.
    """

    name: str = "reply"
    schema: str = ""
    top_logprobs: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """What an adapter is asked: one sample, one epoch, rendered.

    ``prompt`` is text, or messages if (and only if) the chat template is to be applied.
    ``continuations`` are the texts whose log-likelihood is asked for: the choices of a
    ``choices`` request, the one target of a ``perplexity`` request, none for ``generate``.
    ``form`` is asked for by judges. ``material`` is the judged question, reference and answer as
    (name, text), for an adapter that reads no prompt (embedding-judge); it is part of the prompt
    already, so no key contains it.
    ``media`` are absolute paths of videos or images; ``frames`` says what is seen of them, None
    that the files are sent as they are (judges' images).
    """

    id: str
    output_type: OutputType
    prompt: str | tuple[Message, ...]
    continuations: tuple[str, ...] = ()
    settings: GenerateSettings = GenerateSettings()
    media: tuple[str, ...] = ()
    frames: FrameSettings | None = None
    epoch: int = 0
    form: ReplyForm | None = None
    material: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class TokenLogprobs:
    """One token of a reply and its likeliest alternatives, itself included if it is among them.

    ``start`` is the offset of the token's first character in the reply's text. Natural logs.
    """

    token: str
    start: int
    alternatives: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer cost, as the server counted it. ``cached_tokens`` are part of the prompt's,
    ``reasoning_tokens`` part of the completion's. ``attempts`` counts the requests that were sent
    for it, ``uncertain`` those of them that broke off, so that nobody knows whether they were
    charged."""

    cached_tokens: int = 0
    reasoning_tokens: int = 0
    attempts: int = 1
    served: str = ""
    """Model and system fingerprint that the server named, and what it was asked without."""
    uncertain: int = 0


@dataclass(frozen=True, slots=True)
class Stages:
    """Where the time of one answer went, in milliseconds; of a batch, its time by its size.

    ``decode_ms`` is what reading and decoding the media took, on whatever thread; ``frames`` how
    many frames the model was given.
    """

    decode_ms: float = 0.0
    preprocess_ms: float = 0.0
    prefill_ms: float = 0.0
    generate_ms: float = 0.0
    frames: int = 0


@dataclass(frozen=True, slots=True)
class Completion:
    """What an adapter answered to the request with the same ``id``.

    ``logprobs[i]`` is the summed natural-log probability of ``continuations[i]`` given the
    prompt, ``logprob_tokens[i]`` its number of tokens. ``prompt_tokens`` counts what the model
    really read, BOS included; ``completion_tokens`` is None if nobody counted them.
    ``truncated`` names the end at which the prompt lost tokens.
    ``latency_ms`` is the wall time of the batch divided by its size. ``error`` is set if and only
    if ``finish_reason`` is "error" or "skipped"; such a completion is never scored as an answer.
    It has a ``latency_ms`` if a reply came all the same, which was paid for: a refusal, say.
    ``frame_times`` are the seconds of the frames that the model saw, of all media in their order.
    """

    id: str
    text: str = ""
    finish_reason: FinishReason = "stop"
    prompt_tokens: int = 0
    completion_tokens: int | None = 0
    logprobs: tuple[float, ...] = ()
    logprob_tokens: tuple[int, ...] = ()
    truncated: Literal["", "left", "right"] = ""
    latency_ms: float | None = None
    error: str | None = None
    usage: Usage | None = None
    token_logprobs: tuple[TokenLogprobs, ...] = ()
    stages: Stages | None = None
    frame_times: tuple[float, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether there is no answer that could be scored."""
        return self.error is not None

    @property
    def replied(self) -> bool:
        """Whether a reply came, be it a refusal; what failed without one has taken no time."""
        return not self.failed or self.latency_ms is not None

    @classmethod
    def of_error(
        cls, request: Request, error: str, *, skipped: bool = False, prompt_tokens: int = 0
    ) -> Completion:
        """A counted failure in place of an answer."""
        reason: FinishReason = "skipped" if skipped else "error"
        return cls(request.id, finish_reason=reason, prompt_tokens=prompt_tokens, error=error)


@dataclass(frozen=True, slots=True)
class Score:
    """One scorer's word on one completion.

    ``value`` is None if and only if ``status`` is not "ok". ``answer`` is what the scorer read
    out of the text. ``control`` is the same metric against other samples' targets, for overlap
    metrics. ``detail`` holds the sufficient statistics of a corpus metric (BLEU counts, summed
    negative log-likelihood and tokens), in the order that the scorer documents.
    """

    value: float | None
    status: ScoreStatus = "ok"
    answer: str | None = None
    control: float | None = None
    detail: tuple[float, ...] = ()
    explanation: str | None = None

    @classmethod
    def of_failure(cls, completion: Completion) -> Score:
        """No score, because there was no answer; the reason is carried along."""
        status: ScoreStatus = "skipped" if completion.finish_reason == "skipped" else "error"
        return cls(None, status, explanation=completion.error)


ParseMode = Literal["schema", "json", "balanced", "tagged", ""]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One judge model's word on one completion, one repeat.

    ``criteria`` holds the scores that the judge gave, in the units of the rubric; ``total`` is
    computed by us in the units of the rubric, ``value`` is the total mapped to [0, 1]. All three
    are empty or None if and only if ``status`` is not "ok"; then ``error`` says why in one line.
    "skipped" means that there was no answer to judge. ``flags`` are words such as "inconsistent",
    "total_mismatch", "weighted", "unweighted", "low_mass", "same_family", "reasked",
    "unanswered".
    """

    judge: str
    model: str
    repeat: int
    status: ScoreStatus
    criteria: Mapping[str, float] = field(default_factory=dict)
    total: float | None = None
    value: float | None = None
    reasoning: str = ""
    raw: str = ""
    mode: ParseMode = ""
    flags: tuple[str, ...] = ()
    captured_mass: float | None = None
    error: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usage: Usage = Usage()
    cost_usd: float | None = None
    latency_ms: float | None = None
    cached: bool = False
    key: bytes | None = None
    reasks: int = 0
    """How often the judge was asked again, because a reply could not be read."""
