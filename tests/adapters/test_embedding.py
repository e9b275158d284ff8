"""Texts to unit vectors, each text once."""

import numpy as np
import pytest

from harness.adapters.embedding import cosine, embed
from harness.adapters.encoder import find_encoder


def test_vectors_are_unit_vectors_and_each_text_is_embedded_once():
    embedded = embed(["a cat", "a dog", "a cat"], find_encoder("minilm-l6"), None)
    assert embedded.vectors.shape == (2, 384)
    assert np.linalg.norm(embedded.vectors, axis=1) == pytest.approx(1, abs=1e-5)


def test_a_text_that_is_not_there_is_like_nothing():
    embedded = embed(["a cat"], find_encoder("minilm-l6"), None)
    assert cosine("a cat", "a cat", embedded) == pytest.approx(1.0)
    assert cosine("a cat", "a dog", embedded) == cosine("", "", embedded) == 0.0
