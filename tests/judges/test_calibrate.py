"""A judge against people: what is measured, what it is bound to, when a gate must refuse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sklearn.metrics import cohen_kappa_score

from harness.collect.judge_spec import JudgeSpec
from harness.errors import HarnessError, SelectionError, StoreError
from harness.judges.base import Material
from harness.judges.calibrate import (
    Calibrated,
    binding,
    calibrate,
    calibration_path,
    load,
    load_calibration,
    panel_fingerprint,
    save_calibration,
)
from harness.judges.canaries import SelfTest, save_selftest, selftest_path
from harness.judges.combine import Combined
from harness.judges.labels import LabelledItem, make_label
from harness.judges.trust import Trust, load_trust


def judge(**more: object) -> JudgeSpec:
    shape: dict[str, object] = {
        "judge": "likert",
        "version": 1,
        "model": "m",
        "template": "likert.j2",
        "scale": "mean",
        "criteria": [{"name": "right", "min": 1, "max": 5}, {"name": "clear", "min": 1, "max": 5}],
    }
    return JudgeSpec.model_validate(shape | more)


HUMAN = [1, 2, 3, 4, 5, 5, 4, 3, 2, 1, 3, 4]
JUDGE = [1, 2, 4, 4, 5, 4, 5, 3, 3, 1, 3, 5]


def items(spec: JudgeSpec, **people: Sequence[int]) -> list[LabelledItem]:
    """Answers that every person gave the same mark on both criteria."""
    found = []
    for n in range(len(HUMAN)):
        material = Material(f"q{n}", "r", f"a{n}")
        labels = [
            make_label(f"i{n}", name, material, {"right": marks[n], "clear": marks[n]}, spec)
            for name, marks in people.items()
            if n < len(marks)
        ]
        found.append(LabelledItem(f"i{n}", material, tuple(labels)))
    return found


def said(marks: Sequence[int | None]) -> dict[str, Combined]:
    """The judge's word on each answer; None is a judge error."""
    return {
        f"i{n}": Combined(None, None, status="error", error="no verdict")
        if mark is None
        else Combined((mark - 1) / 4, float(mark), {"right": float(mark), "clear": float(mark)})
        for n, mark in enumerate(marks)
    }


# --------------------------------------------------------------------------- what is measured


def test_r13_calibration_measures_agreement_with_people() -> None:
    spec = judge()
    done = calibrate(spec, items(spec, anna=HUMAN), said(JUDGE))
    oracle = cohen_kappa_score(JUDGE, HUMAN, weights="quadratic", labels=[1, 2, 3, 4, 5])
    assert done.kappa == pytest.approx(oracle)
    assert done.criteria["right"].kappa.value == pytest.approx(oracle)
    assert done.total.bias.value == pytest.approx(sum(JUDGE) / 12 - sum(HUMAN) / 12)
    assert done.total.kappa.low is not None
    assert done.total.kappa.low < oracle
    assert done.alpha == pytest.approx(oracle, abs=0.02)
    assert (done.n, done.n_judge_error, done.raters) == (12, 0, ("anna",))
    assert (done.threshold, done.people_alpha, done.people) == (3, None, ())


def test_sensitivity_and_specificity_are_counted_at_the_threshold() -> None:
    spec = judge()
    done = calibrate(spec, items(spec, anna=HUMAN), said(JUDGE), threshold=4)
    table = done.passes
    assert (table.hits, table.positives) == (5, 5)
    assert (table.rejections, table.negatives) == (6, 7)
    judged = sum(mark >= 4 for mark in JUDGE)
    corrected = table.correct(judged, 12)
    assert corrected.value == pytest.approx(5 / 12)
    assert corrected.low is not None
    assert corrected.high is not None
    assert corrected.low < 5 / 12 < corrected.high


def test_r2_judge_errors_are_counted_and_stand_in_nothing() -> None:
    spec = judge()
    kept = calibrate(spec, items(spec, anna=HUMAN)[1:], said(JUDGE))
    done = calibrate(spec, items(spec, anna=HUMAN), said([None, *JUDGE[1:]]))
    assert (done.n, done.n_judge_error) == (12, 1)
    assert done.judge_error_rate == pytest.approx(1 / 12)
    assert done.total == kept.total
    assert done.passes == kept.passes


