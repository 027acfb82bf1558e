"""Draws batches: which candidates of each kind, and how each is heard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from . import nets
from .data import HARD, STEP, Augment, Pool, Store, join, places, shaped, take
from .edited import Editor

# Shares of a batch. Wake words said to the device are a third; the rest is what must not pass.
SHARES = {
    "real_address": 0.15,
    "real_mention": 0.03,
    "real_call": 0.02,
    "real_passing": 0.04,
    "real_other": 0.01,
    "neural_address": 0.11,
    "neural_mention": 0.06,
    "neural_call": 0.02,
    "neural_passing": 0.02,
    "neural_soundalike": 0.05,
    "neural_neighbour": 0.12,
    "formant_address": 0.01,
    "formant_mention": 0.02,
    "formant_call": 0.01,
    "formant_passing": 0.01,
    "formant_soundalike": 0.01,
    "formant_neighbour": 0.02,
}
ENOUGH = 400
"""Candidates from which a kind gets its whole share; fewer would be learned by heart."""
ANY, NOISE, MINED, EDITED = 0.02, 0.07, 0.06, 0.1
"""Shares of moments anywhere, of noise alone, of mined mistakes and of words whose audio is edited; running speech fills the rest."""
MENDED = 0.3
"""Share of the wake words of which one phone is replaced by the same phone of another voice."""
SHAPED = 0.5
"""Share of the windows of noise that are made to come and go like a word."""
PACED, PACE = 0.6, 0.18
"""Share of windows that are heard faster or slower at the same pitch, and by how much (natural log)."""
NOISY = -0.3
"""Where the draws of a wake word's noise begin (`Augment`): half of them are in hard noise."""
HELD = 0.1
"""Share of windows whose end is not heard yet, as at the moments of early verdicts."""
PHASES = 8
"""Frames by which the second of two hearings of a window may come later or sooner."""
HELD_FROM, HELD_TO = 25, 70
"""Frames after the word's end at which they are cut off."""


UNRECORDED = {"real_address": "neural_address", "real_mention": "neural_mention"}
"""What takes the share of a word's recordings where nobody has recorded it."""


def shares(store: Store, n: int) -> list[tuple[str, int]]:
    """How many of `n` candidates each kind of the pack gives; what they leave goes to running speech."""
    given = dict(SHARES)
    for kind, instead in UNRECORDED.items():
        if kind not in store.pools:
            given[instead] += given[kind]
    part = lambda kind: given[kind] * min(1.0, len(store.pools[kind]) / ENOUGH)
    return [(kind, round(part(kind) * n)) for kind in SHARES if kind in store.pools]


@dataclass
class Batch:
    """Verifier windows and their labels; -1 means unknown."""

    features: Tensor
    phones: Tensor
    wake: Tensor
    addressed: Tensor
    edges: Tensor
    has_edges: Tensor
    slots: Tensor


