"""Every mistake of a file, on its own line, in a user's words."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.collect.judge_spec import JudgeSpec
from harness.collect.recipe_spec import RecipeSpec
from harness.collect.specs import (
    FileSpec,
    ReplayModel,
    TaskSpec,
    TransformersModel,
)
from harness.collect.validate import Kind, Origin, read_spec, validate
from harness.errors import CollectError, SpecError

GOOD = """\
task: capitals
version: 1
tags: [geo]
data: {path: rows.jsonl}
prompt:
  template: |
    Q: {{ input }}
    A:
score: [exact_match]
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "rows.jsonl").write_text("{}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(root: Path, text: str, name: str = "capitals.task.yaml") -> FileSpec | list[str]:
    kind: Kind = name.split(".")[-2]  # type: ignore[assignment]
    result = validate(kind, Origin(root / name, root), text)
    return [str(error) for error in result] if isinstance(result, list) else result


def mistake(root: Path, text: str, name: str = "capitals.task.yaml") -> str:
    result = check(root, text, name)
    assert isinstance(result, list)
    assert len(result) == 1, result
    return result[0]


def with_line(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


def test_a_good_file_is_a_spec_that_knows_where_it_stands(root: Path) -> None:
    spec = check(root, GOOD)
    assert isinstance(spec, TaskSpec)
    assert (spec.path, spec.root, spec.text) == (root / "capitals.task.yaml", root, GOOD)
    assert spec.score[0].metric == "exact_match"
    assert spec.tags == ("geo",)


def test_every_mistake_is_told_at_once_each_with_its_line(root: Path) -> None:
    text = """\
taks: capitals
version: two
tags: [geo, 3]
data:
  pth: rows.jsonl
  fields: {input: 3, targt: answer}
prompt:
  template: |
    Question: {{ input }}
    Answer: {{ answer | uper }}
output_type: generation
generate:
  max_new_tokens: -1
  temprature: 0.7
  stop: "\\n"
  top_p: 1:30
variants:
  generate.temperature: [0, -1, warm]
  generat.top_k: [1]
score:
  - rouge_L
  - rouge_l: {x: 1}
  - metric: regex
    pattern: "(["
    ignore_case: no
  - choice
gate:
  - {metrc: rouge_l, max_drop: 0.02}
"""
    assert check(root, text) == [
        "capitals.task.yaml:1: unknown key 'taks' (did you mean 'task'?)",
        "capitals.task.yaml:2: 'version' must be a whole number, not 'two'",
        "capitals.task.yaml:3: 'tags[2]' must be text, not 3 (put it in quotes)",
        "capitals.task.yaml:5: unknown key 'pth' (did you mean 'path'?)",
        "capitals.task.yaml:6: 'data.fields.input' must be text, not 3 (put it in quotes)",
        "capitals.task.yaml:6: unknown key 'targt' (did you mean 'target'?)",
        "capitals.task.yaml:10: template: no filter named 'uper' (did you mean 'upper'?)",
        "capitals.task.yaml:11: 'output_type' must be generate, choices or perplexity, "
        "not 'generation' (did you mean 'generate'?)",
        "capitals.task.yaml:13: 'generate.max_new_tokens' must be greater than 0, not -1",
        "capitals.task.yaml:14: unknown key 'temprature' (did you mean 'temperature'?)",
        "capitals.task.yaml:15: 'generate.stop' must be a list, not '\\n' "
        '(did you mean ["\\n"]?)',
        "capitals.task.yaml:16: 'generate.top_p' must be a number, not '1:30'",
        "capitals.task.yaml:18: 'generate.temperature' must be at least 0, not -1",
        "capitals.task.yaml:18: 'generate.temperature' must be a number, not 'warm'",
        "capitals.task.yaml:19: unknown setting 'generat.top_k' (did you mean 'generate.top_k'?)",
        "capitals.task.yaml:21: unknown metric 'rouge_L' (did you mean 'rouge_l'?)",
        "capitals.task.yaml:22: unknown key 'rouge_l' "
        "(write 'metric: rouge_l', its settings beside it)",
        "capitals.task.yaml:24: 'pattern' is not a regular expression: "
        "unterminated character set at position 2",
        "capitals.task.yaml:25: 'score[3].ignore_case' must be true or false, not 'no' "
        "(did you mean false?)",
        "capitals.task.yaml:26: metric 'choice' needs 'output_type: choices' "
        "or 'choices' in 'data.fields'",
        "capitals.task.yaml:28: unknown key 'metrc' (did you mean 'metric'?)",
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("version: 1\n", "", "capitals.task.yaml:1: missing key 'version'"),
        ("{path: rows.jsonl}", "{}", "capitals.task.yaml:4: missing key 'path' in 'data'"),
        ("version: 1", "version: '1'", ":2: 'version' must be a whole number, not '1'"),
        ("version: 1", "version: true", ":2: 'version' must be a whole number, not true"),
        ("version: 1", "version:", ":2: 'version' must be a whole number, not empty"),
        ("version: 1", "version: 1.5", ":2: 'version' must be a whole number, not 1.5"),
        ("version: 1", "version: 0", ":2: 'version' must be at least 1, not 0"),
        (
            "tags: [geo]",
            "tags: geo",
            ":3: 'tags' must be a list, not 'geo' (did you mean [\"geo\"]?)",
        ),
        ("task: capitals", "task: cities", ":1: 'task' must be 'capitals', the name of its file"),
        ("[exact_match]", "[]", ":9: 'score' must have at least 1 entry"),
        ("[exact_match]", "[3]", ":9: 'score[1]' must be a mapping of keys to values, not 3"),
        ("[exact_match]", "[{}]", ":9: give exactly one of 'metric' and 'judge'"),
        ("[exact_match]", "[regex]", ":9: metric 'regex' needs 'pattern'"),
        ("[exact_match]", "[bleu, bleu]", ":9: the same entry stands in 'score' twice"),
        ("[exact_match]", "[{metric: bleu, layer: 3}]", "'layer' has no meaning for metric 'bleu'"),
        (
            "[exact_match]",
            "[{metric: error_f1, tolerance: 1}]",
            "'tolerance' has no meaning for metric 'error_f1'",
        ),
        (
            "[exact_match]",
            "[{metric: frame_localization, tolerance: -1}]",
            ":9: 'score[1].tolerance' must be at least 0, not -1",
        ),
        (
            "[exact_match]",
            "[circular]",
            ":9: metric 'circular' needs 'output_type: choices' or 'choices' in 'data.fields'",
        ),
        (
            "[exact_match]",
            "[bleu]\ngate: [{metric: blue, max_drop: 0.1}]",
            ":10: the gate's metric 'blue' is not in 'score' (did you mean 'bleu'?)",
        ),
        ("{{ input }}", "{{ input }", ":7: template: unexpected '}'"),
        ("{{ input }}", "{% if input %}", ":7: template: Unexpected end of template"),
        ("{{ input }}", "{{ input.__class__ }}", ":7: template: '__class__' is not allowed"),
        ("{{ input }}", "{{ input['__class__'] }}", ":7: template: '__class__' is not allowed"),
        ("{{ input }}", "{% include 'x' %}", ":7: template: include is not available here"),
        ("{{ input }}", "{{ input is odder }}", "no test named 'odder' (did you mean 'odd'?)"),
        ("rows.jsonl", "row.jsonl", ":4: no such file: 'row.jsonl' (did you mean 'rows.jsonl'?)"),
        (
            "rows.jsonl",
            "../rows.jsonl",
            ":4: data paths may not leave the project: '../rows.jsonl'",
        ),
        ("rows.jsonl", "/etc/passwd", ":4: data paths may not leave the project: '/etc/passwd'"),
        ("rows.jsonl", ".", ":4: '.' is a folder, not a file"),
        ("rows.jsonl", "https://x.org/a", ":4: data comes from a file or from hf://"),
        ("rows.jsonl", "'hf://a b'", ":4: 'hf://a b' is not hf://owner/name@revision"),
        (
            "prompt:\n",
            "prompt:\n  messages: [{role: user, content: x}]\n",
            ":5: give exactly one of 'template' and 'messages'",
        ),
        (
            "score:",
            "variants: {generate.top_k: []}\nscore:",
            ":9: variant 'generate.top_k' has no values",
        ),
        (
            "score:",
            "variants: {generate.top_k: [1, 1]}\nscore:",
            ":9: variant 'generate.top_k' has the value 1 twice",
        ),
        (
            "score:",
            "variants:\n  prompt.template:\n    - 'Q: {{ input }}'\n    - '{{'\nscore:",
            ":12: template: unexpected 'end of template'",
        ),
        (
            "score:",
            "variants: {generate.top_k: [[1]]}\nscore:",
            ":9: 'variants.generate.top_k[1]' must be text, a whole number, a number or true",
        ),
    ],
)
def test_mistakes(root: Path, old: str, new: str, message: str) -> None:
    assert message in mistake(root, with_line(old, new))


def test_what_is_in_order(root: Path) -> None:
    for old, new in [
        ("rows.jsonl", "hf://owner/name@main"),
        ("[exact_match]", "[{metric: format, pattern: '^A'}, {metric: regex, pattern: b}]"),
        ("[exact_match]", "[bleu]\ngate: [{metric: 'bleu[13a]', max_drop: 1}]"),
        ("[exact_match]", "[choice]\noutput_type: choices"),
        ("{path: rows.jsonl}", "{path: rows.jsonl, fields: {choices: options}}"),
        ("score:", "variants: {generate.stop: ['a', 'b'], prompt.num_fewshot: [0, 2]}\nscore:"),
        ("score:", "generate: {temperature: 1, stop: ['\\n']}\nscore:"),
    ]:
        assert isinstance(check(root, with_line(old, new)), TaskSpec), new


def test_data_may_leave_the_project_where_that_is_allowed(root: Path) -> None:
    inner = root / "project"
    inner.mkdir()
    text = with_line("rows.jsonl", "../rows.jsonl")
    path = inner / "capitals.task.yaml"
    assert isinstance(validate("task", Origin(path, inner), text), list)
    spec = validate("task", Origin(path, inner, allow_outside=True), text)
    assert isinstance(spec, TaskSpec)
    assert spec.allow_outside


def test_a_link_does_not_lead_out_of_the_project(root: Path) -> None:
    inner = root / "project"
    inner.mkdir()
    (inner / "link.jsonl").symlink_to(root / "rows.jsonl")
    result = validate(
        "task",
        Origin(inner / "capitals.task.yaml", inner),
        with_line("rows.jsonl", "link.jsonl"),
    )
    assert isinstance(result, list)
    assert "may not leave the project" in str(result[0])


def test_the_file_says_what_kind_it_is(root: Path) -> None:
    result = validate("task", Origin(root / "capitals.yaml", root), GOOD)
    assert [str(error) for error in result] == [
        "capitals.yaml:1: the file of a task must be named <name>.task.yaml"
    ]


def test_what_a_card_says_is_beside_it_is_there(root: Path) -> None:
    (root / "tuned").mkdir()
    (root / "notes.txt").write_text("x")
    good = "model: m\nadapter: transformers\nbase: owner/name\nlora: ./tuned\n"
    assert isinstance(check(root, good, "m.model.yaml"), TransformersModel)
    for wrong, what in (
        ("./tune", "no such folder: './tune' (did you mean 'tuned'?)"),
        ("./notes.txt", "'./notes.txt' is a file, not a folder"),
    ):
        text = good.replace("./tuned", wrong)
        assert mistake(root, text, "m.model.yaml") == f"m.model.yaml:4: {what}"


def test_model_cards_are_read_by_their_adapter(root: Path) -> None:
    (root / "m").mkdir()
    card = check(root, "model: m\nadapter: transformers\nbase: ./m\n", "m.model.yaml")
    assert isinstance(card, TransformersModel)
    replay = check(root, "model: m\nadapter: replay\ncompletions: a.jsonl\n", "m.model.yaml")
    assert isinstance(replay, ReplayModel)
    assert (
        "m.model.yaml:2: unknown adapter 'transformer' (did you mean 'transformers'?)"
        in mistake(root, "model: m\nadapter: transformer\nbase: x\n", "m.model.yaml")
    )
    assert "missing key 'adapter' (one of transformers, vision, bridge, replay" in mistake(
        root, "model: m\nbase: x\n", "m.model.yaml"
    )
    assert "'dtype' must be auto, float32, float16 or bfloat16, not 'float61'" in mistake(
        root, "model: m\nadapter: transformers\nbase: x\ndtype: float61\n", "m.model.yaml"
    )


def test_names_that_cannot_be_names(root: Path) -> None:
    text = "model: my model\nadapter: transformers\nbase: x\n"
    assert mistake(root, text, "my model.model.yaml") == (
        "my model.model.yaml:1: 'model' must begin with a letter (a-z, A-Z) or digit and consist "
        "of such letters, digits, '.', '_' and '-', not 'my model'"
    )


JUDGE = "judge: j\nversion: 1\nmodel: m\ntemplate: j.j2\ncriteria: [{name: clarity}]\n"


def test_a_judge_has_its_template_beside_it(root: Path) -> None:
    assert "j.judge.yaml:4: no such file: 'j.j2'" in mistake(root, JUDGE, "j.judge.yaml")
    (root / "j.j2").write_text("Question\n{{ input }\n")
    assert "j.judge.yaml:4: j.j2, line 2: unexpected '}'" in mistake(root, JUDGE, "j.judge.yaml")
    (root / "j.j2").write_text("{{ question }} {{ reference }} {{ answer }}")
    assert isinstance(check(root, JUDGE, "j.judge.yaml"), JudgeSpec)
    outside = JUDGE.replace("j.j2", "../j.j2")
    assert "must be a file beside the judge's spec" in mistake(root, outside, "j.judge.yaml")


SHOWS_ALL = "{{ question }}\n{{ reference }}\n{{ answer }}\n"


@pytest.mark.parametrize(
    ("spec", "template", "what"),
    [
        ("", "{{ anwser }}", "j.j2, line 4: 'anwser' is undefined (did you mean 'answer'?)"),
        ("", "{{ target }}", "j.j2, line 4: 'target' is undefined"),
        ("", "{{ criteria[0].nme }}", "j.j2, line 4: 'dict object' has no attribute 'nme'"),
        ("", "\n{{ 'x' * 10**9 }}", "j.j2, line 5: not allowed: so many repetitions"),
        ("", "{{ answer }}", "j.j2: 'answer' must be shown once and as it is: {{ answer }}"),
        ("needs_reference: false\n", "", "j.j2, line 2: 'reference' is undefined"),
        ("needs_reference: true\n", "{{ answer_b }}", "j.j2, line 4: 'answer_b' is undefined"),
    ],
)
def test_a_judges_template_is_rendered_with_made_up_material(
    root: Path, spec: str, template: str, what: str
) -> None:
    (root / "j.j2").write_text(SHOWS_ALL + template)
    assert mistake(root, JUDGE + spec, "j.judge.yaml").startswith(f"j.judge.yaml:4: {what}")


@pytest.mark.parametrize(
    ("name", "shows"),
    [
        ("question", "Q"),
        ("reference", "{{ reference | e }}"),
        ("answer", "{{ answer | truncate(20) }}"),
        ("answer", "{{ answer | indent(2) }}"),
    ],
)
def test_a_judges_template_shows_all_as_it_is(root: Path, name: str, shows: str) -> None:
    (root / "j.j2").write_text(SHOWS_ALL.replace(f"{{{{ {name} }}}}", shows))
    assert mistake(root, JUDGE, "j.judge.yaml") == (
        f"j.judge.yaml:4: j.j2: '{name}' must be shown once and as it is: {{{{ {name} }}}}"
    )


def test_a_pairwise_judge_sees_both_answers(root: Path) -> None:
    spec = "judge: j\nversion: 1\nmodel: m\ntemplate: j.j2\npairwise: true\n"
    (root / "j.j2").write_text(SHOWS_ALL)
    assert "line 3: 'answer' is undefined (did you mean 'answer_" in mistake(
        root, spec, "j.judge.yaml"
    )
    (root / "j.j2").write_text(SHOWS_ALL.replace("answer", "answer_a") + "{{ answer_b }}")
    assert isinstance(check(root, spec, "j.judge.yaml"), JudgeSpec)


def test_recipes(root: Path) -> None:
    good = "recipe: r\nbase: b\ntask: t\nmodel: m\ntrain: {learning_rate: 3e-4}\n"
    spec = check(root, good, "r.recipe.yaml")
    assert isinstance(spec, RecipeSpec)
    assert spec.train.learning_rate == 3e-4
    assert "r.recipe.yaml:5: unknown key 'learning_rat' (did you mean 'learning_rate'?)" in mistake(
        root, good.replace("learning_rate", "learning_rat"), "r.recipe.yaml"
    )
    assert "'lora.target_modules' must be a list, not 'q_proj' (did you mean [\"q_proj\"]?)" in (
        mistake(root, good + "lora: {target_modules: q_proj}\n", "r.recipe.yaml")
    )


def test_reading_raises_one_error_or_all(root: Path) -> None:
    path = root / "capitals.task.yaml"
    path.write_text(GOOD)
    assert read_spec("task", Origin(path, root)) == check(root, GOOD)
    path.write_text(with_line("version: 1", "version: x"))
    with pytest.raises(SpecError, match="must be a whole number"):
        read_spec("task", Origin(path, root))
    path.write_text(with_line("version: 1", "version: x").replace("exact_match", "exact_mach"))
    with pytest.raises(CollectError, match=r"whole number(.|\n)*did you mean 'exact_match'"):
        read_spec("task", Origin(path, root))


def test_duplicate_keys_and_wrong_values_are_told_together(root: Path) -> None:
    assert check(root, with_line("version: 1", "version: x\ntask: capitals")) == [
        "capitals.task.yaml:2: 'version' must be a whole number, not 'x'",
        "capitals.task.yaml:3: duplicate key 'task' (first on line 1)",
    ]


@pytest.mark.parametrize(
    ("output", "score", "wrong"),
    [
        ("generate", "[perplexity, choice_norm, bleu]", ["perplexity", "choice_norm"]),
        ("choices", "[choice, rouge_l, {metric: regex, pattern: x}]", ["rouge_l", "regex"]),
        ("perplexity", "[perplexity, token_count, choice]", ["choice"]),
    ],
)
def test_each_metric_that_the_output_cannot_give_is_told_at_its_line(
    root: Path, output: str, score: str, wrong: list[str]
) -> None:
    text = with_line("score: [exact_match]", f"output_type: {output}\nscore: {score}")
    found = check(root, text)
    assert isinstance(found, list)
    assert [line.partition(" needs ")[0] for line in found] == [
        f"capitals.task.yaml:10: metric '{name}'" for name in wrong
    ]
    assert all(line.endswith(f"and the task's is '{output}'") for line in found)


@pytest.mark.parametrize(
    "score",
    [
        "[{metric: regex, pattern: a}, {metric: regex, pattern: b}]",
        "[{metric: format, pattern: a}, {metric: format, pattern: b}]",
        "[includes, {metric: includes, ignore_case: false}]",
        "[rouge_l, {metric: rouge_l, tokenizer: rouge}]",
    ],
)
def test_two_entries_under_one_shown_name_are_refused(root: Path, score: str) -> None:
    message = mistake(root, with_line("[exact_match]", score))
    assert "' stands in 'score' twice, and scores are stored by name" in message


@pytest.mark.parametrize(
    "score",
    [
        "[rouge_l, {metric: rouge_l, tokenizer: unicode}]",
        "[bertscore_f1, {metric: bertscore_f1, layer: 5}]",
        "[frame_localization, {metric: frame_localization, tolerance: 1}]",
        "[semantic_similarity, {metric: semantic_similarity, encoder: other}]",
    ],
)
def test_entries_whose_shown_names_differ_may_stand_together(root: Path, score: str) -> None:
    assert isinstance(check(root, with_line("[exact_match]", score)), TaskSpec)


def test_a_template_that_is_nested_too_deeply_is_one_line(root: Path) -> None:
    bomb = "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}"
    assert mistake(root, with_line("Q: {{ input }}", bomb)).endswith("nested too deeply")


def test_data_that_is_a_pipe_is_no_file(root: Path) -> None:
    os.mkfifo(root / "pipe.jsonl")
    message = mistake(root, with_line("rows.jsonl", "pipe.jsonl"))
    assert message.endswith("'pipe.jsonl' is a pipe or a device, not a file")
