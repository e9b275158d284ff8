"""`harness run --profile` and `harness show --profile` on the embedded model."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from faultserver import FaultServer
from judged import judged as judged
from judged import server as server

if TYPE_CHECKING:
    from tests.conftest import UserProject

Invoke = Callable[..., tuple[int, str, str]]
TINY = Path(__file__).resolve().parents[2] / "adapters" / "tiny-llama"


@pytest.fixture
def sums(project: UserProject) -> UserProject:
    project.add_sums(5)
    card = f"model: tiny\nadapter: transformers\nbase: {TINY}\ndtype: float32\n"
    project.write("adapters/tiny.model.yaml", card)
    project.add_replay({f"s{n}": "1" for n in range(5)})
    return project


def tables(root: Path, name: str) -> list[dict[str, Any]]:
    runs = [path for path in (root / "runs").iterdir() if not path.name.startswith(".")]
    newest = max(runs, key=lambda path: path.stat().st_mtime_ns)  # names know seconds only
    rows: list[dict[str, Any]] = pq.read_table(newest / f"{name}.parquet").to_pylist()
    return rows


def remembered(root: Path) -> int:
    with sqlite3.connect(root / ".harness" / "cache.sqlite") as db:
        return int(db.execute("SELECT count(*) FROM completions").fetchone()[0])


def test_a_profile_asks_anew_batch_by_batch_and_remembers_nothing(
    sums: UserProject, invoke: Invoke
) -> None:
    assert invoke("run", "sums", "-m", "tiny", "--limit", "2")[0] == 0
    assert remembered(sums.root) == 2
    words = ("--profile", "--warmup", "1", "--set", "batch_size=1,2,4")
    code, out, err = invoke("run", "sums", "-m", "tiny", *words)
    assert code == 0
    assert "at most 100 samples a cell (--limit N asks for others), after 1 to warm up" in err
    assert remembered(sums.root) == 2
    assert not any(row["cached"] for row in tables(sums.root, "completions"))
    profile = tables(sums.root, "profile")
    stages = [row["stage"] for row in profile if "batch_size=1]" in row["cell"]]
    assert stages == ["preprocess", "prefill", "generate", "total"]
    totals = [row for row in profile if row["stage"] == "total"]
    weights = (TINY / "model.safetensors").stat().st_size / 1e6
    assert [row["n"] for row in totals] == [5, 5, 5]
    assert {row["size_mb"] for row in totals} == {weights}
    # bfloat16 on disk, float32 in memory
    assert all(row["weights_mb"] == pytest.approx(2 * weights, rel=0.05) for row in totals)
    assert all(row["peak_memory_mb"] > row["weights_mb"] for row in totals)
    # in a batch of one every answer has its own time, in one of four they share one
    latencies: dict[str, set[float]] = {}
    for row in tables(sums.root, "completions"):
        latencies.setdefault(row["variant"], set()).add(row["latency_ms"])
    assert [len(latencies[f"batch_size={size}"]) for size in (1, 2, 4)] == [5, 3, 2]
    for words_ in ("speed by stage", "by batch size (* optimal)", "optimal batch"):
        assert words_ in out
    _, shown, _ = invoke("show", "latest", "--profile", "--format", "json")
    body = json.loads(shown)
    assert [row["batch_size"] for row in body["batches"]] == [1, 2, 4]
    assert len(body["stages"]) == 12


def test_choices_are_read_and_nothing_is_generated(sums: UserProject, invoke: Invoke) -> None:
    task = sums.root / "tasks/sums/sums.task.yaml"
    text = task.read_text().replace("score: [exact_match, rouge_l]", "score: [perplexity]")
    text = text.replace('generate: {max_new_tokens: 8, stop: ["\\n"]}', "output_type: perplexity")
    task.write_text(text, encoding="utf-8")
    assert invoke("run", "sums", "-m", "tiny", "--profile", "--limit", "3")[0] == 0
    profile = tables(sums.root, "profile")
    assert [row["stage"] for row in profile] == ["preprocess", "prefill", "total"]
    assert profile[1]["mean"] == pytest.approx(profile[2]["mean"])


def test_dtypes_are_held_against_float32(sums: UserProject, invoke: Invoke) -> None:
    words = ("--profile", "--limit", "2", "--warmup", "0", "--set", "dtype=bfloat16,float32")
    code, out, _ = invoke("run", "sums", "-m", "tiny", *words)
    assert code == 0
    assert "sums: tiny: sizes are weights in memory; the reference is dtype=float32." in out
    sizes = {row["cell"]: row["weights_mb"] for row in tables(sums.root, "profile")}
    small, large = sorted(value for value in sizes.values() if value is not None)
    assert large == pytest.approx(2 * small)


def test_recorded_answers_have_no_speed(sums: UserProject, invoke: Invoke) -> None:
    assert invoke("run", "sums", "-m", "recorded")[0] == 0
    code, _, err = invoke("show", "latest", "--profile")
    assert code == 4
    assert "nothing was timed" in err


def test_cached_answers_are_told(sums: UserProject, invoke: Invoke) -> None:
    for _ in range(2):
        assert invoke("run", "sums", "-m", "tiny", "--limit", "2")[0] == 0
    _, out, _ = invoke("show", "latest", "--profile", "--format", "markdown")
    assert "2 of 2 answers were cached and keep their first time" in out


def test_a_warm_up_needs_something_to_measure(sums: UserProject, invoke: Invoke) -> None:
    code, _, err = invoke("run", "sums", "-m", "tiny", "--warmup", "2")
    assert code == 4
    assert "--warmup needs --profile" in err


def test_a_profile_asks_no_judge(judged: UserProject, server: FaultServer, invoke: Invoke) -> None:
    code, _, err = invoke("run", "sums", "-m", "recorded", "--profile")
    assert (code, server.asked) == (0, [])
    assert "note: --profile asks no judges (strict)" in err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--by", "fps"), "--profile stands alone: leave out --by"),
        (("--classes", "--headroom"), "--profile stands alone: leave out --classes, --headroom"),
        (("--tolerance", "nan"), "--tolerance must be a number, not nan"),
    ],
)
def test_a_profile_is_shown_alone(
    sums: UserProject, invoke: Invoke, words: tuple[str, ...], told: str
) -> None:
    assert invoke("run", "sums", "-m", "recorded")[0] == 0
    code, out, err = invoke("show", "latest", "--profile", *words)
    assert (code, out) == (4, "")
    assert told in err
