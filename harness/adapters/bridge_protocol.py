"""What goes over the pipe to a worker: lines of JSON, and what may come back. See docs/bridges.md.

Pure: nothing here starts a process or reads a file. A worker is not trusted to keep to the
protocol; what it says is read field by field.
"""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.collect.specs import BridgeModel
from harness.errors import printable
from harness.media.clip import Clip
from harness.records import Request

PROTOCOL = 1
STAGES = ("preprocess", "prefill", "generate")
CAPABILITIES = ("generate", "choices", "batch")
MAX_ERROR = 500  # characters of a worker's message

Message = dict[str, Any]


class NotProtocol(ValueError):
    """A line that is no message, or a message that says nothing usable; one line."""


@dataclass(frozen=True, slots=True)
class Hello:
    """Who the worker is, before it loads anything."""

    protocol: int
    worker: str
    capabilities: tuple[str, ...]
    versions: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came for one id: text, or log-likelihoods, or an error."""

    id: str | None
    error: str | None = None
    text: str = ""
    finish: str = "stop"
    prompt_tokens: int = 0
    completion_tokens: int | None = None
    logprobs: tuple[float, ...] = ()
    tokens: tuple[int, ...] = ()
    stages: Mapping[str, float] = field(default_factory=dict, hash=False)
    memory_mb: float = 0.0


# --------------------------------------------------------------------------- to the worker


def start_message(card: BridgeModel, base: str, lora: str | None) -> Message:
    """The first line: what is to be loaded, and how."""
    return {
        "type": "start",
        "protocol": PROTOCOL,
        "base": base,
        "lora": lora,
        "conversation": card.conversation,
        "options": dict(card.options),
        "quantize": card.quantize,
        "dtype": card.dtype,
    }


def request_message(name: str, request: Request, clips: Sequence[Message], system: str) -> Message:
    """One request under an id of this conversation's own."""
    settings = request.settings
    found, turns = conversation(request, system)
    return {
        "id": name,
        "output_type": request.output_type,
        "system": found,
        "messages": [{"role": role, "content": content} for role, content in turns],
        "clips": list(clips),
        "continuations": list(request.continuations),
        "settings": {
            "max_new_tokens": settings.max_new_tokens,
            "temperature": settings.temperature,
            "top_p": settings.top_p,
            "top_k": settings.top_k,
            "stop": list(settings.stop),
            # as with other adapters, every epoch draws anew
            "seed": (settings.seed + 1_000_003 * request.epoch) % 2**31,
        },
    }


def conversation(request: Request, system: str) -> tuple[str, list[tuple[str, str]]]:
    """System prompt and turns: the task's own system prompt goes before the card's."""
    if isinstance(request.prompt, str):
        return system, [("user", request.prompt)]
    told = [m.content for m in request.prompt if m.role == "system"]
    turns = [(str(m.role), m.content) for m in request.prompt if m.role != "system"]
    return "\n\n".join(told) if told else system, turns


def clip_message(clip: Clip, frames_as: str) -> Message:
    """Frames as PNG files, or as one array, in base64; seconds, frames a second of the source."""
    message: Message = {
        "times": list(clip.times),
        "fps": clip.source_fps,
        "duration": clip.duration,
        "size": [clip.width, clip.height],
    }
    if frames_as == "array":
        stacked = np.ascontiguousarray(np.stack(clip.frames), dtype=np.uint8)
        message["shape"] = list(stacked.shape)
        message["array"] = base64.b64encode(stacked.tobytes()).decode("ascii")
    else:
        message["png"] = [_png(frame) for frame in clip.frames]
    return message


def line_of(message: Message) -> bytes:
    """One line of ASCII."""
    return json.dumps(message).encode("ascii") + b"\n"


def _png(frame: np.ndarray[Any, np.dtype[np.uint8]]) -> str:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(frame)).save(out, "PNG", compress_level=1)
    return base64.b64encode(out.getvalue()).decode("ascii")


# --------------------------------------------------------------------------- from the worker


