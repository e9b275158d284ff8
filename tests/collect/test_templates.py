"""Templates in the sandbox: what they make, and the line at which they go wrong."""

from __future__ import annotations

import pytest

from harness.collect.templates import TemplateFault, compiled, rendered


def test_a_template_is_rendered_once() -> None:
    template = compiled("{{ a }} and {{ b[0] }}")
    assert rendered(template, {"a": "{{ b }}", "b": ["x"]}) == "{{ b }} and x"


@pytest.mark.parametrize(
    ("source", "line", "what"),
    [
        ("\n{% if a %}", 2, "Unexpected end of template"),
        ("\n\n{{ a | no_such_filter }}", 3, "No filter named 'no_such_filter'"),
        ("(" * 3 + "{{ " + "(" * 2000, 1, "too large to compile"),
    ],
)
def test_what_cannot_be_compiled(source: str, line: int, what: str) -> None:
    with pytest.raises(TemplateFault) as caught:
        compiled(source)
    assert caught.value.line == line
    assert what in caught.value.what


@pytest.mark.parametrize(
    ("source", "line", "what"),
    [
        ("{{ a }}\n{{ answr }}", 2, "'answr' is undefined (did you mean 'answer'?)"),
        ("\n{{ a.__class__ }}", 2, "not allowed: "),
        (
            "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
            1,
            "not",
        ),
        ("\n\n{{ 1 / 0 }}", 3, "division by zero"),
        ("{{ a + 1 }}", 1, "can only concatenate str"),
    ],
)
def test_what_cannot_be_rendered(source: str, line: int, what: str) -> None:
    with pytest.raises(TemplateFault) as caught:
        rendered(compiled(source), {"a": "x", "answer": "y"})
    assert caught.value.line == line
    assert caught.value.what.startswith(what)
    assert str(caught.value).startswith(f"line {line}: ")
