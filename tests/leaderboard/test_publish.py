"""Whole sites: what pages say, what is written again, and what never leaves the machine."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from siteruns import JUDGED, Cell, everything, put, site, store, tree, verdict, words

from harness.collect.library import Project
from harness.errors import StoreError
from harness.leaderboard.check import check_site
from harness.leaderboard.publish import PublishOptions, publish
from harness.leaderboard.texts import Texts
from harness.records import LETTERS, Sample, Score
from harness.results.baseline import write_baseline
from harness.results.pairs import Side
from harness.results.run import ScorerInfo, SpecText, StageRow
from harness.results.store import RunReader
from tests.conftest import UserProject

ERRORS = ScorerInfo("errors", higher_is_better=False, kind="number", low=0.0, high=10.0)
LENGTH = ScorerInfo("length", neutral=True)
CLASSES = ("walk", "run", "rest")


def share(right: int, of: int = 20) -> list[float]:
    return [1.0] * right + [0.0] * (of - right)


def quiz(model: str, right: int) -> Cell:
    """A task with choices: so many answers are right, the last one cannot be read."""
    samples = [Sample(f"q{n}", "What?", LETTERS[n % 3], choices=CLASSES) for n in range(12)]
    picked = [
        Score(1.0, answer=s.target) if n < right else Score(0.0, answer="A" if n < 11 else None)
        for n, s in enumerate(samples)
    ]
    info = ScorerInfo("choice", kind="proportion", low=0.0, high=1.0)
    values = {
        "choice": [Score(0.0, answer=None) if n == 11 else one for n, one in enumerate(picked)]
    }
    return Cell(model, "quiz", values, infos={"choice": info}, samples=samples)


def sums(model: str, right: int, errors: float = 2.0) -> Cell:
    values = {
        "exact_match": [*share(right, 19), None],
        "errors": [errors] * 20,
        "length": [float(n) for n in range(20)],
    }
    return Cell(model, "sums", values, infos={"errors": ERRORS, "length": LENGTH})


def talk(model: str, value: float) -> Cell:
    said = [[verdict(value, reasoning=f"REASON {n}", raw=f"RAW {n}")] for n in range(3)]
    part = ScorerInfo("strict.accuracy[nli]", low=0.0, high=40.0, judge="strict", judged_by="nli")
    values: dict[str, Sequence[Any]] = {"strict[nli]": [value] * 3, part.name: [30] * 3}
    return Cell(
        model, "talk", values, infos={"strict[nli]": JUDGED, part.name: part}, verdicts=said
    )


def varied(task: str, variant: str, model: str, right: int) -> Cell:
    return Cell(model, task, {"exact_match": share(right, 10)}, variant)


def rich(root: Path) -> list[RunReader]:
    """Two runs of two models on five tasks."""
    cells = []
    for model, more in (("base", 0), ("tuned", 4)):
        cells += [sums(model, 8 + more, 3.0 - more / 4), quiz(model, 4 + more), talk(model, 0.5)]
        cells += [varied("video", f"fps={n}", model, n + more) for n in (1, 2, 4)]
        cells += [
            varied("blur", f"noise={a},radius={b}", model, a + b) for a in (0, 1) for b in (2, 4)
        ]
    profile = [StageRow(cell.id, "generate", 10.0, 20.0, 30.0, 100.0, 512.0) for cell in cells]
    specs = [
        SpecText("task", "sums", "tasks/sums.task.yaml",
                 "task: sums\ndescription: Adding up.\nlicence: CC0-1.0\ntags: [arithmetic]\n"
                 "data: {path: data/sums.jsonl}\nprompt: {template: 'Q: {{ input }} A:'}\n"),
        SpecText("model", "tuned", "adapters/tuned.model.yaml",
                 "model: tuned\nadapter: transformers\nbase: org/base\nlora: ./out\n"),
    ]  # fmt: skip
    bases = {"tuned": "base"}
    first = store(root, *cells, baselines=bases, specs=specs, profile=profile)
    second = store(root, sums("tuned", 18, 1.0), after=60, baselines=bases, specs=specs)
    return [first, second]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a rich site."""
    root = tmp_path_factory.mktemp("rich")
    site(rich(root / "runs"), root / "site", title="Ours")
    return root / "site"


# --------------------------------------------------------------------------- what pages say


def test_a_site_is_clean(built: Path) -> None:
    assert check_site(built).problems == ()


