"""NVILA-Lite (NVlabs/VILA): SigLIP in front of Qwen2, through `llava.load`.

Environment: Python 3.10, the repository's environment_setup.sh (torch 2.3, transformers 4.46,
pydantic 1), a CUDA device: upstream moves everything there itself. Frames go in as images in
their order, so that they stay the harness's.
`conversation` is "chatml" (Qwen2's, with the card's system prompt, or none if it is empty), or
"auto", the tokenizer's own, which has a system prompt built in: `system` must then be "".
Options: home.
"""

from __future__ import annotations

import time

import worker

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' "
    "+ message['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


class Nvila(worker.System):
    """Any number of images and videos a request, one question."""

    name = "nvila"
    libraries = ("torch", "transformers", "peft", "vila", "llava")

    def load(self, settings):
        """The model, and a LoRA over it."""
        settings.known()
        bits = {key: True for key, on in settings.bits().items() if on}
        if settings.conversation not in ("chatml", "auto"):
            raise worker.Refused(f"conversation: {settings.conversation}; known are chatml, auto")
        import llava
        import torch

        self.torch, self.conversation = torch, settings.conversation
        self.model = llava.load(settings.base, **bits)
        if settings.lora:
            self.model = worker.merge_lora(self.model, settings.lora)

    def generate(self, ask):
        """One answer."""
        if len(ask.messages) > 1:
            raise worker.Refused("NVILA's generate_content takes a single message of the user")
        began = time.perf_counter()
        images = [image for clip in ask.clips for image in clip.images()]
        if self.conversation == "chatml":
            self.model.tokenizer.chat_template = with_system(ask.system)
        elif ask.system:
            raise worker.Refused("conversation 'auto' takes no system prompt: set 'chatml'")
        config = self.model.default_generation_config
        config.max_new_tokens = ask.max_new_tokens
        for name, value in ask.sampling().items():
            setattr(config, name, value)
        preprocess_ms = (time.perf_counter() - began) * 1e3
        self.torch.manual_seed(ask.seed)
        began = time.perf_counter()
        prompt = [*images, ask.question]
        text = self.model.generate_content(prompt, generation_config=config)
        generate_ms = (time.perf_counter() - began) * 1e3
        return worker.Answer(text, preprocess_ms=preprocess_ms, generate_ms=generate_ms)


def with_system(system):
    """The ChatML template with a system prompt written into it; without one if it is empty."""
    if not system:
        return CHATML
    # as escapes of a Jinja string, so that nothing in the prompt is taken for a template
    quoted = "".join(f"\\U{ord(char):08x}" for char in system)
    return "{{ '<|im_start|>system\n" + quoted + "<|im_end|>\n' }}" + CHATML


if __name__ == "__main__":
    worker.serve(Nvila())
