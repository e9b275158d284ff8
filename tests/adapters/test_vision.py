"""All classes of the vision adapter, tiny and random, against transformers' own computation."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
from adapters.visionmodels import KINDS, save
from media.clips import Style, picture, write

from harness.adapters.registry import open_adapter
from harness.collect.specs import VisionModel
from harness.errors import ModelError
from harness.media.source import MediaSource
from harness.records import FrameSettings, GenerateSettings, Message, Request

ASKED = (Message("user", "Which event is it?"),)
SHORT = GenerateSettings(max_new_tokens=5)
FOUR = FrameSettings(frames=4, resolution="56x56")
CHOICES = (" yes", " robbery", " normal")


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Makes (once) the folder of a tiny model of a kind."""
    made: dict[str, Path] = {}

    def make(kind: str) -> Path:
        if kind not in made:
            made[kind] = save(kind, tmp_path_factory.mktemp("vision") / kind)
        return made[kind]

    return make


@pytest.fixture(scope="session")
def media(tmp_path_factory):
    """A clip, an image, and a file that is cut off."""
    from PIL import Image

    root = tmp_path_factory.mktemp("media")
    clip = write(root / "clip.mp4", Style(count=20, size=(96, 64)))
    Image.fromarray(picture(5)).save(root / "picture.png")
    (root / "cut.mp4").write_bytes(clip.read_bytes()[:900])
    return root


@pytest.fixture(scope="session")
def served(folder, tmp_path_factory):
    """(adapter, card) of a kind, loaded once; settings of the card as named."""
    opened = {}
    root = tmp_path_factory.mktemp("cards")

    def serve(kind: str, **settings: object):
        known = {"device": "cpu", "dtype": "float32", **settings}
        card = VisionModel(model="m", adapter="vision", base=str(folder(kind)), **known)
        card.located(root / "m.model.yaml", "", root)
        if kind not in opened:
            opened[kind] = open_adapter([card], media=MediaSource())
        return opened[kind], card

    yield serve
    for adapter in opened.values():
        adapter.close()


def complete(adapter, card, requests):
    done = [one for batch in adapter.complete(card, requests) for one in batch]
    assert sorted(one.id for one in done) == sorted(request.id for request in requests)
    known = {one.id: one for one in done}
    return [known[request.id] for request in requests]


def generating(root, name="clip.mp4", **changes) -> Request:
    frames = changes.pop("frames", FOUR)
    paths = (str(root / name),) if name else ()
    asked = Request("g", "generate", ASKED, settings=SHORT, media=paths, frames=frames)
    return replace(asked, **changes)


def choosing(root, name="clip.mp4", **changes) -> Request:
    asked = generating(root, name, id="c", output_type="choices", continuations=CHOICES)
    return replace(asked, **changes)


class Oracle:
    """transformers alone: processor and model of a folder, one prompt at a time."""

    def __init__(self, folder: Path, lora: Path | None = None) -> None:
        import torch
        from peft import PeftModel
        from transformers import AutoModelForImageTextToText, AutoProcessor

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.processor = AutoProcessor.from_pretrained(folder)
            self.model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
            if lora is not None:
                self.model = PeftModel.from_pretrained(self.model, lora).merge_and_unload()
        self.model.eval()

    def inputs(self, path: Path, kind: str, behind: str | None = ""):
        """Of the chat prompt and what stands behind it; None: without white space at its end."""
        import numpy as np
        from PIL import Image
        from transformers.video_utils import VideoMetadata

        parts = [{"type": kind}, {"type": "text", "text": ASKED[0].content}]
        turns = [{"role": "user", "content": parts}]
        text = self.processor.apply_chat_template(turns, add_generation_prompt=True)
        text = text.rstrip() if behind is None else text + behind
        asked = generating(path.parent, path.name)
        (_, seen), *_ = MediaSource().clips([asked])
        clip = seen.clips[0]
        if kind == "image":
            given = {"images": [Image.fromarray(clip.frames[0])]}
        else:
            told = VideoMetadata(
                total_num_frames=clip.source_frames,
                fps=clip.source_fps,
                frames_indices=list(clip.indices),
                duration=clip.duration,
            )
            given = {"videos": [np.stack(clip.frames)], "videos_kwargs": {"video_metadata": [told]}}
            given["videos_kwargs"]["do_sample_frames"] = False
            if hasattr(self.processor.video_processor, "cap_pixels_per_frame"):
                given["videos_kwargs"]["cap_pixels_per_frame"] = True
        return self.processor(text=[text], return_tensors="pt", **given)

    def generate(self, path: Path, kind: str) -> tuple[str, int]:
        """The greedy answer, and the number of prompt tokens."""
        inputs = self.inputs(path, kind)
        count = inputs["input_ids"].shape[1]
        out = self.model.generate(
            **inputs, max_new_tokens=5, do_sample=False, pad_token_id=1, eos_token_id=1
        )
        tokens = out[0, count:].tolist()
        return self.processor.tokenizer.decode(tokens, skip_special_tokens=True), count

    def score(self, path: Path, kind: str) -> list[float]:
        """Log-likelihood of each choice: the whole text read anew for each of them."""
        import torch

        start = self.inputs(path, kind, None)["input_ids"].shape[1]
        sums = []
        for text in CHOICES:
            inputs = self.inputs(path, kind, text)
            with torch.inference_mode():
                logprobs = self.model(**inputs).logits[0].float().log_softmax(-1)
            ids = inputs["input_ids"][0]
            sums.append(sum(float(logprobs[at - 1, ids[at]]) for at in range(start, len(ids))))
        return sums


