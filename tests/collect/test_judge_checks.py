"""What is refused of a judge before it is asked: taken names, panels that cannot be, lost files."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli import main
from harness.collect.judge_spec import JudgeSpec
from harness.collect.library import Project
from harness.collect.specs import METRICS, ScoreSpec
from harness.collect.tree import collect
from harness.collect.validate import Origin, validate

JUDGE = """\
judge: {name}
version: 1
model: one
template: j.j2
scale: mean
criteria:
  - {{name: correctness, min: 1, max: 5}}
"""
TASK = """\
task: t
version: 1
data: {{path: rows.jsonl}}
prompt: {{template: "{{{{ input }}}}"}}
score:
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for folder in ("judges", "tasks", "adapters"):
        (tmp_path / folder).mkdir()
    (tmp_path / "judges" / "j.j2").write_text("{{ question }}{{ reference }}{{ answer }}")
    (tmp_path / "tasks" / "rows.jsonl").write_text('{"input": "a", "target": "b"}\n')
    (tmp_path / "adapters" / "one.model.yaml").write_text(
        "model: one\nadapter: openai\nbase: one\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def add_judge(root: Path, name: str, old: str = "", new: str = "") -> None:
    text = JUDGE.format(name=name)
    assert old in text
    (root / "judges" / f"{name}.judge.yaml").write_text(text.replace(old, new) if old else text)


def told(root: Path, *scores: str, top: str = "") -> list[str]:
    """What collecting a task with such scores tells."""
    lines = "".join(f"  - {score}\n" for score in scores)
    (root / "tasks" / "t.task.yaml").write_text(TASK.format() + lines + top)
    return [str(error) for error in collect(["tasks"], Project.here(root)).errors]


def wrong(root: Path, old: str, new: str) -> str:
    """The one mistake of a judge's file in which something was changed."""
    text = JUDGE.format(name="j")
    assert old in text
    path = root / "judges" / "j.judge.yaml"
    found = validate("judge", Origin(path, root), text.replace(old, new))
    assert isinstance(found, list)
    assert len(found) == 1, found
    return str(found[0]).removeprefix("judges/j.judge.yaml:")


# --------------------------------------------------------------------------- names


@pytest.mark.parametrize("name", ["rouge_l", "bleu", "meteor_exact_stem"])
def test_a_judge_named_like_a_metric_is_refused(root: Path, name: str) -> None:
    add_judge(root, name)
    errors = [str(error) for error in collect(["judges"], Project.here(root)).errors]
    assert errors == [
        f"judges/{name}.judge.yaml:1: a judge cannot be named '{name}', as a metric is: scores "
        f"are stored by name (say '{name}_judge')"
    ]


def test_no_metric_stores_its_scores_under_a_name_that_a_judge_can_have() -> None:
    from harness.collect.judge_checks import name_fault
    from harness.scorers.base import ScorerContext
    from harness.scorers.registry import make_scorer

    # those with an encoder, which is not loaded here, carry it in brackets
    encoders = {"semantic_similarity", "context_relevance", "bertscore_f1"}
    for metric in set(METRICS) - encoders:
        output = "perplexity" if metric == "perplexity" else "generate"
        output = "choices" if metric in ("choice", "choice_norm") else output
        context = ScorerContext(output_type=output, root=Path())  # type: ignore[arg-type]
        name = make_scorer(ScoreSpec(metric=metric, pattern="x"), context).name
        assert name_fault(name) or "[" in name, name


@pytest.mark.parametrize("name", ["rouge_l", "perplexity"])
def test_harness_new_refuses_a_judge_named_like_a_metric(
    root: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new", "judge", name]) == 4
    assert f"a judge cannot be named '{name}'" in capsys.readouterr().err
    assert not (root / "judges" / f"{name}.j2").exists()
    assert main(["new", "task", name]) == 0


def test_a_judge_whose_name_is_anothers_column_is_refused_in_their_task(root: Path) -> None:
    add_judge(root, "j")
    add_judge(root, "j.correctness")
    add_judge(root, "j.v2")
    assert told(root, "rouge_l", "judge: j", "judge: j.correctness") == [
        "tasks/t.task.yaml:8: judges 'j' and 'j.correctness' both have the column "
        "'j.correctness', and scores are stored by name; rename one"
    ]
    assert not told(root, "judge: j", "judge: j.v2")
    assert not told(root, "judge: j.correctness")


def test_the_column_irrelevant_belongs_to_a_criterion_relevance(root: Path) -> None:
    add_judge(root, "j", "correctness", "relevance")
    add_judge(root, "j.irrelevant")
    assert "both have the column 'j.irrelevant'" in "".join(
        told(root, "judge: j", "judge: j.irrelevant")
    )
    criteria = "  - {name: correctness, min: 1, max: 5}\n"
    assert wrong(root, criteria, criteria + "  - {name: irrelevant}\n") == (
        "8: no criterion can be named 'irrelevant', "
        "the column that comes from a criterion 'relevance'"
    )


def test_two_files_of_one_name_are_two_judges(root: Path) -> None:
    add_judge(root, "j")
    (root / "tasks" / "j.j2").write_text((root / "judges" / "j.j2").read_text())
    (root / "tasks" / "j.judge.yaml").write_text(JUDGE.format(name="j"))
    assert any(
        "judges 'j' and './j.judge.yaml' both have the column 'j'" in error
        for error in told(root, "judge: j", "judge: ./j.judge.yaml")
    )
    same = "judge: ../judges/j.judge.yaml"
    assert not [error for error in told(root, "judge: j", same) if "column" in error]


# --------------------------------------------------------------------------- files


def test_a_template_that_is_not_utf_8_is_refused(root: Path) -> None:
    (root / "judges" / "j.j2").write_bytes(b"Judge.\n{{ question }}\xff{{ reference }}{{ answer }}")
    assert wrong(root, "", "") == (
        "4: j.j2, line 2: not UTF-8 text (byte 0xff); save the file as UTF-8"
    )


def test_labels_that_are_not_there_are_told_at_their_line(root: Path) -> None:
    calibration = "version: 1\ncalibration:\n  min_kappa: 0.5\n  labels: labels.jsonl"
    (root / "judges" / "label.jsonl").write_text("")
    assert wrong(root, "version: 1", calibration) == (
        "5: no such file: 'labels.jsonl' (did you mean 'label.jsonl'?)"
    )
    (root / "judges" / "labels.jsonl").write_text("")
    text = JUDGE.format(name="j").replace("version: 1", calibration)
    origin = Origin(root / "judges" / "j.judge.yaml", root)
    assert isinstance(validate("judge", origin, text), JudgeSpec)


def test_a_template_that_shows_a_hidden_reference_says_how_it_is_shown(root: Path) -> None:
    assert wrong(root, "version: 1", "version: 1\nneeds_reference: false") == (
        "5: j.j2, line 1: 'reference' is undefined: a template that shows it needs "
        "'needs_reference: true'"
    )


# --------------------------------------------------------------------------- panels


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ("quorum: 5", "4: 'quorum' is 5, and one model judges"),
        ("panel: [two]\nquorum: 3", "5: 'quorum' is 3, and 2 models judge"),
        (
            "panel:\n  - two\n  - one",
            "6: model 'one' stands there twice, in 'model' and",
        ),
        ("panel:\n  - two\n  - two", "6: model 'two' stands there twice ('repeats' asks it more"),
    ],
)
def test_a_panel_that_cannot_be(root: Path, more: str, what: str) -> None:
    assert wrong(root, "model: one\n", f"model: one\n{more}\n").startswith(what)


