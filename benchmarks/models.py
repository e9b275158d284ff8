"""A random Llama with its tokenizer, prompts and questions for the benchmarks: no download."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path

VOCAB = 4096
SYLLABLES = [a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "an", "er", "is")]


def words(count: int, seed: int) -> list[str]:
    """Made-up words of one to four syllables."""
    rng = random.Random(seed)
    return ["".join(rng.choices(SYLLABLES, k=rng.randint(1, 4))) for _ in range(count)]


def save_model(folder: Path, seed: int = 0) -> Path:
    """Write a Llama of 5 M parameters (hidden 256, 4 layers, vocabulary 4096) and its tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    folder.mkdir(parents=True, exist_ok=True)
    save_tokenizer(folder)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=VOCAB,
        hidden_size=256,
        intermediate_size=688,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=2048,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
        tie_word_embeddings=False,
        initializer_range=0.1,  # far from uniform: greedy answers must not hang on rounding
    )
    LlamaForCausalLM(config).float().save_pretrained(folder)
    return folder


def save_tokenizer(folder: Path) -> None:
    """A byte-level BPE tokenizer trained on made-up words; <s> is BOS, </s> EOS and padding."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    vocabulary = words(20_000, seed=1)
    tokenizer.train_from_iterator([" ".join(vocabulary)], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 0)]
    )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "pad_token": "</s>",
        "model_max_length": 2048,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")


@dataclass(frozen=True)
class Work:
    """What is asked: prompts, and four choices for each."""

    prompts: list[str]
    choices: list[list[str]]


def work(folder: Path, count: int) -> Work:
    """The work for the model in a folder; made once and kept beside it."""
    file = folder / f"work-{count}.jsonl"
    if not file.is_file():
        rows = zip(prompts(folder, count), choices(count), strict=True)
        lines = [json.dumps({"text": text, "choices": four}) + "\n" for text, four in rows]
        file.write_text("".join(lines), "utf-8")
    rows_read = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    return Work([row["text"] for row in rows_read], [row["choices"] for row in rows_read])


def prompts(folder: Path, count: int, low: int = 20, high: int = 300) -> list[str]:
    """Texts of ``low`` to ``high`` tokens, lengths spread evenly, in a fixed random order."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    rng = random.Random(7)
    vocabulary = words(5_000, seed=2)
    found = []
    for index in range(count):
        goal = low + (high - low) * index // max(1, count - 1)
        text = " ".join(rng.choices(vocabulary, k=goal))
        encoding = tokenizer.encode(text)
        found.append(text[: encoding.offsets[goal - 1][1]])
    rng.shuffle(found)
    return found


def choices(count: int) -> list[list[str]]:
    """Four continuations of one to five words for each question."""
    rng = random.Random(8)
    vocabulary = words(5_000, seed=2)
    return [
        [" ".join(rng.choices(vocabulary, k=rng.randint(1, 5))) for _ in range(4)]
        for _ in range(count)
    ]
