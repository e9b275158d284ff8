"""What the stand-ins of upstream packages share: strict arguments, a tokenizer of characters."""

import torch

BOS, EOS, FIRST = 1, 2, 10


class WrongCall(AssertionError):
    """The worker called something as upstream would not take it."""


def check(held, what):
    if not held:
        raise WrongCall(what)


def check_tensor(value, shape, dtype, name):
    """Shape with None for any size."""
    check(isinstance(value, torch.Tensor), f"{name} is {type(value).__name__}, no tensor")
    same = len(value.shape) == len(shape) and all(
        want in (None, got) for want, got in zip(shape, value.shape, strict=True)
    )
    check(same, f"{name} has shape {tuple(value.shape)}, not {shape}")
    check(value.dtype == dtype, f"{name} is {value.dtype}, not {dtype}")


def check_sampling(given):
    """What transformers 4.31 warns of or refuses: a temperature of greedy decoding, or of 0."""
    check(given.get("num_beams") == 1, "num_beams is not 1")
    check(isinstance(given.get("do_sample"), bool), "do_sample is not given")
    extra = {"temperature", "top_p", "top_k"} & set(given)
    if given["do_sample"]:
        check(extra == {"temperature", "top_p", "top_k"}, f"sampling with {sorted(extra)}")
        check(given["temperature"] > 0, "sampling at temperature 0")
    else:
        check(not extra, f"greedy decoding with {sorted(extra)}")


class Encoded:
    def __init__(self, ids):
        self.input_ids = ids


class Tokenizer:
    bos_token_id, eos_token_id = BOS, EOS

    def __call__(self, text):
        return Encoded([BOS] + [ord(char) + FIRST for char in text])

    def batch_decode(self, rows, skip_special_tokens=False):
        check(skip_special_tokens is True, "special tokens are not skipped")
        return ["".join(chr(int(i) - FIRST) for i in row if int(i) >= FIRST) for row in rows]


def new_tokens(text, most, streamer, prompt):
    """An answer as ids, with the end if it fits; the streamer is told as transformers tells it."""
    ids = [ord(char) + FIRST for char in text][:most]
    if len(ids) < most:
        ids.append(EOS)
    streamer.put(prompt)
    for each in ids:
        streamer.put(torch.tensor([each]))
    streamer.end()
    return torch.tensor([ids])


def image_tokens(prompt, tokenizer, index, return_tensors, start):
    """Characters as ids, `index` for every <image>."""
    check(isinstance(prompt, str), "the prompt is no text")
    check(index == -200, f"image token {index}, not -200")
    check(return_tensors == "pt", "not asked for a tensor")
    ids = [BOS] if start else []
    for number, part in enumerate(prompt.split("<image>")):
        ids += [index] if number else []
        ids += tokenizer(part).input_ids[1:]
    return torch.tensor(ids, dtype=torch.long)


def text_of(ids):
    """The prompt again, <image> for every image token."""
    return "".join("<image>" if int(i) == -200 else chr(int(i) - FIRST) for i in ids if i != BOS)


class Loadable:
    """What a merged LoRA leaves behind."""

    lora = None
    loaded = ()

    def load_state_dict(self, named, strict=True):
        check(strict is False, "load_state_dict is strict")
        self.loaded = tuple(named)

    def tuned(self):
        return f" lora={self.lora} beside={','.join(self.loaded)}" if self.lora else ""


class Conversation:
    """The part of LLaVA's conversations that the workers use."""

    def __init__(self, system, roles, style, sep, sep2=None):
        self.system, self.roles, self.sep_style = system, roles, style
        self.sep, self.sep2, self.messages = sep, sep2, []

    def copy(self):
        return Conversation(self.system, self.roles, self.sep_style, self.sep, self.sep2)

    def append_message(self, role, message):
        check(role in self.roles, f"role {role}")
        self.messages.append((role, message))
