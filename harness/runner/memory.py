"""The most memory that was taken since a moment: a GPU's if the model runs on one, else ours."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Literal

Kind = Literal["CUDA", "RSS", "RSS so far"]
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET = "5"
"""What, written to `clear_refs`, sets the peak of the resident memory back (proc(5))."""


@dataclass(frozen=True, slots=True)
class Peak:
    """Megabytes (10^6 bytes), and of what: tensors on CUDA devices, the resident memory of this
    process, or that since the process began, where it cannot be set back. To resident memory that
    of processes started by this one is added, each at its own peak: a bridge's worker has the
    model."""

    mb: float
    kind: Kind


class MemoryWatch:
    """The peak since it was made; only one watches at a time."""

    def __init__(self) -> None:
        self._reset = _reset_resident(CLEAR)
        for child in _children():
            _reset_resident(child / CLEAR.name)
        cuda = _cuda()
        if cuda is not None:
            for device in range(cuda.device_count()):
                cuda.reset_peak_memory_stats(device)

    def peak(self) -> Peak:
        """CUDA's, summed over devices, if anything was there; else the process's."""
        cuda = _cuda()
        if cuda is not None:
            taken = sum(cuda.max_memory_allocated(i) for i in range(cuda.device_count()))
            if taken:
                return Peak(taken / 1e6, "CUDA")
        others = sum(_resident_mb(child / STATUS.name) or 0.0 for child in _children())
        resident = _resident_mb(STATUS) if self._reset else None
        if resident is None:
            return Peak(_peak_so_far_mb() + others, "RSS so far")
        return Peak(resident + others, "RSS")


def _cuda() -> ModuleType | None:
    """torch.cuda, if torch is here already and has made use of a device."""
    torch = sys.modules.get("torch")
    found: ModuleType | None = None if torch is None else torch.cuda
    return found if found is not None and found.is_initialized() else None


def _reset_resident(file: Path) -> bool:
    try:
        file.write_text(RESET)
    except OSError:  # not Linux, or not allowed
        return False
    return True


def _resident_mb(file: Path) -> float | None:
    try:
        lines = file.read_text().splitlines()
    except OSError:  # it has ended meanwhile
        return None
    return next((int(s.split()[1]) * 1024 / 1e6 for s in lines if s.startswith("VmHWM:")), None)


def _children() -> list[Path]:
    """The folders in /proc of the processes that this one has started, where it can be told."""
    found: list[Path] = []
    for file in Path("/proc/self/task").glob("*/children"):
        try:
            found += [Path("/proc") / number for number in file.read_text().split()]
        except OSError:  # a thread that has ended
            continue
    return found


def _peak_so_far_mb() -> float:
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6
