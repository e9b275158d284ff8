"""The shape of a judge's file."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from harness.collect.specs import FileSpec, Misplaced, Name, Spec

ScaleName = Literal["weighted", "mean", "yesno_score"]


class Criterion(Spec):
    """One line of a rubric: a whole number from ``min`` to ``max``, or yes/no (``kind: yesno``)."""

    name: Name
    kind: Literal["score", "yesno", "claims"] = Field(
        "score",
        description="score: min..max; yesno: 1 or 0; claims: a list of {claim, supported}, whose "
        "share of supported ones is the score",
    )
    weight: float = Field(1.0, ge=0, description="in the total; 0: only reported beside it")
    min: int = 0
    max: int = Field(100)
    description: str = ""

    @model_validator(mode="after")
    def _can_be_told(self) -> Criterion:
        taken = _bare(self.name)
        if taken in _TAKEN:
            raise ValueError(f"no criterion can be named '{taken}', {_TAKEN[taken]}")
        if self.min >= self.max:
            raise ValueError(
                f"criterion '{self.name}': 'min' ({self.min}) must be below 'max' ({self.max})"
            )
        return self


class Calibration(Spec):
    """What a gate may ask of a judge's agreement with people."""

    labels: str | None = Field(None, description="JSON lines of human labels beside this spec")
    min_kappa: float | None = Field(None, ge=-1, le=1)
    max_age_days: int | None = Field(None, gt=0)


class JudgeLimits(Spec):
    """What makes a judge's word count."""

    max_judge_error_rate: float = Field(0.02, ge=0, le=1, description="above it, a gate fails")
    canary_ceiling: float = Field(0.2, ge=0, le=1, description="highest value a canary may get")
    length_correlation: float = Field(0.3, gt=0, le=1, description="|Spearman| that is warned of")
    min_captured_mass: float = Field(0.8, ge=0, le=1)
    same_family: Literal["badge", "error"] = "badge"
    irrelevant_below: float = Field(
        0.25, ge=0, le=1, description="share of a 'relevance' criterion that counts as irrelevant"
    )


class JudgeSpec(FileSpec):
    """A judge: model cards, a rubric template, criteria with weights."""

    judge: Name
    version: int = Field(ge=1)
    description: str = ""
    licence: str | None = None
    model: str = Field(description="the model card that judges; any adapter can serve it")
    panel: tuple[str, ...] = Field((), description="further model cards that judge as well")
    quorum: int | None = Field(None, ge=1, description="verdicts of a panel needed; default: most")
    aggregate: Literal["mean", "median", "majority"] = "mean"
    template: str = Field(description="Jinja file beside this spec")
    scale: ScaleName = Field(
        "weighted",
        description="weighted: sum of the scores, each at most its max, to 100; mean: mean of the "
        "scores; yesno_score: a yes/no and a score that must agree",
    )
    criteria: tuple[Criterion, ...] = ()
    needs_reference: bool = True
    media: bool = Field(
        False, description="whether it is shown the sample's images; its models must take some"
    )
    pairwise: bool = Field(False, description="compares two models' answers, in both orders")
    temperature: float = Field(0.0, ge=0)
    top_p: float = Field(1.0, gt=0, le=1)
    max_new_tokens: int = Field(1024, gt=0)
    seed: int = 0
    repeats: int = Field(1, gt=0, le=100)
    logprobs: Literal["off", "auto", "require"] = "off"
    reasks: int = Field(2, ge=0, le=5, description="of a reply that cannot be read")
    calibration: Calibration = Calibration()
    limits: JudgeLimits = JudgeLimits()

    @property
    def models(self) -> tuple[str, ...]:
        """All model cards that judge, the first one first, each once."""
        return tuple(dict.fromkeys((self.model, *self.panel)))

    @property
    def columns(self) -> tuple[str, ...]:
        """The names under which its scores are stored, the total's first."""
        names = [criterion.name for criterion in self.criteria]
        more = ["irrelevant"] if "relevance" in names else []
        return (self.judge, *(f"{self.judge}.{name}" for name in (*names, *more)))

    @model_validator(mode="after")
    def _criteria_fit_the_scale(self) -> JudgeSpec:
        if self.pairwise:
            if self.criteria:
                raise Misplaced("a pairwise judge prefers an answer; it has no 'criteria'", *_HERE)
            return self
        if not self.criteria:
            raise ValueError("'criteria' are missing")
        self._names_differ()
        if not any(criterion.weight for criterion in self.criteria):
            raise Misplaced("every 'weight' is 0, and the total would be nothing", *_HERE)
        if self.logprobs == "require":
            for criterion in self.criteria:
                if not _one_digit(criterion):
                    what = "'logprobs: require' needs scores within 0 to 9, each a single digit"
                    raise Misplaced(f"{what}, and '{criterion.name}' has others", "logprobs")
        if self.scale == "yesno_score":
            kinds = sorted(criterion.kind for criterion in self.criteria)
            if kinds != ["score", "yesno"]:
                what = "scale yesno_score needs one of kind yesno and one of kind score"
                raise Misplaced(what, *_HERE)
        if self.scale == "weighted":
            highest = sum(c.weight * (c.max if c.kind == "score" else 1) for c in self.criteria)
            if abs(highest - 100) > 1e-6:
                what = f"scale weighted: highest scores times weights add up to {highest:g}, "
                raise Misplaced(f"{what}not to 100 (the other way is 'scale: mean')", *_HERE)
        return self

    def _names_differ(self) -> None:
        """A reply tells its criteria apart by their names."""
        seen: dict[str, str] = {}
        for number, criterion in enumerate(self.criteria):
            name, bare = criterion.name, _bare(criterion.name)
            if bare in seen:
                what = (
                    f"criterion '{name}' stands there twice"
                    if name == seen[bare]
                    else f"criteria '{seen[bare]}' and '{name}' are too alike to be told apart"
                )
                raise Misplaced(what, *_HERE, number)
            seen[bare] = name


_HERE = ("criteria",)
_TAKEN = {
    "reasoning": "which every reply has",
    "total": "which is computed from all criteria",
    "irrelevant": "the column that comes from a criterion 'relevance'",
}
"""Name that no criterion can have -> what has it."""


def _bare(name: str) -> str:
    """A name as a judge may misspell it: case and `-` for `_` make no difference."""
    return name.casefold().replace("-", "_")


def _one_digit(criterion: Criterion) -> bool:
    return criterion.kind == "score" and criterion.min >= 0 and criterion.max <= 9
