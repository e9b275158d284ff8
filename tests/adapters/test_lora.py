"""LoRAs on one shared base: switched in place, refused if they were made for another."""

from __future__ import annotations

import json
import shutil
import warnings

import pytest

from harness.adapters.fingerprint import fingerprint
from harness.adapters.registry import open_adapter
from harness.errors import ModelError
from harness.records import GenerateSettings, Message, Request

ASKED = [
    Request(str(i), "generate", text, settings=GenerateSettings(max_new_tokens=8))
    for i, text in enumerate(["the quick brown fox", "a camera", "road at night"])
]


@pytest.fixture(scope="module")
def make_lora(tiny, tmp_path_factory):
    """Writes a LoRA of random weights, as peft saves it."""

    def make(base, seed=1, targets=("q_proj", "v_proj")):
        import torch
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModelForCausalLM

        torch.manual_seed(seed)
        folder = tmp_path_factory.mktemp("lora")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = AutoModelForCausalLM.from_pretrained(base)
            config = LoraConfig(r=4, target_modules=list(targets), init_lora_weights=False)
            get_peft_model(model, config).save_pretrained(folder)
        return folder

    return make


def merged(base, lora) -> list[str]:
    """The answers of the LoRA merged into the base, by transformers alone."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        model = PeftModel.from_pretrained(plain, lora).merge_and_unload().eval()
    tokenizer = AutoTokenizer.from_pretrained(base)
    texts = []
    for request in ASKED:
        ids = torch.tensor([tokenizer(request.prompt).input_ids])
        out = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=8,
            do_sample=False,
            pad_token_id=1,
        )
        texts.append(tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True))
    return texts


def answers(adapter, model) -> list[str]:
    done = {one.id: one for batch in adapter.complete(model, ASKED) for one in batch}
    assert not any(one.failed for one in done.values())
    return [done[request.id].text for request in ASKED]


@pytest.mark.parametrize(
    ("kind", "targets"), [("llama", ("q_proj", "v_proj")), ("gpt2", ("c_attn",))]
)
def test_base_and_loras_are_switched_on_one_load(kind, targets, tiny, card, make_lora):
    base = tiny(kind)
    one, two = make_lora(base, 1, targets), make_lora(base, 2, targets)
    plain, first, second = card(base), card(base, lora=str(one)), card(base, lora=str(two))
    expected = {"plain": answers(open_adapter([plain]), plain)}
    adapter = open_adapter([plain, first, second])
    for _ in range(2):
        assert answers(adapter, first) == merged(base, one)
        assert answers(adapter, plain) == expected["plain"]
        assert answers(adapter, second) == merged(base, two)
    assert len({tuple(merged(base, one)), tuple(merged(base, two)), tuple(expected["plain"])}) == 3


def test_peft_is_imported_for_a_lora_only(tiny):
    import subprocess
    import sys

    code = f"""
import sys
from harness.adapters.registry import open_adapter
from harness.collect.specs import TransformersModel
from harness.records import Request
card = TransformersModel(model="m", adapter="transformers", base={str(tiny())!r})
(batch,) = open_adapter([card]).complete(card, [Request("a", "generate", "hello")])
assert not batch[0].failed
assert "peft" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("", "")


def refused(card) -> str:
    with pytest.raises(ModelError) as caught:
        list(open_adapter([card]).complete(card, ASKED))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def renamed(lora, tmp_path, name):
    """A copy of a LoRA that says it was made for another base."""
    folder = shutil.copytree(lora, tmp_path / "renamed")
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = name
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


def test_a_lora_made_for_a_base_of_another_name_is_refused(tiny, card, make_lora, tmp_path):
    lora = renamed(make_lora(tiny()), tmp_path, "meta-llama/Llama-3.2-3B")
    said = refused(card(tiny(), lora=str(lora)))
    assert "made for base 'meta-llama/Llama-3.2-3B'" in said


def test_a_lora_made_for_other_weights_at_hand_is_refused(tiny, card, make_lora, tmp_path):
    other = shutil.copytree(tiny(seed=5), tmp_path / "elsewhere" / tiny().name)
    lora = renamed(make_lora(tiny()), tmp_path, str(other))
    assert "was made for base" in refused(card(tiny(), lora=str(lora)))


