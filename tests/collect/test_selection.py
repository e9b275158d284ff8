"""Expressions: pytest's grammar; Python's own eval is the oracle."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.collect.library import Project
from harness.collect.plan import Cell, make_plan
from harness.collect.selection import compile_expression, select
from harness.errors import SelectionError

WORDS = ("a", "b", "c")


expressions = st.recursive(
    st.sampled_from(WORDS),
    lambda inner: st.one_of(
        inner.map(lambda text: f"not {text}"),
        inner.map(lambda text: f"({text})"),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(" ".join),
    ),
    max_leaves=12,
)


@given(expressions, st.sets(st.sampled_from(WORDS)))
def test_expressions_mean_what_python_says(text: str, true: set[str]) -> None:
    expected = eval(text, {word: word in true for word in WORDS})
    assert compile_expression(text)(true.__contains__) == expected


@given(st.lists(st.sampled_from(["a", "and", "or", "not", "(", ")"]), max_size=8))
def test_what_python_cannot_read_is_an_error_with_a_column(parts: list[str]) -> None:
    text = " ".join(parts)
    try:
        compile(text.strip() or "a", "", "eval")
        readable = not re.search(r"\( *\)|[a)] *\(", text)  # (), a() are Python and not ours
    except SyntaxError:
        readable = False
    if readable:
        assert isinstance(compile_expression(text)(lambda word: True), bool)
    else:
        with pytest.raises(SelectionError, match=r"column \d+: "):
            compile_expression(text)


@given(st.text(max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        expression = compile_expression(text)
    except SelectionError as error:
        message = str(error)
    else:
        message = f"column: {expression(lambda word: False)}"
    assert "column" in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a and", "-k 'a and': column 6: expected 'not', '(' or a word, found the end"),
        ("a b", "-k 'a b': column 3: expected 'and', 'or' or the end, found 'b'"),
        ("(a", "-k '(a': column 3: expected ')', found the end"),
        ("a ! b", "-k 'a ! b': column 3: unexpected character '!'"),
        ("or", "-k 'or': column 1: expected 'not', '(' or a word, found 'or'"),
        ("(" * 300, "nested more than 100 levels deep"),
    ],
)
def test_errors_show_the_column(text: str, message: str) -> None:
    with pytest.raises(SelectionError, match=re.escape(message)):
        compile_expression(text)


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cell, ...]:
    root: Path = tmp_path_factory.mktemp("project")
    (root / "adapters").mkdir()
    for name in ("Llama-7b", "Llama-7b-lora"):
        (root / "adapters" / f"{name}.model.yaml").write_text(
            f"model: {name}\nadapter: transformers\nbase: x\ntags: [big]\n"
        )
    (root / "tasks").mkdir()
    (root / "tasks" / "rows.jsonl").write_text("{}\n")
    for name, tag in (("crime_mcq", "video"), ("crime_qa", "video-long")):
        (root / "tasks" / f"{name}.task.yaml").write_text(
            f"task: {name}\nversion: 1\ntags: [{tag}]\ndata: {{path: rows.jsonl}}\n"
            "prompt: {template: x}\nscore: [bleu]\nvariants: {generate.top_k: [0, 5]}\n"
        )
    project = Project.here(root)
    tasks = [project.get_task(name) for name in ("crime_mcq", "crime_qa")]
    return make_plan(tasks, [project.get_model(name) for name in ("Llama-7b", "Llama-7b-lora")])


@pytest.mark.parametrize(
    ("keyword", "tags", "count"),
    [
        ("", "", 8),
        ("   ", "", 8),
        ("crime", "", 8),
        ("MCQ", "", 4),
        ("mcq and lora", "", 2),
        ("mcq and not lora", "", 2),
        ("generate.top_k=5", "", 4),
        ("top_k=5 and qa and (lora or nothing)", "", 1),
        ("video", "", 8),
        ("", "video", 4),
        ("", "video-long", 4),
        ("", "Video", 0),
        ("", "big and not video", 4),
        ("lora", "video", 2),
        ("nothing", "", 0),
    ],
)
def test_cells_are_selected_by_names_and_by_tags(
    cells: tuple[Cell, ...], keyword: str, tags: str, count: int
) -> None:
    assert len(select(cells, keyword, tags)) == count
