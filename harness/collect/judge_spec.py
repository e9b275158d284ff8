"""The shape of a judge's file."""

from __future__ import annotations

from pydantic import Field

from harness.collect.specs import FileSpec, Name, Spec


class Criterion(Spec):
    """One line of a rubric."""

    name: Name
    weight: float = Field(1.0, gt=0)
    min: int = 0
    max: int = Field(100)
    description: str = ""


class JudgeSpec(FileSpec):
    """A judge: a model card, a rubric template, criteria with weights."""

    judge: Name
    version: int = Field(ge=1)
    description: str = ""
    model: str
    template: str = Field(description="Jinja file beside this spec")
    criteria: tuple[Criterion, ...] = Field(min_length=1)
    needs_reference: bool = True
    temperature: float = Field(0.0, ge=0)
    repeats: int = Field(1, gt=0)