def test_a_base_that_was_moved_keeps_its_loras(tiny, card, make_lora, tmp_path):
    lora = renamed(make_lora(tiny()), tmp_path, f"/gone/{tiny().name}")
    model = card(tiny(), lora=str(lora))
    assert answers(open_adapter([model]), model)


def test_a_lora_of_other_shapes_is_refused(tiny, card, make_lora, tmp_path):
    lora = renamed(make_lora(tiny()), tmp_path, f"/gone/{tiny().name}")
    from safetensors.numpy import load_file, save_file

    weights = load_file(lora / "adapter_model.safetensors")
    wide = {k: v.repeat(2, axis=1) if "lora_A" in k else v for k, v in weights.items()}
    save_file(wide, lora / "adapter_model.safetensors")
    assert "the base's weight" in refused(card(tiny(), lora=str(lora)))


def test_a_lora_for_modules_that_the_base_lacks_is_refused(tiny, card, make_lora, tmp_path):
    lora = renamed(make_lora(tiny("gpt2"), targets=("c_attn",)), tmp_path, f"/gone/{tiny().name}")
    assert "no module" in refused(card(tiny(), lora=str(lora)))


@pytest.mark.parametrize("change", ["missing", "unknown"])
def test_a_lora_is_never_loaded_in_part(change, tiny, card, make_lora, tmp_path):
    from safetensors.numpy import load_file, save_file

    lora = renamed(make_lora(tiny()), tmp_path, str(tiny()))
    weights = load_file(lora / "adapter_model.safetensors")
    first = sorted(weights)[0]
    if change == "missing":
        weights = {key: value for key, value in weights.items() if ".layers.1." not in key}
    else:
        weights["base_model.model.model.embed.odd"] = weights[first]
    save_file(weights, lora / "adapter_model.safetensors")
    assert "does not fit" in refused(card(tiny(), lora=str(lora)))


def test_a_missing_lora_is_told_in_one_line(tiny, card):
    assert "no such folder" in refused(card(tiny(), lora="./nowhere"))


def test_a_fingerprint_follows_the_lora(tiny, card, make_lora):
    prints = {
        fingerprint(card(tiny())),
        fingerprint(card(tiny(), lora=str(make_lora(tiny(), 1)))),
        fingerprint(card(tiny(), lora=str(make_lora(tiny(), 2)))),
    }
    assert len(prints) == 3


def test_the_loras_chat_template_goes_before_the_bases(tiny, card, make_lora):
    lora = make_lora(tiny())
    (lora / "chat_template.jinja").write_text("tuned {{ messages[0].content }}")
    model = card(tiny(), lora=str(lora))
    asked = [Request("r", "generate", (Message("user", "x"),))]
    plain = open_adapter([model]).count_tokens(card(tiny()), asked)
    assert open_adapter([model]).count_tokens(model, asked) != plain


@pytest.mark.parametrize("quantize", ["int8", "nf4"])
def test_quantized_bases_answer_and_wear_loras(quantize, tiny, card, make_lora):
    base = tiny("llama64")
    plain = card(base, quantize=quantize)
    tuned = card(base, quantize=quantize, lora=str(make_lora(base)))
    adapter = open_adapter([plain, tuned])
    expected = answers(adapter, plain)
    assert answers(adapter, tuned) != expected
    assert answers(adapter, plain) == expected
    kinds = {type(module).__name__ for module in adapter._loaded.engine.model.modules()}
    assert kinds & {"Linear8bitLt", "Linear4bit"}
    if quantize == "nf4":
        config = adapter._loaded.engine.model.config.quantization_config
        assert config.bnb_4bit_quant_type == "nf4"
        assert config.bnb_4bit_use_double_quant


def test_close_frees_the_base(tiny, card):
    import gc
    import weakref

    model = card(tiny())
    adapter = open_adapter([model])
    answers(adapter, model)
    alive = weakref.ref(adapter._loaded.engine.model)
    adapter.close()
    gc.collect()
    assert alive() is None
    assert answers(adapter, model)  # and loads again
