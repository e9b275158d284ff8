"""`harness collect`, `harness new` and `harness schema`, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cli import main


class Shell:
    """A user in an empty folder."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self._capsys = root, capsys
        self.out = self.err = ""

    def __call__(self, *arguments: str) -> int:
        self._capsys.readouterr()
        code = main(arguments)
        self.out, self.err = self._capsys.readouterr()
        return code


@pytest.fixture
def harness(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path, capsys)


def test_the_way_from_an_empty_folder_to_a_cell(harness: Shell) -> None:
    assert harness("new", "task", "capitals") == 0
    assert harness.out.splitlines() == [
        "wrote tasks/capitals/capitals.task.yaml",
        "wrote tasks/capitals/data/capitals.jsonl",
        "wrote tasks/capitals/README.md",
        "",
        "next:",
        "  harness collect capitals",
        "  harness run capitals -m tiny-llama",
    ]
    assert harness("collect", "capitals", "--model", "tiny-llama") == 0
    lines = harness.out.splitlines()
    assert lines[:3] == [
        f"project {harness.root}",
        "  tasks/capitals/capitals.task.yaml",
        "    capitals[tiny-llama]",
    ]
    assert lines[-1].startswith("1 cell (1 task x 1 model), 0 errors in ")


def test_without_arguments_project_and_bundled_library_are_listed(harness: Shell) -> None:
    harness("new", "task", "capitals")
    assert harness("collect") == 0
    assert harness.out.index("project ") < harness.out.index("bundled library")
    assert "    vad_approach[tiny-llama]" in harness.out.splitlines()


def test_an_empty_folder_sees_the_bundled_library(harness: Shell) -> None:
    assert harness("collect", "-q", "-k", "vad_approach and tiny-llama") == 0
    assert harness.out == "tasks/vad_approach/vad_approach.task.yaml::vad_approach[tiny-llama]\n"
    assert harness.err.startswith("1 cell ")


def test_what_is_printed_can_be_typed_again(harness: Shell) -> None:
    harness("new", "task", "capitals")
    harness("collect", "capitals", "--set", "generate.temperature=0,0.7", "--format", "ids")
    ids = harness.out.splitlines()
    assert len(ids) >= 2
    harness("collect", *ids, "--set", "generate.temperature=0,0.7", "-q")
    assert sorted(harness.out.splitlines()) == sorted(ids)


def test_json_says_what_a_cell_is(harness: Shell) -> None:
    harness("new", "task", "capitals")
    code = harness(
        "collect", "capitals", "--model=tiny-llama", "--set=generate.top_k=1,2", "--format=json"
    )
    assert code == 0
    first = json.loads(harness.out)[0]
    assert first["id"].endswith("::capitals[tiny-llama,generate.top_k=1]")
    assert first["variant"] == {"generate.top_k": 1}
    assert (first["task"], first["model"]) == ("capitals", "tiny-llama")
    assert len(first["hash"]) == 64


def test_all_mistakes_of_all_files_and_what_is_in_order(harness: Shell) -> None:
    for name in ("north", "south", "west"):
        harness("new", "task", name)
    for name in ("north", "south"):
        path = harness.root / "tasks" / name / f"{name}.task.yaml"
        path.write_text(path.read_text().replace("version: 1", "versoin: 1"))
    assert harness("collect", "tasks", "--model", "tiny-llama") == 4
    assert harness.err.splitlines() == [
        f"tasks/{name}/{name}.task.yaml:3: unknown key 'versoin' (did you mean 'version'?)"
        for name in ("north", "south")
    ]
    assert "west[tiny-llama]" in harness.out
    assert "1 cell (1 task x 1 model), 2 errors in " in harness.out
    assert harness("collect", "west") == 0


def test_a_setting_that_fits_no_task_is_told_once(harness: Shell) -> None:
    harness("new", "task", "north")
    harness("new", "task", "south")
    assert harness("collect", "tasks", "--set", "generate.topk=1") == 4
    assert harness.err == (
        "--set generate.topk: unknown setting 'generate.topk' (did you mean 'generate.top_k'?)\n"
    )


