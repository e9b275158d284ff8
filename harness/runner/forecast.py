"""What judging would take, before anybody is asked: calls, tokens and money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.judges.budget import Budget
from harness.judges.money import Estimate, estimate
from harness.records import Completion, Request
from harness.runner.cases import Case, Docket, Item, judges_of
from harness.runner.generate import Memory, by_base
from harness.runner.judging import Bench, Opened
from harness.runner.work import Work


@dataclass(frozen=True, slots=True)
class Forecast:
    """One model of one judge: calls in all, and what those that must be asked would take."""

    judge: str
    model: str
    calls: int
    ask: Estimate


def forecast(
    cases: Sequence[Case], answers: Mapping[str, Completion], memory: Memory
) -> list[Forecast]:
    """One row for each judge and model; nothing is asked. ``answers`` are those of all places."""
    docket = Docket(cases)
    items: dict[str, list[Item]] = {}
    places = {place.id: None for case in cases for place in case.places}
    for item in docket.offer(answers[name] for name in places):
        items.setdefault(item.judge.spec.judge, []).append(item)
    prices = next((judge.prices for judge in judges_of(cases).values()), None)
    bench = Bench(memory, Budget(None), prices)
    opened = Opened(bench, memory.cache)
    rows = []
    for name, judge in judges_of(cases).items():
        requests = judge.requests([(one.id, one.material) for one in items.get(name, [])])
        for model in judge.models:
            missing = opened(model).missing(model, requests[model.model])
            tokens = opened(model).count_tokens(model, missing)
            ask = estimate(model, missing, tokens, prices)
            rows.append(Forecast(name, model.model, len(requests[model.model]), ask))
    bench.close()
    return rows


def guess_answers(works: Sequence[Work], memory: Memory) -> dict[str, Completion]:
    """The answers that are known, and for the others one that is as long as it may be."""
    found: dict[str, Completion] = {}
    for models in by_base(works):
        adapter = memory.open(models)
        names = {model.model for model in models}
        for work in works:
            if work.cell.model.model in names and work.judges:
                known = adapter.known(work.cell.model, work.requests)
                found.update({r.id: known.get(r.id) or _longest(r) for r in work.requests})
        adapter.close()
    return found


def _longest(request: Request) -> Completion:
    """An answer of as many words as tokens are allowed; no other request has the same."""
    return Completion(request.id, f"{request.id}{' word' * request.settings.max_new_tokens}")
