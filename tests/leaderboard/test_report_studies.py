"""The tables of the reference studies fill from runs whose tasks, variants and metrics fit."""

from __future__ import annotations

from pathlib import Path

import pytest
from reportruns import Cell, check_latex, store

from harness.leaderboard.reference import reference_rows
from harness.leaderboard.report import latex, markdown
from harness.leaderboard.report.build import ReportOptions, make_report
from harness.leaderboard.report.evidence import gather
from harness.leaderboard.report.paper import PaperTable
from harness.leaderboard.report.studies import STUDIES
from harness.leaderboard.report.study_tables import study_table
from harness.records import Verdict
from harness.results.run import ScorerInfo, SpecText, StageRow

CLASSES = ("Arson", "Fighting", "Normal")
TARGETS = ["Arson"] * 10 + ["Fighting"] * 10 + ["Normal"] * 20
BLIND = ["Normal"] * 40
SEEING = ["Arson"] * 9 + ["Normal"] + ["Fighting"] * 8 + ["Arson"] * 2 + ["Normal"] * 20
TUNED = {"vid-crime": "vid"}


def crime(model: str, variant: str, answers: list[str]) -> Cell:
    return Cell(
        "crime_mcq", model, variant=variant, choices=CLASSES, targets=TARGETS, answers=answers
    )


@pytest.fixture
def crimes(tmp_path: Path) -> Path:
    """Base and tuned at 1 and 6 frames a second: the tuned one sees more of them."""
    store(
        tmp_path,
        crime("vid", "fps=1", BLIND),
        crime("vid", "fps=6", BLIND),
        crime("vid-crime", "fps=1", BLIND[:35] + TARGETS[35:]),
        crime("vid-crime", "fps=6", SEEING),
        baselines=TUNED,
    )
    return tmp_path


def study(name: str, root: Path, *, reported: bool = True) -> PaperTable | None:
    (wanted,) = (one for one in STUDIES if one.name == name)
    return study_table(wanted, gather(root, []), reference_rows() if reported else [])


def rows(table: PaperTable | None) -> dict[str, list[str]]:
    assert table is not None
    return {row[0].text: [cell.text for cell in row[1:]] for row in table.rows}


def test_crime_stands_by_frames_a_second_beside_what_was_reported(crimes: Path) -> None:
    table = study("crime", crimes)
    assert table is not None
    found = rows(table)
    assert table.columns == ("model", "n", "1 fps", "6 fps")
    assert found["LLaMA-VID 7B, fine-tuned \u2020"] == ["-", "62", "65.3"]
    assert found["vid"] == ["40", "50.0", "50.0"]
    assert found["vid-crime"] == ["40", "50.0", "92.5"]
    styles = {row[0].text: row[3].style for row in table.rows}
    assert styles["vid-crime"] == "best"
    assert styles["LLaMA-VID 7B, fine-tuned \u2020"] == "reported"
    check_latex(latex.table_text(table))


def test_without_reported_numbers_only_own_ones_are_there(crimes: Path) -> None:
    table = study("crime", crimes, reported=False)
    assert set(rows(table)) == {"vid", "vid-crime"}
    assert "not measured here" not in markdown.table_text(table)  # type: ignore[arg-type]


def test_other_settings_of_a_variant_stand_in_rows_of_their_own(tmp_path: Path) -> None:
    store(tmp_path, crime("vid", "fps=1,frames=8", BLIND), crime("vid", "fps=1", BLIND))
    found = rows(study("crime", tmp_path, reported=False))
    assert set(found) == {"vid", "vid [frames=8]"}


def test_a_study_without_own_numbers_has_no_table(crimes: Path) -> None:
    assert study("peft", crimes) is None


def test_classes_and_confusion_come_with_what_was_reported(crimes: Path) -> None:
    files = texts(crimes)
    table = files["tables/crime_classes.md"]
    assert "| Arson | 10 | *43* | *43* | *33* | *56* | 0.0 [" in table
    assert "90.0 [" in table
    confusion = files["tables/confusion_crime_mcq_vid-crime_fps=6.md"]
    assert "| Fighting | 2 | 8 | . | . |" in confusion
    against = files["tables/confusion_crime_mcq_anomaly_vid-crime_fps=6.md"]
    assert "| anomaly | 19 | 1 | . |" in against
    check_all(files)


def test_accuracy_stands_beside_what_counts_every_class_the_same(crimes: Path) -> None:
    files = texts(crimes)
    assert r"| vid \[fps=6\] | 40 | 50.0 | 33.3 | 22.2 |" in files["tables/balanced_crime_mcq.md"]
    mixed = files["tables/mixed_up_crime_mcq.md"]
    assert r"| vid-crime \[fps=6\] | Fighting | Arson | 2 | 20.0 |" in mixed
    check_all(files)