def test_the_first_page_says_who_leads_and_what_the_data_cannot_tell(built: Path) -> None:
    said = words(built / "index.html")
    assert "sums (exact_match): tuned has the best value, 0.947" in said
    assert "tuned against base: +0.526, real" in said
    assert (
        "Samples without a score, left out of every mean and counted: 1 of base, 1 of tuned."
        in (said)
    )
    assert "Ours" in said


def test_the_newest_run_counts_and_the_older_one_is_history(built: Path) -> None:
    board = put(built / "data" / "board.js")
    (cell,) = [c for c in board["cells"] if (c["task"], c["model"]) == ("sums", "tuned")]
    assert cell["metrics"]["exact_match"][0] == pytest.approx(18 / 19, abs=1e-6)
    assert cell["metrics"]["exact_match"][3:] == [19, 1]
    points = put(built / "data" / "history.js")["points"]
    column = next(
        c["id"] for c in board["columns"] if c["metric"] == "exact_match" and c["primary"]
    )
    own = [p for p in points if p["model"] == "tuned" and p["column"] == column]
    assert [round(p["value"], 3) for p in own] == [0.632, 0.947]
    said = words(built / "history.html")
    assert said.index("2026-11-20 16:16") < said.index("2026-11-20 16:15")  # newest first


def test_the_board_knows_its_columns_models_and_tasks(built: Path) -> None:
    board = put(built / "data" / "board.js")
    assert (board["schema"], board["title"], board["texts"], board["shard"]) == (
        1,
        "Ours",
        True,
        1000,
    )
    kinds = {c["metric"]: (c["higher"], c["neutral"], c["primary"]) for c in board["columns"]
             if c["task"] == "sums"}  # fmt: skip
    assert kinds == {
        "exact_match": (True, False, True),
        "errors": (False, False, False),
        "length": (True, True, False),
    }
    assert [(m["id"], m["baseline"]) for m in board["models"]] == [
        ("base", None),
        ("tuned", "base"),
    ]
    tasks = {t["name"]: (t["variants"], t["primary"], t["choices"]) for t in board["tasks"]}
    assert tasks["quiz"] == ([""], "choice", True)
    assert tasks["video"][0] == ["fps=1", "fps=2", "fps=4"]
    assert [c["judges"] for c in board["cells"] if c["task"] == "talk"] == [["strict"], ["strict"]]
    for cell in board["cells"]:
        assert (built / cell["dir"] / "scores.js").is_file()
        assert (built / cell["samples"] / "index.js").is_file()
    assert board["cells"][0]["whole"] is True


def test_comparisons_are_rows_of_named_fields(built: Path) -> None:
    value = put(built / "data" / "comparisons.js")
    assert value["refused"] == []
    rows = [dict(zip(value["fields"], row, strict=True)) for row in value["rows"]]
    (row,) = [r for r in rows if (r["task"], r["metric"]) == ("sums", "exact_match")]
    assert (row["a"], row["b"], row["n"]) == ("base", "tuned", 19)
    assert (row["wins"], row["ties"], row["losses"]) == (10, 9, 0)
    assert (row["words"], row["kind"]) == ("real", "better")
    (errors,) = [r for r in rows if (r["task"], r["metric"]) == ("sums", "errors")]
    assert errors["diff"] == -2
    assert errors["kind"] in ("better", "few", "none")


def test_differences_can_be_read_without_scripts(built: Path) -> None:
    said = words(built / "compare.html")
    assert "Differences to the baselines" in said
    assert "sums exact match tuned base 0.421 0.947 +0.526" in said


def test_a_task_with_choices_has_classes_and_confusions(built: Path) -> None:
    page = (built / "task-quiz.html").read_text("utf-8")
    said = words(built / "task-quiz.html")
    assert "base walk 4" in said
    assert "(unreadable)" in page
    titles = re.findall(r"<figcaption><h3>(.*?)</h3>", page)
    assert "Share of each class recognised" in titles
    assert "What was taken for what" in titles


def test_settings_make_a_curve_and_heat_maps(built: Path) -> None:
    titles = {
        task: re.findall(r"<figcaption><h3>(.*?)</h3>", (built / f"task-{task}.html").read_text())
        for task in ("video", "blur")
    }
    assert "exact_match over fps" in titles["video"]
    assert {
        "base: exact_match over noise and radius",
        "tuned: exact_match over noise and radius",
    } < (set(titles["blur"]))


