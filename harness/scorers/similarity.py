"""Cosine similarity of sentence embeddings: answer and reference, answer and question.

N. Reimers and I. Gurevych, "Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks", 2019.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean

from harness.adapters.embedding import DIGITS, DTYPE, Embedded, cosine, embed
from harness.adapters.encoder import Encoder, find_encoder
from harness.collect.specs import ScoreSpec
from harness.records import Completion, Sample, Score
from harness.scorers.base import COSINE, ScorerContext, mean_of
from harness.scorers.control import make_controls
from harness.scorers.overlap import EMPTY


class Similarity:
    """Cosine of the answer and one other text of the sample.

    An empty answer (or other text) is like nothing: 0. detail = (how many of the two texts were
    cut at the encoder's limit). The control is against other samples' texts.
    """

    version = 1
    higher_is_better = True
    scale = COSINE

    def __init__(
        self, metric: str, other: Callable[[Sample], str], encoder: Encoder, context: ScorerContext
    ) -> None:
        self.name = f"{metric}[{encoder.label}]"
        note = f"; {encoder.note}" if encoder.note else ""
        with_what = {"semantic_similarity": "reference", "context_relevance": "question"}[metric]
        self.method = f"cosine of answer and {with_what}, {encoder.identity}, {DTYPE}{note}"
        self._other, self._with_what = other, with_what
        self._encoder, self._context = encoder, context

    def score(self, samples: Sequence[Sample], completions: Sequence[Completion]) -> list[Score]:
        """See `Scorer.score`; loads the encoder only if a text's embedding is not in the store."""
        others = [self._other(sample) for sample in samples]
        controls = make_controls(others, self._context.seed)
        answers = [completion.text for completion in completions if not completion.failed]
        texts = {text for text in (*answers, *others) if text.strip()} if answers else set()
        embedded = embed(texts, self._encoder, self._context.embedding_store)
        return [
            Score.of_failure(completion)
            if completion.failed
            else self._score(completion.text, other, controls.others[other], embedded)
            for completion, other in zip(completions, others, strict=True)
        ]

    def _score(self, answer: str, other: str, controls: Sequence[str], embedded: Embedded) -> Score:
        control = [cosine(answer, text, embedded) for text in controls]
        cut, limit = [], 0
        for what, text in (("answer", answer), (self._with_what, other)):
            here = int(embedded.limits[embedded.place[text]]) if text in embedded.place else 0
            if here:
                cut.append(what)
                limit = here
        explanation = f"{' and '.join(cut)} truncated to {limit} tokens" if cut else None
        return Score(
            round(cosine(answer, other, embedded), DIGITS),
            control=round(fmean(control), DIGITS) if control else None,
            detail=(float(len(cut)),),
            explanation=explanation if answer.strip() else EMPTY,
        )

    def corpus(self, scores: Sequence[Score]) -> float | None:
        """The mean."""
        return mean_of(scores)


def truncated(scores: Sequence[Score]) -> int:
    """How many samples had a text that was cut, of scores of this module or `bertscore_f1`."""
    return sum(score.detail[-1] > 0 for score in scores if score.detail)


def semantic_similarity(spec: ScoreSpec, context: ScorerContext) -> Similarity:
    """Cosine of answer and reference."""
    encoder = find_encoder(spec.encoder, context.root)
    return Similarity("semantic_similarity", lambda sample: sample.target, encoder, context)


def context_relevance(spec: ScoreSpec, context: ScorerContext) -> Similarity:
    """Cosine of answer and question."""
    encoder = find_encoder(spec.encoder, context.root)
    return Similarity("context_relevance", lambda sample: sample.input, encoder, context)
