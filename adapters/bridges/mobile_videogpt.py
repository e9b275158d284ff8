"""Mobile-VideoGPT (Amshaker/Mobile-VideoGPT): CLIP and VideoMamba in front of a small Qwen2.

Environment: Python 3.11, torch 2.1.2, transformers 4.41, the repository's requirements, and
causal-conv1d and mamba from VideoMamba's repository (CUDA). `options.home` is the checkout.
It sees `num_frames` frames, a multiple of 8; fewer are filled up with black ones, as upstream
does, and more are refused: set `media.frames`.
Options: home, device (cuda), num_frames (16).
"""

from __future__ import annotations

import os
import time

import worker

CHUNK = 8  # frames that VideoMamba reads together
KEPT = 4  # of them, the frames that are kept
ROLES = {"user": 0, "assistant": 1}


class MobileVideoGPT(worker.System):
    """One video a request; frames go in as Pillow images, so that they stay the harness's."""

    name = "mobile_videogpt"
    libraries = ("torch", "transformers", "peft", "mobilevideogpt", "mamba-ssm", "causal-conv1d")

    def load(self, settings):
        """Model, both encoders, and the LoRA by the way that its base allows."""
        settings.known("device", "num_frames")
        self.device = settings.option("device", "cuda")
        self.frames = settings.option("num_frames", 16)
        if self.frames < CHUNK or self.frames % CHUNK:
            raise worker.Refused(f"options.num_frames: {self.frames} is no multiple of {CHUNK}")
        # upstream reads both when it is imported
        os.environ["NUM_FRAMES"] = os.environ["NUM_CONTEXT_IMAGES"] = str(self.frames)
        bits = settings.bits()
        import torch
        from eval.video_encoding import read_pil_frames
        from mobilevideogpt import constants
        from mobilevideogpt.conversation import conv_templates
        from mobilevideogpt.mm_utils import tokenizer_image_token

        if settings.conversation not in conv_templates:
            known = ", ".join(sorted(conv_templates))
            raise worker.Refused(f"conversation: {settings.conversation}; known are {known}")
        self.torch, self.constants = torch, constants
        self.template = conv_templates[settings.conversation]
        self.read, self.tokenize = read_pil_frames, tokenizer_image_token
        self.tokenizer, model = self.weights(settings, bits)
        video, image = model.get_vision_tower(), model.get_image_vision_tower()
        video.load_model(model.config.mm_vision_tower)
        image.load_model()
        self.video_processor, self.image_processor = video.image_processor, image.image_processor
        self.model = model if settings.quantize != "none" else model.to(self.device)

    def weights(self, settings, bits):
        """A LoRA over a plain Qwen2 is upstream's to load; one over Mobile-VideoGPT is merged."""
        from mobilevideogpt.mm_utils import get_model_name_from_path
        from mobilevideogpt.model.builder import load_pretrained_model

        whole = not (settings.lora and "Qwen2" in settings.base)
        path, base = (settings.base, None) if whole else (settings.lora, settings.base)
        name = get_model_name_from_path(path)
        tokenizer, model, _, _ = load_pretrained_model(
            path, base, name, lora_weights=not whole, **bits
        )
        if settings.lora and whole:
            model = worker.merge_lora(model, settings.lora)
        return tokenizer, model

    def generate(self, ask):
        """One answer."""
        torch = self.torch
        began = time.perf_counter()
        frames, context, count = self.encode(ask.one_clip())
        prompt, stop = self.prompt(ask, count)
        index = self.constants.IMAGE_TOKEN_INDEX
        ids = self.tokenize(prompt, self.tokenizer, index, return_tensors="pt")
        ids = ids.unsqueeze(0).to(self.device)
        images = torch.stack(frames, dim=0).half().to(self.device)
        context_images = torch.stack(context, dim=0).half().to(self.device)
        preprocess_ms = (time.perf_counter() - began) * 1e3
        torch.manual_seed(ask.seed)
        clock = worker.Clock()
        with torch.inference_mode():
            output = self.model.generate(
                ids,
                images=images,
                context_images=context_images,
                max_new_tokens=ask.max_new_tokens,
                use_cache=True,
                streamer=clock,
                **ask.sampling(),
            )
        # the prompt went in as embeddings, so only new tokens come back
        text = self.tokenizer.batch_decode(output, skip_special_tokens=True)[0].strip()
        ended = text.endswith(stop) or bool((output[0] == self.tokenizer.eos_token_id).any())
        if text.endswith(stop):
            text = text[: -len(stop)].strip()
        return worker.Answer(
            text,
            "length" if not ended and output.shape[1] >= ask.max_new_tokens else "stop",
            prompt_tokens=ids.shape[1],
            completion_tokens=output.shape[1],
            preprocess_ms=preprocess_ms,
            **clock.stages(),
        )

    def encode(self, clip):
        """Frames and context images as upstream prepares them, and how many frames are real."""
        if len(clip) > self.frames:
            what = f"{len(clip)} frames, but Mobile-VideoGPT is set to see {self.frames}"
            raise worker.Refused(f"{what}: set media.frames or max_frames to {self.frames}")
        return self.read(
            clip.images(),
            self.image_processor,
            self.video_processor,
            max_frames=self.frames,
            image_resolution=224,
            video_framerate=1,  # equal to sample_fps: every frame is taken
            sample_fps=1,
            num_video_frames=self.frames,
            num_context_images=self.frames,
        )

    def prompt(self, ask, count):
        """The text with an <image> for each frame before the first question, and its end.

        Upstream cuts the marks down to those of the kept frames; of fewer marks than that it would
        repeat the beginning of the question, so at least so many are written.
        """
        known = self.constants
        marks = known.DEFAULT_IMAGE_TOKEN * max(count, self.frames // CHUNK * KEPT)
        if self.model.config.mm_use_im_start_end:
            image = known.DEFAULT_IMAGE_TOKEN
            marks = known.DEFAULT_IM_START_TOKEN + image + known.DEFAULT_IM_END_TOKEN
        conversation = self.template.copy()
        conversation.system = f"<|im_start|>system\n{ask.system}" if ask.system else ""
        for number, (role, content) in enumerate(ask.messages):
            if known.DEFAULT_IMAGE_TOKEN in content:
                raise worker.Refused("the prompt holds '<image>', which stands for frames")
            text = f"{marks}\n{content}" if number == 0 else content
            conversation.append_message(conversation.roles[ROLES[role]], text)
        conversation.append_message(conversation.roles[1], None)
        return conversation.get_prompt(), conversation.sep


if __name__ == "__main__":
    worker.serve(MobileVideoGPT())
