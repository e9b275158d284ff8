"""Verdicts to columns: what the judges said of a cell, as scores and as rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean

from harness.collect.judge_spec import Criterion, JudgeSpec
from harness.collect.specs import EmbeddingJudgeModel, ModelSpec
from harness.judges.agreement import Estimate
from harness.judges.audit import irrelevance_rate, same_family
from harness.judges.combine import Combined, combine, quorum
from harness.judges.judge import Judge
from harness.judges.pairwise import ORDERS, duel
from harness.judges.rubric import span
from harness.records import Completion, Score, Verdict
from harness.results.judged import order_flag
from harness.results.run import JUDGE_ERROR, ScorerInfo, VerdictRow
from harness.runner.cases import Case, Place
from harness.scorers.base import PROPORTION, Scale

Said = Mapping[tuple[str, str], Sequence[Verdict]]
"""(name of the judge, id of the item) -> its verdicts, all repeats and members of the panel."""
EMBEDDING = "[embedding judge, not an LLM]"


@dataclass
class Columns:
    """What judges add to a cell; every list of scores is aligned with the case's places."""

    scorers: list[ScorerInfo] = field(default_factory=list)
    scores: dict[str, list[Score]] = field(default_factory=dict)
    verdicts: list[VerdictRow] = field(default_factory=list)

    def add(self, info: ScorerInfo, scores: list[Score]) -> None:
        """One more column."""
        self.scorers.append(info)
        self.scores[info.name] = scores


def columns(
    case: Case, done: Sequence[Completion], said: Said, kappas: Mapping[str, Estimate]
) -> Columns:
    """The columns of all judges of a case; ``done`` are the completions of its places, ``kappas``
    the judges' agreement with people, where it was measured."""
    found = Columns()
    for judge in case.judged_by():
        answers = list(zip(case.places, done, strict=True))
        if judge.spec.pairwise:
            scores = [_duelled(judge, case, *one, said) for one in answers]
            found.add(_info(judge, case, "", Scale("number", 0.0, 1.0)), scores)
        else:
            _add_rubric(found, judge, case, answers, said)
        related = kin(judge, case.card)
        for place, completion in answers:
            found.verdicts += _rows(judge, related, place, completion, said)
    found.scorers = [_with_kappa(info, kappas) for info in found.scorers]
    return found


def _with_kappa(info: ScorerInfo, kappas: Mapping[str, Estimate]) -> ScorerInfo:
    known = kappas.get(info.name.partition("[")[0])
    return info if known is None else replace(info, kappa=known.value, kappa_n=known.n)


def label(spec: JudgeSpec, models: Iterable[ModelSpec], part: str = "") -> str:
    """The name of a column: the judge's, with the criterion's, and what it must not pass for."""
    name = f"{spec.judge}.{part}" if part else spec.judge
    kinds = [isinstance(model, EmbeddingJudgeModel) for model in models]
    if not any(kinds):
        return name
    if all(kinds):
        return name + EMBEDDING
    if sum(kinds) == 1:
        return f"{name}[panel, one an embedding judge]"
    return f"{name}[panel, {sum(kinds)} of {len(kinds)} embedding judges]"


def _info(judge: Judge, case: Case, part: str, scale: Scale, *, up: bool = True) -> ScorerInfo:
    spec = judge.spec
    return ScorerInfo(
        name=label(spec, judge.models, part),
        version=spec.version,
        higher_is_better=up,
        kind=scale.kind,
        low=scale.low,
        high=scale.high,
        judge=spec.judge,
        judged_by=" + ".join(spec.models),
        template=judge.template_hash,
        same_family=bool(kin(judge, case.card)),
        opponent=case.beside.model if spec.pairwise and case.beside else "",
    )


def kin(judge: Judge, card: ModelSpec | None) -> list[str]:
    """Those of a judge's models that are of the answering model's family."""
    if card is None:
        return []
    return [model.model for model in judge.models if same_family(model, card)]


# --------------------------------------------------------------------------- rubrics


def _add_rubric(
    found: Columns,
    judge: Judge,
    case: Case,
    answers: Sequence[tuple[Place, Completion]],
    said: Said,
) -> None:
    """The total, each criterion, and whether the answer was beside the point."""
    spec = judge.spec
    words = [(_combined(spec, place, done, said), done) for place, done in answers]
    totals = [_score(word, done, word.total if word else None) for word, done in words]
    for at, (place, _) in enumerate(answers):
        if totals[at].status == "ok":
            why = _reasoning(said[spec.judge, place.id])
            totals[at] = replace(totals[at], explanation=why)
    scale = Scale("number", judge.rubric.low, judge.rubric.high)
    found.add(_info(judge, case, "", scale), totals)
    for criterion in spec.criteria:
        name = criterion.name
        scores = [
            _score(word, done, word.criteria.get(name) if word else None) for word, done in words
        ]
        found.add(_info(judge, case, name, _scale(spec, criterion)), scores)
    if any(criterion.name == "relevance" for criterion in spec.criteria):
        beside = [_score(word, done, _irrelevant(spec, word)) for word, done in words]
        found.add(_info(judge, case, "irrelevant", PROPORTION, up=False), beside)


