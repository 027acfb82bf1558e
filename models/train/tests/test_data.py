"""Noise that is shaped, and what is known of the places of a word."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="only training needs it")

from wakegate_train.data import HARD, Augment, Store, join, shaped  # noqa: E402
from wakegate_train.losses import verifier_loss  # noqa: E402
from wakegate_train.nets import Judgement, Verifier  # noqa: E402
from wakegate_train.sampling import NOISY, Batch, Sampler  # noqa: E402


def test_shaped_noise_is_loudest_about_the_words_place_and_differs_each_time():
    flat = torch.zeros(200, 280, 40)
    made = shaped(flat, np.random.default_rng(1), 200)
    assert made.shape == flat.shape and torch.isfinite(made).all()
    level = made.mean((0, 2))
    assert level[180:195].mean() > level[:80].mean() + 1 and level[180:195].mean() > level[250:].mean() + 1
    assert (made[0] - made[1]).abs().mean() > 0.1
    # Frames next to each other belong together: it is a sound and not other noise.
    assert (made[:, 1:] - made[:, :-1]).abs().mean() < 0.3 * made.std()


@pytest.fixture
def store(tmp_path):
    """The word, a neighbour of it and a sound-alike, as loud as each other, and quiet noise."""
    row = lambda at, group, name, said: {
        "first": 200 * at, "count": 200, "group": group, "split": "train", "speaker": "kokoro-edits/af", "source": name,
        "in_passing": False, "events": [[0.5, 1.0, name, said]] if name else [],
    }  # fmt: skip
    part = tmp_path / "real"
    part.mkdir()
    frames = np.random.default_rng(2).normal(0, 0.1, (800, 40)).astype(np.float16)
    np.save(part / "frames.npy", frames)
    np.save(part / "phones.npy", np.zeros(800, np.int8))
    table = [
        row(0, "wake", "alexa", 1), row(1, "synthetic_neighbour", "[[AH L EH1 K S IY]]", -1),
        row(2, "synthetic_soundalike", "alexis", -1), row(3, "noise_white", "", -1),
    ]  # fmt: skip
    (part / "table.json").write_text(json.dumps(table))
    return Store(tmp_path, "train", ["alexa"], "AH L EH K S AH")


def test_noise_never_hides_what_makes_a_near_word_another_word(store):
    near = store.pools["neural_neighbour"]
    frames, _ = store.window(np.repeat(near.utterance, 400), np.repeat(near.anchor - 100, 400), 200)
    frames[:, 60:] -= 8.0
    steps = lambda least: (
        Augment(store, np.random.default_rng(3))(frames, (0, 60), 0.0, None if least is None else np.full(400, least))
    )
    # Where the word's power is left, its own frames stand out of those that hold nothing but noise.
    heard = lambda made: (made[:, :60].mean((1, 2)) - made[:, 60:].mean((1, 2)) > 1.0).float().mean()
    assert heard(steps(HARD)) > 0.95
    assert heard(steps(-0.3)) < heard(steps(None)) < 0.85


def test_a_wake_word_is_heard_in_more_noise_than_a_near_word(store):
    sampler = Sampler(store, Verifier(1), 4)
    pool = join([store.pools[kind] for kind in ("real_address", "neural_neighbour", "neural_soundalike")])
    assert sampler.least(pool, store.slots(pool, 4)).tolist() == [NOISY, HARD, HARD]
    # As heard after an edit: a place that is wrong.
    pool.word[0] = -1
    assert sampler.least(pool, np.array([[[1, 1, 0, 1]]] * 3)).tolist() == [HARD] * 3


def test_the_places_of_a_word_that_are_right_are_known_for_it_and_for_its_neighbours(store):
    kinds = ("real_address", "neural_neighbour", "neural_soundalike")
    assert [len(store.pools[kind]) for kind in kinds] == [1, 1, 1]
    slots = [store.slots(store.pools[kind], 6)[0, 0].tolist() for kind in kinds]
    assert slots == [[1] * 6, [1] * 5 + [0], [-1] * 6]


def test_noise_was_not_said_to_the_device(store):
    pool = Sampler(store, Verifier(1), 4).draw(100)
    noise = store.is_noise[pool.utterance]
    assert noise.sum() >= 7 and (pool.addressed[noise] == 0).all() and (pool.word[noise] == -1).all()


def test_what_the_earlier_network_is_wrong_about_is_not_kept():
    def held_loss(label: float, teacher: float) -> float:
        blank = torch.zeros(2, 1)
        batch = Batch(
            features=torch.zeros(2, 4, 40), phones=torch.full((2, 4), -1), wake=blank, addressed=torch.full((2,), label),
            edges=torch.zeros(2, 2), has_edges=torch.zeros(2), slots=torch.zeros(2, 1, 0),
        )  # fmt: skip
        heard = Judgement(blank, torch.zeros(2), torch.zeros(2, 2, 4), torch.zeros(2, 40, 4), torch.zeros(2, 1, 0))
        return verifier_loss(heard, batch, torch.zeros(4), 0.0, torch.full((2,), teacher))[1]["held"].item()

    assert held_loss(1.0, 0.9) > 0.5 and held_loss(0.0, 0.1) > 0.5 and held_loss(-1.0, 0.9) > 0.5
    assert held_loss(0.0, 0.9) == 0 and held_loss(1.0, 0.1) == 0