@pytest.mark.parametrize("name", ["clip.mp4", "picture.png"])
@pytest.mark.parametrize("kind", KINDS)
def test_answers_and_scores_are_those_of_transformers(kind, name, served, folder, media):
    adapter, card = served(kind)
    said, chosen = complete(adapter, card, [generating(media, name), choosing(media, name)])
    oracle = Oracle(folder(kind))
    sort = "image" if name.endswith(".png") else "video"
    assert said.error is None
    assert (said.text, said.prompt_tokens) == oracle.generate(media / name, sort)
    assert chosen.logprobs == pytest.approx(oracle.score(media / name, sort), abs=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_answers_as_each_sample_alone(kind, served, media):
    many = [FOUR, replace(FOUR, start=0.5), FrameSettings(frames=2), replace(FOUR, start=1.0)]
    texts = ["Which event?", "red or blue? Say it.", "left", "Is it normal, yes or no?"]
    requests = []
    for number, (frames, text) in enumerate(zip(many, texts, strict=True)):
        prompt = (Message("user", text),)
        requests.append(generating(media, id=f"g{number}", prompt=prompt, frames=frames))
        requests.append(choosing(media, id=f"c{number}", prompt=prompt, frames=frames))
    requests.append(generating(media, "", id="text alone"))
    adapter, card = served(kind)
    together = complete(adapter, card, requests)
    alone = complete(adapter, served(kind, batch_size=1)[1], requests)
    for one, other in zip(together, alone, strict=True):
        assert (one.text, one.error, one.prompt_tokens) == (other.text, None, other.prompt_tokens)
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-3)
        assert one.frame_times == other.frame_times
    assert len({one.text for one in together}) > 2


@pytest.fixture(scope="session")
def make_lora(folder, tmp_path_factory):
    """Writes a LoRA of random weights on the language model, as peft saves it."""

    def make(kind: str, seed: int) -> Path:
        import torch
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModelForImageTextToText

        torch.manual_seed(seed)
        place = tmp_path_factory.mktemp("lora")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = AutoModelForImageTextToText.from_pretrained(folder(kind))
            where = r".*(language_model|text_model)\.layers.*(q_proj|v_proj|down_proj)"
            config = LoraConfig(r=4, target_modules=where, init_lora_weights=False)
            get_peft_model(model, config).save_pretrained(place)
        return place

    return make


@pytest.mark.parametrize("kind", KINDS)
def test_loras_are_switched_on_one_load(kind, served, folder, media, make_lora):
    adapter, plain = served(kind)
    loras = [make_lora(kind, seed) for seed in (1, 2)]
    cards = [plain, *(served(kind, lora=str(lora))[1] for lora in loras), plain]
    found = [complete(adapter, card, [choosing(media)])[0] for card in cards]
    assert not [one.error for one in found if one.failed]
    scores = [one.logprobs for one in found]
    assert scores[0] == pytest.approx(scores[3], abs=1e-4)
    assert scores[1] != pytest.approx(scores[0], abs=0.1)
    assert scores[1] != pytest.approx(scores[2], abs=0.1)
    oracle = Oracle(folder(kind), loras[0]).score(media / "clip.mp4", "video")
    assert scores[1] == pytest.approx(oracle, abs=2e-3)
    assert adapter.fingerprint(cards[1]) != adapter.fingerprint(plain)