def test_selections_by_tag(harness: Shell) -> None:
    harness("new", "task", "capitals")
    assert harness("collect", "capitals", "-m", "text and embedded") == 0
    assert "capitals[tiny-llama]" in harness.out
    assert harness("collect", "capitals", "-m", "tex") == 5
    assert harness("collect", "capitals", "-m", "text or") == 4
    assert "column 8" in harness.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["-k", "nothing_of_the_kind"], 5, "0 cells (0 tasks x 0 models), 0 errors"),
        (["vad_aproach"], 4, "no task named 'vad_aproach' (did you mean 'vad_approach'?)"),
        (["--model", "tiny-lama"], 4, "no model named 'tiny-lama' (did you mean 'tiny-llama'?)"),
        (["-k", "a b"], 4, "-k 'a b': column 3: expected 'and', 'or' or the end, found 'b'"),
    ],
)
def test_exit_codes(harness: Shell, arguments: list[str], code: int, message: str) -> None:
    assert harness("collect", *arguments) == code
    assert message in harness.out + harness.err


def test_an_empty_selection_is_not_an_error_of_the_folder(harness: Shell) -> None:
    (harness.root / "empty").mkdir()
    assert harness("collect", "empty") == 5


def test_a_model_card_is_checked_alone(harness: Shell) -> None:
    harness("new", "model", "mine")
    assert harness("collect", "adapters/mine.model.yaml") == 0
    assert "  adapters/mine.model.yaml" in harness.out.splitlines()
    path = harness.root / "adapters" / "mine.model.yaml"
    path.write_text(path.read_text().replace("adapter: transformers", "adapter: transformer"))
    assert harness("collect", "adapters") == 4
    assert "adapters/mine.model.yaml:6: unknown adapter 'transformer' (did you" in harness.err
    harness("new", "task", "capitals")
    assert harness("collect", "capitals") == 0
    assert harness.err.startswith("note: adapters/mine.model.yaml:6: unknown adapter")


def test_data_outside_the_project(harness: Shell, tmp_path_factory: pytest.TempPathFactory) -> None:
    rows = tmp_path_factory.mktemp("elsewhere") / "rows.jsonl"
    rows.write_text("{}\n")
    harness("new", "task", "capitals")
    path = harness.root / "tasks" / "capitals" / "capitals.task.yaml"
    path.write_text(path.read_text().replace("data/capitals.jsonl", str(rows)))
    assert harness("collect", "capitals") == 4
    assert "data paths may not leave the project" in harness.err
    assert harness("collect", "capitals", "--allow-outside") == 0


def test_new_refuses_to_overwrite(harness: Shell) -> None:
    assert harness("new", "recipe", "mine") == 0
    assert harness("new", "recipe", "mine") == 4
    assert harness.err == "finetune/mine.recipe.yaml: exists already and is not overwritten\n"


def test_new_says_that_it_stands_in_place_of_a_bundled_one(harness: Shell) -> None:
    assert harness("new", "model", "tiny-llama") == 0
    assert "stands in place of the bundled model 'tiny-llama'" in harness.out


def test_new_in_another_folder(harness: Shell) -> None:
    assert harness("new", "judge", "strict", "--dir", "evals") == 0
    assert (harness.root / "evals" / "judges" / "strict.judge.yaml").is_file()
    assert "  cd evals" in harness.out
    assert "  harness collect judges/strict.judge.yaml" in harness.out


def test_schema_is_json(harness: Shell) -> None:
    assert harness("schema", "task") == 0
    assert json.loads(harness.out)["properties"]["version"]["type"] == "integer"


@pytest.mark.parametrize("kind", ["task", "model", "recipe", "judge"])
@pytest.mark.parametrize("name", ["true", "123", "null", "1e3", "0x1f", "plain"])
def test_new_quotes_a_name_that_yaml_would_read_as_something_else(
    harness: Shell, kind: str, name: str
) -> None:
    assert harness("new", kind, name) == 0
    assert harness("collect", harness.out.split()[1]) == 0, harness.err


def test_collect_with_data_reads_the_rows_and_renders_the_first_prompts(harness: Shell) -> None:
    for name in ("north", "south", "west"):
        harness("new", "task", name)
    assert harness("collect", "tasks", "--data", "--model", "tiny-llama") == 0
    (harness.root / "tasks" / "north" / "data" / "north.jsonl").write_text("{broken\n[]\n")
    path = harness.root / "tasks" / "south" / "south.task.yaml"
    path.write_text(path.read_text().replace("{{ input }}", "{{ inptu }}"))
    path = harness.root / "tasks" / "west" / "west.task.yaml"
    path.write_text(path.read_text().replace("num_fewshot: 2", "num_fewshot: 3"))
    assert harness("collect", "tasks", "--model", "tiny-llama") == 0
    assert harness("collect", "tasks", "--data", "--model", "tiny-llama") == 4
    assert [line.partition(": ")[0] for line in harness.err.splitlines()] == [
        "tasks/north/data/north.jsonl:1",
        "tasks/north/data/north.jsonl:2",
        "tasks/south/south.task.yaml:14",
        "tasks/west/west.task.yaml:16",
    ]
    assert "(did you mean 'input'?)" in harness.err
    assert harness.err.splitlines()[-1].endswith("num_fewshot is 3, and split 'train' has 2 rows")


