"""Whether a site may be published."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from siteruns import Cell, site, store

from harness.errors import StoreError
from harness.leaderboard.check import check_site
from harness.leaderboard.folder import SiteFolder
from harness.leaderboard.texts import Texts
from harness.records import Sample

PAGE = b'<!doctype html><p id="top"><a href="other.html#there">x</a></p>'
OTHER = b'<p id="there"><a href="index.html">x</a><a href="#there">y</a></p>'
# never real: each is a shape and nothing more
SECRETS = {
    "an OpenAI key": "sk-" + "proj-" + "A1b2C3d4" * 4,
    "a Groq key": "gsk_" + "a1B2" * 12,
    "a Hugging Face token": "hf_" + "aBcD" * 9,
    "a GitHub token": "ghp_" + "a1B2" * 9,
    "a Google key": "AIza" + "aB3-_" * 7,
    "an AWS key": "AKIA" + "ABCD" * 4,
    "a Slack token": "xoxb-" + "123456789012",
    "a private key": "-----BEGIN RSA " + "PRIVATE KEY-----",
}
HARMLESS = [
    "task-general_retention-long-name-of-a-task",
    "task-general_retention-long-name-2",
    "risk-assessment-of-Long-Documents-2026",
    "desk-SK-LONG-NAME-OF-A-MODEL-1234567890",
    "sk-learn-is-a-library-for-machine-learning",
    "hf_hub", "ghp_short", "AIza", "/homework/solution", "and/or/home", "https://x.org/home/page",
    "C: Users", "the /etc/passwd of a joke", "a -----BEGIN CERTIFICATE-----",
]  # fmt: skip


def folder(root: Path, files: dict[str, bytes]) -> Path:
    """A site of these files."""
    written = SiteFolder.open(root)
    written.write("all", "", {"index.html": PAGE, "other.html": OTHER, **files}.items())
    written.finish("1", {})
    return root


def problems(root: Path) -> list[str]:
    return [str(problem) for problem in check_site(root).problems]


def test_a_clean_site_has_no_problems(tmp_path: Path) -> None:
    found = check_site(folder(tmp_path / "site", {"data/x.js": b'harness.put("x",1);\n'}))
    assert found.problems == ()
    assert found.notes == ()
    assert found.summary.endswith("site: 4 files, 0.0 MB, 0 problems")


def test_a_folder_that_is_no_site(tmp_path: Path) -> None:
    for wrong in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(StoreError, match="is no site: 'harness publish' writes one"):
            check_site(wrong)


@pytest.mark.parametrize(
    ("page", "what"),
    [
        ('<a href="gone.html">', "index.html:2: points to gone.html, which is not there"),
        ('<a href="other.html#x">', "index.html:2: points to #x of other.html, which is not there"),
        ('<a href="#x">', "index.html:2: points to #x of index.html, which is not there"),
        ('<script src="assets/x.js"></script>', "index.html:2: points to assets/x.js"),
        ('<a href="/other.html">', "index.html:2: an absolute address"),
        ('<a href="../up.html">', "index.html:2: points to ../up.html"),
        ('<img src="https://x.org/a.png">', "index.html:2: points to the network: https://x.org"),
        ('<script src="//x.org/a.js"></script>', "index.html:2: points to the network: //x.org"),
        ('<a href="javascript:alert(1)">', "index.html:2: points to the network: javascript:"),
        ('<a href="http://[">', "index.html:2: is no address"),
        ('<p id="a"><b id="a">', "index.html: the id 'a' stands there 2 times"),
    ],
)
def test_links_and_ids(tmp_path: Path, page: str, what: str) -> None:
    (found,) = problems(folder(tmp_path, {"index.html": b"<p>\n" + page.encode()}))
    assert found.startswith(what)


@pytest.mark.parametrize(
    "page",
    ['<a href="other.html#m=a&amp;m=b">', '<a href="">', '<a href="other%2Ehtml">',
     '<link rel="icon" href="data:image/svg+xml,x">', '<a href="#%74here"><i id="there">'],
)  # fmt: skip
def test_links_that_lead_somewhere(tmp_path: Path, page: str) -> None:
    assert problems(folder(tmp_path, {"index.html": page.encode()})) == []


def in_script(root: Path, text: str) -> Path:
    return folder(root, {"data/x.js": b'harness.put("x",\n"so ' + text.encode() + b'");\n'})


def in_page(root: Path, text: str) -> Path:
    return folder(root, {"other.html": b'<p id="there">\n' + text.encode()})


def in_table(root: Path, text: str) -> Path:
    """The second of two texts, right behind the first in the file."""
    run = store(root / "runs", Cell(texts=["ends with a letter", text]))
    table = (run.path / "completions.parquet").read_bytes()
    return folder(root / "site", {"data/runs/r/completions.parquet": table})


def in_choices(root: Path, text: str) -> Path:
    samples = [Sample("a", "?", "A", choices=("x", text)), Sample("b", "?", "A")]
    run = store(root / "runs", Cell(samples=samples))
    table = (run.path / "samples.parquet").read_bytes()
    return folder(root / "site", {"data/runs/r/samples.parquet": table})


def in_name(root: Path, text: str) -> Path:
    run = store(root / "runs", Cell(task=text))
    return folder(root / "site", {"data/m.parquet": (run.path / "metrics.parquet").read_bytes()})


PLACES = [in_script, in_page, in_table, in_choices, in_name]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", SECRETS)
def test_secrets(tmp_path: Path, kind: str, place: Callable[[Path, str], Path]) -> None:
    (found,) = problems(place(tmp_path, SECRETS[kind]))
    assert f"looks like {kind}; --redact '" in found
    assert SECRETS[kind] not in found


def test_redact_hides_what_it_is_said_to(tmp_path: Path) -> None:
    for text in SECRETS.values():
        (found,) = problems(in_page(tmp_path, text))
        pattern = found.partition("--redact '")[2].removesuffix("' hides it")
        assert Texts.of([pattern]).clean(f"so {text} it is") == "so [redacted] it is"


@pytest.mark.parametrize("place", PLACES)
def test_no_alarm_at_what_only_looks_so(tmp_path: Path, place: Callable[[Path, str], Path]) -> None:
    assert problems(place(tmp_path, " ; ".join(HARMLESS))) == []


@pytest.mark.parametrize(
    "path",
    ["/home/me/project/x.py", "/Users/me/x", "/ro" + "ot/x", "file:///home/me/x",
     "C:\\\\Users\\\\me", "c:\\users\\me", "base: /mnt/weights"],
)  # fmt: skip
@pytest.mark.parametrize("place", [in_script, in_table])
def test_paths_of_this_machine(
    tmp_path: Path, path: str, place: Callable[[Path, str], Path]
) -> None:
    (found,) = problems(place(tmp_path, path))
    assert "a path of this machine: " in found


def test_a_secret_and_a_path_are_two_problems_with_their_lines(tmp_path: Path) -> None:
    text = f"/home/me/x\n\n{SECRETS['a Groq key']}"
    found = problems(in_page(tmp_path, text))
    assert [one.split(": ")[0] for one in found] == ["other.html:4", "other.html:2"]


def test_what_is_missing_damaged_or_not_finished(tmp_path: Path) -> None:
    run = store(tmp_path / "runs", Cell())
    table = (run.path / "samples.parquet").read_bytes()
    root = folder(
        tmp_path / "site", {"data/x.js": b"x", "data/y.js": b"y", "data/t.parquet": table}
    )
    (root / "data" / "x.js").unlink()
    (root / "data" / "y.js").write_bytes(b"longer")
    (root / "data" / "t.parquet").write_bytes(table[:-9] + b"x" * 9)
    assert problems(root) == [
        "data/x.js: is missing; 'harness publish' writes it anew",
        "data/y.js: is not the file of 1 bytes that was written",
        "data/t.parquet: is damaged or cut short",
    ]
    begun = SiteFolder.open(tmp_path / "begun")
    begun.write("all", "", [("index.html", b"<p>")])
    assert "published.json: the site is not finished" in problems(begun.root)[0]


def test_files_that_hosts_do_not_take(tmp_path: Path) -> None:
    root = folder(tmp_path, {})
    for name, size in {"a.mp4": 25_000_001, "b.parquet": 100_000_001}.items():
        with (root / name).open("wb") as file:
            file.truncate(size)
    found = problems(root)
    assert "a.mp4: 25 MB: hosts take files of 25 MB" in found
    assert "b.parquet: 100 MB: hosts take files of 100 MB" in found


def test_a_real_site_is_clean(tmp_path: Path) -> None:
    run = store(tmp_path / "runs", Cell(), Cell("tuned"), baselines={"tuned": "base"})
    site([run], tmp_path / "site")
    assert problems(tmp_path / "site") == []
