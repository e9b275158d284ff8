"""The benchmark's server: its verdicts are verdicts for every bundled judge, its failures none."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from harness.collect.library import Project
from harness.judges.base import Unreadable
from harness.judges.parse import parse
from harness.judges.rubric import Rubric

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def loopback() -> ModuleType:
    spec = importlib.util.spec_from_file_location("loopback", ROOT / "benchmarks" / "loopback.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["loopback"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", Project.here(ROOT).names("judge"))
def test_a_filled_schema_is_a_verdict_of_the_strictest_kind(
    loopback: ModuleType, name: str
) -> None:
    rubric = Rubric.of(Project.here(ROOT).get_judge(name))
    for seed in range(30):
        text = json.dumps(loopback.fill(rubric.schema(), seed))
        assert parse(text, rubric).mode == "schema"


@pytest.mark.parametrize("fault", ["not_a_number", "twice"])
def test_a_broken_verdict_cannot_be_read(loopback: ModuleType, fault: str) -> None:
    rubric = Rubric.of(Project.here(ROOT).get_judge("vad_rubric"))
    breaking: Callable[[str], str] = getattr(loopback, fault)
    with pytest.raises(Unreadable):
        parse(breaking(json.dumps(loopback.fill(rubric.schema(), 1))), rubric)


def test_the_server_fails_in_all_the_ways_that_the_adapter_must_survive(
    loopback: ModuleType,
) -> None:
    assert len(loopback.FAULTS) == 16
    judge = loopback.Judge(0.0, 0.3)
    kinds = []
    for number in range(4000):
        judge.stats.attempts[str(number)] = 1
        kinds.append(judge._fault(str(number)))
    assert {kind for kind in kinds if kind} == set(loopback.FAULTS)
    assert 0.27 < sum(bool(kind) for kind in kinds) / 4000 < 0.33
