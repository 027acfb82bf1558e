"""The mistakes of a round, found in the training speech for the next one to learn from."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from . import nets
from .data import STEP, Augment, Pool, Store


@torch.no_grad()
def mine(
    store: Store, spotter: nets.Spotter, verifier: nets.Verifier | None, most: int, seed: int = 5, share: float = 1.0
) -> Pool:
    """The moments of training speech, or of a `share` of it, that come nearest to passing, as negative candidates."""
    spotter.eval()
    rng = np.random.default_rng(seed)
    augment = Augment(store, rng)
    kinds = [i for i in store.mine if not store.avoid[i] and store.count[i] > 60 and rng.random() < share]
    found = []
    for chunk in np.array_split(np.array(sorted(kinds, key=lambda i: store.count[i])), max(1, len(kinds) // 64)):
        length = -(-int(store.count[chunk].max() + 40) // STEP) * STEP
        features, _ = store.window(chunk, np.zeros(len(chunk)), length)
        features = augment(features, None, strong=0.0)
        logits, _, _ = spotter.run(features, spotter.fresh(len(chunk)))
        score = torch.sigmoid(logits).amax(1)
        top = F.max_pool1d(score[:, None], 7, 1, 3)[:, 0]
        rows, steps = torch.nonzero((score == top) & (score > 0.03), as_tuple=True)
        for row, step in zip(rows.tolist(), steps.tolist(), strict=True):
            found.append((chunk[row], step * STEP + STEP + 1.5 - 12, float(score[row, step])))
    if verifier is not None and found:
        verifier.eval()
        scored = []
        for part in np.array_split(np.arange(len(found)), max(1, len(found) // 256)):
            utterance = np.array([found[k][0] for k in part])
            anchor = np.array([found[k][1] for k in part])
            features, _ = store.window(
                utterance, np.round(anchor).astype(int) - verifier.before, verifier.before + verifier.after
            )
            features = augment(features, (verifier.before - 70, verifier.before + 5), strong=0.0)
            scored += torch.sigmoid(verifier.judge(features).wake).amax(1).tolist()
        found = [(u, a, s) for (u, a, _), s in zip(found, scored, strict=True)]
    found.sort(key=lambda row: -row[2])
    found = found[:most]
    print(f"mined {len(found)}, scores {[round(found[k][2], 3) for k in range(0, len(found), max(1, len(found) // 8))]}")
    if not found:
        return Pool(*(np.zeros(0, dtype=np.int64) for _ in range(5)))
    utterance = np.array([row[0] for row in found])
    anchor = np.array([row[1] for row in found])
    said = np.array([0.0 if store.table[u]["in_passing"] or store.is_noise[u] else -1.0 for u in utterance])
    return Pool(utterance, anchor, anchor - 60, np.full(len(found), -1), said)
