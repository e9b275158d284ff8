"""How large weights are on disk: those of this machine, and no other files."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness.adapters.disk import disk_mb
from harness.adapters.locate import weight_files
from harness.collect.specs import BridgeModel, OpenAIModel


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def test_the_base_and_its_lora_count_and_nothing_else(tiny, card, tmp_path):
    weights = sum(file.stat().st_size for file in weight_files(tiny()))
    assert disk_mb(card(tiny())) == weights / 1e6
    (tmp_path / "lora").mkdir()
    (tmp_path / "lora" / "adapter_model.safetensors").write_bytes(b"x" * 500)
    assert disk_mb(card(tiny(), lora=str(tmp_path / "lora"))) == (weights + 500) / 1e6
    assert disk_mb(card(tiny(), lora=str(tmp_path / "nowhere"))) is None


def test_a_model_of_the_hub_has_a_size_once_it_was_fetched(tiny, card, hub):
    assert disk_mb(card("owner/model")) is None
    snapshot = hub / "models--owner--model" / "snapshots" / "abc123"
    (hub / "models--owner--model" / "refs").mkdir(parents=True)
    (hub / "models--owner--model" / "refs" / "main").write_text("abc123")
    snapshot.mkdir(parents=True)
    (snapshot / "model.safetensors").write_bytes(b"x" * 700)
    assert disk_mb(card("owner/model")) == 700 / 1e6


def test_of_a_bridge_whatever_looks_like_weights_counts(tmp_path):
    (tmp_path / "base" / "parts").mkdir(parents=True)
    (tmp_path / "base" / "parts" / "pytorch_model.bin").write_bytes(b"x" * 300)
    (tmp_path / "base" / "model.pth").write_bytes(b"x" * 200)
    (tmp_path / "base" / "README.md").write_text("not weights")
    (tmp_path / "worker.py").write_text("")
    bridge = BridgeModel(
        model="m",
        adapter="bridge",
        python=sys.executable,
        worker="./worker.py",
        base="./base",
        system="",
        conversation="auto",
    )
    bridge.located(tmp_path / "m.model.yaml", "", tmp_path)
    assert disk_mb(bridge) == 500 / 1e6
    for base in ("owner/model", "./nowhere"):
        other = bridge.model_copy(update={"base": base})
        assert disk_mb(other) is None


def test_a_model_behind_a_server_has_no_size_here():
    assert disk_mb(OpenAIModel(model="m", adapter="openai", base="gpt")) is None