def test_a_judged_task_has_its_criteria_and_verdicts(built: Path) -> None:
    titles = re.findall(r"<figcaption><h3>(.*?)</h3>", (built / "task-talk.html").read_text())
    assert "strict: criteria" in titles
    board = put(built / "data" / "board.js")
    (cell,) = [c for c in board["cells"] if (c["task"], c["model"]) == ("talk", "base")]
    said = put(built / cell["dir"] / "0001.js")["verdicts"]["strict"]
    assert [one["reasoning"] for one in said] == ["REASON 0", "REASON 1", "REASON 2"]


def test_pages_of_tasks_and_models_tell_what_the_specs_say(built: Path) -> None:
    task = words(built / "task-sums.html")
    for part in ("Adding up.", "CC0-1.0", "data/sums.jsonl", "arithmetic", "Q: {{ input }} A:",
                 "a prompt as tuned read it"):  # fmt: skip
        assert part in task
    model = words(built / "model-tuned.html")
    for part in ("LoRA of base", "transformers", "org/base", "Speed and memory", "lora: ./out"):
        assert part in model


def test_examples_are_the_worst_of_the_newest_run_with_every_answer(built: Path) -> None:
    said = words(built / "task-sums.html")
    assert "s019" in said  # it failed
    assert "s018" in said  # it is wrong
    assert "answer 18 of base" in said
    assert "no answer" in said


def test_downloads_hold_every_metric(built: Path) -> None:
    rows = json.loads((built / "data" / "board.json").read_bytes())
    lines = (built / "data" / "board.csv").read_text("utf-8").splitlines()
    assert len(lines) == len(rows) + 1
    assert lines[0].startswith("run,task,variant,model,metric,value")
    assert {row["metric"] for row in rows} >= {"exact_match", "errors", "length", "choice"}


def test_trade_offs_know_costs(built: Path) -> None:
    value = put(built / "data" / "trade.js")
    assert [key for key, _ in value["costs"]] == [
        "latency_p50_ms", "latency_p95_ms", "peak_memory_mb", "completion_tokens",
    ]  # fmt: skip
    boards = put(built / "data" / "board.js")["columns"]
    neutral = {c["id"] for c in boards if c["neutral"]}
    assert not neutral & {point["column"] for point in value["points"]}


# --------------------------------------------------------------------------- what is left out

SECRET = "Ann-4711"


def secret(root: Path) -> RunReader:
    """A run with a name in every kind of text, and words that tell each kind apart."""
    samples = [
        Sample(f"s{n}", f"INPUT {SECRET} {n}", f"TARGET {SECRET}", media=(f"{SECRET}.png",),
               row={"who": SECRET, "deep": [{"x": f'"{SECRET}"'}]})
        for n in range(3)
    ]  # fmt: skip
    specs = [
        SpecText("task", "talk", "tasks/talk.task.yaml",
                 f"task: talk\ndescription: About {SECRET}.\n"
                 f"prompt: {{template: 'TEMPLATE {SECRET}'}}\n"),
        SpecText("model", "base", "adapters/base.model.yaml",
                 f"model: base\ndescription: Of {SECRET}\nlicence: {SECRET}\n"),
    ]  # fmt: skip
    cells = [
        Cell(
            model, "talk",
            {"strict[nli]": [Score(0.5, answer=f"READ {SECRET}", explanation=f"NOTE {SECRET}"),
                             Score(0.1), None]},
            infos={"strict[nli]": JUDGED},
            samples=samples,
            texts=[f"ANSWER {SECRET}"] * 3,
            prompts=[f"PROMPT {SECRET}"] * 3,
            errors={2: f"FAULT {SECRET}"},
            verdicts=[[verdict(0.5, reasoning=f"REASON {SECRET}", raw=f"RAW {SECRET}")],
                      [verdict(None, error=f"QUOTED {SECRET}", raw=f"BAD {SECRET}")]],
        )
        for model in ("base", "tuned")
    ]  # fmt: skip
    return store(root, *cells, specs=specs, baselines={"tuned": "base"})


