"""SUMMARY.md and examples.md: what they claim, what they warn of, and that text stays text."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from reportruns import Cell, check_latex, store

from harness.leaderboard.report.build import ReportOptions, make_report
from harness.records import Verdict
from harness.results.run import ScorerInfo

HIGH = [0.8 + at / 100 for at in range(12)]
LOW = [0.2 + at / 50 for at in range(12)]
NEAR = [one + 0.01 * (-1) ** at for at, one in enumerate(LOW)]
BASE = {"tuned": "base"}
HOSTILE = (
    "</script><img src=x onerror=alert(1)>|`x`\n# head\n```\n[l](http://e) \\input{x} %$&_^ \x1b[2J"
)


def texts(root: Path, **more: object) -> dict[str, str]:
    options = ReportOptions(figures=False, **more)  # type: ignore[arg-type]
    return {name: body.decode() for name, body in make_report(root, options).items()}


def test_a_real_lead_and_one_that_is_none(tmp_path: Path) -> None:
    store(
        tmp_path,
        *(Cell("easy", m, {"f1": v}) for m, v in (("base", LOW), ("tuned", HIGH))),
        *(Cell("hard", m, {"f1": v}) for m, v in (("base", LOW), ("tuned", NEAR))),
        baselines=BASE,
    )
    summary = texts(tmp_path)["SUMMARY.md"]
    assert "- **easy** (f1): **tuned**, and the lead is real: tuned has 0.855" in summary
    assert "- **hard** (f1): no model leads" in summary or "no model is shown to be best" in summary
    assert "tuned on easy, f1: +0.545 [" in summary
    assert "**better** (p" in summary
    assert "tuned on hard, f1: 0.000 [" in summary
    assert "would mostly stay unseen here" in summary
    assert "The samples are few (12 in the smallest task)" in summary
    assert "2 comparisons were made: 2 by the first metrics" in summary


def test_failed_samples_are_counted_and_stand_in_no_value(tmp_path: Path) -> None:
    store(tmp_path, Cell("a", "m", {"f1": [1.0, 1.0, None, None]}))
    files = texts(tmp_path)
    assert "- m on a: 2 failed of 4 answers." in files["SUMMARY.md"]
    assert "| a: f1 | m | 1.000 [0.342, 1.000] | 2 | 2 |" in files["tables/master.md"]
    assert "Failed:\n\n```text\nno answer\n```" in files["examples.md"]


def test_a_model_of_which_everything_failed_is_not_dropped(tmp_path: Path) -> None:
    store(
        tmp_path,
        Cell("a", "base", {"f1": LOW}),
        Cell("a", "tuned", {"f1": [None] * 12}),
        baselines=BASE,
    )
    files = texts(tmp_path)
    assert "|  | tuned | - | 0 | 12 | - |" in files["tables/master.md"]
    assert "tuned on a, f1: no sample has a score on both sides." in files["SUMMARY.md"]
    assert "base has 0.310" in files["SUMMARY.md"]
    assert "; of tuned every sample failed." in files["SUMMARY.md"]


def test_judges_are_not_taken_at_their_word(tmp_path: Path) -> None:
    name = "strict[embedding judge, not an LLM]"
    given = {"judge": "strict", "judged_by": "embedding-judge", "same_family": True}
    info = ScorerInfo(name, kind="number", low=0, high=100, **given)  # type: ignore[arg-type]
    said = [Verdict("strict", "embedding-judge", 0, "ok", {"accuracy": 9.0}, total=9.0,
                    value=0.09, reasoning="because of this")] * 12  # fmt: skip
    cell = Cell("a", "m", {name: LOW}, infos={name: info}, verdicts=said)
    store(tmp_path, cell)
    files = texts(tmp_path)
    summary = files["SUMMARY.md"]
    assert "strict: the embedding judge is no language model" in summary
    assert "strict: nobody has measured how far people agree with it (no kappa)" in summary
    assert "strict: judged answers of its own model family" in summary
    assert "judged by embedding-judge, which is no language model" in files["tables/master.tex"]
    assert "strict (embedding-judge): 9.000 (accuracy 9):" in files["examples.md"]
    assert "because of this" in files["examples.md"]


def test_reported_numbers_are_told_apart_and_can_be_left_out(tmp_path: Path) -> None:
    values = {"rouge_l": LOW, "semantic_similarity[minilm]": LOW}
    store(tmp_path, Cell("vad_approach", "m", values))
    files = texts(tmp_path)
    assert "Numbers marked as reported were measured by others" in files["SUMMARY.md"]
    assert (
        "*Llama-3.2-3B \u2020* | - | *0.255* | *0.39* | *0.041* |" in files["tables/similarity.md"]
    )
    assert "reported,,Llama" not in files["tables/similarity.csv"]
    assert files["tables/similarity.csv"].count("reported, not measured here") == 6
    without = texts(tmp_path, reference=False)
    assert not [name for name, text in without.items() if "\u2020" in text or "dagger" in text]


def test_examples_are_the_best_and_the_worst(tmp_path: Path) -> None:
    store(tmp_path, Cell("a", "m", {"f1": [0.5, 0.9, 0.1, 0.6, 0.7]}))
    found = texts(tmp_path)["examples.md"]
    heads = re.findall(r"\*\*(Best|Worst): (s\d+)\*\*, f1 ([\d.]+)", found)
    assert heads == [("Best", "s001", "0.900"), ("Best", "s004", "0.700"),
                     ("Worst", "s002", "0.100"), ("Worst", "s000", "0.500")]  # fmt: skip


def test_choices_are_spelled(tmp_path: Path) -> None:
    store(tmp_path, Cell("a", "m", choices=("yes", "no"), targets=["yes", "no", "no"],
                         answers=["yes", "yes", "no"], texts=["", "", ""]))  # fmt: skip
    found = texts(tmp_path)["examples.md"]
    assert "Reference:\n\n```text\nB: no\n```\n\nAnswer:\n\n```text\nA: yes\n```" in found


def test_long_texts_are_cut_and_say_so(tmp_path: Path) -> None:
    store(tmp_path, Cell("a", "m", {"f1": [0.1]}, texts=["x" * 5000]))
    found = texts(tmp_path)["examples.md"]
    assert "x" * 2000 + "\n... (5,000 characters in all)" in found
    assert "x" * 2001 not in found


@pytest.fixture
def hostile(tmp_path: Path) -> dict[str, str]:
    name = "evil|`m`<b>&_%$"
    verdict = Verdict("j", "j", 0, "ok", {HOSTILE: 1.0}, total=1.0, value=1.0, reasoning=HOSTILE)
    info = ScorerInfo("j", judge="j", judged_by=HOSTILE)
    store(
        tmp_path,
        Cell("animal_actions", name, {"f1": [0.1, 0.9], "j": [1.0, 1.0]}, variant="fps=1|2",
             infos={"j": info}, texts=[HOSTILE] * 2, inputs=[HOSTILE] * 2, verdicts=[verdict] * 2),
    )  # fmt: skip
    return texts(tmp_path)


def test_hostile_text_stays_text_in_markdown(hostile: dict[str, str]) -> None:
    reader = MarkdownIt("commonmark", {"html": True}).enable("table")
    for name, text in hostile.items():
        if name.endswith(".md"):
            page = reader.render(text)
            assert "<img" not in page, name
            assert "<script" not in page, name
            assert "<b>" not in page, name
            assert 'href="http' not in page, name
            assert "<h1>head" not in page, name
    cells = re.findall(r"<td.*?>(.*?)</td>", reader.render(hostile["tables/master.md"]))
    assert html.unescape(cells[1]) == "evil|`m`<b>&_%$"


def test_hostile_text_stays_text_in_latex(hostile: dict[str, str]) -> None:
    found = [name for name in hostile if name.startswith("tables/") and name.endswith(".tex")]
    assert "tables/video_errors.tex" in found
    for name in found:
        check_latex(hostile[name])
        assert "\\input" not in hostile[name]


def test_file_names_are_harmless(tmp_path: Path) -> None:
    choices = ("a", "b")
    cell = Cell("../../up", "../m", choices=choices, targets=["a"] * 3, answers=["b"] * 3)
    store(tmp_path, cell)
    names = list(texts(tmp_path))
    assert all(re.fullmatch(r"(tables/)?[A-Za-z0-9_.=-]+", name) for name in names)
    assert not [name for name in names if ".." in name]


def test_names_that_look_alike_have_files_of_their_own(tmp_path: Path) -> None:
    given = {"choices": ("a", "b"), "targets": ["a"] * 3, "answers": ["b"] * 3}
    store(tmp_path, Cell("t", "m/1", **given), Cell("t", "M_1", **given))  # type: ignore[arg-type]
    names = [name for name in texts(tmp_path) if name.startswith("tables/confusion")]
    assert len({name.casefold() for name in names}) == 6


def test_the_paper_sets_every_table(tmp_path: Path) -> None:
    store(tmp_path, Cell("a", "m", {"f1": LOW}))
    files = texts(tmp_path)
    inputs = re.findall(r"\\input\{(.*?)\}", files["paper.tex"])
    tables = [name for name in files if name.startswith("tables/") and name.endswith(".tex")]
    assert [f"{name}.tex" for name in inputs] == tables
    assert files["paper.tex"].startswith("\\documentclass")
    assert files["paper.tex"].endswith("\\end{document}\n")
