"""Test clips made as the peers are tested: quiet noise around a clip, pink noise at a stated SNR.

The SNR is Picovoice's (wake-word-benchmark): the highest energy of a 2048-sample frame of the speech
over that of the noise. It reads higher than the usual mean-power SNR of the same mixture.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from . import augment, corpus

SNRS = (None, 10, 5, 0)
BEFORE_S, AFTER_S = 2.0, 1.0
QUIET = 1e-4
"""RMS of the quiet noise around a clip: -80 dB of full scale."""


def pink(samples: int, rng: np.random.Generator) -> np.ndarray:
    """Noise whose power falls by 3 dB an octave above 20 Hz, at unit RMS."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    hertz = np.fft.rfftfreq(samples, 1 / corpus.RATE)
    spectrum /= np.sqrt(np.maximum(hertz, 20.0))
    noise = np.fft.irfft(spectrum, samples)
    return (noise / np.sqrt((noise**2).mean())).astype(np.float32)


def peak_frame_energy(samples: np.ndarray, frame: int = 2048) -> float:
    """The highest energy of any whole frame."""
    whole = samples[: max(1, len(samples) // frame) * frame]
    return float((whole.reshape(-1, min(frame, len(whole))) ** 2).sum(axis=1).max())


def padded(clip: np.ndarray, snr_db: float | None, rng: np.random.Generator) -> np.ndarray:
    """A clip with 2 s before and 1 s after it, in pink noise at `snr_db` or in near silence."""
    clip = augment.level(augment.trim_zeros(clip))
    whole = np.concatenate([np.zeros(int(BEFORE_S * corpus.RATE)), clip, np.zeros(int(AFTER_S * corpus.RATE))])
    noise = pink(len(whole), rng)
    if snr_db is None:
        return (whole + QUIET * noise).astype(np.float32)
    scale = np.sqrt(peak_frame_energy(clip) / (peak_frame_energy(noise) * 10 ** (snr_db / 10)))
    mixed = whole + scale * noise
    return (mixed * min(1.0, 0.95 / np.abs(mixed).max())).astype(np.float32)


def write(clips: list[tuple[str, np.ndarray]], snr_db: float | None, folder: Path, seed: int) -> list[Path]:
    """Writes a WAV file for each (name, samples); the noise of a clip depends on its name and the seed alone."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, samples in clips:
        rng = np.random.default_rng([seed, int(corpus.share(name) * 2**31)])
        path = folder / (name.replace("/", "_").rsplit(".", 1)[0] + ".wav")
        soundfile.write(path, padded(samples, snr_db, rng), corpus.RATE, subtype="PCM_16")
        paths.append(path)
    return paths
