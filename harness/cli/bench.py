"""Judges on the command line: who is named there, what they would take, how they failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import click

from harness.adapters.api_client import Secret
from harness.collect.appoint import Appointed
from harness.collect.library import Project
from harness.collect.specs import ModelSpec, OpenAIModel
from harness.errors import CollectError, HarnessError, ModelError, SelectionError
from harness.judges.judge import UNANSWERED, Judge
from harness.judges.money import money
from harness.judges.prices import PriceTable
from harness.results.run import JUDGE_ERROR, CellResult
from harness.runner.forecast import Forecast


def models_named(words: str, project: Project, option: str = "--judge-model") -> list[ModelSpec]:
    """The model cards of an ``option`` NAME,...; names or files; none for "".

    All mistakes at once; a name that is empty is one, and a model that is named twice.
    """
    errors: list[HarnessError] = []
    found: dict[str, ModelSpec] = {}
    for name in map(str.strip, words.split(",")) if words else ():
        try:
            if not name:
                raise SelectionError(f"{option} '{words}': empty name")
            card = project.get_model(name)
            if card.model in found:
                what = "stands there twice ('repeats' of the judge asks it more often)"
                raise SelectionError(f"{option} '{words}': model '{card.model}' {what}")
            found[card.model] = card
        except CollectError as error:
            errors += error.errors
        except HarnessError as error:
            errors.append(error)
    if errors:
        raise CollectError(errors)
    return list(found.values())


def make_judges(appointed: Mapping[str, Appointed], project: Project) -> dict[str, Judge]:
    """Judges ready to judge, by the words that name them; all mistakes at once."""
    prices = PriceTable.of(project.root)
    errors: list[HarnessError] = []
    found = {}
    for name, one in appointed.items():
        try:
            found[name] = Judge.of(one.spec, one.models, prices)
        except HarnessError as error:
            errors.append(error)
    if errors:
        raise CollectError(errors)
    return found


def check_keys(judges: Iterable[Judge], rows: Callable[[], Sequence[Forecast]]) -> None:
    """Raise ModelError if a judge must be asked and its key is not there, before hours are spent.

    ``rows`` say what must be asked; they are made only if a key is missing.
    """
    judges = list(judges)
    if keys_missing(judges) and (errors := keys_missing(judges, rows())):
        raise errors[0] if len(errors) == 1 else CollectError(errors)


def keys_missing(
    judges: Iterable[Judge], rows: Sequence[Forecast] | None = None
) -> list[ModelError]:
    """What is wrong with the keys of the judges' models; ``rows`` leave out who is not asked."""
    asked = None if rows is None else {row.model for row in rows if row.ask.requests}
    models = {model.model: model for judge in judges for model in judge.models}
    errors = []
    for name, model in models.items():
        if isinstance(model, OpenAIModel) and (asked is None or name in asked):
            try:
                Secret.of(model)
            except ModelError as error:
                errors.append(error)
    return errors


def say_forecast(rows: Sequence[Forecast]) -> None:
    """What the judges would take, at most; asked again for unreadable replies comes on top."""
    from tabulate import tabulate

    if not rows:
        return
    cells = [
        [
            row.judge,
            row.model,
            f"{row.calls:,}",
            f"{row.ask.requests:,}",
            f"{row.ask.prompt_tokens:,}",
            f"{row.ask.completion_tokens:,}",
            "unknown" if row.ask.usd is None else money(row.ask.usd),
        ]
        for row in rows
    ]
    names = ["judge", "model", "calls", "to ask", "tokens in", "tokens out, at most", "cost"]
    right = ("left", "left", *["right"] * 5)
    click.echo("")
    click.echo(tabulate(cells, names, colalign=right, disable_numparse=True))
    for source in dict.fromkeys(row.ask.source for row in rows):
        click.echo(f"cost: {source}")
    known = sum(row.ask.usd for row in rows if row.ask.usd is not None)
    unpriced = dict.fromkeys(row.model for row in rows if row.ask.usd is None)
    total = f"{money(known)} at most"
    if unpriced:
        rest = f"cost of {', '.join(unpriced)} unknown"
        total = f"{total}, {rest}" if known else rest
    click.echo(f"judging: {total}; replies that cannot be read add to it")


def judge_error_lines(cells: Sequence[CellResult], again: str) -> list[str]:
    """For each judge, how many answers have no valid verdict, and why most of them; last, the
    words ``again`` that ask again for replies that could not be read, if there are such."""
    failed: dict[str, Counter[str]] = {}
    answered: Counter[str] = Counter()
    for cell in cells:
        for info in cell.scorers:
            if not info.judge or info.name.partition("[")[0] != info.judge:
                continue  # a criterion says the same as the total
            for score in cell.scores[info.name]:
                why = score.explanation or ""
                if score.status == "error" and why.startswith(JUDGE_ERROR):
                    failed.setdefault(info.judge, Counter())[why.removeprefix(JUDGE_ERROR)] += 1
                    answered[info.judge] += 1
                else:
                    answered[info.judge] += score.status == "ok"
    lines = []
    for judge, reasons in failed.items():
        count, total = reasons.total(), answered[judge]
        lines.append(
            f"judge {judge}: {count} of {total} answers have no verdict (judge errors; they are "
            "the judge's failures, not the model's, and stand in no value)"
        )
        lines += [f"  {number} x {why}" for why, number in reasons.most_common(3)]
    verdicts = [row.verdict for cell in cells for row in cell.verdicts]
    errors = [one for one in verdicts if one.status == "error" and one.judge in failed]
    if any(UNANSWERED in one.flags for one in errors):
        lines.append("  what had no reply is asked again when you run the same command again")
    if any(UNANSWERED not in one.flags for one in errors):
        lines.append(f"  replies that cannot be read are remembered like all: {again} asks again")
    return lines
