"""Stand-in: loads nothing, and takes only what the real one takes."""

import os
from types import SimpleNamespace

import numpy
import torch
from llava import utils
from llava.mm_utils import KeywordsStoppingCriteria
from standin import Loadable, Tokenizer, check, check_sampling, check_tensor, new_tokens, text_of


class Processor:
    def preprocess(self, images, return_tensors):
        check(isinstance(images, numpy.ndarray), "frames are no array")
        check(images.dtype == numpy.uint8, f"frames are {images.dtype}")
        check(images.ndim == 4 and images.shape[3] == 3, f"frames have shape {images.shape}")
        check(return_tensors == "pt", "not asked for tensors")
        means = torch.tensor(images.mean(axis=(1, 2, 3)), dtype=torch.float32)
        return {"pixel_values": means[:, None, None, None].expand(-1, 3, 224, 224) / 255}


class Model(Loadable):
    config = SimpleNamespace(mm_use_im_start_end=False)

    def __init__(self, loaded):
        self.how, self.prompts = loaded, None

    def update_prompt(self, prompts=None):
        self.prompts = prompts

    def generate(
        self, inputs, *, images, max_new_tokens, use_cache, stopping_criteria, streamer, **sampling
    ):
        check(torch.is_inference_mode_enabled(), "not in inference mode")
        check(use_cache is True, "no cache")
        check_sampling(sampling)
        check_tensor(inputs, (1, None), torch.long, "input ids")
        check(int((inputs == -200).sum()) == 1, "not exactly one image token")
        check(isinstance(images, list) and len(images) == 1, "images is no list of one tensor")
        check_tensor(images[0], (None, 3, 224, 224), torch.float16, "images[0]")
        (stopping,) = stopping_criteria
        check(isinstance(stopping, KeywordsStoppingCriteria), "another stopping criterion")
        text = text_of(inputs[0])
        check(self.prompts is not None, "update_prompt was not called before generate")
        ((question,),) = self.prompts
        check(question in text, "update_prompt was given another question")
        self.prompts = None
        what = (
            f"{images[0].shape[0]} frames, brightest {int(images[0].amax(dim=(1, 2, 3)).argmax())}"
        )
        if sampling["do_sample"]:
            what += f" drawn {int(torch.randint(1000, (1,)))}"
        answer = f"{what} {self.how}{self.tuned()} [{text}]{stopping.keywords[0]}"
        new = new_tokens(answer, max_new_tokens, streamer, inputs)
        return torch.cat([inputs, new], dim=1)


def load_pretrained_model(
    model_path,
    model_base,
    model_name,
    load_8bit=False,
    load_4bit=False,
    device_map="auto",
    device="cuda",
):
    check(utils.disabled, "disable_torch_init was not called")
    check(model_base is None, "a base of its own is for projectors only")
    check("vid" in model_name.lower(), "without 'vid' in its name no vision is loaded")
    check(os.path.isfile(os.path.join(model_path, "pytorch_model.bin.index.json")), "no index")
    check(device == "cpu" and device_map == "auto", f"device {device}")
    how = "int8" if load_8bit else "nf4" if load_4bit else "fp16"
    print("Loading LLaVA from base model...")  # to standard output, as upstream does
    return Tokenizer(), Model(how), Processor(), 2048
