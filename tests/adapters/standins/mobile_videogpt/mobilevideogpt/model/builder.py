"""Stand-in: loads nothing, and takes only what the real one takes."""

import os
from types import SimpleNamespace

import torch
from standin import Loadable, Tokenizer, check, check_sampling, check_tensor, new_tokens, text_of

from mobilevideogpt.constants import NUM_CONTEXT_IMAGES, NUM_FRAMES


class VideoTower:
    image_processor = SimpleNamespace(kind="not loaded")

    def load_model(self, name):
        check(name == "videomamba-16", f"another encoder: {name}")
        self.image_processor = SimpleNamespace(kind="videomamba")


class ImageTower:
    image_processor = SimpleNamespace(kind="not loaded")

    def load_model(self):
        self.image_processor = SimpleNamespace(kind="clip")


class Model(Loadable):
    config = SimpleNamespace(mm_use_im_start_end=False, mm_vision_tower="videomamba-16")

    def __init__(self, how):
        self.how, self.device = how, "nowhere"
        self.video, self.image = VideoTower(), ImageTower()

    def get_vision_tower(self):
        return self.video

    def get_image_vision_tower(self):
        return self.image

    def to(self, device):
        self.device = device
        return self

    def generate(
        self, inputs, *, images, context_images, max_new_tokens, use_cache, streamer, **sampling
    ):
        check(torch.is_inference_mode_enabled(), "not in inference mode")
        check(use_cache is True, "no cache")
        check(self.device == "cpu" or "int8" in self.how or "nf4" in self.how, "still nowhere")
        check_sampling(sampling)
        check_tensor(inputs, (1, None), torch.long, "input ids")
        check_tensor(images, (NUM_FRAMES, 3, 224, 224), torch.float16, "images")
        shape = (NUM_CONTEXT_IMAGES, 3, 224, 224)
        check_tensor(context_images, shape, torch.float16, "context_images")
        marks = int((inputs == -200).sum())
        check(NUM_FRAMES // 2 <= marks <= NUM_FRAMES, f"{marks} image tokens")
        real = int((images.amax(dim=(1, 2, 3)) > 0).sum())
        answer = f"{real} frames, {marks} marks {self.how}{self.tuned()} [{text_of(inputs[0])}]"
        return new_tokens(answer, max_new_tokens, streamer, inputs[:, :0])


def load_pretrained_model(
    model_path,
    model_base,
    model_name,
    load_8bit=False,
    load_4bit=False,
    lora_weights=True,
    num_select_k_frames_in_chunk=4,
    topk=True,
):
    check(model_name == os.path.basename(model_path), f"name {model_name}")
    how = "int8" if load_8bit else "nf4" if load_4bit else "fp16"
    if lora_weights:
        check(model_base is not None and "Qwen2" in model_base, f"base {model_base} of a LoRA")
        beside = os.path.join(model_path, "non_lora_trainables.bin")
        check(os.path.exists(beside), "no non_lora_trainables.bin")
        how += f" {os.path.basename(model_path)} over {os.path.basename(model_base)}"
    else:
        check(model_base is None, "a base beside a whole model")
    print("Loading full model ...")
    return Tokenizer(), Model(how), None, 2048