def test_a_judge_that_never_answers_has_no_agreement() -> None:
    spec = judge()
    done = calibrate(spec, items(spec, anna=HUMAN), said([None] * 12))
    assert (done.kappa, done.alpha, done.total.bias.value) == (None, None, None)
    assert done.n_judge_error == 12


def test_two_raters_agreement_stands_beside_the_judges() -> None:
    spec = judge()
    ben = [1, 2, 3, 4, 5, 5, 4, 4, 2, 1]
    done = calibrate(spec, items(spec, anna=HUMAN, ben=ben), said(JUDGE))
    (pair,) = done.people
    assert (pair.first, pair.second) == ("anna", "ben")
    oracle = cohen_kappa_score(HUMAN[:10], ben, weights="quadratic", labels=[1, 2, 3, 4, 5])
    assert pair.agreement.kappa.value == pytest.approx(oracle)
    assert pair.agreement.kappa.n == 10
    assert done.people_alpha == pytest.approx(oracle, abs=0.02)
    assert done.raters == ("anna", "ben")


def test_the_judge_is_compared_with_the_mean_of_the_people() -> None:
    spec = judge()
    up = [min(5, mark + 1) for mark in HUMAN]
    done = calibrate(spec, items(spec, anna=HUMAN, ben=up), said(HUMAN))
    assert done.total.bias.value == pytest.approx(-(sum(up) - sum(HUMAN)) / 24)


def test_totals_without_ratings_calibrate_the_total_alone() -> None:
    spec = judge()
    whole = [
        replace(one, labels=tuple(replace(label, ratings={}) for label in one.labels))
        for one in items(spec, anna=HUMAN)
    ]
    done = calibrate(spec, whole, said(JUDGE))
    assert done.criteria == {}
    assert done.kappa is not None


def test_a_pairwise_judge_cannot_be_calibrated_on_ratings() -> None:
    spec = judge(pairwise=True, criteria=[], scale="mean")
    with pytest.raises(HarnessError, match="compares two answers"):
        calibrate(spec, [], {})


# --------------------------------------------------------------------------- what it is bound to


def stored(spec: JudgeSpec, project: Path) -> Calibrated:
    done = calibrate(spec, items(spec, anna=HUMAN, ben=HUMAN[:9]), said(JUDGE))
    save_calibration(done, binding(spec, "template", "weights"), calibration_path(spec, project))
    return done


def test_r13_a_stored_calibration_is_read_as_it_was_written(tmp_path: Path) -> None:
    spec = judge()
    done = stored(spec, tmp_path)
    assert (tmp_path / ".harness" / "calibration" / "likert.json").is_file()
    assert load_calibration(spec, "template", "weights", tmp_path) == done


def test_r13_calibration_is_bound_to_model_template_and_settings(tmp_path: Path) -> None:
    spec = judge()
    stored(spec, tmp_path)
    assert load_calibration(spec, "another template", "weights", tmp_path) is None
    assert load_calibration(spec, "template", "other weights", tmp_path) is None
    settings = {"temperature": 0.5, "repeats": 3, "panel": ["n"], "logprobs": "auto", "media": True}
    for change in ({name: value} for name, value in settings.items()):
        assert load_calibration(judge(**change), "template", "weights", tmp_path) is None
    assert load_calibration(judge(description="words"), "template", "weights", tmp_path)


def test_a_second_model_does_not_replace_the_first(tmp_path: Path) -> None:
    spec = judge()
    first = stored(spec, tmp_path)
    second = replace(first, models=("other",))
    save_calibration(second, binding(spec, "template", "other"), calibration_path(spec, tmp_path))
    assert load_calibration(spec, "template", "weights", tmp_path) == first
    assert load_calibration(spec, "template", "other", tmp_path) == second


def test_the_project_is_the_one_around_the_present_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.harness]\n", encoding="utf-8")
    (tmp_path / "inside").mkdir()
    monkeypatch.chdir(tmp_path / "inside")
    done = stored(judge(), tmp_path)
    assert load_calibration(judge(), "template", "weights") == done


@pytest.mark.parametrize("text", ["{", '{"key": {"threshold": NaN}}', "[]", "\0"])
def test_a_damaged_file_is_told_in_one_line_and_costs_no_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    path = calibration_path(judge(), tmp_path)
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(StoreError, match="is damaged; delete it and measure again"):
        load(Calibrated, path)
    assert load_calibration(judge(), "template", "weights", tmp_path) is None
    (told,) = caplog.messages
    assert told == f"warning: {path}: is damaged; delete it and measure again"
    path.rename(selftest_path(judge(), tmp_path))
    assert load_trust(judge(), "template", "weights", tmp_path) == Trust(None, None)
    assert len(caplog.messages) == 2


