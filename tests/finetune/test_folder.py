"""A training's folder: nothing that was finished is lost, nothing damaged stops a training."""

from __future__ import annotations

import contextlib
import resource
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.errors import StoreError
from harness.finetune.folder import PARTS, WHOLE, begin, check_space, finish, way_on
from harness.finetune.train import train

if TYPE_CHECKING:
    from harness.finetune.plan import TrainPlan
    from tests.finetune.conftest import Colours

Invoke = Callable[..., tuple[int, str, str]]


class Stop(Exception):
    """Raised by a listener in place of a kill."""


def stop_at(step: int) -> Callable[[object, int], None]:
    def listen(point: object, steps: int) -> None:
        if point.step >= step:  # type: ignore[attr-defined]
            raise Stop

    return listen


def train_until(plan: TrainPlan, step: int, *, fresh: bool = False) -> None:
    with pytest.raises(Stop):
        train(plan, stop_at(step), fresh=fresh)


@contextlib.contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Writes beyond it fail, as on a full disk."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


def contents(folder: Path) -> dict[str, str]:
    return {name: (folder / name / "x").read_text("utf-8") for name in ("adapter", "checkpoints")}


def write_parts(folder: Path, text: str) -> None:
    for name in ("adapter", "checkpoints"):
        (folder / name).mkdir(parents=True)
        (folder / name / "x").write_text(text, encoding="utf-8")
    for name in ("curve.parquet", "curve.svg", "quick.model.yaml"):
        (folder / name).write_text(text, encoding="utf-8")


# --------------------------------------------------------------------------- nothing is lost


def test_a_fresh_training_that_is_stopped_leaves_the_old_model(colours: Colours) -> None:
    plan = colours.plan()
    train(plan, lambda point, steps: None)
    before = plan.card.read_bytes()
    weights = (plan.adapter / "adapter_model.safetensors").read_bytes()

    train_until(plan, 1, fresh=True)
    assert way_on(plan, fresh=True) == (
        "no checkpoint yet, the same command starts anew; "
        "runs/finetune/quick/quick.model.yaml is still the model trained before"
    )
    train_until(plan, 5, fresh=True)
    assert plan.card.read_bytes() == before
    assert (plan.adapter / "adapter_model.safetensors").read_bytes() == weights
    assert "run it again without --fresh to go on from step 3;" in way_on(plan, fresh=True)
    assert "run the same command again to go on from step 3;" in way_on(plan, fresh=False)

    assert train(plan, lambda point, steps: None).resumed
    assert not plan.work.exists()
    assert train(plan, lambda point, steps: None).known


def test_a_first_training_without_a_checkpoint_starts_anew(colours: Colours) -> None:
    plan = colours.plan()
    train_until(plan, 1)
    assert way_on(plan, fresh=False) == "no checkpoint yet, the same command starts anew"
    assert begin(plan, fresh=False).checkpoint is None


@pytest.mark.parametrize("killed_at", range(12))
def test_a_swap_that_is_killed_is_finished_by_whoever_comes_next(
    colours: Colours, monkeypatch: pytest.MonkeyPatch, killed_at: int
) -> None:
    plan = colours.plan()
    begin(plan, fresh=False)
    write_parts(plan.work, "old")
    finish(plan)
    begin(plan, fresh=True)
    write_parts(plan.work, "new")

    moves, rename = [0], Path.rename

    def counted(path: Path, target: Path) -> Path:
        if moves[0] == killed_at:
            raise Stop
        moves[0] += 1
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", counted)
        with contextlib.suppress(Stop):
            finish(plan)
    assert begin(plan, fresh=False).known
    assert contents(plan.out) == {"adapter": "new", "checkpoints": "new"}
    assert plan.card.read_text("utf-8") == "new"
    assert {path.name for path in plan.out.iterdir()} == {*PARTS, plan.card.name}


def test_a_training_that_is_not_whole_replaces_nothing(colours: Colours) -> None:
    plan = colours.plan()
    begin(plan, fresh=False)
    write_parts(plan.work, "old")
    finish(plan)
    begin(plan, fresh=True)
    write_parts(plan.work, "new")
    assert not (plan.work / WHOLE).exists()
    begin(plan, fresh=False)
    assert contents(plan.out) == {"adapter": "old", "checkpoints": "old"}


