"""What `variants:` and `--set` may change, in a task with media and in a model card."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.collect.library import Project
from harness.collect.plan import Cell, make_plan, settled
from harness.collect.settings import setting_keys, short_key
from harness.collect.specs import ModelSpec, TaskSpec
from harness.errors import CollectError, SelectionError

TASK = """\
task: t
version: 1
data: {path: rows.jsonl}
prompt: {template: "{{ input }}"}
prompts: {stepwise: {template: "Think first. {{ input }}"}}
score: [exact_match]
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "rows.jsonl").write_text("{}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def task(root: Path, extra: str = "media: {fps: 2, max_frames: 16}\n") -> TaskSpec:
    (root / "tasks" / "t.task.yaml").write_text(TASK + extra)
    return Project.here(root).get_task("t")


@pytest.fixture
def model(root: Path) -> ModelSpec:
    return Project.here(root).get_model("tiny-llama")


def plan(root: Path, model: ModelSpec, *settings: str) -> tuple[Cell, ...]:
    return make_plan([task(root)], [model], settings)


def test_a_short_name_is_what_a_variant_shows_whichever_way_it_was_written(
    root: Path, model: ModelSpec
) -> None:
    short, long = plan(root, model, "fps=1,6"), plan(root, model, "media.fps=1,6")
    assert [cell.id for cell in short] == [cell.id for cell in long]
    assert [cell.variant for cell in short] == [(("fps", 1),), (("fps", 6),)]
    assert short[1].id == "tasks/t.task.yaml::t[tiny-llama,fps=6]"
    assert [cell.task.media.fps for cell in short] == [1, 6]


def test_one_value_of_what_a_model_sees_is_shown_too(root: Path, model: ModelSpec) -> None:
    (cell,) = plan(root, model, "fps=6", "generate.max_new_tokens=8")
    assert cell.id == "tasks/t.task.yaml::t[tiny-llama,fps=6]"
    assert (cell.task.media.fps, cell.task.generate.max_new_tokens) == (6, 8)


def test_settings_make_a_product(root: Path, model: ModelSpec) -> None:
    cells = plan(root, model, "fps=1,6", "degrade=none,blur:0.5", "prompt=default,stepwise")
    assert len(cells) == len({cell.hash for cell in cells}) == 8
    last = cells[-1].task
    assert (last.media.fps, last.media.degrade) == (6, "blur:0.5")
    assert last.prompt.template == "Think first. {{ input }}"
    assert cells[0].task.prompt.template == "{{ input }}"


@pytest.mark.parametrize(
    ("settings", "fps", "frames"),
    [
        (["frames=8"], None, 8),  # the file's fps gives way
        (["frames=4,8"], None, 4),
        (["frames=8", "fps=1"], 1, 8),  # both were meant
        (["fps=3", "frames=8,16"], 3, 8),
        (["resolution=224"], 2, None),
    ],
)
def test_frames_take_the_place_of_fps_unless_both_are_set(
    root: Path, model: ModelSpec, settings: list[str], fps: float | None, frames: int | None
) -> None:
    media = plan(root, model, *settings)[0].task.media
    assert (media.fps, media.frames) == (fps, frames)


def test_settings_of_the_card_change_the_card(root: Path, model: ModelSpec) -> None:
    cells = plan(root, model, "quantize=none,int8", "batch_tokens=512")
    assert [cell.id.partition("[")[2] for cell in cells] == [
        "tiny-llama,quantize=none,batch_tokens=512]",
        "tiny-llama,quantize=int8,batch_tokens=512]",
    ]
    cards = [cell.model.model_dump() for cell in cells]
    assert [(card["quantize"], card["batch_tokens"]) for card in cards] == [
        ("none", 512),
        ("int8", 512),
    ]
    assert cells[0].hash != plan(root, model, "quantize=none,int8")[0].hash


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("fbs=1", "--set fbs: unknown setting 'fbs' (did you mean 'fps'?)"),
        ("fps=0", "--set fps: 'media.fps' must be above 0 and at most 1000, not 0"),
        ("frames=two", "--set frames: 'media.frames' must be a whole number, not 'two'"),
        ("degrade=blurr:1", "--set degrade: unknown degradation 'blurr:1' (did you mean 'blur'?)"),
        ("fps=1e308", "--set fps: 'media.fps' must be above 0 and at most 1000, not 1e+308"),
        ("degrade=blur:2", "--set degrade: 'media.degrade': the level of blur goes from 0 to 1"),
        ("resolution=1x9999", "--set resolution: 'media.resolution' must be a short side"),
        ("fps=1,1.0", "--set 'fps=1,1.0': a value stands there twice"),
        ("media.fpz=1", "--set media.fpz: unknown setting 'media.fpz' (did you mean 'fps'?)"),
        ("fps=source/0", "--set fps: 'media.fps' must be frames a second, or source/2 for every"),
        ("resolution=0", "--set resolution: 'media.resolution' must be a short side"),
        ("resolution=wide", "--set resolution: 'media.resolution' must be a short side"),
        ("prompt=stepwize", "--set prompt: the task has no prompt 'stepwize' (did you mean 'step"),
        ("quantize=int7", "--set: model 'tiny-llama': 'quantize' must be none, int8 or nf4"),
        ("batch_size=0", "--set: model 'tiny-llama': 'batch_size' must be greater than 0, not 0"),
    ],
)
def test_a_setting_that_does_not_fit_is_one_line(
    root: Path, model: ModelSpec, setting: str, message: str
) -> None:
    with pytest.raises((CollectError, SelectionError)) as caught:
        plan(root, model, setting)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_setting_that_the_adapter_does_not_have_is_told_with_those_it_has(root: Path) -> None:
    (root / "a.jsonl").write_text('{"id": "a", "text": "b"}\n', "utf-8")
    file = root / "recorded.model.yaml"
    file.write_text("model: recorded\nadapter: replay\ncompletions: ./a.jsonl\n", "utf-8")
    recorded = Project.here(root).get_model(str(file))
    with pytest.raises(CollectError) as caught:
        plan(root, recorded, "batch_size=4")
    assert "adapter 'replay' of model 'recorded' has no 'batch_size'" in str(caught.value)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("media: {fpz: 1}\n", "unknown key 'fpz' (did you mean 'fps'?)"),
        ("media: {resolution: big}\n", "'media.resolution' must be a short side in pixels"),
        ("media: {degrade: nois}\n", "unknown degradation 'nois' (did you mean 'noise'?)"),
        ("media: {start: 3, end: 2}\n", "'media.end' must be after 'media.start'"),
        ("variants: {fps: [1, 1]}\n", "variant 'fps' has the value 1 twice"),
        ("variants: {fps: [1], media.fps: [2]}\n", "variant 'media.fps' stands there as 'fps' too"),
        ("variants: {fps: [1, 1.0]}\n", "variant 'fps' has the value 1.0 twice"),
        ("answer: letter\n", "'answer' is about choices: name them in 'data.fields.choices'"),
        ("shuffle_choices: 1\n", "'shuffle_choices' is about choices: name them in"),
        ("variants: {fsp: [1]}\n", "unknown setting 'fsp' (did you mean 'fps'?)"),
        ("answer: letters\n", "'answer' must be likelihood, letter, text or any, not 'letters'"),
    ],
)
def test_a_file_that_does_not_fit_is_told_at_its_line(root: Path, extra: str, message: str) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011  the message says it all
        task(root, extra)
    assert str(caught.value).startswith(f"tasks/t.task.yaml:7: {message}")


def test_the_way_to_answer_decides_what_is_asked_for(root: Path, model: ModelSpec) -> None:
    extra = "answer: letter\n"
    (root / "tasks" / "t.task.yaml").write_text(
        TASK.replace("[exact_match]", "[choice]").replace(
            "rows.jsonl}", "rows.jsonl, fields: {choices: choices}}"
        )
        + extra
    )
    own = Project.here(root).get_task("t")
    assert own.output_type == "generate"
    cells = make_plan([own], [model], ["answer=likelihood,letter,text"])
    assert [cell.task.output_type for cell in cells] == ["choices", "generate", "generate"]


def test_keys_that_came_later_do_not_change_old_hashes(root: Path) -> None:
    (root / "tasks" / "t.task.yaml").write_text(TASK.replace("prompts", "#"))
    plain = settled(Project.here(root).get_task("t"))
    assert {"prompts", "answer", "shuffle_choices", "media"}.isdisjoint(plain)
    assert settled(task(root))["media"]["fps"] == 2


def test_every_key_is_known_by_one_name() -> None:
    keys = setting_keys()
    assert len(keys) == len(set(keys))
    assert {short_key(key) for key in keys} == set(keys)
