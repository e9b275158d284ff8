"""Which cells: `-k` by name, tags by tag.

The grammar is pytest's:

    expression: expr? EOF
    expr:       and_expr ("or" and_expr)*
    and_expr:   not_expr ("and" not_expr)*
    not_expr:   "not" not_expr | "(" expr ")" | word
    word:       one or more of letters, digits and _ : + - . / \\ [ ] = @ %

An empty expression selects everything. `and`, `or` and `not` are small letters. With `-k` a word
is true of a cell if it occurs, capital or small, in the name of its task, its model, its variant
(`generate.temperature=0.7`) or one of its tags. In a tag expression a word is true of a cell if it
is exactly one of the tags of its task or its model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NoReturn

from harness.collect.plan import Cell, variant_text
from harness.errors import SelectionError

Matcher = Callable[[str], bool]
Expression = Callable[[Matcher], bool]

_TOKEN = re.compile(r"\s*(?:(?P<word>[\w:+\-./\\\[\]=@%]+)|(?P<sign>[()])|(?P<end>$))")
MAX_NESTING = 100


def compile_expression(text: str, option: str = "-k") -> Expression:
    """A function that says, given the truth of words, whether the expression holds.

    Raises SelectionError with the column (from 1) where the text stops making sense.
    """
    if not text.strip():
        return lambda matcher: True
    parser = _Parser(text, option)
    expression = parser.either()
    parser.expect_end()
    return expression


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # "word", "(", ")", "and", "or", "not", "end"
    text: str
    column: int


class _Parser:
    """One method for each line of the grammar."""

    def __init__(self, text: str, option: str) -> None:
        self._text, self._option = text, option
        self._tokens = self._scan()
        self._at = self._depth = 0

    def _scan(self) -> list[_Token]:
        tokens: list[_Token] = []
        position = 0
        while not tokens or tokens[-1].kind != "end":
            match = _TOKEN.match(self._text, position)
            if match is None:
                start = len(self._text) - len(self._text[position:].lstrip())
                self._fail(f"unexpected character '{self._text[start]}'", start + 1)
            kind, word = match.lastgroup or "", match.group(match.lastgroup or 0)
            reserved = kind == "sign" or word in ("and", "or", "not")
            column = match.start(match.lastgroup or 0) + 1
            tokens.append(_Token(word if reserved else kind, word, column))
            position = match.end()
        return tokens

    def either(self) -> Expression:
        parts = [self._all()]
        while self._accept("or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else lambda matcher: any(part(matcher) for part in parts)

    def _all(self) -> Expression:
        parts = [self._negated()]
        while self._accept("and"):
            parts.append(self._negated())
        return parts[0] if len(parts) == 1 else lambda matcher: all(part(matcher) for part in parts)

    def _negated(self) -> Expression:
        self._depth += 1
        if self._depth > MAX_NESTING:
            self._fail(f"nested more than {MAX_NESTING} levels deep", self._next.column)
        try:
            return self._operand()
        finally:
            self._depth -= 1

    def _operand(self) -> Expression:
        if self._accept("not"):
            inner = self._negated()
            return lambda matcher: not inner(matcher)
        if self._accept("("):
            inside = self.either()
            if not self._accept(")"):
                self._unexpected("')'")
            return inside
        token = self._next
        if not self._accept("word"):
            self._unexpected("'not', '(' or a word")
        return lambda matcher: matcher(token.text)

    def expect_end(self) -> None:
        if self._next.kind != "end":
            self._unexpected("'and', 'or' or the end")

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _accept(self, kind: str) -> bool:
        found = self._next.kind == kind
        self._at += found
        return found

    def _unexpected(self, expected: str) -> NoReturn:
        token = self._next
        found = "the end" if token.kind == "end" else f"'{token.text}'"
        self._fail(f"expected {expected}, found {found}", token.column)

    def _fail(self, what: str, column: int) -> NoReturn:
        raise SelectionError(f"{self._option} '{self._text}': column {column}: {what}")


# --------------------------------------------------------------------------- cells


def select(cells: Iterable[Cell], keyword: str = "", tags: str = "") -> tuple[Cell, ...]:
    """The cells that both expressions hold of.

    Raises SelectionError if an expression cannot be read.
    """
    by_name = compile_expression(keyword, "-k")
    by_tag = compile_expression(tags, "tags")
    return tuple(
        cell for cell in cells if by_name(_name_matcher(cell)) and by_tag(_tag_matcher(cell))
    )


def _name_matcher(cell: Cell) -> Matcher:
    names = [cell.task.task, cell.model.model, *variant_text(cell.variant), *_tags(cell)]
    folded = [name.lower() for name in names]
    return lambda word: any(word.lower() in name for name in folded)


def _tag_matcher(cell: Cell) -> Matcher:
    return _tags(cell).__contains__


def _tags(cell: Cell) -> tuple[str, ...]:
    return (*cell.task.tags, *cell.model.tags)
