"""Putting a folder in the place of another so that a reader, or a kill, finds one of them whole."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import shutil
from pathlib import Path

ASIDE = ".old-"
_NOT_HERE = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP)


def put_folder(draft: Path, place: Path) -> None:
    """Move a folder to its place; a folder that was there is removed afterwards.

    Where the system can exchange two names at once (Linux, macOS), there is no moment without
    one of them. Elsewhere the old one is set aside first, and ``recover`` puts it back if the
    process ended in between. Raises OSError; the old folder is then in its place.
    """
    if not place.exists():
        os.replace(draft, place)
        return
    if exchange(draft, place):
        shutil.rmtree(draft, ignore_errors=True)
        return
    aside = place.with_name(ASIDE + place.name)
    os.replace(place, aside)
    try:
        os.replace(draft, place)
    except BaseException:
        os.replace(aside, place)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def recover(place: Path) -> None:
    """Put back what a killed ``put_folder`` had set aside; nothing if there is nothing to mend."""
    aside = place.with_name(ASIDE + place.name)
    with contextlib.suppress(OSError):
        if not place.exists() and aside.is_dir():
            os.replace(aside, place)


def exchange(a: Path, b: Path) -> bool:
    """Exchange two names at once; False if this system or file system cannot. Raises OSError."""
    if os.name != "posix":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(a), os.fsencode(b)
    if hasattr(libc, "renameat2"):  # Linux: AT_FDCWD = -100, RENAME_EXCHANGE = 2
        code = libc.renameat2(-100, names[0], -100, names[1], 2)
    elif hasattr(libc, "renamex_np"):  # macOS: RENAME_SWAP = 2
        code = libc.renamex_np(*names, 2)
    else:
        return False
    if code == 0:
        return True
    number = ctypes.get_errno()
    if number in _NOT_HERE:
        return False
    raise OSError(number, os.strerror(number), str(b))
