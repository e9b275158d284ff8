"""Requests to what an OpenAI-compatible server takes, and its replies to completions; no I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

from harness.adapters.api_media import media_told
from harness.adapters.api_retry import RENAMED, UnreadableReply, is_object
from harness.collect.specs import OpenAIModel
from harness.records import Completion, Message, ReplyForm, Request, TokenLogprobs, Usage
from harness.tasks.rows import shown

MAX_STOP = 4  # stop strings the API takes; all of them are cut again here
MAX_TOP_LOGPROBS = 20  # what the API takes
CHARACTERS_A_TOKEN = 4
IMAGE_TOKENS = 800  # what a picture of 1024 x 1024 costs at OpenAI

Part = dict[str, Any]
"""One part of a message's content: text, image_url or video_url."""
Enforced = Literal["schema", "json", "off"]
LADDERS: dict[str, tuple[Enforced, ...]] = {
    "auto": ("schema", "json", "off"),
    "schema": ("schema",),
    "json": ("json",),
    "off": ("off",),
}
"""`structured:` of a model card -> how a form is asked for, and what is tried after a refusal."""


@dataclass(frozen=True, slots=True)
class Way:
    """How a server is asked, by what it has refused so far: the reply's form in this way, its
    log-probabilities, and without the parameters that are ``dropped``."""

    form: Enforced
    logprobs: bool = True
    dropped: frozenset[str] = frozenset()


def make_body(card: OpenAIModel, request: Request, parts: Sequence[Part], way: Way) -> bytes:
    """The JSON that is posted: plain text is one user turn, or the text itself.

    ``parts`` show the request's media: in front of the text of the last user turn, or behind it
    if the request names no frames (judges' images).
    """
    own, form = request.settings, request.form
    body: dict[str, Any] = {
        "model": card.base,
        _tokens_field(card, way): own.max_new_tokens,
        "temperature": own.temperature,
        "top_p": own.top_p,
        "seed": own.seed,
    }
    for name in way.dropped - {RENAMED}:
        del body[name]
    if own.stop:
        body["stop"] = list(own.stop[:MAX_STOP])
    if own.top_k:
        body["top_k"] = own.top_k
    if form and way.logprobs and form.top_logprobs:
        count = min(form.top_logprobs, MAX_TOP_LOGPROBS)
        chat = {"logprobs": True, "top_logprobs": count}
        body |= chat if card.api == "chat" else {"logprobs": count}
    if card.api == "completions":
        body["prompt"] = prompt_text(request)
    else:
        body["messages"] = _messages(request, parts)
        body |= _form(form, way.form)
    return json.dumps(body).encode("ascii")


def _tokens_field(card: OpenAIModel, way: Way) -> str:
    """The card's, or the other one if the server has refused that."""
    fields = ("max_tokens", "max_completion_tokens")
    return fields[(card.max_tokens_field == fields[1]) ^ (RENAMED in way.dropped)]


def read_reply(request: Request, data: bytes) -> Completion:
    """A reply with status 200 as a completion, ``latency_ms`` and ``usage.attempts`` apart.

    A refusal or null content is an error, never an empty answer; it carries what it cost.
    ``token_logprobs`` are there if their tokens make up the text. Raises UnreadableReply if it is
    no completion at all.
    """
    reply = _parsed(data)
    choice = _first(_of(reply, "choices"))
    if not isinstance(choice, dict):
        error, said = _of(reply, "error"), _of(reply, "error", "message")
        what = f"no choices: {said}" if isinstance(said, str) else "no choices"
        raise UnreadableReply(what, paid=isinstance(reply, dict) and not error)
    message = choice.get("message")
    text = _of(message, "content") if isinstance(message, dict) else choice.get("text")
    reason, refusal = choice.get("finish_reason"), _of(message, "refusal")
    done = Completion(
        request.id,
        prompt_tokens=_counted(reply, "prompt_tokens") or 0,
        completion_tokens=_counted(reply, "completion_tokens"),
        usage=_usage(reply),
    )
    if refusal or reason == "content_filter":
        return _failed(done, f"refused: {refusal or 'content filter'}")
    if not isinstance(text, str):
        return _failed(done, f"null content (finish_reason: {reason})")
    whole = _whole(text)
    cut = _cut(whole, request.settings.stop)
    return replace(
        done,
        text=cut,
        finish_reason="length" if reason == "length" and cut == whole else "stop",
        token_logprobs=_token_logprobs(choice, text, len(cut)),
    )


