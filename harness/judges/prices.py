"""What a model's tokens cost: the card's own price, else the project's table, else ours.

A price belongs to a server and to a name on it: the same model costs something else, or nothing,
elsewhere. What stands in no table has no price; nothing here turns that into 0.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field

from harness.collect.library import project_root
from harness.collect.shapes import shape
from harness.collect.specs import FileSpec, ModelSpec, OpenAIModel, Price, Spec
from harness.collect.yamlio import load, read_text
from harness.errors import CollectError, SpecError

FILE = "prices.yaml"
DEFAULT_URL = "https://api.openai.com/v1"
_DATED = re.compile(r"-\d{4}-\d{2}-\d{2}$")


class PriceList(Spec):
    """The prices of one server, and when they were looked at."""

    host: str = Field(min_length=1, description="as in base_url: api.openai.com, localhost:8000")
    as_of: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    source: str
    models: dict[str, Price] = Field(min_length=1)


class PriceFile(FileSpec):
    """A prices.yaml."""

    prices: tuple[PriceList, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Quote:
    """A price, and whose word it is."""

    price: Price
    as_of: str
    source: str


@dataclass(frozen=True)
class PriceTable:
    """Price lists, the first to be asked first; ``version`` names all of them."""

    lists: tuple[PriceList, ...]
    version: str

    @classmethod
    def of(cls, project: Path | None = None) -> PriceTable:
        """The table of a project (default: the one around the present folder).

        Raises SpecError or CollectError for a prices.yaml that cannot be read.
        """
        root = os.fspath(project) if project else _root_of(os.getcwd())
        try:
            changed = os.stat(f"{root}/{FILE}").st_mtime_ns
        except OSError:
            changed = None
        return _table(root, changed)

    def quote(self, card: ModelSpec) -> Quote | None:
        """What the card's model costs; None if nobody says, or if its replicas differ.

        A name with a date at its end is looked up as it is, and then without the date.
        """
        if not isinstance(card, OpenAIModel):
            return _FREE
        if card.price is not None:
            return Quote(card.price, "", f"model card '{card.model}'")
        quotes = [self._at(host, card.base) for host in _hosts(card)]
        same = len({quote.price for quote in quotes if quote}) == 1 and None not in quotes
        return quotes[0] if same else None

    def _at(self, host: str, name: str) -> Quote | None:
        for known in dict.fromkeys([name, _DATED.sub("", name)]):
            for each in self.lists:
                if each.host == host and known in each.models:
                    return Quote(each.models[known], each.as_of, each.source)
        return None


_FREE = Quote(Price(input=0, output=0), "", "runs here: nobody charges for it")


def read_prices(path: Path) -> tuple[PriceList, ...]:
    """The lists of a file; SpecError or CollectError with the line of every mistake."""
    text = read_text(path)
    document = load(path, text)
    found, mistakes = shape(PriceFile, document.data)
    if found is not None:
        return found.prices
    errors = [SpecError(path, document.line(each.loc), each.what) for each in mistakes]
    raise errors[0] if len(errors) == 1 else CollectError(errors)


# asked for once a verdict: nothing may be read again that has not changed
@lru_cache(maxsize=8)
def _table(root: str, changed: int | None) -> PriceTable:
    own: tuple[PriceList, ...] = ()
    version = f"built-in {_newest(_built_in())}"
    if changed is not None:
        file = Path(root, FILE)
        own = read_prices(file)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()[:8]
        version = f"{FILE} {_newest(own)} ({digest}), {version}"
    return PriceTable((*own, *_built_in()), version)


@lru_cache(maxsize=1)
def _built_in() -> tuple[PriceList, ...]:
    return read_prices(Path(__file__).with_name(FILE))


@lru_cache(maxsize=8)
def _root_of(folder: str) -> str:
    return os.fspath(project_root(Path(folder)))


def _newest(lists: Sequence[PriceList]) -> str:
    return max(each.as_of for each in lists)


def _hosts(card: OpenAIModel) -> list[str]:
    first = card.base_url or os.environ.get("OPENAI_BASE_URL") or DEFAULT_URL
    return [urlsplit(url).netloc.rpartition("@")[2].lower() for url in (first, *card.replicas)]
