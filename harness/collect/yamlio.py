"""YAML 1.2 in and out, with the line of every value.

Reading is PyYAML's C parser (0.14 ms for a task file; ruamel.yaml 2.6 ms) with a resolver of our
own: exactly the core schema of YAML 1.2, so that `no`, `1:30` and `2024-01-01` are text, `3e-4` is
a number, `010` is ten and `0o10` is eight. Writing is ruamel.yaml, which is also the oracle that
the reader is tested against.

What is refused, each with its line: duplicate keys, keys that are not text, merge keys (`<<`, not
part of YAML 1.2), tags beyond the core schema (`!!python/...`), more than one document, nesting
beyond MAX_DEPTH and aliases that expand to more than MAX_VALUES values.
"""

from __future__ import annotations

import io
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from harness.collect.core_schema import Scalar as Scalar
from harness.collect.core_schema import convert, resolve_plain
from harness.errors import CollectError, SpecError

Value = Scalar | list["Value"] | dict[str, "Value"]
Loc = tuple[str | int, ...]
"""A place in a document: keys and positions from the top."""

MAX_DEPTH = 50
MAX_VALUES = 100_000

_TAG = "tag:yaml.org,2002:"


class _Loader(yaml.CSafeLoader):
    """The C parser with the resolver above; nothing of PyYAML's YAML 1.1 is left."""

    def resolve(self, kind: type[yaml.Node], value: str, implicit: Any) -> str:
        if kind is yaml.ScalarNode:
            return _TAG + (resolve_plain(value) if implicit[0] else "str")
        return _TAG + ("seq" if kind is yaml.SequenceNode else "map")

    def descend_resolver(self, current_node: Any, current_index: Any) -> None:
        """The core schema does not depend on the place."""

    def ascend_resolver(self) -> None:
        """The core schema does not depend on the place."""


class Document:
    """A file read: plain data, and the line of everything in it (counted from 1)."""

    def __init__(self, path: Path, text: str, data: dict[str, Value], node: yaml.Node) -> None:
        self.path, self.text, self.data, self._node = path, text, data, node

    def line(self, loc: Loc) -> int:
        """The line where a value is; for a mapping or list under a key, the line of the key.

        A place that does not exist stands for the nearest one around it that does.
        """
        line, node = 1, self._node
        for step in loc:
            found = _child(node, step)
            if found is None:
                return line
            key, node = found
            line = (key or node).start_mark.line + 1
        return line

    def text_line(self, loc: Loc, number: int) -> int:
        """The line of the file that holds line `number` (from 1) of a text value.

        Exact for block scalars and for text on one line; folding is not undone.
        """
        node = self._node
        for step in loc:
            found = _child(node, step)
            if found is None:
                return self.line(loc)
            node = found[1]
        first: int = node.start_mark.line + 1
        if getattr(node, "style", None) == "|":
            return first + number
        return first

    def get(self, loc: Loc) -> Value:
        """The value at a place, None if there is none."""
        return get_in(self.data, loc)


def get_in(data: Value, loc: Loc) -> Value:
    """The value at a place of plain data, None if there is none."""
    value: Any = data
    for step in loc:
        if isinstance(value, dict) and isinstance(step, str):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value  # type: ignore[no-any-return]


