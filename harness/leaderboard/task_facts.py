"""What a task asks, in what words, on which data: read from what its newest run keeps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.errors import HarnessError
from harness.leaderboard.gather import Bench, BoardCell, fields_of
from harness.leaderboard.page_parts import Sources
from harness.leaderboard.views import Code
from harness.results.stored_judges import stored_spec


def facts(bench: Bench, sources: Sources) -> list[tuple[str, str]]:
    """(what, words) about a task's newest cell."""
    cell, spec = bench.newest, _spec(bench)
    data = spec.get("data")
    data = data if isinstance(data, dict) else {}
    found = [
        ("licence", str(spec.get("licence") or "not stated")),
        ("data", str(data.get("path", ""))),
        ("split", str(data.get("split", "test"))),
        ("samples", f"{cell.record.samples:,}"),
        ("data hash", cell.record.data_hash[:12]),
        ("output", str(spec.get("output_type", "generate"))),
        ("generation", _words(spec.get("generate"))),
        ("few-shot examples", str(_inner(spec, "prompt").get("num_fewshot", 0))),
        ("variants", _words(spec.get("variants"))),
        ("gate", "; ".join(map(_words, _listed(spec.get("gate"))))),
    ]
    return [(what, sources.clean(words)) for what, words in found if words]


def description(bench: Bench, sources: Sources) -> str:
    """The task's own sentence."""
    return sources.clean(str(_spec(bench).get("description") or ""))


def readme(bench: Bench, sources: Sources) -> str:
    """The README beside the task's file, if the project has the file still; else ""."""
    project = sources.project
    if project is None or not project.knows("task", bench.task):
        return ""
    try:
        path = project.get_task(bench.task).path.parent / "README.md"
        return sources.clean(path.read_text(encoding="utf-8", errors="replace"))
    except (HarnessError, OSError):
        return ""


def prompts(bench: Bench, sources: Sources) -> list[Code]:
    """The template, and one prompt as a model read it, if answers are published."""
    spec = _inner(_spec(bench), "prompt")
    found = []
    if isinstance(spec.get("template"), str):
        found.append(Code("template", sources.clean(str(spec["template"])), "jinja"))
    for turn in _listed(spec.get("messages")):
        if isinstance(turn, dict):
            title = f"template, {turn.get('role', '')}"
            found.append(Code(title, sources.clean(str(turn.get("content", ""))), "jinja"))
    read = _one_prompt(bench.newest) if sources.texts.answers else ""
    if read:
        title = f"a prompt as {bench.newest.record.model} read it"
        found.append(Code(title, sources.clean(read), ""))
    return found


def rubrics(bench: Bench, sources: Sources) -> list[Code]:
    """The rubric of each judge as it judged."""
    found = []
    for judge in dict.fromkeys(info.judge for info in bench.scorers if info.judge):
        spec = stored_spec(bench.newest.run, judge)
        if spec is not None:
            text = bench.newest.spec_text("judge", spec.template)
            title = f"{judge}, version {spec.version}"
            found.append(Code(title, sources.clean(text), "jinja"))
    return found


def _one_prompt(cell: BoardCell) -> str:
    if not cell.run.has_column("completions", "prompt"):
        return ""
    for prompt in _prompts(cell):
        if prompt:
            return prompt
    return ""


def _prompts(cell: BoardCell) -> Iterator[str | None]:
    from harness.leaderboard.answers import values_of_column

    table = cell.run.table("completions", ["prompt"], {"cell": cell.record.cell})
    yield from values_of_column(table.slice(0, 20), "prompt")


def _spec(bench: Bench) -> Mapping[str, object]:
    return fields_of(bench.newest.spec_text("task", bench.task))


def _inner(spec: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = spec.get(name)
    return found if isinstance(found, dict) else {}


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _words(value: object) -> str:
    """A small piece of YAML on one line: "max_new_tokens 128, stop ..."."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_words(one)}" for key, one in value.items())
    if isinstance(value, list):
        return " ".join(map(_words, value))
    return "" if value is None else repr(value) if isinstance(value, str) else str(value)
