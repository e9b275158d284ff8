"""`make bench`: every number of RESULTS.md, ours and the peer's in one run on one machine.

    python benchmarks/run_all.py [PART...]

Parts are generate, choices, loras, cached, start, rouge, judge, compare, gate, plugin, publish,
site, media, video, import, demo; all if none is named.

Ours is always the whole product: `harness run` as a process, with collection, scoring and Parquet.
Peer and ours take turns; of each pair the better of REPEATS runs is kept, so that a busy moment
hurts neither. A target that is missed is printed as such and the exit code is 1.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(Path(__file__).parent), str(ROOT)]
import models  # noqa: E402
from bench_compare import compared  # noqa: E402
from bench_gate import gated  # noqa: E402
from bench_import import imported  # noqa: E402
from bench_judge import judged  # noqa: E402
from bench_media import decoded  # noqa: E402
from bench_plugin import started  # noqa: E402
from bench_publish import published  # noqa: E402
from bench_site import browsed  # noqa: E402
from bench_video import watched  # noqa: E402
from peer import PEER, Peer, install  # noqa: E402
from process import Measured, measure  # noqa: E402
from table import Row, table  # noqa: E402

HOME = ROOT / ".benchmarks"
REPEATS = int(os.environ.get("BENCH_REPEATS", "2"))
COUNT = int(os.environ.get("BENCH_COUNT", "512"))
NEW_TOKENS = int(os.environ.get("BENCH_NEW_TOKENS", "64"))
HARNESS = [sys.executable, "-m", "harness"]


GEN = """\
task: gen
version: 1
data: {path: data/gen.jsonl, fields: {input: text, target: target}}
prompt: {template: "{{ input }}"}
generate: {max_new_tokens: NEW_TOKENS}
score: [exact_match]
"""
MCQ = """\
task: mcq
version: 1
data: {path: data/mcq.jsonl, fields: {input: text, target: target, choices: choices}}
prompt: {template: "{{ input }}"}
output_type: choices
score: [choice]
"""
CARD = "model: NAME\nadapter: transformers\nbase: BASE\ndtype: float32\ndevice: cpu\n"


class Bench:
    """A project with a random Llama of 5 M parameters, and the peer beside it."""

    def __init__(self) -> None:
        HOME.mkdir(exist_ok=True)
        self.project = HOME / "project"
        shutil.rmtree(self.project, ignore_errors=True)
        self.model = HOME / "random-llama"
        if not (self.model / "model.safetensors").exists():
            models.save_model(self.model)
        texts = models.prompts(self.model, COUNT)
        options = models.choices(COUNT)
        self.gen: list[dict[str, object]] = [{"text": t, "target": "x"} for t in texts]
        self.mcq: list[dict[str, object]] = [
            {"text": t, "target": "A", "choices": c} for t, c in zip(texts, options, strict=True)
        ]
        self._write("tasks/gen/gen.task.yaml", GEN.replace("NEW_TOKENS", str(NEW_TOKENS)))
        self._write("tasks/mcq/mcq.task.yaml", MCQ)
        for name, rows in (("gen", self.gen), ("mcq", self.mcq)):
            text = "".join(json.dumps(row) + "\n" for row in rows)
            self._write(f"tasks/{name}/data/{name}.jsonl", text)
        self.card("random")

    def card(self, name: str, lora: Path | None = None) -> None:
        """A model card of the random Llama, with or without a LoRA."""
        text = CARD.replace("NAME", name).replace("BASE", str(self.model))
        self._write(f"adapters/{name}.model.yaml", text + (f"lora: {lora}\n" if lora else ""))

    def harness(self, *words: str) -> Measured:
        """The command in the project."""
        offline = {"HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
        return measure([*HARNESS, *words], self.project, offline)

    def peer(self) -> Peer:
        """lm-eval."""
        work = HOME / "peer"
        work.mkdir(exist_ok=True)
        return Peer(install(HOME), work)

    def answers(self, column: str) -> list[object]:
        """A column of the newest run's completions, in the order of the rows."""
        import pyarrow.parquet as pq

        run = max((self.project / "runs").iterdir(), key=lambda path: path.stat().st_mtime_ns)
        rows = pq.read_table(run / "completions.parquet").to_pylist()
        rows.sort(key=lambda row: int(row["sample"].removeprefix("row-")))
        return [row[column] for row in rows]

    def _write(self, path: str, text: str) -> None:
        file = self.project / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def better(runs: list[Measured]) -> Measured:
    """The run that was disturbed least."""
    return min(runs, key=lambda run: run.wall_s)


