"""How each vision-language class of transformers is given its frames: one row a class.

Checked against transformers 5.23: all eight classes are built tiny from their real configurations
in tests/adapters/test_vision.py, fed mp4 frames, generated from and scored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.adapters.locate import card_error
from harness.collect.specs import LocalModel
from harness.collect.suggest import did_you_mean


@dataclass(frozen=True, slots=True)
class VisionClass:
    """One row: what the official processor of a class must be told.

    ``around`` is what the class puts before and behind a placeholder where no chat template does
    so: in prompts that are plain text. ``least`` is the number of frames below which the processor
    fails; the last frame is then shown again, as the class itself does with odd counts.
    ``videos`` are arguments of the video processor beside those that all get. ``times`` says
    whether the class tells the model when each frame was seen, and how. ``template`` is the
    module that holds the class's own chat template for videos, for checkpoints whose template
    knows images only. ``stacks`` says that the videos of one request must have equally many
    frames, ``mixes`` whether a request may hold images beside videos.
    """

    title: str
    times: str = ""
    around: tuple[str, str] = ("", "\n")
    least: int = 1
    videos: Mapping[str, object] = field(default_factory=dict)
    template: str = ""
    stacks: bool = False
    mixes: bool = True


# Unset, it warns. True is what the authors' own code (qwen-vl-utils) does, and what transformers
# says will become the default.
_QWEN = {"cap_pixels_per_frame": True}
_QWEN_AROUND = ("<|vision_start|>", "<|vision_end|>")

CLASSES: dict[str, VisionClass] = {
    # "Time 0.5s:" before each frame; tokens of a frame that hardly differ from the last are left
    # out, so that clips of one shape may have unequal prompts.
    "video_llama_3": VisionClass("VideoLLaMA3", times="text, to 0.1 s"),
    # Positions in the third dimension are seconds: computed from the mean distance of the frames.
    "qwen2_5_vl": VisionClass(
        "Qwen2.5-VL", times="positions, evenly spaced", around=_QWEN_AROUND, videos=_QWEN
    ),
    # "<0.5 seconds>" before each two frames, the mean of theirs. A single frame is refused by
    # smart_resize (t:1 must be larger than temporal_factor:2), though patchify would repeat it.
    "qwen3_vl": VisionClass(
        "Qwen3-VL", times="text, to 0.1 s", around=_QWEN_AROUND, least=2, videos=_QWEN
    ),
    # "Frame from 00:01:", whole seconds: frames of one second have one label. The number of
    # frames is spelt out, so padding with empty frames would change the prompt.
    "smolvlm": VisionClass(
        "SmolVLM",
        times="text, to 1 s",
        around=("", ""),
        template="transformers.models.smolvlm.processing_smolvlm",
        stacks=True,
        # pixels of both have one name, and the processor drops the images'
        mixes=False,
    ),
    "llava_onevision": VisionClass("LLaVA-OneVision", stacks=True),
    # "Frame1: ", numbered without times.
    "internvl": VisionClass("InternVL", stacks=True),
    "video_llava": VisionClass("Video-LLaVA", stacks=True),
    "llava_next_video": VisionClass("LLaVA-NeXT-Video", stacks=True),
}
"""`model_type` of config.json -> how frames are given."""


def vision_class(card: LocalModel, base: Path) -> VisionClass:
    """The row of a base's config.json; ModelError, naming the known ones, if there is none."""
    try:
        kind = json.loads((base / "config.json").read_text("utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError):
        kind = None
    if kind in CLASSES:
        return CLASSES[kind]
    known = ", ".join(sorted(CLASSES))
    hint = did_you_mean(str(kind), CLASSES)
    raise card_error(
        card,
        f"base '{card.base}' is of model_type '{kind}', which the vision adapter does not know"
        f"{hint}; it knows {known}",
    )
