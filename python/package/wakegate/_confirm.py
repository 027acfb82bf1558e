"""Another engine's detections, held until they are judged."""

from __future__ import annotations

from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from wakegate._results import Score
from wakegate._wakegate import Gate

T = TypeVar("T")

_RATE = 16_000
_MARGIN_S = 0.1
"""Kept around the verifier's window: frames overlap its ends."""


class Confirm(Generic[T]):
    """Holds what another engine detects in a stream until wakegate has judged it.

    >>> confirm = wakegate.Confirm(gate)
    >>> for chunk in microphone:
    ...     detected = "alexa" if engine.hears(chunk) else None
    ...     for word, score in confirm.push(chunk, detected):
    ...         if score.verdict == "intended":
    ...             wake(word)

    A detection is judged once the audio after its word was heard: as a rule 0.8 s after it. What the engine can't detect, this
    doesn't either; and what can't be judged raises, so that nothing wakes.

    Args:
        gate: what judges.
        lag_s: how long after the end of the word the engine reports it, in seconds; the verifier doesn't mind 0.15
            more or less.
    """

    def __init__(self, gate: Gate, *, lag_s: float = 0.15) -> None:
        model = gate.model
        self._gate = gate
        self._lag = round(lag_s * _RATE)
        self._before = round((model.before_s + _MARGIN_S) * _RATE)
        self._after = round((model.after_s + _MARGIN_S) * _RATE)
        self._tail = np.zeros(self._before + self._lag + self._after + _RATE, np.int16)
        self._heard = 0
        self._waiting: list[tuple[T, int]] = []

    def push(self, chunk: bytes | npt.NDArray[np.int16], detected: T | None = None) -> list[tuple[T, Score]]:
        """Takes the next audio, and what the engine detected at its end, if it did.

        Args:
            chunk: 16 kHz mono, signed 16-bit (little-endian in bytes), at most 1 s.
            detected: the engine's detection, anything but None; handed back with its score.

        Returns:
            The detections that have become certain, each with its score, in the order in which they came.
        """
        samples = np.frombuffer(chunk, "<i2") if isinstance(chunk, (bytes, bytearray, memoryview)) else chunk
        if samples.ndim != 1 or samples.dtype != np.int16 or len(samples) > _RATE:
            raise ValueError(f"expected at most 1 s of int16 samples in one channel, found {samples.dtype} {samples.shape}")
        if len(samples):
            self._tail[: -len(samples)] = self._tail[len(samples) :]
            self._tail[-len(samples) :] = samples
        self._heard += len(samples)
        if detected is not None:
            self._waiting.append((detected, max(self._heard - self._lag, 1)))
        due = [held for held in self._waiting if self._heard >= held[1] + self._after]
        self._waiting = self._waiting[len(due) :]
        return [(held, self._judge(end)) for held, end in due]

    def reset(self) -> None:
        """Forgets the stream: what was held is dropped, and its audio overwritten."""
        self._tail.fill(0)
        self._heard = 0
        self._waiting.clear()

    def _judge(self, end: int) -> Score:
        last = len(self._tail) - self._heard + end
        first = max(last - self._before, len(self._tail) - self._heard, 0)
        return self._gate.score(self._tail[first : last + self._after], _RATE, trigger_s=(last - first) / _RATE)
