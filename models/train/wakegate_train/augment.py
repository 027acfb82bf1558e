"""Waveform augmentation: other voices, rooms, microphones and codecs from the recordings there are.

Every class passes through the same chain with the same odds, so that none of it tells a label.
What is cheap on log-mel features (noise, gain, masking) is done there, fresh in each epoch: data.py.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from scipy.signal import butter, fftconvolve, resample_poly, sosfilt

from .corpus import RATE


def trim_zeros(samples: np.ndarray, least: int = RATE // 50) -> np.ndarray:
    """Cuts runs of digital zeros off both ends when they are longer than `least` samples.

    Some sets are padded with zeros and others are not; a network would find that.
    """
    nonzero = np.flatnonzero(samples)
    if len(nonzero) == 0:
        return samples
    start, end = nonzero[0], nonzero[-1] + 1
    start = start if start > least else 0
    end = end if len(samples) - end > least else len(samples)
    return samples[start:end]


def respeed(samples: np.ndarray, speed: float) -> np.ndarray:
    """Plays faster or slower with pitch and formants moving along: another vocal tract and tempo."""
    ratio = Fraction(1 / speed).limit_denominator(60)
    return resample_poly(samples, ratio.numerator, ratio.denominator).astype(np.float32)


def made_room(rng: np.random.Generator) -> np.ndarray:
    """A simulated room: a direct path and an exponentially decaying diffuse tail.

    Reverberation time 0.15 to 0.8 s, direct-to-reverberant ratio -3 to 15 dB (Polack's model).
    """
    seconds = rng.uniform(0.15, 0.8)
    length = int(seconds * RATE)
    tail = rng.standard_normal(length) * np.exp(-6.9 * np.arange(length) / length)
    tail[: int(rng.uniform(0.001, 0.006) * RATE)] = 0
    tail *= 10 ** (-rng.uniform(-3, 15) / 20) / np.sqrt((tail**2).sum() + 1e-9)
    tail[0] += 1.0
    return tail.astype(np.float32)


def usable_room(response: np.ndarray) -> np.ndarray | None:
    """A measured impulse response from its direct peak on, or None if it is no room (hall, effect).

    Rooms of a home decay by 20 dB within half a second.
    """
    peak = int(np.abs(response).argmax())
    response = response[peak : peak + RATE].astype(np.float32)
    energy = np.cumsum(response[::-1] ** 2)[::-1]
    if len(response) < 100 or energy[0] == 0:
        return None
    late = energy[min(RATE // 2, len(energy) - 1)] / energy[0]
    return response / np.sqrt(energy[0]) if late < 0.01 else None


def reverberate(samples: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Speech in a room; the direct path stays where it was, the level stays about the same."""
    wet = fftconvolve(samples, room)[: len(samples) + RATE // 5]
    level = np.sqrt((samples**2).mean() / ((wet**2).mean() + 1e-12))
    return (wet * level).astype(np.float32)


def telephone(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Band limit of narrow-band telephony, often with 8-bit mu-law steps."""
    low, high = rng.uniform(80, 320), rng.uniform(3200, 3900)
    samples = sosfilt(butter(4, [low, high], "band", fs=RATE, output="sos"), samples).astype(np.float32)
    return mu_law(samples) if rng.random() < 0.5 else samples


def mu_law(samples: np.ndarray) -> np.ndarray:
    """8-bit mu-law (ITU-T G.711) there and back."""
    peak = np.abs(samples).max() + 1e-9
    coded = np.sign(samples) * np.log1p(255 * np.abs(samples) / peak) / np.log(256)
    coded = np.round(coded * 127) / 127
    return (np.sign(coded) * (256 ** np.abs(coded) - 1) / 255 * peak).astype(np.float32)


def microphone(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Random low cut, high cut and shelf: microphones differ most at the ends of the band."""
    if rng.random() < 0.5:
        samples = sosfilt(butter(1, rng.uniform(60, 300), "high", fs=RATE, output="sos"), samples)
    if rng.random() < 0.4:
        samples = sosfilt(butter(1, rng.uniform(3000, 7500), "low", fs=RATE, output="sos"), samples)
    if rng.random() < 0.3:
        shelf = sosfilt(butter(1, rng.uniform(800, 3000), "high", fs=RATE, output="sos"), samples)
        samples = samples + shelf * rng.uniform(-0.6, 1.5)
    return np.asarray(samples, dtype=np.float32)


def clip(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Overdriven: the top 0.1 to 3 % of samples flattened."""
    limit = np.quantile(np.abs(samples), 1 - rng.uniform(0.001, 0.03))
    return np.clip(samples, -limit, limit) if limit > 0 else samples


def level(samples: np.ndarray, peak: float = 0.5) -> np.ndarray:
    """Scaled to a peak that leaves headroom in 16 bits; loudness itself is varied on the features."""
    top = np.abs(samples).max()
    return samples if top == 0 else (samples * (peak / top)).astype(np.float32)


def variant(samples: np.ndarray, rooms: list[np.ndarray], rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """One augmented version and the factor by which its time axis was stretched."""
    speed = float(Fraction(rng.uniform(0.86, 1.16)).limit_denominator(60)) if rng.random() < 0.8 else 1.0
    if speed != 1.0:
        samples = respeed(samples, speed)
    if rng.random() < 0.5:
        measured = rooms and rng.random() < 0.5
        samples = reverberate(samples, rooms[rng.integers(len(rooms))] if measured else made_room(rng))
    if rng.random() < 0.6:
        samples = microphone(samples, rng)
    if rng.random() < 0.15:
        samples = clip(samples, rng)
    if rng.random() < 0.2:
        samples = telephone(samples, rng)
    return level(samples), 1 / speed