def test_collect_with_data_finds_a_judge_that_lacks_its_references(harness: Shell) -> None:
    harness("new", "task", "north")
    harness("new", "judge", "strict")
    task = harness.root / "tasks/north/north.task.yaml"
    task.write_text(task.read_text().replace("- rouge_l", "- judge: strict"))
    line = task.read_text().splitlines().index("  - judge: strict") + 1
    assert harness("collect", "north", "--data", "--model", "tiny-llama") == 0, harness.err
    data = harness.root / "tasks/north/data/north.jsonl"
    rows = [json.loads(line) for line in data.read_text().splitlines()]
    bare = next(row for row in rows if row["split"] == "test")
    bare["answer"] = " "
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert harness("collect", "north", "--model", "tiny-llama") == 0  # no row was read
    assert harness("collect", "north", "--data", "--model", "tiny-llama") == 4
    what = f"judge 'strict' needs a reference, and sample '{bare['id']}' has none"
    told = f"tasks/north/north.task.yaml:{line}: {what}"
    assert told in harness.err.splitlines()
    assert harness("run", "north", "-m", "tiny-llama") == 4
    assert told in harness.err.splitlines()  # the same words


def test_few_shots_of_data_without_splits_are_the_other_rows(harness: Shell) -> None:
    harness("new", "task", "north")
    data = harness.root / "tasks" / "north" / "data" / "north.jsonl"
    rows = [{"question": f"q{number}", "answer": f"a{number}"} for number in range(3)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert harness("collect", "north", "--data") == 0
    path = harness.root / "tasks" / "north" / "north.task.yaml"
    path.write_text(path.read_text().replace("  split: test  ", "  limit: 1     "))
    assert harness("collect", "north", "--data") == 0  # of what is asked, not of the examples
    data.write_text("".join(json.dumps(row) + "\n" for row in rows[:2]))
    assert harness("collect", "north", "--data") == 4
    assert harness.err == (
        "tasks/north/north.task.yaml:16: num_fewshot is 2, and only 1 of the rows of split "
        "'train' asks something else than sample 'row-1'\n"
    )


def test_codes_of_terminals_in_files_are_escaped_and_endless_names_shortened(
    harness: Shell,
) -> None:
    harness("new", "task", "north")
    path = harness.root / "tasks" / "north" / "north.task.yaml"
    good = path.read_text()
    path.write_text(good.replace("task: north", 'task: "a\\e]0;owned\\a\\u202e"'))
    assert harness("collect", "north") == 4
    assert "a\\x1b]0;owned\\x07\\u202e" in harness.err
    assert all(line.isprintable() for line in harness.err.splitlines())
    path.write_text(good.replace("task: north", f"task: {'n' * 2_000_000}"))
    assert harness("collect", "north") == 4
    assert max(map(len, harness.err.splitlines())) <= 1000
    assert harness.err.startswith("tasks/north/north.task.yaml:2: ")


def test_a_mistake_in_a_card_or_a_recipe_is_shown_relative_to_here(harness: Shell) -> None:
    harness("new", "model", "mine")
    harness("new", "recipe", "ours")
    for path in (
        harness.root / "adapters/mine.model.yaml",
        harness.root / "finetune/ours.recipe.yaml",
    ):
        path.write_text(path.read_text().replace("description:", "descripton:"))
        for given in (str(path), str(path.relative_to(harness.root))):
            assert harness("collect", given) == 4
            told = [line for line in harness.err.splitlines() if not line.startswith("note: ")]
            assert [line.partition(":")[0] for line in told] == [
                str(path.relative_to(harness.root))
            ]
    assert harness("collect", "--model", "mine") == 4
    assert harness.err.startswith("adapters/mine.model.yaml:")


def test_a_file_that_is_almost_a_spec_is_noted(harness: Shell) -> None:
    harness("new", "task", "north")
    (harness.root / "tasks" / "x.task.yml").write_text("")
    assert harness("collect", "tasks") == 0
    assert harness.err == (
        "note: tasks/x.task.yml: not read: the name of a task's file must end in .task.yaml\n"
    )
