"""Train `tiny-vlm` and its LoRA `tiny-vlm-events`: python tools/train_tiny_vlm.py

Writes adapters/tiny-vlm/ and adapters/tiny-vlm-events/. Everything is fixed: the seeds of films,
weights and order, and the number of steps; the run stops by steps, never by time. One thread, so
that the order of additions is the same on every run of one machine type. The clips of the tasks
are no part of it: they are drawn from other seeds.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import math
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from clips.draw import RATE, SECONDS
from clips.lessons import BASE, EVENTS, NAMES, STILLS, Kinds, Lesson, lessons

if TYPE_CHECKING:
    import torch
    from transformers import SmolVLMForConditionalGeneration as Model
    from transformers import SmolVLMProcessor

ROOT = Path(__file__).resolve().parent.parent
BASE_OUT = ROOT / "adapters" / "tiny-vlm"
LORA_OUT = ROOT / "adapters" / "tiny-vlm-events"
SEED = 20261129
VOCABULARY = 1024
SIDE = 32
STEPS, NAME_STEPS, LORA_STEPS = 600, 120, 200
BATCH = 24
STILL_SHARE = 0.3
"""Of the batches of the base; a picture costs a fifth of a clip."""
MUON_LEARNING_RATE, ADAM_LEARNING_RATE, LORA_LEARNING_RATE = 5e-3, 3e-3, 4e-3
SPECIAL = {
    "bos_token": "<|im_start|>",
    "eos_token": "<end_of_utterance>",
    "pad_token": "<pad>",
    "unk_token": "<unk>",
}
EXTRA = {
    "fake_image_token": "<fake_token_around_image>",
    "image_token": "<image>",
    "video_token": "<video>",
    "global_image_token": "<global-img>",
    "end_of_utterance_token": "<end_of_utterance>",
}
# As the class's own template for videos, so that it does not matter which of the two is applied;
# but an assistant's turn begins right behind the colon, where a generated or scored answer does.
CHAT_TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize }}"
    "{% if message['content'] is string %}"
    "{{ ':' if message['role'] == 'assistant' else ': ' }}{{ message['content'] }}"
    "{% else %}"
    "{{ ':' if message['role'] == 'assistant' or message['content'][0]['type'] == 'image'"
    " else ': ' }}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'text' %}{{ part['text'] }}"
    "{% elif part['type'] == 'image' %}{{ '<image>' }}"
    "{% elif part['type'] == 'video' %}{{ '<video>' }}{% endif %}{% endfor %}"
    "{% endif %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
PIECES = r"\nFrame from \d\d:\d\d:|\n[A-Z]\.| ?[A-Za-z]+| ?\d| ?[^\sA-Za-z\d]+|\s"
"""What the tokenizer keeps apart; the time of a frame and a choice's letter are whole."""
SAMPLINGS: tuple[tuple[float, float | None, int | None], ...] = (
    (0.30, 6, None), (0.15, 3, None), (0.15, 2, None), (0.15, 1, None), (0.1, None, 4),
    (0.1, None, 8), (0.05, None, 16),
)  # fmt: skip
"""Share of the batches, frames a second or uniform frames."""


def sampled(fps: float | None, frames: int | None) -> list[float]:
    """Times of the frames that a sampling takes of a clip, as harness.media.sampling has them."""
    if fps is None:
        assert frames
        wanted = [(k + 0.5) * SECONDS / frames for k in range(frames)]
    else:
        wanted = [k / fps for k in range(math.ceil(SECONDS * fps))]
    return [math.floor(time * RATE + 1e-6) / RATE for time in wanted]


