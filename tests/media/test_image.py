"""Images are clips of one frame."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from media.clips import flipped, number_of, picture
from PIL import Image

from harness.errors import MediaError
from harness.media.clip import Limits
from harness.media.decode import decode
from harness.media.image import webp_size
from harness.media.sampling import Sampling


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "gif", "bmp"])
def test_every_kind_of_image(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"image.{suffix}"
    Image.fromarray(picture(77)).save(path)
    for sampling in (Sampling(fps=6), Sampling(frames=8), Sampling(resolution=32)):
        clip = decode(path, sampling)
        assert number_of(clip.frames[0]) == 77
        assert (clip.times, clip.wanted, clip.indices) == ((0.0,), (0.0,), (0,))
        assert (clip.width, clip.height, clip.duration, clip.note) == (96, 64, 0.0, "")
    assert clip.frames[0].shape == (32, 48, 3)
    assert not clip.frames[0].flags.writeable


def test_what_it_is_is_told_by_its_bytes_not_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "photo.mp4"
    Image.fromarray(picture(5)).save(path, "png")
    assert number_of(decode(path, Sampling()).frames[0]) == 5


def test_the_first_frame_of_an_animation_and_a_note(tmp_path: Path) -> None:
    frames = [Image.fromarray(picture(number)) for number in (9, 10, 11)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    clip = decode(tmp_path / "moving.gif", Sampling(fps=6))
    assert number_of(clip.frames[0]) == 9
    assert (clip.source_frames, clip.note) == (3, "the first of 3 frames of an animation")


@pytest.mark.parametrize("form", [{"lossless": True}, {"quality": 80}, {"exif": b"Exif\0\0"}])
def test_the_size_of_a_webp_is_known_before_it_is_opened(
    form: dict[str, object], tmp_path: Path
) -> None:
    Image.fromarray(picture(0)).save(tmp_path / "image.webp", **form)
    assert webp_size(tmp_path / "image.webp") == (96, 64)
    with pytest.raises(MediaError, match="96 x 64 pixels are over"):
        decode(tmp_path / "image.webp", Sampling(), Limits(pixels=6000))


def test_a_photo_is_turned_as_its_camera_was(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the right side is the top
    Image.fromarray(picture(77)).save(tmp_path / "photo.jpg", exif=exif, quality=95)
    clip = decode(tmp_path / "photo.jpg", Sampling())
    assert (clip.width, clip.height) == (64, 96)
    assert number_of(np.rot90(clip.frames[0])) == 77


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "1", "CMYK", "I;16"])
def test_every_mode_becomes_rgb(mode: str, tmp_path: Path) -> None:
    path = tmp_path / ("image.jpg" if mode == "CMYK" else "image.png")
    image = Image.fromarray(picture(77))
    if mode == "I;16":
        Image.fromarray(np.array(image.convert("L"), np.uint16) * 257).save(path)
    else:
        image.convert(mode, dither=Image.Dither.NONE).save(path)
    assert number_of(decode(path, Sampling()).frames[0]) == 77


def huge_png(path: Path) -> None:
    Image.fromarray(picture(0)).save(path)
    data = bytearray(path.read_bytes())
    data[16:24] = struct.pack(">II", 10_000, 10_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    path.write_bytes(data)


def test_an_image_that_claims_to_be_huge_is_not_decoded(tmp_path: Path) -> None:
    huge_png(tmp_path / "huge.png")
    with pytest.raises(MediaError, match="10000 x 10000 pixels are over the limit"):
        decode(tmp_path / "huge.png", Sampling())


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "gif"])
def test_a_truncated_image_is_an_error(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"cut.{suffix}"
    noise = np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8)
    Image.fromarray(noise).save(path)
    whole = path.read_bytes()
    for length in (14, 40, len(whole) // 2, len(whole) * 9 // 10):
        path.write_bytes(whole[:length])
        with pytest.raises(MediaError, match=f"cut.{suffix}: a damaged {suffix[:2].upper()}"):
            decode(path, Sampling())


def test_a_bit_that_flips_in_a_png_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    Image.fromarray(picture(77)).save(path)
    data = path.read_bytes()
    for at in range(41, len(data) - 16, 5):  # the pixels' chunk
        path.write_bytes(flipped(data, at, at % 8))
        with pytest.raises(MediaError, match="a damaged PNG"):
            decode(path, Sampling())


def test_an_image_has_no_later(tmp_path: Path) -> None:
    Image.fromarray(picture(0)).save(tmp_path / "image.png")
    with pytest.raises(MediaError, match="an image has no length"):
        decode(tmp_path / "image.png", Sampling(start=1))
