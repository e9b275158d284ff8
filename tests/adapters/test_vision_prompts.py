"""What the model is told about the times of the frames, and where media stand in a prompt."""

from __future__ import annotations

from dataclasses import replace

import pytest
from media.clips import Style, picture, write

from harness.adapters.vision_prompts import Refused, media_kinds, metadata, with_media
from harness.media.source import MediaSource
from harness.records import FrameSettings, Message, Request


def clip_of(path, **frames):
    request = Request("r", "generate", "", media=(str(path),), frames=FrameSettings(**frames))
    ((_, seen),) = MediaSource().clips([request])
    return seen.clips[0]


def test_the_times_are_those_of_the_file_where_its_rate_varies(tmp_path):
    times = [0, 100, 200, 900, 1000, 1700, 1800, 2500]
    path = write(tmp_path / "vfr.mp4", Style(count=8, times=times))
    clip = clip_of(path, fps=2)
    assert metadata(clip).timestamps == pytest.approx(clip.times, abs=1e-6)
    assert metadata(clip).timestamps[:3] == pytest.approx([0.0, 0.2, 1.0])


@pytest.mark.parametrize("part", [{}, {"start": 1.0}, {"start": 0.5, "end": 1.5}])
def test_the_distance_of_frames_is_right_also_in_a_part_of_the_file(part, tmp_path):
    clip = clip_of(write(tmp_path / "clip.mp4", Style(count=30)), fps=5, **part)
    told = metadata(clip)
    assert told.sampled_fps == pytest.approx(5)
    assert told.timestamps == pytest.approx(clip.times)
    assert told.timestamps[0] == pytest.approx(part.get("start", 0.0))


def test_where_the_rate_is_constant_the_indices_are_the_frames(tmp_path):
    clip = clip_of(write(tmp_path / "clip.mp4", Style(count=30)), frames=4)
    assert metadata(clip).frames_indices == list(clip.indices)
    assert metadata(clip).fps == clip.source_fps


def test_whole_seconds_are_whole(tmp_path):
    """A rate of 15.000000000000002 put the frame at 1 s before 1 s, and SmolVLM writes minutes and
    seconds without rounding."""
    path = write(tmp_path / "a.mp4")
    clip = replace(clip_of(path, fps=1), source_fps=15.000000000000002)
    assert [int(moment) for moment in metadata(clip).timestamps] == [0, 1]


def test_a_single_frame_has_a_rate(tmp_path):
    clip = clip_of(write(tmp_path / "one.mp4", Style(count=1)), fps=1)
    assert len(clip.frames) == 1
    assert metadata(clip).timestamps == [0.0]
    assert metadata(clip).sampled_fps > 0


def test_kinds_are_told_by_how_files_begin(tmp_path):
    from PIL import Image

    video = write(tmp_path / "video.png", Style(count=2, format="mp4"))
    Image.fromarray(picture(1)).save(tmp_path / "image.mp4", format="PNG")
    paths = (str(video), str(tmp_path / "image.mp4"), str(tmp_path / "gone.png"))
    request = Request("r", "generate", "", media=paths)
    assert media_kinds(request) == ("video", "image", "video")


def test_media_stand_in_front_of_the_last_question():
    messages = [Message("user", "Hello"), Message("assistant", "Hi"), Message("user", "What?")]
    turns = with_media(messages, ("video", "image"), "Watch.")
    assert [turn["role"] for turn in turns] == ["system", "user", "assistant", "user"]
    assert turns[1]["content"] == [{"type": "text", "text": "Hello"}]
    last = [{"type": "video"}, {"type": "image"}, {"type": "text", "text": "What?"}]
    assert turns[3]["content"] == last


def test_media_need_a_question():
    with pytest.raises(Refused, match="no user message"):
        with_media([Message("system", "Watch.")], ("video",), None)
