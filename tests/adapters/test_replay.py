"""Answers recorded elsewhere."""

from __future__ import annotations

import json

import pytest

from harness.adapters.registry import load_key, open_adapter
from harness.collect.specs import ReplayModel
from harness.errors import CollectError, DataError, ModelError
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


def test_tokens_of_recorded_answers_are_unknown_and_not_none_at_all(replay):
    from harness.collect.specs import ScoreSpec
    from harness.records import Sample
    from harness.scorers.base import ScorerContext
    from harness.scorers.text import token_count

    (done,) = ask(replay([{"id": "a", "text": "x"}]), "a")
    assert done.completion_tokens is None
    scorer = token_count(ScoreSpec(metric="token_count"), ScorerContext())
    (score,) = scorer.score([Sample("a", "q", "t")], [done])
    assert (score.value, score.status) == (None, "skipped")
    assert score.explanation == "tokens were not counted"
    assert scorer.corpus([score]) is None


def test_all_bad_lines_are_told_at_once_before_anything_is_asked(replay):
    model = replay([{"id": "a", "text": "x"}, "{", '{"id": 1}', {"id": "a", "text": "y"}])
    with pytest.raises(CollectError) as caught:
        open_adapter([model]).fingerprint(model)
    lines = str(caught.value).splitlines()
    assert [line.split("out.jsonl")[1].split(" ")[0] for line in lines] == [":2:", ":3:", ":4:"]


def test_of_very_many_bad_lines_the_first_are_told(replay):
    with pytest.raises(CollectError) as caught:
        ask(replay(["{"] * 30), "a")
    *lines, last = str(caught.value).splitlines()
    assert len(lines) == 20
    assert last.endswith("out.jsonl: and 10 more bad lines")


def test_bad_lines_of_a_tasks_own_file_are_told_before_its_answers(replay):
    model = replay(["{", "{"], "./{task}.jsonl", "sums.jsonl")
    answers = open_adapter([model]).complete(model, [Request("sums/a", "generate", "p")])
    with pytest.raises(CollectError, match=r"sums\.jsonl:2:"):
        next(iter(answers))


def test_a_file_is_looked_for_in_the_project_and_then_beside_the_card(replay, tmp_path):
    model = replay([{"id": "a", "text": "beside"}], "out.jsonl")
    (tmp_path / "adapters").mkdir()
    (tmp_path / "out.jsonl").rename(tmp_path / "adapters" / "out.jsonl")
    model.located(tmp_path / "adapters" / "r.model.yaml", "", tmp_path)
    assert ask(model, "a")[0].text == "beside"
    replay([{"id": "a", "text": "project"}])
    assert ask(model, "a")[0].text == "project"


def test_a_missing_file_names_the_card_and_the_places_looked_at(replay, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = replay([], "p.jsonl")
    model.located(tmp_path / "adapters" / "r.model.yaml", "", tmp_path)
    with pytest.raises(ModelError) as caught:
        open_adapter([model]).fingerprint(model)
    assert str(caught.value) == (
        "adapters/r.model.yaml: no recorded answers 'p.jsonl': "
        "looked for p.jsonl and adapters/p.jsonl"
    )


def test_records_of_no_sample_are_noted_with_line_and_way_out(replay, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = replay([{"id": name, "text": "x"} for name in ("a", "q-77", "b", "b#1")])
    adapter = open_adapter([model])
    asked = [Request(f"sums[0]/{name}", "generate", "p") for name in ("a#0", "b#1", "q-7#0")]
    list(adapter.complete(model, asked))
    what = "out.jsonl:2: id 'q-77' is no sample of task 'sums' in this run (did you mean 'q-7'?)"
    assert adapter.notes == (what,)
    asked.append(Request("sums[0]/q-77#0", "generate", "p"))
    list(adapter.complete(model, asked))
    assert adapter.notes == ()


def test_a_sample_that_has_an_answer_is_not_what_was_meant(replay, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = replay([{"id": name, "text": "x"} for name in ("q-1", "q-2")])
    adapter = open_adapter([model])
    asked = [Request(f"{task}/q-1#0", "generate", "p") for task in ("sums", "words[1]")]
    list(adapter.complete(model, asked))
    what = "out.jsonl:2: id 'q-2' is no sample of task 'sums' or 'words' in this run"
    assert adapter.notes == (what,)


def test_of_very_many_records_of_no_sample_the_first_are_noted(replay, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = replay([{"id": f"x{n}", "text": "x"} for n in range(10)] + [{"id": "a", "text": ""}])
    adapter = open_adapter([model])
    list(adapter.complete(model, [Request("a", "generate", "p")]))
    *first, last = adapter.notes
    assert [note.partition(" ")[0] for note in first] == [f"out.jsonl:{n}:" for n in (1, 2, 3)]
    assert last == "out.jsonl: and 7 more of 11 records"


def test_nothing_is_sent(replay):
    model = replay([])
    assert open_adapter([model]).prompts(model, [Request("a", "generate", "p")]) == [None]


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
