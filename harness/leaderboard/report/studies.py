"""The tables of the reference studies, as data: which metric of which task stands in which column.

A table appears when at least one cell of one's own fills it; what the study itself reported stands
in a block of its own (``harness.leaderboard.reference``, rows whose ``table`` has this name).
A task, variant or metric that no run holds yet leaves a "-".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Show = Literal["value", "delta", "status", "retention"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column: the metric ``metric`` (name without brackets; "" for the task's first) of the first
    of ``tasks`` that a model has, in the variant that has all settings of ``variant`` ("fps=1").

    ``times`` turns our unit into the column's, 100 for percent. ``show`` is the value, its
    difference from the baseline, the verdict on that, or the value in % of the baseline's.
    ``reported`` is the metric's name among the reported numbers, if it is another.
    """

    header: str
    tasks: tuple[str, ...]
    metric: str = ""
    variant: str = ""
    times: float = 1.0
    show: Show = "value"
    reported: str = ""


@dataclass(frozen=True, slots=True)
class Study:
    """A table of a study: models down, ``columns`` across."""

    name: str
    study: str
    caption: str
    columns: Sequence[Column]
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ClassStudy:
    """A table of a study: classes down, models and variants across; the share of each class that
    was recognised, in %."""

    name: str
    study: str
    caption: str
    task: str


@dataclass(frozen=True, slots=True)
class ErrorStudy:
    """A table of a study: the worst answers of some tasks, with what was said of them."""

    name: str
    study: str
    caption: str
    tasks: tuple[str, ...]


def _criteria(judge: str, task: str, names: Sequence[tuple[str, int]]) -> tuple[Column, ...]:
    """A column for each criterion of a judge, and its total."""
    found = [Column(f"{name} ({most})", (task,), f"{judge}.{name}") for name, most in names]
    return (*found, Column("total (100)", (task,), judge))


VAD = ("vad_approach",)
RUBRIC = (("accuracy", 40), ("completeness", 30), ("relevance", 20), ("practicality", 10))
FOLLOWING = ("instruction_following", "instruction_following_finetome")
QA = ("ai_research_qa",)
ANIMALS = ("animal_actions",)
RATIO = "In % of the baseline's value on the same samples; a ratio of two means, without interval."

STUDIES: tuple[Study, ...] = (
    Study(
        "similarity",
        "A",
        "Answers against references and questions (Researcher-Llama, experiment 1)",
        (
            Column("semantic similarity", VAD, "semantic_similarity"),
            Column("context relevance", VAD, "context_relevance"),
            Column("ROUGE-L", VAD, "rouge_l"),
        ),
        ("Cosines depend on the encoder: the study used all-mpnet-base-v2.",),
    ),
    Study(
        "vad_rubric",
        "A",
        "A judge's criteria against the reference (Researcher-Llama, experiment 2)",
        _criteria("vad_rubric", VAD[0], RUBRIC),
    ),
    Study(
        "vad_rubric_open",
        "A",
        "A judge's criteria without a reference (Researcher-Llama, experiment 2)",
        _criteria("vad_rubric_open", VAD[0], RUBRIC),
    ),
    Study(
        "irrelevance",
        "A",
        "Irrelevant answers in % (Researcher-Llama, experiment 3)",
        (
            Column("against the reference", VAD, "vad_rubric.irrelevant", times=100),
            Column("without a reference", VAD, "vad_rubric_open.irrelevant", times=100),
        ),
        ("The study does not say which of the two judges its rate is of.",),
    ),
    Study(
        "peft",
        "B",
        "Instruction following, a judge's score of 1 to 5 (PEFT of Llama 3.2)",
        (
            Column("score", FOLLOWING, "instruction_quality"),
            Column("difference", FOLLOWING, "instruction_quality", show="delta"),
            Column("status", FOLLOWING, "instruction_quality", show="status"),
        ),
        (
            "Status: regression or improvement where our paired comparison shows one; the study "
            "called a regression what was below the base, with 20 samples and no test.",
        ),
    ),
    Study(
        "research_qa",
        "C",
        "Questions on AI research (Qwen2.5-3B)",
        (
            Column("BLEU-4", QA, "bleu"),
            Column("ROUGE-L", QA, "rouge_l"),
            Column("factual accuracy (%)", QA, "factual_accuracy", times=100),
            Column("technical depth (1-5)", QA, "technical_depth"),
            Column("perplexity", (*QA, "ai_research_perplexity"), "perplexity"),
            Column("retention (%)", ("general_retention",), show="retention", reported="retention"),
        ),
        (f"Retention: {RATIO[0].lower()}{RATIO[1:]}",),
    ),
    Study(
        "video_reproduction",
        "D",
        "Accuracy on public benchmarks in % (LLaMA-VID, table 1)",
        tuple(
            Column(header, (task, f"image_vqa_{task}"), times=100, reported="accuracy")
            for header, task in (
                ("GQA", "gqa"),
                ("MMBench", "mmbench"),
                ("POPE", "pope"),
                ("ScienceQA-Image", "scienceqa_image"),
                ("VizWiz", "vizwiz"),
                ("VQAv2", "vqav2"),
                ("MSVD-QA", "msvd_qa"),
            )
        ),
    ),
    Study(
        "crime",
        "D",
        "Crimes in videos, accuracy in % (LLaMA-VID, table 2)",
        tuple(
            Column(f"{fps} fps", ("crime_mcq",), "choice", f"fps={fps}", times=100)
            for fps in (1, 6)
        ),
    ),
    Study(
        "animal_actions",
        "D",
        "Animals in videos, accuracy in % and mean score of 0 to 5 (LLaMA-VID, table 4)",
        tuple(
            column
            for fps in (1, 6)
            for column in (
                Column(f"{fps} fps, %", ANIMALS, "video_match.match", f"fps={fps}", times=100),
                Column(f"{fps} fps, score", ANIMALS, "video_match", f"fps={fps}"),
            )
        ),
    ),
    Study(
        "physio_feedback",
        "E",
        "Feedback on exercises (the physiotherapy design)",
        (
            Column("BERTScore", ("physio_feedback",), "bertscore_f1"),
            Column("METEOR", ("physio_feedback",), "meteor_exact_stem"),
            Column("ROUGE-L", ("physio_feedback",), "rouge_l"),
            Column("judge (1-5)", ("physio_feedback",), "clinical_feedback"),
            Column("exercise (%)", ("physio_feedback",), "exercise_identification", times=100),
        ),
    ),
)

CLASS_STUDIES = (
    ClassStudy(
        "crime_classes",
        "D",
        "Crimes in videos by class, recognised in % (LLaMA-VID, table 3)",
        "crime_mcq",
    ),
)

ERROR_STUDIES = (
    ErrorStudy(
        "video_errors",
        "D",
        "Errors on videos (LLaMA-VID, table 5)",
        ("animal_actions", "animal_mcq", "crime_mcq", "msvd_qa"),
    ),
)
