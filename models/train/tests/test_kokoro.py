"""Voices made from others: styles between them, beyond them, and of two halves."""

from pathlib import Path

import numpy as np
import pytest
from wakegate_train import kokoro


@pytest.fixture
def voices(tmp_path: Path) -> kokoro.Kokoro:
    """Two voices, of ones and of threes, and no model behind them."""
    (tmp_path / "voices").mkdir()
    for name, value in (("one", 1), ("three", 3)):
        np.full(kokoro.ROWS * kokoro.WIDTH, value, dtype="<f4").tofile(tmp_path / "voices" / f"{name}.bin")
    made = kokoro.Kokoro.__new__(kokoro.Kokoro)
    made.folder, made.tables = tmp_path, {}
    return made


def test_a_blend_lies_between_and_a_far_voice_beyond(voices: kokoro.Kokoro):
    assert 1 < voices.table("one+three").min() and voices.table("one+three").max() < 3
    np.testing.assert_allclose(voices.table("three~one"), 3 + kokoro.FAR * 2, rtol=1e-6)


def test_a_mixed_voice_has_the_timbre_of_one_and_the_prosody_of_the_other(voices: kokoro.Kokoro):
    mixed = voices.table("three~one@one")
    assert mixed.shape == (kokoro.ROWS, kokoro.WIDTH)
    np.testing.assert_array_equal(mixed[:, : kokoro.TIMBRE], voices.table("three~one")[:, : kokoro.TIMBRE])
    np.testing.assert_array_equal(mixed[:, kokoro.TIMBRE :], voices.table("one")[:, kokoro.TIMBRE :])