def test_a_quorum_of_all_is_in_order(root: Path) -> None:
    text = JUDGE.format(name="j").replace(
        "model: one", "model: one\npanel: [two, three]\nquorum: 3"
    )
    origin = Origin(root / "judges" / "j.judge.yaml", root)
    assert isinstance(validate("judge", origin, text), JudgeSpec)


# --------------------------------------------------------------------------- criteria


CRITERION = "  - {name: correctness, min: 1, max: 5}\n"


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("min: 1", "min: 5", "7: criterion 'correctness': 'min' (5) must be below 'max' (5)"),
        (CRITERION, 2 * CRITERION, "8: criterion 'correctness' stands there twice"),
        (
            CRITERION,
            CRITERION + "  - {name: Correctness}\n",
            "8: criteria 'correctness' and 'Correctness' are too alike to be told apart",
        ),
        (
            CRITERION,
            CRITERION + "  - {name: Reasoning}\n",
            "8: no criterion can be named 'reasoning', which every reply has",
        ),
        (
            CRITERION,
            CRITERION + "  - {name: Total}\n",
            "8: no criterion can be named 'total', which is computed from all criteria",
        ),
        ("mean\n", "mean\nrepeats: 100000000\n", "6: 'repeats' must be at most 100, not"),
        ("mean", "weighted", "6: scale weighted: highest scores times weights add up to 5, not"),
        ("mean", "yesno_score", "6: scale yesno_score needs one of kind yesno"),
        ("mean\n", "mean\npairwise: true\n", "7: a pairwise judge prefers an answer"),
    ],
)
def test_mistakes_in_a_rubric_name_the_criterion_and_its_line(
    root: Path, old: str, new: str, what: str
) -> None:
    if "pairwise" in new:
        pair = "{{ question }}{{ reference }}{{ answer_a }}{{ answer_b }}"
        (root / "judges" / "j.j2").write_text(pair)
    assert wrong(root, old, new).startswith(what)