def _child(node: yaml.Node, step: str | int) -> tuple[yaml.Node | None, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == step:
                return key, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return None, node.value[step]
    return None


# --------------------------------------------------------------------------- reading


def read_text(path: Path) -> str:
    """The text of a UTF-8 file; SpecError if there is none or it is something else."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for without an end
            raise SpecError(path, 0, "not a regular file")
        raw = path.read_bytes()
    except OSError as error:
        raise SpecError(path, 0, f"cannot be read: {error.strerror or error}") from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        what = f"not UTF-8 text (byte 0x{raw[error.start]:02x}); save the file as UTF-8"
        raise SpecError(path, line, what) from None


def load(path: Path, text: str) -> Document:
    """Read a document whose top level is a mapping.

    Raises SpecError if there is one mistake, CollectError with all of them if there are more.
    """
    document, errors = parse(path, text)
    if len(errors) == 1:
        raise errors[0]
    if document is None or errors:
        raise CollectError(errors)
    return document


def parse(path: Path, text: str) -> tuple[Document | None, list[SpecError]]:
    """As `load`, but the mistakes are returned; with the document as far as it can be read."""
    try:
        node = _compose(path, text)
    except SpecError as error:
        return None, [error]
    if node is None:
        return None, [SpecError(path, 0, "the file is empty")]
    if not isinstance(node, yaml.MappingNode):
        what = "a list" if isinstance(node, yaml.SequenceNode) else "a single value"
        line = node.start_mark.line + 1
        return None, [SpecError(path, line, f"must consist of 'key: value' lines, not of {what}")]
    builder = _Builder(path)
    try:
        data = builder.mapping(node, 1)
    except SpecError as error:
        return None, [error]
    return Document(path, text, data, node), builder.errors


def _compose(path: Path, text: str) -> yaml.Node | None:
    try:
        _check_depth(path, text)
        stand_ins = _stand_ins(text)
        loader = _Loader(text.translate(stand_ins))
        try:
            node: yaml.Node | None = loader.get_single_node()
        finally:
            loader.dispose()
        if stand_ins and node:
            _restore(node, {ord(new): chr(old) for old, new in stand_ins.items()}, set())
        return node
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise SpecError(path, line, "a control character does not belong in YAML") from None
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(path, text, error) from None


def _stand_ins(text: str) -> dict[int, str]:
    """Characters that break lines for the C parser, as in YAML 1.1, but not in YAML 1.2."""
    found = [character for character in "\x85\u2028\u2029" if character in text]
    free = (chr(code) for code in range(0xE000, 0xF8FF) if chr(code) not in text)
    return {ord(character): next(free) for character in found}


def _restore(node: yaml.Node, back: dict[int, str], seen: set[int]) -> None:
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.ScalarNode):
        node.value = node.value.translate(back)
    for item in node.value if isinstance(node, yaml.CollectionNode) else ():
        for each in item if isinstance(item, tuple) else (item,):
            _restore(each, back, seen)


def _check_depth(path: Path, text: str) -> None:
    """Refuse nesting that would overflow the C stack of the parser.

    A block can nest no deeper than the longest line has columns (twice, for a list in a mapping),
    so that ordinary files are through with two counts.
    """
    flow = text.count("[") + text.count("{")
    if flow < 1000 and max(map(len, text.splitlines()), default=0) < 1000:
        return
    loader, depth = _Loader(text), 0
    try:
        while loader.check_event():
            event: Any = loader.get_event()
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth > MAX_DEPTH:
                line = event.start_mark.line + 1
                raise SpecError(path, line, f"nested more than {MAX_DEPTH} levels deep")
    finally:
        loader.dispose()


def _syntax_error(path: Path, text: str, error: yaml.MarkedYAMLError) -> SpecError:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 0
    problem = error.problem or error.context or "cannot be read"
    lines = text.splitlines()
    if line > len(lines) > 0:  # the parser noticed at the very end
        line = len(lines)
    if "cannot start any token" in problem and mark:
        return SpecError(path, line, _bad_start(text[mark.index : mark.index + 1]))
    if "mapping values are not allowed" in problem:
        what = "':' is not allowed here (wrong indentation, or a value that needs quotes)"
        return SpecError(path, line, f"not valid YAML: {what}")
    if "expected a single document" in (error.context or ""):
        return SpecError(path, line, "only one document a file: remove this '---' and what follows")
    started = error.context_mark.line + 1 if error.context_mark else line
    context = f" ({error.context} that began on line {started})" if started != line else ""
    return SpecError(path, line, f"not valid YAML: {problem}{context}")


def _bad_start(character: str) -> str:
    if character == "\t":
        return "a tab cannot indent YAML; use spaces"
    return f"a value cannot begin with '{character}'; put it in quotes"


class _Builder:
    """Nodes to plain data; collects what can be collected, raises on bombs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.errors: list[SpecError] = []
        self._left = MAX_VALUES

    def mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Value]:
        self._core_tag(node, "map")
        result: dict[str, Value] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            value = self._value(value_node, depth + 1)
            key, line = self._key(key_node), key_node.start_mark.line + 1
            if key is None:
                continue
            if key in lines:
                self._wrong(key_node, f"duplicate key '{key}' (first on line {lines[key]})")
                continue
            lines[key], result[key] = line, value
        return result

    def _value(self, node: yaml.Node, depth: int) -> Value:
        self._left -= 1
        if depth > MAX_DEPTH:
            what = f"nested more than {MAX_DEPTH} levels deep"
            raise SpecError(self.path, node.start_mark.line + 1, what)
        if self._left < 0:
            what = f"aliases expand to more than {MAX_VALUES} values"
            raise SpecError(self.path, node.start_mark.line + 1, what)
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, depth)
        if isinstance(node, yaml.SequenceNode):
            self._core_tag(node, "seq")
            return [self._value(item, depth + 1) for item in node.value]
        return self._scalar(node)

    def _scalar(self, node: yaml.Node) -> Scalar:
        kind = node.tag.removeprefix(_TAG)
        if kind == "str" or not self._core_tag(node, "str", "null", "bool", "int", "float"):
            return str(node.value)
        try:
            return convert(kind, node.value)
        except ValueError as error:
            self._wrong(node, str(error))
            return None

    def _key(self, node: yaml.Node) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            way_out = (
                " (a template such as {{ input }} needs quotes)"
                if getattr(node, "flow_style", None)
                else ""
            )
            self._wrong(node, f"a key must be text, not a list or a mapping{way_out}")
            return None
        key = str(node.value)
        if node.tag != _TAG + "str":
            if self._core_tag(node, "str", "null", "bool", "int", "float"):
                self._wrong(node, f"a key must be text; write '{key}' in quotes")
            return None
        if key == "<<" and not node.style:
            self._wrong(node, "merge keys ('<<') are not part of YAML 1.2; write the keys out")
            return None
        return key

    def _core_tag(self, node: yaml.Node, *kinds: str) -> bool:
        if node.tag.removeprefix(_TAG) in kinds:
            return True
        tag = node.tag.replace(_TAG, "!!")
        self._wrong(node, f"the tag '{tag}' is not allowed here")
        return False

    def _wrong(self, node: yaml.Node, what: str) -> None:
        self.errors.append(SpecError(self.path, node.start_mark.line + 1, what))


