"""Log-likelihoods against the plain way: every continuation behind its whole context, alone."""

from __future__ import annotations

import random

import pytest

from harness.adapters.registry import open_adapter
from harness.records import GenerateSettings, Request

KINDS = ["llama", "qwen2", "gpt2", "mistral", "gemma2", "gemma3", "falcon_h1", "mamba", "bloom"]
WORDS = "the quick brown fox jumps over a lazy dog camera road night Straße 天気 42".split()  # noqa: SIM905


def questions(count: int, seed: int = 0, prefix: str = "") -> list[Request]:
    """Prompts of 1 to 30 words with four choices of 1 to 4 words."""
    rng = random.Random(seed)

    def text(most: int) -> str:
        return " ".join(rng.choices(WORDS, k=rng.randint(1, most)))

    return [
        Request(str(i), "choices", prefix + text(30), tuple(" " + text(4) for _ in range(4)))
        for i in range(count)
    ]


def ask(card, requests, adapter=None):
    adapter = adapter or open_adapter([card])
    done = [one for batch in adapter.complete(card, requests) for one in batch]
    assert sorted(one.id for one in done) == sorted(request.id for request in requests)
    return {one.id: one for one in done}


class Plain:
    """lm-eval's way in its simplest form."""

    def __init__(self, folder) -> None:
        import torch
        import transformers as hf

        self.model = hf.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self.tokenizer = hf.AutoTokenizer.from_pretrained(folder)

    def pair(self, context: list[int], continuation: list[int]) -> float:
        import torch

        with torch.inference_mode():
            logits = self.model(torch.tensor([context + continuation[:-1]])).logits[0]
        rows = logits[-len(continuation) :].log_softmax(-1)
        return float(sum(row[token] for row, token in zip(rows, continuation, strict=True)))

    def texts(self, prompt: str, continuation: str) -> float:
        spaces = len(prompt) - len(prompt.rstrip())
        context = prompt[: len(prompt) - spaces]
        whole = self.tokenizer(prompt + continuation).input_ids
        known = self.tokenizer(context).input_ids
        return self.pair(known, whole[len(known) :])

    def rolling(self, text: str, length: int) -> float:
        tokens = self.tokenizer(text, add_special_tokens=False).input_ids
        total = self.pair([0], tokens[:length])
        for start in range(length, len(tokens), length):
            end = min(start + length, len(tokens))
            window = tokens[max(0, end - length - 1) : end]
            total += self.pair(window[: len(window) - (end - start)], tokens[start:end])
        return total


@pytest.mark.parametrize("kind", KINDS)
def test_choices_are_scored_as_one_by_one_for_every_batch_size(kind, tiny, card):
    plain = Plain(tiny(kind))
    asked = questions(7)
    expected = {r.id: [plain.texts(r.prompt, c) for c in r.continuations] for r in asked}
    for tokens in (1, 300, 100_000):
        found = ask(card(tiny(kind), batch_tokens=tokens), asked)
        for request in asked:
            assert found[request.id].logprobs == pytest.approx(expected[request.id], abs=2e-3)
            assert found[request.id].finish_reason == "scored"


@pytest.mark.parametrize("prefix", ["", "The quick brown fox jumps over the lazy dog. " * 6])
def test_contexts_are_read_once(prefix, tiny, card):
    """Also the few-shot prefix that all questions share."""
    model = card(tiny())
    adapter = open_adapter([model])
    ask(model, questions(1), adapter)
    read: list[int] = []
    adapter._loaded.engine.model.register_forward_pre_hook(
        lambda module, args, kwargs: read.append(kwargs["input_ids"].numel()), with_kwargs=True
    )
    asked = questions(9, seed=1, prefix=prefix)
    found = ask(model, asked, adapter)
    prompts = sum(done.prompt_tokens for done in found.values())
    answers = sum(sum(done.logprob_tokens) for done in found.values())
    plain = Plain(tiny())
    for request in asked:
        expected = [plain.texts(request.prompt, c) for c in request.continuations]
        assert found[request.id].logprobs == pytest.approx(expected, abs=2e-3)
    if prefix:
        assert sum(read) < 0.75 * prompts + answers
    else:
        assert sum(read) < 2 * prompts + answers  # four times without sharing; the rest is padding


def test_single_token_choices_cost_one_pass_with_one_position_of_logits(tiny, card):
    model = card(tiny())
    adapter = open_adapter([model])
    ask(model, questions(1), adapter)
    shapes: list[int] = []
    adapter._loaded.engine.model.register_forward_hook(
        lambda module, args, output: shapes.append(output.logits.shape[1])
    )
    asked = [Request(str(i), "choices", "the fox" * i, ("A", "B")) for i in range(1, 5)]
    found = ask(model, asked, adapter)
    assert {done.logprob_tokens for done in found.values()} == {(1, 1)}
    assert shapes == [1]


