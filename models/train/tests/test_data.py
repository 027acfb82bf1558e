"""Noise that is shaped stays noise of the same size, with a burst about the word's place."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="only training needs it")

from wakegate_train.data import shaped  # noqa: E402


def test_shaped_noise_is_loudest_about_the_words_place_and_differs_each_time():
    flat = torch.zeros(200, 280, 40)
    made = shaped(flat, np.random.default_rng(1), 200)
    assert made.shape == flat.shape and torch.isfinite(made).all()
    level = made.mean((0, 2))
    assert level[180:195].mean() > level[:80].mean() + 1 and level[180:195].mean() > level[250:].mean() + 1
    assert (made[0] - made[1]).abs().mean() > 0.1
    # Frames next to each other belong together: it is a sound and not other noise.
    assert (made[:, 1:] - made[:, :-1]).abs().mean() < 0.3 * made.std()
