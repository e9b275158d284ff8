"""The embedded language model: what it read, how large it is, how it speaks."""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "adapters" / "tiny-llama"
Run = tuple[str, ...]

PROMPTS = (
    "How can a fall be noticed in a hospital?",
    "In a hospital ward,",
    "Anna and Ben went to",
    "The largest",
    "Question: How can smoke in a road tunnel be found?\nApproach:",
    "Question: Which method sees a wolf near the pasture?\nApproach:",
    "What is a radar?",
    "User: Write a sentence about the sea.\nAssistant:",
    "A thermal camera",
    "In the evening",
)


@pytest.fixture(scope="module")
def build() -> Iterator[Any]:
    """tools/corpus/build.py, as tools/pretrain_tiny_llama.py imports it."""
    sys.path.insert(0, str(ROOT / "tools"))
    yield importlib.import_module("corpus.build")
    sys.path.remove(str(ROOT / "tools"))


@pytest.fixture(scope="module")
def corpus(build: Any) -> list[str]:
    documents: list[str] = build.documents()
    return documents


def rows(path: str) -> list[dict[str, Any]]:
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def pairs(*splits: str) -> list[dict[str, Any]]:
    found = rows("tasks/vad_approach/data/approaches.jsonl")
    return [row for row in found if row["split"] in splits]


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def runs(text: str, length: int) -> set[Run]:
    """All runs of so many words."""
    found = words(text)
    return set(zip(*(found[start:] for start in range(length)), strict=False))


def held_out_runs(length: int) -> set[Run]:
    """All runs of the questions and approaches of validation and test."""
    texts = [row[key] for row in pairs("validation", "test") for key in ("question", "approach")]
    return set().union(*(runs(text, length) for text in texts))


def shared_with(texts: list[str], wanted: set[Run]) -> set[Run]:
    """Which of the wanted runs, all of one length, occur in the texts."""
    length = len(next(iter(wanted)))
    return {run for text in texts for run in runs(text, length) & wanted}


def sentences_of(texts: list[str]) -> list[str]:
    return [sentence for text in texts for sentence in re.split(r"(?<=[.?!:])\s+", text)]


def flat(texts: list[str]) -> str:
    return "\n".join(" ".join(words(text)) for text in texts)


def test_the_corpus_is_the_one_the_model_was_trained_on(build: Any, corpus: list[str]) -> None:
    trained = json.loads((MODEL / "training.json").read_text(encoding="utf-8"))
    assert build.digest(corpus) == trained["corpus_sha256"], "train tiny-llama again"


def test_the_corpus_is_plain_text_without_the_layout_of_the_task(corpus: list[str]) -> None:
    assert all(text.isascii() for text in corpus)
    assert not any("Approach:" in text for text in corpus)


def test_no_held_out_sentence_is_in_the_corpus(corpus: list[str]) -> None:
    text = flat(corpus)
    for row in pairs("validation", "test"):
        sentences = re.split(r"(?<=[.?!])\s+", f"{row['question']} {row['approach']}")
        found = [s for s in sentences if len(words(s)) > 3 and " ".join(words(s)) in text]
        assert found == []


def test_no_run_of_twelve_held_out_words_is_in_corpus_or_train_pairs(corpus: list[str]) -> None:
    train = [row[key] for row in pairs("train") for key in ("question", "approach")]
    assert shared_with(corpus + train, held_out_runs(12)) == set()


def test_shared_runs_of_eight_words_are_phrases_of_the_glossary(corpus: list[str]) -> None:
    """Of eight held-out words in one sentence, at most three are not a glossary phrase's.

    The corpus uses sentences of train pairs again; what those share with held-out pairs is no news.
    """
    known = glossary_runs()
    train = [row[key] for row in pairs("train") for key in ("question", "approach")]
    held_out = [row[k] for row in pairs("validation", "test") for k in ("question", "approach")]
    wanted = set().union(*(runs(sentence, 8) for sentence in sentences_of(held_out)))
    shared = shared_with(sentences_of(corpus), wanted)
    assert shared, "places and devices have long names; none shared means that the scan is broken"
    wordy = {run for run in shared if words_outside(run, known) > 3}
    assert len(wordy) <= 10
    assert wordy - shared_with(train, shared) == set()