def test_no_text_leaves_no_answer_no_reply_and_no_prompt_anywhere(tmp_path: Path) -> None:
    run = secret(tmp_path / "runs")
    kinds = ["ANSWER", "PROMPT", "REASON", "RAW", "QUOTED", "BAD", "FAULT", "READ", "NOTE"]
    site([run], tmp_path / "all", texts=Texts(prompts=True))
    told = everything(tmp_path / "all")
    assert [kind for kind in kinds if f"{kind} {SECRET}" not in told] == []
    site([run], tmp_path / "none", texts=Texts(answers=False, prompts=True))
    told = everything(tmp_path / "none")
    assert [kind for kind in kinds if f"{kind} {SECRET}" in told] == []
    for kept in ("INPUT", "TARGET", "TEMPLATE"):
        assert f"{kept} {SECRET}" in told
    footer = words(tmp_path / "none" / "index.html")
    assert "Answers, judges' replies and prompts were left out of this site" in footer
    assert put(tmp_path / "none" / "data" / "board.js")["texts"] is False
    assert check_site(tmp_path / "none").problems == ()


def test_what_is_redacted_is_nowhere(tmp_path: Path) -> None:
    run = secret(tmp_path / "runs")
    site([run], tmp_path / "site", texts=Texts.of([r"Ann-\d+"], prompts=True))
    told = everything(tmp_path / "site")
    assert SECRET not in told
    for kind in ("ANSWER", "PROMPT", "REASON", "INPUT", "TARGET", "TEMPLATE", "About"):
        assert f"{kind} [redacted]" in told
    assert check_site(tmp_path / "site").problems == ()


def test_folders_of_this_machine_are_not_told(project: UserProject) -> None:
    root = project.root
    text = f"model: base\nadapter: transformers\nbase: {root}/weights/llama\nlora: {root}/out\n"
    task = f"task: sums\ndata: {{path: {root}/data/sums.jsonl}}\n"
    specs = [
        SpecText("model", "base", str(root / "adapters" / "base.model.yaml"), text),
        SpecText("task", "sums", str(root / "tasks" / "sums.task.yaml"), task),
    ]
    site([store(root / "runs", Cell(), specs=specs)], root / "site")
    told = everything(root / "site")
    assert str(root) not in told
    assert "weights/llama" in told


# --------------------------------------------------------------------------- again


def times(root: Path) -> dict[str, float]:
    return {str(p.relative_to(root)): p.stat().st_mtime for p in root.rglob("*") if p.is_file()}


def aged(root: Path) -> None:
    """Every file of the site was written long ago."""
    for path in root.rglob("*"):
        os.utime(path, (1, 1))


def changed(root: Path) -> set[str]:
    return {path for path, time in times(root).items() if time != 1}


@pytest.fixture
def runs(tmp_path: Path) -> list[RunReader]:
    bases = {"tuned": "base"}
    return [
        store(tmp_path / "runs", Cell(), Cell("tuned"), baselines=bases),
        store(tmp_path / "runs", Cell("tuned", values={"exact_match": [1, 1]}), after=60,
              baselines=bases),
    ]  # fmt: skip


def test_the_same_runs_make_the_same_bytes(tmp_path: Path, runs: list[RunReader]) -> None:
    site(runs, tmp_path / "one")
    site(runs[::-1], tmp_path / "two")
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_nothing_changed_nothing_written(tmp_path: Path, runs: list[RunReader]) -> None:
    first = site(runs, tmp_path / "site")
    assert (first.current, first.written, first.files) == (
        False,
        first.files,
        len(tree(first.to)) - 1,
    )
    aged(first.to)
    again = site([*runs, runs[0]], first.to)
    assert (again.current, again.written) == (True, 0)
    assert (again.runs, again.models, again.tasks) == (2, 2, 1)
    assert (again.files, again.bytes) == (first.files, first.bytes)
    assert changed(first.to) == set()
    fresh = site(runs, first.to, fresh=True)
    assert (fresh.current, fresh.written) == (False, 0)  # it was the same all the same


def test_a_new_run_brings_its_data_and_the_pages(tmp_path: Path, runs: list[RunReader]) -> None:
    root = tmp_path / "site"
    site(runs[:1], root)
    aged(root)
    done = site(runs, root)
    assert done.changed_runs == (runs[1].run_id,)
    new = changed(root)
    assert not any(path.startswith(f"data/runs/{runs[0].run_id}") for path in new)
    assert not any(path.startswith(("data/samples", "assets")) for path in new)
    assert f"data/runs/{runs[1].run_id}/manifest.json" in new
    assert {"index.html", "data/board.js", "published.json"} <= new
    other = tmp_path / "other"
    site(runs, other)
    assert tree(root) == tree(other)


