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
    process, or that since the process began, where it cannot be set back."""

    mb: float
    kind: Kind


class MemoryWatch:
    """The peak since it was made; only one watches at a time."""

    def __init__(self) -> None:
        self._reset = _reset_resident()
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
        resident = _resident_mb() if self._reset else None
        return Peak(_peak_so_far_mb(), "RSS so far") if resident is None else Peak(resident, "RSS")


def _cuda() -> ModuleType | None:
    """torch.cuda, if torch is here already and has made use of a device."""
    torch = sys.modules.get("torch")
    found: ModuleType | None = None if torch is None else torch.cuda
    return found if found is not None and found.is_initialized() else None


def _reset_resident() -> bool:
    try:
        CLEAR.write_text(RESET)
    except OSError:  # not Linux, or not allowed
        return False
    return True


def _resident_mb() -> float | None:
    for line in STATUS.read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    return None


def _peak_so_far_mb() -> float:
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6
