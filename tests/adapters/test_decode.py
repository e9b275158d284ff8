"""Free generation against transformers' own, one prompt at a time."""

from __future__ import annotations

import random
import time

import pytest

from harness.adapters.decode import cut
from harness.adapters.registry import open_adapter
from harness.records import GenerateSettings, Request

KINDS = ["llama", "qwen2", "gpt2", "mistral", "gemma2", "gemma3", "falcon_h1", "mamba", "bloom"]


def texts(count: int, seed: int = 0, most: int = 40) -> list[str]:
    """Prompts of 1 to 40 words."""
    rng = random.Random(seed)
    words = "the quick brown fox jumps over a lazy dog camera road night Straße 天気 42".split()  # noqa: SIM905
    return [" ".join(rng.choices(words, k=rng.randint(1, most))) for _ in range(count)]


def ask(card, prompts, adapter=None, **settings):
    """Texts by request id, and the completions."""
    adapter = adapter or open_adapter([card])
    asked = [
        Request(str(i), "generate", prompt, settings=GenerateSettings(**settings))
        for i, prompt in enumerate(prompts)
    ]
    done = [one for batch in adapter.complete(card, asked) for one in batch]
    assert sorted(one.id for one in done) == sorted(request.id for request in asked)
    return {int(one.id): one for one in done}


def reference(folder, prompts, new: int) -> list[list[int]]:
    """What transformers' generate answers to each prompt alone, ids up to EOS."""
    import torch
    import transformers as hf

    model = hf.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = hf.AutoTokenizer.from_pretrained(folder)
    answers = []
    for prompt in prompts:
        ids = torch.tensor([tokenizer(prompt).input_ids])
        out = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=new,
            do_sample=False,
            pad_token_id=1,
        )
        answer = out[0, ids.shape[1] :].tolist()
        answers.append(answer[: answer.index(1)] if 1 in answer else answer)
    return answers


@pytest.mark.parametrize("kind", KINDS)
def test_greedy_answers_are_those_of_transformers_for_every_batch_size(kind, tiny, card):
    import transformers as hf

    prompts = texts(14)
    expected = reference(tiny(kind), prompts, new=24)
    tokenizer = hf.AutoTokenizer.from_pretrained(tiny(kind))
    for tokens in (1, 400, 100_000):  # one row a batch, a few, all
        found = ask(card(tiny(kind), batch_tokens=tokens), prompts, max_new_tokens=24)
        for index, ids in enumerate(expected):
            assert found[index].text == tokenizer.decode(ids, skip_special_tokens=True)
            assert found[index].completion_tokens == len(ids)


def test_stages_add_up_to_the_latency_and_the_card_bounds_a_batch(tiny, card):
    for size, batches in ((1, 5), (2, 3), (None, 1)):
        found = ask(card(tiny(), batch_size=size), texts(5), max_new_tokens=4)
        assert len({one.latency_ms for one in found.values()}) == batches
        for one in found.values():
            assert min(one.stages.prefill_ms, one.stages.generate_ms) > 0
            assert one.stages.prefill_ms + one.stages.generate_ms == pytest.approx(one.latency_ms)
            assert one.stages.preprocess_ms > 0


def test_what_the_weights_take_in_memory_is_told_while_they_are_there(tiny, card):
    adapter = open_adapter([card(tiny())])
    assert adapter.weights_mb is None
    ask(card(tiny()), ["a"], adapter, max_new_tokens=1)
    size = sum(file.stat().st_size for file in tiny().glob("*.safetensors"))
    assert adapter.weights_mb == pytest.approx(size / 1e6, rel=0.1)
    adapter.close()
    assert adapter.weights_mb is None


def test_shared_prefix_is_read_once_and_changes_nothing(tiny, card):
    adapter = open_adapter([card(tiny("mistral"))])
    prefix = "The quick brown fox jumps over the lazy dog. " * 8
    prompts = [prefix + text for text in texts(12, 1, most=15)] + texts(5, 2)
    read = count_tokens_read(adapter, card(tiny("mistral")))
    found = ask(card(tiny("mistral")), prompts, adapter, max_new_tokens=8)
    expected = reference(tiny("mistral"), prompts, new=8)
    assert [found[i].completion_tokens for i in range(17)] == [len(ids) for ids in expected]
    alone = ask(card(tiny("mistral"), batch_tokens=1), prompts, max_new_tokens=8)
    assert [found[i].text for i in range(17)] == [alone[i].text for i in range(17)]
    assert sum(read) < 0.5 * sum(done.prompt_tokens for done in found.values())


