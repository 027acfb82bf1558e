"""Noise that is shaped, and what is known of the places of a word."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="only training needs it")

from wakegate_train.data import Store, shaped  # noqa: E402


def test_shaped_noise_is_loudest_about_the_words_place_and_differs_each_time():
    flat = torch.zeros(200, 280, 40)
    made = shaped(flat, np.random.default_rng(1), 200)
    assert made.shape == flat.shape and torch.isfinite(made).all()
    level = made.mean((0, 2))
    assert level[180:195].mean() > level[:80].mean() + 1 and level[180:195].mean() > level[250:].mean() + 1
    assert (made[0] - made[1]).abs().mean() > 0.1
    # Frames next to each other belong together: it is a sound and not other noise.
    assert (made[:, 1:] - made[:, :-1]).abs().mean() < 0.3 * made.std()


def test_the_places_of_a_word_that_are_right_are_known_for_it_and_for_its_neighbours(tmp_path):
    row = lambda group, name, said: {
        "first": 0, "count": 200, "group": group, "split": "train", "speaker": "kokoro-edits/af", "source": name,
        "in_passing": False, "events": [[0.5, 1.0, name, said]],
    }  # fmt: skip
    part = tmp_path / "real"
    part.mkdir()
    np.save(part / "frames.npy", np.zeros((200, 40), np.float16))
    np.save(part / "phones.npy", np.zeros(200, np.int8))
    table = [
        row("wake", "alexa", 1), row("synthetic_neighbour", "[[AH L EH1 K S IY]]", -1), row("synthetic_soundalike", "", -1),
    ]  # fmt: skip
    (part / "table.json").write_text(json.dumps(table))
    store = Store(tmp_path, "train", ["alexa"], "AH L EH K S AH")
    assert [len(store.pools[kind]) for kind in ("real_address", "neural_neighbour", "neural_soundalike")] == [1, 1, 1]
    slots = lambda kind: store.slots(store.pools[kind], 6)[0, 0].tolist()
    assert slots("real_address") == [1] * 6
    assert slots("neural_neighbour") == [1] * 5 + [0]
    assert slots("neural_soundalike") == [-1] * 6
