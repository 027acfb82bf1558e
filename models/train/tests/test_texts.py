"""What the synthetic voices are given to say."""

from collections import Counter
from random import Random

from wakegate_train.texts import NEAREST, OTHER_NAMES, Texts, phrase_split, read_phrases, soundalike_file

WORDS = ("alexa", "alexa", "computer", "jarvis")


def deck(seed: int, split: str = "train") -> list:
    """The utterances of one deck."""
    return [said for unit in Texts(WORDS).deck(Random(seed), [split], 60) for said in unit]


def test_a_deck_has_its_balance() -> None:
    kinds = Counter(said.kind for seed in range(5) for said in deck(seed))
    assert kinds == {"address": 25, "mention": 25, "soundalike": 20, "speech": 5}


def test_a_word_listed_twice_is_said_about_twice_as_often() -> None:
    said = Counter(s.wake_word for seed in range(80) for s in deck(seed) if s.kind in ("address", "mention"))
    assert 1.5 < said["alexa"] / said["computer"] < 2.7
    others = sum(said[name] for name in OTHER_NAMES if name not in WORDS)
    assert others == 160


def test_train_decks_say_no_held_out_mention() -> None:
    held_out = {p for lines in read_phrases("mentions.txt").values() for p in lines if phrase_split(p) == "test"}
    assert len(held_out) > 50
    for seed in range(40):
        for said in deck(seed):
            if said.kind == "mention":
                text = said.text.replace(said.wake_word, "{w}").rstrip(".?!")
                assert text not in held_out


def test_no_soundalike_is_the_word_itself() -> None:
    for word, phrases in Texts(WORDS).soundalikes.items():
        assert len(phrases["train"]) > 150, word
        assert not [p for split in phrases.values() for p in split if word in p.lower().split()]


def test_the_nearest_phrases_are_said_like_the_word_and_none_is_kept_for_tests():
    made = Texts(("alexa", "jarvis"))
    assert "alexis" in made.nearest["alexa"] and len(made.nearest["jarvis"]) == 2 * NEAREST
    assert all(phrase_split(phrase) == "train" for near in made.nearest.values() for phrase in near)
    rng = Random(1)
    for _ in range(200):
        said = made.near(rng, 40)
        assert said.kind == "soundalike" and len(said.text) <= 40
        assert any(phrase.lower() in said.text.lower() for phrase in made.nearest[said.wake_word]), said


def test_a_name_that_is_a_greeting_is_greeted_no_second_time():
    made, rng = Texts(("alexa",)), Random(3)
    said = [made.address(rng, "train", "okay nabu").text.lower() for _ in range(300)]
    assert not [text for text in said if text.startswith(("hey", "okay okay", "ok "))]
    assert any(made.address(rng, "train", "alexa").text.startswith("hey alexa") for _ in range(300))


def test_the_files_of_a_word_of_several_parts_have_no_spaces():
    assert soundalike_file("okay nabu") == "soundalike_okay-nabu.txt"
    assert soundalike_file("okay nabu", "hand") == "soundalike_okay-nabu_hand.txt"
    assert "okay Google" in Texts(("okay nabu",), "OW K EY N AA B UW").by_ear["okay nabu"]
