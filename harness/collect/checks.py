"""What the shape of a spec cannot say: templates parse, metrics exist, data lies where it should.

The checks look at plain data rather than at a spec, so that a file with a misspelt key and a broken
template is told about both at once. What names another file (a baseline, a judge) is checked in
harness/collect/tree.py, which knows the libraries.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import get_args

from harness.collect.gate_scales import SCALES, Range, judge_key_fault, limit_fault
from harness.collect.gate_spec import ASKED, COSTS, GateSpec, contradictions
from harness.collect.judge_checks import judge_mistakes
from harness.collect.path_checks import (
    Data,
    Place,
    beside_the_card,
    data_path,
)
from harness.collect.patterns import compile_pattern
from harness.collect.recipe_checks import recipe_mistakes
from harness.collect.settings import setting_faults, short_key, unknown_setting
from harness.collect.shapes import Mistake
from harness.collect.specs import METRICS, OUTPUT_TYPES, output_of
from harness.collect.suggest import did_you_mean, known_or_near
from harness.collect.template_checks import template_mistakes
from harness.collect.yamlio import Loc, Value, get_in
from harness.records import OutputType

NEEDS = {"regex": "pattern", "format": "pattern"}
"""Metric -> the key it cannot do without."""
ONLY_FOR = {
    "pattern": ("regex", "format"),
    "encoder": ("semantic_similarity", "context_relevance", "bertscore_f1"),
    "layer": ("bertscore_f1",),
    "tolerance": ("frame_localization",),
    "question": (),
}
"""Key of a score entry -> the metrics for which it has a meaning."""


def check(kind: str, data: Data, place: Place) -> Iterator[Mistake]:
    """All mistakes of meaning in a spec's data."""
    yield from _file_name(kind, data, place.path)
    if kind == "task":
        yield from _templates(data)
        yield from _scores(data, place.judges)
        yield from _gates(data)
        yield from data_path(data, place)
        yield from _variants(data, place)
        yield from _answers(data)
    elif kind == "judge":
        yield from judge_mistakes(data, place.path)
    elif kind == "recipe":
        yield from recipe_mistakes(data)
    elif kind == "model":
        yield from beside_the_card(data, place.path)


def _file_name(kind: str, data: Data, path: Path) -> Iterator[Mistake]:
    name, suffix = data.get(kind), f".{kind}.yaml"
    if not path.name.endswith(suffix):
        yield Mistake((), f"the file of a {kind} must be named <name>{suffix}")
    elif isinstance(name, str) and path.name != name + suffix:
        expected = path.name.removesuffix(suffix)
        yield Mistake((kind,), f"'{kind}' must be '{expected}', the name of its file, not '{name}'")


# --------------------------------------------------------------------------- templates


def _templates(data: Data) -> Iterator[Mistake]:
    places: list[Loc] = [("prompt", "template"), ("prompt", "target_template")]
    named = data.get("prompts")
    own: list[Loc] = [
        ("prompt",),
        *(("prompts", n) for n in (named if isinstance(named, dict) else ())),
    ]
    places += [(*loc, key) for loc in own[1:] for key in ("template", "target_template")]
    for loc in own:
        messages = get_in(data, (*loc, "messages"))
        if isinstance(messages, list):
            places += [(*loc, "messages", i, "content") for i in range(len(messages))]
    for loc in places:
        text = get_in(data, loc)
        if isinstance(text, str):
            yield from template_mistakes(text, loc)


# --------------------------------------------------------------------------- scores and gates


def _scores(data: Data, judges: Collection[str]) -> Iterator[Mistake]:
    score = data.get("score")
    entries = score if isinstance(score, list) else []
    for number, raw in enumerate(entries):
        entry: Value = {"metric": raw} if isinstance(raw, str) else raw
        if not isinstance(entry, dict):
            continue
        loc: Loc = ("score", number)
        names = [_score_key(each) for each in entries[:number]]
        if _score_key(raw) in names:
            yield Mistake(loc, _twice(entry, entries[names.index(_score_key(raw))]))
        metric, judge = entry.get("metric"), entry.get("judge")
        if isinstance(metric, str) and metric not in METRICS:
            place = (*loc, "metric") if isinstance(raw, dict) else loc
            yield Mistake(place, f"unknown metric '{metric}'{_meant(metric, judges)}")
            continue
        if isinstance(judge, str) and _output(data) in ("choices", "perplexity"):
            what = f"reads text, and 'output_type' is '{_output(data)}'"
            yield Mistake((*loc, "judge"), f"judge '{judge}' {what}")
        yield from _metric(entry, data, loc, named=isinstance(raw, dict))