def why_not(card: OpenAIModel, request: Request) -> str | None:
    """Why a request cannot be asked at all; None if it can."""
    if request.output_type != "generate":
        return f"output_type {request.output_type}: this API gives no prompt log-likelihoods"
    if card.api == "completions":
        if request.media:
            what = "images" if request.frames is None else "images or videos"
            return f"the prompt has {what}: they need 'api: chat' in the model card"
        if not isinstance(request.prompt, str):
            return "the prompt is messages: they need 'api: chat' in the model card"
    if request.media and all(turn.role != "user" for turn in _turns(request)):
        what = "images" if request.frames is None else "images or videos"
        return f"the prompt has no user turn that could show its {what}"
    return None


def prompt_text(request: Request) -> str:
    """All that the model is given to read."""
    return "".join(turn.content for turn in _turns(request))


def text_tokens(text: str) -> int:
    """An estimate; the server's tokenizer is not known."""
    return -(-len(text) // CHARACTERS_A_TOKEN)


def estimate(request: Request) -> int:
    """About how many tokens the prompt has, judges' images included; frames are counted by
    api_frames.py, which knows how many they are and how large."""
    images = 0 if request.frames is not None else len(request.media)
    return text_tokens(prompt_text(request)) + IMAGE_TOKENS * images


def sent_text(card: OpenAIModel, request: Request) -> str | None:
    """What `make_body` sends, to be read by people; None if it cannot be asked."""
    if why_not(card, request) is not None:
        return None
    if card.api == "completions":
        return prompt_text(request)
    turns = _turns(request)
    texts = [turn.content for turn in turns]
    if told := media_told(request, card.video):
        texts[_last_user(turns)] = "\n".join([*told, texts[_last_user(turns)]])
    elif request.media:
        texts[_last_user(turns)] += f"\n[images: {len(request.media)}]"
    texts = [f"[{turn.role}]\n{text}" for turn, text in zip(turns, texts, strict=True)]
    return "\n\n".join(texts)


# --------------------------------------------------------------------------- out


def _turns(request: Request) -> Sequence[Message]:
    prompt = request.prompt
    return [Message("user", prompt)] if isinstance(prompt, str) else prompt


def _last_user(turns: Sequence[Message]) -> int:
    return max(n for n, turn in enumerate(turns) if turn.role == "user")


def _messages(request: Request, shown_parts: Sequence[Part]) -> list[dict[str, Any]]:
    turns = _turns(request)
    messages: list[dict[str, Any]] = [{"role": t.role, "content": t.content} for t in turns]
    if shown_parts:
        last = messages[_last_user(turns)]
        text: Part = {"type": "text", "text": last["content"]}
        behind = request.frames is None
        last["content"] = [text, *shown_parts] if behind else [*shown_parts, text]
    return messages


def _form(form: ReplyForm | None, way: Enforced) -> dict[str, Any]:
    if form is None or not form.schema or way == "off":
        return {}
    if way == "json":
        return {"response_format": {"type": "json_object"}}
    name = re.sub(r"[^A-Za-z0-9_-]", "_", form.name)[:64] or "reply"  # what the API takes
    wanted = {"name": name, "strict": True, "schema": _schema(form.schema)}
    return {"response_format": {"type": "json_schema", "json_schema": wanted}}


@lru_cache(maxsize=64)
def _schema(text: str) -> object:
    parsed: object = json.loads(text)
    return parsed


# --------------------------------------------------------------------------- in


def _parsed(data: bytes) -> object:
    """JSON in UTF-8 in which no object names a key twice."""
    paid = is_object(data)
    try:
        parsed: object = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_unique)
    except UnicodeDecodeError:
        raise UnreadableReply("not in UTF-8", paid=paid) from None
    except json.JSONDecodeError as error:
        what = f"not JSON: {error.msg} at character {error.pos}"
        raise UnreadableReply(what, paid=paid) from None
    except (ValueError, RecursionError):
        what = "not JSON: a number or a nesting without end"
        raise UnreadableReply(what, paid=paid) from None
    return parsed


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise UnreadableReply(f"key '{shown(twice, 40)}' stands there twice", paid=True)
    return found


