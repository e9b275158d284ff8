"""Tiny vision-language models on disk, as a snapshot of the hub would have them: weights, tokenizer
and processor of the real classes, random."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

KINDS = (
    "video_llama_3",
    "qwen2_5_vl",
    "qwen3_vl",
    "smolvlm",
    "llava_onevision",
    "internvl",
    "video_llava",
    "llava_next_video",
)
TEXT = """Which event is it? A red square moves to the left, a blue circle to the right. Answer:
yes no red blue green left right up down fight robbery normal. Frame from 00:01: Time 0.5s:"""

QWEN = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% for c in m.content %}"
    "{% if c.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif c.type == 'video' %}<|vision_start|><|video_pad|><|vision_end|>"
    "{% else %}{{ c.text }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAVA = (
    "{% for m in messages %}{{ m.role | upper }}: {% for c in m.content %}"
    "{% if c.type == 'image' %}<image>\n{% elif c.type == 'video' %}<video>\n"
    "{% else %}{{ c.text }} {% endif %}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
SMOL = (  # as of the checkpoints that were made before transformers knew their videos
    "<|im_start|>{% for m in messages %}{{ m.role | capitalize }}: {% for c in m.content %}"
    "{% if c.type == 'image' %}<image>{% elif c.type == 'text' %}{{ c.text }}{% endif %}"
    "{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)
QWEN_TOKENS = {
    "image_token": "<|image_pad|>",
    "video_token": "<|video_pad|>",
    "vision_start_token": "<|vision_start|>",
    "vision_end_token": "<|vision_end|>",
}
LLAVA_TOKENS = {"image_token": "<image>", "video_token": "<video>"}
SMOL_TOKENS = {
    "image_token": "<image>",
    "fake_image_token": "<fake_token_around_image>",
    "global_image_token": "<global-img>",
    "end_of_utterance_token": "<end_of_utterance>",
}
INTERN_TOKENS = {
    "start_image_token": "<img>",
    "end_image_token": "</img>",
    "context_image_token": "<IMG_CONTEXT>",
    "video_token": "<video>",
}
INTERN = LLAVA.replace("<image>", "<IMG_CONTEXT>")
BACKBONE = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
    "initializer_range": 0.3,
    "vocab_size": 400,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 1,
}
TOWER = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": 28,
    "patch_size": 14,
    "initializer_range": 0.3,
}
SIZE = {"height": 28, "width": 28}


def tokenizer(named: dict[str, str], bos: bool = True) -> Any:
    """Byte-level BPE; <s> is BOS, </s> is EOS and padding; the class's tokens have names."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    specials = ["<s>", "</s>", "<|im_start|>", "<|im_end|>", *named.values()]
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=specials,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator([TEXT], trainer)
    if bos:
        backend.post_processor = processors.TemplateProcessing(
            single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 0)]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="</s>",
        extra_special_tokens=named,
    )


def _qwen2_5_vl(hf: Any) -> tuple[Any, Any]:
    words = tokenizer(QWEN_TOKENS, bos=False)
    ids = {name: words.convert_tokens_to_ids(text) for name, text in QWEN_TOKENS.items()}
    config = hf.Qwen2_5_VLConfig(
        text_config={
            **BACKBONE,
            "rope_parameters": {
                "rope_type": "default",
                "mrope_section": [2, 1, 1],
                "rope_theta": 1e4,
            },
        },
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_heads": 4,
            "patch_size": 14,
            "out_hidden_size": 32,
            "window_size": 56,
            "fullatt_block_indexes": [1],
            "tokens_per_second": 2,
        },
        image_token_id=ids["image_token"],
        video_token_id=ids["video_token"],
        vision_start_token_id=ids["vision_start_token"],
        vision_end_token_id=ids["vision_end_token"],
    )
    pixels = {"size": {"shortest_edge": 28 * 28, "longest_edge": 56 * 56}}
    processor = hf.Qwen2_5_VLProcessor(
        image_processor=hf.Qwen2VLImageProcessor(**pixels),
        video_processor=hf.Qwen2VLVideoProcessor(**pixels),
        tokenizer=words,
        chat_template=QWEN,
    )
    return config, processor


def _qwen3_vl(hf: Any) -> tuple[Any, Any]:
    words = tokenizer(QWEN_TOKENS, bos=False)
    ids = {name: words.convert_tokens_to_ids(text) for name, text in QWEN_TOKENS.items()}
    config = hf.Qwen3VLConfig(
        text_config={
            **BACKBONE,
            "head_dim": 8,
            "rope_parameters": {
                "rope_type": "default",
                "mrope_section": [2, 1, 1],
                "mrope_interleaved": True,
                "rope_theta": 1e4,
            },
        },
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_heads": 4,
            "patch_size": 16,
            "out_hidden_size": 32,
            "num_position_embeddings": 16,
            "deepstack_visual_indexes": [0],
        },
        image_token_id=ids["image_token"],
        video_token_id=ids["video_token"],
        vision_start_token_id=ids["vision_start_token"],
        vision_end_token_id=ids["vision_end_token"],
    )
    processor = hf.Qwen3VLProcessor(
        image_processor=hf.Qwen2VLImageProcessor(
            patch_size=16, size={"shortest_edge": 32 * 32, "longest_edge": 64 * 64}
        ),
        video_processor=hf.Qwen3VLVideoProcessor(
            size={"shortest_edge": 32 * 32, "longest_edge": 64 * 64 * 4}
        ),
        tokenizer=words,
        chat_template=QWEN,
    )
    return config, processor


