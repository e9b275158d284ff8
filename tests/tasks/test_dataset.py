"""A task's data: every row becomes a sample, or an error that says where."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import harness
from harness.collect.specs import DataSpec, TaskSpec
from harness.errors import CollectError, DataError
from harness.records import Sample
from harness.tasks.dataset import data_hash, load_samples, make_samples
from harness.tasks.rows import Place

GOOD = {"id": "q1", "input": "What is 6 x 7?", "target": "42", "split": "test"}


def make_task(folder: Path, data: Mapping[str, object], **parts: object) -> TaskSpec:
    """A task file in `<project>/tasks/mine/`, as the collector would hand it over."""
    words = {
        "task": "mine",
        "version": 1,
        "data": data,
        "prompt": {"template": "{{ input }}"},
        "score": ["exact_match"],
    }
    task = TaskSpec.model_validate(words | parts)
    home = folder / "tasks" / "mine"
    home.mkdir(parents=True, exist_ok=True)
    text = f"task: mine\nversion: 1\ndata:\n  path: {data['path']}\n"
    task.located(home / "mine.task.yaml", text, folder)
    return task


def write(folder: Path, name: str, content: str | bytes) -> None:
    path = folder / "tasks" / "mine" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def write_parquet(folder: Path, name: str, rows: Sequence[Mapping[str, object]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    write(folder, name, b"")
    pq.write_table(pa.Table.from_pylist(list(rows)), folder / "tasks" / "mine" / name)


def load(folder: Path, name: str, content: str | bytes, **data: object) -> list[Sample]:
    write(folder, name, content)
    return load_samples(make_task(folder, {"path": name, **data}))


def problem(folder: Path, name: str, content: str | bytes, **data: object) -> str:
    """The one line that a user reads."""
    with pytest.raises(DataError) as caught:
        load(folder, name, content, **data)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def lines(*rows: object) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


# --------------------------------------------------------------------------- what is read


def test_the_same_rows_in_three_formats_are_the_same_samples(tmp_path: Path) -> None:
    rows = [
        {
            "id": "a",
            "input": "Wie heißt „Ampel“ 日本語?",
            "target": "信号機 🚦",
            "split": "test",
        },
        {"id": "b", "input": 'a, b\nand "c"', "target": "č", "split": "test"},
        {"id": "c", "input": "seen", "target": "elsewhere", "split": "train"},
    ]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    write_parquet(tmp_path, "d.parquet", rows)
    from_parquet = load_samples(make_task(tmp_path, {"path": "d.parquet"}))
    from_csv = load(tmp_path, "d.csv", buffer.getvalue())
    from_jsonl = load(tmp_path, "d.jsonl", lines(*rows))
    assert from_jsonl == from_csv == from_parquet
    assert [sample.id for sample in from_jsonl] == ["a", "b"]
    assert from_jsonl[0].target == "信号機 🚦"
    assert data_hash(from_jsonl) == data_hash(from_csv)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
ROWS = st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=6)


@given(pairs=ROWS)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_text_survives_every_format_unchanged(
    pairs: list[tuple[str, str]], tmp_path: Path
) -> None:
    rows = [{"id": f"s{n}", "input": i, "target": t} for n, (i, t) in enumerate(pairs)]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    write_parquet(tmp_path, "d.parquet", rows)
    write(tmp_path, "d.csv", buffer.getvalue())
    write(tmp_path, "raw.jsonl", lines(*rows))
    write(tmp_path, "escaped.jsonl", "".join(json.dumps(row) + "\r\n" for row in rows))
    for name in ("d.parquet", "d.csv", "raw.jsonl", "escaped.jsonl"):
        samples = load_samples(make_task(tmp_path, {"path": name}))
        assert [(s.input, s.target) for s in samples] == pairs, name


def test_a_byte_order_mark_belongs_to_no_column(tmp_path: Path) -> None:
    bom = b"\xef\xbb\xbf"
    from_csv = load(tmp_path, "d.csv", bom + b"input,target\nq,a\n")
    from_jsonl = load(tmp_path, "d.jsonl", bom + lines(GOOD).encode())
    assert [from_csv[0].input, from_jsonl[0].id] == ["q", "q1"]


def test_rows_without_id_are_numbered_and_blank_lines_are_no_rows(tmp_path: Path) -> None:
    rows = lines({"input": "a", "target": "b"}) + "\n  \n" + lines({"input": "c", "target": "d"})
    assert [s.id for s in load(tmp_path, "d.jsonl", rows)] == ["row-1", "row-2"]


def test_a_file_without_a_split_column_is_its_own_split(tmp_path: Path) -> None:
    assert len(load(tmp_path, "d.jsonl", lines({"input": "a", "target": "b"}), split="dev")) == 1


def test_limit_takes_the_first_rows(tmp_path: Path) -> None:
    rows = lines(*({"id": f"s{n}", "input": "q", "target": "a"} for n in range(9)))
    assert [s.id for s in load(tmp_path, "d.jsonl", rows, limit=2)] == ["s0", "s1"]


def test_a_dot_reaches_into_a_nested_column(tmp_path: Path) -> None:
    row = {"conversations": [{"from": "human", "value": "Warum?"}, {"value": "Darum."}]}
    fields = {"input": "conversations.0.value", "target": "conversations.1.value"}
    (sample,) = load(tmp_path, "d.jsonl", lines(row), fields=fields)
    assert (sample.input, sample.target) == ("Warum?", "Darum.")


def test_a_column_with_a_dot_in_its_name_goes_before_a_nested_one(tmp_path: Path) -> None:
    row = {"a.b": "flat", "a": {"b": "nested"}, "target": "t"}
    assert load(tmp_path, "d.jsonl", lines(row), fields={"input": "a.b"})[0].input == "flat"


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("turns.2.value", "no column 'turns.2.value' in d.jsonl (nothing at '2')"),
        ("turns.0.valeu", "no column 'turns.0.valeu' in d.jsonl (did you mean 'value'?)"),
        ("turns.²", "no column 'turns.²' in d.jsonl (nothing at '²')"),
    ],
)
def test_a_nested_column_that_is_not_there(tmp_path: Path, column: str, said: str) -> None:
    row = {"turns": [{"value": "x"}], "target": "t"}
    message = problem(tmp_path, "d.jsonl", lines(row), fields={"input": column})
    assert message.replace(f"{tmp_path}/tasks/mine/", "") == f"mine.task.yaml:3: {said}"


def test_numbers_become_text_and_media_may_be_one_path_or_several(tmp_path: Path) -> None:
    rows = lines(
        {"id": 7, "input": 3.5, "target": 42, "clip": "a.mp4", "video": 12},
        {"id": 8, "input": "x", "target": "y", "clip": ["a.mp4", "b.mp4"], "video": None},
    )
    fields = {"media": "clip", "cluster": "video"}
    one, two = load(tmp_path, "d.jsonl", rows, fields=fields)
    assert (one.id, one.input, one.target, one.media) == ("7", "3.5", "42", ("a.mp4",))
    assert (one.cluster, two.cluster, two.media) == ("12", None, ("a.mp4", "b.mp4"))


def test_samples_can_be_made_of_any_rows() -> None:
    rows = [(Place("hf://some/where", n), {"question": f"q{n}", "target": "a"}) for n in (1, 2)]
    spec = DataSpec.model_validate({"path": "hf://some/where", "fields": {"input": "question"}})
    assert [sample.input for sample in make_samples(spec, rows)] == ["q1", "q2"]


# --------------------------------------------------------------------------- bad files


def test_a_bad_line_40000_is_named(tmp_path: Path) -> None:
    rows = [lines({"id": f"s{n}", "input": "q", "target": "a"}) for n in range(1, 40_101)]
    rows[39_999] = '{"id": "s40000", "input": "q" "target": "a"}\n'
    message = problem(tmp_path, "d.jsonl", "".join(rows))
    assert message.endswith(
        "d.jsonl:40000: not a JSON object: Expecting ',' delimiter at column 31"
    )


def test_all_bad_lines_are_reported_in_one_go_and_only_the_first_are_listed(
    tmp_path: Path,
) -> None:
    bad = [b"{", b"[1]", b"\xff\xfe", b'{"a": 1, "a": 2}', b'{"input": "\\ud800"}', b"[" * 9999]
    with pytest.raises(CollectError) as caught:
        load(tmp_path, "d.jsonl", b"\n".join([lines(GOOD).encode(), *bad, *[b"nope"] * 30]))
    errors = [str(error).partition("d.jsonl:")[2] for error in caught.value.errors]
    assert errors[:6] == [
        "3: not a JSON object: Expecting property name enclosed in double quotes at column 2",
        "4: a JSON object is needed, not list",
        "5: not UTF-8 at byte 1 of the line",
        "6: key 'a' stands twice",
        "7: half of a surrogate pair (\\ud800-\\udfff) is not text",
        "8: nested too deeply",
    ]
    assert str(caught.value.errors[-1]) == "... and 16 more bad rows"
    assert len(caught.value.errors) == 21


def test_a_number_of_5000_digits_is_a_bad_line_and_no_crash(tmp_path: Path) -> None:
    message = problem(tmp_path, "d.jsonl", '{"input": ' + "9" * 5000 + "}")
    assert "d.jsonl:1: " in message
    assert "digits" in message


def test_a_file_in_utf16_is_said_to_be_not_utf8(tmp_path: Path) -> None:
    assert "d.csv:1: not UTF-8" in problem(tmp_path, "d.csv", "input,target\n".encode("utf-16"))
    latin = "input,target\nq,a\nStraße,ß\n".encode("latin-1")
    assert problem(tmp_path, "e.csv", latin).endswith("e.csv:3: not UTF-8")


def test_ragged_csv_rows_are_all_named_at_their_first_line(tmp_path: Path) -> None:
    text = 'input,target\n"two\nlines",a\nonly\n"x\ny",b,c\nq,a\n'
    with pytest.raises(CollectError) as caught:
        load(tmp_path, "d.csv", text)
    assert [str(error).partition("d.csv:")[2] for error in caught.value.errors] == [
        "4: 1 values for 2 columns",
        "5: 3 values for 2 columns",
    ]


def test_csv_that_never_closes_its_quote(tmp_path: Path) -> None:
    message = problem(tmp_path, "d.csv", 'input,target\nq,a\n"open,b\nq,c\n')
    assert "d.csv:3: not CSV: " in message


def test_a_missing_column_gets_the_name_that_was_meant_or_all_there_are(tmp_path: Path) -> None:
    text = "question,answer\nq,a\n"
    fields = {"input": "questoin", "target": "answer"}
    meant = problem(tmp_path, "d.csv", text, fields=fields)
    assert meant.endswith("d.csv (did you mean 'question'?)")
    fields = {"input": "question", "target": "zzz"}
    every = problem(tmp_path, "d.csv", text, fields=fields)
    assert every.endswith("d.csv (columns: question, answer)")


@pytest.mark.parametrize("column", ["id", "cluster", "media", "choices"])
def test_a_column_that_the_task_names_must_be_there(tmp_path: Path, column: str) -> None:
    message = problem(tmp_path, "d.jsonl", lines(GOOD), fields={column: "nowhere"})
    assert "mine.task.yaml:3: no column 'nowhere' in " in message


def test_a_column_that_no_row_has_is_told_once_at_the_task_s_fields(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = lines(*({"input": f"q{n}", "answer": "a"} for n in range(30)))
    write(tmp_path, "d.jsonl", rows + "{broken\n")
    task = make_task(tmp_path, {"path": "d.jsonl", "fields": {"target": "anwser"}})
    text = "task: mine\nversion: 1\ndata:\n  path: d.jsonl\n  fields:\n    target: anwser\n"
    task.located(task.path, text, tmp_path)
    with pytest.raises(CollectError) as caught:
        load_samples(task)
    first, second = map(str, caught.value.errors)
    assert first == (
        "tasks/mine/mine.task.yaml:6: no column 'anwser' in tasks/mine/d.jsonl "
        "(did you mean 'answer'?)"
    )
    assert second.startswith("tasks/mine/d.jsonl:31: not a JSON object")


def test_lines_that_cannot_be_read_and_rows_with_mistakes_are_reported_together(
    tmp_path: Path,
) -> None:
    rows = lines(GOOD, GOOD | {"id": "2", "target": None}) + "{broken\n"
    rows += lines({"id": "4", "input": "q", "split": "test"}) + '{"id": 5, "input": NaN, '
    rows += '"target": "t", "split": "test"}\n'
    with pytest.raises(CollectError) as caught:
        load(tmp_path, "d.jsonl", rows)
    found = [str(error).partition("d.jsonl:")[2][:22] for error in caught.value.errors]
    assert found == [
        "2: column 'target' hol",
        "3: not a JSON object: ",
        "4: no column 'target' ",
        "5: column 'input' hold",
    ]


def test_of_many_mistakes_twenty_are_shown_and_the_rest_counted(tmp_path: Path) -> None:
    with pytest.raises(CollectError) as caught:
        load(tmp_path, "d.jsonl", lines(GOOD) + "{broken\n" * 30)
    assert len(caught.value.errors) == 21
    assert str(caught.value.errors[-1]) == "... and 10 more bad rows"


@pytest.mark.parametrize(("separator", "name"), [(";", "';'"), ("\t", "tabs")])
def test_a_csv_with_another_separator_is_told_so(tmp_path: Path, separator: str, name: str) -> None:
    text = f"input{separator}target\nq{separator}a\n"
    message = problem(tmp_path, "d.csv", text)
    assert message.endswith(
        f"d.csv:1: the columns are separated by {name}; CSV needs ',' between them"
    )


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    message = problem(tmp_path, "d.csv", "input,target,input\nq,a,r\n")
    assert message.endswith("d.csv:1: column 'input' stands twice")


def test_damaged_parquet(tmp_path: Path) -> None:
    assert "d.parquet: not Parquet, or damaged: " in problem(tmp_path, "d.parquet", b"PAR1 no")
    write_parquet(tmp_path, "e.parquet", [GOOD | {"id": f"{n}" * 50} for n in range(500)])
    path = tmp_path / "tasks" / "mine" / "e.parquet"
    data = bytearray(path.read_bytes())
    data[8:200] = bytes(192)
    assert "e.parquet: not Parquet, or damaged: " in problem(tmp_path, "e.parquet", bytes(data))


def test_parquet_names_the_row(tmp_path: Path) -> None:
    write_parquet(tmp_path, "d.parquet", [GOOD, GOOD | {"id": "q2", "target": None}])
    with pytest.raises(DataError, match=r"d\.parquet:2: column 'target' holds null, not text"):
        load_samples(make_task(tmp_path, {"path": "d.parquet"}))


@pytest.mark.parametrize("name", ["d.jsonl", "d.csv"])
@pytest.mark.parametrize("content", ["", "\n\n", b"\xef\xbb\xbf"])
def test_empty_data(tmp_path: Path, name: str, content: str | bytes) -> None:
    assert problem(tmp_path, name, content).endswith(f"{name}: no rows")


def test_csv_with_nothing_but_a_header(tmp_path: Path) -> None:
    assert problem(tmp_path, "d.csv", "input,target\n").endswith("d.csv: no rows")


def test_an_empty_split_names_the_splits_there_are(tmp_path: Path) -> None:
    rows = lines(GOOD, GOOD | {"id": "q2", "split": "train"})
    assert problem(tmp_path, "d.jsonl", rows, split="tset").endswith(
        "d.jsonl: no rows with split 'tset' (did you mean 'test'?)"
    )
    assert problem(tmp_path, "d.jsonl", rows, split="xyz").endswith(
        "no rows with split 'xyz' (splits: test, train)"
    )


def test_a_row_without_the_split_that_others_have_would_stand_in_all_of_them(
    tmp_path: Path,
) -> None:
    rows = lines(GOOD, {"id": "q2", "input": "q", "target": "a"})
    message = problem(tmp_path, "d.jsonl", rows)
    assert message.endswith("d.jsonl:2: some rows have a column 'split' and some have none")


# --------------------------------------------------------------------------- bad rows


def test_duplicate_ids_name_both_lines(tmp_path: Path) -> None:
    rows = lines(GOOD, GOOD | {"id": "q2"}) + "\n" + lines(GOOD)
    assert problem(tmp_path, "d.jsonl", rows).endswith("d.jsonl:4: id 'q1' stands in line 1 too")


def test_the_same_id_in_another_split_is_another_sample(tmp_path: Path) -> None:
    assert len(load(tmp_path, "d.jsonl", lines(GOOD, GOOD | {"split": "train"}))) == 1


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "column 'target' holds null, not text"),
        (True, "column 'target' holds bool, not text"),
        ({"a": 1}, "column 'target' holds dict, not text"),
        (float("nan"), "column 'target' holds nan, not text"),
        (float("-inf"), "column 'target' holds -inf, not text"),
    ],
)
def test_what_is_not_text(tmp_path: Path, value: object, said: str) -> None:
    message = problem(tmp_path, "d.jsonl", lines(GOOD | {"target": value}))
    assert message.endswith(f"d.jsonl:1: {said}")


def test_the_mistakes_of_all_rows_are_reported_in_one_go(tmp_path: Path) -> None:
    bad = {"id": "b", "target": "c", "split": "test"}
    with pytest.raises(CollectError) as caught:
        load(tmp_path, "d.jsonl", lines(GOOD | {"id": " "}, bad, GOOD, GOOD))
    assert [str(error).partition("d.jsonl:")[2] for error in caught.value.errors] == [
        "1: column 'id' is empty",
        "2: no column 'input' (columns: id, target, split)",
        "4: id 'q1' stands in line 3 too",
    ]


def choice_row(choices: object, target: object) -> str:
    return lines({"id": "c", "input": "q", "options": choices, "target": target})


@pytest.mark.parametrize(
    ("choices", "target", "letter"),
    [
        (["red", "blue"], "B", "B"),
        (["red", "blue"], "blue", "B"),
        (["A", "B"], "B", "B"),  # letter and words say the same
        ([1999, 2007], 2007, "B"),
        ('["красный", "青"]', "青", "B"),
    ],
)
def test_the_target_becomes_a_letter(
    tmp_path: Path, choices: object, target: object, letter: str
) -> None:
    fields = {"choices": "options"}
    (sample,) = load(tmp_path, "d.jsonl", choice_row(choices, target), fields=fields)
    assert sample.target == letter


@pytest.mark.parametrize(
    ("choices", "target", "said"),
    [
        (["red", "blue"], "green", "target 'green' is not one of the choices nor a letter A-B"),
        (["red", "blue"], "bleu", "not one of the choices (did you mean 'blue'?)"),
        (["red", "blue"], "C", "target 'C' is not one of the choices nor a letter A-B"),
        (["red", "blue"], " B", "target ' B' is not one of the choices nor a letter A-B"),
        (["B", "A"], "A", "target 'A' is both a letter and the words of choice B"),
        (["red", "red"], "A", "two choices are the same"),
        (["red"], "A", "1 choices; at least 2, at most 26"),
        ([], "A", "0 choices; at least 2, at most 26"),
        ([str(n) for n in range(27)], "A", "27 choices; at least 2, at most 26"),
        ("red, blue", "A", "column 'options' holds no list (in CSV: a JSON list)"),
        ('["red", ', "A", "column 'options' holds no list (in CSV: a JSON list)"),
        (["red", None], "A", "column 'options' holds null, not text"),
        (["a", "b"], "two\n\x1b[31mlines", "target 'two  [31mlines' is not one of the choices"),
    ],
)
def test_choices_that_cannot_be_asked(
    tmp_path: Path, choices: object, target: str, said: str
) -> None:
    message = problem(
        tmp_path, "d.jsonl", choice_row(choices, target), fields={"choices": "options"}
    )
    assert "d.jsonl:1: " in message
    assert said in message


def test_a_choices_task_needs_a_column_of_choices(tmp_path: Path) -> None:
    write(tmp_path, "d.jsonl", lines(GOOD))
    with pytest.raises(DataError, match=r"mine\.task\.yaml:4: 'choices' needs data\.fields\.choi"):
        load_samples(make_task(tmp_path, {"path": "d.jsonl"}, output_type="choices"))


# --------------------------------------------------------------------------- where data lies


def path_problem(folder: Path, path: str) -> str:
    with pytest.raises(DataError) as caught:
        load_samples(make_task(folder, {"path": path}))
    return str(caught.value).partition("mine.task.yaml")[2]


def test_data_outside_the_project_is_refused(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (tmp_path / "secret.jsonl").write_text(lines(GOOD))
    said = path_problem(project, "../../../secret.jsonl")
    assert (
        said
        == ":4: data path '../../../secret.jsonl' lies outside the project (see --allow-outside)"
    )
    absolute = str(tmp_path / "secret.jsonl")
    assert "lies outside the project" in path_problem(project, absolute)
    task = make_task(project, {"path": absolute})
    task.located(task.path, task.text, task.root, allow_outside=True)
    assert load_samples(task)[0].id == "q1"
    # whether an outside file exists is not told either
    assert "lies outside the project" in path_problem(project, "../../../none.jsonl")


def test_a_link_that_leads_outside_the_project_is_refused(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (tmp_path / "secret.jsonl").write_text(lines(GOOD))
    task = make_task(project, {"path": "link.jsonl"})
    (task.path.parent / "link.jsonl").symlink_to(tmp_path / "secret.jsonl")
    with pytest.raises(DataError, match=r"'link\.jsonl' lies outside the project"):
        load_samples(task)


def test_a_neighbouring_folder_of_the_project_may_hold_the_data(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "d.jsonl").write_text(lines(GOOD))
    assert load_samples(make_task(tmp_path, {"path": "../../shared/d.jsonl"}))[0].id == "q1"


def test_a_missing_file_gets_the_name_of_its_neighbour(tmp_path: Path) -> None:
    write(tmp_path, "data/questions.jsonl", lines(GOOD))
    assert path_problem(tmp_path, "data/question.jsonl") == (
        ":4: data file 'data/question.jsonl' does not exist (did you mean 'questions.jsonl'?)"
    )
    assert path_problem(tmp_path, "dta/questions.jsonl") == (
        ":4: data file 'dta/questions.jsonl' does not exist, nor does its folder"
        " (did you mean 'data'?)"
    )


@pytest.mark.parametrize("path", ["d.json", "d", "d.txt", "."])
def test_a_file_of_another_kind(tmp_path: Path, path: str) -> None:
    assert "is not one of .jsonl, .csv, .parquet" in path_problem(tmp_path, path)


@pytest.mark.parametrize("path", ["a\0b.jsonl", "x" * 5000 + ".jsonl"])
def test_what_is_no_path_at_all(tmp_path: Path, path: str) -> None:
    assert "is not a path" in path_problem(tmp_path, path)


def test_links_in_a_circle(tmp_path: Path) -> None:
    task = make_task(tmp_path, {"path": "a.jsonl"})
    (task.path.parent / "a.jsonl").symlink_to("b.jsonl")
    (task.path.parent / "b.jsonl").symlink_to("a.jsonl")
    with pytest.raises(DataError, match=r"data path 'a\.jsonl' is not a path"):
        load_samples(task)


# --------------------------------------------------------------------------- the hub


@pytest.mark.parametrize("path", ["hf://owner", "hf:///etc/hosts", "hf://../up", "hf://a/b/c"])
def test_a_hub_path_names_owner_and_data_set(tmp_path: Path, path: str) -> None:
    assert path_problem(tmp_path, path).endswith("is not hf://owner/name@revision")


HUB = """
import sys
from pathlib import Path
from harness.collect.specs import TaskSpec
from harness.errors import HarnessError
from harness.tasks.dataset import load_samples

