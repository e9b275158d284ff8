"""What decoding costs beside bare PyAV, and that a clip is decoded once for all its variants.

    python benchmarks/bench_media.py

A clip of 60 s, 854 x 480, 30 frames a second, H.264, is written once and kept. Ours and the peer
take 6 frames a second of it, scaled to a short side of 224, each in a process of its own that
measures the CPU time of the decoding alone; peak memory is of the whole process. The peer is the
shortest loop over PyAV that takes the same frames: it trusts the frame rate, checks nothing, and
scales with the defaults. The loop that decodes and takes nothing stands beside it for scale.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from time import process_time

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(Path(__file__).parent), str(ROOT)]
import av  # noqa: E402
import numpy as np  # noqa: E402
from process import Measured, measure  # noqa: E402
from table import Row, table  # noqa: E402

HOME = ROOT / ".benchmarks"
REPEATS = int(os.environ.get("BENCH_REPEATS", "2"))
CLIPS = int(os.environ.get("BENCH_MEDIA_CLIPS", "200"))
CPU, MEGABYTES = 1.15, 300.0
WIDTH, HEIGHT, FPS, SECONDS = 854, 480, 30, 60
SIZE = (399, 224)


def write(path: Path, size: tuple[int, int], count: int, seed: int = 0) -> None:
    """A clip of coloured blocks that move."""
    width, height = size
    blocks = np.random.default_rng(seed).integers(
        0, 255, (height // 8 + 1, width // 8 + 1, 3), np.uint8
    )
    still = blocks.repeat(8, 0).repeat(8, 1)[:height, :width]
    with av.open(str(path), "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=FPS, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(np.roll(still, 3 * number, 1))
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())


def ours(path: Path) -> int:
    """The product."""
    from harness.media.decode import decode
    from harness.media.sampling import Sampling

    return len(decode(path, Sampling(fps=6, resolution=min(SIZE))).frames)


def peer(path: Path) -> int:
    """Bare PyAV."""
    taken = []
    with av.open(str(path)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number % (FPS // 6) == 0:
                scaled = frame.reformat(*SIZE, format="rgb24")
                taken.append(scaled.to_ndarray())
    return len(taken)


def loop(path: Path) -> int:
    """PyAV that decodes and takes nothing."""
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


CHILDREN: dict[str, Callable[[Path], int]] = {"ours": ours, "peer": peer, "loop": loop}


def child(name: str, path: Path) -> None:
    """In a process of its own: prints CPU seconds and the number of frames."""
    work = CHILDREN[name]
    if name == "ours":
        import harness.media.decode  # noqa: F401, the import is not what is measured
    started = process_time()
    count = work(path)
    print(process_time() - started, count)


def measured(path: Path) -> dict[str, tuple[float, int, Measured]]:
    """Taking turns; of each the run with the least CPU time: seconds, frames, the process."""
    best: dict[str, tuple[float, int, Measured]] = {}
    for _ in range(REPEATS):
        for name in CHILDREN:
            command = [sys.executable, __file__, name, str(path)]
            done = measure(command, ROOT, {"PYTHONPATH": str(ROOT)})
            cpu, count = done.stdout.split()
            if name not in best or float(cpu) < best[name][0]:
                best[name] = (float(cpu), int(count), done)
    return best


def passes(folder: Path) -> tuple[int, int]:
    """Many clips in four variants, one variant after the other: passes over files, clips given."""
    from harness.media.ahead import Decoder, Job
    from harness.media.cache import MediaCache
    from harness.media.clip import Clip
    from harness.media.sampling import Sampling

    paths = [folder / f"{number}.mp4" for number in range(CLIPS)]
    for number, path in enumerate(paths):
        write(path, (96, 64), 20, number)
    variants = [
        Sampling(fps=1),
        Sampling(fps=6),
        Sampling(frames=8),
        Sampling(fps=6, resolution=32),
    ]
    jobs = [Job(path, variant) for variant in variants for path in paths]
    with Decoder(jobs, MediaCache(folder / "cache")) as decoder:
        good = sum(isinstance(clip, Clip) for clip in decoder)
    return decoder.passes, good


def decoded() -> list[Row]:
    """The rows of RESULTS.md."""
    HOME.mkdir(exist_ok=True)
    path = HOME / "clip-480p.mp4"
    if not path.is_file():
        draft = path.with_suffix(".part")
        write(draft, (WIDTH, HEIGHT), FPS * SECONDS)
        draft.replace(path)
    best = measured(path)
    (cpu, count, mine), (bare, theirs, other), (least, _, _) = (best[name] for name in CHILDREN)
    with tempfile.TemporaryDirectory() as name:
        made, good = passes(Path(name))
    got, expected = f"{cpu:.2f} CPU-s, {count} frames", f"{bare:.2f} CPU-s, {theirs} frames"
    alone = f"{least:.2f} CPU-s"
    what = f"{SECONDS} s {HEIGHT}p at 6 fps to {min(SIZE)} px"
    ratio, peak = cpu / bare, mine.peak_mb
    return [
        Row(
            f"{what}: CPU", got, expected, f"{ratio:.2f}x", f"<= {CPU}x",
            ratio <= CPU and count == theirs,
        ),
        Row(f"{what}: beside decoding alone", "", alone, f"{cpu / least:.2f}x", "", True),
        Row(
            f"{what}: peak memory", f"{peak:.0f} MB", f"{other.peak_mb:.0f} MB",
            f"{peak / other.peak_mb:.2f}x", f"<= {MEGABYTES:.0f} MB", peak <= MEGABYTES,
        ),
        Row(
            f"{CLIPS} clips x 4 variants", f"{made} passes, {good} clips given", "", "",
            f"{CLIPS} passes", (made, good) == (CLIPS, 4 * CLIPS),
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    if len(sys.argv) > 1:
        child(sys.argv[1], Path(sys.argv[2]))
    else:
        print(table(decoded()))
