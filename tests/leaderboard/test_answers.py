"""Answers, scores and verdicts as data scripts, as a site has them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from siteruns import JUDGED, Cell, call, questions, store, verdict

from harness.errors import StoreError
from harness.leaderboard.answers import rounded
from harness.leaderboard.data_files import DataFiles, board_value
from harness.leaderboard.folder import SiteFolder
from harness.leaderboard.gather import BoardCell, gather
from harness.leaderboard.stream import BATCH, CellStream
from harness.leaderboard.texts import Texts
from harness.records import LETTERS, Sample, Score, Verdict
from harness.results.run import ScorerInfo
from harness.results.store import RunReader, read_run


class Data:
    """The data scripts of some runs."""

    def __init__(
        self,
        root: Path,
        runs: Sequence[RunReader],
        texts: Texts | None = None,
        most: int | None = None,
    ) -> None:
        self.root = root
        self.board = gather(runs)
        self.files = DataFiles(self.board, SiteFolder.open(root), texts or Texts(), most)
        self.files.write()

    def cell(self, model: str = "base", variant: str = "") -> BoardCell:
        return next(b.cells[model] for b in self.board.benches if b.variant == variant)

    def scores(self, model: str = "base") -> Any:
        cell = self.cell(model)
        name, value = call(self.root / cell.folder / "scores.js")
        assert name == f"scores/{cell.run.run_id}/{cell.key}"
        return value

    def answers(self, model: str = "base", part: int = 1) -> Any:
        cell = self.cell(model)
        name, value = call(self.root / cell.folder / f"{part:04}.js")
        assert name == f"answers/{cell.run.run_id}/{cell.key}/{part}"
        lists = [v for k, v in value.items() if k not in ("scores", "verdicts")]
        lists += [column for of in value["scores"].values() for column in of.values()]
        assert {len(one) for one in lists} == {len(value["i"])}
        return value


def data_of(tmp_path: Path, *cells: Cell, **options: Any) -> Data:
    return Data(tmp_path / "site", [store(tmp_path / "runs", *cells)], **options)


# --------------------------------------------------------------------------- numbers


@given(st.lists(st.floats(), max_size=20))
def test_numbers_keep_six_digits_and_what_is_none_is_null(values: list[float]) -> None:
    found = rounded(np.array(values, dtype=float))
    for value, kept in zip(values, found, strict=True):
        if not math.isfinite(value):
            assert kept is None
        else:
            assert kept is not None
            assert math.isfinite(kept)
            assert abs(kept - value) <= 5.1e-6 * abs(value)


def test_a_plain_fraction_stays_one() -> None:
    assert rounded(np.array([0.1, 1 / 3, 2.0, 0.0, 123456789.0])) == [0.1, 0.333333, 2, 0, 123457e3]


# --------------------------------------------------------------------------- scores


def test_every_sample_has_its_value_and_failures_are_listed(tmp_path: Path) -> None:
    cell = Cell(values={"exact_match": [1, None, 0], "rouge_l": [0.123456789, 0.5, None]})
    assert data_of(tmp_path, cell).scores() == {
        "n": 3,
        "metrics": {"exact_match": [1, None, 0], "rouge_l": [0.123457, 0.5, None]},
        "failed": [1, 2],
    }


def test_epochs_are_averaged_and_one_failed_epoch_fails_its_sample(tmp_path: Path) -> None:
    cell = Cell(values={"exact_match": [1, 0, 1, 1, 1, None]}, epochs=2)
    data = data_of(tmp_path, cell)
    assert data.scores()["metrics"] == {"exact_match": [0.5, 1, None]}
    assert data.scores()["failed"] == [2]
    answers = data.answers()
    assert answers["i"] == [0, 0, 1, 1, 2, 2]
    assert answers["epoch"] == [0, 1, 0, 1, 0, 1]
    assert answers["scores"]["exact_match"]["value"] == [1, 0, 1, 1, 1, None]


def choices(root: Path, texts: Texts) -> Data:
    samples = [Sample(f"c{n}", "?", "AB"[n % 2], choices=("yes", "no")) for n in range(3)]
    picked = [Score(1.0, answer="A"), Score(0.0, answer="A"), Score(0.0)]
    return Data(
        root / "site",
        [store(root / "runs", Cell(values={"choice": picked}, samples=samples))],
        texts,
    )


def test_choices_have_letters(tmp_path: Path) -> None:
    data = choices(tmp_path, Texts())
    assert data.scores()["answers"] == ["A", "A", None]
    samples = call(tmp_path / "site" / data.cell().samples_folder / "0001.js")[1]
    assert samples["choices"] == [["yes", "no"]] * 3
    assert samples["target"] == ["A", "B", "A"]


def test_a_letter_is_an_answer(tmp_path: Path) -> None:
    data = choices(tmp_path, Texts(answers=False))
    assert "answers" not in data.scores()
    assert "answer" not in data.answers()["scores"]["choice"]


def test_of_several_epochs_the_first_letter_counts(tmp_path: Path) -> None:
    samples = [Sample("c", "?", "A", choices=tuple(LETTERS))]
    picked = [Score(0.0, answer="B"), Score(1.0, answer="A")]
    data = data_of(tmp_path, Cell(values={"choice": picked}, samples=samples, epochs=2))
    assert data.scores()["answers"] == ["B"]


# --------------------------------------------------------------------------- answers


def test_columns_that_say_nothing_are_left_out(tmp_path: Path) -> None:
    assert data_of(tmp_path, Cell()).answers() == {
        "i": [0, 1],
        "text": ["answer 0 of base", "answer 1 of base"],
        "finish": ["stop", "stop"],
        "prompt_tokens": [9, 9],
        "completion_tokens": [4, 4],
        "latency_ms": [10, 11],
        "scores": {"exact_match": {"value": [1, 0]}},
    }


def test_failures_say_why(tmp_path: Path) -> None:
    told = data_of(tmp_path, Cell(values={"exact_match": [1, None]})).answers()
    assert told["error"] == [None, "no answer"]
    assert told["text"] == ["answer 0 of base", ""]
    assert told["finish"] == ["stop", "error"]
    assert told["scores"]["exact_match"] == {
        "value": [1, None],
        "status": ["ok", "error"],
        "note": [None, "no answer"],
    }


def test_prompts_stand_beside_answers_if_asked_for(tmp_path: Path) -> None:
    cell = Cell(prompts=["one", "two"])
    run = store(tmp_path, cell)
    assert "prompt" not in Data(tmp_path / "1", [run]).answers()
    asked = Data(tmp_path / "2", [run], Texts(prompts=True))
    assert asked.answers()["prompt"] == ["one", "two"]
    assert "prompt" not in Data(tmp_path / "3", [run], Texts(False, prompts=True)).answers()


def test_shards_go_by_samples_whatever_the_epochs_and_the_order(tmp_path: Path) -> None:
    """Answers come in the order in which they were given, or not: a shard is a thousand samples."""
    count = 1001
    values = [float(n % 2) for n in range(count) for _ in range(2)]
    data = data_of(tmp_path, Cell(values={"exact_match": values}, epochs=2))
    first, second = data.answers(part=1), data.answers(part=2)
    assert first["i"] == [n for n in range(1000) for _ in range(2)]
    assert second["i"] == [1000, 1000]
    assert second["text"] == ["answer 2000 of base", "answer 2001 of base"]
    assert second["scores"]["exact_match"]["value"] == [0, 0]
    assert not (tmp_path / "site" / data.cell().folder / "0003.js").exists()


def test_models_may_be_asked_in_another_order(tmp_path: Path) -> None:
    right = {"exact_match": [1, 0, 0]}
    other = Cell("tuned", values=right, samples=questions(3)[::-1])
    data = data_of(tmp_path, Cell(values=right), other)
    answers = data.answers("tuned")
    assert answers["i"] == [0, 1, 2]
    assert answers["text"] == [f"answer {n} of tuned" for n in (2, 1, 0)]
    assert answers["scores"]["exact_match"]["value"] == [0, 0, 1]
    assert data.scores("tuned")["metrics"]["exact_match"] == [0, 0, 1]
    assert data.answers()["scores"]["exact_match"]["value"] == [1, 0, 0]


def test_what_is_kept_is_what_the_index_says(tmp_path: Path) -> None:
    count, bad = 1300, {3: None, 1250: None}
    base = [bad.get(n, 1.0) for n in range(count)]
    tuned = [0.0 if n in (7, 1299) else 1.0 for n in range(count)]
    cells = Cell(values={"exact_match": base}), Cell("tuned", values={"exact_match": tuned})
    data = data_of(tmp_path, *cells, most=1100)
    samples = tmp_path / "site" / data.cell().samples_folder
    kept = call(samples / "index.js")[1]["kept"]
    assert len(kept) == 1100
    assert {3, 7, 1250, 1299} <= set(kept)
    for model in ("base", "tuned"):
        for part in (1, 2):
            own = kept[(part - 1) * 1000 : part * 1000]
            assert data.answers(model, part)["i"] == own
            assert call(samples / f"{part:04}.js")[1]["i"] == own
            assert data.answers(model, part)["text"] == [f"answer {i} of {model}"
                                                         if (model, i) not in
                                                         {("base", 3), ("base", 1250)} else ""
                                                         for i in own]  # fmt: skip
        assert len(data.scores(model)["metrics"]["exact_match"]) == count  # scores are complete
    value = board_value(data.board, {}, data.files.shown)
    assert [cell["whole"] for cell in value["cells"]] == [False, False]


def test_cells_say_whether_all_their_samples_have_texts(tmp_path: Path) -> None:
    data = data_of(tmp_path, Cell(), most=5)
    (cell,) = board_value(data.board, {"title": "x"}, data.files.shown)["cells"]
    assert cell["whole"] is True
    assert cell["metrics"] == {"exact_match": [0.5, *cell["metrics"]["exact_match"][1:3], 2, 0]}
    assert cell["n"] == 2


def test_no_texts_at_all(tmp_path: Path) -> None:
    data = data_of(tmp_path, Cell(values={"exact_match": [1] * 30}), most=0)
    assert [p.name for p in (tmp_path / "site" / data.cell().folder).iterdir()] == ["scores.js"]


# --------------------------------------------------------------------------- verdicts


def judged(root: Path, texts: Texts, said: Sequence[Sequence[Verdict]]) -> Any:
    values = {"strict[nli]": [0.8] * len(said)}
    cell = Cell(values=values, infos={"strict[nli]": JUDGED}, verdicts=said)
    return Data(root / "site", [store(root / "runs", cell)], texts).answers()


SAID = [
    [
        verdict(0.8, reasoning="Because.", raw="{raw}", flags=("reasked",), cost_usd=0.1),
        verdict(0.5, judge="duel"),
    ],
    [verdict(None, error="'x' must be a whole number, not 'secret'", raw="nonsense")],
    [],
]


def test_verdicts_stand_beside_what_they_are_about(tmp_path: Path) -> None:
    found = judged(tmp_path, Texts(), SAID)["verdicts"]
    assert found == {
        "strict": [
            {
                "row": 0, "model": "nli", "criteria": [["accuracy", 32.0]], "total": 80.0,
                "value": 0.8, "cost_usd": 0.1, "status": "ok", "flags": ["reasked"],
                "reasoning": "Because.", "raw": "{raw}",
            },
            {
                "row": 1, "model": "nli", "criteria": [], "status": "error",
                "error": "'x' must be a whole number, not 'secret'", "raw": "nonsense",
            },
        ],
        "duel": [{"row": 0, "model": "nli", "criteria": [["accuracy", 20.0]], "total": 50.0,
                  "value": 0.5, "status": "ok"}],
    }  # fmt: skip


def test_without_texts_a_verdict_is_its_numbers(tmp_path: Path) -> None:
    """An error may quote the reply, as this one does."""
    found = judged(tmp_path, Texts(answers=False), SAID)
    assert found["verdicts"]["strict"][1] == {
        "row": 1, "model": "nli", "criteria": [], "status": "error",
    }  # fmt: skip
    assert "text" not in found
    assert not any("reasoning" in one or "raw" in one for one in found["verdicts"]["strict"])


def test_verdicts_of_epochs_and_repeats_find_their_rows(tmp_path: Path) -> None:
    from dataclasses import replace

    said = [[verdict(v / 10), replace(verdict(v / 10), repeat=1)] for v in range(4)]
    cell = Cell(
        values={"strict[nli]": [0.1, 0.2, 0.3, 0.4]},
        infos={"strict[nli]": JUDGED},
        verdicts=said,
        epochs=2,
    )
    found = data_of(tmp_path, cell).answers()
    rows = [(one["row"], one.get("repeat", 0), one["value"]) for one in found["verdicts"]["strict"]]
    assert rows == [(n, repeat, n / 10) for n in range(4) for repeat in (0, 1)]


def test_numbers_of_a_verdict_that_are_none_are_left_out(tmp_path: Path) -> None:
    nan = float("nan")
    odd = Verdict("strict", "nli", 0, "ok", {"a": nan}, nan, float("inf"), latency_ms=12.3)
    (found,) = judged(tmp_path, Texts(), [[odd]])["verdicts"]["strict"]
    assert found == {
        "row": 0, "model": "nli", "criteria": [["a", None]], "status": "ok", "latency_ms": 12.3,
    }  # fmt: skip


def test_what_is_redacted_is_gone_from_every_text(tmp_path: Path) -> None:
    said = [
        [verdict(0.5, reasoning="Ann said", raw='{"by": "Ann"}'), verdict(None, error="not Ann")]
    ]
    cell = Cell(
        values={"strict[nli]": [Score(0.5, answer="Ann", explanation="as Ann")]},
        infos={"strict[nli]": JUDGED},
        texts=["Ann"],
        prompts=["to Ann"],
        verdicts=said,
        samples=[Sample("a", "Ann?", "Ann!", choices=("Ann",), row={"x": ["Ann"]})],
    )
    data = data_of(tmp_path, cell, texts=Texts.of(["Ann"], prompts=True))
    for file in (tmp_path / "site").rglob("*.js"):
        assert "Ann" not in file.read_text("utf-8")
    assert data.answers()["prompt"] == ["to [redacted]"]
    assert data.answers()["verdicts"]["strict"][0]["raw"] == '{"by": "[redacted]"}'


# --------------------------------------------------------------------------- streams


def test_cells_larger_than_a_batch_are_read_whole_and_in_order(tmp_path: Path) -> None:
    count = BATCH + 10
    run = store(
        tmp_path,
        Cell(values={"exact_match": [1.0] * 5}),
        Cell("tuned", values={"exact_match": [1.0] * count}, samples=questions(count)),
        Cell("third", values={"exact_match": [0.0] * 3}),
    )
    stream = CellStream(run, "completions", ("sample", "text"))
    tables = [stream.take(cell.cell) for cell in run.manifest.cells]
    stream.end()
    assert [len(table) for table in tables] == [5, count, 3]
    last = tables[1].to_pylist()[-1]
    assert last["text"] == f"answer {count - 1} of tuned"


def test_a_cell_without_rows_has_an_empty_table(tmp_path: Path) -> None:
    stream = CellStream(store(tmp_path, Cell()), "verdicts", ("sample", "raw"))
    assert stream.take("nobody").column_names == ["cell", "sample", "raw"]
    stream.end()


def test_rows_that_no_cell_has_are_damage(tmp_path: Path) -> None:
    stream = CellStream(store(tmp_path, Cell()), "completions", ("sample",))
    with pytest.raises(StoreError, match="where no cell has any"):
        stream.end()


def test_rows_of_a_cell_that_do_not_stand_together_are_damage(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    run = store(tmp_path, Cell(), Cell("tuned"))
    file = run.path / "completions.parquet"
    table = pq.read_table(file)
    pq.write_table(pa.concat_tables([table, table.slice(0, 1)]), file)  # base, tuned, base
    stream = CellStream(read_run(run.path), "completions", ("sample",))
    assert [len(stream.take(cell.cell)) for cell in run.manifest.cells] == [2, 2]
    with pytest.raises(StoreError, match=r"completions\.parquet: is damaged"):
        stream.end()


def test_scores_that_do_not_stand_beside_the_answers_are_damage(tmp_path: Path) -> None:
    """Of a hand that changed both the table and what the manifest says of it."""
    import json

    import pyarrow.parquet as pq

    from harness.results.manifest import sha256

    run = store(tmp_path / "runs", Cell(values={"exact_match": [1, 0, 1]}))
    file = run.path / "scores.parquet"
    table = pq.read_table(file)
    pq.write_table(table.take([2, 0, 1]), file)
    manifest = json.loads((run.path / "manifest.json").read_text())
    for part in manifest["parts"]:
        if part["file"] == file.name:
            part |= {"bytes": file.stat().st_size, "sha256": sha256(file.read_bytes())}
    (run.path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(StoreError, match="scores of exact_match do not stand beside the answers"):
        Data(tmp_path / "site", [read_run(run.path)])


def test_what_a_model_said_stays_in_its_string(tmp_path: Path) -> None:
    said = ["</script><script>alert(1)</script>", '");alert(1)//\u2028\x00 \ud83d ' + "W" * 10_000]
    data = data_of(tmp_path, Cell(texts=said, values={"m": [1, 0]}, infos={"m": ScorerInfo("m")}))
    assert data.answers()["text"] == [said[0], said[1].replace("\ud83d", "\\ud83d")]
