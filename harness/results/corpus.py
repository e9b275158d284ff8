"""Corpus metrics from summed statistics, many sums at once, so that they can be bootstrapped.

``Score.detail`` of one completion holds, in this order,

    bleu        hypothesis length, reference length, matches of order 1-4, n-grams of order 1-4
    chrf        hypothesis n-grams, reference n-grams, matches; for each order in turn
    perplexity  summed negative log-likelihood (natural log), tokens
    circular    value / rows of the question, 1 / rows of the question

which for texts is the order of sacrebleu's own statistics.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.results.run import Aggregate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def aggregate_of(kind: Aggregate) -> Callable[[Floats], Floats]:
    """The function from rows of summed statistics to one number for each row."""
    known = {"bleu": bleu, "chrf": chrf, "perplexity": perplexity, "circular": circular}
    return known[kind]


def bleu(sums: Floats) -> Floats:
    """BLEU-4 in percent with sacrebleu's default smoothing ("exp") and brevity penalty.

    Papineni et al. 2002; smoothing: Chen & Cherry 2014, method 3.
    """
    import numpy as np

    length, reference = sums[:, 0], sums[:, 1]
    matches, grams = sums[:, 2:6], sums[:, 6:10]
    known = np.logical_and.accumulate(grams > 0, axis=1)
    misses = np.cumsum((matches == 0) & known, axis=1)
    smoothed = np.where(matches == 0, 0.5**misses, matches)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        # an order without n-grams makes the whole score zero, as exp(-inf) does
        logs = np.where(known, np.log(smoothed / np.maximum(grams, 1)), -np.inf)
        penalty = np.where(
            length < reference, np.exp(1 - reference / np.maximum(length, 1e-300)), 1.0
        )
        score = 100 * penalty * np.exp(logs.mean(axis=1))
    found: Floats = np.where(matches.any(axis=1), score, 0.0)
    return found


def chrf(sums: Floats, beta: float = 2.0) -> Floats:
    """chrF2 in percent: F of precision and recall averaged over the orders that occur.

    Popovic 2015; averaging as in sacrebleu.
    """
    import numpy as np

    hypothesis, reference, matches = sums[:, 0::3], sums[:, 1::3], sums[:, 2::3]
    known = (hypothesis > 0) & (reference > 0)
    orders = np.maximum(known.sum(axis=1), 1)
    precision = (np.where(known, matches / np.maximum(hypothesis, 1), 0)).sum(axis=1) / orders
    recall = (np.where(known, matches / np.maximum(reference, 1), 0)).sum(axis=1) / orders
    weight = beta**2
    bottom = weight * precision + recall
    found: Floats = np.where(
        bottom > 0,
        100 * (1 + weight) * precision * recall / np.where(bottom > 0, bottom, 1),
        0.0,
    )
    return found


def perplexity(sums: Floats) -> Floats:
    """exp(negative log-likelihood / tokens) over all tokens, so that long samples weigh more."""
    import numpy as np

    with np.errstate(over="ignore"):
        found: Floats = np.exp(sums[:, 0] / np.maximum(sums[:, 1], 1))
    return found


def circular(sums: Floats) -> Floats:
    """The share of questions that are right in every order, each counted once whatever its rows."""
    import numpy as np

    found: Floats = sums[:, 0] / np.where(sums[:, 1] > 0, sums[:, 1], 1.0)
    return found
