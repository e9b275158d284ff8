"""Texts that want to be more than texts, and a run that is full of them.

What runs in a page because of one of them sets ``window.__xss``, or opens a dialog.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from reportruns import START

from harness.records import LETTERS, Completion, Sample, Score, Verdict
from harness.results.run import (
    CellResult,
    CompletionRow,
    ModelInfo,
    Run,
    ScorerInfo,
    SpecText,
    StageRow,
    VerdictRow,
)
from harness.results.store import write_run

DO = "window.__xss=1,alert(1)"
TEXTS = (
    f"<script>{DO}</script>",
    f"</script><script>{DO}</script>",
    f'"></title></style></textarea><script>{DO}</script>',
    f"<img src=x onerror={DO}>",
    f'"><img src=x onerror="{DO}">',
    f"' onmouseover='{DO}' x='",
    f'" autofocus onfocus="{DO}" x="',
    f"<svg onload={DO}>",
    f"<svg><script>{DO}</script></svg>",
    f"<svg><animate onbegin={DO} attributeName=x dur=1s>",
    f"<iframe srcdoc='<script>parent.{DO}</script>'></iframe>",
    f"<iframe src=javascript:parent.{DO}></iframe>",
    f"<math><mtext><table><mglyph><style><img src=x onerror={DO}>",
    f"<details open ontoggle={DO}>",
    f"<video><source onerror={DO}></video>",
    "<meta http-equiv=refresh content='0;url=https://example.invalid/'>",
    "<base href=https://example.invalid/>",
    "<link rel=stylesheet href=https://example.invalid/x.css>",
    "<form action=https://example.invalid/><button autofocus>x",
    "<style>*{background:url(https://example.invalid/x)}</style>",
    f"<!-- <script>{DO}</script>",
    f"--><script>{DO}</script>",
    f"]]><script>{DO}</script>",
    f"javascript:{DO}",
    f"java\tscript:{DO}//",
    f"data:text/html,<script>{DO}</script>",
    "//example.invalid/x.js",
    "{{7*7}}{% for x in y %}{{ config }}{% endfor %}",
    "${7*7}#{7*7}<%= 7*7 %>",
    f"{{{{constructor.constructor('{DO}')()}}}}",
    f"');{DO}//",
    f"\\');{DO}//",
    f"*/{DO}/*",
    f"\u2028{DO}\u2029",
    f"`${{{DO}}}`",
    "datum.x",
    f"datum['a']; (() => {{ {DO} }})()",
    "[x.y](javascript:alert(1)) [0] a.b\\.c",
    f"expr: {DO}",
    "\u202egnp.\u2066exe\u2069\u200f שלום",
    "nul\x00 bell\x07 escape\x1b[31m",
    "__proto__",
    "constructor",
    "toString",
    "hasOwnProperty",
    "&lt;b&gt; &amp;#60; &#x3c;script&#x3e;",
    "../../../etc/passwd?x=1#y&z=%2e%2e",
    "",
    " ",
    "W" * 5000,
)
TASKS = (TEXTS[4], TEXTS[6], TEXTS[27], TEXTS[30], TEXTS[35], "__proto__", "constructor")
METRICS = ("strict", TEXTS[3], TEXTS[30], TEXTS[35], "__proto__", "constructor")
JUDGE = ScorerInfo("strict", judge="strict", judged_by=TEXTS[3], low=0.0, high=1.0)


def unlike(text: str, at: int) -> str:
    """A name that no other text has."""
    return text or f"empty {at}"


def write_hostile_run(root: Path) -> Path:
    """One run: the task `texts`, in which sample i says TEXTS[i] wherever it can; tasks that are
    called like them; and a task on which all of them are models."""
    cells = [*_texts(), *_tasks(), *_models(), *_choices()]
    names = dict.fromkeys(cell.model for cell in cells)
    bad = TEXTS[4]
    models = [
        ModelInfo(name, bad, bad, bad, bad, "base" if name != "base" else None) for name in names
    ]
    specs = [
        SpecText("task", task, f"tasks/{bad}.task.yaml", f"task: x\ndescription: {bad!r}\n{bad}")
        for task in ("texts", *TASKS)
    ]
    specs += [SpecText("model", name, bad, "\n".join(TEXTS[:-1])) for name in names]
    specs.append(SpecText("judge", "strict", bad, f"judge: strict\n# {bad}\n"))
    profile = [
        StageRow(cell.cell_id, "generate", 9.0 + n, 19.0 + n, 29.0, 5.0, 64.0)
        for n, cell in enumerate(cells)
    ]
    profile.append(StageRow(cells[0].cell_id, bad, 1.0, 2.0, 3.0, 4.0, 5.0))
    run = Run(
        cells, START, START + timedelta(seconds=9), models=models, specs=specs, profile=profile,
        settings={bad: bad}, revision=bad, packages={bad: bad},
    )  # fmt: skip
    return write_run(root, run)


def _texts() -> Iterator[CellResult]:
    samples = [
        Sample(
            f"{at}-{text[:300]}", text, text, media=(f"{text[:80]}.png", f"{text[:80]}.mp4"),
            cluster=text[:100] or None, row={text[:300]: text, "html": [text, {text[:99]: text}]},
        )
        for at, text in enumerate(TEXTS)
    ]  # fmt: skip
    for model in ("base", TEXTS[4]):
        rows, verdicts = [], []
        for at, (sample, text) in enumerate(zip(samples, TEXTS, strict=True)):
            failed = at % 7 == 6 and model == "base"
            done = (
                Completion("", finish_reason="error", error=text or "x")
                if failed
                else Completion("", text, "stop", 3, 4, latency_ms=5.0)
            )
            rows.append(CompletionRow(sample.id, 0, done, prompt=text))
            one = Verdict(
                "strict", unlike(text, at)[:200], 0, "ok", {unlike(text, at)[:200]: 1.0}, 1.0,
                0.5, text, text, flags=(unlike(text, at)[:200],),
            )  # fmt: skip
            if at % 5 == 4:
                one = Verdict("strict", "m", 0, "error", raw=text, error=text or "x")
            verdicts.append(VerdictRow(sample.id, 0, 1, "hash", one))
        yield _cell("texts", model, samples, rows, METRICS, verdicts)


def _tasks() -> Iterator[CellResult]:
    for task in TASKS:
        for variant in (f"fps=1,x={task}", f"fps=6,x={task}"):
            yield _small(task, "base", variant)
            yield _small(task, TEXTS[4], variant)


def _models() -> Iterator[CellResult]:
    for at, text in enumerate(TEXTS[:-1]):
        yield _small("names", unlike(text, at))
    yield _small("names", "base")
    yield _small("names", TEXTS[-1][:300])


def _small(task: str, model: str, variant: str = "") -> CellResult:
    samples = [Sample(f"s{n}", f"question {n}", "yes") for n in range(4)]
    right = hash_of(model)
    rows = [
        CompletionRow(s.id, 0, Completion("", "yes" if n % 4 != right else "no", latency_ms=4.0))
        for n, s in enumerate(samples)
    ]
    metrics = ("accuracy",) if model == "base" else ("accuracy", "constructor")
    return _cell(task, model, samples, rows, metrics, (), variant)


def hash_of(text: str) -> int:
    """Some number below 4, the same every time."""
    return sum(map(ord, text)) % 4


def _choices() -> Iterator[CellResult]:
    choices = tuple(unlike(text, at) for at, text in enumerate(TEXTS[:24]))
    samples = [
        Sample(f"c{n}", f"Which is it, {n}?", LETTERS[n], choices=choices)
        for n in range(len(choices))
    ]
    for model in ("base", TEXTS[4]):
        rows, scores = [], []
        for n, sample in enumerate(samples):
            said = n if n % 3 else (n + len(model)) % len(choices)
            rows.append(CompletionRow(sample.id, 0, Completion("", choices[said], latency_ms=1.0)))
            scores.append(Score(float(said == n), answer=LETTERS[said]))
        cell = _cell("choices", model, samples, rows, ())
        yield CellResult(
            **{
                **{name: getattr(cell, name) for name in cell.__dataclass_fields__},
                "scores": {"choice": scores},
                "scorers": [ScorerInfo("choice", kind="proportion", low=0.0, high=1.0)],
            }
        )


def _cell(
    task: str,
    model: str,
    samples: list[Sample],
    rows: list[CompletionRow],
    metrics: tuple[str, ...],
    verdicts: object = (),
    variant: str = "",
) -> CellResult:
    scores = {
        name: [
            Score.of_failure(row.completion)
            if row.completion.failed
            else Score(
                float(at % 2 == 0 or row.completion.text == "yes"),
                answer=row.completion.text,
                explanation=row.completion.text or None,
            )
            for at, row in enumerate(rows)
        ]
        for name in metrics
    }
    cell = f"tasks/x.task.yaml::{task}[{model},{variant}]"
    infos = [JUDGE if name == "strict" else ScorerInfo(name) for name in metrics]
    return CellResult(
        cell, "hash", task, "task hash", 1, model, variant, samples, rows, scores, infos,
        verdicts=tuple(verdicts),  # type: ignore[arg-type]
    )  # fmt: skip
