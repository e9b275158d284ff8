"""Damaged files of a model, cards that ask for what cannot be: said before anything is asked."""

from __future__ import annotations

import json
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.adapters.registry import open_adapter
from harness.adapters.verify import read_header
from harness.errors import ModelError
from harness.records import GenerateSettings, Message, Request

GARBAGE = bytes(range(7, 250)) * 9


@pytest.fixture
def copy(tiny, tmp_path):
    """A copy of the tiny model that a test may break."""
    return shutil.copytree(tiny(), tmp_path / "copy")


@pytest.fixture
def lora(copy, tmp_path):
    """The smallest LoRA that fits the copy, written by hand."""
    import numpy as np
    from safetensors.numpy import save_file

    folder = tmp_path / "lora"
    folder.mkdir()
    layer = "base_model.model.model.layers.0.self_attn.q_proj"
    weights = {
        f"{layer}.lora_A.weight": np.zeros((2, 32), "float32"),
        f"{layer}.lora_B.weight": np.zeros((32, 2), "float32"),
    }
    save_file(weights, folder / "adapter_model.safetensors")
    config = {
        "peft_type": "LORA",
        "base_model_name_or_path": str(copy),
        "r": 2,
        "target_modules": ["q_proj"],
        "layers_to_transform": [0],
    }
    (folder / "adapter_config.json").write_text(json.dumps(config), "utf-8")
    return folder


def refused(model) -> str:
    """What the fingerprint says; nothing was asked or loaded for it."""
    with pytest.raises(ModelError) as caught:
        open_adapter([model]).fingerprint(model)
    said = str(caught.value)
    assert "\n" not in said
    assert "m.model.yaml: " in said
    return said


def refused_later(model) -> str:
    """What is said when the model is loaded."""
    with pytest.raises(ModelError) as caught:
        list(open_adapter([model]).complete(model, [Request("r", "generate", "p")]))
    assert "\n" not in str(caught.value)
    return str(caught.value)


DAMAGES = {
    "empty": lambda data: b"",
    "cut in the header": lambda data: data[:60],
    "cut in the weights": lambda data: data[:-100],
    "longer": lambda data: data + b"xx",
    "random": lambda data: GARBAGE,
    "header of another kind": lambda data: (2).to_bytes(8, "little") + b"[]",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_weights_are_told_before_anything_is_asked(damage, copy, card):
    file = copy / "model.safetensors"
    file.write_bytes(DAMAGES[damage](file.read_bytes()))
    said = refused(card(copy))
    assert "is damaged" in said
    assert "model.safetensors: " in said


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_lora_weights_are_told_before_anything_is_asked(damage, copy, card, lora):
    model = card(copy, lora=str(lora))
    assert len(open_adapter([model]).fingerprint(model)) == 64
    file = lora / "adapter_model.safetensors"
    file.write_bytes(DAMAGES[damage](file.read_bytes()))
    said = refused(model)
    assert f"lora '{lora}' is damaged" in said
    assert "adapter_model.safetensors: " in said


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "7", "\x00\x01"])
@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_a_configuration_that_is_no_json_object_is_told(name, text, copy, card):
    (copy / name).write_text(text, "utf-8")
    assert f"{name}: not " in refused(card(copy))


def test_a_lora_configuration_that_is_no_json_is_told(copy, card, lora):
    (lora / "adapter_config.json").write_text("{", "utf-8")
    assert "adapter_config.json: not JSON" in refused(card(copy, lora=str(lora)))


