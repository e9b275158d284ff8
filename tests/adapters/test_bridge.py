"""What crosses the pipe to a worker and comes back, with a real worker process."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from bridged import STANDINS, asked, bridge_card

from harness.adapters.bridge import BridgeAdapter
from harness.adapters.registry import open_adapter
from harness.collect.specs import BridgeModel
from harness.errors import ModelError
from harness.records import Completion, FrameSettings, GenerateSettings, Message, Request

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def adapter() -> Iterator[BridgeAdapter]:
    opened = BridgeAdapter(allow_code=True)
    yield opened
    opened.close()


def answers(adapter: BridgeAdapter, card: BridgeModel, requests: list[Request]) -> list[Completion]:
    found = {done.id: done for batch in adapter.complete(card, requests) for done in batch}
    assert len(found) == len(requests)
    return [found[request.id] for request in requests]


def seen(completion: Completion) -> dict[str, object]:
    """What the echo worker says it was given."""
    assert completion.error is None
    found: dict[str, object] = json.loads(
        completion.text.partition("together: ")[2] or completion.text
    )
    return found


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds at 10 frames a second, 64 x 48: red, then blue."""
    import av
    import numpy as np

    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=10, options={"crf": "4", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(20):
            colour = (250, 0, 0) if number < 10 else (0, 0, 250)
            frame = np.full((48, 64, 3), colour, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
        out.mux(stream.encode())
    return path


@pytest.mark.parametrize("frames_as", ["png", "array"])
def test_frames_arrive_with_their_times(
    adapter: BridgeAdapter, tmp_path: Path, clip: Path, frames_as: str
) -> None:
    card = bridge_card(tmp_path, frames_as=frames_as)
    requests = asked("What?", media=(str(clip),), frames=FrameSettings(fps=2.0, resolution=24))
    (done,) = answers(adapter, card, requests)
    (found,) = seen(done)["clips"]  # type: ignore[misc]
    assert found["shape"] == [4, 24, 32, 3]
    assert found["size"] == [32, 24]
    assert found["times"] == pytest.approx([0.0, 0.5, 1.0, 1.5])
    assert found["fps"] == pytest.approx(10)
    assert found["duration"] == pytest.approx(2.0)
    assert [mean[0] > 200 for mean in found["means"]] == [True, True, False, False]
    assert [mean[2] > 200 for mean in found["means"]] == [False, False, True, True]
    assert done.frame_times == pytest.approx((0.0, 0.5, 1.0, 1.5))
    assert done.stages is not None
    assert done.stages.frames == 4
    assert min(done.stages.decode_ms, done.stages.preprocess_ms, done.stages.generate_ms) > 0


def test_prompt_and_settings_arrive_as_they_are(adapter: BridgeAdapter, tmp_path: Path) -> None:
    lora = tmp_path / "lora"
    lora.mkdir()
    card = bridge_card(tmp_path, lora="./lora", quantize="nf4")
    settings = GenerateSettings(max_new_tokens=9, stop=("\n",), temperature=0.5, top_p=0.9, seed=4)
    turns = (Message("system", "S: ü"), Message("user", "a"), Message("assistant", "b"))
    prompts: list[str | tuple[Message, ...]] = [
        "Was ist das? 犬\n{}",
        (*turns, Message("user", "c")),
    ]
    plain, chat = answers(
        adapter,
        card,
        [Request(str(n), "generate", p, settings=settings) for n, p in enumerate(prompts)],
    )
    found, other = seen(plain), seen(chat)
    assert (found["system"], found["messages"]) == ("Be brief.", [["user", "Was ist das? 犬\n{}"]])
    assert other["system"] == "S: ü"
    assert other["messages"] == [["user", "a"], ["assistant", "b"], ["user", "c"]]
    assert (found["max_new_tokens"], found["stop"], found["seed"]) == (9, ["\n"], 4)
    drawn = {"do_sample": True, "num_beams": 1, "temperature": 0.5, "top_p": 0.9, "top_k": 0}
    assert found["sampling"] == drawn
    assert (found["base"], found["lora"]) == ("some/model", str(lora))
    assert (found["conversation"], found["quantize"]) == ("plain", "nf4")
    assert (plain.prompt_tokens, plain.completion_tokens, plain.finish_reason) == (7, 3, "stop")
    assert adapter.prompts(card, asked("Hi"))[0] == "[system]\nBe brief.\n[user]\nHi"


def test_an_empty_system_prompt_stays_empty(adapter: BridgeAdapter, tmp_path: Path) -> None:
    (done,) = answers(adapter, bridge_card(tmp_path, system=""), asked("Hi"))
    assert seen(done)["system"] == ""


def test_epochs_draw_anew(adapter: BridgeAdapter, tmp_path: Path) -> None:
    requests = [replace(asked("Hi")[0], id=str(epoch), epoch=epoch) for epoch in range(2)]
    first, second = answers(adapter, bridge_card(tmp_path), requests)
    assert seen(first)["seed"] != seen(second)["seed"]


def test_stages_are_the_workers_where_it_measured_them(
    adapter: BridgeAdapter, tmp_path: Path
) -> None:
    (done,) = answers(adapter, bridge_card(tmp_path), asked("measured"))
    assert done.stages is not None
    assert (done.stages.prefill_ms, done.stages.generate_ms) == (2.0, 5.0)
    assert adapter.peak_memory_mb is not None
    assert 5 < adapter.peak_memory_mb < 500  # of the worker, not ours


def test_an_answer_ends_before_the_stop_string(adapter: BridgeAdapter, tmp_path: Path) -> None:
    (request,) = asked("Hi")
    request = replace(request, settings=GenerateSettings(stop=('"messages"',)))
    (done,) = answers(adapter, bridge_card(tmp_path), [request])
    assert done.text == '{"system": "Be brief.", '


def test_a_refusal_and_a_crash_in_the_system_are_told_and_the_worker_lives_on(
    adapter: BridgeAdapter, tmp_path: Path
) -> None:
    found = answers(adapter, bridge_card(tmp_path), asked("a", "refuse", "crash", "b"))
    assert found[1].error == "this one not"
    assert found[2].error == "KeyError: 'vision_tower'"
    assert seen(found[0])["pid"] == seen(found[3])["pid"]
    assert adapter.notes == ()  # what it printed was no message


def test_a_file_that_cannot_be_decoded_fails_its_request_only(
    adapter: BridgeAdapter, tmp_path: Path, clip: Path
) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_text("no video")
    frames = FrameSettings(frames=1)
    bad = asked("bad", media=(str(broken),), frames=frames)
    wrong, right = answers(adapter, bridge_card(tmp_path), [*bad, *asked("x", media=(str(clip),))])
    assert "broken.mp4" in (wrong.error or "")
    assert right.stages is not None
    assert right.stages.frames == 2


def test_only_equal_frame_counts_go_together(
    adapter: BridgeAdapter, tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECHO_CAN", "generate,batch")
    card = bridge_card(tmp_path, batch_size=2)
    counts = [3, 4, 3, 4, 3]
    requests = [
        replace(
            asked("x", media=(str(clip),), frames=FrameSettings(frames=count))[0], id=str(number)
        )
        for number, count in enumerate(counts)
    ]
    batches = list(adapter.complete(card, requests))
    assert [[done.id for done in batch] for batch in batches] == [["0", "2"], ["1", "3"], ["4"]]
    assert batches[0][0].text.startswith("2 together: ")
    assert [len(batch[0].frame_times) for batch in batches] == [3, 4, 3]


def test_a_worker_that_takes_one_gets_one(adapter: BridgeAdapter, tmp_path: Path) -> None:
    found = list(adapter.complete(bridge_card(tmp_path, batch_size=4), asked("a", "b")))
    assert [len(batch) for batch in found] == [1, 1]
    assert adapter.notes == ("batch_size 4: worker 'echo' takes one request at a time",)


def test_choices_are_weighed_if_the_worker_can(
    adapter: BridgeAdapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = replace(asked("x")[0], output_type="choices", continuations=(" a b", " abcdef"))
    (refused,) = answers(adapter, bridge_card(tmp_path), [request])
    what = "worker 'echo' gives no log-likelihoods: set `answer: letter` in the task"
    assert refused.error == what
    adapter.close()
    monkeypatch.setenv("ECHO_CAN", "generate,choices")
    (done,) = answers(adapter, bridge_card(tmp_path), [request])
    assert (done.logprobs, done.logprob_tokens) == ((-4.0, -7.0), (2, 1))
    assert done.finish_reason == "scored"


def test_perplexity_is_refused(adapter: BridgeAdapter, tmp_path: Path) -> None:
    request = replace(asked("x")[0], output_type="perplexity", continuations=("y",))
    (done,) = answers(adapter, bridge_card(tmp_path), [request])
    assert (done.error or "").startswith("a bridge model gives no perplexity")


def test_another_quantization_is_another_worker(adapter: BridgeAdapter, tmp_path: Path) -> None:
    (first,) = answers(adapter, bridge_card(tmp_path), asked("a"))
    (again,) = answers(adapter, bridge_card(tmp_path, timeout_s=50), asked("a"))
    (other,) = answers(adapter, bridge_card(tmp_path, quantize="int8"), asked("a"))
    assert seen(first)["pid"] == seen(again)["pid"] != seen(other)["pid"]
    assert seen(other)["quantize"] == "int8"


def test_nothing_is_started_for_nothing(adapter: BridgeAdapter, tmp_path: Path) -> None:
    assert list(adapter.complete(bridge_card(tmp_path, worker="./none.py"), [])) == []


# --------------------------------------------------------------------------- processes that end


def test_keys_of_apis_stay_here(
    adapter: BridgeAdapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    (done,) = answers(adapter, bridge_card(tmp_path), asked("a"))
    assert seen(done)["keys"] == []


def test_close_ends_the_worker_and_its_children(adapter: BridgeAdapter, tmp_path: Path) -> None:
    note = tmp_path / "pids"
    answers(adapter, bridge_card(tmp_path, options={"child": str(note)}), asked("a"))
    pids = [int(word) for word in note.read_text().split()]
    assert all(alive(pid) for pid in pids)
    adapter.close()
    assert [pid for pid in pids if not ends(pid)] == []


@pytest.mark.parametrize("at", ["idle", "loading", "at a request", "at a request that fails"])
def test_a_killed_harness_leaves_nothing(tmp_path: Path, at: str) -> None:
    """Neither the worker nor what it started, whatever it was at when its pipes broke."""
    note, busy = tmp_path / "pids", tmp_path / "busy"
    options = {"child": str(note), "alone": at, "busy": str(busy)}
    program = (
        "import sys; from pathlib import Path; from bridged import *\n"
        "from harness.adapters.bridge import BridgeAdapter\n"
        f"card = bridge_card(Path({str(tmp_path)!r}), options={options!r})\n"
        "list(BridgeAdapter(True).complete(card, asked('a')))\n"
        "print('answered', flush=True); sys.stdin.read()\n"
    )
    paths = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **paths},
    ) as parent:
        assert parent.stdout is not None
        if at == "idle":
            assert parent.stdout.readline() == b"answered\n"
        while at != "idle" and not busy.exists():
            assert parent.poll() is None
            time.sleep(0.02)
        pids = [int(word) for word in note.read_text().split()]
        parent.send_signal(signal.SIGKILL)
    left = [pid for pid in pids if not ends(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == []


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    # a zombie whose new parent does not look is dead all the same
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def ends(pid: int) -> bool:
    """Whether a process is gone; waits for that."""
    for _ in range(1000):
        if not alive(pid):
            return True
        time.sleep(0.02)
    return False


# --------------------------------------------------------------------------- what the card names

MISSING = {
    "python": ("~/no/such/bin/python", "no such file"),
    "worker": ("lama_vid", "no adapters/bridges/lama_vid.py (did you mean 'llama_vid'?)"),
    "base": ("./weights", "no such folder"),
    "lora": ("./lora", "no such folder"),
}


@pytest.mark.parametrize("key", MISSING)
def test_what_is_missing_is_one_line_with_the_cards_line(
    adapter: BridgeAdapter, tmp_path: Path, key: str
) -> None:
    value, what = MISSING[key]
    with pytest.raises(ModelError) as raised:
        adapter.fingerprint(bridge_card(tmp_path, **{key: value}))
    assert f"{key} '{value}'" in str(raised.value)
    assert what in str(raised.value)
    assert "bridged.model.yaml:" in str(raised.value)


def test_an_interpreter_that_is_none(adapter: BridgeAdapter, tmp_path: Path) -> None:
    plain = tmp_path / "python"
    plain.write_text("#!/bin/sh\nexit 5\n")
    with pytest.raises(ModelError, match="is not executable: name an interpreter"):
        adapter.fingerprint(bridge_card(tmp_path, python="./python"))
    plain.chmod(plain.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(ModelError, match="did not start: ended with exit code 5"):
        answers(adapter, bridge_card(tmp_path, python="./python"), asked("a"))


def test_home_and_variables_are_filled_in(
    adapter: BridgeAdapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_ENVS", str(Path(sys.executable).parent))
    name = Path(sys.executable).name
    (done,) = answers(adapter, bridge_card(tmp_path, python=f"$MY_ENVS/{name}"), asked("a"))
    assert done.error is None


def test_a_card_of_ones_own_needs_leave(tmp_path: Path) -> None:
    card = bridge_card(tmp_path)
    refusing = open_adapter([card])
    with pytest.raises(ModelError, match=r"runs a program that this card names.*--allow-code"):
        refusing.fingerprint(card)
    with pytest.raises(ModelError, match="--allow-code"):
        list(refusing.complete(card, asked("a")))


# --------------------------------------------------------------------------- fingerprint


def test_the_fingerprint_holds_all_that_changes_answers(
    adapter: BridgeAdapter, tmp_path: Path
) -> None:
    script = tmp_path / "mine.py"
    script.write_text((STANDINS / "echo_worker.py").read_text())
    weights = tmp_path / "base" / "llm"
    weights.mkdir(parents=True)
    (weights / "pytorch_model.bin").write_bytes(b"one")

    def printed(**settings: object) -> str:
        fields: dict[str, object] = {"worker": "./mine.py", "base": "./base", **settings}
        return adapter.fingerprint(bridge_card(tmp_path, **fields))

    prints = [
        printed(),
        printed(system="Be long."),
        printed(conversation="other"),
        printed(options={"num_frames": 8}),
        printed(quantize="int8"),
        printed(frames_as="array"),
        printed(base="other/name"),
        printed(lora="a/lora"),
    ]
    assert len(set(prints)) == len(prints)
    assert printed(timeout_s=3, max_restarts=1, start_timeout_s=9) == prints[0]
    (weights / "pytorch_model.bin").write_bytes(b"two!")
    assert printed() != prints[0]
    changed = printed()
    script.write_text(script.read_text() + "# another worker\n")
    assert printed() != changed


def test_a_training_beside_the_weights_does_not_count(
    adapter: BridgeAdapter, tmp_path: Path
) -> None:
    (tmp_path / "base" / "checkpoint-10").mkdir(parents=True)
    (tmp_path / "base" / "model.safetensors").write_bytes(b"weights")
    card = bridge_card(tmp_path, base="./base")
    before = adapter.fingerprint(card)
    (tmp_path / "base" / "checkpoint-10" / "model.safetensors").write_bytes(b"earlier")
    (tmp_path / "base" / "optimizer.pt").write_bytes(b"state")
    assert adapter.fingerprint(card) == before
