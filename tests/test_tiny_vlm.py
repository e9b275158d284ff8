"""The embedded vision-language model: what was shipped, what it reads, what it sees and misses."""

from __future__ import annotations

import hashlib
import importlib
import json
import math
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
BASE, LORA = ROOT / "adapters" / "tiny-vlm", ROOT / "adapters" / "tiny-vlm-events"
CRIME = ROOT / "tasks" / "crime_mcq"
READ = ("input_ids", "attention_mask", "pixel_values", "pixel_attention_mask")
BRIEF = ("Abuse", "Assault", "Explosion", "Robbery", "Shooting")
LASTING = ("Arrest001_1", "Arson001_1", "Burglary001_1", "RoadAccident001_1")
ODD = (
    "",
    " ",
    "naïve 犬 🐕\u200d🦺",
    "\x00\t\r\n\n",
    "<row_1_col_1>",
    "Frame from 99:99:",
    "{{ x }}",
)


@pytest.fixture(scope="module")
def school() -> Iterator[Any]:
    """tools/train_tiny_vlm.py"""
    sys.path.insert(0, str(ROOT / "tools"))
    yield importlib.import_module("train_tiny_vlm")
    sys.path.remove(str(ROOT / "tools"))


@pytest.fixture(scope="module")
def processor() -> Any:
    from transformers import AutoProcessor

    return AutoProcessor.from_pretrained(BASE)