def _of(value: object, *path: str) -> Any:
    """What lies in an object below these keys; None if anything on the way is missing."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _first(value: object) -> object:
    return value[0] if isinstance(value, list) and value else None


def _failed(done: Completion, error: str) -> Completion:
    return replace(done, finish_reason="error", error=_whole(error))


def _cut(text: str, stop: Sequence[str]) -> str:
    """The text in front of the first stop string; some servers leave it in."""
    return text[: min([at for word in stop if word and (at := text.find(word)) >= 0] + [len(text)])]


def _whole(text: str) -> str:
    """Text without half surrogate pairs, which no file can hold; as long as it was."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _counted(reply: object, *path: str) -> int | None:
    """A number of tokens; None if the server does not say."""
    value = _of(reply, "usage", *path)
    right = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31
    return value if right else None


def _usage(reply: object) -> Usage:
    served = [_of(reply, name) for name in ("model", "system_fingerprint")]
    return Usage(
        cached_tokens=_counted(reply, "prompt_tokens_details", "cached_tokens") or 0,
        reasoning_tokens=_counted(reply, "completion_tokens_details", "reasoning_tokens") or 0,
        served=shown(_whole(" ".join(s for s in served if isinstance(s, str) and s)), 200),
    )


# --------------------------------------------------------------------------- log-probabilities


def _token_logprobs(choice: dict[str, Any], text: str, end: int) -> tuple[TokenLogprobs, ...]:
    """The tokens of ``text[:end]``; none at all if their offsets cannot be told.

    The tokens' bytes have to make up the text, or to contain it once: some servers count tokens
    in front of and behind the answer. An offset counts the characters that began before it.
    """
    tokens = list(_tokens(choice.get("logprobs")))
    if not tokens:
        return ()
    wanted, given = text.encode("utf-8", "replace"), b"".join(data for _, data, _ in tokens)
    at = given.find(wanted) if wanted else -1
    if at < 0 or given.find(wanted, at + 1) >= 0:
        return ()
    found: list[TokenLogprobs] = []
    byte, char = -at, 0
    for token, data, alternatives in tokens:
        if 0 <= byte < len(wanted) and data:
            start = char - (data[0] & 0xC0 == 0x80)  # a token may begin within a character
            if start >= end:
                break
            found.append(TokenLogprobs(_whole(token), start, alternatives))
        char += _begun(data[max(0, -byte) :])
        byte += len(data)
    return tuple(found)


def _begun(data: bytes) -> int:
    """How many characters of UTF-8 begin in these bytes."""
    return len(data) if data.isascii() else sum(byte & 0xC0 != 0x80 for byte in data)


Token = tuple[str, bytes, tuple[tuple[str, float], ...]]


def _tokens(given: object) -> Iterator[Token]:
    """Text, bytes and alternatives of each token, as the chat API or the completions API says."""
    chat = _of(given, "content")
    if isinstance(chat, list):
        for entry in chat:
            own = _of(entry, "token")
            if not isinstance(own, str):
                return
            others = _of(entry, "top_logprobs")
            listed = others if isinstance(others, list) else []
            pairs = [(_of(other, "token"), _of(other, "logprob")) for other in listed]
            yield own, _bytes(entry, own), _likeliest(pairs or [(own, _of(entry, "logprob"))])
        return
    names, values, tops = (_of(given, k) for k in ("tokens", "token_logprobs", "top_logprobs"))
    if not isinstance(names, list) or not isinstance(values, list) or len(names) != len(values):
        return
    tops = tops if isinstance(tops, list) and len(tops) == len(names) else [None] * len(names)
    for own, value, top in zip(names, values, tops, strict=True):
        if not isinstance(own, str):
            return
        pairs = list(top.items()) if isinstance(top, dict) else []
        yield own, own.encode("utf-8", "replace"), _likeliest(pairs or [(own, value)])


def _bytes(entry: object, token: str) -> bytes:
    """The token's own bytes: its text cannot show a part of a character."""
    given = _of(entry, "bytes")
    try:
        return bytes(given) if isinstance(given, list) else token.encode("utf-8", "replace")
    except (TypeError, ValueError):
        return token.encode("utf-8", "replace")


def _likeliest(pairs: Iterable[tuple[object, object]]) -> tuple[tuple[str, float], ...]:
    """Those that are a text and a log-probability; rounding may lift one a little above 0."""
    return tuple(
        (_whole(token), min(0.0, float(value)))
        for token, value in pairs
        if isinstance(token, str) and isinstance(value, int | float) and -1e300 < value < 1e-3
    )