def _combined(spec: JudgeSpec, place: Place, done: Completion, said: Said) -> Combined | None:
    """The judge's word on an answer; None if there is no answer."""
    if done.failed:
        return None
    verdicts = said.get((spec.judge, place.id))
    if not verdicts:
        raise RuntimeError(f"judge {spec.judge} left {place.id} without a verdict")
    return combine(spec, verdicts)


def _score(word: Combined | None, done: Completion, value: float | None) -> Score:
    """A judge's number as a score; a judge that failed is told from a model that did."""
    if word is None:
        return Score.of_failure(done)
    if word.status != "ok" or value is None:
        return _unjudged(word.error)
    return Score(value)


def _unjudged(why: str | None) -> Score:
    return Score(None, "error", explanation=JUDGE_ERROR + (why or "no verdict"))


def _scale(spec: JudgeSpec, criterion: Criterion) -> Scale:
    """A yes or no said once is a proportion; a mean of several is a number."""
    if criterion.kind == "yesno" and spec.repeats == 1 and not spec.panel:
        return PROPORTION
    return Scale("number", *span(criterion))


def _irrelevant(spec: JudgeSpec, word: Combined | None) -> float | None:
    return irrelevance_rate(spec, [word]) if word is not None else None


def _reasoning(verdicts: Sequence[Verdict]) -> str | None:
    """Why the first of the verdicts is what it is, for whoever reads the scores."""
    told = next((one for one in verdicts if one.status == "ok"), None)
    if told is None:
        return None
    flags = f" ({', '.join(told.flags)})" if told.flags else ""
    return f"judge{flags}: {told.reasoning}"


# --------------------------------------------------------------------------- pairs


def _duelled(judge: Judge, case: Case, place: Place, done: Completion, said: Said) -> Score:
    """1 if this answer beats the base's, 0 if it loses, 0.5 for a tie, by the mean over repeats
    and then over the panel; both orders must agree, or it is a tie."""
    spec = judge.spec
    if done.failed:
        return Score.of_failure(done)
    verdicts = [said.get((spec.judge, f"{place.id}@{order}"), ()) for order in ORDERS]
    if not any(verdicts):
        base = case.beside.model if case.beside else ""
        return Score(None, "skipped", explanation=f"{base} gave no answer to compare with")
    members: dict[str, list[float]] = {}
    first = {(one.model, one.repeat): one for one in verdicts[0]}
    for one in verdicts[1]:
        other = first.get((one.model, one.repeat))
        points = duel(other, one).points if other is not None else None
        if points is not None:
            members.setdefault(one.model, []).append(points)
    if len(members) < quorum(spec):
        why = next((one.error for given in verdicts for one in given if one.error), None)
        return _unjudged(why)
    value = fmean(fmean(outcomes) for outcomes in members.values())
    word = "win" if value > 0.5 else "loss" if value < 0.5 else "tie"
    return Score(value, answer=word, explanation=_reasoning(verdicts[0]))


# --------------------------------------------------------------------------- rows


def _rows(
    judge: Judge, related: Sequence[str], place: Place, done: Completion, said: Said
) -> Iterator[VerdictRow]:
    """The verdicts on one answer; one that says "skipped" if there was none to judge."""
    spec = judge.spec

    def row(verdict: Verdict, *more: str) -> VerdictRow:
        kindred = ["same_family"] if verdict.model in related else []
        flags = tuple(dict.fromkeys([*verdict.flags, *kindred, *more]))
        told = verdict if flags == verdict.flags else replace(verdict, flags=flags)
        return VerdictRow(place.sample.id, place.epoch, spec.version, judge.template_hash, told)

    if done.failed:
        yield row(Verdict(spec.judge, spec.model, 0, "skipped", error=done.error))
        return
    if not spec.pairwise:
        yield from (row(one) for one in said[spec.judge, place.id])
        return
    for order in ORDERS:
        given = said.get((spec.judge, f"{place.id}@{order}"), ())
        yield from (row(one, order_flag(order)) for one in given)
