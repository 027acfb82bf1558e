"""The noise of the test clips is what its definition says."""

import numpy as np
import pytest

from wakegate_train import trials


def tone(seconds: float = 1.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * 440 * np.arange(int(16_000 * seconds)) / 16_000)).astype(np.float32)


@pytest.mark.parametrize("snr", [10, 5, 0])
def test_peak_frame_snr_is_as_asked(snr):
    clip = tone()
    mixed = trials.padded(clip, snr, np.random.default_rng(1))
    start = int(trials.BEFORE_S * 16_000)
    noise = np.concatenate([mixed[:start], mixed[start + len(clip) :]])
    speech_energy = trials.peak_frame_energy(mixed[start : start + len(clip)]) - (noise**2).mean() * 2048
    measured = 10 * np.log10(speech_energy / trials.peak_frame_energy(noise))
    assert measured == pytest.approx(snr, abs=1.5)


def test_pink_noise_falls_by_3_db_an_octave():
    noise = trials.pink(16_000 * 20, np.random.default_rng(2))
    power = np.abs(np.fft.rfft(noise)) ** 2
    hertz = np.fft.rfftfreq(len(noise), 1 / 16_000)
    octave = lambda low: power[(hertz >= low) & (hertz < 2 * low)].mean()
    for low in (100, 200, 400, 800, 1600):
        assert 10 * np.log10(octave(low) / octave(2 * low)) == pytest.approx(3.0, abs=0.5)


def test_a_clip_has_its_room_before_and_after():
    clip = tone(0.5)
    assert len(trials.padded(clip, None, np.random.default_rng(3))) == len(clip) + 3 * 16_000
