"""Runs as a report meets them, made by hand, and a reader of LaTeX that is as strict as TeX.

from reportruns import Cell, check_latex, store
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

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

START = datetime(2026, 11, 20, 16, 15, 2, tzinfo=UTC)
CHOICE = ScorerInfo("choice", kind="proportion", low=0.0, high=1.0)


@dataclass
class Cell:
    """What a test cares about; a value of None is a sample that failed. ``targets`` and
    ``answers`` are choices by their words, and make a metric `choice`."""

    task: str
    model: str
    values: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    variant: str = ""
    infos: Mapping[str, ScorerInfo] = field(default_factory=dict)
    version: int = 1
    choices: tuple[str, ...] = ()
    targets: Sequence[str] = ()
    answers: Sequence[str] = ()
    texts: Sequence[str] = ()
    inputs: Sequence[str] = ()
    verdicts: Sequence[Verdict] = ()

    @property
    def id(self) -> str:
        inside = ",".join(filter(None, [self.model, self.variant]))
        return f"tasks/{self.task}.task.yaml::{self.task}[{inside}]"

    def build(self) -> CellResult:
        values = dict(self.values)
        if self.choices:
            pairs = zip(self.targets, self.answers, strict=True)
            values = {"choice": [float(a == b) for a, b in pairs], **values}
        first = next(iter(values.values()))
        samples = [self._sample(at) for at in range(len(first))]
        done = [self._completion(at, one) for at, one in enumerate(first)]
        infos = {name: self.infos.get(name, ScorerInfo(name)) for name in values}
        if self.choices:
            infos["choice"] = CHOICE
        return CellResult(
            cell_id=self.id,
            cell_hash=f"hash {self.id}",
            task=self.task,
            task_hash="task-hash",
            task_version=self.version,
            model=self.model,
            variant=self.variant,
            samples=samples,
            completions=[CompletionRow(s.id, 0, c) for s, c in zip(samples, done, strict=True)],
            scores={name: self._scores(name, of) for name, of in values.items()},
            scorers=list(infos.values()),
            verdicts=[
                VerdictRow(s.id, 0, 1, "template", v)
                for s, v in zip(samples, self.verdicts, strict=False)
            ],
        )

    def _sample(self, at: int) -> Sample:
        text = self.inputs[at] if self.inputs else f"Question {at}?"
        if not self.choices:
            return Sample(f"s{at:03}", text, f"Reference {at}")
        letter = LETTERS[self.choices.index(self.targets[at])]
        return Sample(f"s{at:03}", text, letter, choices=self.choices)

    def _completion(self, at: int, value: float | None) -> Completion:
        if value is None:
            return Completion("", error="no answer", finish_reason="error")
        text = self.texts[at] if self.texts else f"Answer {at}"
        return Completion("", text, completion_tokens=4, latency_ms=10.0 + at)

    def _scores(self, name: str, values: Sequence[float | None]) -> list[Score]:
        found = []
        for at, value in enumerate(values):
            if value is None:
                found.append(Score(None, "error", explanation="no answer"))
            elif name == "choice" and self.choices and self.answers[at] in self.choices:
                letter = LETTERS[self.choices.index(self.answers[at])]
                found.append(Score(value, answer=letter))
            else:
                found.append(Score(value))
        return found


def store(
    root: Path,
    *cells: Cell,
    baselines: Mapping[str, str] | None = None,
    after: float = 0,
    profile: Sequence[StageRow] = (),
    specs: Sequence[SpecText] = (),
    settings: Mapping[str, str] | None = None,
) -> Path:
    """Store the cells as one run that began so many seconds after START."""
    started = START + timedelta(seconds=after)
    names = dict.fromkeys(cell.model for cell in cells)
    bases = baselines or {}
    models = [
        ModelInfo(name, f"weights of {name}", "transformers", "float32", "cpu", bases.get(name))
        for name in names
    ]
    run = Run(
        [cell.build() for cell in cells],
        started,
        started + timedelta(seconds=30),
        models=models,
        specs=specs,
        profile=profile,
        settings=settings or {},
    )
    return write_run(root, run)


# --------------------------------------------------------------------------- LaTeX

COMMANDS = {
    "begin", "end", "centering", "small", "footnotesize", "scriptsize", "caption", "label",
    "toprule", "midrule", "bottomrule", "multicolumn", "textbf", "textit", "texttt", "par",
    "smallskip", "linewidth", "resizebox", "textdagger", "textbackslash", "textasciitilde",
    "textasciicircum", "textbar", "textquotedblright", "textasciigrave", "ldots", "times", "pm",
    "circ", "leq", "geq", "neq", "approx", "rightarrow", "infty", "mu", "ss", "ae", "AE", "o",
    "O", "oe", "OE", "l", "L", "i", "texteuro", "S", "textbullet", "r", "H", "v", "u", "c",
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa",
    "lambda", "nu", "xi", "pi", "rho", "varsigma", "sigma", "tau", "upsilon", "phi", "chi",
    "psi", "omega", "Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi",
    "Psi", "Omega",
}  # fmt: skip
SYMBOLS = set("\\&%$#_{}`'^~\"=.")


def check_latex(text: str) -> None:
    """Raise AssertionError for what pdflatex with booktabs would not set."""
    assert text.isascii(), [char for char in text if not char.isascii()]
    code = "\n".join(_uncommented(line) for line in text.split("\n"))
    commands = re.findall(r"\\([A-Za-z]+|.)", code, re.DOTALL)
    assert not {one for one in commands if one not in COMMANDS and one not in SYMBOLS}
    bare = re.sub(r"\\([A-Za-z]+|.)", " ", code, flags=re.DOTALL)
    depth = 0
    for char in bare:
        depth += {"{": 1, "}": -1}.get(char, 0)
        assert depth >= 0
    assert depth == 0
    assert bare.count("$") % 2 == 0
    outside = re.sub(r"\$[^$]*\$", "", bare)
    assert not set("#_^") & set(outside)
    stack: list[str] = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", code):
        if kind == "begin":
            stack.append(name)
        else:
            assert stack.pop() == name
    assert not stack
    for tabular in re.findall(r"\\begin\{tabular\}(.*?)\\end\{tabular\}", code, re.DOTALL):
        _check_rows(tabular)


def _uncommented(line: str) -> str:
    return re.sub(r"(?<!\\)%.*", "", line)


def _check_rows(tabular: str) -> None:
    spec, _, body = tabular.partition("\n")
    letters = re.sub(r"\{[^{}]*\}", "", spec.strip()[1:-1])
    assert set(letters) <= set("lrp"), spec
    for row in body.split("\n"):
        if row.startswith(("\\toprule", "\\midrule", "\\bottomrule")) or not row:
            continue
        assert row.endswith(" \\\\"), row
        assert not row.startswith(("[", "*")), row
        count = len(re.findall(r"(?<!\\)&", row)) + 1
        spans = re.match(r"\\multicolumn\{(\d+)\}", row)
        count += int(spans[1]) - 1 if spans else 0
        assert count == len(letters), row
