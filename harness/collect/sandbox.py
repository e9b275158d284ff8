"""Where all templates run: no way to Python's insides, and no way to fill memory or time.

A template is somebody else's program. What Jinja's sandbox leaves open (``{{ 'x' * 10**9 }}``,
``{{ 'x'|center(10**10) }}``, loops in loops, text that doubles itself) is bounded here: each
render has a budget of steps, no text may become longer than MAX_PROMPT, and no number that sizes
something may be larger than MAX_COUNT. Each refusal is a SecurityError of one line.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_PROMPT = 10_000_000  # characters; far above any context, far below the memory
MAX_STEPS = 1_000_000  # of one render: rounds of loops, calls, items and thousands of characters
MAX_COUNT = 100_000  # the largest number that may size something; as Jinja's own for `range`
MAX_BITS = 10_000  # of a whole number
CHARACTERS_A_STEP = 1000

_SIZED = ("center", "indent", "batch", "slice", "tojson", "round")
"""Filters with a number that says how much is put out."""
_PERCENT = re.compile(r"%(?:\([^)]*\))?[-#0 +]*(\*|\d*)(?:\.(\*|\d*))?")
_BRACES = re.compile(r"\d{6,}|[:!][^{}]*\{")  # a large number, or a width that is an argument


class BoundedTemplate(Template):
    """A template that begins each render with a full budget."""

    def render(self, *args: Any, **kwargs: Any) -> str:
        """As Jinja's; raises SecurityError when the budget is used up."""
        if isinstance(self.environment, Sandbox):
            self.environment.begin()
        return super().render(*args, **kwargs)


