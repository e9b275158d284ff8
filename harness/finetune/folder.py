"""The folder of a training: what was finished stays until the next is whole.

    <out>/adapter checkpoints curve.* recipe.json <model>.model.yaml     finished
    <out>/.training/  the same names                                     in the making
    <out>/.replaced/  what was finished before; deleted last

A card in .training says that this training is whole and only has to be moved to its place: a
process that is killed meanwhile leaves that to the next. Nothing else in <out> is ever touched.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.collect.recipe_checks import read_header
from harness.errors import HarnessError, Interrupted, StoreError, shown
from harness.finetune.plan import WORK, TrainPlan

REPLACED = ".replaced"
NOTE = "recipe.json"
WHOLE = "whole"
STATE = "trainer_state.json"
PARTS = ("adapter", "checkpoints", "curve.parquet", "curve.svg", NOTE)
NEEDED = ("adapter_model.safetensors", "optimizer.pt", "scheduler.pt")
"""Without these a checkpoint cannot be gone on from."""
PROBE_BYTES = 1 << 20
REFUSED = (
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM,
)  # fmt: skip
"""Why a disk may refuse to be written to."""


@dataclass(frozen=True)
class Start:
    """Where a training begins."""

    known: bool = False
    """The same training is finished: there is nothing to do."""
    checkpoint: Path | None = None
    """What to go on from; None to start anew."""
    notes: tuple[str, ...] = ()
    """What a user should know, a line each."""


@dataclass(frozen=True)
class _Note:
    """`recipe.json`: which training it is that lies beside it."""

    fingerprint: str
    model: str

    def is_of(self, plan: TrainPlan) -> bool:
        # the first version wrote no model
        return self.fingerprint == plan.fingerprint() and self.model in ("", plan.recipe.model)


def begin(plan: TrainPlan, fresh: bool) -> Start:
    """Make or check the folder, and find what to go on from.

    Raises StoreError if it cannot be written, or if something else lies there: another recipe's
    training, or files that no training wrote.
    """
    try:
        plan.out.mkdir(parents=True, exist_ok=True)
        _settle(plan.out)
        done, going = _read_note(plan.out), _read_note(plan.work)
        _refuse_strangers(plan, done)
        if not fresh:
            if going is None and done and done.is_of(plan) and plan.card.exists():
                return Start(known=True)
            _refuse_others(plan, done, going)
        probe(plan.out)
        if fresh or going is None:
            _start_anew(plan)
            return Start()
        return _go_on(plan)
    except OSError as error:
        raise StoreError(f"cannot write to {shown(plan.out)}: {_cause(error)}") from None


def finish(plan: TrainPlan) -> None:
    """Put a whole training, its card included, in the place of what was finished before."""
    (plan.work / WHOLE).write_text(plan.card.name, encoding="utf-8")
    _settle(plan.out)


def last_step(plan: TrainPlan) -> int | None:
    """The step of the newest checkpoint of the training in the making, None if there is none."""
    found = _checkpoints(plan.work)
    return _step(found[0]) if found else None


def probe(folder: Path) -> None:
    """Write and remove a file: raises OSError, before hours are spent, where none can be."""
    file = folder / f".probe-{os.getpid()}"
    try:
        with file.open("wb") as stream:
            stream.write(bytes(PROBE_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
    finally:
        file.unlink(missing_ok=True)


@contextlib.contextmanager
def told_in_one_line(plan: TrainPlan, fresh: bool) -> Iterator[None]:
    """A disk that refuses to take a checkpoint or a model ends the training in one line.

    Torch, safetensors and tokenizers each raise an error of their own for that. Raises Interrupted.
    """
    try:
        yield
    except HarnessError:
        raise
    except Exception as error:
        cause = _disk_cause(error, plan.out)
        if cause is None:
            raise
        what = f"cannot write to {shown(plan.out)}: {cause}; {way_on(plan, fresh)}"
        raise Interrupted(what) from None


def _disk_cause(error: Exception, folder: Path) -> str | None:
    """Why the disk refused, None if it was not the disk; libraries hide the number in a text."""
    told = re.search(r"os error (\d+)", str(error))
    number = error.errno if isinstance(error, OSError) else int(told[1]) if told else None
    if number in REFUSED:
        return os.strerror(number)
    try:
        probe(folder)
    except OSError as refusal:
        return _cause(refusal)
    return "writing failed (is the disk full?)" if "inline_container" in str(error) else None


def way_on(plan: TrainPlan, fresh: bool) -> str:
    """What a user does after a training that was stopped, and what stands until then."""
    step = last_step(plan)
    if step is None:
        how = "no checkpoint yet, the same command starts anew"
    elif fresh:
        how = f"run it again without --fresh to go on from step {step}"
    else:
        how = f"run the same command again to go on from step {step}"
    kept = f"; {shown(plan.card)} is still the model trained before" if plan.card.exists() else ""
    return how + kept


def check_space(plan: TrainPlan, parameters: int) -> None:
    """Raises StoreError if the disk cannot hold one checkpoint and the LoRA itself.

    Each holds the LoRA in fp32, the checkpoint two numbers of the optimizer for each of its own,
    of one byte at least.
    """
    needed = parameters * (4 + 4 + 2)
    free = shutil.disk_usage(plan.out).free
    if free < needed:
        what = f"{free / 1e6:,.1f} MB are free, a checkpoint and the LoRA need {needed / 1e6:,.1f}"
        raise StoreError(f"cannot write to {shown(plan.out)}: {what}")


def _cause(error: OSError) -> str:
    return error.strerror or str(error)


# --------------------------------------------------------------------------- what lies there


def _read_note(folder: Path) -> _Note | None:
    try:
        body = json.loads((folder / NOTE).read_text(encoding="utf-8"))
        return _Note(str(body["fingerprint"]), str(body.get("model", "")))
    except FileNotFoundError:
        return None
    except (ValueError, LookupError, TypeError, AttributeError):  # damaged: nobody's training
        return _Note("", "")


def _refuse_strangers(plan: TrainPlan, done: _Note | None) -> None:
    """What no training wrote is never replaced, not even with --fresh."""
    names = (*PARTS, plan.card.name)
    strange = [name for name in names if (plan.out / name).exists()] if done is None else []
    if strange:
        raise StoreError(
            f"{shown(plan.out / strange[0])} was not written by a training and would be replaced; "
            "--out trains elsewhere"
        )


def _refuse_others(plan: TrainPlan, done: _Note | None, going: _Note | None) -> None:
    there = going or done
    if there is None or there.is_of(plan):
        return
    which = "an unfinished training" if going else "a training"
    raise StoreError(
        f"{shown(plan.out)} holds {which} by another recipe, base, prompt or data; "
        "--fresh replaces it, --out trains elsewhere"
    )


def _start_anew(plan: TrainPlan) -> None:
    if plan.work.exists():
        shutil.rmtree(plan.work)
    plan.work.mkdir()
    recipe = plan.recipe
    body = {"fingerprint": plan.fingerprint(), "recipe": recipe.recipe, "model": recipe.model}
    temporary = plan.work / f"{NOTE}.tmp"
    temporary.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    temporary.replace(plan.work / NOTE)


# --------------------------------------------------------------------------- going on


def _go_on(plan: TrainPlan) -> Start:
    """The newest checkpoint that is whole; damaged ones are removed, and told."""
    damaged: list[str] = []
    for path in _unfinished(plan.work):
        shutil.rmtree(path)
    for path in _checkpoints(plan.work):
        trouble = _damage(path)
        if not trouble:
            return Start(checkpoint=path, notes=_notes(damaged, path))
        damaged.append(f"{path.name} is damaged ({trouble})")
        shutil.rmtree(path)
    return Start(notes=_notes(damaged, None))


def _notes(damaged: list[str], path: Path | None) -> tuple[str, ...]:
    if not damaged:
        return ()
    instead = "the training starts anew" if path is None else f"going on from {path.name}"
    return (f"{', '.join(damaged)}: {instead}",)


def _checkpoints(folder: Path) -> list[Path]:
    """Those that were written to the end, newest first."""
    found = (folder / "checkpoints").glob("checkpoint-*")
    whole = [path for path in found if (path / STATE).exists() and _step(path) > 0]
    return sorted(whole, key=_step, reverse=True)


def _unfinished(folder: Path) -> list[Path]:
    """Those of a process that was killed: the trainer writes its state last."""
    found = (folder / "checkpoints").glob("checkpoint-*")
    return [path for path in found if not (path / STATE).exists()]


def _step(checkpoint: Path) -> int:
    number = checkpoint.name.rpartition("-")[2]
    return int(number) if number.isdecimal() else 0


def _damage(checkpoint: Path) -> str:
    """The first file that cannot be read back, empty if all can."""
    files = sorted(checkpoint.iterdir())
    names = {file.name for file in files}
    missing = [name for name in NEEDED if name not in names]
    if missing:
        return f"no {missing[0]}"
    for file in files:
        try:
            _read_back(file)
        except (OSError, ValueError, zipfile.BadZipFile):
            return file.name
    return ""


def _read_back(file: Path) -> None:
    """Torch's files are zip archives with checksums; of safetensors, header and length tell."""
    if file.suffix in (".pt", ".pth"):
        with zipfile.ZipFile(file) as archive:
            if archive.testzip():
                raise ValueError("a checksum is wrong")
    elif file.suffix == ".safetensors":
        read_header(file)
    elif file.suffix == ".json":
        json.loads(file.read_text(encoding="utf-8"))


# --------------------------------------------------------------------------- the swap


def _settle(out: Path) -> None:
    """Move a training that is whole to its place; can be broken off anywhere and called again."""
    work, replaced = out / WORK, out / REPLACED
    if (work / WHOLE).exists():
        card = (work / WHOLE).read_text(encoding="utf-8")
        old = _read_note(out)
        replaced.mkdir(exist_ok=True)
        if old and old.model and f"{old.model}.model.yaml" != card:
            _move(out / f"{old.model}.model.yaml", replaced)  # its adapter is about to go
        for name in (*PARTS, card):
            if (work / name).exists():
                _move(out / name, replaced)
                (work / name).rename(out / name)
        (work / WHOLE).unlink()
        shutil.rmtree(work)
    if replaced.exists():
        shutil.rmtree(replaced)


def _move(path: Path, folder: Path) -> None:
    if path.exists():
        target = folder / path.name
        if target.is_dir():
            shutil.rmtree(target)
        path.rename(target)
