"""Neighbours made of recordings: what is put where, and that a word mended with its own phones stays the word."""

from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="only training needs it")
pytest.importorskip("onnx", reason="only training needs it")

from wakegate_train.align import PHONE_INDEX, PHONE_NAMES  # noqa: E402
from wakegate_train.data import places  # noqa: E402
from wakegate_train.edited import Editor, put, runs  # noqa: E402
from wakegate_train.neighbours import pronunciation  # noqa: E402

SPELLED = ("AH", "L", "EH", "K", "S", "AH")
LONG = 8


def store() -> SimpleNamespace:
    """Speech of every phone once, each frame as loud as its class, and the word behind it."""
    names = [name for name in PHONE_NAMES if name != "SIL"]
    classes = torch.tensor([PHONE_INDEX[name] for name in [*names, *SPELLED] for _ in range(LONG)], dtype=torch.int8)
    return SimpleNamespace(
        speech=np.array([0]), first=np.array([0]), count=np.array([len(classes)]), phones=classes,
        frames=classes[:, None].repeat(1, 40).float(), spelled={"alexa": SPELLED}, pronounced={"alexa": pronunciation("alexa")},
    )  # fmt: skip


def word() -> tuple["torch.Tensor", "torch.Tensor"]:
    """Frames of the word with silence before and after it, and their phones."""
    named = ["SIL"] * 60 + [name for name in SPELLED for _ in range(LONG)] + ["SIL"] * 20
    return torch.zeros(len(named), 40), torch.tensor([PHONE_INDEX[name] for name in named])


def said(phones: "torch.Tensor") -> tuple[str, ...]:
    return tuple(PHONE_NAMES[which] for which, _, _ in runs(phones.numpy()) if PHONE_NAMES[which] != "SIL")


def test_the_words_end_stays_where_it_was():
    frames, phones = word()
    put(frames, phones, 60, 60 + LONG, torch.ones(3, 40), "IY")
    assert (len(frames), len(phones)) == (len(word()[0]),) * 2
    assert said(phones) == ("IY", *SPELLED[1:])
    assert torch.equal(phones[60 + LONG :], word()[1][60 + LONG :])


def test_an_edit_makes_a_neighbour_and_says_which_phones_are_wrong():
    editor = Editor(store(), np.random.default_rng(1))
    made = 0
    for _ in range(40):
        frames, phones = word()
        right = editor.change("alexa", frames, phones, 56, 60 + 6 * LONG + 4, wrong=True)
        if right is None:
            assert said(phones) == SPELLED, "what could not be edited is as it was"
            continue
        made += 1
        assert said(phones) not in editor.said["alexa"]
        assert right != [True] * len(SPELLED)
    assert made > 20


def test_a_mended_word_is_the_word():
    editor = Editor(store(), np.random.default_rng(2))
    frames, phones = word()
    assert editor.change("alexa", frames, phones, 56, 60 + 6 * LONG + 4, wrong=False) == [True] * len(SPELLED)
    assert said(phones) == SPELLED
    assert (frames != 0).any(), "another voice says one of its phones"


def test_a_word_that_is_not_said_phone_by_phone_is_left_alone():
    editor = Editor(store(), np.random.default_rng(3))
    frames, phones = word()
    phones[60 : 60 + LONG] = PHONE_INDEX["SIL"]
    assert editor.change("alexa", frames, phones, 56, 60 + 6 * LONG + 4, wrong=True) is None


def test_places_of_the_word():
    assert pronunciation("alexa").phones == SPELLED
    assert places([True, True, False, True, None, True], 6) == [1, 1, 0, 1, -1, 1]
    assert places([True, False], 4) == [1, 1, 0, 0]
