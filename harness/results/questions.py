"""Rows that ask one question in several orders: no independent samples."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from harness.records import Sample
from harness.scorers.circular import question_of


def questions(samples: Sequence[Sample]) -> dict[str, str]:
    """Sample -> the cluster of its question, for those that are in no cluster of the data.

    MMBench's rows have the image as their cluster, which holds all rows of its questions.
    """
    names: dict[Hashable, str] = {}
    return {
        sample.id: names.setdefault(question_of(sample), f"question of {sample.id}")
        for sample in samples
        if sample.cluster is None
    }