@pytest.mark.parametrize("kind", KINDS)
def test_several_media_and_plain_text(kind, served, media):
    adapter, card = served(kind)
    clip, image = str(media / "clip.mp4"), str(media / "picture.png")
    requests = [
        generating(media, id="videos", media=(clip, clip)),
        generating(media, id="images", media=(image, image)),
        generating(media, id="mixed", media=(image, clip)),
        generating(media, id="plain", prompt="Which event?", media=(clip, clip)),
    ]
    found = complete(adapter, card, requests)
    if kind == "smolvlm":
        mixed = found.pop(2)
        assert mixed.error == "SmolVLM takes images or videos in one prompt, not both"
    assert [one.error for one in found] == [None] * len(found)
    assert found[0].stages.frames == 8
    assert found[1].frame_times == (0.0, 0.0)
    assert found[0].frame_times == pytest.approx((0.2, 0.7, 1.2, 1.7) * 2)
    texts = adapter.prompts(card, requests)
    assert "Which event is it?" in texts[0]
    assert texts[3].endswith("Which event?")


def test_one_bad_file_fails_alone(served, media):
    adapter, card = served("qwen2_5_vl", batch_size=4)
    names = ["clip.mp4", "cut.mp4", "gone.mp4", "clip.mp4"]
    requests = [choosing(media, name, id=str(n)) for n, name in enumerate(names)]
    found = complete(adapter, card, requests)
    assert [one.failed for one in found] == [False, True, True, False]
    assert found[0].logprobs == pytest.approx(found[3].logprobs, abs=1e-4)
    assert all(one.finish_reason == "error" and "\n" not in one.error for one in found[1:3])


def test_stages_and_times_are_told(served, media):
    adapter, card = served("smolvlm")
    fps = FrameSettings(fps=2)
    asked = [generating(media, frames=fps), choosing(media, frames=fps)]
    for one in complete(adapter, card, asked):
        spent = (one.stages.preprocess_ms, one.stages.prefill_ms, one.stages.generate_ms)
        assert all(ms > 0 for ms in spent)
        assert one.latency_ms == pytest.approx(one.stages.prefill_ms + one.stages.generate_ms)
        assert one.stages.frames == 4
        assert one.frame_times == (0.0, 0.5, 1.0, 1.5)
        assert one.stages.decode_ms > 0


@pytest.mark.parametrize("kind", KINDS)
def test_odd_numbers_of_frames_are_seen_also_by_classes_that_take_pairs(kind, served, media):
    adapter, card = served(kind)
    counts = (1, 3)
    asked = [generating(media, id=str(n), frames=FrameSettings(frames=n)) for n in counts]
    found = complete(adapter, card, asked)
    assert [one.error for one in found] == [None, None]
    assert [(one.stages.frames, len(one.frame_times)) for one in found] == [(1, 1), (3, 3)]
    assert found[0].prompt_tokens < found[1].prompt_tokens


def test_the_system_prompt_of_the_card_is_for_prompts_without_one(served, media):
    adapter, card = served("qwen2_5_vl", system="You watch closely.")
    own = (Message("system", "Be brief."), *ASKED)
    texts = adapter.prompts(card, [generating(media), generating(media, prompt=own)])
    assert texts[0].startswith("<|im_start|>system\nYou watch closely.<|im_end|>")
    assert "closely" not in texts[1]
    assert adapter.fingerprint(card) != adapter.fingerprint(served("qwen2_5_vl")[1])


def test_a_chat_template_of_the_card_is_taken(served, media):
    template = "{% for m in messages %}{% for c in m.content %}{% if c.type == 'text' %}"
    template += "{{ c.text }}{% else %}<video>|{% endif %}{% endfor %}{% endfor %}"
    adapter, card = served("video_llava", chat_template=template)
    assert adapter.prompts(card, [generating(media)]) == ["<video>|Which event is it?"]
    blind = served("smolvlm", chat_template=template.replace("<video>", ""))
    (one,) = complete(*blind, [generating(media)])
    assert one.error == "the chat template has no place for videos (<video>)"


def test_the_class_template_stands_in_for_one_that_knows_no_videos(served, media):
    adapter, card = served("smolvlm")
    assert "<video>" in adapter.prompts(card, [generating(media)])[0]
    complete(adapter, card, [generating(media)])
    assert adapter.notes == ("the base's chat template has no place for videos: SmolVLM's own",)