def test_the_time_of_a_shared_prefix_is_told_by_those_that_share_it(tiny, card):
    adapter = open_adapter([card(tiny("mistral"))])
    prefix = "The quick brown fox jumps over the lazy dog. " * 8
    pause, calls = 0.3, []

    def hook(module, args, kwargs):
        calls.append(kwargs["input_ids"].shape)
        if len(calls) == 1:
            time.sleep(pause)

    ask(card(tiny("mistral")), ["a"], adapter, max_new_tokens=1)
    adapter._loaded.engine.model.register_forward_pre_hook(hook, with_kwargs=True)
    found = ask(card(tiny("mistral")), [f"{prefix}{n}" for n in "123"], adapter, max_new_tokens=1)
    assert calls[0][0] == 1  # the prefix alone
    for one in found.values():
        assert one.latency_ms >= one.stages.prefill_ms >= 1e3 * pause / 3


def count_tokens_read(adapter, card) -> list[int]:
    """Counts the tokens of every forward pass of more than one token."""
    ask(card, ["load"], adapter, max_new_tokens=1)
    read: list[int] = []

    def hook(module, args, kwargs):
        if kwargs["input_ids"].shape[1] > 1:
            read.append(kwargs["input_ids"].numel())

    adapter._loaded.engine.model.register_forward_pre_hook(hook, with_kwargs=True)
    return read


def test_rows_that_have_finished_leave_the_batch(tiny, card):
    model = card(tiny())
    adapter = open_adapter([model])
    ask(model, ["load"], adapter, max_new_tokens=1)
    rows: list[int] = []
    adapter._loaded.engine.model.register_forward_pre_hook(
        lambda module, args, kwargs: rows.append(kwargs["input_ids"].shape[0]), with_kwargs=True
    )
    asked = [
        Request(str(i), "generate", text, settings=GenerateSettings(max_new_tokens=2 + 6 * i))
        for i, text in enumerate(texts(8))
    ]
    list(adapter.complete(model, asked))
    assert rows == sorted(rows, reverse=True)
    assert rows[0] == 8
    assert rows[-1] <= 2


@pytest.mark.parametrize("limit", [1, 3])
def test_out_of_memory_halves_the_batch_and_goes_on(limit, tiny, card):
    import torch

    model = card(tiny())
    adapter = open_adapter([model])
    expected = ask(model, texts(9), adapter, max_new_tokens=6)

    def hook(module, args, kwargs):
        if kwargs["input_ids"].shape[0] > limit:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    adapter._loaded.engine.model.register_forward_pre_hook(hook, with_kwargs=True)
    found = ask(model, texts(9), adapter, max_new_tokens=6)
    assert [found[i].text for i in range(9)] == [expected[i].text for i in range(9)]


def test_a_single_request_too_large_for_memory_fails_alone(tiny, card):
    model = card(tiny())
    adapter = open_adapter([model])
    ask(model, ["load"], adapter, max_new_tokens=1)

    def hook(module, args, kwargs):
        if kwargs["input_ids"].shape[1] > 60:
            raise RuntimeError(
                "DefaultCPUAllocator: not enough memory: you tried to allocate 1 byte"
            )

    adapter._loaded.engine.model.register_forward_pre_hook(hook, with_kwargs=True)
    found = ask(model, ["fox " * 60, "a dog", "a cat"], adapter, max_new_tokens=4)
    assert "out of memory" in (found[0].error or "")
    assert not found[1].failed
    assert not found[2].failed


def test_other_runtime_errors_are_not_swallowed(tiny, card):
    model = card(tiny())
    adapter = open_adapter([model])
    ask(model, ["load"], adapter, max_new_tokens=1)

    def hook(module, args):
        raise RuntimeError("shape mismatch")

    adapter._loaded.engine.model.register_forward_pre_hook(hook)
    with pytest.raises(RuntimeError, match="shape mismatch"):
        ask(model, ["a dog"], adapter, max_new_tokens=1)