def test_a_run_that_is_gone_leaves_nothing(tmp_path: Path, runs: list[RunReader]) -> None:
    more = store(tmp_path / "runs", Cell("third", "words"), after=90)
    site([*runs, more], tmp_path / "site")
    site(runs[:1], tmp_path / "site")
    site(runs[:1], tmp_path / "other")
    assert tree(tmp_path / "site") == tree(tmp_path / "other")


def test_other_options_make_another_site(tmp_path: Path, runs: list[RunReader]) -> None:
    site(runs, tmp_path / "site")
    done = site(runs, tmp_path / "site", texts=Texts.of(["answer"]), title="Theirs")
    assert set(done.changed_runs) == {run.run_id for run in runs}
    site(runs, tmp_path / "other", texts=Texts.of(["answer"]), title="Theirs")
    assert tree(tmp_path / "site") == tree(tmp_path / "other")


@pytest.mark.parametrize("how", ["deleted", "truncated"])
def test_damage_is_healed(tmp_path: Path, runs: list[RunReader], how: str) -> None:
    root = tmp_path / "site"
    site(runs, root)
    whole = tree(root)
    data = ("scores.js", "0001.js", "completions.parquet")
    victims = ["index.html", "assets/site.js", "data/board.js", "published.json"]
    victims += [path for path in whole if path.endswith(data)]
    for name in victims:
        if how == "truncated":
            (root / name).write_bytes(whole[name][:7])
        elif name != "published.json":
            (root / name).unlink()
    done = site(runs, root)
    assert not done.current
    assert tree(root) == whole


def test_a_damaged_run_is_one_line_and_the_site_stays(
    tmp_path: Path, runs: list[RunReader]
) -> None:
    root = tmp_path / "site"
    site(runs[:1], root)
    before = tree(root)
    file = runs[1].path / "completions.parquet"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(StoreError, match=r"completions\.parquet") as error:
        site(runs, root)
    assert "\n" not in str(error.value)
    assert tree(root) == before


def test_the_others_are_published_and_the_mended_run_again(
    tmp_path: Path, runs: list[RunReader]
) -> None:
    root, file = tmp_path / "site", runs[1].path / "scores.parquet"
    whole = file.read_bytes()
    file.write_bytes(whole[:100])
    done = site(runs, root, lenient=True)
    assert done.runs == 1
    assert len(done.left_out) == 1
    assert "scores.parquet" in done.left_out[0]
    site(runs[:1], tmp_path / "other")
    assert files(root) == files(tmp_path / "other")
    file.write_bytes(whole)
    assert site(runs, root, lenient=True).runs == 2


@pytest.mark.parametrize("table", ["samples", "metrics", "completions", "scores"])
def test_a_run_that_was_published_and_is_damaged_since(
    tmp_path: Path, runs: list[RunReader], table: str
) -> None:
    root, file = tmp_path / "site", runs[1].path / f"{table}.parquet"
    site(runs, root)
    file.write_bytes(file.read_bytes()[:100])
    more = [*runs, store(tmp_path / "runs", Cell("third"), after=90)]
    done = site(more, root, lenient=True, texts=Texts.of(["xyz"]))
    assert [f"{table}.parquet" in why for why in done.left_out] == [True]
    assert done.runs == 2


def files(root: Path) -> dict[str, bytes]:
    """The files of a site, without what it says of itself."""
    return {path: body for path, body in tree(root).items() if path != "published.json"}


def test_no_sound_run_at_all(tmp_path: Path, runs: list[RunReader]) -> None:
    (runs[0].path / "scores.parquet").write_bytes(b"")
    with pytest.raises(StoreError, match="no run can be published: "):
        site(runs[:1], tmp_path / "site", lenient=True)
    with pytest.raises(StoreError, match="no runs to publish"):
        publish([], tmp_path / "site", PublishOptions())
    assert not (tmp_path / "site" / "index.html").exists()
    site([], tmp_path / "view", live=True)  # as `harness view` does
    assert "no run" in words(tmp_path / "view" / "index.html").lower()


