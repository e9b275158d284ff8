"""The house rules that a machine can check: layers, sizes, light imports, spec folders."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "harness"
SPEC_FOLDERS = ("tasks", "judges", "adapters", "finetune", "leaderboard")

# a room imports only from rooms that stand above it
LAYERS = (
    "errors",
    "records",
    "collect",
    "tasks",
    "media",
    "adapters",
    "scorers",
    "judges",
    "results",
    "runner",
    "finetune",
    "leaderboard",
    "cli",
    "pytest_plugin",
)
LOOSE_FILES = {"__init__.py", "__main__.py", "errors.py", "records.py", "pytest_plugin.py"}
MAX_FUNCTION_LINES, MAX_PARAMETERS, MAX_MODULE_LINES = 60, 6, 400


def modules() -> list[Path]:
    return [path for path in sorted(PACKAGE.rglob("*.py")) if "_library" not in path.parts]


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""


@pytest.mark.parametrize("path", modules(), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_a_room_imports_only_from_rooms_above_it(path: Path) -> None:
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if own.startswith("__"):
        return
    for name in imported(path):
        if name.startswith("harness.") and room(name) != own:
            assert LAYERS.index(room(name)) < LAYERS.index(own), f"{own} imports {name}"


def test_no_import_circle_between_modules() -> None:
    names = {".".join(p.relative_to(ROOT).with_suffix("").parts): p for p in modules()}
    graph: dict[str, set[str]] = {}
    for name, path in names.items():
        top = ast.parse(path.read_text(encoding="utf-8")).body
        found = {n.module for n in top if isinstance(n, ast.ImportFrom) and n.module}
        graph[name] = {module for module in found if module in names}
    state: dict[str, int] = {}

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert state.get(name) != 1, f"circle: {' -> '.join((*trail, name))}"
        if state.get(name) == 2:
            return
        state[name] = 1
        for other in graph[name]:
            visit(other, (*trail, name))
        state[name] = 2

    for name in graph:
        visit(name, ())


def test_functions_are_short_and_take_few_parameters() -> None:
    wrong = []
    for path in modules():
        for node in functions(ast.parse(path.read_text(encoding="utf-8"))):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            given = node.args
            own = [a.arg for a in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
            count = len([name for name in own if name not in ("self", "cls")])
            if lines > MAX_FUNCTION_LINES or count > MAX_PARAMETERS:
                wrong.append(f"{path.name}:{node.lineno} {node.name}: {lines} lines, {count} args")
    assert not wrong


def test_modules_are_short() -> None:
    # by their whole path: files of one name in two rooms are two
    lengths = {p: p.read_text(encoding="utf-8").count("\n") for p in modules()}
    long = {p.relative_to(ROOT).as_posix(): n for p, n in lengths.items() if n > MAX_MODULE_LINES}
    assert not long


def test_only_known_files_lie_loose_in_the_package() -> None:
    assert {path.name for path in PACKAGE.glob("*.py")} <= LOOSE_FILES


def test_every_room_says_what_it_is() -> None:
    for path in PACKAGE.rglob("__init__.py"):
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path


def test_spec_folders_are_collected_and_never_imported() -> None:
    assert not [path for folder in SPEC_FOLDERS for path in (ROOT / folder).rglob("__init__.py")]


def test_tests_mirror_the_package() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir()} | {"tools", "benchmarks"}
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()}
    assert folders - {"__pycache__"} <= rooms


HEAVY = ("torch", "transformers", "pyarrow", "numpy", "pydantic", "jinja2", "yaml", "rich")


def test_the_command_line_imports_nothing_heavy() -> None:
    code = "import sys, harness.cli; print(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert not set(done.stdout.split()) & set(HEAVY)


def test_no_path_or_secret_of_a_machine_is_committed() -> None:
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files"], capture_output=True, text=True, check=False
    ).stdout.split("\n")
    if listed == [""]:
        pytest.skip("not a git checkout")
    forbidden = ("/wo" + "rk/", "/ro" + "ot/", "/opt/" + "pypi")
    for name in filter(None, listed):
        path = ROOT / name
        if path.suffix in {".py", ".md", ".toml", ".yaml", ".txt", ".json", ".jsonl", ".cfg"}:
            text = path.read_text(encoding="utf-8") if path.exists() else ""
            assert not [word for word in forbidden if word in text], name
