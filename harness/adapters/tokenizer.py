"""Text to token ids and back: BOS once, the chat template for messages, pairs split as in lm-eval.

Works on the `tokenizers` library alone; torch is not needed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.adapters.locate import card_error, first_words
from harness.collect.specs import LocalModel
from harness.records import Message

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase

NAMES = ("bos_token", "eos_token", "pad_token", "unk_token")


@dataclass
class TextTokenizer:
    """One model's tokenizer.

    ``prefix`` is what the tokenizer itself puts in front of a text (most often BOS or nothing),
    after the card's `bos` had its say; what it would put behind is never added, since the text
    is to be continued.
    """

    backend: Tokenizer
    specials: Mapping[str, str]
    template: str | None
    bos: str = "auto"
    prefix: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.backend.no_truncation()
        self.backend.no_padding()
        with_specials = self.backend.encode("a", add_special_tokens=True).ids
        bare = self.backend.encode("a", add_special_tokens=False).ids
        own = with_specials[: _find(with_specials, bare)]
        bos = self.id_of("bos_token")
        if self.bos == "never":
            own = [token for token in own if token != bos]
        elif self.bos == "always" and bos is not None and bos not in own:
            own = [bos, *own]
        self.prefix = tuple(own)

    def id_of(self, name: str) -> int | None:
        """The id of a special token by its role, such as "eos_token"."""
        text = self.specials.get(name)
        return None if text is None else self.backend.token_to_id(text)

    def encode(self, texts: Sequence[str], chat: bool = False) -> list[list[int]]:
        """Ids of texts that begin a sequence, with the prefix in front and BOS exactly once.

        A rendered chat template (``chat``) gets no prefix: it says itself whether there is a BOS,
        unless the card says "always".
        """
        prefix = () if chat and self.bos != "always" else self.prefix
        return [self._once(prefix, ids) for ids in self.encode_bare(texts)]

    def doubles(self, text: str, chat: bool = False) -> bool:
        """Whether a text says BOS where one would have been added, or says it twice."""
        bos = self.specials.get("bos_token")
        if not bos or not text.startswith(bos):
            return False
        return text.startswith(bos + bos) or (not chat and self.id_of("bos_token") in self.prefix)

    def encode_bare(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of texts with nothing added."""
        encodings = self.backend.encode_batch_fast(list(texts), add_special_tokens=False)
        return [encoding.ids for encoding in encodings]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, special tokens left out, spaces as they are."""
        return self.backend.decode(list(ids), skip_special_tokens=True)

    def start(self) -> list[int]:
        """What stands in for an empty prompt: BOS, or EOS if there is none."""
        first = self.id_of("bos_token")
        first = self.id_of("eos_token") if first is None else first
        return list(self.prefix) or ([] if first is None else [first])

    def render(self, messages: Sequence[Message]) -> str:
        """The chat template's text, ending where the assistant is to begin.

        Raises ValueError if there is no template or it refuses the messages.
        """
        if self.template is None:
            raise ValueError("the prompt is messages, and the model has no chat template")
        from jinja2 import TemplateError
        from transformers.utils.chat_template_utils import render_jinja_template

        turns = [{"role": message.role, "content": message.content} for message in messages]
        try:
            texts, _ = render_jinja_template(
                [turns],
                chat_template=self.template,
                add_generation_prompt=True,
                **self.specials,
            )
        except (TemplateError, TypeError, KeyError, IndexError) as error:
            raise ValueError(f"chat template: {error}") from None
        return str(texts[0])

    def stop_ids(self, stop: Sequence[str]) -> set[int]:
        """Stop strings that are one special token each: decoding would hide them."""
        special = {
            token.content: number
            for number, token in self.backend.get_added_tokens_decoder().items()
            if token.special
        }
        return {special[text] for text in stop if text in special}

    def _once(self, prefix: Sequence[int], ids: list[int]) -> list[int]:
        bos = self.id_of("bos_token")
        if bos is None or not ids or ids[0] != bos:
            return [*prefix, *ids]
        # the text says BOS itself: a chat template, or a prompt copied from one
        while ids[1:2] == [bos]:
            ids = ids[1:]
        return [*(token for token in prefix if token != bos), *ids]


def encode_pair(
    tokenizer: TextTokenizer, prompt: str, continuations: Sequence[str], chat: bool = False
) -> tuple[list[int], list[list[int]]]:
    """Ids of a prompt, and of each continuation as it is tokenized behind it.

    As in lm-eval: white space at the prompt's end goes to the continuation, prompt and whole are
    encoded, and the continuation is the whole from the prompt's length on. If nothing is left of
    it, the boundary moves back to where both still agree; then the prompt's ids differ between
    continuations and the shortest serves all. Of an empty prompt, the context is BOS or EOS.
    """
    if not prompt:
        return _split_start(tokenizer.start(), tokenizer.encode_bare(continuations))
    stripped = prompt.rstrip()
    texts = [stripped, *(prompt + text for text in continuations)]
    context, *whole = tokenizer.encode(texts, chat)
    if min(map(len, whole)) <= len(context):
        shared = min(_common(context, ids) for ids in whole)
        shared = min(shared, min(map(len, whole)) - 1)
        context = context[:shared]
    return context, [ids[len(context) :] for ids in whole]


def _split_start(start: list[int], tails: list[list[int]]) -> tuple[list[int], list[list[int]]]:
    """A continuation that says BOS itself is not scored for it."""
    return start, [ids[len(start) :] if ids[: len(start)] == start else ids for ids in tails]


def load_tokenizer(card: LocalModel, base: Path, lora: Path | None) -> TextTokenizer:
    """The tokenizer from the files of the base alone; the chat template may come from the LoRA.

    Order of chat templates: the card's, the LoRA's, the base's.
    """
    from tokenizers import Tokenizer

    file = base / "tokenizer.json"
    if not file.is_file():
        return wrap_tokenizer(card, auto_tokenizer(card, base), lora)
    try:
        specials, template = _configuration(base)
        return TextTokenizer(
            Tokenizer.from_file(str(file)),
            specials,
            choose_template(card, lora, template),
            _bos(card),
        )
    except Exception as error:  # tokenizers raises Exception itself
        what = f"base '{card.base}' has no tokenizer that can be read: {first_words(error)}"
        raise card_error(card, f"{what} (in {file.name} or its configuration)") from None


def wrap_tokenizer(
    card: LocalModel, loaded: PreTrainedTokenizerBase, lora: Path | None
) -> TextTokenizer:
    """The tokenizer that transformers made of the base's files: what its models are used with."""
    backend = getattr(loaded, "backend_tokenizer", None)
    if backend is None:
        raise card_error(card, f"base '{card.base}': its tokenizer cannot be used: no fast version")
    specials = {name: getattr(loaded, name) for name in NAMES if getattr(loaded, name)}
    template = loaded.chat_template
    template = template.get("default") if isinstance(template, dict) else template
    return TextTokenizer(backend, specials, choose_template(card, lora, template), _bos(card))


