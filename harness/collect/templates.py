"""Templates compiled and rendered in the sandbox, with the line at which it went wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping

from jinja2 import Template, TemplateError, TemplateSyntaxError
from jinja2.exceptions import SecurityError, UndefinedError

from harness.collect.sandbox import Sandbox, environment
from harness.collect.suggest import did_you_mean


class TemplateFault(Exception):
    """What is wrong with a template, and at which of its lines (from 1)."""

    def __init__(self, line: int, what: str) -> None:
        self.line, self.what = line, " ".join(what.split())
        super().__init__(f"line {line}: {self.what}")


def compiled(source: str, sandbox: Sandbox | None = None) -> Template:
    """A template that is ready to be rendered; raises TemplateFault."""
    try:
        return (sandbox or environment()).from_string(source)
    except TemplateSyntaxError as error:
        raise TemplateFault(error.lineno, error.message or "cannot be read") from None
    except (RecursionError, MemoryError, OverflowError):
        raise TemplateFault(1, "too large to compile") from None


def rendered(template: Template, names: Mapping[str, object]) -> str:
    """What a template makes of names; raises TemplateFault."""
    try:
        return template.render(names)
    except UndefinedError as error:
        what = f"{error.message}{_hint(error, names)}"
        raise TemplateFault(_line(error), what) from None
    except (SecurityError, RecursionError, MemoryError, OverflowError) as error:
        what = f"not allowed: {error or 'too much memory'}"
        raise TemplateFault(_line(error), what) from None
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise TemplateFault(_line(error), str(error)) from None


def _hint(error: UndefinedError, names: Mapping[str, object]) -> str:
    found = re.match(r"'(\w+)' is undefined", error.message or "")
    return did_you_mean(found[1], names) if found else ""


def _line(error: BaseException) -> int:
    """Jinja puts the template's line into the traceback."""
    trace, line = error.__traceback__, 1
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