class BoundedCode(CodeGenerator):
    """What Jinja compiles, with loops that count and with `~` that looks at the length."""

    def visit_Template(self, node: nodes.Template, frame: Frame | None = None) -> None:
        """Every loop takes its items through the filter that counts them."""
        for loop in node.find_all(nodes.For):
            counted = nodes.Filter(loop.iter, "_counted", [], [], None, None, lineno=loop.lineno)
            loop.iter = counted.set_environment(self.environment)
        super().visit_Template(node, frame)

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:
        """`a ~ b`, joined by the sandbox."""
        self.write("environment.concat(map(str, map(environment.weighed, (")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))))")


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox with a budget; beside what that refuses, see the module's docstring."""

    intercepted_binops = frozenset({"*", "**", "%", "+"})
    code_generator_class = BoundedCode
    template_class = BoundedTemplate

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=False, finalize=self.weighed)
        # no globals that carry functions of Python
        self.globals = {name: self.globals[name] for name in ("range", "dict", "namespace")}
        self.filters = {name: self._bounded(name, run) for name, run in self.filters.items()}
        self.filters["_counted"] = self.counted
        self.left = MAX_STEPS

    def begin(self) -> None:
        """A new render: the whole budget."""
        self.left = MAX_STEPS

    def spend(self, value: object = None) -> None:
        """One step, and as many more as a value is large; raises SecurityError at the end."""
        if isinstance(value, str | bytes):
            _refuse_long(len(value))
            self.left -= len(value) // CHARACTERS_A_STEP
        elif isinstance(value, range):
            self.left -= len(value)
        elif isinstance(value, list | tuple | dict | set):
            items, characters = _weight(value)
            self.left -= items + characters // CHARACTERS_A_STEP
        self.left -= 1
        if self.left < 0:
            raise SecurityError(f"more than {MAX_STEPS:,} steps")

    def weighed(self, value: Any) -> Any:
        """A value on its way to text; lists are the ones that can be larger than they look."""
        if isinstance(value, list | tuple | dict | set):
            self.spend(value)
        return value

    def counted(self, items: Iterable[object]) -> Iterator[object]:
        """The items, each of which is a step."""
        for item in items:
            self.spend()
            yield item

    def concat(self, parts: Iterable[str]) -> str:
        """Join what a template puts out, as long as it is not too long."""
        kept, length = list[str](), 0
        for part in parts:
            kept.append(part)
            length += len(part)
            _refuse_long(length)
        joined = "".join(kept)
        self.spend(joined)
        return joined

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Refuse what would be too large, before it is computed."""
        if operator == "**" and not (_small(left, 1e6) and _small(right, 64)):
            raise SecurityError("a power of such numbers")
        if operator == "%" and isinstance(left, str | bytes):
            _refuse_widths(str(left))
            self.weighed(right)
        if operator == "*":
            _refuse_product(left, right)
        if operator == "+" and isinstance(left, str | list | tuple):
            _refuse_long(len(left) + (len(right) if isinstance(right, type(left)) else 0))
        result = super().call_binop(context, operator, left, right)
        self.spend(result)
        return result

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        """A call is a step; methods of text and numbers get no large numbers."""
        __self.spend()
        own = getattr(__obj, "__self__", None)
        if isinstance(own, str | bytes | int):
            args = _checked(__obj.__name__, own, args, kwargs)
        if isinstance(__obj, LoopContext):  # a recursive loop
            args = tuple(__self.counted(each) for each in args)
        result = super().call(__context, __obj, *args, **kwargs)
        __self.spend(result)
        return result

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """`str.format` with widths that are written out, and small."""
        run = super().wrap_str_format(value)
        if run is None:
            return None
        inner, text = run, str(value.__self__)

        @functools.wraps(inner)
        def checked(*args: Any, **kwargs: Any) -> str:
            if _BRACES.search(text):
                raise SecurityError("a format of such a width")
            self.weighed([*args, *kwargs.values()])
            return inner(*args, **kwargs)

        return checked

    def _bounded(self, name: str, run: Callable[..., Any]) -> Callable[..., Any]:
        skip = 1 if hasattr(run, "jinja_pass_arg") else 0  # the context stands in front

        @functools.wraps(run)
        def bounded(*args: Any, **kwargs: Any) -> Any:
            value, rest = args[skip], args[skip + 1 :]
            self.spend(value)
            if name in _SIZED:
                _refuse_counts((*rest, *kwargs.values()))
            if name == "format":
                _refuse_widths(str(value))
                self.weighed([*rest, *kwargs.values()])
            if name == "replace":
                rest = _checked("replace", str(value), rest, kwargs)
            if name == "join":
                value = list(value)
                self.spend(value)
                between = rest[0] if rest else kwargs.get("d", "")
                _refuse_long(_joined_length(str(between), value))
            if name == "indent":
                width = rest[0] if rest else kwargs.get("width", 4)
                wide = len(width) if isinstance(width, str) else int(width)
                _refuse_long(len(value) + wide * (1 + str(value).count("\n")))
            result = run(*args[:skip], value, *rest, **kwargs)
            self.spend(result)
            return result

        return bounded


@lru_cache(maxsize=1)
def environment() -> Sandbox:
    """The sandbox all templates run in; each text is rendered once, never twice."""
    return Sandbox()


# --------------------------------------------------------------------------- refusals


def _refuse_long(length: int) -> None:
    if length > MAX_PROMPT:
        raise SecurityError(f"more than {MAX_PROMPT:,} characters")


def _weight(value: object) -> tuple[int, int]:
    """How many items and characters a value holds, however deep; what is shared counts each time.

    Raises SecurityError as soon as it is too much.
    """
    items, characters, waiting = 0, 0, [value]
    while waiting:
        each = waiting.pop()
        items += 1
        if isinstance(each, str | bytes):
            characters += len(each)
        elif isinstance(each, dict):
            waiting += [*each, *each.values()]
        elif isinstance(each, list | tuple | set):
            waiting += each
        _refuse_long(characters)
        if items + len(waiting) > MAX_STEPS:
            raise SecurityError(f"more than {MAX_STEPS:,} items")
    return items, characters


def _refuse_counts(numbers: Iterable[object]) -> None:
    for number in numbers:
        if isinstance(number, int | float) and abs(number) > MAX_COUNT:
            raise SecurityError(f"a size above {MAX_COUNT:,}")


def _refuse_widths(text: str) -> None:
    """Of a format with `%`: a width that is large, or that is an argument."""
    for match in _PERCENT.finditer(text):
        for width in filter(None, match.groups()):
            if width == "*" or len(width) > 6 or int(width) > MAX_COUNT:
                raise SecurityError("a format of such a width")


def _refuse_product(left: Any, right: Any) -> None:
    for one, other in ((left, right), (right, left)):
        count = other if isinstance(other, int) else 0
        if count and isinstance(one, str | bytes | list | tuple) and len(one) * count > MAX_PROMPT:
            raise SecurityError("so many repetitions")
    numbers = [each for each in (left, right) if isinstance(each, int)]
    if len(numbers) == 2 and sum(number.bit_length() for number in numbers) > MAX_BITS:
        raise SecurityError("a product of such numbers")


def _checked(
    name: str, own: str | bytes | int, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, ...]:
    """The arguments of a method of text or of a number, if what comes out is not too large."""
    if name == "translate":
        raise SecurityError("'translate'")
    if name not in ("replace", "find", "index", "count", "startswith", "endswith", "split"):
        _refuse_counts((*args, *kwargs.values()))
    if name == "replace" and len(args) > 1 and isinstance(own, str):
        old, new = str(args[0]), str(args[1])
        _refuse_long(len(own) + own.count(old) * len(new))
    elif name == "replace" and kwargs:
        raise SecurityError("'replace' with named arguments")
    if name == "join" and args and isinstance(own, str):
        parts = list(args[0])
        _refuse_long(_joined_length(own, parts))
        return (parts, *args[1:])
    return args


def _joined_length(between: str, parts: list[Any]) -> int:
    own = sum(len(part) if isinstance(part, str) else 1 for part in parts)
    return own + len(between) * len(parts)


def _small(value: object, limit: float) -> bool:
    return isinstance(value, int | float) and abs(value) <= limit
