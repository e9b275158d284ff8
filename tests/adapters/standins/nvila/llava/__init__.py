"""Stand-in of VILA's package, whose name is llava."""

import json
import os
from types import SimpleNamespace

import PIL.Image
from standin import Loadable, check

OWN = (
    "{% if messages[0]['role'] != 'system' %}{{ 'system: UPSTREAM\n' }}{% endif %}"
    "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}"
)


class Tokenizer:
    chat_template = OWN

    def apply_chat_template(self, messages, add_generation_prompt):
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        jinja = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        template = jinja.from_string(self.chat_template)
        return template.render(messages=messages, add_generation_prompt=add_generation_prompt)


class Model(Loadable):
    def __init__(self, how):
        self.how, self.tokenizer = how, Tokenizer()

    @property
    def default_generation_config(self):
        known = {"do_sample": True, "temperature": 0.2, "top_p": 0.9, "top_k": 50, "num_beams": 3}
        return SimpleNamespace(max_new_tokens=None, eos_token_id=[2], **known)

    def generate_content(self, prompt, generation_config=None, response_format=None):
        check(isinstance(prompt, list), "the prompt is no list")
        *images, question = prompt
        check(isinstance(question, str), "the last part is no text")
        check(all(isinstance(each, PIL.Image.Image) for each in images), "frames are no images")
        check(all(each.mode == "RGB" for each in images), "frames are not RGB")
        check(generation_config.eos_token_id == [2], "not the model's own configuration")
        check(generation_config.num_beams == 1, "beams")
        messages = [{"role": "user", "content": "<image>" * len(images) + question}]
        text = self.tokenizer.apply_chat_template(messages, add_generation_prompt=True)
        how = "sampled" if generation_config.do_sample else "greedy"
        answer = f"{len(images)} images {how} {self.how}{self.tuned()} [{text}]"
        return answer[: generation_config.max_new_tokens]


def load(model_path, model_base=None, devices=None, **kwargs):
    check(isinstance(model_path, str), "the path is no text")
    check(model_base is None and devices is None, "loaded over a base")
    check(not set(kwargs) - {"load_8bit", "load_4bit"}, f"unknown {sorted(kwargs)}")
    return Model(json.dumps({"path": os.path.basename(model_path), **kwargs}, sort_keys=True))
