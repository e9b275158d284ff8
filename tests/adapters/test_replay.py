"""Answers recorded elsewhere."""

from __future__ import annotations

import json

import pytest

from harness.adapters.registry import load_key, open_adapter
from harness.collect.specs import ReplayModel
from harness.errors import DataError, ModelError
from harness.records import Request


@pytest.fixture
def replay(tmp_path):
    """A card for recorded answers, and the file they are in."""

    def make(records, completions="./out.jsonl", name="out.jsonl"):
        lines = [r if isinstance(r, str) else json.dumps(r, ensure_ascii=False) for r in records]
        (tmp_path / name).write_text("\n".join(lines) + "\n", "utf-8")
        model = ReplayModel(model="r", adapter="replay", completions=completions)
        model.located(tmp_path / "r.model.yaml", "", tmp_path)
        return model

    return make


def ask(model, *ids):
    asked = [Request(name, "generate", "p") for name in ids]
    return [one for batch in open_adapter([model]).complete(model, asked) for one in batch]


def test_answers_are_found_by_sample_whatever_the_cell_and_epoch(replay):
    model = replay(
        [{"id": "a", "text": "Straße 天気"}, {"id": "b", "text": ""}, {"id": 7, "text": "x"}]
    )
    done = ask(model, "a", "3/b#0", "7#1")
    assert [one.text for one in done] == ["Straße 天気", "", "x"]
    assert not any(one.failed for one in done)


def test_epochs_may_have_answers_of_their_own(replay):
    model = replay([{"id": "a#0", "text": "first"}, {"id": "a#1", "text": "second"}])
    assert [one.text for one in ask(model, "0/a#0", "0/a#1")] == ["first", "second"]


def test_a_sample_without_a_record_fails_and_is_counted(replay):
    (done,) = ask(replay([{"id": "a", "text": "x"}]), "b")
    assert "no recorded answer" in (done.error or "")


def test_log_likelihoods_cannot_be_replayed(replay):
    model = replay([{"id": "a", "text": "x"}])
    (batch,) = open_adapter([model]).complete(model, [Request("a", "choices", "p", ("x", "y"))])
    assert batch[0].failed


def test_one_file_for_each_task(replay):
    model = replay([{"id": "a", "text": "sum"}], "./{task}.jsonl", "sums.jsonl")
    assert [one.text for one in ask(model, "sums/a#0", "sums[fps=1]/a#0")] == ["sum", "sum"]


@pytest.mark.parametrize("line", ["{", '{"id": "x"}', "[1]", '{"id": "x", "text": 3}'])
def test_a_bad_line_is_named(line, replay):
    with pytest.raises(DataError, match=r"out\.jsonl:2:"):
        ask(replay([{"id": "a", "text": "x"}, line]), "a")


def test_a_second_answer_to_the_same_sample_is_refused(replay):
    with pytest.raises(DataError, match="second record with id 'a'"):
        ask(replay([{"id": "a", "text": "x"}, {"id": "a", "text": "y"}]), "a")


def test_no_file_is_told_in_one_line(replay, tmp_path):
    model = replay([], "./nowhere.jsonl")
    with pytest.raises(ModelError, match=r"nowhere\.jsonl") as caught:
        open_adapter([model]).fingerprint(model)
    assert "\n" not in str(caught.value)


def test_a_fingerprint_follows_the_records(replay):
    one = replay([{"id": "a", "text": "x"}])
    first = open_adapter([one]).fingerprint(one)
    two = replay([{"id": "a", "text": "y"}])
    assert open_adapter([two]).fingerprint(two) != first
    assert load_key(one) == "replay:r"
