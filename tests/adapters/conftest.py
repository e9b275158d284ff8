"""Tiny random models on disk, one of each kind, made once a session."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.collect.specs import TransformersModel

TEXT = """The quick brown fox jumps over the lazy dog. A camera looks at a road at night; nobody
walks there. Was ist das? Ein Hund läuft über die Straße. 今日は良い天気です。 Numbers: 1 2 3 42."""
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}[assistant]"
)
SMALL = {"vocab_size": 400, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "initializer_range": 0.3,
}


def save_tokenizer(folder: Path, bos: bool = True) -> None:
    """Byte-level BPE; <s> is BOS if there is one, </s> is EOS and padding at once."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<s>", "</s>", "<|end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([TEXT], trainer)
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "</s>",
        "pad_token": "</s>",
        "chat_template": TEMPLATE,
    }
    if bos:
        settings["bos_token"] = "<s>"
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 0)]
        )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")


def make_config(kind: str):
    """The configuration of one tiny model."""
    import transformers as hf

    common = {**SMALL, **SIZES}
    if kind == "gpt2":
        sizes = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256}
        return hf.GPT2Config(**SMALL, **sizes, initializer_range=0.3)
    if kind == "mistral":
        return hf.MistralConfig(**common, sliding_window=8)
    if kind == "gemma2":  # soft-capped logits: eager attention; full and sliding layers by turns
        return hf.Gemma2Config(**common, head_dim=8, sliding_window=8)
    if kind == "gemma3":
        return hf.Gemma3TextConfig(**common, head_dim=8, sliding_window=8)
    if kind == "qwen2":
        return hf.Qwen2Config(**common)
    if kind == "falcon_h1":  # Mamba state beside attention
        return hf.FalconH1Config(**common, mamba_d_ssm=32, mamba_n_heads=4, mamba_d_state=8)
    if kind == "mamba":
        return hf.MambaConfig(**SMALL, hidden_size=32, num_hidden_layers=2, state_size=4)
    if kind == "bloom":  # ALiBi: positions are distances
        return hf.BloomConfig(**SMALL, hidden_size=32, n_layer=2, n_head=4, initializer_range=0.3)
    if kind in ("opt", "gpt_neox", "phi", "qwen3", "olmo2", "cohere", "granite", "stablelm"):
        return hf.AutoConfig.for_model(kind, **common)
    if kind == "llama64":  # bitsandbytes quantizes blocks of 64
        return hf.LlamaConfig(**{**common, "hidden_size": 64, "intermediate_size": 128})
    return hf.LlamaConfig(**common)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes (once) the folder of a tiny random model of a kind."""
    made: dict[tuple[str, int], Path] = {}

    def make(kind: str = "llama", seed: int = 0) -> Path:
        if (kind, seed) not in made:
            import torch
            import transformers as hf
            from transformers.utils import logging

            logging.disable_progress_bar()
            folder = tmp_path_factory.mktemp("models") / f"tiny-{kind}-{seed}"
            save_tokenizer(folder)
            torch.manual_seed(seed)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = hf.AutoModelForCausalLM.from_config(make_config(kind))
                model.float().save_pretrained(folder)
            made[kind, seed] = folder
        return made[kind, seed]

    return make


@pytest.fixture
def card(tmp_path: Path) -> Callable[..., TransformersModel]:
    """A model card standing in the test's own folder."""

    def make(base: Path | str, **settings: object) -> TransformersModel:
        fields = {"dtype": "float32", "device": "cpu", **settings}
        found = TransformersModel(model="m", adapter="transformers", base=str(base), **fields)
        found.located(tmp_path / "m.model.yaml", "", tmp_path)
        return found

    return make
