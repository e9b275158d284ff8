"""The three bundled workers against stand-ins of their upstream packages, which take nothing that
upstream would not take; see tests/adapters/standins/."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from bridged import STANDINS, asked, bridge_card

from harness.adapters.bridge import BridgeAdapter
from harness.collect.library import Project
from harness.collect.specs import BridgeModel
from harness.errors import ModelError
from harness.records import Completion, FrameSettings, GenerateSettings, Message, Request

ROOT = Path(__file__).resolve().parents[2]
BRIDGES = ROOT / "adapters" / "bridges"
LONG = GenerateSettings(max_new_tokens=2000)


@pytest.fixture(scope="module")
def upstream() -> Iterator[Callable[[str], None]]:
    """Puts the stand-ins of one system in the place of its environment."""
    with pytest.MonkeyPatch.context() as patch:

        def use(system: str) -> None:
            paths = [str(STANDINS / system), str(STANDINS / "common")]
            patch.setenv("PYTHONPATH", os.pathsep.join(paths))

        yield use


@pytest.fixture(scope="module")
def adapter() -> Iterator[BridgeAdapter]:
    """One for all tests: cards that load the same share a worker."""
    opened = BridgeAdapter(allow_code=True)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights and a LoRA, as far as the stand-ins look at them."""
    import torch

    root = tmp_path_factory.mktemp("weights")
    (root / "base").mkdir()
    (root / "base" / "pytorch_model.bin.index.json").write_text("{}")
    for name in ("crime-lora", "plain-lora"):
        (root / name).mkdir()
        (root / name / "adapter_config.json").write_text("{}")
    weights = {"base_model.model.model.mm_projector.weight": torch.zeros(1)}
    torch.save(weights, root / "crime-lora" / "non_lora_trainables.bin")
    return root


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Four frames that become brighter, as an animation is no video: as an mp4."""
    import av
    import numpy as np

    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=4, options={"threads": "1"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(24):
            frame = np.full((48, 64, 3), 30 + 8 * number, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
        out.mux(stream.encode())
    return str(path)


def question(picture: str, frames: int = 4, text: str = "Who?") -> Request:
    (request,) = asked(text, media=(picture,), frames=FrameSettings(frames=frames))
    return replace(request, settings=LONG)


def answer(adapter: BridgeAdapter, card: BridgeModel, request: Request) -> Completion:
    (done,) = [one for batch in adapter.complete(card, [request]) for one in batch]
    return done


def said(adapter: BridgeAdapter, card: BridgeModel, request: Request) -> str:
    done = answer(adapter, card, request)
    assert done.error is None, done.error
    return done.text


# --------------------------------------------------------------------------- LLaMA-VID


def llama_vid(folder: Path, **settings: object) -> BridgeModel:
    fields: dict[str, object] = {
        "base": "./base",
        "conversation": "vicuna_v1",
        "options": {"device": "cpu"},
        **settings,
    }
    return bridge_card(folder, "llama_vid", **fields)


def test_llama_vid_is_asked_as_upstream_asks(
    adapter: BridgeAdapter, upstream: Callable[[str], None], folder: Path, picture: str
) -> None:
    upstream("llama_vid")
    card = llama_vid(folder)
    done = answer(adapter, card, question(picture))
    prompt = "Be brief. USER: <image>\nWho? ASSISTANT:"
    assert done.text == f"4 frames, brightest 3 fp16 [{prompt}]"
    assert done.finish_reason == "stop"
    assert done.prompt_tokens == len(prompt) - len("<image>") + 2  # BOS, one for all frames
    assert done.stages is not None
    assert done.stages.prefill_ms > 0
    short = replace(question(picture), settings=GenerateSettings(max_new_tokens=8))
    cut = answer(adapter, card, short)
    assert (cut.text, cut.finish_reason, cut.completion_tokens) == ("4 frames", "length", 8)


def test_llama_vid_draws_by_the_seed(
    adapter: BridgeAdapter, upstream: Callable[[str], None], folder: Path, picture: str
) -> None:
    upstream("llama_vid")
    drawn = [
        said(
            adapter,
            llama_vid(folder),
            replace(question(picture), settings=replace(LONG, temperature=0.7, seed=seed)),
        )
        for seed in (1, 2, 1)
    ]
    assert drawn[0] == drawn[2] != drawn[1]


def test_llama_vid_keeps_the_turns_of_a_conversation(
    adapter: BridgeAdapter, upstream: Callable[[str], None], folder: Path, picture: str
) -> None:
    upstream("llama_vid")
    turns = [Message("user", "Look."), Message("assistant", "Yes."), Message("user", "Who?")]
    text = said(adapter, llama_vid(folder), replace(question(picture), prompt=tuple(turns)))
    assert text.endswith(
        "[Be brief. USER: <image>\nLook. ASSISTANT: Yes.</s>USER: Who? ASSISTANT:]"
    )


@pytest.mark.parametrize(
    ("media", "text", "what"),
    [(0, "Who?", "needs exactly one video or image, got 0"),
     (2, "Who?", "needs exactly one video or image, got 2"),
     (1, "Who is in <image>?", "the prompt holds '<image>', which stands for frames")],
)  # fmt: skip
def test_llama_vid_refuses_what_it_cannot_see(
    adapter: BridgeAdapter,
    upstream: Callable[[str], None],
    folder: Path,
    picture: str,
    media: int,
    text: str,
    what: str,
) -> None:
    upstream("llama_vid")
    request = replace(question(picture, text=text), media=(picture,) * media)
    assert answer(adapter, llama_vid(folder), request).error == what


def test_llama_vid_with_a_lora_and_quantized(
    adapter: BridgeAdapter, upstream: Callable[[str], None], folder: Path, picture: str
) -> None:
    upstream("llama_vid")
    text = said(adapter, llama_vid(folder, lora="./crime-lora"), question(picture))
    # the name that LLaVA's training gave it, as the model calls it
    assert "fp16 lora=crime-lora beside=model.mm_projector.weight" in text
    assert " nf4 " in said(adapter, llama_vid(folder, quantize="nf4"), question(picture))


BAD_CARDS: Sequence[tuple[str, dict[str, object], str]] = [
    ("llama_vid", {"conversation": "llava_v9"}, "llava_v9; known are imgsp_v1, vicuna_v1"),
    ("llama_vid", {"options": {"devise": "cpu"}}, "options.devise: unknown; known are device,"),
    ("llama_vid", {"options": {"device": 0}}, "options.device: 0 is no str"),
    ("llama_vid", {"base": "YanweiLi/llama-vid"}, "a hub name does not do here"),
    ("llama_vid", {"lora": "./crime-lora", "quantize": "nf4"}, "needs 'quantize: none'"),
    ("llama_vid", {"dtype": "bfloat16"}, "dtype: bfloat16; the loader knows float16 only"),
    ("llama_vid", {"options": {"home": "~/no-such-checkout"}}, "options.home: no such folder"),
    ("mobile_videogpt", {"options": {"num_frames": 12}}, "12 is no multiple of 8"),
    ("nvila", {"conversation": "vicuna_v1"}, "conversation: vicuna_v1; known are chatml, auto"),
]  # fmt: skip


@pytest.mark.parametrize(("system", "settings", "what"), BAD_CARDS)
def test_a_card_that_asks_for_the_impossible_is_told_at_the_start(
    upstream: Callable[[str], None],
    folder: Path,
    system: str,
    settings: dict[str, object],
    what: str,
) -> None:
    upstream(system)
    card = bridge_card(
        folder, system, **{"base": "./base", "conversation": "vicuna_v1", **settings}
    )
    opened = BridgeAdapter(allow_code=True)
    with pytest.raises(ModelError) as raised:
        list(opened.complete(card, asked("a")))
    assert what in str(raised.value)
    opened.close()


# --------------------------------------------------------------------------- Mobile-VideoGPT


def mobile(folder: Path, **settings: object) -> BridgeModel:
    fields: dict[str, object] = {
        "base": "Amshaker/Mobile-VideoGPT-0.5B",
        "conversation": "qwen2_instruct",
        "options": {"device": "cpu"},
        **settings,
    }
    return bridge_card(folder, "mobile_videogpt", **fields)


@pytest.mark.parametrize(("frames", "marks"), [(16, 16), (9, 9), (4, 8), (1, 8)])
def test_mobile_videogpt_sees_every_frame(
    adapter: BridgeAdapter,
    upstream: Callable[[str], None],
    folder: Path,
    picture: str,
    frames: int,
    marks: int,
) -> None:
    upstream("mobile_videogpt")
    text = said(adapter, mobile(folder), question(picture, frames))
    system = "<|im_start|>system\nBe brief.<|im_end|>\n"
    user = f"<|im_start|>user\n{'<image>' * marks}\nWho?<|im_end|>\n"
    prompt = f"[{system}{user}<|im_start|>assistant\n]"
    assert text == f"{frames} frames, {marks} marks fp16 {prompt}"


def test_mobile_videogpt_without_a_system_prompt(
    adapter: BridgeAdapter, upstream: Callable[[str], None], folder: Path, picture: str
) -> None:
    upstream("mobile_videogpt")
    text = said(adapter, mobile(folder, system=""), question(picture, 8))
    assert "[<|im_start|>user\n" in text


def test_mobile_videogpt_refuses_frames_that_it_would_drop(
    adapter: BridgeAdapter, upstream: Callable[[str], None], folder: Path, picture: str
) -> None:
    upstream("mobile_videogpt")
    done = answer(adapter, mobile(folder), question(picture, 17))
    what = "17 frames, but Mobile-VideoGPT is set to see 16: set media.frames or max_frames to 16"
    assert done.error == what


def test_mobile_videogpt_with_a_lora_by_either_way(
    adapter: BridgeAdapter, upstream: Callable[[str], None], folder: Path, picture: str
) -> None:
    upstream("mobile_videogpt")
    merged = said(adapter, mobile(folder, lora="./crime-lora"), question(picture))
    assert "lora=crime-lora" in merged
    over_qwen = mobile(folder, lora="./crime-lora", base="Qwen/Qwen2-0.5B-Instruct")
    assert "crime-lora over Qwen2-0.5B-Instruct" in said(adapter, over_qwen, question(picture))


def test_mobile_videogpt_with_more_frames(
    adapter: BridgeAdapter, upstream: Callable[[str], None], folder: Path, picture: str
) -> None:
    upstream("mobile_videogpt")
    card = mobile(folder, options={"device": "cpu", "num_frames": 24}, quantize="int8")
    assert said(adapter, card, question(picture, 20)).startswith("20 frames, 20 marks int8")


# --------------------------------------------------------------------------- NVILA


def nvila(folder: Path, **settings: object) -> BridgeModel:
    fields = {"base": "Efficient-Large-Model/NVILA-Lite-2B", "conversation": "chatml", **settings}
    return bridge_card(folder, "nvila", **fields)


def test_nvila_is_given_images_and_the_cards_system_prompt(
    adapter: BridgeAdapter, upstream: Callable[[str], None], folder: Path, picture: str
) -> None:
    upstream("nvila")
    system = 'You\'re brief. {{ 7 * 7 }}\n"Ä" 犬 🏃'
    text = said(adapter, nvila(folder, system=system), question(picture))
    head = f"<|im_start|>system\n{system}<|im_end|>\n"
    user = f"<|im_start|>user\n{'<image>' * 4}Who?<|im_end|>\n<|im_start|>assistant\n"
    assert text == f'4 images greedy {{"path": "NVILA-Lite-2B"}} [{head}{user}]'
    bare = said(adapter, nvila(folder, system=""), question(picture))
    assert bare.endswith(f"[{user}]")
    warm = replace(question(picture), settings=replace(LONG, temperature=0.3))
    assert said(adapter, nvila(folder), warm).startswith("4 images sampled")


def test_nvila_with_its_own_template_takes_no_system_prompt(
    adapter: BridgeAdapter, upstream: Callable[[str], None], folder: Path, picture: str
) -> None:
    upstream("nvila")
    text = said(adapter, nvila(folder, conversation="auto", system=""), question(picture))
    assert "[system: UPSTREAM\nuser: <image>" in text
    done = answer(adapter, nvila(folder, conversation="auto"), question(picture))
    assert done.error == "conversation 'auto' takes no system prompt: set 'chatml'"


def test_nvila_with_a_lora_and_quantized(
    adapter: BridgeAdapter, upstream: Callable[[str], None], folder: Path, picture: str
) -> None:
    upstream("nvila")
    assert "lora=plain-lora" in said(adapter, nvila(folder, lora="./plain-lora"), question(picture))
    assert '"load_4bit": true' in said(adapter, nvila(folder, quantize="nf4"), question(picture))


# --------------------------------------------------------------------------- what is shipped


@pytest.mark.parametrize("script", sorted(BRIDGES.glob("*.py")), ids=lambda path: path.name)
def test_a_worker_can_be_read_by_an_old_python(script: Path) -> None:
    text = script.read_text("utf-8")
    ast.parse(text, feature_version=(3, 8))
    ours = {path.stem for path in BRIDGES.glob("*.py")}
    for node in ast.parse(text).body:  # what is imported before the system is loaded
        if isinstance(node, ast.Import):
            assert {alias.name for alias in node.names} <= ours | set(PLAIN)


PLAIN = ("base64", "contextlib", "io", "json", "os", "platform", "queue", "signal", "sys",
         "threading", "time", "traceback")  # fmt: skip
CARDS = (
    "llama-vid-7b", "llama-vid-7b-crime", "mobile-videogpt-0.5b", "mobile-videogpt-1.5b",
    "nvila-lite-2b",
)  # fmt: skip


@pytest.mark.parametrize("name", CARDS)
def test_a_bundled_card_says_everything_and_what_is_missing(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    card = Project.here().get_model(name)
    assert isinstance(card, BridgeModel)
    assert card.licence is not None
    assert (BRIDGES / f"{card.worker}.py").is_file()
    with pytest.raises(ModelError, match="make the environment as the card's comment says"):
        BridgeAdapter().fingerprint(card)