def test_no_document_is_about_the_scene_of_a_held_out_question(
    build: Any, corpus: list[str]
) -> None:
    questions = [row["question"] for row in pairs("validation", "test")]
    scenes = build.AnomalyProse(build.pairs("train")).scenes(questions)
    assert len(scenes) >= 25
    texts = [text.lower() for text in corpus]
    assert [s for s in scenes for text in texts if s[0] in text and s[1] in text] == []


def glossary_runs() -> set[Run]:
    """Whole phrases of two words without their article, and runs of three words of any phrase."""
    entries = json.loads((ROOT / "tools/corpus/vad_glossary.json").read_text(encoding="utf-8"))
    phrases = [p for entry in entries for v in entry.values() if isinstance(v, list) for p in v]
    bare = [tuple(words(re.sub(r"^(a|an|the) ", "", phrase))) for phrase in phrases]
    return {phrase for phrase in bare if len(phrase) == 2}.union(*(runs(p, 3) for p in phrases))


def words_outside(run: Run, known: set[Run]) -> int:
    """How many words of the run are in no known run of two or three words."""
    inside: set[int] = set()
    for length in (2, 3):
        for i in range(len(run) - length + 1):
            if run[i : i + length] in known:
                inside |= set(range(i, i + length))
    return len(run) - len(inside)


def test_the_general_questions_are_not_in_the_corpus(corpus: list[str]) -> None:
    text = flat(corpus)
    questions = rows("tasks/general_retention/data/questions.jsonl")
    assert [q["question"] for q in questions if " ".join(words(q["question"])) in text] == []


def test_all_files_together_take_at_most_six_megabytes() -> None:
    assert sum(path.stat().st_size for path in MODEL.iterdir()) <= 6_000_000


@pytest.fixture(scope="module")
def answers() -> list[list[int]]:
    """Greedy answers to PROMPTS, up to 200 tokens, the end token included."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    model = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32).eval()
    found = []
    for prompt in PROMPTS:
        ids = tokenizer(prompt, return_tensors="pt", return_token_type_ids=False)
        out = model.generate(**ids, do_sample=False, max_new_tokens=200)
        found.append(out[0, ids["input_ids"].shape[1] :].tolist())
    return found


def test_it_stops_by_itself_after_whole_sentences(answers: list[list[int]]) -> None:
    texts, ended = texts_of(answers)
    assert all(ended)
    assert all(text.rstrip().endswith((".", "?", '."')) for text in texts)
    assert sum(len(text.split()) >= 8 for text in texts) >= 7


def test_it_speaks_in_words_of_its_corpus(answers: list[list[int]], corpus: list[str]) -> None:
    """It spells from pieces, so now and then it invents a word; one in fifty is the limit."""
    texts, _ = texts_of(answers)
    assert all(text.isascii() for text in texts)
    known = set(words(" ".join(corpus)))
    # an answer may go on with the word that its prompt has begun
    said = [word for text in texts for word in words(text)[1:]]
    assert sum(word not in known for word in said) <= len(said) / 50


def test_it_does_not_repeat_itself_at_once(answers: list[list[int]]) -> None:
    texts, _ = texts_of(answers)
    for text in texts:
        said = words(text)
        assert not any(said[i : i + 3] == said[i + 3 : i + 6] for i in range(len(said) - 5))


def texts_of(answers: list[list[int]]) -> tuple[list[str], list[bool]]:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    texts = [tokenizer.decode(ids, skip_special_tokens=True) for ids in answers]
    return texts, [tokenizer.eos_token_id in ids for ids in answers]


def test_the_chat_template_puts_the_begin_token_once() -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Describe a lamp."}],
        tokenize=False,
        add_generation_prompt=True,
    )
    assert text == "<s>User: Describe a lamp.\nAssistant:"
    assert tokenizer.pad_token_id not in (tokenizer.eos_token_id, tokenizer.bos_token_id)
    assert tokenizer("A lamp")["input_ids"][0] == tokenizer.bos_token_id
