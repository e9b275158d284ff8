"""Write leaderboard/results/reference/*.parquet: the numbers that the reference studies reported.

    python tools/build_reference.py [FOLDER]

One file a study. The same pyarrow writes the same bytes. A number that a study did not report is
no row; what was derived from one (20 % irrelevant from "80 % relevant") says so in its note.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import astuple, replace
from pathlib import Path

from harness.leaderboard.reference import FOLDER, REPORTED, ReferenceRow
from harness.results.arrays import make_table

COLUMNS = {
    "study": "string", "title": "string", "table": "string", "model": "string", "task": "string",
    "variant": "string", "metric": "string", "class": "string", "value": "float64",
    "unit": "string", "n": "int32", "note": "string",
}  # fmt: skip
ROW = ReferenceRow("", "", "", "", "", "", "", None, 0.0, "", None, REPORTED)

# --------------------------------------------------------------------------- A

A = replace(ROW, study="A", title="Researcher-Llama-3.2-3B", task="vad_approach")
A_BASE, A_TUNED = "Llama-3.2-3B", "Researcher-Llama-3.2-3B"
A_CRITERIA = {  # criterion -> base and tuned against the truth, base and tuned open
    "accuracy": (12.2, 26.8, 15.0, 28.0),
    "completeness": (9.4, 15.3, 12.0, 18.0),
    "relevance": (7.5, 9.2, 10.0, 16.0),
    "practicality": (6.5, 3.4, 5.0, 8.0),
}


def researcher_llama() -> Iterator[ReferenceRow]:
    """Three experiments: overlap and likeness, the judge's criteria, irrelevance."""
    for metric, base, tuned in (
        ("semantic_similarity", 0.255, 0.445),
        ("context_relevance", 0.390, 0.383),
        ("rouge_l", 0.041, 0.073),
    ):
        row = replace(A, table="similarity", metric=metric, unit="share")
        yield from _two(row, (A_BASE, A_TUNED), (base, tuned))
    for at, judge in ((0, "vad_rubric"), (2, "vad_rubric_open")):
        for name, values in A_CRITERIA.items():
            row = replace(A, table=judge, metric=f"{judge}.{name}", unit="points")
            yield from _two(row, (A_BASE, A_TUNED), values[at : at + 2])
    row = replace(A, table="irrelevance", metric="vad_rubric.irrelevant", unit="%")
    yield replace(row, model=A_BASE, value=65.0)
    yield replace(row, model=A_TUNED, value=20.0, note=f"{REPORTED}; from 80 % relevant")


# --------------------------------------------------------------------------- B

B = replace(
    ROW, study="B", title="PEFT of Llama 3.2 1B and 3B", table="peft", n=20,
    task="instruction_following", unit="score",
)  # fmt: skip


def peft_lab() -> Iterator[ReferenceRow]:
    """The judge's score of each model, and its difference from that model's base."""
    for model, score, delta in (
        ("base_1b", 3.60, None),
        ("1b_lora", 3.15, -0.45),
        ("1b_qlora", 3.35, -0.25),
        ("base_3b", 3.60, None),
        ("3b_qlora", 3.65, 0.05),
    ):
        yield replace(B, model=model, metric="instruction_quality", value=score)
        if delta is not None:
            yield replace(B, model=model, metric="instruction_quality.delta", value=delta)


# --------------------------------------------------------------------------- C

C = replace(ROW, study="C", title="Qwen2.5-3B for AI-research questions", task="ai_research_qa")
C_BASE, C_TUNED = "Qwen2.5-3B", "Qwen2.5-3B, QLoRA"


def qwen() -> Iterator[ReferenceRow]:
    """The metric table; retention; and retrieval and quantization, which have no table yet."""
    for metric, base, tuned, unit in (
        ("bleu", 18.2, 24.7, "points"),
        ("rouge_l", 0.41, 0.53, "share"),
        ("factual_accuracy", 62.1, 80.8, "%"),
        ("technical_depth", 3.2, 4.5, "score"),
        ("perplexity", 11.9, 12.4, ""),
    ):
        row = replace(C, table="research_qa", metric=metric, unit=unit, n=500)
        if metric == "technical_depth":
            row = replace(row, note=f"{REPORTED}; three experts", n=None)
        yield from _two(row, (C_BASE, C_TUNED), (base, tuned))
    kept = replace(C, table="research_qa", model=C_TUNED, task="general_retention", unit="%")
    yield replace(
        kept, metric="retention", value=94.0, note=f"{REPORTED}; elsewhere 83 % 'versatility'"
    )
    row = replace(C, model=C_TUNED, unit="%")
    yield replace(row, table="equations", metric="equation_accuracy", value=85.0)
    yield replace(row, table="retrieval", metric="recall_at_5", value=92.4)
    yield replace(row, table="retrieval", metric="latency", value=47.0, unit="ms")
    row = replace(row, table="quantization", variant="quantize=q4_0")
    yield replace(row, metric="perplexity_increase", value=12.0)
    yield replace(row, metric="memory_reduction", value=4.0, unit="times")


