"""LLaMA-VID (dvlab-research/LLaMA-VID): two tokens a frame, the question read by a Q-Former.

Environment: Python 3.10, `pip install -e .` in a checkout of the repository (torch 2.0.1,
transformers 4.31, peft 0.4). `base` is a folder: the loader reads pytorch_model.bin.index.json
from it. `options.home` is the checkout, where it also looks for model_zoo/LAVIS/.
Options: home, device (cuda).
"""

from __future__ import annotations

import os
import time

import worker

ROLES = {"user": 0, "assistant": 1}


class LlamaVid(worker.System):
    """One video or image a request; its LoRA is merged here, because upstream's loader takes one
    only where it loads no vision."""

    name = "llama_vid"
    libraries = ("torch", "transformers", "peft", "llamavid", "llava")

    def load(self, settings):
        """Base as upstream loads it, then the LoRA."""
        settings.known("device")
        self.device = settings.option("device", "cuda")
        bits = settings.bits()
        if not os.path.isdir(settings.base):
            raise worker.Refused(f"base: no folder {settings.base}; a hub name does not do here")
        import torch
        from llamavid import constants
        from llamavid.conversation import SeparatorStyle, conv_templates
        from llamavid.model.builder import load_pretrained_model
        from llava.mm_utils import KeywordsStoppingCriteria, tokenizer_image_token
        from llava.utils import disable_torch_init

        if settings.conversation not in conv_templates:
            known = ", ".join(sorted(conv_templates))
            raise worker.Refused(f"conversation: {settings.conversation}; known are {known}")
        self.torch, self.constants, self.two = torch, constants, SeparatorStyle.TWO
        self.template = conv_templates[settings.conversation]
        self.stopping, self.tokenize = KeywordsStoppingCriteria, tokenizer_image_token
        disable_torch_init()
        # without "vid" in the name the loader takes it for a language model alone
        self.tokenizer, self.model, self.processor, _ = load_pretrained_model(
            settings.base, None, "llama-vid", device_map="auto", device=self.device, **bits
        )
        if settings.lora:
            self.model = worker.merge_lora(self.model, settings.lora)

    def generate(self, ask):
        """One answer."""
        torch = self.torch
        began = time.perf_counter()
        pixels = self.processor.preprocess(ask.one_clip().array(), return_tensors="pt")
        images = [pixels["pixel_values"].half().to(self.device)]
        prompt, stop = self.prompt(ask)
        index = self.constants.IMAGE_TOKEN_INDEX
        ids = self.tokenize(prompt, self.tokenizer, index, return_tensors="pt")
        ids = ids.unsqueeze(0).to(self.device)
        stopping = self.stopping([stop], self.tokenizer, ids)
        preprocess_ms = (time.perf_counter() - began) * 1e3
        torch.manual_seed(ask.seed)
        clock = worker.Clock()
        with torch.inference_mode():
            self.model.update_prompt([[ask.question]])
            output = self.model.generate(
                ids,
                images=images,
                max_new_tokens=ask.max_new_tokens,
                use_cache=True,
                stopping_criteria=[stopping],
                streamer=clock,
                **ask.sampling(),
            )
        new = output[:, ids.shape[1] :]
        text = self.tokenizer.batch_decode(new, skip_special_tokens=True)[0].strip()
        ended = text.endswith(stop) or bool((new[0] == self.tokenizer.eos_token_id).any())
        if text.endswith(stop):
            text = text[: -len(stop)].strip()
        return worker.Answer(
            text,
            "length" if not ended and new.shape[1] >= ask.max_new_tokens else "stop",
            prompt_tokens=ids.shape[1],
            completion_tokens=new.shape[1],
            preprocess_ms=preprocess_ms,
            **clock.stages(),
        )

    def prompt(self, ask):
        """The text with <image> before the first question, and the string that ends an answer."""
        known = self.constants
        mark = known.DEFAULT_IMAGE_TOKEN
        if self.model.config.mm_use_im_start_end:
            mark = known.DEFAULT_IM_START_TOKEN + mark + known.DEFAULT_IM_END_TOKEN
        conversation = self.template.copy()
        conversation.system = ask.system
        for number, (role, content) in enumerate(ask.messages):
            if known.DEFAULT_IMAGE_TOKEN in content:
                raise worker.Refused("the prompt holds '<image>', which stands for frames")
            text = f"{mark}\n{content}" if number == 0 else content
            conversation.append_message(conversation.roles[ROLES[role]], text)
        conversation.append_message(conversation.roles[1], None)
        ends = conversation.sep2 if conversation.sep_style == self.two else conversation.sep
        return conversation.get_prompt(), ends


if __name__ == "__main__":
    worker.serve(LlamaVid())
