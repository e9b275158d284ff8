"""Finding a model's files, and saying in one line why not."""

from __future__ import annotations

import json
import shutil

import pytest

from harness.adapters.fingerprint import file_digest, fingerprint
from harness.adapters.locate import hub_cache, locate_base, weight_files
from harness.adapters.registry import load_key, open_adapter
from harness.errors import ModelError
from harness.records import Request


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty hub cache, and no network."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return tmp_path / "hub"


def put_in_hub(hub, name, folder):
    """What a download of a model leaves in the hub's cache."""
    repository = hub / ("models--" + name.replace("/", "--"))
    snapshot = repository / "snapshots" / "abc123"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc123")
    (repository / "blobs").mkdir()
    snapshot.mkdir(parents=True)
    for file in folder.iterdir():
        blob = repository / "blobs" / file_digest(file)
        shutil.copy(file, blob)
        (snapshot / file.name).symlink_to(blob)
    return snapshot


def one_line(caught) -> str:
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_base_beside_the_card(tiny, card, tmp_path):
    shutil.copytree(tiny(), tmp_path / "base")
    assert locate_base(card("./base")).folder == tmp_path / "base"


def test_a_base_in_the_project(tiny, card, tmp_path):
    shutil.copytree(tiny(), tmp_path / "models" / "base")
    model = card("models/base")
    model.located(tmp_path / "adapters" / "m.model.yaml", "", tmp_path)
    assert locate_base(model).folder == tmp_path / "models" / "base"


def test_a_hub_id_in_the_cache_needs_no_network(tiny, card, hub):
    snapshot = put_in_hub(hub, "owner/name", tiny())
    assert locate_base(card("owner/name")).folder == snapshot
    assert locate_base(card("owner/name", revision="abc123")).folder == snapshot


def test_missing_weights_offline_are_told_in_one_line(card, hub, tmp_path):
    model = card("meta-llama/Llama-3.2-3B")
    for ask in (
        lambda: open_adapter([model]).fingerprint(model),
        lambda: list(open_adapter([model]).complete(model, [Request("r", "generate", "p")])),
        lambda: open_adapter([model]).count_tokens(model, [Request("r", "generate", "p")]),
    ):
        with pytest.raises(ModelError) as caught:
            ask()
        said = one_line(caught)
        for part in ("m.model.yaml", "meta-llama/Llama-3.2-3B", str(hub_cache()), "HF_HUB_OFFLINE"):
            assert part in said


def test_a_snapshot_without_its_weights_is_not_taken_for_a_model(tiny, card, hub):
    snapshot = put_in_hub(hub, "owner/name", tiny())
    (snapshot / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="is not here"):
        locate_base(card("owner/name"))


def test_a_missing_folder(card):
    with pytest.raises(ModelError, match="no such folder") as caught:
        locate_base(card("./nowhere"))
    one_line(caught)


def test_pickled_weights_are_never_loaded(tiny, card, tmp_path):
    folder = shutil.copytree(tiny(), tmp_path / "pickled")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"only pytorch_model\.bin, which is never loaded"):
        locate_base(card(folder))


def test_a_missing_shard_is_noticed(tiny, tmp_path):
    folder = shutil.copytree(tiny(), tmp_path / "sharded")
    (folder / "model.safetensors").rename(folder / "a.safetensors")
    index = {"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert weight_files(folder) == []


def test_code_of_a_model_needs_permission(tiny, card):
    with pytest.raises(ModelError, match="--allow-code"):
        open_adapter([card(tiny(), trust_remote_code=True)]).fingerprint(
            card(tiny(), trust_remote_code=True)
        )
    assert fingerprint(card(tiny(), trust_remote_code=True), allow_code=True)


def test_broken_weights_are_told_in_one_line(tiny, card, tmp_path):
    folder = shutil.copytree(tiny(), tmp_path / "short")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))
    model = card(folder)
    with pytest.raises(ModelError, match="weights are missing") as caught:
        list(open_adapter([model]).complete(model, [Request("r", "generate", "p")]))
    one_line(caught)


def test_weights_of_other_shapes_are_told_in_one_line(tiny, card, tmp_path):
    folder = shutil.copytree(tiny(), tmp_path / "wide")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "hidden_size": 64}))
    model = card(folder)
    with pytest.raises(ModelError) as caught:
        list(open_adapter([model]).complete(model, [Request("r", "generate", "p")]))
    one_line(caught)


def test_an_unknown_device_is_told_in_one_line(tiny, card):
    model = card(tiny(), device="gpu7")
    with pytest.raises(ModelError, match="gpu7") as caught:
        list(open_adapter([model]).complete(model, [Request("r", "generate", "p")]))
    one_line(caught)


def test_a_fingerprint_follows_content_and_not_place(tiny, card, tmp_path, hub):
    first = fingerprint(card(tiny()))
    assert fingerprint(card(shutil.copytree(tiny(), tmp_path / "moved"))) == first
    assert fingerprint(card(tiny(), device="auto")) == first
    put_in_hub(hub, "owner/name", tiny())
    assert fingerprint(card("owner/name")) == first


@pytest.mark.parametrize(
    "change",
    [
        {"quantize": "nf4"},
        {"dtype": "bfloat16"},
        {"revision": "v2"},
        {"bos": "never"},
        {"chat_template": "x"},
        {"max_length": 9},
    ],
)
def test_a_fingerprint_follows_every_setting(change, tiny, card):
    assert fingerprint(card(tiny(), **change)) != fingerprint(card(tiny()))


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_fingerprint_follows_every_file(name, tiny, card, tmp_path):
    folder = shutil.copytree(tiny(), tmp_path / "changed")
    content = bytearray((folder / name).read_bytes())
    content[-3] ^= 1
    (folder / name).write_bytes(content)
    assert fingerprint(card(folder)) != fingerprint(card(tiny()))


def test_large_files_are_hashed_once(tmp_path, monkeypatch):
    from harness.adapters import fingerprint as prints

    monkeypatch.setattr(prints, "BIG", 10)
    monkeypatch.setattr(prints, "_known", {})
    file, store = tmp_path / "weights", tmp_path / "cache" / "digests.json"
    file.write_bytes(b"x" * 100)
    digest = file_digest(file, store)
    known = json.loads(store.read_text())
    assert list(known.values()) == [digest]
    store.write_text(json.dumps(dict.fromkeys(known, "remembered")))
    monkeypatch.setattr(prints, "_known", {})
    assert file_digest(file, store) == "remembered"
    file.write_bytes(b"y" * 101)
    assert file_digest(file, store) not in {digest, "remembered"}


def test_models_that_share_a_load(tiny, card):
    base = card(tiny())
    assert load_key(base) == load_key(card(tiny(), lora="x", bos="never", batch_tokens=1))
    for change in (
        {"dtype": "bfloat16"},
        {"quantize": "nf4"},
        {"revision": "x"},
        {"device": "auto"},
    ):
        assert load_key(base) != load_key(card(tiny(), **change))
    with pytest.raises(ValueError, match="share one load_key"):
        open_adapter([base, card(tiny(), dtype="bfloat16")])