def test_logits_are_bounded_where_the_vocabulary_is_large(tiny, card, monkeypatch):
    """Many positions are read in steps; the sums stay the same."""
    from harness.adapters import engine

    asked = questions(6, seed=3)
    expected = ask(card(tiny()), asked)
    monkeypatch.setitem(engine.LOGITS, "cpu", 400 * 7)
    model = card(tiny())
    adapter = open_adapter([model])
    ask(model, questions(1), adapter)
    sizes: list[int] = []
    adapter._loaded.engine.model.register_forward_hook(
        lambda module, args, output: sizes.append(output.logits.numel())
    )
    found = ask(model, asked, adapter)
    assert max(sizes) <= 400 * 7
    for request in asked:
        assert found[request.id].logprobs == pytest.approx(expected[request.id].logprobs, abs=1e-3)


def test_white_space_at_the_prompts_end_goes_to_the_continuation(tiny, card):
    plain = Plain(tiny())
    request = Request("r", "choices", "the quick brown ", ("fox", "dog"))
    expected = [plain.texts("the quick brown ", c) for c in request.continuations]
    assert ask(card(tiny()), [request])["r"].logprobs == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("kind", ["llama", "mistral", "falcon_h1"])
def test_perplexity_of_a_long_text_rolls_as_in_lm_eval(kind, tiny, card):
    rng = random.Random(5)
    plain = Plain(tiny(kind))
    for count in (3, 16, 17, 100):
        text = " ".join(rng.choices(WORDS, k=count))
        found = ask(card(tiny(kind), max_length=16), [Request("r", "perplexity", "", (text,))])["r"]
        assert found.logprobs[0] == pytest.approx(plain.rolling(text, 16), abs=5e-3)
        tokens = plain.tokenizer(text, add_special_tokens=False).input_ids
        assert found.logprob_tokens == (len(tokens),)


def test_perplexity_of_a_target_given_a_prompt(tiny, card):
    request = Request("r", "perplexity", "the quick", (" brown fox jumps",))
    expected = Plain(tiny()).texts("the quick", " brown fox jumps")
    assert ask(card(tiny()), [request])["r"].logprobs[0] == pytest.approx(expected, abs=1e-3)


def test_an_empty_continuation_fails_its_sample(tiny, card):
    bad = Request("bad", "choices", "the", (" a", ""))
    blank = Request("blank", "perplexity", "", (" ",))
    found = ask(card(tiny()), [bad, blank, *questions(1)])
    for name in ("bad", "blank"):
        assert "empty continuation" in (found[name].error or "")
    assert not found["0"].failed


def test_logits_that_are_no_numbers_fail_their_sample_only(tiny, card):
    model = card(tiny())
    adapter = open_adapter([model])
    asked = questions(3)
    expected = ask(model, asked, adapter)

    def hook(module, args, kwargs, output):
        output.logits[0] = float("nan")  # the longest stands first
        return output

    adapter._loaded.engine.model.register_forward_hook(hook, with_kwargs=True)
    found = ask(model, asked, adapter)
    failed = [one.id for one in found.values() if one.failed]
    assert len(failed) == 1
    for request in asked:
        if request.id not in failed:
            assert found[request.id].logprobs == pytest.approx(expected[request.id].logprobs)


def test_out_of_memory_halves_the_batch_and_goes_on(tiny, card):
    import torch

    model = card(tiny())
    adapter = open_adapter([model])
    expected = ask(model, questions(6), adapter)

    def hook(module, args, kwargs):
        if kwargs["input_ids"].shape[0] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    adapter._loaded.engine.model.register_forward_pre_hook(hook, with_kwargs=True)
    found = ask(model, questions(6), adapter)
    for key, done in expected.items():
        assert found[key].logprobs == pytest.approx(done.logprobs, abs=1e-3)


def test_kinds_of_requests_may_be_mixed_in_one_call(tiny, card):
    asked = [
        Request("g", "generate", "the fox", settings=GenerateSettings(max_new_tokens=3)),
        Request("c", "choices", "the fox", (" a", " the")),
        Request("p", "perplexity", "", ("the quick brown",)),
    ]
    found = ask(card(tiny()), asked)
    assert {key: done.finish_reason for key, done in found.items()}.items() >= {
        "c": "scored",
        "p": "scored",
    }.items()
    assert not any(done.failed for done in found.values())