def test_logprobs_that_are_required_need_single_digits(root: Path) -> None:
    assert wrong(root, "max: 5}\n", "max: 50}\nlogprobs: require\n") == (
        "8: 'logprobs: require' needs scores within 0 to 9, each a single digit, "
        "and 'correctness' has others"
    )


def test_all_wrong_criteria_are_told_at_once(root: Path) -> None:
    text = JUDGE.format(name="j").replace(CRITERION, CRITERION.replace("5", "1") * 2)
    found = validate("judge", Origin(root / "judges" / "j.judge.yaml", root), text)
    assert isinstance(found, list)
    assert [error.line for error in found] == [7, 8]


# --------------------------------------------------------------------------- where judges stand


@pytest.mark.parametrize("score", ["j", "metric: j"])
def test_a_judge_where_a_metric_belongs(root: Path, score: str) -> None:
    add_judge(root, "j")
    assert told(root, score) == [
        "tasks/t.task.yaml:6: unknown metric 'j' (did you mean 'judge: j'?)"
    ]


def test_a_misspelt_word_is_a_metric_before_it_is_a_judge(root: Path) -> None:
    add_judge(root, "clarity_of_speech")
    assert "(did you mean 'judge: clarity_of_speech'?)" in told(root, "clarity_of_spech")[0]
    assert "(did you mean 'rouge_l'?)" in told(root, "rouge_L")[0]


@pytest.mark.parametrize("output", ["choices", "perplexity"])
def test_a_judge_reads_text_and_nothing_else(root: Path, output: str) -> None:
    add_judge(root, "j")
    assert told(root, "token_count", "judge: j", top=f"output_type: {output}\n") == [
        f"tasks/t.task.yaml:7: judge 'j' reads text, and 'output_type' is '{output}'"
    ]
    assert not told(root, "token_count", "judge: j", top="output_type: generate\n")


# --------------------------------------------------------------------------- cards of models


def card_mistake(root: Path, line: str) -> str:
    path = root / "adapters" / "api.model.yaml"
    text = f"model: api\nadapter: openai\nbase: x\n{line}\n"
    found = validate("model", Origin(path, root), text)
    assert isinstance(found, list), line
    assert len(found) == 1, found
    return str(found[0]).removeprefix("adapters/api.model.yaml:")


