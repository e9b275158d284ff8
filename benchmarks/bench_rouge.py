"""ROUGE-L against the rouge-score package: 10,000 pairs of 100 words, CPU seconds, one process.

python benchmarks/bench_rouge.py [PAIRS]
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from typing import TypeVar

from rouge_score.rouge_scorer import RougeScorer

from harness.collect.specs import ScoreSpec
from harness.records import Completion, Sample
from harness.scorers.base import ScorerContext
from harness.scorers.registry import make_scorer

Found = TypeVar("Found")
WORDS, VOCABULARY = 100, 5000


def texts(count: int, seed: int = 0) -> list[str]:
    """Texts of 100 words each, some frequent, with capitals and punctuation."""
    rng = random.Random(seed)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(rng.choices(letters, k=rng.randint(2, 9))) for _ in range(VOCABULARY)]
    weights = [1 / (rank + 1) for rank in range(VOCABULARY)]
    made = [rng.choices(words, weights, k=WORDS) for _ in range(count)]
    return [", ".join([text[0].capitalize(), " ".join(text[1:])]) + "." for text in made]


def timed(work: Callable[[], Found]) -> tuple[float, Found]:
    """CPU seconds of this process, and the result."""
    started = time.process_time()
    found = work()
    return time.process_time() - started, found


def main(pairs: int) -> None:
    """Print the table; exit 1 if a value differs."""
    answers, targets = texts(pairs, 1), texts(pairs, 2)
    samples = [Sample(str(i), "", target) for i, target in enumerate(targets)]
    completions = [Completion(str(i), answer) for i, answer in enumerate(answers)]
    context = ScorerContext()
    reference = RougeScorer(["rougeL"], use_stemmer=False)
    both = [make_scorer(ScoreSpec(metric=metric), context) for metric in ("rouge_l", "exact_match")]
    ours, scores = timed(lambda: both[0].score(samples, completions))
    exact, _ = timed(lambda: both[1].score(samples, completions))
    theirs, expected = timed(
        lambda: [
            reference.score(target, answer)["rougeL"].fmeasure
            for target, answer in zip(targets, answers, strict=True)
        ]
    )
    print(f"{pairs} pairs of {WORDS} words, CPU seconds")
    print(f"rouge-score                    {theirs:8.2f}")
    print(f"rouge_l, with control          {ours:8.2f}   {theirs / ours:.1f}x faster")
    print(f"exact_match                    {exact:8.2f}")
    equal = [score.value for score in scores] == expected
    print(f"values bit-equal               {equal}")
    sys.exit(0 if equal else 1)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
