"""Whole processes, measured: wall time, CPU time and peak memory of each child by itself."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Measured:
    """One finished process; MB are 10^6 bytes."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    stdout: str

    def words(self) -> str:
        """For a table."""
        return f"{self.wall_s:.1f} s wall, {self.cpu_s:.1f} CPU-s, {self.peak_mb:.0f} MB"


def measure(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    allowed: Sequence[int] = (0,),
) -> Measured:
    """Run a command to its end; exits with its last words if its exit code is not allowed."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **environment}, stdout=out, stderr=err
        )
        # wait4 gives this child's own usage; RUSAGE_CHILDREN would give the largest of all
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        stdout, stderr = out.read().decode(), err.read().decode()
    if process.returncode not in allowed:
        raise SystemExit(f"{' '.join(command)}\nexit {process.returncode}\n{stderr[-3000:]}")
    cpu = usage.ru_utime + usage.ru_stime
    return Measured(wall, cpu, usage.ru_maxrss * 1024 / 1e6, stdout)
