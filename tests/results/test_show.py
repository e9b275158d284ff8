from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import SelectionError, StoreError
from harness.records import Completion, Sample, Score
from harness.results.render import FORMATS, render
from harness.results.run import CompletionRow, ScorerInfo
from harness.results.show import ShowOptions, show, summary
from harness.results.store import read_run, write_run

Store = Callable[..., Path]


def test_summary_counts_what_stands_in_no_mean(store: Store, cell) -> None:
    run = read_run(store(cell(values={"match": [1.0, 0.0, None]})))
    text = render(show(run, ShowOptions(worst=0)), "table")
    line = next(line for line in text.splitlines() if line.startswith("tiny"))
    assert line.split() == ["tiny", "match", "0.500", "[0.095,", "0.905]", "2", "1", "0"]
    assert "3 completions (2 ok, 1 error, 0 skipped, 0 truncated)" in text


def test_a_run_ends_with_the_summary_alone(store: Store, cell) -> None:
    run = read_run(store(cell(values={"match": [1.0, 0.0]})))
    assert list(summary(run).records) == ["metrics"]
    text = render(summary(run), "table")
    assert "match" in text
    assert "worst" not in text


def test_worst_lists_errors_first_then_the_lowest(store: Store, cell) -> None:
    run = read_run(store(cell(values={"f1": [0.9, None, 0.1, 0.5]})))
    text = render(show(run, ShowOptions(worst=2)), "table")
    _, worst = text.split("worst by f1")
    assert (
        worst.index("q1   f1 error") < worst.index("q2   f1 0.100") < worst.index("q3   f1 0.500")
    )
    assert "q0" not in worst
    assert "remark  no answer" in worst
    assert "target  City 2" in worst
    assert "answer  It is 0.1" in worst


def test_worst_of_a_cost_is_the_highest(store: Store, cell) -> None:
    infos = {"ppl": ScorerInfo("ppl", higher_is_better=False)}
    run = read_run(store(cell(values={"ppl": [9.0, 3.0, 40.0]}, infos=infos)))
    records = show(run, ShowOptions(worst=1)).records["worst"]
    assert [row["sample"] for row in records] == ["q2"]


def test_right_answers_are_never_among_the_worst(store: Store, cell) -> None:
    run = read_run(store(cell(values={"match": [1.0, 0.0, 1.0]})))
    assert [row["sample"] for row in show(run, ShowOptions()).records["worst"]] == ["q1"]


def test_model_output_cannot_move_the_cursor(tmp_path: Path, cell, make_run) -> None:
    built = cell(values={"match": [0.0]}).build()
    evil = Completion("q0", "\x1b[2J\x1b]0;owned\x07\r\nplain\u202e" + "x" * 500)
    run = make_run(replace(built, completions=[CompletionRow("q0", 0, evil)]))
    reader = read_run(write_run(tmp_path, run))
    text = render(show(reader, ShowOptions(columns=100)), "table")
    assert not set(text) & {"\x1b", "\x07", "\r", "\u202e"}
    assert "\\x1b[2J" in text
    assert max(map(len, text.splitlines())) <= 100


def choice_run(tmp_path: Path, cell, make_run, choices: list[tuple[str, ...]]):
    """Four questions whose right answer is A; answered A, A, B and not readably."""
    samples = [Sample(f"q{i}", "Which?", "A", one) for i, one in enumerate(choices)]
    built = cell(values={"choice": [1.0, 1.0, 0.0, 0.0]}, samples=samples).build()
    answers = ["A", "A", "B", None]
    scores = [Score(float(one == "A"), answer=one) for one in answers]
    rows = [CompletionRow(one.id, 0, Completion(one.id)) for one in samples]
    built = replace(built, completions=rows, scores={"choice": scores})
    return read_run(write_run(tmp_path, make_run(built)))


def test_letters_of_choices_that_differ_are_no_classes(tmp_path: Path, cell, make_run) -> None:
    run = choice_run(tmp_path, cell, make_run, [(f"yes {i}", "no") for i in range(4)])
    report = show(run, ShowOptions())
    assert report.records["classes"] == []
    text = render(report, "table")
    assert "by class" not in text
    assert "its choices differ by sample, so letters are positions, not classes" in text
    assert "answer  B: no" in text
    assert "target  A: yes 2" in text


def test_choice_tasks_have_a_table_of_classes(tmp_path: Path, cell, make_run) -> None:
    run = choice_run(tmp_path, cell, make_run, [("yes", "no")] * 4)
    report = show(run, ShowOptions())
    found = {
        row["class"]: (row["n"], row["precision"], row["recall"])
        for row in report.records["classes"]
    }
    assert found == {"yes": (4, 1.0, 0.5), "no": (0, 0.0, None)}
    text = render(report, "table")
    assert "target (row) and answer (column)" in text
    assert any(line.split() == ["yes", "2", "1", "1"] for line in text.splitlines())