def make_tokenizer(texts: list[str]) -> Any:
    """A byte-level BPE trained on what is said in lessons; every text can be encoded."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(dict.fromkeys([*SPECIAL.values(), *EXTRA.values()])),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        model_max_length=2048,
        padding_side="left",
        clean_up_tokenization_spaces=False,
        extra_special_tokens=EXTRA,
        **SPECIAL,
    )


def make_processor(tokenizer: Any) -> SmolVLMProcessor:
    """32 x 32 pixels a frame, one token a frame, no tiles."""
    from transformers import SmolVLMImageProcessor, SmolVLMProcessor, SmolVLMVideoProcessor

    common = {
        "size": {"longest_edge": SIDE},
        "max_image_size": {"longest_edge": SIDE},
        "resample": 2,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }
    image = SmolVLMImageProcessor(do_image_splitting=False, **common)
    video = SmolVLMVideoProcessor(
        **common,
        do_sample_frames=False,
        video_sampling={"max_frames": 64, "fps": 1, "video_size": {"longest_edge": SIDE}},
    )
    return SmolVLMProcessor(image, tokenizer, video, image_seq_len=1, chat_template=CHAT_TEMPLATE)


def make_model(tokenizer: Any) -> Model:
    """Half a million random weights from the fixed seed."""
    import torch
    from transformers import SmolVLMConfig, SmolVLMForConditionalGeneration

    torch.manual_seed(SEED)
    vision = {
        "hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2,
        "num_attention_heads": 4, "image_size": SIDE, "patch_size": 8,
    }  # fmt: skip
    text = {
        "model_type": "llama", "vocab_size": len(tokenizer), "hidden_size": 96,
        "intermediate_size": 192, "num_hidden_layers": 3, "num_attention_heads": 4,
        "num_key_value_heads": 4, "max_position_embeddings": 2048, "tie_word_embeddings": True,
        "rms_norm_eps": 1e-5, "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id,
    }  # fmt: skip
    config = SmolVLMConfig(
        vision_config=vision,
        text_config=text,
        scale_factor=4,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
    )
    model = SmolVLMForConditionalGeneration(config)
    for settings in (model.generation_config,):
        settings.bos_token_id = tokenizer.bos_token_id
        settings.eos_token_id = tokenizer.eos_token_id
        settings.pad_token_id = tokenizer.pad_token_id
    return model


class Classroom:
    """Lessons to tensors, in the words and shapes that the processor makes of clips."""

    def __init__(self, processor: SmolVLMProcessor, seed: str) -> None:
        self.processor = processor
        self.tokenizer: Any = processor.tokenizer
        self.noise = np.random.default_rng(sum(map(ord, seed)))

    def media_text(self, times: list[float], still: bool) -> str:
        """What the processor writes for a video with frames of these times, or for a picture."""
        import torch
        from transformers.video_utils import VideoMetadata

        if still:
            return str(self.processor.replace_image_token({"rows": [[0]], "cols": [[0]]}, 0))
        found = VideoMetadata(
            total_num_frames=round(SECONDS * RATE), fps=RATE, duration=SECONDS,
            frames_indices=[round(time * RATE) for time in times],
        )  # fmt: skip
        values = torch.empty(1, len(times), 1, 1, 1)
        return str(
            self.processor.replace_video_token(
                {"pixel_values": values, "video_metadata": [found]}, 0
            )
        )

    def encoded(self, lesson: Lesson, times: list[float]) -> tuple[list[int], list[int]]:
        """Ids of a conversation and its labels: answers and their ends, the rest is -100."""
        head = "<|im_start|>"
        media = self.media_text(times, lesson.still)
        ids: list[int] = []
        labels: list[int] = []
        for number, (question, answer) in enumerate(lesson.turns):
            colon = "User:" if lesson.still and not number else "User: "
            asked = f"{head}{colon}{media}{question}<end_of_utterance>\nAssistant:"
            head, media = "\n", ""
            for text, taught in ((asked, False), (f"{answer}<end_of_utterance>", True)):
                new = self.tokenizer(text, add_special_tokens=False)["input_ids"]
                ids += new
                labels += new if taught else [-100] * len(new)
        return ids, labels

    def batch(self, pupils: list[Lesson], times: list[float]) -> dict[str, torch.Tensor]:
        """Tensors for the model; padding on the right has label -100, and nothing looks at it."""
        import torch

        rows = [self.encoded(lesson, times) for lesson in pupils]
        longest, pad = max(len(ids) for ids, _ in rows), self.tokenizer.pad_token_id
        pictures = np.stack(
            [[lesson.film.picture(time, SIDE) for time in times] for lesson in pupils]
        ).astype(np.float32)
        pictures += self.noise.normal(0, 4, pictures.shape).astype(np.float32)
        pictures += self.noise.normal(0, 6, (len(pupils), 1, 1, 1, 1)).astype(np.float32)
        pixels = torch.from_numpy(pictures).clamp(0, 255).div(127.5).sub(1).permute(0, 1, 4, 2, 3)
        return {
            "input_ids": torch.tensor([i + [pad] * (longest - len(i)) for i, _ in rows]),
            "labels": torch.tensor([v + [-100] * (longest - len(v)) for _, v in rows]),
            "pixel_values": pixels.contiguous(),
        }

    def batches(
        self, kinds: Kinds, seed: str, stills: float = 0.0, stilled: Kinds = STILLS
    ) -> Iterator[dict[str, torch.Tensor]]:
        """Endless; all of a batch have frames of the same times, or (a share) are pictures."""
        rng = random.Random(seed)
        films, pictures = lessons(kinds, seed), lessons(stilled, seed)
        while True:
            if rng.random() < stills:
                yield self.batch(list(itertools.islice(pictures, 2 * BATCH)), [0.0])
                continue
            _, fps, frames = rng.choices(SAMPLINGS, [share for share, _, _ in SAMPLINGS])[0]
            times = sampled(fps, frames)
            shown = (one for one in films if one.shown(times))
            yield self.batch(list(itertools.islice(shown, BATCH)), times)


def schedule(step: int, steps: int) -> float:
    """Factor of the learning rates: linear warm-up, flat, then linear down to 2 %."""
    return min(1.0, (step + 1) / 20) * max(0.02, min(1.0, (steps - step) / (0.6 * steps)))


def make_optimizers(model: Any, lora: bool, pace: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, AdamW for the rest; AdamW alone for a LoRA."""
    import torch

    wanted = [(name, w) for name, w in model.named_parameters() if w.requires_grad]
    inside = [w for n, w in wanted if w.dim() == 2 and "embed" not in n and not lora]
    rest = [w for n, w in wanted if w.dim() != 2 or "embed" in n or lora]
    rate = LORA_LEARNING_RATE if lora else ADAM_LEARNING_RATE
    found: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(rest, lr=pace * rate, betas=(0.9, 0.95), weight_decay=0.01)
    ]
    if inside:
        found.append(
            torch.optim.Muon(
                inside,
                lr=pace * MUON_LEARNING_RATE,
                weight_decay=0.05,
                adjust_lr_fn="match_rms_adamw",
            )
        )
    return found


