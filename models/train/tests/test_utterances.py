"""Which name a recording holds, and where."""

import numpy as np

from wakegate_train import corpus
from wakegate_train.intent import words_of
from wakegate_train.utterances import Event, Utterance, as_name, joins, real, rejoined, synthetic, word_event

WORDS = {"alexa", "computer", "jarvis"}


def test_a_name_that_ends_with_the_wake_word_is_the_wake_word() -> None:
    assert as_name("hey computer", WORDS) == "computer"
    assert as_name("computer", WORDS) == "computer"
    assert as_name("smart mirror", WORDS) == "smart mirror"
    assert as_name("", WORDS) == ""


def test_the_genitive_is_found_as_the_name() -> None:
    words = [{"word": w, "start": i, "end": i + 1.0} for i, w in enumerate(["is", "alexa's", "mother", "here"])]
    assert word_event(words, "alexa") == (1, 2.0)
    assert word_event(words, "jarvis") is None
    assert word_event(None, "alexa") is None


def recording(dataset: str, label: str, kind: str = "wakeword") -> corpus.Recording:
    """A recording of one word."""
    return corpus.Recording("a.opus", dataset, kind, label, "someone", "train", label)


def test_recordings_of_the_word_are_events_of_it() -> None:
    samples = np.concatenate([np.zeros(8000), np.random.default_rng(1).standard_normal(8000), np.zeros(8000)]).astype("f4")
    found = real(recording("own", "jarvis"), samples, None, WORDS)
    (event,) = found.events
    assert (found.group, event.name, event.addressed) == ("wake", "jarvis", 1)
    assert abs(event.start - 0.5) < 0.02 and abs(event.end - 1.0) < 0.02
    other = real(recording("precise_community", "athena"), samples, None, WORDS)
    assert (other.group, other.events[0].name) == ("precise_community", "athena")
    assert real(recording("precise_community", "athena", "confusable"), samples, None, WORDS).events == []


def said(name: str, end: float, seconds: float, value: float, addressed: int = 1, speaker: str = "kokoro/a") -> Utterance:
    """An utterance of one value that begins with a name."""
    group = "synthetic_address" if addressed else "synthetic_mention"
    samples = np.full(int(seconds * corpus.RATE), value, dtype="f4")
    phones = [("AA", 0.1, end), ("B", end, seconds)]
    return Utterance(samples, f"{name}.flac", group, "train", speaker, [Event(0.1, end, name, addressed)], phones)


def test_a_join_is_the_first_name_and_the_second_sentence() -> None:
    made = rejoined(said("alexa", 0.6, 2.0, 0.25), said("jarvis", 0.5, 1.5, -0.25))
    assert len(made.samples) == int(1.6 * corpus.RATE)
    assert (made.samples[: int(0.58 * corpus.RATE)] == 0.25).all() and (made.samples[int(0.61 * corpus.RATE) :] == -0.25).all()
    assert [event.name for event in made.events] == ["alexa"]
    assert [(name, round(a, 3), round(b, 3)) for name, a, b in made.phones] == [("AA", 0.1, 0.6), ("B", 0.6, 1.6)]


def test_only_one_voice_and_one_label_are_joined() -> None:
    speech = [
        said("alexa", 0.6, 2.0, 0.1),
        said("jarvis", 0.5, 1.5, 0.2),
        said("computer", 0.6, 0.7, 0.3),
        said("alexa", 0.6, 2.0, 0.4, addressed=0),
        said("alexa", 0.6, 2.0, 0.5, speaker="kokoro/b"),
    ]
    made = joins(speech, 2, np.random.default_rng(1))
    # Two sentences go on after the name; each gets the other names of its voice. Nothing else has a partner.
    assert sorted(u.source for u in made) == [
        "alexa.flac jarvis.flac", "computer.flac alexa.flac", "computer.flac jarvis.flac", "jarvis.flac alexa.flac",
    ]  # fmt: skip
    assert all(u.events[0].addressed == 1 and u.speaker == "kokoro/a" for u in made)


def test_a_genitive_of_the_word_is_another_word_in_passing() -> None:
    row = {"path": "a.flac", "engine": "kokoro", "voice": "af", "split": "train", "kind": "mention", "wake_word": "alexa"}
    samples = np.zeros(2 * corpus.RATE, dtype="f4")
    for text, word in (("Alexa's mother called", "alexa's"), ("Alexa called", "alexa")):
        words = [{"word": word, "start": 0.1, "end": 0.8, "phones": []}]
        made = synthetic(row | {"text": text}, samples, words, WORDS)
        assert made is not None and made.events == [Event(0.1, 0.8, word, 0)]


def test_a_sound_alike_is_where_its_phrase_is_and_not_all_that_is_said() -> None:
    row = {"path": "a.flac", "engine": "kokoro", "voice": "af", "split": "train", "kind": "soundalike", "wake_word": "alexa"}
    texts = (("Alexis, come here.", (0.0, 1.0)), ("A lexus passed.", (0.0, 2.0)), ("So let's say it.", (1.0, 3.0)), ("Nothing near it.", (0.0, 3.0)))
    for text, place in texts:
        words = [{"word": w, "start": float(i), "end": i + 1.0, "phones": []} for i, w in enumerate(words_of(text))]
        made = synthetic(row | {"text": text}, np.zeros(4 * corpus.RATE, dtype="f4"), words, WORDS)
        assert made is not None and made.events == [Event(*place, "", -1)], text
