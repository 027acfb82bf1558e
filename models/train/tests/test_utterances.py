"""Which name a recording holds, and where."""

import numpy as np

from wakegate_train import corpus
from wakegate_train.utterances import as_name, real, word_event

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