def _video_llama_3(hf: Any) -> tuple[Any, Any]:
    words = tokenizer(QWEN_TOKENS, bos=False)
    ids = {name: words.convert_tokens_to_ids(text) for name, text in QWEN_TOKENS.items()}
    config = hf.VideoLlama3Config(
        text_config={"model_type": "qwen2", **BACKBONE},
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "patch_size": 14,
        },
        image_token_id=ids["image_token"],
        video_token_id=ids["video_token"],
    )
    processor = hf.VideoLlama3Processor(
        image_processor=hf.VideoLlama3ImageProcessor(
            size={"shortest_edge": 28 * 28, "longest_edge": 56 * 56}
        ),
        video_processor=hf.VideoLlama3VideoProcessor(
            size={"shortest_edge": 28 * 28, "longest_edge": 56 * 56 * 16}
        ),
        tokenizer=words,
        chat_template=QWEN.replace("<|vision_start|>", "").replace("<|vision_end|>", ""),
    )
    return config, processor


def _smolvlm(hf: Any) -> tuple[Any, Any]:
    words = tokenizer(SMOL_TOKENS, bos=False)
    config = hf.SmolVLMConfig(
        text_config={"model_type": "llama", **BACKBONE},
        vision_config={**TOWER, "patch_size": 7},
        scale_factor=2,
        image_token_id=words.convert_tokens_to_ids("<image>"),
        pad_token_id=1,
    )
    edge = {"longest_edge": 28}
    processor = hf.SmolVLMProcessor(
        image_processor=hf.SmolVLMImageProcessor(
            size=edge, max_image_size=edge, do_image_splitting=False
        ),
        video_processor=hf.SmolVLMVideoProcessor(size=edge, max_image_size=edge),
        tokenizer=words,
        image_seq_len=4,
        chat_template=SMOL,
    )
    return config, processor


def _llava_onevision(hf: Any) -> tuple[Any, Any]:
    words = tokenizer(LLAVA_TOKENS, bos=False)
    config = hf.LlavaOnevisionConfig(
        text_config={"model_type": "qwen2", **BACKBONE},
        vision_config={"model_type": "siglip_vision_model", **TOWER, "vision_use_head": False},
        image_token_index=words.convert_tokens_to_ids("<image>"),
        video_token_index=words.convert_tokens_to_ids("<video>"),
        image_grid_pinpoints=[[28, 28], [28, 56], [56, 28]],
        vision_feature_layer=-1,
    )
    processor = hf.LlavaOnevisionProcessor(
        image_processor=hf.LlavaOnevisionImageProcessor(
            size=SIZE, image_grid_pinpoints=[[28, 28], [28, 56], [56, 28]]
        ),
        video_processor=hf.LlavaOnevisionVideoProcessor(size=SIZE),
        tokenizer=words,
        num_image_tokens=4,
        vision_feature_select_strategy="full",
        chat_template=LLAVA,
    )
    return config, processor


def _internvl(hf: Any) -> tuple[Any, Any]:
    words = tokenizer(INTERN_TOKENS, bos=False)
    config = hf.InternVLConfig(
        text_config={"model_type": "qwen2", **BACKBONE},
        vision_config={**TOWER, "image_size": [28, 28], "patch_size": [7, 7]},
        image_token_id=words.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
        downsample_ratio=0.5,
    )
    processor = hf.InternVLProcessor(
        image_processor=hf.GotOcr2ImageProcessor(size=SIZE, max_patches=4),
        video_processor=hf.InternVLVideoProcessor(size=SIZE),
        tokenizer=words,
        image_seq_length=4,
        chat_template=INTERN,
    )
    return config, processor


def _video_llava(hf: Any) -> tuple[Any, Any]:
    words = tokenizer(LLAVA_TOKENS)
    config = hf.VideoLlavaConfig(
        text_config={"model_type": "llama", **BACKBONE},
        vision_config={"model_type": "clip_vision_model", **TOWER},
        image_token_index=words.convert_tokens_to_ids("<image>"),
        video_token_index=words.convert_tokens_to_ids("<video>"),
        image_seq_length=4,
        video_seq_length=40,
    )
    crop = {"size": {"shortest_edge": 28}, "crop_size": SIZE}
    processor = hf.VideoLlavaProcessor(
        image_processor=hf.VideoLlavaImageProcessor(**crop),
        video_processor=hf.VideoLlavaVideoProcessor(**crop),
        tokenizer=words,
        patch_size=14,
        chat_template=LLAVA,
    )
    return config, processor


def _llava_next_video(hf: Any) -> tuple[Any, Any]:
    words = tokenizer(LLAVA_TOKENS)
    config = hf.LlavaNextVideoConfig(
        text_config={"model_type": "llama", **BACKBONE},
        vision_config={"model_type": "clip_vision_model", **TOWER, "patch_size": 7},
        image_token_index=words.convert_tokens_to_ids("<image>"),
        video_token_index=words.convert_tokens_to_ids("<video>"),
        image_grid_pinpoints=[[28, 56], [56, 28], [56, 56]],
    )
    crop = {"size": {"shortest_edge": 28}, "crop_size": SIZE}
    processor = hf.LlavaNextVideoProcessor(
        image_processor=hf.LlavaNextImageProcessor(
            **crop, image_grid_pinpoints=[[28, 56], [56, 28], [56, 56]]
        ),
        video_processor=hf.LlavaNextVideoVideoProcessor(**crop),
        tokenizer=words,
        patch_size=7,
        num_additional_image_tokens=1,
        vision_feature_select_strategy="default",
        chat_template=LLAVA,
    )
    return config, processor


def save(kind: str, folder: Path, seed: int = 0) -> Path:
    """The folder of a tiny random model of a kind."""
    import torch
    import transformers as hf
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        config, processor = globals()[f"_{kind}"](hf)
        model = hf.AutoModelForImageTextToText.from_config(config)
        model.float().save_pretrained(folder)
        processor.save_pretrained(folder)
    return folder