def test_the_same_choices_everywhere_are_classes_by_name(tmp_path: Path, cell, make_run) -> None:
    run = choice_run(tmp_path, cell, make_run, [("fight", "normal")] * 4)
    classes = [row["class"] for row in show(run, ShowOptions()).records["classes"]]
    assert classes == ["fight", "normal"]


def test_exercises_have_a_table_of_classes_as_choices_have(tmp_path: Path, cell, make_run) -> None:
    names = ["squats", "lunges"]
    samples = [Sample(f"q{n}", "?", "", row={"exercise": one}) for n, one in enumerate(names)]
    built = cell(values={"exercise_identification": [1.0, 0.0]}, samples=samples).build()
    scores = {"exercise_identification": [Score(1.0, answer="squats"), Score(0.0)]}
    run = read_run(write_run(tmp_path, make_run(replace(built, scores=scores))))
    report = show(run, ShowOptions())
    found = {row["class"]: row["recall"] for row in report.records["classes"]}
    assert found == {"lunges": 0.0, "squats": 1.0}
    assert any(", exercise_identification, by class" in one.title for one in report.tables)


def test_a_run_can_be_narrowed(store: Store, cell) -> None:
    values = {"match": [1.0, 0.0], "sim[minilm]": [0.4, 0.6]}
    path = store(*(cell(model, task, values=values) for model in "ab" for task in ("t1", "t2")))
    options = ShowOptions(tasks=["t1"], models=["b"], metrics=["sim"], worst=1)
    report = show(read_run(path), options)
    assert [(r["task"], r["model"], r["metric"]) for r in report.records["metrics"]] == [
        ("t1", "b", "sim[minilm]")
    ]
    assert [row["sample"] for row in report.records["worst"]] == ["q0"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (ShowOptions(tasks=["capitol"]), "no task 'capitol' (did you mean 'capitals'?)"),
        (ShowOptions(models=["other"]), "no model 'other' (there are: tiny)"),
        (ShowOptions(metrics=["mach"]), "no metric 'mach' (did you mean 'match'?)"),
    ],
)
def test_unknown_names_are_answered_with_a_hint(
    store: Store, cell, options: ShowOptions, message: str
) -> None:
    run = read_run(store(cell(values={"match": [1.0]})))
    with pytest.raises(SelectionError) as caught:
        show(run, options)
    assert str(caught.value) == f"the run has {message}"


def test_json_holds_whole_texts(store: Store, cell) -> None:
    run = read_run(store(cell(values={"f1": [0.5, 0.7]})))
    body = json.loads(render(show(run, ShowOptions(worst=1)), "json"))
    assert body["worst"][0]["input"] == "Capital of land 0?"
    assert body["metrics"][0]["n"] == 2
    assert body["classes"] == []


def test_an_empty_completion_is_said_to_be_empty(tmp_path: Path, cell, make_run) -> None:
    built = cell(values={"match": [0.0, 0.0, 0.0]}).build()
    texts = [
        Completion("q0", ""),
        Completion("q1", "  "),
        Completion("q2", finish_reason="scored", logprobs=(-1.0,)),
    ]
    rows = [CompletionRow(one.id, 0, one) for one in texts]
    path = write_run(tmp_path, make_run(replace(built, completions=rows)))
    text = render(show(read_run(path), ShowOptions()), "table")
    assert text.count("answer  (empty)") == 2  # the third was never asked to write


def test_scores_that_are_missing_are_damage_and_no_crash(store: Store, cell) -> None:
    import pyarrow.parquet as pq

    path = store(cell(values={"match": [1.0, 0.0, 0.0, 1.0, 1.0, 0.0]}))
    file = path / "scores.parquet"
    pq.write_table(pq.read_table(file).slice(0, 3), file)
    with pytest.raises(
        StoreError, match=r"damaged: scores\.parquet has 3 rows, the manifest says 6"
    ):
        show(read_run(path), ShowOptions())


def test_references_without_a_known_word_are_counted_below_the_table(
    tmp_path: Path, cell, make_run
) -> None:
    why = "no word in the reference that this tokenizer knows (use tokenizer: unicode)"
    built = cell(values={"rouge_l": [0.0, 0.0, 0.5]}).build()
    scores = [Score(0.0, explanation=why), Score(0.0, explanation=why), Score(0.5)]
    path = write_run(tmp_path, make_run(replace(built, scores={"rouge_l": scores})))
    assert f"rouge_l: 2 times 0, {why}." in summary(read_run(path)).notes


def test_nothing_is_worst_of_a_neutral_metric_while_there_is_another(store: Store, cell) -> None:
    infos = {"n": ScorerInfo("n", kind="number", neutral=True)}
    run = read_run(store(cell(values={"n": [5.0, 9.0], "f1": [0.2, 0.4]}, infos=infos)))
    assert {row["metric"] for row in show(run, ShowOptions()).records["worst"]} == {"f1"}