def test_a_damaged_file_gives_way_to_the_next_calibration_and_is_kept(tmp_path: Path) -> None:
    path = calibration_path(judge(), tmp_path)
    path.parent.mkdir(parents=True)
    path.write_text("{", encoding="utf-8")
    done = calibrate(judge(), items(judge(), anna=HUMAN), said(JUDGE))
    aside = save_calibration(done, "key", path)
    assert aside == path.with_name("likert.json.damaged")
    assert aside.read_text(encoding="utf-8") == "{"
    assert load(Calibrated, path) == {"key": done}
    assert save_calibration(done, "key", path) is None


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), 0.9, 5.1])
def test_a_threshold_that_is_not_on_the_scale_is_refused(wrong: float) -> None:
    with pytest.raises(SelectionError, match=r"--threshold .* go from 1 to 5"):
        calibrate(judge(), items(judge(), anna=HUMAN), said(JUDGE), threshold=wrong)


def test_what_could_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    done = calibrate(judge(), items(judge(), anna=HUMAN), said(JUDGE))
    path = calibration_path(judge(), tmp_path)
    with pytest.raises(ValueError, match="threshold"):
        save_calibration(replace(done, threshold=float("nan")), "key", path)
    assert not path.exists()


def test_a_panel_is_its_members_in_their_order() -> None:
    assert panel_fingerprint(["a"]) == "a"
    assert panel_fingerprint(["a", "b"]) != panel_fingerprint(["b", "a"])


# --------------------------------------------------------------------------- gates

PASSED = SelfTest("likert", ("m",), datetime.now(UTC), 0.2, (), ())


def refusals(spec: JudgeSpec, days: float = 0, selftest: SelfTest | None = PASSED) -> list[str]:
    done = calibrate(spec, items(spec, anna=HUMAN), said(JUDGE))
    trust = Trust(done, selftest)
    return list(trust.refusals(spec, datetime.now(UTC) + timedelta(days=days)))


def test_r7_a_self_test_passed_at_a_higher_ceiling_is_void() -> None:
    loose = replace(PASSED, ceiling=0.5)
    assert refusals(judge(limits={"canary_ceiling": 0.5}), selftest=loose) == []
    assert refusals(judge(), selftest=loose) == [
        "self-test allowed canaries 0.5, 0.2 is the most by now: harness judge selftest likert"
    ]


def test_a_judge_that_passed_its_self_test_and_asks_for_no_more_is_believed() -> None:
    assert refusals(judge()) == []
    assert Trust(None, PASSED).refusals(judge()) == ()


def test_r7_a_gate_refuses_a_judge_without_or_with_a_failed_self_test() -> None:
    assert refusals(judge(), selftest=None) == ["no self-test: harness judge selftest likert"]
    failed = replace(PASSED, failures=("colon: 1.00, above 0.2", "empty: 0.90, above 0.2"))
    assert refusals(judge(), selftest=failed) == ["failed its self-test: colon: 1.00, above 0.2"]


def test_r13_a_gate_may_ask_for_a_kappa_and_an_age() -> None:
    spec = judge(calibration={"min_kappa": 0.5, "max_age_days": 30})
    assert refusals(spec) == []
    assert refusals(spec, days=31.5) == ["calibrated 31 days ago, at most 30 are allowed"]
    assert Trust(None, PASSED).refusals(spec) == (
        "not calibrated: harness judge calibrate likert LABELS",
    )
    strict = judge(calibration={"min_kappa": 0.99})
    assert refusals(strict, days=999) == ["kappa with people is 0.89, 0.99 is needed"]


def test_calibration_and_self_test_are_found_together(tmp_path: Path) -> None:
    spec = judge()
    done = stored(spec, tmp_path)
    assert load_trust(spec, "template", "weights", tmp_path) == Trust(done, None)
    path = selftest_path(spec, tmp_path)
    assert path.name == "likert.selftest.json"
    save_selftest(PASSED, binding(spec, "template", "weights"), path)
    assert load_trust(spec, "template", "weights", tmp_path) == Trust(done, PASSED)
    assert load_trust(spec, "another template", "weights", tmp_path) == Trust(None, None)
