"""The folder of a site: whose it is, what is written, what goes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from siteruns import tree

from harness.errors import StoreError
from harness.leaderboard.folder import OURS, STATE, SiteFolder

FILES = {"index.html": b"<p>", "task-a.html": b"a", "assets/boot.js": b"boot", "data/x.js": b"put"}


def write(root: Path, files: dict[str, bytes], stamp: str = "1") -> SiteFolder:
    """A site of these files, all in one group."""
    site = SiteFolder.open(root)
    if not site.keep("all", stamp):
        site.write("all", stamp, files.items())
    site.finish(stamp, {"runs": 1})
    return site


def files(root: Path) -> dict[str, bytes]:
    return {path: body for path, body in tree(root).items() if path != STATE}


def test_what_is_written_is_there_and_known(tmp_path: Path) -> None:
    site = write(tmp_path / "deep" / "site", FILES)
    assert files(site.root) == FILES
    assert site.written == len(FILES)
    assert (
        site.files
        == {path: len(body) for path, body in FILES.items()}
        == SiteFolder.read(site.root)
    )
    assert SiteFolder.open(site.root).is_current("1")
    assert not SiteFolder.open(site.root).is_current("2")


def test_what_is_the_same_keeps_its_time(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    for path in tmp_path.rglob("*.*"):
        os.utime(path, (1, 1))
    site = write(tmp_path, {**FILES, "index.html": b"<b>"}, "2")
    assert site.written == 1
    times = {path.name: path.stat().st_mtime for path in tmp_path.rglob("*.*")}
    assert {name for name, time in times.items() if time != 1} == {"index.html", STATE}


def test_what_is_no_part_of_the_site_goes_and_its_folders_with_it(tmp_path: Path) -> None:
    write(tmp_path, {**FILES, "data/runs/r/1.js": b"1", "task-b.html": b"b"})
    write(tmp_path, FILES, "2")
    assert files(tmp_path) == FILES
    assert not (tmp_path / "data" / "runs").exists()


def test_files_of_others_beside_the_site_stay(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    (tmp_path / "CNAME").write_text("example.org")
    (tmp_path / "model-notes.html").write_text("mine")
    (tmp_path / "data" / "theirs.js").write_text("x")
    write(tmp_path, {"index.html": b"new", "assets/boot.js": b"boot"}, "2")
    assert set(files(tmp_path)) == {"index.html", "assets/boot.js", "CNAME", "model-notes.html"}


@pytest.mark.parametrize("how", ["deleted", "truncated"])
@pytest.mark.parametrize("name", FILES)
def test_what_is_missing_or_cut_short_is_written_again(tmp_path: Path, name: str, how: str) -> None:
    write(tmp_path, FILES)
    if how == "deleted":
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(b"")
    assert not SiteFolder.open(tmp_path).is_current("1")
    assert write(tmp_path, FILES).written == 1
    assert files(tmp_path) == FILES


@pytest.mark.parametrize("name", ["notes.txt", "data/mine.csv", "index.html", "published.json"])
def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text('{"version": 1}')
    with pytest.raises(StoreError, match=r"is not replaced: it holds .* name an empty folder"):
        SiteFolder.open(tmp_path)
    assert tree(tmp_path) == {name: b'{"version": 1}'}


def test_hidden_files_are_no_content(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("x")
    write(tmp_path, FILES)
    assert tree(tmp_path)[".git/config"] == b"x"


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "site").write_text("x")
    with pytest.raises(StoreError, match="is no folder: name another one with --to"):
        SiteFolder.open(tmp_path / "site")


def test_a_link_is_not_followed_into_what_is_not_ours(tmp_path: Path) -> None:
    write(tmp_path / "site", {"index.html": b"", "assets/boot.js": b""})
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all of it")
    (tmp_path / "site" / "data").symlink_to(tmp_path / "mine")
    with pytest.raises(StoreError, match="data is a link"):
        SiteFolder.open(tmp_path / "site")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "all of it"


@pytest.mark.usefixtures("no_override")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    write(folder, FILES)
    for place in (folder, *(folder / name for name in OURS if (folder / name).exists())):
        place.chmod(0o555)
    site = SiteFolder.open(folder)
    with pytest.raises(StoreError, match=r"cannot write the site to .*: Permission denied"):
        site.write("all", "2", [("index.html", b"other")])
    assert files(folder) == FILES


def test_a_folder_in_the_place_of_a_page(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    (tmp_path / "index.html").unlink()
    (tmp_path / "index.html").mkdir()
    with pytest.raises(StoreError, match=r"cannot write the site to .*: Is a directory"):
        write(tmp_path, FILES)


# --------------------------------------------------------------------------- what was begun


def test_what_was_begun_is_known_again(tmp_path: Path) -> None:
    """Killed before the end, the folder is a site all the same, though not of anything."""
    site = SiteFolder.open(tmp_path)
    site.write("all", "1", list(FILES.items())[:2])
    (tmp_path / ".tmp-99-index.html").write_bytes(b"half")
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / ".tmp-99-boot.js").write_bytes(b"half")
    assert not SiteFolder.open(tmp_path).is_current("1")
    assert SiteFolder.read(tmp_path) == {}
    write(tmp_path, FILES)
    assert files(tmp_path) == FILES


@pytest.mark.parametrize(
    "state",
    [
        b"", b"{", b"\xff", b"[" * 100_000,
        b'{"format": 99, "stamp": "1", "groups": {}}',
        b'{"format": 1, "stamp": "1", "groups": []}',
        b'{"format": 1, "stamp": "1", "groups": {"all": {"files": {"a": "b"}, "stamp": ""}}}',
        b'{"format": 1, "stamp": "1", "groups": {"all": null}}',
    ],
)  # fmt: skip
def test_a_damaged_state_is_written_anew(tmp_path: Path, state: bytes) -> None:
    write(tmp_path, {**FILES, "data/old.js": b"old", "model-old.html": b"old"})
    (tmp_path / STATE).write_bytes(state)
    assert not SiteFolder.open(tmp_path).is_current("1")
    write(tmp_path, FILES)
    assert files(tmp_path) == FILES  # the old page is gone, too
    assert SiteFolder.open(tmp_path).is_current("1")


def test_a_state_cannot_name_files_of_others(tmp_path: Path) -> None:
    """Whoever gives away a site cannot have files removed where it is published again."""
    victims = [tmp_path / "victim.txt", tmp_path / "site" / "sub" / "victim.txt"]
    write(tmp_path / "site", FILES)
    for victim in victims:
        victim.parent.mkdir(exist_ok=True)
        victim.write_text("mine")
    state = json.loads((tmp_path / "site" / STATE).read_bytes())
    names = ["../victim.txt", "data/../../victim.txt", str(victims[0]), "sub/victim.txt", "..", ""]
    state["groups"]["all"]["files"] |= dict.fromkeys(names, 1)
    (tmp_path / "site" / STATE).write_text(json.dumps(state))
    write(tmp_path / "site", FILES, "2")
    assert [victim.read_text() for victim in victims] == ["mine", "mine"]


def test_forgotten_files_are_written_anew_and_old_ones_still_go(tmp_path: Path) -> None:
    write(tmp_path, {**FILES, "task-old.html": b"old"})
    site = SiteFolder.open(tmp_path)
    site.forget()
    assert not site.keep("all", "1")
    site.write("all", "1", FILES.items())
    site.finish("1", {})
    assert files(tmp_path) == FILES


def test_a_file_is_whole_or_it_is_none(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    site = SiteFolder.open(tmp_path)
    assert site.whole("data/x.js") == b"put"
    assert site.whole("data/nobody.js") is None
    (tmp_path / "data" / "x.js").write_bytes(b"pu")
    assert site.whole("data/x.js") is None
    (tmp_path / "data" / "x.js").unlink()
    assert site.whole("data/x.js") is None