def test_files_that_no_training_wrote_are_never_replaced(colours: Colours) -> None:
    card = colours.project.write("adapters/quick.model.yaml", "model: quick\n")
    mine = colours.project.write("adapters/mine.txt", "mine")
    for fresh in (False, True):
        with pytest.raises(StoreError, match=r"adapters/quick.model.yaml was not written by a"):
            begin(colours.plan(out=card.parent), fresh=fresh)
    assert card.read_text("utf-8") == "model: quick\n"
    card.unlink()
    plan = colours.plan(out=card.parent)
    begin(plan, fresh=True)
    write_parts(plan.work, "new")
    finish(plan)
    begin(plan, fresh=True)
    assert mine.exists()


def test_the_card_of_another_model_does_not_stay_with_a_new_adapter(colours: Colours) -> None:
    plan = colours.plan()
    begin(plan, fresh=False)
    write_parts(plan.work, "old")
    finish(plan)
    colours.change("model: quick", "model: other")
    other = colours.plan()
    with pytest.raises(StoreError, match="--fresh replaces it"):
        begin(other, fresh=False)
    begin(other, fresh=True)
    write_parts(other.work, "new")
    (other.work / "quick.model.yaml").rename(other.work / "other.model.yaml")
    finish(other)
    assert other.card.exists()
    assert not plan.card.exists()


# --------------------------------------------------------------------------- damage


def test_a_damaged_checkpoint_is_passed_over_and_told(colours: Colours) -> None:
    plan = colours.plan()
    train_until(plan, 8)
    folder = plan.work / "checkpoints"
    for file in ("trainer_state.json", "adapter_model.safetensors", "optimizer.pt"):
        shutil.copytree(folder / "checkpoint-6", folder / "checkpoint-9", dirs_exist_ok=True)
        with (folder / "checkpoint-9" / file).open("r+b") as stream:
            stream.truncate(300)
        start = begin(plan, fresh=False)
        assert start.checkpoint == folder / "checkpoint-6"
        assert start.notes == (f"checkpoint-9 is damaged ({file}): going on from checkpoint-6",)

    (folder / "checkpoint-6" / "scheduler.pt").unlink()
    told: list[str] = []
    done = train(plan, lambda point, steps: None, note=told.append)
    assert done.resumed
    assert told == ["checkpoint-6 is damaged (no scheduler.pt): going on from checkpoint-3"]


def test_with_no_whole_checkpoint_the_training_starts_anew(colours: Colours) -> None:
    plan = colours.plan()
    train_until(plan, 5)
    file = plan.work / "checkpoints/checkpoint-3/optimizer.pt"
    body = bytearray(file.read_bytes())
    body[len(body) // 2] ^= 1  # one bit: the file's own checksum tells
    file.write_bytes(bytes(body))
    start = begin(plan, fresh=False)
    assert start.checkpoint is None
    assert start.notes == ("checkpoint-3 is damaged (optimizer.pt): the training starts anew",)


# --------------------------------------------------------------------------- disks that refuse


def test_a_disk_that_cannot_be_written_is_found_before_training(
    colours: Colours, invoke: Invoke
) -> None:
    with files_of_at_most(100_000):
        code, _, err = invoke("finetune", "quick")
    assert (code, err) == (4, "cannot write to runs/finetune/quick: File too large\n")
    colours.project.write("models", "a file where a folder should be")
    code, _, err = invoke("finetune", "quick", "--out", "models/q")
    assert (code, err) == (4, "cannot write to models/q: Not a directory\n")


def test_a_disk_that_cannot_hold_the_lora_is_found_before_training(colours: Colours) -> None:
    plan = colours.plan()
    begin(plan, fresh=False)
    check_space(plan, parameters=1000)
    with pytest.raises(StoreError, match=r"^cannot write to runs/finetune/quick: .* MB are free"):
        check_space(plan, parameters=10**15)


@pytest.mark.parametrize("size", [1_100_000, 4_000_000], ids=["the LoRA", "the optimizer's state"])
def test_a_disk_that_is_full_later_ends_with_2_and_says_what_to_do(
    colours: Colours, invoke: Invoke, size: int
) -> None:
    colours.change("r: 4", "r: 160")
    with files_of_at_most(size):
        code, _, err = invoke("finetune", "quick")
    assert code == 2
    assert err.splitlines()[-1].startswith("cannot write to runs/finetune/quick: ")
    assert err.endswith("; no checkpoint yet, the same command starts anew\n")
    assert "Traceback" not in err
