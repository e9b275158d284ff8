"""What the shape of a judge's file cannot say: its name is free, its panel and its files are there.

The mistakes have the places of plain data, as those of harness/collect/checks.py. They are told of
files that users write; a judge that a run has stored is read without them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.collect.path_checks import Data, near_file
from harness.collect.shapes import Mistake
from harness.collect.specs import METRICS
from harness.collect.template_checks import template_faults
from harness.collect.yamlio import Value, get_in, read_text
from harness.errors import SpecError

SHOWN_AS = ("meteor_exact_stem",)
"""Names under which metrics store their scores, where these are names that a judge could have."""


def judge_mistakes(data: Data, path: Path) -> Iterator[Mistake]:
    """All mistakes of meaning in a judge's data."""
    yield from _name(data)
    yield from _panel(data)
    yield from _labels(data, path)
    yield from _template(data, path)


def name_fault(name: Value) -> str | None:
    """Why a judge cannot have a name, None if it can."""
    if isinstance(name, str) and name in (*METRICS, *SHOWN_AS):
        return (
            f"a judge cannot be named '{name}', as a metric is: scores are stored by name "
            f"(say '{name}_judge')"
        )
    return None


def _name(data: Data) -> Iterator[Mistake]:
    what = name_fault(data.get("judge"))
    if what:
        yield Mistake(("judge",), what)


def _panel(data: Data) -> Iterator[Mistake]:
    """Each model judges once, and no more of them are needed than there are."""
    panel, first, quorum = data.get("panel"), data.get("model"), data.get("quorum")
    names = [first, *(panel if isinstance(panel, list) else [])]
    for number, name in enumerate(names):
        if number and isinstance(name, str) and name in names[:number]:
            already = ", in 'model' and in 'panel'" if name == first else ""
            what = f"model '{name}' stands there twice{already} ('repeats' asks it more often)"
            yield Mistake(("panel", number - 1), what)
    count = len({name for name in names if isinstance(name, str)})
    if isinstance(quorum, int) and not isinstance(quorum, bool) and quorum > count > 0:
        models = "one model judges" if count == 1 else f"{count} models judge"
        yield Mistake(("quorum",), f"'quorum' is {quorum}, and {models}")


def _labels(data: Data, path: Path) -> Iterator[Mistake]:
    loc = ("calibration", "labels")
    name = get_in(data, loc)
    if isinstance(name, str) and not (path.parent / name).is_file():
        yield Mistake(loc, f"no such file: '{name}'{near_file(path.parent / name)}")


# --------------------------------------------------------------------------- template


def _template(data: Data, path: Path) -> Iterator[Mistake]:
    name, loc = data.get("template"), ("template",)
    if not isinstance(name, str):
        return
    file = path.parent / name
    if file.resolve().parent != path.parent.resolve():
        yield Mistake(loc, "'template' must be a file beside the judge's spec")
        return
    if not file.is_file():
        yield Mistake(loc, f"no such file: '{name}'{near_file(file)}")
        return
    try:
        text = read_text(file)
    except SpecError as error:
        yield Mistake(loc, _at(name, error.line, error.what))
        return
    for line, what in template_faults(text) or tuple(_judge_faults(text, data)):
        yield Mistake(loc, _at(name, line, what))


def _at(name: str, line: int, what: str) -> str:
    return f"{name}, line {line}: {what}" if line else f"{name}: {what}"


MADE_UP = "{}: <b>a & b</b>, \"c\"\n\n    second line, ünïcode 'd'."
"""A text that most filters would change."""
HIDDEN = "'reference' is undefined: a template that shows it needs 'needs_reference: true'"


def _judge_faults(text: str, data: Data) -> Iterator[tuple[int, str]]:
    """Render a judge's template with made-up material, which must be shown as it is.

    The material is the data's that the judge will be given: a name beside it is undefined.
    """
    from harness.collect.judge_spec import Criterion
    from harness.collect.templates import TemplateFault, compiled, rendered

    names = ["answer_a", "answer_b"] if data.get("pairwise") is True else ["answer"]
    names += ["reference"] if data.get("needs_reference", True) is True else []
    material = {name: MADE_UP.format(name) for name in ("question", *names)}
    given = data.get("criteria")
    defaults = {key: field.default for key, field in Criterion.model_fields.items()}
    criteria = [
        {**defaults, **each}
        for each in (given if isinstance(given, list) else ())
        if isinstance(each, dict)
    ]
    try:
        shown = rendered(compiled(text), {**material, "criteria": criteria})
    except TemplateFault as fault:
        hidden = "reference" not in material and fault.what.startswith("'reference' is undefined")
        yield fault.line, HIDDEN if hidden else fault.what
        return
    for name, made_up in material.items():
        if shown.count(made_up) != 1:
            yield 0, f"'{name}' must be shown once and as it is: {{{{ {name} }}}}"