def _meant(metric: str, judges: Collection[str]) -> str:
    """What an unknown metric may have been: a judge that stands where metrics stand, say."""
    if metric in judges:
        return f" (did you mean 'judge: {metric}'?)"
    return known_or_near(metric, METRICS) or did_you_mean(
        f"judge: {metric}", [f"judge: {name}" for name in judges]
    )


NAMED_BY = {
    "rouge_1": ("tokenizer",),
    "rouge_2": ("tokenizer",),
    "rouge_l": ("tokenizer",),
    "semantic_similarity": ("encoder",),
    "context_relevance": ("encoder",),
    "bertscore_f1": ("encoder", "layer"),
    "frame_localization": ("tolerance",),
}
"""Metric -> the keys that its shown name tells; scores are stored under that name."""


def _score_key(raw: Value) -> object:
    """What two entries under one shown name have in common."""
    entry: Value = {"metric": raw} if isinstance(raw, str) else raw
    if not isinstance(entry, dict):
        return object()
    metric = entry.get("metric")
    keys = NAMED_BY.get(metric, ()) if isinstance(metric, str) else ()
    told = [entry.get(key) if key != "tokenizer" else entry.get(key, "rouge") for key in keys]
    return [metric, entry.get("judge"), *told]


def _twice(entry: Data, first: Value) -> str:
    name = entry.get("metric") or entry.get("judge")
    other = {"metric": first} if isinstance(first, str) else first
    if entry == other:
        return "the same entry stands in 'score' twice"
    return f"'{name}' stands in 'score' twice, and scores are stored by name; keep one of them"


def _metric(entry: Data, data: Data, loc: Loc, *, named: bool) -> Iterator[Mistake]:
    metric, pattern = entry.get("metric"), entry.get("pattern")
    place = (*loc, "metric") if named else loc
    if isinstance(metric, str):
        needed = NEEDS.get(metric)
        if needed and entry.get(needed) is None:
            yield Mistake(place, f"metric '{metric}' needs '{needed}'")
        for key in entry:
            if metric not in ONLY_FOR.get(key, (metric,)):
                yield Mistake((*loc, key), f"'{key}' has no meaning for metric '{metric}'")
        what = _output_fault(metric, data)
        if what:
            yield Mistake(place, what)
    if isinstance(pattern, str):
        yield from _pattern(pattern, (*loc, "pattern"))
    question = entry.get("question")
    if isinstance(question, str):
        yield from template_mistakes(question, (*loc, "question"))


def _answers(data: Data) -> Iterator[Mistake]:
    """Settings of choices where there are none, and two words on how to answer."""
    has_choices = get_in(data, ("data", "fields", "choices")) is not None
    for key in ("answer", "shuffle_choices"):
        if data.get(key) is not None and not has_choices:
            yield Mistake((key,), f"'{key}' is about choices: name them in 'data.fields.choices'")
    given, output = data.get("answer"), data.get("output_type")
    if isinstance(given, str) and isinstance(output, str) and output_of(given) != output:
        what = f"'answer: {given}' means 'output_type: {output_of(given)}', not '{output}'"
        yield Mistake(("answer",), f"{what}; leave one of them out")


def _output(data: Data) -> Value:
    answer = data.get("answer")
    if isinstance(answer, str):
        return output_of(answer)
    return data.get("output_type", "generate")