# --------------------------------------------------------------------------- writing


def dump(data: Mapping[str, Value]) -> str:
    """Write plain data so that `load` reads the same back; texts of several lines as blocks."""
    from ruamel.yaml import YAML
    from ruamel.yaml.representer import SafeRepresenter

    class Representer(SafeRepresenter):
        def ignore_aliases(self, data: Any) -> bool:
            return True

        def represent_str(self, data: str) -> Any:
            return self.represent_scalar(_TAG + "str", data, style=_style(data))

    Representer.add_representer(str, Representer.represent_str)
    writer: Any = YAML(typ="safe", pure=True)
    writer.Representer = Representer
    writer.default_flow_style = False
    writer.sort_base_mapping_type_on_output = False
    writer.allow_unicode = True
    writer.width = 10_000
    out = io.StringIO()
    writer.dump(data, out)
    return out.getvalue()


def _style(text: str) -> str | None:
    """How a text is written: plain if any reader takes it for text, else in quotes."""
    lines = text.split("\n")
    if len(lines) > 1 and all(_plain_line(line) for line in lines) and lines[0]:
        return "|"
    if text and _plain_line(text) and resolve_plain(text) == "str" and len(lines) == 1:
        return None
    return '"'


def _plain_line(line: str) -> bool:
    return line.isprintable() and line == line.strip() and "\ufeff" not in line
