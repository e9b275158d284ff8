"""Task x model x variant: ids that can be typed again, hashes that change when they should."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.collect.library import Project
from harness.collect.plan import apply_settings, make_plan, parse_setting
from harness.collect.specs import ModelSpec, Scalar, TaskSpec
from harness.errors import CollectError, SelectionError

TASK = """\
task: t
version: 1
data: {path: rows.jsonl}
prompt: {template: "{{ input }}"}
generate: {temperature: 0.5, stop: [x]}
score: [exact_match, {metric: regex, pattern: a}]
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "rows.jsonl").write_text("{}\n")
    (tmp_path / "tasks" / "t.task.yaml").write_text(TASK)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def task(root: Path, extra: str = "") -> TaskSpec:
    (root / "tasks" / "t.task.yaml").write_text(TASK + extra)
    return Project.here(root).get_task("t")


@pytest.fixture
def model(root: Path) -> ModelSpec:
    return Project.here(root).get_model("tiny-llama")


@pytest.mark.parametrize(
    ("text", "key", "values"),
    [
        ("generate.max_new_tokens=64", "generate.max_new_tokens", (64,)),
        ("generate.temperature=0,0.7", "generate.temperature", (0, 0.7)),
        ("generate.temperature= 1e-1 , .5", "generate.temperature", (0.1, 0.5)),
        ("k=no,true,'1','it''s'", "k", ("no", True, "1", "it's")),
        ('k="a, b",c', "k", ("a, b", "c")),
        (r'k="\n"', "k", ("\n",)),
        ("k=don't,can't", "k", ("don't", "can't")),
        ("k=Q: {{ f(a, b) }}", "k", ("Q: {{ f(a, b) }}",)),
        ("k=", "k", ("",)),
        ("k=a=b", "k", ("a=b",)),
        ("k=null", "k", ("null",)),
    ],
)
def test_settings_are_typed_as_in_yaml(text: str, key: str, values: tuple[Scalar, ...]) -> None:
    assert parse_setting(text) == (key, values)
    assert [type(value) for value in parse_setting(text)[1]] == [type(value) for value in values]


@pytest.mark.parametrize("text", ["k", "=3", "", 'k="a', "k='a", r'k="\q"', f"k={'9' * 2000}"])
def test_settings_that_cannot_be_read(text: str) -> None:
    with pytest.raises(SelectionError, match="--set"):
        parse_setting(text)


@given(st.lists(st.text().map(lambda text: text.replace("'", "")), min_size=1, max_size=4))
def test_quoted_values_are_text_whatever_they_hold(values: list[str]) -> None:
    text = ",".join(f"'{value}'" for value in values)
    assert parse_setting(f"k={text}") == ("k", tuple(values))


def test_a_plain_cell(root: Path, model: ModelSpec) -> None:
    (cell,) = make_plan([task(root)], [model])
    assert cell.id == "tasks/t.task.yaml::t[tiny-llama]"
    assert cell.variant == ()
    assert len(cell.hash) == 64
    assert cell.hash == make_plan([task(root)], [model])[0].hash


def test_variants_are_a_product_in_the_files_order(root: Path, model: ModelSpec) -> None:
    spec = task(root, "variants: {generate.temperature: [0, 0.7], prompt.num_fewshot: [0, 2]}\n")
    cells = make_plan([spec], [model])
    assert [cell.id.partition(",")[2] for cell in cells] == [
        "generate.temperature=0,prompt.num_fewshot=0]",
        "generate.temperature=0,prompt.num_fewshot=2]",
        "generate.temperature=0.7,prompt.num_fewshot=0]",
        "generate.temperature=0.7,prompt.num_fewshot=2]",
    ]
    last = cells[-1]
    assert (last.task.generate.temperature, last.task.prompt.num_fewshot) == (0.7, 2)
    assert last.task.variants == {}
    assert last.task.path == spec.path
    assert last.task.root == spec.root
    assert len({cell.hash for cell in cells}) == 4


