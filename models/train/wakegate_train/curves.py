"""What the pictures show, as numbers: detection error trade-off, reliability, Brier score."""

from __future__ import annotations

import numpy as np

from .peers import Trace, events


def clip_scores(told: list[dict]) -> np.ndarray:
    """p_intended of each clip as the whole of wakegate gives it: 0 where its spotter proposes nothing."""
    return np.array([line["p_intended"] if line["end_s"] is not None else 0.0 for line in told])


def corners(miss: np.ndarray, false: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The points at which a stepped curve turns: those between two others on one straight line are dropped."""
    keep = np.ones(len(miss), dtype=bool)
    for side in (miss, false):
        keep[1:-1] &= ~((side[1:-1] == side[:-2]) & (side[1:-1] == side[2:]))
    return miss[keep], false[keep]


def det(positive: np.ndarray, negative: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(miss rate, share of the negatives accepted) at every threshold that changes either; the misses fall.

    A score of 0 is never accepted: there is no threshold at which an engine fires on nothing.
    """
    cuts = np.unique(np.concatenate([positive, negative, [np.inf]]))[::-1]
    cuts = cuts[cuts > 0]
    miss = np.array([(positive < cut).mean() for cut in cuts])
    false = np.array([(negative >= cut).mean() for cut in cuts])
    return corners(miss, false)


def det_streams(positive: np.ndarray, counts: list[tuple[float, int]], hours: float) -> tuple[np.ndarray, np.ndarray]:
    """(miss rate, false accepts an hour) at each (threshold, false accepts at it); nothing where there was no audio."""
    if hours == 0:
        return np.zeros(0), np.zeros(0)
    miss = np.array([(positive < cut).mean() for cut, _ in counts])
    return corners(miss, np.array([count / hours for _, count in counts]))


def activation_counts(activations: list[dict], positive: np.ndarray) -> list[tuple[float, int]]:
    """(threshold, activations at or above it) for wakegate, from the strictest threshold on."""
    scores = np.array([a["p_intended"] for a in activations])
    cuts = np.unique(np.concatenate([scores, positive[positive > 0], [1.0]]))[::-1]
    return [(float(cut), int((scores >= cut).sum())) for cut in cuts]


def event_counts(traces: list[Trace], positive: np.ndarray, most: int = 80) -> list[tuple[float, int]]:
    """(threshold, detections at or above it) for an engine with a score after each chunk, from the strictest on.

    At most `most` thresholds, spread over the scores that occur: each is a pass over all traces.
    """
    scores = np.unique([s for trace in traces for _, s in trace] + list(positive[positive > 0]) + [1.0])
    cuts = np.unique(np.quantile(scores, np.linspace(0, 1, most)))[::-1]
    return [(float(cut), sum(len(events(trace, np.nextafter(cut, 0))) for trace in traces)) for cut in cuts]


def reliability(probability: np.ndarray, truth: np.ndarray, bins: int = 10) -> list[tuple[float, int, int]]:
    """(mean probability, how many are true, how many there are) of each bin of equal width that is not empty."""
    place = np.minimum((probability * bins).astype(int), bins - 1)
    return [
        (float(probability[place == b].mean()), int(truth[place == b].sum()), int((place == b).sum()))
        for b in range(bins)
        if (place == b).any()
    ]


def brier(probability: np.ndarray, truth: np.ndarray) -> float:
    """Mean squared difference of probability and truth: 0 is perfect, 0.25 is a coin's 0.5 every time."""
    return float(((probability - truth) ** 2).mean())