def _output_fault(metric: str, data: Data) -> str | None:
    """Why a metric cannot be computed from what the task asks for."""
    output = _output(data)
    has_choices = get_in(data, ("data", "fields", "choices")) is not None
    reads_choices = metric in ("choice", "circular")
    if reads_choices and output not in ("choices", "perplexity") and not has_choices:
        return f"metric '{metric}' needs 'output_type: choices' or 'choices' in 'data.fields'"
    allowed = OUTPUT_TYPES.get(metric, ("generate",))
    if output in get_args(OutputType) and output not in allowed:
        ways = " or ".join(allowed)
        return f"metric '{metric}' needs 'output_type: {ways}', and the task's is '{output}'"
    return None


def _pattern(pattern: str, loc: Loc) -> Iterator[Mistake]:
    try:
        compile_pattern(pattern)
    except ValueError as error:
        yield Mistake(loc, f"'pattern' is not a regular expression: {error}")


def _gates(data: Data) -> Iterator[Mistake]:
    """A gate names what is scored, a part of it (`bleu[13a]`, `judge.criterion`), or a cost; what
    another task scores is that task's matter."""
    score, gates = data.get("score"), data.get("gate")
    if not isinstance(score, list) or not isinstance(gates, list):
        return
    lines: dict[int, GateSpec] = {}
    for number, gate in enumerate(gates):
        with contextlib.suppress(ValueError):  # its shape is wrong, which is told elsewhere
            lines[number] = GateSpec.model_validate(gate)
        keys: Data = gate if isinstance(gate, dict) and number in lines else {}
        for key in ASKED:
            if key in keys and keys[key] is None:
                what = f"'{key}' is empty: give a number, or leave it out"
                yield Mistake(("gate", number, key), what)
    for number, what in contradictions(lines):
        yield Mistake(("gate", number, "metric"), what)
    names = [
        name
        for entry in score
        for name in ([entry] if isinstance(entry, str) else _names(entry))
        if isinstance(name, str)
    ]
    for number, gate in enumerate(gates):
        if not isinstance(gate, dict) or gate.get("task") not in (None, data.get("task")):
            continue
        metric = gate.get("metric")
        if isinstance(metric, str) and metric not in COSTS and not _is_part(metric, names):
            near = known_or_near(metric, [*names, *COSTS])
            what = f"the gate's metric '{metric}' is not in 'score'{near}"
            yield Mistake(("gate", number, "metric"), what)
    yield from _limits(lines, names)


def _limits(lines: Mapping[int, GateSpec], names: Collection[str]) -> Iterator[Mistake]:
    """Limits beyond a metric's scale, and keys about judges where none has judged."""
    for number, line in lines.items():
        base = line.metric.partition("[")[0]
        known = line.is_cost or (base in SCALES and (line.task is not None or base in names))
        if not known:  # a judge's, whose scale is known where it is read
            continue
        scale = Range(0) if line.is_cost else SCALES[base]
        found = limit_fault(line, scale) or judge_key_fault(line)
        if found:
            yield Mistake(("gate", number, found[0]), found[1])


def _is_part(metric: str, names: list[str]) -> bool:
    return any(metric == name or metric.startswith((f"{name}[", f"{name}.")) for name in names)


def _names(entry: Value) -> list[Value]:
    return [entry.get("metric"), entry.get("judge")] if isinstance(entry, dict) else []


# --------------------------------------------------------------------------- variants


def _same(one: Value, other: Value) -> bool:
    """Equal, as numbers are that are written in two ways; but true is not 1."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _variants(data: Data, place: Place) -> Iterator[Mistake]:
    variants = data.get("variants")
    known: dict[str, str] = {}
    for key, values in variants.items() if isinstance(variants, dict) else ():
        if short_key(key) in known:
            twice = f"variant '{key}' stands there as '{known[short_key(key)]}' too"
            yield Mistake(("variants", key), twice)
        known[short_key(key)] = key
        what = unknown_setting(key)
        if what:
            yield Mistake(("variants", key), what)
            continue
        if not isinstance(values, list):
            continue
        if not values:
            yield Mistake(("variants", key), f"variant '{key}' has no values")
        for number, value in enumerate(values):
            loc: Loc = ("variants", key, number)
            if any(_same(value, other) for other in values[:number]):
                yield Mistake(loc, f"variant '{key}' has the value {value!r} twice")
            if isinstance(value, (str, int, float)):
                for what in setting_faults(data, short_key(key), value, place):
                    yield Mistake(loc, what)