def read_line(line: bytes) -> Message:
    """The message in a line; raises NotProtocol with the line's beginning."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise NotProtocol(f"no message: {line[:80].decode('utf-8', 'replace')!r}")
    return message


def read_hello(message: Message) -> Hello:
    """Raises NotProtocol if the worker does not speak our version, or says what it is not."""
    if message["type"] == "failed":
        raise NotProtocol(error_of(message))
    if message["type"] != "hello":
        raise NotProtocol(f"began with '{message['type'][:40]}', not with 'hello'")
    spoken = message.get("protocol")
    if spoken != PROTOCOL:
        raise NotProtocol(
            f"speaks protocol {spoken!r}, this harness {PROTOCOL}: take the worker.py that came "
            "with this version of the harness"
        )
    can = message.get("capabilities")
    if not isinstance(can, list) or not can or not set(map(str, can)) <= set(CAPABILITIES):
        raise NotProtocol(f"'capabilities' is {can!r}, not some of {', '.join(CAPABILITIES)}")
    versions = message.get("versions")
    known = versions if isinstance(versions, dict) else {}
    return Hello(
        PROTOCOL,
        str(message.get("worker", "worker"))[:100],
        tuple(map(str, can)),
        {str(name)[:100]: str(value)[:100] for name, value in known.items()},
    )


def error_of(message: Message) -> str:
    """What a worker says went wrong, on one line."""
    text = " ".join(str(message.get("error", "no reason given")).split())
    return printable(text[:MAX_ERROR])


def read_reply(message: Message, request: Request | None) -> Reply:
    """The reply, checked against what was asked; raises NotProtocol with what is wrong.

    Without a request (the id is unknown) only the id is read.
    """
    name = message.get("id")
    if not isinstance(name, str):
        return Reply(None, error_of(message) if "error" in message else "a reply without an id")
    if message.get("error") is not None:
        return Reply(name, error_of(message))
    if request is None:
        return Reply(name)
    stages = _stages(message.get("stages"))
    prompt_tokens = _count(message.get("prompt_tokens"), "prompt_tokens")
    if request.output_type == "choices":
        logprobs, tokens = _weighed(message, len(request.continuations))
        return Reply(
            name, logprobs=logprobs, tokens=tokens, stages=stages, prompt_tokens=prompt_tokens or 0
        )
    if not isinstance(message.get("text"), str):
        raise NotProtocol("a reply without 'text'")
    return Reply(
        name,
        text=message["text"].encode("utf-8", "replace").decode("utf-8"),  # no half characters
        finish="length" if message.get("finish") == "length" else "stop",
        prompt_tokens=prompt_tokens or 0,
        completion_tokens=_count(message.get("completion_tokens"), "completion_tokens"),
        stages=stages,
        memory_mb=float(message["memory_mb"]) if _finite(message.get("memory_mb")) else 0.0,
    )


def _weighed(message: Message, wanted: int) -> tuple[tuple[float, ...], tuple[int, ...]]:
    logprobs, tokens = message.get("logprobs"), message.get("tokens")
    if not isinstance(logprobs, list) or not isinstance(tokens, list):
        raise NotProtocol("a reply without 'logprobs' and 'tokens'")
    if len(logprobs) != wanted or len(tokens) != wanted:
        raise NotProtocol(f"{len(logprobs)} log-likelihoods of {wanted} continuations")
    if not all(_finite(each) for each in logprobs):
        raise NotProtocol(f"log-likelihoods that are no numbers: {logprobs!r}"[:200])
    counts = tuple(_count(each, "tokens") or 0 for each in tokens)
    return tuple(float(each) for each in logprobs), counts


def _stages(found: object) -> Mapping[str, float]:
    if not isinstance(found, dict):
        return {}
    return {name: max(0.0, float(found[name])) for name in STAGES if _finite(found.get(name))}


def _finite(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # JSON's integers have no end
        return False


def _count(value: object, name: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise NotProtocol(f"'{name}' is {value!r}"[:100])
    return value
