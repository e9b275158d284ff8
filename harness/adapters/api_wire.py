"""Requests to what an OpenAI-compatible server takes, and its replies to completions; no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.adapters.api_retry import UnreadableReply
from harness.collect.specs import OpenAIModel
from harness.records import Completion, Message, Request

MAX_STOP = 4  # stop strings the API takes; all of them are cut again here


def make_body(card: OpenAIModel, request: Request) -> dict[str, Any]:
    """Arguments of the client's ``create``: plain text is one user turn, or the text itself."""
    own = request.settings
    body: dict[str, Any] = {
        "model": card.base,
        "max_tokens": own.max_new_tokens,
        "temperature": own.temperature,
        "top_p": own.top_p,
        "seed": own.seed,
    }
    if own.stop:
        body["stop"] = list(own.stop[:MAX_STOP])
    if own.top_k:
        body["extra_body"] = {"top_k": own.top_k}
    if card.api == "completions":
        return body | {"prompt": prompt_text(request)}
    return body | {"messages": [{"role": m.role, "content": m.content} for m in _turns(request)]}


def read_reply(request: Request, reply: Any) -> Completion:
    """A reply as a completion; a refusal or null content is an error, never an empty answer.

    Raises UnreadableReply if it is no completion at all.
    """
    choices = getattr(reply, "choices", None)
    if not isinstance(choices, list) or not choices:
        raise UnreadableReply("no choices")
    choice = choices[0]
    message = getattr(choice, "message", None)
    text = getattr(choice, "text", None) if message is None else getattr(message, "content", None)
    reason = getattr(choice, "finish_reason", None)
    refusal = getattr(message, "refusal", None)
    if refusal or reason == "content_filter":
        return Completion.of_error(request, f"refused: {refusal or 'content filter'}")
    if not isinstance(text, str):
        return Completion.of_error(request, f"null content (finish_reason: {reason})")
    whole = _whole(text)
    cut = _cut(whole, request.settings.stop)
    return Completion(
        request.id,
        text=cut,
        finish_reason="length" if reason == "length" and cut == whole else "stop",
        prompt_tokens=_counted(reply, "prompt_tokens") or 0,
        completion_tokens=_counted(reply, "completion_tokens"),
    )


def why_not(card: OpenAIModel, request: Request) -> str | None:
    """Why a request cannot be asked at all; None if it can."""
    if request.output_type != "generate":
        return f"output_type {request.output_type}: this API gives no prompt log-likelihoods"
    if request.media:
        return "this adapter sends no images or videos"
    if card.api == "completions" and not isinstance(request.prompt, str):
        return "the prompt is messages: they need 'api: chat' in the model card"
    return None


def _turns(request: Request) -> Sequence[Message]:
    prompt = request.prompt
    return [Message("user", prompt)] if isinstance(prompt, str) else prompt


def prompt_text(request: Request) -> str:
    """All that the model is given to read."""
    return "".join(turn.content for turn in _turns(request))


def sent_text(card: OpenAIModel, request: Request) -> str | None:
    """What `make_body` sends, to be read by people; None if it cannot be asked."""
    if why_not(card, request) is not None:
        return None
    if card.api == "completions":
        return prompt_text(request)
    return "\n\n".join(f"[{turn.role}]\n{turn.content}" for turn in _turns(request))


def _cut(text: str, stop: Sequence[str]) -> str:
    """The text in front of the first stop string; some servers leave it in."""
    return text[: min([at for word in stop if word and (at := text.find(word)) >= 0] + [len(text)])]


def _whole(text: str) -> str:
    """Text without half surrogate pairs, which no file can hold."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _counted(reply: Any, name: str) -> int | None:
    """A number of tokens; None if the server does not say."""
    value = getattr(getattr(reply, "usage", None), name, None)
    return value if isinstance(value, int) else None
