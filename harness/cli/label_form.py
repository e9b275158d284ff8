"""The terminal's form for rating answers, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import click

from harness.collect.judge_spec import Criterion, JudgeSpec
from harness.errors import ExitCode
from harness.judges.base import Material
from harness.judges.labels import LabelFile
from harness.judges.rubric import span
from harness.results.render import quoted

Item = tuple[str, Material]
"""An id that tells nothing of who answered, and what is rated."""


@dataclass(frozen=True)
class Form:
    """What one person is to rate, in the person's own order, and where it is kept."""

    spec: JudgeSpec
    items: Sequence[Item]
    file: LabelFile
    root: Path = Path()
    """The project; what is shown lies in it or beside the data."""

    @property
    def left(self) -> list[Item]:
        """What is not rated yet."""
        return [item for item in self.items if item[0] not in self.file.rated]

    @property
    def done(self) -> int:
        """How many are."""
        return len(self.items) - len(self.left)


class _Skip(Exception):
    """The person wants to see the next one."""


class _Back(Exception):
    """The person wants to see the one before again."""


class _Quit(Exception):
    """The person has had enough for now."""


def rate_in_terminal(form: Form) -> ExitCode:
    """Show what is left and ask for ratings until all is rated or the person stops.

    Every answer that is rated is stored at once. Ctrl-C, Ctrl-D and `q` stop; the next call goes
    on from there. `b` goes one question back, also to an answer that this call has stored.
    """
    click.echo("each rating is kept at once; b goes back, s skips an answer, q stops")
    left, before, at = form.left, form.done, 0
    try:
        while at < len(left):
            id, material = left[at]
            click.echo(f"\n===== {before + at + 1} of {len(form.items)}")
            click.echo(shown(material))
            try:
                form.file.add(id, material, _ratings(form.spec, last=at == 0))
            except _Back:
                at -= 1
                continue
            except _Skip:
                pass
            at += 1
    except _Quit:
        pass
    except (click.Abort, KeyboardInterrupt):
        click.echo()
    return said(form)


def _ratings(spec: JudgeSpec, *, last: bool) -> dict[str, float]:
    """What a person gives for each criterion; with ``last`` there is no answer to go back to.

    Raises _Skip, _Quit and, from the first criterion, _Back.
    """
    found: dict[str, float] = {}
    while len(found) < len(spec.criteria):
        criterion = spec.criteria[len(found)]
        try:
            found[criterion.name] = _asked(criterion)
        except _Back:
            if found:
                found.popitem()
            elif last:
                click.echo("  nothing comes before this")
            else:
                raise
    return found


def said(form: Form) -> ExitCode:
    """The last line: how much is rated, and where that is."""
    from harness.errors import shown as path_shown

    click.echo(f"{form.done} of {len(form.items)} rated: {path_shown(form.file.path)}")
    return ExitCode.OK


def shown(material: Material) -> str:
    """Question, reference and answer for a terminal; no character in them can move its cursor."""
    parts = [("question", material.question), ("reference", material.reference)]
    parts += [("media", path) for path in material.media]
    parts += [("answer", material.answer or "(empty)")]
    return "\n".join(f"{name}\n{quoted(text)}" for name, text in parts if text is not None)


def _asked(criterion: Criterion) -> float:
    while True:
        text = click.prompt(asked(criterion), prompt_suffix=": ").strip().lower()
        if text == "s":
            raise _Skip
        if text == "b":
            raise _Back
        if text == "q":
            raise _Quit
        number = read_rating(criterion, text)
        if number is not None:
            return number
        click.echo(f"  {text!r} is not {wanted(criterion)}")


def asked(criterion: Criterion) -> str:
    """What is asked for, in a few words."""
    told = f" ({criterion.description})" if criterion.description else ""
    return f"{criterion.name}{told}, {range_of(criterion)}"


def range_of(criterion: Criterion) -> str:
    """Which ratings there are, in words."""
    if criterion.kind == "yesno":
        return "y or n"
    if criterion.kind == "claims":
        return "supported claims of all, as 3/4"
    return f"{criterion.min} to {criterion.max}"


def wanted(criterion: Criterion) -> str:
    """As `range_of`, for somebody who has given something else."""
    whole = "a whole number from " if criterion.kind == "score" else ""
    return whole + range_of(criterion)


def read_rating(criterion: Criterion, text: str) -> float | None:
    """The rating that a text means for a criterion; None if it means none."""
    if criterion.kind == "yesno":
        return {"y": 1.0, "yes": 1.0, "n": 0.0, "no": 0.0}.get(text)
    try:
        number = Fraction(text) if criterion.kind == "claims" else Fraction(int(text))
    except (ValueError, ZeroDivisionError):
        return None
    low, high = span(criterion)
    return float(number) if low <= number <= high else None
