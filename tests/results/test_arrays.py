"""Python values to Arrow and back; what comes out is what `to_pylist` says."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from harness.results.arrays import make_array, make_table, rows_of, type_of, values_of

TEXT = st.text(max_size=5)
FLOAT = st.floats(allow_nan=False, width=32)
PLAIN = {
    "dict": TEXT,
    "string": TEXT,
    "bool": st.booleans(),
    "int16": st.integers(-(2**15), 2**15 - 1),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "float32": FLOAT,
    "float64": st.floats(allow_nan=False),
    "binary32": st.binary(min_size=32, max_size=32),
    "list<string>": st.lists(TEXT, max_size=3),
    "list<int32>": st.lists(st.integers(0, 9), max_size=3),
    "list<float64>": st.lists(FLOAT, max_size=3),
}
KINDS = st.sampled_from(sorted(PLAIN))


@given(st.data(), KINDS)
def test_values_come_back_as_they_were_also_of_a_slice(data: st.DataObject, kind: str) -> None:
    values = data.draw(st.lists(st.none() | PLAIN[kind], max_size=30))
    cut = data.draw(st.integers(0, len(values)))
    made = make_array(values, kind)
    made.validate(full=True)
    assert made.type == type_of(kind)
    assert made.to_pylist() == values == values_of(made)
    assert values_of(made.slice(cut, 9)) == values[cut : cut + 9]


def test_criteria_are_pairs_of_a_name_and_a_value() -> None:
    made = make_array([[("accuracy", 3.0), ("style", 1.5)], [], None], "list<criterion>")
    criteria = [{"name": "accuracy", "value": 3.0}, {"name": "style", "value": 1.5}]
    assert values_of(made) == made.to_pylist() == [criteria, [], None]


@pytest.mark.parametrize(
    ("value", "kind"),
    [(1.5, "int32"), (2**15, "int16"), ("x", "float64"), (b"short", "binary32"), (1, "string")],
)
def test_a_value_that_the_type_cannot_hold_is_refused(value: object, kind: str) -> None:
    with pytest.raises((TypeError, ValueError, OverflowError, AttributeError)):
        make_array([value], kind)


def test_parts_become_one_table_whose_words_are_counted_once() -> None:
    kinds = {"model": "dict", "n": "int32"}
    parts = [{"model": ["a", "b"], "n": [1, 2]}, {"model": ["b", None], "n": [3, None]}]
    table = make_table(kinds, parts)
    rows = [("a", 1), ("b", 2), ("b", 3), (None, None)]
    assert list(rows_of(table)) == [{"model": m, "n": n} for m, n in rows] == table.to_pylist()
    words = [chunk.dictionary.to_pylist() for chunk in table.column("model").chunks]
    assert words == [["a", "b"], ["a", "b"]]
    assert make_table(kinds, []).num_rows == 0
