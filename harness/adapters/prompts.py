"""Requests to token ids that fit the model, or to the reason why not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from harness.adapters.tokenizer import TextTokenizer, encode_pair
from harness.records import Completion, Request


@dataclass(frozen=True, slots=True)
class Ready:
    """A request as the model will read it.

    ``ids`` is the prompt with BOS, ``continuations`` the ids of each continuation behind it.
    """

    request: Request
    ids: list[int]
    continuations: list[list[int]]
    truncated: Literal["", "left", "right"] = ""

    @property
    def size(self) -> int:
        """Tokens that the model will hold for this request at most."""
        if self.request.output_type == "generate":
            return len(self.ids) + self.request.settings.max_new_tokens
        return len(self.ids) + sum(map(len, self.continuations))


@dataclass
class Reader:
    """Turns requests into ids; keeps count of what it had to mend."""

    tokenizer: TextTokenizer
    max_length: int
    doubled: int = 0
    """Prompts that began with BOS themselves and would have got a second one."""

    def read(self, requests: Sequence[Request]) -> Iterator[Ready | Completion]:
        """Each request ready, or a completion that says why it cannot be asked."""
        for item in self.encode(requests):
            yield item if isinstance(item, Completion) else self.fit(item)

    def encode(self, requests: Sequence[Request]) -> Iterator[Ready | Completion]:
        """Ids of each request, whatever their number."""
        plain = [r for r in requests if r.output_type == "generate" and isinstance(r.prompt, str)]
        # one call for all plain prompts: the library encodes a batch on all cores
        known = dict(
            zip(
                map(id, plain),
                self.tokenizer.encode([str(r.prompt) for r in plain]),
                strict=True,
            )
        )
        for request in requests:
            try:
                yield self._encode(request, known.get(id(request)))
            except ValueError as error:
                yield Completion.of_error(request, str(error))

    def notes(self) -> tuple[str, ...]:
        """What the user should know about the prompts read so far."""
        if not self.doubled:
            return ()
        bos = self.tokenizer.specials.get("bos_token", "BOS")
        return (f"double BOS: {self.doubled} prompts begin with {bos}; one was removed",)

    def fit(self, ready: Ready) -> Ready | Completion:
        """Cut a prompt that is too long as its settings say, or fail it."""
        request, ids = ready.request, ready.ids
        room = self._room(ready)
        if room >= len(ids):
            return ready
        policy = request.settings.truncate
        what = self._too_long(ready, room)
        if policy == "skip":
            return Completion.of_error(request, what, skipped=True, prompt_tokens=len(ids))
        kept = self._leading(ids) if policy == "left" else 0
        if policy == "error" or room < kept + 1:
            return Completion.of_error(request, what, prompt_tokens=len(ids))
        cut = ids[:kept] + ids[len(ids) - (room - kept) :] if policy == "left" else ids[:room]
        return replace(ready, ids=cut, truncated=policy)

    def _room(self, ready: Ready) -> int:
        """Tokens that the prompt may have."""
        if ready.request.output_type == "generate":
            return self.max_length - ready.request.settings.max_new_tokens
        if ready.request.output_type == "perplexity":
            return self.max_length  # a long text goes through the model in windows
        # the last token of a continuation is predicted, not read
        return self.max_length + 1 - max(map(len, ready.continuations))

    def _too_long(self, ready: Ready, room: int) -> str:
        own = ready.request.settings.max_new_tokens
        if ready.request.output_type == "generate" and room <= 0:
            return f"max_new_tokens {own} leaves no room in the context of {self.max_length} tokens"
        what = f"prompt of {len(ready.ids)} tokens does not fit: {max(room, 0)} are left"
        return f"{what} of the context of {self.max_length}"

    def _leading(self, ids: list[int]) -> int:
        """How many tokens at the left end are BOS and its like, which truncation keeps."""
        prefix = self.tokenizer.prefix
        if prefix and tuple(ids[: len(prefix)]) == prefix:
            return len(prefix)
        return int(bool(ids) and ids[0] == self.tokenizer.id_of("bos_token"))

    def _encode(self, request: Request, ids: list[int] | None) -> Ready:
        chat = not isinstance(request.prompt, str)
        text = self.tokenizer.render(request.prompt) if chat else str(request.prompt)  # type: ignore[arg-type]
        self.doubled += self.tokenizer.doubles(text, chat)
        if request.output_type == "generate":
            if ids is None:
                ids = self.tokenizer.encode([text], chat)[0]
            return Ready(request, ids or self.tokenizer.start(), [])
        if not request.continuations:
            raise ValueError(f"a {request.output_type} request without continuations")
        if not all(text.strip() for text in request.continuations):
            raise ValueError("an empty continuation has no log-likelihood")
        ids, tails = encode_pair(self.tokenizer, text, request.continuations, chat)
        if not ids:
            ids = self.tokenizer.start()
        if not ids:
            raise ValueError("an empty prompt, and the tokenizer has neither BOS nor EOS")
        if not all(tails):
            raise ValueError("a continuation without tokens has no log-likelihood")
        return Ready(request, ids, tails)