def test_a_long_metric_stays_on_one_line_where_the_width_allows(store: Store, cell) -> None:
    name = "semantic_similarity[all-minilm-l6-v2]"
    run = read_run(store(cell(values={name: [0.5, 0.6, 0.8]})))
    assert f" {name} " in render(summary(run, 120), "table")
    assert "  [all-minilm-l6-v2]" in render(summary(run, 60), "table")


def test_a_corpus_metric_says_that_its_control_is_of_single_answers(
    tmp_path: Path, cell, make_run
) -> None:
    info = ScorerInfo("chrf", aggregate="chrf", overlap=True)
    built = cell(values={"chrf": [1.0] * 3}).build()
    scores = [Score(50.0, control=9.0, detail=(20.0, 20.0, 8.0 + i)) for i in range(3)]
    built = replace(built, scores={"chrf": scores}, scorers=[info])
    notes = summary(read_run(write_run(tmp_path, make_run(built)))).notes
    assert "chrf: a value of all answers together, a control of single ones." in notes


def with_prompts(cell, rows: list[tuple[str | None, tuple[str, ...]]]):
    """A cell whose models read these prompts and weighed these texts."""
    built = cell(values={"match": [0.0] * len(rows)}).build()
    done = [
        replace(row, prompt=prompt, continuations=texts)
        for row, (prompt, texts) in zip(built.completions, rows, strict=True)
    ]
    return replace(built, completions=done)


def test_prompts_are_shown_line_by_line_with_every_space(tmp_path: Path, cell, make_run) -> None:
    prompt = "  Q: Où?\n\n\x1b[2JA: "
    built = with_prompts(cell, [(prompt, (" yes", "no")), ("", ()), (None, ())])
    run = read_run(write_run(tmp_path, make_run(built)))
    text = render(show(run, ShowOptions(prompt=True)), "table")
    lines = [line for line in text.split("\n") if line.startswith("    ")]
    at = next(i for i, line in enumerate(lines) if line.startswith("    prompt"))
    assert lines[at : at + 5] == [
        "    prompt   |   Q: Où?",
        "             | ",
        "             | \\x1b[2JA: ",
        "    weighed  ' yes'",
        "             'no'",
    ]
    assert "    prompt   (empty)" in lines
    assert "    prompt   (nothing was sent)" in lines
    first = json.loads(render(show(run, ShowOptions(prompt=True)), "json"))["worst"][0]
    assert (first["prompt"], first["continuations"]) == (prompt, [" yes", "no"])
    for form in FORMATS:
        assert "match" in render(show(run, ShowOptions(prompt=True)), form)
    assert "Où" not in render(show(run, ShowOptions()), "table")


def test_a_prompt_that_was_cut_says_so(tmp_path: Path, cell, make_run) -> None:
    built = with_prompts(cell, [("a long one", ())])
    (row,) = built.completions
    cut = replace(row, completion=replace(row.completion, truncated="left"))
    run = read_run(write_run(tmp_path, make_run(replace(built, completions=[cut]))))
    text = render(show(run, ShowOptions(prompt=True)), "table")
    assert "| a long one\n             (cut at its left end to fit the model)" in text


def test_samples_are_shown_by_id_right_or_wrong(store: Store, cell) -> None:
    run = read_run(store(cell(values={"match": [1.0, 0.0, 1.0]})))
    report = show(run, ShowOptions(samples=["q2", "q0"], worst=0))
    assert [row["sample"] for row in report.records["samples"]] == ["q0", "q2"]
    assert "capitals: tiny, samples" in render(report, "table")
    with pytest.raises(SelectionError, match=r"no sample 'q22' \(did you mean 'q2'\?\)"):
        show(run, ShowOptions(samples=["q22"]))


def test_a_run_of_an_earlier_version_says_that_it_has_no_prompts(store: Store, cell) -> None:
    import hashlib

    import pyarrow.parquet as pq

    path = store(cell(values={"match": [0.0]}))
    file, manifest = path / "completions.parquet", path / "manifest.json"
    before = hashlib.sha256(file.read_bytes()).hexdigest(), str(file.stat().st_size)
    pq.write_table(pq.read_table(file).drop_columns(["prompt", "continuations"]), file)
    after = hashlib.sha256(file.read_bytes()).hexdigest(), str(file.stat().st_size)
    text = manifest.read_text()
    for old, new in zip(before, after, strict=True):
        text = text.replace(old, new)
    manifest.write_text(text)
    assert show(read_run(path), ShowOptions()).records["worst"]
    with pytest.raises(StoreError, match="keeps no prompts, an earlier version wrote it"):
        show(read_run(path), ShowOptions(prompt=True))