def against_peer(bench: Bench, kind: str, limit: float) -> list[Row]:
    """`gen` or `choices`: time, memory and answers beside lm-eval's."""
    task, rows = ("gen", bench.gen) if kind == "gen" else ("mcq", bench.mcq)
    peer, ours, theirs = bench.peer(), [], []
    expected: list[str | int] = []
    for _ in range(REPEATS):
        ours.append(bench.harness("run", task, "-m", "random", "--fresh"))
        taken, expected = peer.run(kind, rows, bench.model)
        theirs.append(taken)
    if kind == "gen":
        same = sum(a == b for a, b in zip(bench.answers("text"), expected, strict=True))
    else:
        found = [scores.index(max(scores)) for scores in bench.answers("logprobs")]  # type: ignore[attr-defined]
        same = sum(a == b for a, b in zip(found, expected, strict=True))
    one, two = better(ours), better(theirs)
    wall, cpu, memory = one.wall_s / two.wall_s, one.cpu_s / two.cpu_s, one.peak_mb / two.peak_mb
    what = (
        f"{COUNT} prompts of 20-300 tokens x {NEW_TOKENS} new tokens"
        if kind == "gen"
        else f"{COUNT} questions x 4 choices"
    )
    return [
        Row(
            f"{what}: wall", one.words(), two.words(), f"{wall:.2f}x", f"<= {limit}x", wall <= limit
        ),
        Row(f"{what}: CPU", "", "", f"{cpu:.2f}x", f"<= {limit}x", cpu <= limit),
        Row(f"{what}: peak memory", "", "", f"{memory:.2f}x", "<= 1x", memory <= 1),
        Row(f"{what}: same answers", f"{same} of {COUNT}", "", "", "all", same == COUNT),
    ]


def five_models(bench: Bench) -> list[Row]:
    """Base and four LoRAs on one task against five runs of the peer; each once."""
    loras = [save_lora(bench.model, HOME / f"lora-{number}", number) for number in range(4)]
    for lora in loras:
        bench.card(lora.name, lora)
    names = ",".join(["random", *(lora.name for lora in loras)])
    ours = bench.harness("run", "gen", "-m", names, "--fresh")
    peer = bench.peer()
    theirs = [peer.run("gen", bench.gen, bench.model, lora)[0] for lora in [None, *loras]]
    wall = sum(run.wall_s for run in theirs)
    cpu = sum(run.cpu_s for run in theirs)
    return [
        Row(
            f"base + 4 LoRAs, {COUNT} prompts each", ours.words(),
            f"{wall:.1f} s wall, {cpu:.1f} CPU-s (five runs)",
            f"{ours.wall_s / wall:.2f}x wall, {ours.cpu_s / cpu:.2f}x CPU", "<= 0.5x",
            ours.wall_s <= 0.5 * wall,
        )
    ]  # fmt: skip


def save_lora(model: Path, folder: Path, seed: int) -> Path:
    """A LoRA with random weights in both factors, so that it changes answers."""
    if not (folder / "adapter_config.json").exists():
        import torch
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModelForCausalLM

        torch.manual_seed(seed)
        base = AutoModelForCausalLM.from_pretrained(model)
        config = LoraConfig(
            r=8, lora_alpha=16, target_modules=["q_proj", "v_proj"], init_lora_weights=False
        )
        get_peft_model(base, config).save_pretrained(folder)
    return folder


def cached(bench: Bench) -> list[Row]:
    """10,000 samples whose answers are all known."""
    count = 10_000
    rows = [{"text": f"what is {n}", "target": " ".join(models.words(20, n))} for n in range(count)]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    bench._write("tasks/many/data/many.jsonl", text)
    task = GEN.replace("gen", "many").replace("many" + "erate", "generate")
    task = task.replace("NEW_TOKENS", "4").replace("[exact_match]", "[exact_match, rouge_l]")
    bench._write("tasks/many/many.task.yaml", task)
    bench.harness("run", "many", "-m", "random")
    again = better([bench.harness("run", "many", "-m", "random") for _ in range(REPEATS)])
    what = "fully cached re-run of 10,000 samples (exact_match, rouge_l)"
    return [Row(what, again.words(), "", "", "<= 3 s", again.wall_s <= 3)]


