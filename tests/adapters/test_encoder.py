"""Which files an encoder's name means, and what a cached row is called."""

import pytest

from harness.adapters.encoder import find_encoder, key_of
from harness.errors import ModelError


@pytest.fixture(autouse=True)
def _empty_hub_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def test_the_default_is_taken_from_the_hub_cache_if_it_is_whole(tmp_path):
    packaged = find_encoder("minilm-l6").folder
    repository = tmp_path / "hub" / "models--sentence-transformers--all-mpnet-base-v2"
    snapshot = repository / "snapshots" / "abc"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc")
    snapshot.mkdir(parents=True)
    for name in ("config.json", "tokenizer.json"):
        (snapshot / name).symlink_to(packaged / name)
    assert find_encoder(None).label == "minilm-l6"  # no weights: a download that broke off
    (snapshot / "model.safetensors").symlink_to(packaged / "model.safetensors")
    found = find_encoder(None)
    assert (found.label, found.note) == ("all-mpnet-base-v2", "")
    assert found.identity == "sentence-transformers/all-mpnet-base-v2@abc"


def test_a_folder_is_found_from_the_root_and_known_by_its_content(tmp_path):
    (tmp_path / "enc").mkdir()
    for file in find_encoder("minilm-l6").folder.glob("*.*"):
        if file.suffix in {".json", ".txt", ".safetensors"}:
            (tmp_path / "enc" / file.name).symlink_to(file)
    found = find_encoder("enc", tmp_path)
    assert found.label == "enc"
    assert len(found.identity) == 64


def test_only_the_default_falls_back_to_the_packaged_encoder():
    assert find_encoder(None).label == "minilm-l6"
    assert "all-mpnet-base-v2 is not in the hub cache" in find_encoder(None).note
    assert find_encoder("sentence-transformers/all-MiniLM-L6-v2").note == ""
    with pytest.raises(ModelError, match="'owner/other' is neither a folder nor in the hub cache"):
        find_encoder("owner/other")


def test_parts_of_a_key_do_not_run_into_each_other():
    assert key_of("ab", "c") != key_of("a", "bc")
