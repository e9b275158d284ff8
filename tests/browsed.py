"""The site that tests look at in a browser: runs of a small project, and `harness publish`.

Tasks: `sums` (free text with a judge and a gate; failures, an empty answer), `clips` (pictures,
variants fps=1 and fps=6, two epochs) and `colours` (multiple choice). The last two are written by
hand, since recorded text has no likelihood and nobody sees the pictures. Models: `base`, and with
it as baseline `tuned` and `other`; `sums` is run twice, which makes a history.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from reportruns import Cell

from harness.records import Completion, Sample, Score
from harness.results.run import CellResult, CompletionRow, ModelInfo, Run, ScorerInfo, StageRow
from harness.results.store import write_run

if TYPE_CHECKING:
    from conftest import UserProject

TITLE = "Small models"
MODELS = ("base", "tuned", "other")
COUNT = 60
SUMS = """\
task: sums
version: 1
description: Adds two numbers and says why.
tags: [text, arithmetic]
data: {path: data/sums.jsonl, fields: {input: question, target: answer, cluster: group}}
prompt: {template: "Question: {{ input }}"}
generate: {max_new_tokens: 8}
score: [exact_match, rouge_l, {judge: strict}]
gate: [{metric: exact_match, max_drop: 0.1}]
"""
CLIPS = """\
task: clips
version: 2
description: Says what is seen.
tags: [video]
data: {path: data/clips.jsonl, fields: {input: question, target: answer, media: images}}
prompt: {template: "{{ input }}"}
score: [exact_match]
"""
JUDGE = """\
judge: strict
version: 1
model: referee
template: strict.j2
criteria:
  - {name: accuracy, max: 40}
  - {name: reasons, max: 60}
"""
TEMPLATE = "Question: {{ question }}\nReference: {{ reference }}\nAnswer: {{ answer }}\n"
REASONING = "The sum is right; the reason is thin."
CHOICES = ("red", "green", "blue", "violet")


def right(n: int) -> str:
    """The answer to the sample s<n> of `sums`."""
    return str(2 * n + 1)


def answers(wrong: int) -> dict[str, str]:
    """Answers to `sums`: every ``wrong``-th is wrong, that to s2 is empty, that to s4 missing."""
    found = {f"s{n}": right(n) if n % wrong else f"It is {n}, I think" for n in range(COUNT)}
    found["s2"] = ""
    del found["s4"]
    return found


def build_site(project: UserProject, to: Path) -> Path:
    """Run the tasks and publish; the project is the working folder meanwhile."""
    with chdir(project.root):
        _add_project(project)
        for name, wrong in zip(MODELS, (3, 4, 5), strict=True):
            _add_model(project, name, answers(wrong))
        _run("run", "sums", "-m", ",".join(MODELS), codes=(0, 1))
        _add_model(project, "tuned", answers(2))
        _run("run", "sums", "-m", ",".join(MODELS), codes=(0, 1))
        write_run(project.root / "runs", _by_hand())
        _run("publish", "--to", str(to), "--title", TITLE)
    return to


def _run(*words: str, codes: Sequence[int] = (0,)) -> None:
    from harness.cli import main

    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(words)
    assert code in codes, (words, out.getvalue(), err.getvalue())


def _add_project(project: UserProject) -> None:
    rows = [
        {
            "id": f"s{n}",
            "question": f"What is {n} and {n + 1}?",
            "answer": right(n),
            "group": f"g{n // 3}",
            "source": f"page {n}",
        }
        for n in range(COUNT)
    ]
    project.write("tasks/sums/sums.task.yaml", SUMS)
    project.write("tasks/sums/README.md", "# Sums\n\nMade for tests.\n")
    project.write_rows("tasks/sums/data/sums.jsonl", rows)
    project.write("tasks/clips/clips.task.yaml", CLIPS)
    project.write_rows("tasks/clips/data/clips.jsonl", [{"question": "?", "answer": "!"}])
    _draw(project.root / "tasks/clips/data")
    project.write("judges/strict.judge.yaml", JUDGE)
    project.write("judges/strict.j2", TEMPLATE)
    said = {"reasoning": REASONING, "accuracy": 30, "reasons": 20}
    project.add_replay(
        {f"s{n}#0": json.dumps({**said, "accuracy": 20 + n % 20}) for n in range(COUNT)}, "referee"
    )


def _add_model(project: UserProject, name: str, said: dict[str, str]) -> None:
    project.add_replay(said, name)
    if name != "base":
        card = project.root / f"adapters/{name}.model.yaml"
        card.write_text(card.read_text() + "baseline: base\n")


def _draw(folder: Path) -> None:
    from PIL import Image

    for n in range(3):
        Image.new("RGB", (64, 48), (60 * n, 90, 200)).save(folder / f"clip{n}.png")


# --------------------------------------------------------------------------- made by hand


def _by_hand() -> Run:
    """`colours` and `clips`, after all others."""
    started = datetime.now(UTC) + timedelta(seconds=5)
    cells = [*_colours(), *_clips()]
    models = [
        ModelInfo(name, f"weights of {name}", "transformers", "float32", "cpu",
                  None if name == "base" else "base")
        for name in MODELS
    ]  # fmt: skip
    profile = [
        StageRow(
            cell.cell_id, "generate", 20.0 + 15 * n, 40.0 + 30 * n, 60.0, 900.0 / (n + 1), 512.0
        )
        for n, cell in enumerate(cells)
    ]
    return Run(cells, started, started + timedelta(seconds=9), models=models, profile=profile)


def _colours() -> Iterator[CellResult]:
    targets = [CHOICES[n % 4] for n in range(32)]
    for at, name in enumerate(MODELS):
        said = [t if n % (at + 3) else CHOICES[(n + 1) % 4] for n, t in enumerate(targets)]
        yield Cell("colours", name, choices=CHOICES, targets=targets, answers=said).build()


def _clips() -> Iterator[CellResult]:
    for variant in ("fps=1", "fps=6"):
        for at, name in enumerate(MODELS):
            yield clip_cell(name, variant, 2 + at + (variant == "fps=6"))


def clip_cell(name: str, variant: str, wrong: int) -> CellResult:
    """Twelve clips, each asked twice; the last is skipped."""
    samples = [
        Sample(f"c{n:02}", f"What is seen in clip {n}?", f"thing {n}", media=(f"clip{n % 3}.png",))
        for n in range(12)
    ]
    rows, scores = [], []
    for sample, n in zip(samples, range(12), strict=True):
        for epoch in range(2):
            good = (n + epoch) % wrong != 0
            done = Completion(
                "", sample.target if good else "nothing", "stop", 9, 3, latency_ms=8.0
            )
            if n == 11:
                done = Completion("", finish_reason="skipped", error="the clip is too long")
            rows.append(CompletionRow(sample.id, epoch, done))
            scores.append(Score.of_failure(done) if done.failed else Score(float(good)))
    cell = f"tasks/clips/clips.task.yaml::clips[{name},{variant}]"
    return CellResult(
        cell, f"hash {cell}", "clips", "clips hash", 2, name, variant, samples, rows,
        {"exact_match": scores}, [ScorerInfo("exact_match", kind="proportion", low=0, high=1)],
    )  # fmt: skip