@pytest.mark.parametrize("length", [1, 2, 3, 5])
def test_stop_strings_cut_exactly_wherever_tokens_end(length, tiny, card):
    prompts = texts(6)
    whole = ask(card(tiny()), prompts, max_new_tokens=24)
    for index, prompt in enumerate(prompts):
        text = whole[index].text
        for place in range(0, len(text) - length, 5):
            stop = text[place : place + length]
            if "\ufffd" in stop:
                continue
            found = ask_one(tiny, card, prompt, stop)
            assert found.text == text[: text.index(stop)]
            assert found.finish_reason == "stop"


_adapters: dict[object, object] = {}


def ask_one(tiny, card, prompt, stop):
    model = card(tiny())
    adapter = _adapters.setdefault(tiny(), open_adapter([model]))
    return ask(model, [prompt], adapter, max_new_tokens=24, stop=(stop,))[0]


def test_the_earliest_of_several_stop_strings_cuts():
    assert cut("abc def", ("def", "c")) == ("ab", True)
    assert cut("abc", ("x",)) == ("abc", False)


def test_a_stop_string_that_is_a_special_token_stops(tiny, card):
    model = card(tiny())
    adapter = open_adapter([model])
    ask(model, ["load"], adapter, max_new_tokens=1)
    favour(adapter, token=2)  # <|end|>, which decoding leaves out of the text
    found = ask(model, ["a dog"], adapter, max_new_tokens=5, stop=("<|end|>",))[0]
    assert (found.text, found.finish_reason, found.completion_tokens) == ("", "stop", 0)


def favour(adapter, token: int, value: float = 1e4) -> None:
    """Make the model say one token always."""

    def hook(module, args, output):
        output.logits[..., token] = value
        return output

    adapter._loaded.engine.model.register_forward_hook(hook)


def test_padding_that_is_eos_stops_and_is_no_answer(tiny, card):
    model = card(tiny())
    adapter = open_adapter([model])
    ask(model, ["load"], adapter, max_new_tokens=1)
    favour(adapter, token=1)  # </s>, the padding token too
    found = ask(model, ["a dog", "a quick brown fox " * 9], adapter, max_new_tokens=5)
    for done in found.values():
        assert (done.text, done.finish_reason, done.error) == ("", "stop", None)


def test_every_eos_of_the_generation_config_stops(tiny, card, tmp_path):
    import json
    import shutil

    folder = shutil.copytree(tiny(), tmp_path / "two-ends")
    config = {"eos_token_id": [1, 77]}
    (folder / "generation_config.json").write_text(json.dumps(config))
    model = card(folder)
    adapter = open_adapter([model])
    ask(model, ["load"], adapter, max_new_tokens=1)
    favour(adapter, token=77)
    assert ask(model, ["a dog"], adapter, max_new_tokens=5)[0].finish_reason == "stop"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_logits_that_are_no_numbers_fail_their_sample_only(value, tiny, card):
    model = card(tiny())
    adapter = open_adapter([model])
    expected = ask(model, ["a dog", "the fox 42", "a night"], adapter, max_new_tokens=4)

    def hook(module, args, kwargs, output):
        here = (kwargs["input_ids"] == adapter_token(adapter, "42")).any(dim=1)
        output.logits[here] = value
        return output

    adapter._loaded.engine.model.register_forward_hook(hook, with_kwargs=True)
    found = ask(model, ["a dog", "the fox 42", "a night"], adapter, max_new_tokens=4)
    assert "not finite" in (found[1].error or "")
    assert found[0].text == expected[0].text
    assert found[2].text == expected[2].text


def adapter_token(adapter, text: str) -> int:
    return adapter._loaded.tokenizer(" " + text, add_special_tokens=False).input_ids[-1]


def test_sampling_depends_on_seed_and_prompt_and_not_on_the_batch(tiny, card):
    prompts = texts(7)
    chance = {"max_new_tokens": 12, "temperature": 0.9, "top_p": 0.9, "top_k": 50}
    one = ask(card(tiny()), prompts, seed=3, **chance)
    alone = ask(card(tiny(), batch_tokens=1), prompts[::-1], seed=3, **chance)
    other = ask(card(tiny()), prompts, seed=4, **chance)
    assert [one[i].text for i in range(7)] == [alone[6 - i].text for i in range(7)]
    assert [one[i].text for i in range(7)] != [other[i].text for i in range(7)]