def test_a_lora_of_another_base_is_told_before_anything_is_asked(copy, card, lora):
    config = json.loads((lora / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = "meta-llama/Llama-3.2-3B"
    (lora / "adapter_config.json").write_text(json.dumps(config))
    assert "was made for base 'meta-llama/Llama-3.2-3B'" in refused(card(copy, lora=str(lora)))


@pytest.mark.parametrize("data", [b"", b"{", b"{}", b'{"model": {}}', b"[]", GARBAGE])
def test_a_broken_tokenizer_is_told_before_anything_is_asked(data, copy, card):
    (copy / "tokenizer.json").write_bytes(data)
    said = refused(card(copy))
    assert "has no tokenizer that can be read" in said
    assert "tokenizer.json" in said


def test_a_base_without_any_tokenizer_is_told_in_words(copy, card):
    (copy / "tokenizer.json").unlink()
    assert "has no tokenizer that can be read: " in refused_later(card(copy))


@pytest.mark.parametrize("text", ["{", "[]", '{"weight_map": 3}', '{"weight_map": {"a": 1}}'])
def test_a_damaged_index_of_shards_is_told(text, copy, card):
    (copy / "model.safetensors").unlink()
    (copy / "model.safetensors.index.json").write_text(text)
    assert "a damaged model.safetensors.index.json" in refused(card(copy))


def test_weights_of_other_shapes_are_named_with_both_shapes(copy, card):
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "intermediate_size": 64}))
    said = refused_later(card(copy))
    assert "6 weights do not have the shape that config.json says" in said
    assert "model.layers.0.mlp.down_proj.weight: [32, 48] in place of [32, 64]" in said


@pytest.mark.parametrize(
    "change", [{"model_type": "nonsense"}, {"hidden_act": "nonsense"}, {"num_hidden_layers": "two"}]
)
def test_a_configuration_that_makes_no_model_is_told_in_one_line(change, copy, card):
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, **change}))
    assert "m.model.yaml: base " in refused_later(card(copy))


def test_nf4_on_a_cpu_names_the_weight_that_it_cannot_take(tiny, card):
    said = refused_later(card(tiny(), quantize="nf4"))
    assert "multiple of 64" in said
    assert "model.layers.0.self_attn.q_proj" in said


def test_int8_answers_without_a_word_of_bitsandbytes(tiny, card, caplog):
    model = card(tiny(), quantize="int8")
    asked = [Request("r", "generate", "p", settings=GenerateSettings(max_new_tokens=4))]
    (batch,) = open_adapter([model]).complete(model, asked)
    assert not batch[0].failed
    assert caplog.text == ""


def test_a_context_longer_than_the_models_own_is_refused(tiny, card):
    assert "max_length 257 is more than the 256 tokens" in refused(card(tiny(), max_length=257))
    model = card(tiny(), max_length=256)
    assert open_adapter([model]).fingerprint(model)


def test_a_chat_template_with_a_syntax_error_is_told_with_its_line(tiny, card):
    model = card(tiny(), chat_template="{{ bos_token }}\n{% for m in messages %}")
    assert "chat_template, its line 2: " in refused(model)


def test_a_chat_template_may_use_the_tags_of_transformers(tiny, card):
    text = "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}"
    model = card(tiny(), chat_template=text + "{% break %}{% endfor %}")
    assert open_adapter([model]).fingerprint(model)


def test_a_broken_chat_template_of_the_base_is_told_once_messages_come(copy, card):
    (copy / "chat_template.jinja").write_text("{% if %}")
    model = card(copy)
    adapter = open_adapter([model])
    assert adapter.count_tokens(model, [Request("r", "generate", "plain text")]) != [0]
    with pytest.raises(ModelError, match="chat_template, its line 1"):
        adapter.count_tokens(model, [Request("r", "generate", (Message("user", "x"),))])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.integers(0, 400), st.binary(max_size=20))
def test_no_header_however_broken_is_anything_but_a_value_error(tmp_path, keep, tail):
    header = json.dumps({"w": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}}).encode()
    whole = len(header).to_bytes(8, "little") + header + b"1234"
    file = tmp_path / "x.safetensors"
    file.write_bytes(whole)
    assert read_header(file) == {"w": ("U8", (4,))}
    broken = whole[:keep] + tail
    file.write_bytes(broken)
    try:
        found = read_header(file)
    except ValueError:
        return
    assert len(broken) == len(whole)
    assert len(found) <= 1
