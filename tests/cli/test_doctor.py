"""`harness doctor` on workers that keep their promises and on workers that do not."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from bridged import STANDINS

if TYPE_CHECKING:
    from conftest import UserProject
    from faultserver import FaultServer

ROOT = Path(__file__).resolve().parents[2]
Invoke = Callable[..., tuple[int, str, str]]

SYSTEMS = {
    "llama-vid-7b": ("llama_vid", "./weights", {"device": "cpu"}),
    "llama-vid-7b-crime": ("llama_vid", "./weights", {"device": "cpu"}),
    "mobile-videogpt-0.5b": ("mobile_videogpt", None, {"device": "cpu", "num_frames": 16}),
    "mobile-videogpt-1.5b": ("mobile_videogpt", None, {"device": "cpu", "num_frames": 16}),
    "nvila-lite-2b": ("nvila", None, {}),
}
CHECKS = (
    "files", "fingerprint", "start", "question", "same again", "other number of frames",
    "a single frame", "unicode prompt", "no system prompt", "two in one line", "choices",
    "damaged frames", "damaged request", "lives on", "nothing but the protocol",
    "ends with its input",
)  # fmt: skip


def verdicts(out: str) -> dict[str, str]:
    """What each check came to, by its name."""
    found = {}
    for line in out.splitlines():
        word, _, rest = line.strip().partition(" ")
        if word in ("ok", "FAILED"):
            found[rest.strip().partition("   ")[0]] = word
    return found


def here(project: UserProject, name: str) -> None:
    """The bundled card, with our interpreter, without its checkout, and made-up weights."""
    from ruamel.yaml import YAML

    system, base, options = SYSTEMS[name]
    assert system
    yaml = YAML()
    card = yaml.load((ROOT / "adapters" / f"{name}.model.yaml").read_text("utf-8"))
    card["python"], card["options"] = sys.executable, options
    if base:
        card["base"] = base
        weights = project.write("adapters/weights/pytorch_model.bin.index.json", "{}").parent
        assert weights.is_dir()
    if "lora" in card:
        card["lora"] = "./lora"
        project.write("adapters/lora/adapter_config.json", "{}")
    with (project.root / "adapters" / f"{name}.model.yaml").open("w", encoding="utf-8") as out:
        yaml.dump(card, out)


@pytest.mark.parametrize("name", ["llama-vid-7b-crime", "mobile-videogpt-1.5b", "nvila-lite-2b"])
def test_the_bundled_workers_keep_every_promise(
    project: UserProject, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    paths = [str(STANDINS / SYSTEMS[name][0]), str(STANDINS / "common")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    project.write("adapters/README.md", "")
    here(project, name)
    code, out, err = invoke("doctor", name, "--allow-code")
    assert verdicts(out) == dict.fromkeys(CHECKS, "ok"), out + err
    assert code == 0
    assert out.startswith(f"{name} (bridge)\n")
    assert "all is well" in out


def sloppy(project: UserProject, wrong: str) -> None:
    project.write(
        "adapters/sloppy.model.yaml",
        f"model: sloppy\nadapter: bridge\npython: {sys.executable}\n"
        f"worker: {STANDINS / 'sloppy_worker.py'}\nbase: none\nsystem: Be brief.\n"
        f"conversation: plain\noptions: {{wrong: {wrong}}}\ntimeout_s: 30\nstart_timeout_s: 3\n",
    )


FAULTS = {
    "nothing": (),
    "counts": ("same again", "two in one line", "lives on"),
    "empty": ("question",),
    "fixed frames": ("other number of frames", "a single frame"),
    "ascii only": ("unicode prompt", "two in one line"),
    "needs a system prompt": ("no system prompt",),
    "order": ("two in one line",),
    "answers bad requests": ("damaged frames", "damaged request"),
    "prints": ("nothing but the protocol",),
    "stays": ("ends with its input",),
}


@pytest.mark.parametrize("wrong", FAULTS)
def test_a_broken_promise_fails_its_check(project: UserProject, invoke: Invoke, wrong: str) -> None:
    sloppy(project, wrong)
    code, out, _ = invoke("doctor", "sloppy", "--allow-code")
    found = verdicts(out)
    assert tuple(found) == CHECKS
    assert tuple(name for name, word in found.items() if word == "FAILED") == FAULTS[wrong], out
    assert code == (1 if FAULTS[wrong] else 0)


def test_probabilities_are_no_log_likelihoods(
    project: UserProject, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLOPPY_CHOICES", "1")
    sloppy(project, "nothing")
    code, out, _ = invoke("doctor", "sloppy", "--allow-code")
    assert "log-likelihoods above 0: (0.3, 0.6); they are natural logarithms" in out
    assert code == 1


def test_a_worker_that_dies_of_a_bad_request_is_not_started_again(
    project: UserProject, invoke: Invoke
) -> None:
    sloppy(project, "dies of bad requests")
    code, out, _ = invoke("doctor", "sloppy", "--allow-code")
    found = verdicts(out)
    assert found["damaged frames"] == found["lives on"] == "FAILED"
    assert "the worker ended with exit code 1; stderr: " in out
    assert "ValueError: no picture" in out
    assert "the worker is gone and was not restarted" in out
    assert code == 1


def test_what_keeps_a_worker_from_starting_is_told(project: UserProject, invoke: Invoke) -> None:
    project.write("adapters/README.md", "")
    code, out, _ = invoke("doctor", "nvila-lite-2b")
    assert verdicts(out) == {"files": "FAILED"}
    assert "make the environment as the card's comment says" in out
    assert code == 1
    sloppy(project, "nothing")
    code, out, _ = invoke("doctor", "sloppy")
    assert "needs --allow-code" in out
    assert code == 1


def test_other_models_are_asked_a_short_question(project: UserProject, invoke: Invoke) -> None:
    project.add_replay({"a": "yes"})
    code, out, err = invoke("doctor", "recorded,tiny-llama")
    assert code == 0, out + err
    recorded, tiny = out.split("\n\n")[:2]
    assert verdicts(recorded) == {"files, fingerprint": "ok", "question": "ok"}
    assert list(verdicts(tiny)) == ["files, fingerprint", "question", "same again"]


def test_an_api_is_asked_and_need_not_repeat_itself(
    project: UserProject, invoke: Invoke, fault_server: FaultServer
) -> None:
    card = f"model: api\nadapter: openai\nbase: m\nbase_url: {fault_server.url}\n"
    project.write("adapters/api.model.yaml", card)
    fault_server.answer = lambda asked: f"four, said {asked.number}"
    code, out, err = invoke("doctor", "api")
    assert code == 0, out + err
    assert list(verdicts(out)) == ["files, fingerprint", "question", "same again"]
    assert "the server is not repeatable" in out
    assert [asked.attempt for asked in fault_server.asked] == [1, 2]


SEEN = ["files, fingerprint", "question", "same again", "frames", "same frames again"]


def test_a_vision_model_is_asked_about_frames_too(invoke: Invoke, project: UserProject) -> None:
    code, out, err = invoke("doctor", "tiny-vlm")
    assert code == 0, out + err
    assert verdicts(out) == dict.fromkeys(SEEN, "ok")


def test_an_api_whose_card_speaks_of_videos_is_shown_the_same_frames_twice(
    project: UserProject, invoke: Invoke, fault_server: FaultServer
) -> None:
    card = f"model: eye\nadapter: openai\nbase: m\nbase_url: {fault_server.url}\nvideo: frames\n"
    project.write("adapters/eye.model.yaml", card)
    code, out, err = invoke("doctor", "eye")
    assert code == 0, out + err
    assert list(verdicts(out)) == SEEN
    words, again, *shown = [asked.body["messages"][-1]["content"] for asked in fault_server.asked]
    assert words == again
    pictures = [[part for part in one if part["type"] == "image_url"] for one in shown]
    assert [len(one) for one in pictures] == [4, 4]
    assert pictures[0] == pictures[1]


def test_missing_files_of_other_models_are_told(project: UserProject, invoke: Invoke) -> None:
    project.write(
        "adapters/gone.model.yaml",
        "model: gone\nadapter: transformers\nbase: nobody/no-such-model\n",
    )
    code, out, _ = invoke("doctor", "gone")
    assert verdicts(out) == {"can be asked": "FAILED"}
    assert "nobody/no-such-model' (revision main) is not here" in out
    assert code == 1


def test_a_misspelt_name_is_told_before_anything_starts(
    project: UserProject, invoke: Invoke
) -> None:
    sloppy(project, "nothing")
    code, out, err = invoke("doctor", "sloppy", "slopy", "--allow-code")
    assert (code, out) == (4, "")
    assert "did you mean 'sloppy'" in err