def test_another_variant_in_the_file_leaves_the_hash_of_a_cell_alone(
    root: Path, model: ModelSpec
) -> None:
    one = make_plan([task(root, "variants: {generate.top_k: [1]}\n")], [model])
    two = make_plan([task(root, "variants: {generate.top_k: [1, 2]}\n")], [model])
    assert one[0].hash == two[0].hash


def test_one_value_changes_the_task_and_several_make_variants(root: Path, model: ModelSpec) -> None:
    plain = make_plan([task(root)], [model])[0]
    (changed,) = make_plan([task(root)], [model], ["generate.temperature=1"])
    assert (changed.id, changed.variant) == (plain.id, ())
    assert changed.hash != plain.hash
    cells = make_plan([task(root)], [model], ["generate.temperature=0,1"])
    assert [cell.variant for cell in cells] == [
        (("generate.temperature", 0),),
        (("generate.temperature", 1),),
    ]


def test_the_command_line_stands_above_the_file(root: Path, model: ModelSpec) -> None:
    spec = task(root, "variants: {generate.top_k: [1, 2]}\n")
    assert len(make_plan([spec], [model], ["generate.top_k=7"])) == 1
    cells = make_plan([spec], [model], ["generate.top_k=7,8,9"])
    assert [cell.task.generate.top_k for cell in cells] == [7, 8, 9]


def test_lists_take_single_values(root: Path) -> None:
    assert apply_settings(task(root), {"generate.stop": "\n"}, "x").generate.stop == ("\n",)
    assert apply_settings(task(root), {"generate.stop": ""}, "x").generate.stop == ()


def test_ids_are_one_line(root: Path, model: ModelSpec) -> None:
    cells = make_plan([task(root)], [model], [r'generate.stop="\n",b'])
    assert cells[0].id.endswith(r"generate.stop=\n]")
    assert cells[0].task.generate.stop == ("\n",)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            "generate.max_tokens=3",
            "--set generate.max_tokens: unknown setting 'generate.max_tokens' "
            "(did you mean 'generate.max_new_tokens'?)",
        ),
        (
            "generate.max_new_tokens=lots",
            "--set generate.max_new_tokens: 'generate.max_new_tokens' must be a whole number, "
            "not 'lots'",
        ),
        (
            "generate.temperature=0,-1",
            "--set generate.temperature: 'generate.temperature' must be at least 0, not -1",
        ),
        ("prompt.template={{", "--set prompt.template: template: unexpected 'end of template'"),
        ("data.path=../../x", "--set data.path: data paths may not leave the project: '../../x'"),
        ("zzz=1", "--set zzz: unknown setting 'zzz' (settings are fps, frames, max_frames"),
    ],
)
def test_settings_that_do_not_fit(root: Path, model: ModelSpec, setting: str, message: str) -> None:
    with pytest.raises(CollectError) as caught:
        make_plan([task(root)], [model], [setting])
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("settings", [["k=1", "k=2"], ["k=1,1"]])
def test_settings_that_contradict_themselves(root: Path, settings: list[str]) -> None:
    with pytest.raises(SelectionError, match="twice"):
        make_plan([task(root)], [], settings)


@given(st.integers(1, 10**6), st.floats(0, 100), st.text(min_size=1, max_size=20))
def test_what_is_set_is_what_runs(tokens: int, temperature: float, stop: str) -> None:
    spec = Project.here().get_task("vad_approach")
    changed = apply_settings(
        spec,
        {
            "generate.max_new_tokens": tokens,
            "generate.temperature": temperature,
            "generate.stop": stop,
        },
        "--set",
    )
    settings = changed.generate
    assert (settings.max_new_tokens, settings.temperature, settings.stop) == (
        tokens,
        temperature,
        (stop,),
    )
    assert changed.score == spec.score
    assert changed.prompt == spec.prompt
