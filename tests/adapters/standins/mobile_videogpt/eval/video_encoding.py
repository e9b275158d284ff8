"""Stand-in of the only way in for frames that are decoded already."""

import numpy
import torch
from PIL import Image
from standin import check


def read_pil_frames(
    pil_frames,
    image_processor,
    video_processor,
    max_frames=16,
    image_resolution=224,
    video_framerate=3,
    s=None,
    e=None,
    sample_fps=1,
    num_video_frames=16,
    num_context_images=16,
):
    check(all(isinstance(frame, Image.Image) for frame in pil_frames), "no Pillow images")
    check(image_processor.kind == "clip", "the image processor is another")
    check(video_processor.kind == "videomamba", "the video processor is another")
    check(image_resolution == 224, f"resolution {image_resolution}")
    stride = max(round(video_framerate / sample_fps), 1)
    taken = [numpy.array(frame) for frame in pil_frames[::stride]][:max_frames]
    check(len(taken) == len(pil_frames), f"only {len(taken)} of {len(pil_frames)} frames are seen")
    means = [float(frame.mean()) / 255 for frame in taken]
    video = [torch.full((3, 224, 224), mean) for mean in means]
    context = [torch.full((3, 224, 224), mean) for mean in means]
    video += [torch.zeros(3, 224, 224)] * (num_video_frames - len(video))
    context += [torch.zeros(3, 224, 224)] * (num_context_images - len(context))
    return video, context, len(means)