def auto_tokenizer(card: LocalModel, base: Path) -> PreTrainedTokenizerBase:
    """transformers' own choice of tokenizer; raises ModelError if there is none."""
    from transformers import AutoTokenizer

    try:
        loaded: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            base, trust_remote_code=card.trust_remote_code, local_files_only=True
        )
    except Exception as error:  # tokenizers raises Exception itself
        what = f"base '{card.base}' has no tokenizer that can be read: {first_words(error)}"
        raise card_error(card, what) from None
    return loaded


def choose_template(card: LocalModel, lora: Path | None, base: str | None) -> str | None:
    """The chat template: the card's, else the LoRA's, else the base's."""
    if card.chat_template is not None:
        return card.chat_template
    tuned = None if lora is None else _configuration(lora)[1]
    return base if tuned is None else tuned


def _bos(card: LocalModel) -> str:
    """Whether BOS is wanted; only cards of language models say."""
    return str(getattr(card, "bos", "auto"))


def _configuration(folder: Path) -> tuple[dict[str, str], str | None]:
    """Special tokens by role, and the chat template, from a folder's files."""
    settings: dict[str, object] = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        if (folder / name).is_file():
            settings |= json.loads((folder / name).read_text("utf-8"))
    specials = {}
    for name in NAMES:
        value = settings.get(name)
        text = value.get("content") if isinstance(value, dict) else value
        if isinstance(text, str):
            specials[name] = text
    file = folder / "chat_template.jinja"
    template = file.read_text("utf-8") if file.is_file() else settings.get("chat_template")
    if isinstance(template, list):
        named = {item["name"]: item["template"] for item in template}
        template = named.get("default")
    return specials, template if isinstance(template, str) else None


def _common(left: Sequence[int], right: Sequence[int]) -> int:
    """Length of the common prefix."""
    for index, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            return index
    return min(len(left), len(right))


def _find(whole: Sequence[int], part: Sequence[int]) -> int:
    """Where ``part`` begins in ``whole``; 0 if it does not occur."""
    for start in range(len(whole) - len(part) + 1):
        if list(whole[start : start + len(part)]) == list(part):
            return start
    return 0
