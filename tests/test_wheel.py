"""The wheel, installed in a clean environment and used from an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("tasks", "judges", "adapters", "finetune", "leaderboard")
NOT_IN_IT = ("leaderboard/example/", "leaderboard/results/demo/")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the tracked and untracked files as they are."""
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), "."],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel; the dependencies are those of this one."""
    home = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    python = home / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "-q", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(pip, check=True)
    site = next((home / "lib").glob("python*/site-packages"))
    # plain paths only: an editable install of the repository works through a .pth of its own,
    # which is not read from a folder that a .pth names
    (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return home / "bin" / "harness"


def harness(command: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "HARNESS_CACHE")}
    return subprocess.run(
        [str(command), *words], cwd=folder, capture_output=True, text=True, check=False,
        env={**environment, "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip


def test_the_wheel_holds_the_library_and_nothing_else_at_its_top(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"harness", "tune_harness"}
    for folder in FOLDERS:
        tracked = subprocess.run(
            ["git", "ls-files", folder], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.split()
        wanted = [name for name in tracked if not name.startswith(NOT_IN_IT)]
        missing = {f"harness/_library/{name}" for name in wanted} - set(names)
        assert not missing


def test_collect_run_and_dry_run_work_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    done = harness(installed, tmp_path, "collect")
    assert done.returncode == 0, done.stderr
    assert "vad_approach[tiny-llama]" in done.stdout
    where = "import harness; print(harness.__file__)"
    found = subprocess.run(
        [str(installed.parent / "python"), "-c", where], cwd=tmp_path, text=True,
        capture_output=True, check=True,
    ).stdout  # fmt: skip
    assert str(ROOT) not in found

    done = harness(installed, tmp_path, "run", "general_retention", "-m", "tiny-llama")
    assert done.returncode == 0, done.stderr
    done = harness(installed, tmp_path, "finetune", "vad-tiny", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "93 train, 16 validation" in done.stdout


def test_a_project_of_ones_own_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    """The README's tutorial: new, collect, run, show."""
    for words in (
        ("new", "task", "capitals"),
        ("collect", "tasks/capitals"),
        ("run", "capitals", "-m", "tiny-llama"),
        ("show", "latest", "--worst", "3"),
    ):
        done = harness(installed, tmp_path, *words)
        assert done.returncode == 0, (words, done.stderr)
    assert "capitals" in done.stdout


def test_removing_it_leaves_nothing(installed: Path) -> None:
    python = installed.parent / "python"
    subprocess.run([str(python), "-m", "pip", "uninstall", "-qy", "tune-harness"], check=True)
    site = next((installed.parents[1] / "lib").glob("python*/site-packages"))
    assert not (site / "harness").exists()
