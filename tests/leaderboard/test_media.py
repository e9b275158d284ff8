"""Pictures of what was asked: small, of the project alone, and never a reason to fail."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from siteruns import Cell, store

from harness.collect.library import Project
from harness.leaderboard.gather import gather
from harness.leaderboard.media import WIDEST, Found, Pictures, media_roots
from harness.leaderboard.samples import SampleTexts, Shown, read_samples
from harness.records import Sample
from tests.conftest import UserProject


def picture(path: Path, size: tuple[int, int] = (1200, 800), **more: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (200, 30, 30)).save(path, **more)
    return path


def bomb(path: Path, side: int = 50_000) -> None:
    """A PNG of a few hundred bytes that says that it is enormous."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + crc

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(b"")), chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def pictured(*media: str) -> list[Sample]:
    """A sample for each file."""
    return [Sample(f"s{n}", "?", "!", media=(name,)) for n, name in enumerate(media)]


def found(root: Path | None, *media: str, kept: tuple[int, ...] | None = None) -> Found:
    """The pictures of samples with one file each."""
    samples = pictured(*media)
    there = Path(os.environ["RUNS"])
    run = store(there, Cell(values={"exact_match": [1] * len(samples)}, samples=samples))
    cell = gather([run]).past[0]
    texts = read_samples(cell)
    texts = SampleTexts(Shown("k", texts.shown.ids, kept), texts.columns)
    return Pictures({} if root is None else {"sums": root}).of(cell, texts)


@pytest.fixture(autouse=True)
def _runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNS", str(tmp_path / "runs"))


def told(one: Found, what: str) -> list[str]:
    return [entry[what] for entries in one.entries or [] for entry in entries]


def kinds(one: Found) -> list[str]:
    return told(one, "kind")


def test_pictures_become_small_jpegs_without_what_the_camera_wrote(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "a camera of Ann"
    picture(tmp_path / "data" / "a.jpg", exif=exif)
    picture(tmp_path / "data" / "b.png", (30, 20))
    one = found(tmp_path / "data", "a.jpg", "b.png")
    assert [(path.split("/")[0], path[-4:]) for path, _ in one.files] == [("media", ".jpg")] * 2
    sizes = set()
    for _, body in one.files:
        with Image.open(io.BytesIO(body)) as small:
            assert small.format == "JPEG"
            assert not small.getexif()
            sizes.add(small.size)
        assert b"Ann" not in body
    assert sizes == {(WIDEST, 320), (30, 20)}
    assert [entry["name"] for entries in one.entries or [] for entry in entries] == [
        "a.jpg",
        "b.png",
    ]
    assert {entry["src"] for entries in one.entries or [] for entry in entries} == dict(
        one.files
    ).keys()


def test_the_same_picture_is_one_file(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png")
    one = found(tmp_path, "a.png", "b.png", "a.png")
    assert len(one.files) == 1
    assert kinds(one) == ["image"] * 3


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "LA", "CMYK", "I;16", "F"])
def test_pictures_of_every_kind(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (8, 8)).save(tmp_path / "a.tiff")
    (tmp_path / "a.tiff").rename(tmp_path / "a.png")  # what it is called does not matter
    assert kinds(found(tmp_path, "a.png")) == ["image"]


def test_what_is_no_picture_is_told_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("I am a text")
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "film.mp4").write_bytes(b"0000")
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    whole = picture(tmp_path / "whole.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    bomb(tmp_path / "bomb.png")
    bomb(tmp_path / "large.png", 9_600)  # above what Pillow warns of, and below what it refuses
    names = [
        "text.png", "empty.jpg", "film.mp4", "folder.png", "pipe.png", "cut.png", "bomb.png",
        "large.png", "gone.png", "nul\x00.png", "W" * 5000 + ".png", "http://example.org/a.png", "",
    ]  # fmt: skip
    one = found(tmp_path, *names)
    assert kinds(one) == ["missing"] * len(names)
    assert one.files == []
    assert told(one, "src") == [""] * len(names)


@pytest.mark.parametrize("where", ["{root}/../secret.png", "../secret.png", "{secret}", "link.png"])
def test_pictures_outside_the_folder_of_the_data_are_not_published(
    tmp_path: Path, where: str
) -> None:
    secret, root = picture(tmp_path / "secret.png"), tmp_path / "data"
    root.mkdir()
    (root / "link.png").symlink_to(secret)
    one = found(root, where.format(root=root, secret=secret))
    assert (kinds(one), one.files) == (["missing"], [])


def test_what_the_site_has_is_not_drawn_again(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png")
    cell = gather(
        [store(tmp_path / "runs", Cell(values={"exact_match": [1]}, samples=pictured("a.png")))]
    ).past[0]
    (first,) = Pictures({"sums": tmp_path}).of(cell, read_samples(cell)).files
    known = {first[0]: b"drawn before"}
    (again,) = Pictures({"sums": tmp_path}, known.get).of(cell, read_samples(cell)).files
    assert again == (first[0], b"drawn before")
    picture(path, (5, 5))  # another picture of the same name
    (other,) = Pictures({"sums": tmp_path}, known.get).of(cell, read_samples(cell)).files
    assert other[0] != first[0]


def test_only_samples_with_texts_have_pictures(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        picture(tmp_path / name, (10 + ord(name[0]), 10))
    one = found(tmp_path, "a.png", "b.png", kept=(1,))
    assert [len(entries) for entries in one.entries or []] == [0, 1]
    assert len(one.files) == 1


def test_without_a_project_there_are_names_and_no_pictures(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    assert kinds(found(None, "a.png")) == ["missing"]


def test_media_lie_beside_the_data_file_of_the_task(project: UserProject) -> None:
    project.add_sums()
    run = store(project.root / "runs", Cell(), Cell(task="gone"))
    board = gather([run])
    assert media_roots(board, None) == {}
    roots = media_roots(board, Project.here())
    assert {task: path.resolve() for task, path in roots.items()} == {
        "sums": project.root / "tasks" / "sums" / "data"
    }
    project.write("tasks/sums/sums.task.yaml", "task: sums\n]:")
    assert media_roots(board, Project.here()) == {}
