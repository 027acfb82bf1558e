"""A stream's activations equal those of `wakegate listen`, whatever the chunks' sizes."""

import random
import threading

import numpy as np
import pytest
from conftest import lines, same
from test_scores import write_wav

import wakegate


@pytest.fixture(scope="module")
def stream(recordings, tmp_path_factory):
    soundfile = pytest.importorskip("soundfile")
    whole = np.concatenate([soundfile.read(path, dtype="int16")[0] for path in recordings])
    path = write_wav(tmp_path_factory.mktemp("stream") / "long.wav", whole, 16_000)
    return whole, path, lines("listen", "--input", path)


def pushed(listener, samples, sizes):
    found, at = [], 0
    while at < len(samples):
        size = next(sizes)
        found += listener.push(samples[at : at + size])
        at += size
    return found + listener.finish()


def forever(size):
    while True:
        yield size() if callable(size) else size


@pytest.mark.parametrize("size", [160, 320, 12_345, 10_000_000, lambda: random.Random().randint(0, 4_000)])
def test_chunks(gate, stream, size):
    samples, path, expected = stream
    assert len(expected) > 5 and {line["audio_s"] for line in expected} == {None}
    for array in (samples, samples.astype(np.float32) / np.float32(32_768)):
        listener = gate.listener(path=str(path))
        found = pushed(listener, array, forever(size))
        same([activation.as_dict() for activation in found], expected)
        assert listener.heard_s == len(samples) / 16_000


def test_another_rate_and_two_channels_score_as_the_file(gate, stream, tmp_path):
    samples, _, _ = stream
    samples = np.stack([np.repeat(samples, 3), np.repeat(samples // 2, 3)], 1)[: 48_000 * 40]
    path = write_wav(tmp_path / "48.wav", samples, 48_000)
    listener = gate.listener(48_000, channels=2, path=str(path))
    found = pushed(listener, samples, forever(960))
    same([activation.as_dict() for activation in found], lines("listen", "--input", path))
    with pytest.raises(wakegate.SettingsError, match="expected 2 channels, found 1"):
        listener.push(samples[:, 0])


def test_an_error_stops_the_stream_until_it_is_reset(gate, stream):
    samples, path, expected = stream
    bad = samples.astype(np.float32) / np.float32(32_768)
    bad[-1] = np.inf
    listener = gate.listener(path=str(path))
    with pytest.raises(wakegate.AudioError, match="found inf at sample"):
        listener.push(bad)
    with pytest.raises(wakegate.AudioError):
        listener.push(samples)
    listener.reset()
    same([a.as_dict() for a in pushed(listener, samples, forever(8_000))], expected)
    for call in (listener.finish, lambda: listener.push(samples)):
        with pytest.raises(wakegate.AudioError, match="the stream has ended"):
            call()


def test_threads_with_a_listener_each(gate, stream):
    samples, path, expected = stream
    found: dict[int, list] = {}

    def work(number: int) -> None:
        listener = gate.listener(path=str(path))
        found[number] = pushed(listener, samples, forever(700 * (number + 1)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for activations in found.values():
        same([activation.as_dict() for activation in activations], expected)
    assert len(found) == 3


def test_the_word_comes_before_its_verdict(gate, stream):
    samples, path, expected = stream
    listener = gate.listener(path=str(path))
    words, activations = {}, []
    for at in range(0, len(samples), 320):
        activations += listener.push(samples[at : at + 320])
        words |= {word.activation: (word, at + 320) for word in listener.words}
    activations += listener.finish()
    assert [a.activation for a in activations] == [line["activation"] for line in expected]
    said = [a for a in activations if a.word_decided_s is not None]
    assert {a.activation for a in said} == set(words) and len(said) > 5
    for activation in said:
        word, pushed_samples = words[activation.activation]
        assert word.word_decided_s == activation.word_decided_s <= activation.decided_s
        assert word.end_s < word.word_decided_s <= pushed_samples / 16_000
        assert word.wake_word == activation.wake_word == "alexa"
        assert 0 < word.p_wake_word <= 1
