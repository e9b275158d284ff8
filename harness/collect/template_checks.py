"""What is wrong with a Jinja template before it is rendered: syntax, names, what is barred."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from harness.collect.shapes import Mistake
from harness.collect.suggest import did_you_mean
from harness.collect.yamlio import Loc

if TYPE_CHECKING:
    from jinja2.sandbox import ImmutableSandboxedEnvironment


def template_mistakes(text: str, loc: Loc) -> Iterator[Mistake]:
    """What is wrong with a Jinja template before any sample is seen."""
    for line, what in template_faults(text):
        yield Mistake(loc, f"template: {what}", line)


@functools.lru_cache(maxsize=256)
def template_faults(text: str) -> tuple[tuple[int, str], ...]:
    """As `template_mistakes`: lines of the template, from 1, and what is wrong there."""
    from jinja2 import TemplateSyntaxError, nodes

    environment = _environment()
    try:
        tree = environment.parse(text)
    except TemplateSyntaxError as error:
        return ((error.lineno, (error.message or "cannot be read").rstrip(".")),)
    except (RecursionError, MemoryError, OverflowError):
        return ((1, "nested too deeply"),)
    faults: list[tuple[int, str]] = []
    kinds: Any = (nodes.Filter, nodes.Test, nodes.Getattr, nodes.Getitem, *_loads())
    node: nodes.Node
    for node in tree.find_all(kinds):
        what = _node_fault(node, environment)
        if what:
            faults.append((node.lineno, what))
    return tuple(faults)


@functools.cache
def _environment() -> ImmutableSandboxedEnvironment:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment()


def _loads() -> tuple[type[object], ...]:
    from jinja2 import nodes

    return (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)


def _node_fault(node: object, environment: ImmutableSandboxedEnvironment) -> str | None:
    from jinja2 import nodes

    if isinstance(node, nodes.Filter):
        known = environment.filters
        return None if node.name in known else _no_such("filter", node.name, list(known))
    if isinstance(node, nodes.Test):
        known_tests = environment.tests
        return None if node.name in known_tests else _no_such("test", node.name, list(known_tests))
    if isinstance(node, nodes.Getattr):
        return _private(node.attr)
    if isinstance(node, nodes.Getitem):
        return _private(getattr(node.arg, "value", ""))
    return f"{type(node).__name__.lower()} is not available here"


def _no_such(what: str, name: str, known: list[str]) -> str:
    return f"no {what} named '{name}'{did_you_mean(name, known)}"


def _private(name: object) -> str | None:
    if isinstance(name, str) and name.startswith("__"):
        return f"'{name}' is not allowed (templates run in a sandbox)"
    return None