def test_a_full_disk_is_one_line(
    tmp_path: Path, runs: list[RunReader], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As /dev/full says it: no space left on device."""
    root = tmp_path / "site"
    site(runs[:1], root)

    def full(self: Path, body: bytes) -> int:
        with open("/dev/full", "wb") as file:
            return file.write(body)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(
            StoreError, match=r"cannot write the site to .*: No space left on device"
        ):
            site(runs, root)
    assert not list(root.rglob(".tmp-*"))
    site(runs, root)
    site(runs, tmp_path / "other")
    assert tree(root) == tree(tmp_path / "other")


# --------------------------------------------------------------------------- hostile

HOSTILE = [
    "</script><script>alert(1)</script><img src=x onerror=alert(1)>",
    "\u2028\u202egnp.exe\u2069 nul \x00 bell \x07 escape \x1b[31m",
    "W" * 10_000,
    "../../x",
    "/etc/passwd",
    "con",
    "NUL.txt:b*c?d|e\\",
    "'\"` onload=alert(1) x='{{ 7 * 7 }}{% raw %}",
    "",
    "naïve 🦙",
]


def hostile(root: Path) -> RunReader:
    """Every such text is a task, a model, a class, a sample, an input, an answer and a judge's."""
    infos = {"choice": ScorerInfo("choice", kind="proportion", low=0.0, high=1.0)}
    cells = []
    for n, text in enumerate(HOSTILE):
        choices = (text, f"not {text}")
        samples = [
            Sample(f"{text} {i}", text, "AB"[i % 2], choices=choices, media=(text,), cluster=text,
                   row={text: text})
            for i in range(3)
        ]  # fmt: skip
        scores = [Score(1.0, answer="A", explanation=text), Score(0.0, answer="A"), None]
        cells += [
            Cell(
                model, text, {"choice": scores}, variant, infos,
                samples=samples,
                texts=[text] * 3,
                prompts=[text] * 3,
                errors={2: text},
                verdicts=[[verdict(0.5, judge=text or "j", reasoning=text, raw=text)]],
            )
            for model in {HOSTILE[0], text}
            for variant in ("", f"{text}=1,{text}")[: 1 + (n == 0)]
        ]  # fmt: skip
    specs = [
        SpecText("task", text, text, f"task: x\ndescription: {json.dumps(text)}\n"
                 f"tags: [{json.dumps(text)}]\nprompt: {{template: {json.dumps(text)}}}\n")
        for text in HOSTILE
    ] + [
        SpecText("model", text, text, f"description: {json.dumps(text)}\n{text}\nhalf \ud83d")
        for text in HOSTILE
    ]  # fmt: skip
    bases = dict.fromkeys(HOSTILE[1:], HOSTILE[0])
    return store(root, *cells, specs=specs, baselines=bases)


@pytest.fixture(scope="module")
def trap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a site of hostile names and texts."""
    root = tmp_path_factory.mktemp("hostile")
    site([hostile(root / "runs")], root / "deep" / "down" / "site", title=HOSTILE[0])
    return root / "deep" / "down" / "site"


def test_hostile_names_stay_inside_the_site(trap: Path) -> None:
    assert {path.name for path in trap.parent.iterdir()} == {"site"}
    assert {path.name for path in trap.parent.parent.iterdir()} == {"down"}
    for path in tree(trap):
        assert re.fullmatch(r"[a-z0-9._/-]+", path)
        assert all(len(part) < 100 for part in path.split("/"))
    pages = [path for path in tree(trap) if path.startswith("task-")]
    assert len(pages) == len(HOSTILE)


def test_hostile_texts_are_only_ever_texts(trap: Path) -> None:
    assert check_site(trap).problems == ()
    for path in sorted(trap.rglob("*.js")):
        if path.is_relative_to(trap / "data"):
            put(path)
    for path in sorted(trap.glob("*.html")):
        page = path.read_text("utf-8")
        assert "<script>alert" not in page
        assert not re.search(r"<img[^>]*onerror", page)
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", page)
        scripts = re.findall(r"<script([^>]*)>(.*?)</script>", page, re.DOTALL)
        for attributes, body in scripts:
            assert 'type="application/json"' in attributes or not body


def test_hostile_answers_arrive_as_they_were(trap: Path) -> None:
    board = put(trap / "data" / "board.js")
    assert {cell["task"] for cell in board["cells"]} == set(HOSTILE)
    for cell in board["cells"]:
        told = put(trap / cell["dir"] / "0001.js")
        assert told["text"] == [cell["task"], cell["task"], ""]
        assert told.get("error", [""])[-1] == cell["task"]
    assert len({column["id"] for column in board["columns"]}) == len(board["columns"])
    assert len({model["id"] for model in board["models"]}) == len(board["models"])


# --------------------------------------------------------------------------- beside the runs


def test_a_project_gives_what_runs_do_not_hold(project: UserProject) -> None:
    from PIL import Image

    project.add_sums(3)
    project.write("tasks/sums/README.md", "Notes of **ours**: /home is where the heart is.")
    picture = project.root / "tasks" / "sums" / "data" / "a.png"
    Image.new("RGB", (900, 600), (9, 9, 9)).save(picture)
    samples = [Sample(f"s{n}", "?", "!", media=("a.png", "gone.png")) for n in range(2)]
    run = store(project.root / "runs", Cell(samples=samples))
    site([run], project.root / "site", project=Project.here())
    assert "Notes of **ours**" in words(project.root / "site" / "task-sums.html")
    (cell,) = put(project.root / "site" / "data" / "board.js")["cells"]
    media = put(project.root / "site" / cell["samples"] / "0001.js")["media"]
    assert [[one["kind"] for one in both] for both in media] == [["image", "missing"]] * 2
    assert (project.root / "site" / media[0][0]["src"]).stat().st_size < 10_000
    project.write("tasks/sums/README.md", "Other notes.")
    assert not site([run], project.root / "site", project=Project.here()).current
    assert "Other notes." in words(project.root / "site" / "task-sums.html")
    shutil.rmtree(project.root / "tasks")
    site([run], project.root / "site", project=None)
    assert not (project.root / "site" / "media").exists()
    assert check_site(project.root / "site").problems == ()


def test_numbers_that_are_none_and_empty_cells(tmp_path: Path) -> None:
    """Every sample failed, a value is infinite, a model has no latency: still a site."""
    info = ScorerInfo("perplexity", higher_is_better=False, aggregate="perplexity")
    huge = [Score(1e6, detail=(1e6, 1.0)), Score(1e6, detail=(1e6, 1.0))]
    run = store(
        tmp_path / "runs",
        Cell("a", values={"exact_match": [None, None]}),
        Cell("b", values={"exact_match": [1, 0]}),
        Cell("a", "ppl", {"perplexity": huge}, infos={"perplexity": info}),
        Cell("b", "ppl", {"perplexity": [None, None]}, infos={"perplexity": info}),
        baselines={"b": "a"},
    )
    site([run], tmp_path / "site")
    assert check_site(tmp_path / "site").problems == ()
    for name in ("board", "comparisons", "trade", "history"):
        put(tmp_path / "site" / "data" / f"{name}.js")


def test_a_baseline_can_be_shown_as_far_as_it_goes(tmp_path: Path, runs: list[RunReader]) -> None:
    """It keeps scores; inputs and answers only if it was told to."""
    for answers in (False, True):
        places = write_baseline(tmp_path / f"b{answers}", Side(runs[0], "base"), answers=answers)
        root = tmp_path / f"site{answers}"
        site([RunReader(place) for place in places], root)
        assert check_site(root).problems == ()
        (cell,) = put(root / "data" / "board.js")["cells"]
        assert put(root / cell["dir"] / "scores.js")["metrics"] == {"exact_match": [1, 0]}
        assert put(root / cell["dir"] / "0001.js")["i"] == [0, 1]


def test_a_profile_of_a_task_that_nobody_scored_has_its_page(tmp_path: Path) -> None:
    whole = store(tmp_path / "runs", Cell())
    cells = [Cell(task="timed", variant=f"batch_size={n}") for n in (1, 2)]
    times = [
        StageRow(cell.id, stage, mean=2.0, p50=2.0, p95=3.0, p99=4.0)
        for cell in cells
        for stage in ("preprocess", "generate", "total")
    ]
    settings = {"profile": "after 3 to warm up", "limit": "2"}
    timed = store(tmp_path / "runs", *cells, after=9, profile=times, settings=settings)
    site([whole, timed], tmp_path / "site")
    assert not check_site(tmp_path / "site").problems
    columns = {one["task"] for one in put(tmp_path / "site" / "data" / "board.js")["columns"]}
    assert columns == {"sums"}
    assert "1 column " in words(tmp_path / "site" / "index.html")
    assert "exact_match" not in words(tmp_path / "site" / "task-timed.html")
    assert "latency by stage" in words(tmp_path / "site" / "model-base.html").lower()
