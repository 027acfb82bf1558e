"""Beside other engines: detections of a real one are held and judged, and OVOS's plugin manager finds our verifier."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import DATA

import wakegate

RATE, CHUNK = 16_000, 1280


def samples(name: str) -> np.ndarray:
    """A recording of data/ as int16, with 2 s of quiet noise before and 1 s after."""
    soundfile = pytest.importorskip("soundfile")
    pcm, rate = soundfile.read(DATA / name, dtype="int16")
    assert rate == RATE
    noise = np.random.default_rng(1)
    quiet = [noise.normal(0, 8, seconds * RATE).astype(np.int16) for seconds in (2, 1)]
    return np.concatenate([quiet[0], pcm, quiet[1]])


def detections(pcm: np.ndarray) -> list[int]:
    """After which samples microWakeWord detects "alexa", 2 s or more apart."""
    engine = pytest.importorskip("pymicro_wakeword")
    spotter = engine.MicroWakeWord.from_builtin(engine.Model("alexa"))
    features, found = engine.MicroWakeWordFeatures(), []
    for at in range(CHUNK, len(pcm) + 1, CHUNK):
        heard = [spotter.process_streaming(frame) for frame in features.process_streaming(pcm[at - CHUNK : at].tobytes())]
        if any(heard) and (not found or at - found[-1] > 2 * RATE):
            found.append(at)
    return found


def held(gate: wakegate.Gate, pcm: np.ndarray, at: list[int], chunk: int = CHUNK) -> list[wakegate.Score]:
    """The scores of the detections at those samples, the audio coming in chunks."""
    confirm, scores = wakegate.Confirm(gate), []
    ends = sorted({*range(chunk, len(pcm) + 1, chunk), *at})
    for first, last in zip([0, *ends], ends):
        for detected, score in confirm.push(pcm[first:last].tobytes(), last if last in at else None):
            assert detected in at
            scores.append(score)
    return scores


@pytest.mark.parametrize(
    ("name", "expected"),
    [("alexa_lights.flac", "intended"), ("alexa_weather_room.flac", "intended"), ("mention_daughter.flac", "accidental"),
     ("alike_unacceptable.flac", "accidental")],
)  # fmt: skip
def test_what_another_engine_detects_is_held_and_judged(gate, name, expected):
    pcm = samples(name)
    at = detections(pcm)
    assert len(at) == 1
    [score] = held(gate, pcm, at)
    assert (score.verdict == "intended") == (expected == "intended"), score
    assert held(gate, pcm, at, chunk=333) == [score]


def test_held_detections_are_dropped_by_reset_and_bad_audio_raises(gate):
    confirm = wakegate.Confirm(gate)
    pcm = samples("alexa_lights.flac")
    assert confirm.push(pcm[:RATE], "alexa") == []
    confirm.reset()
    assert all(confirm.push(pcm[at : at + RATE]) == [] for at in range(RATE, len(pcm), RATE))
    for wrong in (np.zeros(8, np.float32), np.zeros((8, 2), np.int16), np.zeros(RATE + 1, np.int16)):
        with pytest.raises(ValueError, match="expected at most 1 s of int16"):
            confirm.push(wrong)


def up_to_the_word(name: str) -> bytes:
    """What a listener keeps: the 1.9 s up to a detection 0.15 s after the word's end."""
    words = (DATA / "words.tsv").read_text().splitlines()
    [row] = [line.split("\t") for line in words if line.startswith(name)]
    pcm = samples(name)
    end = 2 * RATE + round((float(row[2]) + 0.15) * RATE)
    return pcm[max(end - round(1.9 * RATE), 0) : end].tobytes()


@pytest.fixture
def verifier():
    wakewords = pytest.importorskip("ovos_plugin_manager.wakewords")
    assert "wakegate-verifier" in wakewords.find_wake_word_verifier_plugins()
    return wakewords.load_wake_word_verifier_plugin("wakegate-verifier")


def test_ovos_finds_the_verifier_and_it_judges(verifier):
    found = verifier(json.loads('{"enabled": true, "intended_at": 0.5}'))
    assert found.verify(up_to_the_word("alexa_alone.flac"))
    assert not found.verify(up_to_the_word("mention_daughter.flac"))


def test_the_verifier_fails_closed(verifier):
    assert not verifier({"model": "/nowhere"}).verify(up_to_the_word("alexa_alone.flac"))
    assert not verifier({"intended_at": 7}).verify(up_to_the_word("alexa_alone.flac"))
    for chunk in (b"", b"\0", b"\0\0"):
        assert not verifier({}).verify(chunk)