def start(bench: Bench) -> list[Row]:
    """`--help` beside the peer's, and the collection of 1,000 task files."""
    ours = min((bench.harness("--help") for _ in range(5)), key=lambda run: run.cpu_s)
    theirs = min((bench.peer().help() for _ in range(3)), key=lambda run: run.cpu_s)
    found = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "bench_collect.py")],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    report = json.loads(found.stdout)
    wall = report["collect_1000"]["wall_s"]
    ratio = f"{ours.cpu_s / theirs.cpu_s:.2f}x"
    return [
        Row("`--help`", f"{ours.cpu_s:.3f} CPU-s", f"{theirs.cpu_s:.2f} CPU-s", ratio,
            "<= 0.12 CPU-s", ours.cpu_s <= 0.12),
        Row("`harness collect` of 1,000 task files", f"{wall:.2f} s wall", "", "", "<= 2 s",
            wall <= 2),
    ]  # fmt: skip


def rouge(bench: Bench) -> list[Row]:
    """ROUGE-L of 10,000 pairs beside the rouge-score package, bit-equal."""
    script = str(ROOT / "benchmarks" / "bench_rouge.py")
    done = measure([sys.executable, script], ROOT, {"PYTHONPATH": str(ROOT)})
    lines = done.stdout.splitlines()
    theirs = float(next(line for line in lines if line.startswith("rouge-score")).split()[1])
    mine = next(line for line in lines if line.startswith("rouge_l"))
    seconds = float(mine.split()[3])
    times = theirs / seconds
    return [
        Row("ROUGE-L, 10,000 pairs of 100 words (control included)", f"{seconds:.2f} CPU-s",
            f"{theirs:.1f} CPU-s (rouge-score)", f"{times:.0f}x faster", ">= 10x", times >= 10)
    ]  # fmt: skip


def demo(bench: Bench) -> list[Row]:
    """What `make demo` does after installation, in an empty folder."""
    folder = HOME / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    # a project of its own: this repository's has trained and answered before
    (folder / "pyproject.toml").write_text("[tool.harness]\n", encoding="utf-8")
    begun = time.perf_counter()
    environment = {"HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
    tune = measure([*HARNESS, "finetune", "vad-tiny"], folder, environment)
    tasks = "vad_approach ai_research_qa ai_research_mcq instruction_following general_retention"
    words = ["run", *tasks.split(), "-m", "tiny-llama,vad-tiny"]
    measure([*HARNESS, *words], folder, environment)
    measure([*HARNESS, "compare", "tiny-llama", "vad-tiny"], folder, environment)
    measure([*HARNESS, "gate", "vad-tiny"], folder, environment)
    measure([*HARNESS, "publish"], folder, environment)
    wall = time.perf_counter() - begun
    return [
        Row("recipe `vad-tiny`", tune.words(), "", "", "<= 90 s", tune.wall_s <= 90),
        Row("`make demo` after installation", f"{wall:.0f} s", "", "", "<= 240 s", wall <= 240),
    ]


PARTS: dict[str, Callable[[Bench], list[Row]]] = {
    "generate": lambda bench: against_peer(bench, "gen", 0.5),
    "choices": lambda bench: against_peer(bench, "choices", 0.3),
    "loras": five_models,
    "cached": cached,
    "start": start,
    "rouge": rouge,
    "judge": lambda _: judged(),
    "compare": lambda _: compared(),
    "gate": lambda _: gated(),
    "plugin": lambda _: started(),
    "publish": lambda _: published(),
    "site": lambda _: browsed(),
    "media": lambda _: decoded(),
    "video": lambda _: watched(),
    "import": lambda _: imported(),
    "demo": demo,
}


def machine() -> str:
    """What the numbers were measured on."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        name = lines[0].partition(":")[2].strip() if lines else name
    return f"{os.cpu_count()} x {name}, Python {platform.python_version()}"


def main(names: list[str]) -> int:
    """Run the parts named (all by default) and write RESULTS.md when all were run."""
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        print(f"no part '{unknown[0]}': {', '.join(PARTS)}", file=sys.stderr)
        return 2
    bench, rows = Bench(), []
    for name in names or PARTS:
        print(f"{name} ...", flush=True)
        found = PARTS[name](bench)
        print(table(found), flush=True)
        rows += found
    if not names:
        when = time.strftime("%Y-%m-%d")
        text = (
            "# Benchmarks\n\nWritten by `make bench`. Whole processes; peer and ours take turns, "
            f"the better of {REPEATS} runs each.\n\n- machine: {machine()}\n- date: {when}\n"
            f"- peer: {PEER}\n\n{table(rows)}\n"
        )
        (ROOT / "benchmarks" / "RESULTS.md").write_text(text, encoding="utf-8")
    return 0 if all(row.met for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