# --------------------------------------------------------------------------- D

D = replace(ROW, study="D", title="LLaMA-VID under test", unit="%")
D_ZERO, D_TUNED = "LLaMA-VID 7B", "LLaMA-VID 7B, fine-tuned"
D_BENCHMARKS = {  # task -> authors, study
    "gqa": (63.0, 64.38),
    "mmbench": (65.3, 65.63),
    "pope": (86.6, 86.1),
    "scienceqa_image": (67.7, 68.22),
    "vizwiz": (52.5, 55.18),
    "vqav2": (78.3, 79.25),
    "msvd_qa": (69.7, 59.17),
}
D_CRIME = {  # class -> zero-shot at 1 and 6 fps, fine-tuned at 1 and 6 fps
    "": (57.5, 57.9, 62.0, 65.3),
    "Abuse": (50, 50, 0, 0),
    "Arrest": (0, 0, 0, 0),
    "Arson": (43, 43, 33, 56),
    "Assault": (0, 0, 50, 100),
    "Burglary": (10, 10, 60, 80),
    "Explosion": (14, 14, 40, 35),
    "Fighting": (25, 25, 0, 20),
    "Normal": (73, 74, 79, 80),
    "Road Accident": (91, 91, 83, 87),
    "Robbery": (20, 20, 60, 60),
    "Shooting": (0, 0, 0, 0),
}
D_SIDES = tuple((model, f"fps={fps}") for model in (D_ZERO, D_TUNED) for fps in (1, 6))


def llama_vid() -> Iterator[ReferenceRow]:
    """Tables 1 to 4."""
    for task, (authors, study) in D_BENCHMARKS.items():
        row = replace(D, table="video_reproduction", task=task, metric="accuracy")
        yield replace(row, model=f"{D_ZERO}, its authors", value=authors)
        yield replace(row, model=f"{D_ZERO}, the study", value=study)
    for label, values in D_CRIME.items():
        table = "crime_classes" if label else "crime"
        row = replace(D, table=table, task="crime_mcq", metric="choice", label=label or None)
        for (model, variant), value in zip(D_SIDES, values, strict=True):
            yield replace(row, model=model, variant=variant, value=float(value))
    row = replace(D, table="animal_actions", task="animal_actions", n=812)
    shares, scores = (18.04, 19.50, 34.06, 34.89), (1.32, 1.34, 2.65, 2.66)
    for (model, variant), share, score in zip(D_SIDES, shares, scores, strict=True):
        own = replace(row, model=model, variant=variant)
        yield replace(own, metric="video_match.match", value=share)
        yield replace(own, metric="video_match", value=score, unit="score")


# --------------------------------------------------------------------------- files

STUDIES = {
    "a_researcher_llama": researcher_llama,
    "b_peft_lab": peft_lab,
    "c_qwen_research": qwen,
    "d_llama_vid": llama_vid,
}
"""File -> rows; study E is a plan and reported nothing."""


def _two(
    row: ReferenceRow, models: tuple[str, str], values: tuple[float, ...]
) -> Iterator[ReferenceRow]:
    """The same number of the base and of the tuned model."""
    for model, value in zip(models, values, strict=True):
        yield replace(row, model=model, value=value)


def build(folder: Path) -> list[Path]:
    """Write every file; their paths."""
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, rows in STUDIES.items():
        columns = zip(*(astuple(row) for row in rows()), strict=True)
        table = make_table(COLUMNS, [dict(zip(COLUMNS, columns, strict=True))])
        file = folder / f"{name}.parquet"
        pq.write_table(table, file, compression="zstd")
        written.append(file)
    return written


if __name__ == "__main__":
    root = Path(__file__).resolve().parent.parent
    for path in build(Path(sys.argv[1]) if len(sys.argv) > 1 else root / FOLDER):
        print(path.name)