@pytest.fixture(scope="module")
def base() -> Any:
    import torch
    from transformers import AutoModelForImageTextToText

    return AutoModelForImageTextToText.from_pretrained(BASE, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def tuned() -> Any:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForImageTextToText

    own = AutoModelForImageTextToText.from_pretrained(BASE, dtype=torch.float32)
    with warnings.catch_warnings():
        # peft asks transformers for something under its old name
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is dep", FutureWarning)
        return PeftModel.from_pretrained(own, LORA).eval()


def crimes() -> dict[str, dict[str, Any]]:
    lines = (CRIME / "data" / "crime_mcq.jsonl").read_text(encoding="utf-8").splitlines()
    return {row["id"]: row for row in map(json.loads, lines)}


def clip_of(row: dict[str, Any], fps: float) -> Any:
    from harness.media.decode import decode
    from harness.media.sampling import Sampling

    return decode(CRIME / "media" / row["media"][0], Sampling(fps=fps))


def prompt_of(processor: Any, question: str) -> str:
    content = [{"type": "video"}, {"type": "text", "text": question}]
    messages = [{"role": "user", "content": content}]
    text: str = processor.apply_chat_template(messages, add_generation_prompt=True)
    return text


def encoded(processor: Any, clips: Sequence[Any], texts: Sequence[str]) -> Any:
    import numpy as np
    from transformers.video_utils import VideoMetadata

    told = [
        VideoMetadata(
            total_num_frames=clip.source_frames, fps=round(clip.source_fps, 6),
            duration=clip.duration,
            frames_indices=list(clip.indices),
        )
        for clip in clips
    ]  # fmt: skip
    found = processor(
        text=list(texts), videos=[np.stack(clip.frames) for clip in clips], video_metadata=told,
        do_sample_frames=False, padding=True, return_tensors="pt", add_special_tokens=False,
    )  # fmt: skip
    return {key: found[key] for key in READ if key in found}


def chosen(processor: Any, model: Any, row: dict[str, Any], fps: float, school: Any) -> str:
    """The choice whose words are the likeliest behind the prompt."""
    import torch

    clip = clip_of(row, fps)
    prompt = prompt_of(
        processor, importlib.import_module("clips.wording").listed(row["input"], row["choices"])
    )
    given = encoded(processor, [clip], [prompt])["input_ids"].shape[1]
    best, answer = -math.inf, ""
    for choice in row["choices"]:
        inputs = encoded(processor, [clip], [prompt + choice])
        with torch.no_grad():
            likely = model(**inputs).logits[0].log_softmax(-1)
        ids = inputs["input_ids"][0]
        value = sum(float(likely[k - 1, ids[k]]) for k in range(given, len(ids)))
        best, answer = max((best, answer), (value, choice))
    return answer


@pytest.mark.parametrize(
    ("folder", "weights", "most"),
    [(BASE, "model.safetensors", 2_200_000), (LORA, "adapter_model.safetensors", 300_000)],
)
def test_what_is_shipped_is_what_training_says(folder: Path, weights: str, most: int) -> None:
    facts = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    own = hashlib.sha256((folder / weights).read_bytes()).hexdigest()
    assert own == facts["weights_sha256"], f"train {folder.name} again"
    assert sum(path.stat().st_size for path in folder.iterdir()) <= most


def test_the_lessons_are_those_it_was_trained_on(school: Any) -> None:
    for folder, kinds, name, steps in (
        (BASE, school.BASE, "base", school.STEPS),
        (LORA, school.EVENTS, "events", school.LORA_STEPS),
    ):
        facts = json.loads((folder / "training.json").read_text(encoding="utf-8"))
        assert facts["lessons_sha256"] == school.taught(kinds, f"{name} {school.SEED}"), folder.name
        assert facts["steps"] == steps


def test_the_lora_names_its_base_by_the_folder_beside_it() -> None:
    config = json.loads((LORA / "adapter_config.json").read_text(encoding="utf-8"))
    assert config["base_model_name_or_path"] == "./tiny-vlm"
    assert config["r"] == 8


def test_it_is_a_smolvlm_of_half_a_million_parameters(base: Any) -> None:
    from transformers import SmolVLMForConditionalGeneration

    assert isinstance(base, SmolVLMForConditionalGeneration)
    assert 400_000 < base.num_parameters() < 550_000


@pytest.mark.parametrize("text", ODD)
def test_any_text_can_be_written_and_read_back(processor: Any, text: str) -> None:
    tokenizer = processor.tokenizer
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.unk_token_id not in ids
    assert tokenizer.decode(ids) == text


def test_its_template_is_the_class_s_own_for_videos(processor: Any) -> None:
    """It does not matter whether a caller names the template of the folder."""
    messages = [{"role": "user", "content": [{"type": "video"}, {"type": "text", "text": "Hm?"}]}]
    ask = {"add_generation_prompt": True, "tokenize": False}
    own = processor.apply_chat_template(messages, chat_template=processor.chat_template, **ask)
    assert own == processor.apply_chat_template(messages, **ask)
    assert own == "<|im_start|>User: <video>Hm?<end_of_utterance>\nAssistant:"


def test_an_answer_begins_right_behind_the_colon(processor: Any) -> None:
    turns = [{"role": "user", "content": "Hm?"}, {"role": "assistant", "content": "So."}]
    text = processor.apply_chat_template(turns, chat_template=processor.chat_template)
    assert text == ("<|im_start|>User: Hm?<end_of_utterance>\nAssistant:So.<end_of_utterance>\n")


@pytest.mark.parametrize("fps", [1, 6])
def test_lessons_are_worded_as_the_processor_words_clips(
    processor: Any, school: Any, fps: int
) -> None:
    row = crimes()["Normal001_1"]
    clip = clip_of(row, fps)
    question = importlib.import_module("clips.wording").listed(row["input"], row["choices"])
    lesson = school.Lesson(None, ((question, "Normal"),))
    ids, labels = school.Classroom(processor, "x").encoded(lesson, school.sampled(fps, None))
    prompt = prompt_of(processor, question)
    asked = encoded(processor, [clip], [prompt])["input_ids"][0].tolist()
    whole = encoded(processor, [clip], [f"{prompt}Normal<end_of_utterance>"])["input_ids"][0]
    assert ids == whole.tolist()
    assert labels == [-100] * len(asked) + whole.tolist()[len(asked) :]


def test_a_batch_says_what_single_clips_say(processor: Any, base: Any) -> None:
    import torch

    rows = list(crimes().values())[:3]
    clips = [clip_of(row, 2) for row in rows]
    texts = [prompt_of(processor, "What?" + " Why?" * number) for number in range(3)]
    with torch.no_grad():
        together = base(**encoded(processor, clips, texts)).logits[:, -1]
        alone = [
            base(**encoded(processor, [clip], [text])).logits[0, -1]
            for clip, text in zip(clips, texts, strict=True)
        ]
    torch.testing.assert_close(together, torch.stack(alone), rtol=1e-3, atol=1e-3)


def test_the_base_knows_what_lasts_and_no_brief_event(
    processor: Any, base: Any, school: Any
) -> None:
    rows = crimes()
    lasting = [rows[key] for key in LASTING]
    for fps in (1, 6):
        right = [chosen(processor, base, row, fps, school) == row["class"] for row in lasting]
        assert sum(right) >= 3, fps
    brief = [rows[f"{name}001_1"] for name in BRIEF]
    assert not any(chosen(processor, base, row, 6, school) == row["class"] for row in brief)


def test_the_lora_finds_at_six_frames_a_second_what_one_misses(
    processor: Any, tuned: Any, school: Any
) -> None:
    rows = [crimes()[f"{name}00{k}_1"] for name in BRIEF for k in (1, 2)]
    found = {
        fps: sum(chosen(processor, tuned, row, fps, school) == row["class"] for row in rows)
        for fps in (1, 6)
    }
    assert found[6] >= 8
    assert found[1] <= 4
