"""What a recipe asks of its base, found without loading a weight."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from harness.collect.recipe_checks import missing_targets, module_names, read_header

ROOT = Path(__file__).resolve().parents[2]
LAYER = "model.layers.0.self_attn"


def test_modules_are_read_from_the_headers_of_weights() -> None:
    names = module_names(ROOT / "adapters/tiny-llama")
    assert {f"{LAYER}.q_proj", f"{LAYER}.v_proj", "model.embed_tokens"} <= names
    assert "model.norm" not in names  # a vector takes no LoRA


def test_modules_of_a_model_in_parts(tmp_path: Path) -> None:
    for part in ("a", "b"):
        tensors = {f"{part}.weight": np.zeros((2, 2), np.float32)}
        save_file(tensors, tmp_path / f"{part}.safetensors")
    index = {"weight_map": {"a.weight": "a.safetensors", "b.weight": "b.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    assert module_names(tmp_path) == {"a", "b"}
    (tmp_path / "b.safetensors").unlink()
    assert module_names(tmp_path) == set()  # half a model tells nothing


def test_a_target_is_the_end_of_a_modules_name() -> None:
    modules = frozenset({f"{LAYER}.q_proj", f"{LAYER}.v_proj"})
    assert not list(missing_targets(["q_proj", "self_attn.v_proj", "lm_head"], modules, "m"))
    assert not list(missing_targets(["all-linear"], modules, "m"))
    assert not list(missing_targets(["anything"], frozenset(), "m"))
    said = list(missing_targets(["q_proj", "proj", "w"], modules, "m"))
    assert said == [
        (1, "target_modules: 'proj' is not in 'm' (did you mean 'v_proj'?)"),
        (2, "target_modules: 'w' is not in 'm' (it has q_proj, v_proj)"),
    ]


@pytest.mark.parametrize("keep", [0, 4, 8, 60, -1])
def test_a_file_that_is_cut_short_is_damaged(tmp_path: Path, keep: int) -> None:
    file = tmp_path / "model.safetensors"
    save_file({"a.weight": np.ones((4, 4), np.float32)}, file)
    assert read_header(file) == {"a.weight": [4, 4]}
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"model.safetensors is (damaged|cut short)$"):
        read_header(file)


@pytest.mark.parametrize("header", [b"[]", b'{"a": 3}', b'{"a": {"shape": [1]}}', b"\xff\xff"])
def test_a_header_that_is_none_is_damaged(tmp_path: Path, header: bytes) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(ValueError, match=r"header of model.safetensors is damaged"):
        read_header(file)
