"""BOS once, chat templates, truncation, counting: what the model reads."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness.adapters.prompts import Reader, Ready
from harness.adapters.registry import open_adapter
from harness.adapters.tokenizer import encode_pair, load_tokenizer
from harness.errors import ModelError
from harness.records import Completion, GenerateSettings, Message, Request

BOS = 0


@pytest.fixture
def reader(tiny, card):
    """Reads one request with a card's settings."""

    def read(prompt, max_length=256, new=4, truncate="error", **settings):
        tokenizer = load_tokenizer(card(tiny(), **settings), tiny(), None)
        found = Reader(tokenizer, max_length)
        chosen = GenerateSettings(max_new_tokens=new, truncate=truncate)
        (item,) = found.read([Request("r", "generate", prompt, settings=chosen)])
        return item, found.notes()

    return read


@pytest.mark.parametrize(("bos", "times"), [("auto", 1), ("always", 1), ("never", 0)])
def test_plain_text_gets_bos_as_the_card_says(bos, times, reader):
    item, notes = reader("a dog", bos=bos)
    assert item.ids.count(BOS) == times
    assert notes == ()


def test_a_tokenizer_that_adds_no_bos_is_left_alone_unless_told(tmp_path, tiny, card):
    import json

    settings = json.loads((tiny() / "tokenizer.json").read_text())
    settings["post_processor"] = None
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "tokenizer.json").write_text(json.dumps(settings))
    (folder / "tokenizer_config.json").write_text((tiny() / "tokenizer_config.json").read_text())
    assert BOS not in load_tokenizer(card(folder), folder, None).encode(["a dog"])[0]
    always = load_tokenizer(card(folder, bos="always"), folder, None)
    assert always.encode(["a dog"])[0].count(BOS) == 1


def test_double_bos_is_removed_and_reported(reader):
    item, notes = reader("<s>a dog")
    assert item.ids.count(BOS) == 1
    assert notes == ("double BOS: 1 prompts begin with <s>; one was removed",)


def test_the_note_reaches_the_adapter(tiny, card):
    adapter = open_adapter([card(tiny())])
    asked = [
        Request(str(i), "generate", "<s>the", settings=GenerateSettings(max_new_tokens=1))
        for i in range(3)
    ]
    assert not any(done.failed for batch in adapter.complete(card(tiny()), asked) for done in batch)
    assert adapter.notes == ("double BOS: 3 prompts begin with <s>; one was removed",)


@pytest.mark.parametrize("bos", ["auto", "always"])
def test_a_chat_template_with_bos_gets_no_second_one(bos, reader, tiny):
    item, notes = reader((Message("user", "a dog"),), bos=bos)
    assert item.ids.count(BOS) == 1
    assert notes == ()
    text = load_text(tiny, item.ids)
    assert text.startswith("[user] a dog")
    assert text.endswith("[assistant]")


def load_text(tiny, ids):
    import tokenizers

    return tokenizers.Tokenizer.from_file(str(tiny() / "tokenizer.json")).decode(ids)


def test_the_chat_template_is_used_for_messages_only(reader, tiny):
    assert "[user]" not in load_text(tiny, reader("a dog")[0].ids)


def test_the_cards_chat_template_goes_first(reader, tiny):
    item, _ = reader((Message("user", "x"),), chat_template="Q:{{ messages[0].content }} A:")
    assert load_text(tiny, item.ids) == "Q:x A:"
    assert BOS not in item.ids  # the template says nothing of BOS


def test_messages_for_a_model_without_a_template_are_refused_in_one_line(tiny, card, tmp_path):
    import json
    import shutil

    folder = shutil.copytree(tiny(), tmp_path / "bare")
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    del settings["chat_template"]
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    for extra in folder.glob("chat_template*"):
        extra.unlink()
    model = card(folder)
    with pytest.raises(ModelError, match="no chat template") as caught:
        list(
            open_adapter([model]).complete(
                model, [Request("r", "generate", (Message("user", "a"),))]
            )
        )
    assert "\n" not in str(caught.value)


LONG = "one two three four five six seven eight nine ten " * 4


def test_a_prompt_that_does_not_fit_fails_by_default(reader):
    item, _ = reader(LONG, max_length=20)
    assert isinstance(item, Completion)
    assert item.finish_reason == "error"
    assert "does not fit" in (item.error or "")
    assert item.prompt_tokens > 20


def test_skip_is_counted_apart(reader):
    item, _ = reader(LONG, max_length=20, truncate="skip")
    assert item.finish_reason == "skipped"


@pytest.mark.parametrize("side", ["left", "right"])
def test_truncation_cuts_the_named_end_and_keeps_bos(side, reader):
    whole, _ = reader(LONG)
    cut, _ = reader(LONG, max_length=20, truncate=side)
    assert isinstance(cut, Ready)
    assert len(cut.ids) == 16
    assert cut.truncated == side
    assert cut.ids[0] == BOS
    assert cut.ids[1:] == (whole.ids[-15:] if side == "left" else whole.ids[1:16])


def test_an_answer_longer_than_the_context_leaves_no_room(reader):
    for new in (4, 5):
        item, _ = reader("a", max_length=4, new=new, truncate="left")
        assert isinstance(item, Completion)
        assert item.error == f"max_new_tokens {new} leaves no room in the context of 4 tokens"


def test_a_boundary_inside_a_token_is_moved_back(tiny, card):
    tokenizer = load_tokenizer(card(tiny()), tiny(), None)
    whole = tokenizer.encode(["the quick"])[0]
    for split in range(1, len("the quick")):
        context, (tail,) = encode_pair(tokenizer, "the quick"[:split], ["the quick"[split:]])
        assert tail
        assert (context + tail)[-len(tail) :] == whole[len(context) :]


def test_an_empty_prompt_is_bos(tiny, card):
    tokenizer = load_tokenizer(card(tiny()), tiny(), None)
    assert encode_pair(tokenizer, "", ["the dog"])[0] == [BOS]


def test_counts_are_what_the_model_reads(tiny, card):
    asked = [
        Request("a", "generate", "the quick brown", settings=GenerateSettings(max_new_tokens=1)),
        Request(
            "b", "generate", (Message("user", "hi"),), settings=GenerateSettings(max_new_tokens=1)
        ),
        Request("c", "choices", "the fox", (" a", " the dog")),
    ]
    model = card(tiny())
    adapter = open_adapter([model])
    counts = adapter.count_tokens(model, asked)
    done = {one.id: one for batch in adapter.complete(model, asked) for one in batch}
    assert counts[:2] == [done["a"].prompt_tokens, done["b"].prompt_tokens]
    assert counts[2] == done["c"].prompt_tokens + sum(done["c"].logprob_tokens)


def test_fingerprints_and_counts_do_not_import_torch(tiny, tmp_path):
    code = f"""
import sys
from harness.adapters.registry import open_adapter
from harness.collect.specs import TransformersModel
from harness.records import Message, Request
card = TransformersModel(model="m", adapter="transformers", base={str(tiny())!r})
adapter = open_adapter([card])
assert len(adapter.fingerprint(card)) == 64
asked = [Request("a", "generate", "hello"), Request("b", "generate", (Message("user", "hi"),))]
assert all(adapter.count_tokens(card, asked))
assert list(adapter.complete(card, [])) == []
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
