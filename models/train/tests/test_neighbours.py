"""What is a phoneme away from a word, what an accent makes of it, and how engines and networks are told."""

from random import Random

import pytest

from wakegate_train import neighbours
from wakegate_train.engines import Espeak
from wakegate_train.kokoro import phonemes
from wakegate_train.neighbours import Pronounced, accents, draw, edits, first_edit, kept, parse, spelled
from wakegate_train.texts import Texts, phrase_split

ALEXA = parse("[[AH L EH1 K S AH]]")
COMPUTER = parse("[[K AH M P Y UW1 T ER]]")


def test_phones_in_a_text_are_read_and_written_alike():
    assert ALEXA == Pronounced(("AH", "L", "EH", "K", "S", "AH"), 2)
    assert parse(ALEXA.text()) == ALEXA
    assert spelled("hey [[AH L EH1 K S IY]], stop") == {"qqahlehksiy": "AH L EH K S IY"}


@pytest.mark.parametrize(("word", "said"), [(ALEXA, "IH L EH K S ER"), (ALEXA, "AE L EH K S AA"), (COMPUTER, "K AH M P Y UW D AH")])
def test_what_accents_make_of_a_word_is_no_neighbour(word, said):
    phones = tuple(said.split())
    assert phones in accents(word)
    assert all(neighbour.word.phones != phones for neighbour, _ in edits(word))


@pytest.mark.parametrize("word", [ALEXA, COMPUTER, parse("[[JH AA1 R V AH S]]")])
def test_every_neighbour_is_one_edit_away_and_none_is_the_word(word):
    found = [neighbour for neighbour, _ in edits(word)]
    assert len({neighbour.word.phones for neighbour in found}) == len(found) > 100
    for neighbour in found:
        assert neighbour.word.phones != word.phones
        assert abs(len(neighbour.word.phones) - len(word.phones)) <= 1
        right = kept(word.phones, neighbour.word.phones)
        assert 1 <= sum(one is not True for one in right) <= 2, neighbour
        assert neighbour.word.phones[neighbour.word.stressed] in neighbours.VOWELS
    assert {(n.edit, n.place) for n in found} == {(edit, place) for edit in neighbours.EDITS for place in neighbours.PLACES}


@pytest.mark.parametrize(
    ("said", "right", "edit"),
    [
        ("AH L EH K S IY", [True] * 5 + [False], ("replaced", "end")),
        ("AH EH K S AH", [True, False, True, True, True, True], ("dropped", "start")),
        ("AH L EH K T S AH", [True, True, True, None, None, True], ("added", "middle")),
        ("D AH L EH K S AH", [None, True, True, True, True, True], ("added", "start")),
    ],
)
def test_the_phones_of_the_word_that_are_wrong_are_known(said, right, edit):
    phones = tuple(said.split())
    assert kept(ALEXA.phones, phones) == right
    assert first_edit(ALEXA.phones, phones) == edit


def test_each_kind_of_edit_is_drawn_at_each_place_and_the_word_never():
    rng = Random(1)
    drawn = [draw(ALEXA, rng) for _ in range(900)]
    assert not {neighbour.word.phones for neighbour in drawn} & accents(ALEXA)
    counts = {(e, p): sum((n.edit, n.place) == (e, p) for n in drawn) for e in neighbours.EDITS for p in neighbours.PLACES}
    assert min(counts.values()) > 60, counts


def test_engines_say_the_phones_as_they_stand():
    assert phonemes("[[AH L EH1 K S IY]], stop.", "en-us").startswith("əlˈɛksi, ")
    assert ALEXA.espeak() == "[[@l'Eks@]]"
    assert ALEXA.festival() == "(((ah l eh k s ah) 1))"
    (samples, _), (other, _) = Espeak().say([("en-us", text, Random(1)) for text in (ALEXA.text(), "[[AH]]")])
    assert len(samples) > len(other)


def test_a_neighbour_is_said_in_the_words_that_the_wake_word_is_said_in():
    texts = Texts(("alexa",), "AH L EH K S AH")
    rng = Random(2)
    pairs = [unit for _ in range(200) if len(unit := texts.edited(rng, "train", 40)) == 2]
    assert len(pairs) > 120
    for address, near in pairs:
        assert (address.kind, near.kind) in {("address", "neighbour"), ("address", "soundalike")}
        spelled_out = neighbours.SPELLED.search(near.text)
        if spelled_out:
            assert near.text.replace(spelled_out[0], "alexa") == address.text
            assert phrase_split(spelled_out[0]) == "train"
