"""Tables and texts as Markdown, read by a real parser of it."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from harness.leaderboard.report.markdown import escaped, fenced, paragraph, table_text
from harness.leaderboard.report.paper import PaperCell, PaperTable, value_cell
from harness.results.render import visible

HOSTILE = (
    "a|b_c & 50% <img src=x onerror=alert(1)> `x` *y* [l](http://e) \\cmd {z} $x$ ~~s~~ "
    "&lt; <!-- --> ![i](x) _e_ __s__ www.x.org @you"
)


def parsed(text: str) -> str:
    """As HTML, where raw HTML would be let through."""
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text)


def table(*cells: PaperCell) -> PaperTable:
    return PaperTable("t", "Caption", ["c"] * len(cells), "l" * len(cells), [[cells]], [])


def shown(text: str) -> list[str]:
    """The cells of the only row of a table."""
    return [html.unescape(cell) for cell in re.findall(r"<td>(.*?)</td>", parsed(text))]


@given(st.text(max_size=30))
@example(HOSTILE)
@example("a_ _b")
@example("| x")
def test_a_cell_shows_what_it_was_given(text: str) -> None:
    found = shown(table_text(table(PaperCell(f"x{text}y"), PaperCell("z"))))
    assert found == [visible(f"x{' '.join(text.split(chr(10)))}y"), "z"]


def test_styles() -> None:
    cells = [value_cell(0.5, (0.4, 0.6), "best"), PaperCell("0.4", "reported"), PaperCell("-")]
    text = table_text(table(*cells))
    assert "| **0.500** [0.400, 0.600] | *0.4* | - |" in text
    assert "not measured here" in text


def test_nothing_of_a_text_is_a_link() -> None:
    text = escaped("http://evil.example www.evil.example")
    assert "://" not in text
    assert "www.e" not in text


@pytest.mark.parametrize("text", ["# head", "- item", "1. one", "2) two", "+ item", "=== x", "> q"])
def test_a_paragraph_stays_one(text: str) -> None:
    assert html.unescape(parsed(paragraph(text))) == f"<p>{text}</p>\n"


@given(st.text(alphabet="`~ \n<>abc|", max_size=40))
@example("```\n# out\n````\n<script>")
@example("")
def test_a_fenced_text_cannot_leave_its_fence(text: str) -> None:
    found = parsed(fenced(text) + "\n\nafter")
    block = r'<pre><code class="language-text">(.*)</code></pre>\n<p>after</p>\n'
    inside = re.fullmatch(block, found, re.DOTALL)
    assert inside
    assert html.unescape(inside[1]) == text + "\n"


def test_control_characters_are_written_out() -> None:
    assert "\x1b" not in fenced("a\x1b[31mb\u202e")
    assert "\\x1b" in fenced("a\x1b[31mb")