def loss_of(model: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Mean cross-entropy of the answers' tokens; no other token is given logits."""
    import torch

    labels = batch["labels"][:, 1:]
    taught = labels != -100
    pixels, ids = batch["pixel_values"], batch["input_ids"]
    hidden = model.model(input_ids=ids, pixel_values=pixels, use_cache=False).last_hidden_state
    return torch.nn.functional.cross_entropy(model.lm_head(hidden[:, :-1][taught]), labels[taught])


def train(
    model: Any,
    batches: Iterator[dict[str, torch.Tensor]],
    steps: int,
    lora: bool = False,
    pace: float = 1.0,
) -> float:
    """Train in place, at a share of the learning rates; the mean loss of the last 50 steps."""
    import torch

    optimizers = make_optimizers(model, lora, pace)
    inner = model.get_base_model() if lora else model
    groups = [(group, group["lr"]) for each in optimizers for group in each.param_groups]
    losses: list[float] = []
    began = time.process_time()
    model.train()
    for step in range(steps):
        batch = next(batches)
        for group, rate in groups:
            group["lr"] = rate * schedule(step, steps)
        loss = loss_of(inner, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for each in optimizers:
            each.step()
            each.zero_grad()
        losses.append(loss.item())
        if step % 50 == 49:
            mean, seconds = sum(losses[-50:]) / 50, time.process_time() - began
            print(f"step {step + 1}/{steps} loss {mean:.3f} {seconds:.0f} CPU-s", flush=True)
    model.eval()
    return sum(losses[-50:]) / len(losses[-50:])


def corpus(count: int = 3000) -> list[str]:
    """What the tokenizer is trained on: conversations as they are in lessons."""
    frames = "".join(f"\nFrame from 00:{second:02d}:" for second in range(10)) * 40
    intro = "You are provided the following series of {} frames from a 0:00:03 [H:MM:SS] video.\n"
    words = ("one", "three", "four", "six", "eight", "nine", "twelve", "sixteen", "eighteen")
    texts = [frames, *(intro.format(word) for word in words)] * 20
    for kinds in (BASE, STILLS, EVENTS):
        for lesson in itertools.islice(lessons(kinds, "tokenizer"), count):
            for question, answer in lesson.turns:
                texts.append(f"User: {question}\nAssistant:")
                texts.append(answer)
    return texts


def learn_names(model: Any, processor: Any, steps: int) -> float:
    """The names of the classes that it has never had to say; a LoRA could hardly raise them."""
    batches = Classroom(processor, "names").batches(BASE, f"names {SEED}", 0.6, NAMES)
    return train(model, batches, steps, pace=0.3)


def save_base(model: Any, processor: Any, out: Path) -> None:
    """Weights as float32 safetensors, JSON of the tokenizer without indentation."""
    out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out)
    processor.save_pretrained(out)
    (out / "model.safetensors").chmod(0o644)
    path = out / "tokenizer.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    path.write_text(text, encoding="utf-8")


def make_lora(model: Any) -> Any:
    """r = 8 on all projections of the text model."""
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(SEED + 1)
    config = LoraConfig(
        r=8,
        lora_alpha=16,
        lora_dropout=0.0,
        target_modules=r".*text_model.*\.(q|k|v|o|gate|up|down)_proj",
        base_model_name_or_path="tiny-vlm",
    )
    return get_peft_model(model, config)


def save_lora(model: Any, out: Path) -> None:
    """The base is named by its folder, which stands beside."""
    model.peft_config["default"].base_model_name_or_path = "./tiny-vlm"
    model.save_pretrained(out, save_embedding_layers=False)
    (out / "README.md").unlink(missing_ok=True)
    path = out / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(config, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    (out / "adapter_model.safetensors").chmod(0o644)


def taught(kinds: Kinds, seed: str, count: int = 40) -> str:
    """SHA-256 of the first lessons: what is said in them, and the first picture of each."""
    digest = hashlib.sha256()
    for lesson in itertools.islice(lessons(kinds, seed), count):
        digest.update(json.dumps(lesson.turns).encode())
        digest.update(lesson.film.picture(1.0, SIDE).tobytes())
    return digest.hexdigest()


def written(out: Path, weights: str, record: dict[str, object]) -> None:
    """training.json: what was done, and what came of it."""
    own = hashlib.sha256((out / weights).read_bytes()).hexdigest()
    text = json.dumps({**record, "weights_sha256": own}, indent=1) + "\n"
    (out / "training.json").write_text(text, encoding="utf-8")


def main() -> None:
    """Tokenizer, processor, base, LoRA, files."""
    import torch
    from transformers import SmolVLMForConditionalGeneration, SmolVLMProcessor

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--name-steps", type=int, default=NAME_STEPS)
    parser.add_argument("--lora-steps", type=int, default=LORA_STEPS)
    parser.add_argument("--out", type=Path, default=BASE_OUT)
    parser.add_argument("--lora-out", type=Path, default=LORA_OUT)
    parser.add_argument("--only-lora", action="store_true", help="the base is there already")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if not given.only_lora:
        tokenizer = make_tokenizer(corpus())
        processor = make_processor(tokenizer)
        model = make_model(tokenizer)
        size = sum(weight.numel() for weight in model.parameters())
        print(f"{size} parameters, vocabulary {len(tokenizer)}")
        room = Classroom(processor, "base")
        train(model, room.batches(BASE, f"base {SEED}", STILL_SHARE), given.steps)
        loss = learn_names(model, processor, given.name_steps)
        save_base(model, processor, given.out)
        facts = {
            "seed": SEED, "steps": given.steps, "name_steps": given.name_steps,
            "batch": BATCH, "parameters": size,
            "lessons_sha256": taught(BASE, f"base {SEED}"), "last_loss": round(loss, 4),
        }  # fmt: skip
        written(given.out, "model.safetensors", facts)
    processor = SmolVLMProcessor.from_pretrained(given.out)
    base = SmolVLMForConditionalGeneration.from_pretrained(given.out)
    lora = make_lora(base)
    room = Classroom(processor, "events")
    loss = train(lora, room.batches(EVENTS, f"events {SEED}"), given.lora_steps, lora=True)
    save_lora(lora, given.lora_out)
    facts = {
        "seed": SEED + 1, "steps": given.lora_steps, "batch": BATCH,
        "lessons_sha256": taught(EVENTS, f"events {SEED}"), "last_loss": round(loss, 4),
    }  # fmt: skip
    written(given.lora_out, "adapter_model.safetensors", facts)
    print(f"CPU seconds in all: {time.process_time():.0f}")


if __name__ == "__main__":
    main()