def test_what_degraded_input_leaves_of_each_class(tmp_path: Path) -> None:
    store(
        tmp_path,
        crime("vid", "degrade=none", SEEING),
        crime("vid", "degrade=blur:0.5", ["Normal"] * 10 + SEEING[10:]),
    )
    files = texts(tmp_path)
    table = files["tables/robustness_by_class.md"]
    assert "| degrade=blur:0.5 | Arson | 10 | 0.900 | 0.000 | 0.0 |" in table
    assert "| Normal | 20 | 1.000 | 1.000 | 100.0 |" in table
    kept = files["tables/robustness.md"]
    assert "| 75.7 [" in kept  # 28 of 37
    check_all(files)


def verdicts(scores: list[int]) -> list[Verdict]:
    return [
        Verdict("video_match", "llama-3", 0, "ok", {"match": float(s > 2), "score": float(s)},
                total=float(s), value=s / 5, reasoning="because")
        for s in scores
    ]  # fmt: skip


def animals(model: str, variant: str, scores: list[int]) -> Cell:
    judge = {"judge": "video_match", "judged_by": "llama-3"}
    infos = {
        "video_match": ScorerInfo("video_match", kind="number", low=0, high=5, **judge),  # type: ignore[arg-type]
        "video_match.match": ScorerInfo(
            "video_match.match",
            kind="proportion",
            low=0,
            high=1,
            **judge,  # type: ignore[arg-type]
        ),
    }
    values = {
        "video_match": [float(s) for s in scores],
        "video_match.match": [float(s > 2) for s in scores],
    }
    return Cell(
        "animal_actions", model, values, variant=variant, infos=infos, verdicts=verdicts(scores)
    )


def test_animals_have_accuracy_and_score_and_errors_are_listed(tmp_path: Path) -> None:
    store(
        tmp_path,
        animals("vid", "fps=1", [0, 1, 2, 5]),
        animals("vid-animals", "fps=1", [0, 4, 5, 5]),
        baselines={"vid-animals": "vid"},
    )
    found = rows(study("animal_actions", tmp_path))
    assert found["vid"] == ["4", "25.0", "2.000", "-", "-"]
    assert found["vid-animals"] == ["4", "75.0", "3.500", "-", "-"]
    assert found["LLaMA-VID 7B \u2020"] == ["812", "18.04", "1.32", "19.5", "1.34"]
    files = texts(tmp_path)
    row = "| vid \\[fps=1\\] | Question 0? | Reference 0 | Answer 0 | no | 0.000 |"
    assert row in files["tables/video_errors.md"]
    check_all(files)


def test_reproduced_benchmarks_stand_under_their_names(tmp_path: Path) -> None:
    store(
        tmp_path,
        Cell("gqa", "vid", {"exact_match": [1.0, 0.0, 1.0]}),
        Cell("msvd_qa", "vid", {"exact_match": [1.0, 1.0, 1.0]}),
    )
    found = rows(study("video_reproduction", tmp_path))
    assert found["vid"] == ["3", "66.7", "-", "-", "-", "-", "-", "100.0"]
    assert found["LLaMA-VID 7B, the study \u2020"][1:3] == ["64.38", "65.63"]


def test_regression_is_said_only_where_it_is_shown(tmp_path: Path) -> None:
    info = {"instruction_quality": ScorerInfo("instruction_quality", judge="instruction_quality",
                                              judged_by="gpt")}  # fmt: skip
    good = [4.0 + 0.1 * (at % 4) for at in range(20)]
    cells = {
        "base": good,
        "lora": [one - 1 for one in good],
        "qlora": [one + 0.05 * (-1) ** at for at, one in enumerate(good)],
        "more": [one + 0.5 for one in good],
    }
    store(
        tmp_path,
        *(Cell("instruction_following", m, {"instruction_quality": v}, infos=info)
          for m, v in cells.items()),
        baselines={"lora": "base", "qlora": "base", "more": "base"},
    )  # fmt: skip
    found = rows(study("peft", tmp_path))
    assert found["base"] == ["20", "4.150", "-", "-"]
    assert found["lora"][2:] == ["-1.000", "regression"]
    assert found["qlora"][2:] == ["0.000", "no difference shown"]
    assert found["more"][2:] == ["+0.500", "improvement"]
    assert found["1b_lora \u2020"] == ["20", "3.15", "-0.45", "-"]


def test_retention_is_in_percent_of_the_baseline(tmp_path: Path) -> None:
    choices = ("yes", "no")
    targets = ["yes"] * 10
    cells = [
        Cell("general_retention", m, choices=choices, targets=targets,
             answers=["yes"] * right + ["no"] * (10 - right))
        for m, right in (("base", 8), ("tuned", 6))
    ]  # fmt: skip
    store(tmp_path, *cells, baselines={"tuned": "base"})
    found = rows(study("research_qa", tmp_path))
    assert found["tuned"][-1] == "75.0"
    assert found["base"][-1] == "-"
    assert found["Qwen2.5-3B, QLoRA \u2020"][-1] == "94"


# --------------------------------------------------------------------------- the design's tables


