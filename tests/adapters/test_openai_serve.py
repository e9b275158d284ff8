"""A server that is not ours: `transformers serve` with the embedded model, through our adapter."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.adapters.openai import OpenAIAdapter
from harness.adapters.transformers import TransformersAdapter
from harness.collect.specs import OpenAIModel, TransformersModel
from harness.records import Completion, GenerateSettings, Message, ReplyForm, Request

MODEL = Path(__file__).resolve().parents[2] / "adapters" / "tiny-llama"
SHORT = GenerateSettings(max_new_tokens=24)
CHAT = tuple(
    Request(f"c{n}", "generate", (Message("user", text),), settings=SHORT)
    for n, text in enumerate(["What is a camera?", "What is a sensor?", "Name a colour."])
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_up(port: int) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}/health") as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenAIModel]:
    """A card for the model behind the running server."""
    folder = tmp_path_factory.mktemp("serve")
    (folder / "hf" / "hub").mkdir(parents=True)  # without it, the server answers some calls by 500
    port = free_port()
    words = ["-m", "transformers.cli.transformers", "serve", "--host", "127.0.0.1"]
    words += ["--port", str(port), "--device", "cpu", str(MODEL)]
    own = {"HF_HOME": str(folder / "hf"), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with (folder / "log").open("w+") as log:
        process = subprocess.Popen(
            [sys.executable, *words],
            env={**os.environ, **own},
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            while not is_up(port):
                assert process.poll() is None, (folder / "log").read_text()
                time.sleep(0.2)
            yield OpenAIModel(
                model="served",
                adapter="openai",
                base=str(MODEL),
                base_url=f"http://127.0.0.1:{port}/v1",
            )
        finally:
            process.kill()
            process.wait()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def ask(card: OpenAIModel, *requests: Request) -> list[Completion]:
    adapter = OpenAIAdapter()
    try:
        done = {c.id: c for batch in adapter.complete(card, requests) for c in batch}
    finally:
        adapter.close()
    return [done[request.id] for request in requests]


def test_a_model_answers_the_same_through_a_server_as_in_the_process(served: OpenAIModel) -> None:
    done = ask(served, *CHAT)
    local = TransformersModel(
        model="local", adapter="transformers", base=str(MODEL), dtype="bfloat16", device="cpu"
    )
    adapter = TransformersAdapter()
    expected = {c.id: c for request in CHAT for (c,) in adapter.complete(local, [request])}
    adapter.close()
    for completion in done:
        same = expected[completion.id]
        assert completion.error is None
        assert completion.text.strip() == same.text.strip() != ""
        assert completion.prompt_tokens == same.prompt_tokens
        assert completion.usage is not None
        assert completion.usage.served.startswith(str(MODEL))


def test_plain_text_goes_through_the_completions_api(served: OpenAIModel) -> None:
    card = served.model_copy(update={"api": "completions"})
    plain = Request("p", "generate", "Question: What is a camera?\nAnswer:", settings=SHORT)
    stopped = replace(plain, id="s", settings=replace(SHORT, stop=(" ",)))
    one, two = ask(card, plain, stopped)
    assert one.error is two.error is None
    assert one.text.strip()
    assert " " not in two.text


def test_a_form_that_the_server_ignores_in_silence_is_for_the_judge_to_find_out(
    served: OpenAIModel,
) -> None:
    schema = {"type": "object", "properties": {"score": {"type": "integer"}}}
    form = ReplyForm("score", json.dumps(schema), top_logprobs=5)
    judged, plain = ask(served, replace(CHAT[0], form=form), CHAT[0])
    assert (judged.error, judged.token_logprobs) == (None, ())
    assert judged.text == plain.text  # no JSON: 200 is no promise