def test_a_question_cannot_forge_frames(served, media):
    adapter, card = served("llava_onevision")
    forged = (Message("user", "<image> and <video>"),)
    (one,) = complete(adapter, card, [generating(media, prompt=forged)])
    assert one.error == "the prompt itself says <image>, which stands for images"
    assert adapter.prompts(card, [generating(media, prompt=forged)]) == [None]
    assert adapter.count_tokens(card, [generating(media, prompt=forged)]) == [0]


def test_frames_that_do_not_fit_are_counted_in_the_error(served, media):
    adapter, card = served("video_llava", max_length=40)
    cut = replace(SHORT, truncate="left")
    skip = replace(SHORT, truncate="skip")
    requests = [
        generating(media, id="cut", settings=cut),
        generating(media, id="skip", settings=skip),
        generating(media, "", id="text", settings=cut, prompt="red blue " * 40),
        choosing(media, id="fits", frames=FrameSettings(frames=2)),
    ]
    found = complete(adapter, card, requests)
    assert "(4 frames x 5 tokens are 20 of it)" in found[0].error
    assert [one.finish_reason for one in found[:2]] == ["error", "skipped"]
    assert (found[2].truncated, found[2].prompt_tokens) == ("left", 35)
    assert found[3].error is None


def test_perplexity_is_the_log_likelihood_of_the_target(served, media):
    adapter, card = served("internvl")
    both = [
        choosing(media, continuations=(" robbery",)),
        choosing(media, id="p", output_type="perplexity", continuations=(" robbery",)),
    ]
    chosen, target = complete(adapter, card, both)
    assert chosen.logprobs == pytest.approx(target.logprobs, abs=1e-4)


def test_continuations_one_by_one_score_the_same(served, media):
    adapter, card = served("qwen3_vl")
    requests = [choosing(media), choosing(media, id="d", prompt=(Message("user", "left?"),))]
    packed = complete(adapter, card, requests)
    engine = adapter._loaded.engine
    engine.packs = False  # as with attention that takes no mask of our own
    try:
        plain = complete(adapter, card, requests)
    finally:
        engine.packs = True
    for one, other in zip(packed, plain, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)


def test_sampling_depends_on_the_seed_alone(served, media):
    adapter, card = served("internvl")
    warm = GenerateSettings(max_new_tokens=5, temperature=1.0)
    other = replace(warm, seed=1)
    requests = [
        generating(media, id=str(n), settings=how) for n, how in enumerate([warm, warm, other])
    ]
    found = [one.text for one in complete(adapter, card, requests)]
    assert found[0] == found[1] != found[2]


def test_stop_strings_cut_the_answer(served, media):
    adapter, card = served("llava_next_video")
    (whole,) = complete(adapter, card, [generating(media)])
    stop = next(letter for letter in whole.text[1:] if letter.isascii())
    stopped = generating(media, settings=replace(SHORT, stop=(stop,)))
    (one,) = complete(adapter, card, [stopped])
    assert (one.text, one.finish_reason) == (whole.text[: whole.text.index(stop)], "stop")


def test_out_of_memory_halves_the_batch_then_fails_one_sample(served, media, monkeypatch):
    import torch

    adapter, card = served("smolvlm")
    complete(adapter, card, [generating(media, "")])
    network = adapter._loaded.engine.model
    forward, sizes = network.model.vision_model.forward, []

    def small(pixel_values, **more):
        sizes.append(len(pixel_values))
        if len(pixel_values) > 8:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(pixel_values=pixel_values, **more)

    monkeypatch.setattr(network.model.vision_model, "forward", small)
    requests = [generating(media, id=str(n)) for n in range(4)]
    requests.append(generating(media, id="large", frames=FrameSettings(frames=12)))
    *found, large = complete(adapter, card, requests)
    assert [one.error for one in found] == [None] * 4
    assert large.error.startswith("out of memory, even alone in a batch (12 frames, ")
    assert sorted(sizes) == [8, 8, 12, 16]


@pytest.mark.parametrize("settings", [{"quantize": "int8"}, {"dtype": "bfloat16"}])
@pytest.mark.parametrize("kind", ["smolvlm", "video_llama_3"])
def test_weights_of_fewer_bits_see_much_the_same(kind, settings, served, media):
    _, card = served(kind, **settings)
    adapter = open_adapter([card])
    (one,) = complete(adapter, card, [choosing(media)])
    adapter.close()
    plain, other = served(kind)
    (exact,) = complete(plain, other, [choosing(media)])
    assert one.error is None
    assert one.logprobs != exact.logprobs
    assert one.logprobs == pytest.approx(exact.logprobs, rel=0.3)