class Sampler:
    """Draws verifier batches by the shares above."""

    def __init__(self, store: Store, net: nets.Verifier, seed: int) -> None:
        self.store, self.before, self.after = store, net.before, net.after
        self.frames, self.slots = net.size.frames, net.size.slots
        self.rng = np.random.default_rng(seed)
        self.augment = Augment(store, self.rng)
        self.editor = Editor(store, self.rng)
        self.words = join([pool for kind, pool in store.pools.items() if kind.endswith(("_address", "_mention"))])
        self.mined: Pool | None = None

    def draw(self, n: int) -> Pool:
        """`n` candidates by share."""
        rng, parts = self.rng, []
        for kind, count in shares(self.store, n):
            part = self.store.draw(self.store.pools[kind], count, rng)
            if kind.endswith("soundalike"):
                # A false trigger may stand anywhere in the phrase, not just at its end.
                inside = rng.random(len(part)) < 0.5
                part.anchor = np.where(inside, rng.uniform(part.start + 15, part.anchor + 25), part.anchor)
            parts.append(part)
        if self.mined is not None and len(self.mined):
            parts.append(take(self.mined, rng.integers(len(self.mined), size=round(MINED * n))))
        parts.append(self.store.anywhere(self.store.speech, round(ANY * n), rng, -1))
        # Noise speaks to nobody: a rattle that resembles the word needs more than the word's own score to be refused.
        parts.append(self.store.anywhere(self.store.noise, round(NOISE * n), rng, 0))
        parts.append(self.store.draw(self.words, self.edited(n), rng))
        parts.append(self.store.anywhere(self.store.running, n - sum(map(len, parts)), rng, 0))
        # The words that `batch` edits stand last.
        return join([*parts[:-2], parts[-1], parts[-2]])

    def edited(self, n: int) -> int:
        """How many of `n` windows are of words whose audio is edited: none where nobody knows how the words are spelled."""
        return round(EDITED * n) if self.store.spelled else 0

    def edit(self, pool: Pool, frames: Tensor, phones: Tensor, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Edits the last EDITED of the windows and mends MENDED of the other words in place; the slots' labels [n, W, slots].

        Those that became neighbours are no wake word any more.
        """
        slots = self.store.slots(pool, self.slots)
        first = len(pool) - self.edited(len(pool))
        for row in np.flatnonzero(pool.word >= 0):
            if row < first and self.rng.random() >= MENDED:
                continue
            word = pool.word[row]
            begin, end = max(0, round(starts[row]) - 4), min(frames.shape[1], round(ends[row]) + 4)
            right = self.editor.change(self.store.words[word], frames[row], phones[row], begin, end, bool(row >= first))
            if right is not None and row >= first:
                slots[row, word] = places(right, self.slots)
                pool.word[row], pool.addressed[row] = -1, -1
        return slots

    def batch(self, n: int) -> Batch:
        """An augmented batch: every window twice, the second half of the batch PHASES frames sooner or later at most."""
        pool = self.draw(n // 2)
        half = len(pool)
        jitter = np.clip(self.rng.normal(0, 6, half), -18, 18)
        anchor = np.round(pool.anchor + jitter).astype(int)
        pace = np.where(self.rng.random(half) < PACED, np.exp(self.rng.uniform(-PACE, PACE, half)), 1.0)
        length, room = self.before + self.after, PHASES
        centre = self.before + room
        long, phones = self.store.window(pool.utterance, anchor - centre, length + 2 * room, pace, centre)
        slots = self.edit(pool, long, phones, centre + (pool.start - anchor) / pace, centre + (pool.anchor - anchor) / pace)
        bursts = np.flatnonzero(self.store.is_noise[pool.utterance] & (self.rng.random(half) < SHAPED))
        long[bursts] = shaped(long[bursts], self.rng, centre)
        long = self.augment(long, (centre - 70, centre + 5), least=self.least(pool, slots))
        later = self.rng.integers(-room, room + 1, half)
        features, heard = [], []
        for late in (np.zeros(half, dtype=int), later):
            place = torch.from_numpy(late)[:, None] + room + torch.arange(length)
            features.append(torch.take_along_dim(long, place[:, :, None], dim=1))
            heard.append(torch.take_along_dim(phones, place, dim=1))
        features, phones = torch.cat(features), torch.cat(heard)
        self.hold(features, phones)
        late = np.concatenate([np.zeros(half), later])
        pool = join([pool, pool])
        anchor, pace = np.tile(anchor, 2) + late * np.tile(pace, 2), np.tile(pace, 2)
        edges = np.stack([pool.start - anchor, pool.anchor - anchor], 1) * 0.01 / pace[:, None]
        known = np.abs(edges[:, 0]) < 1.5
        as_tensor = lambda values: torch.from_numpy(np.asarray(values, dtype=np.float32))
        return Batch(
            features, phones[:, self.frames // 2 :: self.frames], as_tensor(one_hot(pool.word, len(self.store.words))),
            as_tensor(pool.addressed), as_tensor(edges), as_tensor(known & (pool.word >= 0)),
            as_tensor(np.tile(slots, (2, 1, 1))),
        )  # fmt: skip

    def least(self, pool: Pool, slots: np.ndarray) -> np.ndarray:
        """Where the draws of each window's noise begin.

        What is no wake word by one sound is heard where that can be heard: a neighbour in hard noise would teach that a
        sound which noise hides is wrong, and the word in noise would be refused with it.
        """
        near = self.store.is_near[pool.utterance] | (slots == 0).any((1, 2))
        return np.where(near, HARD, np.where(pool.word >= 0, NOISY, 0.0))

    def hold(self, features: Tensor, phones: Tensor) -> None:
        """Repeats one frame to the end in a share of the windows [n, F, M], as early.rs and early.py do.

        Their phones [n, F] are unknown from there on.
        """
        n, length, _ = features.shape
        for row in np.flatnonzero(self.rng.random(n) < HELD):
            heard = min(length, self.before + int(self.rng.integers(HELD_FROM, HELD_TO + 1)))
            features[row, heard:] = features[row, heard - 1].clone()
            phones[row, heard:] = -1


def one_hot(word: np.ndarray, words: int) -> np.ndarray:
    """Indices [n], -1 for none, to [n, words] of 0 and 1."""
    return (word[:, None] == np.arange(words)[None, :]).astype(np.float32)


LENGTH = 480
"""Frames of a spotter sequence: 60 steps, 4.8 s."""


class SequenceSampler:
    """Draws spotter sequences: a target for each 80 ms step, -1 where it does not count."""

    def __init__(self, store: Store, seed: int) -> None:
        self.store = store
        self.rng = np.random.default_rng(seed)
        self.augment = Augment(store, self.rng)
        self.mined: Pool | None = None

    def batch(self, n: int) -> tuple[Tensor, Tensor, Tensor]:
        """Features [n, LENGTH, bands], targets [n, W, LENGTH / 8], phones [n, LENGTH]."""
        rng, store = self.rng, self.store
        parts = [store.draw(store.pools[kind], count, rng) for kind, count in shares(store, n)]
        if self.mined is not None and len(self.mined):
            parts.append(take(self.mined, rng.integers(len(self.mined), size=round(MINED * n))))
        parts.append(store.anywhere(store.noise, round(NOISE * n), rng, -1))
        parts.append(store.anywhere(store.running, n - sum(map(len, parts)), rng, 0))
        pool = join(parts)
        begin = np.round(pool.anchor - rng.uniform(90, LENGTH - 40, n)).astype(int)
        features, phones = store.window(pool.utterance, begin, LENGTH)
        targets = np.zeros((n, len(store.words), LENGTH // STEP), dtype=np.float32)
        ends = np.arange(LENGTH // STEP) * STEP + STEP + 1.5
        for row in range(n):
            for _, end, name, _ in store.table[pool.utterance[row]]["events"]:
                if (word := store.index(name)) >= 0:
                    late = ends - (end * 100 - begin[row])
                    targets[row, word] = np.where((late > -24) & (late < 64), -1, targets[row, word])
                    targets[row, word] = np.where((late >= 2) & (late < 26), 1, targets[row, word])
        return self.augment(features, None), torch.from_numpy(targets), phones