task = TaskSpec.model_validate({
    "task": "t", "version": 1, "score": ["exact_match"], "prompt": {"template": "{{ input }}"},
    "data": {"path": sys.argv[1], "split": sys.argv[2]},
})
try:
    print([(s.id, s.input) for s in load_samples(task)])
except HarnessError as error:
    print("error:", error)
"""
DOWNLOADED = """
import datasets
from pathlib import Path
# what an earlier, connected session leaves behind: a prepared data set in the local cache
home = Path(datasets.config.HF_DATASETS_CACHE)
made = datasets.Dataset.from_list([{"input": f"q{n}", "target": "a"} for n in range(5)])
folder = home / "owner___name" / "default" / "0.0.0" / "0123456789abcdef"
folder.mkdir(parents=True)
writer = datasets.arrow_writer.ArrowWriter(
    path=str(folder / "name-train.arrow"), features=made.features
)
for row in made:
    writer.write(row)
count, size = writer.finalize()
split = datasets.SplitInfo("train", num_bytes=size, num_examples=count, dataset_name="name")
info = datasets.DatasetInfo(
    features=made.features, splits=datasets.SplitDict({"train": split}), builder_name="parquet",
    dataset_name="name", config_name="default", version="0.0.0",
)
info.write_to_directory(str(folder))
"""


def offline(folder: Path, *code: str) -> str:
    """Run Python in a fresh process with an empty hub cache and no way to the network."""
    own = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    own |= {"PYTHONPATH": str(Path(harness.__file__).parents[1])}
    own |= {"HF_HOME": str(folder / "hub"), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", *code], capture_output=True, text=True, env=own, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_hub_data_offline_is_one_line(tmp_path: Path) -> None:
    # a local folder of the same name is not the data set that was asked for
    (tmp_path / "nobody" / "nothing").mkdir(parents=True)
    (tmp_path / "nobody" / "nothing" / "train.jsonl").write_text(lines(GOOD))
    said = offline(tmp_path, HUB, "hf://nobody/nothing@main", "train[:10]")
    assert said.startswith("error: <memory>: cannot load 'hf://nobody/nothing@main' split 'train[:")
    assert "\n" not in said


def test_hub_data_that_was_downloaded_before_is_read_offline_with_a_slice(tmp_path: Path) -> None:
    offline(tmp_path, DOWNLOADED)
    said = offline(tmp_path, HUB, "hf://owner/name", "train[3:5]")
    assert said == "[('row-1', 'q3'), ('row-2', 'q4')]"