@pytest.mark.parametrize(
    "key", ["sk-abc123", "a key", "1abc", "", "gsk_" + "a1B2" * 13, "$OPENAI_API_KEY"]
)
def test_a_key_in_place_of_its_variable_is_refused_and_not_shown(root: Path, key: str) -> None:
    assert card_mistake(root, f"api_key_env: '{key}'") == (
        "4: 'api_key_env' is the name of an environment variable, not the key"
    )


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "my_key2", "HF_TOKEN", "null"])
def test_names_of_variables(root: Path, name: str) -> None:
    text = f"model: api\nadapter: openai\nbase: x\napi_key_env: {name}\n"
    found = validate("model", Origin(root / "adapters" / "api.model.yaml", root), text)
    assert not isinstance(found, list)


@pytest.mark.parametrize(
    ("url", "what"),
    [
        (
            "127.0.0.1:18431",
            "must begin with http:// or https://, not '127.0.0.1:18431' "
            "(did you mean 'http://127.0.0.1:18431'?)",
        ),
        ("ftp://x", "must begin with http:// or https://, not 'ftp://x'"),
        ("'http://'", "must be a URL such as http://localhost:8000/v1, not 'http://'"),
        (
            "http://host:99999/v1",
            "must be a URL such as http://localhost:8000/v1, not 'http://host:99999/v1'",
        ),
        (
            "http://host:port/v1",
            "must be a URL such as http://localhost:8000/v1, not 'http://host:port/v1'",
        ),
        (
            "http://me:secret@host/v1",
            "must be a URL without a name and a password in it (see 'api_key_env')",
        ),
        (
            "http://host/v1?api-key=SECRET",
            "must be a URL without '?' and '#' in it (a key: see 'api_key_env')",
        ),
        (
            "'https://host/v1#SECRET'",
            "must be a URL without '?' and '#' in it (a key: see 'api_key_env')",
        ),
    ],
)
def test_what_is_no_address_of_a_server(root: Path, url: str, what: str) -> None:
    assert card_mistake(root, f"base_url: {url}") == f"4: 'base_url' {what}"


@pytest.mark.parametrize(
    "url",
    ["http://h", "https://h.example/v1/", "http://[::1]:8000/v1", "http://h:65535", "http://h:1"],
)
def test_what_is_an_address_of_a_server(root: Path, url: str) -> None:
    text = f"model: api\nadapter: openai\nbase: x\nbase_url: '{url}'\n"
    found = validate("model", Origin(root / "adapters" / "api.model.yaml", root), text)
    assert not isinstance(found, list)


# --------------------------------------------------------------------------- what it is shown


@pytest.mark.parametrize(
    ("score", "what"),
    [
        ('{judge: j, question: "{{ input "}', ": template: "),
        ('{judge: j, question: "{{ inptu }}"}', "question: 'inptu' is undefined"),
        ('{judge: j, question: "{{ row.nothing }}"}', "question: "),
        ('{judge: j, question: " "}', "question: nothing is left to be shown (sample 'row-1')"),
        ("{metric: rouge_l, question: x}", "'question' has no meaning for metric 'rouge_l'"),
    ],
)
def test_a_question_that_a_judge_cannot_be_shown_is_told(
    root: Path, capsys: pytest.CaptureFixture[str], score: str, what: str
) -> None:
    add_judge(root, "j")
    (root / "tasks" / "t.task.yaml").write_text(TASK.format() + f"  - {score}\n")
    assert main(["collect", "tasks", "--data"]) == 4
    errors = [line for line in capsys.readouterr().err.splitlines() if "t.task.yaml:" in line]
    assert len(errors) == 1
    assert errors[0].startswith("tasks/t.task.yaml:6: ")
    assert what in errors[0]