def test_degraded_input_is_paired_with_clean(tmp_path: Path) -> None:
    clean = [0.8 + 0.01 * at for at in range(15)]
    worse = [one / 2 for one in clean]
    store(
        tmp_path,
        Cell("physio_feedback", "vid", {"rouge_l": clean}, variant="fps=1"),
        Cell("physio_feedback", "vid", {"rouge_l": worse}, variant="fps=1,degrade=blur,level=2"),
        Cell("physio_feedback", "vid", {"rouge_l": clean}, variant="fps=1,degrade=noise"),
    )
    table = texts(tmp_path)["tables/robustness.md"]
    assert "| fps=1,degrade=blur,level=2 | 0.870 [" in table
    assert "| 50.0 | -0.435 [" in table  # half of every sample: no spread, no interval
    assert "kept_low" in texts(tmp_path)["tables/robustness.csv"].splitlines()[0]
    assert "| worse |" in table
    assert "no difference seen" in table


def test_headroom_is_above_what_the_task_declares(tmp_path: Path) -> None:
    text = "task: physio\ngate:\n  - {metric: rouge_l, min: 0.7}\n  - {metric: bleu, max_drop: 1}\n"
    spec = SpecText("task", "physio", "tasks/physio.task.yaml", text)
    high, low = [0.9, 0.92, 0.94, 0.92], [0.2, 0.22, 0.24, 0.21]
    wide = [0.0, 1.0, 1.0, 0.9]
    store(
        tmp_path,
        *(Cell("physio", m, {"rouge_l": v, "bleu": v}) for m, v in
          (("high", high), ("low", low), ("wide", wide))),
        specs=[spec],
    )  # fmt: skip
    files = texts(tmp_path)
    lines = files["tables/headroom.csv"].splitlines()
    reached = {line.split(",")[2]: line.split(",")[9] for line in lines[1:]}
    assert reached == {"high": "met", "low": "not met", "wide": "undecided"}
    assert "| +0.220 | met |" in files["tables/headroom.md"]


def test_latency_by_stage_and_what_to_take(tmp_path: Path) -> None:
    good, bad = Cell("a", "slow", {"f1": [0.9] * 12}), Cell("a", "fast", {"f1": [0.1] * 12})
    profile = [
        StageRow(good.id, "decode", 5.0, 6.0, 7.0),
        StageRow(good.id, "generate", 100.0, 110.0, 120.0, 30.0, 900.0),
        StageRow(bad.id, "generate", 10.0, 11.0, 12.0, 300.0, 800.0),
        StageRow(good.id, "judge strict", 999.0, 999.0, 999.0),
    ]
    store(tmp_path, good, bad, profile=profile, baselines={"slow": "fast"})
    files = texts(tmp_path)
    latency = files["tables/latency.md"]
    assert "| slow | generate | 15.50 | 3.606 | 100.0 | 110.0 | 120.0 | 30.00 | 900.0 |" in latency
    assert "| decode | - | - | 5.000 |" in latency
    assert "999" not in latency
    guidance = files["tables/guidance.md"]
    assert "| low latency | fast | f1 | 0.100 | 10.00 |" in guidance
    assert (
        "| best quality | slow | f1 | **0.900** | 105.0 | shown to be better than fast |"
        in guidance
    )
    check_all(files)


def test_the_whole_answer_is_what_a_model_is_taken_for(tmp_path: Path) -> None:
    good, bad = Cell("a", "slow", {"f1": [0.9] * 12}), Cell("a", "fast", {"f1": [0.1] * 12})
    profile = [
        StageRow(good.id, "decode", 70.0, n=12, frames_per_s=200.0),
        StageRow(good.id, "total", 50.0, n=12, mean=51.0, std=1.5, frames_per_s=320.0, size_mb=6.5),
        StageRow(bad.id, "total", 10.0, n=12, mean=11.0, std=1.0),
    ]
    store(tmp_path, good, bad, profile=profile)
    files = texts(tmp_path)
    assert "| n | mean | std | p50 | p95 | p99 | tokens/s | frames/s | MB | disk MB |" in files[
        "tables/latency.md"
    ].replace("  ", " ")
    assert (
        "| slow | total | 12 | 51.00 | 1.500 | 50.00 | - | - | - | 320.0 | - | 6.500 |"
        in files["tables/latency.md"]
    )
    assert "| best quality | slow | f1 | **0.900** | 50.00 |" in files["tables/guidance.md"]
    check_all(files)


def test_of_models_that_are_not_shown_to_differ_the_balance_takes_the_faster(
    tmp_path: Path,
) -> None:
    slow = Cell("a", "slow", {"f1": [0.5, 0.6, 0.4, 0.8]})
    fast = Cell("a", "fast", {"f1": [0.5, 0.5, 0.5, 0.7]})
    profile = [StageRow(slow.id, "generate", 12.0), StageRow(fast.id, "generate", 10.0)]
    store(tmp_path, slow, fast, profile=profile)
    guidance = texts(tmp_path)["tables/guidance.md"]
    assert "| best quality | slow | f1 | 0.575 [" in guidance
    assert "| balanced | fast |" in guidance


def texts(root: Path) -> dict[str, str]:
    files = make_report(root, ReportOptions())
    kept = (".md", ".tex", ".csv")
    return {name: body.decode() for name, body in files.items() if name.endswith(kept)}


def check_all(files: dict[str, str]) -> None:
    for name, text in files.items():
        if name.startswith("tables/") and name.endswith(".tex"):
            check_latex(text)