def test_nf4_on_a_cpu_tells_of_weights_that_are_too_narrow(served, media):
    _, card = served("smolvlm", quantize="nf4")
    with pytest.raises(ModelError, match="needs weights whose width is a multiple of 64"):
        list(open_adapter([card]).complete(card, [generating(media)]))


def test_leaving_early_leaves_no_thread_behind(served, media):
    adapter, card = served("smolvlm", batch_size=1)
    running = adapter.complete(card, [generating(media, id=str(n)) for n in range(20)])
    assert next(running)[0].error is None
    running.close()
    assert "preprocess" not in {thread.name for thread in threading.enumerate()}


def test_nothing_is_printed(folder, media, tmp_path):
    code = (
        "import sys; from pathlib import Path; from harness.adapters.registry import open_adapter\n"
        "from harness.collect.specs import VisionModel; from harness.records import *\n"
        "for base in sys.argv[2:]:\n"
        "    card = VisionModel(model='m', adapter='vision', base=base, device='cpu')\n"
        "    card.located(Path('m.model.yaml'), '', Path('.'))\n"
        "    asked = Request('r', 'generate', (Message('user', 'What?'),), media=(sys.argv[1],))\n"
        "    adapter = open_adapter([card])\n"
        "    assert not list(adapter.complete(card, [asked]))[0][0].error\n"
    )
    folders = [str(folder(kind)) for kind in KINDS]
    done = subprocess.run(
        [sys.executable, "-c", code, str(media / "clip.mp4"), *folders],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_an_unknown_class_is_told_in_one_line(folder, served, tmp_path):
    shutil.copytree(folder("smolvlm"), tmp_path / "odd")
    config = json.loads((tmp_path / "odd/config.json").read_text("utf-8"))
    config["model_type"] = "smolvlm2"
    (tmp_path / "odd/config.json").write_text(json.dumps(config), "utf-8")
    card = served("smolvlm")[1].model_copy(update={"base": str(tmp_path / "odd")})
    with pytest.raises(ModelError) as caught:
        open_adapter([card]).fingerprint(card)
    line = str(caught.value)
    assert "model_type 'smolvlm2'" in line
    assert "did you mean 'smolvlm'" in line
    assert "qwen2_5_vl, qwen3_vl" in line
    assert "\n" not in line


def test_a_folder_without_a_processor_is_told_in_one_line(folder, served, tmp_path, media):
    shutil.copytree(folder("qwen2_5_vl"), tmp_path / "bare")
    for file in ("processor_config.json", "preprocessor_config.json"):
        (tmp_path / "bare" / file).unlink(missing_ok=True)
    card = served("qwen2_5_vl")[1].model_copy(update={"base": str(tmp_path / "bare")})
    with pytest.raises(ModelError, match="has no processor that can be read: ") as caught:
        open_adapter([card]).prompts(card, [generating(media)])
    assert "\n" not in str(caught.value)


def test_a_lora_of_another_shape_is_refused_from_headers(served, make_lora):
    lora = make_lora("smolvlm", 3)
    settings = json.loads((lora / "adapter_config.json").read_text("utf-8"))
    settings["base_model_name_or_path"] = None
    (lora / "adapter_config.json").write_text(json.dumps(settings), "utf-8")
    from safetensors.torch import load_file, save_file

    weights = load_file(lora / "adapter_model.safetensors")
    wide = {key: one.repeat(1, 2) if "lora_A" in key else one for key, one in weights.items()}
    save_file(wide, lora / "adapter_model.safetensors")
    adapter, card = served("smolvlm", lora=str(lora))
    with pytest.raises(ModelError, match="does not fit base"):
        adapter.fingerprint(card)


def test_the_fingerprint_needs_no_torch(folder):
    code = (
        "import sys; from pathlib import Path; import harness.adapters.vision\n"
        "early = {'torch', 'transformers', 'numpy'} & set(sys.modules)\n"
        "from harness.adapters.registry import open_adapter\n"
        "from harness.collect.specs import VisionModel\n"
        "card = VisionModel(model='m', adapter='vision', base=sys.argv[1])\n"
        "card.located(Path('m.model.yaml'), '', Path('.'))\n"
        "print(len(open_adapter([card]).fingerprint(card)), early, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder("internvl"))],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["64", "set()", "False"]
